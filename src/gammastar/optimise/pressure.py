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
    """First and second derivative of the objective by each weight, net of the rows that bind, shape (n,) each.

    A move x of one weight, the others adjusting, brings about ``first x - second x^2 / 2``.
    """

    first: Float[ndarray, " n"]
    second: Float[ndarray, " n"]


def slopes_at(problem: Problem, answer: Answer) -> Slopes:
    """Return the slopes at an answer.

    Prices of cones are the answer's. Those of linear rows are found by least squares from the names that no bound holds, whose slope must be zero.
    """
    w = answer.weights
    first, second = problem.gradient(w), np.zeros(len(w))
    for variance in problem.variances:
        second = second + variance.specific * variance.covariance.specific
    left, right = problem.cost.marginal(w - problem.held)
    first = first - 0.5 * (left + right)
    for row in problem.rows:
        if isinstance(row, RiskCone):
            price, risk = max(answer.prices.get(row.rule, 0.0), 0.0), float(np.sqrt(row.covariance.quadratic(w - row.centre)))
            if price > 0.0 and risk >= row.limit - NEAR and risk > 0.0:
                first = first - (price / risk) * row.covariance.times(w - row.centre)
                second = second + (price / risk) * row.covariance.specific
    inside = problem.free[(w[problem.free] > problem.lower + NEAR) & (w[problem.free] < problem.upper - NEAR)]
    normals = _normals(problem, w)
    if len(inside) and len(normals):
        multipliers = np.linalg.lstsq(normals[:, inside].T, first[inside], rcond=None)[0]
        first = first - multipliers @ normals
    spread = float(first[problem.free].std()) if len(problem.free) else 0.0
    # weight that moves has to go to the next best name: where nothing else curves the objective, this tells a large move from a small one
    return Slopes(first, second + 0.1 * spread / max(float(w.max(initial=0.0)), 1e-3))


def _normals(problem: Problem, w: Float[ndarray, " n"]) -> Float[ndarray, "r n"]:
    """Return the normals of the rows that bind: fully invested, linear rows and sums."""
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
        elif isinstance(row, AbsoluteSum):
            away = w - row.centre
            if float((row.up * np.maximum(away, 0.0) + row.down * np.maximum(-away, 0.0)).sum()) > row.limit - NEAR:
                found.append(np.where(away > 0.0, row.up, -row.down)[None, :])
    return np.vstack(found) if found else np.zeros((0, len(w)))


def piece_gains(problem: Problem, answer: Answer, pieces: Pieces) -> Float[ndarray, "m 4"]:
    """Return what each name's move to each of its pieces would bring, minus infinity where there is no such piece, shape (m, 4)."""
    slopes, here = slopes_at(problem, answer), answer.weights[problem.free]
    first, second = slopes.first[problem.free][:, None], slopes.second[problem.free][:, None]
    best = np.clip(here[:, None] + first / np.maximum(second, 1e-12), pieces.low, pieces.high)
    move = best - here[:, None]
    return np.where(pieces.valid, first * move - 0.5 * second * move**2, -np.inf)
