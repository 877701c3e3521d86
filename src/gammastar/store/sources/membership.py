"""Who is in an index when: spells from a list of intervals or from a list of changes."""

from __future__ import annotations

__all__ = ["Spells", "spells_from_changes"]

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy import ndarray

_FIRST, _LAST = np.datetime64("1900-01-01", "D"), np.datetime64("2100-12-31", "D")


@dataclass(frozen=True, eq=False)
class Spells:
    """Spells of membership, from the close of `first` to the close of `last`, both within.

    Args:
        asset: ids as texts, shape (m,).
        first, last: days, shape (m,).
    """

    asset: tuple[str, ...]
    first: ndarray
    last: ndarray

    def contain(self, asset: tuple[str, ...], codes: ndarray, date: ndarray) -> ndarray:
        """Return which of the rows (`codes` into `asset`, `date`) are within a spell, shape (m,)."""
        position = {name: code for code, name in enumerate(asset)}
        order = np.argsort(codes, kind="stable")
        starts = np.searchsorted(codes[order], np.arange(len(asset) + 1))
        within = np.zeros(len(codes), dtype=bool)
        for name, first, last in zip(self.asset, self.first, self.last, strict=True):
            code = position.get(name)
            if code is not None:
                rows = order[starts[code] : starts[code + 1]]
                within[rows[(date[rows] >= first) & (date[rows] <= last)]] = True
        return within

    def at(self, date: np.datetime64) -> set[str]:
        """Return who is in at the close of a date."""
        return {name for name, first, last in zip(self.asset, self.first, self.last, strict=True) if first <= date <= last}


def spells_from_changes(current: Iterable[str], changes: Iterable[tuple[np.datetime64, str, str]]) -> tuple[Spells, tuple[tuple[np.datetime64, str, str], ...]]:
    """Return spells by walking back from who is in at the end.

    Args:
        current: who is in after the last change.
        changes: date, ``"added"`` or ``"removed"``, and who; who is added is in at the close of the date, who is removed is not.

    Returns:
        The spells, and the changes that contradict what is known by then (an addition of who is not in, a removal of who is), which are passed over.
    """
    ends: dict[str, np.datetime64] = dict.fromkeys(current, _LAST)
    spells: list[tuple[str, np.datetime64, np.datetime64]] = []
    odd: list[tuple[np.datetime64, str, str]] = []
    # of one date, walking back: additions first, so that a name that was removed and added on one day stays in
    for date, action, who in sorted(changes, key=lambda change: (change[0], change[1] == "added", change[2]), reverse=True):
        if action == "added" and who in ends:
            spells.append((who, date, ends.pop(who)))
        elif action == "removed" and who not in ends:
            ends[who] = date - np.timedelta64(1, "D")
        else:
            odd.append((date, action, who))
    spells += [(who, _FIRST, end) for who, end in ends.items()]
    names = tuple(who for who, _, _ in spells)
    first, last = (np.array([spell[k] for spell in spells], dtype="datetime64[D]") for k in (1, 2))
    return Spells(names, first, last), tuple(odd)
