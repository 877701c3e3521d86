-- Published weights: the session they are true for, and the first session at whose close the whole snapshot was known.
with snapshots as (
    select date, max(known) as known
    from read_parquet($members)
    group by date
),
dated as (
    select n.date, s.position as session, coalesce(e.position, 2147483647) as effective
    from snapshots n
    join read_parquet($sessions) s on s.session = n.date
    asof left join read_parquet($sessions) e on n.known <= e.session
)
select
    d.session,
    d.effective,
    a.position as asset,
    m.weight,
    m.forward_return,
    coalesce(list_position($labels, m.sector), 0) - 1 as sector
from read_parquet($members) m
join dated d on d.date = m.date
join read_parquet($assets) a on a.asset_id = m.asset_id
order by d.session, a.position
