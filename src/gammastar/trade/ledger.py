"""The ledger: frozen events, and positions as the fold over them.

An event moves quantities and cash; a quantity is of shares where the panel has as-traded prices, otherwise of units of each asset's
total-return index. The same events serve a backtest (in memory) and a book of real accounts.
"""

from __future__ import annotations

__all__ = ["Dividends", "Event", "Fills", "Opening", "Positions", "Splits", "apply_event", "fold"]

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jaxtyping import Float, Int
    from numpy import ndarray


@dataclass(frozen=True, eq=False)
class Positions:
    """Quantities of the n assets, and cash in money."""

    quantity: Float[ndarray, " n"]
    cash: float

    def values(self, prices: Float[ndarray, "*t n"]) -> Float[ndarray, "*t n1"]:
        """Return the money in each asset at `prices` of one session, or of each of several, cash last, shape (n+1,) or (t, n+1)."""
        money = np.empty((*prices.shape[:-1], len(self.quantity) + 1))
        np.multiply(self.quantity, prices, out=money[..., :-1])
        money[..., -1] = self.cash
        return money


@dataclass(frozen=True, eq=False)
class Opening:
    """An account opened with holdings and cash, free of cost."""

    session: np.datetime64
    quantity: Float[ndarray, " n"]
    cash: float


@dataclass(frozen=True, eq=False)
class Fills:
    """Trades of one close.

    Args:
        session: of the trade.
        columns: assets traded, shape (m,).
        quantity: bought (positive) or sold (negative), shape (m,).
        price: per unit, shape (m,).
        cost: money paid for each trade, shape (m,).
    """

    session: np.datetime64
    columns: Int[ndarray, " m"]
    quantity: Float[ndarray, " m"]
    price: Float[ndarray, " m"]
    cost: Float[ndarray, " m"]


@dataclass(frozen=True, eq=False)
class Splits:
    """New shares for each old one, effective before the close of `session`."""

    session: np.datetime64
    columns: Int[ndarray, " m"]
    ratio: Float[ndarray, " m"]


@dataclass(frozen=True, eq=False)
class Dividends:
    """Money received for holdings that went ex before the close of `session`."""

    session: np.datetime64
    columns: Int[ndarray, " m"]
    amount: Float[ndarray, " m"]


Event = Opening | Fills | Splits | Dividends


def apply_event(positions: Positions, event: Event) -> Positions:
    """Return the positions after one event."""
    match event:
        case Opening():
            return Positions(positions.quantity + event.quantity, positions.cash + event.cash)
        case Fills():
            quantity = positions.quantity.copy()
            quantity[event.columns] += event.quantity
            paid = float(event.quantity @ event.price) + float(event.cost.sum())
            return Positions(quantity, positions.cash - paid)
        case Splits():
            quantity = positions.quantity.copy()
            quantity[event.columns] *= event.ratio
            return Positions(quantity, positions.cash)
        case Dividends():
            return Positions(positions.quantity, positions.cash + float(event.amount.sum()))


def fold(events: Iterable[Event], *, assets: int) -> Positions:
    """Return the positions of an account from all its events, starting with nothing in any of `assets` columns."""
    return reduce(apply_event, events, Positions(np.zeros(assets), 0.0))
