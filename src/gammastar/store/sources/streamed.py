"""A vendor's large file read piece by piece: only the rows of some names are kept, so memory grows with them and not with the file."""

from __future__ import annotations

__all__ = ["Names", "check_text", "csv_options", "streamed_csv", "streamed_parquet"]

import codecs
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.csv
import pyarrow.parquet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from numpy import ndarray

_PIECE = 1 << 24


@dataclass(frozen=True)
class Names:
    """Which rows to keep: those of some names, and those whose name is none in digits, for the reader to say so.

    Args:
        column: in small letters.
        values: names, as texts.
    """

    column: str
    values: frozenset[str]

    def among(self, array: Any) -> Any:
        """Return which rows to keep, an Arrow array of truth values."""
        texts = pa.compute.utf8_trim_whitespace(array.cast(pa.string()))
        known = pa.compute.is_in(texts, value_set=pa.array(sorted(self.values), pa.string()))
        odd = pa.compute.invert(pa.compute.match_substring_regex(texts, r"^\d+$"))
        return pa.compute.fill_null(pa.compute.or_(known, odd), fill_value=True)


def csv_options(columns: list[str], kept: list[str], skip: int, skipped: Callable[[Any], str]) -> dict[str, Any]:
    """Return how Arrow reads a CSV file as texts: names for its columns, those of them to keep, lines to skip, and what is told of rows of another width."""
    return {
        "read_options": pa.csv.ReadOptions(use_threads=False, column_names=columns, skip_rows=skip, block_size=_PIECE),
        "parse_options": pa.csv.ParseOptions(invalid_row_handler=skipped, ignore_empty_lines=False),
        "convert_options": pa.csv.ConvertOptions(column_types=dict.fromkeys(kept, pa.string()), include_columns=kept, strings_can_be_null=False),
    }


def streamed_csv(path: Path, header: list[str], wanted: list[int], names: Names, skipped: Callable[[Any], str]) -> tuple[Any, ndarray]:
    """Return the columns `wanted` of a CSV file as text, and the position of each row among those that have the right width.

    Args:
        path: the file.
        header: its columns.
        wanted: positions of the columns to read.
        names: rows to keep.
        skipped: is told of rows of another width.
    """
    columns = [f"{position}" for position in range(len(header))]
    kept = [columns[position] for position in wanted]
    reader = pa.csv.open_csv(path, **csv_options(columns, kept, 1, skipped))
    at = next(position for position, name in enumerate(header) if name.strip().lower() == names.column)
    table, rows = _kept(reader, reader.schema, names, kept.index(columns[at]))
    return table.rename_columns([header[position] for position in wanted]), rows


def streamed_parquet(path: Path, columns: list[str], names: Names) -> tuple[Any, ndarray]:
    """Return some columns of a Parquet file, and the position of each row in it."""
    with pa.parquet.ParquetFile(path) as file:
        schema = pa.schema([file.schema_arrow.field(name) for name in columns])
        at = next(position for position, name in enumerate(columns) if name.strip().lower() == names.column)
        table, rows = _kept(file.iter_batches(columns=columns, use_threads=False), schema, names, at)
    table.validate(full=True)  # texts that are not UTF-8
    return table, rows


def _kept(batches: Iterable[Any], schema: Any, names: Names, at: int) -> tuple[Any, ndarray]:
    pieces, rows, start = [], [np.zeros(0, dtype=np.int64)], 0
    for piece in batches:
        keep = names.among(piece.column(at))
        pieces.append(piece.filter(keep))
        rows.append(start + np.flatnonzero(keep.to_numpy(zero_copy_only=False)))
        start += piece.num_rows
    return pa.Table.from_batches(pieces, schema=schema), np.concatenate(rows)


def check_text(path: Path) -> None:
    """Raise `UnicodeDecodeError` where a file is not UTF-8, a piece at a time."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            decoder.decode(piece)
        decoder.decode(b"", final=True)
