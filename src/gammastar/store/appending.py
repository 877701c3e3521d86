"""Append: new sessions, snapshots and corrections become new rows of a store; nothing that is stored is ever changed."""

from __future__ import annotations

__all__ = ["AppendReport", "add_rows", "append"]

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from gammastar.store.contents import Held, arrange
from gammastar.store.findings import Findings
from gammastar.store.folder import open_store, parse_known
from gammastar.store.holdings import held_by, holds
from gammastar.store.incoming import check_incoming, incoming_files, names_for
from gammastar.store.intake import read_tables, told_findings
from gammastar.store.merging import merge_files, read_log
from gammastar.store.revisions import Revised, Stamp, revise_index, revise_members, revise_returns
from gammastar.store.sessions import session_rows
from gammastar.store.signatures import Signature, warn_of_superseded
from gammastar.store.writing import change_store

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy import ndarray

    from gammastar.errors import Finding
    from gammastar.store.contents import Dataset
    from gammastar.store.folder import Store
    from gammastar.store.writing import Draft


@dataclass(frozen=True)
class AppendReport:
    """What an append added.

    Args:
        store: the folder.
        source: what was appended.
        added, corrected, unchanged: rows by table: new ones, those that correct others, and those that say nothing new.
        sessions: dates that the store did not reach before.
        half_days: those of them that close early.
        known: the last time at which anything became known, after it.
        findings: warnings; errors would have stopped it.
        fingerprint: of the store after it.
        correction: number and signature, where somebody answers for it; no number where there was nothing new.
    """

    store: Path
    source: str
    added: dict[str, int]
    corrected: dict[str, int]
    unchanged: dict[str, int]
    sessions: tuple[str, ...]
    half_days: tuple[str, ...]
    known: str
    findings: tuple[Finding, ...]
    fingerprint: str
    correction: tuple[int | None, Signature] | None = None

    @property
    def changed(self) -> bool:
        """Whether there was anything new."""
        return bool(sum(self.added.values()) + sum(self.corrected.values()))

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values, ready for JSON."""
        names = ("source", "added", "corrected", "unchanged", "known", "fingerprint")
        told = {"store": str(self.store), **{name: getattr(self, name) for name in names}, "changed": self.changed}
        signed = {} if self.correction is None else {"correction": {"number": self.correction[0], **self.correction[1].to_dict()}}
        return {**told, **signed, "sessions": list(self.sessions), "half_days": list(self.half_days), "findings": told_findings(self.findings)}

    def __str__(self) -> str:
        """Return the report for people to read."""
        if self.correction is None:
            head = f"Appended {self.source} to {self.store}" if self.changed else f"Nothing new in {self.source}: {self.store} is unchanged"
        else:
            number, signed = self.correction
            head = f"Correction {number} of {self.store}: {signed.kind} by {signed.author}, {signed.reason}" if self.changed else f"{self.store} says so already: it is unchanged"
        lines = [head]
        lines += [
            f"  {name}: {self.added[name]:,} new rows, {self.corrected[name]:,} corrections, {self.unchanged[name]:,} known already" for name in self.added
        ]
        if self.sessions:
            span = self.sessions[0] if len(self.sessions) == 1 else f"{self.sessions[0]} to {self.sessions[-1]}"
            lines.append(f"  {len(self.sessions):,} new sessions: {span}" + (f"; half days: {', '.join(self.half_days)}" if self.half_days else ""))
        if self.findings:
            lines += ["Findings", *(f"  {finding}" for finding in self.findings)]
        return "\n".join([*lines, f"Known up to {self.known}", f"Fingerprint {self.fingerprint}"])


def append(dataset: Path | str, into: Path | str, *, mapping: Path | str | None = None, known: str | np.datetime64 | None = None) -> AppendReport:
    """Add rows to a store: new sessions, new snapshots, and corrections of stored ones; docs/store.md has the rules.

    Rows that say what the store says already are nothing new, so appending the same twice changes nothing. A snapshot is corrected as a
    whole, a return row by row. The store is as it was until the last write, and then holds all of it.

    Args:
        dataset: folder in the layout of docs/dataset.md, of which any file is enough; or one file of it.
        into: a store.
        mapping: TOML file with other names of files and columns; by default `dataset.toml` in the folder, if it is there.
        known: when corrections, and rows about days that the store knew already, became known; by default on the last date appended.
            Rows about later days are known on their own date, unless their column `known` says otherwise.

    Returns:
        What was new.

    Raises:
        DataError: with every finding; the store is as it was. Also where another process writes it, or the disk fails.
        StaleDataError: there is no store.
        UsageError: `known` is not a date.
    """
    source, target = Path(dataset), Path(into)
    now = None if known is None else parse_known(known)
    with change_store(target) as draft:
        return add_rows(draft, open_store(target), source, mapping=None if mapping is None else Path(mapping), now=now)


def add_rows(
    draft: Draft, store: Store, source: Path, *, mapping: Path | None = None, now: np.datetime64 | None = None, signature: Signature | None = None
) -> AppendReport:
    """Do what `append` does within a change of the store that has begun.

    Args:
        draft: the change.
        store: as it is.
        source: folder or file.
        mapping: as for `append`.
        now: as `known` for `append`.
        signature: of who answers for the rows; without it they are a delivery.
    """
    findings = Findings()
    names = names_for(source, mapping, store, findings)
    tables = read_tables(incoming_files(source, names, findings), names, findings)
    findings.stop_on_errors(str(source))
    held = held_by(store)
    sessions = check_incoming(tables, names, store, held, findings)
    findings.stop_on_errors(str(source))
    content = arrange(tables, sessions, names, held)
    told = {name: np.datetime64(day, "D") for name, day in store.manifest["reach"].items()}
    stamp = Stamp(store.known, told, now or _last(content, held), findings, signed=signature is not None)
    _note_ahead(stamp, content, held)
    revised = _revise(content, store, stamp)
    findings.stop_on_errors(str(source))
    if signature is None:
        warn_of_superseded(store, revised, findings)
    report = _report(source, store, content, revised, findings)
    report = replace(report, half_days=tuple(day for day in report.sessions if np.datetime64(day) in sessions.early))
    if signature is not None:
        report = replace(report, correction=(store.manifest["entries"][-1]["number"] + 1 if report.changed else None, signature))
    if not report.changed:
        return report
    fresh = replace(content, tables={name: part.table for name, part in revised.items()})
    return replace(report, fingerprint=_write(draft, store, fresh, revised, signature))


def _last(content: Dataset, held: Held) -> np.datetime64:
    """Return the last date of what is appended."""
    return max((table.dates["date"].max() for table in content.tables.values() if len(table)), default=held.known)


def _note_ahead(stamp: Stamp, content: Dataset, held: Held) -> None:
    """Note knowledge that runs ahead of the sessions stored: those in between, appended after it, would be known late."""
    known = max([stamp.now, *(table.dates["known"].max() for table in content.tables.values() if len(table))])
    if known > content.days[-1] and known > held.known:
        message = f"known on {known}, and the sessions from {content.days[-1]} on are not stored yet: appended after this, they would count as known late"
        stamp.findings.warn("--known", "known-ahead", message, value=known)


def _revise(content: Dataset, store: Store, stamp: Stamp) -> dict[str, Revised]:
    """Compare each table with what is stored."""
    revised = {}
    for name, table in content.tables.items():
        stored = _stored(store, name, table.dates["date"])
        if name == "members":
            revised[name] = revise_members(table, _with_groups(store, stored, table.dates["date"]), stamp, tuple(content.groups))
        else:
            revised[name] = (revise_returns if name == "returns" else revise_index)(table, stored, stamp)
    return revised


def _stored(store: Store, name: str, dates: ndarray) -> Any:
    """Return the stored rows of a table from the first of `dates` on, or None where it has none."""
    files = {file: facts for file, facts in store.manifest["files"].items() if facts["table"] == name}
    if not len(dates) or not files or dates.min() > np.datetime64(store.manifest["reach"].get(name, "0001-01-01"), "D"):
        return None
    rows = read_log(store.path, files, name, since=dates.min().astype("datetime64[D]").item())
    return rows if rows is not None and rows.num_rows else None


def _with_groups(store: Store, stored: Any, dates: ndarray) -> Any:
    """Return rows of members with a column for each group attribute."""
    groups = None if stored is None else _stored(store, "groups", dates)
    if groups is None:
        return stored
    for attribute in sorted(set(groups["attribute"].to_pylist())):
        rows = groups.filter(pa.compute.equal(groups["attribute"].cast(pa.string()), attribute))
        keys = ("date", "entry", "asset_id")
        told = dict(zip(zip(*(rows[key].to_pylist() for key in keys), strict=True), rows["label"].to_pylist(), strict=True))
        labels = [told.get(key) for key in zip(*(stored[key].to_pylist() for key in keys), strict=True)]
        stored = stored.append_column(attribute, pa.array(labels, pa.string()))
    return stored


def _report(source: Path, store: Store, content: Dataset, revised: Mapping[str, Revised], findings: Findings) -> AppendReport:
    fresh = content.days[(content.days > store.days[-2]) & (content.days < content.days[-1])]
    dates = [part.table.dates["known"].max() for part in revised.values() if len(part.table)]
    added, corrected, unchanged = ({name: getattr(part, key) for name, part in revised.items()} for key in ("added", "corrected", "unchanged"))
    known = str(max([store.known, *dates]))
    return AppendReport(store.path, source.name, added, corrected, unchanged, tuple(fresh.astype(str)), (), known, findings.warnings, store.fingerprint)


def _write(draft: Draft, store: Store, content: Dataset, revised: Mapping[str, Revised], signature: Signature | None) -> str:
    """Write the rows, merge files where there are many, and commit; return the fingerprint."""
    manifest, number = store.manifest, draft.next_number
    entry = manifest["entries"][-1]["number"] + 1
    tables = {name: table for name, table in content.tables.items() if len(table)}
    brought = replace(content, tables=tables, groups=content.groups if "members" in tables else {})
    for name, rows in brought.rows(entry).items():
        draft.put(name, rows, number)
    sessions = manifest["sessions"]
    if len(content.days) > len(store.days):
        del draft.files[sessions]
        sessions = draft.put("sessions", session_rows(content.days), number)
    merge_files(draft, number)
    digest = brought.fingerprint
    changes = [[str(known), str(first)] for part in revised.values() for known, first in part.changes]
    known = str(max([store.known, *(table.dates["known"].max() for table in brought.tables.values())]))
    counts = {name: {"added": part.added, "corrected": part.corrected} for name, part in revised.items()}
    told: dict[str, Any] = {"number": entry, "fingerprint": digest, "known": known, "corrected": changes, "rows": counts}
    if signature is not None:
        told["signed"] = signature.to_dict()
        digest = f"{digest} {json.dumps(told['signed'], sort_keys=True)}"
    chain = hashlib.sha256(f"{store.fingerprint} {digest}".encode()).hexdigest()
    facts = {**manifest, "fingerprint": chain, "known": known, "sessions": sessions, "entries": [*manifest["entries"], told]}
    draft.commit({key: value for key, value in holds(facts, draft, content, revised).items() if key != "files"})
    return chain
