"""The verbs of data: ingest, status."""

from __future__ import annotations

__all__ = ["data_status", "ingest"]

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from gammastar.store import IngestReport


def ingest(dataset: Path, into: Path, *, mapping: Path | None = None) -> IngestReport:
    """Read and validate a dataset and store it; see `gammastar.store.ingest`."""
    from gammastar import store

    return store.ingest(dataset, into, mapping=mapping)


def data_status(path: Path) -> dict[str, Any]:
    """Return what a store holds: source, dates, rows, assets, panels, what is missing, fingerprint."""
    from gammastar.store import open_store

    return open_store(path).status()
