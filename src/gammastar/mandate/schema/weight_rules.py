"""Tables of rules on weights: of single names, of groups, of exposures, of cash."""

from __future__ import annotations

__all__ = ["ActiveShareEntry", "ActiveWeightEntry", "CashEntry", "ExposureEntry", "GroupEntry", "GroupWeightEntry", "SectorEntry", "WeightEntry"]

from typing import TYPE_CHECKING, Annotated

from pydantic import Field, model_validator

from gammastar.mandate import rules as r
from gammastar.mandate.characteristics import CHARACTERISTICS
from gammastar.mandate.explain import refusal
from gammastar.mandate.schema.fields import Fraction, Model, Multiple, Text, refuse_empty
from gammastar.mandate.schema.limits import FractionLimit, SizeLimit, SoftEntry, as_table

if TYPE_CHECKING:
    from collections.abc import Iterator


def _refuse_crossed(low: float | None, high: float | None, key: str = "minimum") -> None:
    """Refuse a minimum above its maximum."""
    if low is not None and high is not None and low > high:
        raise refusal("the minimum is above the maximum", key=key, got=low, allowed=f"at most the maximum, {high:g}", advice="lower it")


class ActiveWeightEntry(FractionLimit):
    """A limit on active weights; `assets` sets single ones apart by id, `groups` whole groups of `attribute` by label."""

    assets: dict[Text, Fraction] = Field(default_factory=dict)
    groups: dict[Text, Fraction] = Field(default_factory=dict)
    attribute: Text | None = None

    @model_validator(mode="after")
    def _groups_have_an_attribute(self) -> ActiveWeightEntry:
        if self.attribute is not None and not self.groups:
            raise refusal("this key says whose groups have limits of their own, and no group has one", key="attribute", got=self.attribute,
                          advice="add groups = { label = limit }, or remove it")  # fmt: skip
        return self

    def build(self) -> Iterator[r.Rule]:
        """Yield the rule."""
        assets, groups = tuple(sorted(self.assets.items())), tuple(sorted(self.groups.items()))
        yield r.ActiveWeight(self.limit, assets, groups, self.attribute or "sector", **self.options())


class WeightEntry(SoftEntry):
    """Bounds on each weight."""

    minimum: Fraction | None = None
    maximum: Fraction | None = None
    plus: Fraction | None = None
    multiple: Multiple | None = None

    @model_validator(mode="after")
    def _says_something(self) -> WeightEntry:
        if (self.minimum, self.maximum, self.plus, self.multiple) == (None,) * 4:
            raise refusal(
                "the rule has no bound",
                key="maximum",
                allowed="at least one of minimum, maximum, plus, multiple",
                advice="add one, or remove the rule",
            )
        _refuse_crossed(self.minimum, self.maximum)
        return self

    def build(self) -> Iterator[r.Rule]:
        """Yield the rule."""
        yield r.WeightBounds(self.minimum, self.maximum, self.plus, self.multiple, **self.options())


class SectorEntry(FractionLimit):
    """A limit on active sector weights; `limits` sets single sectors apart."""

    limits: dict[Text, Fraction] = Field(default_factory=dict)

    def build(self) -> Iterator[r.Rule]:
        """Yield the rule."""
        yield r.GroupActive(self.limit, tuple(sorted(self.limits.items())), **self.options())


class GroupEntry(FractionLimit):
    """`[[rules.group]]`: a limit on the active weights of the groups of an attribute."""

    attribute: Text
    limits: dict[Text, Fraction] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _sector_has_its_own(self) -> GroupEntry:
        if self.attribute == "sector":
            raise refusal("the sector has a table of its own", key="attribute", got="sector", allowed="any other attribute of the data: country, industry ...",
                          advice="write [rules.sector]")  # fmt: skip
        return self

    def build(self) -> Iterator[r.Rule]:
        """Yield the rule."""
        yield r.GroupActive(self.limit, tuple(sorted(self.limits.items())), self.attribute, **self.options())


class BoundsEntry(Model):
    """The least and the most weight of one group."""

    minimum: Fraction | None = None
    maximum: Fraction | None = None

    @model_validator(mode="after")
    def _says_something(self) -> BoundsEntry:
        refuse_empty(self, ("maximum", "minimum"), "the group has no bound")
        _refuse_crossed(self.minimum, self.maximum)
        return self


class GroupWeightEntry(SoftEntry):
    """`[[rules.group_weight]]`: bounds on the weights of groups of an attribute, by label."""

    attribute: Text
    bounds: Annotated[dict[Text, BoundsEntry], Field(min_length=1, description="a table: label = { minimum = ..., maximum = ... }")]

    def build(self) -> Iterator[r.Rule]:
        """Yield the rule."""
        bounds = tuple((label, entry.minimum, entry.maximum) for label, entry in sorted(self.bounds.items()))
        yield r.GroupWeight(bounds, self.attribute, **self.options())


class ExposureEntry(Model):
    """Limits on active exposures to named characteristics."""

    size: Annotated[SizeLimit, as_table] | None = None
    volatility: Annotated[SizeLimit, as_table] | None = None
    beta: Annotated[SizeLimit, as_table] | None = None
    momentum: Annotated[SizeLimit, as_table] | None = None
    reversal: Annotated[SizeLimit, as_table] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> ExposureEntry:
        refuse_empty(self, tuple(CHARACTERISTICS), "no characteristic is limited")
        return self

    def build(self) -> Iterator[r.Rule]:
        """Yield a rule for each characteristic."""
        for name in CHARACTERISTICS:
            entry: SizeLimit | None = getattr(self, name)
            if entry is not None:
                yield r.Exposure(entry.limit, name, **entry.options())


class ActiveShareEntry(FractionLimit):
    """A limit on half the sum of absolute active weights."""

    def build(self) -> Iterator[r.Rule]:
        """Yield the rule."""
        yield r.ActiveShare(self.limit, **self.options())


class CashEntry(SoftEntry):
    """What may stay in cash, and what idle cash is charged in the objective."""

    minimum: Fraction = 0.0
    maximum: Fraction
    premium: Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False, description="a fraction a year from 0 to 1: 5% is 0.05")] | None = None

    @model_validator(mode="after")
    def _in_order(self) -> CashEntry:
        _refuse_crossed(self.minimum, self.maximum)
        return self

    def build(self) -> Iterator[r.Rule]:
        """Yield the rule."""
        premium = r.Cash.premium if self.premium is None else self.premium
        yield r.Cash(self.minimum, self.maximum, premium, **self.options())
