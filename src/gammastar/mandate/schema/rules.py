"""`[rules]`: the tables of all rules."""

from __future__ import annotations

__all__ = ["RulesEntry"]

from typing import TYPE_CHECKING, Annotated

from pydantic import Field, model_validator

from gammastar.mandate.explain import refusal
from gammastar.mandate.schema import other_rules as other  # noqa: TC001 - pydantic reads annotations
from gammastar.mandate.schema import weight_rules as weights  # noqa: TC001 - the same
from gammastar.mandate.schema.fields import Model, several
from gammastar.mandate.schema.limits import as_switch
from gammastar.mandate.schema.lists import LISTS, Entries, build_list, refuse_overlaps

if TYPE_CHECKING:
    from gammastar.mandate.rules import Rule


class RulesEntry(Model):
    """`[rules]`, in the order in which rules are built, measured and told."""

    tracking_error: other.TrackingErrorEntry | None = None
    active_weight: weights.ActiveWeightEntry | None = None
    weight: weights.WeightEntry | None = None
    sector: weights.SectorEntry | None = None
    group: Annotated[tuple[weights.GroupEntry, ...], Field(strict=False)] = ()
    group_weight: Annotated[tuple[weights.GroupWeightEntry, ...], Field(strict=False)] = ()
    beta: other.BetaEntry | None = None
    exposure: weights.ExposureEntry | None = None
    active_share: weights.ActiveShareEntry | None = None
    turnover: other.TurnoverEntry | None = None
    liquidity: other.LiquidityEntry | None = None
    concentration: other.ConcentrationEntry | None = None
    exclude: Entries = ()
    no_buy: Entries = ()
    no_sell: Entries = ()
    must_sell: Entries = ()
    freeze: Entries = ()
    cash: weights.CashEntry | None = None
    cash_mode: Annotated[other.CashModeEntry, as_switch] | None = None
    names: other.NamesEntry | None = None
    min_holding: other.MinimumHoldingEntry | None = None
    min_trade: other.MinimumTradeEntry | None = None
    lot: other.LotEntry | None = None
    risk_contribution: other.RiskContributionEntry | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> RulesEntry:
        for name in LISTS:
            refuse_overlaps(name, getattr(self, name))
        for name, entries in (("group", self.group), ("group_weight", self.group_weight)):
            at = several([entry.attribute for entry in entries])
            if at is not None:
                raise refusal("the attribute has two tables", key=f"{name}.{at}.attribute", got=entries[at].attribute, advice="put them into one")
        if self.lot is not None and (self.cash is None or not self.cash.maximum > self.cash.minimum):
            raise refusal("whole lots leave a remainder in cash, and there is no room for one", key="lot", allowed="with rules.cash.maximum above its minimum",
                          advice="add cash = { maximum = 0.01 }, or remove lot")  # fmt: skip
        return self

    def build(self) -> tuple[Rule, ...]:
        """Return the rules, in the order of the tables above; those of one list of tables by attribute."""
        found: list[Rule] = []
        for name in type(self).model_fields:
            entry = getattr(self, name)
            if name in LISTS:
                found += build_list(name, entry)
            elif isinstance(entry, tuple):
                found += [rule for one in sorted(entry, key=lambda one: str(one.attribute)) for rule in one.build()]
            elif entry is not None:
                found += entry.build()
        return tuple(found)
