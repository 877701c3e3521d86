"""Many backtests: a grid of settings to tasks, each with a fingerprint, run by any executor on one shared, read-only panel."""

__all__ = ["Archive", "Outcome", "Sweep", "Task", "grid", "run_sweep", "tasks_of"]

from gammastar.sweep.grid import Task, grid, tasks_of
from gammastar.sweep.run import Archive, Outcome, Sweep, run_sweep
