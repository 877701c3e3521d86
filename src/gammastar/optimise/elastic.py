"""Can the hard rules hold, and if not, by how much would some have to be exceeded: the problem without growth, costs and soft rules."""

from __future__ import annotations

__all__ = ["feasible", "hard_answer", "hard_problem", "least_excess", "may_give_way", "natural_unit", "written_limit"]

from dataclasses import replace
from typing import TYPE_CHECKING, get_args

from gammastar.core.rows import ConvexRow
from gammastar.mandate.strategy import TradingPolicy, VolatilityCapture
from gammastar.optimise.problem import Problem, state_problem
from gammastar.optimise.solver import Answer, Outcome, solve

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gammastar.mandate.mandate import Mandate
    from gammastar.mandate.rules import Rule
    from gammastar.market.moment import Moment

NO_EXCESS = 1e-7
"""Rules that would have to be exceeded by no more than this part of their limits hold."""


def hard_problem(mandate: Mandate, moment: Moment, elastic: frozenset[str] = frozenset()) -> Problem:
    """Return the problem without what has no part in feasibility: growth assumption, penalties, costs, soft rows."""
    plain = replace(mandate, strategy=VolatilityCapture(), trading=TradingPolicy())
    problem = state_problem(plain, moment, elastic=elastic)
    return replace(problem, rows=tuple(row for row in problem.rows if row.penalty is None))


def least_excess(problem: Problem, weights: Mapping[str, float], most: Mapping[str, float] | None = None) -> Answer:
    """Return the answer with the least weighed sum of what elastic rules are exceeded by.

    Args:
        problem: with elastic rules.
        weights: of the rules in the sum.
        most: by which rules may be exceeded.
    """
    answer = solve(problem, least=weights, most=most)
    for scale in (0.01, 100.0):  # the same problem, for a solver that could not get its last digits
        if answer.outcome is not Outcome.FAILED:
            break
        answer = solve(problem, least={rule: weight * scale for rule, weight in weights.items()}, most=most)
    return answer


def hard_answer(mandate: Mandate, moment: Moment) -> Answer:
    """Return weights that keep the convex rows of every hard rule, or the proof that there are none.

    Where the solver cannot tell, since there are hardly any or just none, every rule is made elastic: what has to be exceeded then decides.
    """
    answer = solve(hard_problem(mandate, moment), feasibility_only=True)
    if answer.outcome is not Outcome.FAILED:
        return answer
    giving = {rule.name: 1.0 / natural_unit(rule) for rule in mandate.rules if may_give_way(rule, moment)}
    told = least_excess(hard_problem(mandate, moment, frozenset(giving)), giving)
    if told.outcome is not Outcome.SOLVED or sum(told.exceeded[rule] * weight for rule, weight in giving.items() if rule in told.exceeded) <= NO_EXCESS:
        return told
    return replace(answer, outcome=Outcome.INFEASIBLE)


def feasible(mandate: Mandate, moment: Moment) -> bool:
    """Return whether some weights keep the convex rows of every hard rule."""
    return hard_answer(mandate, moment).outcome is Outcome.SOLVED


def may_give_way(rule: Rule, moment: Moment) -> bool:
    """Return whether a rule could end a conflict by giving way: hard, and with a convex row."""
    return any(isinstance(row, get_args(ConvexRow)) and row.penalty is None for row in rule.rows(moment))


def natural_unit(rule: Rule) -> float:
    """Return what an excess over a rule's limit is compared with: the limit, or 1% for a rule without one."""
    return max(abs(written_limit(rule)) or 0.01, 1e-3)


def written_limit(rule: Rule) -> float:
    """Return the limit of a rule as it is written (its first, where it has several), or zero."""
    own = (getattr(rule, name, None) for name in ("limit", "each", "maximum", "plus", "multiple", "minimum"))
    return next((float(limit) for limit in own if limit is not None), 0.0)
