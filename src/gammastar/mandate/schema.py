"""The schema of `mandate.toml`: unknown keys are refused with a hint, numbers out of range with the unit they should be in."""

from __future__ import annotations

__all__ = ["MandateFile", "read_mandate"]

import tomllib
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from gammastar.core.generating import Diversity, Entropy, GeneratingFunction, GiniSimpson, Market, bet_dial
from gammastar.errors import MandateError
from gammastar.mandate import rules as r
from gammastar.mandate.explain import explain, not_toml, refusal
from gammastar.mandate.growth import ArithmeticGrowth, EqualGrowth
from gammastar.mandate.mandate import Mandate
from gammastar.mandate.strategy import (
    Clocks,
    DataPolicy,
    Generated,
    Strategy,
    TradingPolicy,
    VolatilityCapture,
)
from gammastar.market.calendar import Clock
from gammastar.risk.statistical import StatisticalFactors

if TYPE_CHECKING:
    from pathlib import Path

# a description says what is allowed, as messages quote it
Fraction = Annotated[
    float, Field(ge=0.0, le=1.0, allow_inf_nan=False, description="a fraction from 0 to 1: 1% is 0.01")
]
Risk = Annotated[
    float, Field(ge=0.0, le=0.5, allow_inf_nan=False, description="a fraction a year from 0 to 0.5: 2% is 0.02")
]
Traded = Annotated[
    float,
    Field(
        ge=0.0, le=2.0, allow_inf_nan=False, description="a fraction from 0 to 2, two-way: all sold and all bought is 2"
    ),
]
Deviations = Annotated[float, Field(ge=0.0, le=5.0, allow_inf_nan=False, description="0 to 5 standard deviations")]
Multiple = Annotated[
    float, Field(ge=0.0, le=100.0, allow_inf_nan=False, description="0 to 100 times the benchmark weight")
]
BasisPoints = Annotated[
    float, Field(ge=0.0, le=1000.0, allow_inf_nan=False, description="0 to 1000 basis points: 0.05% is 5")
]
Sessions = Annotated[float, Field(gt=0.0, allow_inf_nan=False, description="a number of sessions above 0")]
Years = Annotated[float, Field(gt=0.0, allow_inf_nan=False, description="a number of years above 0")]
Money = Annotated[float, Field(gt=0.0, allow_inf_nan=False, description="an amount above 0")]
Count = Annotated[int, Field(ge=2, description="a whole number of sessions, 2 or more")]
Text = Annotated[str, Field(min_length=1, max_length=200, description="1 to 200 characters in quotes")]
Ticks = Annotated[Clock, Field(strict=False)]


class _Model(BaseModel):
    # strict: true is no number and "5" is none either
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, str_strip_whitespace=True)


class GrowthEntry(_Model):
    """`[strategy.growth]`: the assumption about growth rates."""

    kind: Literal["equal", "arithmetic"] = "equal"


class VolatilityCaptureEntry(_Model):
    """`[strategy]` of kind `volatility_capture`."""

    kind: Literal["volatility_capture"]
    growth: GrowthEntry = GrowthEntry()
    holding_period_years: Years = 1.0

    def build(self) -> Strategy:
        """Return the strategy."""
        growth = EqualGrowth() if self.growth.kind == "equal" else ArithmeticGrowth()
        return VolatilityCapture(growth, self.holding_period_years)


class GeneratedEntry(_Model):
    """`[strategy]` of kind `generated`: a generating function, and the dial of its active bet."""

    kind: Literal["generated"]
    function: Literal["market", "diversity", "entropy", "gini_simpson", "equal"]
    p: (
        Annotated[
            float, Field(ge=-5.0, le=5.0, allow_inf_nan=False, description="-5 to 5: 0 is equal weight, 1 the market")
        ]
        | None
    ) = None
    shift: Annotated[float, Field(ge=0.0, allow_inf_nan=False, description="0 or more")] | None = None
    bet: Annotated[
        float,
        Field(ge=0.0, le=10.0, allow_inf_nan=False, description="0 to 10: 1 is the whole active bet, 0.5 half of it"),
    ] = 1.0

    @model_validator(mode="after")
    def _parameters_belong(self) -> GeneratedEntry:
        if self.p is None and self.function == "diversity":
            raise refusal(
                'this key is needed with function = "diversity"',
                key="p",
                allowed="-5 to 5: 0 is equal weight, 1 the market",
                advice="add it",
            )
        for key, home in (("p", "diversity"), ("shift", "entropy")):
            value = getattr(self, key)
            if value is not None and self.function != home:
                raise refusal(
                    f'this key belongs to function = "{home}"',
                    key=key,
                    got=value,
                    advice=f'remove it, or write function = "{home}"',
                )
        return self

    def build(self) -> Strategy:
        """Return the strategy."""
        return Generated(self.generating_function())

    def generating_function(self) -> GeneratingFunction:
        """Return the generating function, its active bet dialled."""
        functions: dict[str, GeneratingFunction] = {
            "market": Market(),
            "equal": Diversity(0.0),
            "diversity": Diversity(self.p if self.p is not None else 1.0),
            "entropy": Entropy(self.shift or 0.0),
            "gini_simpson": GiniSimpson(),
        }
        return bet_dial(functions[self.function], self.bet)


class RiskEntry(_Model):
    """`[risk]`: the statistical factor model. Half-lives and windows are in sessions."""

    kind: Literal["statistical_factors"] = "statistical_factors"
    factors: Annotated[int, Field(ge=1, le=60, description="a whole number from 1 to 60")] = 20
    volatility_half_life: Sessions = 42.0
    correlation_half_life: Sessions = 252.0
    window: Count = 756
    correlation_shrinkage: Fraction = 0.0
    volatility_shrinkage: Fraction = 0.0


class RiskLimit(_Model):
    """A limit on annual risk."""

    limit: Risk


class FractionLimit(_Model):
    """A limit on weight, or on the distance of forecast beta from one."""

    limit: Fraction


class SectorEntry(FractionLimit):
    """A limit on active sector weights; `limits` sets single sectors apart."""

    limits: dict[Text, Fraction] = {}


class WeightEntry(_Model):
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
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise refusal(
                "the minimum is above the maximum",
                key="minimum",
                got=self.minimum,
                allowed=f"at most the maximum, {self.maximum:g}",
                advice="lower it",
            )
        return self


class SizeLimit(_Model):
    """A limit in standard deviations of the characteristic."""

    limit: Deviations


class ExposureEntry(_Model):
    """Limits on active exposures to named characteristics."""

    size: SizeLimit


class ExclusionEntry(_Model):
    """An asset not to be held, with the reason and the clause."""

    asset: Text
    reason: Text
    clause: str = ""


class TurnoverEntry(_Model):
    """A limit on the two-way turnover of one rebalance."""

    limit: Traded


class RulesEntry(_Model):
    """`[rules]`."""

    tracking_error: RiskLimit | None = None
    active_weight: FractionLimit | None = None
    weight: WeightEntry | None = None
    sector: SectorEntry | None = None
    beta: FractionLimit | None = None
    exposure: ExposureEntry | None = None
    exclude: Annotated[tuple[ExclusionEntry, ...], Field(strict=False)] = ()
    turnover: TurnoverEntry | None = None

    @model_validator(mode="after")
    def _each_asset_once(self) -> RulesEntry:
        assets = [item.asset for item in self.exclude]
        for at, asset in enumerate(assets):
            if asset in assets[:at]:
                raise refusal(
                    "the asset is excluded twice", key=f"exclude.{at}.asset", got=asset, advice="remove one of the two"
                )
        return self

    def build(self) -> tuple[r.Rule, ...]:
        """Return the rules, in the order of the table of rules."""
        excluded = sorted((r.Exclusion(**item.model_dump()) for item in self.exclude), key=lambda item: item.asset)
        found: list[r.Rule | None] = [
            None if self.tracking_error is None else r.TrackingError(self.tracking_error.limit),
            None if self.active_weight is None else r.ActiveWeight(self.active_weight.limit),
            None if self.weight is None else r.WeightBounds(**self.weight.model_dump()),
            None
            if self.sector is None
            else r.GroupActive(self.sector.limit, tuple(sorted(self.sector.limits.items()))),
            None if self.beta is None else r.Beta(self.beta.limit),
            None if self.exposure is None else r.Exposure(self.exposure.size.limit),
            r.Exclude(tuple(excluded)) if excluded else None,
            None if self.turnover is None else r.Turnover(self.turnover.limit),
        ]
        return tuple(rule for rule in found if rule is not None)


class ClocksEntry(_Model):
    """`[clocks]`: when to decide and when to trade."""

    reoptimise: Ticks = Clock.MONTHLY
    rebalance: Ticks = Clock.WEEKLY
    lag: Annotated[int, Field(ge=0, le=20, description="a whole number of sessions from 0 to 20")] = 1


class TradingEntry(_Model):
    """`[trading]`: costs and the no-trade band in basis points, whole shares, money at the start."""

    cost_bp: BasisPoints = 0.0
    band_bp: BasisPoints = 0.0
    whole_shares: bool = False
    capital: Money = 100_000_000.0


class DataEntry(_Model):
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


class MandateFile(_Model):
    """A whole `mandate.toml`."""

    name: Text
    benchmark: Text = "S&P 500"
    strategy: Annotated[VolatilityCaptureEntry | GeneratedEntry, Field(discriminator="kind")]
    rules: RulesEntry = RulesEntry()
    risk: RiskEntry = RiskEntry()
    clocks: ClocksEntry = ClocksEntry()
    trading: TradingEntry = TradingEntry()
    data: DataEntry = DataEntry()

    @model_validator(mode="after")
    def _fits_together(self) -> MandateFile:
        if self.clocks.lag == 0 and isinstance(self.strategy, VolatilityCaptureEntry):
            raise refusal(
                "volatility capture estimates risk at a close and cannot trade at that same close",
                key="clocks.lag",
                got=0,
                allowed="1 or more; 0 for generated strategies, which need no estimate",
                advice="write lag = 1",
            )
        if self.risk.window < self.data.observation_window:
            raise refusal(
                "the risk model looks at fewer sessions than returns are counted in",
                key="risk.window",
                got=self.risk.window,
                allowed=f"at least data.observation_window, {self.data.observation_window}",
                advice="raise it",
            )
        return self

    def build(self) -> Mandate:
        """Return the mandate."""
        return Mandate(
            name=self.name,
            benchmark=self.benchmark,
            strategy=self.strategy.build(),
            rules=self.rules.build(),
            risk=StatisticalFactors(
                **self.risk.model_dump(exclude={"kind"}),
                minimum=self.data.minimum_observations,
                recent=self.data.observation_window,
            ),
            clocks=Clocks(self.clocks.reoptimise, self.clocks.rebalance, self.clocks.lag),
            trading=TradingPolicy(
                self.trading.cost_bp / 1e4, self.trading.band_bp / 1e4, self.trading.whole_shares, self.trading.capital
            ),
            data=DataPolicy(self.data.minimum_observations, self.data.observation_window),
        )


def read_mandate(path: Path) -> Mandate:
    """Read, validate and build a mandate.

    Raises:
        MandateError: with the file, the line and the key, what was got, what is allowed and what to do next.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise MandateError(
            str(path),
            "the file is not UTF-8 text",
            got=f"byte {error.object[error.start]:#04x} at {error.start}",
            advice="save it as UTF-8",
        ) from error
    except OSError as error:
        advice = (
            "name the mandate.toml in it"
            if path.is_dir()
            else "name a mandate.toml; gammastar init writes a commented template"
        )
        raise MandateError(str(path), f"the file cannot be read ({error.strerror})", advice=advice) from error
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise not_toml(path, text, error) from error
    try:
        return MandateFile.model_validate(data).build()
    except ValidationError as error:
        raise explain(path, text, MandateFile, error) from error
