"""Estimates by rank: identities on any data, and the closed forms of an Atlas market."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gammastar.core.rank import local_times
from gammastar.core.rank_estimates import capital_curve, occupation_local_times, rank_estimates
from gammastar.core.rank_generating import ranked_weights

SIGMA, G, N = 0.3, 0.1, 5
STEPS = 200_000
STEP = 1.0 / 2520.0
some = settings(max_examples=20)
seeds = st.integers(0, 2**32 - 1)


def atlas(seed: int, steps: int) -> np.ndarray:
    """Return log capitalisations of an Atlas market, started in its stationary law: gaps exponential with mean ``sigma^2 / (2 k g)``."""
    rng = np.random.default_rng(seed)
    gaps = rng.exponential(SIGMA**2 / (2.0 * np.arange(1, N) * G))
    x = np.empty((steps + 1, N))
    x[0] = np.concatenate((np.cumsum(gaps[::-1])[::-1], [0.0]))
    noise = SIGMA * np.sqrt(STEP) * rng.standard_normal((steps, N))
    for t in range(steps):
        x[t + 1] = x[t] - G * STEP + noise[t]
        x[t + 1, x[t].argmin()] += N * G * STEP
    return x


@pytest.fixture(scope="module")
def long_atlas() -> np.ndarray:
    return atlas(20240704, STEPS)  # 79 years in tenths of a session


@some
@given(seed=seeds)
def test_estimates_obey_their_identities(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = np.cumsum(rng.normal(0.0, 0.02, (301, N)), axis=0)
    found = rank_estimates(values, 1.0 / 252.0)
    assert found.growth.sum() == pytest.approx(0.0, abs=1e-11)
    assert found.common == pytest.approx((values[-1] - values[0]).mean() / found.years, abs=1e-11)
    np.testing.assert_allclose(found.local_time_rate * found.years, local_times(values).sum(axis=0), atol=1e-12)
    assert found.local_time_rate[-1] == 0.0
    # growth by local time misses the change of the curve and nothing else
    ends = ranked_weights(values[[0, -1]])
    boundary = (ends[1] - ends[0]) / found.years - found.common
    np.testing.assert_allclose(found.growth, found.growth_by_local_time + boundary, atol=1e-11)
    shifted = rank_estimates(values + np.linspace(0.0, 3.0, 301)[:, None], 1.0 / 252.0)
    np.testing.assert_allclose(shifted.growth, found.growth, atol=1e-10)
    np.testing.assert_allclose(shifted.variance, found.variance, atol=1e-10)


def test_an_atlas_market_gives_its_parameters_back(long_atlas: np.ndarray) -> None:
    """Within four standard errors each; the local-time rate is ``2 k g``, its error that of the theory. Steps bias it by order sqrt(dt) at most."""
    found = rank_estimates(long_atlas, STEP)
    k = np.arange(1, N)
    theory = 2.0 * G * k * (SIGMA / G) * np.sqrt((1.0 / k - 1.0 / N) / found.years)
    np.testing.assert_allclose(found.local_time_error[:-1], theory, rtol=0.05)
    assert (np.abs(found.local_time_rate[:-1] - 2.0 * k * G) < 4.0 * theory).all()
    truth = np.array([-G] * (N - 1) + [(N - 1) * G])
    assert (np.abs(found.growth - truth) < 4.0 * found.growth_error).all()
    assert (np.abs(found.growth_by_local_time - truth) < 4.0 * found.growth_error + 0.01).all()
    assert (np.abs(found.variance - SIGMA**2) < 4.0 * found.variance_error).all()
    np.testing.assert_allclose(found.variance_error, SIGMA**2 * np.sqrt(2.0 / STEPS), rtol=0.05)
    np.testing.assert_allclose(found.growth_error, SIGMA * np.sqrt((1.0 - 1.0 / N) / found.years), rtol=0.05)


def test_occupation_is_a_second_road_to_the_local_times(long_atlas: np.ndarray) -> None:
    """Needs the quadratic variation: without it the answer would be a time. Gaps are exponential with mean m, so that a strip of width w sees
    ``(1 - exp(-w/m)) m / w`` of the local time; steps of an eighth of the width leave a few percent more."""
    exact, width = local_times(long_atlas).sum(axis=0)[:-1], 8.0 * SIGMA * np.sqrt(2.0 * STEP)
    u = width * 2.0 * np.arange(1, N) * G / SIGMA**2
    np.testing.assert_allclose(occupation_local_times(long_atlas, width), exact * -np.expm1(-u) / u, rtol=0.1)


def test_a_pareto_market_has_a_straight_curve() -> None:
    mu = np.arange(1.0, 41.0) ** -0.8
    curve = capital_curve(np.tile(mu[::-1] / mu.sum(), (3, 1)))
    np.testing.assert_allclose(curve.slopes, -0.8, atol=1e-12)
    assert curve.slope() == pytest.approx(-0.8, abs=1e-12)
    assert curve.slope(3, 17) == pytest.approx(-0.8, abs=1e-12)
    np.testing.assert_allclose(curve.log_rank, np.log(np.arange(1, 41)))
    np.testing.assert_allclose(curve.log_weight_deviation, 0.0, atol=1e-12)


@some
@given(seed=seeds)
def test_the_curve_is_the_mean_of_logs_in_order(seed: int) -> None:
    rng = np.random.default_rng(seed)
    mu = rng.dirichlet(np.ones(6), 9)
    mu[4, 2] = 0.0
    curve = capital_curve(mu)
    rows = np.array([sorted(row, reverse=True)[:5] for row in mu])
    assert curve.rank.tolist() == [1, 2, 3, 4, 5]
    np.testing.assert_allclose(curve.log_weight, np.log(rows).mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(curve.log_weight_deviation, np.log(rows).std(axis=0), atol=1e-12)
    x, y = curve.log_rank[1:4], curve.log_weight[1:4]
    assert curve.slope(2, 4) == pytest.approx(np.polyfit(x, y, 1)[0], abs=1e-10)


def test_what_cannot_be_estimated_is_refused() -> None:
    values = np.log(np.array([[0.5, 0.5], [0.4, 0.6], [0.6, 0.4]]))
    with pytest.raises(ValueError, match="at least 2 steps"):
        rank_estimates(values[:2], 1.0)
    with pytest.raises(ValueError, match="at least 2 steps"):
        rank_estimates(values, 0.0)
    with pytest.raises(ValueError, match="finite"):
        rank_estimates(np.where(values < -0.9, -np.inf, values), 1.0)
    with pytest.raises(ValueError, match="width"):
        occupation_local_times(values, 0.0)
    with pytest.raises(ValueError, match="no rank"):
        capital_curve(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="two ranks"):
        capital_curve(np.array([0.5, 0.5])).slope(2, 2)
