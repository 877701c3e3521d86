"""Questions to a store's Parquet files, asked in SQL: one file in `sql/` for each."""

from __future__ import annotations

__all__ = ["Queries"]

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gammastar.errors import DataError

if TYPE_CHECKING:
    from numpy import ndarray

_SQL = Path(__file__).parent / "sql"


@dataclass(frozen=True)
class Queries:
    """The Parquet files of one store.

    Args:
        folder: where they lie.
    """

    folder: Path

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
        with duckdb.connect() as connection:
            try:
                columns: dict[str, Any] = connection.execute(sql, {**values, **parameters}).fetchnumpy()
            except duckdb.Error as error:
                raise DataError(
                    str(self.folder),
                    f"the store cannot answer {question}: {error}",
                    advice="run `gammastar ingest` again",
                ) from error
        return {name: _plain(values) for name, values in columns.items()}


_FILES = ("assets", "index", "members", "returns", "sessions")


def _plain(values: Any) -> ndarray:
    """Return a column without mask: NaN where a number is missing."""
    if isinstance(values, np.ma.MaskedArray):
        return np.asarray(values.filled(np.nan if values.dtype.kind == "f" else 0))
    return np.asarray(values)
