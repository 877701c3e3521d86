-- The published index by date, as known by then.
select date, arg_max(level, entry) as level
from read_parquet($index)
where known <= $until::date
group by date
order by date
