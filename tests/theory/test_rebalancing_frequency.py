"""How often to rebalance: each clock's account against money, against the account on that clock, and against the three-point identity."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest

from gammastar.core.excess_growth import free_energy
from gammastar.core.generating import Diversity, Entropy, GeneratingFunction, Market
from gammastar.core.rank_generating import top
from gammastar.core.rebalancing import rebalancing_gain, rebalancing_study, return_driven_weights
from gammastar.market.calendar import Clock, Frequency
from gammastar.simulate import Firms, LargeCapMarket
from gammastar.theory import account_for, rebalancing_frequency

if TYPE_CHECKING:
    from gammastar.market.panel import Panel

EXACT = 1e-12
FUNCTIONS: list[GeneratingFunction] = [Diversity(0.0), Diversity(0.5), Entropy(0.3), top(15), Market()]
ALL = tuple(Clock)


@pytest.fixture(scope="module")
def panel() -> Panel:
    """Thirty members of forty-five names over a little more than two years, with prices, splits, dividends, entries and exits."""
    firms = Firms(takeover_rate=0.15, delisting_rate=0.03, split_above=100.0)
    return LargeCapMarket(members=30, listed=45, start=dt.date(2006, 10, 31), end=dt.date(2009, 2, 13), firms=firms).simulate(5).panel


@pytest.fixture(scope="module")
def quiet(panel: Panel) -> Panel:
    """The same returns, with an index that nothing but returns moves."""
    start = np.where(panel.benchmark[0] > 0.0, panel.benchmark[0], 0.0)
    return replace(panel, benchmark=return_driven_weights(start, 1.0 + panel.returns[1:]), prices=None)


@pytest.mark.parametrize("function", FUNCTIONS, ids=str)
@pytest.mark.parametrize("cost", [0.0, 0.002])
def test_two_roads_to_each_clock(panel: Panel, function: GeneratingFunction, cost: float) -> None:
    """The value in money, and the account on that clock."""
    study = rebalancing_frequency(function, panel, clocks=ALL, cost=cost)
    assert [item.clock for item in study.clocks] == list(ALL)
    for item in study.clocks:
        account = account_for(function, panel, clock=item.clock, cost=cost)
        whole = float(account.parts.total.sum())
        assert float(item.path[-1]) == pytest.approx(whole, abs=EXACT)
        assert item.relative_log_return * study.years == pytest.approx(whole, abs=EXACT)
        assert abs(item.residual) <= EXACT
        assert item.rebalances == len(account.ends)
        held = panel.calendar.ticks(item.clock)[1:-1]
        np.testing.assert_allclose(item.path[1:-1][held], np.cumsum(account.parts.total)[:-1], atol=EXACT)


def test_money_followed_by_hand(panel: Panel) -> None:
    """Shares bought at each month's end, valued at each close, costs found by bisection."""
    function, cost = Diversity(0.5), 0.003
    item = rebalancing_frequency(function, panel, clocks=[Clock.MONTHLY], cost=cost).clocks[0]
    ticks, money, index, traded = panel.calendar.ticks(Clock.MONTHLY), function.weights(panel.benchmark[0]), 0.0, 0.0
    for t in range(1, len(panel)):
        index += np.log1p(float(panel.benchmark[t - 1] @ panel.returns[t]))
        money = money * (1.0 + panel.returns[t])
        if ticks[t] or t == len(panel) - 1:
            value, target = money.sum(), function.weights(panel.benchmark[t])
            low, high = 0.0, 1.0
            for _ in range(60):
                kept = 0.5 * (low + high)
                low, high = (kept, high) if kept + cost * np.abs(kept * target - money / value).sum() <= 1.0 else (low, kept)
            traded += 0.5 * np.abs(kept * target - money / value).sum()
            money = kept * value * target
        assert item.path[t] == pytest.approx(np.log(money.sum()) - index, abs=1e-11)
    assert item.turnover == pytest.approx(traded * 252 / (len(panel) - 1), abs=1e-9)
    # what is charged is cost times what is traded, two-way, to first order
    assert -item.parts["cost"] == pytest.approx(2.0 * cost * item.turnover, rel=0.01)


@pytest.mark.parametrize("function", [Diversity(0.0), Diversity(0.5), Entropy(0.3)], ids=str)
def test_clocks_differ_by_the_three_point_identity(quiet: Panel, function: GeneratingFunction) -> None:
    """Quarterly over yearly, and monthly over quarterly: one more stop at a time, where only returns move the weights."""
    study = rebalancing_frequency(function, quiet, clocks=ALL)
    last = len(quiet) - 1
    for fast, slow in ((Clock.QUARTERLY, Clock.YEARLY), (Clock.MONTHLY, Clock.QUARTERLY), (Clock.DAILY, Clock.MONTHLY)):
        ends = {clock: np.unique(np.append(np.flatnonzero(quiet.calendar.ticks(clock)), (0, last))) for clock in (fast, slow)}
        gains = 0.0
        for start, end in pairwise(ends[slow]):
            stops = [start, *(stop for stop in ends[fast] if start < stop < end)]
            for before, stop in pairwise(stops):
                gains += float(rebalancing_gain(function, *quiet.benchmark[[before, stop, end]]))
        between = study.of(fast).relative_log_return - study.of(slow).relative_log_return
        assert study.three_point(fast, slow) * study.years == pytest.approx(gains, abs=1e-11)
        assert between * study.years == pytest.approx(gains, abs=1e-11)
    for item in study.clocks:
        assert item.parts["flow_membership"] == pytest.approx(0.0, abs=EXACT)
        assert item.parts["flow_other"] == pytest.approx(0.0, abs=EXACT)


def test_the_study_on_arrays_says_the_same(quiet: Panel) -> None:
    """Before cost, which the closing of the books adds to."""
    clocks = {str(clock): quiet.calendar.ticks(clock) for clock in ALL}
    arrays = rebalancing_study(Diversity(0.5), quiet.benchmark, 1.0 + quiet.returns[1:], clocks)
    study = rebalancing_frequency(Diversity(0.5), quiet, clocks=ALL)
    for item in study.clocks:
        assert item.parts["l_divergence"] * study.years == pytest.approx(arrays[str(item.clock)].l_divergence, abs=EXACT)
        assert item.relative_log_return * study.years == pytest.approx(arrays[str(item.clock)].relative_log_return, abs=EXACT)


def test_all_clocks_share_the_boundary_and_slower_ones_trade_less(panel: Panel) -> None:
    study = rebalancing_frequency(Diversity(0.0), panel, cost=0.0005)
    assert len(study.clocks) == 5
    boundaries = [item.parts["boundary"] for item in study.clocks]
    np.testing.assert_allclose(boundaries, boundaries[0], atol=EXACT)
    for name in ("turnover", "rebalances"):
        values = [getattr(item, name) for item in study.clocks]
        assert values == sorted(values, reverse=True)
    assert study.clocks[-1].gain == 0.0
    assert study.clocks[-1].standard_error is None


def test_standard_error_is_that_of_the_mean_of_years() -> None:
    """On whole years of one length, the textbook's formula; with four years, none."""
    long = LargeCapMarket(members=20, listed=25, start=dt.date(2010, 12, 31), end=dt.date(2016, 12, 30)).simulate(2).panel
    study = rebalancing_frequency(Diversity(0.0), long, clocks=[Clock.MONTHLY, Clock.YEARLY])
    fast, slow = study.clocks
    years = np.flatnonzero(long.calendar.ticks(Clock.YEARLY))
    ahead = np.diff((fast.path - slow.path)[years])
    assert len(ahead) == 6
    assert fast.standard_error == pytest.approx(ahead.std(ddof=1) / np.sqrt(6), rel=0.02)  # the years differ by a session or two
    short = rebalancing_frequency(Diversity(0.0), long.first(years[4] + 1), clocks=[Clock.MONTHLY, Clock.YEARLY])
    assert short.clocks[0].standard_error is None


def test_signature_against_windows_one_by_one(panel: Panel) -> None:
    study = rebalancing_frequency(Diversity(0.5), panel, clocks=[Clock.YEARLY], windows=(1, 21))
    for plot, weights in ((study.signature, Diversity(0.5).weights(panel.benchmark)), (study.index_signature, panel.benchmark)):
        for k, length in enumerate((1, 21)):
            energies = [float(free_energy(weights[s], np.prod(1.0 + panel.returns[s + 1 : s + 1 + length], axis=0))) for s in range(len(panel) - length)]
            assert plot.excess_growth[k] == pytest.approx(np.mean(energies) * 252 / length, abs=EXACT)


def test_equal_weight_harvests_its_signature(panel: Panel) -> None:
    """For p = 0 the L-divergence is the free energy: one session's window is what the daily clock earns, of price returns and total returns alike."""
    study = rebalancing_frequency(Diversity(0.0), replace(panel, prices=None), clocks=[Clock.DAILY])
    assert study.signature.excess_growth[0] == pytest.approx(study.clocks[0].parts["l_divergence"], abs=EXACT)


def test_a_monthly_panel_has_no_clock_faster_than_it(panel: Panel) -> None:
    at = np.flatnonzero(panel.calendar.ticks(Clock.MONTHLY))
    level = np.cumprod(1.0 + panel.returns, axis=0)[at]
    returns = np.vstack((np.zeros(level.shape[1]), level[1:] / level[:-1] - 1.0))
    monthly = replace(
        panel,
        calendar=replace(panel.calendar, sessions=panel.sessions[at]),
        frequency=Frequency.MONTHLY,
        returns=returns,
        observed=np.ones_like(returns, dtype=bool),
        benchmark=panel.benchmark[at],
        sectors=replace(panel.sectors, codes=panel.sectors.codes[at]),
        published=np.ones(len(at), dtype=bool),
        prices=None,
        groups={},
        traded=None,
        index_level=None,
    )
    study = rebalancing_frequency(Diversity(0.5), monthly)
    assert [item.clock for item in study.clocks] == [Clock.MONTHLY, Clock.QUARTERLY, Clock.YEARLY]
    assert max(abs(item.residual) for item in study.clocks) <= EXACT


def test_what_people_see(panel: Panel) -> None:
    study = rebalancing_frequency(Diversity(0.5), panel, cost=0.0005)
    text = str(study)
    assert "over yearly" in text
    assert "excess growth by window" in text
    assert study._repr_html_().startswith("<pre>")
    frame = study.to_pandas()
    assert list(frame.index) == [str(clock) for clock in ALL]
    parts = ["boundary", "l_divergence", "leakage", "flow", "dividend", "cost"]
    np.testing.assert_allclose(frame[parts].sum(axis=1), frame["relative_log_return"], atol=EXACT)
    np.testing.assert_allclose(frame["gain"], frame["relative_log_return"] - frame["relative_log_return"].iloc[-1], atol=EXACT)
    assert study.paths().shape == (len(panel), 5)
    assert list(study.signature_frame().index) == [1, 2, 5, 10, 21, 42, 63, 126, 252]
    told = study.to_dict()
    assert [item["clock"] for item in told["clocks"]] == list(frame.index)  # type: ignore[attr-defined]
    figure = study.plot()
    assert {"bar", "scatter"} <= {trace.type for trace in figure.data}
    totals = np.sum([trace.y for trace in figure.data if trace.type == "bar"], axis=0)
    np.testing.assert_allclose(totals, 1e4 * frame["gain"].to_numpy()[:-1], atol=1e-6)


def test_what_cannot_be_studied_is_refused(panel: Panel) -> None:
    with pytest.raises(ValueError, match="no clock"):
        rebalancing_frequency(Diversity(0.5), panel, clocks=())
    with pytest.raises(ValueError, match="two sessions"):
        rebalancing_frequency(Diversity(0.5), panel.first(1))
    with pytest.raises(ValueError, match="windows"):
        rebalancing_frequency(Diversity(0.5), panel, windows=(len(panel),))
    with pytest.raises(KeyError):
        rebalancing_frequency(Diversity(0.5), panel, clocks=[Clock.DAILY]).of(Clock.YEARLY)


def test_the_real_index(sp500_daily: Panel) -> None:
    """Two roads over thirteen years of entries and exits."""
    study = rebalancing_frequency(Diversity(0.0), sp500_daily, clocks=[Clock.MONTHLY, Clock.YEARLY], cost=0.0005)
    for item in study.clocks:
        account = account_for(Diversity(0.0), sp500_daily, clock=item.clock, cost=0.0005)
        assert abs(item.residual) <= EXACT
        assert float(item.path[-1]) == pytest.approx(float(account.parts.total.sum()), abs=EXACT)
