"""Figures of the theory."""

from __future__ import annotations

__all__ = ["account_figure", "capital_figure", "frequency_figure"]

from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

if TYPE_CHECKING:
    from gammastar.theory.account import Account
    from gammastar.theory.capital import CapitalCurve
    from gammastar.theory.rebalancing import FrequencyStudy

_COLOURS = ("#16324f", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#999999")
_INK, _GRID = "#16324f", "#e3e6ea"


def account_figure(account: Account) -> go.Figure:
    """Return the cumulated log relative return of an account, in percent, and its parts."""
    frame = account.to_pandas(cumulated=True).drop(columns="residual")
    figure = _blank(f"{account.function}: log relative return and its exact parts", "cumulated, %")
    lines = {"relative return": frame.sum(axis=1), **{str(name).replace("_", " "): frame[name] for name in frame if frame[name].abs().max() > 0.0}}
    for k, (name, values) in enumerate(lines.items()):
        style = {"color": _COLOURS[k % len(_COLOURS)], "width": 2.2 if k == 0 else 1.4}
        figure.add_trace(go.Scatter(x=account.ends, y=100.0 * values.to_numpy(), name=name, mode="lines", line=style))
    return figure


def capital_figure(curve: CapitalCurve) -> go.Figure:
    """Return weight against rank of each curve, in percent, both axes logarithmic."""
    figure = _blank("Capital distribution", "index weight, %")
    for k, (date, weights) in enumerate(zip(curve.dates, curve.weights, strict=True)):
        held = weights[weights > 0.0]
        style = {"color": _COLOURS[k % len(_COLOURS)], "width": 1.6}
        figure.add_trace(go.Scatter(x=np.arange(1, len(held) + 1), y=100.0 * held, name=str(date), mode="lines", line=style))
    figure.update_xaxes(type="log", title="rank")
    figure.update_yaxes(type="log")
    return figure


def frequency_figure(study: FrequencyStudy) -> go.Figure:
    """Return, on the left, the gain of each clock over the slowest by its parts; on the right, the signature plot of excess growth."""
    slowest = study.clocks[-1]
    titles = (f"gain over {slowest.clock} rebalancing", "signature plot: excess growth by window")
    figure = _styled(make_subplots(rows=1, cols=2, subplot_titles=titles, horizontal_spacing=0.12), f"{study.function}: how often to rebalance", "basis points a year")
    names, faster = [str(item.clock) for item in study.clocks[:-1]], study.clocks[:-1]
    parts = {"L-divergence": ("l_divergence",), "leakage": ("leakage",), "flow": ("flow_membership", "flow_other"), "dividend": ("dividend",), "cost": ("cost",)}
    for k, (label, inside) in enumerate(parts.items(), start=1):
        heights = [1e4 * sum(item.parts[name] - slowest.parts[name] for name in inside) for item in faster]
        if max(map(abs, heights), default=0.0) > 1e-6:
            figure.add_trace(go.Bar(x=names, y=heights, name=label, marker={"color": _COLOURS[k]}), row=1, col=1)
    errors = [1e4 * (item.standard_error or 0.0) for item in faster]
    ends = {"type": "data", "array": errors, "visible": any(errors), "color": _INK}
    marks = {"color": _INK, "size": 9, "symbol": "diamond"}
    figure.add_trace(go.Scatter(x=names, y=[1e4 * item.gain for item in faster], name="gain, one standard error", mode="markers", marker=marks, error_y=ends), row=1, col=1)
    for k, (label, plot) in enumerate((("portfolio", study.signature), ("index", study.index_signature))):
        style, colour = ({"width": 1.6, "dash": "solid" if k == 0 else "dot"}, _COLOURS[0 if k == 0 else 7])
        ends = {"type": "data", "array": 1e4 * plot.standard_error, "visible": True}
        line = go.Scatter(x=plot.windows, y=1e4 * plot.excess_growth, name=f"excess growth, {label}", mode="lines+markers", line={**style, "color": colour}, error_y=ends)
        figure.add_trace(line, row=1, col=2)
    figure.update_layout(barmode="relative")
    figure.update_xaxes(type="log", title="window, sessions", tickvals=list(study.signature.windows), ticktext=[str(x) for x in study.signature.windows], row=1, col=2)
    return figure


def _blank(title: str, unit: str) -> go.Figure:
    return _styled(go.Figure(), title, unit)


def _styled(figure: go.Figure, title: str, unit: str) -> go.Figure:
    figure.update_layout(template="none", title={"text": title, "x": 0.02, "font": {"size": 16}}, font={"color": _INK, "size": 12},
                         margin={"l": 60, "r": 30, "t": 60, "b": 50}, legend={"orientation": "h", "y": -0.18}, plot_bgcolor="white")
    figure.update_yaxes(title=unit, gridcolor=_GRID, zerolinecolor="#9aa3ad")
    figure.update_xaxes(gridcolor=_GRID)
    return figure
