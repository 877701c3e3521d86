"""What a track record is judged by: one definition each.

Returns are simple, shape (t,), one a session; `portfolio` and `benchmark` are two such series of one length; `periods` is the number of sessions in a year
(252 daily, 12 monthly). Every answer is finite: where a measure is not defined (a standard deviation of one session, a ratio to zero) the function raises
`ValueError`, as it does for series of different lengths, or its docstring says what it answers instead. Sources: Bacon (2008), Practical Portfolio
Performance Measurement and Attribution; Grinold and Kahn (2000) for information ratio and tracking error; Menchero, Orr and Wang (2011) for the bias statistic.
"""

from __future__ import annotations

__all__ = [
    "ROUNDING",
    "active_share",
    "beta",
    "bias_band",
    "bias_bootstrap_band",
    "bias_statistic",
    "compound_return",
    "down_capture",
    "drawdown",
    "geometric_excess",
    "hit_rate",
    "information_ratio",
    "information_ratio_se",
    "log_mean",
    "log_mean_se",
    "max_drawdown",
    "one_way_turnover",
    "period_returns",
    "period_sums",
    "relative_drawdown",
    "relative_log_returns",
    "relative_returns",
    "rolling_tracking_error",
    "root_mean_square",
    "tracking_error",
    "two_way_turnover",
    "up_capture",
    "volatility",
    "wealth",
]

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int
    from numpy import ndarray

ROUNDING: Final = 1e-12
"""Active returns a session and annual rates smaller than this are what rounding leaves of zero."""


def wealth(returns: Float[ndarray, " t"]) -> Float[ndarray, " t1"]:
    """Return the value of 1 invested before the first session, ``W_0 = 1, W_t = prod_{s<=t} (1 + r_s)``, shape (t+1,)."""
    return np.concatenate(([1.0], np.cumprod(1.0 + returns)))


def compound_return(returns: Float[ndarray, " t"], periods: int) -> float:
    """Return the time-weighted annual return ``prod (1 + r)^(periods / t) - 1``.

    Raises:
        ValueError: no sessions.
    """
    _need(returns, 1, "a compound return")
    return float(np.prod(1.0 + returns) ** (periods / len(returns)) - 1.0)


def relative_returns(portfolio: Float[ndarray, " t"], benchmark: Float[ndarray, " t"]) -> Float[ndarray, " t"]:
    """Return the geometric active returns ``(1 + p) / (1 + b) - 1``, a session; they compound to the relative wealth."""
    _same(portfolio, benchmark)
    return np.asarray((1.0 + portfolio) / (1.0 + benchmark) - 1.0)


def relative_log_returns(portfolio: Float[ndarray, " t"], benchmark: Float[ndarray, " t"]) -> Float[ndarray, " t"]:
    """Return ``log(1 + p) - log(1 + b)``, a session; they add up to the log of the relative wealth."""
    _same(portfolio, benchmark)
    return np.asarray(np.log1p(portfolio) - np.log1p(benchmark))


def log_mean(log_returns: Float[ndarray, " t"], periods: int) -> float:
    """Return the annual mean ``periods / t * sum x`` of log returns, or of any parts that add up to them.

    Raises:
        ValueError: no sessions.
    """
    _need(log_returns, 1, "a mean")
    return float(np.sum(log_returns) * (periods / len(log_returns)))


def log_mean_se(log_returns: Float[ndarray, " t"], periods: int) -> float:
    """Return the standard error of `log_mean`, ``periods * std(x) / sqrt(t)`` with ddof 1, for sessions that do not depend on each other.

    Parts that cluster (captured volatility does) should be summed to months first, with `period_sums`.

    Raises:
        ValueError: fewer than two sessions.
    """
    _need(log_returns, 2, "a standard error")
    return float(periods * np.std(log_returns, ddof=1) / np.sqrt(len(log_returns)))


def volatility(returns: Float[ndarray, " t"], periods: int) -> float:
    """Return the annual volatility ``sqrt(periods) * std(r)``, ddof 1.

    Raises:
        ValueError: fewer than two sessions.
    """
    _need(returns, 2, "a standard deviation")
    return float(np.sqrt(periods) * np.std(returns, ddof=1))


def tracking_error(portfolio: Float[ndarray, " t"], benchmark: Float[ndarray, " t"], periods: int) -> float:
    """Return the annual tracking error ``sqrt(periods) * std(p - b)``, ddof 1, of simple active returns.

    Raises:
        ValueError: fewer than two sessions, or series of different lengths.
    """
    _same(portfolio, benchmark)
    return volatility(portfolio - benchmark, periods)


def rolling_tracking_error(
    portfolio: Float[ndarray, " t"], benchmark: Float[ndarray, " t"], periods: int, *, window: int
) -> Float[ndarray, " w"]:
    """Return `tracking_error` over each `window` sessions running, shape (t - window + 1,); entry k ends at session ``k + window - 1``.

    Empty where there are fewer than `window` sessions.

    Raises:
        ValueError: a window of fewer than two sessions, or series of different lengths.
    """
    _same(portfolio, benchmark)
    if window < 2:
        raise ValueError(f"a rolling window needs at least two sessions, got {window}")
    if len(portfolio) < window:
        return np.empty(0)
    runs = np.lib.stride_tricks.sliding_window_view(portfolio - benchmark, window)
    return np.asarray(np.sqrt(periods) * np.std(runs, axis=1, ddof=1))


def geometric_excess(portfolio: Float[ndarray, " t"], benchmark: Float[ndarray, " t"], periods: int) -> float:
    """Return the annualised geometric excess ``(1 + P) / (1 + B) - 1`` of the compound annual returns P and B."""
    return compound_return(relative_returns(portfolio, benchmark), periods)


def information_ratio(portfolio: Float[ndarray, " t"], benchmark: Float[ndarray, " t"], periods: int) -> float:
    """Return `geometric_excess` over `tracking_error`.

    A portfolio that is its benchmark has the ratio 0.0: where both are below `ROUNDING` a session, 0 / 0 counts as 0.

    Raises:
        ValueError: fewer than two sessions, or an excess without any tracking error (the ratio is not finite).
    """
    excess, error = geometric_excess(portfolio, benchmark, periods), tracking_error(portfolio, benchmark, periods)
    if error > ROUNDING * np.sqrt(periods):
        return excess / error
    if abs(excess) <= ROUNDING * periods:
        return 0.0
    raise ValueError(f"an excess return of {excess} without tracking error has no information ratio")


def information_ratio_se(sessions: int, periods: int) -> float:
    """Return the standard error of an information ratio, ``1 / sqrt(years)`` with ``years = sessions / periods``.

    Leading term of ``sqrt((1 + IR^2 / 2) / years)`` (Lo 2002, The statistics of Sharpe ratios); the rest is below 13% for ratios up to 0.7.

    Raises:
        ValueError: no sessions.
    """
    if sessions < 1:
        raise ValueError("a standard error needs at least one session")
    return float(np.sqrt(periods / sessions))


def beta(portfolio: Float[ndarray, " t"], benchmark: Float[ndarray, " t"]) -> float:
    """Return the regression slope ``cov(p, b) / var(b)`` of simple returns.

    Raises:
        ValueError: fewer than two sessions, or a benchmark whose return never changes.
    """
    _same(portfolio, benchmark)
    _need(portfolio, 2, "a regression")
    centred = benchmark - benchmark.mean()
    variance = float(centred @ centred)
    if variance <= len(benchmark) * ROUNDING**2:
        raise ValueError("there is no beta against a benchmark whose return never changes")
    return float(centred @ portfolio) / variance


def active_share(pi: Float[ndarray, "*t n"], mu: Float[ndarray, "*t n"]) -> Float[ndarray, "*t"]:
    """Return ``(sum |pi - mu| + |cash|) / 2`` with ``cash = sum mu - sum pi``, from 0 to 1 for long-only weights (Cremers and Petajisto 2009).

    Args:
        pi: portfolio weights, last axis n; what they lack of the benchmark's sum is cash.
        mu: benchmark weights, same shape.
    """
    active = pi - mu
    return np.asarray(0.5 * (np.sum(np.abs(active), axis=-1) + np.abs(np.sum(active, axis=-1))))


def two_way_turnover(traded: Float[ndarray, " t"], periods: int, *, initial: int = -1) -> float:
    """Return the annual mean of the two-way traded weight, ``periods / t * sum``, the initial purchase left out of the sum.

    Args:
        traded: sum of absolute traded weight, purchases and sales, at each session, shape (t,).
        periods: sessions in a year.
        initial: position of the initial purchase, or -1 where there is none.

    Raises:
        ValueError: no sessions, or a position beyond them.
    """
    _need(traded, 1, "a turnover")
    if not -1 <= initial < len(traded):
        raise ValueError(f"the initial purchase at {initial} is not one of {len(traded)} sessions")
    first = float(traded[initial]) if initial >= 0 else 0.0
    return (float(np.sum(traded)) - first) * (periods / len(traded))


def one_way_turnover(traded: Float[ndarray, " t"], periods: int, *, initial: int = -1) -> float:
    """Return half of `two_way_turnover`."""
    return 0.5 * two_way_turnover(traded, periods, initial=initial)


def drawdown(returns: Float[ndarray, " t"]) -> Float[ndarray, " t"]:
    """Return ``W_t / max_{s<=t} W_s - 1`` at each session, not positive, shape (t,); the wealth of 1 before the first session is a peak too."""
    value = wealth(returns)
    return np.asarray((value / np.maximum.accumulate(value) - 1.0)[1:])


def relative_drawdown(portfolio: Float[ndarray, " t"], benchmark: Float[ndarray, " t"]) -> Float[ndarray, " t"]:
    """Return the `drawdown` of the portfolio's wealth divided by the benchmark's, shape (t,)."""
    return drawdown(relative_returns(portfolio, benchmark))


def max_drawdown(returns: Float[ndarray, " t"]) -> float:
    """Return the deepest `drawdown`, not positive; 0.0 for no sessions."""
    return float(np.min(drawdown(returns), initial=0.0))


def up_capture(portfolio: Float[ndarray, " t"], benchmark: Float[ndarray, " t"]) -> float:
    """Return the portfolio's geometric mean return over the benchmark's, over the sessions in which the benchmark rose.

    Raises:
        ValueError: the benchmark never rose.
    """
    return _capture(portfolio, benchmark, benchmark > ROUNDING, "rose")


def down_capture(portfolio: Float[ndarray, " t"], benchmark: Float[ndarray, " t"]) -> float:
    """Return the portfolio's geometric mean return over the benchmark's, over the sessions in which the benchmark fell.

    Raises:
        ValueError: the benchmark never fell.
    """
    return _capture(portfolio, benchmark, benchmark < -ROUNDING, "fell")


def _capture(
    portfolio: Float[ndarray, " t"], benchmark: Float[ndarray, " t"], chosen: Bool[ndarray, " t"], verb: str
) -> float:
    _same(portfolio, benchmark)
    if not bool(chosen.any()):
        raise ValueError(f"there is no capture ratio: the benchmark never {verb}")
    return compound_return(portfolio[chosen], 1) / compound_return(benchmark[chosen], 1)


def hit_rate(portfolio: Float[ndarray, " t"], benchmark: Float[ndarray, " t"]) -> float:
    """Return the share of sessions in which the portfolio beat its benchmark; one that equals it to `ROUNDING` counts half.

    Raises:
        ValueError: no sessions, or series of different lengths.
    """
    _same(portfolio, benchmark)
    _need(portfolio, 1, "a hit rate")
    active = portfolio - benchmark
    won, tied = active > ROUNDING, np.abs(active) <= ROUNDING
    return float(np.mean(won + 0.5 * tied))


def root_mean_square(values: Float[ndarray, " t"]) -> float:
    """Return ``sqrt(mean x^2)``: the one number beside a realised standard deviation that a run of forecasts amounts to.

    Raises:
        ValueError: no values.
    """
    _need(values, 1, "a mean")
    return float(np.sqrt(np.mean(np.square(values))))


def bias_statistic(realised: Float[ndarray, " t"], forecast: Float[ndarray, " t"]) -> float:
    """Return ``std(realised / forecast)``, ddof 1: 1 for forecasts of the right size, above it where risk was forecast too low.

    Args:
        realised: returns, shape (t,).
        forecast: their forecast standard deviations, of the same session and not annual, shape (t,), positive.

    Raises:
        ValueError: fewer than two sessions, series of different lengths, or a forecast that is not positive.
    """
    _same(realised, forecast)
    _need(realised, 2, "a standard deviation")
    if not bool(np.all(forecast > 0.0)):
        raise ValueError("forecast standard deviations must be positive")
    return float(np.std(realised / forecast, ddof=1))


def bias_band(sessions: int, *, level: float = 0.95) -> tuple[float, float]:
    """Return the band that holds the bias statistic of right forecasts with probability `level`, exact for independent normal returns.

    ``(t - 1) B^2`` is then chi-square with t - 1 degrees of freedom, so the band is ``sqrt(q / (t - 1))`` at its two quantiles.

    Raises:
        ValueError: fewer than two sessions, or a level that is not between 0 and 1.
    """
    if sessions < 2 or not 0.0 < level < 1.0:
        raise ValueError(f"a band needs two sessions and a level between 0 and 1, got {sessions} and {level}")
    from scipy.special import chdtri  # SciPy is loaded only by who asks for the band

    freedom, tail = sessions - 1, 0.5 * (1.0 - level)
    low, high = (float(np.sqrt(chdtri(freedom, p) / freedom)) for p in (1.0 - tail, tail))
    return low, high


def bias_bootstrap_band(
    scaled: Float[ndarray, "t *p"], *, block: int, draws: int, rng: np.random.Generator, level: float = 0.95
) -> tuple[float, float]:
    """Return the band of the bias statistic that allows for fat tails and clusters: quantiles over circular block resamples.

    Each draw joins whole blocks of sessions, wrapped round the end, and cuts to t sessions (Politis and Romano 1992).

    Args:
        scaled: realised over forecast, shape (t,); or of p portfolios, shape (t, p): the band is then that of their mean statistic.
        block: sessions in a block, from 1 to t.
        draws: number of resamples.
        rng: source of randomness.
        level: probability inside the band.

    Raises:
        ValueError: fewer than two sessions, a block that does not fit, no draws, or a level that is not between 0 and 1.
    """
    sessions = len(scaled)
    if sessions < 2 or not 1 <= block <= sessions or draws < 1 or not 0.0 < level < 1.0:
        raise ValueError(f"cannot resample {sessions} sessions in blocks of {block}, {draws} times, at level {level}")
    blocks = -(-sessions // block)
    offsets = np.arange(block)
    statistics = np.empty(draws)
    for draw in range(draws):  # one resample at a time: all of them at once would hold draws x t numbers
        starts = rng.integers(sessions, size=blocks)
        chosen = ((starts[:, None] + offsets) % sessions).ravel()[:sessions]
        statistics[draw] = np.mean(np.std(scaled[chosen], axis=0, ddof=1))
    tail = 0.5 * (1.0 - level)
    low, high = np.quantile(statistics, (tail, 1.0 - tail))
    return float(low), float(high)


def period_returns(returns: Float[ndarray, " t"], buckets: Int[ndarray, " t"]) -> Float[ndarray, " m"]:
    """Return the compound return of each period, ``prod (1 + r) - 1`` over the sessions of a bucket, shape (m,).

    Args:
        returns: simple returns, shape (t,).
        buckets: the period each session belongs to, for instance months since 1970, shape (t,), not decreasing.

    Raises:
        ValueError: buckets of another length, or that decrease.
    """
    starts = _starts(returns, buckets)
    return np.multiply.reduceat(1.0 + returns, starts) - 1.0 if len(starts) else np.empty(0)


def period_sums(values: Float[ndarray, " t"], buckets: Int[ndarray, " t"]) -> Float[ndarray, " m"]:
    """Return the sum over the sessions of each bucket, shape (m,): for log returns, costs and turnover.

    Raises:
        ValueError: buckets of another length, or that decrease.
    """
    starts = _starts(values, buckets)
    return np.add.reduceat(values, starts) if len(starts) else np.empty(0)


def _starts(values: Float[ndarray, " t"], buckets: Int[ndarray, " t"]) -> Int[ndarray, " m"]:
    _same(values, buckets)
    steps = np.diff(buckets)
    if bool(np.any(steps < 0)):
        raise ValueError("periods must not go back in time")
    if len(buckets) == 0:
        return np.empty(0, dtype=np.intp)
    return np.concatenate(([0], np.flatnonzero(steps) + 1))


def _same(one: ndarray, other: ndarray) -> None:
    if one.shape != other.shape or one.ndim != 1:
        raise ValueError(f"series must be one-dimensional and of the same length, got {one.shape} and {other.shape}")


def _need(values: ndarray, least: int, what: str) -> None:
    if len(values) < least:
        raise ValueError(f"{what} needs at least {least} session{'s' if least > 1 else ''}, got {len(values)}")
