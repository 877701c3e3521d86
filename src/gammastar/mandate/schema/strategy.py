"""`[strategy]` and `[second_benchmark]`: what is maximised, what growth is assumed, what else the portfolio is measured against."""

from __future__ import annotations

__all__ = ["GeneratedEntry", "PenaltyEntry", "SecondBenchmarkEntry", "VolatilityCaptureEntry"]

from typing import Annotated, Literal

from pydantic import Field, model_validator

from gammastar.core.generating import Diversity, Entropy, GeneratingFunction, GiniSimpson, Market, bet_dial
from gammastar.mandate.growth import ArithmeticGrowth, EqualGrowth, GivenGrowth, GrowthAssumption, RankGrowth
from gammastar.mandate.schema.csv_files import GrowthFile, WeightFile  # noqa: TC001 - pydantic reads annotations
from gammastar.mandate.schema.fields import Count, Day, Model, Years, refuse_misplaced
from gammastar.mandate.second import GeneratedBenchmark, GivenBenchmark, SecondBenchmark
from gammastar.mandate.strategy import Generated, Strategy, VariancePenalty, VolatilityCapture

POWER = "-5 to 5: 0 is equal weight, 1 the market"
KNOWN = "a date, 2019-11-29: the first day on which the file may be used"
FILE = "the name of a CSV file, looked for in the folder of the mandate"
FUNCTIONS = "market, diversity, entropy, gini_simpson, equal"

Function = Literal["market", "diversity", "entropy", "gini_simpson", "equal"]
Power = Annotated[float, Field(ge=-5.0, le=5.0, allow_inf_nan=False, description=POWER)]
Shift = Annotated[float, Field(ge=0.0, allow_inf_nan=False, description="0 or more")]
Bet = Annotated[float, Field(ge=0.0, le=10.0, allow_inf_nan=False, description="0 to 10: 1 is the whole active bet, 0.5 half of it")]
Blend = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False, description="0 to 1: 0 is equal growth rates, 1 equal arithmetic returns")]
Aversion = Annotated[float, Field(ge=0.0, le=1000.0, allow_inf_nan=False, description="0 to 1000: 1 is what the growth rate itself takes off")]


class GrowthEntry(Model):
    """`[strategy.growth]`: the assumption about growth rates."""

    kind: Literal["equal", "arithmetic", "rank", "given"] = "equal"
    blend: Blend | None = None
    buckets: Annotated[int, Field(ge=2, le=100, description="a whole number from 2 to 100")] | None = None
    window: Count | None = None
    file: GrowthFile | None = None
    known: Day | None = None

    @model_validator(mode="after")
    def _parameters_belong(self) -> GrowthEntry:
        homes = {"blend": "arithmetic", "buckets": "rank", "window": "rank", "file": "given", "known": "given"}
        refuse_misplaced(self, "kind", homes, {"file": FILE, "known": KNOWN})
        return self

    def build(self) -> GrowthAssumption:
        """Return the assumption."""
        match self.kind:
            case "arithmetic":
                return ArithmeticGrowth(1.0 if self.blend is None else self.blend)
            case "rank":
                said = {"buckets": self.buckets, "window": self.window}
                return RankGrowth(**{key: value for key, value in said.items() if value is not None})
            case "given":
                return GivenGrowth(self.file or (), self.known or "")
            case _:
                return EqualGrowth()


class PenaltyEntry(Model):
    """`[[strategy.penalty]]`: a further active variance that is shunned."""

    aversion: Aversion
    second_benchmark: bool = False
    second_model: bool = False

    def build(self) -> VariancePenalty:
        """Return the penalty."""
        return VariancePenalty(self.aversion, self.second_benchmark, self.second_model)


class VolatilityCaptureEntry(Model):
    """`[strategy]` of kind `volatility_capture`."""

    kind: Literal["volatility_capture"]
    growth: GrowthEntry = GrowthEntry()
    holding_period_years: Years = 1.0
    factor_aversion: Aversion = 1.0
    specific_aversion: Aversion = 1.0
    penalty: Annotated[tuple[PenaltyEntry, ...], Field(strict=False)] = ()

    def build(self) -> Strategy:
        """Return the strategy."""
        penalties = tuple(entry.build() for entry in self.penalty)
        return VolatilityCapture(self.growth.build(), self.holding_period_years, self.factor_aversion, self.specific_aversion, penalties)


class GeneratedEntry(Model):
    """`[strategy]` of kind `generated`: a generating function, and the dial of its active bet."""

    kind: Literal["generated"]
    function: Function
    p: Power | None = None
    shift: Shift | None = None
    bet: Bet = 1.0

    @model_validator(mode="after")
    def _parameters_belong(self) -> GeneratedEntry:
        refuse_misplaced(self, "function", {"p": "diversity", "shift": "entropy"}, {"p": POWER})
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


class SecondBenchmarkEntry(Model):
    """`[second_benchmark]`: a portfolio beside the benchmark, generated or given, that rules and penalties may measure against."""

    kind: Annotated[Literal["generated", "given"], Field(description="generated, given")]
    function: Annotated[Function, Field(description=FUNCTIONS)] | None = None
    p: Power | None = None
    shift: Shift | None = None
    bet: Bet | None = None
    file: WeightFile | None = None
    known: Day | None = None

    @model_validator(mode="after")
    def _parameters_belong(self) -> SecondBenchmarkEntry:
        homes = {**dict.fromkeys(("function", "p", "shift", "bet"), "generated"), "file": "given", "known": "given"}
        refuse_misplaced(self, "kind", homes, {"function": FUNCTIONS, "file": FILE, "known": KNOWN})
        if self.kind == "generated":
            refuse_misplaced(self, "function", {"p": "diversity", "shift": "entropy"}, {"p": POWER})
        return self

    def build(self) -> SecondBenchmark:
        """Return the second benchmark."""
        if self.kind == "given":
            return GivenBenchmark(self.file or (), self.known or "")
        said = {key: getattr(self, key) for key in ("kind", "function", "p", "shift", "bet") if getattr(self, key) is not None}
        return GeneratedBenchmark(GeneratedEntry.model_validate(said).generating_function())
