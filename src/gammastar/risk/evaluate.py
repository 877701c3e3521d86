"""How far forecasts of risk and growth held, from arrays of forecasts and of what came: bias statistics with bands, QLIKE, growth ratios.

Forecasts are standard deviations of the session they stand beside, made before it, and not annual. A ratio above one says that risk was forecast too low.
"""

from __future__ import annotations

__all__ = ["Bias", "Evaluation", "GrowthRatio", "Span", "evaluate", "growth_ratio", "mean_bias", "measured_bias", "measured_mean_bias", "period_outcomes", "qlike"]

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from gammastar.core.measures import bias_band, bias_bootstrap_band, bias_statistic, period_sums

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int
    from numpy import ndarray

BLOCK = 21
DRAWS = 500


@dataclass(frozen=True)
class Span:
    """A window of dates, both inclusive.

    Args:
        name: what it is called.
        first: first day, ISO.
        last: last day, ISO.
    """

    name: str
    first: str
    last: str

    def holds(self, sessions: ndarray) -> Bool[ndarray, " t"]:
        """Return which of the dates are inside, shape (t,).

        >>> Span("a year", "2015-01-01", "2015-12-31").holds(np.array(["2014-12-31", "2015-06-30"], dtype="datetime64[D]")).tolist()
        [False, True]
        """
        return np.asarray((sessions >= np.datetime64(self.first)) & (sessions <= np.datetime64(self.last)))


@dataclass(frozen=True)
class Bias:
    """The bias statistic ``std(realised / forecast)`` and two bands.

    Args:
        value: the statistic.
        low: nominal 95% band of right forecasts, from the chi-square law of independent normal returns.
        high: see `low`.
        bootstrap_low: 95% band of the statistic itself over block resamples, which allows for fat tails and clusters.
        bootstrap_high: see `bootstrap_low`.
        count: sessions or periods.
    """

    value: float
    low: float
    high: float
    bootstrap_low: float
    bootstrap_high: float
    count: int


@dataclass(frozen=True)
class GrowthRatio:
    """Realised over forecast excess growth.

    Args:
        realised: a year.
        forecast: a year.
        ratio: of the two.
        error: standard error of the ratio, from periods that do not depend on each other, the forecast taken as given.
    """

    realised: float
    forecast: float
    ratio: float
    error: float


@dataclass(frozen=True)
class Evaluation:
    """What a window says of one portfolio's forecasts.

    Args:
        sessions: bias statistic of single sessions.
        periods: that of whole periods (months).
        qlike: mean loss of the forecast variance of a period against its realised variance.
    """

    sessions: Bias
    periods: Bias
    qlike: float

    def to_dict(self) -> dict[str, object]:
        """Return plain values."""
        return asdict(self)


def measured_bias(realised: Float[ndarray, " t"], forecast: Float[ndarray, " t"], rng: np.random.Generator, *, block: int = BLOCK) -> Bias:
    """Return the bias statistic with its nominal chi-square band and its block-bootstrap band (Menchero, Orr and Wang 2011; Politis and Romano 1992).

    Args:
        realised: returns, shape (t,).
        forecast: their forecast standard deviations, shape (t,), positive.
        rng: source of the resamples.
        block: sessions in a block; shortened to the series where that is shorter.

    Raises:
        ValueError: fewer than two sessions, series of different lengths, or a forecast that is not positive.

    >>> rng = np.random.default_rng(1)
    >>> bias = measured_bias(rng.normal(0.0, 0.02, 500), np.full(500, 0.01), rng)
    >>> round(bias.value), bias.count, bias.low < 1.0 < bias.high
    (2, 500, True)
    """
    value = bias_statistic(realised, forecast)
    low, high = bias_band(len(realised))
    lower, upper = bias_bootstrap_band(realised / forecast, block=min(block, len(realised)), draws=DRAWS, rng=rng)
    return Bias(value, low, high, lower, upper, len(realised))


def mean_bias(realised: Float[ndarray, "t p"], forecast: Float[ndarray, "t p"]) -> float:
    """Return the mean over p portfolios of their bias statistics ``std(realised / forecast)``.

    Args:
        realised: returns, shape (t, p).
        forecast: their forecast standard deviations, shape (t, p), positive.

    Raises:
        ValueError: fewer than two sessions, arrays of different shapes, or a forecast that is not positive.
    """
    if realised.shape != forecast.shape or realised.ndim != 2:
        raise ValueError(f"need two arrays of one shape (t, p), got {realised.shape} and {forecast.shape}")
    return float(np.mean([bias_statistic(realised[:, k], forecast[:, k]) for k in range(realised.shape[1])]))


def measured_mean_bias(realised: Float[ndarray, "t p"], forecast: Float[ndarray, "t p"], rng: np.random.Generator, *, block: int = BLOCK) -> Bias:
    """Return `mean_bias` with the nominal band of one portfolio and the block-bootstrap band of the mean (all portfolios resampled together).

    The nominal band is exact for a single portfolio with independent normal returns. Of the mean of p portfolios it is too wide, by how much depends on
    how they move together; the resamples know that.

    Args:
        realised: returns, shape (t, p).
        forecast: their forecast standard deviations, shape (t, p), positive.
        rng: source of the resamples.
        block: sessions in a block; shortened to the series where that is shorter.

    Raises:
        ValueError: what `mean_bias` refuses.
    """
    value = mean_bias(realised, forecast)
    low, high = bias_band(len(realised))
    lower, upper = bias_bootstrap_band(realised / forecast, block=min(block, len(realised)), draws=DRAWS, rng=rng)
    return Bias(value, low, high, lower, upper, len(realised))


def period_outcomes(
    realised: Float[ndarray, " t"], forecast: Float[ndarray, " t"], periods: Int[ndarray, " t"]
) -> tuple[Float[ndarray, " m"], Float[ndarray, " m"], Float[ndarray, " m"]]:
    """Return of each period the sum of returns, the forecast standard deviation ``sqrt(sum sigma^2)`` and the realised variance ``sum r^2``.

    Args:
        realised: returns a session, shape (t,); log returns, or small simple ones.
        forecast: their forecast standard deviations, shape (t,).
        periods: the period of each session, for instance months since 1970, shape (t,), not decreasing.

    Raises:
        ValueError: series of different lengths, or periods that decrease.
    """
    variances = period_sums(np.square(forecast), periods)
    return period_sums(realised, periods), np.sqrt(variances), period_sums(np.square(realised), periods)


def qlike(realised: Float[ndarray, " m"], forecast: Float[ndarray, " m"]) -> float:
    """Return ``mean(x - log x - 1)`` with ``x = realised / forecast``, both variances: 0 for perfect forecasts (Patton 2011, the QLIKE loss).

    Its order of forecasts is the one that the true variance would give, if the realised variance is right on average.

    Args:
        realised: realised variances, shape (m,), positive.
        forecast: forecast variances, shape (m,), positive.

    Raises:
        ValueError: no periods, series of different lengths, or a variance that is not positive.

    >>> qlike(np.array([1.0, 2.0]), np.array([1.0, 2.0]))
    0.0
    """
    if realised.shape != forecast.shape or len(realised) == 0:
        raise ValueError(f"need two series of one length, got {realised.shape} and {forecast.shape}")
    if not (bool(np.all(realised > 0.0)) and bool(np.all(forecast > 0.0))):
        raise ValueError("variances must be positive")
    x = realised / forecast
    return float(np.mean(x - np.log(x) - 1.0))


def growth_ratio(
    realised: Float[ndarray, " t"], forecast: Float[ndarray, " t"], periods: Int[ndarray, " t"], *, annual: float
) -> GrowthRatio:
    """Return ``sum realised / sum forecast`` of excess growth, with its standard error from the sums of periods.

    Args:
        realised: captured volatility, a session, shape (t,) (`gammastar.core.excess_growth.captured_volatility`).
        forecast: its forecast, a session, shape (t,).
        periods: the period of each session, shape (t,), not decreasing.
        annual: sessions in a year.

    Raises:
        ValueError: fewer than two periods, series of different lengths, or forecasts that do not sum to more than zero.
    """
    came, told = period_sums(realised, periods), period_sums(forecast, periods)
    if len(came) < 2 or not told.sum() > 0.0:
        raise ValueError("a growth ratio needs two periods and a positive forecast")
    ratio = float(came.sum() / told.sum())
    error = float(np.sqrt(len(came)) * np.std(came - ratio * told, ddof=1) / told.sum())
    scale = annual / len(realised)
    return GrowthRatio(float(came.sum()) * scale, float(told.sum()) * scale, ratio, error)


def evaluate(
    realised: Float[ndarray, " t"], forecast: Float[ndarray, " t"], periods: Int[ndarray, " t"], rng: np.random.Generator
) -> Evaluation:
    """Return bias statistics of sessions and of periods, and the QLIKE loss of periods.

    Args:
        realised: active returns a session, shape (t,).
        forecast: their forecast standard deviations, shape (t,), positive.
        periods: the period of each session, shape (t,), not decreasing.
        rng: source of the resamples.

    Raises:
        ValueError: fewer than two periods, or what `measured_bias`, `period_outcomes` and `qlike` refuse.
    """
    returns, deviations, variances = period_outcomes(realised, forecast, periods)
    by_session = measured_bias(realised, forecast, rng)
    by_period = measured_bias(returns, deviations, rng, block=3)
    return Evaluation(by_session, by_period, qlike(variances, np.square(deviations)))
