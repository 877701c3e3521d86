"""Estimates by rank with their standard errors: growth, variance, local times; and the capital distribution curve."""

from __future__ import annotations

__all__ = ["CapitalCurve", "RankEstimates", "capital_curve", "occupation_local_times", "rank_estimates"]

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gammastar.core.rank import local_times
from gammastar.core.rank_generating import rank_order, ranked_weights

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy import ndarray


@dataclass(frozen=True, eq=False)
class RankEstimates:
    """First-order parameters by rank, largest first; a year; shape (n,) each unless said.

    Standard errors take the steps as independent. They need no model beyond that.

    Args:
        years: length of the sample.
        common: mean growth of all names, a number.
        growth: ``g_k``: growth of the names while at rank k, less `common`; sums to zero.
        growth_error: its standard error.
        growth_by_local_time: ``(lambda_{k-1} - lambda_k) / 2``; differs from `growth` only by the change of the curve over the sample, over its years.
        variance: ``sigma_k^2`` of the names while at rank k, around `growth` plus `common`.
        variance_error: its standard error.
        local_time_rate: ``lambda_k``; rank k stands for the gap between k and k + 1, the last is zero.
        local_time_error: its standard error.
    """

    years: float
    common: float
    growth: Float[ndarray, " n"]
    growth_error: Float[ndarray, " n"]
    growth_by_local_time: Float[ndarray, " n"]
    variance: Float[ndarray, " n"]
    variance_error: Float[ndarray, " n"]
    local_time_rate: Float[ndarray, " n"]
    local_time_error: Float[ndarray, " n"]


def rank_estimates(values: Float[ndarray, "t1 n"], step: float) -> RankEstimates:
    """Return growth, variance and local-time rate of each rank (Fernholz 2002, section 5.3; Banner, Fernholz and Karatzas 2005).

    With ``x_k`` the change over a step of the name that started it at rank k, less the mean change of all names, exactly
    ``lambda_k years = 2 (change of the sum of the k largest - sum_{j<=k} sum_t x_j)``. The first term stays bounded, so that the error of `lambda_k` is that
    of the second: for an Atlas market ``(sigma / g) sqrt((1/k - 1/n) / years)`` of the rate.

    Args:
        values: log capitalisations, or log weights for parameters relative to the market, shape (t+1, n), the same names throughout, at least 2 steps.
        step: years in a step, positive.

    Raises:
        ValueError: fewer than two steps, a step that is not positive, or values that are not finite.
    """
    steps = len(values) - 1
    if steps < 2 or not step > 0.0:
        raise ValueError(f"at least 2 steps of positive length are needed, got {steps} of {step} years")
    if not np.isfinite(values).all():
        raise ValueError("values must be finite: take the names that are in the market throughout")
    years, order = steps * step, rank_order(values[:-1])
    moves = np.take_along_axis(np.diff(values, axis=0), order, axis=1)
    common = moves.mean(axis=1, keepdims=True)
    own = moves - common
    rate = local_times(values).sum(axis=0) / years
    rate[-1] = 0.0  # it is, to rounding
    squares = (moves - moves.mean(axis=0)) ** 2
    partial = np.cumsum(own, axis=1)
    return RankEstimates(
        years=years,
        common=float(common.mean()) / step,
        growth=own.mean(axis=0) / step,
        growth_error=own.std(axis=0, ddof=1) / (step * np.sqrt(steps)),
        growth_by_local_time=-0.5 * np.diff(rate, prepend=0.0),
        variance=squares.sum(axis=0) / (steps - 1) / step,
        variance_error=squares.std(axis=0, ddof=1) / (step * np.sqrt(steps)),
        local_time_rate=rate,
        local_time_error=np.append(2.0 * partial[:, :-1].std(axis=0, ddof=1) / (step * np.sqrt(steps)), 0.0),
    )


def occupation_local_times(values: Float[ndarray, "t1 n"], width: float) -> Float[ndarray, " n-1"]:
    """Return local times of the gaps by occupation: ``(1 / (2 w)) sum_t 1{gap_k(t) < w} d<D_k>``, a second road to the sum of `local_times`.

    `D_k` is the difference of the two names at ranks k and k + 1, followed over the step; its squared change is the quadratic variation, without which the
    formula is a time and no local time (the occupation density of a semimartingale: Revuz and Yor 1999, chapter VI). Biased by the width and by steps that are not short against it: a check, where `local_times` is exact.

    Args:
        values: log capitalisations or weights, shape (t+1, n).
        width: of the strip above zero, positive, in units of the values; several times a step's move of a gap.

    Raises:
        ValueError: a width that is not positive.
    """
    if not width > 0.0:
        raise ValueError(f"the width must be positive, got {width}")
    order = rank_order(values[:-1])
    before, after = (np.take_along_axis(x, order, axis=1) for x in (values[:-1], values[1:]))
    gap, moved = -np.diff(before, axis=1), np.diff(after - before, axis=1)
    return np.asarray(np.sum(np.where(gap < width, moved * moved, 0.0), axis=0) / (2.0 * width))


@dataclass(frozen=True, eq=False)
class CapitalCurve:
    """The capital distribution curve: mean log weight by rank, shape (m,) each.

    Args:
        rank: 1 to m, the ranks held at all times.
        log_weight: ``log mu_(k)``, mean over time.
        log_weight_deviation: its standard deviation over time (zero for one time).
    """

    rank: Float[ndarray, " m"]
    log_weight: Float[ndarray, " m"]
    log_weight_deviation: Float[ndarray, " m"]

    @property
    def log_rank(self) -> Float[ndarray, " m"]:
        """``log k``."""
        return np.asarray(np.log(self.rank))

    @property
    def slopes(self) -> Float[ndarray, " m-1"]:
        """``(log mu_(k+1) - log mu_(k)) / (log (k+1) - log k)``, between neighbouring ranks; a Pareto market has the same everywhere."""
        return np.asarray(np.diff(self.log_weight) / np.diff(self.log_rank))

    def slope(self, first: int = 1, last: int | None = None) -> float:
        """Return the least-squares slope of log weight on log rank between two ranks, both included.

        Raises:
            ValueError: fewer than two ranks of the curve between them.
        """
        part = slice(first - 1, last)
        x, y = self.log_rank[part], self.log_weight[part]
        if first < 1 or len(x) < 2:
            raise ValueError(f"at least two ranks from 1 to {len(self.rank)} are needed, got {first} to {last}")
        x = x - x.mean()
        return float(x @ y / (x @ x))


def capital_curve(mu: Float[ndarray, "t n"]) -> CapitalCurve:
    """Return the capital distribution curve ``(log k, log mu_(k))``, mean of the logs over time (Fernholz 2002, section 5.1).

    Args:
        mu: market weights, shape (t, n), or (n,) for one time; ranks that are empty at some time are left out.

    Raises:
        ValueError: no rank that is held at all times.

    >>> capital_curve(np.array([0.25, 0.5, 0.25])).slopes.round(3)
    array([-1.,  0.])
    """
    rows = ranked_weights(np.atleast_2d(mu))
    held = int((rows > 0.0).sum(axis=1).min(initial=rows.shape[1])) if len(rows) else 0
    if held < 1:
        raise ValueError("no rank is held at all times")
    logs = np.log(rows[:, :held])
    return CapitalCurve(np.arange(1.0, held + 1.0), logs.mean(axis=0), logs.std(axis=0))
