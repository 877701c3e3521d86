"""An exchange's sessions by its calendar (the library exchange_calendars)."""

from __future__ import annotations

__all__ = ["exchange_dates"]

import warnings
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy import ndarray


def exchange_dates(name: str, first: np.datetime64, last: np.datetime64) -> tuple[ndarray, ndarray]:
    """Return the sessions of an exchange from `first` to `last`, and those of them that close early, as ``datetime64[D]``.

    Making a calendar takes more than half a second, however few days it has, so one is made for whole decades, once a process, where it reaches so far.

    Args:
        name: of the exchange, one of ``exchange_calendars.get_calendar_names()``.
        first: a date.
        last: a date, not before it.

    Raises:
        exchange_calendars.errors.CalendarError: an unknown name, or dates without sessions.
        ValueError: the calendar does not reach the dates, or the library cannot make it.
    """
    from exchange_calendars.errors import CalendarError

    begin, beyond = (10 * (int(str(date.astype("datetime64[Y]"))) // 10) for date in (first, last))
    try:
        dates = _made(name, f"{begin:04d}-01-01", f"{beyond + 9:04d}-12-31")
    except (CalendarError, ValueError):  # it may reach the dates, but not the decades
        dates = _made(name, str(first), str(last))
    sessions, early = ((days >= first) & (days <= last) for days in dates)
    return dates[0][sessions], dates[1][early]


@lru_cache(maxsize=16)
def _made(name: str, start: str, end: str) -> tuple[ndarray, ndarray]:
    import exchange_calendars

    with warnings.catch_warnings():
        # the calendars read times of day in a way pandas 3.1 deprecates; the dates are right, and it is not the caller's to mend
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            calendar = exchange_calendars.get_calendar(name, start=start, end=end)
        except RuntimeError as error:  # rules that the installed pandas does not follow
            raise ValueError(f"exchange_calendars cannot make this calendar: {error}") from error
        sessions, early = (dates.to_numpy().astype("datetime64[D]") for dates in (calendar.sessions, calendar.early_closes))
    return sessions, early
