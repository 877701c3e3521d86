"""Questions to a store's Parquet files as known at some time, asked in SQL: one file in `sql/` for each."""

from __future__ import annotations

__all__ = ["Queries", "View"]

import os
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gammastar.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import duckdb
    from numpy import ndarray

_SQL = Path(__file__).parent / "sql"


@dataclass(frozen=True, eq=False)
class View:
    """What a store knew at one time.

    Args:
        folder: of the store.
        files: Parquet files of each table that hold something known by then, in the order in which they were learnt.
        until: the time: everything known on or before this date.
        prompt: those of them whose rows were all known on their own date, and by then.
        days: the exchange's sessions from the first snapshot to the last date, and the one that follows.
    """

    folder: Path
    files: Mapping[str, tuple[Path, ...]]
    until: np.datetime64
    prompt: frozenset[Path]
    days: ndarray

    def paths(self, table: str) -> list[str]:
        """Return the files of a table as texts."""
        return [str(path) for path in self.files.get(table, ())]


@dataclass(frozen=True)
class Queries:
    """A view of one store, and a connection to ask it.

    Args:
        view: which files, and until when.
        connection: a DuckDB in memory; it holds nothing.
    """

    view: View
    connection: duckdb.DuckDBPyConnection

    @classmethod
    @contextmanager
    def of(cls, view: View) -> Iterator[Queries]:
        """Give the questions to a view, with a connection that is closed after."""
        with _database(os.getpid()).cursor() as connection:
            yield cls(view, connection)

    def ask(self, question: str, **parameters: object) -> dict[str, ndarray]:
        """Return the columns of one answer; missing numbers are NaN, missing texts None.

        Args:
            question: name of a file in `sql/`, without its ending.
            parameters: values of its parameters. A parameter that is not given is the Parquet files of its name, or the time of the view.

        Raises:
            DataError: a Parquet file cannot be read.
        """
        import duckdb

        sql = (_SQL / f"{question}.sql").read_text(encoding="utf-8")
        values: dict[str, object] = {name: self.view.paths(name) for name in self.view.files if f"${name})" in sql}
        if "$until" in sql:
            values["until"] = str(self.view.until)
        try:
            columns: dict[str, Any] = self.connection.execute(sql, {**values, **parameters}).fetchnumpy()
        except duckdb.Error as error:
            what = f"the store cannot answer {question}: {error}"
            raise DataError(str(self.view.folder), what, advice="open the store again: it may have been written to; else run `gammastar ingest` again") from error
        return {name: _plain(values) for name, values in columns.items()}


@cache
def _database(process: int) -> duckdb.DuckDBPyConnection:  # noqa: ARG001 - a process that was forked off makes its own
    """Return the database of this process: an empty one in memory, which takes longer to begin than most questions to answer."""
    import duckdb

    # nothing is ever fetched from elsewhere: Parquet is built in; one thread, for a store shares its machine; and no file is remembered, for it may change
    config: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": False, "autoload_known_extensions": False, "threads": 1, "enable_external_file_cache": False,
    }  # fmt: skip
    return duckdb.connect(config=config)


def _plain(values: Any) -> ndarray:
    """Return a column without mask: NaN where a number is missing, None where a text is."""
    if isinstance(values, np.ma.MaskedArray):
        nothing = {"f": np.nan, "O": None, "M": np.datetime64("NaT")}.get(values.dtype.kind, 0)
        plain = np.array(values.data)
        plain[np.ma.getmaskarray(values)] = nothing
        return plain
    return np.asarray(values)
