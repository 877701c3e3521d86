-- Sectors told by then, in no order.
select distinct sector as label
from read_parquet($members)
where known <= $until::date and sector is not null
