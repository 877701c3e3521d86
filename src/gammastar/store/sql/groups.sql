-- The group told of each asset at each date of members, by one attribute: position in the labels, -1 where none was told.
-- Of several versions of a snapshot the last one known by then counts.
with labels as (
    select unnest($labels::varchar[]) as label, unnest(range(len($labels::varchar[]))) as code
),
ids as (
    select unnest($ids::varchar[]) as asset_id, unnest(range(len($ids::varchar[]))) as position
),
versions as (
    select date, entry
    from read_parquet($members)
    group by date, entry
    having max(known) <= $until::date
),
chosen as (
    select date, max(entry) as entry
    from versions
    group by date
)
select g.date, a.position as asset, coalesce(l.code, -1) as code
from read_parquet($groups) g
join chosen c on c.date = g.date and c.entry = g.entry
join ids a on a.asset_id = g.asset_id
left join labels l on l.label = g.label
where g.attribute = $attribute
