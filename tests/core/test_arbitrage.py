"""The Gamma process: exact bookkeeping of two kinds of generation, and horizons that are arithmetic and no more."""

from __future__ import annotations

import inspect
from itertools import pairwise

import numpy as np
import pytest
from numpy import ndarray

from gammastar.core import arbitrage
from gammastar.core.arbitrage import GammaProcess, additive_gamma, forecast_gamma, multiplicative_gamma
from gammastar.core.covariance import FactoredCovariance
from gammastar.core.generating import Diversity, Entropy, GiniSimpson
from gammastar.core.rebalancing import return_driven_weights

EXACT = 1e-12
CONCAVE = [Diversity(0.5), Diversity(-1.0), Entropy(), Entropy(0.4), GiniSimpson()]


def history(seed: int, steps: int = 300, names: int = 6, size: float = 0.03) -> tuple[ndarray, ndarray]:
    """Weights that nothing but returns moves."""
    rng = np.random.default_rng(seed)
    gross = np.exp(rng.normal(0.0, size, (steps, names)))
    return return_driven_weights(rng.dirichlet(np.ones(names) * 3), gross), gross


@pytest.mark.parametrize("function", CONCAVE)
def test_master_equation_of_the_multiplicative_process(function: Diversity) -> None:
    mu, gross = history(1)
    found = multiplicative_gamma(function, mu[:-1], gross, periods=252)
    relative = np.einsum("tn,tn->t", function.weights(mu[:-1]), gross) / np.einsum("tn,tn->t", mu[:-1], gross)
    log_g = function.log_value(mu)
    np.testing.assert_allclose(np.cumsum(np.log(relative)), log_g[1:] - log_g[0] + found.path[1:], atol=1e-11)
    assert found.start == pytest.approx(log_g[0], abs=EXACT)
    assert (np.diff(found.path) >= -EXACT).all()
    assert found.rate == pytest.approx(found.path[-1] * 252 / 300, abs=EXACT)


@pytest.mark.parametrize("function", CONCAVE)
def test_additively_generated_holdings_are_worth_G_plus_the_path(function: Diversity) -> None:
    """Karatzas and Ruf: ``th_i = D_iG + V - mu.grad G`` units of each weight, followed step by step from the definition."""
    mu, gross = history(2, steps=60)
    found = additive_gamma(function, mu[:-1], gross, periods=252)
    value = float(np.exp(function.log_value(mu[:1])[0]))
    for position, (p, q) in enumerate(pairwise(mu)):
        g = float(np.exp(function.log_value(p[None, :])[0]))
        slopes = g * function.weights(p[None, :])[0] / p  # grad G but for a constant, and q - p sums to zero
        value += float(slopes @ (q - p))
        now = float(np.exp(function.log_value(q[None, :])[0]))
        assert value == pytest.approx(now + found.path[position + 1], abs=1e-11)
    assert (np.diff(found.path) >= -EXACT).all()


def test_entropy_path_sums_relative_entropies() -> None:
    mu, gross = history(3)
    kl = np.sum(mu[1:] * np.log(mu[1:] / mu[:-1]), axis=1)
    np.testing.assert_allclose(np.diff(additive_gamma(Entropy(), mu[:-1], gross, periods=12).path), kl, atol=EXACT)


def test_forecast_meets_what_is_realised_on_small_steps() -> None:
    """Geometric Brownian steps of a known covariance: the two paths agree to sampling error."""
    rng = np.random.default_rng(4)
    sigma = FactoredCovariance(rng.normal(0.2, 0.1, (6, 2)), rng.uniform(0.02, 0.1, 6))
    steps, dt = 4000, 1e-3
    root = np.linalg.cholesky(sigma.dense())
    gross = np.exp(np.sqrt(dt) * rng.standard_normal((steps, 6)) @ root.T)
    mu = return_driven_weights(np.full(6, 1 / 6), gross)[:-1]
    forecast = forecast_gamma(Entropy(), mu, [sigma] * steps, periods=1000)
    realised = multiplicative_gamma(Entropy(), mu, gross, periods=1000)
    assert forecast.start == realised.start
    assert realised.rate == pytest.approx(forecast.rate, rel=4 * np.sqrt(2 / steps))


def test_horizons_are_arithmetic() -> None:
    found = GammaProcess(np.array([0.0, 0.1, 0.1, 0.4, 0.6]), start=0.9, periods=4)
    assert found.rate == pytest.approx(0.6)
    assert found.lowest_rate(1) == pytest.approx(0.0, abs=EXACT)
    assert found.lowest_rate(2) == pytest.approx(0.1 * 4 / 2)
    assert found.lowest_rate(4) == pytest.approx(found.rate)
    assert found.cushion(0.5) == pytest.approx(0.4)
    assert found.horizon(0.0) == pytest.approx(0.9 / 0.6)
    assert found.horizon(0.0, rate=0.3) == pytest.approx(3.0)
    assert found.horizon(0.0, rate=0.0) is None
    assert found.horizon(0.0, rate=-1.0) is None
    assert found.crossing(0.55) == 3
    assert found.crossing(0.0) is None


def test_crossing_is_when_the_generated_portfolio_is_sure_to_be_ahead() -> None:
    """Beyond it the portfolio leads by more than zero whatever the weights are then, since the boundary cannot take more than the cushion."""
    mu, gross = history(5, steps=4000)
    function = Diversity(0.5)
    found = multiplicative_gamma(function, mu[:-1], gross, periods=252)
    lowest = float(function.log_value(mu).min())
    at = found.crossing(lowest)
    assert at is not None
    ahead = function.log_value(mu) - found.start + found.path
    assert (ahead[at:] > 0.0).all()


def test_what_cannot_be_used_is_refused() -> None:
    mu, gross = history(6)
    found = multiplicative_gamma(Entropy(), mu[:-1], gross, periods=252)
    for window in (0, 301):
        with pytest.raises(ValueError, match="window"):
            found.lowest_rate(window)
    with pytest.raises(ValueError, match="cannot be above"):
        found.cushion(found.start + 1.0)
    with pytest.raises(ValueError, match="one shape"):
        multiplicative_gamma(Entropy(), mu, gross, periods=252)
    with pytest.raises(ValueError, match="one shape"):
        additive_gamma(Entropy(), mu[:0], gross[:0], periods=252)
    with pytest.raises(ValueError, match="for each step"):
        forecast_gamma(Entropy(), mu, [], periods=252)


def test_every_diagnostic_says_that_it_is_no_promise() -> None:
    for name in arbitrage.__all__:
        assert "never a promise" in (inspect.getdoc(getattr(arbitrage, name)) or ""), name
