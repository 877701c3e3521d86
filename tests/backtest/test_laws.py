"""Laws of a run: parts add up, the benchmark gives zero, money is conserved, a run split in two is the whole."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from gammastar.backtest import run_backtest
from gammastar.backtest.archive import load_track, save_run
from gammastar.backtest.step import Engine
from gammastar.core.excess_growth import expected_captured_volatility
from gammastar.core.generating import Diversity, Entropy, GiniSimpson, bet_dial
from gammastar.errors import ConflictError, StaleDataError, UsageError
from gammastar.mandate import (
    ActiveWeight,
    Clocks,
    Exclude,
    Exclusion,
    Exposure,
    Generated,
    GroupActive,
    Mandate,
    TrackingError,
    TradingPolicy,
    Turnover,
)
from gammastar.market.calendar import Clock, Frequency
from gammastar.market.panel import Panel
from gammastar.optimise import solver
from gammastar.simulate import Firms, LargeCapMarket
from gammastar.trade import fold
from gammastar.trade.ledger import Fills
from gammastar.trade.targets import left_names

if TYPE_CHECKING:
    from pathlib import Path

START = "2008-06-30"


def total(*parts: np.ndarray) -> np.ndarray:
    return np.sum(np.stack(parts), axis=0)


@pytest.mark.parametrize("lag", [1, 3])
@pytest.mark.parametrize("band", [0.0, 0.005])
def test_attribution_has_no_residual_with_costs_on(small_panel: Panel, capture: Mandate, lag: int, band: float) -> None:
    mandate = replace(capture, clocks=Clocks(Clock.MONTHLY, Clock.DAILY, lag), trading=TradingPolicy(cost=0.002, band=band))
    track = run_backtest(mandate, small_panel, START).track
    assert track.attribution is not None
    parts = track.attribution
    relative = np.log1p(track.portfolio) - np.log1p(track.benchmark)
    np.testing.assert_allclose(total(parts.allocation, parts.captured_volatility, parts.cost), relative, atol=1e-12)
    assert abs(parts.residual).max() <= 1e-12
    assert abs(parts.residual.sum()) <= 1e-10
    assert parts.cost.sum() < -1e-4
    assert parts.captured_volatility.sum() > 0.0


@pytest.mark.parametrize("function", [Diversity(0.0), Diversity(0.76), Diversity(-0.3), Entropy(0.5), GiniSimpson(), bet_dial(Diversity(0.3), 0.5)])
@pytest.mark.parametrize("lag", [0, 1])
def test_decomposition_of_generated_strategies_has_no_residual(small_panel: Panel, diversity: Mandate, function: object, lag: int) -> None:
    clocks = Clocks(Clock.QUARTERLY, Clock.MONTHLY, lag)
    mandate = replace(diversity, strategy=Generated(function), clocks=clocks, trading=TradingPolicy(cost=0.001, band=0.001 * lag))  # type: ignore[arg-type]
    track = run_backtest(mandate, small_panel, START).track
    assert track.decomposition is not None
    d = track.decomposition
    relative = np.log1p(track.portfolio) - np.log1p(track.benchmark)
    np.testing.assert_allclose(total(d.boundary, d.l_divergence, d.flow, d.execution, d.cost), relative, atol=1e-12)
    assert abs(d.residual.sum()) <= 1e-10
    if lag == 0:  # nothing but the ideal portfolio was held
        assert abs(d.execution).max() <= 1e-12
    mu = small_panel.benchmark
    start, stop = small_panel.calendar.position(np.datetime64(START)), len(small_panel) - 1
    rebalanced = small_panel.calendar.ticks(Clock.MONTHLY)[stop]
    assert rebalanced, "the panel ends a month, so that the boundary runs to published weights"
    assert d.boundary.sum() == pytest.approx(float(function.log_value(mu[stop]) - function.log_value(mu[start])), abs=1e-10)  # type: ignore[attr-defined]


def test_holding_the_benchmark_gives_zero_everywhere(small_panel: Panel, index_fund: Mandate) -> None:
    track = run_backtest(index_fund, small_panel, START).track
    assert track.attribution is not None
    assert track.decomposition is not None
    assert track.forecast is not None
    zero = [
        track.portfolio - track.benchmark,
        track.attribution.allocation,
        track.attribution.captured_volatility,
        track.attribution.cost,
        track.forecast.tracking_error,
        track.forecast.captured_volatility,
        track.decomposition.boundary,
        track.decomposition.l_divergence,
        track.decomposition.flow,
        track.decomposition.execution,
    ]
    for series in zero:
        assert abs(series).max() <= 1e-12


def test_at_lag_one_the_benchmark_differs_by_the_execution_term(small_panel: Panel, index_fund: Mandate) -> None:
    track = run_backtest(replace(index_fund, clocks=Clocks(Clock.MONTHLY, Clock.WEEKLY, 1)), small_panel, START).track
    assert track.decomposition is not None
    relative = np.log1p(track.portfolio) - np.log1p(track.benchmark)
    assert abs(relative).max() > 1e-6
    np.testing.assert_allclose(track.decomposition.execution, relative, atol=1e-12)


@pytest.mark.parametrize("kind", ["capture", "diversity"])
@pytest.mark.parametrize(("rebalance", "lag"), [(Clock.DAILY, 1), (Clock.WEEKLY, 0), (Clock.WEEKLY, 3), (Clock.QUARTERLY, 1)])
def test_quiet_sessions_at_once_are_those_one_after_another(
    small_panel: Panel, request: pytest.FixtureRequest, kind: str, rebalance: Clock, lag: int
) -> None:
    mandate = replace(request.getfixturevalue(kind), clocks=Clocks(Clock.QUARTERLY, rebalance, max(lag, kind == "capture")))
    engine = Engine(mandate, small_panel)
    start, last = small_panel.calendar.position(np.datetime64(START)), len(small_panel) - 40
    (state, _), (slow, _) = engine.open(start), engine.open(start)
    at_once = 0
    while state.position < last:
        state, sessions = engine.advance(state, last)
        at_once += len(sessions) > 1
        weights = engine.weights(state, slice(state.position + 1 - len(sessions), state.position + 1))
        for session, held in zip(sessions, weights, strict=True):
            slow, other = engine.step(slow)
            assert (session.value_before, session.value, session.traded, session.cost) == (other.value_before, other.value, other.traded, other.cost)
            assert np.array_equal(held, engine.weights(slow, slice(slow.position, slow.position + 1))[0])
            assert (session.decision is None, session.ordered is None, session.released) == (other.decision is None, other.ordered is None, other.released)
            assert len(session.events) == len(other.events)
        assert state.position == slow.position
        assert state.formed == slow.formed
        assert [order.due for order in state.pending] == [order.due for order in slow.pending]
    assert state.position == last
    assert (at_once > 0) == (rebalance is not Clock.DAILY)


def test_whoever_left_is_suspected(small_panel: Panel, capture: Mandate) -> None:
    """Where returns have holes of every length and weights are published now and then; and few others are suspected."""
    rng = np.random.default_rng(4)
    observed = small_panel.observed.copy()
    for _ in range(600):
        first = int(rng.integers(1, len(observed)))
        observed[first : first + int(rng.integers(1, 12)), rng.integers(0, observed.shape[1])] = False
    panel = replace(small_panel, observed=observed, published=np.arange(len(observed)) % 21 == 0)
    suspect = Engine(capture, panel).suspect
    left = np.array([left_names(panel.moment(t)) for t in range(len(panel))])
    stopped = left & (panel.benchmark > 0.0)
    assert stopped.sum() > 100
    assert (suspect | ~left).all()
    assert (suspect & ~left).sum() < stopped.sum()


@pytest.mark.parametrize("split", ["2008-08-07", "2008-08-29", "2008-12-31", "2009-09-02"])
@pytest.mark.parametrize("kind", ["capture", "diversity"])
def test_a_run_split_in_two_is_the_whole_to_the_bit(small_panel: Panel, request: pytest.FixtureRequest, split: str, kind: str) -> None:
    mandate = request.getfixturevalue(kind)
    whole = run_backtest(mandate, small_panel, START)
    first = run_backtest(mandate, small_panel, START, split)
    second = run_backtest(mandate, small_panel, resume=first.state)
    assert np.array_equal(np.concatenate((first.track.portfolio, second.track.portfolio)), whole.track.portfolio)
    assert whole.track.holdings is not None
    assert first.track.holdings is not None
    assert second.track.holdings is not None
    assert np.array_equal(np.concatenate((first.track.holdings.weights, second.track.holdings.weights)), whole.track.holdings.weights)
    assert np.array_equal(second.state.positions.quantity, whole.state.positions.quantity)


@pytest.mark.parametrize("split", ["2008-08-29", "2009-02-18"])
def test_a_run_split_in_two_starts_its_searches_where_the_whole_does(small_panel: Panel, capture: Mandate, split: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where each search starts is in the state: with weekly decisions by the fast rungs, the halves are the whole to the bit."""
    monkeypatch.setattr(solver, "FAST_FROM", 1)
    mandate = replace(capture, clocks=Clocks(Clock.WEEKLY, Clock.WEEKLY, 1))
    whole = run_backtest(mandate, small_panel, START)
    first = run_backtest(mandate, small_panel, START, split)
    second = run_backtest(mandate, small_panel, resume=first.state)
    assert first.state.warm is not None
    assert np.array_equal(np.concatenate((first.track.portfolio, second.track.portfolio)), whole.track.portfolio)
    assert np.array_equal(second.state.positions.quantity, whole.state.positions.quantity)
    assert second.state.warm is not None
    assert whole.state.warm is not None
    assert second.state.warm.weights.tobytes() == whole.state.warm.weights.tobytes()
    cold = run_backtest(mandate, small_panel, resume=replace(first.state, warm=None))
    np.testing.assert_allclose(cold.track.portfolio, second.track.portfolio, atol=1e-8)


def test_the_same_run_twice_is_the_same(small_panel: Panel, capture: Mandate) -> None:
    one, two = (run_backtest(capture, small_panel, START, "2008-12-31") for _ in range(2))
    assert one.fingerprint == two.fingerprint
    assert one.returns.equals(two.returns)
    assert one.weights.equals(two.weights)


def test_positions_are_the_fold_over_the_ledger(small_panel: Panel, capture: Mandate) -> None:
    result = run_backtest(capture, small_panel, START)
    folded = fold(result.events, assets=len(small_panel.assets))
    assert np.array_equal(folded.quantity, result.state.positions.quantity)
    assert folded.cash == result.state.positions.cash
    paid = sum(float(event.cost.sum()) for event in result.events if isinstance(event, Fills))
    traded = sum(float(abs(event.quantity * event.price).sum()) for event in result.events if isinstance(event, Fills))
    assert paid == pytest.approx(0.001 * traded, rel=1e-12)


def test_whole_shares_follow_the_fractional_run_and_stay_whole(small_panel: Panel, capture: Mandate) -> None:
    trading = TradingPolicy(cost=0.001, band=0.002, whole_shares=True, capital=1e9)
    whole = run_backtest(replace(capture, trading=trading), small_panel, START)
    fractional = run_backtest(replace(capture, trading=replace(trading, whole_shares=False)), small_panel, START)
    quantity = whole.state.positions.quantity
    assert np.array_equal(quantity, np.round(quantity))
    assert whole.state.positions.cash >= 0.0
    assert whole.track.attribution is not None
    assert abs(whole.track.attribution.residual).max() <= 1e-12
    # cash from dividends waits for the next trade and shares are rounded: close, not equal
    difference = np.log1p(whole.track.portfolio).sum() - np.log1p(fractional.track.portfolio).sum()
    assert 0.0 < abs(difference) < 5e-3
    folded = fold(whole.events, assets=len(small_panel.assets))
    assert np.array_equal(folded.quantity, quantity)


def test_whole_shares_without_prices_are_refused_with_advice(small_panel: Panel, capture: Mandate) -> None:
    mandate = replace(capture, trading=TradingPolicy(whole_shares=True))
    with pytest.raises(UsageError, match="as-traded prices and splits"):
        run_backtest(mandate, replace(small_panel, prices=None), START)


def test_released_targets_keep_every_rule_and_names_that_left_are_sold(small_panel: Panel, capture: Mandate) -> None:
    result = run_backtest(capture, small_panel, START)
    assert all(not decision.broken and decision.status == "OPTIMAL" for decision in result.decisions)
    holdings = result.track.holdings
    assert holdings is not None
    gone = small_panel.benchmark[-len(result.track) :] == 0.0
    # sold at the close of t + 1 after leaving at t: never held at two closes running while outside the index
    held_outside = (holdings.weights > 1e-12) & gone
    assert held_outside.any()
    assert not (held_outside[1:] & held_outside[:-1] & gone[1:] & gone[:-1]).any()


def test_turnover_leaves_the_initial_purchase_out(small_panel: Panel, capture: Mandate) -> None:
    result = run_backtest(capture, small_panel, START)
    trading = result.track.trading
    assert trading is not None
    assert trading.initial == 0
    expected = np.delete(trading.turnover_two_way, 0).sum() / 2 * 252 / len(result.track)
    assert result.to_dict()["turnover_one_way"] == pytest.approx(expected, rel=1e-2)


def test_a_conflict_at_the_start_stops_the_run_and_names_the_rules(small_panel: Panel, capture: Mandate) -> None:
    biggest = small_panel.assets.ids[int(small_panel.benchmark[400].argmax())]
    mandate = replace(capture, rules=(TrackingError(0.5), ActiveWeight(1e-6), Exclude((Exclusion(biggest, "test"),))))
    with pytest.raises(ConflictError, match=r"active_weight.*exclude"):
        run_backtest(mandate, small_panel, small_panel.sessions[400])


def test_a_later_conflict_keeps_the_old_targets_and_is_counted(small_panel: Panel, capture: Mandate) -> None:
    mandate = replace(capture, rules=(ActiveWeight(0.02), GroupActive(0.02), Turnover(0.012)))
    result = run_backtest(mandate, small_panel, START)
    found = result.to_dict()
    assert found["conflicts"] == sum(decision.status == "CONFLICT" for decision in result.decisions)
    assert found["conflicts"] > 0
    assert found["breaches"] == 0


def test_dates_outside_the_data_are_refused(small_panel: Panel, capture: Mandate) -> None:
    with pytest.raises(StaleDataError, match="does not reach"):
        run_backtest(capture, small_panel, START, "2011-01-03")
    with pytest.raises(StaleDataError, match="does not reach"):
        run_backtest(capture, small_panel, "1999-01-04")
    with pytest.raises(UsageError, match="no session"):
        run_backtest(capture, small_panel, START, START)


def test_forecast_captured_volatility_agrees_with_realised_under_the_true_covariance(capture: Mandate) -> None:
    """Monte Carlo: sum of realised minus forecast over sessions, within four standard errors of zero, while the forecast is far from zero.

    No name leaves this market: a takeover premium is one jump in thousands of sessions, and its standard error means nothing over three years.
    """
    model = LargeCapMarket(members=40, listed=60, end=dt.date(2009, 12, 31), firms=Firms(takeover_rate=0.0, delisting_rate=0.0))
    market = model.simulate(11)
    panel, truth = market.panel, market.truth
    track = run_backtest(replace(capture, rules=(ActiveWeight(0.03),), trading=TradingPolicy()), panel, START).track
    assert track.holdings is not None
    assert track.attribution is not None
    start = panel.calendar.position(np.datetime64(START))
    forecast = np.array(
        [
            expected_captured_volatility(track.holdings.weights[k], track.holdings.benchmark[k], truth.covariance(start + 1 + k)) / 252
            for k in range(len(track) - 1)
        ]
    )
    realised = track.attribution.captured_volatility[1:]
    difference = realised - forecast
    error = difference.std(ddof=1) * np.sqrt(len(difference))
    assert abs(difference.sum()) < 4.0 * error
    assert forecast.sum() > 4.0 * error, "the sample is long enough to tell the forecast from zero"


def test_monthly_panels_run_too(small_panel: Panel, diversity: Mandate) -> None:
    ends = np.flatnonzero(small_panel.calendar.ticks(Clock.MONTHLY))
    levels = np.cumprod(1.0 + small_panel.returns, axis=0)[ends]
    returns = np.vstack((np.zeros(levels.shape[1]), levels[1:] / levels[:-1] - 1.0))
    from gammastar.market.calendar import Calendar
    from gammastar.market.panel import Sectors

    panel = Panel(
        Calendar(small_panel.sessions[ends], small_panel.calendar.following, "XNYS"),
        small_panel.assets,
        Frequency.MONTHLY,
        returns,
        np.ones_like(returns, dtype=bool),
        small_panel.benchmark[ends],
        Sectors(small_panel.sectors.labels, small_panel.sectors.codes[ends]),
        np.ones(len(ends), dtype=bool),
        "monthly",
    )
    mandate = replace(diversity, clocks=Clocks(Clock.MONTHLY, Clock.MONTHLY, 0), trading=TradingPolicy())
    found = run_backtest(mandate, panel).to_dict()
    assert found["periods"] == len(ends) - 1
    assert found["forecast_tracking_error"] is None
    assert found["decomposition"]["execution"] == pytest.approx(0.0, abs=1e-12)


def test_a_run_set_aside_by_a_kill_is_put_back(small_panel: Panel, capture: Mandate, tmp_path: Path) -> None:
    result = run_backtest(capture, small_panel, START, "2008-07-31")
    save_run(result, tmp_path / "run", mandate_text="", inputs={}, page=False)
    (tmp_path / "run").rename(tmp_path / ".run.old")
    track = load_track(tmp_path / "run")
    assert np.array_equal(track.portfolio, result.track.portfolio)
    assert track.holdings is not None
    assert result.track.holdings is not None
    assert np.array_equal(track.holdings.weights, result.track.holdings.weights)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_an_excluded_name_is_sold_whole_whatever_the_band(small_panel: Panel, capture: Mandate) -> None:
    small = small_panel.assets.ids[int(np.argsort(small_panel.benchmark[420])[-8])]
    mandate = replace(capture, rules=(TrackingError(0.03), Exclude((Exclusion(small, "test"),))), trading=TradingPolicy(band=0.05))
    track = run_backtest(mandate, small_panel, START).track
    assert track.holdings is not None
    assert track.compliance is not None
    assert (track.holdings.weights[1:, small_panel.assets.index[small]] == 0.0).all()
    verdicts = [verdict for rule, verdict in zip(track.compliance.rule, track.compliance.verdict, strict=True) if rule == "exclude"]
    assert set(verdicts) == {"ok"}


def test_a_breach_that_the_band_leaves_is_told_as_one(small_panel: Panel, capture: Mandate) -> None:
    rules = (TrackingError(0.03), ActiveWeight(0.02), Exposure(0.01))
    verdicts = {}
    for band in (0.0, 0.02):
        track = run_backtest(replace(capture, rules=rules, trading=TradingPolicy(band=band)), small_panel, START, "2008-12-31").track
        assert track.compliance is not None
        verdicts[band] = [v for r, v in zip(track.compliance.rule, track.compliance.verdict, strict=True) if r == "exposure.size"]
    assert verdicts[0.02].count("band") > 10
    assert "active" not in verdicts[0.0] + verdicts[0.02]
    assert verdicts[0.0].count("band") == 0


def test_generated_weights_that_would_go_short_stop_the_run(small_panel: Panel, diversity: Mandate) -> None:
    mandate = replace(diversity, strategy=Generated(bet_dial(Diversity(0.0), 10.0)))
    with pytest.raises(ConflictError, match="long-only"):
        run_backtest(mandate, small_panel, START)


def test_turnover_is_logged_where_something_was_traded(small_panel: Panel, capture: Mandate) -> None:
    mandate = replace(capture, rules=(ActiveWeight(0.02), Turnover(0.5)))
    track = run_backtest(mandate, small_panel, START).track
    assert track.compliance is not None
    assert track.trading is not None
    logged = [value for rule, value in zip(track.compliance.rule, track.compliance.value, strict=True) if rule == "turnover"]
    traded = track.trading.turnover_two_way[track.trading.turnover_two_way > 0.0]
    np.testing.assert_allclose(logged, traded, atol=2e-4)  # the cost of the trade apart


def test_without_a_lag_the_initial_purchase_is_charged_and_left_out_of_turnover(small_panel: Panel, diversity: Mandate) -> None:
    mandate = replace(diversity, clocks=Clocks(Clock.MONTHLY, Clock.QUARTERLY, 0), trading=TradingPolicy(cost=0.0005))
    found = run_backtest(mandate, small_panel, START).to_dict()
    assert found["cost_rate"] == pytest.approx(0.0005, rel=1e-2)
    assert found["initial_turnover"] > 0.05


@pytest.mark.parametrize("split", ["2008-08-07", "2008-09-18"])
def test_the_account_of_a_generated_strategy_goes_on_where_it_stopped(small_panel: Panel, diversity: Mandate, split: str) -> None:
    mandate = replace(diversity, clocks=Clocks(Clock.MONTHLY, Clock.MONTHLY, 1))
    whole = run_backtest(mandate, small_panel, START).track.decomposition
    first = run_backtest(mandate, small_panel, START, split)
    second = run_backtest(mandate, small_panel, resume=first.state).track.decomposition
    assert whole is not None
    assert second is not None
    count = len(first.track)
    for part in ("boundary", "l_divergence", "flow", "execution"):
        np.testing.assert_allclose(getattr(second, part), getattr(whole, part)[count:], atol=1e-13)
