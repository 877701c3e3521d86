"""Costs of trading, charged self-financing and exactly."""

from __future__ import annotations

__all__ = ["TradeCost", "self_financing"]

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from numpy import ndarray


@dataclass(frozen=True, eq=False)
class TradeCost:
    """What trades cost, as a fraction of the portfolio's value: convex, and separate for each asset.

    For a trade ``x = w - held``::

        cost_i(x) = buy_i x^+ + sell_i x^- + sum_j extra_ji (abs(x) - from_ji)^+ + impact_i abs(x)^exponent

    Args:
        buy: rate of buying, a fraction of the traded value, shape (n,), not negative.
        sell: rate of selling, shape (n,).
        steps: pairs (from, extra), each of shape (n,): the rate rises by `extra` beyond a trade of the weight `from`.
        impact: coefficient of the power term, shape (n,), or None.
        exponent: of the power term, above 1: 1.5 is the square-root law of price impact.

    Raises:
        ValueError: a negative rate, or an exponent that is not above 1.
    """

    buy: Float[ndarray, " n"]
    sell: Float[ndarray, " n"]
    steps: tuple[tuple[Float[ndarray, " n"], Float[ndarray, " n"]], ...] = ()
    impact: Float[ndarray, " n"] | None = None
    exponent: float = 1.5

    def __post_init__(self) -> None:
        sell = () if self.sell is self.buy else (self.sell,)
        rates = (self.buy, *sell, *(extra for _, extra in self.steps), *(() if self.impact is None else (self.impact,)))
        if any(not (rate >= 0.0).all() for rate in rates):
            raise ValueError("rates of cost must not be negative: the cost would not be convex")
        if not self.exponent > 1.0:
            raise ValueError(f"the exponent of impact must be above 1, got {self.exponent}")

    @classmethod
    def proportional(cls, rate: float, n: int) -> TradeCost:
        """Return the cost of `rate` of the traded value, for buying and selling alike."""
        return cls(np.full(n, rate), np.full(n, rate))

    @property
    def free(self) -> bool:
        """Whether no trade costs anything."""
        return self.linear and not self.buy.any() and not self.sell.any()

    @property
    def linear(self) -> bool:
        """Whether costs are proportional to the traded value."""
        no_steps = all(not extra.any() for _, extra in self.steps)
        return no_steps and (self.impact is None or not self.impact.any())

    def take(self, columns: Int[ndarray, " m"]) -> TradeCost:
        """Return the costs of the assets at `columns`."""
        steps = tuple((start[columns], extra[columns]) for start, extra in self.steps)
        return TradeCost(self.buy[columns], self.sell[columns], steps, None if self.impact is None else self.impact[columns], self.exponent)

    def with_cash(self) -> TradeCost:
        """Return the costs with cash added as the last asset, traded free."""
        steps = tuple((np.append(start, 0.0), np.append(extra, 0.0)) for start, extra in self.steps)
        impact = None if self.impact is None else np.append(self.impact, 0.0)
        return TradeCost(np.append(self.buy, 0.0), np.append(self.sell, 0.0), steps, impact, self.exponent)

    def of(self, trade: Float[ndarray, " n"]) -> Float[ndarray, " n"]:
        """Return the cost of each asset's trade, a fraction of the portfolio's value, shape (n,)."""
        size = np.abs(trade)
        cost = np.where(trade > 0.0, self.buy, self.sell) * size
        for start, extra in self.steps:
            cost = cost + extra * np.maximum(size - start, 0.0)
        return np.asarray(cost if self.impact is None else cost + self.impact * size**self.exponent)

    def marginal(self, trade: Float[ndarray, " n"]) -> tuple[Float[ndarray, " n"], Float[ndarray, " n"]]:
        """Return the derivatives of cost to the left and to the right of each trade, shapes (n,)."""
        size = np.abs(trade)
        slope = np.zeros(len(trade)) if self.impact is None else self.impact * self.exponent * size ** (self.exponent - 1.0)
        outward, inward = slope.copy(), slope.copy()  # towards larger and towards smaller trades
        for start, extra in self.steps:
            outward, inward = outward + extra * (size >= start), inward + extra * (size > start)
        left = np.where(trade > 0.0, self.buy + inward, -(self.sell + outward))
        right = np.where(trade >= 0.0, self.buy + outward, -(self.sell + inward))
        return np.asarray(left), np.asarray(right)

    def scaled(self, factor: float) -> TradeCost:
        """Return `factor` times the cost."""
        if factor == 1.0:
            return self
        steps = tuple((start, extra * factor) for start, extra in self.steps)
        return replace(self, buy=self.buy * factor, sell=self.sell * factor, steps=steps, impact=None if self.impact is None else self.impact * factor)


def self_financing(psi: Float[ndarray, " n"], target: Float[ndarray, " n"], cost: Float[ndarray, " n"] | TradeCost) -> float:
    """Return ``c = V_new / V``: what is left of the value V after trading the holdings `psi` to the weights `target` and paying for it.

    The root of ``c + sum_i cost_i(c t_i - psi_i / V) = 1``, increasing in c. Under proportional costs it is piecewise linear: the breakpoints are
    sorted and the right piece is solved exactly. Steps and impact are solved by bracketing, to rounding.

    Args:
        psi: holdings in money, shape (n,), cash among them.
        target: weights to reach, shape (n,), summing to one.
        cost: of trades as fractions of the value; an array is one proportional rate an asset, shape (n,), with ``sum cost_i t_i < 1``.

    Returns:
        c, above 0 and at most 1.

    Source: the self-financing condition of Ruf and Xie 2020.

    Raises:
        ValueError: no value, targets that do not sum to one, or costs that could eat the whole trade.

    >>> round(self_financing(np.array([60.0, 40.0]), np.array([0.5, 0.5]), np.array([0.01, 0.01])), 6)
    0.998
    """
    value = float(psi.sum())
    if not value > 0.0:
        raise ValueError(f"holdings must have a positive value, got {value}")
    if abs(float(target.sum()) - 1.0) > 1e-9:
        raise ValueError(f"target weights must sum to one, got {float(target.sum())}")
    charged = cost if isinstance(cost, TradeCost) else _proportional(cost)
    if not float(np.maximum(charged.buy, charged.sell) @ target) < 1.0:
        raise ValueError("costs must leave something of the trade")
    left = _left_of_proportional(psi / value, target, charged)
    return left if charged.linear else _left_of_convex(psi / value, target, charged, left)


def _proportional(rate: Float[ndarray, " n"]) -> TradeCost:
    if (rate < 0.0).any():
        raise ValueError("costs must not be negative, and must leave something of the trade")
    return TradeCost(rate, rate)


def _left_of_proportional(weight: Float[ndarray, " n"], target: Float[ndarray, " n"], cost: TradeCost) -> float:
    """Return the root under proportional costs; `weight` is what each asset has now."""
    held = target > 0.0
    buy, sell, wanted, present = cost.buy[held], cost.sell[held], target[held], weight[held]
    breakpoints = present / wanted  # below it the name is sold, above it bought
    order = np.argsort(breakpoints, kind="stable")
    at, turn = breakpoints[order], ((buy + sell) * wanted)[order]
    sold_out = float(cost.sell[~held] @ weight[~held])
    # on the piece above k breakpoints: those k names are bought, the others sold
    slopes = 1.0 - float(sell @ wanted) + np.concatenate(([0.0], np.cumsum(turn)))
    roots = (1.0 - sold_out - float(sell @ present) + np.concatenate(([0.0], np.cumsum(turn * at)))) / slopes
    piece = int(np.searchsorted(_excess_at(at, slopes[1:], roots[1:]), 0.0)) if len(at) else 0
    return float(min(roots[piece], 1.0))


def _left_of_convex(weight: Float[ndarray, " n"], target: Float[ndarray, " n"], cost: TradeCost, most: float) -> float:
    """Return the root under any convex cost; the root under its proportional part is the most it can be."""
    from scipy.optimize import brentq

    def excess(c: float) -> float:
        return c + float(cost.of(c * target - weight).sum()) - 1.0

    if excess(most) <= 0.0:
        return most
    low = 0.5 * most
    if excess(low) > 0.0:
        raise ValueError("costs must leave something of the trade")
    return float(brentq(excess, low, most, xtol=1e-16, rtol=8.9e-16, maxiter=200))


def _excess_at(at: Float[ndarray, " m"], slopes: Float[ndarray, " m"], roots: Float[ndarray, " m"]) -> Float[ndarray, " m"]:
    """Return the left side minus the right at each breakpoint (increasing)."""
    return np.asarray(slopes * (at - roots))
