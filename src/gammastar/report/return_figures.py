"""Figures of what was earned: relative return and its parts, wealth, calendar years, costs, other portfolios beside the run."""

from __future__ import annotations

__all__ = [
    "figure_baselines",
    "figure_calendar_years",
    "figure_costs",
    "figure_decomposition",
    "figure_relative_drawdown",
    "figure_relative_return",
    "figure_wealth",
]

from typing import TYPE_CHECKING, Final

import numpy as np
import plotly.graph_objects as go

from gammastar.core import measures
from gammastar.report.catalogue import Unit, present
from gammastar.report.figure_style import (
    PALETTE,
    Axis,
    Line,
    blank,
    dates,
    end_labels,
    held,
    key,
    line_figure,
    running,
    signed,
    time_axis,
    times,
)
from gammastar.report.spans import calendar_years

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy import ndarray

    from gammastar.market.track import Track

_PARTS: Final = (
    ("captured_volatility", "Captured volatility", PALETTE.captured_volatility),
    ("allocation", "Allocation", PALETTE.allocation),
    ("cost", "Cost", PALETTE.cost),
)


def _relative(track: Track) -> Float[ndarray, " t"]:
    """Return the log relative returns of the track."""
    return measures.relative_log_returns(track.portfolio, track.benchmark)


def figure_relative_return(track: Track) -> go.Figure:
    """Return the cumulative log relative return with its exact parts (the total alone where there is no attribution)."""
    when = times(track)
    lines = []
    if track.attribution is not None:
        lines = [Line(label, when, running(getattr(track.attribution, part)), colour) for part, label, colour in _PARTS]
    lines.append(Line("Relative return", when, running(_relative(track)), PALETTE.portfolio, width=2.0))
    title = "Relative return" if track.attribution is None else "Relative return and its parts"
    return line_figure(title, "Cumulative log return relative to the benchmark, %", lines)


def figure_wealth(track: Track) -> go.Figure:
    """Return the value of 1 invested, on a log scale; the published index beside it where it is known."""
    when = times(track)
    lines = [Line("Benchmark", when, measures.wealth(track.benchmark), PALETTE.benchmark)]
    if track.index_level is not None:
        known = np.flatnonzero(np.isfinite(track.index_level))
        if len(known) > 1:
            at = measures.wealth(track.benchmark)[known[0]]
            level = track.index_level[known] / track.index_level[known[0]] * at
            lines.append(Line("Published index", when[known], level, PALETTE.fifth, dash="dot", width=1.2))
    lines.append(Line("Portfolio", when, measures.wealth(track.portfolio), PALETTE.portfolio, width=1.8))
    return line_figure("Wealth", "Value of 1 invested, after costs, log scale", lines, Axis("", log=True, zero=False))


def figure_relative_drawdown(track: Track) -> go.Figure:
    """Return the drawdown of the portfolio's wealth divided by the benchmark's."""
    depth = 100.0 * np.concatenate(([0.0], measures.relative_drawdown(track.portfolio, track.benchmark)))
    line = Line("Now", times(track), depth, PALETTE.portfolio, width=1.0, fill="tozeroy")
    return line_figure("Relative drawdown", "Loss of relative wealth since its last peak, %", [line], height=230)


def figure_calendar_years(track: Track) -> go.Figure:
    """Return each calendar year's relative log return as stacked parts, with the total as a mark (bars of the total without an attribution)."""
    years = calendar_years(track)
    when = [entry.year for entry in years]
    totals = [1e4 * entry.relative_log_return for entry in years]
    bars = [("Relative return", totals, PALETTE.portfolio)]
    if track.attribution is not None:
        bars = [
            (label, [1e4 * float(getattr(entry, part)) for entry in years], colour) for part, label, colour in _PARTS
        ]
    words = [(label, colour) for label, _, colour in bars]
    words += [("Relative return", PALETTE.portfolio)] if len(bars) > 1 else []
    figure = blank("Calendar years", f"Log return relative to the benchmark, bp &nbsp; {key(*words)}", right=20)
    for label, heights, colour in bars:
        hover = f"%{{x}}: %{{y:.0f}} bp<extra>{label}</extra>"
        figure.add_trace(go.Bar(x=when, y=heights, name=label, marker={"color": colour}, hovertemplate=hover))
    if len(bars) > 1:
        mark = {"symbol": "diamond", "size": 9, "color": PALETTE.portfolio, "line": {"color": "white", "width": 1.5}}
        hover = "%{x}: %{y:.0f} bp<extra>Relative return</extra>"
        figure.add_trace(go.Scatter(x=when, y=totals, mode="markers", marker=mark, hovertemplate=hover))
    small = {"size": 11 if len(when) <= 16 else 9, "color": PALETTE.portfolio}
    for k, total in enumerate(totals):
        top = max(total, sum(max(heights[k], 0.0) for _, heights, _ in bars), 0.0)
        figure.add_annotation(x=when[k], y=top, yshift=11, text=signed(total, 0), showarrow=False, font=small)
    ticks = when[:: 1 + (len(when) - 1) // 16]
    figure.update_layout(barmode="relative")
    figure.update_xaxes(
        tickmode="array", tickvals=ticks, ticktext=[str(year) for year in ticks], range=[when[0] - 0.6, when[-1] + 0.6]
    )
    figure.update_yaxes(ticksuffix=" bp", nticks=7)
    return figure


def figure_baselines(track: Track) -> go.Figure:
    """Return the cumulative log relative return of the run and of the baselines, all before the baselines' own costs."""
    when = times(track)
    colours = (PALETTE.fourth, PALETTE.forecast, PALETTE.cost, PALETTE.fifth, PALETTE.allocation)
    lines = [
        Line(
            name,
            when,
            running(measures.relative_log_returns(returns, track.benchmark)),
            colours[k % len(colours)],
            width=1.2,
        )
        for k, (name, returns) in enumerate(track.baselines.items())
    ]
    lines.append(Line("This portfolio", when, running(_relative(track)), PALETTE.portfolio, width=2.0))
    return line_figure("Baselines beside the run", "Cumulative log return relative to the benchmark, %", lines)


def figure_decomposition(track: Track) -> go.Figure:
    """Return the cumulative parts of a generated strategy's log relative return."""
    parts = held(track.decomposition, "decomposition")
    when = times(track)
    lines = [
        Line(label, when, running(getattr(parts, part)), colour)
        for part, label, colour in (
            ("boundary", "Boundary", PALETTE.allocation),
            ("l_divergence", "L-divergence", PALETTE.captured_volatility),
            ("flow", "Flow", PALETTE.forecast),
            ("execution", "Execution", PALETTE.fourth),
            ("cost", "Cost", PALETTE.cost),
        )
    ]
    lines.append(Line("Relative return", when, running(_relative(track)), PALETTE.portfolio, width=2.0))
    return line_figure(
        "Decomposition of the generated strategy",
        "Cumulative log return relative to the benchmark, %",
        lines,
        height=310,
    )


def figure_costs(track: Track) -> go.Figure:
    """Return the cumulative relative return before and after cost, above one-way turnover by quarter (initial purchase left out)."""
    trading = held(track.trading, "trading")
    when, net = times(track), _relative(track)
    gross = net - np.log1p(-trading.cost)
    lines = [
        Line("Before cost", when, running(gross), PALETTE.captured_volatility),
        Line("After cost", when, running(net), PALETTE.portfolio, width=1.8),
    ]
    figure = blank("Costs and turnover", _cost_words(track), height=326)
    axis = Axis()
    bounds = axis.bounds(lines)
    for line in lines:
        figure.add_trace(line.trace("%", 2))
    figure.update_layout(yaxis={"domain": [0.45, 1.0], "range": bounds, "ticksuffix": "%", "nticks": 6})
    quarter, turnover = _quarters(track)
    figure.add_trace(
        go.Bar(
            x=quarter,
            y=turnover,
            yaxis="y2",
            marker={"color": PALETTE.benchmark},
            hovertemplate="%{x|%b %Y}: %{y:.1f}%<extra>One-way turnover</extra>",
        )
    )
    figure.update_layout(yaxis2={"domain": [0.0, 0.33], "ticksuffix": "%", "nticks": 4, "gridcolor": PALETTE.grid, "rangemode": "tozero",
                                 "tickfont": {"size": 11, "color": PALETTE.muted}})  # fmt: skip
    time_axis(figure, when[0], when[-1])
    figure.update_xaxes(anchor="y2")
    end_labels(figure, [axis.label(line) for line in lines], bounds)
    top = max(turnover, default=0.0) or 1.0
    figure.update_layout(yaxis2_range=[0.0, 1.1 * top])
    end_labels(figure, [(0.55 * top, "One-way turnover<br>by quarter", PALETTE.muted)], (0.0, 1.1 * top), axis="y2")
    return figure


def _cost_words(track: Track) -> str:
    trading = held(track.trading, "trading")
    words = "Cumulative log relative return, %"
    traded = float(np.sum(trading.turnover_two_way))
    if traded <= measures.ROUNDING:
        return words
    gross = float(np.sum(_relative(track) - np.log1p(-trading.cost)))
    paid, even = float(np.sum(trading.cost)) / traded, gross / traded
    return f"{words} &nbsp; Paid {present(paid, Unit.TRADED)}; break-even {present(even, Unit.TRADED)}"


def _quarters(track: Track) -> tuple[list[str], Float[ndarray, " q"]]:
    """Return the middle of each quarter and its one-way turnover in percent."""
    trading = held(track.trading, "trading")
    traded = np.array(trading.turnover_two_way, dtype=np.float64)
    if trading.initial >= 0:
        traded[trading.initial] = 0.0
    quarter = track.sessions.astype("datetime64[M]").astype(np.int64) // 3
    middle = (np.unique(quarter) * 3 + 1).astype("datetime64[M]").astype("datetime64[D]") + 14
    return dates(middle), 50.0 * measures.period_sums(traded, quarter)
