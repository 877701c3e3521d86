-- Published weights: of several versions of a snapshot the last one known by then, and when its first was known as a whole.
with ids as (
    select unnest($ids::varchar[]) as asset_id, unnest(range(len($ids::varchar[]))) as position
),
versions as (
    select date, entry, max(known) as known
    from read_parquet($members)
    group by date, entry
    having max(known) <= $until::date
),
chosen as (
    select date, max(entry) as entry, min(known) as first
    from versions
    group by date
)
select
    c.date,
    c.first,
    a.position as asset,
    m.weight,
    m.forward_return,
    m.price,
    coalesce(list_position($labels, m.sector), 0) - 1 as sector
from read_parquet($members) m
join chosen c on c.date = m.date and c.entry = m.entry
join ids a on a.asset_id = m.asset_id
order by c.date, a.position
