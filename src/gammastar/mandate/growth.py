"""Assumptions about growth rates, each a type. The classic one, equal growth, is that nothing is known."""

from __future__ import annotations

__all__ = ["ArithmeticGrowth", "EqualGrowth", "GivenGrowth", "GrowthAssumption", "RankGrowth"]

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gammastar.errors import StaleDataError
from gammastar.market.calendar import Frequency

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy import ndarray

    from gammastar.market.moment import Moment


@dataclass(frozen=True)
class EqualGrowth:
    """All growth rates are equal, the classic assumption: no return forecast enters, ``gamma_i = 0`` up to a constant."""

    def rates(self, moment: Moment) -> Float[ndarray, " n"]:
        """Return growth rates a year, up to a constant, shape (n,)."""
        return np.zeros(len(moment.benchmark))


@dataclass(frozen=True)
class ArithmeticGrowth:
    """Arithmetic returns are equal, or part of the way there: ``gamma_i = -blend sigma_ii / 2`` up to a constant.

    Args:
        blend: 0 is equal growth, 1 equal arithmetic returns, any number between a blend of the two.
    """

    blend: float = 1.0

    def rates(self, moment: Moment) -> Float[ndarray, " n"]:
        """Return growth rates a year, up to a constant, shape (n,)."""
        return -0.5 * self.blend * moment.need_covariance("arithmetic growth").variances


@dataclass(frozen=True)
class RankGrowth:
    """Growth by rank, as in a first-order market: ``gamma_i = g_{b(i)}`` with b(i) the bucket of the name's rank now, estimated and shrunk.

    At each session of the window the members are put into buckets of equal number by rank at its start; `g_b` is the mean log return of the
    bucket over the mean of all members, a year. With its standard error `s_b` and the variance v between buckets that errors do not explain,
    ``v = max(mean(g^2) - mean(s^2), 0)``, it is shrunk to ``g_b v / (v + s_b^2)`` (empirical Bayes).

    Args:
        buckets: of ranks.
        window: sessions looked at.
    """

    buckets: int = 10
    window: int = 2520

    def rates(self, moment: Moment) -> Float[ndarray, " n"]:
        """Return growth rates a year relative to the mean, shape (n,); zero outside the benchmark."""
        first = max(len(moment.returns) - self.window, 1)
        by_session = np.array([self._session(moment, t) for t in range(first, len(moment.returns))]).reshape(-1, self.buckets)
        if len(by_session) < 2:
            return np.zeros(len(moment.benchmark))
        a_year = 252.0 if moment.frequency is Frequency.DAILY else 12.0
        growth, error = by_session.mean(axis=0) * a_year, by_session.std(axis=0, ddof=1) * a_year / np.sqrt(len(by_session))
        between = max(float(np.mean(growth**2) - np.mean(error**2)), 0.0)
        spread = between + error**2
        shrunk = np.divide(growth * between, spread, out=np.zeros(self.buckets), where=spread > 0.0)
        members = np.flatnonzero(moment.members)
        rates = np.zeros(len(moment.benchmark))
        rates[members] = shrunk[self._buckets(moment.benchmark[members])]
        return rates

    def _session(self, moment: Moment, t: int) -> Float[ndarray, " b"]:
        """Return the mean log return of each bucket over that of all members in the session ending at t; zero for an empty bucket."""
        weights = moment.benchmark_history[t - 1]
        there = np.flatnonzero((weights > 0.0) & moment.observed[t])
        if not len(there):
            return np.zeros(self.buckets)
        logs, bucket = np.log1p(moment.returns[t, there]), self._buckets(weights[there])
        count = np.bincount(bucket, minlength=self.buckets)
        mean = np.bincount(bucket, weights=logs, minlength=self.buckets) / np.maximum(count, 1)
        return np.where(count > 0, mean - logs.mean(), 0.0)

    def _buckets(self, weights: Float[ndarray, " m"]) -> ndarray:
        """Return the bucket of each name by the rank of its weight; ties go by column."""
        rank = np.empty(len(weights), dtype=np.intp)
        rank[np.argsort(-weights, kind="stable")] = np.arange(len(weights))
        return np.asarray(rank * self.buckets // len(weights))


@dataclass(frozen=True)
class GivenGrowth:
    """Growth rates that the user brings, with the day they were known.

    Args:
        rates_by_asset: asset id and growth rate a year; assets not named get the benchmark-weighted mean of the others.
        known: day, ISO; before it the rates may not be used.
    """

    rates_by_asset: tuple[tuple[str, float], ...]
    known: str

    def rates(self, moment: Moment) -> Float[ndarray, " n"]:
        """Return growth rates a year, shape (n,).

        Raises:
            StaleDataError: the moment is before the day the rates were known.
        """
        if moment.session < np.datetime64(self.known):
            raise StaleDataError("strategy.growth", "these growth rates were not known yet", got=f"a decision on {moment.session}", allowed=f"{self.known} or later",
                                 advice="decide later, or give rates that were known then")  # fmt: skip
        mu, index = moment.benchmark, moment.assets.index
        rates, known = np.zeros(len(mu)), np.zeros(len(mu), dtype=bool)
        for asset, rate in self.rates_by_asset:
            if asset in index:
                rates[index[asset]], known[index[asset]] = rate, True
        weight = float(mu[known].sum())
        mean = float(mu[known] @ rates[known]) / weight if weight > 0.0 else 0.0
        return np.where(known, rates, mean)


GrowthAssumption = EqualGrowth | ArithmeticGrowth | RankGrowth | GivenGrowth
