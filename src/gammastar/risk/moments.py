"""Weighted second moments of the last rows of a history, moved along session by session."""

from __future__ import annotations

__all__ = ["LARGEST", "WeightedMoments"]

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.linalg.blas import dsyrk

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int
    from numpy import ndarray

LARGEST: Final = 1200
"""Assets up to which moments are carried: they are as many numbers as there are pairs."""


@dataclass(frozen=True, eq=False)
class WeightedMoments:
    """What a window of log returns sums to, each row with weights that fall with its age.

    Args:
        products: ``sum_t 0.5^(age_t / correlation) x_t x_t'``, shape (n, n), its lower triangle.
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
        return cls(np.asfortranarray(weighted.T @ weighted), weights @ np.square(logs), weights @ observed, volatility, correlation)

    def moved(self, new: tuple[ndarray, ndarray], old: tuple[ndarray, ndarray], window: int) -> WeightedMoments:
        """Return the moments with rows added at the end, and those taken away that the window leaves behind.

        Rounding of what is taken away fades with the weights, like everything else.

        Args:
            new: log returns and whether they were observed, of the rows that come, shape (t, n) each.
            old: the same of those that go; fewer, or none, where the window was not full.
            window: rows kept.
        """
        slow, fast = 0.5 ** (len(new[0]) / self.correlation), 0.5 ** (len(new[0]) / self.volatility)
        products, squares, counts = slow * self.products, fast * self.squares, fast * self.counts
        for sign, youngest, (logs, seen) in ((1.0, 0, new), (-1.0, window, old)):
            if len(logs):
                age = np.arange(youngest + len(logs) - 1, youngest - 1, -1.0)
                rooted = logs * np.sqrt(0.5 ** (age / self.correlation))[:, None]
                products = dsyrk(sign, rooted.T, 1.0, products, lower=1, overwrite_c=True)
                weights = sign * 0.5 ** (age / self.volatility)
                squares, counts = squares + weights @ np.square(logs), counts + weights @ seen
        return WeightedMoments(products, squares, counts, self.volatility, self.correlation)

    def variances(self, columns: Int[ndarray, " m"]) -> Float[ndarray, " m"]:
        """Return the weighted mean squares of some columns, as `gammastar.risk.weighted.weighted_variance` has them."""
        return np.asarray(np.maximum(self.squares[columns] / self.counts[columns], 1e-12))

    def correlations(self, columns: Int[ndarray, " m"]) -> Float[ndarray, "m m"]:
        """Return the weighted correlations (of means of zero) of some columns; a column of zeros has none with any, not with itself either.

        Columns rise; the upper triangle is right.
        """
        whole = len(columns) == len(self.squares)
        products = self.products.T if whole else self.products.T[np.ix_(columns, columns)]  # an upper triangle by rows
        norms = np.sqrt(np.maximum(np.diag(products), 0.0))
        scale = np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > 0.0)
        found = products * scale[:, None]
        found *= scale
        return np.asarray(found)
