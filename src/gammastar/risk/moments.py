"""Weighted second moments of the last rows of a history, moved along session by session."""

from __future__ import annotations

__all__ = ["LARGEST", "WeightedMoments"]

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int
    from numpy import ndarray

LARGEST: Final = 1200
"""Assets up to which moments are carried: they are as many numbers as there are pairs."""


@dataclass(frozen=True, eq=False)
class WeightedMoments:
    """What a window of log returns sums to, each row with weights that fall with its age.

    Args:
        products: ``sum_t 0.5^(age_t / correlation) x_t x_t'``, shape (n, n).
        squares: ``sum_t 0.5^(age_t / volatility) x_t^2``, shape (n,).
        counts: ``sum_t 0.5^(age_t / volatility)`` over the rows observed, shape (n,).
        volatility: half-life of squares and counts, in rows.
        correlation: half-life of products.
    """

    products: Float[ndarray, "n n"]
    squares: Float[ndarray, " n"]
    counts: Float[ndarray, " n"]
    volatility: float
    correlation: float

    @classmethod
    def of(cls, logs: Float[ndarray, "t n"], observed: Bool[ndarray, "t n"], *, volatility: float, correlation: float) -> WeightedMoments:
        """Return the moments of all rows, the latest last; `logs` are zero where not observed."""
        age = np.arange(len(logs) - 1, -1, -1.0)
        weights = 0.5 ** (age / volatility)
        weighted = logs * np.sqrt(0.5 ** (age / correlation))[:, None]
        return cls(weighted.T @ weighted, weights @ np.square(logs), weights @ observed, volatility, correlation)

    def moved(self, new: tuple[ndarray, ndarray], old: tuple[ndarray, ndarray], window: int) -> WeightedMoments:
        """Return the moments with rows added at the end, and those taken away that the window leaves behind.

        Rounding of what is taken away fades with the weights, like everything else.

        Args:
            new: log returns and whether they were observed, of the rows that come, shape (t, n) each.
            old: the same of those that go; fewer, or none, where the window was not full.
            window: rows kept.
        """
        ages = np.arange(len(new[0]) - 1, -1, -1.0), np.arange(window + len(old[0]) - 1, window - 1, -1.0)
        signs = np.repeat((1.0, -1.0), (len(new[0]), len(old[0])))
        age, logs, seen = np.concatenate(ages), np.concatenate((new[0], old[0])), np.concatenate((new[1], old[1]))
        weights, decayed = signs * 0.5 ** (age / self.volatility), 0.5 ** (len(new[0]) / self.volatility)
        rooted = logs * np.sqrt(0.5 ** (age / self.correlation))[:, None]
        products = rooted.T @ (rooted * signs[:, None])
        products += 0.5 ** (len(new[0]) / self.correlation) * self.products
        return WeightedMoments(products, decayed * self.squares + weights @ np.square(logs), decayed * self.counts + weights @ seen, self.volatility, self.correlation)

    def variances(self, columns: Int[ndarray, " m"]) -> Float[ndarray, " m"]:
        """Return the weighted mean squares of some columns, as `gammastar.risk.weighted.weighted_variance` has them."""
        return np.asarray(np.maximum(self.squares[columns] / self.counts[columns], 1e-12))

    def correlations(self, columns: Int[ndarray, " m"]) -> Float[ndarray, "m m"]:
        """Return the weighted correlations (of means of zero) of some columns; a column of zeros has none with any, not with itself either."""
        whole = len(columns) == len(self.squares)
        products = self.products if whole else self.products[np.ix_(columns, columns)]
        norms = np.sqrt(np.maximum(np.diag(products), 0.0))
        scale = np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > 0.0)
        return np.asarray(products * scale[:, None] * scale)
