"""Bars as traded, corporate actions, and the total returns that follow from both.

One old share is worth, at the close of a session on which it splits into `s` shares that each pay `d`,

    s (P + d),    so that    r = s (P + d) / P_before - 1.

The dividend is that of a share as counted after the split of the same session; this is how vendors of raw bars publish it (docs/sources.md).
"""

from __future__ import annotations

__all__ = ["Bars", "returns_table", "total_returns"]

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from gammastar.market.actions import CashDividend, Delisting, Merger, SpinOff, StockSplit, TickerChange
from gammastar.store.sources.delivery import TotalLoss

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy import ndarray

    from gammastar.market.actions import Action

LONGEST_GAP = 5
"""Sessions without a bar over which a return still reaches; after as many a name counts as sold at its last price (docs/dataset.md)."""


@dataclass(frozen=True, eq=False)
class Bars:
    """Bars as traded, one row an asset on a session, sorted by asset and date.

    Args:
        assets: ids.
        asset: position in `assets`, shape (m,).
        date: days, shape (m,).
        close: as traded, NaN on a session on which only a payment ends the asset, shape (m,).
        dividend: money for one share, counted after a split of the same session, shape (m,).
        split: new shares for one old one, shape (m,).
        volume: shares traded, NaN where not known, shape (m,).
        payout: what one old share is worth where it ends, NaN elsewhere, shape (m,).

    Raises:
        ValueError: rows that are not sorted, or an asset twice on a date.
    """

    assets: tuple[str, ...]
    asset: ndarray
    date: ndarray
    close: ndarray
    dividend: ndarray
    split: ndarray
    volume: ndarray
    payout: ndarray

    def __post_init__(self) -> None:
        same = self.asset[1:] == self.asset[:-1]
        if not bool(np.all((self.asset[1:] > self.asset[:-1]) | (same & (self.date[1:] > self.date[:-1])))):
            raise ValueError("bars must be sorted by asset and date, each date of an asset once")

    def __len__(self) -> int:
        return len(self.asset)

    @classmethod
    def sorted(cls, assets: tuple[str, ...], columns: dict[str, ndarray]) -> Bars:
        """Return bars from columns in any order; `dividend`, `split`, `volume` and `payout` may be absent."""
        count = len(columns["asset"])
        defaults = {"dividend": 0.0, "split": 1.0, "volume": np.nan, "payout": np.nan}
        filled = {**{name: np.full(count, value) for name, value in defaults.items()}, **columns}
        order = np.lexsort((filled["date"], filled["asset"]))
        if not np.array_equal(order, np.arange(count)):
            filled = {name: values[order] for name, values in filled.items()}
        return cls(assets, **filled)

    def find(self, asset: str, date: np.datetime64) -> int | None:
        """Return the row of the first bar of an asset on or after a date, None if there is none."""
        code = self.assets.index(asset) if asset in self.assets else -1
        low, high = np.searchsorted(self.asset, [code, code + 1])
        at = int(low + np.searchsorted(self.date[low:high], date))
        return at if code >= 0 and at < high else None

    def with_actions(self, actions: Iterable[Action]) -> Bars:
        """Return the bars with what `actions` give to holders; an action on a day without a bar takes effect at the next one.

        Raises:
            ValueError: an action that no bar can carry, or shares of an asset that has no price then.
        """
        told = sorted(actions, key=lambda action: (not isinstance(action, StockSplit), action.date))
        if not told:
            return self
        bars = replace(self, dividend=self.dividend.copy(), split=self.split.copy(), payout=self.payout.copy())
        ends = [action for action in told if isinstance(action, Merger | Delisting)]
        for action in told:
            if isinstance(action, TickerChange | Merger | Delisting):
                continue
            at = bars.find(action.asset, action.date)
            if at is None:
                raise ValueError(f"{action.asset} has no bar on or after {action.date}, when {type(action).__name__} takes effect")
            match action:
                case StockSplit():
                    bars.split[at] *= action.ratio
                case CashDividend():
                    bars.dividend[at] += action.amount
                case SpinOff():
                    price = bars.price_of(action.child, bars.date[at]) if action.price is None else action.price
                    bars.dividend[at] += action.ratio * price
        return bars.ended(ends)

    def price_of(self, asset: str, date: np.datetime64) -> float:
        """Return the close of an asset on a date.

        Raises:
            ValueError: it has none.
        """
        at = self.find(asset, date)
        if at is None or self.date[at] != date or not np.isfinite(self.close[at]):
            raise ValueError(f"{asset} has no close on {date}, and its shares are given then: give the price with the action")
        return float(self.close[at])

    def ended(self, ends: list[Merger | Delisting]) -> Bars:
        """Return the bars with the last payments, and without what is dated later than they are.

        Raises:
            ValueError: an asset without a bar before its end, or shares of an acquirer that has no price then.
        """
        keep, more = np.ones(len(self), dtype=bool), []
        for action in ends:
            at, code = self.find(action.asset, action.date), self.assets.index(action.asset) if action.asset in self.assets else -1
            low, high = np.searchsorted(self.asset, [code, code + 1])
            before = int(low + np.searchsorted(self.date[low:high], action.date)) - 1
            if code < 0 or (before < low and at is None):
                raise ValueError(f"{action.asset} has no bar before {action.date}, when {type(action).__name__} ends it")
            there = at is not None and self.date[at] == action.date
            worth = self.split[at] * (self.close[at] + self.dividend[at]) if there else self.close[before]
            payout = worth * (1.0 + action.value) if isinstance(action, Delisting) else self._paid(action)
            if there:
                self.payout[at] = payout
            else:
                more.append((code, action.date, payout))
            keep[low:high] &= self.date[low:high] <= action.date
        kept = {name: getattr(self, name)[keep] for name in ("asset", "date", "close", "dividend", "split", "volume", "payout")}
        if more:
            added = {"asset": [code for code, _, _ in more], "date": [date for _, date, _ in more], "payout": [payout for _, _, payout in more]}
            blank = {"close": np.nan, "dividend": 0.0, "split": 1.0, "volume": np.nan}
            filled = {**{name: np.full(len(more), value) for name, value in blank.items()}, **added}
            kept = {name: np.concatenate((values, np.array(filled[name], dtype=values.dtype))) for name, values in kept.items()}
        return Bars.sorted(self.assets, kept)

    def _paid(self, merger: Merger) -> float:
        shares = 0.0 if merger.acquirer is None else merger.ratio * self.price_of(merger.acquirer, merger.date)
        return merger.cash + shares


def total_returns(bars: Bars, days: ndarray) -> tuple[ndarray, ndarray]:
    """Return the total return of each row and over how many sessions it reaches.

    Args:
        bars: as traded.
        days: the sessions, increasing.

    Returns:
        Simple returns since the bar before, NaN at the first bar of an asset and after a gap of more than five sessions; and the number of
        sessions from the bar before, 0 at the first one. Shapes (m,).

    Raises:
        ValueError: a date that is no session.
    """
    session = np.searchsorted(days, bars.date)
    if len(bars) and (session.max() >= len(days) or not bool(np.all(days[session] == bars.date))):
        raise ValueError("every bar must be on one of the sessions")
    worth = np.where(np.isnan(bars.payout), bars.split * (bars.close + bars.dividend), bars.payout)
    before = np.concatenate(([np.nan], bars.close[:-1]))
    follows = np.concatenate(([False], bars.asset[1:] == bars.asset[:-1]))
    gap = np.where(follows, np.diff(session, prepend=0), 0)
    reached = follows & (gap <= LONGEST_GAP)
    returns = np.full(len(bars), np.nan)
    np.divide(worth, before, out=returns, where=reached)
    return returns - 1.0, gap


def returns_table(bars: Bars, days: ndarray, *, estimated: ndarray | None = None, instead: ndarray | None = None) -> Any:
    """Return the table of returns of docs/dataset.md.

    Sessions without a bar, up to four running, hold a return of 0 marked as estimated: the next bar's return then reaches over them, and the
    account neither misses nor doubles anything.

    Args:
        bars: as traded.
        days: the sessions, increasing.
        estimated: rows whose return is not to be believed, shape (m,).
        instead: their returns, shape (m,); NaN elsewhere.
    """
    returns, gap = total_returns(bars, days)
    if instead is not None:
        returns = np.where(np.isnan(instead), returns, instead)
    doubted = np.zeros(len(bars), dtype=bool) if estimated is None else estimated
    kept = np.flatnonzero(np.isfinite(returns))
    over = np.flatnonzero((gap > 1) & np.isfinite(returns))
    filled = np.repeat(over, gap[over] - 1)
    back = np.concatenate([np.arange(1, count) for count in gap[over]]) if len(over) else np.zeros(0, dtype=np.int64)
    session = np.searchsorted(days, bars.date)
    at = np.concatenate((kept, filled - 1))
    blank = np.zeros(len(filled))
    numbers = {
        "total_return": np.concatenate((np.maximum(returns[kept], TotalLoss), blank)),
        "price": np.where(np.isfinite(bars.close[at]), bars.close[at], bars.close[at - 1]),
        "split": np.concatenate((bars.split[kept], blank + 1.0)),
        "volume": np.concatenate((bars.volume[kept], blank)),
    }
    flags = np.concatenate((doubted[kept], np.ones(len(filled), dtype=bool)))
    dates = np.concatenate((bars.date[kept], days[session[filled] - back]))
    ids = pa.DictionaryArray.from_arrays(pa.array(bars.asset[at].astype(np.int32)), pa.array(bars.assets, pa.string()))
    columns = {name: pa.array(values, from_pandas=True) for name, values in numbers.items() if not bool(np.isnan(values).all())}
    return pa.table({"date": pa.array(dates), "asset_id": ids, **columns, "estimated": pa.array(flags)})
