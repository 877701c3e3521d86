"""What would have to give where rules contradict each other: by how much each alone, and in the order of priorities.

A least amount comes from the elastic problem, in which a rule's limits move along their slopes. It is then held against the rule itself,
`Rule.loosened`, since slopes may end (of several limits in one rule the tightest changes, a cash buffer ends at zero) and names that stand
still may move with a bound: where the two differ, the elastic problem is stated again at the loosened rule, or the amount is found by bisection.
"""

from __future__ import annotations

__all__ = ["choices", "least_loosening", "may_give_way", "relaxed"]

from dataclasses import replace
from typing import TYPE_CHECKING, get_args

import numpy as np

from gammastar.core.excess_growth import expected_captured_volatility
from gammastar.core.rows import ConvexRow
from gammastar.optimise.conflict import bare, feasible
from gammastar.optimise.problem import state_problem
from gammastar.optimise.proposal import Relaxation
from gammastar.optimise.solver import Outcome, solve

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from jaxtyping import Float
    from numpy import ndarray

    from gammastar.mandate.mandate import Mandate
    from gammastar.mandate.rules import Rule
    from gammastar.market.moment import Moment

LAST_TO_GIVE = 5
RESOLUTION = 2e-7
"""Amounts are least to this, in the rule's own units (relative to those above one)."""
MARGINS = (1e-10, 1e-9, 1e-8, 1e-7)
"""Beyond the least amount there may be but one portfolio: so much more, where the solver cannot find it."""
ROUNDS = 12


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
    amount = _least_amount(bare(mandate), moment, asked)
    if not np.isfinite(amount):
        return _told(asked, amount, moment, None)
    for margin in MARGINS:
        given = amount + margin * (1.0 + amount)
        answer = solve(state_problem(_loosened(mandate, {rule: given}), moment))
        if answer.outcome is Outcome.SOLVED:
            return _told(asked, amount, moment, answer.weights)
    return _told(asked, amount, moment, None)


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
    amounts: dict[str, float] | None = {}
    for _ in range(ROUNDS if last is not None else 0):  # again, where a slope ended before the amount did
        more = _in_order(_loosened(plain, amounts), moment, last or 0)
        amounts = None if more is None else _added(amounts, more)
        if amounts is None or not more or feasible(_loosened(plain, _widened(amounts, MARGINS[1])), moment):
            break
    if last is None or amounts is None:
        return None
    amounts = _trimmed(plain, moment, amounts)
    for margin in MARGINS:
        given = _loosened(mandate, _widened(amounts, margin))
        answer = solve(state_problem(given, moment))
        if answer.outcome is Outcome.SOLVED:
            found = (_told(_named(mandate, rule), amount, moment, answer.weights) for rule, amount in amounts.items())
            return given, tuple(found)
    return None


def may_give_way(rule: Rule, moment: Moment) -> bool:
    """Return whether a rule could end a conflict by giving way: hard, and with a convex row."""
    return any(isinstance(row, get_args(ConvexRow)) and row.penalty is None for row in rule.rows(moment))


def _named(mandate: Mandate, name: str) -> Rule:
    return next(rule for rule in mandate.rules if rule.name == name)


def _loosened(mandate: Mandate, amounts: Mapping[str, float]) -> Mandate:
    """Return the mandate with some rules looser."""
    return mandate.with_rules(tuple(rule.loosened(amounts[rule.name]) if rule.name in amounts else rule for rule in mandate.rules))


def _least_amount(mandate: Mandate, moment: Moment, rule: Rule) -> float:
    """Return by how much `rule` must be loosened; infinite where no amount does it."""
    at = 0.0
    for _ in range(ROUNDS):
        more = _elastic_amount(_loosened(mandate, {rule.name: at}), moment, rule)
        at += more
        if not np.isfinite(at):
            return at
        if _does(mandate, moment, rule, at):
            return _shortened(mandate, moment, rule, at)
        if more <= RESOLUTION:
            break
    below, above = at, _large_enough(mandate, moment, rule, at)
    return _bisected(mandate, moment, rule, below, above)


def _elastic_amount(mandate: Mandate, moment: Moment, rule: Rule) -> float:
    """Return by how much more `rule` must be exceeded if its limits move along their slopes."""
    if not may_give_way(rule, moment):
        return np.inf
    answer = solve(state_problem(mandate, moment, elastic=frozenset({rule.name})), least={rule.name: 1.0})
    return answer.exceeded.get(rule.name, 0.0) if answer.outcome is Outcome.SOLVED else np.inf


def _does(mandate: Mandate, moment: Moment, rule: Rule, amount: float) -> bool:
    """Return whether `amount`, and what the solver needs to see it, is enough for the rule itself."""
    return any(feasible(_loosened(mandate, {rule.name: amount + margin * (1.0 + amount)}), moment) for margin in (MARGINS[1], MARGINS[3]))


def _shortened(mandate: Mandate, moment: Moment, rule: Rule, amount: float) -> float:
    """Return an amount that is enough, or the least one where clearly less is enough too."""
    step = _visible_step(rule, moment) * (1.0 + amount)
    below = amount - step
    if below <= 0.0 or not feasible(_loosened(mandate, {rule.name: below}), moment):
        return amount
    return _bisected(mandate, moment, rule, 0.0, below)


def _visible_step(rule: Rule, moment: Moment) -> float:
    """Return a change of the limit that moves some weight by more than the solver's rounding."""
    slopes = [float(np.abs(slope).max(initial=0.0)) for row in rule.rows(moment) for slope in _slopes(row)]
    return max(RESOLUTION, 1e-8 / max([*slopes, 1e-6]))


def _slopes(row: object) -> list[ndarray]:
    found = [getattr(row, name, None) for name in ("lower_slope", "upper_slope")]
    return [slope for slope in found if slope is not None] or [np.ones(1)]


def _large_enough(mandate: Mandate, moment: Moment, rule: Rule, amount: float) -> float:
    """Return an amount that is surely enough, or infinity."""
    larger = max(amount, 1e-3)
    for _ in range(ROUNDS):
        larger *= 4.0
        if feasible(_loosened(mandate, {rule.name: larger}), moment):
            return larger
    return np.inf


def _bisected(mandate: Mandate, moment: Moment, rule: Rule, below: float, above: float) -> float:
    """Return the least amount between one that is not enough and one that is."""
    while np.isfinite(above) and above - below > 0.1 * RESOLUTION * (1.0 + below):
        middle = 0.5 * (below + above)
        if feasible(_loosened(mandate, {rule.name: middle}), moment):
            above = middle
        else:
            below = middle
    return above


def _giving(mandate: Mandate, moment: Moment, lowest: int, highest: int) -> dict[str, Rule]:
    """Return the rules of some priorities that could give way."""
    return {rule.name: rule for rule in mandate.rules if lowest <= rule.priority <= highest and may_give_way(rule, moment)}


def _reachable(mandate: Mandate, moment: Moment, last: int) -> bool:
    """Return whether weights exist when the rules of priority 1 to `last` may give way."""
    elastic = frozenset(_giving(mandate, moment, 1, last))
    return solve(state_problem(mandate, moment, elastic=elastic), feasibility_only=True).outcome is Outcome.SOLVED


def _in_order(mandate: Mandate, moment: Moment, last: int) -> dict[str, float] | None:
    """Return the least excess by rule along the slopes, the rules of priority `last` first; None where the solver fails."""
    problem = state_problem(mandate, moment, elastic=frozenset(_giving(mandate, moment, 1, last)))
    most: dict[str, float] = {}
    found: dict[str, float] = {}
    for priority in range(last, 0, -1):
        level = _giving(mandate, moment, priority, priority)
        if not level:
            continue
        answer = solve(problem, least={name: 1.0 / _natural_unit(rule) for name, rule in level.items()}, most=most)
        if answer.outcome is not Outcome.SOLVED:
            return None
        for name, rule in level.items():
            excess = answer.exceeded.get(name, 0.0)
            found[name] = excess if excess > RESOLUTION * _natural_unit(rule) else 0.0
            most[name] = excess + 1e-8 * _natural_unit(rule)
    return {name: excess for name, excess in found.items() if excess > 0.0}


def _natural_unit(rule: Rule) -> float:
    """Return what an excess is compared with: the rule's limit, or 1% for a rule without one."""
    own = [getattr(rule, name, None) for name in ("limit", "each", "maximum", "plus", "multiple", "minimum")]
    return max(next((float(limit) for limit in own if limit), 0.01), 1e-3)


def _added(amounts: Mapping[str, float], more: Mapping[str, float]) -> dict[str, float]:
    return {name: amounts.get(name, 0.0) + more.get(name, 0.0) for name in (*amounts, *(name for name in more if name not in amounts))}


def _widened(amounts: Mapping[str, float], margin: float) -> dict[str, float]:
    return {name: amount + margin * (1.0 + amount) for name, amount in amounts.items()}


def _trimmed(mandate: Mandate, moment: Moment, amounts: dict[str, float]) -> dict[str, float]:
    """Return the amounts, each made as small as the others allow it to be, the rules that give way last first."""
    amounts = dict(amounts)
    for name in sorted(amounts, key=lambda name: -_named(mandate, name).priority):
        others = _loosened(mandate, _widened({other: amount for other, amount in amounts.items() if other != name}, MARGINS[1]))
        least = _least_amount(others, moment, _named(mandate, name))
        amounts[name] = min(least, amounts[name]) if np.isfinite(least) else amounts[name]
    return {name: amount for name, amount in amounts.items() if amount > RESOLUTION * _natural_unit(_named(mandate, name))}


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


def _limit(rule: Rule) -> float:
    """Return the limit of a rule as it is written, or zero."""
    own = [getattr(rule, name, None) for name in ("limit", "each", "maximum", "plus", "multiple", "minimum")]
    return next((float(limit) for limit in own if limit is not None), 0.0)
