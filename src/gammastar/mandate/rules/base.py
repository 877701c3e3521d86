"""What every rule has: a name, a place in the order of giving way, a price if it is soft, and its two readings."""

from __future__ import annotations

__all__ = ["NEVER", "Reading", "Rule", "RuleOptions", "closest", "lacking"]

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jaxtyping import Float
    from numpy import ndarray

    from gammastar.core.rows import Row
    from gammastar.market.moment import Moment

NEVER = 0
"""The priority of a rule that never gives way."""


@dataclass(frozen=True)
class Reading:
    """What one rule measures on one set of weights.

    Args:
        rule: the rule's name.
        value: what was measured, in the rule's own units (fractions).
        limit: what is allowed.
        headroom: how much is left; negative is a breach.
        where: the asset, sector or exposure that comes closest.
        soft: whether the rule may be exceeded at a price.
    """

    rule: str
    value: float
    limit: float
    headroom: float
    where: str = "portfolio"
    soft: bool = False

    @property
    def exceeded(self) -> bool:
        """Whether the limit is exceeded by more than rounding (1e-8), by a soft rule too."""
        return not self.headroom >= -1e-8  # a value that is no number is a breach too

    @property
    def breached(self) -> bool:
        """Whether a hard rule is broken by more than rounding (1e-8)."""
        return self.exceeded and not self.soft


def closest(readings: Iterable[Reading]) -> Reading:
    """Return the reading with the least headroom, the first of equals."""
    return min(readings, key=lambda reading: reading.headroom)


def lacking(rule: Rule, moment: Moment) -> tuple[str, ...]:
    """Return what `rule` needs and `moment` does not know: names of its fields, ``groups.country`` for an attribute."""
    return tuple(need for need in rule.needs if _unknown(need, moment))


def _unknown(need: str, moment: Moment) -> bool:
    if need.startswith("groups."):
        return need.removeprefix("groups.") not in moment.attributes
    return getattr(moment, need) is None


class Rule(Protocol):
    """A rule of a mandate."""

    needs_covariance: ClassVar[bool]
    unit: ClassVar[str]

    @property
    def name(self) -> str:
        """Under which the rule is priced, relaxed and reported."""
        ...

    @property
    def priority(self) -> int:
        """Place in the order of giving way: 1 first, 5 last, 0 never."""
        ...

    @property
    def penalty(self) -> float | None:
        """Growth a year for each unit of excess over the limit of a soft rule; None for a hard rule."""
        ...

    @property
    def clause(self) -> str:
        """The clause of the mandate that the rule comes from; empty where none is told."""
        ...

    def rows(self, moment: Moment) -> tuple[Row, ...]:
        """Return the rule as labelled rows, before the trade."""
        ...

    def measure(self, weights: Float[ndarray, " n"], moment: Moment) -> Reading | None:
        """Return what the rule measures on `weights`; None if it does not apply at this moment."""
        ...

    @property
    def needs(self) -> tuple[str, ...]:
        """What a moment must know for the rule to be stated: names of fields of `Moment`. Holdings are needed to measure only."""
        ...

    def loosened(self, amount: float) -> Rule:
        """Return the rule with every limit looser by `amount`, in the rule's own units."""
        ...


@dataclass(frozen=True, kw_only=True)
class RuleOptions:
    """What may be said of any rule.

    Args:
        priority: place in the order of giving way when rules contradict each other: 1 first, 5 last, 0 never.
        penalty: growth a year for each unit of excess over the limit; the rule is then soft. None for a hard rule.
        clause: of the mandate that the rule comes from, so that messages can name it; the entries of a list have clauses of their own.
    """

    priority: int = 3
    penalty: float | None = None
    clause: str = ""
    unit: ClassVar[str] = "%"
    needs_covariance: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not 0 <= self.priority <= 5:
            raise ValueError(f"priority must be 0 (never gives way) or 1 to 5, got {self.priority}")
        if self.penalty is not None and not self.penalty > 0.0:
            raise ValueError(f"the penalty of a soft rule must be positive, got {self.penalty}")

    @property
    def needs(self) -> tuple[str, ...]:
        """Fields of `Moment` that the rule needs."""
        return ("covariance",) if self.needs_covariance else ()

    def loosened(self, amount: float) -> Self:
        """Return the rule with its limit, and limits of its own for single groups, looser by `amount`."""
        changes: dict[str, Any] = {"limit": getattr(self, "limit") + amount}  # noqa: B009 - every rule with another form overrides this
        own = getattr(self, "limits", ())
        if own:
            changes["limits"] = tuple((label, limit + amount) for label, limit in own)
        return replace(self, **changes)
