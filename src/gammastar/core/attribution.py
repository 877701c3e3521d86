"""The exact attribution of any holdings: allocation, captured volatility, cost.

By the definition of the free energy (Pal and Wong 2013), ``log(pi'R) = pi' log R + FE(pi, R)`` for portfolio and benchmark alike; the difference of the
two lines has no residual.
"""

from __future__ import annotations

__all__ = ["AttributionParts", "attribute"]

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gammastar.core.excess_growth import free_energy

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy import ndarray


@dataclass(frozen=True, eq=False)
class AttributionParts:
    """Parts of each step's log relative return before cost, shape (t,) each.

    Args:
        allocation: ``(pi - mu)' log R``.
        captured_volatility: ``FE(pi, R) - FE(mu, R)``.
    """

    allocation: Float[ndarray, " t"]
    captured_volatility: Float[ndarray, " t"]


def attribute(pi: Float[ndarray, "t n"], mu: Float[ndarray, "t n"], gross: Float[ndarray, "t n"]) -> AttributionParts:
    """Return the two parts of ``log(pi'R) - log(mu'R)``, which they sum to exactly, step by step.

    Args:
        pi: portfolio weights at the start of each step, shape (t, n), each row summing to one (cash is an asset with gross return 1).
        mu: benchmark weights, same shape, each row summing to one.
        gross: gross returns of each step, same shape, positive.

    >>> parts = attribute(np.array([[0.5, 0.5]]), np.array([[0.8, 0.2]]), np.array([[1.1, 0.9]]))
    >>> float((parts.allocation + parts.captured_volatility - np.log(1.0 / 1.06)).round(12)[0])
    0.0
    """
    allocation = np.einsum("tn,tn->t", pi - mu, np.log(gross))
    return AttributionParts(allocation, free_energy(pi, gross) - free_energy(mu, gross))
