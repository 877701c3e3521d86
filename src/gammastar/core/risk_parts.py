"""Where active risk comes from: parts by name, by group, by factor that sum to the whole."""

from __future__ import annotations

__all__ = ["RiskParts", "risk_parts"]

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from numpy import ndarray

    from gammastar.core.covariance import FactoredCovariance


@dataclass(frozen=True, eq=False)
class RiskParts:
    """Parts of the standard deviation ``s = sqrt(d' Sigma d)``, each a derivative times a size (Euler), a year.

    Args:
        risk: s.
        by_name: ``d_i (Sigma d)_i / s``, shape (n,); they sum to s. Negative where a name hedges the rest.
        by_factor: ``f_k^2 / s`` with ``f = B'd``, shape (k,).
        specific: ``d' D d / s``; with `by_factor` it sums to s.
    """

    risk: float
    by_name: Float[ndarray, " n"]
    by_factor: Float[ndarray, " k"]
    specific: float

    def by_group(self, codes: Int[ndarray, " n"], groups: int) -> Float[ndarray, " g"]:
        """Return the parts of groups of names, shape (groups,); they sum to s."""
        return np.bincount(codes, weights=self.by_name, minlength=groups)


def risk_parts(active: Float[ndarray, " n"], sigma: FactoredCovariance) -> RiskParts:
    """Return the parts of the risk of active weights.

    Args:
        active: weights less the benchmark's, shape (n,).
        sigma: annual covariance.

    Returns:
        Parts, all zero where there is no risk.
    """
    exposure = sigma.loadings.T @ active
    own = active * sigma.specific * active
    by_name = active * (sigma.loadings @ exposure) + own
    variance = float(exposure @ exposure) + float(own.sum())
    scale = 1.0 / np.sqrt(variance) if variance > 0.0 else 0.0
    return RiskParts(float(np.sqrt(variance)), by_name * scale, exposure**2 * scale, float(own.sum()) * scale)
