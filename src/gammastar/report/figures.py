"""Plotly figures of a track, one builder each; `pictures` lists those a track has the data for.

Every builder returns a figure of fixed size and raises ValueError where the track lacks the part it shows. Log returns are in percent.
"""

from __future__ import annotations

__all__ = [
    "PICTURES",
    "Picture",
    "figure_active_weights",
    "figure_baselines",
    "figure_calendar_years",
    "figure_captured_volatility",
    "figure_costs",
    "figure_decomposition",
    "figure_diversity",
    "figure_relative_drawdown",
    "figure_relative_return",
    "figure_risk_parts",
    "figure_sector_tilts",
    "figure_size_tilt",
    "figure_tracking_error",
    "figure_wealth",
    "pictures",
]

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from gammastar.report.exposure_figures import (
    figure_active_weights,
    figure_captured_volatility,
    figure_diversity,
    figure_risk_parts,
    figure_sector_tilts,
    figure_size_tilt,
    figure_tracking_error,
)
from gammastar.report.return_figures import (
    figure_baselines,
    figure_calendar_years,
    figure_costs,
    figure_decomposition,
    figure_relative_drawdown,
    figure_relative_return,
    figure_wealth,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    import plotly.graph_objects as go

    from gammastar.market.track import Track


@dataclass(frozen=True)
class Picture:
    """A figure of the tear sheet.

    Args:
        name: short; the figure's id on the page.
        section: heading it stands under.
        build: its builder.
        shows: whether a track has what it needs.
        caption: how to read it, in a sentence or two.
    """

    name: str
    section: str
    build: Callable[[Track], go.Figure]
    shows: Callable[[Track], bool]
    caption: str


def _tilted(track: Track) -> bool:
    held = track.holdings
    return held is not None and bool(np.any(np.abs(held.weights[-1] - held.benchmark[-1]) > 1e-9))


PICTURES: Final = (
    Picture(
        "relative-return",
        "Return",
        figure_relative_return,
        lambda track: track.attribution is not None,
        "Captured volatility, allocation and cost add up to the relative return at every session. Captured volatility is what holding more volatile names "
        "and trading back to target earned; allocation is the rest of the bet, and can go either way.",
    ),
    Picture(
        "relative-return",
        "Return",
        figure_relative_return,
        lambda track: track.attribution is None,
        "The record holds no attribution, so that nothing is said here of where the difference came from.",
    ),
    Picture("wealth", "Return", figure_wealth, lambda _: True, "Equal distances are equal percentages."),
    Picture(
        "calendar-years",
        "Return",
        figure_calendar_years,
        lambda _: True,
        "Not annualised; the first and the last year may be partial.",
    ),
    Picture(
        "decomposition",
        "Return",
        figure_decomposition,
        lambda track: track.decomposition is not None,
        "Boundary is the change of the market's concentration, L-divergence what rebalancing earned from it, flow what index changes took or gave; "
        "execution is lag, bands, lots and cash.",
    ),
    Picture(
        "tracking-error",
        "Risk",
        figure_tracking_error,
        lambda track: track.forecast is not None or len(track) >= (63 if track.frequency.periods > 12 else 12),
        "A forecast above the realised lines was cautious, one below them was too low. Rolling windows look back: they lag the forecast.",
    ),
    Picture(
        "captured-volatility",
        "Risk",
        figure_captured_volatility,
        lambda track: track.forecast is not None and track.attribution is not None,
        "The forecast is the risk model's difference of excess growth rates for the weights held, accumulated; the realised line needs no model.",
    ),
    Picture(
        "risk-parts",
        "Risk",
        figure_risk_parts,
        lambda track: track.forecast is not None,
        "The dark area is the factors' part, the light area above it specific.",
    ),
    Picture(
        "relative-drawdown",
        "Return",
        figure_relative_drawdown,
        lambda _: True,
        "How far relative wealth stood below its own last peak.",
    ),
    Picture(
        "sector-tilts",
        "Holdings",
        figure_sector_tilts,
        lambda track: track.holdings is not None,
        "Blue is overweight, orange underweight: style drift would show as bands of one colour.",
    ),
    Picture(
        "size-tilt",
        "Holdings",
        figure_size_tilt,
        lambda track: track.holdings is not None,
        "Negative values lean to smaller companies.",
    ),
    Picture(
        "active-weights",
        "Holdings",
        figure_active_weights,
        _tilted,
        "A strategy that captures volatility overweights names with high relative volatility: blue dots to the right, orange ones to the left.",
    ),
    Picture(
        "diversity",
        "Market, costs and baselines",
        figure_diversity,
        lambda track: track.holdings is not None,
        "Falling lines are a market that concentrates in its largest names: a headwind for every portfolio that leans away from them.",
    ),
    Picture(
        "costs",
        "Market, costs and baselines",
        figure_costs,
        lambda track: track.trading is not None,
        "The break-even cost is the cost of trading at which the relative return would be zero; the initial purchase is left out of the bars.",
    ),
    Picture(
        "baselines",
        "Market, costs and baselines",
        figure_baselines,
        lambda track: bool(track.baselines),
        "The same record for simple portfolios that need no model. They have other risks: compare shapes, not only ends.",
    ),
)
"""Every figure, in the order of the tear sheet."""


def pictures(track: Track) -> tuple[Picture, ...]:
    """Return the figures `track` has the data for."""
    return tuple(picture for picture in PICTURES if picture.shows(track))
