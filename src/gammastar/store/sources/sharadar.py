"""Sharadar's tables of prices, daily metrics, actions, tickers and S&P 500 members, as CSV or Parquet from Nasdaq Data Link."""

from __future__ import annotations

__all__ = ["Sharadar"]

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from gammastar.store.findings import Findings
from gammastar.store.sources.bars import Bars, returns_table, total_returns
from gammastar.store.sources.delivery import Delivery
from gammastar.store.sources.implied import implied_splits
from gammastar.store.sources.membership import Spells, spells_from_changes
from gammastar.store.sources.sheet import Sheet, open_sheet
from gammastar.store.sources.snapshots import coded_texts, members_table, month_ends, standing_at, weights_from_values
from gammastar.store.sources.vendor_folder import find_table

if TYPE_CHECKING:
    from numpy import ndarray

_SEP = ("ticker", "date", "close", "closeadj", "closeunadj", "volume")
_LABELS = {"ticker": "ticker", "name": "name", "sector": "sector", "industry": "industry", "issuer": "secfilings"}
_CIK = re.compile(r"CIK=0*(\d+)", re.I)


@dataclass(frozen=True)
class Sharadar:
    """A folder with SEP, DAILY and TICKERS, and with SP500 and ACTIONS where there are any.

    Args:
        title: what the data is, in words.
        calendar: code of the exchange.
    """

    title: str = "Sharadar"
    calendar: str = "XNYS"

    def read(self, data: Path) -> Delivery:
        """Return members and returns: `permaticker` is the id, `closeadj` gives total returns, `marketcap` weights at month ends.

        With SP500 the members are those of the index, walked back from the current ones through additions and removals; without it they are
        all stocks that have a market capitalisation. It is the whole capitalisation, not float-adjusted: weights differ from the index's.

        Raises:
            DataError: a table or column is not there, or a value cannot be read.
        """
        folder, findings = Path(data), Findings()
        tickers = _tickers(open_sheet(find_table(folder, ("tickers",)), ("ticker", "permaticker"), findings))
        sheet = open_sheet(find_table(folder, ("sep",)), _SEP, findings, optional=())
        bars, adjusted = _bars(sheet, tickers)
        findings.stop_on_errors(str(folder))
        days = np.unique(bars.date)
        plain, _ = total_returns(bars, days)
        change = np.full(len(bars), np.nan)
        np.divide(adjusted, np.concatenate(([np.nan], adjusted[:-1])), out=change, where=np.isfinite(plain))
        returns = returns_table(bars, days, instead=change - 1.0)
        spells = self._spells(folder, tickers, findings)
        members = _members(folder, tickers, bars, spells, findings)
        actions = _actions(folder, tickers, bars, findings)
        findings.stop_on_errors(str(folder))
        return Delivery(self.title, members, returns, calendar=self.calendar, remarks=tuple(findings.found), actions=actions)

    def _spells(self, folder: Path, tickers: dict[str, tuple[str, ...]], findings: Findings) -> Spells | None:
        """Return who was in the S&P 500 when, None without the table; historical lists that differ are remarks."""
        path = find_table(folder, ("sp500",), needed=False)
        if path is None:
            findings.warn(folder.name, "index-absent", "there is no table SP500: the index is every stock with a market capitalisation")
            return None
        sheet = open_sheet(path, ("date", "action", "ticker"), findings)
        date, action, ticker = sheet.dates("date"), sheet.texts("action"), sheet.texts("ticker")
        rows = [(date[at], action.at(at).lower(), ticker.at(at)) for at in range(len(sheet))]
        known = {name: labels[0] for name, labels in tickers.items()}
        lost = sorted({name for _, _, name in rows if name not in known})
        if lost:
            findings.warn(sheet.file, "member-unknown", f"{len(lost)} tickers of SP500 are not in TICKERS and are left out ({', '.join(lost[:5])})", column="ticker", value=lost[0])
        current = {known[name] for _, word, name in rows if word == "current" and name in known}
        if not current:
            findings.add(sheet.file, "index-current", "there are no rows with action current, from which membership is walked back", column="action")
        changes = [(when, word, known[name]) for when, word, name in rows if word in {"added", "removed"} and name in known]
        spells, odd = spells_from_changes(current, changes)
        for when, word, who in odd[:5]:
            findings.warn(sheet.file, "member-change", f"{who} is {word} on {when}, which the changes after it contradict; passed over", column="action", value=word)
        for when in sorted({when for when, word, _ in rows if word == "historical"}):
            listed = {known[name] for day, word, name in rows if word == "historical" and day == when and name in known}
            apart = listed ^ spells.at(when)
            if apart:
                findings.warn(sheet.file, "member-list", f"the list of {when} and the changes differ in {len(apart)} names ({', '.join(sorted(apart)[:5])})", column="date", value=when)
        return spells


def _tickers(sheet: Sheet) -> dict[str, tuple[str, ...]]:
    """Return permaticker, ticker, name, sector, industry and issuer of each ticker of SEP. A ticker is one security: Sharadar renames the older ones."""
    columns = [sheet.texts(name) for name in ("permaticker", *_LABELS.values())]
    table, ticker = sheet.texts("table"), sheet.texts("ticker")
    found: dict[str, tuple[str, ...]] = {}
    for at in range(len(sheet)):
        if "table" in sheet and table.at(at) != "SEP":
            continue
        *labels, filings = (column.at(at) for column in columns)
        company = _CIK.search(filings)  # share classes of one company have one number at the SEC
        told = (*labels, f"CIK {company[1]}" if company else "")
        if found.get(ticker.at(at), told)[0] != told[0]:
            sheet.findings.add(sheet.file, "id-ambiguous", "the ticker has two permatickers", column="permaticker", value=told[0], row=int(sheet.rows[at]))
        found[ticker.at(at)] = told
    return found


def _bars(sheet: Sheet, tickers: dict[str, tuple[str, ...]]) -> tuple[Bars, ndarray]:
    """Return bars as traded by permaticker, and the adjusted close of each."""
    coded, date = sheet.texts("ticker"), sheet.dates("date")
    known = np.array([*(name in tickers for name in coded.values), False])[coded.codes]
    sheet.note("id-unknown", "have a ticker that is not in TICKERS and are left out", "ticker", ~known, coded)
    names = tuple(dict.fromkeys(tickers[name][0] for name in coded.values if name in tickers))
    position = {name: code for code, name in enumerate(names)}
    code = np.array([*(position[tickers[name][0]] if name in tickers else -1 for name in coded.values), -1])[coded.codes]
    close, traded, adjusted = (sheet.numbers(name) for name in ("close", "closeunadj", "closeadj"))
    good = known & (close > 0.0) & (traded > 0.0) & (adjusted > 0.0) & ~np.isnat(date)
    sheet.note("price-not-positive", "have no price above zero and are left out", "close", known & ~good)
    order = sheet.ordered(code, date, good, "ticker")
    split = implied_splits(code[order], traded[order], close[order])
    volume = (sheet.numbers("volume") * close / np.where(traded > 0.0, traded, np.nan))[order]  # SEP counts it in shares of today
    bars = Bars.sorted(names, {"asset": code[order], "date": date[order], "close": traded[order], "split": split, "volume": volume})
    return bars, adjusted[order]


def _members(folder: Path, tickers: dict[str, tuple[str, ...]], bars: Bars, spells: Spells | None, findings: Findings) -> Any:
    """Return the table of members: market capitalisation at month ends, as shares of their sum."""
    sheet = open_sheet(find_table(folder, ("daily",)), ("ticker", "date", "marketcap"), findings, optional=())
    coded, date, value = sheet.texts("ticker"), sheet.dates("date"), sheet.numbers("marketcap")
    ids = tuple(tickers[name][0] if name in tickers else "" for name in coded.values)
    order = sheet.ordered(coded.codes, date, (value > 0.0) & np.array([*(bool(name) for name in ids), False])[coded.codes] & ~np.isnat(date), "ticker")
    at, end = standing_at(coded.codes[order], date[order], month_ends(np.unique(bars.date)))
    at = order[at]
    if spells is not None:
        keep = spells.contain(ids, coded.codes[at], end)
        at, end = at[keep], end[keep]
    if not len(at):
        findings.add(sheet.file, "members-absent", "no member has a market capitalisation at a month's end: do DAILY and SEP cover the same dates?", column="marketcap")
        return members_table(np.zeros(0, "datetime64[D]"), pa.array([], pa.string()), np.zeros(0))
    labels = {name: pa.array([tickers[coded.values[code]][1 + k] or None for code in coded.codes[at].tolist()], pa.string()) for k, name in enumerate(_LABELS)}
    return members_table(end, coded_texts(coded.codes[at], ids), weights_from_values(end, value[at]), price=_closes(bars, ids, coded.codes[at], end), **labels)


def _closes(bars: Bars, ids: tuple[str, ...], codes: ndarray, end: ndarray) -> Any:
    """Return the close as traded of each member at its month's end, or the last one before it."""
    position = {name: code for code, name in enumerate(bars.assets)}
    asset = np.array([*(position.get(name, -1) for name in ids), -1])[codes]
    key = bars.asset * 200_000 + bars.date.astype(np.int64)
    at = np.searchsorted(key, asset * 200_000 + end.astype(np.int64), side="right") - 1
    there = (at >= 0) & (bars.asset[at] == asset)
    return pa.array(np.where(there, bars.close[at], np.nan), from_pandas=True)


def _actions(folder: Path, tickers: dict[str, tuple[str, ...]], bars: Bars, findings: Findings) -> Any:
    """Return ACTIONS under our ids, to look at, None without the table; splits that the prices do not show are remarks."""
    path = find_table(folder, ("actions",), needed=False)
    if path is None:
        return None
    sheet = open_sheet(path, ("date", "action", "ticker", "value"), findings)
    date, action, ticker, value = sheet.dates("date"), sheet.texts("action"), sheet.texts("ticker"), sheet.numbers("value")
    ids = [tickers.get(ticker.at(at), ("",))[0] for at in range(len(sheet))]
    split = np.array([*(word.lower() == "split" for word in action.values), False])[action.codes]
    for at in np.flatnonzero(split & np.isfinite(value)).tolist():
        row = bars.find(ids[at], date[at])
        if row is not None and abs(bars.split[row] / value[at] - 1.0) > 0.01:
            message = f"ACTIONS has a split of {value[at]:g}, the prices one of {bars.split[row]:g}"
            findings.warn(sheet.file, "split-differs", message, column="value", row=int(sheet.rows[at]), value=f"{value[at]:g}")
    words = pa.array([action.at(at) for at in range(len(sheet))])
    return pa.table({"date": pa.array(date), "asset": pa.array(ids), "action": words, "value": pa.array(value, from_pandas=True)})
