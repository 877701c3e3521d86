"""Sessions by an exchange's calendar, against the library asked for the same dates."""

from __future__ import annotations

import exchange_calendars
import numpy as np
import pytest
from exchange_calendars.errors import CalendarError, InvalidCalendarName

from gammastar.market.exchange import exchange_dates


@pytest.mark.parametrize(("name", "first", "last"), [("XNYS", "2007-11-03", "2010-02-15"), ("XLON", "2019-12-31", "2020-01-02"), ("XSES", "2024-01-03", "2025-06-30")])
def test_they_are_the_librarys_own(name: str, first: str, last: str) -> None:
    """The last of these calendars does not reach the end of its decade."""
    sessions, early = exchange_dates(name, np.datetime64(first), np.datetime64(last))
    own = exchange_calendars.get_calendar(name, start=first, end=last)
    assert np.array_equal(sessions, own.sessions.to_numpy().astype("datetime64[D]"))
    assert np.array_equal(early, own.early_closes.to_numpy().astype("datetime64[D]"))
    assert sessions.dtype == early.dtype == np.dtype("datetime64[D]")


def test_one_calendar_serves_its_decades(monkeypatch: pytest.MonkeyPatch) -> None:
    exchange_dates("XPAR", np.datetime64("2011-03-01"), np.datetime64("2012-03-01"))
    monkeypatch.setattr(exchange_calendars, "get_calendar", None)
    sessions, _ = exchange_dates("XPAR", np.datetime64("2013-05-01"), np.datetime64("2013-05-31"))
    assert str(sessions[0]) == "2013-05-02"  # the first of May is a holiday in Paris


def test_what_there_is_not_is_refused() -> None:
    with pytest.raises(InvalidCalendarName):
        exchange_dates("NOWHERE", np.datetime64("2011-03-01"), np.datetime64("2012-03-01"))
    with pytest.raises(ValueError, match="cannot make"):
        exchange_dates("ASEX", np.datetime64("2011-03-01"), np.datetime64("2012-03-01"))
    with pytest.raises((CalendarError, ValueError)):
        exchange_dates("XSES", np.datetime64("2035-03-01"), np.datetime64("2036-03-01"))
