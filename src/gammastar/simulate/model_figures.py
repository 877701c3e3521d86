"""Figures of simulated markets: the path against what the model, or the truth, says of it."""

from __future__ import annotations

__all__ = ["market_figure", "volatility_figure"]

import html
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from gammastar.core.rank_generating import ranked_weights
from gammastar.simulate.geometric_brownian import GeometricBrownian
from gammastar.simulate.hybrid_atlas import HybridAtlas

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from numpy import ndarray

    from gammastar.market.panel import Panel
    from gammastar.simulate.closed_forms import StationaryCurve
    from gammastar.simulate.model_market import ModelMarket

_INK, _GRID, _BAND = "#16324f", "#e3e6ea", "rgba(0, 114, 178, 0.14)"
_MODEL, _PATH, _FIRST, _LAST = "#0072b2", "#d55e00", "#999999", "#009e73"
POINTS = 600  # most points drawn for a line over time


def market_figure(market: ModelMarket) -> go.Figure:
    """Return what one wants to see first of the market of a model."""
    model, curve = market.model, market.curve
    if isinstance(model, GeometricBrownian):
        return _growth_figure(market, model)
    if isinstance(model, HybridAtlas):
        return _leaders_figure(market)
    if curve is None:
        raise TypeError(f"{type(model).__name__} has no figure")
    return _capital_figure(market, curve)


def _capital_figure(market: ModelMarket, curve: StationaryCurve) -> go.Figure:
    """Return log weight against log rank: the stationary law with its 90% band, the mean over the path, its first and last session."""
    ranked = ranked_weights(market.panel.benchmark)
    rank = np.arange(1, ranked.shape[1] + 1)
    figure = _blank("Capital distribution", market.panel.source, "index weight, %")
    edge = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
    figure.add_trace(go.Scatter(x=rank, y=100.0 * np.exp(curve.high), showlegend=False, **edge))
    figure.add_trace(go.Scatter(x=rank, y=100.0 * np.exp(curve.low), fill="tonexty", fillcolor=_BAND, name="stationary law, 5% to 95% of days", **edge))
    sessions = market.panel.sessions
    lines = (
        ("stationary law, mean", np.exp(curve.mean), _MODEL, 2.2, "solid"),
        ("this path, mean", np.exp(np.log(ranked).mean(axis=0)), _PATH, 2.2, "solid"),
        (f"{sessions[0]}", ranked[0], _FIRST, 1.2, "dot"),
        (f"{sessions[-1]}", ranked[-1], _LAST, 1.2, "dot"),
    )
    for name, weights, colour, width, dash in lines:
        style = {"color": colour, "width": width, "dash": dash}
        figure.add_trace(go.Scatter(x=rank, y=100.0 * weights, name=name, mode="lines", line=style))
    figure.update_xaxes(type="log", title="rank", **_ticks(1.0, float(rank[-1])))
    figure.update_yaxes(type="log", **_ticks(100.0 * float(np.exp(curve.low[-1])), 100.0 * float(np.exp(curve.high[0]))))
    return figure


def _ticks(low: float, high: float) -> dict[str, list[float] | list[str]]:
    """Return labels at 1, 2 and 5 times powers of ten; at the powers alone where there would be many."""
    powers = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1.0)
    steps = (1.0, 2.0, 5.0) if len(powers) < 6 else (1.0,)
    values = [step * power for power in powers for step in steps if 0.9 * low <= step * power <= 1.1 * high]
    return {"tickvals": values, "ticktext": [f"{value:.6g}" for value in values]}


def _leaders_figure(market: ModelMarket) -> go.Figure:
    """Return the share of time that each name is the largest: closed form, and the path with its standard error."""
    rows = [row for row in market.comparisons if row.quantity.startswith("time at rank 1")]
    names = [row.quantity.rsplit(" ", 1)[-1] for row in rows]
    figure = _blank("Who is largest", market.panel.source, "share of time, %")
    bars = (("closed form", [row.exact for row in rows], _MODEL), ("this path", [row.path for row in rows], _PATH))
    for name, values, colour in bars:
        figure.add_trace(go.Bar(x=names, y=[100.0 * value for value in values], name=name, marker={"color": colour}))
    if market.others:
        spread = [100.0 * (row.error or 0.0) for row in rows]
        figure.data[0].error_y = {"type": "data", "array": spread, "arrayminus": [min(s, 100.0 * row.exact) for s, row in zip(spread, rows, strict=True)],
                                  "symmetric": False, "thickness": 1, "width": 3, "color": _INK}  # fmt: skip
        figure.data[0].name = "closed form, with the standard error of one path"
    figure.update_xaxes(title="name, from the strongest drift of its own to the weakest", type="category")
    figure.update_yaxes(rangemode="tozero")
    return figure


def _growth_figure(market: ModelMarket, model: GeometricBrownian) -> go.Figure:
    """Return growth beyond that of the mean name, cumulated: of equal weights traded back daily, beside ``gamma* t``, and of the index, which is held."""
    panel, n = market.panel, len(model)
    gross, equal = 1.0 + panel.returns[1:], np.full(n, 1.0 / n)
    mean_name = np.log(gross).mean(axis=1)
    excess = model.excess_growth(equal) + float(equal @ model.growth - model.growth.mean())
    lines = (
        ("equal weights, traded back daily", np.log(gross @ equal) - mean_name, _PATH, "solid"),
        ("equal weights, closed form", np.full(len(gross), excess / panel.frequency.periods), _MODEL, "dash"),
        ("index, held", np.log1p(panel.benchmark_returns[1:]) - mean_name, _LAST, "solid"),
    )
    figure = _blank("Growth beyond that of the mean name", panel.source, "cumulated log growth, %")
    for name, steps, colour, dash in lines:
        days, values = _thinned(panel.sessions, np.concatenate(([0.0], np.cumsum(steps))))
        style = {"color": colour, "width": 1.8, "dash": dash}
        figure.add_trace(go.Scatter(x=days, y=100.0 * values, name=name, mode="lines", line=style))
    return figure


def volatility_figure(panel: Panel, at: Int[ndarray, " k"], variances: Float[ndarray, " k"]) -> go.Figure:
    """Return the true volatility of the index at some closes, and that of its returns over a quarter of sessions.

    Args:
        panel: the market.
        at: positions of the closes.
        variances: true annual variances of the index over the next session.
    """
    returns, periods = panel.benchmark_returns[1:], panel.frequency.periods
    span = min(63, len(returns))
    squares = np.concatenate(([0.0], np.cumsum(np.square(returns - returns.mean()))))
    seen = np.sqrt((squares[span:] - squares[:-span]) / span * periods)
    figure = _blank("Volatility of the index", panel.source, "% a year")
    lines = (("the last quarter's returns", *_thinned(panel.sessions[span:], seen), _PATH), ("truth", panel.sessions[at], np.sqrt(variances), _MODEL))
    for name, days, values, colour in lines:
        figure.add_trace(go.Scatter(x=days, y=100.0 * values, name=name, mode="lines", line={"color": colour, "width": 1.6}))
    figure.update_yaxes(rangemode="tozero")
    return figure


def _thinned(sessions: ndarray, values: ndarray) -> tuple[ndarray, ndarray]:
    at = np.unique(np.linspace(0, len(values) - 1, min(POINTS, len(values))).astype(np.int64))
    return sessions[at], values[at]


def _blank(title: str, source: str, unit: str) -> go.Figure:
    figure = go.Figure()
    text = f"{title}<br><sub>{html.escape(source)}</sub>"
    figure.update_layout(template="none", title={"text": text, "x": 0.02, "font": {"size": 16}}, font={"color": _INK, "size": 12}, plot_bgcolor="white",
                         margin={"l": 60, "r": 30, "t": 70, "b": 50}, legend={"orientation": "h", "y": -0.18, "traceorder": "normal"})  # fmt: skip
    figure.update_yaxes(title=unit, gridcolor=_GRID, zerolinecolor="#9aa3ad")
    figure.update_xaxes(gridcolor=_GRID)
    return figure
