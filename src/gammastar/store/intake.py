"""Ingest: read a dataset, check it, and write the store, or say all that is wrong and write nothing."""

from __future__ import annotations

__all__ = ["IngestReport", "ingest", "mapping_of", "read_tables", "told_findings"]

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gammastar.errors import DataError, Finding
from gammastar.store.checks import check_index, check_members, check_returns, check_sessions, snapshot_days
from gammastar.store.completeness import check_completeness, check_coverage, check_groups, check_sectors, monthly
from gammastar.store.contents import Dataset, arrange
from gammastar.store.findings import Findings
from gammastar.store.folder import Store
from gammastar.store.layout import TABLES, Mapping, discover, read_mapping
from gammastar.store.parsing import Table, parse_table
from gammastar.store.reading import read_raw
from gammastar.store.sessions import exchange_days, session_rows
from gammastar.store.writing import check_target, write_store

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
        return {
            "store": str(self.store),
            "source": self.source,
            "found": self.found,
            "missing": self.missing,
            "findings": told_findings(self.findings),
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


def told_findings(findings: tuple[Finding, ...]) -> list[dict[str, Any]]:
    """Return findings as plain values, ready for JSON."""
    return [{name: getattr(finding, name) for name in ("file", "rule", "message", "row", "column", "value", "severity")} for finding in findings]


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
    names = mapping_of(folder, None if mapping is None else Path(mapping))
    findings = Findings()
    tables = read_tables(discover(folder, names, findings), names, findings)
    findings.stop_on_errors(str(folder))
    content = _check(folder, tables, names, findings)
    source = names.source or folder.resolve().name
    return _store(content, target, source, findings)


def mapping_of(folder: Path, given: Path | None) -> Mapping:
    """Return the mapping that is given, else the dataset's own, else none."""
    if given is not None:
        return read_mapping(given)
    own = folder / _MAPPING
    return read_mapping(own) if own.exists() else Mapping()


def read_tables(files: dict[str, Path], names: Mapping, findings: Findings) -> dict[str, Table]:
    """Read and type files; whatever is wrong becomes a finding."""
    tables: dict[str, Table] = {}
    for name, path in files.items():
        spec = names.spec(name)
        raw = read_raw(path, spec, names.columns.get(name, {}), findings)
        if raw is not None:
            tables[name] = parse_table(raw, spec, findings)
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
    check_completeness(tables, findings)
    check_sectors(members, names, findings)
    check_groups(members, names, findings)
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
    check_coverage(content, findings)
    return content


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
    known = max(table.dates["known"].max() for table in content.tables.values())
    first = {"number": 0, "fingerprint": content.fingerprint, "known": str(known), "corrected": []}
    facts = {
        "source": source,
        "calendar": content.calendar,
        "declared": {name: list(labels) for name, labels in content.declared.items()},
        "fingerprint": content.fingerprint,
        "known": str(known),
        "frequencies": frequencies,
        "reach": {name: str(table.dates["date"].max()) for name, table in content.tables.items()}
        | ({"groups": str(content.tables["members"].dates["date"].max())} if content.groups else {}),
        "entries": [{**first, "rows": {name: len(table) for name, table in content.tables.items()}}],
    }
    with write_store(target) as draft:
        number = draft.next_number
        for name, rows in content.rows(0).items():
            draft.put(name, rows, number)
        facts["sessions"] = draft.put("sessions", session_rows(content.days), number)
        panels = dict(zip(frequencies, Store(draft.folder, {**facts, "files": draft.files}).build(*frequencies), strict=True))
        missing = {
            "files": [name for name in TABLES if name not in content.tables],
            "imputed": {
                name: {**_imputed(built.panel), "filled": built.filling.to_dict()} for name, built in panels.items()
            },
        }
        found = _found(content, {name: built.panel for name, built in panels.items()})
        report = IngestReport(target, source, found, missing, findings.warnings, content.fingerprint)
        draft.commit({**facts, "report": {key: value for key, value in report.to_dict().items() if key != "store"}})
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
