"""The verbs of data: ingest, from a dataset or from a vendor's files, status, sources, match."""

from __future__ import annotations

__all__ = ["data_status", "ingest", "ingest_from", "list_sources", "match_names"]

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from gammastar.store import IngestReport
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


def data_status(path: Path) -> dict[str, Any]:
    """Return what a store holds: source, dates, rows, assets, panels, what is missing, fingerprint."""
    from gammastar.store import open_store

    return open_store(path).status()
