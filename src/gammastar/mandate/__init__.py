"""What the client signed: rules, strategy, risk model, clocks."""

__all__ = [
    "ActiveWeight",
    "ArithmeticGrowth",
    "Beta",
    "Clocks",
    "DataPolicy",
    "EqualGrowth",
    "Exclude",
    "Exclusion",
    "Exposure",
    "Generated",
    "Mandate",
    "Reading",
    "Rule",
    "SectorActive",
    "TrackingError",
    "TradingPolicy",
    "Turnover",
    "VolatilityCapture",
    "WeightBounds",
    "check_weights",
    "unmeasured_rules",
]

from gammastar.mandate.check import check_weights, unmeasured_rules
from gammastar.mandate.mandate import Mandate
from gammastar.mandate.rules import (
    ActiveWeight,
    Beta,
    Exclude,
    Exclusion,
    Exposure,
    Reading,
    Rule,
    SectorActive,
    TrackingError,
    Turnover,
    WeightBounds,
)
from gammastar.mandate.strategy import (
    ArithmeticGrowth,
    Clocks,
    DataPolicy,
    EqualGrowth,
    Generated,
    TradingPolicy,
    VolatilityCapture,
)
