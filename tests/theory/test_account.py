"""The whole account on a panel: nothing is left over, and each part is what it says."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest

from gammastar.core.excess_growth import free_energy
from gammastar.core.generating import Diversity, Entropy, Market, bet_dial
from gammastar.core.rank_generating import ByRank, top
from gammastar.market.calendar import Clock
from gammastar.market.panel import Panel, Prices
from gammastar.simulate import Firms, LargeCapMarket
from gammastar.theory import account_for, capital_curve


@pytest.fixture(scope="module")
def panel() -> Panel:
    """Forty members of sixty names over two years, with prices, splits, dividends, entries and exits."""
    firms = Firms(takeover_rate=0.15, delisting_rate=0.03, split_above=100.0)
    return LargeCapMarket(members=40, listed=60, start=dt.date(2006, 10, 31), end=dt.date(2008, 10, 31), firms=firms).simulate(5).panel


FUNCTIONS = [Market(), Diversity(0.0), Diversity(0.5), Diversity(-0.5), Entropy(0.3), top(20), ByRank(Diversity(0.5)), bet_dial(top(20), 0.5)]


@pytest.mark.parametrize("function", FUNCTIONS, ids=str)
@pytest.mark.parametrize(("clock", "cost"), [(None, 0.0), (Clock.WEEKLY, 0.002), (Clock.MONTHLY, 0.0), (Clock.QUARTERLY, 0.002)])
def test_nothing_is_left_over(panel: Panel, function: object, clock: Clock | None, cost: float) -> None:
    account = account_for(function, panel, clock=clock, cost=cost)  # type: ignore[arg-type]
    assert np.abs(account.parts.residual).max() <= 1e-12
    assert abs(account.parts.residual.sum()) <= 1e-10
    if cost > 0.0 and not isinstance(function, Market):
        assert account.parts.cost.sum() < 0.0


def test_the_market_earns_nothing_beyond_itself(panel: Panel) -> None:
    account = account_for(Market(), panel)
    for part in ("boundary", "l_divergence", "leakage", "flow_membership", "flow_other", "dividend"):
        np.testing.assert_allclose(getattr(account.parts, part), 0.0, atol=1e-12)


def test_the_boundary_telescopes_and_the_divergence_is_not_negative(panel: Panel) -> None:
    function = Diversity(0.5)
    account = account_for(function, panel, clock=Clock.MONTHLY)
    ends = function.log_value(panel.benchmark[[0, -1]])
    assert account.parts.boundary.sum() == pytest.approx(float(ends[1] - ends[0]), abs=1e-10)
    assert (account.parts.l_divergence >= 0.0).all()


def test_holding_the_largest_leaks(panel: Panel) -> None:
    account = account_for(top(20), panel)
    assert (account.parts.leakage <= 1e-15).all()
    assert account.parts.leakage.sum() < -1e-4
    np.testing.assert_allclose(account.parts.l_divergence, 0.0, atol=1e-12)


def test_without_dividends_total_return_is_price_return(panel: Panel) -> None:
    assert panel.prices is not None
    paid = account_for(Diversity(0.0), panel).parts.dividend
    assert np.abs(paid).max() > 1e-6
    close = np.cumprod(1.0 + panel.returns, axis=0)
    reinvested = replace(panel, prices=Prices(close, np.ones_like(close)))
    np.testing.assert_allclose(account_for(Diversity(0.0), reinvested).parts.dividend, 0.0, atol=1e-12)


def test_sectors_sum_to_captured_volatility(panel: Panel) -> None:
    function = Diversity(0.5)
    account = account_for(function, panel)
    mu, gross = panel.benchmark[:-1], 1.0 + panel.returns[1:]
    captured = free_energy(function.weights(mu), gross) - free_energy(mu, gross)
    np.testing.assert_allclose(account.by_sector().sum(axis=1).to_numpy(), captured, atol=1e-12)


def test_a_stable_membership_has_no_membership_flow() -> None:
    quiet = LargeCapMarket(members=40, listed=60, start=dt.date(2006, 10, 31), end=dt.date(2006, 12, 15)).simulate(5).panel
    same = (quiet.benchmark > 0.0).all(axis=0) | (quiet.benchmark == 0.0).all(axis=0)
    assert same.all()
    parts = account_for(Diversity(0.5), replace(quiet, prices=None)).parts
    np.testing.assert_allclose(parts.flow_membership, 0.0, atol=1e-12)


def test_what_people_see(panel: Panel) -> None:
    account = account_for(Diversity(0.5), panel, clock=Clock.MONTHLY, cost=0.0005)
    text = str(account)
    assert "l divergence" in text
    assert "<pre>" in account._repr_html_()
    told = account.to_dict()
    assert told["relative_log_return"] == pytest.approx(sum(account.annual().values()))
    assert account.to_pandas(cumulated=True).iloc[-1].sum() == pytest.approx(account.parts.total.sum())
    assert len(account.plot().data) >= 4


def test_capital_curves(panel: Panel) -> None:
    curve = capital_curve(panel)
    assert curve.weights.shape[0] == 3
    np.testing.assert_allclose(curve.weights.sum(axis=1), 1.0, atol=1e-12)
    assert (np.diff(curve.weights, axis=1) <= 0.0).all()
    zipf = replace(curve, weights=np.tile(1.0 / np.arange(1, 41) / (1.0 / np.arange(1, 41)).sum(), (3, 1)))
    np.testing.assert_allclose(zipf.slope(1, 40), -1.0, atol=1e-12)
    assert curve.to_pandas().shape == (40, 3)
    assert len(curve.plot().data) == 3
    with pytest.raises(ValueError, match="ranks"):
        curve.slope(30, 60)
