"""Index weights where a source has none of its own, and the table of members."""

from __future__ import annotations

__all__ = ["IndexWeights", "coded_texts", "members_table", "month_ends", "weights_from_bars", "weights_from_values"]

from enum import Enum
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from numpy import ndarray

    from gammastar.store.sources.bars import Bars

TRAILING = 63
"""Sessions over which money traded is averaged."""


class IndexWeights(Enum):
    """What index the names of a file make, where nobody publishes its weights."""

    EQUAL = "equal"
    TRADED = "traded"


def month_ends(days: ndarray) -> ndarray:
    """Return the last session of each month among increasing `days`, the last one only if its month has a later one or it is the 25th or later."""
    months = days.astype("datetime64[M]")
    last = np.append(months[1:] != months[:-1], (days[-1] - months[-1].astype("datetime64[D]")).astype(int) >= 24)
    return np.asarray(days[last])


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


def weights_from_bars(bars: Bars, days: ndarray, weights: IndexWeights, *, among: ndarray | None = None) -> tuple[ndarray, ndarray]:
    """Return the rows of bars that are members at a month's end, and their weights.

    A name is a member if it has a bar on the month's last session. Equal weights; or the money traded over 63 sessions, which leans to what
    is liquid. Neither is an index that anybody publishes: use them to look at data, not to measure a mandate.

    Args:
        bars: as traded.
        days: their sessions, increasing.
        weights: which of the two.
        among: rows that may be members, shape (m,); None: all.
    """
    chosen = np.isin(bars.date, month_ends(days)) & np.isfinite(bars.close)
    at = np.flatnonzero(chosen if among is None else chosen & among)
    value = np.ones(len(at))
    if weights is IndexWeights.TRADED:
        traded = np.nan_to_num(bars.volume * bars.close)
        total = np.concatenate(([0.0], np.cumsum(traded)))
        first = np.searchsorted(bars.asset, bars.asset[at])
        start = np.maximum(first, at + 1 - TRAILING)
        value = (total[at + 1] - total[start]) / (at + 1 - start)
        at, value = at[value > 0.0], value[value > 0.0]
    return at, weights_from_values(bars.date[at], value)
