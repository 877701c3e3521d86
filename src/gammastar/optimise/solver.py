"""The thin seam to the solvers: a Problem in, weights and dual prices under the rules' names out.

A problem of the common form goes to the fast rung (`gammastar.optimise.fast`), every other, and what that leaves, to the cone solver. For that, in active weights ``d`` of the free names, with factor exposures ``f = B'(w - centre)`` and traded amounts ``u >= abs(w - held)``:

    minimise    sum over variances of (a_f f'f + a_s (w - centre)'D(w - centre)) / 2 - growth'd + cost(u)      over (d, f, u, ...)

The covariance stays factored, so the number of non-zeros grows linearly with the number of names.
"""

from __future__ import annotations

__all__ = ["Answer", "Outcome", "Rung", "solve"]

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

import clarabel as cones
import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from gammastar.core.rows import Budget
from gammastar.optimise.fast import fast_answer
from gammastar.optimise.formulation import OBJECTIVE_UNIT, WEIGHT_UNIT, Formulation, formulate
from gammastar.optimise.polish import polished

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jaxtyping import Float
    from numpy import ndarray

    from gammastar.optimise.fast import Warm
    from gammastar.optimise.problem import Problem


ATTEMPTS = ((1e-9, 0.99), (1e-8, 0.99), (1e-8, 0.95), (1e-8, 0.9), (1e-8, 0.8))
"""Tolerance, and part of the way to the edge of the cones that a step may go: shorter steps cost iterations, and do not get stuck at the edge."""


MISSES = 1e-6
"""In units of weight of the formulation: linear rows that have to be missed by more contradict each other."""

FAST_FROM = 80
"""Free names from which the fast rung is tried: below, the cone solver takes no longer."""


class Rung(Enum):
    """Which solver found an answer."""

    NEWTON = "Newton in prices"
    INTERIOR = "interior point in factor form"
    CONES = "cone solver"


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
        exceeded: by how much each soft or elastic rule is exceeded, in its own units, when solved.
        iterations: of the solver.
        message: the solver's own word.
        duals: of all rows, in the order of the formulation; d(objective) / d(right side). None from the fast rung.
        gap: of a rounded answer: growth a year below that of the relaxation; None where nothing was rounded.
        rung: which solver found it.
        warm: where the next search may start; None from the cone solver.
    """

    outcome: Outcome
    weights: Float[ndarray, " n"]
    prices: dict[str, float] = field(default_factory=dict)
    certificate: dict[str, float] = field(default_factory=dict)
    exceeded: dict[str, float] = field(default_factory=dict)
    iterations: int = 0
    message: str = ""
    duals: Float[ndarray, " rows"] | None = None
    gap: float | None = None
    rung: Rung = Rung.CONES
    warm: Warm | None = None


def solve(
    problem: Problem,
    *,
    feasibility_only: bool = False,
    least: Mapping[str, float] | None = None,
    most: Mapping[str, float] | None = None,
    clarabel: bool = False,
    warm: Warm | None = None,
) -> Answer:
    """Return the optimal weights of `problem`, or the certificate that there are none.

    Args:
        problem: the convex part of it; discrete rows are left to `gammastar.optimise.discrete`.
        feasibility_only: leave the objective out (for finding which rules contradict each other).
        least: minimise, in place of the objective, the sum of what elastic rules are exceeded by, each times its weight here.
        most: the most that each elastic rule may be exceeded by; without an entry, any amount.
        clarabel: go to the cone solver whatever the problem's form (for the duals of all rows).
        warm: an optimum of a problem like it, to start from.
    """
    if problem.crossed:
        names = {name: 1.0 for low, high, _ in problem.crossed for name in (low, high)}
        return Answer(Outcome.INFEASIBLE, problem.fixed, certificate=names, message="bounds cross")
    overfull = _sums_to_no_one(problem)
    if overfull:
        return Answer(Outcome.INFEASIBLE, problem.fixed, certificate=overfull, message="bounds do not sum to one")
    plain = not (clarabel or feasibility_only) and least is None and most is None and len(problem.free) >= FAST_FROM
    fast = fast_answer(problem, warm) if plain else None
    if fast is not None:
        return Answer(Outcome.SOLVED, fast.weights, fast.prices, iterations=fast.iterations, message="Solved", rung=Rung.NEWTON if fast.newton else Rung.INTERIOR, warm=fast.warm)
    formulation = formulate(problem, most or {})
    stack = formulation.stack
    linear, quadratic = np.concatenate(stack.linear), np.concatenate(stack.quadratic)
    if feasibility_only or least is not None:
        linear, quadratic = np.zeros(stack.width), np.zeros(stack.width)
        for rule, weight in (least or {}).items():
            if rule in formulation.slack:  # a rule without a convex row at this moment is never exceeded
                linear[formulation.slack[rule]] = weight
    own = not feasibility_only and least is None  # other objectives leave weights free that no digit is wanted of
    answer = _run(problem, formulation, quadratic, linear, exact=own)
    if answer.outcome is Outcome.FAILED and linear.any():  # an objective can hide from the solver that there is nothing to choose from
        without = _run(problem, formulation, np.zeros(stack.width), np.zeros(stack.width), exact=False)
        answer = without if without.outcome is Outcome.INFEASIBLE else answer
    return _settled_by_linear_rows(problem, formulation, answer) if answer.outcome is Outcome.FAILED else answer


def _settled_by_linear_rows(problem: Problem, formulation: Formulation, answer: Answer) -> Answer:
    """Return that there are no weights where the linear rows alone allow none; else `answer`, a failure.

    Rows that miss each other by less than a hundredth of a basis point stall an interior method. The least by which all of them would have to be missed
    is a linear program, whose vertices the simplex method tells apart; its dual prices are the certificate.
    """
    stack, linear = formulation.stack, (cones.ZeroConeT, cones.NonnegativeConeT)
    sizes = [getattr(cone, "dim", 3) for cone in stack.cones]  # a power cone has three rows and does not say so
    straight = np.repeat([isinstance(cone, linear) for cone in stack.cones], sizes)
    equal = np.repeat([isinstance(cone, cones.ZeroConeT) for cone in stack.cones], sizes)
    rows, right = sparse.csr_array(stack.matrix()), np.concatenate(stack.right) / WEIGHT_UNIT
    above, below = np.flatnonzero(straight), np.flatnonzero(straight & equal)
    sides = sparse.vstack((rows[above], -rows[below]))
    slack = sparse.csr_array(-np.ones((sides.shape[0], 1)))
    found = linprog(np.append(np.zeros(stack.width), 1.0), sparse.hstack((sides, slack)), np.concatenate((right[above], -right[below])),
                    bounds=[(None, None)] * stack.width + [(0.0, None)], method="highs-ds")  # fmt: skip
    if found.status != 0 or not found.fun > MISSES:
        return answer
    certificate = np.zeros(stack.height)
    certificate[above] = found.ineqlin.marginals[: len(above)]
    certificate[below] -= found.ineqlin.marginals[len(above) :]
    return Answer(Outcome.INFEASIBLE, problem.fixed, {}, stack.shares(certificate, problem.rules), {}, answer.iterations + int(found.nit), "linear rows contradict each other")


def _sums_to_no_one(problem: Problem) -> dict[str, float]:
    """Return the rules whose bounds leave no weights that sum to one; empty if there are some."""
    if "cash" in problem.elastic or any(isinstance(row, Budget) and row.penalty is not None for row in problem.rows):
        return {}
    fixed = float(problem.fixed.sum())
    short = fixed + problem.upper.sum() < 1.0 - problem.cash[1] - 1e-9
    over = fixed + problem.lower.sum() > 1.0 - problem.cash[0] + 1e-9
    if not (short or over):
        return {}
    owners = np.unique(problem.upper_rule if short else problem.lower_rule)
    found = {problem.rules[owner]: 1.0 for owner in owners.tolist() if owner >= 0}
    return {**found, "cash": 1.0} if "cash" in problem.rules else found


def _run(problem: Problem, formulation: Formulation, quadratic: Float[ndarray, " x"], linear: Float[ndarray, " x"], *, exact: bool) -> Answer:
    """Solve tightly, to the last digit where `exact`; where the last digits cannot be had, with the solver's usual tolerance. The independent check has the last word."""
    stack = formulation.stack
    matrix, right = stack.matrix(), np.concatenate(stack.right) / WEIGHT_UNIT
    diagonal = sparse.csc_matrix(sparse.diags_array(quadratic * (WEIGHT_UNIT**2 / OBJECTIVE_UNIT)))
    linear = linear * (WEIGHT_UNIT / OBJECTIVE_UNIT)
    status, iterations = "", 0
    for tolerance, step in ATTEMPTS:
        settings = cones.DefaultSettings()
        settings.verbose = False
        settings.max_threads = 1
        settings.max_step_fraction = step
        settings.tol_feas = settings.tol_gap_rel = settings.tol_gap_abs = tolerance
        solution = cones.DefaultSolver(diagonal, linear, matrix, right, stack.cones, settings).solve()
        status, iterations = str(solution.status), iterations + solution.iterations
        if status == "Solved":
            x, s, z = (np.array(part) for part in (solution.x, solution.s, solution.z))
            found = polished((diagonal.diagonal(), linear, matrix, right, stack.cones), (x, s, z)) if exact and len(x) else None
            x, z = (x, z) if found is None else found
            x = WEIGHT_UNIT * x
            weights = formulation.base.copy()
            weights[problem.free] += x[formulation.active]
            duals = z * (OBJECTIVE_UNIT / WEIGHT_UNIT)
            prices = stack.prices(duals, problem.rules) if len(problem.free) else {}  # with nothing to choose, duals are arbitrary
            exceeded = {rule: max(float(x[column]), 0.0) for rule, column in formulation.slack.items()}
            return Answer(Outcome.SOLVED, weights, prices, {}, exceeded, iterations, status, duals)
        if status == "PrimalInfeasible":
            certificate = stack.shares(np.array(solution.z), problem.rules)
            return Answer(Outcome.INFEASIBLE, problem.fixed, {}, certificate, {}, iterations, status)
    return Answer(Outcome.FAILED, problem.fixed, iterations=iterations, message=status)
