"""Corrections that somebody signs: overrides, quarantines, and taking them back. Each is an entry of the store like an append; nothing is edited in place."""

from __future__ import annotations

__all__ = ["Correction", "ValueChange", "corrections", "override", "override_return", "quarantine", "revoke"]

import difflib
import math
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gammastar.errors import DataError, UsageError
from gammastar.store.appending import add_rows
from gammastar.store.folder import open_store, parse_known
from gammastar.store.holdings import held_by
from gammastar.store.merging import read_log
from gammastar.store.signatures import KEYS, NUMBERS, Signature, signed_entries, signed_rows
from gammastar.store.writing import change_store

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from gammastar.store.appending import AppendReport
    from gammastar.store.folder import Store

_SHOWN = 10


@dataclass(frozen=True)
class ValueChange:
    """One value that a correction changed.

    Args:
        table: returns or index.
        date: it is true for.
        asset: permanent id, or None for the index.
        column: name; `estimated` is true of a return that does not count as observed.
        before: what stood there; None for nothing.
        after: what stands there by the correction.
        current: whether that is what the store says now.
    """

    table: str
    date: str
    asset: str | None
    column: str
    before: float | bool | None
    after: float | bool | None
    current: bool

    def __str__(self) -> str:
        """Return one line."""
        before, after = (("nothing" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value).lower()) for value in (self.before, self.after))
        return f"{self.date} {self.asset or 'index'} {self.column}: {before} -> {after}" + ("" if self.current else " (no longer what the store says)")


@dataclass(frozen=True)
class Correction:
    """A signed entry of a store.

    Args:
        number: of the entry.
        kind: `"override"`, `"quarantine"` or `"revoke"`.
        author, reason: who answers for it, and why.
        known: since when it is known.
        rows: by table.
        changes: of returns and index levels; a snapshot of members is corrected as a whole and only counted.
        revokes: number of the correction that it takes back, or None.
        revoked_by: number of the one that took it back, or None.
    """

    number: int
    kind: str
    author: str
    reason: str
    known: str
    rows: dict[str, int]
    changes: tuple[ValueChange, ...]
    revokes: int | None = None
    revoked_by: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the correction as plain values, ready for JSON."""
        return {**asdict(self), "changes": [*map(asdict, self.changes)]}

    def __str__(self) -> str:
        """Return the correction for people to read; of its values the first ten."""
        what = {"override": "override", "quarantine": "quarantine", "revoke": f"takes back {self.revokes}"}[self.kind]
        counts = ", ".join(f"{count:,} rows of {name}" for name, count in self.rows.items() if count)
        lines = [f"{self.number}  {what}, {self.author}: {self.reason}", f"   {counts}, known {self.known}" + ("" if self.revoked_by is None else f"; taken back by {self.revoked_by}")]
        lines += [f"   {change}" for change in self.changes[:_SHOWN]]
        if len(self.changes) > _SHOWN:
            lines.append(f"   ... and {len(self.changes) - _SHOWN:,} more (--json has all)")
        return "\n".join(lines)


def override(store: Path | str, rows: Path | str, *, author: str, reason: str, known: str | np.datetime64 | None = None) -> AppendReport:
    """Put other rows in the place of stored ones.

    They stand until the same values are corrected again: a delivery that repeats what was stored before is nothing new.

    Args:
        store: folder.
        rows: a file or folder in the layout of docs/dataset.md, as for `append`.
        author: who answers for it.
        reason: why.
        known: since when; by default the last time at which the store learnt anything.

    Returns:
        What was new; nothing, where the store says so already.

    Raises:
        DataError: with every finding; the store is as it was.
        StaleDataError: there is no store.
        UsageError: no author, no reason, `known` is not a date.
    """
    signature, target = Signature("override", author, reason), Path(store)
    with change_store(target) as draft:
        held = open_store(target)
        return add_rows(draft, held, Path(rows), now=_when(known, held), signature=signature)


def override_return(
    store: Path | str, asset: str, date: str | np.datetime64, value: float, *, author: str, reason: str, known: str | np.datetime64 | None = None
) -> AppendReport:
    """Put another return in the place of a stored one, observed from then on; price, split and traded value stay.

    Args:
        store: folder.
        asset: permanent id.
        date: session.
        value: simple total return.
        author: who answers for it.
        reason: why.
        known: as for `override`.

    Raises:
        UsageError: an asset or a date without a stored return, or a value that is no return.
        DataError: as for `override`.
    """
    if not (math.isfinite(value) and value > -1.0):
        raise UsageError("--return", "this is no return", got=value, allowed="a finite number above -1: 0.01 is one percent")
    day = parse_known(date, "--date")
    return _sign(Path(store), Signature("override", author, reason), known, lambda held: _stored(held, asset, day, day).assign(total_return=float(value), estimated=False))


def quarantine(
    store: Path | str, first: str | np.datetime64, last: str | np.datetime64 | None = None, *, author: str, reason: str,
    asset: str | None = None, known: str | np.datetime64 | None = None,
) -> AppendReport:  # fmt: skip
    """Let stored returns no longer count as observed: risk leaves them out, and accounts fill them by the rule for missing returns.

    Args:
        store: folder.
        first: date.
        last: date; by default `first`.
        author: who answers for it.
        reason: why.
        asset: permanent id; by default every asset that has a return there.
        known: as for `override`.

    Raises:
        UsageError: there is no return to quarantine.
        DataError: as for `override`.
    """
    begin, end = parse_known(first, "--from"), parse_known(last or first, "--to")
    return _sign(Path(store), Signature("quarantine", author, reason), known, lambda held: _stored(held, asset, begin, end).assign(estimated=True))


def revoke(store: Path | str, number: int, *, author: str, reason: str, known: str | np.datetime64 | None = None) -> AppendReport:
    """Bring back what stood before a correction. A return that it added cannot be taken away: it then counts as not observed.

    Args:
        store: folder.
        number: of the correction.
        author: who answers for it.
        reason: why.
        known: as for `override`.

    Raises:
        UsageError: no such correction, it is taken back already, something later corrected the same values, or it added a level of the index.
        DataError: as for `override`.
    """
    return _sign(Path(store), Signature("revoke", author, reason, number), known, lambda held: _before(held, number))


def corrections(store: Store) -> tuple[Correction, ...]:
    """Return the signed entries of a store, the oldest first.

    Raises:
        DataError: a file of the store cannot be read.
    """
    entries = signed_entries(store)
    revoked = {entry["signed"]["revokes"]: number for number, entry in entries.items() if "revokes" in entry["signed"]}
    changes: dict[int, list[ValueChange]] = {number: [] for number in entries}
    for table, columns in NUMBERS.items():
        rows = signed_rows(store, table, set(entries)) if entries else None
        for number, change in [] if rows is None else _changes(rows, table, columns, set(entries)):
            changes[number].append(change)
    found = []
    for number, entry in entries.items():
        signed, rows_of = entry["signed"], {name: counts["added"] + counts["corrected"] for name, counts in entry["rows"].items()}
        told = tuple(changes[number])
        found.append(Correction(number, signed["kind"], signed["author"], signed["reason"], entry["known"], rows_of, told, signed.get("revokes"), revoked.get(number)))
    return tuple(found)


def _changes(rows: pd.DataFrame, table: str, columns: tuple[str, ...], numbers: set[int]) -> list[tuple[int, ValueChange]]:
    """Return what each signed entry changed, with its number."""
    found = []
    for _, versions in rows.groupby(KEYS[table], sort=True):
        told: list[dict[str, Any]] = [dict(zip(versions.columns, row, strict=True)) for row in versions.itertuples(index=False)]
        day, asset = str(told[0]["date"].date()), told[0].get("asset_id")
        for at, row in enumerate(told):
            if row["entry"] not in numbers:
                continue
            before = told[at - 1] if at else {}
            for column in columns:
                old, new = _plain(before.get(column)), _plain(row.get(column))
                if old != new:
                    current = at == len(told) - 1
                    found.append((int(row["entry"]), ValueChange(table, day, asset, column, old, new, current)))
    return found


def _plain(value: Any) -> float | bool | None:
    if value is None or value != value:
        return None
    return bool(value) if isinstance(value, bool | np.bool_) else float(value)


def _sign(target: Path, signature: Signature, known: str | np.datetime64 | None, rows_of: Callable[[Store], pd.DataFrame]) -> AppendReport:
    """Append the rows that `rows_of` returns for the store, signed."""
    with change_store(target) as draft:
        held = open_store(target)
        now, rows = _when(known, held), rows_of(held)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / ("index_total_return.csv" if "level" in rows else "returns.csv")
            rows.to_csv(file, index=False, float_format="%.17g")
            try:
                return add_rows(draft, held, file, now=now, signature=signature)
            except DataError as error:
                if not error.findings:
                    raise
                raise DataError(str(target), "the correction cannot be stored", findings=error.findings, advice="correct the value; nothing was written") from error


def _when(known: str | np.datetime64 | None, held: Store) -> np.datetime64:
    """Return since when a correction is known."""
    if known is None:
        return held.known
    now = parse_known(known)
    if now < held.known:
        raise UsageError("--known", "what is learnt today cannot have been known earlier", got=str(now), allowed=f"a date from {held.known}, up to which the store's knowledge is closed")
    return now


def _log(held: Store, since: np.datetime64) -> pd.DataFrame:
    """Return all versions of the returns from a date on, in the order in which they were learnt."""
    files = {name: facts for name, facts in held.manifest["files"].items() if facts["table"] == "returns"}
    log = read_log(held.path, files, "returns", since=since.item()) if files else None
    if log is None:
        raise UsageError(str(held.path), "the store has no daily returns to correct", advice="correct other rows with --file")
    found: pd.DataFrame = log.to_pandas()
    return found


def _stored(held: Store, asset: str | None, first: np.datetime64, last: np.datetime64) -> pd.DataFrame:
    """Return the current versions of stored returns, as a file of the layout has them."""
    if last < first:
        raise UsageError("--from, --to", "the second date must not be before the first", got=f"{first} and {last}")
    rows = _log(held, first)
    rows = rows[rows["date"].to_numpy().astype("datetime64[D]") <= last]
    if asset is not None:
        ids = held_by(held).ids
        if asset not in ids:
            near = difflib.get_close_matches(asset, ids, 3, 0.5)
            raise UsageError("--asset", "the store has no asset with this id", got=asset, allowed=f"a permanent id, such as {', '.join(near or ids[:3])}")
        rows = rows[rows["asset_id"] == asset]
    if not len(rows):
        what = "there is no stored return" + ("" if asset is None else f" of {asset}")
        raise UsageError("--date" if first == last else "--from, --to", what, got=str(first) if first == last else f"{first} to {last}",
                         allowed=f"sessions from {held.days[0]} to {held.days[-2]} with a return", advice="give the rows with --file, if they are missing altogether")  # fmt: skip
    return _as_file(rows.drop_duplicates(KEYS["returns"], keep="last"), "returns")


def _as_file(rows: pd.DataFrame, table: str) -> pd.DataFrame:
    """Return rows with the columns that a file of the layout has."""
    columns = [*KEYS[table], *(name for name in NUMBERS[table] if name in rows)]
    found: pd.DataFrame = rows[columns].assign(date=rows["date"].to_numpy().astype("datetime64[D]").astype(str))
    return found


def _before(held: Store, number: int) -> pd.DataFrame:
    """Return what stood before a correction, as a file of the layout has it."""
    entries = signed_entries(held)
    if number not in entries:
        told = ", ".join(map(str, entries)) or "there are none"
        raise UsageError("NUMBER", "there is no such correction", got=number, allowed=told, advice="list them with `gammastar data corrections STORE`")
    later = [at for at, entry in entries.items() if entry["signed"].get("revokes") == number]
    if later:
        raise UsageError("NUMBER", f"correction {number} is taken back already, by {later[0]}", got=number)
    tables = [name for name, counts in entries[number]["rows"].items() if counts["added"] + counts["corrected"]]
    if tables not in (["returns"], ["index"]):
        raise UsageError("NUMBER", "only corrections of returns or of index levels are taken back by number", got=f"rows of {', '.join(tables)}",
                         advice="override the snapshots with what they should be, with --file")  # fmt: skip
    table = tables[0]
    versions = signed_rows(held, table, {number})
    if versions is None:
        raise DataError(str(held.path), f"the rows of correction {number} are not in the store")
    rows = []
    for key, each in versions.groupby(KEYS[table], sort=True):
        last = each["entry"].iloc[-1]
        if last != number:
            raise UsageError("NUMBER", f"what correction {number} says of {key[0]:%Y-%m-%d} was corrected again by entry {last}", got=number, advice="take that back first, or override the value")
        if len(each) > 1:
            rows.append(each.iloc[-2])
        elif table == "index":
            raise UsageError("NUMBER", f"correction {number} added the index level of {key[0]:%Y-%m-%d}, and a level cannot be taken away", got=number, advice="override it with --file")
        else:
            rows.append(each.iloc[-1].copy())
            rows[-1]["estimated"] = True
    return _as_file(type(versions)(rows), table)
