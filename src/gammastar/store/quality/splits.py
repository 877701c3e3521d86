"""Splits that are not taken out of returns, that are taken out twice, or that no row records."""

from __future__ import annotations

__all__ = ["check_splits"]

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gammastar.market.quality import QualityFinding, Severity

if TYPE_CHECKING:
    from numpy import ndarray

    from gammastar.store.quality.subject import Subject

_RATIOS = np.array([1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0, 100.0])
_NEAR = 0.07  # of log return from a ratio: a day's own move
_SURE = 0.02
_RARE = 8.0  # times the usual size
_AGREES = 0.35  # of a split, by how much weights may miss it
_SEEN = np.log(1.2)
_ALONE = np.log(1.8)  # without weights a smaller move says nothing


@dataclass(frozen=True)
class _Event:
    """A move that a split explains."""

    at: int
    asset: int
    move: float
    ratio: float


def check_splits(subject: Subject) -> list[QualityFinding]:
    """Return moves that a split explains: beside prices where there are any, beside published weights otherwise."""
    priced = _against_prices(subject) if subject.close is not None and subject.split is not None else []
    told = {(finding.asset, finding.first) for finding in priced}
    alone = _against_weights(subject)
    return priced + [finding for finding in alone if (finding.asset, finding.first) not in told]


def _nearest(moves: ndarray) -> tuple[ndarray, ndarray]:
    """Return the split nearest to each log move, as new for old shares of a move down, and how far off it is in logs."""
    logs = np.log(_RATIOS)
    nearest = np.argmin(np.abs(np.abs(moves)[:, None] - logs), axis=1)
    return np.where(moves < 0.0, _RATIOS[nearest], 1.0 / _RATIOS[nearest]), np.abs(moves) - logs[nearest]


def _against_weights(subject: Subject) -> list[QualityFinding]:
    """Return rare returns near a split: an error where weights deny the move, a warning where nothing tells."""
    with np.errstate(invalid="ignore"):
        rare = (np.abs(subject.abnormal) > _RARE * subject.scale) & (np.abs(subject.logs) > np.log(_RATIOS[0]) - _NEAR)
    at, asset = np.nonzero(rare)
    if len(at) == 0:
        return []
    ratio, off = _nearest(subject.abnormal[at, asset])
    slack = np.maximum(_SURE, np.minimum(_NEAR, 2.0 * subject.scale[at, asset]))
    last = len(subject.sessions) - 1 - np.argmax(subject.observed[::-1], axis=0)
    found = []
    for k in np.flatnonzero((np.abs(off) <= slack) & (at < last[asset])):  # a last return is a delisting
        event = _Event(int(at[k]), int(asset[k]), float(subject.logs[at[k], asset[k]]), float(ratio[k]))
        gap = float(subject.weight_gap[event.at, event.asset])
        if np.isfinite(gap) and abs(gap + event.move) > _AGREES * abs(event.move):
            continue  # weights moved with the return: it is a real move
        if not np.isfinite(gap) and abs(event.move) < _ALONE:
            continue  # names do move that much
        found.append(_by_weights(subject, event, gap))
    return found


def _by_weights(subject: Subject, event: _Event, gap: float) -> QualityFinding:
    denied = np.isfinite(gap)
    words = f"{event.ratio:g} for 1" if event.ratio >= 1.0 else f"1 for {1.0 / event.ratio:g}"
    recorded = 1.0 if subject.split is None else float(subject.split[event.at, event.asset])
    twice = event.ratio < 1.0 and abs(recorded * event.ratio - 1.0) < 0.01
    check = "split-double" if twice else "split-unadjusted"
    why = "and the index weight did not move with it" if denied else "and no published weight tells whether it is real"
    evidence = {"return": float(np.expm1(event.move)), "split": event.ratio}
    if denied:
        evidence["weight-implied gap"] = gap
    return QualityFinding(
        check,
        Severity.ERROR if denied else Severity.WARNING,
        f"a return of {np.expm1(event.move):+.1%} is near a split of {words}, {why}",
        "ask the vendor for the split; override the return, or quarantine it",
        subject.ids[event.asset],
        subject.sessions[event.at],
        subject.sessions[event.at],
        evidence,
    )


def _against_prices(subject: Subject) -> list[QualityFinding]:
    """Return sessions on which return, price and recorded split contradict each other by a split."""
    if subject.close is None or subject.split is None:
        return []
    with np.errstate(invalid="ignore", divide="ignore"):
        growth = np.vstack((np.full((1, subject.close.shape[1]), np.nan), np.log(subject.close[1:] / subject.close[:-1])))
        paid = 0.0 if subject.dividend is None else np.log1p(subject.dividend / subject.close)
        off = subject.logs - growth - np.log(subject.split) - paid
        at, asset = np.nonzero(np.abs(off) > _SEEN)
    if len(at) == 0:
        return []
    moves, jumps, usual = subject.logs[at, asset], growth[at, asset], subject.scale[at, asset]
    ratio, miss = _nearest(off[at, asset])
    found = []
    for k in np.flatnonzero(np.abs(miss) <= _NEAR):
        recorded, event = float(subject.split[at[k], asset[k]]), _Event(int(at[k]), int(asset[k]), float(moves[k]), float(ratio[k]))
        odd = abs(moves[k]) > max(_RARE * usual[k], _SEEN)
        found.append(_by_prices(subject, event, (recorded, float(jumps[k])), odd=bool(odd)))
    return found


def _by_prices(subject: Subject, event: _Event, price: tuple[float, float], *, odd: bool) -> QualityFinding:
    """Return the finding: the return is at fault where it is odd, else the price or the recorded split.

    Args:
        subject: the market.
        event: the move, and the split by which return and prices differ.
        price: recorded split and log change of the price.
        odd: whether the return is far from usual.
    """
    recorded, jump = price
    severity = Severity.ERROR
    if odd:
        check = "split-unadjusted" if event.move < 0.0 else "split-double"
        message = f"the return is {np.expm1(event.move):+.1%} where price and recorded split make {np.expm1(jump) * recorded + recorded - 1.0:+.1%}"
        action = "take the split out of the return once, and append it so"
    elif recorded != 1.0:
        check, message = "split-double", f"a split of {recorded:g} is recorded and the price moved by {np.expm1(jump):+.1%} only: it is adjusted already"
        action = "give prices as traded, or leave out the split"
    else:
        check, message = "split-unrecorded", f"the price moved by {np.expm1(jump):+.1%} and the return by {np.expm1(event.move):+.1%}, and no split is recorded"
        action = "record the split, or correct the price"
        if subject.dividend is None:
            severity, message = Severity.WARNING, message + "; a spin-off or a large dividend looks the same"
    evidence = {"return": float(np.expm1(event.move)), "price change": float(np.expm1(jump)), "split": recorded}
    day = subject.sessions[event.at]
    return QualityFinding(check, severity, message, action, subject.ids[event.asset], day, day, evidence)
