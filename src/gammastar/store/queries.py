"""Questions to a store's Parquet files, asked in SQL: one file in `sql/` for each."""

from __future__ import annotations

__all__ = ["Queries"]

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gammastar.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb
    from numpy import ndarray

_SQL = Path(__file__).parent / "sql"


@dataclass(frozen=True)
class Queries:
    """The Parquet files of one store, and a connection to ask them.

    Args:
        folder: where they lie.
        connection: a DuckDB in memory; it holds nothing.
    """

    folder: Path
    connection: duckdb.DuckDBPyConnection

    @classmethod
    @contextmanager
    def of(cls, folder: Path) -> Iterator[Queries]:
        """Give the questions to the store in `folder`, with a connection that is closed after."""
        import duckdb

        # nothing is ever fetched from elsewhere: Parquet is built in
        with duckdb.connect(
            config={"autoinstall_known_extensions": False, "autoload_known_extensions": False}
        ) as connection:
            yield cls(folder, connection)

    def ask(self, question: str, **parameters: object) -> dict[str, ndarray]:
        """Return the columns of one answer; missing numbers are NaN.

        Args:
            question: name of a file in `sql/`, without its ending.
            parameters: values of its parameters. A parameter that is not given is the Parquet file of its name.

        Raises:
            DataError: a Parquet file cannot be read.
        """
        import duckdb

        sql = (_SQL / f"{question}.sql").read_text(encoding="utf-8")
        values: dict[str, object] = {name: str(self.folder / f"{name}.parquet") for name in _FILES if f"${name}" in sql}
        try:
            columns: dict[str, Any] = self.connection.execute(sql, {**values, **parameters}).fetchnumpy()
        except duckdb.Error as error:
            raise DataError(
                str(self.folder), f"the store cannot answer {question}: {error}", advice="run `gammastar ingest` again"
            ) from error
        return {name: _plain(values) for name, values in columns.items()}


_FILES = ("assets", "groups", "index", "members", "returns", "sessions")


def _plain(values: Any) -> ndarray:
    """Return a column without mask: NaN where a number is missing."""
    if isinstance(values, np.ma.MaskedArray):
        return np.asarray(values.filled(np.nan if values.dtype.kind == "f" else 0))
    return np.asarray(values)
