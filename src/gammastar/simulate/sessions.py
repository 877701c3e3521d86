"""The exchange's sessions between two dates."""

from __future__ import annotations

__all__ = ["exchange_sessions"]

import datetime as dt
import warnings
from functools import lru_cache

import numpy as np

from gammastar.market.calendar import Calendar


@lru_cache(maxsize=16)
def exchange_sessions(exchange: str, start: dt.date, end: dt.date) -> Calendar:
    """Return the sessions of `exchange` from `start` to `end`, with the one that follows by the exchange's calendar.

    Raises:
        ValueError: an unknown exchange, or fewer than two sessions between the dates.
    """
    import exchange_calendars
    from exchange_calendars.errors import InvalidCalendarName

    with warnings.catch_warnings():
        # The calendars read times of day in a way pandas 3.1 deprecates; the dates are right, and it is not the caller's to mend.
        warnings.simplefilter("ignore", DeprecationWarning)
        # Start and end are always given: the defaults move with today. Three weeks always hold a session.
        until = (end + dt.timedelta(days=21)).isoformat()
        try:
            days = exchange_calendars.get_calendar(exchange, start=start.isoformat(), end=until).sessions
        except InvalidCalendarName:
            known_names = "the codes of exchange_calendars.get_calendar_names()"
            raise ValueError(f"exchange is {exchange!r}; allowed: {known_names}. Use XNYS for New York.") from None
    known = days.to_numpy().astype("datetime64[D]")
    sessions = known[known <= np.datetime64(end, "D")]
    if len(sessions) < 2:
        raise ValueError(
            f"{exchange} has {len(sessions)} sessions from {start} to {end}; allowed: at least 2. Choose a later `end`."
        )
    return Calendar(sessions, known[len(sessions)], exchange)
