"""Laws that other files hold a little looser, at rounding: 1e-12 a step, 1e-10 cumulated over hundreds of steps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gammastar.core.decomposition import decompose
from gammastar.core.families import Hill, Renyi
from gammastar.core.generating import (
    Composite,
    Diversity,
    Entropy,
    GeneratingFunction,
    GeometricMean,
    GiniSimpson,
    l_divergence,
)
from gammastar.core.rebalancing import rebalancing_gain
from gammastar.core.simplex import drifted

STEP, RUN = 1e-12, 1e-10
N, STEPS = 8, 600
FUNCTIONS: dict[str, GeneratingFunction] = {
    "equal": Diversity(0.0),
    "diversity": Diversity(0.5),
    "diversity below zero": Diversity(-0.7),
    "entropy": Entropy(0.1),
    "gini-simpson": GiniSimpson(),
    "constant": GeometricMean(np.arange(1.0, N + 1.0) / 36.0),
    "renyi": Renyi(0.5),
    "hill": Hill(0.6),
    "product": Composite(((Entropy(), 0.5), (Diversity(0.3), 0.3))),
}
named = pytest.mark.parametrize("name", FUNCTIONS)
seeds = st.integers(0, 2**32 - 1)
few, some = settings(max_examples=4), settings(max_examples=20)


@named
@some
@given(seed=seeds, size=st.floats(0.001, 0.2))
def test_three_point_identity(name: str, seed: int, size: float) -> None:
    """``log V(rebalanced at q) - log V(held from p) = T(q|p) + T(r|q) - T(r|p)``, the values counted in money from gross returns."""
    function, rng = FUNCTIONS[name], np.random.default_rng(seed)
    p, first, second = rng.dirichlet(np.full(N, 3.0)) * 0.9 + 0.1 / N, *np.exp(rng.normal(0.0, size, (2, N)))
    q = drifted(p, first)
    r = drifted(q, second)
    pi = function.weights(p)
    rebalanced = np.log(pi @ first) + np.log(function.weights(q) @ second)
    assert float(rebalancing_gain(function, p, q, r)) == pytest.approx(float(rebalanced - np.log(pi @ (first * second))), abs=STEP)


@some
@given(seed=seeds, p=st.floats(0.2, 0.95))
def test_renyi_relation(seed: int, p: float) -> None:
    """``log D_p = ((1 - p)/p) H_p`` with the unnormalised ``D_p = (sum mu^p)^(1/p)`` and ``H_p = log(sum mu^p)/(1 - p)``."""
    mu = np.random.default_rng(seed).dirichlet(np.full(N, 2.0)) * 0.9 + 0.1 / N
    renyi = np.log(np.sum(mu**p)) / (1.0 - p)
    assert float(Diversity(p).log_value(mu)) + np.log(N) / p == pytest.approx((1.0 - p) / p * renyi, abs=STEP)
    np.testing.assert_allclose(np.exp(Renyi(p).log_value(mu)), renyi, atol=STEP)


@named
@few
@given(seed=seeds)
def test_master_equation_over_six_hundred_steps(name: str, seed: int) -> None:
    """Wealth in money, share by share: each step to 1e-12, the whole history to 1e-10."""
    function, rng = FUNCTIONS[name], np.random.default_rng(seed)
    gross = np.exp(rng.normal(0.0, 0.015, (STEPS, N)))
    mu = np.empty((STEPS + 1, N))
    mu[0] = rng.dirichlet(np.full(N, 3.0)) * 0.9 + 0.1 / N
    money = np.zeros(STEPS)
    for t, step in enumerate(gross):
        money[t] = np.log(function.weights(mu[t]) @ step) - np.log(mu[t] @ step)
        mu[t + 1] = drifted(mu[t], step)
    parts = decompose(function, mu, gross)
    np.testing.assert_allclose(parts.total, money, atol=STEP)
    np.testing.assert_allclose(parts.l_divergence, l_divergence(function, mu[:-1], mu[1:]), atol=STEP)
    ends = function.log_value(mu[[0, -1]])
    assert float(ends[1] - ends[0]) + float(l_divergence(function, mu[:-1], mu[1:]).sum()) == pytest.approx(float(money.sum()), abs=RUN)
