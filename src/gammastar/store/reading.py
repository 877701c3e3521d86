"""Files to raw columns: CSV (UTF-8, commas) and Parquet. Whatever is wrong with the file itself becomes a finding."""

from __future__ import annotations

__all__ = ["Raw", "read_raw"]

import csv
import difflib
import io
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.csv
import pyarrow.parquet

from gammastar.store.layout import TABLES

if TYPE_CHECKING:
    from pathlib import Path

    from numpy import ndarray

    from gammastar.store.findings import Findings
    from gammastar.store.layout import TableSpec

_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_PARQUET = b"PAR1"


@dataclass(frozen=True, eq=False)
class Raw:
    """The columns of one file, as the file has them, under our names.

    Args:
        file: its name.
        rows: number of each row in the file, as an editor or spreadsheet shows it: the header of a CSV is row 1; Parquet rows count from 1.
        columns: Arrow columns by our name; columns the file lacks are absent.
        ignored: columns of the file that mean nothing to us.
    """

    file: str
    rows: ndarray
    columns: dict[str, Any]
    ignored: tuple[str, ...]


def read_raw(path: Path, spec: TableSpec, renamed: dict[str, str], findings: Findings) -> Raw | None:
    """Read one file, or note in `findings` why it cannot be read and return None."""
    try:
        content = path.read_bytes()
    except OSError as error:
        findings.add(path.name, "file-unreadable", f"the file cannot be read: {error.strerror}")
        return None
    if not content.strip():
        findings.add(path.name, "file-empty", "the file is empty")
        return None
    read = _read_parquet if path.suffix == ".parquet" else _read_csv
    raw = read(path.name, content, _Columns(spec, renamed), findings)
    if raw is not None and len(raw.rows) == 0:
        findings.add(path.name, "no-rows", "the file has a header and no rows")
        return None
    return raw


@dataclass(frozen=True)
class _Columns:
    """Which columns of a file are ours."""

    spec: TableSpec
    renamed: dict[str, str]

    def choose(self, file: str, header: list[str], findings: Findings) -> dict[str, int] | None:
        """Return the position of each of our columns in the header, or None with findings."""
        before = len(findings.errors)
        theirs = {column.name: self.renamed.get(column.name, column.name) for column in self.spec.columns}
        repeated = [name for name, count in Counter(header).items() if count > 1 and name in theirs.values()]
        for name in repeated:
            findings.add(file, "column-duplicate", f"the column occurs {header.count(name)} times", column=name)
        for column in self.spec.columns:
            name = theirs[column.name]
            if name not in header and (column.required or column.name in self.renamed):
                findings.add(file, "column-missing", self._advice(column.name, name, header), column=name)
        if len(findings.errors) > before:
            return None
        return {ours: header.index(name) for ours, name in theirs.items() if name in header}

    def _advice(self, ours: str, name: str, header: list[str]) -> str:
        lowered = {other.strip().lower(): other for other in header}
        close = difflib.get_close_matches(name.lower(), list(lowered), n=1, cutoff=0.6)
        if ours not in (column.name for column in TABLES[self.spec.name].columns):
            near = f"; for {lowered[close[0]]!r}" if close else f" among {', '.join(header)[:200]};"
            return f"there is no such column{near} write [groups.{ours}] column = {lowered[close[0]] if close else '...'!r} in dataset.toml"
        if not close:
            return f"there is no such column among {', '.join(header)[:200]}; map it: [{self.spec.name}.columns] {ours} = ..."
        return f"there is no such column; for {lowered[close[0]]!r} write [{self.spec.name}.columns] {ours} = {lowered[close[0]]!r} in dataset.toml"

    def ignored(self, header: list[str], chosen: dict[str, int]) -> tuple[str, ...]:
        """Return the columns of the file that mean nothing to us."""
        return tuple(name for position, name in enumerate(header) if position not in chosen.values())


def _read_parquet(file: str, content: bytes, wanted: _Columns, findings: Findings) -> Raw | None:
    if content[:4] != _PARQUET:
        findings.add(file, "not-parquet", "the name says Parquet and the content is something else", value=content[:8])
        return None
    if content[-4:] != _PARQUET:
        findings.add(file, "parquet-truncated", "the Parquet file ends too early: copy or write it again")
        return None
    try:
        source = pa.parquet.ParquetFile(pa.BufferReader(content))
        header = list(source.schema_arrow.names)
        chosen = wanted.choose(file, header, findings)
        if chosen is None:
            return None
        table = source.read(columns=[header[position] for position in chosen.values()])
        table.validate(full=True)  # texts that are not UTF-8
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:  # the last: a column name that is no text
        findings.add(file, "parquet-damaged", f"the Parquet file cannot be read: {str(error)[:120]}")
        return None
    columns = {ours: table.column(header[position]).combine_chunks() for ours, position in chosen.items()}
    return Raw(file, np.arange(1, table.num_rows + 1), columns, wanted.ignored(header, chosen))


def _read_csv(file: str, content: bytes, wanted: _Columns, findings: Findings) -> Raw | None:
    text = _utf8(file, content, findings)
    if text is None:
        return None
    first, _, _ = text.partition(b"\n")
    try:
        header = [name.strip() for name in next(csv.reader([first.decode().rstrip("\r")], strict=True))]
    except csv.Error as error:
        findings.add(file, "header", f"the first row is not a header of names separated by commas: {error}", row=1)
        return None
    if len(header) == 1 and any(mark in first for mark in (b";", b"\t", b"|")):
        mark = next(mark for mark in (";", "\t", "|") if mark.encode() in first)
        findings.add(
            file,
            "separator",
            f"the columns are separated by {mark!r}: write the file with commas and decimal points",
            value=mark,
            row=1,
        )
        return None
    chosen = wanted.choose(file, header, findings)
    if chosen is None:
        return None
    try:
        table, rows = _parse_csv(file, text, header, findings)
    except pa.ArrowInvalid as error:
        findings.add(
            file,
            "csv-damaged",
            f"the file cannot be read as CSV (a quotation mark that is not closed?): {str(error)[:120]}",
        )
        return None
    columns = {ours: table.column(position).combine_chunks() for ours, position in chosen.items()}
    return Raw(file, rows, columns, wanted.ignored(header, chosen))


def _utf8(file: str, content: bytes, findings: Findings) -> bytes | None:
    """Return the content without byte order mark, or None if it is not UTF-8."""
    if content.startswith(_UTF16):
        findings.add(file, "encoding", "the file is UTF-16: save it as UTF-8", value=content[:2], row=1)
        return None
    if content.startswith(_PARQUET) or b"\0" in content[:4096]:
        findings.add(file, "not-csv", "the name says CSV and the content is binary", value=content[:8], row=1)
        return None
    body = content.removeprefix(b"\xef\xbb\xbf")
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as error:
        row = body.count(b"\n", 0, error.start) + 1
        findings.add(
            file,
            "encoding",
            "a byte that is not UTF-8 (Latin-1?): save the file as UTF-8",
            value=body[error.start : error.start + 1],
            row=row,
        )
        return None
    return body


def _parse_csv(file: str, text: bytes, header: list[str], findings: Findings) -> tuple[Any, ndarray]:
    """Return all columns as text, and the row number of each row kept; rows of another width become findings."""
    odd: list[Any] = []

    def skip(row: Any) -> str:
        odd.append(row)
        return "skip"

    names = [str(position) for position in range(len(header))]
    table = pa.csv.read_csv(
        io.BytesIO(text),
        read_options=pa.csv.ReadOptions(
            use_threads=False, column_names=names, skip_rows=1, block_size=1 << 24
        ),  # threads lose row numbers
        parse_options=pa.csv.ParseOptions(invalid_row_handler=skip, ignore_empty_lines=False, newlines_in_values=True),
        convert_options=pa.csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
        ),
    )
    skipped = [int(row.number) - 2 for row in odd]  # it counts the header as row 1
    rows = np.delete(np.arange(table.num_rows + len(odd)), skipped) + 2
    blank = _blank_rows(table)
    if blank.any():
        table, rows = table.filter(pa.array(~blank)), rows[~blank]
    told = [row for row in odd if row.text.strip()]
    for row in told[:5]:
        hint = "; decimal commas?" if row.actual_columns > row.expected_columns else ""
        more = f" (and {len(told) - 5:,} more rows)" if row is told[min(len(told), 5) - 1] and len(told) > 5 else ""
        message = f"{row.actual_columns} values under {row.expected_columns} columns{hint}{more}"
        findings.add(file, "row-width", message, value=row.text[:80], row=int(row.number))
    return table, rows


def _blank_rows(table: Any) -> ndarray:
    """Return which rows are empty lines: text without a character in every column."""
    blank = np.ones(table.num_rows, dtype=bool)
    for column in table.columns:
        blank &= pa.compute.equal(column, "").to_numpy()
        if not blank.any():
            break
    return blank
