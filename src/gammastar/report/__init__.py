"""Words, tables and pictures of a `market.Track`. Nothing is loaded until it is asked for: figures need Plotly, tables pandas."""

from __future__ import annotations

__all__ = [
    "Statistics",
    "pictures",
    "read_returns",
    "returns_csv",
    "returns_frame",
    "summarise",
    "summary",
    "tear_sheet",
]

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gammastar.report.figures import pictures
    from gammastar.report.sheet import tear_sheet
    from gammastar.report.statistics import Statistics, summarise
    from gammastar.report.tables import read_returns, returns_csv, returns_frame
    from gammastar.report.text import summary

_HOME = {
    "Statistics": "statistics",
    "pictures": "figures",
    "read_returns": "tables",
    "returns_csv": "tables",
    "returns_frame": "tables",
    "summarise": "statistics",
    "summary": "text",
    "tear_sheet": "sheet",
}


def __getattr__(name: str) -> Any:
    """Load a public name from the module it lives in."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    """Return the public names."""
    return __all__
