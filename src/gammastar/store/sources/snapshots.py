"""Index weights where a source has none of its own, and the table of members."""

from __future__ import annotations

__all__ = ["IndexWeights", "coded_texts", "members_table", "month_ends", "standing_at", "weights_from_bars", "weights_from_values"]

from enum import Enum
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from gammastar.errors import DataError, Finding

if TYPE_CHECKING:
    from numpy import ndarray

    from gammastar.store.sources.bars import Bars

TRAILING = 63
"""Sessions over which money traded is averaged."""

_STALE = np.timedelta64(7, "D")


class IndexWeights(Enum):
    """What index the names of a file make, where nobody publishes its weights."""

    EQUAL = "equal"
    TRADED = "traded"


def month_ends(days: ndarray) -> ndarray:
    """Return the last session of each month among increasing `days`, the last one only if its month has a later one or it is the 25th or later."""
    months = days.astype("datetime64[M]")
    last = np.append(months[1:] != months[:-1], (days[-1] - months[-1].astype("datetime64[D]")).astype(int) >= 24)
    return np.asarray(days[last])


def standing_at(code: ndarray, date: ndarray, ends: ndarray) -> tuple[ndarray, ndarray]:
    """Return the last row of each asset at each of `ends`, at most seven days old, and that end: a name halted on the day stays in the index.

    Args:
        code: assets, rows sorted by asset and date, shape (m,).
        date: days, shape (m,).
        ends: days, increasing.

    >>> import numpy as np
    >>> days = np.array(["2019-01-30", "2019-02-27", "2019-02-28"], dtype="datetime64[D]")
    >>> rows, ends = standing_at(np.zeros(3, dtype=int), days, np.array(["2019-01-31", "2019-02-28"], dtype="datetime64[D]"))
    >>> rows.tolist(), ends.astype(str).tolist()
    ([0, 2], ['2019-01-31', '2019-02-28'])
    """
    at = np.searchsorted(ends, date)
    end = np.append(ends, ends[-1] + _STALE + 1)[at] if len(ends) else date + _STALE + 1
    same = np.concatenate((code[1:] == code[:-1], [False]))[: len(code)]
    following = np.append(date[1:], date[-1:])
    rows = np.flatnonzero((end - date <= _STALE) & (at < len(ends)) & (~same | (following > end)))
    return rows, end[rows]


def coded_texts(codes: ndarray, values: tuple[str, ...]) -> Any:
    """Return texts as an Arrow dictionary; code -1 is none."""
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32), mask=codes < 0), pa.array(values, pa.string()))


def members_table(date: ndarray, asset: Any, weight: ndarray, **others: Any) -> Any:
    """Return the table of members of docs/dataset.md; columns that are None are left out."""
    told = {name: values for name, values in others.items() if values is not None}
    return pa.table({"date": pa.array(date.astype("datetime64[D]")), "asset_id": asset, "weight": pa.array(weight), **told})


def weights_from_values(date: ndarray, value: ndarray) -> ndarray:
    """Return each value as a share of the values of its date, shape (m,).

    >>> import numpy as np
    >>> days = np.array(["2019-01-31", "2019-01-31", "2019-02-28"], dtype="datetime64[D]")
    >>> weights_from_values(days, np.array([1.0, 3.0, 2.0])).tolist()
    [0.25, 0.75, 1.0]
    """
    _, of = np.unique(date, return_inverse=True)
    return np.asarray(value / np.bincount(of, weights=value)[of])


def weights_from_bars(bars: Bars, days: ndarray, weights: IndexWeights, *, among: ndarray | None = None) -> tuple[ndarray, ndarray, ndarray]:
    """Return the rows of bars that are members, the month's end at which each is, and their weights.

    A name is a member if it has a bar on the month's last session or in the week before. Equal weights; or the money traded over 63 sessions,
    which leans to what is liquid. Neither is an index that anybody publishes: use them to look at data, not to measure a mandate.

    Args:
        bars: as traded.
        days: their sessions, increasing.
        weights: which of the two.
        among: rows that may be members, shape (m,); None: all.

    Raises:
        DataError: there is no month's end among the sessions, or no volume for weights by money traded.
    """
    at, end = standing_at(bars.asset, bars.date, month_ends(days))
    keep = np.isfinite(bars.close[at]) & (np.ones(len(at), dtype=bool) if among is None else among[at])
    at, end = at[keep], end[keep]
    value = np.ones(len(at))
    if weights is IndexWeights.TRADED and np.isnan(bars.volume).all():
        raise DataError("weights", "traded weights need the money traded, and there is no volume", got="traded", allowed="equal", advice="name the column: --set volume=...")
    if weights is IndexWeights.TRADED:
        traded = np.nan_to_num(bars.volume * bars.close)
        total = np.concatenate(([0.0], np.cumsum(traded)))
        start = np.maximum(np.searchsorted(bars.asset, bars.asset[at]), at + 1 - TRAILING)
        value = (total[at + 1] - total[start]) / (at + 1 - start)
        at, end, value = at[value > 0.0], end[value > 0.0], value[value > 0.0]
    if not len(at):
        finding = Finding("members", "members-absent", "no asset has a bar at a month's end", column="date")
        raise DataError("weights", "no index can be made of these bars", findings=(finding,), advice="give bars to the end of a month or later, or members = FILE")
    return at, end, weights_from_values(end, value)
