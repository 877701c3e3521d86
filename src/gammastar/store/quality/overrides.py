"""Corrections of stored data that leave it as it is: dated rows with author and reason, applied when a panel is built, and taken back by another row."""

from __future__ import annotations

__all__ = ["FIELDS", "Correction", "Corrections", "keep_corrections", "read_corrections", "stored_value", "write_corrections"]

import difflib
import hashlib
import json
import math
import os
import shutil
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Literal

import numpy as np

from gammastar.errors import DataError, UsageError
from gammastar.store.queries import Queries

if TYPE_CHECKING:
    from pathlib import Path

    from numpy import ndarray

FILE = "overrides.jsonl"
"""Where the corrections of a store are, one JSON object a line, in the order in which they were made."""

FIELDS = {
    "total_return": ("returns", "total_return", "a simple return above -1 and at most 10"),
    "price": ("prices", "close", "above 0"),
    "split": ("prices", "split", "above 0"),
    "weight": ("members", "weight", "0 or more"),
    "forward_return": ("members", "forward_return", "a simple return above -1 and at most 10"),
    "level": ("index", "level", "above 0"),
}
"""What can be corrected: the question asked of the store, its column, and the values allowed."""

_QUARANTINED = ("total_return", "forward_return", "price")


@dataclass(frozen=True)
class Correction:
    """One row: a value to use in place of another, values to leave out, or an earlier row to take back.

    Args:
        number: counted from 1.
        kind: what it does.
        author: who says so.
        reason: why.
        made: the date on which it was made; a panel as known earlier does not have it.
        asset: id, or None for the published index.
        field: one of `FIELDS`.
        first, last: ISO dates it holds for; the same for an override.
        value: what to use; None where values are left out.
        was: what the store had when it was made; None where it had nothing.
        revokes: number of the row that is taken back, or None.
    """

    number: int
    kind: Literal["override", "quarantine", "revoke"]
    author: str
    reason: str
    made: str
    asset: str | None = None
    field: str = "total_return"
    first: str = ""
    last: str = ""
    value: float | None = None
    was: float | None = None
    revokes: int | None = None

    def __str__(self) -> str:
        """Return one line for people to read."""
        days = self.first if self.first == self.last else f"{self.first} to {self.last}"
        place = f"{self.field} of {'the index' if self.asset is None else f'asset {self.asset}'}, {days}"
        told = {
            "override": f"{place}: {self.value!r} in place of {'nothing' if self.was is None else repr(self.was)}",
            "quarantine": f"{place}: left out",
            "revoke": f"number {self.revokes} is taken back",
        }[self.kind]
        return f"{self.number}. {told} ({self.author}, {self.made}: {self.reason})"


@dataclass(frozen=True)
class Corrections:
    """All rows of one store, in the order in which they were made."""

    rows: tuple[Correction, ...] = ()

    def in_force(self, known: str | None = None) -> tuple[Correction, ...]:
        """Return the rows that hold: neither taken back nor made after `known` (an ISO date; None: now).

        A row that is taken back later is in force for a panel as known before that.
        """
        told = [row for row in self.rows if known is None or row.made <= known]
        gone = {row.revokes for row in told if row.kind == "revoke"}
        return tuple(row for row in told if row.kind != "revoke" and row.number not in gone)

    def fingerprint(self, content: str) -> str:
        """Return the fingerprint of data under these corrections: `content` itself where none is in force."""
        held = self.in_force()
        if not held:
            return content
        told = [(row.kind, row.asset, row.field, row.first, row.last, row.value) for row in held]
        return hashlib.sha256(repr((content, told)).encode()).hexdigest()

    def over(self, queries: Queries) -> Queries:
        """Return the questions of a store, answered with these corrections."""
        return _Corrected(queries.folder, queries.connection, self.in_force()) if self.in_force() else queries

    def add(self, correction: Correction) -> Corrections:
        """Return the rows with one more.

        Raises:
            UsageError: no author or reason, a date, field or value that cannot be, or a row to take back that is not in force.
        """
        _check(correction, self)
        return Corrections((*self.rows, correction))


def _check(row: Correction, before: Corrections) -> None:
    for name in ("author", "reason"):
        if not str(getattr(row, name)).strip():
            raise UsageError(name, "a correction needs one", got="nothing", advice=f"say --{name}")
    _day("on", row.made)
    if before.rows and row.made < before.rows[-1].made:
        raise UsageError("on", "corrections are made one after another", got=row.made, allowed=f"{before.rows[-1].made} or later")
    if row.kind == "revoke":
        held = [str(one.number) for one in before.in_force()]
        if str(row.revokes) not in held:
            raise UsageError("number", "no such correction is in force", got=row.revokes, allowed=", ".join(held) or "none")
        return
    if row.field not in FIELDS or (row.kind == "quarantine" and row.field not in _QUARANTINED):
        raise UsageError("field", "there is no such field", got=row.field, allowed=", ".join(_QUARANTINED if row.kind == "quarantine" else FIELDS))
    if _day("from", row.first) > _day("to", row.last):
        raise UsageError("to", "the dates run backwards", got=row.last, allowed=f"{row.first} or later")
    if (row.asset is None) != (row.field == "level"):
        raise UsageError("asset", "an asset is needed, and only the index level has none", got=row.asset, advice="say --asset ID")
    if row.kind == "override" and not _allowed(row.field, row.value):
        raise UsageError("value", f"{row.field} cannot be that", got=row.value, allowed=FIELDS[row.field][2])


def _day(name: str, text: str) -> np.datetime64:
    advice = "an ISO date, such as 2019-01-31"
    try:
        day: np.datetime64 = np.datetime64(text, "D")
    except ValueError as error:
        raise UsageError(name, "not a date", got=text, allowed=advice) from error
    if str(day) != text or np.isnat(day):
        raise UsageError(name, "not a date", got=text or "nothing", allowed=advice)
    return day


def _allowed(field: str, value: float | None) -> bool:
    if value is None or not math.isfinite(value):
        return False
    if field.endswith("return"):
        return -1.0 < value <= 10.0
    return value >= 0.0 if field == "weight" else value > 0.0


@dataclass(frozen=True)
class _Corrected(Queries):
    """Answers of a store with corrections."""

    rows: tuple[Correction, ...] = ()

    def ask(self, question: str, **parameters: object) -> dict[str, ndarray]:
        """Return the columns of one answer, corrected."""
        plain = Queries(self.folder, self.connection)
        columns = plain.ask(question, **parameters)
        rows = [row for row in self.rows if FIELDS[row.field][0] == question]
        if not rows:
            return columns
        assets = {str(name): k for k, name in enumerate(plain.ask("assets")["asset_id"])}
        sessions = plain.ask("sessions")["session"].astype("datetime64[D]")
        for row in rows:
            columns = _applied(columns, row, _Place.of(row, sessions, assets))
        return columns


@dataclass(frozen=True)
class _Place:
    """The sessions and the asset of a correction, by position."""

    first: int
    last: int
    asset: int

    @classmethod
    def of(cls, row: Correction, sessions: ndarray, assets: dict[str, int]) -> _Place:
        first, last = np.datetime64(row.first), np.datetime64(row.last)
        begin, end = int(np.searchsorted(sessions, first)), int(np.searchsorted(sessions, last, side="right")) - 1
        return cls(begin, end, -1 if row.asset is None else assets.get(row.asset, -2))

    def among(self, columns: dict[str, ndarray]) -> ndarray:
        """Return which rows of an answer are meant."""
        within = (columns["session"] >= self.first) & (columns["session"] <= self.last)
        return np.asarray(within if self.asset == -1 else within & (columns["asset"] == self.asset))


def _applied(columns: dict[str, ndarray], row: Correction, place: _Place) -> dict[str, ndarray]:
    """Return an answer with one correction in it."""
    name, meant = FIELDS[row.field][1], place.among(columns)
    if row.kind == "quarantine":
        if row.field == "total_return":
            return {key: values[~meant] for key, values in columns.items()}
        return {**columns, name: np.where(meant, np.nan, columns[name])}
    if meant.any() or row.field != "total_return" or place.asset == -2 or place.first != place.last:
        return {**columns, name: np.where(meant, float("nan") if row.value is None else row.value, columns[name])}
    more = {"session": place.first, "asset": place.asset, name: row.value}
    added = {key: np.append(values, np.array([more.get(key, 0)], dtype=values.dtype)) for key, values in columns.items()}
    order = np.lexsort((added["asset"], added["session"]))
    return {key: values[order] for key, values in added.items()}


def stored_value(queries: Queries, row: Correction) -> float | None:
    """Return what the store itself has where an override would stand, or None where it has nothing.

    Raises:
        UsageError: no such asset or session, or nothing there to correct (only a return may be added).
    """
    question, column, _ = FIELDS[row.field]
    assets = {str(name): k for k, name in enumerate(queries.ask("assets")["asset_id"])}
    if row.asset is not None and row.asset not in assets:
        close = difflib.get_close_matches(row.asset, list(assets), n=1)
        raise UsageError("asset", "there is no such asset in the store", got=row.asset, advice=f"did you mean {close[0]}?" if close else "ids are permanent ids, not tickers")
    sessions = queries.ask("sessions")["session"].astype("datetime64[D]")
    place = _Place.of(row, sessions, assets)
    if place.first > place.last or place.first >= len(sessions):
        raise UsageError("date", "the store has no session there", got=row.first, allowed=f"sessions from {sessions[0]} to {sessions[-1]}")
    if row.kind == "quarantine":
        return None
    if row.field == "level" and not (queries.folder / "index.parquet").exists():
        raise UsageError("field", "the store has no published index", got="level")
    columns = queries.ask(question, labels=[]) if question == "members" else queries.ask(question)
    values = columns[column][place.among(columns)]
    value = float(values[0]) if len(values) and np.isfinite(values[0]) else None
    if value is None and row.field != "total_return":
        raise UsageError("date", f"the store has no {row.field} there: only a return can be added where there is none", got=row.first)
    return value


def read_corrections(folder: Path) -> Corrections:
    """Return the corrections of the store in `folder`.

    Raises:
        DataError: the file cannot be read, or a row of it is not one that this program writes.
    """
    file = folder / FILE
    if not file.exists():
        return Corrections()
    names, found = {field.name for field in fields(Correction)}, Corrections()
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(str(file), f"the corrections cannot be read: {error}", advice="put back the file as it was") from error
    for number, line in enumerate(lines, start=1):
        try:
            content = json.loads(line)
            if not isinstance(content, dict) or set(content) != names or content["number"] != number:
                raise ValueError("not a correction")  # noqa: TRY301
            found = found.add(Correction(**content))
        except (TypeError, ValueError, AttributeError, RecursionError, UsageError) as error:
            where = f"{file}, row {number}"
            raise DataError(where, "this is not a correction as gammastar writes them", got=line[:80], advice="put back the row as it was") from error
    return found


def keep_corrections(old: Path, fresh: Path) -> None:
    """Copy the corrections of an old store, if there are any, to the one that takes its place: people made them, not the vendor."""
    if (old / FILE).exists():
        shutil.copyfile(old / FILE, fresh / FILE)


def write_corrections(folder: Path, corrections: Corrections) -> None:
    """Write the corrections of the store in `folder`: the old file whole, or the new one."""
    text = "".join(json.dumps(asdict(row), ensure_ascii=False, allow_nan=False) + "\n" for row in corrections.rows)
    fresh = folder / f".{FILE}.writing"
    with fresh.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    fresh.replace(folder / FILE)
