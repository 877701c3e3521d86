-- Daily returns that were known on their own date, by position of session and asset.
select s.position as session, a.position as asset, r.total_return, r.estimated
from read_parquet($returns) r
join read_parquet($sessions) s on s.session = r.date
join read_parquet($assets) a on a.asset_id = r.asset_id
where r.known <= r.date
