"""Bars of any vendor as traded, with the dividends and splits beside them."""

from __future__ import annotations

__all__ = ["RawBars", "read_bars"]

from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - a setting's type is asked for when people type it
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from gammastar.store.findings import Findings
from gammastar.store.sources.action_table import ActionTable, read_actions
from gammastar.store.sources.adjusted import against_adjusted
from gammastar.store.sources.bars import Bars, returns_table, total_returns
from gammastar.store.sources.delivery import Delivery
from gammastar.store.sources.members_file import read_members, rename_assets
from gammastar.store.sources.sheet import Sheet, open_sheet
from gammastar.store.sources.snapshots import IndexWeights, coded_texts, members_table, weights_from_bars

if TYPE_CHECKING:
    from numpy import ndarray

_TOLD = 20  # rows of one kind that are listed one by one


@dataclass(frozen=True)
class RawBars:
    """Bars as traded: a CSV or Parquet file, or a table, with a row for each asset and session.

    Args:
        date, asset, close, dividend, split, volume, adjusted: the file's names of the columns; the last four may be absent.
        actions: file of further corporate actions (docs/sources.md): spin-offs, mergers, delistings, and any dividend or split the bars lack.
        weights: what index the names make, where `members` is not given.
        members: file of index weights in the layout of members (docs/dataset.md).
        matches: reviewed file of `gammastar data match` that says which asset of `members` each vendor's name is.
        title: what the data is, in words; default the file's name.
        calendar: code of the exchange.
    """

    date: str = "date"
    asset: str = "ticker"
    close: str = "close"
    dividend: str = "dividend"
    split: str = "split"
    volume: str = "volume"
    adjusted: str = "adj_close"
    actions: Path | None = None
    weights: IndexWeights = IndexWeights.EQUAL
    members: Path | None = None
    matches: Path | None = None
    title: str = ""
    calendar: str = "XNYS"

    def read(self, data: Any) -> Delivery:
        """Return members and returns made from the bars of a file or table.

        Where the file has an adjusted close too, each day's return is held against it. A return that differs by more than 1e-4 is a
        remark, and is stored as estimated with the adjusted series' value: it counts in the accounts and in no estimate of risk. So is the
        return that follows it, with its own value, for it starts from the same doubtful close.

        Raises:
            DataError: the file cannot be read, or a row of it is impossible.
        """
        findings = Findings()
        sheet = open_sheet(data, (self.date, self.asset, self.close), findings, optional=(self.dividend, self.split, self.volume, self.adjusted))
        bars, order = read_bars(sheet, self)
        findings.stop_on_errors(sheet.file)
        told = ActionTable("", ()) if self.actions is None else read_actions(self.actions)
        bars = told.applied(bars)
        days = np.unique(bars.date)
        doubted, instead = self._held_against_adjusted(bars, days, sheet, order)
        returns = returns_table(bars, days, estimated=doubted, instead=instead)
        if self.members is None:
            at, end, weight = weights_from_bars(bars, days, self.weights)
            ids = coded_texts(bars.asset[at], bars.assets)
            members = members_table(end, ids, weight, ticker=pa.array(told.tickers(bars.assets, bars.asset[at], end)), price=pa.array(bars.close[at]))
            findings.warn(sheet.file, "weights-made", f"the index has {self.weights.value} weights, which nobody publishes; give members = FILE for one that is")
        else:
            members = read_members(self.members)
        if self.matches is not None:
            returns = rename_assets(returns, self.matches)
        title = self.title or f"bars of {sheet.file}"
        return Delivery(title, members, returns, calendar=self.calendar, remarks=tuple(findings.found))

    def _held_against_adjusted(self, bars: Bars, days: ndarray, sheet: Sheet, order: ndarray) -> tuple[ndarray, ndarray]:
        """Return which rows the vendor's adjusted series contradicts, and what it says there; each is a remark."""
        doubted, instead = np.zeros(len(bars), dtype=bool), np.full(len(bars), np.nan)
        if self.adjusted not in sheet:
            return doubted, instead
        row = self._rows_of(bars, sheet, order)
        adjusted = np.where(row >= 0, sheet.numbers(self.adjusted)[row], np.nan)
        returns, _ = total_returns(bars, days)
        found = against_adjusted(bars, returns, adjusted)
        for place in found:
            doubted[place.row : place.row + 2], instead[place.row] = True, place.adjusted  # the next return starts from a doubtful close
        for place in found[:_TOLD]:
            line = int(sheet.rows[row[place.row]])
            sheet.findings.warn(sheet.file, "adjusted-differs", str(place), column=self.adjusted, row=line, value=f"{place.adjusted:.6g}")
        if len(found) > _TOLD:
            sheet.findings.warn(sheet.file, "adjusted-differs", f"and {len(found) - _TOLD:,} more rows", column=self.adjusted)
        return doubted, instead

    def _rows_of(self, bars: Bars, sheet: Sheet, order: ndarray) -> ndarray:
        """Return the row of the sheet of each bar, -1 for a payment that ends an asset and is no bar of the file."""
        if len(order) == len(bars) and not np.isfinite(bars.payout).any():
            return order
        key = sheet.texts(self.asset).codes.astype(np.int64)[order] * 200_000 + sheet.dates(self.date)[order].astype(np.int64)
        wanted = bars.asset * 200_000 + bars.date.astype(np.int64)
        at = np.minimum(np.searchsorted(key, wanted), len(key) - 1)
        return np.where((key[at] == wanted) & np.isnan(bars.payout), order[at], -1)


def read_bars(sheet: Sheet, names: RawBars) -> tuple[Bars, ndarray]:
    """Return bars sorted by asset and date, and the row of the sheet of each; what is wrong is noted.

    A close that is missing or not above zero is no bar; a split of 0 or nothing is none.
    """
    coded, date, close = sheet.texts(names.asset), sheet.dates(names.date), sheet.numbers(names.close)
    sheet.needed(names.asset, coded.codes < 0, "id-missing")
    sheet.needed(names.date, np.isnat(date), "date-missing")
    dividend, split = np.nan_to_num(sheet.numbers(names.dividend)), sheet.numbers(names.split)
    sheet.wrong("dividend-negative", "a dividend must not be negative", names.dividend, dividend < 0.0, dividend)
    sheet.wrong("split-negative", "a split must not be negative", names.split, split < 0.0, split)
    split = np.where(np.isnan(split) | (split == 0.0), 1.0, split)
    good = (close > 0.0) & (coded.codes >= 0) & ~np.isnat(date)
    sheet.note("price-not-positive", "have no close above zero and are no bars", names.close, ~(close > 0.0), close)
    order = sheet.ordered(coded.codes, date, good, names.asset)
    columns = {"asset": coded.codes.astype(np.int64), "date": date, "close": close, "dividend": dividend, "split": split, "volume": sheet.numbers(names.volume)}
    return Bars.sorted(coded.values, {name: values[order] for name, values in columns.items()}), order
