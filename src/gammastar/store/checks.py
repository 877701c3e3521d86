"""The rules that rows must keep. Each breach is a finding with its place; docs/dataset.md lists the rules by code."""

from __future__ import annotations

__all__ = ["check_index", "check_members", "check_return_rows", "check_returns", "check_sessions", "snapshot_days"]

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gammastar.errors import Finding

if TYPE_CHECKING:
    from numpy import ndarray

    from gammastar.store.findings import Findings
    from gammastar.store.parsing import Table
    from gammastar.store.sessions import Sessions

WEIGHT_TOLERANCE = 0.005
"""How far weights of one date may be from one in sum: rounding of published figures. Anything within is normalised."""

HUGE_RETURN = 10.0
_PERCENT = {"total_return": 0.2, "forward_return": 0.5}  # a median absolute return above this is in percent
_ENOUGH = 20  # returns to tell percent from fractions by their size
_GAP = 1.7  # times the usual distance between snapshots


@dataclass(frozen=True)
class _Rows:
    """Notes findings about rows of one table."""

    table: Table
    findings: Findings

    def bad(self, rule: str, message: str, column: str, mask: ndarray) -> None:
        """Note an error at each row where `mask` holds."""
        if not mask.any():
            return
        values = self.table.numbers.get(column)
        if values is None:
            values = self.table.dates.get(column)
        coded = self.table.texts.get(column)
        told = coded.at if coded is not None else (lambda at: values[at])  # type: ignore[index]
        self.findings.add_rows(Finding(self.table.file, rule, message, column=column), mask, self.table.rows, told)

    def needed(self, column: str) -> ndarray:
        """Note rows without a number in a column that needs one; return the column."""
        values = self.table.numbers[column]
        self.bad("number-missing", "a number is needed in each row", column, np.isnan(values))
        return values

    def positive(self, rule: str, column: str, advice: str) -> None:
        """Note numbers that are not above zero."""
        self.bad(rule, f"must be above zero{advice}", column, self.table.numbers[column] <= 0.0)

    def volumes(self) -> None:
        """Check shares and money traded."""
        for column in ("traded_value", "volume"):
            if column in self.table.numbers:
                message = "must not be negative; leave it empty where it is not known"
                self.bad("volume-negative", message, column, self.table.numbers[column] < 0.0)
        if "volume" not in self.table.numbers:
            return
        given = self.table.numbers.get("traded_value", np.full(len(self.table), np.nan))
        lost = np.flatnonzero((self.table.numbers["volume"] > 0.0) & np.isnan(self.table.numbers["price"]) & np.isnan(given))
        if len(lost):
            message = f"{len(lost):,} rows with a volume have no price: the money traded is not known there and counts as 0"
            self.findings.warn(self.table.file, "volume-without-price", message, column="volume", row=int(self.table.rows[lost[0]]))

    def returns(self, column: str) -> None:
        """Check a column of simple returns: fractions above -100%, none of them absurd."""
        values = self.table.numbers[column]
        moved = np.abs(values[np.isfinite(values) & (values != 0.0)])
        if len(moved) >= _ENOUGH and float(np.median(moved)) > _PERCENT[column]:
            message = (
                f"half of the returns are above {np.median(moved):.0%} in size: percent? Give fractions (0.01 is 1%)"
            )
            self.findings.add(
                self.table.file, "return-percent", message, column=column, value=f"median {np.median(moved):.4g}"
            )
            return
        self.bad("return-total-loss", "a simple return must be above -100% (-1)", column, values <= -1.0)
        self.bad(
            "return-huge",
            "a return above +1000%: a split or a price error? Correct it or leave the row out",
            column,
            values > HUGE_RETURN,
        )

    def unique(self, kind: str) -> None:
        """Check that no date has an asset twice; a date repeated as a whole is one finding."""
        dates, coded = self.table.dates["date"], self.table.texts["asset_id"]
        key = dates.astype(np.int64) * len(coded.values) + coded.codes
        _, first, inverse, counts = np.unique(key, return_index=True, return_inverse=True, return_counts=True)
        again = np.ones(len(key), dtype=bool)
        again[first] = False
        if not again.any():
            return
        days, of_day = np.unique(dates, return_inverse=True)
        all_twice = np.bincount(of_day, weights=counts[inverse] == 1, minlength=len(days)) == 0
        for day in np.flatnonzero(all_twice)[:5]:
            row = int(self.table.rows[np.flatnonzero(again & (of_day == day))[0]])
            self.findings.add(
                self.table.file,
                f"{kind}-duplicate",
                "the whole date occurs more than once",
                column="date",
                value=days[day],
                row=row,
            )
        self.bad(
            "row-duplicate", "the same date and asset occur more than once", "asset_id", again & ~all_twice[of_day]
        )

    def known(self) -> None:
        """Check that nothing was known before the date it is true for."""
        self.bad(
            "known-before-date",
            "known before the date it is true for",
            "known",
            self.table.dates["known"] < self.table.dates["date"],
        )


def check_members(table: Table, findings: Findings) -> None:
    """Check benchmark weights."""
    rows = _Rows(table, findings)
    weight = rows.needed("weight")
    rows.bad("weight-negative", "a benchmark weight must not be negative", "weight", weight < 0.0)
    rows.returns("forward_return")
    rows.positive("price-not-positive", "price", "; leave it empty where there is none")
    rows.unique("snapshot")
    rows.known()
    _check_mixed_ids(table, findings)
    if not np.isnan(weight).any() and not any(finding.rule.endswith("-duplicate") for finding in findings.errors):
        _check_sums(table, findings)
        _check_snapshots(table, findings)


def _check_sums(table: Table, findings: Findings) -> None:
    days, first, of_day = np.unique(table.dates["date"], return_index=True, return_inverse=True)
    sums = np.bincount(of_day, weights=table.numbers["weight"])
    empty = sums == 0.0
    empty[0] = False  # the first date must be a snapshot
    off = np.flatnonzero((np.abs(sums - 1.0) > WEIGHT_TOLERANCE) & ~empty)
    for day in off[:5]:
        percent = 50.0 < sums[day] < 150.0
        rule = "weight-percent" if percent else "weight-sum"
        hint = "are they percent? Divide by 100" if percent else "are members missing?"
        more = f" (and {len(off) - 5} more dates)" if len(off) > 5 and day == off[4] else ""
        message = f"the weights of {days[day]} sum to {sums[day]:.6g}, not to 1 within {WEIGHT_TOLERANCE}: {hint}{more}"
        findings.add(
            table.file, rule, message, column="weight", value=f"{sums[day]:.6g}", row=int(table.rows[first[day]])
        )
    rounded = np.flatnonzero((np.abs(sums - 1.0) > 1e-6) & (np.abs(sums - 1.0) <= WEIGHT_TOLERANCE))
    if len(rounded):
        worst = rounded[np.argmax(np.abs(sums[rounded] - 1.0))]
        message = f"the weights of {len(rounded)} dates do not sum to 1 by up to {abs(sums[worst] - 1.0):.1e}; they are divided by their sum"
        findings.warn(
            table.file,
            "weight-rounded",
            message,
            column="weight",
            value=f"{sums[worst]:.8g}",
            row=int(table.rows[first[worst]]),
        )


def snapshot_days(members: Table) -> tuple[ndarray, ndarray]:
    """Return the dates whose weights are not all zero, and how many names are in the index on each."""
    return np.unique(members.dates["date"][members.numbers["weight"] > 0.0], return_counts=True)


def _check_snapshots(table: Table, findings: Findings) -> None:
    days, counts = snapshot_days(table)
    if len(days) < 2:
        return
    apart = np.diff(days).astype(np.int64)
    usual = float(np.median(apart))
    for gap in np.flatnonzero((apart > _GAP * usual) & (apart > 7))[:5]:
        message = f"no snapshot from {days[gap]} to {days[gap + 1]}, {apart[gap]} days; {usual:.0f} are usual"
        findings.warn(table.file, "snapshot-gap", message, column="date", value=days[gap + 1])
    jump = np.abs(np.diff(np.log(counts)))
    for at in np.flatnonzero(jump > np.log(1.2))[:5]:
        message = f"{counts[at]} names on {days[at]}, {counts[at + 1]} on {days[at + 1]}"
        findings.warn(table.file, "snapshot-size", message, column="date", value=days[at + 1])


def _check_mixed_ids(table: Table, findings: Findings) -> None:
    ids = table.texts["asset_id"].values
    numeric = [asset for asset in ids if asset.isdecimal()]
    if numeric and len(numeric) < len(ids):
        other = next(asset for asset in ids if not asset.isdecimal())
        message = f"{len(numeric)} ids are whole numbers and {len(ids) - len(numeric)} are not ({numeric[0]}, {other}): is each one permanent?"
        findings.warn(table.file, "id-mixed", message, column="asset_id", value=other)


def check_returns(table: Table, members: Table, findings: Findings) -> None:
    """Check daily returns beside the members they belong to."""
    check_return_rows(table, findings)
    if not (table.dates["date"] > members.dates["date"].min()).any():
        message = f"no return is later than the first snapshot, {members.dates['date'].min()}"
        findings.add(table.file, "returns-too-early", message, column="date", value=table.dates["date"].max())
    _check_ids(table, members, findings)
    _check_lateness(table, members, findings)


def check_return_rows(table: Table, findings: Findings) -> None:
    """Check daily returns by themselves."""
    rows = _Rows(table, findings)
    rows.needed("total_return")
    rows.returns("total_return")
    rows.positive("price-not-positive", "price", "; leave it empty where there is none")
    rows.volumes()
    rows.positive("split-not-positive", "split", ": new shares for one old share, 1 or nothing where there is none")
    rows.unique("session")
    rows.known()


def _check_ids(table: Table, members: Table, findings: Findings) -> None:
    coded, known = table.texts["asset_id"], set(members.texts["asset_id"].values)
    unknown = np.array([asset not in known for asset in coded.values], dtype=bool)
    if unknown.all():
        example = members.texts["asset_id"].values[0]
        message = (
            f"no asset id is one of {members.file} (whose first is {example!r}): are both files keyed by the same ids?"
        )
        findings.add(
            table.file, "id-mismatch", message, column="asset_id", value=coded.values[0], row=int(table.rows[0])
        )
        return
    if unknown.any():
        at = np.flatnonzero(unknown[coded.codes])
        names = ", ".join(coded.values[code] for code in np.flatnonzero(unknown)[:5])
        message = (
            f"{len(at):,} rows of {int(unknown.sum())} assets that are never in {members.file} are left out ({names})"
        )
        findings.warn(
            table.file,
            "return-unknown-asset",
            message,
            column="asset_id",
            value=coded.at(int(at[0])),
            row=int(table.rows[at[0]]),
        )
    silent = sorted(known - set(coded.values))
    if silent:
        message = f"{len(silent)} members have no return at all; theirs are imputed ({', '.join(silent[:5])})"
        findings.warn(table.file, "member-without-returns", message, column="asset_id", value=silent[0])


def _check_lateness(table: Table, members: Table, findings: Findings) -> None:
    dates, known = table.dates["date"], table.dates["known"]
    late = np.flatnonzero(known > dates)
    if len(late):
        message = f"{len(late):,} returns were known after their date; at their session they count as missing"
        findings.warn(
            table.file, "return-late", message, column="known", value=known[late[0]], row=int(table.rows[late[0]])
        )
    early = np.flatnonzero(dates < members.dates["date"].min())
    if len(early):
        message = f"{len(early):,} returns before the first snapshot are left out"
        findings.warn(
            table.file, "returns-early", message, column="date", value=dates[early[0]], row=int(table.rows[early[0]])
        )
    last = dates.max()
    beyond = np.unique(members.dates["date"][members.dates["date"] > last])
    if len(beyond):
        message = f"{len(beyond)} snapshots are later than the last return, {last}; the daily panel ends before them"
        findings.warn(members.file, "snapshot-beyond-returns", message, column="date", value=beyond[0])


def check_index(table: Table, findings: Findings) -> None:
    """Check the published index."""
    rows = _Rows(table, findings)
    rows.needed("level")
    rows.positive("level-not-positive", "level", "")
    rows.known()
    _, first = np.unique(table.dates["date"], return_index=True)
    again = np.ones(len(table), dtype=bool)
    again[first] = False
    rows.bad("row-duplicate", "the same date occurs more than once", "date", again)


def check_sessions(table: Table, sessions: Sessions, findings: Findings, *, first: np.datetime64) -> None:
    """Check that the dates from `first` on are sessions of the exchange, each wrong date once, with its neighbours."""
    days, at = np.unique(table.dates["date"], return_index=True)
    wrong = np.flatnonzero(~sessions.are(days) & (days >= first))
    for day in wrong[:5]:
        more = f" (and {len(wrong) - 5} more dates)" if len(wrong) > 5 and day == wrong[4] else ""
        message = f"{sessions.name} is closed on {days[day]}; {sessions.around(days[day])}{more}"
        findings.add(table.file, "date-session", message, column="date", value=days[day], row=int(table.rows[at[day]]))
