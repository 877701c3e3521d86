"""The tables of the tear sheet: sub-periods, calendar years, rules, and every statistic with its definition."""

from __future__ import annotations

__all__ = ["tables"]

import html
from typing import TYPE_CHECKING

from gammastar.report.catalogue import DEFINITIONS, Unit, present

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gammastar.report.spans import CalendarYear, RuleSummary, SubPeriod
    from gammastar.report.statistics import Statistics


def tables(statistics: Statistics) -> str:
    """Return the tables that have something to show, each a block of the page."""
    blocks = [
        _block("Sub-periods", "Annual; \u00b1 one standard error.", *_sub_periods(statistics.sub_periods)),
        _block(
            "Calendar years",
            "Not annualised, except tracking error; log returns and their parts in bp.",
            *_years(statistics.calendar_years),
        ),
    ]
    if statistics.rules:
        blocks.append(
            _block(
                "Compliance by rule",
                "The entry with the least headroom of each rule, in the rule's own unit; number of checks, of breaches by prices or the index (passive), by the no-trade band, and by released targets (active).",
                *_rules(statistics.rules),
            )
        )
    joined = "\n".join(blocks)
    return f'<section class="block tables">\n{joined}\n</section>\n<section class="block tables">\n{_definitions(statistics)}\n</section>'


def _block(heading: str, note: str, head: str, rows: Iterable[str]) -> str:
    body = "\n".join(rows)
    return (
        f"<h2>{html.escape(heading)}</h2>\n<table>\n<caption>{html.escape(note)}</caption>\n<thead>{head}</thead>\n"
        f"<tbody>\n{body}\n</tbody>\n</table>"
    )


def _head(first: str, *names: str) -> str:
    cells = "".join(f'<th scope="col" class="number">{html.escape(name)}</th>' for name in names)
    return f'<tr><th scope="col">{html.escape(first)}</th>{cells}</tr>'


def _row(first: str, *cells: str) -> str:
    numbers = "".join(f'<td class="number">{html.escape(cell)}</td>' for cell in cells)
    return f'<tr><th scope="row">{html.escape(first)}</th>{numbers}</tr>'


def _sub_periods(spans: tuple[SubPeriod, ...]) -> tuple[str, list[str]]:
    head = _head("", *(span.label for span in spans))
    measures = (
        ("From the close of", "first", Unit.DATE),
        ("To the close of", "last", Unit.DATE),
        ("Sessions", "periods", Unit.COUNT),
        ("Portfolio return", "portfolio_return", Unit.PERCENT),
        ("Benchmark return", "benchmark_return", Unit.PERCENT),
        ("Relative log return, bp", "relative_log_return", Unit.BP_YEAR),
        ("Captured volatility, bp", "captured_volatility", Unit.BP_YEAR),
        ("Allocation, bp", "allocation", Unit.BP_YEAR),
        ("Cost, bp", "cost", Unit.BP_YEAR),
        ("Tracking error", "tracking_error", Unit.PERCENT),
        ("Information ratio", "information_ratio", Unit.RATIO),
    )
    shown = [entry for entry in measures if any(getattr(span, entry[1]) is not None for span in spans)]
    return head, [_row(label, *(_with_error(span, name, unit) for span in spans)) for label, name, unit in shown]


def _with_error(span: SubPeriod, name: str, unit: Unit) -> str:
    value, error = getattr(span, name), getattr(span, f"{name}_se", None)
    signed = unit in {Unit.BP_YEAR, Unit.RATIO}
    text = present(value, unit, signed=signed).removesuffix(" bp a year")
    return (
        text if error is None or value is None else f"{text} \u00b1 {present(error, unit).removesuffix(' bp a year')}"
    )


def _years(years: tuple[CalendarYear, ...]) -> tuple[str, list[str]]:
    parts = years[0].allocation is not None
    head = _head(
        "Year",
        "Portfolio",
        "Benchmark",
        "Relative",
        *(("Captured volatility", "Allocation", "Cost") if parts else ()),
        "Tracking error",
        "Sessions",
    )
    rows = []
    for year in years:
        logs = (
            (year.relative_log_return, year.captured_volatility, year.allocation, year.cost)
            if parts
            else (year.relative_log_return,)
        )
        cells = [present(value, Unit.PERCENT) for value in (year.portfolio_return, year.benchmark_return)]
        cells += [present(value, Unit.BP_YEAR, signed=True).removesuffix(" bp a year") for value in logs]
        rows.append(
            _row(str(year.year), *cells, present(year.tracking_error, Unit.PERCENT), present(year.periods, Unit.COUNT))
        )
    return head, rows


def _rules(rules: tuple[RuleSummary, ...]) -> tuple[str, list[str]]:
    head = _head("Rule", "Limit", "Worst value", "Headroom", "Where", "On", "Checks", "Passive", "Band", "Active")
    rows = []
    for rule in rules:
        numbers = [f"{value + 0.0:.4g}".replace("-", "\u2212") for value in (rule.limit, rule.worst, rule.headroom)]
        row = _row(
            rule.rule, *numbers, rule.where, rule.session, f"{rule.checks:,}", f"{rule.passive:,}", f"{rule.band:,}", f"{rule.active:,}"
        )
        rows.append(row.replace("<tr>", '<tr class="alarm">', 1) if rule.active else row)
    return head, rows


def _definitions(statistics: Statistics) -> str:
    rows = []
    for section, entries in DEFINITIONS:
        known = [entry for entry in entries if statistics[entry.name] is not None]
        if known:
            rows.append(f'<tr class="section"><th scope="rowgroup" colspan="3">{html.escape(section)}</th></tr>')
        for entry in known:
            inset = ' class="inset"' if entry.label.startswith(" ") else ""
            number = html.escape(present(statistics[entry.name], entry.unit, signed=entry.signed))
            rows.append(
                f'<tr><th scope="row"{inset}>{html.escape(entry.label.strip())}</th><td class="number">{number}</td>'
                f'<td class="formula">{html.escape(entry.formula)}</td></tr>'
            )
    head = '<tr><th scope="col">Statistic</th><th scope="col" class="number">Value</th><th scope="col" style="padding-left:14px">Definition</th></tr>'
    return _block(
        "Statistics and their definitions",
        "p, b: simple returns of portfolio and benchmark; pi, mu: their weights; R: gross returns.",
        head,
        rows,
    )
