"""The verbs of data: ingest, from a dataset or from a vendor's files, append, status, differences, sources, matches."""

from __future__ import annotations

__all__ = ["append", "data_status", "diff_knowledge", "ingest", "ingest_from", "list_sources", "match_names"]

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from gammastar.backtest.touched import TouchedRun
    from gammastar.store import AppendReport, IngestReport
    from gammastar.store.difference import Difference
    from gammastar.store.identity.matching import MatchTable


def ingest(dataset: Path, into: Path, *, mapping: Path | None = None) -> IngestReport:
    """Read and validate a dataset and store it; see `gammastar.store.ingest`."""
    from gammastar import store

    return store.ingest(dataset, into, mapping=mapping)


def ingest_from(source: str, data: Path, into: Path, *, settings: Mapping[str, str], dataset: Path | None = None) -> IngestReport:
    """Read a vendor's files by the source of that name and store them; see `gammastar.store.sources.ingest_source`."""
    from gammastar.store.sources.catalogue import make_source
    from gammastar.store.sources.delivery import ingest_source

    return ingest_source(make_source(source, settings), data, into, dataset=dataset)


def list_sources() -> list[dict[str, str]]:
    """Return the sources there are: name, what each reads, and the package that brings it."""
    from gammastar.store.sources.catalogue import source_names

    return [{"name": entry.name, "reads": entry.reads, "package": entry.package} for entry in source_names().values()]


def match_names(members: Path, vendor: Path, out: Path, *, vendor_id: str, price: str) -> MatchTable:
    """Match the assets of a table of members with a vendor's names, and write the table to be reviewed."""
    from gammastar.store.identity.matching import match_assets

    found = match_assets(members, vendor, vendor_id=vendor_id, price=price)
    found.write(out)
    return found


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
