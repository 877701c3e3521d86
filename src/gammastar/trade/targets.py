"""From the targets of the last decision to the weights to trade to now."""

from __future__ import annotations

__all__ = ["fixed_targets", "left_names", "to_level", "within_band", "without_names"]

from typing import TYPE_CHECKING

import numpy as np

from gammastar.market.missing import PATIENCE

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from numpy import ndarray

    from gammastar.market.moment import Moment


def left_names(moment: Moment) -> Bool[ndarray, " n"]:
    """Return the names that are no longer to be held: outside the benchmark, or without a return for five sessions running.

    A name that stopped and is in index weights published since is not among them: whoever publishes them still holds it.
    """
    since_publication = len(moment.published) - 1 - int(np.flatnonzero(moment.published)[-1])
    run = moment.missing_run(longest=PATIENCE + since_publication + 1)
    stopped = (run >= PATIENCE) & (run - PATIENCE < since_publication)
    return np.asarray(~moment.members | stopped)


def fixed_targets(targets: Float[ndarray, " n"], reset: Bool[ndarray, " n"], moment: Moment) -> Float[ndarray, " n"]:
    """Return the fixed targets as they stand at `moment`; what they leave in cash stays in cash.

    Names that left get zero. Names in `reset` (neutral ones, and those that joined since the decision) get their benchmark weight. The rest
    keep their targets, scaled to what is left.
    """
    left = left_names(moment)
    reset = reset & ~left
    kept = np.where(left | reset, 0.0, targets)
    at_benchmark = np.where(reset, moment.benchmark, 0.0)
    invested = 1.0 if abs(float(targets.sum()) - 1.0) < 1e-9 else float(targets.sum())
    if kept.sum() == 0.0:
        return np.asarray(at_benchmark * (invested / at_benchmark.sum()))
    return np.asarray(at_benchmark + kept * ((invested - at_benchmark.sum()) / kept.sum()))


def without_names(weights: Float[ndarray, " n1"], left: Bool[ndarray, " n"]) -> Float[ndarray, " n1"]:
    """Return `weights` (cash last) with the names that left at zero and their weight spread pro rata over the other assets."""
    kept = np.where(np.append(left, True), 0.0, weights)
    return np.asarray(kept * ((1.0 - weights[-1]) / kept.sum()) + np.append(np.zeros(len(left)), weights[-1]))


def within_band(
    weights: Float[ndarray, " n1"], target: Float[ndarray, " n1"], band: float, *, left: Bool[ndarray, " n"] | None = None
) -> Float[ndarray, " n1"]:
    """Return the weights that are cheapest to reach with ``abs(t - target) <= band``, ``t >= 0`` and ``sum t = 1``.

    Each name outside its band is traded to the edge. Edges alone do not sum to one; what is missing is made up by the names furthest from
    their targets on the side that the trade brings nearer, all to one common distance. At one proportional cost no way is cheaper (every
    further move costs the same a unit, and none can undo a trade to an edge), and few names are touched.

    Args:
        weights: held now, cash last, shape (n+1,), summing to one.
        target: shape (n+1,), summing to one. Cash has no band: it is invested.
        band: half width, a weight; 0 trades to the targets themselves.
        left: names without a band: they are traded to their target, shape (n,).
    """
    if band == 0.0:
        return target
    width = np.append(np.where(left, 0.0, band) if left is not None else np.full(len(target) - 1, band), 0.0)
    low, high = np.maximum(target - width, 0.0), target + width
    edge = np.clip(weights, low, high)
    missing = 1.0 - float(edge.sum())
    return to_level(target, edge, high) if missing > 0.0 else to_level(target, low, edge)


def to_level(target: Float[ndarray, " m"], low: Float[ndarray, " m"], high: Float[ndarray, " m"], total: float = 1.0) -> Float[ndarray, " m"]:
    """Return ``clip(target + level, low, high)`` with the level at which it sums to `total`; `high` may be infinite."""
    bends, turns = np.concatenate((low - target, high - target)), np.repeat([1.0, -1.0], len(target))
    order = np.argsort(bends, kind="stable")[: int(np.isfinite(bends).sum())]
    bends, slope = bends[order], np.cumsum(turns[order])
    height = low.sum() + np.concatenate(([0.0], np.cumsum(slope[:-1] * np.diff(bends))))
    piece = max(int(np.searchsorted(height, total, side="right")) - 1, 0)
    level = bends[piece] + ((total - height[piece]) / slope[piece] if slope[piece] > 0.5 else 0.0)
    return np.asarray(np.clip(target + level, low, high))
