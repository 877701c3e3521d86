"""What a move of one weight would bring, to second order: which piece of a name to prefer, which name to drop, which lot to trade."""

from __future__ import annotations

__all__ = ["Slopes", "piece_gains", "slopes_at"]

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gammastar.core.rows import AbsoluteSum, Budget, LinearRows, RiskCone

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy import ndarray

    from gammastar.optimise.pieces import Pieces
    from gammastar.optimise.problem import Problem
    from gammastar.optimise.solver import Answer

NEAR = 1e-6
"""A row or a bound this close to its limit binds."""


@dataclass(frozen=True, eq=False)
class Slopes:
    """What a move of one weight brings, the others adjusting: ``first x - second x^2 / 2`` less what the trade costs.

    Args:
        first: derivative of the objective without costs, net of the linear rows and cones that bind, shape (n,).
        second: curvature, shape (n,).
        sums: sums of distances that bind, with their prices.
    """

    first: Float[ndarray, " n"]
    second: Float[ndarray, " n"]
    sums: tuple[tuple[float, AbsoluteSum], ...]

    def costs(self, problem: Problem, weights: Float[ndarray, " n"]) -> Float[ndarray, " n"]:
        """Return what each name's distance from what is held, and from other centres, costs at `weights`, shape (n,)."""
        cost = problem.cost.of(weights - problem.held)
        for price, row in self.sums:
            away = weights - row.centre
            cost = cost + price * (row.up * np.maximum(away, 0.0) + row.down * np.maximum(-away, 0.0))
        return np.asarray(cost)


def slopes_at(problem: Problem, answer: Answer) -> Slopes:
    """Return the slopes at an answer.

    Prices of cones and sums are the answer's. Those of linear rows are found by least squares from the names that neither a bound nor a
    kink of the costs holds, whose slope must be zero.
    """
    w = answer.weights
    first, second = problem.gradient(w), np.zeros(len(w))
    for variance in problem.variances:
        second = second + variance.specific * variance.covariance.specific
    sums = tuple((answer.prices.get(row.rule, 0.0), row) for row in problem.rows if isinstance(row, AbsoluteSum))
    sums = tuple((price, row) for price, row in sums if price > 0.0)
    for row in problem.rows:
        if isinstance(row, RiskCone):
            price, risk = max(answer.prices.get(row.rule, 0.0), 0.0), float(np.sqrt(row.covariance.quadratic(w - row.centre)))
            if price > 0.0 and risk >= row.limit - NEAR and risk > 0.0:
                first = first - (price / risk) * row.covariance.times(w - row.centre)
                second = second + (price / risk) * row.covariance.specific
    left, right = problem.cost.marginal(w - problem.held)
    for price, row in sums:
        away = w - row.centre
        left = left + price * np.where(away > NEAR, row.up, -row.down)
        right = right + price * np.where(away < -NEAR, -row.down, row.up)
    loose = (w[problem.free] > problem.lower + NEAR) & (w[problem.free] < problem.upper - NEAR)
    inside = problem.free[loose & (right - left < 1e-12)[problem.free]]
    normals = _normals(problem, w)
    if len(inside) and len(normals):
        multipliers = np.linalg.lstsq(normals[:, inside].T, (first - left)[inside], rcond=None)[0]
        first = first - multipliers @ normals
    net = (first - 0.5 * (left + right))[problem.free]
    # weight that moves has to go to the next best name: where nothing else curves the objective, this tells a large move from a small one
    spread = float(net.std()) if len(net) else 0.0
    return Slopes(first, second + 0.1 * spread / max(float(w.max(initial=0.0)), 1e-3), sums)


def _normals(problem: Problem, w: Float[ndarray, " n"]) -> Float[ndarray, "r n"]:
    """Return the normals of the linear rows that bind, fully invested among them."""
    found = []
    budgets = [row for row in problem.rows if isinstance(row, Budget)]
    cash = 1.0 - float(w.sum())
    if not budgets or any(min(cash - row.minimum, row.maximum - cash) < NEAR for row in budgets):
        found.append(np.ones((1, len(w))))
    for row in problem.rows:
        if isinstance(row, LinearRows):
            values = row.matrix @ w
            binding = np.flatnonzero(np.minimum(values - row.lower, row.upper - values) < NEAR)
            chosen = row.matrix[binding]
            found.append(chosen if isinstance(chosen, np.ndarray) else chosen.toarray())
    return np.vstack(found) if found else np.zeros((0, len(w)))


def piece_gains(problem: Problem, answer: Answer, pieces: Pieces) -> Float[ndarray, "m 4"]:
    """Return what each name's move to each of its pieces would bring, minus infinity where there is no such piece, shape (m, 4)."""
    slopes, free, weights = slopes_at(problem, answer), problem.free, answer.weights
    here, first, second = weights[free], slopes.first[free], slopes.second[free]
    now = slopes.costs(problem, weights)[free]
    gains = np.full(pieces.valid.shape, -np.inf)
    for piece in range(pieces.valid.shape[1]):
        low, high, there = pieces.low[:, piece], pieces.high[:, piece], weights.copy()
        for wish in (here, here + first / np.maximum(second, 1e-12)):
            there[free] = np.minimum(np.maximum(wish, low), np.minimum(high, 1.0))
            move = there[free] - here
            gain = first * move - 0.5 * second * move**2 - (slopes.costs(problem, there)[free] - now)
            gains[:, piece] = np.where(pieces.valid[:, piece], np.maximum(gains[:, piece], gain), -np.inf)
    return gains
