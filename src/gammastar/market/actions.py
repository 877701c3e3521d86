"""Corporate actions as values: what a holder of one share gets, and on which session.

Each action takes effect before the close of `date`, the ex-date: who held the share at the close before has a claim to it. Amounts are money
for one share as it is counted at the close of `date`, after any split of that date.
"""

from __future__ import annotations

__all__ = ["Action", "CashDividend", "Delisting", "Merger", "SpinOff", "StockSplit", "TickerChange"]

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def _above_zero(name: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0.0):
        raise ValueError(f"{name} must be a finite number above zero, and is {value}")


def _not_negative(name: str, value: float) -> None:
    if not (math.isfinite(value) and value >= 0.0):
        raise ValueError(f"{name} must be a finite number, zero or more, and is {value}")


@dataclass(frozen=True)
class CashDividend:
    """Money for each share, ordinary or special, before tax.

    Raises:
        ValueError: an amount that is not above zero.
    """

    asset: str
    date: np.datetime64
    amount: float

    def __post_init__(self) -> None:
        _above_zero("a dividend", self.amount)


@dataclass(frozen=True)
class StockSplit:
    """`ratio` new shares for one old share: 2 is two for one, 0.1 a reverse split of one for ten.

    Raises:
        ValueError: a ratio that is not above zero.
    """

    asset: str
    date: np.datetime64
    ratio: float

    def __post_init__(self) -> None:
        _above_zero("a split", self.ratio)


@dataclass(frozen=True)
class SpinOff:
    """`ratio` shares of `child` for each share held.

    Args:
        asset: the parent.
        date: the ex-date.
        child: whose shares are given.
        ratio: for one share of the parent.
        price: of one share of the child at the close of `date`; None: its own close.

    Raises:
        ValueError: a ratio or price that is not above zero.
    """

    asset: str
    date: np.datetime64
    child: str
    ratio: float
    price: float | None = None

    def __post_init__(self) -> None:
        _above_zero("the ratio of a spin-off", self.ratio)
        if self.price is not None:
            _above_zero("the price of a spin-off", self.price)


@dataclass(frozen=True)
class Merger:
    """Each share becomes `cash` and `ratio` shares of `acquirer`, and is no more.

    Args:
        asset: what is taken over.
        date: the first session at whose close it is cash and shares of the acquirer.
        cash: for one share.
        acquirer: None in a merger for cash.
        ratio: shares of the acquirer for one share.

    Raises:
        ValueError: nothing is paid, or shares of nobody.
    """

    asset: str
    date: np.datetime64
    cash: float = 0.0
    acquirer: str | None = None
    ratio: float = 0.0

    def __post_init__(self) -> None:
        _not_negative("the cash of a merger", self.cash)
        _not_negative("the ratio of a merger", self.ratio)
        if self.cash == 0.0 and self.ratio == 0.0:
            raise ValueError("a merger pays cash, shares or both")
        if (self.ratio > 0.0) != (self.acquirer is not None):
            raise ValueError("a merger for shares names the acquirer and the ratio, one for cash neither")


@dataclass(frozen=True)
class TickerChange:
    """From `date` on the asset is called `ticker`. It is the same asset: no return, no new id."""

    asset: str
    date: np.datetime64
    ticker: str


@dataclass(frozen=True)
class Delisting:
    """The share is no more; `value` is the simple return from the close of `date`, or from the last one before it, to what holders got.

    Raises:
        ValueError: a return below -100%.
    """

    asset: str
    date: np.datetime64
    value: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.value) and self.value >= -1.0):
            raise ValueError(f"the return of a delisting must be -100% or more, and is {self.value}")


Action = CashDividend | StockSplit | SpinOff | Merger | TickerChange | Delisting
