-- Dates on which there are index weights, whether their first version was known on the date, and whether any return leads on from them.
with versions as (
    select date, entry, max(known) as known, sum(weight) as weight, count(forward_return) > 0 as forward
    from read_parquet($members)
    group by date, entry
    having max(known) <= $until::date
)
select date, min(known) <= date as on_time, arg_max(forward, entry) as forward
from versions
group by date
having arg_max(weight, entry) > 0
order by date
