"""Energy and entropy of any holdings, against money."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gammastar.core.energy import decompose_energy, relative_entropy
from gammastar.core.excess_growth import free_energy
from gammastar.core.simplex import drifted

STEP, RUN = 1e-12, 1e-10
N, STEPS = 8, 120
some = settings(max_examples=20)
seeds = st.integers(0, 2**32 - 1)


def history(seed: int, *, outside: bool, closed: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return any holdings, index weights and gross returns; with `outside`, names enter and leave the index and some holdings are not in it."""
    rng = np.random.default_rng(seed)
    gross = np.exp(rng.normal(0.0, 0.03, (STEPS, N)))
    pi, mu = rng.dirichlet(np.ones(N), STEPS + 1), rng.dirichlet(np.full(N, 3.0), STEPS + 1)
    if outside:
        mu[rng.random(mu.shape) < 0.2] = 0.0
        pi[rng.random(pi.shape) < 0.2] = 0.0
        mu[:, 0], pi[:, 0], pi[:, 1] = mu[:, 0] + 0.05, pi[:, 0] + 0.05, 0.1
        mu[:, 1] = 0.0  # cash
        gross[:, 1] = 1.0
        mu /= mu.sum(axis=1, keepdims=True)
        pi /= pi.sum(axis=1, keepdims=True)
    if closed:
        for t in range(STEPS):
            mu[t + 1] = drifted(mu[t], gross[t])
    return pi, mu, gross


def money(pi: np.ndarray, mu: np.ndarray, gross: np.ndarray) -> np.ndarray:
    return np.log(np.sum(pi[:-1] * gross, axis=1) / np.sum(mu[:-1] * gross, axis=1))


@some
@given(seed=seeds, outside=st.booleans(), closed=st.booleans())
def test_any_holdings_leave_no_residual(seed: int, outside: bool, closed: bool) -> None:
    pi, mu, gross = history(seed, outside=outside, closed=closed)
    parts = decompose_energy(pi, mu, gross)
    np.testing.assert_allclose(parts.total, money(pi, mu, gross), atol=STEP)
    assert parts.total.sum() == pytest.approx(money(pi, mu, gross).sum(), abs=RUN)
    assert (parts.energy >= -STEP).all()
    assert parts.boundary.sum() == pytest.approx(float(relative_entropy(pi[0], mu[0]) - relative_entropy(pi[-1], mu[-1])), abs=RUN)
    assert parts.off_benchmark.any() == outside


@some
@given(seed=seeds)
def test_in_a_closed_market_it_is_the_published_sum(seed: int) -> None:
    """Boundary + sum of free energies + trading terms ``H(pi_{t+1} | mu_{t+1}) - H(pi_t | mu_{t+1})``, step by step (Pal and Wong 2013)."""
    pi, mu, gross = history(seed, outside=False, closed=True)
    parts = decompose_energy(pi, mu, gross)
    traded = relative_entropy(pi[1:], mu[1:]) - relative_entropy(pi[:-1], mu[1:])
    np.testing.assert_allclose(parts.drift + parts.trading, traded, atol=STEP)
    np.testing.assert_allclose(parts.flow, 0.0, atol=STEP)
    np.testing.assert_allclose(parts.energy, free_energy(pi[:-1], gross), atol=STEP)
    step = free_energy(pi[:-1], gross) + relative_entropy(pi[:-1], mu[:-1]) - relative_entropy(pi[:-1], mu[1:])
    np.testing.assert_allclose(step, money(pi, mu, gross), atol=STEP)


@some
@given(seed=seeds)
def test_buy_and_hold_does_not_trade_and_constant_weights_do_not_drift_away(seed: int) -> None:
    pi, mu, gross = history(seed, outside=False, closed=True)
    for t in range(STEPS):
        pi[t + 1] = drifted(pi[t], gross[t])
    np.testing.assert_allclose(decompose_energy(pi, mu, gross).trading, 0.0, atol=STEP)
    constant = np.tile(pi[0], (STEPS + 1, 1))
    parts = decompose_energy(constant, mu, gross)
    np.testing.assert_allclose(parts.drift, -parts.trading, atol=STEP)
    total = parts.energy.sum() + relative_entropy(pi[0], mu[0]) - relative_entropy(pi[0], mu[-1])
    assert parts.total.sum() == pytest.approx(float(total), abs=RUN)


@some
@given(seed=seeds)
def test_the_benchmark_itself_gives_zero(seed: int) -> None:
    """It stands at no distance from itself before, between and after: the energy of each step is taken back by drift alone."""
    _, mu, gross = history(seed, outside=False, closed=True)
    parts = decompose_energy(mu, mu, gross)
    for name in ("boundary", "trading", "flow", "off_benchmark"):
        np.testing.assert_allclose(getattr(parts, name), 0.0, atol=STEP)
    np.testing.assert_allclose(parts.energy, -parts.drift, atol=STEP)
    np.testing.assert_allclose(parts.total, 0.0, atol=STEP)


@some
@given(seed=seeds)
def test_relative_entropy_is_a_distance_from_the_market(seed: int) -> None:
    pi, mu = np.random.default_rng(seed).dirichlet(np.ones(N), 2)
    assert relative_entropy(pi, mu) == pytest.approx(float(pi @ np.log(pi / mu)), abs=STEP)
    assert relative_entropy(pi, mu) > 0.0
    assert relative_entropy(mu, mu) == 0.0
    assert relative_entropy(np.array([1.0, 0.0]), np.array([0.25, 0.75])) == pytest.approx(np.log(4.0), abs=STEP)


def test_what_does_not_fit_is_refused() -> None:
    pi, mu, gross = history(1, outside=False)
    with pytest.raises(ValueError, match="needed at 120 times for 119 steps"):
        decompose_energy(pi, mu, gross[1:])
    pi[3, 2] = -0.1
    with pytest.raises(ValueError, match="not negative"):
        decompose_energy(pi, mu, gross)
