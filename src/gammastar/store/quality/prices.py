"""Returns that stand still, repeat themselves, or are taken back; dividends that cannot be."""

from __future__ import annotations

__all__ = ["check_copies", "check_dividends", "check_spikes", "check_stale"]

from typing import TYPE_CHECKING

import numpy as np

from gammastar.market.quality import QualityFinding, Severity
from gammastar.store.quality.subject import runs

if TYPE_CHECKING:
    from numpy import ndarray

    from gammastar.store.quality.subject import Subject

_STALE, _STALE_LONG = 5, 10  # sessions of zero return
_STUCK, _STUCK_LONG = 2, 4  # repetitions of one return
_REPEATED = 0.5  # of the names: a copied session
_TWIN_BLOCK, _TWIN_MOVES = 21, 15  # sessions compared at once, and how many of them must have moved
_TWIN_LEAST = 30  # sessions running that two assets share
_RARE = 8.0
_SPIKE, _SPIKE_SURE = 0.12, 0.30  # log return
_BACK, _BACK_SURE = 0.15, 0.04  # of the spike, what may stay
_BELOW = 0.005
_SPLIT = np.log(1.2)  # more than that is a matter of splits


def check_stale(subject: Subject) -> list[QualityFinding]:
    """Return runs of zero returns, and of one return repeated."""
    found = []
    moving = subject.observed & (subject.returns != 0.0)
    last_move = np.where(moving.any(axis=0), len(moving) - 1 - np.argmax(moving[::-1], axis=0), -1)
    for first, last, asset in zip(*runs(subject.returns == 0.0, _STALE), strict=True):
        count, weight = int(last - first + 1), float(subject.benchmark[first : last + 1, asset].mean())
        held = (subject.benchmark[first : last + 1, asset] > 0.0).sum() >= _STALE
        gone = last_move[asset] < first and last < len(moving) - 1  # it never moves again, and its record ends before the data does
        severity = Severity.NOTE if not held else Severity.WARNING if gone or count < _STALE_LONG else Severity.ERROR
        message = f"the return is exactly 0 on {count} sessions running" + (", to the end of its record: no longer listed?" if gone else "")
        action = "mark the returns estimated if trading was not halted; those after a delisting are no data"
        evidence = {"sessions": float(count), "weight": weight}
        found.append(_finding(subject, ("price-stale", severity, message, action), (first, last, asset), evidence))
    repeats = np.zeros(subject.returns.shape, dtype=bool)
    repeats[1:] = (subject.returns[1:] == subject.returns[:-1]) & (np.abs(subject.returns[1:]) > 1e-5)
    for first, last, asset in zip(*runs(repeats, _STUCK), strict=True):
        count = int(last - first + 2)
        severity = Severity.ERROR if count > _STUCK_LONG else Severity.WARNING
        value = float(subject.returns[first, asset])
        message = f"the return is the same {value:+.4%} on {count} sessions running"
        evidence = {"sessions": float(count), "return": value}
        action = "ask the vendor; until then mark the returns estimated"
        found.append(_finding(subject, ("return-stuck", severity, message, action), (first - 1, last, asset), evidence))
    return found


def check_copies(subject: Subject) -> list[QualityFinding]:
    """Return sessions that repeat the one before, and pairs of assets with the same returns over a quarter."""
    found = []
    with np.errstate(invalid="ignore"):
        same = (subject.returns[1:] == subject.returns[:-1]) & (subject.returns[1:] != 0.0)
    both = (subject.observed[1:] & subject.observed[:-1]).sum(axis=1)
    share = same.sum(axis=1) / np.maximum(both, 1)
    for at in np.flatnonzero((share > _REPEATED) & (both >= 3)).tolist():
        message = f"{share[at]:.0%} of the names repeat the return of {subject.sessions[at]}"
        told = ("session-copied", Severity.ERROR, message, "fetch the session again and append it")
        found.append(_finding(subject, told, (at + 1, at + 1, None), {"share": float(share[at])}))
    pairs = {pair for start in range(0, len(subject.sessions), _TWIN_BLOCK) for pair in _twins(subject.returns[start : start + _TWIN_BLOCK])}
    for one, other in sorted(pairs):
        same_all = (subject.returns[:, one] == subject.returns[:, other])[:, None]
        for first, last, _ in zip(*runs(same_all, _TWIN_LEAST), strict=True):
            count = int(last - first + 1)
            message = f"it has the same returns as asset {subject.ids[one]} on {count} sessions running"
            told = ("asset-copied", Severity.ERROR, message, "these are one security under two ids, or one was filled from the other: override the wrong returns, or quarantine them")
            found.append(_finding(subject, told, (first, last, other), {"sessions": float(count)}))
    return found


def _twins(block: ndarray) -> list[tuple[int, int]]:
    """Return pairs of columns that are equal wherever they are data, and have data on the same sessions."""
    enough = np.flatnonzero((np.isfinite(block) & (block != 0.0)).sum(axis=0) >= _TWIN_MOVES)
    first: dict[bytes, int] = {}
    columns = np.nan_to_num(block[:, enough], nan=np.inf).T.copy()
    return [(one, int(asset)) for asset, column in zip(enough, columns, strict=True) if (one := first.setdefault(column.tobytes(), int(asset))) != asset]


def check_spikes(subject: Subject) -> list[QualityFinding]:
    """Return large moves that the next session, or the next two, take back."""
    moves = subject.abnormal
    with np.errstate(invalid="ignore"):
        rare = np.abs(moves[:-1]) > np.maximum(_RARE * subject.scale[:-1], _SPIKE)
    at, asset = np.nonzero(rare)
    found: list[QualityFinding] = []
    until: dict[int, int] = {}
    for t, i in zip(at.tolist(), asset.tolist(), strict=True):
        if until.get(i, -1) >= t:  # the way back of the spike before
            continue
        spike = float(moves[t, i])
        for back in (1, 2):
            left = float(moves[t : t + back + 1, i].sum()) if t + back < len(moves) else np.nan
            if abs(left) <= max(_BACK * abs(spike), 1.5 * subject.scale[t, i]) and abs(left) < 0.5 * abs(spike):
                sure = abs(spike) > _SPIKE_SURE and abs(left) <= max(_BACK_SURE * abs(spike), 1.5 * subject.scale[t, i]) and back == 1
                message = f"{np.expm1(subject.logs[t, i]):+.1%}, and taken back within {back} session{'s' if back > 1 else ''}"
                told = ("spike-reverts", Severity.ERROR if sure else Severity.WARNING, message, "compare with another vendor; override the returns if it is a misprint")
                evidence = {"spike": float(np.expm1(spike)), "left": float(np.expm1(left)), "times usual": abs(spike) / float(subject.scale[t, i])}
                found.append(_finding(subject, told, (t, t + back, i), evidence))
                until[i] = t + back
                break
    return found


def check_dividends(subject: Subject) -> list[QualityFinding]:
    """Return dividends above the price they are paid on, and total returns below the change of the price."""
    if subject.close is None or subject.split is None:
        return []
    before, after = subject.close[:-1], subject.close[1:] * subject.split[1:]
    with np.errstate(invalid="ignore", divide="ignore"):
        implied = (1.0 + subject.returns[1:]) - after / before
        paid = implied if subject.dividend is None else subject.dividend[1:] * subject.split[1:] / before
        high = paid > 1.0
        apart = np.log1p(subject.returns[1:]) - np.log(after / before)
        low = (implied < -_BELOW) & (np.abs(apart) < _SPLIT)
    found = []
    for t, i in zip(*np.nonzero(high), strict=True):
        message = f"a dividend of {paid[t, i]:.0%} of the price before it"
        told = ("dividend-above-price", Severity.ERROR, message, "a dividend in another currency or unit, or a split entered as one: correct it")
        found.append(_finding(subject, told, (t + 1, t + 1, i), {"of price": float(paid[t, i])}))
    for t, i in zip(*np.nonzero(low), strict=True):
        message = f"the total return is {-implied[t, i]:.2%} below the change of the price"
        told = ("return-below-price", Severity.WARNING, message, "a dividend taken away in place of added, or a price of another session: look at both")
        found.append(_finding(subject, told, (t + 1, t + 1, i), {"below": float(-implied[t, i])}))
    return found


def _finding(
    subject: Subject, told: tuple[str, Severity, str, str], place: tuple[int, int, int | None], evidence: dict[str, float]
) -> QualityFinding:
    """Return a finding: check, severity, message and action at first and last session of an asset."""
    check, severity, message, action = told
    first, last, asset = place
    name = None if asset is None else subject.ids[asset]
    return QualityFinding(check, severity, message, action, name, subject.sessions[first], subject.sessions[last], evidence)
