"""What is said of a conflict: which rules contradict each other, what would have to give, by how much, and what each choice means for growth."""

from __future__ import annotations

__all__ = ["conflict_advice", "quantity", "relaxed_advice"]

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gammastar.mandate.mandate import Mandate
    from gammastar.mandate.rules import Rule
    from gammastar.optimise.conflict import Contradiction
    from gammastar.optimise.proposal import Relaxation

PLAIN = {"beta", "standard deviations", "names", "lots"}
"""Units of plain numbers; all others are fractions, told in percent."""
EVERYWHERE = "portfolio"


def quantity(value: float, unit: str, *, digits: int = 2) -> str:
    """Return a limit or an amount with its unit.

    >>> quantity(0.014, "%"), quantity(0.05, "standard deviations"), quantity(0.2, "of average daily volume")
    ('1.40%', '0.05 standard deviations', '20.00% of average daily volume')
    """
    words = "" if unit in {"%", "beta"} else f" {unit.removeprefix('% ')}"
    return f"{_number(value, unit, digits)}{words}"


def _number(value: float, unit: str, digits: int) -> str:
    return f"{value:.{digits}f}" if unit in PLAIN else f"{100.0 * value:.{digits}f}%"


def conflict_advice(mandate: Mandate, found: Contradiction, choices: Sequence[Relaxation], further: Sequence[str] = (), *, together: bool = False) -> str:
    """Return the advice of a proposal whose status is CONFLICT.

    Args:
        mandate: with the rules.
        found: which rules contradict each other, and why.
        choices: what each of them alone would have to give.
        further: rules of another conflict, where no rule of this one alone ends both; empty if there is none.
        together: whether weights exist once all rules that may give way do.
    """
    named = _and(tuple(_clause(mandate, rule) for rule in found.rules))
    why = f" {found.sentence}" if found.sentence else ""
    if len(found.rules) == 1:
        lines = [f"no weights keep {named}, whatever the other rules say.{why}"]
    else:
        lines = [f"{named} contradict each other: no weights keep {'both' if len(found.rules) == 2 else f'all {len(found.rules)}'}.{why}"]
    best = _best(choices)
    lines.append("What would have to give:" if len(choices) == 1 else "One of these would have to give, the others staying as they are:")
    lines += [f"  {_choice(mandate, choice, best)}" for choice in sorted(choices, key=lambda choice: choice.priority or 9)]
    if further:
        lines.append(f"That ends this conflict only: {_and(tuple(_clause(mandate, rule) for rule in further))} contradict each other too.")
    if any(choice.priority and math.isfinite(choice.amount) for choice in choices):
        lines.append("Loosen one in the mandate, or let rules give way by their priorities (relax).")
    elif together:
        lines.append("None of those that may give way does it alone, several together would: let rules give way by their priorities (relax) to see which, and by how much.")
    else:
        lines.append("None of them may give way: loosen one in the mandate all the same, or change what the portfolio starts from.")
    return "\n".join(lines)


def relaxed_advice(mandate: Mandate, given: Sequence[Relaxation]) -> str:
    """Return the advice of a proposal whose status is RELAXED.

    Args:
        mandate: as it was signed.
        given: what gave way.
    """
    told = [f"{_move(mandate, gave, 'is')} (priority {gave.priority})" for gave in given]
    return f"no weights keep all rules; relaxed in the order of their priorities: {'; '.join(told)}"


def _choice(mandate: Mandate, choice: Relaxation, best: float | None) -> str:
    """Return one line: the rule, its limit and the one needed, growth, and whether it may give way."""
    may = "never gives way" if choice.priority == 0 else f"priority {choice.priority}"
    if not math.isfinite(choice.amount):
        return f"{choice.rule}: no amount does it ({may})"
    return f"{_move(mandate, choice, 'would need')} ({may}){_growth(choice, best)}"


def _move(mandate: Mandate, choice: Relaxation, verb: str) -> str:
    """Return from where to where a limit goes: ``sector: Technology at most 1.00% would need 1.40%``."""
    place = "" if choice.where == EVERYWHERE else f" {choice.where}"
    digits = _digits(choice)
    if hasattr(_rule(mandate, choice.rule), "tolerance"):
        return f"{choice.rule}:{place} {verb} {'missed' if verb == 'is' else 'to be missed'} by {quantity(choice.amount, choice.unit, digits=digits)}"
    limit, needed = _number(choice.limit, choice.unit, digits), quantity(choice.needed, choice.unit, digits=digits)
    return f"{choice.rule}:{place} {'at least' if choice.floor else 'at most'} {limit} {verb} {needed}"


def _digits(choice: Relaxation) -> int:
    """Return as many digits as it takes to tell the amount with two figures, two at least."""
    shown = choice.amount if choice.unit in PLAIN else 100.0 * choice.amount
    return min(max(2, 1 - math.floor(math.log10(shown))), 8) if shown > 0.0 else 2


def _growth(choice: Relaxation, best: float | None) -> str:
    """Return what a choice means for expected growth, and how much less that is than the best one."""
    if choice.growth is None:
        return ""
    behind = 0.0 if best is None else 1e4 * (best - choice.growth)
    versus = "" if best is None else ", the most of these" if behind < 0.05 else f", {behind:.1f} bp less than the best of these"
    return f"; expected growth advantage then {1e4 * choice.growth:+.1f} bp a year{versus}"


def _best(choices: Sequence[Relaxation]) -> float | None:
    """Return the largest growth of several choices; None where there is nothing to compare."""
    told = [choice.growth for choice in choices if choice.growth is not None]
    return max(told) if len(told) > 1 else None


def _rule(mandate: Mandate, name: str) -> Rule | None:
    return next((rule for rule in mandate.rules if rule.name == name), None)


def _clause(mandate: Mandate, name: str) -> str:
    """Return a rule's name with the clauses it stands on, where they are told."""
    rule = _rule(mandate, name)
    told = () if rule is None else (rule.clause, *(entry.clause for entry in getattr(rule, "assets", ()) if hasattr(entry, "clause")))
    clauses = tuple(dict.fromkeys(clause for clause in told if clause))
    return f"{name} ({', '.join(clauses)})" if clauses else name


def _and(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else "all rules"
