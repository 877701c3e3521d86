-- Money traded that was known on its own date, by position of session and asset.
select s.position as session, a.position as asset, r.traded_value
from read_parquet($returns) r
join read_parquet($sessions) s on s.session = r.date
join read_parquet($assets) a on a.asset_id = r.asset_id
where r.known <= r.date and r.traded_value is not null
