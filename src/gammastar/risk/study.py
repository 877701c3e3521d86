"""A study of forecasts: many series of returns beside the forecasts made for them, scored window by window.

A forecast stands beside a session that came after it: it may use data up to the close of its own decision, and the session is a later one. The series come in
groups, each scored by the mean of its bias statistics, with the band of one series and the band of the mean.
"""

from __future__ import annotations

__all__ = ["Forecasts", "Group", "GroupScore", "RiskStudy", "WindowScore", "calendar_years", "score", "whole"]

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gammastar.core.measures import bias_statistic
from gammastar.risk.evaluate import Bias, GrowthRatio, Span, growth_ratio, measured_mean_bias, period_outcomes, qlike

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from numpy import ndarray

LEAST_MONTHS: Final = 2
HALF_A_YEAR: Final = 6
SEED: Final = 1
"""Of the resamples, for equal forecasts to have equal bands."""


@dataclass(frozen=True)
class Group:
    """Series of one kind.

    Args:
        name: of the kind, for instance ``"random"``.
        labels: of its series.
    """

    name: str
    labels: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Forecasts:
    """Forecasts, each made before its session, beside what came. Columns are series, those of the first group first.

    Args:
        sessions: dates, shape (t,).
        groups: names of the p series by kind; the first group has one series, whose growth is forecast too.
        realised: simple returns, shape (t, p).
        forecast: forecast standard deviations of a session, shape (t, p); 0 where there was no series.
        captured: realised excess growth of the first series over the benchmark's, a session, shape (t,).
        expected: forecasts of it by name, a session, shape (t,) each.
        annual: sessions in a year.

    Raises:
        ValueError: arrays of different lengths, or not as many columns as labels.
    """

    sessions: ndarray
    groups: tuple[Group, ...]
    realised: Float[ndarray, "t p"]
    forecast: Float[ndarray, "t p"]
    captured: Float[ndarray, " t"]
    expected: dict[str, Float[ndarray, " t"]]
    annual: float = 252.0

    def __post_init__(self) -> None:
        shape = (len(self.sessions), sum(len(group.labels) for group in self.groups))
        if not self.realised.shape == self.forecast.shape == shape:
            raise ValueError(f"realised {self.realised.shape} and forecast {self.forecast.shape} must have one row a session and one column a series, {shape}")
        if any(len(series) != shape[0] for series in (self.captured, *self.expected.values())):
            raise ValueError("growth must have one value a session")

    def __len__(self) -> int:
        return len(self.sessions)

    @property
    def months(self) -> Int[ndarray, " t"]:
        """Month of each session, counted from 1970-01."""
        return np.asarray(self.sessions.astype("datetime64[M]").astype(np.int64))

    def columns(self, group: Group) -> slice:
        """Return the columns of a group."""
        before = 0
        for other in self.groups:
            if other is group:
                break
            before += len(other.labels)
        return slice(before, before + len(group.labels))


@dataclass(frozen=True)
class GroupScore:
    """What a window says of the series of one group.

    Args:
        name: of the group.
        labels: of the series there are forecasts of all through the window.
        daily: bias statistic of sessions, mean over the series: nominal band of one series, bootstrap band of the mean.
        monthly: the same of calendar months.
        qlike: loss of the forecast variance of a month, mean over the series that moved in every month; None where none did.
        each_daily: bias statistic of every series, sessions.
        each_monthly: the same, months.
    """

    name: str
    labels: tuple[str, ...]
    daily: Bias
    monthly: Bias
    qlike: float | None
    each_daily: tuple[float, ...]
    each_monthly: tuple[float, ...]


@dataclass(frozen=True)
class WindowScore:
    """What a window says.

    Args:
        span: the window that was asked for.
        first: first session in it.
        last: last session in it.
        sessions: number of them.
        months: calendar months, the first and the last may be partial.
        groups: scores; a group without a series all through the window is not there.
        growth: realised over forecast excess growth by the name of the forecast; not there where the forecast was not positive.
    """

    span: Span
    first: str
    last: str
    sessions: int
    months: int
    groups: tuple[GroupScore, ...]
    growth: dict[str, GrowthRatio]

    def group(self, name: str) -> GroupScore | None:
        """Return the scores of a group, or None where there are none."""
        return next((group for group in self.groups if group.name == name), None)


@dataclass(frozen=True, eq=False)
class RiskStudy:
    """How far the forecasts of one risk model held, for the targets of one mandate and for series beside them.

    Args:
        name: whose targets.
        benchmark: name of the benchmark.
        model: the estimator, in words.
        forecasts: session by session.
        windows: scores.
        decisions: closes at which forecasts were made, shape (m,).
        unsolved: decisions without new targets; the former ones were kept.
        exposures: named style exposures of the active targets at each decision, in standard deviations, shape (m,) each.
        seconds: process time by what was done, shape (m,) each.
        slopes: of the growth calibration learnt from the past, as known at each decision, shape (m,).
        levels: likewise, shape (m,).
        facts: anything a footer should say.
    """

    name: str
    benchmark: str
    model: str
    forecasts: Forecasts
    windows: tuple[WindowScore, ...]
    decisions: ndarray
    unsolved: int
    exposures: dict[str, Float[ndarray, " m"]]
    seconds: dict[str, Float[ndarray, " m"]]
    slopes: Float[ndarray, " m"]
    levels: Float[ndarray, " m"]
    facts: dict[str, str] = field(default_factory=dict)

    @property
    def costs(self) -> dict[str, tuple[float, float]]:
        """Median and highest process time of each thing that was done, in seconds."""
        return {name: (float(np.median(taken)), float(np.max(taken))) for name, taken in self.seconds.items()}

    def to_dict(self) -> dict[str, Any]:
        """Return the study as plain values; docs/risk.md says what each is."""
        told = self.forecasts
        return {
            "mandate": self.name,
            "benchmark": self.benchmark,
            "model": self.model,
            "from": str(told.sessions[0]),
            "to": str(told.sessions[-1]),
            "sessions": len(told),
            "decisions": len(self.decisions),
            "unsolved": self.unsolved,
            "windows": [_window_told(window) for window in self.windows],
            "seconds": {name: {"median": middle, "highest": highest} for name, (middle, highest) in self.costs.items()},
            "styles": {"decisions": [str(day) for day in self.decisions], "exposures": {name: values.tolist() for name, values in self.exposures.items()}},
            "slopes": self.slopes.tolist(),
            "levels": self.levels.tolist(),
            "facts": self.facts,
        }


def _window_told(window: WindowScore) -> dict[str, Any]:
    groups = {
        group.name: {
            "daily": asdict(group.daily),
            "monthly": asdict(group.monthly),
            "qlike": group.qlike,
            "each": {label: {"daily": daily, "monthly": monthly} for label, daily, monthly in zip(group.labels, group.each_daily, group.each_monthly, strict=True)},
        }
        for group in window.groups
    }
    return {
        "window": window.span.name,
        "from": window.first,
        "to": window.last,
        "sessions": window.sessions,
        "months": window.months,
        "groups": groups,
        "growth": {name: asdict(ratio) for name, ratio in window.growth.items()},
    }


def whole(forecasts: Forecasts) -> Span:
    """Return the window that holds all sessions."""
    return Span("whole", str(forecasts.sessions[0]), str(forecasts.sessions[-1]))


def calendar_years(forecasts: Forecasts) -> tuple[Span, ...]:
    """Return a window for each calendar year that holds sessions of at least half its months; none where there is only one."""
    months = np.unique(forecasts.months)
    years = [int(year) for year in np.unique(months // 12) if int((months // 12 == year).sum()) >= HALF_A_YEAR]
    return tuple(Span(str(1970 + year), f"{1970 + year}-01-01", f"{1970 + year}-12-31") for year in years) if len(years) > 1 else ()


def score(forecasts: Forecasts, span: Span) -> WindowScore:
    """Return what one window says.

    Args:
        forecasts: session by session.
        span: the window.

    Raises:
        ValueError: the window holds sessions of fewer than two months.
    """
    inside = span.holds(forecasts.sessions)
    months, sessions = forecasts.months[inside], forecasts.sessions[inside]
    count = len(np.unique(months))
    if count < LEAST_MONTHS:
        raise ValueError(f"the window {span.name} holds forecasts of {count} months and needs {LEAST_MONTHS}")
    scored = (_group_score(forecasts, group, inside) for group in forecasts.groups)
    growth = {}
    for name, expected in forecasts.expected.items():
        if expected[inside].sum() > 0.0:
            growth[name] = growth_ratio(forecasts.captured[inside], expected[inside], months, annual=forecasts.annual)
    return WindowScore(span, str(sessions[0]), str(sessions[-1]), len(sessions), count, tuple(group for group in scored if group is not None), growth)


def _group_score(forecasts: Forecasts, group: Group, inside: Any) -> GroupScore | None:
    """Return the score of the series that are there all through a window; None where there is none."""
    columns = forecasts.columns(group)
    realised, forecast = forecasts.realised[inside, columns], forecasts.forecast[inside, columns]
    there = np.flatnonzero(np.all(forecast > 0.0, axis=0))
    if len(there) == 0:
        return None
    realised, forecast, months = realised[:, there], forecast[:, there], forecasts.months[inside]
    returns, deviations, variances = (np.stack(parts, axis=1) for parts in zip(*(period_outcomes(r, f, months) for r, f in zip(realised.T, forecast.T, strict=True)), strict=True))
    rng = np.random.default_rng(SEED)
    moved = np.all(variances > 0.0, axis=0)
    losses = [qlike(variances[:, k], np.square(deviations[:, k])) for k in np.flatnonzero(moved)]
    return GroupScore(
        name=group.name,
        labels=tuple(group.labels[k] for k in there),
        daily=measured_mean_bias(realised, forecast, rng),
        monthly=measured_mean_bias(returns, deviations, rng, block=3),
        qlike=float(np.mean(losses)) if losses else None,
        each_daily=tuple(bias_statistic(r, f) for r, f in zip(realised.T, forecast.T, strict=True)),
        each_monthly=tuple(bias_statistic(r, f) for r, f in zip(returns.T, deviations.T, strict=True)),
    )
