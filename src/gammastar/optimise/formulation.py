"""A Problem as a cone program: every kind of row, one function each."""

from __future__ import annotations

__all__ = ["OBJECTIVE_UNIT", "WEIGHT_UNIT", "Formulation", "formulate"]

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import clarabel
import numpy as np
from scipy import sparse

from gammastar.core.rows import AbsoluteSum, Bounds, Budget, ConvexRow, LargestSum, LinearRows, RiskCone
from gammastar.optimise.stack import BUDGET, STRUCTURE, TRADES, Part, Stack, of_dense, of_identity, of_sparse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jaxtyping import Float, Int
    from numpy import ndarray

    from gammastar.optimise.problem import Problem, Variance

WEIGHT_UNIT, OBJECTIVE_UNIT = 1e-2, 1e-4
"""The solver works in percent of weight and basis points of growth: its tolerances are absolute near one, and raw weights are far below it."""

REDUNDANT = 1e-9
"""A row that bounds of single names keep with more than this to spare is left out: it can neither bind nor have a price."""


@dataclass(eq=False)
class Formulation:
    """A cone program, and where in it the problem's quantities stand.

    Args:
        problem: as posed.
        base: weights at ``d = 0``: the benchmark at the free names, shape (n,).
        most: the most that elastic rules may be exceeded by.
        stack: of variables and rows.
        active: columns of d, shape (m,).
        slack: column of the excess of each soft or elastic rule.
        blocks: columns of factor exposures and of traded amounts that are there already, by what they are of.
    """

    problem: Problem
    base: Float[ndarray, " n"]
    most: Mapping[str, float]
    stack: Stack = field(default_factory=Stack)
    active: Int[ndarray, " m"] = field(default_factory=lambda: np.zeros(0, dtype=np.intp))
    slack: dict[str, int] = field(default_factory=dict)
    blocks: dict[tuple[Any, ...], Int[ndarray, " k"]] = field(default_factory=dict)

    def owner(self, rule: str) -> int:
        """Return the position of a rule."""
        return self.problem.rules.index(rule)

    def is_target(self, row: ConvexRow) -> bool:
        """Return whether a row is not the limit of its rule but a target beside it, which comes after the limit and has a price of its own."""
        return row.penalty is not None and row.penalty != next(other for other in self.problem.rows if other.rule == row.rule).penalty

    def loosening(self, row: ConvexRow, size: float | ndarray, rows: int | ndarray) -> list[Part]:
        """Return what takes `size` times the excess of a soft or elastic rule off the left side of `rows`; nothing for a hard rule."""
        if row.penalty is None and row.rule not in self.problem.elastic:
            return []
        at = np.atleast_1d(rows)
        return [(at, np.full(len(at), self._slack(row)), -np.broadcast_to(size, len(at)))]

    def _slack(self, row: ConvexRow) -> int:
        """Return the column of the excess over a rule's limit, made when it is first asked for."""
        # a target beside a limit has a slack of its own: only the limit is what gives way, and what is told of under the rule's name
        key = f"{row.rule}.target" if self.is_target(row) or (row.penalty is not None and row.rule in self.problem.elastic) else row.rule
        if key not in self.slack:
            stack = self.stack
            column = stack.variables(1, row.penalty or 0.0)
            stack.add(clarabel.NonnegativeConeT(1), [of_identity(column, -1.0)], np.zeros(1))
            if key in self.most:
                stack.add(clarabel.NonnegativeConeT(1), [of_identity(column)], np.array([self.most[key]]))
            self.slack[key] = int(column[0])
        return self.slack[key]


def formulate(problem: Problem, most: Mapping[str, float]) -> Formulation:
    """Return `problem` as a cone program.

    Args:
        problem: the convex part of it is stated.
        most: the most that elastic rules may be exceeded by.
    """
    base = problem.fixed.copy()
    base[problem.free] = problem.benchmark[problem.free]
    form = Formulation(problem, base, most)
    form.active = form.stack.variables(len(problem.free), -(problem.growth + problem.premium)[problem.free])
    for variance in problem.variances:
        _add_variance(form, variance)
    if not any(isinstance(row, Budget) for row in problem.rows):
        total = np.array([1.0 - base.sum()])
        form.stack.add(clarabel.ZeroConeT(1), [of_dense(form.active, np.ones((1, len(form.active))))], total, BUDGET)
    _add_hard_bounds(form)
    for row in problem.rows:
        _ADD[type(row)](form, row)
    if not problem.cost.free:
        _add_cost(form)
    return form


def _address(array: ndarray) -> tuple[int, tuple[int, ...]]:
    """Return where an array lies in memory: equal for two views of one array."""
    return array.__array_interface__["data"][0], array.shape


def _factors(form: Formulation, loadings: Float[ndarray, "n k"], centre: Float[ndarray, " n"]) -> Int[ndarray, " k"]:
    """Return the columns of ``f = B'(w - centre)``, made when they are first asked for."""
    key = ("factors", _address(loadings), _address(centre))
    if key not in form.blocks:
        stack, k = form.stack, loadings.shape[1]
        columns = stack.variables(k)
        right = -(loadings.T @ (form.base - centre))
        parts = [of_dense(form.active, loadings[form.problem.free].T), of_identity(columns, -1.0)]
        if k:
            stack.add(clarabel.ZeroConeT(k), parts, right)
        form.blocks[key] = columns
    return form.blocks[key]


def _add_variance(form: Formulation, variance: Variance) -> None:
    """Put a variance into the objective: through its factor exposures, and on the active weights themselves."""
    stack, free = form.stack, form.problem.free
    exposure = _factors(form, variance.covariance.loadings, variance.centre)
    quadratic, linear = np.zeros(stack.width), np.zeros(stack.width)
    quadratic[exposure] = variance.factor
    specific = variance.specific * variance.covariance.specific[free]
    quadratic[form.active] = specific
    linear[form.active] = specific * (form.base - variance.centre)[free]
    stack.quadratic = [np.concatenate(stack.quadratic) + quadratic]
    stack.linear = [np.concatenate(stack.linear) + linear]


def _add_hard_bounds(form: Formulation) -> None:
    """Lower and upper bounds of the free names."""
    problem, stack, d = form.problem, form.stack, form.active
    mu = problem.benchmark[problem.free]
    equal = problem.lower == problem.upper
    pinned, lower, capped = (np.flatnonzero(rows) for rows in (equal, ~equal, ~equal & np.isfinite(problem.upper)))
    if len(pinned):
        high, low = (problem.upper_rule[pinned], problem.upper_slope[pinned]), (problem.lower_rule[pinned], problem.lower_slope[pinned])
        tied = problem.tied[pinned]  # these follow the bound that moved them, whether they gain by it or not
        capped_below = problem.upper[pinned] < mu[pinned]
        by_cap, by_floor = ~tied | capped_below, ~tied | ~capped_below
        above = (np.where(by_cap, high[0], low[0]), np.where(by_cap, high[1], low[1]))
        below = (np.where(by_floor, low[0], high[0]), np.where(by_floor, low[1], high[1]))
        stack.add(clarabel.ZeroConeT(len(pinned)), [of_identity(d[pinned])], (problem.upper - mu)[pinned], *above, below=below)
    if len(lower):
        right = (mu - problem.lower)[lower]
        stack.add(clarabel.NonnegativeConeT(len(lower)), [of_identity(d[lower], -1.0)], right, problem.lower_rule[lower], -problem.lower_slope[lower])
    if len(capped):
        right = (problem.upper - mu)[capped]
        stack.add(clarabel.NonnegativeConeT(len(capped)), [of_identity(d[capped])], right, problem.upper_rule[capped], problem.upper_slope[capped])


def _add_bounds(form: Formulation, row: Bounds) -> None:
    """Bounds that may be exceeded: of a soft or an elastic rule."""
    free, base, owner = form.problem.free, form.base, form.owner(row.rule)
    place = np.full(len(base), -1)
    place[free] = np.arange(len(free))
    for sign, bound, slope in ((1.0, row.upper, row.upper_slope), (-1.0, row.lower, row.lower_slope)):
        right = sign * (bound - base)
        at = np.flatnonzero(np.isfinite(bound) & ((place >= 0) | (right < 0.0)))
        chosen = np.flatnonzero(place[at] >= 0)
        parts = [of_identity(form.active[place[at][chosen]], sign, rows=chosen), *form.loosening(row, np.abs(slope[at]), np.arange(len(at)))]
        if len(at):
            form.stack.add(clarabel.NonnegativeConeT(len(at)), parts, right[at], owner, (sign * slope)[at])


def _extent(form: Formulation) -> tuple[Float[ndarray, " n"], Float[ndarray, " n"]]:
    """Return the least and the most that each weight can be: what hard bounds leave, and one."""
    least, most = form.problem.fixed.copy(), form.problem.fixed.copy()
    least[form.problem.free], most[form.problem.free] = form.problem.lower, np.minimum(form.problem.upper, 1.0)
    return least, np.maximum(most, least)


def _add_linear(form: Formulation, row: LinearRows) -> None:
    """Two-sided linear rows, net of the fixed names; without those of a hard rule that the bounds of single names keep by themselves."""
    matrix, base = row.matrix[:, form.problem.free], row.matrix @ form.base
    least, most = _extent(form)
    middle, radius = row.matrix @ (0.5 * (least + most)), abs(row.matrix) @ (0.5 * (most - least))
    hard = row.penalty is None and row.rule not in form.problem.elastic
    for sign, bound, slope in ((1.0, row.upper, row.upper_slope), (-1.0, row.lower, row.lower_slope)):
        kept = hard & (sign * middle + radius < sign * bound - REDUNDANT)
        finite = np.flatnonzero(np.isfinite(bound) & ~kept)
        if len(finite):
            parts = [of_sparse(form.active, sign * matrix[finite]), *form.loosening(row, np.abs(slope[finite]), np.arange(len(finite)))]
            right = (sign * (bound - base))[finite]
            form.stack.add(clarabel.NonnegativeConeT(len(finite)), parts, right, form.owner(row.rule), (sign * slope)[finite])


def _add_cone(form: Formulation, row: RiskCone) -> None:
    """``norm(f, sqrt(D) (w - centre), what the fixed names add) <= limit``."""
    free, specific = form.problem.free, row.covariance.specific
    exposure = _factors(form, row.covariance.loadings, row.centre)
    away = form.base - row.centre
    at = np.flatnonzero(specific[free] > 0.0)
    root = np.sqrt(specific[free][at])
    rest = away.copy()
    rest[free] = 0.0
    k, m = len(exposure), len(at)
    right = np.concatenate(([row.limit], np.zeros(k), root * away[free][at], [float(np.sqrt(rest @ (specific * rest)))]))
    parts = [of_identity(exposure, -1.0, rows=1 + np.arange(k)), of_identity(form.active[at], -root, rows=1 + k + np.arange(m)), *form.loosening(row, 1.0, 0)]
    slope = np.zeros(len(right))
    slope[0] = 0.0 if form.is_target(row) else 1.0  # a looser limit leaves the target where it is
    form.stack.add(clarabel.SecondOrderConeT(len(right)), parts, right, form.owner(row.rule), slope)


def _traded(form: Formulation, centre: Float[ndarray, " n"], side: str, rule: str = "") -> Int[ndarray, " m"]:
    """Return the columns of ``u >= abs(w - centre)`` (or of what is above, or below), made when they are first asked for."""
    key = (side, _address(centre))
    if key not in form.blocks:
        stack, d, m = form.stack, form.active, len(form.active)
        distance = (centre - form.base)[form.problem.free]
        owner = TRADES if _address(centre) == _address(form.problem.held) else form.owner(rule)
        u = stack.variables(m)
        nonnegative = clarabel.NonnegativeConeT(m)
        if side in {"both", "up"}:
            stack.add(nonnegative, [of_identity(d), of_identity(u, -1.0)], distance, owner)
        if side in {"both", "down"}:
            stack.add(nonnegative, [of_identity(d, -1.0), of_identity(u, -1.0)], -distance, owner)
        if side != "both":
            stack.add(nonnegative, [of_identity(u, -1.0)], np.zeros(m))
        form.blocks[key] = u
    return form.blocks[key]


def _add_sum(form: Formulation, row: AbsoluteSum) -> None:
    """A sum of absolute distances, net of what the fixed names add."""
    side = "both" if row.up == row.down else "up" if row.up > 0.0 else "down"
    u = _traded(form, row.centre, side, row.rule)
    away = np.delete(form.base - row.centre, form.problem.free)
    forced = float((row.up * np.maximum(away, 0.0) + row.down * np.maximum(-away, 0.0)).sum())
    parts = [of_dense(u, np.full((1, len(u)), max(row.up, row.down))), *form.loosening(row, 1.0, 0)]
    form.stack.add(clarabel.NonnegativeConeT(1), parts, np.array([row.limit - forced]), form.owner(row.rule), 1.0)


def _add_largest(form: Formulation, row: LargestSum) -> None:
    """``count t + sum z <= limit``, ``z >= sums - t``, ``z >= 0``.

    The sum of the largest is least at the count-th largest t, which is at least the count-th largest of what the sums are at least: sums that can be
    no larger have no z.
    """
    stack = form.stack
    matrix = sparse.eye_array(len(form.base), format="csr") if row.matrix is None else sparse.csr_array(row.matrix)
    sums, chosen = matrix @ form.base, sparse.csr_array(matrix[:, form.problem.free])
    count = min(row.count, len(sums))  # of fewer, all are the largest
    least, most = (matrix @ extent for extent in _extent(form))
    floor = float(np.sort(least)[-count])
    large = np.flatnonzero(most > floor)
    sums, chosen, m = sums[large], chosen[large], len(large)
    t, z = stack.variables(1), stack.variables(m)
    stack.add(clarabel.NonnegativeConeT(m), [of_sparse(form.active, chosen), of_identity(np.repeat(t, m), -1.0), of_identity(z, -1.0)], -sums, form.owner(row.rule))
    stack.add(clarabel.NonnegativeConeT(m), [of_identity(z, -1.0)], np.zeros(m))
    stack.add(clarabel.NonnegativeConeT(1), [of_identity(t, -1.0)], np.array([-floor]))
    parts = [of_dense(z, np.ones((1, m))), of_identity(t, float(count)), *form.loosening(row, 1.0, 0)]
    stack.add(clarabel.NonnegativeConeT(1), parts, np.array([row.limit]), form.owner(row.rule), 1.0)


def _add_budget(form: Formulation, row: Budget) -> None:
    """What is invested, between one less the most and one less the least cash."""
    d, invested = form.active, float(form.base.sum())
    hard = row.penalty is None and row.rule not in form.problem.elastic
    ones, owner = np.ones((1, len(d))), form.owner(row.rule)
    less = 1.0 if row.minimum > 0.0 else 0.0  # a minimum of nothing cannot be less
    if hard and row.minimum == row.maximum:
        right, floor = np.array([1.0 - row.minimum - invested]), (np.array([owner]), np.array([-1.0]))
        form.stack.add(clarabel.ZeroConeT(1), [of_dense(d, ones)], right, owner, less, below=floor)
        return
    if not hard:  # however far the rule gives way, nothing is borrowed
        form.stack.add(clarabel.NonnegativeConeT(1), [of_dense(d, ones)], np.array([1.0 - invested]), BUDGET)
    for sign, bound, slope in ((1.0, 1.0 - row.minimum, less), (-1.0, 1.0 - row.maximum, 1.0)):
        parts = [of_dense(d, sign * ones), *form.loosening(row, 1.0, 0)]
        form.stack.add(clarabel.NonnegativeConeT(1), parts, np.array([sign * (bound - invested)]), owner, slope)


def _add_cost(form: Formulation) -> None:
    """Costs of trades: proportional by side, steps, and a power by power cones."""
    stack, free, cost, held = form.stack, form.problem.free, form.problem.cost, form.problem.held
    charges = np.zeros(0)
    if np.array_equal(cost.buy[free], cost.sell[free]):
        if cost.buy[free].any() or cost.steps or cost.impact is not None:
            _charge(stack, _traded(form, held, "both"), cost.buy[free])
    else:
        for side, charges in (("up", cost.buy[free]), ("down", cost.sell[free])):
            if charges.any():
                _charge(stack, _traded(form, held, side), charges)
    for start, extra in cost.steps:
        at = np.flatnonzero(extra[free] > 0.0)
        if len(at):
            beyond, u = stack.variables(len(at), extra[free][at]), _traded(form, held, "both")[at]
            stack.add(clarabel.NonnegativeConeT(len(at)), [of_identity(u), of_identity(beyond, -1.0)], start[free][at])
            stack.add(clarabel.NonnegativeConeT(len(at)), [of_identity(beyond, -1.0)], np.zeros(len(at)))
    if cost.impact is not None and cost.impact[free].any():
        _add_impact(form, cost.impact[free], cost.exponent)


def _charge(stack: Stack, columns: Int[ndarray, " m"], rate: Float[ndarray, " m"]) -> None:
    """Add `rate` to the linear part of the objective at `columns`."""
    linear = np.concatenate(stack.linear)
    linear[columns] += rate
    stack.linear = [linear]


def _add_impact(form: Formulation, impact: Float[ndarray, " m"], exponent: float) -> None:
    """``v >= u^p / t^(p-1)`` as ``v^(1/p) t^(1-1/p) >= abs(u)``, with t near the size of a trade of each name: all three are of one size then."""
    stack, at = form.stack, np.flatnonzero(impact > 0.0)
    u = _traded(form, form.problem.held, "both")[at]
    size = np.maximum(0.1 * form.problem.benchmark[form.problem.free][at], 1e-6)
    v = stack.variables(len(at), impact[at] * size ** (exponent - 1.0))
    rows = 3 * np.arange(len(at))
    right = np.zeros(3 * len(at))
    right[1::3] = size
    cones = [clarabel.PowerConeT(1.0 / exponent) for _ in at]
    stack.add(cones, [of_identity(v, -1.0, rows=rows), of_identity(u, -1.0, rows=rows + 2)], right, STRUCTURE)


_ADD: dict[type, Any] = {
    Bounds: _add_bounds,
    LinearRows: _add_linear,
    RiskCone: _add_cone,
    AbsoluteSum: _add_sum,
    LargestSum: _add_largest,
    Budget: _add_budget,
}
