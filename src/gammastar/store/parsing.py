"""Raw columns to typed ones: dates, asset ids, numbers, texts, flags. Cells that cannot be read become findings."""

from __future__ import annotations

__all__ = ["Coded", "Table", "parse_table"]

import datetime as dt
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute

from gammastar.errors import Finding
from gammastar.store.layout import Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy import ndarray

    from gammastar.store.findings import Findings
    from gammastar.store.layout import Column, TableSpec
    from gammastar.store.reading import Raw

_ISO = re.compile(r"(\d{4})-(\d{2})-(\d{2})(?:[ T]00:00(?::00(?:\.0+)?)?)?")
_SLASHED = re.compile(r"\d{1,4}[/.]\d{1,2}[/.]\d{1,4}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")
_NO_NUMBER = frozenset({"", "na", "n/a", "#n/a", "nan", "null", "none", "<na>"})
_NO_ID = frozenset({"", "nan", "NaN", "None", "null", "NULL", "<NA>"})
_FLAGS = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False, "": False}
_YEARS = (1900, 2100)
_NOT_A_DATE = np.datetime64("NaT", "D")


@dataclass(frozen=True, eq=False)
class Coded:
    """Texts as positions in a list of distinct values.

    Args:
        codes: position of each row's text, -1 where there is none, shape (m,).
        values: the distinct texts.
    """

    codes: ndarray
    values: tuple[str, ...]

    def at(self, position: int) -> str:
        """Return the text of one row, empty where there is none."""
        code = int(self.codes[position])
        return self.values[code] if code >= 0 else ""

    def taken(self, order: ndarray) -> Coded:
        """Return the rows at `order`."""
        return Coded(self.codes[order], self.values)


@dataclass(frozen=True, eq=False)
class Table:
    """One file of the layout, typed; every column of the layout is there (empty where the file lacks it), the extra ones only where the file has them.

    Args:
        file: its name.
        rows: row numbers in the file, shape (m,).
        dates, numbers, texts, flags: columns by name, shape (m,) each.
        present: columns the file has.
        ignored: columns of the file that mean nothing to us.
    """

    file: str
    rows: ndarray
    dates: dict[str, ndarray]
    numbers: dict[str, ndarray]
    texts: dict[str, Coded]
    flags: dict[str, ndarray]
    present: tuple[str, ...]
    ignored: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def taken(self, order: ndarray) -> Table:
        """Return the table with the rows at `order`."""
        return Table(
            self.file,
            self.rows[order],
            {name: values[order] for name, values in self.dates.items()},
            {name: values[order] for name, values in self.numbers.items()},
            {name: coded.taken(order) for name, coded in self.texts.items()},
            {name: values[order] for name, values in self.flags.items()},
            self.present,
            self.ignored,
        )


def parse_table(raw: Raw, spec: TableSpec, findings: Findings) -> Table:
    """Type the columns of one file; cells that cannot be read become findings."""
    table = Table(raw.file, raw.rows, {}, {}, {}, {}, tuple(raw.columns), raw.ignored)
    for column in spec.columns:
        reader = _Reader(raw.file, raw.rows, column, findings)
        array = raw.columns.get(column.name)
        if column.extra and array is None:
            continue
        match column.kind:
            case Kind.DATE:
                table.dates[column.name] = reader.dates(array)
            case Kind.NUMBER:
                table.numbers[column.name] = reader.numbers(array)
            case Kind.FLAG:
                table.flags[column.name] = reader.flags(array)
            case Kind.ASSET:
                table.texts[column.name] = reader.ids(array)
            case Kind.GROUP:
                table.texts[column.name] = reader.groups(array)
            case Kind.TEXT:
                table.texts[column.name] = reader.texts(array)
    if "known" in table.dates:  # by default a row was known on its own date
        known = table.dates["known"]
        table.dates["known"] = np.where(np.isnat(known), table.dates["date"], known)
    return table


@dataclass(frozen=True)
class _Reader:
    """Reads one column."""

    file: str
    rows: ndarray
    column: Column
    findings: Findings

    def dates(self, array: Any) -> ndarray:
        """Return days, NaT where there is none or where it cannot be read."""
        if array is None:
            return np.full(len(self.rows), _NOT_A_DATE)
        if pa.types.is_timestamp(array.type) or pa.types.is_date(array.type):
            return self._real_dates(array)
        coded = self._coded(array)
        if coded is None:
            return np.full(len(self.rows), _NOT_A_DATE)
        read = [_date(text) for text in coded.values]
        days = np.array([*(day for day, _ in read), _NOT_A_DATE], dtype="datetime64[D]")[coded.codes]
        for rule, message in sorted({(rule, _DATE_RULES[rule]) for _, rule in read if rule}):
            broken = np.array([*(found == rule for _, found in read), False])[coded.codes]
            self._bad(rule, message, broken, coded.at)
        self._required(coded.codes < 0, "date-missing", "a date is needed in each row")
        return np.asarray(days)

    def _real_dates(self, array: Any) -> ndarray:
        """Dates and timestamps of Parquet: a timestamp must be at midnight, so that nobody guesses which day it means."""
        missing = array.is_null().to_numpy(zero_copy_only=False)
        stamps = (
            array.cast(pa.timestamp("us", getattr(array.type, "tz", None)), safe=False).cast(pa.int64()).fill_null(0)
        )
        moments = stamps.to_numpy().astype("datetime64[us]")
        days = moments.astype("datetime64[D]")
        self._bad("date-time", _DATE_RULES["date-time"], (days != moments) & ~missing, lambda at: moments[at])
        years = days.astype("datetime64[Y]").astype(np.int64) + 1970
        outside = ((years < _YEARS[0]) | (years > _YEARS[1])) & ~missing
        self._bad("date-range", _DATE_RULES["date-range"], outside, lambda at: days[at])
        self._required(missing, "date-missing", "a date is needed in each row")
        return np.where(missing | outside, _NOT_A_DATE, days)

    def numbers(self, array: Any) -> ndarray:
        """Return floats, NaN where there is none or where it cannot be read."""
        if array is None:
            return np.full(len(self.rows), np.nan)
        kind = array.type
        if pa.types.is_null(kind):
            return np.full(len(self.rows), np.nan)
        if _is_text(kind):
            values = self._text_numbers(array)
        elif pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind):
            values = array.cast(pa.float64(), safe=False).fill_null(np.nan).to_numpy(zero_copy_only=False)
        else:
            self._wrong_type(kind, "a number")
            return np.full(len(self.rows), np.nan)
        self._bad("number-infinite", "an infinite number", np.isinf(values), lambda at: values[at])
        return np.where(np.isinf(values), np.nan, values)

    def _text_numbers(self, array: Any) -> ndarray:
        """Numbers written as text; exact, as Python reads them."""
        texts = pa.compute.utf8_trim_whitespace(array.cast(pa.string()))
        blank = pa.compute.is_in(pa.compute.utf8_lower(texts), value_set=pa.array(sorted(_NO_NUMBER)))
        texts = pa.compute.if_else(pa.compute.fill_null(blank, fill_value=True), pa.scalar(None, pa.string()), texts)
        try:
            values = texts.cast(pa.float64())
        except pa.ArrowInvalid:
            coded = texts.dictionary_encode()
            read = np.array([*(_number(text) for text in coded.dictionary.to_pylist()), np.nan])
            codes = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
            told = coded.dictionary.to_pylist()
            unread = np.isnan(read[codes]) & (codes >= 0)
            comma = np.array([*(bool(_DECIMAL_COMMA.fullmatch(text)) for text in told), False])[codes]
            self._bad(
                "decimal-comma", "a decimal comma: write decimal points", unread & comma, lambda at: told[codes[at]]
            )
            self._bad("number", "not a number", unread & ~comma, lambda at: told[codes[at]])
            return np.asarray(read[codes])
        return np.asarray(values.fill_null(np.nan).to_numpy(zero_copy_only=False))

    def ids(self, array: Any) -> Coded:
        """Return asset ids as texts: whole numbers of any width as the same decimal text."""
        kind = array.type
        if pa.types.is_floating(kind):
            numbers = array.cast(pa.float64(), safe=False).fill_null(np.nan).to_numpy(zero_copy_only=False)
            broken = ~np.isnan(numbers) & ((numbers != np.floor(numbers)) | (np.abs(numbers) > 2**53))
            self._bad("id-format", "an asset id must be text or a whole number", broken, lambda at: numbers[at])
            whole = np.where(np.isnan(numbers) | broken, 0, numbers).astype(np.int64)
            array = pa.array(whole, mask=np.isnan(numbers))
        elif not (pa.types.is_integer(kind) or pa.types.is_null(kind) or _is_text(kind)):
            self._wrong_type(kind, "text or a whole number")
            return Coded(np.full(len(self.rows), -1), ())
        coded = _coded(array, _NO_ID)
        self._bad("id-missing", "an asset id is needed in each row", coded.codes < 0, lambda _: "nothing")
        odd = np.array([*(bool(re.fullmatch(r"\d+\.0+", text)) for text in coded.values), False])[coded.codes]
        self._bad("id-format", "a whole number written as a decimal: write it without the point", odd, coded.at)
        control = np.array([*(bool(_CONTROL.search(text)) for text in coded.values), False])[coded.codes]
        self._bad("id-format", "an asset id with a control character: keys must be what they look like", control, lambda at: repr(coded.at(at)))
        return coded

    def texts(self, array: Any) -> Coded:
        """Return texts, with surrounding blanks taken away."""
        if array is None:
            return Coded(np.full(len(self.rows), -1), ())
        return self._coded(array) or Coded(np.full(len(self.rows), -1), ())

    def groups(self, array: Any) -> Coded:
        """Return labels of groups as texts; whole numbers as their decimal text."""
        return self.texts(array.cast(pa.string()) if pa.types.is_integer(array.type) else array)

    def flags(self, array: Any) -> ndarray:
        """Return true or false; nothing is false."""
        if array is None:
            return np.zeros(len(self.rows), dtype=bool)
        kind = array.type
        if not (pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_null(kind) or _is_text(kind)):
            self._wrong_type(kind, "true or false")
            return np.zeros(len(self.rows), dtype=bool)
        coded = _coded(array.cast(pa.string()), frozenset({""}))
        unknown = np.array([*(text.lower() not in _FLAGS for text in coded.values), False])[coded.codes]
        self._bad("flag", "neither true nor false", unknown, coded.at)
        return np.asarray(np.array([*(_FLAGS.get(text.lower(), False) for text in coded.values), False])[coded.codes])

    def _coded(self, array: Any) -> Coded | None:
        kind = array.type
        if pa.types.is_null(kind):
            return Coded(np.full(len(self.rows), -1), ())
        if not _is_text(kind):
            wanted = {Kind.DATE: "an ISO date or text", Kind.GROUP: Kind.GROUP.value}.get(self.column.kind, "text")
            self._wrong_type(kind, wanted)
            return None
        return _coded(array, frozenset({""}))

    def _bad(self, rule: str, message: str, bad: ndarray, value: Callable[[int], object]) -> None:
        if bad.any():
            self.findings.add_rows(Finding(self.file, rule, message, column=self.column.name), bad, self.rows, value)

    def _required(self, missing: ndarray, rule: str, message: str) -> None:
        if self.column.filled:
            self._bad(rule, message, missing, lambda _: "nothing")

    def _wrong_type(self, kind: object, wanted: str) -> None:
        self.findings.add(
            self.file, "column-type", f"the column must hold {wanted}", column=self.column.name, value=kind
        )


_DATE_RULES = {
    "date-format": "not an ISO date: write 2019-01-31, not 1/31/2019 or 31.1.2019, where nobody can tell day from month",
    "date-impossible": "there is no such day",
    "date-range": f"a year outside {_YEARS[0]} to {_YEARS[1]}",
    "date-time": "a time of day: give the date alone, as the exchange counts it",
    "date-text": "not an ISO date (2019-01-31)",
}


def _is_text(kind: Any) -> bool:
    """Return whether an Arrow type holds text, perhaps as a dictionary."""
    held = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(held) or pa.types.is_large_string(held) or pa.types.is_string_view(held))


def _date(text: str) -> tuple[np.datetime64, str | None]:
    """Return the day and no rule, or NaT and the rule that the text breaks."""
    parts = _ISO.fullmatch(text)
    if parts is None:
        if _SLASHED.fullmatch(text):
            return _NOT_A_DATE, "date-format"
        return _NOT_A_DATE, "date-time" if _ISO.match(text) else "date-text"
    year, month, day = (int(part) for part in parts.groups())
    try:
        dt.date(year, month, day)
    except ValueError:
        return _NOT_A_DATE, "date-impossible"
    if not _YEARS[0] <= year <= _YEARS[1]:
        return _NOT_A_DATE, "date-range"
    return np.datetime64(f"{year:04d}-{month:02d}-{day:02d}", "D"), None


def _number(text: str) -> float:
    """Return the number a text holds, or NaN."""
    if "_" in text:
        return np.nan
    try:
        return float(text)
    except ValueError:
        return np.nan


def _coded(array: Any, nothing: frozenset[str]) -> Coded:
    """Return texts as codes; texts that are equal once trimmed share a code."""
    encoded = array if pa.types.is_dictionary(array.type) else array.dictionary_encode()
    texts = ["" if value is None else str(value).strip() for value in encoded.dictionary.to_pylist()]
    values = tuple(sorted({text for text in texts if text not in nothing}))
    position = {text: code for code, text in enumerate(values)}
    lookup = np.array([*(position.get(text, -1) for text in texts), -1], dtype=np.int32)
    return Coded(lookup[encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)], values)
