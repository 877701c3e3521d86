"""Tables of a track: parts of the record with standard errors, calendar years, and the compliance log rule by rule."""

from __future__ import annotations

__all__ = [
    "SPLIT",
    "CalendarYear",
    "RuleSummary",
    "SubPeriod",
    "calendar_years",
    "defined",
    "monthly_se",
    "months",
    "rule_summaries",
    "sub_periods",
]

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gammastar.core import measures
from gammastar.market.calendar import Frequency

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Float, Int
    from numpy import ndarray

    from gammastar.market.track import Track

SPLIT: Final = np.datetime64("2012-12-31", "D")
"""Last day of the first sub-period: up to here daily returns of part of the index are imputed, and volatility was high."""


@dataclass(frozen=True)
class SubPeriod:
    """Annual statistics of a part of the record; None where its data is missing or too short.

    Args:
        label: for people.
        first, last: the close it starts from and its last session.
        periods: sessions.
        portfolio_return, benchmark_return: compound, a year.
        relative_log_return, allocation, captured_volatility, cost: log, a year; `_se` their standard errors from monthly sums.
        tracking_error: a year, from sessions.
        information_ratio: monthly data.
    """

    label: str
    first: str
    last: str
    periods: int
    portfolio_return: float
    benchmark_return: float
    relative_log_return: float
    relative_log_return_se: float | None
    allocation: float | None
    allocation_se: float | None
    captured_volatility: float | None
    captured_volatility_se: float | None
    cost: float | None
    tracking_error: float | None
    information_ratio: float | None
    information_ratio_se: float


@dataclass(frozen=True)
class CalendarYear:
    """What happened in one calendar year, not annualised.

    Args:
        year: the year.
        periods: sessions of the record in it.
        portfolio_return, benchmark_return: compound.
        relative_log_return, allocation, captured_volatility, cost: sums over the sessions; the parts are None without an attribution.
        tracking_error: annualised, from sessions; None for a single one.
    """

    year: int
    periods: int
    portfolio_return: float
    benchmark_return: float
    relative_log_return: float
    allocation: float | None
    captured_volatility: float | None
    cost: float | None
    tracking_error: float | None


@dataclass(frozen=True)
class RuleSummary:
    """The compliance log of one rule in a line.

    Args:
        rule: its name.
        checks: entries.
        limit, worst, headroom: of the entry with the least headroom; `headroom` is negative in a breach.
        where, session: its place and date.
        active, band, passive: number of breaches of each kind.
    """

    rule: str
    checks: int
    limit: float
    worst: float
    headroom: float
    where: str
    session: str
    active: int
    band: int
    passive: int


def months(track: Track) -> Int[ndarray, " t"]:
    """Return the month of each session, counted from 1970-01, shape (t,)."""
    return np.asarray(track.sessions.astype("datetime64[M]").astype(np.int64))


def defined(measure: Callable[..., float], *series: Any) -> float | None:
    """Return the measure, or None where core says that it is not defined for such series."""
    try:
        return measure(*series)
    except ValueError:
        return None


def monthly_se(values: Float[ndarray, " t"], bucket: Int[ndarray, " t"]) -> float | None:
    """Return the standard error of the annual mean of `values` from their monthly sums; None for a single month.

    Months, because what volatility earns comes in clusters: errors from sessions would be too small.

    Args:
        values: log returns or parts of them, shape (t,).
        bucket: month of each session, shape (t,).
    """
    return defined(measures.log_mean_se, measures.period_sums(values, bucket), Frequency.MONTHLY.periods)


def sub_periods(track: Track) -> tuple[SubPeriod, ...]:
    """Return the whole record, then its parts up to and from `SPLIT` where each holds at least two months."""
    count = len(track)
    split = int(np.searchsorted(track.sessions, SPLIT, side="right"))
    bucket = months(track)
    whole = _sub_period(track, "Whole record", 0, count)
    if min(len(set(bucket[:split])), len(set(bucket[split:]))) < 2:
        return (whole,)
    year = int(str(SPLIT)[:4])
    return whole, _sub_period(track, f"To {year}", 0, split), _sub_period(track, f"From {year + 1}", split, count)


def _sub_period(track: Track, label: str, start: int, stop: int) -> SubPeriod:
    year, bucket = track.frequency.periods, months(track)[start:stop]
    p, b = track.portfolio[start:stop], track.benchmark[start:stop]
    relative = measures.relative_log_returns(p, b)
    monthly = measures.period_returns(p, bucket), measures.period_returns(b, bucket)
    parts = _part_series(track, start, stop)
    means = {name: None if part is None else measures.log_mean(part, year) for name, part in parts.items()}
    errors = {name: None if part is None else monthly_se(part, bucket) for name, part in parts.items()}
    return SubPeriod(
        label=label,
        first=str(track.start if start == 0 else track.sessions[start - 1]),
        last=str(track.sessions[stop - 1]),
        periods=stop - start,
        portfolio_return=measures.compound_return(p, year),
        benchmark_return=measures.compound_return(b, year),
        relative_log_return=measures.log_mean(relative, year),
        relative_log_return_se=monthly_se(relative, bucket),
        allocation=means["allocation"],
        allocation_se=errors["allocation"],
        captured_volatility=means["captured_volatility"],
        captured_volatility_se=errors["captured_volatility"],
        cost=means["cost"],
        tracking_error=defined(measures.tracking_error, p, b, year),
        information_ratio=defined(measures.information_ratio, *monthly, Frequency.MONTHLY.periods),
        information_ratio_se=measures.information_ratio_se(len(monthly[0]), Frequency.MONTHLY.periods),
    )


def _part_series(track: Track, start: int, stop: int) -> dict[str, Float[ndarray, " m"] | None]:
    parts = track.attribution
    names = ("allocation", "captured_volatility", "cost")
    return {name: None if parts is None else getattr(parts, name)[start:stop] for name in names}


def calendar_years(track: Track) -> tuple[CalendarYear, ...]:
    """Return one entry for each calendar year the record touches; the first and the last may be partial."""
    years = 1970 + track.sessions.astype("datetime64[Y]").astype(np.int64)
    entries = []
    for year in np.unique(years):
        start, stop = np.searchsorted(years, year), np.searchsorted(years, year, side="right")
        p, b = track.portfolio[start:stop], track.benchmark[start:stop]
        sums = {
            name: None if part is None else float(np.sum(part))
            for name, part in _part_series(track, int(start), int(stop)).items()
        }
        entries.append(
            CalendarYear(
                year=int(year),
                periods=int(stop - start),
                portfolio_return=float(np.prod(1.0 + p) - 1.0),
                benchmark_return=float(np.prod(1.0 + b) - 1.0),
                relative_log_return=float(np.sum(measures.relative_log_returns(p, b))),
                allocation=sums["allocation"],
                captured_volatility=sums["captured_volatility"],
                cost=sums["cost"],
                tracking_error=defined(measures.tracking_error, p, b, track.frequency.periods),
            )
        )
    return tuple(entries)


def rule_summaries(track: Track) -> tuple[RuleSummary, ...]:
    """Return one entry for each rule of the compliance log, in the order of their first appearance; the worst entry is the first of ties."""
    log = track.compliance
    if log is None:
        return ()
    rules, verdicts = np.asarray(log.rule, dtype=object), np.asarray(log.verdict, dtype=object)
    headroom = np.asarray(log.headroom)
    summaries = []
    for rule in dict.fromkeys(log.rule):
        entries = np.flatnonzero(rules == rule)
        worst = int(entries[np.argmin(headroom[entries])])
        summaries.append(
            RuleSummary(
                rule=rule,
                checks=len(entries),
                limit=float(log.limit[worst]),
                worst=float(log.value[worst]),
                headroom=float(headroom[worst]),
                where=log.where[worst],
                session=str(np.asarray(log.session, dtype="datetime64[D]")[worst]),
                active=int(np.sum(verdicts[entries] == "active")),
                band=int(np.sum(verdicts[entries] == "band")),
                passive=int(np.sum(verdicts[entries] == "passive")),
            )
        )
    return tuple(summaries)
