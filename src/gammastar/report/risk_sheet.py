"""A study of risk forecasts as one HTML page that needs no network, in the style of the tear sheet; and its series as CSV."""

from __future__ import annotations

__all__ = ["forecasts_csv", "risk_page"]

import html
from typing import TYPE_CHECKING, Final

from gammastar.report.risk_figures import (
    figure_bias,
    figure_each,
    figure_forecast,
    figure_growth,
    figure_growth_sums,
    figure_styles,
)
from gammastar.report.risk_text import bias_table, cost_table, growth_table, number, opening, qlike_table, verdict
from gammastar.report.shell import figure_block, headline_block, page, section
from gammastar.report.words import Headline

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gammastar.report.risk_text import Table
    from gammastar.risk.study import RiskStudy

_CONVENTIONS: Final = (
    "A forecast is made at the close of a decision, from what was known there, and stands beside the returns of the sessions after it until the next decision. "
    "The targets' active weights are held fixed in between: no lag, band or cost, since forecasts are judged here and not the trading. Random active portfolios "
    "draw each active weight within the member's weight and 0.5%; a sector's portfolio holds its members by capitalisation against the benchmark; a style's "
    "holds active weights in proportion to benchmark weight times exposure; the benchmark's forecast is that of its whole volatility. "
    "Shaded bands hold 95% of the bias statistics of right forecasts where returns are independent and normal (chi-square, exact); whiskers hold 95% of the "
    "statistic over resampled blocks of 21 sessions or 3 months. Calibrated growth forecasts move each log tau towards its mean over the members, with the slope "
    "0.8, or with slope and level learnt at each decision from the periods before it (learnt); risk forecasts are not touched by that."
)


def risk_page(study: RiskStudy) -> str:
    """Return the study as the text of one self-contained HTML page; equal studies give equal text. Whatever text it brings along is escaped."""
    told = study.forecasts
    source = f"; {study.facts['data']}" if "data" in study.facts else ""
    return page(
        title=f"Forecasts of {study.name}",
        kind="Risk evaluation",
        name=study.name,
        against=f"against {study.benchmark}, {told.sessions[0]} to {told.sessions[-1]}{source}",
        opening=opening(study),
        headlines="\n".join(headline_block(entry) for entry in _headlines(study)),
        figures=_figures(study),
        tables=_tables(study),
        footer=_footer(study),
    )


def _headlines(study: RiskStudy) -> Iterator[Headline]:
    window = study.windows[0]
    own, drawn = window.group("optimised"), window.group("random")
    if own is not None:
        yield Headline("bias_daily", "Bias, sessions", f"{own.daily.value:.2f}", verdict(own.daily))
        yield Headline("bias_monthly", "Bias, months", f"{own.monthly.value:.2f}", f"chi-square band {own.monthly.low:.2f} to {own.monthly.high:.2f}")
        yield Headline("qlike", "QLIKE, months", "-" if own.qlike is None else f"{own.qlike:.2f}", "0 is perfect")
    if drawn is not None:
        yield Headline("random", "Bias of random portfolios", f"{drawn.daily.value:.2f}", f"mean of {len(drawn.labels)}, by session")
    for name, ratio in window.growth.items():
        reading = f"realised {number(ratio.ratio, 2)} \u00b1 {ratio.error:.2f} times that"
        yield Headline(name, f"Excess growth, {name}", f"{number(1e4 * ratio.forecast, 0)} bp", reading)
    for ratio in list(window.growth.values())[:1]:
        yield Headline("realised", "Excess growth, realised", f"{number(1e4 * ratio.realised, 0)} bp", "over the benchmark's, a year")


def _figures(study: RiskStudy) -> str:
    risk = (
        figure_block("bias-daily", figure_bias(study, lambda group: group.daily, "sessions"),
                     "Shaded: where right forecasts of one portfolio lie in 95 of 100 windows, if returns were independent and normal. Whiskers: resampled blocks, "
                     "which know of fat tails and of calm and wild times. An optimiser seeks the errors of its risk model, so that its portfolio is the hardest to forecast."),
        figure_block("bias-monthly", figure_bias(study, lambda group: group.monthly, "months"),
                     "Months have fewer numbers and wider bands. Below the daily bias: active returns of successive sessions partly cancel."),
        figure_block("forecast", figure_forecast(study),
                     "A volatility break shows as a realised line that crosses the forecast; afterwards forecasts stay high for as long as the half-life remembers."),
        figure_block("each", figure_each(study), "A portfolio far out of the band is a part of the market whose risk the model does not see."),
    )  # fmt: skip
    growth = [figure_block("growth-sums", figure_growth_sums(study), "Of fixed targets, rebalanced every session, before cost.")]
    if any(window.growth for window in study.windows):
        caption = "Bars of what was realised have one standard error, from months. Forecasts are right where they are as high as what was realised."
        growth.insert(0, figure_block("growth", figure_growth(study), caption))
    styles = figure_block("styles", figure_styles(study),
                          "In standard deviations of the members, as the rule `exposure` measures them. A style that drifts is a bet that nobody may have meant.")  # fmt: skip
    return "\n".join((section("Risk", *risk), section("Growth", *growth), section("Style drift", styles)))


def _tables(study: RiskStudy) -> str:
    blocks = (
        _table("Bias of sessions", "Means of a group with the lowest and the highest of its portfolios in brackets.", bias_table(study, lambda group: group.daily)),
        _table("Bias of months", "As above, of returns and forecasts summed over calendar months.", bias_table(study, lambda group: group.monthly)),
        _table("QLIKE of months", "mean(x - log x - 1), x the realised over the forecast variance of a month: 0 is perfect.", qlike_table(study)),
        _table("Excess growth over the benchmark's", f"bp a year; slope and level learnt were {study.slopes[0]:.2f} and {study.levels[0]:.2f} at the first decision, {study.slopes[-1]:.2f} and {study.levels[-1]:.2f} at the last; ratio: realised over forecast, \u00b1 one standard error from months.", growth_table(study)),
        _table("Process time", "Seconds.", cost_table(study)),
    )
    joined = "\n".join(blocks)
    return f'<section class="block tables">\n{joined}\n</section>'


def _table(heading: str, note: str, table: Table) -> str:
    head, rows = table
    cells = "".join(f'<th scope="col"{_number(k)}>{html.escape(name)}</th>' for k, name in enumerate(head))
    body = "\n".join(
        f'<tr><th scope="row">{html.escape(row[0])}</th>' + "".join(f'<td class="number">{html.escape(cell)}</td>' for cell in row[1:]) + "</tr>" for row in rows
    )
    return f"<h2>{html.escape(heading)}</h2>\n<table>\n<caption>{html.escape(note)}</caption>\n<thead><tr>{cells}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"


def _number(column: int) -> str:
    return ' class="number"' if column else ""


def _footer(study: RiskStudy) -> str:
    facts = {"model": study.model, "decisions": f"{len(study.decisions)}, {study.unsolved} without an answer", **study.facts}
    listed = "\n".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd>" for name, value in facts.items())
    return f"<dl>\n{listed}\n</dl>\n<p>{html.escape(_CONVENTIONS)}</p>\n<p>Figures are drawn by plotly.js (MIT licence), which this page encloses.</p>"


def forecasts_csv(study: RiskStudy) -> str:
    """Return the series of the mandate's own targets, a row a session, with every digit.

    Columns: ``date``, ``active_return`` (simple), ``forecast`` (standard deviation of the session), ``captured`` (realised excess growth over the
    benchmark's) and ``expected_raw``, ``expected_calibrated`` (its forecasts), all of one session and not annual.
    """
    told = study.forecasts
    columns = {"active_return": told.realised[:, 0], "forecast": told.forecast[:, 0], "captured": told.captured}
    columns |= {f"expected_{name}": series for name, series in told.expected.items()}
    lines = [",".join(("date", *columns))]
    lines += [",".join((str(day), *(repr(float(series[k])) for series in columns.values()))) for k, day in enumerate(told.sessions)]
    return "\n".join(lines) + "\n"
