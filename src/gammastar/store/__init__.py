"""Real data, point in time: a documented dataset layout is checked, stored in one folder, and read back as a `Panel`.

Parquet holds the rows and DuckDB asks the questions. Nothing third-party is loaded before one of the names below is asked for.
"""

from __future__ import annotations

__all__ = [
    "AppendReport",
    "Correction",
    "IngestReport",
    "Store",
    "append",
    "corrections",
    "ingest",
    "open_store",
    "override",
    "override_return",
    "quarantine",
    "revoke",
    "write_dataset",
]

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gammastar.store.appending import AppendReport, append
    from gammastar.store.export import write_dataset
    from gammastar.store.folder import Store, open_store
    from gammastar.store.intake import IngestReport, ingest
    from gammastar.store.signing import Correction, corrections, override, override_return, quarantine, revoke

_HOME = {
    "AppendReport": "appending",
    "Correction": "signing",
    "IngestReport": "intake",
    "Store": "folder",
    "append": "appending",
    "corrections": "signing",
    "ingest": "intake",
    "open_store": "folder",
    "override": "signing",
    "override_return": "signing",
    "quarantine": "signing",
    "revoke": "signing",
    "write_dataset": "export",
}


def __getattr__(name: str) -> object:
    """Load a public name when it is first asked for."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
