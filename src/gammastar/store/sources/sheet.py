"""A vendor's file or a table in memory to typed columns: names in any case, the vendor's own ways to write dates and missing numbers."""

from __future__ import annotations

__all__ = ["Sheet", "as_arrow", "open_rows_of", "open_sheet"]

import csv
import datetime as dt
import difflib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.csv
import pyarrow.parquet

from gammastar.errors import DataError, Finding, UsageError
from gammastar.store.parsing import Coded
from gammastar.store.sources.streamed import Names, check_text, csv_options, streamed_csv, streamed_parquet

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy import ndarray

    from gammastar.store.findings import Findings

_NOTHING = frozenset({"", ".", "na", "n/a", "#n/a", "nan", "null", "none", "<na>", "nat"})
_FORMATS = ("%Y%m%d", "%d%b%Y", "%Y/%m/%d")  # SAS writes 31JAN2019; none of them can be read in two ways
_NOT_A_DATE = np.datetime64("NaT", "D")


def as_arrow(table: Any) -> Any:
    """Return a pandas, Polars, Arrow or DuckDB table, or a mapping of columns, as an Arrow table.

    Anything that speaks the Arrow C stream interface (``__arrow_c_stream__``) is taken as it is.

    Raises:
        UsageError: it is none of these.

    >>> as_arrow({"ticker": ["A", "B"]}).num_rows
    2
    """
    if isinstance(table, pa.Table):
        return table
    if hasattr(table, "__arrow_c_stream__") or isinstance(table, dict):
        return pa.table(table)
    raise UsageError(
        "source",
        "this is no table",
        got=type(table).__name__,
        allowed="a pandas or Polars frame, an Arrow table, a DuckDB relation, a dict of columns, a CSV or Parquet file",
    )


@dataclass(frozen=True, eq=False)
class Sheet:
    """The columns of one table, by their names in small letters.

    Args:
        file: its name, for findings.
        rows: number of each row as a spreadsheet shows it (the header of a CSV is row 1), shape (m,).
        columns: Arrow arrays.
        findings: where to note what is wrong.
    """

    file: str
    rows: ndarray
    columns: dict[str, Any]
    findings: Findings

    def __len__(self) -> int:
        return len(self.rows)

    def __contains__(self, name: str) -> bool:
        return name.lower() in self.columns

    def taken(self, keep: ndarray) -> Sheet:
        """Return the rows where `keep` holds, or at the positions it gives."""
        at = np.flatnonzero(keep) if keep.dtype == bool else keep
        return Sheet(self.file, self.rows[at], {name: values.take(pa.array(at)) for name, values in self.columns.items()}, self.findings)

    def texts(self, name: str) -> Coded:
        """Return a column as texts without surrounding blanks; blanks are none; whole numbers are their decimal text."""
        array = self.columns.get(name.lower())
        if array is None or pa.types.is_null(array.type):
            return Coded(np.full(len(self), -1), ())
        if pa.types.is_floating(array.type):  # ids that a missing value made floats
            array = array.cast(pa.int64(), safe=False)
        encoded = array if pa.types.is_dictionary(array.type) else array.cast(pa.string()).dictionary_encode()
        told = [str(value).strip() if value is not None else "" for value in encoded.dictionary.to_pylist()]
        values = tuple(dict.fromkeys(text for text in told if text.lower() not in {"", "nan", "none", "<na>"}))
        position = {text: code for code, text in enumerate(values)}
        lookup = np.array([*(position.get(text, -1) for text in told), -1], dtype=np.int32)
        return Coded(lookup[encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)], values)

    def numbers(self, name: str, codes: frozenset[str] = frozenset()) -> ndarray:
        """Return a column as floats, NaN where there is none; `codes` are letters with which the vendor says why there is none."""
        array = self.columns.get(name.lower())
        if array is None or pa.types.is_null(array.type):
            return np.full(len(self), np.nan)
        values = self._text_numbers(name, array, codes) if _is_text(array.type) else self._plain_numbers(name, array)
        self._bad("number-infinite", "an infinite number", name, np.isinf(values), values)
        return np.where(np.isinf(values), np.nan, values)

    def _plain_numbers(self, name: str, array: Any) -> ndarray:
        try:
            return np.asarray(array.cast(pa.float64(), safe=False).fill_null(np.nan).to_numpy(zero_copy_only=False))
        except pa.ArrowException:
            self.findings.add(self.file, "column-type", "the column must hold numbers", column=name, value=array.type)
            return np.full(len(self), np.nan)

    def _text_numbers(self, name: str, array: Any, codes: frozenset[str]) -> ndarray:
        texts = pa.compute.utf8_trim_whitespace(array.cast(pa.string()))
        blank = pa.compute.is_in(pa.compute.utf8_lower(texts), value_set=pa.array(sorted(_NOTHING | {code.lower() for code in codes})))
        texts = pa.compute.if_else(pa.compute.fill_null(blank, fill_value=True), pa.scalar(None, pa.string()), texts)
        try:
            values = texts.cast(pa.float64())
        except pa.ArrowInvalid:
            told = texts.to_pylist()
            read = [_number(text) for text in told]
            bad = np.array([text is not None and value is None for text, value in zip(told, read, strict=True)])
            self._bad("number", "not a number", name, bad, told)
            return np.array([np.nan if value is None else value for value in read])
        return np.asarray(values.fill_null(np.nan).to_numpy(zero_copy_only=False))

    def dates(self, name: str) -> ndarray:
        """Return a column as days, NaT where there is none: ISO, 20190131, 31JAN2019, or real dates."""
        array = self.columns.get(name.lower())
        if array is None or pa.types.is_null(array.type):
            return np.full(len(self), _NOT_A_DATE)
        if pa.types.is_timestamp(array.type) or pa.types.is_date(array.type):
            return np.asarray(array.cast(pa.timestamp("us"), safe=False).to_numpy(zero_copy_only=False).astype("datetime64[D]"))
        coded = self.texts(name)
        read = [_day(text) for text in coded.values]
        days = np.array([*(_NOT_A_DATE if day is None else day for day in read), _NOT_A_DATE], dtype="datetime64[D]")[coded.codes]
        bad = np.array([*(day is None for day in read), False])[coded.codes]
        self._bad("date-text", "not a date that can be read in one way only: 2019-01-31, 20190131 or 31JAN2019", name, bad, coded)
        return np.asarray(days)

    def needed(self, name: str, missing: ndarray, rule: str) -> None:
        """Note an error at each row where `missing` holds."""
        self._bad(rule, "a value is needed in each row", name, missing, None)

    def ordered(self, code: ndarray, date: ndarray, good: ndarray, column: str) -> ndarray:
        """Return the positions of the good rows by code and date; a code twice on a date is noted, and its first row kept."""
        order = np.flatnonzero(good)
        order = order[np.lexsort((date[order], code[order]))]
        again = np.concatenate(([False], (code[order][1:] == code[order][:-1]) & (date[order][1:] == date[order][:-1])))[: len(order)]
        twice = np.zeros(len(self), dtype=bool)
        twice[order[again]] = True
        self.wrong("row-duplicate", "the same date and asset occur more than once", column, twice, self.texts(column))
        return np.asarray(order[~again])

    def wrong(self, rule: str, message: str, column: str, at: ndarray, values: Any) -> None:
        """Note an error at each row where `at` holds."""
        self._bad(rule, message, column, at, values)

    def note(self, rule: str, message: str, column: str, at: ndarray, values: Any = None) -> None:
        """Warn once of the rows where `at` holds: how many, and the first of them."""
        found = np.flatnonzero(at)
        if len(found):
            told = None if values is None else values.at(int(found[0])) if isinstance(values, Coded) else str(values[found[0]])
            self.findings.warn(self.file, rule, f"{len(found):,} rows {message}", column=column, value=told, row=int(self.rows[found[0]]))

    def _bad(self, rule: str, message: str, column: str, bad: ndarray, values: Any) -> None:
        told = (lambda _: "nothing") if values is None else (values.at if isinstance(values, Coded) else lambda at: values[at])
        if bad.any():
            self.findings.add_rows(Finding(self.file, rule, message, column=column), bad, self.rows, told)


def _is_text(kind: Any) -> bool:
    held = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(held) or pa.types.is_large_string(held) or pa.types.is_string_view(held))


def _number(text: str | None) -> float | None:
    if text is None or "_" in text:
        return None
    try:
        return float(text)
    except ValueError:
        return None


def _day(text: str) -> np.datetime64 | None:
    """Return the day a text tells, or None; a time of day must be midnight."""
    try:
        moment = dt.datetime.fromisoformat(text) if "-" in text else None
    except ValueError:
        return None
    if moment is not None:
        return np.datetime64(moment.date(), "D") if moment.replace(tzinfo=None).time() == dt.time() else None
    for form in _FORMATS:
        try:
            return np.datetime64(dt.datetime.strptime(text, form).date(), "D")  # noqa: DTZ007 - a day has no time zone
        except ValueError:
            continue
    return None


def open_rows_of(data: Any, required: tuple[str, ...], findings: Findings, names: Names, *, optional: tuple[str, ...]) -> Sheet:
    """Open a large CSV or Parquet file as `open_sheet` does, a piece at a time, and keep the rows of some names alone.

    Args:
        data: path of the file.
        required: names of columns, in any case.
        findings: where rows of another width are noted.
        names: whose rows.
        optional: further columns to read, where they are there.

    Raises:
        DataError: as `open_sheet`.
    """
    path, wanted = Path(data), _Wanted(required, optional)
    try:
        with path.open("rb") as file:
            first = file.readline()
        if first.startswith(b"PAR1"):
            header = list(pa.parquet.read_schema(path).names)
            wanted.check(path.name, header)
            table, rows = streamed_parquet(path, [name for name in header if wanted.read(name)], names)
            return _sheet(path.name, table, rows + 1, findings)
        check_text(path)
        header = next(csv.reader([first.removeprefix(b"\xef\xbb\xbf").decode().rstrip("\r\n")]), [])
        if not header:
            raise _unreadable(path, "file-empty", "the file has no header")
        wanted.check(path.name, header)
        odd: list[int] = []
        told = _skipper(path, findings, odd, 0)
        table, at = streamed_csv(path, header, [position for position, name in enumerate(header) if wanted.read(name)], names, told)
        lost = np.sort(np.array(odd, dtype=np.int64)) - np.arange(len(odd))
        return _sheet(path.name, table, at + np.searchsorted(lost, at, side="right") + 2, findings)
    except OSError as error:
        raise _unreadable(path, "file-unreadable", f"the file cannot be read: {error.strerror or error}") from error
    except (pa.ArrowException, UnicodeDecodeError, csv.Error) as error:
        raise _unreadable(path, "csv-damaged", f"the file cannot be read as CSV or Parquet: {str(error)[:120]}") from error


def open_sheet(data: Any, required: tuple[str, ...], findings: Findings, *, optional: tuple[str, ...] | None = None, skip: int = 0, end: int | None = None) -> Sheet:
    """Open a CSV or Parquet file, or a table in memory, and check that the columns are there.

    Args:
        data: a path or a table.
        required: names of columns, in any case.
        findings: where rows of another width are noted.
        optional: further columns to read, where they are there; None: every column.
        skip: lines before the header of a CSV.
        end: lines of a CSV that are its table, and what is before it; None: all.

    Raises:
        DataError: it cannot be read, or has not the columns; the closest names are told.
    """
    wanted = _Wanted(required, optional)
    if not isinstance(data, str | Path):
        table = as_arrow(data)
        wanted.check("table", table.column_names)
        return _sheet("table", table, np.arange(1, table.num_rows + 1), findings)
    path = Path(data)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, "file-unreadable", f"the file cannot be read: {error.strerror}") from error
    try:
        if content[:4] == b"PAR1":
            table = _parquet(path, content, wanted)
            rows = np.arange(1, table.num_rows + 1)
        else:
            table, rows = _csv(path, _Lines(content, skip, end), wanted, findings)
    except (pa.ArrowException, OSError, UnicodeDecodeError, csv.Error) as error:
        raise _unreadable(path, "csv-damaged", f"the file cannot be read as CSV or Parquet: {str(error)[:120]}") from error
    return _sheet(path.name, table, rows, findings)


@dataclass(frozen=True)
class _Wanted:
    """Columns that must be there, and those to read where they are, None: all."""

    required: tuple[str, ...]
    optional: tuple[str, ...] | None

    def read(self, name: str) -> bool:
        """Return whether a column of the file is to be read."""
        return self.optional is None or name.strip().lower() in {known.lower() for known in (*self.required, *self.optional)}

    def check(self, file: str, header: list[str]) -> None:
        """Raise if a column is not there; the closest names are told."""
        there = [str(name).strip().lower() for name in header]
        lost = [name for name in self.required if name.lower() not in there]
        if not lost:
            return
        told = []
        for name in lost:
            close = difflib.get_close_matches(name.lower(), there, n=1, cutoff=0.6)
            told.append(Finding(file, "column-missing", f"there is no such column{f'; is it {close[0]!r}?' if close else ''}", column=name))
        what = f"{len(lost)} columns are missing" if len(lost) > 1 else "a column is missing"
        raise DataError(file, what, findings=tuple(told), got=", ".join(there)[:200], allowed=", ".join(self.required),
                        advice="choose another --source, or download the table with these columns")


def _parquet(path: Path, content: bytes, wanted: _Wanted) -> Any:
    file = pa.parquet.ParquetFile(pa.BufferReader(content))
    header = list(file.schema_arrow.names)
    wanted.check(path.name, header)
    table = file.read(columns=[name for name in header if wanted.read(name)])
    table.validate(full=True)  # texts that are not UTF-8
    return table


def _unreadable(path: Path, rule: str, message: str) -> DataError:
    return DataError(str(path), message, findings=(Finding(path.name, rule, message),), advice="give the vendor's file as it was downloaded")


@dataclass(frozen=True)
class _Lines:
    """The content of a CSV, and how many lines are before its header and to its end."""

    content: bytes
    skip: int
    end: int | None


def _csv(path: Path, given: _Lines, wanted: _Wanted, findings: Findings) -> tuple[Any, ndarray]:
    """Return columns as text, and the number of each row; empty lines do not count as rows but as lines."""
    skip, end = given.skip, given.end
    text = given.content.removeprefix(b"\xef\xbb\xbf")
    text.decode("utf-8")
    if end is not None:
        text = b"\n".join(text.split(b"\n")[:end])
    lines = text.split(b"\n", skip + 1)
    header = next(csv.reader([lines[skip].decode().rstrip("\r")])) if len(lines) > skip else []
    if not header:
        raise _unreadable(path, "file-empty", "the file has no header")
    names = [f"{position}" for position in range(len(header))]
    wanted.check(path.name, header)
    kept = [name for name, theirs in zip(names, header, strict=True) if wanted.read(theirs)]

    odd: list[int] = []
    table = pa.csv.read_csv(io.BytesIO(text), **csv_options(names, kept, skip + 1, _skipper(path, findings, odd, skip)))
    rows = np.delete(np.arange(table.num_rows + len(odd)), odd) + skip + 2
    filled = ~(pa.compute.equal(table.column(0), "").to_numpy() if len(header) == 1 and kept else np.zeros(table.num_rows, dtype=bool))
    table = table if filled.all() else table.filter(pa.array(filled))
    return table.rename_columns([header[int(name)] for name in kept]), rows[filled]


def _skipper(path: Path, findings: Findings, odd: list[int], skip: int) -> Callable[[Any], str]:
    """Return what is told of rows of another width: it notes them and lists their positions below the header in `odd`."""

    def skipped(row: Any) -> str:
        odd.append(int(row.number) - skip - 2)
        if row.text.strip():
            findings.add(path.name, "row-width", f"{row.actual_columns} values under {row.expected_columns} columns", row=row.number, value=row.text[:80])
        return "skip"

    return skipped


def _sheet(file: str, table: Any, rows: ndarray, findings: Findings) -> Sheet:
    columns: dict[str, Any] = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        columns.setdefault(str(name).strip().lower(), column.combine_chunks())
    return Sheet(file, rows, columns, findings)
