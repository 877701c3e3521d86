"""Published and independently found tables, made again: `python -m replications`, or one by name. See README.md."""
