"""Costs of trading, charged self-financing and exactly."""

from __future__ import annotations

__all__ = ["TradeCost", "self_financing"]

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float
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
        rates = (self.buy, self.sell, *(extra for _, extra in self.steps), *(() if self.impact is None else (self.impact,)))
        if any(not bool(np.all(rate >= 0.0)) for rate in rates):
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
        no_steps = all(not extra.any() for _, extra in self.steps)
        return not self.buy.any() and not self.sell.any() and no_steps and (self.impact is None or not self.impact.any())

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
        steps = tuple((start, extra * factor) for start, extra in self.steps)
        return replace(self, buy=self.buy * factor, sell=self.sell * factor, steps=steps, impact=None if self.impact is None else self.impact * factor)


def self_financing(psi: Float[ndarray, " n"], target: Float[ndarray, " n"], cost: Float[ndarray, " n"]) -> float:
    """Return ``c = V_new / V``: what is left of the value V after trading the holdings `psi` to the weights `target` and paying for it.

    The root of ``V c + sum_i cost_i abs(c V t_i - psi_i) = V``, piecewise linear and increasing in c: the breakpoints are sorted and the
    right piece is solved exactly.

    Args:
        psi: holdings in money, shape (n,), cash among them.
        target: weights to reach, shape (n,), summing to one.
        cost: cost of each asset as a fraction of the traded value, shape (n,), not negative, with ``sum cost_i t_i < 1``.

    Returns:
        c, above 0 and at most 1.

    Raises:
        ValueError: no value, targets that do not sum to one, or costs that could eat the whole trade.
    """
    value = float(psi.sum())
    if not value > 0.0:
        raise ValueError(f"holdings must have a positive value, got {value}")
    if abs(float(target.sum()) - 1.0) > 1e-9:
        raise ValueError(f"target weights must sum to one, got {float(target.sum())}")
    if (cost < 0.0).any() or not float(cost @ target) < 1.0:
        raise ValueError("costs must not be negative, and must leave something of the trade")
    held = target > 0.0
    per_unit, weight = cost[held] * target[held], psi[held] / value  # in units of the value: slope in c, and share now
    breakpoints = weight / target[held]
    order = np.argsort(breakpoints, kind="stable")
    slope, offset, at = per_unit[order], (cost[held] * weight)[order], breakpoints[order]
    sold_out = float(cost[~held] @ psi[~held]) / value
    # on the piece above k breakpoints: those k names are bought, the others sold
    bought_slope = np.concatenate(([0.0], np.cumsum(slope)))
    bought_offset = np.concatenate(([0.0], np.cumsum(offset)))
    slopes = 1.0 + 2.0 * bought_slope - bought_slope[-1]
    roots = (1.0 - sold_out + 2.0 * bought_offset - bought_offset[-1]) / slopes
    piece = int(np.searchsorted(_excess_at(at, slopes[1:], roots[1:]), 0.0)) if len(at) else 0
    return float(min(roots[piece], 1.0))


def _excess_at(at: Float[ndarray, " m"], slopes: Float[ndarray, " m"], roots: Float[ndarray, " m"]) -> Float[ndarray, " m"]:
    """Return the left side minus the right at each breakpoint (increasing)."""
    return np.asarray(slopes * (at - roots))
