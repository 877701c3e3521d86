"""Discrete rules: how many names, how small a holding or a trade may be, whole lots. Kept by rounding and rechecked; marked `heuristic`."""

from __future__ import annotations

__all__ = ["HELD", "Lot", "MinimumHolding", "MinimumTrade", "MostTrades", "Names"]

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from gammastar.core.rows import CountLimit, LeastHolding, LeastTrade, Row, WholeLots
from gammastar.mandate.rules.base import Reading, RuleOptions, closest

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy import ndarray

    from gammastar.market.moment import Moment

HELD = 1e-9
"""A weight, or a trade, below this is none."""


@dataclass(frozen=True)
class Names(RuleOptions):
    """How many names are held: at least `minimum` and at most `maximum`."""

    minimum: int | None = None
    maximum: int | None = None
    unit: ClassVar[str] = "names"
    name: ClassVar[str] = "names"

    def rows(self, moment: Moment) -> tuple[Row, ...]:
        """Return the count."""
        return (CountLimit(self.name, self.minimum, self.maximum),)

    def measure(self, weights: Float[ndarray, " n"], moment: Moment) -> Reading:
        """Return how many are held, against the bound that is closer."""
        value = float(sum(w > HELD for w in weights.tolist()))
        readings = [] if self.maximum is None else [Reading(self.name, value, self.maximum, self.maximum - value)]
        if self.minimum is not None:
            readings.append(Reading(self.name, value, self.minimum, value - self.minimum))
        return closest(readings)

    def loosened(self, amount: float) -> Names:
        """Return the rule with both bounds looser by `amount`, rounded up to whole names."""
        step = math.ceil(amount - 1e-9)
        return replace(
            self, minimum=None if self.minimum is None else max(self.minimum - step, 0), maximum=None if self.maximum is None else self.maximum + step
        )


@dataclass(frozen=True)
class MostTrades(RuleOptions):
    """How many names one rebalance trades, bought or sold: at most `limit`. Names that are sold because they left the benchmark count."""

    limit: int
    unit: ClassVar[str] = "names"
    name: ClassVar[str] = "names.trades"

    def rows(self, moment: Moment) -> tuple[Row, ...]:
        """Return the count."""
        return (CountLimit(self.name, None, self.limit, moment.benchmark if moment.holdings is None else moment.holdings),)

    def measure(self, weights: Float[ndarray, " n"], moment: Moment) -> Reading | None:
        """Return how many are traded; None where holdings are not known."""
        if moment.holdings is None:
            return None
        value = float(sum(abs(w - h) > HELD for w, h in zip(weights.tolist(), moment.holdings.tolist(), strict=True)))
        return Reading(self.name, value, self.limit, self.limit - value)

    def loosened(self, amount: float) -> MostTrades:
        """Return the rule with a limit higher by `amount`, rounded up to whole names."""
        return replace(self, limit=self.limit + math.ceil(amount - 1e-9))


@dataclass(frozen=True)
class MinimumHolding(RuleOptions):
    """Zero, or at least `limit`: ``w_i = 0 or w_i >= limit``.

    Args:
        limit: smallest holding.
        grandfather: whether a position that is already smaller may stay exactly as it is.
    """

    limit: float
    grandfather: bool = False
    name: ClassVar[str] = "min_holding"

    def rows(self, moment: Moment) -> tuple[Row, ...]:
        """Return the threshold of each name."""
        held = moment.benchmark if moment.holdings is None else moment.holdings
        small = (held > HELD) & (held < self.limit) & self.grandfather
        return (LeastHolding(self.name, np.full(len(held), self.limit), small, held),)

    def measure(self, weights: Float[ndarray, " n"], moment: Moment) -> Reading:
        """Return the smallest holding that is not grandfathered."""
        found = [Reading(self.name, math.inf, self.limit, math.inf, "nothing smaller")]
        held = moment.benchmark if moment.holdings is None else moment.holdings
        for i, w in enumerate(weights.tolist()):
            stays = self.grandfather and abs(w - float(held[i])) <= HELD
            if w > HELD and not stays:
                found.append(Reading(self.name, w, self.limit, w - self.limit, moment.assets.label(i)))
        return closest(found)

    def loosened(self, amount: float) -> MinimumHolding:
        """Return the rule with a threshold lower by `amount`."""
        return replace(self, limit=max(self.limit - amount, 0.0))


@dataclass(frozen=True)
class MinimumTrade(RuleOptions):
    """No trade, or one of at least `limit`: ``w_i = held_i or abs(w_i - held_i) >= limit``. Selling out whole is always allowed."""

    limit: float
    name: ClassVar[str] = "min_trade"

    def rows(self, moment: Moment) -> tuple[Row, ...]:
        """Return the threshold of each name."""
        held = moment.benchmark if moment.holdings is None else moment.holdings
        return (LeastTrade(self.name, np.full(len(held), self.limit), held),)

    def measure(self, weights: Float[ndarray, " n"], moment: Moment) -> Reading | None:
        """Return the smallest trade; None where holdings are not known."""
        if moment.holdings is None:
            return None
        found = [Reading(self.name, math.inf, self.limit, math.inf, "nothing smaller")]
        for i, (w, h) in enumerate(zip(weights.tolist(), moment.holdings.tolist(), strict=True)):
            if abs(w - h) > HELD and w > HELD:
                found.append(Reading(self.name, abs(w - h), self.limit, abs(w - h) - self.limit, moment.assets.label(i)))
        return closest(found)

    def loosened(self, amount: float) -> MinimumTrade:
        """Return the rule with a threshold lower by `amount`."""
        return replace(self, limit=max(self.limit - amount, 0.0))


@dataclass(frozen=True)
class Lot(RuleOptions):
    """Trades in whole lots of `shares`; selling out whole is always allowed.

    Needs as-traded prices. What rounding leaves stays in cash, so a mandate with lots needs a `Cash` rule whose maximum is above its minimum.
    """

    shares: int = 1
    unit: ClassVar[str] = "lots"
    name: ClassVar[str] = "lot"

    @property
    def needs(self) -> tuple[str, ...]:
        """As-traded prices, and the value of the portfolio."""
        return ("price", "value")

    def _lot(self, moment: Moment) -> Float[ndarray, " n"]:
        return self.shares * moment.need_price(self.name) / moment.need_value(self.name)

    def rows(self, moment: Moment) -> tuple[Row, ...]:
        """Return the weight of one lot of each name."""
        return (WholeLots(self.name, self._lot(moment), moment.benchmark if moment.holdings is None else moment.holdings),)

    def measure(self, weights: Float[ndarray, " n"], moment: Moment) -> Reading | None:
        """Return the trade that is furthest from whole lots, in lots (1e-5 of a lot is rounding); None where holdings are not known."""
        if moment.holdings is None:
            return None
        trade = (weights - moment.holdings) / self._lot(moment)
        off = np.where(weights > HELD, abs(trade - np.round(trade)), 0.0)
        worst = int(off.argmax())
        value = float(off[worst])
        return Reading(self.name, value, 0.0, 0.0 if value <= 1e-5 else -value, moment.assets.label(worst))

    def loosened(self, amount: float) -> Lot:
        """Return the rule as it is: lots do not give way."""
        return self
