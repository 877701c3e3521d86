"""What both layouts of CRSP's daily stock file have in common: capitalisation weights of index members, names by date, sectors from SIC codes."""

from __future__ import annotations

__all__ = ["CrspRows", "crsp_members", "crsp_returns", "index_level", "read_spells", "sic_division", "splits_from_factor"]

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from gammastar.store.sources.delivery import TotalLoss
from gammastar.store.sources.implied import nearest_ratio
from gammastar.store.sources.membership import Spells
from gammastar.store.sources.snapshots import coded_texts, members_table, month_ends, standing_at, weights_from_values

if TYPE_CHECKING:
    from numpy import ndarray

    from gammastar.store.sources.sheet import Sheet

_DIVISIONS = (
    (100, 999, "Agriculture"),
    (1000, 1499, "Mining"),
    (1500, 1799, "Construction"),
    (2000, 3999, "Manufacturing"),
    (4000, 4999, "Transport and utilities"),
    (5000, 5199, "Wholesale trade"),
    (5200, 5999, "Retail trade"),
    (6000, 6799, "Finance"),
    (7000, 8999, "Services"),
    (9100, 9729, "Public administration"),
)


@dataclass(frozen=True, eq=False)
class CrspRows:
    """The daily file, sorted by security and date.

    Args:
        assets: PERMNO as texts.
        asset: position in `assets`, shape (m,).
        date: days, shape (m,).
        price: as traded or the middle of bid and ask, NaN where there is none, shape (m,).
        total_return: NaN where there is none, shape (m,).
        split: new shares for one old one, shape (m,).
        volume: shares, shape (m,).
        capital: market value, in any unit, NaN where not known, shape (m,).
        estimated: returns that are an assumption, shape (m,).
    """

    assets: tuple[str, ...]
    asset: ndarray
    date: ndarray
    price: ndarray
    total_return: ndarray
    split: ndarray
    volume: ndarray
    capital: ndarray
    estimated: ndarray


def sic_division(code: float) -> str | None:
    """Return the division of the Standard Industrial Classification that a code is in, None where there is none.

    >>> sic_division(3571.0), sic_division(6021.0), sic_division(0.0)
    ('Manufacturing', 'Finance', None)
    """
    return next((name for low, high, name in _DIVISIONS if low <= code <= high), None)


def crsp_returns(rows: CrspRows) -> Any:
    """Return the table of returns of docs/dataset.md: rows with a return."""
    at = np.flatnonzero(np.isfinite(rows.total_return))
    same = np.concatenate(([False], rows.asset[1:] == rows.asset[:-1]))
    before = np.concatenate(([np.nan], rows.price[:-1]))
    price = np.where(np.isnan(rows.price) & same, before, rows.price)[at]  # the row of a delisting return has no price of its own
    numbers = {"total_return": np.maximum(rows.total_return[at], TotalLoss), "price": price, "split": rows.split[at], "volume": rows.volume[at]}
    columns = {name: pa.array(values, from_pandas=True) for name, values in numbers.items()}
    return pa.table({"date": pa.array(rows.date[at]), "asset_id": coded_texts(rows.asset[at], rows.assets), **columns, "estimated": pa.array(rows.estimated[at])})


def splits_from_factor(same: ndarray, factor: ndarray) -> ndarray:
    """Return new shares for one old one from a cumulative factor that adjusts shares to those of the last date."""
    ratio = np.where(same & (factor > 0.0), np.concatenate(([1.0], factor[:-1])) / np.where(factor > 0.0, factor, 1.0), 1.0)
    split = np.where(np.isfinite(ratio) & (ratio > 0.0), ratio, 1.0)
    cut = np.abs(split - 1.0) > 1e-6
    split[cut] = [nearest_ratio(value) for value in split[cut].tolist()]
    return np.where(cut, split, 1.0)


def read_spells(sheet: Sheet, first: str, last: str) -> Spells:
    """Return spells of membership from a list of PERMNO, start and end; an end that is missing is none yet."""
    ends = sheet.dates(last)
    coded = sheet.texts("permno")
    names = tuple(coded.at(at) for at in range(len(sheet)))
    return Spells(names, sheet.dates(first), np.where(np.isnat(ends), np.datetime64("2100-12-31", "D"), ends))


def index_level(sheet: Sheet, date: str, total_return: str) -> Any:
    """Return the table of the index of docs/dataset.md from daily total returns: a level that starts at 100."""
    days, earned = sheet.dates(date), sheet.numbers(total_return)
    order = np.argsort(days, kind="stable")
    order = order[~np.isnat(days[order])]
    return pa.table({"date": pa.array(days[order]), "level": pa.array(100.0 * np.cumprod(1.0 + np.nan_to_num(earned[order])))})


def crsp_members(rows: CrspRows, spells: Spells, names: Sheet, columns: dict[str, str]) -> Any:
    """Return the table of members: capitalisation at month ends over who is in a spell, as shares of their sum.

    Args:
        rows: the daily file.
        spells: of membership.
        names: the history of names, a row a spell of one name.
        columns: the sheet's names of `first`, `last`, `ticker`, `name`, `sic`, `issuer`.
    """
    known = np.flatnonzero(rows.capital > 0.0)
    at, end = standing_at(rows.asset[known], rows.date[known], month_ends(np.unique(rows.date)))
    keep = spells.contain(rows.assets, rows.asset[known[at]], end)
    at, end = known[at[keep]], end[keep]
    named = _names_at(rows, at, names, columns)
    sic = names.numbers(columns["sic"])
    labels = {name: names.texts(columns[name]) for name in ("ticker", "name", "issuer") if columns.get(name, "") in names}
    told: dict[str, Any] = {
        name: coded_texts(np.where(named >= 0, coded.codes[named], -1), coded.values) for name, coded in labels.items()
    }
    told["sector"] = pa.array([sic_division(sic[row]) if row >= 0 else None for row in named.tolist()], pa.string())
    price = pa.array(rows.price[at], from_pandas=True)
    return members_table(end, coded_texts(rows.asset[at], rows.assets), weights_from_values(end, rows.capital[at]), price=price, **told)


def _names_at(rows: CrspRows, at: ndarray, names: Sheet, columns: dict[str, str]) -> ndarray:
    """Return the row of the history of names that holds for each row of the daily file, -1 where none does."""
    coded, first, last = names.texts("permno"), names.dates(columns["first"]), names.dates(columns["last"])
    position = {name: code for code, name in enumerate(rows.assets)}
    code = np.array([*(position.get(name, -1) for name in coded.values), -1])[coded.codes]
    found = np.full(len(at), -1, dtype=np.int64)
    order = np.argsort(rows.asset[at], kind="stable")
    starts = np.searchsorted(rows.asset[at][order], np.arange(len(rows.assets) + 1))
    for row in np.flatnonzero(code >= 0).tolist():
        mine = order[starts[code[row]] : starts[code[row] + 1]]
        dates = rows.date[at][mine]
        found[mine[(dates >= first[row]) & ((dates <= last[row]) | np.isnat(last[row]))]] = row
    return found
