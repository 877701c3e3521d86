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
from gammastar.core.rows import AbsoluteSum, RiskCone
from gammastar.optimise.lines import plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jaxtyping import Float
    from numpy import ndarray

    from gammastar.optimise.problem import Problem

_Six = tuple["ndarray", "ndarray", "ndarray", "ndarray", "ndarray", "ndarray"]

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
    variance, cost, lines = problem.variances[0], problem.cost, problem.lines
    sums = [(row, duals.sums[place]) for place, row in enumerate(problem.rows) if isinstance(row, AbsoluteSum)]
    limit = next((row.limit for row in problem.rows if isinstance(row, RiskCone)), np.inf)
    gap, broken, value, slope = _proved(
        (plain(weights), plain(problem.benchmark), plain(variance.centre), plain(sums[-1][0].centre if sums else problem.held)),
        (problem.growth, problem.premium, plain(cost.buy), plain(cost.sell)),
        (variance.covariance.loadings, variance.covariance.specific, variance.factor, variance.specific),
        (problem.free, problem.lower, problem.upper),
        ((lines.data, lines.columns, lines.ends, lines.low, lines.high, lines.joined(duals.linear)), np.array([(row.up, row.down, row.limit, price) for row, price in sums]).reshape(-1, 4)),
        (1.0 - problem.cash[1], 1.0 - problem.cash[0], float(duals.budget), float(limit), float(duals.kappa)),
    )
    return Proof(gap, broken, value, slope)


@compiled
def _proved(
    points: tuple[ndarray, ndarray, ndarray, ndarray],
    objective: tuple[ndarray, float, ndarray, ndarray],
    sigma: tuple[ndarray, ndarray, float, float],
    box: tuple[ndarray, ndarray, ndarray],
    coupling: tuple[_Six, ndarray],
    scalars: tuple[float, float, float, float, float],
) -> tuple[float, float, float, ndarray]:
    """Return gap, largest miss, objective and slope: what a `Proof` holds.

    Args:
        points: weights, benchmark, centre of the variance, and where trades begin, shape (n,).
        objective: growth, premium of cash, rates of buying and of selling, shape (n,).
        sigma: loadings, specific variances, aversion to the risk of each.
        box: free names and their bounds, shape (m,).
        coupling: lines as in `gammastar.optimise.lines.Lines`, and their prices; weight of what is above where trades begin and below it, limit and price of
            each limited sum, shape (q, 4).
        scalars: the least and the most that may be invested and its price; limit of risk (infinite without one) and its price, of half the squared risk.
    """
    (weights, mu, middle, centre), (growth, premium, buy, sell), (loadings, own, by_factors, by_names) = points, objective, sigma
    (least, most, paid, limit, kappa), (lines, sums) = scalars, coupling
    n, k = loadings.shape
    pull, exposure = np.full(n, paid), np.zeros(k)
    invested, value, specific, bought, sold = 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(n):
        away, traded = weights[i] - middle[i], weights[i] - centre[i]
        invested += weights[i]
        value += growth[i] * (weights[i] - mu[i]) - (buy[i] * traded if traded > 0.0 else -sell[i] * traded)
        specific += own[i] * away * away
        bought, sold = bought + max(traded, 0.0), sold + max(-traded, 0.0)
        for a in range(k):
            exposure[a] += away * loadings[i, a]
    common = (exposure * exposure).sum()
    value -= premium * (1.0 - invested) + 0.5 * (by_factors * common + by_names * specific)
    slack, broken = _priced_lines(lines, weights, pull)
    slack += abs(paid * ((most - invested) if paid > 0.0 else (invested - least))) if paid != 0.0 else 0.0  # of a price of nothing there is none
    broken = max(broken, least - invested, invested - most)
    if limit < np.inf:
        slack += 0.5 * kappa * abs(limit * limit - common - specific)
        broken = max(broken, math.sqrt(common + specific) - limit)
    more_up, more_down = 0.0, 0.0
    for q in range(len(sums)):
        up, down, total, price = sums[q]
        reached = up * bought + down * sold
        slack += price * abs(total - reached)
        broken = max(broken, reached - total)
        more_up, more_down = more_up + price * up, more_down + price * down
    along = growth + premium - pull - (by_factors + kappa) * np.dot(loadings, exposure)
    gap, missed, slope = _gained(along, (by_names + kappa) * own, (weights, middle, centre), (buy + more_up, sell + more_down), box)
    return slack + gap, max(broken, missed), value, slope


@compiled
def _gained(
    along: ndarray, sharp: ndarray, points: tuple[ndarray, ndarray, ndarray], rates: tuple[ndarray, ndarray], box: tuple[ndarray, ndarray, ndarray]
) -> tuple[float, float, ndarray]:
    """Return the most that free names can gain in sum, by how much their bounds are missed, and the slope of the Lagrangian in each, shape (m,).

    Args:
        along: slope at the centre of the variance, as far as names have no part of it by themselves, shape (n,).
        sharp: curvature, shape (n,).
        points: weights, centre of the variance, and where trades begin, shape (n,).
        rates: of buying and of selling, shape (n,).
        box: free names and their bounds, shape (m,).
    """
    (weights, middle, centre), (free, lower, upper) = points, box
    total, missed, slope = 0.0, 0.0, np.empty(len(free))
    for j in range(len(free)):
        i = free[j]
        here = weights[i]
        slope[j] = along[i] - sharp[i] * (here - middle[i])
        gain = _gain(slope[j], sharp[i], (here, centre[i]), (rates[0][i], rates[1][i]), (lower[j], upper[j]))
        if not gain <= 0.0:  # what is no number is told
            total += gain
        missed = max(missed, lower[j] - here, here - upper[j])
    return total, missed, slope


@compiled
def _priced_lines(lines: _Six, weights: ndarray, pull: ndarray) -> tuple[float, float]:
    """Return price times distance to the bound it belongs to, summed over lines, and by how much bounds are missed; add ``matrix' price`` to `pull`."""
    data, columns, ends, low, high, price = lines
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
def _gain(slope: float, sharp: float, stands: tuple[float, float], rates: tuple[float, float], bounds: tuple[float, float]) -> float:
    """Return the most a name can gain between its bounds, of ``slope d - sharp d^2 / 2 - change of cost``.

    Args:
        slope: of the Lagrangian.
        sharp: its curvature.
        stands: weight now, and where the cost has its kink.
        rates: of buying and of selling.
        bounds: lower and upper.
    """
    (here, centre), (up, down) = stands, rates
    bought, sold = here + (slope - up) / sharp, here + (slope + down) / sharp
    best = bought if bought > centre else sold if sold < centre else centre
    best = min(max(best, bounds[0]), bounds[1])
    move, before, after = best - here, here - centre, best - centre
    paid = (up if after > 0.0 else -down) * after - (up if before > 0.0 else -down) * before
    return slope * move - 0.5 * sharp * move * move - paid
