"""Decisions of saved runs that looked at facts which are known otherwise by now."""

from __future__ import annotations

__all__ = ["TouchedRun", "touched_runs"]

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gammastar.backtest.archive import read_run
from gammastar.errors import DataError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class TouchedRun:
    """What corrections mean for one run.

    Args:
        run: its folder.
        decisions: how many it made.
        outdated: dates of decisions made before a correction was known that reaches back to them: made again they would be the same.
        changed: dates of decisions after a correction became known that the run did not know of: made again they see other facts.
        note: why it was not looked at, empty if it was.
    """

    run: str
    decisions: int = 0
    outdated: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        """Return it for people to read."""
        if self.note:
            return f"{self.run}: not looked at, {self.note}"
        if not self.outdated and not self.changed:
            return f"{self.run}: none of {self.decisions} decisions is touched"
        kinds = ((self.changed, "see other facts if run again"), (self.outdated, "looked at values corrected only later"))
        told = "; ".join(f"{len(dates)} {words} ({_span(dates)})" for dates, words in kinds if dates)
        return f"{self.run}: of {self.decisions} decisions {told}"


def _span(dates: tuple[str, ...]) -> str:
    return dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"


def touched_runs(folder: Path, store: Path, begin: np.datetime64, corrected: Iterable[tuple[np.datetime64, np.datetime64]]) -> tuple[TouchedRun, ...]:
    """Return what corrections mean for each run in a folder.

    A decision looks at all of the past, so a correction touches each one on or after the date it is true for.

    Args:
        folder: a run, or a folder of runs.
        store: that the corrections were made in.
        begin: what a run knew that does not say so.
        corrected: for each correction the date it is true for and the time it became known.

    Raises:
        UsageError: there is no run in the folder.
    """
    runs = [folder] if (folder / "run.json").is_file() else sorted(path.parent for path in folder.glob("*/run.json"))
    if not runs:
        raise UsageError("--runs", "there is no run in this folder", got=str(folder), allowed="a folder written by `gammastar backtest --out`, or one of such folders")
    pairs = np.array(list(corrected), dtype="datetime64[D]").reshape(-1, 2)
    return tuple(_touched(run, store, begin, pairs) for run in runs)


def _touched(run: Path, store: Path, begin: np.datetime64, pairs: np.ndarray) -> TouchedRun:
    try:
        inputs = read_run(run)["inputs"]
        dates = _decision_dates(run)
    except (DataError, OSError, KeyError, ValueError) as error:
        return TouchedRun(str(run), note=f"it cannot be read: {error}")
    if Path(inputs["data"]).resolve() != store.resolve():
        return TouchedRun(str(run), len(dates), note=f"its data is {inputs['data']}")
    knew = np.datetime64(inputs.get("known") or str(begin), "D")
    true, learnt = pairs[pairs[:, 1] > knew].T
    reached = (true[:, None] <= dates) & (dates < learnt[:, None])
    otherwise = (learnt[:, None] <= dates).any(axis=0)
    outdated = reached.any(axis=0) & ~otherwise
    return TouchedRun(str(run), len(dates), tuple(dates[outdated].astype(str)), tuple(dates[otherwise].astype(str)))


def _decision_dates(run: Path) -> np.ndarray:
    """Return the dates of a run's decisions."""
    lines = (run / "decisions.csv").read_text(encoding="utf-8").splitlines()[1:]
    return np.array(sorted({line.partition(",")[0] for line in lines}), dtype="datetime64[D]")
