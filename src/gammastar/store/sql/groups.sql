-- The group told of each asset at each date of members, by one attribute: position in the labels, -1 where none was told.
with labels as (
    select unnest($labels::varchar[]) as label, unnest(range(len($labels::varchar[]))) as code
)
select s.position as session, a.position as asset, coalesce(l.code, -1) as code
from read_parquet($groups) g
join read_parquet($sessions) s on s.session = g.date
join read_parquet($assets) a on a.asset_id = g.asset_id
left join labels l on l.label = g.label
where g.attribute = $attribute
