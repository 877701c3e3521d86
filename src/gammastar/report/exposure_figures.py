"""Figures of what was held and risked: tracking error, captured volatility, tilts, active weights, market diversity."""

from __future__ import annotations

__all__ = [
    "figure_active_weights",
    "figure_captured_volatility",
    "figure_diversity",
    "figure_risk_parts",
    "figure_sector_tilts",
    "figure_size_tilt",
    "figure_tracking_error",
]

from typing import TYPE_CHECKING, Final

import numpy as np
import plotly.graph_objects as go

from gammastar.core import measures
from gammastar.market.calendar import Frequency
from gammastar.report.figure_style import (
    PALETTE,
    Axis,
    Line,
    blank,
    dates,
    escape,
    held,
    line_figure,
    running,
    signed,
    times,
)

if TYPE_CHECKING:
    from jaxtyping import Int
    from numpy import ndarray

    from gammastar.market.track import Track

NAMES: Final = 10
"""Most overweights, and most underweights, shown."""


def figure_tracking_error(track: Track) -> go.Figure:
    """Return the forecast tracking error in force beside the realised one of rolling windows."""
    year = track.frequency.periods
    lines = []
    windows = (63, 252) if track.frequency is Frequency.DAILY else (12, 36)
    for window, colour in zip(windows, (PALETTE.fifth, PALETTE.portfolio), strict=True):
        rolling = measures.rolling_tracking_error(track.portfolio, track.benchmark, year, window=window)
        if len(rolling):
            label = f"{window} {'sessions' if year > 12 else 'months'}"
            lines.append(
                Line(
                    label,
                    track.sessions[window - 1 :],
                    100.0 * rolling,
                    colour,
                    width=1.2 if window == windows[0] else 1.8,
                )
            )
    if track.forecast is not None:
        active = track.forecast.tracking_error > measures.ROUNDING  # there is none to show before the initial purchase
        active = active if bool(active.any()) else np.ones(len(track), dtype=bool)
        if len(track):
            lines.append(
                Line(
                    "Forecast",
                    track.sessions[active],
                    100.0 * track.forecast.tracking_error[active],
                    PALETTE.allocation,
                    width=1.4,
                )
            )
    return line_figure(
        "Tracking error, forecast and realised", "Forecast in force, and realised over rolling windows, % a year", lines
    )


def figure_captured_volatility(track: Track) -> go.Figure:
    """Return captured volatility, forecast and realised, both cumulative."""
    forecast, earned = held(track.forecast, "forecast"), held(track.attribution, "attribution")
    when = times(track)
    expected = forecast.captured_volatility / track.frequency.periods
    lines = [
        Line("Forecast", when, running(expected), PALETTE.allocation),
        Line("Realised", when, running(earned.captured_volatility), PALETTE.captured_volatility, width=1.8),
    ]
    return line_figure("Captured volatility, forecast and realised", "Cumulative log return, %", lines)


def figure_risk_parts(track: Track) -> go.Figure:
    """Return forecast tracking error split by the shares of its variance that factors and specific risk explain."""
    forecast = held(track.forecast, "forecast")
    error = 100.0 * forecast.tracking_error
    lines = [
        Line("Forecast", track.sessions, error, PALETTE.captured_volatility, width=0.8, fill="tozeroy"),
        Line(
            "Factor part", track.sessions, error * forecast.factor_share, PALETTE.portfolio, width=0.8, fill="tozeroy"
        ),
    ]
    return line_figure(
        "Factor and specific risk",
        "Forecast tracking error split by shares of its variance, % a year",
        lines,
        height=250,
    )


def figure_size_tilt(track: Track) -> go.Figure:
    """Return the active exposure to size through time."""
    line = Line("Size tilt", track.sessions, held(track.holdings, "holdings").size, PALETTE.portfolio)
    return line_figure(
        "Size tilt",
        "Active exposure to standardised log benchmark weight, standard deviations",
        [line],
        Axis("", 3),
        height=206,
    )


def figure_diversity(track: Track) -> go.Figure:
    """Return two measures of the benchmark's diversity: ``D_p`` at p = 1/2, and the exponential of the entropy, both a number of names."""
    mu = held(track.holdings, "holdings").benchmark
    diversity = np.sum(np.sqrt(mu), axis=1) ** 2
    entropy = np.exp(-np.sum(mu * np.log(mu, out=np.zeros_like(mu), where=mu > 0.0), axis=1))
    lines = [
        Line("Diversity, p = 0.5:", track.sessions, diversity, PALETTE.captured_volatility),
        Line("Exp. of entropy:", track.sessions, entropy, PALETTE.allocation),
    ]
    return line_figure(
        "Market diversity",
        "Effective number of names in the benchmark",
        lines,
        Axis("", 0, zero=False),
        height=232,
    )


def _month_ends(track: Track) -> Int[ndarray, " m"]:
    month = track.sessions.astype("datetime64[M]").astype(np.int64)
    return np.append(np.flatnonzero(np.diff(month)), len(month) - 1)


def figure_sector_tilts(track: Track) -> go.Figure:
    """Return active weights by sector at month ends as a map of colours, the last ones in figures."""
    holdings = held(track.holdings, "holdings")
    ends = _month_ends(track)
    tilts = 100.0 * holdings.sector_active[ends]
    shown = np.flatnonzero(np.max(np.abs(100.0 * holdings.sector_active), axis=0) > 1e-7)
    labels = [escape(holdings.sector_labels[k]) for k in shown]
    reach = max(float(np.max(np.abs(tilts), initial=0.0)), 0.01)
    figure = blank(
        "Sector tilts",
        "Active weight at month ends, % of the portfolio; the last one at the right",
        height=74 + 20 * max(len(shown), 2),
        left=158,
        right=128,
    )
    figure.add_trace(
        go.Heatmap(
            x=dates(track.sessions[ends]),
            y=labels,
            z=tilts[:, shown].T.astype(np.float32),
            zmin=-reach,
            zmax=reach,
            colorscale=[[0.0, PALETTE.allocation], [0.5, "#ffffff"], [1.0, PALETTE.captured_volatility]],
            ygap=2,
            hovertemplate="%{y}, %{x|%b %Y}: %{z:.2f}%<extra></extra>",
            colorbar={"x": 1.13, "xanchor": "left", "thickness": 8, "outlinewidth": 0, "ticksuffix": "%", "nticks": 5, "tickfont": {"size": 10.5, "color": PALETTE.muted}},
        )
    )  # fmt: skip
    for label, k in zip(labels, shown, strict=True):
        text = f"{signed(float(tilts[-1, k]), 2)}%"
        figure.add_annotation(
            x=1.0,
            xref="paper",
            xanchor="left",
            xshift=6,
            y=label,
            text=text,
            showarrow=False,
            font={"size": 11, "color": PALETTE.ink},
        )
    figure.update_yaxes(autorange="reversed", showgrid=False, ticks="")
    figure.update_xaxes(type="date")
    return figure


def figure_active_weights(track: Track) -> go.Figure:
    """Return the largest over- and underweights at the end of the track beside their volatility relative to the benchmark."""
    holdings = held(track.holdings, "holdings")
    active = 1e2 * (holdings.weights[-1] - holdings.benchmark[-1])
    order = np.argsort(-active, kind="stable")
    over = [k for k in order[:NAMES] if active[k] > 1e-7]
    under = [k for k in order[-NAMES:] if active[k] < -1e-7]
    chosen = np.array(over + under, dtype=np.intp)
    labels = [escape(holdings.assets.tickers[k]) for k in chosen]
    rows = [f"{place}" for place in range(len(chosen))]  # tickers may repeat: rows are told apart by place
    subtitle = f"Active weight on {track.sessions[-1]}, % of the portfolio"
    subtitle += (
        " &nbsp; and volatility relative to the benchmark, % a year" if holdings.relative_volatility is not None else ""
    )
    figure = blank(
        "Largest over- and underweights", subtitle, height=84 + 27 * max(len(chosen), 4) // 2, left=84, right=20
    )
    colours = [PALETTE.captured_volatility if active[k] > 0.0 else PALETTE.allocation for k in chosen]
    figure.add_trace(
        go.Bar(x=active[chosen].astype(np.float32), y=rows, orientation="h", marker={"color": colours}, customdata=labels, hovertemplate="%{customdata}: %{x:.2f}%<extra>Active weight</extra>")
    )  # fmt: skip
    figure.update_yaxes(
        type="category",
        tickmode="array",
        tickvals=rows,
        ticktext=labels,
        autorange="reversed",
        showgrid=False,
        tickfont={"size": 10.5, "color": PALETTE.ink},
    )
    figure.update_layout(
        xaxis={"domain": [0.0, 0.62], "ticksuffix": "%", "showgrid": True, "zeroline": True, "nticks": 7}
    )
    if holdings.relative_volatility is not None:
        volatility = 100.0 * holdings.relative_volatility[chosen]
        figure.add_trace(
            go.Scatter(x=volatility.astype(np.float32), y=rows, xaxis="x2", mode="markers", marker={"color": colours, "size": 7}, customdata=labels, hovertemplate="%{customdata}: %{x:.1f}%<extra>Relative volatility</extra>")
        )  # fmt: skip
        figure.update_layout(
            xaxis2=figure.layout.xaxis.to_plotly_json()
            | {"domain": [0.7, 1.0], "rangemode": "tozero", "anchor": "y", "nticks": 5}
        )
    return figure
