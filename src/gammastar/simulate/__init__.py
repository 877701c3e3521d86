"""Market models: a frozen dataclass with `simulate(...)` that returns a `Panel`, or `Paths` that give one, beside what is known of it exactly. No global random state."""

from __future__ import annotations

__all__ = [
    "Atlas",
    "AtlasFit",
    "Block",
    "Clustering",
    "Firms",
    "FirstOrder",
    "FirstOrderFit",
    "GeometricBrownian",
    "Grid",
    "Growth",
    "HybridAtlas",
    "LargeCapMarket",
    "MovingBlocks",
    "Paths",
    "RankJacobi",
    "RankRecord",
    "Shocks",
    "SimulatedMarket",
    "StationaryBlocks",
    "Truth",
    "VolatilityStabilised",
    "calibrate_atlas",
    "calibrate_first_order",
    "rank_record",
]

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gammastar.simulate.bootstrap import MovingBlocks, StationaryBlocks
    from gammastar.simulate.calibrate import (
        AtlasFit,
        FirstOrderFit,
        RankRecord,
        calibrate_atlas,
        calibrate_first_order,
        rank_record,
    )
    from gammastar.simulate.first_order import Atlas, FirstOrder
    from gammastar.simulate.geometric_brownian import GeometricBrownian
    from gammastar.simulate.grid import Block, Grid
    from gammastar.simulate.hybrid_atlas import HybridAtlas
    from gammastar.simulate.large_cap import LargeCapMarket, SimulatedMarket
    from gammastar.simulate.parameters import Clustering, Firms, Growth, Shocks
    from gammastar.simulate.paths import Paths
    from gammastar.simulate.rank_jacobi import RankJacobi
    from gammastar.simulate.truth import Truth
    from gammastar.simulate.volatility_stabilised import VolatilityStabilised

_HOME = {
    "Atlas": "first_order",
    "AtlasFit": "calibrate",
    "Block": "grid",
    "Clustering": "parameters",
    "Firms": "parameters",
    "FirstOrder": "first_order",
    "FirstOrderFit": "calibrate",
    "GeometricBrownian": "geometric_brownian",
    "Grid": "grid",
    "Growth": "parameters",
    "HybridAtlas": "hybrid_atlas",
    "LargeCapMarket": "large_cap",
    "MovingBlocks": "bootstrap",
    "Paths": "paths",
    "RankJacobi": "rank_jacobi",
    "RankRecord": "calibrate",
    "Shocks": "parameters",
    "SimulatedMarket": "large_cap",
    "StationaryBlocks": "bootstrap",
    "Truth": "truth",
    "VolatilityStabilised": "volatility_stabilised",
    "calibrate_atlas": "calibrate",
    "calibrate_first_order": "calibrate",
    "rank_record": "calibrate",
}


def __getattr__(name: str) -> object:
    """Load a public name when it is first asked for, so that importing the room loads nothing third-party."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
