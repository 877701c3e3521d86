"""Words, tables and pictures of a `market.Track` and of a study of risk forecasts. Nothing is loaded until it is asked for: figures need Plotly, tables pandas."""

from __future__ import annotations

__all__ = [
    "Statistics",
    "forecasts_csv",
    "pictures",
    "read_returns",
    "returns_csv",
    "returns_frame",
    "risk_page",
    "risk_summary",
    "summarise",
    "summary",
    "tear_sheet",
]

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gammastar.report.figures import pictures
    from gammastar.report.risk_sheet import forecasts_csv, risk_page
    from gammastar.report.risk_text import risk_summary
    from gammastar.report.sheet import tear_sheet
    from gammastar.report.statistics import Statistics, summarise
    from gammastar.report.tables import read_returns, returns_csv, returns_frame
    from gammastar.report.text import summary

_HOME = {
    "Statistics": "statistics",
    "forecasts_csv": "risk_sheet",
    "pictures": "figures",
    "read_returns": "tables",
    "returns_csv": "tables",
    "returns_frame": "tables",
    "risk_page": "risk_sheet",
    "risk_summary": "risk_text",
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
