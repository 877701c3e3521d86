"""The exchange's sessions: every date of a dataset must be one of them."""

from __future__ import annotations

__all__ = ["Sessions", "exchange_days", "session_rows", "sessions_after"]

import difflib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from gammastar.errors import DataError
from gammastar.market.exchange import exchange_dates
from gammastar.store.findings import Findings

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy import ndarray

_MARGIN = 21  # days before and after: enough to name the session before and to hold the one that follows


@dataclass(frozen=True, eq=False)
class Sessions:
    """Sessions around a dataset, a few more than it spans.

    Args:
        name: the exchange's code.
        days: increasing dates.
        early: those of them that close early, as far as the calendar was asked.
    """

    name: str
    days: ndarray
    early: ndarray = field(default_factory=lambda: np.zeros(0, dtype="datetime64[D]"))

    def are(self, dates: ndarray) -> ndarray:
        """Return which of `dates` are sessions."""
        at = np.minimum(np.searchsorted(self.days, dates), len(self.days) - 1)
        return np.asarray(self.days[at] == dates)

    def around(self, date: np.datetime64) -> str:
        """Return the sessions before and after a date that is none, in words."""
        at = int(np.searchsorted(self.days, date))
        near = [str(self.days[k]) for k in (at - 1, at) if 0 <= k < len(self.days)]
        return f"the nearest {'sessions are' if len(near) > 1 else 'session is'} {' and '.join(near)}"

    def between(self, first: np.datetime64, last: np.datetime64) -> ndarray:
        """Return the sessions from `first` to `last`, and the one that follows."""
        begin = int(np.searchsorted(self.days, first))
        end = int(np.searchsorted(self.days, last, side="right"))
        return self.days[begin : end + 1]


def exchange_days(name: str, first: np.datetime64, last: np.datetime64, findings: Findings) -> Sessions | None:
    """Return the exchange's sessions from shortly before `first` to shortly after `last`, or None with a finding."""
    import exchange_calendars
    from exchange_calendars.errors import CalendarError

    known = exchange_calendars.get_calendar_names()
    if name not in known:
        close = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.4)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        findings.add(
            "dataset.toml", "calendar-unknown", f"no exchange has this code{hint}", column="calendar", value=name
        )
        return None
    begin, beyond = (first - np.timedelta64(_MARGIN, "D")).astype("datetime64[M]"), (last + np.timedelta64(_MARGIN, "D")).astype("datetime64[M]") + 1
    start, end = begin.astype("datetime64[D]"), beyond.astype("datetime64[D]") - 1
    try:
        return Sessions(name, *exchange_dates(name, start, end))
    except (CalendarError, ValueError) as error:
        findings.add(
            "dataset.toml",
            "calendar-range",
            f"{name} has no sessions from {start} to {end}: {str(error)[:120]}",
            column="calendar",
            value=name,
        )
        return None


def sessions_after(name: str, last: np.datetime64, on: np.datetime64) -> ndarray:
    """Return the sessions after `last` up to `on`, and the one that follows them.

    Raises:
        DataError: the exchange's calendar does not reach the date.
    """
    found = Findings()
    sessions = exchange_days(name, last, max(last, on), found)
    if sessions is None:
        raise DataError(str(on), f"the calendar of {name} does not reach this date", findings=found.errors, advice="ask for an earlier date, or update exchange-calendars")
    after = sessions.days[sessions.days > last]
    return after[: int(np.searchsorted(after, on, side="right")) + 1]


def session_rows(days: ndarray) -> pa.Table:
    """Return sessions as they are stored."""
    import pyarrow as pa

    return pa.table({"session": pa.array(days.astype("datetime64[D]"))})
