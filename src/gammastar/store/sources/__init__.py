"""Vendors' formats to the dataset layout, each a frozen dataclass with `read`; what they give passes the same checks as any dataset.

Nothing third-party is loaded before one of the names below is asked for. docs/sources.md has a section for each.
"""

from __future__ import annotations

__all__ = ["Delivery", "Source", "ingest_source", "source_names"]

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gammastar.store.sources.catalogue import source_names
    from gammastar.store.sources.delivery import Delivery, Source, ingest_source

_HOME = {"Delivery": "delivery", "Source": "delivery", "ingest_source": "delivery", "source_names": "catalogue"}


def __getattr__(name: str) -> object:
    """Load a public name when it is first asked for."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
