"""The verbs of data: ingest, append, status, differences."""

from __future__ import annotations

__all__ = ["append", "data_status", "diff_knowledge", "ingest"]

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from gammastar.backtest.touched import TouchedRun
    from gammastar.store import AppendReport, IngestReport
    from gammastar.store.difference import Difference


def ingest(dataset: Path, into: Path, *, mapping: Path | None = None) -> IngestReport:
    """Read and validate a dataset and store it; see `gammastar.store.ingest`."""
    from gammastar import store

    return store.ingest(dataset, into, mapping=mapping)


def append(dataset: Path, into: Path, *, mapping: Path | None = None, known: str | None = None) -> AppendReport:
    """Add new sessions, snapshots and corrections to a store; see `gammastar.store.append`."""
    from gammastar import store

    return store.append(dataset, into, mapping=mapping, known=known)


def data_status(path: Path, *, on: str | None = None) -> dict[str, Any]:
    """Return what a store holds: source, dates, rows, assets, panels, what is missing, fingerprint.

    Args:
        path: of the store.
        on: a date; the answer then has how many sessions the data lacks at its close, by panel, under ``"stale"``.
    """
    from gammastar.store import open_store
    from gammastar.workspace.opening import parse_date

    store = open_store(path)
    return store.status() if on is None else {**store.status(), "on": on, "stale": store.staleness(parse_date("--on", on))}


def diff_knowledge(path: Path, begin: str, end: str, *, runs: Path | None = None) -> tuple[Difference, tuple[TouchedRun, ...]]:
    """Return what a store knew at `end` and not at `begin`, and what that means for the decisions of saved runs.

    Args:
        path: of the store.
        begin: the earlier knowledge time, YYYY-MM-DD.
        end: the later one.
        runs: a saved run, or a folder of them.
    """
    from gammastar.backtest.touched import touched_runs
    from gammastar.store import open_store
    from gammastar.store.difference import compare_knowledge

    found = compare_knowledge(open_store(path), begin, end)
    return found, () if runs is None else touched_runs(runs, path, found.begin, found.decisive)
