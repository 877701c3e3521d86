"""A semismooth Newton method in the prices of the common form's few couplings: factors, rows, limited sums and risk.

Given prices phi of the factor exposures, lambda of the rows, s of the limited sums and kappa of half the squared risk, the Lagrangian of the form in
`gammastar.optimise.lane` falls apart into one function a name, whose minimum has a closed form. With ``sigma = a_s + kappa``, ``theta = a_f + kappa``
and ``v = g - B phi - A' lambda``::

    y_i = min(max(h_i + soft threshold of (v_i - sigma D_i h_i) / (sigma D_i), lower_i), upper_i)        (buy_i + up's above, sell_i + down's below)

and the dual ``q(phi, lambda, s, kappa)`` is concave and once differentiable; its gradient is by what the couplings are missed, its generalised Hessian
``E_F (sigma D_F)^-1 E_F'`` plus a diagonal, over the names F strictly between bounds and kinks. In prices divided by sigma and ``nu = 1 / sigma`` the
couplings are linear on F, and the risk limit is a quadratic in nu that is solved exactly (as in trust regions: More and Sorensen 1983). The line search
is on the derivative of q, which falls along every line. Sources: Qi and Sun 1993; Li, Sun and Toh 2018 (semismooth Newton on a dual).
"""

from __future__ import annotations

__all__ = ["Prices", "newton"]

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gammastar.optimise.interior import Multipliers
from gammastar.optimise.newton_steps import search

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy import ndarray

    from gammastar.optimise.lane import Lane


@dataclass(frozen=True, eq=False)
class Prices:
    """Prices to start from.

    Args:
        factors: of the factor exposures, ``(a_f + kappa) f``, shape (k,).
        rows: of the coupling rows, shape (r,).
        sums: of the limited sums, shape (q,).
        kappa: of half the squared risk.
    """

    factors: Float[ndarray, " k"]
    rows: Float[ndarray, " r"]
    sums: Float[ndarray, " q"]
    kappa: float


def newton(lane: Lane, start: Prices | None = None) -> Multipliers | None:
    """Return the optimum of `lane` with its multipliers, or None where the prices do not settle in a few steps.

    Args:
        lane: the problem.
        start: prices to start from; without them, those of a portfolio without factor risk.
    """
    settled, y, price, kappa, upper, lower, steps = search(
        lane.columns,
        (lane.gain, lane.specific, lane.lower, lane.upper),
        (lane.held, lane.buy, lane.sell),
        (lane.exposure, lane.low, lane.high, lane.up, lane.down, lane.total),
        (lane.equalities, float(lane.aversion[0]), float(lane.aversion[1]), np.inf if lane.limit is None else float(lane.limit) ** 2, lane.rest),
        (np.zeros(0), 0.0) if start is None else (np.concatenate((start.factors, start.rows, start.sums)), float(start.kappa)),
    )
    if not settled:
        return None
    k, r = len(lane.exposure), len(lane.low)
    return Multipliers(y, price[k : k + r], kappa, price[:k], price[k + r :], upper, lower, steps)
