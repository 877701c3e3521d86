"""A small simulated market, and mandates to run on it."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from gammastar.core.generating import Diversity, Market
from gammastar.mandate import (
    ActiveWeight,
    Clocks,
    Generated,
    GroupActive,
    Mandate,
    TrackingError,
    TradingPolicy,
    VolatilityCapture,
)
from gammastar.market.calendar import Clock
from gammastar.risk.statistical import StatisticalFactors
from gammastar.simulate import Firms, LargeCapMarket, SimulatedMarket

if TYPE_CHECKING:
    from gammastar.market.panel import Panel


@pytest.fixture(scope="session")
def small_market() -> SimulatedMarket:
    """Forty members of sixty names over three years, with many exits."""
    firms = Firms(takeover_rate=0.15, delisting_rate=0.03, split_above=100.0)
    model = LargeCapMarket(members=40, listed=60, start=dt.date(2006, 10, 31), end=dt.date(2009, 12, 31), firms=firms)
    return model.simulate(11)


@pytest.fixture(scope="session")
def small_panel(small_market: SimulatedMarket) -> Panel:
    return small_market.panel


@pytest.fixture(scope="session")
def capture() -> Mandate:
    """Volatility capture with a band, costs and the rules that small markets can keep."""
    return Mandate(
        name="capture",
        strategy=VolatilityCapture(),
        rules=(TrackingError(0.03), ActiveWeight(0.03), GroupActive(0.05)),
        risk=StatisticalFactors(factors=5, window=400),
        clocks=Clocks(Clock.MONTHLY, Clock.WEEKLY, 1),
        trading=TradingPolicy(cost=0.001, band=0.002),
    )


@pytest.fixture(scope="session")
def diversity(capture: Mandate) -> Mandate:
    return replace(capture, name="diversity", strategy=Generated(Diversity(0.5)), rules=())


@pytest.fixture(scope="session")
def index_fund() -> Mandate:
    """The benchmark itself: no lag, no cost."""
    return Mandate(name="index", strategy=Generated(Market()), clocks=Clocks(Clock.MONTHLY, Clock.WEEKLY, 0))
