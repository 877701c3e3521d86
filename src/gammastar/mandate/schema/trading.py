"""`[risk]`, `[second_risk]`, `[clocks]`, `[trading]`, `[data]`."""

from __future__ import annotations

__all__ = ["ClocksEntry", "DataEntry", "RiskEntry", "TradingEntry"]

from dataclasses import fields
from typing import Annotated, Literal

from pydantic import Field, model_validator

from gammastar.mandate.costs import CostModel, PriceImpact
from gammastar.mandate.explain import refusal
from gammastar.mandate.schema.fields import BasisPoints, Count, Days, Fraction, Model, Money, Sessions, Text, Ticks
from gammastar.mandate.strategy import Clocks, DataPolicy, TradingPolicy
from gammastar.market.calendar import Clock
from gammastar.risk.hybrid import HybridFactors
from gammastar.risk.sample import ExponentialSample, LedoitWolf
from gammastar.risk.statistical import StatisticalFactors

Estimator = StatisticalFactors | HybridFactors | LedoitWolf | ExponentialSample
MODELS: dict[str, type[Estimator]] = {
    "statistical_factors": StatisticalFactors,
    "statistical": StatisticalFactors,
    "hybrid": HybridFactors,
    "ledoit_wolf": LedoitWolf,
    "exponential_sample": ExponentialSample,
}


def _parameters(kind: str) -> set[str]:
    return {field.name for field in fields(MODELS[kind])}


class RiskEntry(Model):
    """`[risk]`: which estimator of risk, and its parameters; those that are not written are the estimator's own. Half-lives and windows are in sessions."""

    kind: Literal["statistical_factors", "statistical", "hybrid", "ledoit_wolf", "exponential_sample"] = "statistical_factors"
    factors: Annotated[int, Field(ge=1, le=60, description="a whole number from 1 to 60")] | None = None
    volatility_half_life: Sessions | None = None
    correlation_half_life: Sessions | None = None
    half_life: Sessions | None = None
    window: Count | None = None
    correlation_shrinkage: Fraction | None = None
    volatility_shrinkage: Fraction | None = None
    components: Annotated[int, Field(ge=0, le=40, description="a whole number from 0 to 40")] | None = None
    surge_half_life: Annotated[float, Field(ge=0.0, le=2520.0, description="0 for no scaling, or sessions up to 2520")] | None = None
    own_sensitivities: bool | None = None

    @model_validator(mode="after")
    def _parameters_belong(self) -> RiskEntry:
        for key in self.model_dump(exclude={"kind"}, exclude_none=True):
            homes = [kind for kind in MODELS if key in _parameters(kind) and kind != "statistical"]
            if key not in _parameters(self.kind):
                told = " or ".join(f'kind = "{home}"' for home in homes)
                raise refusal(f"this key belongs to {told}", key=key, got=getattr(self, key), advice=f"remove it, or write {told}")
        return self

    @property
    def sessions(self) -> int:
        """Sessions that the estimator looks back."""
        return self.window or int(MODELS[self.kind]().window)

    def build(self, data: DataEntry) -> Estimator:
        """Return the estimator, for histories that are long enough by `data`."""
        said = {**self.model_dump(exclude={"kind"}, exclude_none=True), "minimum": data.minimum_observations, "recent": data.observation_window}
        return MODELS[self.kind](**said)


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
