-- Labels of each further group attribute told by then; an attribute without a label has a row of its own.
select distinct g.attribute, g.label
from read_parquet($groups) g
where g.known <= $until::date
