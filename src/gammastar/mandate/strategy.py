"""What a mandate asks for: the strategy, its growth assumption, the clocks, the way it trades."""

from __future__ import annotations

__all__ = ["Clocks", "DataPolicy", "Generated", "Strategy", "TradingPolicy", "VariancePenalty", "VolatilityCapture"]

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from gammastar.core.generating import GeneratingFunction, Market
from gammastar.mandate.costs import CostModel
from gammastar.mandate.growth import EqualGrowth, GrowthAssumption
from gammastar.market.calendar import Clock

if TYPE_CHECKING:
    from gammastar.core.costs import TradeCost
    from gammastar.market.moment import Moment


@dataclass(frozen=True)
class VolatilityCapture:
    """Maximise ``(pi-mu)'gamma + (pi-mu)'diag(tau^mu)/2 - (a_f F^2 + a_s S^2)/2 - cost`` inside the rules.

    F and S are the factor and the specific part of the tracking error. With both aversions at one, ``F^2 + S^2 = TE^2`` and the objective is
    the expected growth advantage; above one, risk is shunned for its own sake, or for what the model may not see.

    Args:
        growth: assumption about growth rates.
        holding_period: years over which the cost of a trade is amortised in the objective.
        factor_aversion: a_f, 0 or more.
        specific_aversion: a_s, 0 or more.
        penalties: further active variances that are shunned: of a second risk model, or against a second benchmark.
    """

    growth: GrowthAssumption = field(default_factory=EqualGrowth)
    holding_period: float = 1.0
    factor_aversion: float = 1.0
    specific_aversion: float = 1.0
    penalties: tuple[VariancePenalty, ...] = ()


@dataclass(frozen=True)
class VariancePenalty:
    """``aversion (w - nu)' Sigma (w - nu) / 2`` off the objective.

    Args:
        aversion: 0 or more.
        second_benchmark: nu is the mandate's second benchmark, not the first.
        second_model: Sigma is of the mandate's second risk model, not the first.
    """

    aversion: float
    second_benchmark: bool = False
    second_model: bool = False


@dataclass(frozen=True)
class Generated:
    """Hold the portfolio that a generating function of the benchmark weights generates.

    Args:
        function: the generating function, the bet dial included.
    """

    function: GeneratingFunction = field(default_factory=Market)


Strategy = VolatilityCapture | Generated


@dataclass(frozen=True)
class Clocks:
    """When targets are found anew, when holdings are traded back to them, and how many sessions after the decision.

    Args:
        reoptimise: clock of new targets (for a generated strategy: of risk estimates only).
        rebalance: clock of trades back to the targets.
        lag: sessions from the close of the decision to the close of the trade.
    """

    reoptimise: Clock = Clock.MONTHLY
    rebalance: Clock = Clock.WEEKLY
    lag: int = 1


@dataclass(frozen=True)
class TradingPolicy:
    """How trades are made.

    Args:
        cost: proportional cost, a fraction of the traded value.
        band: no-trade band around each target weight; 0 trades to the targets themselves.
        whole_shares: trade whole shares (needs as-traded prices and splits in the panel); the rest stays in cash.
        capital: money at the start.
        costs: what is said of costs beyond the proportional rate.
    """

    cost: float = 0.0
    band: float = 0.0
    whole_shares: bool = False
    capital: float = 100_000_000.0
    costs: CostModel = field(default_factory=CostModel)

    def cost_at(self, moment: Moment) -> TradeCost:
        """Return the cost of trades at `moment`, fractions of the portfolio's value; where that is not known, of the capital."""
        known = moment.value is not None or not self.costs.needs_volume
        return self.costs.at(moment if known else replace(moment, value=self.capital), self.cost)


@dataclass(frozen=True)
class DataPolicy:
    """When a name's history is too short to bet on; it is then neutral: held at its benchmark weight.

    Args:
        minimum_observations: observed returns a name needs ...
        observation_window: ... among this many last sessions.
    """

    minimum_observations: int = 126
    observation_window: int = 252
