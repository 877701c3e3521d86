-- Permanent ids in the order of a panel's columns, with the last known labels.
select asset_id, ticker, name
from read_parquet($assets)
order by position
