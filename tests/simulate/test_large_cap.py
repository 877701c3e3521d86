"""The simulated market keeps the laws of a panel, of an index and of prices, and is the same whenever it is made."""

from __future__ import annotations

import datetime as dt
import itertools
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from gammastar.market.calendar import Clock
from gammastar.simulate import Clustering, Firms, Growth, LargeCapMarket, Shocks, SimulatedMarket


def snapshots(market: SimulatedMarket) -> np.ndarray:
    return np.flatnonzero(market.panel.published)


def first_row(market: SimulatedMarket, column: int) -> int:
    """Session of a name's listing."""
    return int(np.argmax((market.truth.path.occupant == column).any(axis=1)))


def vanished(market: SimulatedMarket) -> list[tuple[int, int, int]]:
    """Columns of members that vanish between snapshots, with their last session and the snapshot that drops them."""
    panel, found = market.panel, []
    for column in range(len(panel.assets)):
        seen = np.flatnonzero(panel.observed[:, column])
        if len(seen) == 0 or seen[-1] + 1 >= len(panel) or panel.benchmark[seen[-1], column] == 0.0:
            continue
        later = snapshots(market)[snapshots(market) > seen[-1]]
        if len(later):
            found.append((column, int(seen[-1]), int(later[0])))
    return found


# The same market


def test_same_seed_same_bytes(lively: LargeCapMarket, market: SimulatedMarket) -> None:
    assert lively.simulate(20061031).panel.fingerprint == market.panel.fingerprint
    assert lively.simulate(20061032).panel.fingerprint != market.panel.fingerprint


def test_a_seed_sequence_is_left_as_it_was_and_agrees_with_its_integer(
    lively: LargeCapMarket, market: SimulatedMarket
) -> None:
    sequence = np.random.SeedSequence(20061031)
    answers = {lively.simulate(sequence).panel.fingerprint for _ in range(2)}
    assert answers == {market.panel.fingerprint}
    assert sequence.n_children_spawned == 0
    child = lively.simulate(np.random.SeedSequence(20061031).spawn(1)[0])
    assert child.panel.fingerprint != market.panel.fingerprint


def test_global_random_state_is_neither_used_nor_moved(lively: LargeCapMarket, market: SimulatedMarket) -> None:
    np.random.seed(1)  # noqa: NPY002 - the legacy state is what must stay untouched
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    assert lively.simulate(20061031).panel.fingerprint == market.panel.fingerprint
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


@pytest.mark.parametrize("end", [dt.date(2006, 12, 5), dt.date(2008, 3, 31), dt.date(2009, 8, 14)])
def test_a_shorter_market_is_the_beginning_of_a_longer_one(
    lively: LargeCapMarket, market: SimulatedMarket, end: dt.date
) -> None:
    short = replace(lively, end=end).simulate(20061031)
    t, n = short.panel.returns.shape
    whole = market.panel
    assert short.panel.assets.ids == whole.assets.ids[:n]
    for name in ("returns", "observed", "benchmark"):
        np.testing.assert_array_equal(getattr(short.panel, name), getattr(whole, name)[:t, :n])
    np.testing.assert_array_equal(short.panel.sectors.codes, whole.sectors.codes[:t, :n])
    np.testing.assert_array_equal(short.panel.published, whole.published[:t])
    np.testing.assert_array_equal(short.panel.prices.close, whole.prices.close[:t, :n])
    np.testing.assert_array_equal(short.panel.prices.split, whole.prices.split[:t, :n])
    assert short.panel.calendar.following == whole.sessions[t]
    assert not whole.benchmark[:t, n:].any()
    assert not whole.observed[:t, n:].any()
    last = t - 1
    np.testing.assert_array_equal(short.truth.covariance(last).specific, market.truth.covariance(last).specific[:n])
    np.testing.assert_array_equal(short.truth.covariance(last).loadings, market.truth.covariance(last).loadings[:n])


def test_prices_change_nothing_else(lively: LargeCapMarket, market: SimulatedMarket) -> None:
    bare = lively.simulate(20061031, prices=False).panel
    assert bare.prices is None
    assert replace(market.panel, prices=None).fingerprint == bare.fingerprint


def test_importing_the_room_loads_nothing_third_party() -> None:
    code = "import sys, gammastar.simulate; sys.exit(any(m in sys.modules for m in ('numpy', 'pandas', 'scipy', 'exchange_calendars')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# The index


def test_weights_are_published_at_month_ends_and_drift_exactly_between(market: SimulatedMarket) -> None:
    panel = market.panel
    expected = panel.calendar.ticks(Clock.MONTHLY)
    expected[0] = True
    np.testing.assert_array_equal(panel.published, expected)
    np.testing.assert_allclose(panel.benchmark.sum(axis=1), 1.0, rtol=0, atol=1e-14)
    assert panel.index_change[~panel.published].max() < 1e-15


def test_published_weights_are_float_capitalisations_of_a_constant_number_of_members(
    lively: LargeCapMarket, market: SimulatedMarket
) -> None:
    for t in snapshots(market):
        weights = market.panel.benchmark[t]
        member = weights > 0.0
        assert member.sum() == lively.members
        capital = np.where(member, market.truth.capitalisations(t), 0.0)
        np.testing.assert_allclose(weights, capital / capital.sum(), rtol=1e-13)


def test_reviews_keep_the_band(lively: LargeCapMarket, market: SimulatedMarket) -> None:
    quarters = market.panel.calendar.ticks(Clock.QUARTERLY)
    changed = 0
    for t in np.flatnonzero(quarters):
        capital = market.truth.capitalisations(t)
        rank = np.empty(len(capital), dtype=int)
        rank[np.argsort(-capital)] = np.arange(1, len(capital) + 1)
        member = market.panel.benchmark[t] > 0.0
        assert member[rank <= lively.members * (1.0 - lively.buffer)].all()
        assert rank[member].max() <= lively.members * (1.0 + lively.buffer)
        changed += int((rank[member] > lively.members).any())
    assert changed  # the buffer is used


def test_between_reviews_only_vanished_members_are_replaced(market: SimulatedMarket) -> None:
    quarters = market.panel.calendar.ticks(Clock.QUARTERLY)
    at = snapshots(market)
    for before, t in itertools.pairwise(at):
        if not quarters[t]:
            dropped = (market.panel.benchmark[before] > 0.0) & (market.panel.benchmark[t] == 0.0)
            listed = np.isin(np.arange(len(dropped)), market.truth.listed(t))
            assert not (dropped & listed).any()
            entered = (market.panel.benchmark[before] == 0.0) & (market.panel.benchmark[t] > 0.0)
            outside = listed & (market.panel.benchmark[t] == 0.0)
            assert entered.sum() == dropped.sum()
            capital = market.truth.capitalisations(t)
            assert capital[entered].min(initial=np.inf) > capital[outside].max()


def test_without_issuance_dividends_and_exits_only_membership_changes_weights(lively: LargeCapMarket) -> None:
    still = Firms(takeover_rate=0.0, delisting_rate=0.0, dividend_yield=0.0, issuance=0.0, issuance_spread=0.0)
    panel = replace(lively, firms=still).simulate(5).panel
    active = replace(lively, firms=replace(still, issuance_spread=0.01)).simulate(5).panel
    same = np.append(False, ((panel.benchmark[1:] > 0.0) == (panel.benchmark[:-1] > 0.0)).all(axis=1))
    assert panel.index_change[same].max() < 1e-14
    quarters = active.calendar.ticks(Clock.QUARTERLY)
    assert active.index_change[quarters].min() > 1e-4
    assert len(panel.assets) == lively.listed


# Listings and exits


def test_exits_and_entries_happen_at_their_rates(lively: LargeCapMarket, market: SimulatedMarket) -> None:
    exits = len(market.panel.assets) - lively.listed
    expected = (
        lively.listed * (lively.firms.takeover_rate + lively.firms.delisting_rate) * (len(market.panel) - 1) / 252
    )
    assert abs(exits - expected) < 4.0 * np.sqrt(expected)
    entered = (market.panel.benchmark[-1] > 0.0)[lively.listed :].sum()
    assert entered > 0
    last = [market.panel.returns[t, column] for column, t, _ in vanished(market)]
    assert max(last) > 0.2
    assert len(last) > 5


def test_failures_lose_and_takeovers_gain_on_the_last_day(lively: LargeCapMarket) -> None:
    for firms, low, high in (
        (Firms(takeover_rate=0.3, delisting_rate=0.0), 0.0, 1.0),
        (Firms(takeover_rate=0.0, delisting_rate=0.3), -0.95, -0.4),
    ):
        market = replace(lively, firms=firms, end=dt.date(2007, 12, 31), shocks=Shocks(news_probability=0.0)).simulate(
            3
        )
        last = [market.panel.returns[t, column] for column, t, _ in vanished(market)]
        assert len(last) > 5
        assert low < min(last) <= max(last) < high


def test_names_that_are_not_listed_are_not_observed(market: SimulatedMarket) -> None:
    panel = market.panel
    for column in range(len(panel.assets)):
        first = first_row(market, column)
        assert not panel.observed[: first + 1, column].any()
        assert not panel.returns[: first + 1, column].any()
        assert not panel.benchmark[:first, column].any()
        codes = panel.sectors.codes[:, column]
        assert (codes[:first] == len(panel.sectors.labels) - 1).all()
        assert (codes[first:] == market.truth.path.names.sector[column]).all()
    for t in (1, 100, len(panel) - 1):
        np.testing.assert_array_equal(np.flatnonzero(panel.observed[t]), market.truth.listed(t - 1))


def test_a_vanished_member_is_imputed_until_the_snapshot_drops_it(market: SimulatedMarket) -> None:
    panel = market.panel
    seen = 0
    for column, last, drop in vanished(market):
        assert not panel.observed[last + 1 :, column].any()
        assert (panel.benchmark[last:drop, column] > 0.0).all()
        assert panel.benchmark[drop, column] == 0.0
        assert not panel.returns[drop + 6 :, column].any()
        for t in range(last + 1, min(drop + 1, last + 5)):
            alike = panel.observed[t] & (panel.sectors.codes[t] == panel.sectors.codes[t, column])
            weights = np.where(alike, panel.benchmark[t - 1], 0.0)
            if weights.sum() > 0.0:
                assert panel.returns[t, column] == pytest.approx(weights @ panel.returns[t] / weights.sum(), abs=1e-15)
                seen += 1
    assert seen > 20


# Prices


def test_prices_splits_and_dividends_give_the_total_return(lively: LargeCapMarket, market: SimulatedMarket) -> None:
    panel, prices, names = market.panel, market.panel.prices, market.truth.path.names
    before, close, split = prices.close[:-1], prices.close[1:], prices.split[1:]
    months = panel.sessions.astype("datetime64[M]").astype(int) // 3
    session = np.array([t - int(np.argmax(months == quarter)) for t, quarter in enumerate(months)])
    paid = session[1:, None] == names.payday
    dividend = before * np.where(paid, lively.firms.dividend_yield / 4.0, 0.0)
    total = (close * split + dividend) / before - 1.0
    observed = panel.observed[1:]
    np.testing.assert_allclose(total[observed], panel.returns[1:][observed], rtol=0, atol=1e-12)
    np.testing.assert_array_equal(close[~observed], before[~observed])
    assert (prices.close > 0.0).all()
    assert set(np.unique(split)) == {1.0, 2.0}
    np.testing.assert_array_equal(split == 2.0, observed & (before > lively.firms.split_above))
    yearly = (paid & (months[1:] >= months[1] + 1)[:, None]).sum(axis=0) / (len(np.unique(months)) - 1)
    np.testing.assert_array_equal(yearly, 1.0)  # one payment in every whole quarter


def test_capitalisations_grow_with_prices_but_for_issuance(market: SimulatedMarket) -> None:
    panel, prices = market.panel, market.panel.prices
    quarters = panel.calendar.ticks(Clock.QUARTERLY)
    for t in range(1, len(panel)):
        stay = np.intersect1d(market.truth.listed(t - 1), market.truth.listed(t))
        grown = market.truth.capitalisations(t)[stay] / market.truth.capitalisations(t - 1)[stay]
        gain = (prices.close[t] * prices.split[t] / prices.close[t - 1])[stay]
        if quarters[t]:
            assert 0.0 < np.abs(grown / gain - 1.0).max() < 0.05
        else:
            np.testing.assert_allclose(grown, gain, rtol=1e-12)


# Parameters


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LargeCapMarket(members=700, listed=700), "members"),
        (lambda: LargeCapMarket(members=3), "members"),
        (lambda: LargeCapMarket(listed=5), "listed"),
        (lambda: LargeCapMarket(start=dt.date(2020, 1, 2)), "start"),
        (lambda: LargeCapMarket(buffer=0.45), "buffer"),
        (lambda: LargeCapMarket(buffer=-0.1), "buffer"),
        (lambda: Shocks(market=16.0), "market"),
        (lambda: Shocks(sector=float("nan")), "sector"),
        (lambda: Shocks(specific_smallest=0.0), "specific_smallest"),
        (lambda: Shocks(beta_spread=-0.1), "beta_spread"),
        (lambda: Shocks(news_probability=0.9), "news_probability"),
        (lambda: Shocks(news_multiple=0.5), "news_multiple"),
        (lambda: Shocks(leverage=-1.1), "leverage"),
        (lambda: Shocks(commonality=-1.0), "commonality"),
        (lambda: Clustering(half_life=0.0, spread=0.5), "half_life"),
        (lambda: Clustering(half_life=20.0, spread=float("inf")), "spread"),
        (lambda: Growth(rate=6.0), "rate"),
        (lambda: Growth(restoring=0.0), "restoring"),
        (lambda: Growth(equal_share=1.0), "equal_share"),
        (lambda: Growth(volatility_discount=5.0), "volatility_discount"),
        (lambda: Firms(takeover_rate=-0.1), "takeover_rate"),
        (lambda: Firms(delisting_loss=1.0), "delisting_loss"),
        (lambda: Firms(dividend_yield=2.0), "dividend_yield"),
        (lambda: Firms(dividend_yield=0.1, delisting_loss=0.98), "dividend_yield"),
        (lambda: Firms(issuance=1.0), "issuance"),
        (lambda: Firms(split_above=60.0), "split_above"),
    ],
)
def test_bad_parameters_are_refused_by_name_with_advice(make, message: str) -> None:
    with pytest.raises(ValueError, match=rf"{message}.*\. [A-Z]"):
        make()


def test_dates_without_sessions_and_markets_that_fall_apart_are_refused() -> None:
    with pytest.raises(ValueError, match="XNYS has 0 sessions"):
        LargeCapMarket(members=20, listed=30, start=dt.date(2019, 8, 31), end=dt.date(2019, 9, 1)).simulate(1)
    with pytest.raises(ValueError, match="XNYS for New York"):
        LargeCapMarket(members=20, listed=30, exchange="XNYSE").simulate(1)
    with pytest.raises(ValueError, match="Raise `restoring`"):
        LargeCapMarket(members=20, listed=30, growth=Growth(restoring=0.002, volatility_discount=1.5)).simulate(1)
