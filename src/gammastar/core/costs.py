"""Costs of trading, charged self-financing and exactly."""

from __future__ import annotations

__all__ = ["self_financing"]

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy import ndarray


def self_financing(psi: Float[ndarray, " n"], target: Float[ndarray, " n"], cost: Float[ndarray, " n"]) -> float:
    """Return ``c = V_new / V``: what is left of the value V after trading the holdings `psi` to the weights `target` and paying for it.

    The root of ``V c + sum_i cost_i abs(c V t_i - psi_i) = V``, piecewise linear and increasing in c: the breakpoints are sorted and the
    right piece is solved exactly.

    Args:
        psi: holdings in money, shape (n,), cash among them.
        target: weights to reach, shape (n,), summing to one.
        cost: cost of each asset as a fraction of the traded value, shape (n,), not negative, with ``sum cost_i t_i < 1``.

    Returns:
        c, above 0 and at most 1.

    Source: the self-financing condition of Ruf and Xie 2020.

    Raises:
        ValueError: no value, targets that do not sum to one, or costs that could eat the whole trade.

    >>> round(self_financing(np.array([60.0, 40.0]), np.array([0.5, 0.5]), np.array([0.01, 0.01])), 6)
    0.998
    """
    value = float(psi.sum())
    if not value > 0.0:
        raise ValueError(f"holdings must have a positive value, got {value}")
    if abs(float(target.sum()) - 1.0) > 1e-9:
        raise ValueError(f"target weights must sum to one, got {float(target.sum())}")
    if (cost < 0.0).any() or not float(cost @ target) < 1.0:
        raise ValueError("costs must not be negative, and must leave something of the trade")
    held = target > 0.0
    per_unit, weight = cost[held] * target[held], psi[held] / value  # in units of the value: slope in c, and share now
    breakpoints = weight / target[held]
    order = np.argsort(breakpoints, kind="stable")
    slope, offset, at = per_unit[order], (cost[held] * weight)[order], breakpoints[order]
    sold_out = float(cost[~held] @ psi[~held]) / value
    # on the piece above k breakpoints: those k names are bought, the others sold
    bought_slope = np.concatenate(([0.0], np.cumsum(slope)))
    bought_offset = np.concatenate(([0.0], np.cumsum(offset)))
    slopes = 1.0 + 2.0 * bought_slope - bought_slope[-1]
    roots = (1.0 - sold_out + 2.0 * bought_offset - bought_offset[-1]) / slopes
    piece = int(np.searchsorted(_excess_at(at, slopes[1:], roots[1:]), 0.0)) if len(at) else 0
    return float(min(roots[piece], 1.0))


def _excess_at(at: Float[ndarray, " m"], slopes: Float[ndarray, " m"], roots: Float[ndarray, " m"]) -> Float[ndarray, " m"]:
    """Return the left side minus the right at each breakpoint (increasing)."""
    return np.asarray(slopes * (at - roots))
