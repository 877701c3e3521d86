"""The index return of a panel beside a published index: the difference by month."""

from __future__ import annotations

__all__ = ["check_index", "track_index"]

from typing import TYPE_CHECKING

import numpy as np

from gammastar.market.quality import IndexTracking, QualityFinding, Severity

if TYPE_CHECKING:
    from gammastar.store.quality.subject import Subject

_LEAST = 6  # months
_TRACKING_WARNING, _TRACKING_ERROR = 0.0025, 0.02  # a year
_MEAN_WARNING, _MEAN_ERROR = 0.0025, 0.01
_MONTH, _RARE = 0.002, 6.0


def track_index(subject: Subject) -> IndexTracking | None:
    """Return the panel's index beside the published one, or None where there are fewer than six months of it."""
    if subject.level is None:
        return None
    month = subject.sessions.astype("datetime64[M]")
    known = np.flatnonzero(np.isfinite(subject.level))
    last = known[np.append(month[known][1:] != month[known][:-1], True)] if len(known) else known  # the last level of each month
    if len(last) < _LEAST + 1:
        return None
    earned = np.concatenate(([0.0], np.log1p(np.einsum("tn,tn->t", subject.benchmark[:-1], subject.filled[1:])).cumsum()))
    level = subject.level[last]
    return IndexTracking(subject.sessions[last[1:]], np.expm1(np.diff(earned[last])), level[1:] / level[:-1] - 1.0)


def check_index(subject: Subject) -> list[QualityFinding]:
    """Return how far the panel's index is from the published one, and the months that stand out."""
    found = track_index(subject)
    if found is None:
        return []
    worst = max(found.error / _TRACKING_ERROR, abs(found.mean) / _MEAN_ERROR)
    odd = max(found.error / _TRACKING_WARNING, abs(found.mean) / _MEAN_WARNING)
    severity = Severity.ERROR if worst > 1.0 else Severity.WARNING if odd > 1.0 else Severity.NOTE
    hint = "the published index may be a price index, without dividends" if found.mean > 0.01 else "see which months stand out"
    kind = "daily" if subject.periods > 12 else "monthly"
    message = f"the {kind} panel's index is {found.mean:+.2%} a year off the published one, with a tracking difference of {found.error:.2%} a year"
    evidence = {"mean": found.mean, "tracking difference": found.error, "months": float(len(found.dates))}
    action = "nothing" if severity is Severity.NOTE else hint
    told = [QualityFinding("index-tracking", severity, message, action, None, found.dates[0], found.dates[-1], evidence)]
    centred = found.difference - np.median(found.difference)
    usual = 1.4826 * float(np.median(np.abs(centred)))
    for k in np.flatnonzero(np.abs(centred) > max(_RARE * usual, _MONTH)):
        words = f"the {kind} panel's index made {found.panel[k]:+.2%} in a month in which the published one made {found.index[k]:+.2%}"
        day, apart = found.dates[k], {"difference": float(found.difference[k])}
        told.append(QualityFinding("index-tracking", Severity.WARNING, words, "look at the largest members and the filled returns of the month", None, day, day, apart))
    return told
