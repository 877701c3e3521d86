"""Which rules of a mandate contradict each other: a set from which none can be spared, and why.

Cheap certificates come first, then the solver's own; either says where to look. A deletion filter over whole rules makes the set irreducible:
its rules leave no weights, and without any one of them the others do. Long-only and fully invested always stand. Rules without a convex row
(counts, lots ...) and soft rules are in no such set.
"""

from __future__ import annotations

__all__ = ["Contradiction", "contradiction", "further_contradiction"]

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gammastar.optimise.certificates import cheap_certificate
from gammastar.optimise.elastic import hard_answer
from gammastar.optimise.solver import Answer, Outcome

if TYPE_CHECKING:
    from collections.abc import Collection

    from gammastar.mandate.mandate import Mandate
    from gammastar.market.moment import Moment


@dataclass(frozen=True)
class Contradiction:
    """Rules that cannot hold together.

    Args:
        rules: an irreducible set of them, in the order of the mandate; empty where the convex rows contradict nothing.
        sentence: the proof in words, where arithmetic on bounds is proof enough; else empty.
    """

    rules: tuple[str, ...]
    sentence: str = ""


def contradiction(mandate: Mandate, moment: Moment) -> Contradiction:
    """Return an irreducible set of rules that cannot hold together.

    Where there are several and bounds alone prove none, one of rules that may give way is preferred: those that never do are spared first.

    Args:
        mandate: the rules.
        moment: with what they need.
    """
    kept = _suspects(mandate, moment)
    smaller = _filtered(mandate, moment, kept)
    while smaller != kept:  # without a rule, names that stand still may stand elsewhere: what could not be spared before may be spared now
        kept, smaller = smaller, _filtered(mandate, moment, smaller)
    proof = cheap_certificate(_with(mandate, kept), moment) if kept else None
    return Contradiction(tuple(rule.name for rule in mandate.rules if rule.name in kept), "" if proof is None else proof.sentence)


def further_contradiction(mandate: Mandate, moment: Moment, found: Contradiction) -> tuple[str, ...]:
    """Return the rules of another contradiction, found when the rule of `found` that gives way first is taken out; none where there is none."""
    chosen = [rule for rule in mandate.rules if rule.name in found.rules]
    first = min(chosen, key=lambda rule: rule.priority or 9)
    return contradiction(mandate.with_rules(tuple(rule for rule in mandate.rules if rule is not first)), moment).rules


def _with(mandate: Mandate, rules: Collection[str]) -> Mandate:
    """Return the mandate with the rules named, and they alone."""
    return mandate.with_rules(tuple(rule for rule in mandate.rules if rule.name in rules))


def _suspects(mandate: Mandate, moment: Moment) -> frozenset[str]:
    """Return rules that cannot hold together, few of them where a certificate tells them; none where all can."""
    cheap = cheap_certificate(mandate, moment)
    if cheap is not None and _infeasible(mandate, moment, cheap.rules):
        return frozenset(cheap.rules)
    names = frozenset(rule.name for rule in mandate.rules)
    answer = _answer(mandate, moment, names)
    if answer.outcome is not Outcome.INFEASIBLE:
        return frozenset()
    told = frozenset(rule for rule, size in answer.certificate.items() if size > 1e-7 and rule in names)
    return told if told and _infeasible(mandate, moment, told) else names


def _filtered(mandate: Mandate, moment: Moment, kept: frozenset[str]) -> frozenset[str]:
    """Return `kept` without the rules that can be spared one after the other, those that never give way first, then the last to."""
    order = sorted(mandate.rules, key=lambda rule: -(rule.priority or 6))
    for name in (rule.name for rule in order):
        if name in kept and _infeasible(mandate, moment, kept - {name}):
            kept = kept - {name}
    return kept


def _answer(mandate: Mandate, moment: Moment, rules: Collection[str]) -> Answer:
    return hard_answer(_with(mandate, rules), moment)


def _infeasible(mandate: Mandate, moment: Moment, rules: Collection[str]) -> bool:
    """Return whether the rules named, and they alone, leave no weights."""
    return _answer(mandate, moment, rules).outcome is Outcome.INFEASIBLE
