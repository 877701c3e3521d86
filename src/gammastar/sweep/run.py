"""Tasks run by an executor, and what they found side by side."""

from __future__ import annotations

__all__ = ["COLUMNS", "Archive", "Outcome", "Sweep", "run_sweep"]

import tempfile
from concurrent.futures import Executor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gammastar.backtest import run_backtest
from gammastar.backtest.archive import read_run, save_run
from gammastar.backtest.compare import flat_statistics
from gammastar.backtest.run import run_fingerprint, run_span
from gammastar.errors import GammastarError
from gammastar.market.past import real_time
from gammastar.sweep.shared import open_shared, share

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from gammastar.market.panel import Panel
    from gammastar.sweep.grid import Task

COLUMNS = (
    "relative_log_return",
    "attribution.captured_volatility",
    "attribution.allocation",
    "attribution.cost",
    "tracking_error",
    "forecast_tracking_error",
    "information_ratio",
    "turnover_two_way",
)
"""The statistics of a run that stand in the table (`docs/statistics.md`); every other is in the run's own folder."""


@dataclass(frozen=True)
class Archive:
    """Where runs are kept.

    Args:
        folder: of all of them; each is in a folder named after its fingerprint.
        data: the store that the panel came from, for `gammastar verify`; empty where it came from none.
    """

    folder: Path
    data: str = ""


@dataclass(frozen=True)
class Outcome:
    """What became of one task.

    Args:
        settings: of the task, by dotted key.
        fingerprint: of the run (`gammastar.backtest.run.run_fingerprint`), which its folder is named after; empty where the data does not reach the dates.
        statistics: of the run, by dotted name; empty where it failed.
        failure: why there is no run; empty where there is one.
        again: whether an earlier sweep had it already.
    """

    settings: dict[str, Any]
    fingerprint: str
    statistics: dict[str, object]
    failure: str = ""
    again: bool = False

    def number(self, name: str) -> float | None:
        """Return a statistic by its dotted name, or None where it is not known."""
        value = self.statistics.get(name)
        return float(value) if isinstance(value, (int, float)) else None


@dataclass(frozen=True)
class Sweep:
    """The outcomes, in the order of the tasks."""

    outcomes: tuple[Outcome, ...]

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """Those without a run."""
        return tuple(outcome for outcome in self.outcomes if outcome.failure)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values: settings, the statistics of the table, and where a run lies."""
        rows = [
            {"settings": o.settings, "run": o.fingerprint[:16], "failure": o.failure or None, **{name: o.number(name) for name in COLUMNS}} for o in self.outcomes
        ]
        return {"runs": rows, "failed": len(self.failed)}


def run_sweep(
    tasks: Sequence[Task],
    panel: Panel,
    span: tuple[str | None, str | None] = (None, None),
    *,
    executor: Executor,
    archive: Archive | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Sweep:
    """Run tasks on one panel, side by side; what comes out does not depend on the executor or on the order in which they end.

    The panel's arrays are written once to a temporary folder, from which processes map them: they are not copied to each. A run that fails (its rules
    contradict each other at the start, too short a history) is an outcome with its reason, and stops no other.

    Args:
        tasks: of `tasks_of`.
        panel: the market.
        span: first and last close, YYYY-MM-DD; the defaults of `run_backtest`.
        executor: any `concurrent.futures.Executor` whose workers see the same files.
        archive: where to keep the runs, or None; those that are there already are not run again.
        progress: called with tasks done and tasks in all.
    """
    with tempfile.TemporaryDirectory(prefix="gammastar-sweep-") as folder:
        share(panel, Path(folder))
        futures: dict[Future[Outcome], int] = {}
        for number, task in enumerate(tasks):
            futures[executor.submit(_run, folder, task, span, archive)] = number
        found: dict[int, Outcome] = {}
        for future in as_completed(futures):
            found[futures[future]] = future.result()
            if progress is not None:
                progress(len(found), len(futures))
    return Sweep(tuple(found[number] for number in range(len(tasks))))


def _run(folder: str, task: Task, span: tuple[str | None, str | None], archive: Archive | None) -> Outcome:
    """Return the outcome of one task: the work of one process."""
    panel = real_time(open_shared(folder))
    try:
        fingerprint = run_fingerprint(task.mandate, panel, *run_span(task.mandate, panel, *span))
    except GammastarError as error:
        return Outcome(task.settings, "", {}, failure=_line(error))
    place = None if archive is None else archive.folder / fingerprint[:16]
    if place is not None and (place / "run.json").exists():
        return Outcome(task.settings, fingerprint, flat_statistics(read_run(place)), again=True)
    try:
        result = run_backtest(task.mandate, panel, *span)
    except GammastarError as error:
        return Outcome(task.settings, fingerprint, {}, failure=_line(error))
    if archive is not None and place is not None:
        place.parent.mkdir(parents=True, exist_ok=True)
        inputs = {"data": archive.data, "frequency": panel.frequency.name.lower(), "from": str(result.track.start), "to": str(result.track.sessions[-1]),
                  "data_fingerprint": panel.fingerprint, "settings": task.settings}  # fmt: skip
        save_run(result, place, mandate_text=task.text, inputs=inputs, page=False)
    return Outcome(task.settings, fingerprint, flat_statistics(result.to_dict()))


def _line(error: GammastarError) -> str:
    return " ".join(str(error).split())
