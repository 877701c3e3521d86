"""The exchange's sessions between two dates."""

from __future__ import annotations

__all__ = ["exchange_sessions"]

import datetime as dt
from functools import lru_cache

import numpy as np

from gammastar.market.calendar import Calendar


@lru_cache(maxsize=16)
def exchange_sessions(exchange: str, start: dt.date, end: dt.date) -> Calendar:
    """Return the sessions of `exchange` from `start` to `end`, with the one that follows by the exchange's calendar.

    Raises:
        ValueError: fewer than two sessions between the dates.
    """
    import exchange_calendars

    # Start and end are always given: the defaults move with today. Three weeks always hold a session.
    days = exchange_calendars.get_calendar(
        exchange, start=start.isoformat(), end=(end + dt.timedelta(days=21)).isoformat()
    ).sessions
    known = days.to_numpy().astype("datetime64[D]")
    sessions = known[known <= np.datetime64(end, "D")]
    if len(sessions) < 2:
        raise ValueError(
            f"{exchange} has {len(sessions)} sessions from {start} to {end}; allowed: at least 2. Choose a later `end`."
        )
    return Calendar(sessions, known[len(sessions)], exchange)
