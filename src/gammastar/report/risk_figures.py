"""Plotly figures of a study of risk forecasts, each of fixed size: bias by window, forecast beside realised risk, growth, style exposures."""

from __future__ import annotations

__all__ = ["figure_bias", "figure_each", "figure_forecast", "figure_growth", "figure_growth_sums", "figure_styles"]

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import plotly.graph_objects as go

from gammastar.core.measures import bias_band, rolling_tracking_error
from gammastar.report.figure_style import PALETTE, Axis, Line, blank, escape, key, line_figure, running
from gammastar.report.risk_text import GROUP_WORDS, GROWTH_WORDS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gammastar.risk.evaluate import Bias
    from gammastar.risk.study import GroupScore, RiskStudy

ROLLING: Final = 63
_COLOURS: Final = {
    "optimised": PALETTE.portfolio,
    "random": PALETTE.benchmark,
    "sector": PALETTE.captured_volatility,
    "style": PALETTE.allocation,
    "benchmark": PALETTE.fourth,
}
_GROWTH_COLOURS: Final = {"raw": PALETTE.forecast, "calibrated": PALETTE.fifth, "learnt": PALETTE.fourth}
_STYLE_COLOURS: Final = (PALETTE.portfolio, PALETTE.allocation, PALETTE.captured_volatility, PALETTE.fourth, PALETTE.cost)
_BAND: Final = "rgba(138, 143, 152, 0.20)"


def figure_bias(study: RiskStudy, part: Callable[[GroupScore], Bias], what: str) -> go.Figure:
    """Return the bias statistic of every group by window, beside the chi-square band of one portfolio.

    Args:
        study: what to show.
        part: `daily` or `monthly` of a group.
        what: of what the statistic is, for the title.
    """
    groups = [name for name in GROUP_WORDS if any(window.group(name) for window in study.windows)]
    words = key(*((GROUP_WORDS[name], _COLOURS[name]) for name in groups))
    figure = blank(f"Bias by window, {what}", f"1 is right, above it risk was too low &nbsp; {words}", height=292, right=20)
    shown = []
    for at, window in enumerate(study.windows):
        low, high = bias_band(max(part(group).count for group in window.groups))
        shown += [low, high]
        figure.add_shape(type="rect", x0=at - 0.42, x1=at + 0.42, y0=low, y1=high, fillcolor=_BAND, line={"width": 0}, layer="below")
    for place, name in enumerate(groups):
        found = [(at, part(group)) for at, window in enumerate(study.windows) if (group := window.group(name)) is not None]
        shift = 0.62 * ((place + 0.5) / len(groups) - 0.5)
        shown += [edge for _, bias in found for edge in (bias.bootstrap_low, bias.bootstrap_high)]
        figure.add_trace(_marks([at + shift for at, _ in found], [bias for _, bias in found], GROUP_WORDS[name], _COLOURS[name]))
    names = [escape(window.span.name) for window in study.windows]
    figure.add_hline(y=1.0, line={"color": PALETTE.axis, "width": 1}, layer="below")
    figure.update_xaxes(tickmode="array", tickvals=list(range(len(names))), ticktext=names, range=[-0.6, len(names) - 0.4], zeroline=False, showgrid=False)
    figure.update_yaxes(range=_room(shown), nticks=7)
    return figure


def _marks(x: Sequence[float], found: Sequence[Bias], name: str, colour: str) -> go.Scatter:
    """Return a mark for each bias statistic, with its resampled band as whiskers."""
    y = [bias.value for bias in found]
    spread = {
        "type": "data",
        "symmetric": False,
        "array": [max(bias.bootstrap_high - bias.value, 0.0) for bias in found],
        "arrayminus": [max(bias.value - bias.bootstrap_low, 0.0) for bias in found],
        "color": colour,
        "thickness": 1.2,
        "width": 0,
    }
    text = [f"{bias.bootstrap_low:.2f} to {bias.bootstrap_high:.2f}" for bias in found]
    return go.Scatter(x=list(x), y=y, mode="markers", name=name, text=text, error_y=spread, marker={"color": colour, "size": 7},
                      hovertemplate=f"%{{y:.2f}}, resampled %{{text}}<extra>{name}</extra>")  # fmt: skip


def _room(values: Sequence[float]) -> list[float]:
    low, high = min(*values, 1.0), max(*values, 1.0)
    return [low - 0.06 * (high - low), high + 0.06 * (high - low)]


def figure_each(study: RiskStudy) -> go.Figure:
    """Return the bias of sessions of every sector and style portfolio in the first window, a line each."""
    window = study.windows[0]
    rows: list[tuple[str, float, str]] = []
    for name in ("style", "sector"):
        group = window.group(name)
        if group is not None:
            rows += [(label, value, _COLOURS[name]) for label, value in zip(group.labels, group.each_daily, strict=True)]
    low, high = bias_band(window.sessions)
    words = key(("Styles", _COLOURS["style"]), ("Sectors", _COLOURS["sector"]))
    figure = blank(f"Bias of sessions by portfolio, {window.span.name}", words, height=84 + 19 * max(len(rows), 2), left=160, right=60)
    figure.add_vrect(x0=low, x1=high, fillcolor=_BAND, line={"width": 0}, layer="below")
    figure.add_vline(x=1.0, line={"color": PALETTE.axis, "width": 1}, layer="below")
    labels = [escape(label) for label, _, _ in rows]
    mark: dict[str, Any] = {"size": 8, "color": [colour for _, _, colour in rows]}
    values = [value for _, value, _ in rows]
    figure.add_trace(go.Scatter(x=values, y=labels, mode="markers", marker=mark, hovertemplate="%{y}: %{x:.2f}<extra></extra>"))
    for label, value in zip(labels, values, strict=True):
        figure.add_annotation(x=1.0, xref="paper", xanchor="left", xshift=8, y=label, text=f"{value:.2f}", showarrow=False, font={"size": 11, "color": PALETTE.ink})
    figure.update_xaxes(range=_room([*values, low, high]))
    figure.update_yaxes(autorange="reversed", type="category")
    return figure


def figure_forecast(study: RiskStudy) -> go.Figure:
    """Return the forecast active risk in force beside the realised one of rolling windows, a year."""
    told = study.forecasts
    forecast = Line("Forecast", told.sessions, 100.0 * np.sqrt(told.annual) * told.forecast[:, 0], PALETTE.forecast)
    active, nothing = told.realised[:, 0], np.zeros(len(told))
    realised = 100.0 * rolling_tracking_error(active, nothing, int(told.annual), window=ROLLING)
    lines = [forecast]
    if len(realised):
        lines.insert(0, Line(f"{ROLLING} sessions", told.sessions[ROLLING - 1 :], realised, PALETTE.fifth))
    return line_figure("Active risk of the targets", "Forecast in force, and realised over the sessions before, a year", lines)


def figure_growth(study: RiskStudy) -> go.Figure:
    """Return forecast, calibrated and realised excess growth over the benchmark's by window, with the standard error of what was realised."""
    windows = [window for window in study.windows if window.growth]
    names = [escape(window.span.name) for window in windows]
    words = key(*((GROWTH_WORDS.get(name, name), _growth_colour(name)) for name in study.forecasts.expected), ("Realised", PALETTE.portfolio))
    figure = blank("Excess growth over the benchmark's, by window", f"bp a year &nbsp; {words}", right=20)
    for name in study.forecasts.expected:
        there = [(label, window.growth[name]) for label, window in zip(names, windows, strict=True) if name in window.growth]
        figure.add_trace(_bars([label for label, _ in there], [1e4 * ratio.forecast for _, ratio in there], GROWTH_WORDS.get(name, name), _growth_colour(name)))
    realised = [next(iter(window.growth.values())) for window in windows]
    bars = _bars(names, [1e4 * ratio.realised for ratio in realised], "Realised", PALETTE.portfolio)
    bars.error_y = {"type": "data", "array": [1e4 * ratio.error * ratio.forecast for ratio in realised], "color": PALETTE.muted, "thickness": 1.2, "width": 3}
    figure.add_trace(bars)
    figure.update_layout(barmode="group")
    figure.update_xaxes(type="category")
    figure.update_yaxes(ticksuffix=" bp", nticks=7)
    return figure


def _growth_colour(name: str) -> str:
    return _GROWTH_COLOURS.get(name, PALETTE.cost)


def _bars(x: Sequence[str], y: Sequence[float], name: str, colour: str) -> go.Bar:
    return go.Bar(x=list(x), y=list(y), name=name, marker={"color": colour}, hovertemplate=f"%{{x}}: %{{y:.1f}} bp<extra>{name}</extra>")


def figure_growth_sums(study: RiskStudy) -> go.Figure:
    """Return running sums of forecast and realised excess growth over the benchmark's."""
    told = study.forecasts
    when = np.concatenate((told.sessions[:1] - 1, told.sessions))
    lines = [Line(GROWTH_WORDS.get(name, name), when, running(series), _growth_colour(name)) for name, series in told.expected.items()]
    lines.append(Line("Realised", when, running(told.captured), PALETTE.portfolio))
    return line_figure("Excess growth over the benchmark's, added up", "Log growth since the start", lines)


def figure_styles(study: RiskStudy) -> go.Figure:
    """Return the exposures of the active targets to the named styles, decision by decision."""
    lines = [
        Line(name.capitalize(), study.decisions, values, _STYLE_COLOURS[k % len(_STYLE_COLOURS)], width=1.2)
        for k, (name, values) in enumerate(study.exposures.items())
    ]
    return line_figure("Style exposures of the targets", "Sum of active weights times exposures, at each decision, in standard deviations", lines, Axis("", 3))
