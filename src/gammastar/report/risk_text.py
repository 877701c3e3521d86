"""A study of risk forecasts in words and tables: for a terminal, and the rows that the page shows too."""

from __future__ import annotations

__all__ = ["GROUP_WORDS", "GROWTH_WORDS", "Table", "bias_table", "cost_table", "growth_table", "number", "opening", "qlike_table", "risk_summary", "verdict"]

from textwrap import fill
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gammastar.risk.evaluate import Bias
    from gammastar.risk.study import GroupScore, RiskStudy, WindowScore

_WIDTH: Final = 110
GROUP_WORDS: Final = {"optimised": "Optimised", "random": "Random active", "sector": "Sectors", "style": "Styles", "benchmark": "Benchmark"}
GROWTH_WORDS: Final = {"raw": "Raw forecast", "calibrated": "Calibrated, slope 0.8", "learnt": "Calibrated, learnt"}
Table = tuple[tuple[str, ...], list[tuple[str, ...]]]


def number(value: float, decimals: int) -> str:
    """Return the number with a proper minus sign, and none where it rounds to zero."""
    text = f"{value:.{decimals}f}"
    return text.replace("-", "\u2212") if float(text) else text.lstrip("-")


def risk_summary(study: RiskStudy) -> str:
    """Return the study as text of about forty lines: what was found in a paragraph, then bias by window, growth and cost."""
    told = study.forecasts
    lines = [
        f"{study.name} against {study.benchmark}: forecasts of risk and growth",
        fill(f"model {study.model}", _WIDTH, subsequent_indent="  "),
        f"{told.sessions[0]} to {told.sessions[-1]}, {len(told):,} sessions, {len(study.decisions)} decisions, {study.unsolved} without an answer",
        "",
        fill(opening(study), _WIDTH),
        "",
        "Bias of sessions: std(return / forecast); 1 is right, above it risk was forecast too low",
        *_aligned(bias_table(study, lambda group: group.daily)),
        "",
        "Bias of months",
        *_aligned(bias_table(study, lambda group: group.monthly)),
        "  chi2: 95% of right forecasts, independent normal returns, one portfolio. blocks: 95% of the statistic over resampled blocks.",
        "  random, sectors, styles: mean of the portfolios, and in brackets the lowest and the highest of them.",
        "",
        "QLIKE of months: 0 is perfect",
        *_aligned(qlike_table(study)),
        "",
        "Excess growth of the targets over the benchmark's, bp a year; ratio: realised over forecast, with its standard error",
        *_aligned(growth_table(study)),
        f"  calibrated: log tau moved towards its mean, slope 0.8; learnt: slope and level learnt from the past, {study.slopes[-1]:.2f} and {study.levels[-1]:.2f} at the last decision.",
        "",
        "Process time, seconds",
        *_aligned(cost_table(study)),
    ]
    return "\n".join(lines) + "\n"


def _aligned(table: Table) -> list[str]:
    head, rows = table
    widths = [max(len(row[k]) for row in (head, *rows)) for k in range(len(head))]
    return ["  " + "  ".join(cell.ljust(width) if k == 0 else cell.rjust(width) for k, (cell, width) in enumerate(zip(row, widths, strict=True))).rstrip() for row in (head, *rows)]


def bias_table(study: RiskStudy, part: Callable[[GroupScore], Bias]) -> Table:
    """Return head and rows, one a window: the optimised portfolio with its bands, then the means of the other groups with their ranges.

    Args:
        study: what to show.
        part: `daily` or `monthly` of a group.
    """
    others = [name for name in GROUP_WORDS if name != "optimised" and any(window.group(name) for window in study.windows)]
    head = ("window", "count", "optimised", "chi2", "blocks", *(GROUP_WORDS[name].lower() for name in others))
    return head, [_bias_row(window, others, part) for window in study.windows]


def _bias_row(window: WindowScore, others: Sequence[str], part: Callable[[GroupScore], Bias]) -> tuple[str, ...]:
    group = window.group("optimised")
    if group is None:
        return (window.span.name, *("-" for _ in range(4 + len(others))))
    bias = part(group)
    bands = f"{bias.low:.2f} to {bias.high:.2f}", f"{bias.bootstrap_low:.2f} to {bias.bootstrap_high:.2f}"
    return (window.span.name, str(bias.count), f"{bias.value:.2f}", *bands, *(_mean(window.group(name), part) for name in others))


def _mean(group: GroupScore | None, part: Callable[[GroupScore], Bias]) -> str:
    if group is None:
        return "-"
    each = group.each_daily if part(group) is group.daily else group.each_monthly
    return f"{part(group).value:.2f}" + (f" ({min(each):.2f} {max(each):.2f})" if len(each) > 1 else "")


def qlike_table(study: RiskStudy) -> Table:
    """Return head and rows, one a window: the mean QLIKE loss of each group."""
    names = [name for name in GROUP_WORDS if any(window.group(name) for window in study.windows)]
    rows = []
    for window in study.windows:
        groups = [window.group(name) for name in names]
        rows.append((window.span.name, *("-" if group is None or group.qlike is None else f"{group.qlike:.2f}" for group in groups)))
    return ("window", *(GROUP_WORDS[name].lower() for name in names)), rows


def growth_table(study: RiskStudy) -> Table:
    """Return head and rows, one a window: realised growth, and each forecast with its ratio and the standard error of that."""
    names = list(study.forecasts.expected)
    head = ["window", "realised"]
    for name in names:
        head += [name, "ratio"]
    rows = []
    for window in study.windows:
        realised = next((ratio.realised for ratio in window.growth.values()), None)
        row = [window.span.name, "-" if realised is None else number(1e4 * realised, 1)]
        for name in names:
            found = window.growth.get(name)
            row += ["-", "-"] if found is None else [number(1e4 * found.forecast, 1), f"{number(found.ratio, 2)} \u00b1 {found.error:.2f}"]
        rows.append(tuple(row))
    return tuple(head), rows


def cost_table(study: RiskStudy) -> Table:
    """Return head and rows: median and highest process time of an estimate and of a proposal."""
    words = {"estimate": "one estimate of risk", "proposal": "one proposal, risk given"}
    return ("", "median", "highest"), [(words.get(name, name), f"{middle:.3f}", f"{highest:.3f}") for name, (middle, highest) in study.costs.items()]


def opening(study: RiskStudy) -> str:
    """Return what the first window says, in sentences."""
    window = study.windows[0]
    parts = [_risk_words(window), _others_words(window), _growth_words(window)]
    return " ".join(part for part in parts if part)


def _risk_words(window: WindowScore) -> str:
    group = window.group("optimised")
    if group is None:
        return ""
    daily, monthly = group.daily, group.monthly
    return (
        f"From {window.first} to {window.last} the active returns of the mandate's own targets had a bias statistic of {daily.value:.2f} by session "
        f"(resampled 95% band {daily.bootstrap_low:.2f} to {daily.bootstrap_high:.2f}: {verdict(daily)}) and {monthly.value:.2f} by month."
    )


def verdict(bias: Bias) -> str:
    """Return what a bias statistic and its resampled band say: forecasts of the right size have 1 inside it."""
    if bias.bootstrap_low <= 1.0 <= bias.bootstrap_high:
        return "consistent with forecasts of the right size"
    return f"risk was forecast too {'low' if bias.bootstrap_low > 1.0 else 'high'}"


def _others_words(window: WindowScore) -> str:
    group, own = window.group("random"), window.group("optimised")
    if group is None or own is None:
        return ""
    inside = sum(group.daily.low <= value <= group.daily.high for value in group.each_daily)
    more = "; the difference is error of the model that the choice of the targets sought out" if own.daily.bootstrap_low > group.daily.value else ""
    return f"Of {len(group.labels)} random active portfolios it was {group.daily.value:.2f} on average, and {inside} of them were inside the chi-square band{more}."


def _growth_words(window: WindowScore) -> str:
    told = [
        f"{number(ratio.ratio, 2)} times the {name} forecast ({number(1e4 * ratio.forecast, 0)} bp)" for name, ratio in window.growth.items()
    ]
    realised = next((ratio.realised for ratio in window.growth.values()), None)
    return "" if realised is None else f"Realised excess growth over the benchmark's was {number(1e4 * realised, 0)} bp a year: {_listed(told)}."


def _listed(told: Sequence[str]) -> str:
    return " and ".join((", ".join(told[:-1]), told[-1])) if len(told) > 1 else told[0]
