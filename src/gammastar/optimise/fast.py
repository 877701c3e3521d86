"""The fast rung of the solver: problems of the common form by a factor-form interior point, every answer proved before it leaves.

What has another form, has no answer or cannot be proved is left to the cone solver.
"""

from __future__ import annotations

__all__ = ["FastAnswer", "fast_answer"]

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from gammastar.core.rows import AbsoluteSum, Budget, ConvexRow, LargestSum, LinearRows, RiskCone
from gammastar.optimise.certify import Duals, Proof, prove
from gammastar.optimise.excess import violations
from gammastar.optimise.interior import interior_point
from gammastar.optimise.lane import lane_of

if TYPE_CHECKING:
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
class FastAnswer:
    """Weights that are proved to be the optimum.

    Args:
        weights: shape (n,).
        prices: d(objective) / d(limit) by rule.
        iterations: of the interior point.
        proof: of the weights.
    """

    weights: Float[ndarray, " n"]
    prices: dict[str, float]
    iterations: int
    proof: Proof


def fast_answer(problem: Problem) -> FastAnswer | None:
    """Return the optimum of a problem of the common form, or None where it has another form or nothing could be proved.

    Rows that the form has no place for, and long lists of lines (issuers), are set aside first. If the optimum without them keeps them, it is the optimum
    with them, and their prices are zero. Lines that it breaks are put in, and it is found anew.

    Args:
        problem: the convex part of it.
    """
    inside = [row for row in problem.rows if not _set_aside(row, problem)]
    aside = [row for row in problem.rows if _set_aside(row, problem)]
    if any(row.penalty is not None for row in aside):
        return None
    lines: dict[int, set[int]] = {}
    for _ in range(ROUNDS):
        cuts = [_lines(aside[k], sorted(chosen)) for k, chosen in lines.items()]
        found = _proved(replace(problem, rows=(*inside, *cuts)) if aside else problem)
        if found is None:
            return None
        broken = {k: at for k, row in enumerate(aside) if len(at := np.flatnonzero(violations(row, found.weights)[0] > BROKEN))}
        if not broken:
            return found
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
        return not np.array_equal(row.centre, problem.held)
    if isinstance(row, RiskCone):
        first = problem.variances[0]
        return not (np.array_equal(row.centre, problem.benchmark) and np.array_equal(row.covariance.loadings, first.covariance.loadings)
                    and np.array_equal(row.covariance.specific, first.covariance.specific))  # fmt: skip
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


def _proved(problem: Problem) -> FastAnswer | None:
    """Return the optimum of a problem in the common form, proved; None otherwise."""
    lane = lane_of(problem)
    found = None if lane is None else interior_point(lane)
    if lane is None or found is None:
        return None
    weights = problem.fixed.copy()
    weights[problem.free] = 0.5 * (problem.lower + problem.upper)  # where bounds leave no room
    columns = problem.free[lane.moving]
    weights[columns] = problem.benchmark[columns] + found.y
    weights[columns] = np.minimum(np.maximum(weights[columns], problem.lower[lane.moving]), problem.upper[lane.moving])
    duals = _duals(problem, lane, found)
    proof = prove(problem, weights, duals)
    if not proof.holds:
        return None
    return FastAnswer(weights, _prices(problem, lane, found, duals, proof.slope), found.iterations, proof)


def _duals(problem: Problem, lane: Lane, found: Multipliers) -> Duals:
    """Return the lane's multipliers as those of the problem's rows."""
    budget, by_row = 0.0, {}
    for source in lane.sources:
        price = found.rows[source.place] / source.size
        if isinstance(source.row, LinearRows):
            by_row[id(source.row)] = (source.kept, price)
        else:
            budget = float(price[0])
    linear: dict[int, ndarray] = {}
    sums = {id(row): float(price) for row, price in zip(lane.sums, found.sums, strict=True)}
    for place, row in enumerate(problem.rows):
        if isinstance(row, LinearRows):
            kept, price = by_row[id(row)]
            full = np.zeros(len(row.lower))
            full[kept] = price
            full[((full > 0.0) & ~np.isfinite(row.upper)) | ((full < 0.0) & ~np.isfinite(row.lower))] = 0.0  # rounding of a side that is not there
            linear[place] = full
    of_sums = {place: sums.get(id(row), 0.0) for place, row in enumerate(problem.rows) if isinstance(row, AbsoluteSum)}
    return Duals(budget, linear, of_sums, found.kappa)


def _prices(problem: Problem, lane: Lane, found: Multipliers, duals: Duals, slope: Float[ndarray, " m"]) -> dict[str, float]:
    """Return d(objective) / d(limit) of each rule."""
    rules = problem.rules
    earned = _bound_prices(problem, lane, found, slope)
    for place, row in enumerate(problem.rows):
        owner = rules.index(row.rule)
        if isinstance(row, LinearRows):
            price = duals.linear[place]
            earned[owner] += float(np.where(price > 0.0, price * row.upper_slope, price * row.lower_slope).sum())
        elif isinstance(row, AbsoluteSum):
            earned[owner] += duals.sums[place]
        elif isinstance(row, Budget):
            earned[owner] += -duals.budget if duals.budget < 0.0 else duals.budget if row.minimum > 0.0 else 0.0  # no cash cannot be less
        elif lane.limit is not None:
            earned[owner] += duals.kappa * lane.limit
    return dict(zip(rules, earned.tolist(), strict=True))


def _bound_prices(problem: Problem, lane: Lane, found: Multipliers, slope: Float[ndarray, " m"]) -> Float[ndarray, " rules"]:
    """Return what the bounds of the free names are worth by rule."""
    high, low = np.zeros(len(slope)), np.zeros(len(slope))
    high[lane.moving], low[lane.moving] = found.upper, found.lower
    pinned = np.ones(len(slope), dtype=bool)
    pinned[lane.moving] = False
    if pinned.any():  # the sign says which of two equal bounds presses; where both are a rule's, as the cone solver has it: the one that moves it
        slope = _net_of_cost(problem, duals_slope=slope)
        by_cap = problem.upper < problem.benchmark[problem.free]
        equal = (problem.lower == problem.upper) & problem.tied  # tied names follow the bound that moved them
        high = np.where(pinned, np.where(equal, np.where(by_cap, slope, 0.0), np.maximum(slope, 0.0)), high)
        low = np.where(pinned, np.where(equal, np.where(by_cap, 0.0, -slope), np.maximum(-slope, 0.0)), low)
    owners = np.concatenate((problem.upper_rule, problem.lower_rule)) + 1
    worth = np.concatenate((high * problem.upper_slope, -low * problem.lower_slope))
    return np.bincount(owners, weights=worth, minlength=len(problem.rules) + 1)[1:]


def _net_of_cost(problem: Problem, *, duals_slope: Float[ndarray, " m"]) -> Float[ndarray, " m"]:
    """Return the slope in each free weight less the cost of trading on; nothing where the cost keeps the name from trading."""
    free = problem.free
    middle = 0.5 * (problem.lower + problem.upper) - problem.held[free]
    buy, sell = problem.cost.buy[free], problem.cost.sell[free]
    apart = np.where(duals_slope > buy, duals_slope - buy, np.where(duals_slope < -sell, duals_slope + sell, 0.0))
    return np.asarray(np.where(middle > 0.0, duals_slope - buy, np.where(middle < 0.0, duals_slope + sell, apart)))
