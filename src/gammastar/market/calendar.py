"""Sessions and the clocks that tick on them."""

from __future__ import annotations

__all__ = ["Calendar", "Clock", "Frequency"]

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import TYPE_CHECKING

import numpy as np

from gammastar.market.arrays import frozen_array

if TYPE_CHECKING:
    from jaxtyping import Bool
    from numpy import ndarray


class Frequency(Enum):
    """How often a panel has a session; the value is the number of periods in a year."""

    DAILY = 252
    MONTHLY = 12

    @property
    def periods(self) -> int:
        """Periods a year, used to annualise."""
        return self.value


class Clock(StrEnum):
    """When something is due. Weekly is the last session of the ISO week; monthly, quarterly and yearly the last of the month, quarter and year."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    QUARTERLY = "quarterly"
    YEARLY = "yearly"


@dataclass(frozen=True, eq=False)
class Calendar:
    """The sessions of a panel, and the session that follows the last of them by the exchange's calendar.

    Args:
        sessions: strictly increasing dates, ``datetime64[D]``, shape (t,).
        following: the first session after the last one. It decides whether the last session ends its week and month.
        name: the exchange's code, for instance ``"XNYS"``.

    Raises:
        ValueError: sessions that do not increase strictly, or a `following` that is not after them.
    """

    sessions: ndarray
    following: np.datetime64
    name: str

    def __post_init__(self) -> None:
        sessions = frozen_array(self.sessions, "datetime64[D]")
        following = self.following.astype("datetime64[D]")
        ahead = np.append(sessions, following)
        if not bool(np.all(ahead[1:] > ahead[:-1])):
            raise ValueError("sessions must increase strictly and end before `following`")
        object.__setattr__(self, "sessions", sessions)
        object.__setattr__(self, "following", following)

    def __len__(self) -> int:
        return len(self.sessions)

    def ticks(self, clock: Clock) -> Bool[ndarray, " t"]:
        """Return, for each session, whether `clock` ticks at its close."""
        if clock is Clock.DAILY:
            return np.ones(len(self), dtype=bool)
        ahead = np.append(self.sessions, self.following)
        match clock:
            case Clock.WEEKLY:  # ISO weeks start on Monday; 1970-01-01 was a Thursday
                bucket = (ahead.astype(np.int64) + 3) // 7
            case Clock.MONTHLY:
                bucket = ahead.astype("datetime64[M]").astype(np.int64)
            case Clock.QUARTERLY:
                bucket = ahead.astype("datetime64[M]").astype(np.int64) // 3
            case _:
                bucket = ahead.astype("datetime64[Y]").astype(np.int64)
        return np.asarray(bucket[1:] != bucket[:-1])

    def position(self, date: np.datetime64) -> int:
        """Return the position of the session `date`.

        Raises:
            ValueError: `date` is not a session; the message names its neighbours.
        """
        day = date.astype("datetime64[D]")
        at = int(np.searchsorted(self.sessions, day))
        if at == len(self) or self.sessions[at] != day:
            around = [str(self.sessions[k]) for k in (at - 1, at) if 0 <= k < len(self)]
            raise ValueError(f"{day} is not a session of {self.name}; nearest: {', '.join(around)}")
        return at

    def last_on_or_before(self, date: np.datetime64) -> int:
        """Return the position of the last session on or before `date` (-1 if there is none)."""
        return int(self.sessions.searchsorted(date.astype("datetime64[D]"), side="right")) - 1

    def first(self, count: int) -> Calendar:
        """Return the calendar of the first `count` sessions; the next one is what follows."""
        if count >= len(self):
            return self
        return Calendar(self.sessions[:count], self.sessions[count], self.name)
