"""What would have to give where rules contradict each other: by how much each alone, and in the order of priorities.

A least amount comes from the elastic problem, in which a rule's limits move along their slopes. It is then held against the rule itself,
`Rule.loosened`. Slopes may end (of several limits in one rule another becomes the tightest, a cash buffer ends at zero): the elastic problem is
then stated again at the loosened rule. Names that stand still may move with a bound: the amount is then found by bisection.
"""

from __future__ import annotations

__all__ = ["Relaxed", "choices", "least_loosening", "relaxed", "several_end_it"]

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from gammastar.core.excess_growth import expected_captured_volatility
from gammastar.core.rows import Bounds
from gammastar.mandate.check import check_weights
from gammastar.optimise.discrete import best_answer
from gammastar.optimise.elastic import feasible, hard_problem, least_excess, may_give_way, natural_unit, written_limit
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
MARGINS = (1e-8, 2e-7, 7e-7)
"""At the least amount there may be but one portfolio: so much more, relative above one, lets the solver find it."""
NEAR = (2e-6, 1e-5)
"""Margins where the elastic problem's amounts lack more than that; each amount is then made as small as the others allow."""
NOISE = 1e-5
"""An excess below this part of its limit may be the solver's doing: it is given only if the rules cannot hold without it."""
RESOLUTION = 2e-8
"""Amounts are bisected to this."""
ROOM = (0.02, 0.06, 0.2, 0.6, 2.0, 6.0)
"""At the least amounts there may be no portfolio that keeps discrete rules too: so much more, as a part of the amount or of a tenth of the limit."""
ROUNDS = 12
TIE = 1e-5
"""Weight of an excess beside that of rules which give way later."""


@dataclass(frozen=True, eq=False)
class _Least:
    """The least amount by which one rule has to be loosened.

    Args:
        amount: infinite where none does it.
        weights: that keep all rules then, shape (n,), or None.
        best: whether they are the best that do.
    """

    amount: float
    weights: Float[ndarray, " n"] | None = None
    best: bool = False


@dataclass(frozen=True, eq=False)
class Relaxed:
    """What a mandate becomes where rules give way.

    Args:
        mandate: with the rules that gave way looser.
        given: what each of them gave.
        problem: that it poses.
        answer: the best found that keeps every rule of it; not solved, where the discrete ones could not be kept.
    """

    mandate: Mandate
    given: tuple[Relaxation, ...]
    problem: Problem
    answer: Answer


@dataclass(frozen=True, eq=False)
class _Found:
    """A loosened problem, the best weights without its discrete rules, and the best with them."""

    problem: Problem
    relaxation: Answer
    answer: Answer


@dataclass(frozen=True, eq=False)
class _Search:
    """The search for the least amount by which one rule of a mandate has to be loosened."""

    mandate: Mandate
    moment: Moment
    rule: Rule

    def least(self) -> _Least:
        """Return the least amount."""
        at = 0.0
        for _ in range(ROUNDS if may_give_way(self.rule, self.moment) else 0):
            problem = hard_problem(self._at(at), self.moment, frozenset({self.rule.name}))
            answer = least_excess(problem, {self.rule.name: 1.0})
            if answer.outcome is not Outcome.SOLVED:
                return _Least(np.inf)
            more = answer.exceeded.get(self.rule.name, 0.0)
            at += more
            best = _best(self.mandate, self.moment, {self.rule.name: at})
            if best is not None or self._enough(at + MARGINS[1] * (1.0 + at)):
                if _stands_in_the_way(problem, self.rule, self.moment):
                    return self._bisected(0.0, at)
                return _Least(at, answer.weights) if best is None else _Least(at, best.weights, best=True)
            if more <= MARGINS[-1]:
                break
        return self._bisected(at, self._large_enough(at))

    def _at(self, amount: float) -> Mandate:
        return _loosened(self.mandate, {self.rule.name: amount})

    def _enough(self, amount: float) -> bool:
        return feasible(self._at(amount), self.moment)

    def _large_enough(self, amount: float) -> float:
        """Return an amount that does it, or infinity."""
        larger = [max(amount, 1e-3) * 4.0**k for k in range(1, ROUNDS)]
        return next((amount for amount in larger if self._enough(amount)), np.inf)

    def _bisected(self, below: float, above: float) -> _Least:
        """Return the least amount between one that is not enough and one that is."""
        if not np.isfinite(above):
            return _Least(above)
        while above - below > RESOLUTION * (1.0 + below):
            middle = 0.5 * (below + above)
            below, above = (below, middle) if self._enough(middle) else (middle, above)
        best = _best(self.mandate, self.moment, {self.rule.name: above})
        return _Least(above) if best is None else _Least(above, best.weights, best=True)


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
    return _told(asked, _Search(mandate, moment, asked).least(), moment)


def choices(mandate: Mandate, moment: Moment, rules: Iterable[str]) -> tuple[Relaxation, ...]:
    """Return what each of `rules` alone would have to give, those that never give way included.

    Where there are other conflicts that none of them ends, it is what ends the conflict between `rules`; growth is then None.

    Args:
        mandate: with the rules.
        moment: with what its rules need.
        rules: names of an irreducible set (`gammastar.optimise.conflict.contradiction`).
    """
    names = tuple(rules)
    told = tuple(least_loosening(mandate, moment, rule) for rule in names)
    if any(np.isfinite(choice.amount) for choice in told):
        return told
    alone = mandate.with_rules(tuple(rule for rule in mandate.rules if rule.name in names))
    return tuple(replace(least_loosening(alone, moment, rule), growth=None) for rule in names)


def several_end_it(mandate: Mandate, moment: Moment, alone: Iterable[Relaxation]) -> bool:
    """Return whether weights exist once several rules give way, where no single one that may does it.

    Args:
        mandate: with the rules.
        moment: with what its rules need.
        alone: what each rule of a conflict would have to give, from `choices`.
    """
    if any(choice.priority and np.isfinite(choice.amount) for choice in alone):
        return False
    return any(_reachable(mandate, moment, last) for last in range(1, LAST_TO_GIVE + 1))


def relaxed(mandate: Mandate, moment: Moment) -> Relaxed | None:
    """Return what the mandate becomes with rules relaxed in the order of their priorities; None where no order helps.

    Let p be the lowest priority such that weights exist when the rules of priority 1 to p may give way. The excess of the rules of priority p
    over their limits, each relative to its limit, is made as small as it can be in sum; then, with that fixed, the excess of priority p - 1; and
    so on down to 1. Rules of priority 0 never give way.

    Discrete rules do not count in that. Where no portfolio is found that keeps them too at these amounts, the rules that gave way give more, all
    in the same proportion, the smallest of `ROOM` that is enough; then all rules of priority 1 to p do.

    Args:
        mandate: that leaves no weights.
        moment: with what its rules need.
    """
    reachable = (last for last in range(1, LAST_TO_GIVE + 1) if _reachable(mandate, moment, last))
    found = (_relaxed_to(mandate, moment, last) for last in reachable)
    return next((given for given in found if given is not None), None)


def _relaxed_to(mandate: Mandate, moment: Moment, last: int) -> Relaxed | None:
    """Return what `relaxed` does, where rules of priority 1 to `last` may give way; None where the solver fails."""
    amounts: dict[str, float] = {}
    for _ in range(ROUNDS):
        more = _in_order(_loosened(mandate, amounts), moment, last)
        if not more:
            break
        amounts = {rule.name: amounts.get(rule.name, 0.0) + more.get(rule.name, 0.0) for rule in mandate.rules if rule.name in {*amounts, *more}}
        if feasible(_loosened(mandate, _widened(amounts, MARGINS[1])), moment):
            return _applied(mandate, moment, _trimmed(mandate, moment, amounts))
    near = (_widened(amounts, margin) for margin in NEAR if amounts)  # the solver's last digits were missing: a little more, and then each as little as can be
    enough = next((given for given in near if feasible(_loosened(mandate, given), moment)), None)
    return None if enough is None else _applied(mandate, moment, _trimmed(mandate, moment, enough, every=True))


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
    giving = _giving(mandate, moment, 1, last)
    if not any(rule.priority == last for rule in giving.values()):
        return False  # nothing that was not there for the priorities before
    weights = {name: 1.0 / natural_unit(rule) for name, rule in giving.items()}  # a finite answer is found more surely than just any
    return least_excess(hard_problem(mandate, moment, frozenset(giving)), weights).outcome is not Outcome.INFEASIBLE


def _in_order(mandate: Mandate, moment: Moment, last: int) -> dict[str, float]:
    """Return the least excess by rule along the slopes, the rules of priority `last` first; empty where the solver fails."""
    giving = _giving(mandate, moment, 1, last)
    problem = hard_problem(mandate, moment, frozenset(giving))
    for margin in (*MARGINS, *NEAR):
        most: dict[str, float] = {}
        given: dict[str, float] = {}
        for priority in sorted({rule.priority for rule in giving.values()}, reverse=True):
            # those that give way before count for next to nothing: enough to keep them finite, too little to move the others
            weights = {name: (1.0 if rule.priority == priority else TIE) / natural_unit(rule) for name, rule in giving.items() if rule.priority <= priority}
            answer = least_excess(problem, weights, most)
            if answer.outcome is not Outcome.SOLVED:
                break
            level = {name: answer.exceeded.get(name, 0.0) for name, rule in giving.items() if rule.priority == priority}
            most |= {name: excess + margin * max(natural_unit(giving[name]), 1.0) for name, excess in level.items()}
            given |= {name: most[name] for name, excess in level.items() if excess > 10.0 * margin * natural_unit(giving[name])}
            if given and feasible(_loosened(mandate, given), moment):
                return given  # those below need not give anything
        else:
            return given
    return {}


def _trimmed(mandate: Mandate, moment: Moment, amounts: Mapping[str, float], *, every: bool = False) -> dict[str, float]:
    """Return the amounts without those that nothing needs, some made as small as the others allow, the last to give way first.

    These are the amounts of rules that move names which stand still, or `every` one.
    """
    amounts = dict(amounts)
    for rule in mandate.rules:
        without = {name: amount for name, amount in amounts.items() if name != rule.name}
        noise = 0.0 < amounts.get(rule.name, 0.0) < NOISE * natural_unit(rule)
        if noise and without and feasible(_loosened(mandate, _widened(without, MARGINS[1])), moment):
            amounts = without
    problem = hard_problem(mandate, moment, frozenset(amounts))
    for rule in sorted(mandate.rules, key=lambda rule: -rule.priority):
        if rule.name in amounts and (every or _stands_in_the_way(problem, rule, moment)):
            others = _loosened(mandate, _widened({name: amount for name, amount in amounts.items() if name != rule.name}, MARGINS[0]))
            amounts[rule.name] = min(_Search(others, moment, rule).least().amount, amounts[rule.name])
    return {name: amount for name, amount in amounts.items() if amount > 10.0 * MARGINS[0] * natural_unit(_named(mandate, name))}


def _applied(mandate: Mandate, moment: Moment, amounts: Mapping[str, float]) -> Relaxed | None:
    """Return the loosened mandate and what was given, a margin included that lets an answer keep it; None where the solver finds no such answer."""
    for margin in MARGINS:
        given = _widened(amounts, margin)
        loosened = _loosened(mandate, given)
        problem = state_problem(loosened, moment)
        relaxation = solve(problem)
        if relaxation.outcome is Outcome.SOLVED and _keeps(loosened, moment, problem, relaxation.weights):
            answer = best_answer(problem) if problem.discrete else relaxation
            least = _given(mandate, moment, given, _Found(problem, relaxation, answer))
            return least if answer.outcome is Outcome.SOLVED else _with_room(mandate, moment, given) or least
    return None


def _given(mandate: Mandate, moment: Moment, amounts: Mapping[str, float], found: _Found) -> Relaxed:
    """Return what giving `amounts` means, as read on the weights of the relaxation."""
    least = {name: _Least(amount, found.relaxation.weights, best=True) for name, amount in amounts.items()}
    told = tuple(_told(_named(mandate, name), one, moment) for name, one in least.items())
    return Relaxed(_loosened(mandate, amounts), told, found.problem, found.answer)


def _with_room(mandate: Mandate, moment: Moment, amounts: Mapping[str, float]) -> Relaxed | None:
    """Return what `_applied` does, where rules give so much more that weights are found which keep the discrete rules too; None where none are."""
    highest = max(_named(mandate, name).priority for name in amounts)
    for giving in (amounts, {**dict.fromkeys(_giving(mandate, moment, 1, highest), 0.0), **amounts}):
        for room in ROOM:
            given = {name: amount + room * max(amount, 0.1 * natural_unit(_named(mandate, name))) for name, amount in giving.items()}
            loosened = _loosened(mandate, given)
            problem = state_problem(loosened, moment)
            answer = best_answer(problem)
            if answer.outcome is Outcome.SOLVED and _keeps(loosened, moment, problem, answer.weights):
                return _given(mandate, moment, given, _Found(problem, answer, answer))
    return None


def _keeps(mandate: Mandate, moment: Moment, problem: Problem, weights: Float[ndarray, " n"]) -> bool:
    """Return whether weights pass the independent check, discrete rules apart: at the least amounts a solver's last digits may not."""
    discrete = {row.rule for row in problem.discrete}
    return not any(reading.breached and reading.rule not in discrete for reading in check_weights(mandate, weights, moment))


def _told(rule: Rule, least: _Least, moment: Moment) -> Relaxation:
    """Return a relaxation, with the place that needs it read by the rule itself on the weights found."""
    reading = None if least.weights is None else rule.measure(least.weights, moment)
    found = Relaxation(rule.name, least.amount, written_limit(rule), rule.unit, "portfolio", None, rule.priority)
    if least.weights is None or reading is None:
        return found
    floor = reading.value < reading.limit
    needed = reading.limit + least.amount if hasattr(rule, "limit") else reading.value
    growth = expected_captured_volatility(least.weights, moment.benchmark, moment.need_covariance("growth")) if least.best else None
    return replace(found, limit=reading.limit, where=reading.where, growth=growth, needed=needed, floor=floor)
