"""CSV exported from Norgate Data: a file a security, named by its symbol, with prices adjusted for total return."""

from __future__ import annotations

__all__ = ["NorgateCsv"]

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from gammastar.errors import DataError, Finding
from gammastar.store.findings import Findings
from gammastar.store.sources.bars import Bars, returns_table, total_returns
from gammastar.store.sources.delivery import Delivery
from gammastar.store.sources.implied import nearest_ratio
from gammastar.store.sources.sheet import open_sheet
from gammastar.store.sources.snapshots import IndexWeights, coded_texts, members_table, weights_from_bars

_COLUMNS = ("date", "close", "unadjusted close", "dividend")
_SMALLEST_SPLIT = 0.02  # a total return that misses its price and dividend by less is rounding


@dataclass(frozen=True)
class NorgateCsv:
    """A folder of CSV files, ``AAPL.csv``; delisted securities carry their last month, ``AABA-201910.csv``, so a symbol is one security.

    Columns: Date, Open, High, Low, Close, Volume, Turnover, Unadjusted Close, Dividend and, where the index is exported too, Index Constituent (1 or 0).
    The price adjustment of the export must be TOTALRETURN.

    Args:
        weights: what index the constituents make; Norgate has no capitalisation.
        title: what the data is, in words.
        calendar: code of the exchange.
    """

    weights: IndexWeights = IndexWeights.EQUAL
    title: str = "Norgate Data"
    calendar: str = "XNYS"

    def read(self, data: Path) -> Delivery:
        """Return members and returns: the change of Close is the total return, Unadjusted Close the price as traded.

        The split of a session is what return, price and dividend imply, where it is 2% or more from one.

        Raises:
            DataError: no file, a column that is not there, or prices that were exported without adjustment.
        """
        folder, findings = Path(data), Findings()
        files = sorted(folder.glob("*.csv"))
        if not files:
            raise DataError(str(folder), "there is no exported file", findings=(Finding(folder.name, "file-absent", "no *.csv in the folder"),), advice="give the folder of the export")
        parts: dict[str, list[np.ndarray]] = {name: [] for name in ("asset", "date", "close", "dividend", "volume", "adjusted", "member")}
        for code, path in enumerate(files):
            sheet = open_sheet(path, _COLUMNS, findings)
            date, close, traded = sheet.dates("date"), sheet.numbers("close"), sheet.numbers("unadjusted close")
            order = sheet.ordered(np.zeros(len(sheet), dtype=np.int64), date, (close > 0.0) & (traded > 0.0) & ~np.isnat(date), "date")
            member = sheet.numbers("index constituent") > 0.0 if "index constituent" in sheet else np.ones(len(sheet), dtype=bool)
            told = {"asset": np.full(len(sheet), code), "date": date, "close": traded, "dividend": np.nan_to_num(sheet.numbers("dividend")), "volume": sheet.numbers("turnover") / traded, "adjusted": close, "member": member}
            for name, values in told.items():
                parts[name].append(values[order])
        findings.stop_on_errors(str(folder))
        columns = {name: np.concatenate(values) for name, values in parts.items()}
        member, adjusted = columns.pop("member"), columns.pop("adjusted")
        bars = _with_splits(Bars.sorted(tuple(path.stem for path in files), columns), adjusted, folder)
        days = np.unique(bars.date)
        at, end, weight = weights_from_bars(bars, days, self.weights, among=member)
        findings.warn(folder.name, "weights-made", f"the index has {self.weights.value} weights: Norgate publishes who is in, not with what weight")
        ids = coded_texts(bars.asset[at], bars.assets)
        members = members_table(end, ids, weight, ticker=ids, price=pa.array(bars.close[at]))
        return Delivery(self.title, members, returns_table(bars, days, instead=_change(bars, adjusted, days)), calendar=self.calendar, remarks=tuple(findings.found))


def _change(bars: Bars, adjusted: np.ndarray, days: np.ndarray) -> np.ndarray:
    change = np.full(len(bars), np.nan)
    np.divide(adjusted, np.concatenate(([np.nan], adjusted[:-1])), out=change, where=np.isfinite(total_returns(bars, days)[0]))
    return change - 1.0


def _with_splits(bars: Bars, adjusted: np.ndarray, folder: Path) -> Bars:
    """Return bars with the splits that make price and dividend agree with the total return.

    Raises:
        DataError: no dividend is in the adjusted prices: the export was not adjusted.
    """
    same = np.concatenate(([False], bars.asset[1:] == bars.asset[:-1]))
    paid = same & (bars.dividend > 0.0)
    if paid.any() and np.array_equal(adjusted, bars.close):
        finding = Finding(folder.name, "not-adjusted", "Close equals Unadjusted Close although dividends were paid")
        raise DataError(str(folder), "the prices were exported without adjustment", findings=(finding,), allowed="price adjustment TOTALRETURN", advice="export again")
    gross = np.where(same, adjusted / np.concatenate(([1.0], adjusted[:-1])), 1.0)
    ratio = np.where(same, gross * np.concatenate(([1.0], bars.close[:-1])) / (bars.close + bars.dividend), 1.0)
    cut = np.abs(ratio - 1.0) > _SMALLEST_SPLIT
    split = np.ones(len(bars))
    split[cut] = [nearest_ratio(value) for value in ratio[cut].tolist()]
    return Bars(bars.assets, bars.asset, bars.date, bars.close, bars.dividend, split, bars.volume, bars.payout)
