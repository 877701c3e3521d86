"""The schema of `mandate.toml`: unknown keys are refused with a hint, numbers out of range with the unit they should be in."""

from __future__ import annotations

__all__ = ["MandateFile", "read_mandate"]

import difflib
import re
import tomllib
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from gammastar.core.generating import Diversity, Entropy, GeneratingFunction, GiniSimpson, Market, bet_dial
from gammastar.errors import MandateError
from gammastar.mandate import rules as r
from gammastar.mandate.mandate import Mandate
from gammastar.mandate.strategy import ArithmeticGrowth, Clocks, DataPolicy, EqualGrowth, Generated, Strategy, TradingPolicy, VolatilityCapture
from gammastar.market.calendar import Clock
from gammastar.risk.statistical import StatisticalFactors

if TYPE_CHECKING:
    from pathlib import Path

Fraction = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False, description="a fraction: 1% is 0.01")]
Risk = Annotated[float, Field(ge=0.0, le=0.5, allow_inf_nan=False, description="a fraction a year: 2% is 0.02")]
Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
Text = Annotated[str, Field(min_length=1, max_length=200)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class GrowthEntry(_Model):
    """`[strategy.growth]`: the assumption about growth rates."""

    kind: Literal["equal", "arithmetic"] = "equal"


class VolatilityCaptureEntry(_Model):
    """`[strategy]` of kind `volatility_capture`."""

    kind: Literal["volatility_capture"]
    growth: GrowthEntry = GrowthEntry()
    holding_period_years: Positive = 1.0

    def build(self) -> Strategy:
        """Return the strategy."""
        growth = EqualGrowth() if self.growth.kind == "equal" else ArithmeticGrowth()
        return VolatilityCapture(growth, self.holding_period_years)


class GeneratedEntry(_Model):
    """`[strategy]` of kind `generated`: a generating function, and the dial of its active bet."""

    kind: Literal["generated"]
    function: Literal["market", "diversity", "entropy", "gini_simpson", "equal"]
    p: Annotated[float, Field(ge=-5.0, le=5.0)] | None = None
    shift: Annotated[float, Field(ge=0.0)] | None = None
    bet: Annotated[float, Field(ge=0.0, le=10.0)] = 1.0

    @model_validator(mode="after")
    def _parameters_belong(self) -> GeneratedEntry:
        if (self.p is not None) != (self.function == "diversity"):
            raise ValueError("`p` belongs to function = \"diversity\", which needs it (0 is equal weight, 1 the market)")
        if self.shift is not None and self.function != "entropy":
            raise ValueError("`shift` belongs to function = \"entropy\"")
        return self

    def build(self) -> Strategy:
        """Return the strategy."""
        functions: dict[str, GeneratingFunction] = {
            "market": Market(),
            "equal": Diversity(0.0),
            "diversity": Diversity(self.p if self.p is not None else 1.0),
            "entropy": Entropy(self.shift or 0.0),
            "gini_simpson": GiniSimpson(),
        }
        return Generated(bet_dial(functions[self.function], self.bet))


class RiskEntry(_Model):
    """`[risk]`: the statistical factor model. Half-lives and windows are in sessions."""

    kind: Literal["statistical_factors"] = "statistical_factors"
    factors: Annotated[int, Field(ge=1, le=60)] = 20
    volatility_half_life: Positive = 42.0
    correlation_half_life: Positive = 252.0
    window: Annotated[int, Field(ge=2)] = 756
    correlation_shrinkage: Fraction = 0.0
    volatility_shrinkage: Fraction = 0.0


class RiskLimit(_Model):
    """A limit on annual risk."""

    limit: Risk


class FractionLimit(_Model):
    """A limit on weight."""

    limit: Fraction


class SectorEntry(FractionLimit):
    """A limit on active sector weights; `limits` sets single sectors apart."""

    limits: dict[Text, Fraction] = {}


class WeightEntry(_Model):
    """Bounds on each weight."""

    minimum: Fraction | None = None
    maximum: Fraction | None = None
    plus: Fraction | None = None
    multiple: Annotated[float, Field(ge=0.0, le=100.0)] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> WeightEntry:
        if (self.minimum, self.maximum, self.plus, self.multiple) == (None,) * 4:
            raise ValueError("give at least one of minimum, maximum, plus, multiple")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError("minimum is above maximum")
        return self


class BetaEntry(_Model):
    """A limit on the distance of forecast beta from one."""

    limit: Fraction


class SizeLimit(_Model):
    """A limit in standard deviations of the characteristic."""

    limit: Annotated[float, Field(ge=0.0, le=5.0, allow_inf_nan=False)]


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

    limit: Annotated[float, Field(ge=0.0, le=2.0, allow_inf_nan=False, description="a fraction: all sold and all bought is 2")]


class RulesEntry(_Model):
    """`[rules]`."""

    tracking_error: RiskLimit | None = None
    active_weight: FractionLimit | None = None
    weight: WeightEntry | None = None
    sector: SectorEntry | None = None
    beta: BetaEntry | None = None
    exposure: ExposureEntry | None = None
    exclude: tuple[ExclusionEntry, ...] = ()
    turnover: TurnoverEntry | None = None

    @model_validator(mode="after")
    def _each_asset_once(self) -> RulesEntry:
        assets = [item.asset for item in self.exclude]
        if len(set(assets)) != len(assets):
            raise ValueError("an asset is excluded twice")
        return self

    def build(self) -> tuple[r.Rule, ...]:
        """Return the rules, in the order of the table of rules."""
        found: list[r.Rule | None] = [
            self.tracking_error and r.TrackingError(self.tracking_error.limit),
            self.active_weight and r.ActiveWeight(self.active_weight.limit),
            self.weight and r.WeightBounds(**self.weight.model_dump()),
            self.sector and r.SectorActive(self.sector.limit, tuple(sorted(self.sector.limits.items()))),
            self.beta and r.Beta(self.beta.limit),
            self.exposure and r.Exposure(self.exposure.size.limit),
            r.Exclude(tuple(r.Exclusion(**item.model_dump()) for item in self.exclude)) if self.exclude else None,
            self.turnover and r.Turnover(self.turnover.limit),
        ]
        return tuple(rule for rule in found if rule is not None)


class ClocksEntry(_Model):
    """`[clocks]`: when to decide and when to trade."""

    reoptimise: Clock = Clock.MONTHLY
    rebalance: Clock = Clock.WEEKLY
    lag: Annotated[int, Field(ge=0, le=20)] = 1


class TradingEntry(_Model):
    """`[trading]`: costs and the no-trade band in basis points, whole shares, money at the start."""

    cost_bp: Annotated[float, Field(ge=0.0, le=1000.0)] = 0.0
    band_bp: Annotated[float, Field(ge=0.0, le=1000.0)] = 0.0
    whole_shares: bool = False
    capital: Positive = 100_000_000.0


class DataEntry(_Model):
    """`[data]`: the shortest history that may be bet on."""

    minimum_observations: Annotated[int, Field(ge=2)] = 126
    observation_window: Annotated[int, Field(ge=2)] = 252

    @model_validator(mode="after")
    def _fits(self) -> DataEntry:
        if self.minimum_observations > self.observation_window:
            raise ValueError("minimum_observations is above observation_window: every name would be neutral for ever")
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
        raise MandateError(str(path), "the file is not UTF-8 text", got=f"byte {error.start}", advice="save it as UTF-8") from error
    except OSError as error:
        raise MandateError(str(path), f"the file cannot be read ({error.strerror})", advice="gammastar init writes a commented template") from error
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise MandateError(str(path), f"this is not TOML: {error}", advice="mend the line named") from error
    try:
        return MandateFile.model_validate(data).build()
    except ValidationError as error:
        raise _explain(path, text, data, error) from error
    except ValueError as error:
        raise MandateError(str(path), str(error)) from error


def _explain(path: Path, text: str, data: dict[str, Any], error: ValidationError) -> MandateError:
    """Return the first problem of a mandate in five parts."""
    first = error.errors()[0]
    keys = [str(key) for key in first["loc"] if key not in {"volatility_capture", "generated"}]
    dotted = ".".join(keys) or "the mandate"
    where = f"{path}, {_line(text, keys)}{dotted}"
    got = first.get("input")
    shown = got if isinstance(got, (str, int, float, bool)) else None
    match first["type"]:
        case "extra_forbidden":
            allowed = _siblings(data, tuple(str(key) for key in first["loc"]))
            close = difflib.get_close_matches(keys[-1], allowed, n=1, cutoff=0.5)
            return MandateError(where, "there is no such key", got=keys[-1], allowed=", ".join(allowed),
                                advice=f"did you mean {close[0]!r}?" if close else "remove it or choose one of the keys allowed")
        case "missing":
            return MandateError(where, "this key is needed", advice="add it; gammastar init writes a commented template")
        case "union_tag_invalid" | "union_tag_not_found":
            return MandateError(where, "the strategy needs a kind", got=_tag(data), allowed="volatility_capture, generated")
        case "less_than_equal" | "greater_than_equal" | "greater_than" | "less_than" | "finite_number":
            return MandateError(where, "the number is out of range", got=shown, allowed=first["msg"].removeprefix("Input should be "),
                                advice="limits are fractions: 5% is 0.05; only keys that end in _bp are in basis points")
        case _:
            return MandateError(where, first["msg"].removeprefix("Value error, "), got=shown)


def _tag(data: dict[str, Any]) -> str:
    strategy = data.get("strategy")
    return str(strategy.get("kind", "none")) if isinstance(strategy, dict) else str(strategy)


def _siblings(data: dict[str, Any], loc: tuple[str, ...]) -> list[str]:
    """Return the keys allowed beside the unknown key at `loc`."""
    model: Any = MandateFile
    for key in loc[:-1]:
        if key in {"volatility_capture", "generated"}:
            model = VolatilityCaptureEntry if key == "volatility_capture" else GeneratedEntry
        elif not key.isdigit() and key != "strategy":
            annotation = model.model_fields[key].annotation
            options = [annotation, *getattr(annotation, "__args__", ())]
            model = next((o for o in options if isinstance(o, type) and issubclass(o, BaseModel)), model)
    return sorted(model.model_fields)


def _line(text: str, keys: list[str]) -> str:
    """Return ``"line N, "`` for the key where it can be found: the deepest table header of the path first, the key below it."""
    lines = text.splitlines()
    start = 0
    for depth in range(len(keys) - 1, 0, -1):
        header = re.compile(r"^\s*\[\[?\s*" + re.escape(".".join(keys[:depth])) + r"\s*\]")
        found = [number for number, line in enumerate(lines) if header.match(line)]
        if found:
            start = found[0]
            break
    for key in reversed(keys):
        pattern = re.compile(r"(^|[{,\s\.\[])" + re.escape(key) + r"\s*(=|\.|\])")
        for number in range(start, len(lines)):
            if pattern.search(lines[number].split("#")[0]):
                return f"line {number + 1}, "
    return ""
