"""Figures of the theory."""

from __future__ import annotations

__all__ = ["account_figure", "capital_figure"]

from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

if TYPE_CHECKING:
    from gammastar.theory.account import Account
    from gammastar.theory.capital import CapitalCurve

_COLOURS = ("#16324f", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#999999")
_INK, _GRID = "#16324f", "#e3e6ea"


def account_figure(account: Account) -> go.Figure:
    """Return the cumulated log relative return and its parts."""
    frame = account.to_pandas(cumulated=True).drop(columns="residual")
    figure = _blank(f"{account.function}: log relative return and its exact parts", "cumulated, %")
    lines = {"relative return": frame.sum(axis=1), **{str(name).replace("_", " "): frame[name] for name in frame if frame[name].abs().max() > 0.0}}
    for k, (name, values) in enumerate(lines.items()):
        style = {"color": _COLOURS[k % len(_COLOURS)], "width": 2.2 if k == 0 else 1.4}
        figure.add_trace(go.Scatter(x=account.ends, y=100.0 * values.to_numpy(), name=name, mode="lines", line=style))
    return figure


def capital_figure(curve: CapitalCurve) -> go.Figure:
    """Return log weight against log rank."""
    figure = _blank("Capital distribution", "index weight, %")
    for k, (date, weights) in enumerate(zip(curve.dates, curve.weights, strict=True)):
        held = weights[weights > 0.0]
        style = {"color": _COLOURS[k % len(_COLOURS)], "width": 1.6}
        figure.add_trace(go.Scatter(x=np.arange(1, len(held) + 1), y=100.0 * held, name=str(date), mode="lines", line=style))
    figure.update_xaxes(type="log", title="rank")
    figure.update_yaxes(type="log")
    return figure


def _blank(title: str, unit: str) -> go.Figure:
    figure = go.Figure()
    figure.update_layout(template="none", title={"text": title, "x": 0.02, "font": {"size": 16}}, font={"color": _INK, "size": 12},
                         margin={"l": 60, "r": 30, "t": 60, "b": 50}, legend={"orientation": "h", "y": -0.18}, plot_bgcolor="white")
    figure.update_yaxes(title=unit, gridcolor=_GRID, zerolinecolor="#9aa3ad")
    figure.update_xaxes(gridcolor=_GRID)
    return figure
