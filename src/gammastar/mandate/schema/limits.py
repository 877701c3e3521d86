"""What may be said of every rule, and tables that hold one limit."""

from __future__ import annotations

__all__ = [
    "DaysLimit",
    "DiscreteEntry",
    "FractionLimit",
    "OptionsEntry",
    "RiskLimit",
    "ShareLimit",
    "SizeLimit",
    "SoftEntry",
    "as_switch",
    "as_table",
]

from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field

from gammastar.mandate.explain import refusal
from gammastar.mandate.schema.fields import Days, Deviations, Fraction, Model, Penalty, Priority, Risk

NEVER_SOFT = "this rule holds or it does not and cannot be soft: remove it; priority says when it gives way"


class OptionsEntry(Model):
    """What may be said of every rule: its place in the order of giving way, and the clause of the mandate it comes from."""

    priority: Priority | None = None
    clause: Annotated[str, Field(max_length=200, description="up to 200 characters in quotes")] = ""

    def options(self) -> dict[str, Any]:
        """Return what is said, as options of a rule; a priority that is not said is the rule's own."""
        return {"clause": self.clause, **({} if self.priority is None else {"priority": self.priority})}


class SoftEntry(OptionsEntry):
    """A rule that may be soft."""

    penalty_bp: Penalty | None = None

    def options(self) -> dict[str, Any]:
        """Return what is said; the penalty in growth a year for each unit of excess: 1 bp per 0.01 is 0.01."""
        return {**super().options(), **({} if self.penalty_bp is None else {"penalty": self.penalty_bp / 100.0})}


class DiscreteEntry(OptionsEntry):
    """A rule that holds or does not: it may give way, and is never soft."""

    refused: ClassVar[dict[str, str]] = {"penalty_bp": NEVER_SOFT}


def _as_limit(value: object) -> object:
    """Return a number as a table with that limit."""
    return {"limit": value} if isinstance(value, (int, float)) and not isinstance(value, bool) else value


as_table = BeforeValidator(_as_limit)
"""Lets a rule inside another's table be written as its limit alone."""


class RiskLimit(SoftEntry):
    """A limit on annual risk."""

    limit: Risk


class FractionLimit(SoftEntry):
    """A limit on weight, or on the distance of forecast beta from one."""

    limit: Fraction


class DaysLimit(SoftEntry):
    """A limit in average daily volumes."""

    limit: Days


class SizeLimit(SoftEntry):
    """A limit in standard deviations of the characteristic."""

    limit: Deviations


class ShareLimit(DiscreteEntry):
    """A limit on a share of active variance."""

    limit: Fraction


def _as_switched(value: object) -> object:
    """Return `true` as the rule with its usual numbers."""
    if value is False:
        raise refusal("false switches nothing off", key="", got=value, allowed="true, or a table", advice="remove it")
    return {} if value is True else value


as_switch = BeforeValidator(_as_switched)
"""Lets a rule that needs no number be written as `true`."""
