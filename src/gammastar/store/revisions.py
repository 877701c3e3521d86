"""New rows beside the rows that are stored: what is new, what says again what is known, and what corrects it."""

from __future__ import annotations

__all__ = ["Revised", "Stamp", "revise_index", "revise_members", "revise_returns"]

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gammastar.errors import Finding
from gammastar.store.facts import positions_of
from gammastar.store.signatures import NUMBERS

if TYPE_CHECKING:
    from numpy import ndarray

    from gammastar.store.findings import Findings
    from gammastar.store.parsing import Table

_NEVER = np.datetime64("0001-01-01", "D")


@dataclass(frozen=True, eq=False)
class Stamp:
    """When new rows became known.

    Args:
        reach: the last time at which anything in the store became known.
        told: the last date that each table has a row about.
        now: when rows about earlier days became known, where they do not say.
        findings: to add to.
        signed: whether somebody answers for the rows: one that repeats an older version then corrects the current one.
    """

    reach: np.datetime64
    told: dict[str, np.datetime64]
    now: np.datetime64
    findings: Findings
    signed: bool = False

    def said(self, table: Table) -> ndarray:
        """Return which rows are meant to stand whatever was known before, shape (m,): those that say since when, and signed ones."""
        return np.asarray((table.dates["known"] != table.dates["date"]) | self.signed)

    def on(self, name: str, table: Table, wanted: ndarray) -> ndarray:
        """Return when each row became known, shape (m,); of rows that are `wanted`, whatever cannot be becomes a finding.

        A row that says so itself is known then; one about a later day than its table has told, on its own date; any other one, now.
        """
        date, known = table.dates["date"], table.dates["known"]
        stated = known != date
        early = stated & (known < self.reach) & wanted
        if early.any():
            message = f"known before {self.reach}, up to which the store's knowledge is closed: what is learnt today is known today"
            self.findings.add_rows(Finding(table.file, "known-in-the-past", message, column="known"), early, table.rows, lambda at: known[at])
        unstated = ~stated & ~((date > self.told.get(name, _NEVER)) & (date >= self.reach))
        if self.now < self.reach and (unstated & wanted).any():
            message = f"rows about days that the store, which knows all up to {self.reach}, does not know so: say since when, with --known or in a column known"
            self.findings.add_rows(Finding(table.file, "known-missing", message, column="date"), unstated & wanted, table.rows, lambda at: date[at])
        return np.where(unstated, self.now, known)


@dataclass(frozen=True, eq=False)
class Revised:
    """The rows of one table that are to be stored.

    Args:
        table: they, with `known` as it will be stored.
        added, corrected, unchanged: how many rows are new, correct others, and say nothing new.
        changes: for each time at which something that decisions look at was corrected, that time and the earliest date concerned.
    """

    table: Table
    added: int
    corrected: int
    unchanged: int
    changes: tuple[tuple[np.datetime64, np.datetime64], ...] = ()


def _changes(table: Table, corrected: ndarray) -> tuple[tuple[np.datetime64, np.datetime64], ...]:
    known, date = table.dates["known"][corrected], table.dates["date"][corrected]
    return tuple((learnt, date[known == learnt].min()) for learnt in np.unique(known))


def _stamped(table: Table, known: ndarray) -> Table:
    return replace(table, dates={**table.dates, "known": known})


def revise_returns(table: Table, stored: Any, stamp: Stamp) -> Revised:
    """Compare daily rows with the stored ones, by date and asset.

    A column that the file lacks says nothing: a correction keeps what was known of it.

    Args:
        table: arranged rows, assets as positions.
        stored: Arrow rows of those dates in the order in which they were learnt, or None.
        stamp: when they became known.
    """
    told = {name: table.flags[name].astype(float) if name in table.flags else table.numbers[name] for name in NUMBERS["returns"] if name in table.flags or name in table.numbers}
    told = {name: values for name, values in told.items() if name in table.present or name == "traded_value"}
    versions = _versions(table, stored, tuple(told), keys=("date", "asset_id"))
    keep, corrected = versions.compare(told, said=stamp.said(table))
    known = stamp.on("returns", table, keep)
    fresh = _stamped(table, known)
    for name in set(versions.columns) - set(told):
        values = np.where(corrected, versions.current(name), fresh.flags[name] if name in fresh.flags else fresh.numbers.get(name, np.full(len(table), np.nan)))
        if name in fresh.flags:
            fresh.flags[name] = values.astype(bool)
        elif name in fresh.numbers or not np.isnan(values).all():
            fresh.numbers[name] = values
    kept = fresh.taken(np.flatnonzero(keep))
    return Revised(kept, int((keep & ~corrected).sum()), int(corrected.sum()), int((~keep).sum()), _changes(kept, corrected[keep]))


def revise_index(table: Table, stored: Any, stamp: Stamp) -> Revised:
    """Compare levels of the published index with the stored ones, by date; no decision looks at them."""
    versions = _versions(table, stored, ("level",), keys=("date",))
    keep, corrected = versions.compare({"level": table.numbers["level"]}, said=stamp.said(table))
    kept = _stamped(table, stamp.on("index", table, keep)).taken(np.flatnonzero(keep))
    return Revised(kept, int((keep & ~corrected).sum()), int(corrected.sum()), int((~keep).sum()))


@dataclass(frozen=True, eq=False)
class _Versions:
    """Stored rows with the same keys as new ones.

    Args:
        columns: of the stored rows that have a key among the new ones, in the order in which they were learnt.
        row: which new row each belongs to, increasing; of one row's versions the last is the current one.
        count: how many new rows there are.
    """

    columns: dict[str, ndarray]
    row: ndarray
    count: int

    def current(self, name: str) -> ndarray:
        """Return the current version of a column for each new row, NaN where there is none."""
        values = np.full(self.count, np.nan)
        values[self.row] = self.columns[name]  # in order: the last one stands
        return values

    def compare(self, told: dict[str, ndarray], *, said: ndarray) -> tuple[ndarray, ndarray]:
        """Return which rows to keep, and which of these correct others.

        A row that says what the current version says is nothing new; nor is one that repeats an older version, unless it says since when.
        """
        same = np.ones(len(self.row), dtype=bool)
        for name, values in told.items():
            old, new = self.columns.get(name, np.full(len(self.row), np.nan)), values[self.row]
            same &= (old == new) | (np.isnan(old) & np.isnan(new))
        current, ever, there = (np.zeros(self.count, dtype=bool) for _ in range(3))
        current[self.row] = same
        ever[self.row[same]] = True
        there[self.row] = True
        keep = ~np.where(said, current, ever)
        return keep, keep & there


def _versions(table: Table, stored: Any, columns: tuple[str, ...], *, keys: tuple[str, ...]) -> _Versions:
    """Find the stored versions of each new row."""
    if stored is None or not stored.num_rows:
        return _Versions({}, np.zeros(0, dtype=np.int64), len(table))
    coded = table.texts["asset_id"] if "asset_id" in keys else None
    wide = 1 if coded is None else len(coded.values) + 1
    new = table.dates["date"].astype(np.int64) * wide + (0 if coded is None else coded.codes)
    old = stored["date"].to_numpy().astype("datetime64[D]").astype(np.int64) * wide + (0 if coded is None else positions_of(stored["asset_id"], coded.values))
    order = np.argsort(new, kind="stable")
    at = np.minimum(np.searchsorted(new[order], old), len(new) - 1)
    found = new[order][at] == old
    row = order[at[found]]
    learnt = np.argsort(row, kind="stable")
    names = [name for name in (*NUMBERS["returns"], *columns) if name in stored.column_names]
    held = {name: stored[name].to_numpy()[found][learnt].astype(float) for name in dict.fromkeys(names)}
    return _Versions(held, row[learnt], len(table))


def revise_members(table: Table, stored: Any, stamp: Stamp, attributes: tuple[str, ...] = ()) -> Revised:
    """Compare snapshots with the stored ones, each date as a whole: a corrected snapshot takes the place of the one before it.

    Args:
        table: arranged rows.
        stored: Arrow rows of those dates with their groups as columns, or None.
        stamp: when they became known.
        attributes: groups that the new rows tell.
    """
    columns = ("weight", "sector", "forward_return", "price", "ticker", "name", *attributes)
    told = tuple(name for name in columns if name in table.present or name in attributes)
    fresh, versions = _snapshots(_plain(table, told), told), _stored_snapshots(stored, told)
    dates, insists = table.dates["date"], stamp.said(table)
    keep, corrected, changed = (np.zeros(len(table), dtype=bool) for _ in range(3))
    for date, rows in fresh.items():
        of_date, past = dates == np.datetime64(date, "D"), versions.get(date, [])
        if rows in (past[-1:] if insists[of_date].any() else past):
            continue
        keep |= of_date
        if past:
            corrected |= of_date
            changed |= of_date & _decisive(rows, past[-1], told)
    kept = _stamped(table, stamp.on("members", table, keep)).taken(np.flatnonzero(keep))
    return Revised(kept, int((keep & ~corrected).sum()), int(corrected.sum()), int((~keep).sum()), _changes(kept, changed[keep]))


def _decisive(new: dict[str, tuple[Any, ...]], old: dict[str, tuple[Any, ...]], told: tuple[str, ...]) -> bool:
    """Return whether a decision could tell two versions apart: labels do not count, nor a return that was not known before."""
    if new.keys() != old.keys():
        return True
    for name in told:
        at = told.index(name)
        pairs = ((old[asset][at], new[asset][at]) for asset in new)
        if name not in {"ticker", "name"} and any(one != other and not (name == "forward_return" and one is None) for one, other in pairs):
            return True
    return False


def _plain(table: Table, told: tuple[str, ...]) -> dict[str, list[Any]]:
    """Return columns as plain values, None where there is nothing."""
    plain: dict[str, list[Any]] = {"date": table.dates["date"].astype(str).tolist()}
    for name in ("asset_id", *told):
        if name in table.numbers:
            plain[name] = [None if value != value else value for value in table.numbers[name].tolist()]
        else:
            coded = table.texts[name]
            plain[name] = [coded.values[code] if code >= 0 else None for code in coded.codes.tolist()]
    return plain


def _snapshots(plain: dict[str, list[Any]], told: tuple[str, ...]) -> dict[str, dict[str, tuple[Any, ...]]]:
    """Return the rows of each date by asset."""
    found: dict[str, dict[str, tuple[Any, ...]]] = {}
    for date, asset, *values in zip(plain["date"], plain["asset_id"], *(plain[name] for name in told), strict=True):
        found.setdefault(date, {})[asset] = tuple(values)
    return found


def _stored_snapshots(stored: Any, told: tuple[str, ...]) -> dict[str, list[dict[str, tuple[Any, ...]]]]:
    """Return the versions of each date, as `_snapshots` gives them."""
    found: dict[str, list[dict[str, tuple[Any, ...]]]] = {}
    if stored is None:
        return found
    nothing = [None] * stored.num_rows
    for entry in np.unique(stored["entry"].to_numpy()).tolist():
        rows = stored.filter(stored["entry"].to_numpy() == entry)
        plain = {name: rows[name].to_pylist() if name in rows.column_names else nothing[: rows.num_rows] for name in ("asset_id", *told)}
        plain["date"] = [str(date) for date in rows["date"].to_pylist()]
        for date, snapshot in _snapshots(plain, told).items():
            found.setdefault(date, []).append(snapshot)
    return found
