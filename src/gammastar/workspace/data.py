"""The verbs of data: ingest, status, simulated markets."""

from __future__ import annotations

__all__ = ["data_status", "ingest", "simulate_market"]

from dataclasses import replace
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


def simulate_market(out: Path, *, seed: int, members: int | None = None, listed: int | None = None) -> dict[str, Any]:
    """Simulate a large-cap market and write it as a dataset that `ingest` reads.

    Args:
        out: folder to write.
        seed: of the random numbers; the same seed gives the same bytes.
        members: names in the index; default the model's.
        listed: names listed in all; default the model's.
    """
    from gammastar.simulate import LargeCapMarket
    from gammastar.store import write_dataset

    model = LargeCapMarket()
    model = replace(model, members=members or model.members, listed=listed or model.listed)
    panel = model.simulate(seed).panel
    write_dataset(panel, out)
    return {
        "dataset": str(out),
        "seed": seed,
        "sessions": len(panel),
        "from": str(panel.sessions[0]),
        "to": str(panel.sessions[-1]),
        "assets": len(panel.assets),
        "fingerprint": panel.fingerprint,
    }
