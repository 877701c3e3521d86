"""The thin seam to the cone solver: a Problem in, weights and dual prices under the rules' names out.

In active weights ``d`` of the free names, with factor exposures ``f = B'd`` and traded amounts ``u >= abs(w - held)``:

    minimise    f'f / 2 + d' diag(D) d / 2 - growth'd + cost sum u      over (d, f, u)

The covariance stays factored, so the number of non-zeros grows linearly with the number of names.
"""

from __future__ import annotations

__all__ = ["Answer", "Outcome", "solve"]

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

import clarabel
import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy import ndarray

    from gammastar.core.rows import AbsoluteSum, LinearRows, RiskCone
    from gammastar.optimise.problem import Problem

WEIGHT_UNIT, OBJECTIVE_UNIT = 1e-2, 1e-4
"""The solver works in percent of weight and basis points of growth: its tolerances are absolute near one, and raw weights are far below it."""
STRUCTURE = -1
"""Owner of the rows that belong to no rule: long-only, fully invested, definitions."""


class Outcome(Enum):
    """What the solver found; "almost" is a failure."""

    SOLVED = "solved"
    INFEASIBLE = "infeasible"
    FAILED = "failed"


@dataclass(frozen=True, eq=False)
class Answer:
    """A solver's answer.

    Args:
        outcome: solved, infeasible or failed.
        weights: shape (n,); meaningful when solved.
        prices: d(objective) / d(limit) by rule, when solved.
        certificate: size of each rule's part in the proof of infeasibility, 0 to 1, when infeasible.
        iterations: of the solver.
        message: the solver's own word.
    """

    outcome: Outcome
    weights: Float[ndarray, " n"]
    prices: dict[str, float] = field(default_factory=dict)
    certificate: dict[str, float] = field(default_factory=dict)
    iterations: int = 0
    message: str = ""


@dataclass(eq=False)
class _Stack:
    """Blocks of ``A x + s = b`` as they are added. Each row has an owner (a rule, or the structure) and a slope: d(b) / d(owner's limit)."""

    widths: tuple[int, int, int]
    blocks: list[Any] = field(default_factory=list)
    right: list[ndarray] = field(default_factory=list)
    cones: list[Any] = field(default_factory=list)
    owners: list[ndarray] = field(default_factory=list)
    slopes: list[ndarray] = field(default_factory=list)

    def add(self, cone: Any, parts: tuple[Any, Any, Any], right: ndarray, owner: int | ndarray = STRUCTURE, slope: float | ndarray = 0.0) -> None:
        """Add rows: their parts in d, f and u (None where they have none), right side, owner and slope."""
        rows = len(right)
        if rows == 0:
            return
        filled = [sparse.csc_array((rows, width)) if part is None else part for part, width in zip(parts, self.widths, strict=True)]
        self.blocks.append(sparse.hstack([part for part, width in zip(filled, self.widths, strict=True) if width], format="csc"))
        self.right.append(right)
        self.cones.append(cone(rows))
        self.owners.append(np.broadcast_to(owner, rows))
        self.slopes.append(np.broadcast_to(slope, rows))

    def prices(self, duals: Float[ndarray, " rows"], rules: tuple[str, ...]) -> dict[str, float]:
        """Return d(objective) / d(limit) of each rule."""
        owners, slopes = np.concatenate(self.owners), np.concatenate(self.slopes)
        return {rule: float(duals[owners == k] @ slopes[owners == k]) for k, rule in enumerate(rules)}

    def shares(self, certificate: Float[ndarray, " rows"], rules: tuple[str, ...]) -> dict[str, float]:
        """Return the largest absolute entry of each rule, relative to the largest of all."""
        owners, size = np.concatenate(self.owners), np.abs(certificate)
        scale = float(size.max(initial=0.0)) or 1.0
        return {rule: float(size[owners == k].max(initial=0.0)) / scale for k, rule in enumerate(rules)}


def solve(problem: Problem, *, feasibility_only: bool = False) -> Answer:
    """Return the optimal weights of `problem`, or the certificate that there are none.

    Args:
        problem: the problem.
        feasibility_only: leave the objective out (for finding which rules contradict each other).
    """
    if problem.crossed:
        names = {name: 1.0 for low, high, _ in problem.crossed for name in (low, high)}
        return Answer(Outcome.INFEASIBLE, problem.fixed, certificate=names, message="bounds cross")
    overfull = _sums_to_no_one(problem)
    if overfull:
        return Answer(Outcome.INFEASIBLE, problem.fixed, certificate=overfull, message="bounds do not sum to one")
    m, k = len(problem.free), problem.covariance.loadings.shape[1]
    trading = problem.cost > 0.0 or len(problem.sums) > 0
    stack = _Stack((m, k, m if trading else 0))
    _add_structure(stack, problem)
    _add_bounds(stack, problem)
    for row in problem.linear:
        _add_linear(stack, problem, row)
    for cone in problem.cones:
        _add_cone(stack, problem, cone)
    if trading:
        _add_trades(stack, problem)
    diagonal, linear = np.zeros(sum(stack.widths)), np.zeros(sum(stack.widths))
    if not feasibility_only:
        diagonal[:m], diagonal[m : m + k] = problem.covariance.specific[problem.free], 1.0
        linear[:m], linear[m + k :] = -problem.growth[problem.free], problem.cost
        linear[m : m + k] = 0.0
    return _run(problem, stack, sparse.csc_matrix(sparse.diags_array(diagonal)), linear)


def _sums_to_no_one(problem: Problem) -> dict[str, float]:
    """Return the rules whose bounds leave no weights that sum to one; empty if there are some."""
    fixed = float(problem.fixed.sum())
    short, over = fixed + problem.upper.sum() < 1.0 - 1e-9, fixed + problem.lower.sum() > 1.0 + 1e-9
    if not (short or over):
        return {}
    owners = np.unique(problem.upper_rule if short else problem.lower_rule)
    return {problem.rules[owner]: 1.0 for owner in owners.tolist() if owner != STRUCTURE}


def _run(problem: Problem, stack: _Stack, quadratic: Any, linear: Float[ndarray, " x"]) -> Answer:
    """Solve tightly; where the last digits cannot be had, with the solver's usual tolerance. The independent check has the last word."""
    matrix, right = sparse.csc_matrix(sparse.vstack(stack.blocks)), np.concatenate(stack.right) / WEIGHT_UNIT
    quadratic, linear = quadratic * (WEIGHT_UNIT**2 / OBJECTIVE_UNIT), linear * (WEIGHT_UNIT / OBJECTIVE_UNIT)
    status, iterations = "", 0
    for tolerance in (1e-9, 1e-8):
        settings = clarabel.DefaultSettings()
        settings.verbose = False
        settings.max_threads = 1
        settings.tol_feas = settings.tol_gap_rel = settings.tol_gap_abs = tolerance
        solution = clarabel.DefaultSolver(quadratic, linear, matrix, right, stack.cones, settings).solve()
        status, iterations = str(solution.status), iterations + solution.iterations
        if status == "Solved":
            weights = problem.fixed.copy()
            weights[problem.free] = problem.benchmark[problem.free] + WEIGHT_UNIT * np.array(solution.x[: len(problem.free)])
            duals = np.array(solution.z) * (OBJECTIVE_UNIT / WEIGHT_UNIT)
            prices = stack.prices(duals, problem.rules) if len(problem.free) else {}  # with nothing to choose, duals are arbitrary
            return Answer(Outcome.SOLVED, weights, prices, {}, iterations, status)
        if status == "PrimalInfeasible":
            certificate = stack.shares(np.array(solution.z), problem.rules)
            return Answer(Outcome.INFEASIBLE, problem.fixed, {}, certificate, iterations, status)
    return Answer(Outcome.FAILED, problem.fixed, iterations=iterations, message=status)


def _outside(problem: Problem) -> Float[ndarray, " n"]:
    """Return the active weights of the names that are not free (zero at the free ones)."""
    rest = problem.fixed - problem.benchmark
    rest[problem.free] = 0.0
    return np.asarray(rest)


def _add_structure(stack: _Stack, problem: Problem) -> None:
    """Fully invested, and ``f = B'd`` over all names, the fixed ones included."""
    loadings, rest = problem.covariance.loadings, _outside(problem)
    m, k, _ = stack.widths
    stack.add(clarabel.ZeroConeT, (sparse.csc_array(np.ones((1, m))), None, None), np.array([-rest.sum()]))
    factors = sparse.csc_array(loadings[problem.free].T)
    stack.add(clarabel.ZeroConeT, (factors, -sparse.eye_array(k, format="csc"), None), -(loadings.T @ rest))


def _add_bounds(stack: _Stack, problem: Problem) -> None:
    """Lower and upper bounds of the free names."""
    mu, identity = problem.benchmark[problem.free], sparse.eye_array(len(problem.free), format="csr")
    equal = problem.lower == problem.upper
    pinned, lower, capped = (np.flatnonzero(rows) for rows in (equal, ~equal, ~equal & np.isfinite(problem.upper)))
    by_cap = problem.upper[pinned] < mu[pinned]
    owner = np.where(by_cap, problem.upper_rule[pinned], problem.lower_rule[pinned])
    slope = np.where(by_cap, problem.upper_slope[pinned], problem.lower_slope[pinned])
    stack.add(clarabel.ZeroConeT, (identity[pinned], None, None), (problem.upper - mu)[pinned], owner, slope)
    bound = (mu - problem.lower)[lower]
    stack.add(clarabel.NonnegativeConeT, (-identity[lower], None, None), bound, problem.lower_rule[lower], -problem.lower_slope[lower])
    right = (problem.upper - mu)[capped]
    stack.add(clarabel.NonnegativeConeT, (identity[capped], None, None), right, problem.upper_rule[capped], problem.upper_slope[capped])


def _add_linear(stack: _Stack, problem: Problem, row: LinearRows) -> None:
    """Two-sided linear rows, net of the fixed names."""
    owner, matrix = problem.rules.index(row.rule), row.matrix[:, problem.free]
    base = row.matrix @ problem.fixed + matrix @ problem.benchmark[problem.free]
    for sign, bound, slope in ((1.0, row.upper, row.upper_slope), (-1.0, row.lower, row.lower_slope)):
        finite = np.isfinite(bound)
        block = sparse.csc_array(sign * matrix[finite])
        stack.add(clarabel.NonnegativeConeT, (block, None, None), (sign * (bound - base))[finite], owner, (sign * slope)[finite])


def _add_cone(stack: _Stack, problem: Problem, cone: RiskCone) -> None:
    """``norm(f, sqrt(D) d, what the fixed names add) <= limit``, around the benchmark."""
    m, k, _ = stack.widths
    specific, rest = cone.covariance.specific, _outside(problem)
    body = sparse.diags_array(-np.sqrt(specific[problem.free]))
    by_d = sparse.vstack((sparse.csc_array((1 + k, m)), body, sparse.csc_array((1, m))))
    by_f = sparse.vstack((sparse.csc_array((1, k)), -sparse.eye_array(k), sparse.csc_array((m + 1, k))))
    right = np.concatenate(([cone.limit], np.zeros(k + m), [float(np.sqrt(rest @ (specific * rest)))]))
    slope = np.concatenate(([1.0], np.zeros(k + m + 1)))
    stack.add(clarabel.SecondOrderConeT, (by_d, by_f, None), right, problem.rules.index(cone.rule), slope)


def _add_trades(stack: _Stack, problem: Problem) -> None:
    """``u >= abs(w - held)`` for the free names, and every limit on the sum of trades."""
    free, m = problem.free, stack.widths[0]
    identity = sparse.eye_array(m, format="csc")
    distance = problem.held[free] - problem.benchmark[free]
    stack.add(clarabel.NonnegativeConeT, (identity, None, -identity), distance)
    stack.add(clarabel.NonnegativeConeT, (-identity, None, -identity), -distance)
    forced = float(np.abs(np.delete(problem.fixed - problem.held, free)).sum())
    for row in problem.sums:
        _add_sum(stack, row, forced, problem.rules.index(row.rule))


def _add_sum(stack: _Stack, row: AbsoluteSum, forced: float, owner: int) -> None:
    """``sum u <= limit``, net of the trades that the fixed names force."""
    ones = sparse.csc_array(np.ones((1, stack.widths[2])))
    stack.add(clarabel.NonnegativeConeT, (None, None, ones), np.array([row.limit - forced]), owner, 1.0)
