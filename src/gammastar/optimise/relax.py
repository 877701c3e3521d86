"""What would have to give where rules contradict each other: by how much each alone, and in the order of priorities.

A least amount comes from the elastic problem, in which a rule's limits move along their slopes. It is then held against the rule itself,
`Rule.loosened`. Slopes may end (of several limits in one rule another becomes the tightest, a cash buffer ends at zero): the elastic problem is
then stated again at the loosened rule. Names that stand still may move with a bound: the amount is then found by bisection.
"""

from __future__ import annotations

__all__ = ["choices", "least_loosening", "may_give_way", "relaxed"]

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, get_args

import numpy as np

from gammastar.core.excess_growth import expected_captured_volatility
from gammastar.core.rows import Bounds, ConvexRow
from gammastar.optimise.conflict import bare, feasible
from gammastar.optimise.problem import Problem, state_problem
from gammastar.optimise.proposal import Relaxation
from gammastar.optimise.solver import Answer, Outcome, solve

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from jaxtyping import Float
    from numpy import ndarray

    from gammastar.mandate.mandate import Mandate
    from gammastar.mandate.rules import Rule
    from gammastar.market.moment import Moment

LAST_TO_GIVE = 5
MARGINS = (1e-8, 2e-7)
"""At the least amount there may be but one portfolio: so much more, relative above one, lets the solver find it."""
RESOLUTION = 2e-8
"""Amounts are bisected to this."""
ROUNDS = 12


@dataclass(frozen=True, eq=False)
class _Search:
    """The search for the least amount by which one rule has to be loosened.

    Args:
        mandate: with the rule.
        plain: the same without what has no part in feasibility.
        moment: with what the rules need.
        rule: that gives way.
    """

    mandate: Mandate
    plain: Mandate
    moment: Moment
    rule: Rule

    def least(self) -> tuple[float, Answer | None]:
        """Return the least amount, infinite where none does it, and the best answer there; None where the solver finds none."""
        if not may_give_way(self.rule, self.moment):
            return np.inf, None
        at = 0.0
        for _ in range(ROUNDS):
            problem = self.elastic(at)
            answer = solve(problem, least={self.rule.name: 1.0})
            if answer.outcome is not Outcome.SOLVED:
                return np.inf, None
            more = answer.exceeded.get(self.rule.name, 0.0)
            at += more
            best = _best(self.mandate, self.moment, {self.rule.name: at})
            if best is not None:
                return (at, best) if not _stands_in_the_way(problem, self.rule, self.moment) else self.bisected(0.0, at)
            if more <= MARGINS[-1]:
                break
        above = self.large_enough(at)
        return self.bisected(at, above) if np.isfinite(above) else (np.inf, None)

    def elastic(self, at: float) -> Problem:
        """Return the problem in which the rule, loosened by `at`, may be exceeded."""
        return state_problem(_loosened(self.plain, {self.rule.name: at}), self.moment, elastic=frozenset({self.rule.name}))

    def enough(self, amount: float) -> bool:
        """Return whether an amount does it."""
        return feasible(_loosened(self.plain, {self.rule.name: amount}), self.moment)

    def large_enough(self, amount: float) -> float:
        """Return an amount that does it, or infinity."""
        larger = max(amount, 1e-3)
        for _ in range(ROUNDS):
            larger *= 4.0
            if self.enough(larger):
                return larger
        return np.inf

    def bisected(self, below: float, above: float) -> tuple[float, Answer | None]:
        """Return the least amount between one that is not enough and one that is, and the best answer there."""
        while above - below > RESOLUTION * (1.0 + below):
            middle = 0.5 * (below + above)
            below, above = (below, middle) if self.enough(middle) else (middle, above)
        return above, _best(self.mandate, self.moment, {self.rule.name: above})


def least_loosening(mandate: Mandate, moment: Moment, rule: str) -> Relaxation:
    """Return the least amount by which one rule alone must be loosened for weights to exist that keep all rules.

    `Relaxation.growth` is the expected growth advantage ``gamma*_pi - gamma*_mu`` (before costs, as in the forecast of a proposal) of the best
    portfolio of the mandate with the rule loosened; discrete rules are left out of it, as they are of the amount.

    Args:
        mandate: with the rule.
        moment: with what its rules need.
        rule: its name.
    """
    asked = _named(mandate, rule)
    amount, answer = _Search(mandate, bare(mandate), moment, asked).least()
    return _told(asked, amount, moment, None if answer is None else answer.weights)


def choices(mandate: Mandate, moment: Moment, rules: Iterable[str]) -> tuple[Relaxation, ...]:
    """Return what each of `rules` alone would have to give, those that never give way included.

    Args:
        mandate: with the rules.
        moment: with what its rules need.
        rules: names of an irreducible set (`gammastar.optimise.conflict.contradiction`).
    """
    return tuple(least_loosening(mandate, moment, rule) for rule in rules)


def relaxed(mandate: Mandate, moment: Moment) -> tuple[Mandate, tuple[Relaxation, ...]] | None:
    """Return the mandate with rules relaxed in the order of their priorities, and what was given; None where no order helps.

    Let p be the lowest priority such that weights exist when the rules of priority 1 to p may give way. The excess of the rules of priority p
    over their limits, each relative to its limit, is made as small as it can be in sum; then, with that fixed, the excess of priority p - 1; and
    so on down to 1. Rules of priority 0 never give way.

    Args:
        mandate: that leaves no weights.
        moment: with what its rules need.
    """
    plain = bare(mandate)
    last = next((p for p in range(1, LAST_TO_GIVE + 1) if _reachable(plain, moment, p)), None)
    amounts: dict[str, float] = {}
    for _ in range(ROUNDS if last is not None else 0):
        more = _in_order(_loosened(plain, amounts), moment, last or 0)
        if not more:
            return None
        amounts = {rule.name: amounts.get(rule.name, 0.0) + more.get(rule.name, 0.0) for rule in mandate.rules if rule.name in {*amounts, *more}}
        if _best(plain, moment, amounts) is not None:
            return _applied(mandate, moment, _trimmed(plain, moment, amounts))
    return None


def may_give_way(rule: Rule, moment: Moment) -> bool:
    """Return whether a rule could end a conflict by giving way: hard, and with a convex row."""
    return any(isinstance(row, get_args(ConvexRow)) and row.penalty is None for row in rule.rows(moment))


def _named(mandate: Mandate, name: str) -> Rule:
    return next(rule for rule in mandate.rules if rule.name == name)


def _loosened(mandate: Mandate, amounts: Mapping[str, float]) -> Mandate:
    """Return the mandate with some rules looser."""
    return mandate.with_rules(tuple(rule.loosened(amounts[rule.name]) if rule.name in amounts else rule for rule in mandate.rules))


def _widened(amounts: Mapping[str, float], margin: float) -> dict[str, float]:
    return {name: amount + margin * (1.0 + amount) for name, amount in amounts.items()}


def _best(mandate: Mandate, moment: Moment, amounts: Mapping[str, float]) -> Answer | None:
    """Return the best answer where rules are looser by `amounts` and a margin; None where there is none."""
    for margin in MARGINS:
        answer = solve(state_problem(_loosened(mandate, _widened(amounts, margin)), moment))
        if answer.outcome is Outcome.SOLVED:
            return answer
    return None


def _stands_in_the_way(problem: Problem, rule: Rule, moment: Moment) -> bool:
    """Return whether a name that stands still breaks a bound of `rule` in its elastic form; in the rule itself it moves with the bound."""
    still = np.ones(len(problem.fixed), dtype=bool)
    still[problem.free] = False
    bounds = [row for row in rule.rows(moment) if isinstance(row, Bounds)]
    return any(bool((still & ((problem.fixed < row.lower) | (problem.fixed > row.upper))).any()) for row in bounds)


def _giving(mandate: Mandate, moment: Moment, lowest: int, highest: int) -> dict[str, Rule]:
    """Return the rules of some priorities that could give way."""
    return {rule.name: rule for rule in mandate.rules if lowest <= rule.priority <= highest and may_give_way(rule, moment)}


def _reachable(mandate: Mandate, moment: Moment, last: int) -> bool:
    """Return whether weights exist when the rules of priority 1 to `last` may give way."""
    elastic = frozenset(_giving(mandate, moment, 1, last))
    return solve(state_problem(mandate, moment, elastic=elastic), feasibility_only=True).outcome is Outcome.SOLVED


def _in_order(mandate: Mandate, moment: Moment, last: int) -> dict[str, float]:
    """Return the least excess by rule along the slopes, the rules of priority `last` first; empty where the solver fails."""
    problem = state_problem(mandate, moment, elastic=frozenset(_giving(mandate, moment, 1, last)))
    most: dict[str, float] = {}
    for priority in range(last, 0, -1):
        level = _giving(mandate, moment, priority, priority)
        if not level:
            continue
        answer = solve(problem, least={name: 1.0 / _natural_unit(rule) for name, rule in level.items()}, most=most)
        if answer.outcome is not Outcome.SOLVED:
            return {}
        most |= {name: answer.exceeded.get(name, 0.0) + MARGINS[0] * _natural_unit(rule) for name, rule in level.items()}
    return {name: excess for name, excess in most.items() if excess > 10.0 * MARGINS[0] * _natural_unit(_named(mandate, name))}


def _natural_unit(rule: Rule) -> float:
    """Return what an excess is compared with: the rule's limit, or 1% for a rule without one."""
    return max(abs(_limit(rule)) or 0.01, 1e-3)


def _limit(rule: Rule) -> float:
    """Return the limit of a rule as it is written (its first, where it has several), or zero."""
    own = (getattr(rule, name, None) for name in ("limit", "each", "maximum", "plus", "multiple", "minimum"))
    return next((float(limit) for limit in own if limit is not None), 0.0)


def _trimmed(mandate: Mandate, moment: Moment, amounts: Mapping[str, float]) -> dict[str, float]:
    """Return the amounts, those of rules that move names which stand still made as small as the others allow, the last to give way first."""
    amounts = dict(amounts)
    problem = state_problem(mandate, moment, elastic=frozenset(amounts))
    for rule in sorted(mandate.rules, key=lambda rule: -rule.priority):
        if rule.name in amounts and _stands_in_the_way(problem, rule, moment):
            others = _loosened(mandate, _widened({name: amount for name, amount in amounts.items() if name != rule.name}, MARGINS[0]))
            amounts[rule.name] = min(_Search(others, others, moment, rule).least()[0], amounts[rule.name])
    return {name: amount for name, amount in amounts.items() if amount > 10.0 * MARGINS[0] * _natural_unit(_named(mandate, name))}


def _applied(mandate: Mandate, moment: Moment, amounts: Mapping[str, float]) -> tuple[Mandate, tuple[Relaxation, ...]] | None:
    """Return the loosened mandate and what was given, margins included; None where the solver finds no answer."""
    for margin in MARGINS:
        given = _widened(amounts, margin)
        answer = solve(state_problem(_loosened(mandate, given), moment))
        if answer.outcome is Outcome.SOLVED:
            return _loosened(mandate, given), tuple(_told(_named(mandate, name), amount, moment, answer.weights) for name, amount in given.items())
    return None


def _told(rule: Rule, amount: float, moment: Moment, weights: Float[ndarray, " n"] | None) -> Relaxation:
    """Return a relaxation, with the place that needs it read by the rule itself on the weights found."""
    reading = None if weights is None else rule.measure(weights, moment)
    found = Relaxation(rule.name, amount, _limit(rule), rule.unit, "portfolio", None, rule.priority)
    if weights is None or reading is None or moment.covariance is None:
        return found
    floor = reading.value < reading.limit
    has_limit = getattr(rule, "limit", None) is not None
    needed = reading.limit + amount if has_limit else reading.value
    growth = expected_captured_volatility(weights, moment.benchmark, moment.covariance)
    return replace(found, limit=reading.limit, where=reading.where, growth=growth, needed=needed, floor=floor)
