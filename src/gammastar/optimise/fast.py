"""The fast rungs of the solver: problems of the common form by Newton in prices, else by an interior point in factor form, every answer proved before it leaves.

What has another form, has no answer or cannot be proved is left to the cone solver.
"""

from __future__ import annotations

__all__ = ["FastAnswer", "Warm", "duals_of", "fast_answer"]

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from gammastar.core.compiled import compiled
from gammastar.core.rows import AbsoluteSum, Budget, ConvexRow, LargestSum, LinearRows, RiskCone
from gammastar.optimise.certify import Duals, Proof, prove
from gammastar.optimise.excess import violations
from gammastar.optimise.interior import interior_point
from gammastar.optimise.lane import lane_of, same_array, same_covariance
from gammastar.optimise.lines import plain
from gammastar.optimise.newton import Prices, newton

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jaxtyping import Float
    from numpy import ndarray

    from gammastar.optimise.interior import Multipliers
    from gammastar.optimise.lane import Lane
    from gammastar.optimise.problem import Problem


MANY_LINES = 40
"""Linear rows with more lines than this are set aside."""
ROUNDS = 6
"""How often lines that were broken are put in."""
BROKEN = 1e-11
"""A row set aside that is missed by more than this is broken."""


@dataclass(frozen=True, eq=False)
class Warm:
    """Where the next problem's search starts: an optimum and its prices. Only the way there depends on it, not the answer.

    Args:
        weights: shape (n,).
        budget: price of what is invested.
        linear: prices of the lines of linear rows, by rule.
        sums: of limited sums, by rule.
        kappa: of half the squared risk.
    """

    weights: Float[ndarray, " n"]
    budget: float
    linear: Mapping[str, Float[ndarray, " r"]]
    sums: Mapping[str, float]
    kappa: float


@dataclass(frozen=True, eq=False)
class FastAnswer:
    """Weights that are proved to be the optimum.

    Args:
        weights: shape (n,).
        prices: d(objective) / d(limit) by rule.
        iterations: of the method that found them.
        proof: of the weights.
        warm: to start the next search from.
        newton: whether Newton's method found them, not the interior point.
    """

    weights: Float[ndarray, " n"]
    prices: dict[str, float]
    iterations: int
    proof: Proof
    warm: Warm
    newton: bool


def fast_answer(problem: Problem, warm: Warm | None = None) -> FastAnswer | None:
    """Return the optimum of a problem of the common form, or None where it has another form or nothing could be proved.

    Rows that the form has no place for, and long lists of lines (issuers), are set aside first. If the optimum without them keeps them, it is the optimum
    with them, and their prices are zero. Lines that it breaks are put in, and it is found anew.

    Args:
        problem: the convex part of it.
        warm: an optimum of a problem like it.
    """
    apart = [_set_aside(row, problem) for row in problem.rows]
    inside = [row for row, away in zip(problem.rows, apart, strict=True) if not away]
    aside = [row for row, away in zip(problem.rows, apart, strict=True) if away]
    if any(row.penalty is not None for row in aside):
        return None
    lines: dict[int, set[int]] = {}
    for _ in range(ROUNDS):
        cuts = [_lines(aside[k], sorted(chosen)) for k, chosen in lines.items()]
        found = _proved(replace(problem, rows=(*inside, *cuts)) if aside else problem, warm)
        if found is None:
            return None
        broken = {k: at for k, row in enumerate(aside) if len(at := np.flatnonzero(violations(row, found.weights)[0] > BROKEN))}
        if not broken:
            return found
        warm = found.warm
        if any(not isinstance(aside[k], LinearRows) for k in broken):
            return None
        for k, at in broken.items():
            lines[k] = lines.get(k, set()) | set((at % len(_linear(aside[k]).labels)).tolist())
    return None


def _set_aside(row: ConvexRow, problem: Problem) -> bool:
    """Return whether a row is looked at only after an answer is found."""
    if isinstance(row, LinearRows):
        return len(row.labels) > MANY_LINES
    if isinstance(row, AbsoluteSum):
        return not same_array(row.centre, problem.held)
    if isinstance(row, RiskCone):
        return not (same_array(row.centre, problem.benchmark) and same_covariance(row.covariance, problem.variances[0].covariance))
    return isinstance(row, LargestSum)


def _linear(row: ConvexRow) -> LinearRows:
    if not isinstance(row, LinearRows):
        raise TypeError("only linear rows have lines")
    return row


def _lines(row: ConvexRow, chosen: list[int]) -> LinearRows:
    """Return some lines of linear rows."""
    whole = _linear(row)
    at = np.array(chosen)
    return replace(whole, labels=tuple(whole.labels[k] for k in chosen), matrix=whole.matrix[at], lower=whole.lower[at], upper=whole.upper[at],
                   lower_slope=whole.lower_slope[at], upper_slope=whole.upper_slope[at])  # fmt: skip


def _proved(problem: Problem, warm: Warm | None) -> FastAnswer | None:
    """Return the optimum of a problem in the common form, proved; None otherwise. From a warm start, from a cold one, by the interior point."""
    lane = lane_of(problem)
    if lane is None:
        return None
    start = None if warm is None else _prices_to_start(problem, lane, warm)
    if start is not None:
        found = _certified(problem, lane, newton(lane, start), by_newton=True)
        if found is not None:
            return found
    return _certified(problem, lane, newton(lane), by_newton=True) or _certified(problem, lane, interior_point(lane), by_newton=False)


def _certified(problem: Problem, lane: Lane, found: Multipliers | None, *, by_newton: bool) -> FastAnswer | None:
    """Return an answer if it can be proved."""
    if found is None:
        return None
    weights = _placed(problem.fixed, plain(problem.benchmark), (problem.free, problem.lower, problem.upper), lane.moving, found.y)
    duals = duals_of(problem, lane, found)
    proof = prove(problem, weights, duals)
    if not proof.holds:
        return None
    linear = {problem.rows[place].rule: price for place, price in duals.linear.items()}
    sums = {problem.rows[place].rule: price for place, price in duals.sums.items()}
    warm = Warm(weights, duals.budget, linear, sums, duals.kappa)
    return FastAnswer(weights, _prices(problem, lane, found, duals, proof.slope), found.iterations, proof, warm, by_newton)


@compiled
def _placed(fixed: ndarray, mu: ndarray, box: tuple[ndarray, ndarray, ndarray], moving: ndarray, y: ndarray) -> ndarray:
    """Return all weights: names that move at ``mu + y``, within their bounds; free names without room in the middle of theirs; the others as they are fixed.

    Args:
        fixed: shape (n,).
        mu: benchmark, shape (n,).
        box: free names, lower and upper bounds, shape (f,).
        moving: positions among the free names, shape (m,).
        y: shape (m,).
    """
    free, lower, upper = box
    weights = fixed.copy()
    for j in range(len(free)):
        weights[free[j]] = 0.5 * (lower[j] + upper[j])
    for j in range(len(moving)):
        at = moving[j]
        weights[free[at]] = min(max(mu[free[at]] + y[j], lower[at]), upper[at])
    return weights


def _prices_to_start(problem: Problem, lane: Lane, warm: Warm) -> Prices | None:
    """Return the prices of an earlier optimum as those of the lane's couplings; None where it is of other assets."""
    if len(warm.weights) != len(problem.benchmark):
        return None
    kappa = warm.kappa if lane.limit is not None else 0.0
    factors = _exposures(warm.weights, plain(problem.benchmark), (problem.free, lane.moving), (lane.lower, lane.upper), lane.columns, lane.exposure)
    by_row = {}
    for place, span in lane.lines.spans:
        price = warm.linear.get(problem.rows[place].rule)
        by_row[place] = price if price is not None and len(price) == span.stop - span.start else np.zeros(span.stop - span.start)
    rows = np.empty(len(lane.low))
    rows[lane.place[0]] = warm.budget
    rows[lane.place[1:]] = lane.lines.joined(by_row)[lane.kept]
    rows[lane.place] *= lane.size
    sums = np.array([warm.sums.get(row.rule, 0.0) for row in lane.sums])
    return Prices((lane.aversion[0] + kappa) * factors, rows, sums, kappa)


@compiled
def _exposures(
    weights: ndarray, mu: ndarray, names: tuple[ndarray, ndarray], box: tuple[ndarray, ndarray], columns: ndarray, exposure: ndarray
) -> ndarray:
    """Return the factor exposures of active weights within their bounds, shape (k,).

    Args:
        weights: shape (n,).
        mu: benchmark, shape (n,).
        names: free names, shape (f,), and positions among them, shape (m,).
        box: lower and upper bounds of active weights, shape (m,).
        columns: B' first, shape (m, k + r).
        exposure: of all other names, shape (k,).
    """
    (free, moving), found = names, exposure.copy()
    for j in range(len(moving)):
        i = free[moving[j]]
        y = min(max(weights[i] - mu[i], box[0][j]), box[1][j])
        for a in range(len(found)):
            found[a] += y * columns[j, a]
    return found


def duals_of(problem: Problem, lane: Lane, found: Multipliers) -> Duals:
    """Return the lane's multipliers as those of the problem's rows."""
    lines = lane.lines
    budget, full = _by_line(found.rows, lane.place, lane.size, lane.kept, (lines.low, lines.high))
    prices = {id(row): float(price) for row, price in zip(lane.sums, found.sums, strict=True)}
    sums = {place: prices.get(id(row), 0.0) for place, row in enumerate(problem.rows) if isinstance(row, AbsoluteSum)}
    return Duals(budget, {place: full[span] for place, span in lines.spans}, sums, found.kappa)


@compiled
def _by_line(rows: ndarray, place: ndarray, size: ndarray, kept: ndarray, sides: tuple[ndarray, ndarray]) -> tuple[float, ndarray]:
    """Return the price of the budget, and those of all lines; lines that cannot bind have none.

    Args:
        rows: prices of the lane's rows, shape (r,).
        place: of the budget among them and of each line kept, shape (r,).
        size: what each was divided by, shape (r,).
        kept: lines, shape (r - 1,).
        sides: lower and upper bounds of all lines.
    """
    full = np.zeros(len(sides[0]))
    for row in range(len(kept)):
        price, line = rows[place[row + 1]] / size[row + 1], kept[row]
        if not ((price > 0.0 and sides[1][line] == np.inf) or (price < 0.0 and sides[0][line] == -np.inf)):  # rounding of a side that is not there
            full[line] = price
    return rows[place[0]] / size[0], full


def _prices(problem: Problem, lane: Lane, found: Multipliers, duals: Duals, slope: Float[ndarray, " m"]) -> dict[str, float]:
    """Return d(objective) / d(limit) of each rule."""
    rules = problem.rules
    earned = dict(zip(rules, _bound_prices(problem, lane, found, slope).tolist(), strict=True))
    for place, row in enumerate(problem.rows):
        if isinstance(row, LinearRows):
            price = duals.linear[place]
            earned[row.rule] += float(np.where(price > 0.0, row.upper_slope, row.lower_slope) @ price)
        elif isinstance(row, AbsoluteSum):
            earned[row.rule] += duals.sums[place]
        elif isinstance(row, Budget):
            earned[row.rule] += -duals.budget if duals.budget < 0.0 else duals.budget if row.minimum > 0.0 else 0.0  # no cash cannot be less
        elif lane.limit is not None:
            earned[row.rule] += duals.kappa * lane.limit
    return earned


def _bound_prices(problem: Problem, lane: Lane, found: Multipliers, slope: Float[ndarray, " m"]) -> Float[ndarray, " rules"]:
    """Return what the bounds of the free names are worth by rule."""
    high, low, moving = found.upper, found.lower, lane.moving
    if len(moving) < len(slope):  # the sign says which of two equal bounds presses; where both are a rule's, as the cone solver has it: the one that moves it
        slope = _net_of_cost(problem, duals_slope=slope)
        by_cap = problem.upper < problem.benchmark[problem.free]
        equal = (problem.lower == problem.upper) & problem.tied  # tied names follow the bound that moved them
        high = np.where(equal, np.where(by_cap, slope, 0.0), np.maximum(slope, 0.0))
        low = np.where(equal, np.where(by_cap, 0.0, -slope), np.maximum(-slope, 0.0))
        high[moving], low[moving], moving = found.upper, found.lower, np.arange(len(slope))
    return _worth((high, low), moving, (problem.upper_rule, problem.lower_rule), (problem.upper_slope, problem.lower_slope), len(problem.rules))


@compiled
def _worth(prices: tuple[ndarray, ndarray], names: ndarray, rules: tuple[ndarray, ndarray], slopes: tuple[ndarray, ndarray], count: int) -> ndarray:
    """Return what bounds are worth by rule, shape (count,).

    Args:
        prices: of upper and of lower bounds, shape (m,).
        names: their positions among the free names, shape (m,).
        rules: that set the bounds, -1 for none, shape (f,).
        slopes: of the bounds by their rules' limits, shape (f,).
        count: of rules.
    """
    earned = np.zeros(count)
    for j in range(len(names)):
        i = names[j]
        if rules[0][i] >= 0:
            earned[rules[0][i]] += prices[0][j] * slopes[0][i]
        if rules[1][i] >= 0:
            earned[rules[1][i]] -= prices[1][j] * slopes[1][i]
    return earned


def _net_of_cost(problem: Problem, *, duals_slope: Float[ndarray, " m"]) -> Float[ndarray, " m"]:
    """Return the slope in each free weight less the cost of trading on; nothing where the cost keeps the name from trading."""
    free = problem.free
    middle = 0.5 * (problem.lower + problem.upper) - problem.held[free]
    buy, sell = problem.cost.buy[free], problem.cost.sell[free]
    apart = np.where(duals_slope > buy, duals_slope - buy, np.where(duals_slope < -sell, duals_slope + sell, 0.0))
    return np.asarray(np.where(middle > 0.0, duals_slope - buy, np.where(middle < 0.0, duals_slope + sell, apart)))
