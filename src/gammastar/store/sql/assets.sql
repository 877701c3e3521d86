-- Permanent ids that were known by then, with the last labels told of each.
select
    asset_id,
    arg_max(ticker, row(date, entry)) filter (where ticker is not null) as ticker,
    arg_max(name, row(date, entry)) filter (where name is not null) as name
from read_parquet($members)
where known <= $until::date
group by asset_id
