"""What is to be appended: its files and names, and the rules it must keep beside what is stored."""

from __future__ import annotations

__all__ = ["check_incoming", "incoming_files", "names_for"]

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from gammastar.errors import DataError, Finding
from gammastar.store.checks import check_index, check_members, check_return_rows, check_sessions
from gammastar.store.completeness import check_groups, check_sectors
from gammastar.store.intake import mapping_of
from gammastar.store.layout import discover, table_of
from gammastar.store.sessions import Sessions, exchange_days

if TYPE_CHECKING:
    from pathlib import Path

    from gammastar.store.contents import Held
    from gammastar.store.findings import Findings
    from gammastar.store.folder import Store
    from gammastar.store.layout import Mapping
    from gammastar.store.parsing import Table


def names_for(source: Path, given: Path | None, store: Store, findings: Findings) -> Mapping:
    """Return the names of files and columns of what is appended; the calendar is the store's.

    Raises:
        DataError: there is nothing at `source`, or its mapping cannot be read.
    """
    if not source.exists():
        what = "there is no such folder or file"
        raise DataError(str(source), what, findings=(Finding(source.name, "dataset-absent", what),), advice="give a folder with members, returns or index_total_return files, or one of them")
    names, own = mapping_of(source if source.is_dir() else source.parent, given), store.labels
    if names.calendar != own.calendar and (given is not None or (source / "dataset.toml").exists()):
        findings.add("dataset.toml", "calendar-differs", f"the store keeps the sessions of {own.calendar}", column="calendar", value=names.calendar)
    groups = {**{name: labels for name, labels in own.groups.items() if name in names.attributes}, **names.groups}
    return replace(names, calendar=own.calendar, groups=groups)


def incoming_files(source: Path, names: Mapping, findings: Findings) -> dict[str, Path]:
    """Return the file of each table that is there; one file alone is told by its name."""
    if source.is_dir():
        return discover(source, names, findings, part=True)
    mapped = {file: table for table, file in names.files.items()}
    table = mapped.get(source.name) or table_of(source)
    if table is None:
        findings.add(source.name, "file-absent", "the name does not say which table this is: members*, returns* or index_total_return*, .csv or .parquet")
        return {}
    return {table: source}


def check_incoming(tables: dict[str, Table], names: Mapping, store: Store, held: Held, findings: Findings) -> Sessions:
    """Check each rule, and return the store's sessions with those that follow, as far as the rows go."""
    members, returns = tables.get("members"), tables.get("returns")
    if members is not None:
        check_members(members, findings)
        _check_columns(members, store, findings)
        check_sectors(members, names, findings)
        check_groups(members, names, findings)
    if returns is not None:
        check_return_rows(returns, findings)
        _check_assets(returns, {*held.ids, *(() if members is None else members.texts["asset_id"].values)}, findings)
        _check_prices(returns, store, findings)
    if "index" in tables:
        check_index(tables["index"], findings)
    sessions = _sessions(tables, names, held, findings)
    for table in (members, returns):
        if table is not None:
            check_sessions(table, sessions, findings, first=held.days[0])
    if members is not None and (members.dates["date"] < held.days[0]).any():
        message = f"a snapshot before the store's first, {held.days[0]}: ingest a dataset that begins earlier"
        findings.add(members.file, "snapshot-too-early", message, column="date", value=members.dates["date"].min())
    if returns is not None:
        _check_gap(returns, sessions, store, findings)
    return sessions


def _sessions(tables: dict[str, Table], names: Mapping, held: Held, findings: Findings) -> Sessions:
    dated = [table.dates["date"].max() for name, table in tables.items() if name != "index"]
    last = max([held.days[-2], *(day for day in dated if not np.isnat(day))])
    if last < held.days[-1]:
        return Sessions(names.calendar, held.days)
    ahead = exchange_days(names.calendar, held.days[-1], last, findings)
    if ahead is None:
        return Sessions(names.calendar, held.days)
    return Sessions(names.calendar, np.concatenate((held.days, ahead.days[ahead.days > held.days[-1]])), ahead.early)


def _check_columns(members: Table, store: Store, findings: Findings) -> None:
    """Check that new snapshots tell the groups that stored ones tell: what is not told would be Unknown from then on."""
    told = store.manifest["report"]["found"]
    wanted = [*(["sector"] if told["sectors"] else []), *(name for name, count in told["groups"].items() if count)]
    for name in wanted:
        if name not in members.present:
            findings.add(members.file, "column-missing", "the store's snapshots have this column, and these have not", column=name)


def _check_assets(returns: Table, known: set[str], findings: Findings) -> None:
    coded = returns.texts["asset_id"]
    unknown = np.array([asset not in known for asset in coded.values], dtype=bool)
    if not unknown.any():
        return
    at = np.flatnonzero(unknown[coded.codes])
    told = ", ".join(coded.values[code] for code in np.flatnonzero(unknown)[:5])
    if unknown.all():
        findings.add(returns.file, "id-mismatch", "no asset id is one of the store's: is this keyed by the same ids?", column="asset_id", value=coded.values[0], row=int(returns.rows[0]))
        return
    message = f"{len(at):,} rows of {int(unknown.sum())} assets that were never in members are left out ({told})"
    findings.warn(returns.file, "return-unknown-asset", message, column="asset_id", value=coded.at(int(at[0])), row=int(returns.rows[at[0]]))


def _check_prices(returns: Table, store: Store, findings: Findings) -> None:
    """Note that whole shares need a price beside each return."""
    if store.manifest["report"]["found"]["panels"].get("daily", {}).get("prices") and np.isnan(returns.numbers["price"]).any():
        lost = int(np.isnan(returns.numbers["price"]).sum())
        findings.warn(returns.file, "price-missing", f"{lost:,} returns have no price beside them: panels that show these sessions have no prices, and no whole shares", column="price")


def _check_gap(returns: Table, sessions: Sessions, store: Store, findings: Findings) -> None:
    """Note sessions between the stored ones and these on which no asset has a return."""
    dates, reach = returns.dates["date"], np.datetime64(store.manifest["reach"].get("returns", str(store.days[0])), "D")
    between = sessions.days[(sessions.days > reach) & (sessions.days <= dates.max())]
    empty = between[~np.isin(between, dates)]
    if len(empty):
        message = f"{len(empty)} sessions after {reach} have no return at all; every name is without one there"
        findings.warn(returns.file, "session-empty", message, column="date", value=empty[0])
