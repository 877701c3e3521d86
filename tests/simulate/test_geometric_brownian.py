"""The geometric Brownian market: growth of constant weights, covariance, growth optimum."""

from __future__ import annotations

import numpy as np
import pytest

from gammastar.core.covariance import FactoredCovariance
from gammastar.core.excess_growth import free_energy
from gammastar.simulate import GeometricBrownian, Grid

MARKET = GeometricBrownian(
    growth=[0.02, 0.05, 0.08, 0.03],
    covariance=FactoredCovariance(
        np.array([[0.2, 0.05], [0.15, -0.1], [0.25, 0.0], [0.2, 0.1]]), np.array([0.02, 0.05, 0.08, 0.03])
    ),
)
WEIGHTS = np.array([0.4, 0.1, 0.3, 0.2])


def test_constant_weights_grow_at_their_rate() -> None:
    step, years = 1.0 / 252.0, 4
    log_capital = MARKET.simulate(Grid(252 * years, paths=300), 3).log_capitalisations
    moves = np.diff(log_capital, axis=1)
    captured = free_energy(np.broadcast_to(WEIGHTS, moves.shape), np.exp(moves)).mean(axis=1) / step
    mean, error = captured.mean(), captured.std(ddof=1) / np.sqrt(300)
    # a step of h years is off by the order of h times the squared variance
    bias = step * float(MARKET.covariance.variances.max()) ** 2
    assert abs(mean - MARKET.excess_growth(WEIGHTS)) < 4.0 * error + bias
    assert error + bias < 0.01 * MARKET.excess_growth(WEIGHTS)
    grown = np.log(np.exp(moves) @ WEIGHTS).sum(axis=1) / years
    assert abs(grown.mean() - MARKET.growth_rate(WEIGHTS)) < 4.0 * grown.std(ddof=1) / np.sqrt(300)
    assert MARKET.growth_rate(WEIGHTS) == pytest.approx(float(WEIGHTS @ MARKET.growth) + MARKET.excess_growth(WEIGHTS))


def test_log_returns_have_the_stated_moments() -> None:
    moves = np.diff(MARKET.simulate(Grid(500, paths=80, years_per_step=0.1), 4).log_capitalisations, axis=1).reshape(
        -1, 4
    )
    size = len(moves)
    sigma = 0.1 * MARKET.covariance.dense()
    assert (np.abs(moves.mean(axis=0) - 0.1 * MARKET.growth) < 4.0 * np.sqrt(np.diag(sigma) / size)).all()
    error = np.sqrt((np.outer(np.diag(sigma), np.diag(sigma)) + sigma**2) / size)
    assert (np.abs(np.cov(moves.T) - sigma) < 4.0 * error).all()


def test_the_exchangeable_market_has_its_formula() -> None:
    market = GeometricBrownian.exchangeable(names=5, volatility=0.3, correlation=0.4, growth=0.05)
    pi = np.random.default_rng(1).dirichlet(np.ones(5))
    assert market.excess_growth(pi) == pytest.approx(0.3**2 * (1 - 0.4) * (1 - float(pi @ pi)) / 2, rel=1e-12)
    expected = np.full((5, 5), 0.3**2 * 0.4) + np.eye(5) * 0.3**2 * 0.6
    np.testing.assert_allclose(market.covariance.dense(), expected, rtol=1e-12)
    np.testing.assert_allclose(market.growth_optimal(), 0.2, rtol=1e-10)


def test_no_constant_weights_grow_faster_than_the_growth_optimal_ones() -> None:
    best = MARKET.growth_optimal()
    assert best.sum() == pytest.approx(1.0)
    rng = np.random.default_rng(2)
    for _ in range(50):
        aside = rng.normal(size=4)
        aside -= aside.mean()
        for size in (1e-4, 1e-1):
            loss = MARKET.growth_rate(best) - MARKET.growth_rate(best + size * aside)
            assert loss == pytest.approx(0.5 * size**2 * MARKET.covariance.quadratic(aside), rel=1e-5, abs=1e-14)


def test_it_starts_from_equal_weights() -> None:
    np.testing.assert_allclose(MARKET.simulate(Grid(1), 1).weights[0, 0], 0.25)


def test_values_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="allowed: 0 to 1"):
        GeometricBrownian.exchangeable(names=3, volatility=0.3, correlation=-0.2)
    with pytest.raises(ValueError, match="one rate for each"):
        GeometricBrownian(np.zeros(3), MARKET.covariance)
    with pytest.raises(ValueError, match="not finite"):
        GeometricBrownian(np.full(4, np.nan), MARKET.covariance)
