"""Rules. Each is one frozen dataclass with two readings: `rows`, the constraint before the trade, and `measure`, the check after it.

The two share no code on purpose: the check is what a solver's answer is held against.
"""

from gammastar.mandate.rules.base import NEVER, Reading, Rule, RuleOptions, closest, lacking
from gammastar.mandate.rules.concentration import FiveTenForty, IssuerLimit, TopWeights
from gammastar.mandate.rules.discrete import Lot, MinimumHolding, MinimumTrade, MostTrades, Names
from gammastar.mandate.rules.lists import AssetList, Exclude, Exclusion, Freeze, ListEntry, MustSell, NoBuy, NoSell
from gammastar.mandate.rules.risk import Beta, FactorRisk, RiskContribution, SpecificRisk, TrackingError
from gammastar.mandate.rules.trades import Buys, CashMode, HoldingLiquidity, TradeLiquidity, Turnover, TurnoverYear
from gammastar.mandate.rules.weights import (
    ActiveShare,
    ActiveWeight,
    Cash,
    Exposure,
    GroupActive,
    GroupWeight,
    WeightBounds,
)

__all__ = [
    "NEVER",
    "ActiveShare",
    "ActiveWeight",
    "AssetList",
    "Beta",
    "Buys",
    "Cash",
    "CashMode",
    "Exclude",
    "Exclusion",
    "Exposure",
    "FactorRisk",
    "FiveTenForty",
    "Freeze",
    "GroupActive",
    "GroupWeight",
    "HoldingLiquidity",
    "IssuerLimit",
    "ListEntry",
    "Lot",
    "MinimumHolding",
    "MinimumTrade",
    "MostTrades",
    "MustSell",
    "Names",
    "NoBuy",
    "NoSell",
    "Reading",
    "RiskContribution",
    "Rule",
    "RuleOptions",
    "SpecificRisk",
    "TopWeights",
    "TrackingError",
    "TradeLiquidity",
    "Turnover",
    "TurnoverYear",
    "WeightBounds",
    "closest",
    "lacking",
]
