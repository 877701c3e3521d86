"""Market models: a frozen dataclass with `simulate(...)` that returns a `Panel` and the truth behind it. No global random state."""

from __future__ import annotations

__all__ = ["Clustering", "Firms", "Growth", "LargeCapMarket", "Shocks", "SimulatedMarket", "Truth"]

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gammastar.simulate.large_cap import LargeCapMarket, SimulatedMarket
    from gammastar.simulate.parameters import Clustering, Firms, Growth, Shocks
    from gammastar.simulate.truth import Truth

_HOME = {
    "Clustering": "parameters",
    "Firms": "parameters",
    "Growth": "parameters",
    "LargeCapMarket": "large_cap",
    "Shocks": "parameters",
    "SimulatedMarket": "large_cap",
    "Truth": "truth",
}


def __getattr__(name: str) -> object:
    """Load a public name when it is first asked for, so that importing the room loads nothing third-party."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
