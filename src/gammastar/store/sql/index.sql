-- The published index at the last session on or before each date it is given for (a month end may be a Sunday).
with dated as (
    select s.position as session, s.session as day, i.date, i.level
    from read_parquet($index) i
    asof join read_parquet($sessions) s on i.date >= s.session
)
select session, arg_max(level, date) as level
from dated
where date - day <= 6
group by session
order by session
