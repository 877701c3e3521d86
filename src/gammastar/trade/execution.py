"""Carrying out a trade: self-financing, exact, in fractions or in whole shares."""

from __future__ import annotations

__all__ = ["execute"]

from typing import TYPE_CHECKING

import numpy as np

from gammastar.core.costs import self_financing
from gammastar.trade.ledger import Fills, Positions

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy import ndarray


def execute(
    session: np.datetime64, positions: Positions, prices: Float[ndarray, " n"], target: Float[ndarray, " n1"], *, cost: float, whole: bool
) -> Fills:
    """Return the trades that take `positions` to the weights `target` and pay for themselves.

    Names whose target is their present weight are not touched; the cost is borne by those that are traded.

    Args:
        session: of the trade.
        positions: before it.
        prices: of one unit, shape (n,).
        target: weights, cash last, shape (n+1,), summing to one.
        cost: proportional cost, a fraction of the traded value.
        whole: trade whole units; what is over stays in cash.
    """
    money = positions.values(prices)
    value = float(money.sum())
    traded = np.abs(target * value - money) > 1e-15 * value
    traded[-1] = True  # cash, traded free, takes up the rounding
    wanted = money.copy()
    share = float(target[traded].sum())
    if share > 0.0 and traded[:-1].any():
        charges = np.full(int(traded.sum()), cost)
        charges[-1] = 0.0
        pool = money[traded]
        left = self_financing(pool, target[traded] / share, charges)
        wanted[traded] = left * float(pool.sum()) * (target[traded] / share)
    columns = np.flatnonzero(traded[:-1])
    at = prices[columns]
    quantity = wanted[columns] / at
    if whole:
        quantity = np.floor(quantity + 1e-9)
    change = quantity - positions.quantity[columns]
    if whole:
        change = _affordable(change, at, positions.cash, cost)
    kept = change != 0.0
    columns, change, at = columns[kept], change[kept], at[kept]
    return Fills(session, columns, change, at, cost * np.abs(change * at))


def _affordable(change: Float[ndarray, " m"], price: Float[ndarray, " m"], cash: float, cost: float) -> Float[ndarray, " m"]:
    """Return `change` with the dearest purchases cut by single shares until cash is not negative."""
    change = change.copy()
    for _ in range(10_000):
        left = cash - float(change @ price) - cost * float(np.abs(change) @ price)
        bought = np.flatnonzero(change > 0.0)
        if left >= 0.0 or len(bought) == 0:
            break
        dearest = bought[int(np.argmax(price[bought]))]
        change[dearest] -= min(change[dearest], max(1.0, np.ceil(-left / ((1.0 + cost) * price[dearest]))))
    return change
