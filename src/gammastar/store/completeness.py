"""Rules about a dataset as a whole: whether its files are enough for a panel, and whether groups and sessions are told."""

from __future__ import annotations

__all__ = ["check_completeness", "check_coverage", "check_groups", "check_sectors", "monthly", "monthly_dates"]

from typing import TYPE_CHECKING

import numpy as np

from gammastar.market.groups import ISSUER
from gammastar.store.checks import snapshot_days
from gammastar.store.contents import Dataset, clean_groups, clean_sectors

if TYPE_CHECKING:
    from numpy import ndarray

    from gammastar.store.findings import Findings
    from gammastar.store.layout import Mapping
    from gammastar.store.parsing import Table


def check_completeness(tables: dict[str, Table], findings: Findings) -> None:
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


def check_sectors(members: Table, names: Mapping, findings: Findings) -> None:
    """Note rows without a sector, sectors that the mapping does not list, and too many of them."""
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


def check_groups(members: Table, names: Mapping, findings: Findings) -> None:
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


def check_coverage(content: Dataset, findings: Findings) -> None:
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
    on_time = bool(np.all(members.dates["known"] == members.dates["date"]))
    return bool(np.isfinite(members.numbers["forward_return"]).any()) and monthly_dates(days, on_time=on_time)


def monthly_dates(days: ndarray, *, on_time: bool) -> bool:
    """Return whether dates of snapshots are two or more, at most one a month, each known on its date."""
    months = days.astype("datetime64[M]")
    return len(days) > 1 and len(np.unique(months)) == len(months) and on_time
