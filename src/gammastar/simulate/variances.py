"""Variances: by rank, and how they wander from session to session."""

from __future__ import annotations

__all__ = ["LogVariances", "rank_variances"]

from typing import TYPE_CHECKING

import numpy as np

from gammastar.simulate.names import FACTORS, SECTORS, STYLES

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from numpy import ndarray

    from gammastar.simulate.parameters import Clustering, Shocks


def rank_variances(shocks: Shocks, listed: int) -> Float[ndarray, " m"]:
    """Return the mean specific variance at each rank, a year: the volatility is linear in the logarithm of the rank."""
    depth = np.log(np.arange(1, listed + 1)) / np.log(listed)
    return np.asarray((shocks.specific_largest + (shocks.specific_smallest - shocks.specific_largest) * depth) ** 2)


class LogVariances:
    """The log variances, started in their stationary law and moved on one session at a time."""

    def __init__(self, shocks: Shocks, listed: int, rng: np.random.Generator) -> None:
        self.shocks = shocks
        self.market = float(shocks.market_clustering.spread * rng.standard_normal())
        self.factors = shocks.factor_clustering.spread * rng.standard_normal(FACTORS - 1)
        self.specific = shocks.specific_clustering.spread * rng.standard_normal(listed)
        self.bases = np.concatenate(
            ([shocks.market], np.full(len(SECTORS), shocks.sector), np.full(STYLES, shocks.style))
        )

    def move(self, market_shock: float, rng: np.random.Generator) -> None:
        """Move on by one session; the market's innovation is correlated with its standardised shock."""
        fresh = rng.standard_normal(FACTORS + len(self.specific))
        innovation = self.shocks.leverage * market_shock + np.sqrt(1.0 - self.shocks.leverage**2) * float(fresh[0])
        self.market = float(_moved(self.market, innovation, self.shocks.market_clustering))
        self.factors = _moved(self.factors, fresh[1:FACTORS], self.shocks.factor_clustering)
        self.specific = _moved(self.specific, fresh[FACTORS:], self.shocks.specific_clustering)

    def _shared(self) -> float:
        """Log of the factor by which sector, style and specific variances follow the market's; its exponential has mean one."""
        follow = self.shocks.commonality
        return follow * self.market - 0.5 * (follow * self.shocks.market_clustering.spread) ** 2

    def factor_volatilities(self) -> Float[ndarray, " f"]:
        """Return the volatilities of the next session's market, sector and style shocks, annual."""
        market = self.market - 0.5 * self.shocks.market_clustering.spread**2
        others = self.factors - 0.5 * self.shocks.factor_clustering.spread**2 + self._shared()
        return np.asarray(self.bases * np.exp(0.5 * np.concatenate(([market], others))))

    def specific_multiples(self, own: Float[ndarray, " m"]) -> Float[ndarray, " m"]:
        """Return the next session's specific variances over their means at each rank; `own` are the logarithms of the names' own multiples."""
        level = self._shared() - 0.5 * self.shocks.specific_clustering.spread**2
        return np.asarray(np.exp(self.specific + (own + level)))

    def relist(self, places: Int[ndarray, " k"], rng: np.random.Generator) -> None:
        """Start the log variances of new listings in their stationary law."""
        self.specific[places] = self.shocks.specific_clustering.spread * rng.standard_normal(len(places))


def _moved(log_variance: ndarray | float, innovation: ndarray | float, clustering: Clustering) -> ndarray:
    """Return the next value of a stationary autoregression."""
    keep = clustering.persistence
    return np.asarray(
        keep * np.asarray(log_variance) + clustering.spread * np.sqrt(1.0 - keep**2) * np.asarray(innovation)
    )
