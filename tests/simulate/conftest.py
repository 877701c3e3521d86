"""Small markets with everything a large one has; made once, read by many tests."""

from __future__ import annotations

import datetime as dt

import pytest

from gammastar.simulate import Firms, LargeCapMarket, SimulatedMarket


@pytest.fixture(scope="session")
def lively() -> LargeCapMarket:
    """Sixty members of ninety names, three years, with many exits and splits."""
    firms = Firms(takeover_rate=0.15, delisting_rate=0.03, split_above=100.0)
    return LargeCapMarket(members=60, listed=90, start=dt.date(2006, 10, 31), end=dt.date(2009, 12, 31), firms=firms)


@pytest.fixture(scope="session")
def market(lively: LargeCapMarket) -> SimulatedMarket:
    return lively.simulate(20061031)
