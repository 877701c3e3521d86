"""Daily rows to dense arrays: of each session and asset the last version known by then.

Files of a table are read in the order in which their rows were learnt, and rows stand in that order inside a file. So writing them one
after another into the array leaves the last version: no sort, no join.
"""

from __future__ import annotations

__all__ = ["Facts", "positions_of", "read_facts"]

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from gammastar.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy import ndarray

    from gammastar.store.queries import View

_AGAIN = "open the store again: it may have been written to; else run `gammastar ingest` again"
_OPTIONAL = {"price": np.nan, "split": 1.0, "traded_value": 0.0}


@dataclass(frozen=True, eq=False)
class Facts:
    """Daily rows whose first version was known on their own date, dense.

    Args:
        end: one more than the position of the last session that has a row, whenever it became known.
        raw: total returns, NaN where there is none, shape (end, n).
        estimated: which of them the supplier filled.
        price, split, traded_value: likewise, or None where no row has one.
    """

    end: int
    raw: ndarray
    estimated: ndarray
    price: ndarray | None
    split: ndarray | None
    traded_value: ndarray | None


def read_facts(view: View, ids: tuple[str, ...], *, end: int | None = None) -> Facts:
    """Return the daily facts of the assets `ids` as a view knows them.

    Args:
        view: of a store.
        ids: in the order of columns.
        end: how many sessions; default up to the last that has a row.

    Raises:
        DataError: a file cannot be read.
    """
    paths = view.files.get("returns", ())
    columns = [name for name in _OPTIONAL if any(_has(path, name) for path in paths)]
    rows = [_read(path, view, ids, columns) for path in paths]
    last = max((int(row.session.max()) for row in rows if len(row.session)), default=-1)
    size = (last + 1 if end is None else end, len(ids))
    raw, estimated = np.full(size, np.nan), np.zeros(size, dtype=bool)
    dense = {name: np.full(size, _OPTIONAL[name]) for name in columns}
    on_time: ndarray | None = None
    for row in rows:
        cell = row.cells(size)
        raw.ravel()[cell] = row.returns
        estimated.ravel()[cell] = row.estimated
        for name, values in row.others.items():
            dense[name].ravel()[cell] = values
    if any(row.late for row in rows):
        on_time = np.zeros(size, dtype=bool)
        for row in rows:
            on_time.ravel()[row.cells(size)[row.on_time]] = True
        raw[~on_time], estimated[~on_time] = np.nan, False
        for name, values in dense.items():
            values[~on_time] = _OPTIONAL[name]
    return Facts(size[0], raw, estimated, *(dense.get(name) for name in _OPTIONAL))


@dataclass(frozen=True, eq=False)
class _Rows:
    """Rows of one file that were known by then, of assets and sessions that are wanted."""

    session: ndarray
    asset: ndarray
    returns: ndarray
    estimated: ndarray
    others: dict[str, ndarray]
    on_time: ndarray

    @property
    def late(self) -> bool:
        """Whether any row was known after its date."""
        return not bool(self.on_time.all())

    def cells(self, size: tuple[int, int]) -> ndarray:
        """Return the position of each row in a flat array; rows beyond it were cut when the file was read."""
        return np.asarray(self.session * size[1] + self.asset)


def _has(path: Path, column: str) -> bool:
    """Return whether a file has a value in a column, by the counts it keeps."""
    footer = _opened(path).metadata
    for group in (footer.row_group(at) for at in range(footer.num_row_groups)):
        for part in (group.column(at) for at in range(group.num_columns)):
            if part.path_in_schema == column and (part.statistics is None or part.statistics.null_count < group.num_rows):
                return True
    return False


def _opened(path: Path) -> Any:
    try:
        return pa.parquet.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise DataError(str(path), f"a file of the store cannot be read: {error}", advice=_AGAIN) from error


def positions_of(column: Any, ids: tuple[str, ...]) -> ndarray:
    """Return the position in `ids` of each text of a dictionary column, -1 where it is not among them."""
    position = {asset: code for code, asset in enumerate(ids)}
    parts = [np.array([position.get(asset, -1) for asset in chunk.dictionary.to_pylist()], dtype=np.int64)[chunk.indices.to_numpy()] for chunk in column.chunks]
    return np.asarray(np.concatenate([np.zeros(0, dtype=np.int64), *parts]))


def _read(path: Path, view: View, ids: tuple[str, ...], columns: list[str]) -> _Rows:
    opened = _opened(path)
    there = [name for name in columns if name in opened.schema_arrow.names]
    try:
        table = opened.read(columns=["date", "asset_id", "total_return", "estimated", "known", *there], use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise DataError(str(path), f"a file of the store cannot be read: {error}", advice=_AGAIN) from error
    date, known = (table[name].to_numpy().astype("datetime64[D]").astype(np.int64) for name in ("date", "known"))
    asset = positions_of(table["asset_id"], ids)
    first = view.days[0].astype(np.int64)
    session_of = np.full(int(view.days[-1].astype(np.int64) - first) + 1, -1)
    session_of[view.days.astype(np.int64) - first] = np.arange(len(view.days))
    session = session_of[np.clip(date - first, 0, len(session_of) - 1)]
    wanted = (known <= view.until.astype(np.int64)) & (asset >= 0)
    numbers = {name: table[name].to_numpy() for name in ("total_return", "estimated", *there)}
    if not wanted.all():
        date, known, asset, session = date[wanted], known[wanted], asset[wanted], session[wanted]
        numbers = {name: values[wanted] for name, values in numbers.items()}
    others = {name: np.where(np.isnan(values := numbers[name]), _OPTIONAL[name], values) for name in there}
    return _Rows(session, asset, numbers["total_return"], numbers["estimated"], others, known <= date)
