"""Market models: a frozen dataclass with `simulate(...)` that returns a `Panel`, or `Paths` that give one, beside what is known of it exactly. No global random state."""

from __future__ import annotations

__all__ = [
    "Atlas",
    "AtlasFit",
    "AtlasPreset",
    "Block",
    "Clustering",
    "Comparison",
    "Firms",
    "FirstOrder",
    "FirstOrderFit",
    "FirstOrderPreset",
    "GeometricBrownian",
    "GeometricBrownianPreset",
    "Grid",
    "Growth",
    "History",
    "HybridAtlas",
    "HybridAtlasPreset",
    "LargeCapMarket",
    "ModelMarket",
    "MovingBlocks",
    "Paths",
    "RankJacobi",
    "RankJacobiPreset",
    "RankRecord",
    "Setup",
    "Shocks",
    "SimulatedMarket",
    "StationaryBlocks",
    "Truth",
    "VolatilityStabilised",
    "VolatilityStabilisedPreset",
    "calibrate_atlas",
    "calibrate_first_order",
    "rank_record",
    "simulate_history",
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
    from gammastar.simulate.comparison import Comparison
    from gammastar.simulate.first_order import Atlas, FirstOrder
    from gammastar.simulate.geometric_brownian import GeometricBrownian
    from gammastar.simulate.grid import Block, Grid
    from gammastar.simulate.hybrid_atlas import HybridAtlas
    from gammastar.simulate.large_cap import LargeCapMarket, SimulatedMarket
    from gammastar.simulate.model_market import History, ModelMarket, simulate_history
    from gammastar.simulate.parameters import Clustering, Firms, Growth, Shocks
    from gammastar.simulate.paths import Paths
    from gammastar.simulate.presets import (
        AtlasPreset,
        FirstOrderPreset,
        GeometricBrownianPreset,
        HybridAtlasPreset,
        RankJacobiPreset,
        Setup,
        VolatilityStabilisedPreset,
    )
    from gammastar.simulate.rank_jacobi import RankJacobi
    from gammastar.simulate.truth import Truth
    from gammastar.simulate.volatility_stabilised import VolatilityStabilised

_HOME = {
    "Atlas": "first_order",
    "AtlasFit": "calibrate",
    "AtlasPreset": "presets",
    "Block": "grid",
    "Clustering": "parameters",
    "Comparison": "comparison",
    "Firms": "parameters",
    "FirstOrder": "first_order",
    "FirstOrderFit": "calibrate",
    "FirstOrderPreset": "presets",
    "GeometricBrownian": "geometric_brownian",
    "GeometricBrownianPreset": "presets",
    "Grid": "grid",
    "Growth": "parameters",
    "History": "model_market",
    "HybridAtlas": "hybrid_atlas",
    "HybridAtlasPreset": "presets",
    "LargeCapMarket": "large_cap",
    "ModelMarket": "model_market",
    "MovingBlocks": "bootstrap",
    "Paths": "paths",
    "RankJacobi": "rank_jacobi",
    "RankJacobiPreset": "presets",
    "RankRecord": "calibrate",
    "Setup": "presets",
    "Shocks": "parameters",
    "SimulatedMarket": "large_cap",
    "StationaryBlocks": "bootstrap",
    "Truth": "truth",
    "VolatilityStabilised": "volatility_stabilised",
    "VolatilityStabilisedPreset": "presets",
    "calibrate_atlas": "calibrate",
    "calibrate_first_order": "calibrate",
    "rank_record": "calibrate",
    "simulate_history": "model_market",
}


def __getattr__(name: str) -> object:
    """Load a public name when it is first asked for, so that importing the room loads nothing third-party."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
