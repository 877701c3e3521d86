"""Tables of rules on forecast risk, on trades, on concentration, and of those that hold or do not."""

from __future__ import annotations

__all__ = [
    "BetaEntry",
    "CashModeEntry",
    "ConcentrationEntry",
    "LiquidityEntry",
    "LotEntry",
    "MinimumHoldingEntry",
    "MinimumTradeEntry",
    "NamesEntry",
    "RiskContributionEntry",
    "TrackingErrorEntry",
    "TurnoverEntry",
]

from typing import TYPE_CHECKING, Annotated

from pydantic import Field, model_validator

from gammastar.mandate import rules as r
from gammastar.mandate.explain import refusal
from gammastar.mandate.schema.fields import Fraction, Model, Natural, Risk, Text, Traded, refuse_empty
from gammastar.mandate.schema.limits import (
    DaysLimit,
    DiscreteEntry,
    FractionLimit,
    RiskLimit,
    ShareLimit,
    SoftEntry,
    as_switch,
    as_table,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

Positive = Annotated[float, Field(gt=0.0, le=1.0, allow_inf_nan=False, description="a fraction above 0, up to 1: 1% is 0.01")]
Share = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False, description="a fraction of active variance from 0 to 1: 5% is 0.05")]


def _options_need_a_limit(entry: TurnoverEntry | RiskContributionEntry | NamesEntry, *limits: float | None) -> None:
    """Refuse options of limits that are not there: the limits beside them have options of their own."""
    if all(limit is None for limit in limits):
        for key in ("priority", "penalty_bp", "clause"):
            value = getattr(entry, key, None)
            if value not in (None, ""):
                raise refusal("this belongs to the limit of this table, and there is none", key=key, got=value,
                              advice="add limit, or move it into the table of the limit that it is meant for")  # fmt: skip


class TrackingErrorEntry(RiskLimit):
    """Forecast active risk, its parts, and against a second benchmark or by a second model."""

    target: Risk | None = None
    factor: Annotated[RiskLimit, as_table] | None = None
    specific: Annotated[RiskLimit, as_table] | None = None
    second_benchmark: Annotated[RiskLimit, as_table] | None = None
    second_model: Annotated[RiskLimit, as_table] | None = None

    @model_validator(mode="after")
    def _target_is_inside(self) -> TrackingErrorEntry:
        if self.target is not None and self.target > self.limit:
            raise refusal("the target is above the limit", key="target", got=self.target, allowed=f"at most the limit, {self.limit:g}", advice="lower it")
        return self

    def build(self) -> Iterator[r.Rule]:
        """Yield a rule for each limit."""
        yield r.TrackingError(self.limit, self.target, **self.options())
        if self.factor is not None:
            yield r.FactorRisk(self.factor.limit, **self.factor.options())
        if self.specific is not None:
            yield r.SpecificRisk(self.specific.limit, **self.specific.options())
        if self.second_benchmark is not None:
            yield r.TrackingError(self.second_benchmark.limit, second_benchmark=True, **self.second_benchmark.options())
        if self.second_model is not None:
            yield r.TrackingError(self.second_model.limit, second_model=True, **self.second_model.options())


class BetaEntry(FractionLimit):
    """Forecast beta to the benchmark, and to the second one."""

    second_benchmark: Annotated[FractionLimit, as_table] | None = None

    def build(self) -> Iterator[r.Rule]:
        """Yield a rule for each benchmark."""
        yield r.Beta(self.limit, **self.options())
        if self.second_benchmark is not None:
            yield r.Beta(self.second_benchmark.limit, second_benchmark=True, **self.second_benchmark.options())


class YearLimit(SoftEntry):
    """A limit on what is traded in twelve months."""

    limit: Annotated[float, Field(ge=0.0, le=100.0, allow_inf_nan=False, description="a fraction from 0 to 100, two-way: the whole portfolio sold and bought is 2")]


class TurnoverEntry(SoftEntry):
    """Two-way turnover of one rebalance, what one rebalance buys, two-way turnover of twelve months."""

    limit: Traded | None = None
    buys: Annotated[FractionLimit, as_table] | None = None
    year: Annotated[YearLimit, as_table] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> TurnoverEntry:
        refuse_empty(self, ("limit", "buys", "year"), "no turnover is limited")
        _options_need_a_limit(self, self.limit)
        return self

    def build(self) -> Iterator[r.Rule]:
        """Yield a rule for each limit."""
        if self.limit is not None:
            yield r.Turnover(self.limit, **self.options())
        if self.buys is not None:
            yield r.Buys(self.buys.limit, **self.buys.options())
        if self.year is not None:
            yield r.TurnoverYear(self.year.limit, **self.year.options())


class CashModeEntry(SoftEntry):
    """No sale for a contribution, no purchase for a withdrawal."""

    def build(self) -> Iterator[r.Rule]:
        """Yield the rule."""
        yield r.CashMode(**self.options())


class LiquidityEntry(Model):
    """Trades and holdings in average daily volumes, over a window of sessions."""

    trade: Annotated[DaysLimit, as_table] | None = None
    holding: Annotated[DaysLimit, as_table] | None = None
    window: Natural = 21

    @model_validator(mode="after")
    def _says_something(self) -> LiquidityEntry:
        refuse_empty(self, ("trade", "holding"), "neither trades nor holdings are limited")
        return self

    def build(self) -> Iterator[r.Rule]:
        """Yield a rule for each limit."""
        if self.trade is not None:
            yield r.TradeLiquidity(self.trade.limit, self.window, **self.trade.options())
        if self.holding is not None:
            yield r.HoldingLiquidity(self.holding.limit, self.window, **self.holding.options())


class TopEntry(FractionLimit):
    """A limit on the sum of the largest weights."""

    count: Natural


class FiveTenFortyEntry(DiscreteEntry):
    """5/10/40, with other numbers where a law has others."""

    each: Fraction = 0.10
    threshold: Fraction = 0.05
    total: Fraction = 0.40

    @model_validator(mode="after")
    def _in_order(self) -> FiveTenFortyEntry:
        for low, high in (("threshold", "each"), ("each", "total")):
            if getattr(self, low) > getattr(self, high):
                raise refusal(f"{low} is above {high}", key=low, got=getattr(self, low), allowed=f"at most {high}, {getattr(self, high):g}", advice="lower it")
        return self


class ConcentrationEntry(Model):
    """The largest names, issuers, 5/10/40."""

    top: TopEntry | None = None
    issuer: Annotated[FractionLimit, as_table] | None = None
    five_ten_forty: Annotated[FiveTenFortyEntry, as_switch] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> ConcentrationEntry:
        refuse_empty(self, ("top", "issuer", "five_ten_forty"), "no concentration is limited")
        return self

    def build(self) -> Iterator[r.Rule]:
        """Yield a rule for each limit."""
        if self.top is not None:
            yield r.TopWeights(self.top.count, self.top.limit, **self.top.options())
        if self.issuer is not None:
            yield r.IssuerLimit(self.issuer.limit, **self.issuer.options())
        if self.five_ten_forty is not None:
            five = self.five_ten_forty
            yield r.FiveTenForty(five.each, five.threshold, five.total, **five.options())


class MostTradesEntry(DiscreteEntry):
    """How many names one rebalance trades."""

    limit: Natural


class NamesEntry(DiscreteEntry):
    """How many names are held, and how many are traded."""

    minimum: Natural | None = None
    maximum: Natural | None = None
    trades: Annotated[MostTradesEntry, as_table] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> NamesEntry:
        refuse_empty(self, ("maximum", "minimum", "trades"), "the rule has no bound")
        _options_need_a_limit(self, self.minimum, self.maximum)
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise refusal("the minimum is above the maximum", key="minimum", got=self.minimum, allowed=f"at most the maximum, {self.maximum}", advice="lower it")
        return self

    def build(self) -> Iterator[r.Rule]:
        """Yield a rule for names held and one for names traded."""
        if self.minimum is not None or self.maximum is not None:
            yield r.Names(self.minimum, self.maximum, **self.options())
        if self.trades is not None:
            yield r.MostTrades(self.trades.limit, **self.trades.options())


class MinimumHoldingEntry(DiscreteEntry):
    """Nothing, or at least so much of a name."""

    limit: Positive
    grandfather: bool = False

    def build(self) -> Iterator[r.Rule]:
        """Yield the rule."""
        yield r.MinimumHolding(self.limit, self.grandfather, **self.options())


class MinimumTradeEntry(DiscreteEntry):
    """No trade in a name, or one of at least so much."""

    limit: Positive

    def build(self) -> Iterator[r.Rule]:
        """Yield the rule."""
        yield r.MinimumTrade(self.limit, **self.options())


class LotEntry(DiscreteEntry):
    """Trades in whole lots."""

    shares: Natural

    def build(self) -> Iterator[r.Rule]:
        """Yield the rule."""
        yield r.Lot(self.shares, **self.options())


class RiskContributionEntry(DiscreteEntry):
    """Shares of active variance: of each name, and by attribute of each group."""

    limit: Share | None = None
    by: dict[Text, Annotated[ShareLimit, as_table]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _says_something(self) -> RiskContributionEntry:
        if self.limit is None and not self.by:
            raise refusal("no share of active variance is limited", key="limit", allowed="limit for names, by = { attribute = limit } for groups",
                          advice="add one, or remove the table")  # fmt: skip
        _options_need_a_limit(self, self.limit)
        return self

    def build(self) -> Iterator[r.Rule]:
        """Yield a rule for names and one for each attribute."""
        if self.limit is not None:
            yield r.RiskContribution(self.limit, **self.options())
        for attribute, entry in sorted(self.by.items()):
            yield r.RiskContribution(entry.limit, attribute, **entry.options())
