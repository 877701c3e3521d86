"""What a mandate asks for: the strategy, its growth assumption, the clocks, the way it trades."""

from __future__ import annotations

__all__ = ["ArithmeticGrowth", "Clocks", "DataPolicy", "EqualGrowth", "Generated", "GrowthAssumption", "Strategy", "TradingPolicy", "VolatilityCapture"]

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from gammastar.core.generating import GeneratingFunction, Market
from gammastar.market.calendar import Clock

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy import ndarray

    from gammastar.core.covariance import FactoredCovariance


@dataclass(frozen=True)
class EqualGrowth:
    """All growth rates are equal, the classic assumption: no return forecast enters, ``gamma_i = 0`` up to a constant."""

    def rates(self, sigma: FactoredCovariance) -> Float[ndarray, " n"]:
        """Return growth rates a year, up to a constant, shape (n,)."""
        return np.zeros(len(sigma))


@dataclass(frozen=True)
class ArithmeticGrowth:
    """All arithmetic returns are equal: ``gamma_i = -sigma_ii / 2`` up to a constant."""

    def rates(self, sigma: FactoredCovariance) -> Float[ndarray, " n"]:
        """Return growth rates a year, up to a constant, shape (n,)."""
        return -0.5 * sigma.variances


GrowthAssumption = EqualGrowth | ArithmeticGrowth


@dataclass(frozen=True)
class VolatilityCapture:
    """Maximise ``(pi-mu)'gamma + (pi-mu)'diag(tau^mu)/2 - TE^2/2 - cost`` inside the rules.

    Args:
        growth: assumption about growth rates.
        holding_period: years over which the cost of a trade is amortised in the objective.
    """

    growth: GrowthAssumption = field(default_factory=EqualGrowth)
    holding_period: float = 1.0


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
    """

    cost: float = 0.0
    band: float = 0.0
    whole_shares: bool = False
    capital: float = 100_000_000.0


@dataclass(frozen=True)
class DataPolicy:
    """When a name's history is too short to bet on; it is then neutral: held at its benchmark weight.

    Args:
        minimum_observations: observed returns a name needs ...
        observation_window: ... among this many last sessions.
    """

    minimum_observations: int = 126
    observation_window: int = 252
