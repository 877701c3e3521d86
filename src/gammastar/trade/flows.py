"""Contributions and withdrawals between re-optimisations: invested, or raised, to come nearer to the targets."""

from __future__ import annotations

__all__ = ["invest_flow"]

from typing import TYPE_CHECKING

import numpy as np

from gammastar.trade.targets import to_level

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy import ndarray


def invest_flow(weights: Float[ndarray, " n"], targets: Float[ndarray, " n"], flow: float) -> Float[ndarray, " n"]:
    """Return the weights nearest to `targets` that a flow can reach without trading the other way: cash mode.

    Minimises ``sum (w - target)^2`` over ``w >= weights`` (no sales) for a contribution and ``0 <= w <= weights`` (no purchases) for a withdrawal, with the
    sum of the targets: ``w = clip(target + level, weights, inf)``. Every name that is bought ends the same distance from its target, and none overshoots
    while another is further below.

    Args:
        weights: after the flow and before the trade, shape (n,): they sum to less than the targets after a contribution, to more after a withdrawal.
        targets: shape (n,).
        flow: positive for a contribution, negative for a withdrawal.

    Raises:
        ValueError: there is nothing to invest, or to raise.

    Example:
        >>> invest_flow(np.array([0.5, 0.3, 0.1]), np.array([0.5, 0.3, 0.2]), 0.1).round(12).tolist()
        [0.5, 0.3, 0.2]
    """
    total, present = float(targets.sum()), float(weights.sum())
    if (total - present) * flow < 0.0 or flow == 0.0:
        raise ValueError(f"a flow of {flow:g} does not lead from weights of {present:g} in all to targets of {total:g}")
    low = weights if flow > 0.0 else np.zeros(len(weights))
    high = np.full(len(weights), np.inf) if flow > 0.0 else weights
    return to_level(targets, low, high, total)
