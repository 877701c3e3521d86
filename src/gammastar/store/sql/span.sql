-- Position of the session of the last daily return, whenever it became known.
select max(s.position) as last
from read_parquet($returns) r
join read_parquet($sessions) s on s.session = r.date
