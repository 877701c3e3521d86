"""The capital distribution looks like a large-cap index and stays as it is; the other stylised facts hold."""

from __future__ import annotations

import numpy as np
import pytest

from gammastar.simulate import LargeCapMarket, SimulatedMarket
from gammastar.simulate.exits import Hazards
from gammastar.simulate.path import Laws, simulate_path
from gammastar.simulate.sessions import exchange_sessions


@pytest.fixture(scope="module")
def default_market() -> SimulatedMarket:
    return LargeCapMarket().simulate(2, prices=False)


def ranked(weights: np.ndarray) -> np.ndarray:
    return np.sort(weights)[::-1]


def log_changes(model: LargeCapMarket, seed: int) -> list[float]:
    """Log changes over the whole history of the capital shares of a few ranks of the largest `members` names."""
    hazards = Hazards(model.firms, model.listed)
    calendar = exchange_sessions(model.exchange, model.start, model.end)
    path = simulate_path(Laws(model.shocks, model.growth, model.firms, hazards), calendar, np.random.SeedSequence(seed))
    n = model.members
    start, end = (ranked(np.exp(path.log_capital[t]))[:n] for t in (0, -1))
    groups = (slice(0, 1), slice(0, 10), slice(n // 5 - 5, n // 5 + 5), slice(n - 10, n))
    return [float(np.log(end[rows].sum() / end.sum()) - np.log(start[rows].sum() / start.sum())) for rows in groups]


def test_the_capital_distribution_neither_concentrates_nor_flattens() -> None:
    changes = np.array([log_changes(LargeCapMarket(members=100, listed=140), seed) for seed in range(3)])
    assert (np.abs(changes[:, 1]) < 0.6).all()
    assert (np.abs(changes.mean(axis=0)) < (0.8, 0.4, 0.25, 0.45)).all()


@pytest.mark.slow
def test_the_capital_distribution_is_stationary() -> None:
    # The gaps start in the stationary law of an approximation (ranks have names with volatilities of their own), hence the allowance.
    changes = np.array([log_changes(LargeCapMarket(), seed) for seed in range(16)])
    error = changes.std(axis=0, ddof=1) / np.sqrt(len(changes))
    assert (np.abs(changes.mean(axis=0)) < 4.0 * error + (0.1, 0.05, 0.05, 0.1)).all()


def test_index_weights_look_like_a_large_cap_index(default_market: SimulatedMarket) -> None:
    benchmark = default_market.panel.benchmark
    for t in (0, len(benchmark) // 2, len(benchmark) - 1):
        weights = ranked(benchmark[t])
        assert 0.015 < weights[0] < 0.09
        assert 0.12 < weights[:10].sum() < 0.33
        assert 0.0015 < weights[99] < 0.0035
        assert 0.00003 < weights[499] < 0.0008


def test_stylised_facts(default_market: SimulatedMarket) -> None:
    panel, truth = default_market.panel, default_market.truth
    index = np.log1p(panel.benchmark_returns[1:])
    assert 0.12 < index.std() * np.sqrt(252) < 0.22
    assert ((index - index.mean()) ** 4).mean() > 3.2 * index.var() ** 2
    correlations, specific = [], []
    for t in range(0, len(panel) - 1, 250):
        members = np.flatnonzero(panel.benchmark[t] > 0.0)
        members = np.intersect1d(members, truth.listed(t))
        sigma = truth.covariance(t).take(members)
        inverse = 1.0 / np.sqrt(sigma.variances)
        n = len(members)
        correlations.append((sigma.quadratic(inverse) - n) / (n * (n - 1)))
        specific.append(np.median(np.sqrt(sigma.specific)))
    assert 0.18 < np.mean(correlations) < 0.42
    assert 0.18 < np.mean(specific) < 0.30


def test_smaller_names_are_more_volatile(default_market: SimulatedMarket) -> None:
    truth = default_market.truth
    for t in (0, 1500, 3000):
        listed = truth.listed(t)
        order = listed[np.argsort(-truth.capitalisations(t)[listed])]
        specific = np.sqrt(truth.covariance(t).specific[order])
        assert specific[-200:].mean() > 1.15 * specific[:50].mean()
