"""A whole store looked at: every check on its panels."""

from __future__ import annotations

__all__ = ["Inspection", "inspect_store"]

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from gammastar.market.quality import SignedCorrection, Verdict
from gammastar.store.quality import in_order, inspect_subject, subject_of, track_index
from gammastar.store.quality.tracking import check_index
from gammastar.store.queries import Queries
from gammastar.store.signing import corrections

if TYPE_CHECKING:
    from gammastar.market.panel import Panel
    from gammastar.market.quality import IndexTracking, QualityFinding
    from gammastar.store.folder import Store
    from gammastar.store.signing import Correction


@dataclass(frozen=True, eq=False)
class Inspection:
    """What was found, and the market it was found in.

    Args:
        verdict: the findings.
        panel: the default panel of the store.
        tracking: its index beside the published one, or None.
    """

    verdict: Verdict
    panel: Panel
    tracking: IndexTracking | None


def inspect_store(store: Store) -> Inspection:
    """Return what every check finds in a store; the monthly panel's index is checked too where it is not the default.

    Raises:
        DataError: the store cannot be read.
    """
    panel, *others = (built.panel for built in store.build(*store.frequencies))
    with Queries.of(store.view(store.known)) as queries:
        sums = _sums(queries, panel)
    subject = subject_of(panel, sums=sums)
    found = list(inspect_subject(subject))
    for other in others:
        found += check_index(subject_of(other))
    signed = corrections(store)
    told = tuple(
        SignedCorrection(one.number, one.kind, one.author, one.reason, one.known, len(one.changes), sum(change.current for change in one.changes)) for one in signed
    )
    return Inspection(Verdict(panel.source, store.fingerprint, _with_corrections(in_order(found), signed), told), panel, track_index(subject))


def _with_corrections(findings: tuple[QualityFinding, ...], signed: tuple[Correction, ...]) -> tuple[QualityFinding, ...]:
    """Return the findings, those at a value that a correction set with a word of it."""
    standing: dict[str | None, list[tuple[np.datetime64, Correction]]] = {}
    for one in signed:
        for change in one.changes:
            if change.current:
                standing.setdefault(change.asset, []).append((np.datetime64(change.date, "D"), one))
    told = []
    for finding in findings:
        first, last = finding.first, finding.last
        here = {} if first is None or last is None else {one.number: one for day, one in standing.get(finding.asset, ()) if first <= day <= last}
        words = "".join(f"; correction {number} is here ({one.kind} by {one.author}: {one.reason})" for number, one in here.items())
        told.append(replace(finding, message=finding.message + words))
    return tuple(told)


def _sums(queries: Queries, panel: Panel) -> dict[np.datetime64, float]:
    """Return the sum of the weights of each snapshot as stored."""
    ids = [str(asset) for asset in queries.ask("assets")["asset_id"]]
    rows = queries.ask("members", labels=[], ids=ids)
    dates, of = np.unique(rows["date"].astype("datetime64[D]"), return_inverse=True)
    sums = np.bincount(of, weights=rows["weight"])
    return {day: float(total) for day, total in zip(dates, sums, strict=True) if day <= panel.sessions[-1]}
