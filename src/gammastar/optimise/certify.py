"""A proof, on the problem as it was posed, of how far weights are from the optimum.

Given multipliers of the coupling rows, the Lagrangian bounds the objective from above; with the factor and risk terms replaced by their tangents it
falls apart into one concave function a name, whose largest value between the name's bounds has a closed form. What the bound lies above the objective
is the duality gap, so a small gap and rows that are kept prove the weights, whichever way they were found.
"""

from __future__ import annotations

__all__ = ["Duals", "Proof", "prove"]

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gammastar.core.compiled import compiled
from gammastar.core.rows import AbsoluteSum, LinearRows, RiskCone

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jaxtyping import Float
    from numpy import ndarray

    from gammastar.optimise.problem import Problem

BROKEN, GAP, GAP_FLOOR = 1e-10, 1e-9, 1e-13
"""Weight by which rows may be missed; growth a year by which the optimum may be, relative to the objective, and at least."""


@dataclass(frozen=True, eq=False)
class Duals:
    """Multipliers of the coupling rows of a problem: d(objective) / d(right side).

    Args:
        budget: of what is invested, positive where more is wanted.
        linear: of the lines of each `LinearRows`, by its position among the problem's rows; positive at the upper bound, negative at the lower.
        sums: of each `AbsoluteSum`, by position.
        kappa: of half the squared risk.
    """

    budget: float
    linear: Mapping[int, Float[ndarray, " r"]]
    sums: Mapping[int, float]
    kappa: float


@dataclass(frozen=True, eq=False)
class Proof:
    """How far weights are from the optimum.

    Args:
        gap: growth a year that no weights within the rules can gain more than.
        broken: weight by which the rows are missed at most.
        value: objective at the weights.
        slope: of the Lagrangian in each free weight, cost apart, shape (m,).
    """

    gap: float
    broken: float
    value: float
    slope: Float[ndarray, " m"]

    @property
    def holds(self) -> bool:
        """Whether the weights may leave as the optimum."""
        return self.broken <= BROKEN and self.gap <= GAP * abs(self.value) + GAP_FLOOR


def prove(problem: Problem, weights: Float[ndarray, " n"], duals: Duals) -> Proof:
    """Return how far `weights` are from the optimum of `problem`, one variance and proportional costs.

    Args:
        problem: of linear rows, limited sums around one centre, a budget and at most one risk cone of the objective's own covariance.
        weights: shape (n,).
        duals: of its coupling rows; any will do, but only the right ones prove a small gap.
    """
    variance, free = problem.variances[0], problem.free
    sigma, away = variance.covariance, weights - variance.centre
    exposure = away @ sigma.loadings
    squared = float(exposure @ exposure) + float(away @ (sigma.specific * away))
    invested, budget = float(weights.sum()), duals.budget
    low, high = 1.0 - problem.cash[1], 1.0 - problem.cash[0]
    slack = abs(budget * ((high - invested) if budget > 0.0 else (invested - low))) if budget else 0.0
    broken = [low - invested, invested - high]
    pull = np.full(len(weights), budget)
    rate_up, rate_down, centre = problem.cost.buy[free], problem.cost.sell[free], problem.held
    for place, row in enumerate(problem.rows):
        if isinstance(row, LinearRows):
            cost, missed = _priced_lines(row.entries, weights, pull, (duals.linear[place], row.lower, row.upper))
        elif isinstance(row, AbsoluteSum):
            each, trade = duals.sums[place], weights - row.centre
            reached = row.up * float(np.maximum(trade, 0.0).sum()) + row.down * float(np.maximum(-trade, 0.0).sum())
            cost, missed = each * abs(row.limit - reached), reached - row.limit
            rate_up, rate_down, centre = rate_up + each * row.up, rate_down + each * row.down, row.centre
        elif isinstance(row, RiskCone):
            cost, missed = 0.5 * duals.kappa * abs(row.limit**2 - squared), math.sqrt(squared) - row.limit
        else:
            continue
        slack += cost
        broken.append(missed)
    sharp = (variance.specific + duals.kappa) * sigma.specific
    slope = (problem.growth + problem.premium - pull - (variance.factor + duals.kappa) * (sigma.loadings @ exposure) - sharp * away)[free]
    gap, missed = _gained(slope, sharp[free], (weights[free], centre[free]), (rate_up, rate_down), (problem.lower, problem.upper))
    return Proof(gap + slack, max(*broken, missed), problem.value(weights), slope)


@compiled
def _priced_lines(entries: tuple[ndarray, ndarray, ndarray], weights: ndarray, pull: ndarray, lines: tuple[ndarray, ndarray, ndarray]) -> tuple[float, float]:
    """Return price times distance to the bound it belongs to, summed over lines, and by how much bounds are missed; add ``matrix' price`` to `pull`.

    Args:
        entries: of the matrix, as `LinearRows` gives them.
        weights: shape (n,).
        pull: shape (n,).
        lines: price, lower and upper bound of each line, shape (r,).
    """
    data, columns, ends = entries
    price, low, high = lines
    slack, missed = 0.0, 0.0
    for line in range(len(price)):
        value = 0.0
        for entry in range(ends[line], ends[line + 1]):
            value += data[entry] * weights[columns[entry]]
            pull[columns[entry]] += data[entry] * price[line]
        slack += abs(price[line] * ((high[line] - value) if price[line] > 0.0 else (value - low[line]))) if price[line] != 0.0 else 0.0
        missed = max(missed, low[line] - value, value - high[line])
    return slack, missed


@compiled
def _gained(slope: ndarray, sharp: ndarray, stands: tuple[ndarray, ndarray], rates: tuple[ndarray, ndarray], bounds: tuple[ndarray, ndarray]) -> tuple[float, float]:
    """Return the most that names can gain in sum, of ``slope d - sharp d^2 / 2 - change of cost`` between their bounds, and by how much bounds are missed.

    Args:
        slope: shape (m,).
        sharp: curvature, shape (m,).
        stands: weight now, and where the cost has its kink, each of shape (m,).
        rates: of buying and of selling.
        bounds: lower and upper.
    """
    here, centre = stands
    up, down = rates
    lower, upper = bounds
    total, missed = 0.0, 0.0
    for i in range(len(slope)):
        bought, sold = here[i] + (slope[i] - up[i]) / sharp[i], here[i] + (slope[i] + down[i]) / sharp[i]
        best = bought if bought > centre[i] else sold if sold < centre[i] else centre[i]
        best = min(max(best, lower[i]), upper[i])
        move, before, after = best - here[i], here[i] - centre[i], best - centre[i]
        paid = (up[i] if after > 0.0 else -down[i]) * after - (up[i] if before > 0.0 else -down[i]) * before
        gain = slope[i] * move - 0.5 * sharp[i] * move * move - paid
        if not gain <= 0.0:  # what is no number is told
            total += gain
        missed = max(missed, lower[i] - here[i], here[i] - upper[i])
    return total, missed
