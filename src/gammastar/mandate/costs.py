"""Models of what trades cost, as a mandate states them: by side, by asset, in steps, by volume and volatility."""

from __future__ import annotations

__all__ = ["CostModel", "PriceImpact"]

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gammastar.core.costs import TradeCost

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy import ndarray

    from gammastar.market.moment import Moment

VOLATILITY_WINDOW = 63
"""Sessions from which a day's volatility is estimated."""


@dataclass(frozen=True)
class PriceImpact:
    """What a large trade moves the price by: ``coefficient * volatility of a day * (trade / volume of a day)^(exponent - 1)``, a fraction of the trade.

    In money a trade costs that rate times its value, so its cost grows with the power `exponent` of its size: 1.5 is the square-root law; 1.6 is also
    found. The exponent is disputed in the literature.

    Args:
        coefficient: about 1 in published estimates; 0 or more.
        exponent: of cost against size, above 1.
        window: sessions over which the volume of a day is averaged.

    Raises:
        ValueError: a negative coefficient, or an exponent that is not above 1.
    """

    coefficient: float = 1.0
    exponent: float = 1.5
    window: int = 21

    def __post_init__(self) -> None:
        if self.coefficient < 0.0 or not self.exponent > 1.0:
            raise ValueError(f"impact needs a coefficient of 0 or more and an exponent above 1, got {self.coefficient} and {self.exponent}")

    def at(self, moment: Moment) -> Float[ndarray, " n"]:
        """Return the coefficient of ``abs(x)^exponent`` for trades x in weight, shape (n,).

        A name without volume is taken to trade as little as the name with least volume.
        """
        volume = moment.average_traded(self.window)
        traded = volume > 0.0
        least = float(volume[traded].min()) if traded.any() else np.inf
        value = moment.need_value("trading.costs.impact")
        return np.asarray(self.coefficient * daily_volatility(moment) * (value / np.where(traded, volume, least)) ** (self.exponent - 1.0))


@dataclass(frozen=True)
class CostModel:
    """What is said of costs beyond one proportional rate.

    Args:
        sell: rate of selling where it differs from that of buying; None for the same.
        assets: rates of single assets, by id, for both sides.
        steps: pairs (from, extra): beyond a trade of `from` average daily volumes the rate rises by `extra`.
        impact: of large trades on prices; None for none.
        window: sessions over which the volume of a day is averaged, for steps.
    """

    sell: float | None = None
    assets: tuple[tuple[str, float], ...] = ()
    steps: tuple[tuple[float, float], ...] = ()
    impact: PriceImpact | None = None
    window: int = 21

    @property
    def needs_volume(self) -> bool:
        """Whether money traded has to be known."""
        return bool(self.steps) or self.impact is not None

    def at(self, moment: Moment, rate: float) -> TradeCost:
        """Return the cost of trades at `moment`, fractions of the portfolio's value; `rate` is that of a name of which nothing else is said.

        Raises:
            ValueError: money traded or the portfolio's value is needed and not known.
        """
        n = len(moment.benchmark)
        buy = np.full(n, rate)
        sell = buy if self.sell is None else np.full(n, self.sell)
        for asset, own in self.assets:
            if asset in moment.assets.index:
                buy[moment.assets.index[asset]] = sell[moment.assets.index[asset]] = own
        steps: tuple[tuple[ndarray, ndarray], ...] = ()
        if self.steps:
            a_day = moment.average_traded(self.window) / moment.need_value("trading.costs.steps")
            steps = tuple((start * a_day, np.full(n, extra)) for start, extra in self.steps)
        if self.impact is None:
            return TradeCost(buy, sell, steps)
        return TradeCost(buy, sell, steps, self.impact.at(moment), self.impact.exponent)


def daily_volatility(moment: Moment) -> Float[ndarray, " n"]:
    """Return the standard deviation of each name's observed simple returns over the last 63 sessions, shape (n,).

    A name with fewer than two has the median of the others.
    """
    observed = moment.observed[-VOLATILITY_WINDOW:]
    returns = np.where(observed, moment.returns[-VOLATILITY_WINDOW:], 0.0)
    count = observed.sum(axis=0)
    mean = returns.sum(axis=0) / np.maximum(count, 1)
    spread = np.sqrt((observed * (returns - mean) ** 2).sum(axis=0) / np.maximum(count - 1, 1))
    known = count >= 2
    return np.where(known, spread, float(np.median(spread[known])) if known.any() else 0.0)
