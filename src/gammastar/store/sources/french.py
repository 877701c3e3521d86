"""Portfolios of Kenneth French's data library as a market of portfolios: each portfolio an asset, its capitalisation its weight.

A file holds tables one below the other, each under a title: average value weighted returns, number of firms, average firm size. The firms and
the size of a month are those at its beginning: they are the weights of the returns of that month. So the capitalisation

    firms x average size    of month m stands at the last session of month m - 1,

and the value-weighted return of month m is earned from there: the panel's index is, to rounding, the value-weighted market of the file.
"""

from __future__ import annotations

__all__ = ["FrenchPortfolios", "Section", "read_sections"]

import csv
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from gammastar.errors import DataError, Finding
from gammastar.store.findings import Findings
from gammastar.store.sessions import exchange_days
from gammastar.store.sources.delivery import Delivery, TotalLoss
from gammastar.store.sources.snapshots import coded_texts, members_table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy import ndarray

MISSING = (-99.99, -999.0)
"""What the library writes where there is no number."""

_MONTH = re.compile(r"(?:19|20)\d{2}(?:0[1-9]|1[0-2])")
_WANTED = {"returns": re.compile(r"value.weight\w*\s.*returns.*month", re.I), "firms": re.compile(r"number of firms", re.I), "size": re.compile(r"average (firm size|market cap)", re.I)}


@dataclass(frozen=True, eq=False)
class Section:
    """One table of a file.

    Args:
        title: the line above it.
        names: of the portfolios.
        months: as datetime64[M], shape (t,).
        values: NaN where the library has none, shape (t, n).
        row: line of its header, the first line of the file being 1.
    """

    title: str
    names: tuple[str, ...]
    months: ndarray
    values: ndarray
    row: int


@dataclass(frozen=True)
class FrenchPortfolios:
    """A portfolio file of the library, monthly, as downloaded (CSV).

    Args:
        portfolios: names of the columns that make the market, separated by commas; empty: all. They must not overlap: a file with thirds, fifths
            and tenths of the same stocks needs them.
        title: what the data is, in words; default the file's name.
        calendar: code of the exchange whose last session of a month is its end.
    """

    portfolios: str = ""
    title: str = ""
    calendar: str = "XNYS"

    def read(self, data: Path) -> Delivery:
        """Return members with weights by capitalisation and the return to the next month.

        A portfolio without firms, size or return in a month is not in the index then. The weights of the last date are those of the last
        month grown by its returns, since the file does not say who is in then.

        Raises:
            DataError: the file lacks one of the three tables, or their portfolios differ or overlap.
        """
        findings = Findings()
        path = Path(data)
        tables = {name: _chosen(path, section, self.portfolios) for name, section in _wanted(path, read_sections(path)).items()}
        returns, firms, size = (tables[name] for name in ("returns", "firms", "size"))
        months = np.intersect1d(np.intersect1d(returns.months, firms.months), size.months)
        earned, count, mean = (table.values[np.searchsorted(table.months, months)] for table in (returns, firms, size))
        capital = np.where((count > 0.0) & (mean > 0.0) & np.isfinite(earned), count * mean, 0.0)
        gross = np.where(capital > 0.0, np.maximum(1.0 + earned / 100.0, 1.0 + TotalLoss), 1.0)
        empty = capital.sum(axis=1) == 0.0
        if empty.any():
            findings.warn(path.name, "month-empty", f"{int(empty.sum())} months without any capitalisation are left out", value=months[empty][0])
        broken = np.flatnonzero(np.diff(months[~empty].astype(int)) != 1)
        if len(broken) or empty.all():
            _stop(path, "month-gap", f"the months do not follow each other after {months[~empty][broken[0]] if len(broken) else 'the first'}")
        months, capital, gross = months[~empty], capital[~empty], gross[~empty]
        weights = capital / capital.sum(axis=1, keepdims=True)
        grown = weights[-1] * gross[-1]
        weights, forward = np.vstack((weights, grown / grown.sum())), np.vstack((gross - 1.0, np.full((1, gross.shape[1]), np.nan)))
        ends = self._ends(months, findings)
        findings.warn(path.name, "weights-grown", f"the weights of {ends[-1]} are those before, grown by the last month's returns", value=ends[-1])
        session, asset = np.nonzero(weights > 0.0)
        ids = coded_texts(asset, returns.names)
        forward_return = np.where(np.isnan(forward[session, asset]), np.nan, forward[session, asset])
        members = members_table(ends[session], ids, weights[session, asset], ticker=ids, forward_return=pa.array(forward_return, from_pandas=True))
        return Delivery(self.title or f"Kenneth French's data library, {path.stem}", members, calendar=self.calendar, remarks=tuple(findings.found))

    def _ends(self, months: ndarray, findings: Findings) -> ndarray:
        """Return the last session before the first month, and of each month."""
        first = (months[0] - 1).astype("datetime64[D]")
        last = (months[-1] + 1).astype("datetime64[D]") - np.timedelta64(1, "D")
        sessions = exchange_days(self.calendar, first, last, findings)
        findings.stop_on_errors(self.calendar)
        if sessions is None:  # a finding says why, and has stopped us
            raise AssertionError
        firsts = np.append(months, months[-1] + 1).astype("datetime64[D]")
        return np.asarray(sessions.days[np.searchsorted(sessions.days, firsts) - 1])


def _stop(path: Path, rule: str, message: str, allowed: str | None = None) -> None:
    raise DataError(str(path), "this is no portfolio file that can be read", findings=(Finding(path.name, rule, message),), allowed=allowed,
                    advice="download the monthly portfolio file (CSV) that has value-weighted returns, number of firms and average firm size")


def _wanted(path: Path, sections: tuple[Section, ...]) -> dict[str, Section]:
    """Return the three tables.

    Raises:
        DataError: one is not there, or they are of different portfolios.
    """
    found: dict[str, Section] = {}
    for name, title in _WANTED.items():
        fitting = [section for section in sections if title.search(section.title)]
        if not fitting:
            told = "; ".join(section.title for section in sections) or "none"
            _stop(path, "table-absent", f"there is no monthly table of {name}; the tables are: {told}", "average value weighted returns, number of firms, average firm size")
        found[name] = fitting[0]
    for name, section in found.items():
        if section.names != found["returns"].names:
            _stop(path, "table-differs", f"the table of {name} at line {section.row} has other portfolios than the returns")
    return found


def _chosen(path: Path, section: Section, portfolios: str) -> Section:
    """Return the table of the portfolios chosen.

    Raises:
        DataError: one of them is not there, or all are taken and they overlap.
    """
    wanted = tuple(name.strip() for name in portfolios.split(",") if name.strip())
    lost = [name for name in wanted if name not in section.names]
    if lost:
        _stop(path, "portfolio-absent", f"there is no portfolio {lost[0]!r}", ", ".join(section.names))
    lowest = [name for name in section.names if name.startswith("Lo ")]
    if not wanted and len(lowest) > 1:
        message = f"{' and '.join(lowest)} hold the same stocks: choose portfolios that do not overlap, --set portfolios=..."
        _stop(path, "portfolio-overlap", message, ", ".join(section.names))
    columns = [section.names.index(name) for name in wanted or section.names]
    return Section(section.title, tuple(section.names[column] for column in columns), section.months, section.values[:, columns], section.row)


def read_sections(path: Path) -> tuple[Section, ...]:
    """Return the monthly tables of a file of the library; annual and daily ones are passed over.

    Raises:
        DataError: the file cannot be read, or a cell is no number.
    """
    try:
        lines = path.read_text(encoding="latin-1").splitlines()
    except OSError as error:
        raise DataError(str(path), f"the file cannot be read: {error.strerror}", findings=(Finding(path.name, "file-unreadable", str(error.strerror)),)) from error
    sections, title, at = [], "", 0
    while at < len(lines):
        cells = _cells(lines[at])
        if len(cells) > 1 and cells[0] == "" and any(cells[1:]):
            first = at + 1
            while first < len(lines) and not lines[first].strip(" ,"):
                first += 1  # some files leave a line free below the header
            end = first
            while end < len(lines) and _cells(lines[end])[0].isdecimal():
                end += 1
            section = _section(path, title, at, [lines[at], *lines[first:end]])
            if section is not None:
                sections.append(section)
            at = max(end, at + 1)
            continue
        title = " ".join(cell for cell in cells if cell) or title
        at += 1
    return tuple(sections)


def _cells(line: str) -> list[str]:
    cells = [cell.strip() for cell in next(csv.reader([line]), [""])]
    return cells or [""]


def _finite(cell: str) -> float:
    value = float(cell)
    if not math.isfinite(value):
        raise ValueError(cell)
    return value


def _section(path: Path, title: str, at: int, lines: Iterable[str]) -> Section | None:
    """Return a table whose rows are months, None for others."""
    header, *rows = (_cells(line) for line in lines)
    names = tuple(name for name in header[1:] if name)
    if not rows or not _MONTH.fullmatch(rows[0][0]):
        return None
    values = np.full((len(rows), len(names)), np.nan)
    for k, cells in enumerate(rows):
        if not _MONTH.fullmatch(cells[0]):
            _stop(path, "month", f"line {at + k + 2} of the table {title!r} begins with {cells[0]!r}, which is no month (192607)")
        try:
            values[k] = [_finite(cell) for cell in cells[1 : len(names) + 1]]
        except ValueError:
            _stop(path, "number", f"line {at + k + 2} of the table {title!r} has a cell that is no number, or too few cells")
    months = np.array([f"{cells[0][:4]}-{cells[0][4:]}" for cells in rows], dtype="datetime64[M]")
    return Section(title, names, months, np.where(np.isin(values, MISSING), np.nan, values), at + 1)
