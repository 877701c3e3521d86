"""Measures against pandas, SciPy and closed forms, and their laws."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from gammastar.core import measures as m

RETURNS = arrays(np.float64, st.integers(2, 60), elements=st.floats(-0.25, 0.25, width=32))


def pair(seed: int = 0, sessions: int = 500) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    benchmark = rng.normal(4e-4, 0.01, sessions)
    return benchmark + rng.normal(2e-5, 0.001, sessions), benchmark


def months(sessions: int) -> np.ndarray:
    return np.arange(sessions) // 21


# Returns


@given(returns=RETURNS)
def test_annual_return_compounds_to_the_end_of_wealth(returns: np.ndarray) -> None:
    years = len(returns) / 12
    assert (1.0 + m.compound_return(returns, 12)) ** years == pytest.approx(m.wealth(returns)[-1], rel=1e-9)


@given(returns=RETURNS, parts=st.integers(1, 7))
def test_months_compound_to_the_same_wealth_and_sums_to_the_same_sum(returns: np.ndarray, parts: int) -> None:
    buckets = np.arange(len(returns)) // parts
    assert m.wealth(m.period_returns(returns, buckets))[-1] == pytest.approx(m.wealth(returns)[-1], rel=1e-12)
    assert m.period_sums(returns, buckets).sum() == pytest.approx(returns.sum(), abs=1e-12)


def test_period_returns_agree_with_pandas() -> None:
    p, _ = pair()
    expected = pd.Series(1.0 + p).groupby(months(len(p))).prod().to_numpy() - 1.0
    np.testing.assert_allclose(m.period_returns(p, months(len(p))), expected, rtol=1e-12)


def test_nothing_compounds_to_nothing() -> None:
    assert m.period_returns(np.empty(0), np.empty(0, dtype=int)).shape == (0,)
    assert m.period_sums(np.empty(0), np.empty(0, dtype=int)).shape == (0,)


def test_log_excess_is_the_log_of_geometric_excess() -> None:
    p, b = pair()
    assert m.log_mean(m.relative_log_returns(p, b), 252) == pytest.approx(
        np.log1p(m.geometric_excess(p, b, 252)), rel=1e-12
    )
    assert 1.0 + m.geometric_excess(p, b, 252) == pytest.approx(
        (1.0 + m.compound_return(p, 252)) / (1.0 + m.compound_return(b, 252)), rel=1e-12
    )


def test_standard_error_of_the_mean_agrees_with_scipy() -> None:
    p, _ = pair()
    assert m.log_mean_se(p, 252) == pytest.approx(252 * stats.sem(p), rel=1e-12)


def test_standard_error_covers_the_mean_of_independent_returns() -> None:
    rng = np.random.default_rng(11)
    draws = rng.normal(0.001, 0.02, (4000, 60))
    inside = [abs(m.log_mean(x, 12) - 0.012) < 1.96 * m.log_mean_se(x, 12) for x in draws]
    assert abs(np.mean(inside) - 0.95) < 0.015


# Risk


def test_tracking_error_and_volatility_agree_with_pandas() -> None:
    p, b = pair()
    assert m.tracking_error(p, b, 252) == pytest.approx(pd.Series(p - b).std() * np.sqrt(252), rel=1e-12)
    assert m.volatility(p, 12) == pytest.approx(pd.Series(p).std() * np.sqrt(12), rel=1e-12)


@pytest.mark.parametrize("window", [2, 63, 500])
def test_rolling_tracking_error_agrees_with_pandas(window: int) -> None:
    p, b = pair()
    expected = pd.Series(p - b).rolling(window).std().dropna().to_numpy() * np.sqrt(252)
    np.testing.assert_allclose(m.rolling_tracking_error(p, b, 252, window=window), expected, rtol=1e-8)


def test_a_window_longer_than_the_record_has_no_entries() -> None:
    p, b = pair(sessions=20)
    assert m.rolling_tracking_error(p, b, 252, window=21).shape == (0,)


def test_information_ratio_is_excess_over_risk_and_zero_for_the_benchmark_itself() -> None:
    p, b = pair()
    assert m.information_ratio(p, b, 252) * m.tracking_error(p, b, 252) == pytest.approx(
        m.geometric_excess(p, b, 252), rel=1e-12
    )
    assert m.information_ratio(b, b, 252) == 0.0
    assert m.information_ratio(b * (1.0 + 1e-15), b, 252) == 0.0


def test_sure_excess_has_no_information_ratio() -> None:
    with pytest.raises(ValueError, match="without tracking error"):
        m.information_ratio(np.full(10, 0.02), np.full(10, 0.01), 252)


def test_standard_error_of_the_information_ratio_is_its_spread_when_there_is_no_skill() -> None:
    rng = np.random.default_rng(5)
    zero = np.zeros(132)
    ratios = [m.information_ratio(rng.normal(0.0, 0.006, 132), zero, 12) for _ in range(3000)]
    assert np.std(ratios) == pytest.approx(m.information_ratio_se(132, 12), rel=0.05)


def test_beta_is_the_regression_slope_and_is_linear() -> None:
    p, b = pair()
    assert m.beta(p, b) == pytest.approx(stats.linregress(b, p).slope, rel=1e-12)
    assert m.beta(0.7 * b + 0.01, b) == pytest.approx(0.7, rel=1e-12)


def test_root_mean_square_joins_spread_and_mean() -> None:
    p, _ = pair()
    assert m.root_mean_square(p) ** 2 == pytest.approx(p.mean() ** 2 + p.var(), rel=1e-12)


# Bias


def test_bias_statistic_is_one_for_right_forecasts_and_scales_with_wrong_ones() -> None:
    rng = np.random.default_rng(3)
    forecast = np.exp(rng.normal(-5.0, 0.5, 40_000))
    realised = forecast * rng.normal(size=40_000)
    assert m.bias_statistic(realised, forecast) == pytest.approx(1.0, abs=0.012)
    assert m.bias_statistic(realised, 0.5 * forecast) == pytest.approx(
        2.0 * m.bias_statistic(realised, forecast), rel=1e-12
    )


@pytest.mark.parametrize("sessions", [2, 13, 252])
def test_chi_square_band_agrees_with_scipy_and_holds_its_share(sessions: int) -> None:
    low, high = m.bias_band(sessions, level=0.9)
    assert (low, high) == pytest.approx(np.sqrt(stats.chi2.ppf([0.05, 0.95], sessions - 1) / (sessions - 1)), rel=1e-9)
    draws = np.random.default_rng(1).normal(size=(4000, sessions)).std(axis=1, ddof=1)
    assert np.mean((low <= draws) & (draws <= high)) == pytest.approx(0.9, abs=0.02)


def test_bootstrap_band_is_repeatable_holds_the_statistic_and_widens_with_clusters() -> None:
    rng = np.random.default_rng(8)
    calm = rng.normal(size=1500)
    clustered = calm * np.repeat(np.exp(rng.normal(0.0, 0.5, 30)), 50)
    bands = [
        m.bias_bootstrap_band(x, block=50, draws=300, rng=np.random.default_rng(2)) for x in (calm, calm, clustered)
    ]
    assert bands[0] == bands[1]
    assert bands[0][0] < np.std(calm, ddof=1) < bands[0][1]
    assert bands[2][1] - bands[2][0] > 2.0 * (bands[0][1] - bands[0][0])


@pytest.mark.parametrize(("block", "level"), [(1, 0.95), (7, 0.5), (40, 0.8)])
def test_bootstrap_band_is_the_quantiles_of_blocks_joined_by_hand(block: int, level: float) -> None:
    x, rng = np.random.default_rng(4).normal(size=90), np.random.default_rng(1)
    spreads = []
    for _ in range(60):
        joined = [x[(start + k) % 90] for start in rng.integers(90, size=-(-90 // block)) for k in range(block)]
        spreads.append(np.std(joined[:90], ddof=1))
    expected = np.quantile(spreads, [0.5 - 0.5 * level, 0.5 + 0.5 * level])
    np.testing.assert_allclose(m.bias_bootstrap_band(x, block=block, draws=60, rng=np.random.default_rng(1), level=level), expected, rtol=1e-12)


def test_bootstrap_in_one_block_only_turns_the_record_round() -> None:
    x = np.random.default_rng(4).normal(size=90)
    low, high = m.bias_bootstrap_band(x, block=90, draws=20, rng=np.random.default_rng(0))
    assert low == pytest.approx(np.std(x, ddof=1), rel=1e-12)
    assert high == pytest.approx(low, rel=1e-12)


# Holdings and trading


@given(seed=st.integers(0, 1000))
def test_active_share_is_a_distance_from_0_to_1_that_counts_cash(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pi, mu = rng.dirichlet(np.ones(6), 3), rng.dirichlet(np.ones(6), 3)
    assert np.all((m.active_share(pi, mu) >= 0.0) & (m.active_share(pi, mu) <= 1.0))
    np.testing.assert_allclose(m.active_share(pi, mu), m.active_share(mu, pi), rtol=1e-12)
    np.testing.assert_allclose(m.active_share(pi, mu), np.maximum(pi - mu, 0.0).sum(axis=1), rtol=1e-9)
    np.testing.assert_allclose(m.active_share(0.9 * mu, mu), 0.1, rtol=1e-9)
    with_cash = np.hstack((0.9 * pi, np.full((3, 1), 0.1))), np.hstack((mu, np.zeros((3, 1))))
    np.testing.assert_allclose(m.active_share(0.9 * pi, mu), m.active_share(*with_cash), rtol=1e-9)


def test_portfolios_without_a_common_name_have_active_share_one() -> None:
    assert m.active_share(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == 1.0


def test_turnover_of_a_known_year() -> None:
    traded = np.zeros(504)
    traded[3], traded[100], traded[400] = 0.8, 0.3, 0.5
    assert m.two_way_turnover(traded, 252, initial=3) == pytest.approx(0.4, rel=1e-12)
    assert m.one_way_turnover(traded, 252, initial=3) == pytest.approx(0.2, rel=1e-12)
    assert m.two_way_turnover(traded, 252) == pytest.approx(0.8, rel=1e-12)


# Drawdowns and captures


@given(returns=RETURNS)
def test_drawdown_agrees_with_pandas_and_counts_a_loss_from_the_start(returns: np.ndarray) -> None:
    value = pd.Series(np.concatenate(([1.0], np.cumprod(1.0 + returns))))
    expected = (value / value.cummax() - 1.0).to_numpy()[1:]
    np.testing.assert_allclose(m.drawdown(returns), expected, atol=1e-12)
    assert m.max_drawdown(returns) == pytest.approx(min(expected.min(), 0.0), abs=1e-12)


def test_relative_drawdown_needs_no_fall_of_the_portfolio() -> None:
    p, b = np.array([0.10, 0.10]), np.array([0.10, 0.21])
    np.testing.assert_allclose(m.relative_drawdown(p, b), [0.0, 1.10 / 1.21 - 1.0], atol=1e-12)
    assert m.max_drawdown(np.empty(0)) == 0.0


def test_captures_of_a_geared_benchmark() -> None:
    b = np.array([0.02, -0.01, 0.02, -0.01, 0.0])
    p = np.array([0.01, -0.02, 0.01, -0.02, 0.5])
    assert m.up_capture(p, b) == pytest.approx(0.5, rel=1e-12)
    assert m.down_capture(p, b) == pytest.approx(2.0, rel=1e-12)
    assert m.up_capture(b, b) == m.down_capture(b, b) == 1.0


def test_hit_rates_of_the_two_sides_add_to_one() -> None:
    p, b = pair()
    p[:7] = b[:7]
    assert m.hit_rate(p, b) + m.hit_rate(b, p) == pytest.approx(1.0, rel=1e-12)
    assert m.hit_rate(b, b) == 0.5
    assert m.hit_rate(b + 0.01, b) == 1.0


# What is not defined


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: m.compound_return(np.empty(0), 252), "at least 1 session"),
        (lambda: m.log_mean(np.empty(0), 252), "at least 1 session"),
        (lambda: m.volatility(np.zeros(1), 252), "at least 2 sessions"),
        (lambda: m.tracking_error(np.zeros(1), np.zeros(1), 252), "at least 2 sessions"),
        (lambda: m.log_mean_se(np.zeros(1), 252), "at least 2 sessions"),
        (lambda: m.information_ratio_se(0, 252), "at least one session"),
        (lambda: m.beta(np.arange(3.0), np.full(3, 0.01)), "never changes"),
        (lambda: m.up_capture(np.zeros(3), np.full(3, -0.01)), "never rose"),
        (lambda: m.down_capture(np.zeros(3), np.full(3, 0.01)), "never fell"),
        (lambda: m.hit_rate(np.empty(0), np.empty(0)), "at least 1 session"),
        (lambda: m.root_mean_square(np.empty(0)), "at least 1 session"),
        (lambda: m.bias_statistic(np.zeros(3), np.array([1.0, 0.0, 1.0])), "must be positive"),
        (lambda: m.bias_band(1), "two sessions"),
        (lambda: m.bias_band(10, level=1.0), "level between"),
        (lambda: m.bias_bootstrap_band(np.zeros(5), block=6, draws=1, rng=np.random.default_rng(0)), "blocks of 6"),
        (lambda: m.rolling_tracking_error(np.zeros(5), np.zeros(5), 252, window=1), "at least two"),
        (lambda: m.two_way_turnover(np.zeros(5), 252, initial=5), "not one of 5"),
        (lambda: m.period_returns(np.zeros(3), np.array([1, 0, 0])), "go back in time"),
        (lambda: m.relative_returns(np.zeros(3), np.zeros(4)), "same length"),
    ],
)
def test_what_is_not_defined_raises_and_says_so(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
