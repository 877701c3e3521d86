"""Rules on what is traded: turnover, liquidity."""

from __future__ import annotations

__all__ = ["Buys", "CashMode", "HoldingLiquidity", "TradeLiquidity", "Turnover", "TurnoverYear"]

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from gammastar.core.rows import AbsoluteSum, Bounds, Row
from gammastar.mandate.rules.base import Reading, RuleOptions

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy import ndarray

    from gammastar.market.moment import Moment


def _held(moment: Moment) -> Float[ndarray, " n"]:
    """Return the weights before the trade: the benchmark, where holdings are not known."""
    return moment.benchmark if moment.holdings is None else moment.holdings


@dataclass(frozen=True)
class Turnover(RuleOptions):
    """Two-way turnover of one rebalance, ``sum_i abs(w_i - held_i) <= limit``, names that left the benchmark included."""

    limit: float
    name: ClassVar[str] = "turnover"

    def rows(self, moment: Moment) -> tuple[Row, ...]:
        """Return one absolute sum around the holdings (the benchmark, where holdings are not known)."""
        return (AbsoluteSum(self.name, _held(moment), self.limit, penalty=self.penalty),)

    def measure(self, weights: Float[ndarray, " n"], moment: Moment) -> Reading | None:
        """Return the two-way turnover; None where holdings are not known."""
        if moment.holdings is None:
            return None
        value = float(sum(abs(w - h) for w, h in zip(weights.tolist(), moment.holdings.tolist(), strict=True)))
        return Reading(self.name, value, self.limit, self.limit - value)


@dataclass(frozen=True)
class Buys(RuleOptions):
    """What one rebalance buys, ``sum_i (w_i - held_i)^+ <= limit``."""

    limit: float
    name: ClassVar[str] = "turnover.buys"

    def rows(self, moment: Moment) -> tuple[Row, ...]:
        """Return one sum of what is above the holdings."""
        return (AbsoluteSum(self.name, _held(moment), self.limit, up=1.0, down=0.0, penalty=self.penalty),)

    def measure(self, weights: Float[ndarray, " n"], moment: Moment) -> Reading | None:
        """Return what is bought; None where holdings are not known."""
        if moment.holdings is None:
            return None
        value = float(sum(max(w - h, 0.0) for w, h in zip(weights.tolist(), moment.holdings.tolist(), strict=True)))
        return Reading(self.name, value, self.limit, self.limit - value)


@dataclass(frozen=True)
class TurnoverYear(RuleOptions):
    """Two-way turnover over twelve months, this rebalance included: ``traded already + sum_i abs(w_i - held_i) <= limit``.

    What was traded already is `Moment.traded_this_year`.
    """

    limit: float
    name: ClassVar[str] = "turnover.year"

    def rows(self, moment: Moment) -> tuple[Row, ...]:
        """Return one absolute sum around the holdings, of what is left for the year."""
        return (AbsoluteSum(self.name, _held(moment), self.limit - moment.traded_this_year, penalty=self.penalty),)

    def measure(self, weights: Float[ndarray, " n"], moment: Moment) -> Reading | None:
        """Return the turnover of the year with this trade; None where holdings are not known."""
        if moment.holdings is None:
            return None
        now = float(sum(abs(w - h) for w, h in zip(weights.tolist(), moment.holdings.tolist(), strict=True)))
        value = now + moment.traded_this_year
        return Reading(self.name, value, self.limit, self.limit - value)


@dataclass(frozen=True)
class TradeLiquidity(RuleOptions):
    """Each trade at most `limit` times the average daily volume: ``abs(w_i - held_i) * value <= limit * volume_i``, in money.

    Args:
        limit: share of average daily volume; 0.2 is a fifth of a day's trading.
        window: sessions over which the average is taken.
    """

    limit: float
    window: int = 21
    unit: ClassVar[str] = "of average daily volume"
    name: ClassVar[str] = "liquidity.trade"

    @property
    def needs(self) -> tuple[str, ...]:
        """Money traded, and the value of the portfolio."""
        return ("traded", "value")

    def rows(self, moment: Moment) -> tuple[Row, ...]:
        """Return bounds around the holdings."""
        a_day = moment.average_traded(self.window) / moment.need_value(self.name)
        held, reach = _held(moment), _reach(self, a_day)
        return (Bounds(self.name, held - reach, held + reach, -a_day, a_day, self.penalty),)

    def measure(self, weights: Float[ndarray, " n"], moment: Moment) -> Reading | None:
        """Return the largest trade in average daily volumes; None where holdings are not known."""
        if moment.holdings is None:
            return None
        volume, value = moment.average_traded(self.window), moment.need_value(self.name)
        return _largest(self, np.abs(weights - moment.holdings) * value, volume, value, moment)


@dataclass(frozen=True)
class HoldingLiquidity(RuleOptions):
    """Each holding at most `limit` times the average daily volume: ``w_i * value <= limit * volume_i``, in money.

    Args:
        limit: average days' volumes; 2 takes ten days to sell at a fifth of the volume.
        window: sessions over which the average is taken.
    """

    limit: float
    window: int = 21
    unit: ClassVar[str] = "of average daily volume"
    name: ClassVar[str] = "liquidity.holding"

    @property
    def needs(self) -> tuple[str, ...]:
        """Money traded, and the value of the portfolio."""
        return ("traded", "value")

    def rows(self, moment: Moment) -> tuple[Row, ...]:
        """Return upper bounds."""
        a_day = moment.average_traded(self.window) / moment.need_value(self.name)
        none = np.full(len(a_day), -np.inf)
        return (Bounds(self.name, none, _reach(self, a_day), np.zeros(len(a_day)), a_day, self.penalty),)

    def measure(self, weights: Float[ndarray, " n"], moment: Moment) -> Reading:
        """Return the largest holding in average daily volumes."""
        value = moment.need_value(self.name)
        return _largest(self, weights * value, moment.average_traded(self.window), value, moment)


@dataclass(frozen=True)
class CashMode(RuleOptions):
    """A contribution is invested without a sale, a withdrawal raised without a purchase; names that left the benchmark are sold all the same.

    Applies only where the moment has a flow (`Moment.with_flow`); without the rule, flows are rebalanced with the rest.

    Args:
        tolerance: weight that may be traded the wrong way; only a relaxation makes it more than zero.
    """

    tolerance: float = 0.0
    name: ClassVar[str] = "cash_mode"

    def rows(self, moment: Moment) -> tuple[Row, ...]:
        """Return bounds at the holdings, on the side that the flow forbids."""
        n, held = len(moment.benchmark), _held(moment)
        none, one = np.full(n, np.inf), np.ones(n)
        if moment.flow > 0.0:
            floor = np.where(moment.members, held - self.tolerance, -np.inf)
            return (Bounds(self.name, floor, none, -one, 0.0 * one, self.penalty),)
        if moment.flow < 0.0:
            return (Bounds(self.name, -none, held + self.tolerance, 0.0 * one, one, self.penalty),)
        return ()

    def measure(self, weights: Float[ndarray, " n"], moment: Moment) -> Reading | None:
        """Return the largest trade in the wrong direction; None where there is no flow or holdings are not known."""
        if moment.holdings is None or moment.flow == 0.0:
            return None
        wrong = [(h - w if moment.flow > 0.0 else w - h) if moment.flow < 0.0 or mu > 0.0 else 0.0
                 for w, h, mu in zip(weights.tolist(), moment.holdings.tolist(), moment.benchmark.tolist(), strict=True)]  # fmt: skip
        worst = int(np.argmax(wrong))
        return Reading(self.name, wrong[worst], self.tolerance, self.tolerance - wrong[worst], moment.assets.label(worst))

    def loosened(self, amount: float) -> CashMode:
        """Return the rule with its tolerance wider by `amount`."""
        return replace(self, tolerance=self.tolerance + amount)


def _reach(rule: TradeLiquidity | HoldingLiquidity, a_day: Float[ndarray, " n"]) -> Float[ndarray, " n"]:
    """Return what the limit allows, in weight: without volume nothing, and under a soft rule anything, since no excess could be counted in volumes."""
    return np.where((a_day > 0.0) | (rule.penalty is None), rule.limit * a_day, np.inf)


def _largest(rule: TradeLiquidity | HoldingLiquidity, money: Float[ndarray, " n"], volume: Float[ndarray, " n"], value: float, moment: Moment) -> Reading:
    """Return the reading of the asset whose money exceeds its allowance by most, a weight of rounding (1e-9) aside."""
    excess = (money - rule.limit * volume) / value
    i = int(np.argmax(excess))
    if excess[i] <= 1e-9:  # what is rounding in weight may be many days' volume of a name that hardly trades
        shares = np.divide(money, volume, out=np.zeros(len(money)), where=volume > 0.0)
        i = int(np.argmax(np.where(volume > 0.0, shares, -1.0)))
        share = min(float(shares[i]), rule.limit)
    else:
        share = float(money[i] / volume[i]) if volume[i] > 0.0 else float("inf")
    return Reading(rule.name, share, rule.limit, rule.limit - share, moment.assets.label(i))
