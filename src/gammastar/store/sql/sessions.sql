-- The exchange's sessions in order, and the one that follows the last.
select session
from read_parquet($sessions)
order by position
