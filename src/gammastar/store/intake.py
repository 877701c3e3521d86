"""Ingest: read a dataset, check it, and write the store, or say all that is wrong and write nothing."""

from __future__ import annotations

__all__ = ["IngestReport", "ingest"]

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gammastar.errors import DataError, Finding
from gammastar.market.groups import ISSUER
from gammastar.store.checks import check_index, check_members, check_returns, check_sessions, snapshot_days
from gammastar.store.contents import Dataset, arrange, clean_groups, clean_sectors
from gammastar.store.findings import Findings
from gammastar.store.folder import Store, check_target, write_folder, write_manifest
from gammastar.store.layout import TABLES, Mapping, discover, read_mapping
from gammastar.store.parsing import Table, parse_table
from gammastar.store.reading import read_raw
from gammastar.store.sessions import exchange_days

if TYPE_CHECKING:
    from numpy import ndarray

    from gammastar.market.panel import Panel

_MAPPING = "dataset.toml"


@dataclass(frozen=True)
class IngestReport:
    """What an ingest found.

    Args:
        store: the folder that was written.
        source: what the data is, in words.
        found: files, rows, dates, assets, sessions.
        missing: what is not there, and how much had to be imputed.
        findings: warnings; errors would have stopped the ingest.
        fingerprint: SHA-256 of the content.
    """

    store: Path
    source: str
    found: dict[str, Any]
    missing: dict[str, Any]
    findings: tuple[Finding, ...]
    fingerprint: str

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values, ready for JSON."""
        told = [
            {name: getattr(finding, name) for name in ("file", "rule", "message", "row", "column", "value", "severity")}
            for finding in self.findings
        ]
        return {
            "store": str(self.store),
            "source": self.source,
            "found": self.found,
            "missing": self.missing,
            "findings": told,
            "fingerprint": self.fingerprint,
        }

    def __str__(self) -> str:
        """Return the report for people to read."""
        lines = [f"Stored {self.source} in {self.store}", "Found"]
        for name, facts in self.found["files"].items():
            ignored = f"; ignored columns: {', '.join(facts['ignored_columns'])}" if facts["ignored_columns"] else ""
            lines.append(
                f"  {name}: {facts['file']}, {facts['rows']:,} rows, {facts['from']} to {facts['to']}{ignored}"
            )
        counts = self.found
        lines.append(
            f"  {counts['assets']:,} assets, {counts['snapshots']:,} snapshots, {counts['sessions']:,} sessions of {counts['calendar']}"
        )
        if counts["groups"]:
            lines.append("  groups: " + ", ".join(f"{name} ({count:,})" for name, count in counts["groups"].items()))
        if counts["traded"]:
            lines.append("  money traded")
        lines.append(f"  panels: {', '.join(self.found['panels'])}")
        lines.append("Missing")
        lines += [f"  {line}" for line in _missing_lines(self.missing)] or ["  nothing"]
        if self.findings:
            lines.append("Findings")
            lines += [f"  {finding}" for finding in self.findings]
        lines.append(f"Fingerprint {self.fingerprint}")
        return "\n".join(lines)


def _missing_lines(missing: dict[str, Any]) -> list[str]:
    lines = [f"no {table} file" for table in missing["files"]]
    for name, facts in missing["imputed"].items():
        years = ", ".join(f"{year} {share:.1%}" for year, share in facts["weight_by_year"].items() if share >= 0.0005)
        lines.append(
            f"{name}: {facts['share']:.2%} of the benchmark weight is imputed" + (f" ({years})" if years else "")
        )
    return lines


def ingest(dataset: Path | str, into: Path | str, *, mapping: Path | str | None = None) -> IngestReport:
    """Read, check and store a dataset; the layout and the rules are in docs/dataset.md.

    Args:
        dataset: folder with `members`, and `returns` and `index` where there are any, as CSV or Parquet.
        into: folder of the store; a store that is there is replaced as a whole, once the new one is on the disk.
        mapping: TOML file with other names of files and columns; by default `dataset.toml` in the dataset, if it is there.

    Returns:
        What was found, what is missing, the warnings and the content's fingerprint.

    Raises:
        DataError: with every finding; the old store, or none, is left as it was.
    """
    folder, target = Path(dataset), Path(into)
    if not folder.is_dir():
        what = "the dataset is a file, and must be a folder" if folder.exists() else "there is no such folder"
        rule = "dataset-not-folder" if folder.exists() else "dataset-absent"
        raise DataError(
            str(folder),
            what,
            findings=(Finding(folder.name, rule, what),),
            advice="give the folder that holds members.csv or members.parquet",
        )
    check_target(target)
    names = _mapping(folder, None if mapping is None else Path(mapping))
    findings = Findings()
    tables = _read(folder, names, findings)
    content = _check(folder, tables, names, findings)
    source = names.source or folder.resolve().name
    return _store(content, target, source, findings)


def _mapping(folder: Path, given: Path | None) -> Mapping:
    if given is not None:
        return read_mapping(given)
    own = folder / _MAPPING
    return read_mapping(own) if own.exists() else Mapping()


def _read(folder: Path, names: Mapping, findings: Findings) -> dict[str, Table]:
    """Read and type every file that is there.

    Raises:
        DataError: a file or a cell cannot be read.
    """
    tables: dict[str, Table] = {}
    for name, path in discover(folder, names, findings).items():
        spec = names.spec(name)
        raw = read_raw(path, spec, names.columns.get(name, {}), findings)
        if raw is not None:
            tables[name] = parse_table(raw, spec, findings)
    findings.stop_on_errors(str(folder))
    return tables


def _check(folder: Path, tables: dict[str, Table], names: Mapping, findings: Findings) -> Dataset:
    """Check every rule and return the dataset in canonical order.

    Raises:
        DataError: a rule is broken.
    """
    members, returns = tables["members"], tables.get("returns")
    check_members(members, findings)
    if returns is not None:
        check_returns(returns, members, findings)
    if "index" in tables:
        check_index(tables["index"], findings)
    _check_completeness(tables, findings)
    _check_sectors(members, names, findings)
    _check_groups(members, names, findings)
    first = members.dates["date"].min()
    last = max(table.dates["date"].max() for name, table in tables.items() if name != "index")
    sessions = exchange_days(names.calendar, first, last, findings)
    if sessions is not None:
        for table in (members, *(() if returns is None else (returns,))):
            check_sessions(table, sessions, findings, first=first)
    findings.stop_on_errors(str(folder))
    if sessions is None:  # a finding says why, and has stopped us
        raise AssertionError
    content = arrange(tables, sessions, names)
    _check_coverage(content, findings)
    return content


def _check_completeness(tables: dict[str, Table], findings: Findings) -> None:
    """Check that there are returns of one kind or the other."""
    members, returns = tables["members"], tables.get("returns")
    days, _ = snapshot_days(members)
    forward = np.isfinite(members.numbers["forward_return"])
    if len(days) == 0:
        findings.add(members.file, "weight-sum", "no weight is above zero", column="weight")
        return
    if returns is None and not forward.any():
        findings.add(
            members.file,
            "returns-absent",
            "there is neither a returns file nor a column forward_return: no return can be computed",
        )
    elif returns is None and len(days) < 2:
        findings.add(
            members.file,
            "snapshot-single",
            "there is one snapshot only, and no daily returns",
            column="date",
            value=days[0],
        )
    elif len(days) == 1:
        findings.warn(
            members.file,
            "snapshot-single",
            "there is one snapshot only: weights drift from it",
            column="date",
            value=days[0],
        )
    if forward.any():
        held = (members.numbers["weight"] > 0.0) & ~forward & (members.dates["date"] < days[-1])
        if held.any():
            row = int(members.rows[np.flatnonzero(held)[0]])
            message = f"{int(held.sum()):,} members before the last snapshot have no forward_return; the monthly panel imputes theirs"
            findings.warn(members.file, "forward-return-missing", message, column="forward_return", row=row)
    if forward.any() and not monthly(members):
        message = "snapshots are not one a month and known on their date: there will be no monthly panel"
        findings.warn(members.file, "snapshot-not-monthly", message, column="date")


def _check_sectors(members: Table, names: Mapping, findings: Findings) -> None:
    coded = members.texts["sector"]
    if "sector" not in members.present:
        findings.warn(
            members.file,
            "sector-absent",
            "there is no column sector: all names are in the group Unknown",
            column="sector",
        )
        return
    cleaned = clean_sectors(coded)
    blank = np.flatnonzero(cleaned.codes < 0)
    if len(blank):
        told = sorted(set(coded.values) - set(cleaned.values))
        message = f"{len(blank):,} rows without a sector are in the group Unknown" + (
            f" (as such read: {', '.join(told)[:100]})" if told else ""
        )
        findings.warn(
            members.file,
            "sector-unknown",
            message,
            column="sector",
            value=coded.at(int(blank[0]))[:80],
            row=int(members.rows[blank[0]]),
        )
    new = [label for label in cleaned.values if label not in names.sectors]
    if names.sectors and new:
        findings.warn(
            members.file,
            "sector-unlisted",
            "dataset.toml does not list these sectors; they follow the others",
            column="sector",
            value=", ".join(new)[:200],
        )
    if len(cleaned.values) > 100:
        message = f"{len(cleaned.values)} different sectors: is this another column?"
        findings.warn(members.file, "sector-many", message, column="sector", value=cleaned.values[0])


def _check_groups(members: Table, names: Mapping, findings: Findings) -> None:
    """Note rows without a group, and labels that the mapping does not list."""
    for name in names.attributes:
        if name not in members.texts:
            continue
        cleaned, listed = clean_groups(members.texts[name]), names.groups.get(name, ())
        blank = np.flatnonzero(cleaned.codes < 0)
        if len(blank) and name != ISSUER:
            message = f"{len(blank):,} rows without a value are in the group Unknown"
            told = members.texts[name].at(int(blank[0]))[:80]
            findings.warn(members.file, "group-unknown", message, column=name, value=told, row=int(members.rows[blank[0]]))
        new = [label for label in cleaned.values if label not in listed]
        if listed and new:
            message = f"groups.{name}.labels in dataset.toml does not list these; they follow the others"
            findings.warn(members.file, "group-unlisted", message, column=name, value=", ".join(new)[:200])


def _check_coverage(content: Dataset, findings: Findings) -> None:
    """Note sessions without any return."""
    returns = content.tables.get("returns")
    if returns is None:
        return
    dates = returns.dates["date"]
    expected = content.days[(content.days > content.days[0]) & (content.days <= dates.max())]
    empty = expected[~np.isin(expected, dates)]
    if len(empty):
        message = f"{len(empty)} sessions have no return at all; every name is without one there"
        findings.warn(returns.file, "session-empty", message, column="date", value=empty[0])


def monthly(members: Table) -> bool:
    """Return whether the snapshots make a monthly panel: two or more, at most one a month, each known on its date, with forward returns."""
    days, _ = snapshot_days(members)
    months = days.astype("datetime64[M]")
    on_time = bool(np.all(members.dates["known"] == members.dates["date"]))
    return (
        bool(np.isfinite(members.numbers["forward_return"]).any())
        and len(days) > 1
        and len(np.unique(months)) == len(months)
        and on_time
    )


def _store(content: Dataset, target: Path, source: str, findings: Findings) -> IngestReport:
    """Write the store, build its panels once to see that they hold, and put it in place."""
    frequencies = [
        name
        for name, there in (("daily", "returns" in content.tables), ("monthly", monthly(content.tables["members"])))
        if there
    ]
    if not frequencies:
        findings.add(
            content.tables["members"].file,
            "no-panel",
            "neither a daily nor a monthly panel can be made: see the warnings",
        )
        findings.stop_on_errors(str(target))
    facts = {
        "source": source,
        "calendar": content.calendar,
        "sectors": list(content.sectors),
        **({"groups": {name: list(labels) for name, labels in content.groups.items()}} if content.groups else {}),
        **({"traded": True} if "returns" in content.tables and "traded_value" in content.tables["returns"].numbers else {}),
        "fingerprint": content.fingerprint,
        "frequencies": frequencies,
    }
    with write_folder(target) as fresh:
        content.write(fresh)
        draft = Store(fresh, facts)
        panels = dict(zip(frequencies, draft.build(*frequencies), strict=True))
        missing = {
            "files": [name for name in TABLES if name not in content.tables],
            "imputed": {
                name: {**_imputed(built.panel), "filled": built.filling.to_dict()} for name, built in panels.items()
            },
        }
        found = _found(content, {name: built.panel for name, built in panels.items()})
        report = IngestReport(target, source, found, missing, findings.warnings, content.fingerprint)
        write_manifest(
            fresh, {**facts, "report": {key: value for key, value in report.to_dict().items() if key != "store"}}
        )
    return report


def _found(content: Dataset, panels: dict[str, Panel]) -> dict[str, Any]:
    files = {
        name: {
            "file": table.file,
            "rows": len(table),
            "from": str(table.dates["date"].min()),
            "to": str(table.dates["date"].max()),
            "ignored_columns": list(table.ignored),
        }
        for name, table in content.tables.items()
    }
    spans = {
        name: {
            "from": str(panel.sessions[0]),
            "to": str(panel.sessions[-1]),
            "sessions": len(panel),
            "prices": panel.prices is not None,
        }
        for name, panel in panels.items()
    }
    days, _ = snapshot_days(content.tables["members"])
    return {
        "files": files,
        "assets": len(content.ids),
        "snapshots": len(days),
        "sessions": len(content.days) - 1,
        "calendar": content.calendar,
        "sectors": list(content.sectors),
        "groups": {name: len(labels) for name, labels in content.groups.items()},
        "traded": any(panel.traded is not None for panel in panels.values()),
        "panels": spans,
    }


def _imputed(panel: Panel) -> dict[str, Any]:
    """Return the mean share of benchmark weight that is imputed, overall and by year."""
    years = panel.sessions[1:].astype("datetime64[Y]")
    share: ndarray = panel.imputed_weight[1:]
    by_year = {str(year): round(float(share[years == year].mean()), 6) for year in np.unique(years)}
    return {"share": round(float(share.mean()), 6), "weight_by_year": by_year}
