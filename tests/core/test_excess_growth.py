"""Laws of excess growth, forecast and realised, and of the relative covariance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gammastar.core.covariance import FactoredCovariance
from gammastar.core.excess_growth import (
    calibrated_captured_volatility,
    captured_volatility,
    excess_growth,
    expected_captured_volatility,
    free_energy,
    relative_excess_growth,
    sector_chain,
)

if TYPE_CHECKING:
    from numpy import ndarray

EXACT = 1e-12
N = 7

weights = arrays(np.float64, N, elements=st.floats(0.0, 1.0)).filter(lambda x: x.sum() > 0.1).map(lambda x: x / x.sum())
gross = arrays(np.float64, N, elements=st.floats(0.3, 3.0))
groups = arrays(np.int64, N, elements=st.integers(0, 3))
seeds = st.integers(0, 2**32 - 1)
some = settings(max_examples=20)


def covariance(seed: int, factors: int = 2) -> FactoredCovariance:
    rng = np.random.default_rng(seed)
    return FactoredCovariance(rng.normal(0.1, 0.2, (N, factors)), rng.uniform(0.0, 0.2, N))


def tau(sigma: FactoredCovariance, nu: ndarray) -> ndarray:
    """``tau^nu_ij = (e_i - nu)' Sigma (e_j - nu)``, from the definition."""
    d = np.eye(N) - nu
    return d @ (sigma.loadings @ sigma.loadings.T + np.diag(sigma.specific)) @ d.T


@some
@given(seed=seeds, pi=weights, nu=weights)
def test_excess_growth_from_the_definition_and_with_any_numeraire(seed: int, pi: ndarray, nu: ndarray) -> None:
    sigma = covariance(seed)
    dense = sigma.dense()
    assert excess_growth(pi, sigma) == pytest.approx(0.5 * (pi @ np.diag(dense) - pi @ dense @ pi), abs=EXACT)
    assert relative_excess_growth(pi, nu, sigma) == pytest.approx(excess_growth(pi, sigma), abs=EXACT)
    against = tau(sigma, nu)
    assert excess_growth(pi, sigma) == pytest.approx(0.5 * (pi @ np.diag(against) - pi @ against @ pi), abs=EXACT)


@some
@given(seed=seeds, pi=weights, nu=weights)
def test_relative_covariance(seed: int, pi: ndarray, nu: ndarray) -> None:
    sigma = covariance(seed)
    np.testing.assert_allclose(sigma.relative(nu), tau(sigma, nu), atol=EXACT)
    np.testing.assert_allclose(sigma.relative_variances(nu), np.diag(tau(sigma, nu)), atol=EXACT)
    np.testing.assert_allclose(sigma.relative(pi) @ pi, 0.0, atol=EXACT)  # a portfolio does not vary relative to itself
    assert excess_growth(pi, sigma) == pytest.approx(0.5 * float(pi @ np.diag(sigma.relative(pi))), abs=EXACT)
    assert excess_growth(pi, sigma) >= -EXACT
    te_squared = float((pi - nu) @ sigma.dense() @ (pi - nu))
    assert float(pi @ sigma.relative(nu) @ pi) == pytest.approx(te_squared, abs=EXACT)
    assert sigma.quadratic(pi - nu) == pytest.approx(te_squared, abs=EXACT)


@some
@given(seed=seeds, pi=weights, mu=weights)
def test_the_enhanced_index_identity(seed: int, pi: ndarray, mu: ndarray) -> None:
    """``gamma*_pi - gamma*_mu = (pi-mu)' diag(tau^mu) / 2 - TE^2 / 2``."""
    sigma = covariance(seed)
    te_squared = (pi - mu) @ sigma.dense() @ (pi - mu)
    expected = 0.5 * float((pi - mu) @ np.diag(tau(sigma, mu))) - 0.5 * float(te_squared)
    assert expected_captured_volatility(pi, mu, sigma) == pytest.approx(expected, abs=EXACT)
    assert expected_captured_volatility(pi, mu, sigma) == pytest.approx(excess_growth(pi, sigma) - excess_growth(mu, sigma), abs=EXACT)
    assert expected_captured_volatility(mu, mu, sigma) == 0.0


@some
@given(seed=seeds, pi=weights, group=groups)
def test_the_chain_rule_in_continuous_time(seed: int, pi: ndarray, group: ndarray) -> None:
    """``gamma*_pi = gamma*_lambda(blocks) + sum_k lambda_k gamma*_{pi^k}``; the blocks' covariance is that of the sub-portfolios."""
    sigma = covariance(seed)
    share = np.bincount(group, weights=pi, minlength=4)
    inside = np.zeros((4, N))
    inside[group, np.arange(N)] = pi / np.where(share[group] > 0.0, share[group], 1.0)
    blocks = inside @ sigma.dense() @ inside.T
    between = 0.5 * (share @ np.diag(blocks) - share @ blocks @ share)
    within = sum(share[k] * excess_growth(inside[k], sigma) for k in range(4))
    assert excess_growth(pi, sigma) == pytest.approx(between + within, abs=EXACT)


@some
@given(pi=weights, r=gross, group=groups)
def test_the_chain_rule_is_exact_for_free_energy(pi: ndarray, r: ndarray, group: ndarray) -> None:
    between, within = sector_chain(pi, r, group)
    assert between + within.sum() == pytest.approx(float(free_energy(pi, r)), abs=EXACT)
    assert between >= -EXACT
    assert (within >= -EXACT).all()
    share = np.bincount(group, weights=pi)
    for k in np.flatnonzero(share > 0.0):
        own = np.where(group == k, pi, 0.0) / share[k]
        assert within[k] == pytest.approx(share[k] * float(free_energy(own, r)), abs=EXACT)


@some
@given(pi=weights, r=gross, c=st.floats(0.01, 100.0))
def test_free_energy(pi: ndarray, r: ndarray, c: float) -> None:
    value = float(free_energy(pi, r))
    assert value == pytest.approx(np.log(pi @ r) - pi @ np.log(r), abs=EXACT)
    assert value >= -EXACT
    assert float(free_energy(pi, c * r)) == pytest.approx(value, abs=EXACT)
    assert float(free_energy(pi, np.full(N, c))) == pytest.approx(0.0, abs=EXACT)
    assert float(free_energy(np.eye(N)[2], r)) == pytest.approx(0.0, abs=EXACT)


@some
@given(pi=weights, mu=weights, r=gross, order=st.permutations(range(N)), seed=seeds)
def test_permuting_names_changes_nothing(pi: ndarray, mu: ndarray, r: ndarray, order: list[int], seed: int) -> None:
    sigma = covariance(seed)
    taken = sigma.take(np.array(order))
    assert float(free_energy(pi[order], r[order])) == pytest.approx(float(free_energy(pi, r)), abs=EXACT)
    assert expected_captured_volatility(pi[order], mu[order], taken) == pytest.approx(expected_captured_volatility(pi, mu, sigma), abs=EXACT)


@some
@given(pi=weights, mu=weights, r=gross)
def test_captured_volatility_of_the_benchmark_is_zero(pi: ndarray, mu: ndarray, r: ndarray) -> None:
    assert float(captured_volatility(mu, mu, r)) == 0.0
    both = captured_volatility(np.stack((pi, mu)), np.stack((mu, mu)), np.stack((r, r)))
    expected = [np.log(pi @ r) - pi @ np.log(r) - np.log(mu @ r) + mu @ np.log(r), 0.0]
    np.testing.assert_allclose(both, expected, atol=EXACT)


def test_free_energy_keeps_its_digits_over_small_steps() -> None:
    """For returns of size h, ``FE = h^2 var / 2 + O(h^3)``: what cancels must not take the digits along."""
    rng = np.random.default_rng(5)
    pi, x = np.full(N, 1.0 / N), rng.normal(size=N)
    for h in (1e-3, 1e-4, 1e-5):
        expected = 0.5 * h * h * float(x.var())
        assert float(free_energy(pi, np.exp(h * x))) == pytest.approx(expected, rel=10.0 * h + 1e-15 / expected)


def test_free_energy_forecasts_excess_growth_over_small_steps() -> None:
    """Monte Carlo: over steps of dt, ``E FE(pi, R) = gamma*_pi dt`` up to higher order, for log-normal returns of covariance Sigma dt."""
    rng, dt, samples = np.random.default_rng(11), 1.0 / 25_200.0, 60_000
    sigma = covariance(4)
    pi, mu = rng.dirichlet(np.ones(N)), rng.dirichlet(np.ones(N))
    shocks = rng.normal(size=(samples, 2)) @ sigma.loadings.T + rng.normal(size=(samples, N)) * np.sqrt(sigma.specific)
    step = np.exp(0.03 * dt + shocks * np.sqrt(dt))
    for realised, forecast in (
        (free_energy(pi, step), excess_growth(pi, sigma)),
        (captured_volatility(pi, mu, step), expected_captured_volatility(pi, mu, sigma)),
    ):
        error = realised.std(ddof=1) / np.sqrt(samples)
        assert error < 0.05 * abs(forecast) * dt  # the test has the power to see a wrong factor
        assert abs(realised.mean() - forecast * dt) < 4.0 * error


@some
@given(seed=seeds, pi=weights)
def test_calibrated_growth_is_the_forecast_at_slope_one_and_all_alike_at_zero(seed: int, pi: ndarray) -> None:
    """At slope 0 every tau is the same and active weights sum to zero: only the tracking error is left."""
    sigma, mu = covariance(seed), np.random.default_rng(seed).dirichlet(np.ones(N))
    plain = expected_captured_volatility(pi, mu, sigma)
    assert calibrated_captured_volatility(pi, mu, sigma, slope=1.0) == pytest.approx(plain, abs=1e-10)
    assert calibrated_captured_volatility(pi, mu, sigma, slope=0.0) == pytest.approx(-0.5 * sigma.quadratic(pi - mu), abs=1e-10)


def test_calibrated_growth_undoes_the_errors_of_those_chosen_for_them() -> None:
    """Monte Carlo: where log tau is seen with noise of a quarter of its variance, the slope 0.8 makes forecasts of chosen portfolios right."""
    rng, n = np.random.default_rng(4), 4_000
    mu, true = np.full(n, 1.0 / n), rng.normal(-3.0, 0.5, n)
    seen = true + rng.normal(0.0, 0.25, n)
    active = np.where(np.argsort(np.argsort(seen)) >= n // 2, 1.0, -1.0) * 0.5 / n
    growth = {name: FactoredCovariance(np.zeros((n, 1)), np.exp(x)) for name, x in (("true", true), ("seen", seen))}
    realised = expected_captured_volatility(mu + active, mu, growth["true"])
    raw, calibrated = expected_captured_volatility(mu + active, mu, growth["seen"]), calibrated_captured_volatility(mu + active, mu, growth["seen"], slope=0.8)
    assert realised / raw < 0.8
    assert realised / calibrated == pytest.approx(1.0, abs=0.06)


def test_calibrated_growth_refuses_a_slope_outside_its_range() -> None:
    with pytest.raises(ValueError, match="slope"):
        calibrated_captured_volatility(np.ones(N) / N, np.ones(N) / N, covariance(1), slope=1.2)
