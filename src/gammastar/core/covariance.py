"""The covariance as a value in factored form, ``Sigma = B B' + diag(D)``; it is never expanded to n x n."""

from __future__ import annotations

__all__ = ["FactoredCovariance"]

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from numpy import ndarray


@dataclass(frozen=True, eq=False)
class FactoredCovariance:
    """Annual covariance of log returns, ``B B' + diag(D)``.

    Args:
        loadings: B, shape (n, k); factors are uncorrelated with unit variance.
        specific: D, specific variances a year, shape (n,), not negative.

    Raises:
        ValueError: shapes that do not fit, a value that is not finite, or a negative specific variance.
    """

    loadings: Float[ndarray, "n k"]
    specific: Float[ndarray, " n"]

    def __post_init__(self) -> None:
        loadings = np.asarray(self.loadings, dtype=np.float64, order="C").view()
        specific = np.asarray(self.specific, dtype=np.float64, order="C").view()
        if loadings.ndim != 2 or specific.shape != loadings.shape[:1]:
            raise ValueError(f"loadings {loadings.shape} and specific variances {specific.shape} do not fit together")
        if not (np.isfinite(loadings).all() and np.isfinite(specific).all()):
            raise ValueError("loadings and specific variances must be finite")
        if (specific < 0.0).any():
            raise ValueError("specific variances must not be negative")
        loadings.flags.writeable = specific.flags.writeable = False
        object.__setattr__(self, "loadings", loadings)
        object.__setattr__(self, "specific", specific)

    def __len__(self) -> int:
        return len(self.specific)

    @property
    def variances(self) -> Float[ndarray, " n"]:
        """The diagonal of Sigma."""
        return np.asarray(np.einsum("nk,nk->n", self.loadings, self.loadings) + self.specific)

    def times(self, x: Float[ndarray, " n"]) -> Float[ndarray, " n"]:
        """Return ``Sigma x``."""
        return np.asarray(self.loadings @ (self.loadings.T @ x) + self.specific * x)

    def parts(self, x: Float[ndarray, " n"]) -> tuple[float, float]:
        """Return the factor and the specific part of ``x' Sigma x``."""
        exposure = self.loadings.T @ x
        return float(exposure @ exposure), float(x @ (self.specific * x))

    def quadratic(self, x: Float[ndarray, " n"]) -> float:
        """Return ``x' Sigma x``."""
        return sum(self.parts(x))

    def relative_variances(self, nu: Float[ndarray, " n"]) -> Float[ndarray, " n"]:
        """Return the diagonal of ``tau^nu``: ``sigma_ii - 2 (Sigma nu)_i + nu' Sigma nu`` (Fernholz 2002, eq. 1.2.2).

        Args:
            nu: weights of the numeraire portfolio, shape (n,), summing to one.
        """
        against = self.times(nu)
        return np.asarray(np.maximum(self.variances - 2.0 * against + nu @ against, 0.0))

    def relative(self, nu: Float[ndarray, " n"]) -> Float[ndarray, "n n"]:
        """Return the dense relative covariance ``tau^nu_ij = (e_i - nu)' Sigma (e_j - nu)``; for small n and for tests."""
        sigma = self.dense()
        against = sigma @ nu
        return np.asarray(sigma - against[:, None] - against[None, :] + nu @ against)

    def dense(self) -> Float[ndarray, "n n"]:
        """Return Sigma as an n x n array; for small n and for tests."""
        return np.asarray(self.loadings @ self.loadings.T + np.diag(self.specific))

    def take(self, columns: Int[ndarray, " m"]) -> FactoredCovariance:
        """Return the covariance of the assets at `columns`."""
        return FactoredCovariance(self.loadings[columns], self.specific[columns])

    def scaled(self, factor: float) -> FactoredCovariance:
        """Return ``factor`` times the covariance."""
        return FactoredCovariance(self.loadings * np.sqrt(factor), self.specific * factor)
