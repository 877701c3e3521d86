"""The exchange's sessions between two dates."""

from __future__ import annotations

__all__ = ["exchange_sessions", "sessions_from"]

import datetime as dt

import numpy as np

from gammastar.market.calendar import Calendar
from gammastar.market.exchange import exchange_dates


def exchange_sessions(exchange: str, start: dt.date, end: dt.date) -> Calendar:
    """Return the sessions of `exchange` from `start` to `end`, with the one that follows by the exchange's calendar.

    Raises:
        ValueError: an unknown exchange, or fewer than two sessions between the dates.
    """
    from exchange_calendars.errors import InvalidCalendarName

    try:
        known = exchange_dates(exchange, np.datetime64(start, "D"), np.datetime64(end, "D") + 21)[0]  # three weeks always hold a session
    except InvalidCalendarName:
        known_names = "the codes of exchange_calendars.get_calendar_names()"
        raise ValueError(f"exchange is {exchange!r}; allowed: {known_names}. Use XNYS for New York.") from None
    sessions = known[known <= np.datetime64(end, "D")]
    if len(sessions) < 2:
        raise ValueError(
            f"{exchange} has {len(sessions)} sessions from {start} to {end}; allowed: at least 2. Choose a later `end`."
        )
    return Calendar(sessions, known[len(sessions)], exchange)


def sessions_from(exchange: str, start: dt.date, count: int) -> Calendar:
    """Return `count` sessions of `exchange`, the first on `start` or after it, with the one that follows.

    Raises:
        ValueError: an unknown exchange, or dates for which it has no calendar.
    """
    from exchange_calendars.errors import CalendarError
    from pandas.errors import OutOfBoundsDatetime

    # an exchange has more than 230 sessions in every year, closures of weeks included; three weeks for the first of them
    try:
        end = start + dt.timedelta(days=21 + int(count * 366 / 230))
        return exchange_sessions(exchange, start, end).first(count)
    except (CalendarError, OutOfBoundsDatetime, OverflowError) as error:
        reason = str(error).splitlines()[0][:160]
        raise ValueError(f"{exchange} has no calendar for {count} sessions from {start} on: {reason}. Choose another first day, or fewer sessions.") from error
