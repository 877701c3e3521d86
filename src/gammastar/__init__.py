"""gammastar: enhanced-index equity portfolios by Stochastic Portfolio Theory.

    from gammastar import Mandate, open_store, run_backtest

    mandate = Mandate.load("mandate.toml")
    panel = open_store("store").panel("daily")
    result = run_backtest(mandate, panel, "2008-12-31", "2019-12-31")
    page = result.tear_sheet()

Nothing third-party is loaded before one of the names below is asked for.
"""

from __future__ import annotations

__all__ = [
    "GammastarError",
    "Mandate",
    "Moment",
    "Panel",
    "Track",
    "__version__",
    "ingest",
    "open_store",
    "propose",
    "run_backtest",
]

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gammastar.backtest import run_backtest
    from gammastar.errors import GammastarError
    from gammastar.mandate import Mandate
    from gammastar.market.moment import Moment
    from gammastar.market.panel import Panel
    from gammastar.market.track import Track
    from gammastar.optimise import propose
    from gammastar.store import ingest, open_store

__version__ = "0.1.0"

_HOME = {
    "GammastarError": "errors",
    "Mandate": "mandate",
    "Moment": "market.moment",
    "Panel": "market.panel",
    "Track": "market.track",
    "ingest": "store",
    "open_store": "store",
    "propose": "optimise",
    "run_backtest": "backtest",
}


def __getattr__(name: str) -> object:
    """Load a public name when it is first asked for."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted(__all__)
