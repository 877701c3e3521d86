"""Carrying out a trade: self-financing, exact, in fractions or in whole shares."""

from __future__ import annotations

__all__ = ["execute"]

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gammastar.core.costs import TradeCost, self_financing
from gammastar.trade.ledger import Fills, Positions

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy import ndarray


def execute(
    session: np.datetime64, positions: Positions, prices: Float[ndarray, " n"], target: Float[ndarray, " n1"], *, cost: TradeCost | float, whole: bool
) -> Fills:
    """Return the trades that take `positions` to the weights `target` and pay for themselves.

    Names whose target is their present weight are not touched; the cost is borne by those that are traded.

    Args:
        session: of the trade.
        positions: before it.
        prices: of one unit, shape (n,).
        target: weights, cash last, shape (n+1,), summing to one.
        cost: of trades, fractions of the portfolio's value; a number is one proportional rate for all.
        whole: trade whole units; what is over stays in cash.
    """
    charged = cost if isinstance(cost, TradeCost) else TradeCost.proportional(cost, len(prices))
    money = positions.values(prices)
    value = float(money.sum())
    traded = np.abs(target * value - money) > 1e-15 * value
    traded[-1] = True  # cash, traded free, takes up the rounding
    wanted = money.copy()
    share = float(target[traded].sum())
    if share > 0.0 and traded[:-1].any():
        pool = money[traded]
        # costs are fractions of the whole value; the pool pays for itself in fractions of its own
        left = self_financing(pool, target[traded] / share, _of_pool(charged.with_cash().take(np.flatnonzero(traded)), float(pool.sum()) / value))
        wanted[traded] = left * float(pool.sum()) * (target[traded] / share)
    columns = np.flatnonzero(traded[:-1])
    at = prices[columns]
    quantity = wanted[columns] / at
    if whole:
        quantity = np.floor(quantity + 1e-9)
    change = quantity - positions.quantity[columns]
    paid = _Charge(charged.take(columns), at, value)
    if whole:
        change = _affordable(change, at, positions.cash, paid)
    kept = change != 0.0
    return Fills(session, columns[kept], change[kept], at[kept], paid(change)[kept])


def _of_pool(cost: TradeCost, share: float) -> TradeCost:
    """Return a cost stated for a part of the portfolio that is `share` of it: of trades in fractions of the part, in fractions of the part."""
    steps = tuple((start / share, extra) for start, extra in cost.steps)
    impact = None if cost.impact is None else cost.impact * share ** (cost.exponent - 1.0)
    return TradeCost(cost.buy, cost.sell, steps, impact, cost.exponent)


@dataclass(frozen=True, eq=False)
class _Charge:
    """What changes in units cost in money."""

    cost: TradeCost
    price: Float[ndarray, " m"]
    value: float

    def __call__(self, change: Float[ndarray, " m"]) -> Float[ndarray, " m"]:
        return self.cost.of(change * self.price / self.value) * self.value


def _affordable(change: Float[ndarray, " m"], price: Float[ndarray, " m"], cash: float, paid: _Charge) -> Float[ndarray, " m"]:
    """Return `change` with the dearest purchases cut by single shares until cash is not negative."""
    change = change.copy()
    for _ in range(10_000):
        left = cash - float(change @ price) - float(paid(change).sum())
        bought = np.flatnonzero(change > 0.0)
        if left >= 0.0 or len(bought) == 0:
            break
        dearest = bought[int(np.argmax(price[bought]))]
        change[dearest] -= min(change[dearest], max(1.0, np.ceil(-left / price[dearest] / (1.0 + float(paid.cost.buy[dearest])))))
    return change
