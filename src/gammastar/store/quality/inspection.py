"""A whole store looked at: every check on its panels, and the corrections in force."""

from __future__ import annotations

__all__ = ["Inspection", "correct_store", "inspect_store"]

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from gammastar.errors import UsageError
from gammastar.market.quality import QualityFinding, Severity, Verdict
from gammastar.store.quality import in_order, inspect_subject, subject_of, track_index
from gammastar.store.quality.overrides import read_corrections, stored_value, write_corrections
from gammastar.store.quality.tracking import check_index
from gammastar.store.queries import Queries

if TYPE_CHECKING:
    from gammastar.market.panel import Panel
    from gammastar.market.quality import IndexTracking
    from gammastar.store.folder import Store
    from gammastar.store.quality.overrides import Correction


@dataclass(frozen=True, eq=False)
class Inspection:
    """What was found, and the market it was found in.

    Args:
        verdict: the findings.
        panel: the default panel of the store, corrections applied.
        tracking: its index beside the published one, or None.
    """

    verdict: Verdict
    panel: Panel
    tracking: IndexTracking | None


def inspect_store(store: Store) -> Inspection:
    """Return what every check finds in a store, corrections applied; the monthly panel's index is checked too where it is not the default.

    Raises:
        DataError: the store cannot be read.
    """
    panel, *others = (built.panel for built in store.build(*store.frequencies))
    corrections = read_corrections(store.path)
    with Queries.of(store.path) as queries:
        sums = _sums(corrections.over(queries), panel)
        stale = [finding for row in corrections.in_force() if (finding := _stale(queries, row)) is not None]
    subject = subject_of(panel, sums=sums)
    found = [*inspect_subject(subject), *stale]
    for other in others:
        found += check_index(subject_of(other))
    told = tuple(str(row) for row in corrections.in_force())
    return Inspection(Verdict(panel.source, store.fingerprint, in_order(found), told), panel, track_index(subject))


def correct_store(store: Store, correction: Correction) -> Correction:
    """Write one more correction beside the data of a store, and return it with its number and what it replaces.

    Raises:
        UsageError: it names nothing that the store has, or lacks author, reason or a value that can be.
        DataError: the corrections of the store cannot be read.
    """
    before = read_corrections(store.path)
    row = replace(correction, number=len(before.rows) + 1)
    after = before.add(row)
    if row.kind != "revoke":
        with Queries.of(store.path) as queries:
            row = replace(row, was=stored_value(before.over(queries), row))
        after = before.add(row)
    write_corrections(store.path, after)
    return row


def _sums(queries: Queries, panel: Panel) -> dict[np.datetime64, float]:
    """Return the sum of the weights of each snapshot as stored."""
    rows, days = queries.ask("members", labels=[]), queries.ask("sessions")["session"].astype("datetime64[D]")
    at, of = np.unique(rows["session"], return_inverse=True)
    sums = np.bincount(of, weights=rows["weight"])
    return {days[k]: float(total) for k, total in zip(at, sums, strict=True) if days[k] <= panel.sessions[-1]}


def _stale(queries: Queries, row: Correction) -> QualityFinding | None:
    """Return a finding where the data no longer has the value that an override replaces."""
    day = (np.datetime64(row.first), np.datetime64(row.last))
    action = "look whether it is still needed; take it back with `gammastar data revoke`"
    try:
        now = stored_value(queries, row)
    except UsageError as error:
        return QualityFinding("override-stale", Severity.WARNING, f"correction {row.number}: {error.what}", action, row.asset, *day)
    if row.kind != "override" or now == row.was or (now is not None and row.was is not None and math.isclose(now, row.was, rel_tol=1e-12)):
        return None
    message = f"correction {row.number} replaces a value that the data no longer has"
    evidence = {name: value for name, value in (("was", row.was), ("now", now), ("override", row.value)) if value is not None}
    return QualityFinding("override-stale", Severity.WARNING, message, action, row.asset, *day, evidence)
