"""Tables in memory, of pandas, Polars, Arrow or DuckDB, under any names of columns."""

from __future__ import annotations

__all__ = ["Tables"]

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from gammastar.errors import DataError, Finding, UsageError
from gammastar.store.layout import TABLES
from gammastar.store.sources.delivery import Delivery
from gammastar.store.sources.sheet import as_arrow

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Tables:
    """Tables that already are a dataset but for the names of their columns.

    Args:
        title: what the data is, in words.
        columns: for each table, your name of each of our columns, where they differ: ``{"returns": {"total_return": "ret"}}``.
        groups: labels of further group attributes of members, in the order to show them.
        calendar: code of the exchange.
    """

    title: str = "tables in memory"
    columns: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    calendar: str = "XNYS"

    def read(self, data: Mapping[str, Any] | Path) -> Delivery:
        """Return the tables under our names.

        Args:
            data: ``members`` and, where there are any, ``returns`` and ``index``, each a table that `as_arrow` takes.

        Raises:
            UsageError: no mapping of tables, or a table or column that the layout does not have.
            DataError: a column that the mapping names is not in the table.
        """
        if not isinstance(data, Mapping):
            raise UsageError("Tables", "this source reads tables in memory", got=type(data).__name__, allowed="{'members': frame, 'returns': frame}",
                             advice="ingest a folder of files with `gammastar ingest FOLDER --into STORE`")
        for name in (*data, *self.columns):
            if name not in TABLES:
                raise UsageError("Tables", "there is no such table", got=name, allowed=", ".join(TABLES))
        if "members" not in data:
            raise UsageError("Tables", "there is no table of members", got=", ".join(data) or "nothing", allowed="members, and returns and index where there are any")
        read = {name: self._renamed(name, as_arrow(table)) for name, table in data.items()}
        return Delivery(self.title, read["members"], read.get("returns"), read.get("index"), calendar=self.calendar, groups=dict(self.groups))

    def _renamed(self, name: str, table: Any) -> Any:
        """Return a table with the columns of the layout under our names, and its others under theirs."""
        ours = self.columns.get(name, {})
        known = {column.name for column in TABLES[name].columns} | ({"country", "industry", "issuer", *self.groups} if name == "members" else set())
        for mine, theirs in ours.items():
            if mine not in known:
                raise UsageError(f"Tables.columns[{name!r}]", "the layout has no such column", got=mine, allowed=", ".join(sorted(known)))
            if theirs not in table.column_names:
                finding = Finding(name, "column-missing", f"there is no such column among {', '.join(table.column_names)[:200]}", column=theirs)
                raise DataError(name, "a column that the mapping names is not there", findings=(finding,), advice="correct the mapping")
        taken = set(ours.values())
        kept = [column for column in table.column_names if column not in taken and column not in ours]
        return pa.table({**{mine: table.column(theirs) for mine, theirs in ours.items()}, **{column: table.column(column) for column in kept}})
