"""`[risk]`, `[second_risk]`, `[clocks]`, `[trading]`, `[data]`."""

from __future__ import annotations

__all__ = ["ClocksEntry", "DataEntry", "RiskEntry", "TradingEntry"]

from typing import Annotated, Literal

from pydantic import Field, model_validator

from gammastar.mandate.costs import CostModel, PriceImpact
from gammastar.mandate.explain import refusal
from gammastar.mandate.schema.fields import BasisPoints, Count, Days, Fraction, Model, Money, Sessions, Text, Ticks
from gammastar.mandate.strategy import Clocks, DataPolicy, TradingPolicy
from gammastar.market.calendar import Clock
from gammastar.risk.hybrid import HybridFactors
from gammastar.risk.statistical import StatisticalFactors


class RiskEntry(Model):
    """`[risk]`: the statistical factor model, or the hybrid of named factors and components. Half-lives and windows are in sessions."""

    kind: Literal["statistical_factors", "hybrid"] = "statistical_factors"
    factors: Annotated[int, Field(ge=1, le=60, description="a whole number from 1 to 60")] | None = None
    volatility_half_life: Sessions = 42.0
    correlation_half_life: Sessions = 252.0
    window: Count = 756
    correlation_shrinkage: Fraction | None = None
    volatility_shrinkage: Fraction | None = None
    components: Annotated[int, Field(ge=0, le=40, description="a whole number from 0 to 40")] | None = None
    own_sensitivities: bool | None = None

    @model_validator(mode="after")
    def _parameters_belong(self) -> RiskEntry:
        homes = {"statistical_factors": ("factors", "correlation_shrinkage", "volatility_shrinkage"), "hybrid": ("components", "own_sensitivities")}
        for home, keys in homes.items():
            for key in keys:
                value = getattr(self, key)
                if value is not None and self.kind != home:
                    raise refusal(f'this key belongs to kind = "{home}"', key=key, got=value, advice=f'remove it, or write kind = "{home}"')
        return self

    def build(self, data: DataEntry) -> StatisticalFactors | HybridFactors:
        """Return the estimator, for histories that are long enough by `data`."""
        said = {**self.model_dump(exclude={"kind"}, exclude_none=True), "minimum": data.minimum_observations, "recent": data.observation_window}
        return HybridFactors(**said) if self.kind == "hybrid" else StatisticalFactors(**said)


class ClocksEntry(Model):
    """`[clocks]`: when to decide and when to trade."""

    reoptimise: Ticks = Clock.MONTHLY
    rebalance: Ticks = Clock.WEEKLY
    lag: Annotated[int, Field(ge=0, le=20, description="a whole number of sessions from 0 to 20")] = 1

    def build(self) -> Clocks:
        """Return the clocks."""
        return Clocks(self.reoptimise, self.rebalance, self.lag)


class StepEntry(Model):
    """One step of `[trading.costs]`: beyond a trade of so many average daily volumes the rate rises."""

    above: Days
    extra_bp: BasisPoints


class ImpactEntry(Model):
    """`[trading.costs.impact]`: what a large trade moves the price by."""

    coefficient: Annotated[float, Field(ge=0.0, le=100.0, allow_inf_nan=False, description="0 to 100; about 1 in published estimates")] = 1.0
    exponent: Annotated[float, Field(gt=1.0, le=2.0, allow_inf_nan=False, description="above 1, up to 2: 1.5 is the square-root law")] = 1.5
    window: Count = 21


class CostsEntry(Model):
    """`[trading.costs]`: what is said of costs beyond `cost_bp`."""

    sell_bp: BasisPoints | None = None
    assets_bp: dict[Text, BasisPoints] = Field(default_factory=dict)
    steps: Annotated[tuple[StepEntry, ...], Field(strict=False)] = ()
    impact: ImpactEntry | None = None
    window: Count = 21

    @model_validator(mode="after")
    def _rising(self) -> CostsEntry:
        starts = [step.above for step in self.steps]
        if sorted(set(starts)) != starts:
            raise refusal("steps must rise", key="steps", got=str(starts), allowed="each above the one before", advice="put them in order, each once")
        return self

    def build(self) -> CostModel:
        """Return the cost model."""
        return CostModel(
            sell=None if self.sell_bp is None else self.sell_bp / 1e4,
            assets=tuple(sorted((asset, rate / 1e4) for asset, rate in self.assets_bp.items())),
            steps=tuple((step.above, step.extra_bp / 1e4) for step in self.steps),
            impact=None if self.impact is None else PriceImpact(self.impact.coefficient, self.impact.exponent, self.impact.window),
            window=self.window,
        )


class TradingEntry(Model):
    """`[trading]`: costs and the no-trade band in basis points, whole shares, money at the start."""

    cost_bp: BasisPoints = 0.0
    band_bp: BasisPoints = 0.0
    whole_shares: bool = False
    capital: Money = 100_000_000.0
    costs: CostsEntry = CostsEntry()

    def build(self) -> TradingPolicy:
        """Return the way of trading."""
        return TradingPolicy(self.cost_bp / 1e4, self.band_bp / 1e4, self.whole_shares, self.capital, self.costs.build())


class DataEntry(Model):
    """`[data]`: the shortest history that may be bet on."""

    minimum_observations: Count = 126
    observation_window: Count = 252

    @model_validator(mode="after")
    def _fits(self) -> DataEntry:
        if self.minimum_observations > self.observation_window:
            raise refusal(
                "more returns are asked for than sessions are looked at: no name could ever be bet on",
                key="minimum_observations",
                got=self.minimum_observations,
                allowed=f"at most observation_window, {self.observation_window}",
                advice="lower it",
            )
        return self

    def build(self) -> DataPolicy:
        """Return the policy."""
        return DataPolicy(self.minimum_observations, self.observation_window)
