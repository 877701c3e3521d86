-- As-traded prices and splits that were known on their own date. At a snapshot its price stands in for a missing one.
with priced as (
    select date, asset_id, price, coalesce(split, 1.0) as split
    from read_parquet($returns)
    where known <= date and (price is not null or split is not null)
),
published as (
    select date, asset_id, price
    from read_parquet($members)
    where known <= date and price is not null
)
select
    s.position as session,
    a.position as asset,
    coalesce(p.price, m.price) as close,
    coalesce(p.split, 1.0) as split
from priced p
full join published m on m.date = p.date and m.asset_id = p.asset_id
join read_parquet($sessions) s on s.session = coalesce(p.date, m.date)
join read_parquet($assets) a on a.asset_id = coalesce(p.asset_id, m.asset_id)
