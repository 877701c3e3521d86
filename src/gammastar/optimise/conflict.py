"""Which rules of a mandate contradict each other: from the solver's certificate to a set from which none can be spared."""

from __future__ import annotations

__all__ = ["contradicting_rules"]

from typing import TYPE_CHECKING

from gammastar.optimise.problem import state_problem
from gammastar.optimise.solver import Answer, Outcome, solve

if TYPE_CHECKING:
    from gammastar.mandate.mandate import Mandate
    from gammastar.market.moment import Moment


def contradicting_rules(mandate: Mandate, moment: Moment, answer: Answer) -> tuple[str, ...]:
    """Return an irreducible set of rules that cannot hold together: without any one of them the others can.

    The certificate of infeasibility says where to look; a deletion filter over whole rules makes the set irreducible.

    Args:
        mandate: the rules.
        moment: with a covariance.
        answer: the infeasible answer with its certificate.
    """
    names = tuple(rule.name for rule in mandate.rules)
    suspects = frozenset(rule for rule, size in answer.certificate.items() if size > 1e-7 and rule in names)
    kept = frozenset(names)
    if suspects and _infeasible(mandate, moment, suspects):
        kept = suspects
    for name in names:
        if name in kept and _infeasible(mandate, moment, kept - {name}):
            kept = kept - {name}
    return tuple(name for name in names if name in kept)


def _infeasible(mandate: Mandate, moment: Moment, rules: frozenset[str]) -> bool:
    """Return whether the rules named, and they alone, leave no weights."""
    without = frozenset(rule.name for rule in mandate.rules) - rules
    return solve(state_problem(mandate, moment, without=without), feasibility_only=True).outcome is Outcome.INFEASIBLE
