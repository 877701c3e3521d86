"""Figures of proposals."""

from __future__ import annotations

__all__ = ["frontier_figure"]

from typing import TYPE_CHECKING

import plotly.graph_objects as go
from plotly.subplots import make_subplots

if TYPE_CHECKING:
    from gammastar.optimise.frontier import Frontier

_INK, _GRID, _BLUE, _ORANGE = "#16324f", "#e3e6ea", "#0072b2", "#d55e00"


def frontier_figure(found: Frontier) -> go.Figure:
    """Return expected growth against the limit, and below it the price of the rule."""
    scale = 100.0 if found.unit.startswith("%") else 1.0
    points = [point for point in found.points if point.growth is not None]
    limits = [scale * point.limit for point in points]
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.68, 0.32], vertical_spacing=0.07)
    for name, colour, values in (
        ("expected growth net of amortised cost", _BLUE, [1e4 * (point.growth or 0.0) for point in points]),
        ("captured volatility, gamma*_pi - gamma*_mu", _ORANGE, [1e4 * (point.captured_volatility or 0.0) for point in points]),
    ):
        figure.add_trace(go.Scatter(x=limits, y=values, name=name, mode="lines+markers", line={"color": colour, "width": 2}), row=1, col=1)
    prices = [point.price or 0.0 for point in points]
    figure.add_trace(go.Scatter(x=limits, y=prices, name="price of the rule", mode="lines+markers", line={"color": _INK, "width": 1.5}), row=2, col=1)
    title = f"{found.mandate}, {found.session}: what {found.rule} is worth"
    figure.update_layout(template="none", title={"text": title, "x": 0.02, "font": {"size": 16}}, font={"color": _INK, "size": 12},
                         margin={"l": 70, "r": 30, "t": 60, "b": 50}, legend={"orientation": "h", "y": -0.16}, plot_bgcolor="white", height=620)
    figure.update_yaxes(gridcolor=_GRID, zerolinecolor="#9aa3ad")
    figure.update_yaxes(title="bp a year", row=1, col=1)
    figure.update_yaxes(title="bp per 1%" if scale > 1.0 else "bp per 0.01", rangemode="tozero", row=2, col=1)
    figure.update_xaxes(gridcolor=_GRID)
    figure.update_xaxes(title=f"limit on {found.rule}, {found.unit}", row=2, col=1)
    return figure
