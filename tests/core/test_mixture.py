"""Mixtures: wealth adds up, weights earn it, and the best is never further ahead than its prior share allows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy import ndarray

from gammastar.core.generating import Diversity, Entropy, GeometricMean, GiniSimpson, Market
from gammastar.core.mixture import mix, mix_generated

EXACT = 1e-12
FUNCTIONS = (Market(), Diversity(0.0), Diversity(0.5), Entropy(), GiniSimpson(), GeometricMean(np.array([0.5, 0.3, 0.1, 0.05, 0.05])))
some = settings(max_examples=25)
returns = arrays(np.float64, (20, 4), elements=st.floats(-2.0, 2.0))
priors = arrays(np.float64, 4, elements=st.floats(0.05, 1.0)).map(lambda x: x / x.sum())


def history(seed: int, steps: int = 60, names: int = 5) -> tuple[ndarray, ndarray]:
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.ones(names), size=steps), np.exp(rng.normal(0.0, 0.1, (steps, names)))


@some
@given(log_returns=returns, prior=priors)
def test_wealth_adds_up_and_regret_stays_within_its_bound(log_returns: ndarray, prior: ndarray) -> None:
    found = mix(log_returns, prior)
    wealth = np.exp(np.cumsum(log_returns, axis=0)) * prior
    np.testing.assert_allclose(found.log_wealth[1:], np.log(wealth.sum(axis=1)), atol=EXACT)
    np.testing.assert_allclose(found.shares[1:], wealth / wealth.sum(axis=1, keepdims=True), atol=EXACT)
    np.testing.assert_allclose(found.shares[0], prior, atol=EXACT)
    assert (found.regret >= -EXACT).all()
    assert (found.regret <= found.bound + EXACT).all()
    assert found.members[-1, found.best] == found.members[-1].max()
    assert found.regret_per_step == pytest.approx(found.regret[-1] / 20, abs=EXACT)


def test_equal_shares_cost_at_most_log_k_and_that_is_reached() -> None:
    log_returns = np.zeros((10, 3))
    log_returns[:, 1] = 50.0  # all wealth ends with one of three
    found = mix(log_returns)
    assert found.bound == pytest.approx(np.log(3.0), abs=EXACT)
    assert found.bound_per_step == pytest.approx(np.log(3.0) / 10, abs=EXACT)
    assert found.regret[-1] == pytest.approx(np.log(3.0), abs=EXACT)
    assert found.best == 1


def test_enormous_wealth_does_not_overflow() -> None:
    found = mix(np.tile([300.0, -300.0], (100, 1)))
    assert np.isfinite(found.log_wealth).all()
    assert found.log_wealth[-1] == pytest.approx(30_000.0 - np.log(2.0), abs=1e-9)


def test_the_mixture_earns_what_it_holds() -> None:
    mu, gross = history(1)
    prior = np.array([0.3, 0.2, 0.2, 0.1, 0.1, 0.1])
    found, held = mix_generated(FUNCTIONS, mu, gross, prior)
    np.testing.assert_allclose(held.sum(axis=1), 1.0, atol=EXACT)
    relative = np.log(np.einsum("tn,tn->t", held, gross)) - np.log(np.einsum("tn,tn->t", mu, gross))
    np.testing.assert_allclose(np.diff(found.log_wealth), relative, atol=EXACT)
    np.testing.assert_allclose(found.members[:, 0], 0.0, atol=EXACT)  # the market against itself
    for position, function in enumerate(FUNCTIONS):
        own = np.log(np.einsum("tn,tn->t", function.weights(mu), gross) / np.einsum("tn,tn->t", mu, gross))
        np.testing.assert_allclose(np.diff(found.members[:, position]), own, atol=EXACT)


def test_one_portfolio_mixed_is_itself() -> None:
    mu, gross = history(2)
    found, held = mix_generated((Entropy(),), mu, gross)
    np.testing.assert_allclose(held, Entropy().weights(mu), atol=EXACT)
    np.testing.assert_allclose(found.regret, 0.0, atol=EXACT)
    assert found.bound == 0.0


def test_what_cannot_be_used_is_refused() -> None:
    mu, gross = history(3)
    with pytest.raises(ValueError, match="steps by portfolios"):
        mix(np.ones(3))
    for prior in (np.array([0.5, 0.6]), np.array([1.0, 0.0]), np.ones(3) / 3):
        with pytest.raises(ValueError, match="prior shares"):
            mix(np.ones((4, 2)), prior)
    with pytest.raises(ValueError, match="needed"):
        mix_generated((), mu, gross)
    with pytest.raises(ValueError, match="needed"):
        mix_generated(FUNCTIONS, mu[1:], gross)
