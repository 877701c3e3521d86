"""The mandate: what the client signed, as one frozen value."""

from __future__ import annotations

__all__ = ["Mandate"]

import hashlib
import json
from dataclasses import dataclass, field, fields, is_dataclass, replace
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gammastar.mandate.strategy import Clocks, DataPolicy, Generated, Strategy, TradingPolicy, VolatilityCapture
from gammastar.risk.statistical import RiskModel, StatisticalFactors

if TYPE_CHECKING:
    from gammastar.mandate.rules import Rule
    from gammastar.mandate.second import SecondBenchmark


@dataclass(frozen=True)
class Mandate:
    """What the client signed: the strategy, the rules, the risk model, the clocks, the way of trading.

    Args:
        name: of the mandate.
        benchmark: name of the benchmark.
        strategy: how target weights are found.
        rules: limits, each kept before and checked after every trade.
        risk: the estimator of risk, a dataclass; None for a generated strategy whose risk nobody asks for.
        second_risk: another estimator, for rules and penalties that look at risk in two ways; or None.
        second_benchmark: another portfolio that rules and penalties may measure against; or None.
        clocks: when to decide and when to trade.
        trading: costs, band, whole shares.
        data: when a history is too short to bet on.

    Raises:
        ValueError: two rules of one name, a second benchmark or risk model that is asked for and not there, no risk model or a lag of zero for a strategy that needs an estimate.
    """

    name: str = "Enhanced index"
    benchmark: str = "S&P 500"
    strategy: Strategy = field(default_factory=VolatilityCapture)
    rules: tuple[Rule, ...] = ()
    risk: RiskModel | None = field(default_factory=StatisticalFactors)
    second_risk: RiskModel | None = None
    second_benchmark: SecondBenchmark | None = None
    clocks: Clocks = field(default_factory=Clocks)
    trading: TradingPolicy = field(default_factory=TradingPolicy)
    data: DataPolicy = field(default_factory=DataPolicy)

    def __post_init__(self) -> None:
        names = [rule.name for rule in self.rules]
        if len(set(names)) != len(names):
            raise ValueError(f"each rule may stand once, got {names}")
        if self.risk is None and not isinstance(self.strategy, Generated):
            raise ValueError("volatility capture needs a risk model")
        self._refuse_missing_seconds()
        if self.clocks.lag == 0 and not isinstance(self.strategy, Generated):
            raise ValueError("lag 0 trades at the close that the decision was made on; only generated strategies, which need no estimate, may do so")

    def _refuse_missing_seconds(self) -> None:
        """Refuse a rule or penalty that asks for a second risk model or benchmark where there is none."""
        penalties = self.strategy.penalties if isinstance(self.strategy, VolatilityCapture) else ()
        for asked in (*self.rules, *penalties):
            for what, there in (("second_model", self.second_risk), ("second_benchmark", self.second_benchmark)):
                if getattr(asked, what, False) and there is None:
                    raise ValueError(f"{getattr(asked, 'name', 'a penalty of the strategy')} asks for a {what.replace('_', ' ')}, and the mandate has none")

    def with_rules(self, rules: tuple[Rule, ...]) -> Mandate:
        """Return this mandate with other rules."""
        return replace(self, rules=rules)

    @classmethod
    def load(cls, path: str | Path) -> Mandate:
        """Read a `mandate.toml`.

        Raises:
            MandateError: the file cannot be read, or says something that a mandate cannot say; the message names the line and the key.
        """
        from gammastar.mandate.schema import read_mandate

        return read_mandate(Path(path))

    @cached_property
    def canonical(self) -> str:
        """The mandate as JSON with sorted keys: equal for equal mandates, whatever their files look like."""
        return json.dumps(_plain(self), sort_keys=True, separators=(",", ":"))

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of `canonical`."""
        return hashlib.sha256(self.canonical.encode()).hexdigest()


def _plain(value: Any) -> Any:
    """Return `value` as lists, dicts and numbers; dataclasses carry the name of their type."""
    if is_dataclass(value) and not isinstance(value, type):
        named: dict[str, Any] = {item.name: _plain(getattr(value, item.name)) for item in fields(value)}
        return {"type": type(value).__name__, **named}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
