"""Figures of a data check: where findings lie, how much of the index has returns, the index beside the published one, and single findings from close."""

from __future__ import annotations

__all__ = ["figure_close_up", "figure_findings", "figure_observed", "figure_tracking"]

from typing import TYPE_CHECKING, Final

import numpy as np
import plotly.graph_objects as go

from gammastar.market.quality import Severity
from gammastar.report.figure_style import PALETTE, Line, blank, dates, key, line_figure, time_axis

if TYPE_CHECKING:
    from gammastar.market.panel import Panel
    from gammastar.market.quality import IndexTracking, QualityFinding

_COLOURS: Final = {Severity.ERROR: PALETTE.allocation, Severity.WARNING: PALETTE.fourth, Severity.NOTE: PALETTE.benchmark}
_PLURAL: Final = {Severity.ERROR: "errors", Severity.WARNING: "warnings", Severity.NOTE: "notes"}
_AROUND: Final = 30
_GAP_LONGEST: Final = 400  # sessions of a close-up


def figure_findings(findings: tuple[QualityFinding, ...], panel: Panel) -> go.Figure:
    """Return the number of findings that begin in each month, by severity; those about no date are left out."""
    months = np.arange(panel.sessions[0].astype("datetime64[M]"), panel.sessions[-1].astype("datetime64[M]") + 1)
    words = key(*((_PLURAL[level], colour) for level, colour in _COLOURS.items()))
    figure = blank("Findings by month", f"Number that begin in each month   {words}", right=20)
    for level, colour in _COLOURS.items():
        begun = [one.first for one in findings if one.severity is level and one.first is not None]
        at = np.array(begun, dtype="datetime64[M]").astype(np.int64) - months[0].astype(np.int64)
        counts = np.bincount(np.clip(at, 0, len(months) - 1), minlength=len(months))
        figure.add_trace(go.Bar(x=dates(months), y=counts, marker={"color": colour, "line": {"width": 0}}, name=level.value, hovertemplate="%{x|%b %Y}: %{y}"))
    figure.update_layout(barmode="stack", bargap=0.1)
    time_axis(figure, panel.sessions[0], panel.sessions[-1])
    return figure


def figure_observed(panel: Panel) -> go.Figure:
    """Return the share of index weight whose returns are data, session by session."""
    line = Line("With returns", panel.sessions[1:], 100.0 * (1.0 - panel.imputed_weight[1:]), PALETTE.portfolio)
    figure = line_figure("Index weight with returns", "Share of the benchmark weight whose return is data, %", [line])
    low = float(line.values.min())
    figure.update_yaxes(range=[max(0.0, low - 2.0), 100.4])
    figure.update_layout(annotations=[])  # one line needs no label
    return figure


def figure_tracking(tracking: IndexTracking) -> go.Figure:
    """Return the panel's index less the published one, by month, in basis points."""
    differences = 1e4 * tracking.difference
    figure = blank("Index return of the panel less the published index", "By month, bp", right=20)
    figure.add_trace(go.Bar(x=dates(tracking.dates), y=differences.round(2), marker={"color": PALETTE.portfolio, "line": {"width": 0}}, hovertemplate="%{x|%b %Y}: %{y:.1f} bp<extra></extra>"))
    time_axis(figure, tracking.dates[0], tracking.dates[-1])
    return figure


def figure_close_up(finding: QualityFinding, panel: Panel) -> go.Figure:
    """Return the growth of the asset of a finding around its dates, beside the index.

    Raises:
        ValueError: the finding is about no asset of the panel, or about no date.
    """
    if finding.asset is None or finding.first is None or finding.last is None or finding.asset not in panel.assets.index:
        raise ValueError("a close-up needs an asset of the panel and a date")
    asset = panel.assets.index[finding.asset]
    first = max(int(np.searchsorted(panel.sessions, finding.first)) - _AROUND, 0)
    last = min(int(np.searchsorted(panel.sessions, finding.last)) + _AROUND + 1, len(panel), first + _GAP_LONGEST)
    within = slice(first, last)
    label = panel.assets.tickers[asset] or finding.asset
    growth = [
        Line("Index", panel.sessions[within], _grown(panel.benchmark_returns[within]), PALETTE.benchmark),
        Line(label, panel.sessions[within], _grown(panel.returns[within, asset]), PALETTE.allocation, width=1.8),
    ]
    figure = line_figure(f"{label}: {finding.check}", "Growth around the dates in question, log %; shaded: the finding", growth)
    figure.add_vrect(x0=str(finding.first), x1=str(finding.last + np.timedelta64(1, "D")), fillcolor=_COLOURS[finding.severity], opacity=0.15, line_width=0)
    return figure


def _grown(returns: np.ndarray) -> np.ndarray:
    logs = np.log1p(returns)
    logs[0] = 0.0
    return np.asarray(100.0 * np.cumsum(logs))
