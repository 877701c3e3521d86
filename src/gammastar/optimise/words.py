"""What is said of a conflict: which rules contradict each other, what would have to give, by how much, and what each choice means for growth."""

from __future__ import annotations

__all__ = ["conflict_advice", "quantity", "relaxed_advice"]

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gammastar.mandate.mandate import Mandate
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
    if unit in PLAIN:
        return f"{value:.{digits}f}{'' if unit == 'beta' else f' {unit}'}"
    return f"{100.0 * value:.{digits}f}%{unit.removeprefix('%')}{''}" if unit.startswith("%") else f"{100.0 * value:.{digits}f}% {unit}"


def conflict_advice(mandate: Mandate, found: Contradiction, choices: Sequence[Relaxation], further: Sequence[str] = ()) -> str:
    """Return the advice of a proposal whose status is CONFLICT.

    Args:
        mandate: with the rules.
        found: which rules contradict each other, and why.
        choices: what each of them alone would have to give.
        further: rules of another conflict that is left when this one is ended; empty if there is none.
    """
    named = _and(tuple(_clause(mandate, rule) for rule in found.rules))
    if len(found.rules) == 1:
        lines = [f"no weights keep {named}, whatever the other rules say{_because(found)}"]
    else:
        lines = [f"no weights keep {named} together, though without any one of them there are some{_because(found)}"]
    lines += [_heading(choices), *(f"  {_choice(choice, _best(choices))}" for choice in _by_priority(choices))]
    if further:
        lines.append(f"that ends this conflict and uncovers another: {_and(tuple(further))}")
    if any(choice.priority and math.isfinite(choice.amount) for choice in choices):
        lines.append("loosen one of them in the mandate, or let rules give way by priority with relax")
    else:
        lines.append("none of them can give way: change the mandate, or the holdings it starts from")
    return "\n".join(lines)


def relaxed_advice(given: Sequence[Relaxation]) -> str:
    """Return the advice of a proposal whose status is RELAXED."""
    told = [f"{_move(gave)} (priority {gave.priority})" for gave in given]
    return f"relaxed, since the rules contradict each other: {'; '.join(told)}"


def _heading(choices: Sequence[Relaxation]) -> str:
    return "what would have to give:" if len(choices) == 1 else "one of these would have to give, the others staying as they are:"


def _choice(choice: Relaxation, best: float | None) -> str:
    """Return one line: the rule, its limit and the one needed, growth, and whether it may give way."""
    never = ", but never gives way (priority 0)" if choice.priority == 0 else f", priority {choice.priority}"
    if not math.isfinite(choice.amount):
        return f"{choice.rule}: no amount ends the conflict{never}"
    return f"{_move(choice)}{never}{_growth(choice, best)}"


def _move(choice: Relaxation) -> str:
    """Return from where to where a limit goes: ``sector: Technology 1.00% would need 1.40%``."""
    place = "" if choice.where == EVERYWHERE else f" {choice.where}"
    digits = _digits(choice)
    limit, needed = quantity(choice.limit, choice.unit, digits=digits), quantity(choice.needed, choice.unit, digits=digits)
    return f"{choice.rule}:{place} {'at least' if choice.floor else 'at most'} {limit} would need {needed}"


def _digits(choice: Relaxation) -> int:
    """Return as many digits as it takes to tell the amount with two figures, two at least."""
    shown = choice.amount if choice.unit in PLAIN else 100.0 * choice.amount
    return min(max(2, 1 - math.floor(math.log10(shown))), 8) if shown > 0.0 else 2


def _growth(choice: Relaxation, best: float | None) -> str:
    """Return what a choice means for expected growth, and how much less that is than the best one."""
    if choice.growth is None or best is None:
        return ""
    behind = 1e4 * (best - choice.growth)
    versus = ", the most of these" if behind < 0.05 else f", {behind:.1f} bp less than the best of these"
    return f"; expected growth advantage then {1e4 * choice.growth:+.1f} bp a year{versus}"


def _best(choices: Sequence[Relaxation]) -> float | None:
    told = [choice.growth for choice in choices if choice.growth is not None]
    return max(told) if len(told) > 1 else None


def _by_priority(choices: Sequence[Relaxation]) -> list[Relaxation]:
    """Return those that give way first at the top, those that never do at the bottom."""
    return sorted(choices, key=lambda choice: choice.priority or 9)


def _clause(mandate: Mandate, name: str) -> str:
    """Return a rule's name with the clauses it stands on, where it knows them."""
    rule = next((rule for rule in mandate.rules if rule.name == name), None)
    clauses = dict.fromkeys(entry.clause for entry in getattr(rule, "assets", ()) if getattr(entry, "clause", ""))
    return f"{name} ({', '.join(clauses)})" if clauses else name


def _because(found: Contradiction) -> str:
    return f": {found.sentence}" if found.sentence else ""


def _and(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else "all rules"
