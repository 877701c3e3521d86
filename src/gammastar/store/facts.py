"""Daily rows to dense arrays: of each session and asset the last version known by then.

Files of a table are read in the order in which their rows were learnt, and rows stand in that order inside a file. So writing them one
after another into the array leaves the last version: no sort, no join.
"""

from __future__ import annotations

__all__ = ["Facts", "positions_of", "read_facts"]

from dataclasses import dataclass, replace
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
_OPTIONAL: dict[str, float | bool] = {"estimated": False, "price": np.nan, "split": 1.0, "traded_value": 0.0}


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
    opened = [_opened(path) for path in paths]
    there = [[name for name in _OPTIONAL if _has(file, name)] for file in opened]
    columns = [name for name in _OPTIONAL if any(name in names for names in there)]
    rows = [_read(file, path, view, ids, names) for file, path, names in zip(opened, paths, there, strict=True)]
    last = max((int(row.session.max()) for row in rows if len(row.session)), default=-1)
    size = (last + 1 if end is None else end, len(ids))
    dense = {name: np.full(size, nothing) for name, nothing in {"total_return": np.nan, **{name: _OPTIONAL[name] for name in columns}}.items()}
    for row in rows:
        cell = row.cells(size)
        for name, values in dense.items():
            if name in row.values:
                told = row.values[name]
                values.ravel()[cell] = told if name == "total_return" or told.dtype == bool else np.where(np.isnan(told), _OPTIONAL[name], told)
            else:  # a later version without it takes it away
                values.ravel()[cell] = _OPTIONAL[name]
    if any(row.late for row in rows):
        _leave_out_late(dense, rows, size)
    estimated = dense.get("estimated", np.zeros((1, 1), dtype=bool))
    return Facts(size[0], dense["total_return"], np.broadcast_to(estimated, size), *(dense.get(name) for name in ("price", "split", "traded_value")))


def _leave_out_late(dense: dict[str, ndarray], rows: list[_Rows], size: tuple[int, int]) -> None:
    """Take away what no version of was known on its own date."""
    on_time = np.zeros(size, dtype=bool)
    for row in rows:
        cell = row.cells(size)
        on_time.ravel()[cell if row.on_time is None else cell[row.on_time]] = True
    for name, values in dense.items():
        values[~on_time] = _OPTIONAL.get(name, np.nan)


@dataclass(frozen=True, eq=False)
class _Rows:
    """Rows of one file that were known by then, of assets and sessions that are wanted."""

    session: ndarray
    asset: ndarray
    values: dict[str, ndarray]
    on_time: ndarray | None

    @property
    def late(self) -> bool:
        """Whether any row was known after its date; without `on_time` none was."""
        return self.on_time is not None and not bool(self.on_time.all())

    def taken(self, wanted: ndarray) -> _Rows:
        """Return some of the rows."""
        values = {name: column[wanted] for name, column in self.values.items()}
        return _Rows(self.session[wanted], self.asset[wanted], values, None if self.on_time is None else self.on_time[wanted])

    def cells(self, size: tuple[int, int]) -> ndarray:
        """Return the position of each row in a flat array."""
        return np.asarray(self.session.astype(np.int64) * size[1] + self.asset)


def _has(opened: Any, column: str) -> bool:
    """Return whether a file has a value in a column (of flags: one that is set), by what its footer says."""
    footer = opened.metadata
    for group in (footer.row_group(at) for at in range(footer.num_row_groups)):
        for part in (group.column(at) for at in range(group.num_columns)):
            if part.path_in_schema == column and not _is_empty(part.statistics, group.num_rows):
                return True
    return False


def _is_empty(told: Any, rows: int) -> bool:
    """Return whether the statistics of a column rule out any value, or any flag that is set."""
    return told is not None and (told.null_count == rows or (told.has_min_max and told.max is False))


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


def _read(opened: Any, path: Path, view: View, ids: tuple[str, ...], there: list[str]) -> _Rows:
    prompt = path in view.prompt
    try:
        table = opened.read(columns=["date", "asset_id", "total_return", *([] if prompt else ["known"]), *there], use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise DataError(str(path), f"a file of the store cannot be read: {error}", advice=_AGAIN) from error
    date, asset, first = _days(table, "date"), positions_of(table["asset_id"], ids), int(view.days[0].astype(np.int64))
    session_of = np.full(int(view.days[-1].astype(np.int64)) - first + 1, -1, dtype=np.int32)
    session_of[view.days.astype(np.int64) - first] = np.arange(len(view.days))
    rows = _Rows(session_of[date - first], asset, {name: table[name].to_numpy() for name in ("total_return", *there)}, None)
    wanted = asset >= 0
    if not prompt:
        known = _days(table, "known")
        rows, wanted = replace(rows, on_time=known <= date), wanted & (known <= view.until.astype(np.int64))
    return rows if wanted.all() else rows.taken(wanted)


def _days(table: Any, column: str) -> ndarray:
    """Return dates as whole days since 1970."""
    return np.asarray(table[column].to_numpy().astype("datetime64[D]").view(np.int64))
