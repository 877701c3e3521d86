"""The index: membership by float capitalisation with a buffer, weights published at month ends."""

from __future__ import annotations

__all__ = ["IndexRule", "published_snapshots"]

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gammastar.market.calendar import Calendar, Clock
from gammastar.market.missing import Snapshots

if TYPE_CHECKING:
    from jaxtyping import Bool, Int
    from numpy import ndarray

    from gammastar.simulate.path import Path


@dataclass(frozen=True)
class IndexRule:
    """The index's constitution.

    Args:
        members: how many names the index has after every published change.
        buffer: at a review a member stays down to rank ``members (1 + buffer)``, and another enters from rank ``members (1 - buffer)``.
    """

    members: int
    buffer: float

    def reviewed(self, member: Bool[ndarray, " m"], rank: Int[ndarray, " m"]) -> Bool[ndarray, " m"]:
        """Return the members after a review at a quarter's end: the buffer first, then the count made good by rank."""
        stays = member & (rank <= self.members * (1.0 + self.buffer))
        enters = ~member & (rank <= self.members * (1.0 - self.buffer))
        chosen = np.asarray(stays | enters)
        surplus = int(chosen.sum()) - self.members
        if surplus > 0:
            places = np.flatnonzero(chosen)
            chosen[places[np.argsort(-rank[places])[:surplus]]] = False
        return self.completed(chosen, rank)

    def completed(self, member: Bool[ndarray, " m"], rank: Int[ndarray, " m"]) -> Bool[ndarray, " m"]:
        """Return the members with each vacancy given to the largest name outside."""
        vacant = self.members - int(member.sum())
        others = np.flatnonzero(~member)
        chosen = member.copy()
        chosen[others[np.argsort(rank[others])[: max(vacant, 0)]]] = True
        return chosen


def published_snapshots(path: Path, calendar: Calendar, rule: IndexRule) -> Snapshots:
    """Return the index weights published at the close of the first session and of every month's last, known at that close."""
    months, quarters = calendar.ticks(Clock.MONTHLY), calendar.ticks(Clock.QUARTERLY)
    positions = np.union1d([0], np.flatnonzero(months))
    weights = np.zeros((len(positions), len(path.names)))
    member = np.zeros(path.occupant.shape[1], dtype=bool)
    before = path.occupant[0]
    for row, t in enumerate(positions):
        occupant, rank = path.occupant[t], path.rank[t]
        member = member & (occupant == before)
        member = rule.reviewed(member, rank) if quarters[t] else rule.completed(member, rank)
        capital = np.where(member, np.exp(path.log_capital[t]), 0.0)
        weights[row, occupant] = capital / capital.sum()
        before = occupant
    return Snapshots(at=positions, effective=positions, weights=weights, forward=np.full_like(weights, np.nan))
