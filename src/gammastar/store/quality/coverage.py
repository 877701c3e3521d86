"""What should be there and is not, or is there and should not be: sessions, members, returns, weights."""

from __future__ import annotations

__all__ = ["check_members", "check_sessions", "check_weights"]

from typing import TYPE_CHECKING

import numpy as np

from gammastar.market.quality import QualityFinding, Severity
from gammastar.store.quality.subject import runs

if TYPE_CHECKING:
    from gammastar.store.quality.subject import Subject

_NEIGHBOURS = 10
_THIN = 0.7
_SUM_ERROR, _SUM_WARNING = 5e-3, 1e-4
_LONG, _OUTSIDE = 60, 60  # sessions
_UNSEEN, _UNSEEN_MUCH = 0.02, 0.30  # of the index
_GAP, _GAP_LARGE = np.log(1.25), np.log(2.0)


def check_sessions(subject: Subject) -> list[QualityFinding]:
    """Return sessions that lack all or many returns, and dates that are no sessions."""
    found = []
    for day in subject.sessions[~np.isin(subject.sessions, subject.expected)]:
        action = "move the rows to the session they belong to, or leave them out"
        found.append(QualityFinding("date-impossible", Severity.ERROR, "the exchange was closed", action, None, day, day))
    absent = subject.expected[~np.isin(subject.expected, subject.sessions)]
    found += [_missing(day) for day in absent]
    count = subject.observed.sum(axis=1).astype(np.float64)
    if len(count) < 3 or not count.any():
        return found
    padded = np.pad(count[1:], _NEIGHBOURS, mode="reflect" if len(count) > _NEIGHBOURS + 1 else "edge")
    usual = np.median(np.lib.stride_tricks.sliding_window_view(padded, 2 * _NEIGHBOURS + 1), axis=1)
    for k in np.flatnonzero((count[1:] < _THIN * usual) & (usual >= 3)):
        day, have = subject.sessions[k + 1], count[k + 1]
        if have == 0:
            found.append(_missing(day))
            continue
        message = f"{have:.0f} names have a return where {usual[k]:.0f} are usual"
        evidence = {"names": float(have), "usual": float(usual[k])}
        found.append(QualityFinding("session-thin", Severity.WARNING, message, "fetch the session again", None, day, day, evidence))
    return found


def _missing(day: np.datetime64) -> QualityFinding:
    message = "the exchange was open and no name has a return"
    return QualityFinding("session-missing", Severity.ERROR, message, "fetch the session again", None, day, day)


def check_weights(subject: Subject) -> list[QualityFinding]:
    """Return dates whose weights do not sum to one, and weights that moved otherwise than returns say."""
    found = []
    for day, total in (subject.sums or {}).items():
        off = abs(total - 1.0)
        if total > 0.0 and off > _SUM_WARNING:
            severity = Severity.ERROR if off > _SUM_ERROR else Severity.WARNING
            message = f"the weights sum to {total:.6f}"
            action = "ask the index provider for the full list of members; weights are divided by their sum"
            found.append(QualityFinding("weight-sum", severity, message, action, None, day, day, {"sum": total}))
    ends = np.flatnonzero(subject.published)
    gaps = subject.weight_gap[ends]
    with np.errstate(invalid="ignore"):
        large = np.abs(gaps) > _GAP
    for k, asset in zip(*np.nonzero(large), strict=True):
        gap = float(gaps[k, asset])
        severity = Severity.WARNING if abs(gap) > _GAP_LARGE else Severity.NOTE
        message = f"the weight grew {np.expm1(gap):+.0%} beyond the return"
        action = "issued or retired shares, a merger, a new float, or a wrong return: look which"
        place = (subject.ids[asset], subject.sessions[ends[k - 1]], subject.sessions[ends[k]])
        evidence = {"beyond": float(np.expm1(gap)), "weight": float(subject.benchmark[ends[k], asset])}
        found.append(QualityFinding("weight-return-gap", severity, message, action, *place, evidence))
    return found


def check_members(subject: Subject) -> list[QualityFinding]:
    """Return members that have no returns for long, years in which that weighs much, and returns of names that are no members."""
    held = np.zeros(subject.returns.shape, dtype=bool)
    held[1:] = subject.benchmark[:-1] > 0.0
    found = []
    for first, last, asset in zip(*runs(held & ~subject.observed, _LONG), strict=True):
        weight = float(subject.benchmark[first : last + 1, asset].mean())
        count = int(last - first + 1)
        message = f"a member without returns on {count} sessions; they are filled"
        action = "find its returns in another source; until then it is neutral in estimates"
        place = (subject.ids[asset], subject.sessions[first], subject.sessions[last])
        evidence = {"sessions": float(count), "weight": weight}
        found.append(QualityFinding("member-without-returns", Severity.WARNING, message, action, *place, evidence))
    return found + _unseen(subject) + _outside(subject, held)


def _unseen(subject: Subject) -> list[QualityFinding]:
    unseen = np.zeros(len(subject.sessions))
    unseen[1:] = np.einsum("tn,tn->t", subject.benchmark[:-1], (~subject.observed[1:]).astype(np.float64))
    years, found = subject.sessions.astype("datetime64[Y]"), []
    for year in np.unique(years[1:]):
        within = np.flatnonzero((years == year) & (np.arange(len(years)) > 0))
        share = float(unseen[within].mean())
        if share > _UNSEEN:
            severity = Severity.ERROR if share > _UNSEEN_MUCH else Severity.WARNING
            message = f"{share:.1%} of the index has no returns in {year}"
            action = "results of this year rest on filled returns by that much"
            days = (subject.sessions[within[0]], subject.sessions[within[-1]])
            found.append(QualityFinding("weight-without-returns", severity, message, action, None, *days, {"weight": share}))
    return found


def _outside(subject: Subject, held: np.ndarray) -> list[QualityFinding]:
    _, _, assets = runs(subject.observed & ~held & ~(subject.benchmark > 0.0), _OUTSIDE)
    names = np.unique(assets)
    if len(names) == 0:
        return []
    told = ", ".join(subject.ids[asset] for asset in names[:5])
    message = f"{len(names)} assets have returns on {_OUTSIDE} or more sessions running while they are not in the index ({told})"
    action = "nothing, where more than the index was fetched; else members are missing from the weights"
    days = (subject.sessions[0], subject.sessions[-1])
    return [QualityFinding("return-without-member", Severity.NOTE, message, action, None, *days, {"assets": float(len(names))})]
