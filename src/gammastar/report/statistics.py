"""The named statistics of a track, each from one documented measure (`docs/statistics.md`)."""

from __future__ import annotations

__all__ = ["Statistics", "summarise"]

from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gammastar.core import measures
from gammastar.market.calendar import Frequency
from gammastar.report.catalogue import DEFINITIONS, Value
from gammastar.report.spans import (
    CalendarYear,
    RuleSummary,
    SubPeriod,
    calendar_years,
    defined,
    monthly_se,
    months,
    rule_summaries,
    sub_periods,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gammastar.market.track import Holdings, Track, Trading

HELD: Final = 1e-8
"""Weights up to this are dust of the arithmetic, not names held."""

_BOOTSTRAP_SEED: Final = 20_090_101
_BOOTSTRAP_DRAWS: Final = 400


@dataclass(frozen=True, eq=False)
class Statistics:
    """All named statistics of a track, in the order of the catalogue.

    Args:
        values: by name; None where the track lacks the data or the measure is not defined.
        sub_periods: the whole record, then up to and from `spans.SPLIT` where both hold two months.
        calendar_years: one entry a year.
        rules: one entry a rule.
    """

    values: Mapping[str, Value]
    sub_periods: tuple[SubPeriod, ...]
    calendar_years: tuple[CalendarYear, ...]
    rules: tuple[RuleSummary, ...]

    def __getitem__(self, name: str) -> Value:
        """Return the statistic `name`."""
        return self.values[name]

    def number(self, name: str) -> float | None:
        """Return the statistic `name` as a float, or None where it is not known or not a number."""
        value = self.values[name]
        return None if value is None or isinstance(value, str) else float(value)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON: dotted names nested, a whole group None where the track lacks it, then the tables."""
        plain: dict[str, Any] = {}
        for name, value in self.values.items():
            group, _, leaf = name.rpartition(".")
            if group:
                plain.setdefault(group, {})[leaf] = value
            else:
                plain[name] = value
        for group, members in plain.items():
            if isinstance(members, dict) and all(value is None for value in members.values()):
                plain[group] = None
        plain["sub_periods"] = [asdict(entry) for entry in self.sub_periods]
        plain["calendar_years"] = [asdict(entry) for entry in self.calendar_years]
        plain["rules"] = [asdict(entry) for entry in self.rules]
        return plain


def summarise(track: Track) -> Statistics:
    """Return every statistic of `track`; parts it does not hold are None."""
    found: dict[str, Value] = {}
    for section in (
        _record,
        _returns,
        _attribution,
        _decomposition,
        _risk,
        _forecast,
        _holdings,
        _trading,
        _compliance,
    ):
        found.update(section(track))
    names = [entry.name for _, entries in DEFINITIONS for entry in entries]
    return Statistics(
        MappingProxyType({name: found.get(name) for name in names}),
        sub_periods(track),
        calendar_years(track),
        rule_summaries(track),
    )


def _record(track: Track) -> dict[str, Value]:
    count = len(track)
    return {
        "periods": count,
        "from": str(track.start),
        "to": str(track.sessions[-1]),
        "years": count / track.frequency.periods,
    }


def _returns(track: Track) -> dict[str, Value]:
    year, bucket = track.frequency.periods, months(track)
    p, b = track.portfolio, track.benchmark
    relative = measures.relative_log_returns(p, b)
    return {
        "portfolio_return": measures.compound_return(p, year),
        "benchmark_return": measures.compound_return(b, year),
        "geometric_excess": measures.geometric_excess(p, b, year),
        "relative_log_return": measures.log_mean(relative, year),
        "relative_log_return_se": monthly_se(relative, bucket),
        "portfolio_volatility": defined(measures.volatility, p, year),
        "benchmark_volatility": defined(measures.volatility, b, year),
        "index_difference": _index_difference(track),
        "imputed_weight": None if track.imputed_weight is None else float(np.mean(track.imputed_weight)),
    }


def _index_difference(track: Track) -> float | None:
    """Return the annual log growth of the benchmark less that of the index, between the first and the last level known."""
    if track.index_level is None:
        return None
    known = np.flatnonzero(np.isfinite(track.index_level))
    if len(known) < 2:
        return None
    first, last = known[0], known[-1]
    index = np.log(track.index_level[last] / track.index_level[first])
    ours = np.sum(np.log1p(track.benchmark[first:last]))
    return float((ours - index) * track.frequency.periods / (last - first))


def _attribution(track: Track) -> dict[str, Value]:
    parts = track.attribution
    if parts is None:
        return {}
    year, bucket = track.frequency.periods, months(track)
    found: dict[str, Value] = {
        f"attribution.{name}": measures.log_mean(getattr(parts, name), year)
        for name in ("allocation", "captured_volatility", "cost", "residual")
    }
    found["attribution.allocation_se"] = monthly_se(parts.allocation, bucket)
    found["attribution.captured_volatility_se"] = monthly_se(parts.captured_volatility, bucket)
    found["attribution.residual_max_session"] = float(np.max(np.abs(parts.residual)))
    return found


def _decomposition(track: Track) -> dict[str, Value]:
    parts = track.decomposition
    if parts is None:
        return {}
    found: dict[str, Value] = {
        f"decomposition.{name}": measures.log_mean(getattr(parts, name), track.frequency.periods)
        for name in ("boundary", "l_divergence", "flow", "execution", "cost", "residual")
    }
    found["decomposition.residual_max_session"] = float(np.max(np.abs(parts.residual)))
    return found


def _risk(track: Track) -> dict[str, Value]:
    year, bucket = track.frequency.periods, months(track)
    p, b = track.portfolio, track.benchmark
    monthly = measures.period_returns(p, bucket), measures.period_returns(b, bucket)
    twelve = Frequency.MONTHLY.periods
    return {
        "tracking_error": defined(measures.tracking_error, p, b, year),
        "tracking_error_monthly": defined(measures.tracking_error, *monthly, twelve),
        "information_ratio": defined(measures.information_ratio, *monthly, twelve),
        "information_ratio_se": measures.information_ratio_se(len(monthly[0]), twelve),
        "beta": defined(measures.beta, p, b),
        "max_drawdown": measures.max_drawdown(p),
        "benchmark_max_drawdown": measures.max_drawdown(b),
        "max_relative_drawdown": measures.max_drawdown(measures.relative_returns(p, b)),
        "up_capture": defined(measures.up_capture, *monthly),
        "down_capture": defined(measures.down_capture, *monthly),
        "hit_rate": measures.hit_rate(*monthly),
    }


def _forecast(track: Track) -> dict[str, Value]:
    forecast = track.forecast
    if forecast is None:
        return {}
    year = track.frequency.periods
    found: dict[str, Value] = {
        "forecast_tracking_error": measures.root_mean_square(forecast.tracking_error),
        "forecast_captured_volatility": float(np.mean(forecast.captured_volatility)),
    }
    active = forecast.tracking_error > measures.ROUNDING
    if int(active.sum()) < 2:
        return found
    realised, expected = (track.portfolio - track.benchmark)[active], forecast.tracking_error[active] / np.sqrt(year)
    found["factor_share"] = float(np.mean(forecast.factor_share[active]))
    found["bias_statistic"] = measures.bias_statistic(realised, expected)
    found["bias_low"], found["bias_high"] = measures.bias_band(len(realised))
    block = min(max(year // 12, 3), len(realised))
    rng = np.random.default_rng(_BOOTSTRAP_SEED)  # the same band for the same track, always
    found["bias_bootstrap_low"], found["bias_bootstrap_high"] = measures.bias_bootstrap_band(
        realised / expected, block=block, draws=_BOOTSTRAP_DRAWS, rng=rng
    )
    return found


def _holdings(track: Track) -> dict[str, Value]:
    held: Holdings | None = track.holdings
    if held is None:
        return {}
    return {
        "active_share": float(np.mean(measures.active_share(held.weights, held.benchmark))),
        "names": float(np.mean(np.sum(held.weights > HELD, axis=1))),
        "size": float(np.mean(held.size)),
    }


def _trading(track: Track) -> dict[str, Value]:
    trading: Trading | None = track.trading
    if trading is None:
        return {}
    year, traded, initial = track.frequency.periods, trading.turnover_two_way, trading.initial
    net = measures.log_mean(measures.relative_log_returns(track.portfolio, track.benchmark), year)
    gross = net - measures.log_mean(np.log1p(-trading.cost), year)
    total, everything = float(np.sum(traded)), measures.two_way_turnover(traded, year)
    return {
        "turnover_one_way": measures.one_way_turnover(traded, year, initial=initial),
        "turnover_two_way": measures.two_way_turnover(traded, year, initial=initial),
        "initial_turnover": 0.5 * float(traded[initial]) if initial >= 0 else 0.0,
        "cost_rate": float(np.sum(trading.cost)) / total if total > measures.ROUNDING else None,
        "gross_relative_log_return": gross,
        "break_even_cost": gross / everything if total > measures.ROUNDING else None,
    }


def _compliance(track: Track) -> dict[str, Value]:
    log = track.compliance
    if log is None:
        return {}
    return {
        "checks": len(log.verdict),
        "breaches": log.verdict.count("active"),
        "band_breaches": log.verdict.count("band"),
        "passive_breaches": log.verdict.count("passive"),
    }
