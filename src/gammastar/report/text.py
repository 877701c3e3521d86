"""A track on a terminal: about thirty lines of plain text."""

from __future__ import annotations

__all__ = ["summary"]

from textwrap import fill
from typing import TYPE_CHECKING, Final

from gammastar.report.catalogue import Unit, definition, present
from gammastar.report.statistics import summarise
from gammastar.report.words import opening

if TYPE_CHECKING:
    from gammastar.market.track import Track
    from gammastar.report.statistics import Statistics

_WIDTH: Final = 96
_BLOCKS: Final = (
    ("Return", ("portfolio_return", "benchmark_return", "relative_log_return", "attribution.captured_volatility", "attribution.allocation", "attribution.cost")),
    ("Generated strategy", ("decomposition.boundary", "decomposition.l_divergence", "decomposition.flow", "decomposition.execution", "decomposition.cost")),
    ("Risk", ("tracking_error", "tracking_error_monthly", "forecast_tracking_error", "bias_statistic", "information_ratio", "beta", "max_relative_drawdown", "hit_rate")),
    ("Portfolio", ("active_share", "names", "turnover_one_way", "initial_turnover", "break_even_cost", "imputed_weight")),
    ("Rules", ("breaches", "band_breaches", "passive_breaches")),
)  # fmt: skip


def summary(track: Track) -> str:
    """Return the track in about thirty lines: what happened in words, then figures with units and standard errors, aligned."""
    statistics = summarise(track)
    source = [f"data: {track.facts['data']}"] if "data" in track.facts else []
    lines = [f"{track.name} against {track.benchmark_name}", *source, "", fill(opening(track, statistics), _WIDTH)]
    for heading, names in _BLOCKS:
        rows = [_row(name, statistics) for name in names if statistics[name] is not None]
        if rows:
            lines += ["", heading, *rows]
    spans = statistics.sub_periods[1:]
    if spans:
        lines += ["", "Sub-periods"]
        for span in spans:
            error = "" if span.relative_log_return_se is None else f" \u00b1 {1e4 * span.relative_log_return_se:.1f}"
            number = present(span.relative_log_return, Unit.BP_YEAR, signed=True).removesuffix(" bp a year")
            lines.append(f"  {span.label:<32}{number:>10} bp a year{error}   ({span.first} to {span.last})")
    return "\n".join(lines) + "\n"


def _row(name: str, statistics: Statistics) -> str:
    entry = definition(name)
    shown = present(statistics[name], entry.unit, signed=entry.signed)
    suffix = str(entry.unit.value[2])
    number = shown.removesuffix(suffix) if suffix else shown
    error = statistics.number(f"{name}_se") if f"{name}_se" in statistics.values else None
    scale, decimals, _ = entry.unit.value
    spread = "" if error is None else f" \u00b1 {error * scale:.{decimals}f}"
    return f"  {entry.label:<32}{number:>10}{suffix}{spread}"
