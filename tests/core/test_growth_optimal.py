"""The growth-optimal portfolio: its certificate, closed forms, and a second solver."""

from __future__ import annotations

import cvxpy as cp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy import ndarray

from gammastar.core import growth_optimal as module
from gammastar.core.covariance import FactoredCovariance
from gammastar.core.excess_growth import excess_growth
from gammastar.core.growth_optimal import growth_gap, growth_optimal, growth_optimal_rates
from gammastar.core.interior_point import interior_point

EXACT = 1e-12
seeds = st.integers(0, 2**32 - 1)
some = settings(max_examples=25)


def market(seed: int, steps: int, names: int, spread: float = 0.05) -> ndarray:
    rng = np.random.default_rng(seed)
    return np.exp(rng.normal(0.0, spread, (steps, names)) + rng.normal(0.0, 0.02, (steps, 1)))


def covariance(seed: int, names: int) -> FactoredCovariance:
    rng = np.random.default_rng(seed)
    return FactoredCovariance(rng.normal(0.2, 0.1, (names, 3)), rng.uniform(0.01, 0.2, names))


def log_growth(pi: ndarray, gross: ndarray) -> float:
    return float(np.mean(np.log(gross @ pi)))


@some
@given(seed=seeds, steps=st.integers(1, 200), names=st.integers(1, 60), other=arrays(np.float64, 60, elements=st.floats(0.01, 1.0)))
def test_nobody_beats_the_certificate_and_the_gap_is_rounding(seed: int, steps: int, names: int, other: ndarray) -> None:
    gross = market(seed, steps, names)
    best = growth_optimal(gross)
    c = other[:names] / other[:names].sum()
    assert best.weights.min() >= 0.0
    assert best.weights.sum() == pytest.approx(1.0, abs=EXACT)
    assert best.gap <= EXACT
    assert best.growth == pytest.approx(log_growth(best.weights, gross), abs=EXACT)
    assert log_growth(c, gross) <= best.growth + best.gap + EXACT
    assert best.growth <= log_growth(c, gross) + growth_gap(c, gross) + EXACT  # any portfolio has a certificate, if a wide one
    assert np.array_equal(best.held, np.flatnonzero(best.weights > 0.0))


@pytest.mark.parametrize("p", [0.4, 0.5, 0.6])
def test_double_or_half_against_cash(p: float) -> None:
    """A stock that doubles with frequency p and halves otherwise: hold 3p - 1 of it (Kelly)."""
    up = round(10 * p)
    gross = np.array([[2.0, 1.0]] * up + [[0.5, 1.0]] * (10 - up))
    np.testing.assert_allclose(growth_optimal(gross).weights, [3 * p - 1, 2 - 3 * p], atol=EXACT)


def test_a_horse_race_is_bet_in_proportion_to_the_frequencies() -> None:
    """One horse pays at a time, so weights are its frequencies whatever the odds (Kelly 1956); the losers keep next to nothing."""
    counts, odds = np.array([5, 3, 2]), np.array([1.5, 4.0, 7.0])
    gross = np.full((10, 3), 1e-15)
    gross[np.arange(10), np.repeat(np.arange(3), counts)] = np.repeat(odds, counts)
    np.testing.assert_allclose(growth_optimal(gross).weights, counts / 10, atol=1e-12)


@some
@given(seed=seeds)
def test_numeraire_and_order_do_not_matter(seed: int) -> None:
    gross = market(seed, 40, 8)
    rng = np.random.default_rng(seed)
    order = rng.permutation(8)
    best = growth_optimal(gross)
    np.testing.assert_allclose(growth_optimal(gross * rng.uniform(0.5, 2.0, (40, 1))).weights, best.weights, atol=1e-9)
    np.testing.assert_allclose(growth_optimal(gross[:, order]).weights, best.weights[order], atol=1e-9)


def test_names_that_move_alike_share_a_weight_anyhow() -> None:
    gross = market(1, 60, 5)
    twice = growth_optimal(np.hstack((gross, gross)))
    once = growth_optimal(gross)
    assert twice.gap <= EXACT
    assert twice.growth == pytest.approx(once.growth, abs=EXACT)
    np.testing.assert_allclose(twice.weights[:5] + twice.weights[5:], once.weights, atol=1e-9)


def test_one_name_above_all_others_is_held_alone() -> None:
    gross = market(2, 30, 6)
    gross[:, 3] = gross.max(axis=1) * 1.01
    assert growth_optimal(gross).weights.tolist() == [0.0, 0.0, 0.0, 1.0, 0.0, 0.0]


def test_it_agrees_with_cvxpy_and_is_closer() -> None:
    gross = market(3, 120, 30)
    weights = cp.Variable(30, nonneg=True)
    cp.Problem(cp.Maximize(cp.sum(cp.log(gross @ weights))), [cp.sum(weights) == 1.0]).solve(solver=cp.CLARABEL)
    theirs = np.maximum(weights.value, 0.0) / np.maximum(weights.value, 0.0).sum()
    best = growth_optimal(gross)
    np.testing.assert_allclose(best.weights, theirs, atol=1e-4)
    assert best.growth >= log_growth(theirs, gross)


@pytest.mark.parametrize("first", [1, 2, 40])
def test_the_working_set_does_not_show(first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    gross, sigma, gamma = market(4, 400, 300, 0.02), covariance(4, 300), np.random.default_rng(4).normal(0.0, 0.05, 300)
    whole, rates = growth_optimal(gross), growth_optimal_rates(gamma, sigma)
    monkeypatch.setattr(module, "FIRST", first)
    for found, expected in ((growth_optimal(gross), whole), (growth_optimal_rates(gamma, sigma), rates)):
        assert found.gap <= EXACT
        np.testing.assert_allclose(found.weights, expected.weights, atol=1e-9)


@some
@given(seed=seeds, names=st.integers(2, 70), equal=st.booleans())
def test_rates_have_their_certificate_too(seed: int, names: int, equal: bool) -> None:
    sigma = covariance(seed, names)
    rng = np.random.default_rng(seed + 1)
    gamma = np.full(names, 0.03) if equal else rng.normal(0.0, 0.1, names)
    best = growth_optimal_rates(gamma, sigma)
    c = rng.dirichlet(np.ones(names))
    assert best.gap <= EXACT
    assert best.growth == pytest.approx(float(best.weights @ gamma) + excess_growth(best.weights, sigma), abs=EXACT)
    assert float(c @ gamma) + excess_growth(c, sigma) <= best.growth + best.gap + EXACT


def test_exchangeable_stocks_are_held_equally() -> None:
    sigma = FactoredCovariance(np.full((7, 1), 0.2), np.full(7, 0.05))
    best = growth_optimal_rates(np.zeros(7), sigma)
    np.testing.assert_allclose(best.weights, 1 / 7, atol=EXACT)
    assert best.growth == pytest.approx(0.5 * 0.05 * (1 - 1 / 7), abs=EXACT)  # s^2 (1 - rho) (1 - sum pi^2) / 2


def test_two_stocks_by_hand() -> None:
    """The growth rate is a parabola in the first weight; its top is at ``1/2 + (gamma_1 - gamma_2) / tau``."""
    sigma = FactoredCovariance(np.array([[0.3], [0.1]]), np.array([0.04, 0.02]))
    gamma = np.array([0.03, 0.01])
    tau = 0.2**2 + 0.04 + 0.02
    expected = 0.5 + 0.02 / tau
    np.testing.assert_allclose(growth_optimal_rates(gamma, sigma).weights, [expected, 1 - expected], atol=EXACT)


def test_rates_agree_with_cvxpy() -> None:
    sigma, gamma = covariance(5, 90), np.random.default_rng(6).normal(0.0, 0.05, 90)
    weights = cp.Variable(90, nonneg=True)
    growth = (gamma + 0.5 * sigma.variances) @ weights - 0.5 * cp.sum_squares(sigma.loadings.T @ weights) - 0.5 * sigma.specific @ cp.square(weights)
    cp.Problem(cp.Maximize(growth), [cp.sum(weights) == 1.0]).solve(solver=cp.CLARABEL)
    np.testing.assert_allclose(growth_optimal_rates(gamma, sigma).weights, weights.value, atol=1e-4)


def test_what_cannot_be_used_is_refused() -> None:
    for gross in (np.ones(3), np.ones((0, 3)), np.array([[1.0, 0.0]]), np.array([[1.0, np.inf]])):
        with pytest.raises(ValueError, match="gross returns must be"):
            growth_optimal(gross)
    with pytest.raises(ValueError, match="do not fit"):
        growth_optimal_rates(np.zeros(2), covariance(0, 3))


class Box:
    """Minimise the distance from a point to a ball inside a box: one quadratic constraint among linear ones."""

    def __init__(self, point: ndarray) -> None:
        self.point = point
        self.equality = np.zeros((0, 2))

    def objective(self, x: ndarray) -> tuple[ndarray, ndarray]:
        return x - self.point, np.eye(2)

    def constraints(self, x: ndarray) -> tuple[ndarray, ndarray]:
        return np.array([x @ x - 1.0, -x[0], -x[1]]), np.array([2.0 * x, [-1.0, 0.0], [0.0, -1.0]])

    def curvature(self, multipliers: ndarray) -> ndarray:
        return 2.0 * multipliers[0] * np.eye(2)


@pytest.mark.parametrize(("point", "nearest"), [((3.0, 4.0), (0.6, 0.8)), ((-1.0, 0.5), (0.0, 0.5)), ((0.3, 0.2), (0.3, 0.2))])
def test_interior_point_projects_on_a_quarter_disc(point: tuple[float, float], nearest: tuple[float, float]) -> None:
    found = interior_point(Box(np.array(point)), np.array([0.5, 0.5]), limit=20)  # Newton is fast; a wrong Hessian is not
    np.testing.assert_allclose(found.x, nearest, atol=1e-9)
    assert found.residual <= 1e-9
    assert (found.multipliers > 0.0).all()


def test_interior_point_needs_an_inside_start() -> None:
    with pytest.raises(ValueError, match="strictly inside"):
        interior_point(Box(np.zeros(2)), np.array([1.0, 0.0]))
