"""Takeovers and delistings by rank: chances, last-day returns, and where the new listings that replace them start."""

from __future__ import annotations

__all__ = ["Hazards"]

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from gammastar.market.calendar import Frequency

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int
    from numpy import ndarray

    from gammastar.simulate.parameters import Firms


@dataclass(frozen=True, eq=False)
class Hazards:
    """The law of exits. With ``q = (rank - 1/2) / listed`` a name is taken over at ``2 q`` and fails at ``4 q^3`` times the mean rate.

    A new listing takes its place at a rank drawn from the same law, so that exits as such leave the capital distribution alone.

    Args:
        firms: mean rates and last-day returns.
        listed: number of listed names.
    """

    firms: Firms
    listed: int

    @cached_property
    def takeover(self) -> Float[ndarray, " m"]:
        """Chance of a takeover in one session, by rank."""
        quantile = (np.arange(self.listed) + 0.5) / self.listed
        return np.asarray(2.0 * quantile * self.firms.takeover_rate / Frequency.DAILY.periods)

    @cached_property
    def delisting(self) -> Float[ndarray, " m"]:
        """Chance of a failure in one session, by rank."""
        quantile = (np.arange(self.listed) + 0.5) / self.listed
        return np.asarray(4.0 * quantile**3 * self.firms.delisting_rate / Frequency.DAILY.periods)

    @property
    def jumps(self) -> tuple[float, float]:
        """Log returns of the last day, over the ordinary ones: of a takeover and of a failure."""
        return float(np.log1p(self.firms.takeover_premium)), float(np.log1p(-self.firms.delisting_loss))

    @cached_property
    def _either(self) -> Float[ndarray, " m"]:
        return np.asarray(self.takeover + self.delisting)

    @cached_property
    def _means(self) -> Float[ndarray, " m"]:
        premium, loss = self.jumps
        return np.asarray(self.takeover * premium + self.delisting * loss)

    @cached_property
    def _variances(self) -> Float[ndarray, " m"]:
        premium, loss = self.jumps
        return np.asarray(self.takeover * premium**2 + self.delisting * loss**2 - self._means**2)

    def means(self, rank: Int[ndarray, " m"]) -> Float[ndarray, " m"]:
        """Return the expected log return of an exit in one session at each `rank` (1 is the largest)."""
        return np.asarray(self._means[rank - 1])

    def variances(self, rank: Int[ndarray, " m"]) -> Float[ndarray, " m"]:
        """Return the variance of the log return of an exit in one session at each `rank`."""
        return np.asarray(self._variances[rank - 1])

    def strike(
        self, rank: Int[ndarray, " m"], uniform: Float[ndarray, " m"]
    ) -> tuple[Int[ndarray, " k"], Bool[ndarray, " k"]]:
        """Return the places that exit this session, and which of those are failures, from one uniform number a place."""
        places = np.flatnonzero(uniform < self._either[rank - 1])
        return places, np.asarray(uniform[places] >= self.takeover[rank[places] - 1])

    def entry(self, log_capital_by_rank: Float[ndarray, " m"], uniform: Float[ndarray, " 2"], *, failed: bool) -> float:
        """Return the log capitalisation of the new listing that replaces an exit, at a rank of the exit's own law."""
        at = (self.listed - 1) * uniform[0] ** (0.25 if failed else 0.5)
        low = min(int(at), self.listed - 2)
        # Between two neighbours, so that capitalisations do not tie.
        return float(log_capital_by_rank[low] + uniform[1] * (log_capital_by_rank[low + 1] - log_capital_by_rank[low]))
