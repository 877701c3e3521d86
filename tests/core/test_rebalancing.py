"""Rebalancing studies against portfolios that are run step by step, and the three-point identity."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy import ndarray

from gammastar.core.excess_growth import free_energy
from gammastar.core.generating import Diversity, Entropy, GeometricMean, GiniSimpson
from gammastar.core.rebalancing import rebalancing_gain, rebalancing_study, return_driven_weights, signature_plot

EXACT = 1e-12
STEPS, N = 120, 5
CONSTANT = np.array([0.3, 0.3, 0.2, 0.1, 0.1])
FUNCTIONS = [GeometricMean(CONSTANT), Diversity(0.0), Diversity(0.5), Entropy(0.1), GiniSimpson()]
some = settings(max_examples=25)
weights = arrays(np.float64, N, elements=st.floats(0.01, 1.0)).map(lambda x: x / x.sum())


def every(step: int) -> ndarray:
    return np.arange(STEPS + 1) % step == 0


CLOCKS = {"daily": every(1), "weekly": every(5), "monthly": every(20), "never": np.zeros(STEPS + 1, dtype=bool)}


def history(seed: int, *, flow: bool) -> tuple[ndarray, ndarray]:
    rng = np.random.default_rng(seed)
    gross = np.exp(rng.normal(0.0, 0.05, (STEPS, N)))
    mu = return_driven_weights(rng.dirichlet(np.ones(N) * 3), gross)
    if flow:
        mu = mu * rng.uniform(0.9, 1.1, mu.shape)
        mu /= mu.sum(axis=1, keepdims=True)
    return mu, gross


def run_by_hand(function: Diversity, mu: ndarray, gross: ndarray, clock: ndarray, cost: ndarray) -> tuple[float, float]:
    """Log relative return and turnover of money in accounts, costs found by bisection."""
    holdings = function.weights(mu[0]).copy()
    index, traded = 1.0, 0.0
    base = mu[0].copy()
    for step in range(STEPS):
        holdings = holdings * gross[step]
        index *= float((base * gross[step]).sum() / base.sum())
        base = base * gross[step]
        at = step + 1
        if clock[at]:
            base = mu[at].copy()  # the index is what it is published to be, at no cost
        if clock[at] and at < STEPS:
            value, target = holdings.sum(), function.weights(mu[at])
            low, high = 0.0, 1.0
            for _ in range(55):
                kept = 0.5 * (low + high)
                spent = float(cost @ np.abs(kept * value * target - holdings))
                low, high = (kept, high) if kept * value + spent <= value else (low, kept)
            traded += 0.5 * float(np.abs(kept * value * target - holdings).sum() / value)
            holdings = kept * value * target
    return float(np.log(holdings.sum()) - np.log(index)), traded


@some
@given(p=weights, q=weights, r=weights)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_three_point_identity(function: Diversity, p: ndarray, q: ndarray, r: ndarray) -> None:
    """``log V(rebalanced) - log V(not)``, wealth followed from the definition of the portfolios."""
    stopped = np.log(function.weights(p) @ (q / p)) + np.log(function.weights(q) @ (r / q))
    through = np.log(function.weights(p) @ (r / p))
    assert rebalancing_gain(function, p, q, r) == pytest.approx(stopped - through, abs=1e-11)
    assert rebalancing_gain(function, p, q, p) >= -EXACT  # there and back again


@pytest.mark.parametrize("flow", [False, True])
@pytest.mark.parametrize("cost", [0.0, 0.002])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_each_clock_is_what_accounts_say(function: Diversity, flow: bool, cost: float) -> None:
    mu, gross = history(1, flow=flow)
    study = rebalancing_study(function, mu, gross, CLOCKS, cost=cost)
    assert list(study) == list(CLOCKS)
    for name, result in study.items():
        relative, traded = run_by_hand(function, mu, gross, CLOCKS[name], np.full(N, cost))
        assert result.relative_log_return == pytest.approx(relative, abs=1e-10)
        assert result.turnover == pytest.approx(traded, abs=1e-10)
        assert result.cost <= 0.0
        assert (result.cost < 0.0) == (cost > 0.0 and name != "never")


@pytest.mark.parametrize("function", FUNCTIONS)
def test_clocks_differ_by_the_three_point_identity(function: Diversity) -> None:
    """Weekly over monthly: the sum of the gains at the weekly ticks that are not monthly ones."""
    mu, gross = history(2, flow=False)
    study = rebalancing_study(function, mu, gross, CLOCKS)
    gains = 0.0
    for month in range(0, STEPS, 20):
        for week in range(month + 5, month + 20, 5):
            gains += float(rebalancing_gain(function, mu[week - 5], mu[week], mu[month + 20]))  # one more stop on the way to the month's end
    assert study["weekly"].l_divergence - study["monthly"].l_divergence == pytest.approx(gains, abs=1e-11)
    assert study["weekly"].boundary == pytest.approx(study["monthly"].boundary, abs=1e-11)
    assert study["weekly"].relative_log_return - study["monthly"].relative_log_return == pytest.approx(gains, abs=1e-11)
    assert study["daily"].flow == pytest.approx(0.0, abs=1e-11)
    assert [study[name].ticks for name in CLOCKS] == [120, 24, 6, 1]


def test_a_year_is_a_share_of_the_whole() -> None:
    mu, gross = history(3, flow=True)
    whole = rebalancing_study(Diversity(0.5), mu, gross, {"daily": CLOCKS["daily"]}, cost=np.linspace(0.0, 0.004, N))["daily"]
    year = whole.annual(252, STEPS)
    assert year.relative_log_return == pytest.approx(whole.relative_log_return * 252 / STEPS, abs=EXACT)
    assert (year.ticks, year.turnover) == (whole.ticks, pytest.approx(whole.turnover * 252 / STEPS))


def test_return_driven_weights_follow_returns() -> None:
    rng = np.random.default_rng(4)
    gross, start = np.exp(rng.normal(0.0, 2.0, (50, N))), rng.dirichlet(np.ones(N))
    mu = return_driven_weights(start, gross)
    np.testing.assert_allclose(mu.sum(axis=1), 1.0, atol=EXACT)
    for before, after, moved in zip(mu[:-1], mu[1:], gross, strict=True):
        np.testing.assert_allclose(after, before * moved / (before @ moved), atol=EXACT)


@pytest.mark.parametrize("constant", [True, False])
def test_signature_plot_against_windows_one_by_one(constant: bool) -> None:
    mu, gross = history(5, flow=False)
    pi = CONSTANT if constant else mu[:-1]
    found = signature_plot(pi, gross, (1, 3, 20, STEPS))
    for length, mean in zip(found.windows, found.excess_growth, strict=True):
        energies = [
            float(free_energy(pi if constant else pi[s], gross[s : s + length].prod(axis=0))) / length for s in range(STEPS - length + 1)
        ]
        assert mean == pytest.approx(np.mean(energies), abs=EXACT)
        position = list(found.windows).index(length)
        assert found.standard_error[position] == pytest.approx(np.std(energies) / np.sqrt(STEPS / length), abs=EXACT)


def test_signature_falls_where_moves_come_back_and_rises_where_they_go_on() -> None:
    rng = np.random.default_rng(6)
    shocks = rng.normal(0.0, 0.02, (2001, 10))
    back, on = np.exp(shocks[1:] - 0.9 * shocks[:-1]), np.exp(shocks[1:] + 0.9 * shocks[:-1])
    equal = np.full(10, 0.1)
    falling, rising, flat = (signature_plot(equal, gross, (1, 10)).excess_growth for gross in (back, on, np.exp(shocks[1:])))
    assert falling[1] < 0.5 * falling[0]
    assert rising[1] > 1.5 * rising[0]
    assert flat[1] == pytest.approx(flat[0], rel=0.1)


def test_what_cannot_be_used_is_refused() -> None:
    mu, gross = history(7, flow=False)
    with pytest.raises(ValueError, match="a clock for"):
        rebalancing_study(Diversity(0.5), mu, gross, {"short": np.ones(STEPS, dtype=bool)})
    for windows in ((), (0,), (STEPS + 1,)):
        with pytest.raises(ValueError, match="windows"):
            signature_plot(CONSTANT, gross, windows)
