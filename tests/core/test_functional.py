"""Functional optimisation: the family obeys the theory, and the program its certificate and a second solver."""

from __future__ import annotations

from decimal import Decimal, localcontext

import cvxpy as cp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy import ndarray

from gammastar.core import functional
from gammastar.core.covariance import FactoredCovariance
from gammastar.core.decomposition import decompose
from gammastar.core.functional import ExponentiallyConcave, optimal_generator, optimal_product
from gammastar.core.generating import Diversity, Entropy, GiniSimpson, l_divergence, relative_value
from gammastar.core.open_market import open_market
from gammastar.core.simplex import drifted

EXACT = 1e-12
N = 12
KNOTS = np.geomspace(1e-3, 0.4, 15)
some = settings(max_examples=30)
seeds = st.integers(0, 2**32 - 1)


def elasticity(rng: np.random.Generator, knots: ndarray) -> ndarray:
    """Falls freely, rises no faster than a concave function may."""
    v = [float(rng.uniform())]
    for length in np.diff(np.log(knots)):
        down, highest = rng.uniform() < 0.5, v[-1]
        room = highest + length * highest * (1.0 - highest)
        top = next((x for x in np.linspace(room, highest, 50) if x - highest <= length * x * (1.0 - x)), highest)
        v.append(float(rng.uniform(0.0, highest)) if down else float(rng.uniform(highest, max(top, highest))))
    return np.array(v)


def history(seed: int, steps: int = 90, *, zeros: bool = True) -> tuple[ndarray, ndarray]:
    """Small names do well in good times and badly in bad ones, so that no corner is the answer; some names are not there at times."""
    rng = np.random.default_rng(seed)
    mu = np.maximum(rng.dirichlet(np.full(N, 0.7), size=steps), 1e-5)
    if zeros:
        mu[::4, :3] = 0.0
    mu /= mu.sum(axis=1, keepdims=True)
    size = np.log(np.where(mu > 0.0, mu, 1.0) * N)
    gross = np.exp(rng.normal(0.0, 0.03, (steps, N)) - rng.normal(0.001, 0.02, (steps, 1)) * size + 0.004 * np.cos(2.0 * size))
    return mu, gross


@some
@given(seed=seeds)
def test_the_family_is_concave_and_long_only(seed: int) -> None:
    rng = np.random.default_rng(seed)
    function = ExponentiallyConcave(KNOTS, elasticity(rng, KNOTS))
    p, q = (np.maximum(rng.dirichlet(np.full(N, 0.4), size=40), 1e-7) for _ in range(2))
    p, q = p / p.sum(axis=1, keepdims=True), q / q.sum(axis=1, keepdims=True)
    pi = function.weights(p)
    np.testing.assert_allclose(pi.sum(axis=1), 1.0, atol=EXACT)
    assert pi.min() >= 0.0
    assert l_divergence(function, p, q).min() >= -EXACT
    middle = np.exp(function.log_value(0.5 * (p + q)))
    assert (middle >= 0.5 * (np.exp(function.log_value(p)) + np.exp(function.log_value(q))) * (1.0 - EXACT)).all()


@some
@given(seed=seeds)
def test_weights_are_generated_by_the_function(seed: int) -> None:
    """``pi_i = mu_i (1 + D_i log G - sum_j mu_j D_j log G)``, derivatives by differences."""
    rng = np.random.default_rng(seed)
    function = ExponentiallyConcave(KNOTS, elasticity(rng, KNOTS))
    mu = np.append(rng.dirichlet(np.ones(N - 1)), 0.0)
    steps = 1e-6 * np.diag(mu)
    slopes = np.zeros(N)
    held = mu > 0.0
    slopes[held] = ((function.log_value(mu + steps) - function.log_value(mu - steps)) / (2e-6 * np.where(held, mu, 1.0)))[held]
    np.testing.assert_allclose(function.weights(mu), mu * (1.0 + slopes - mu @ slopes), atol=1e-7)


def test_its_ends_are_equal_weight_and_the_market() -> None:
    rng = np.random.default_rng(1)
    p, q = rng.dirichlet(np.ones(N), size=20), rng.dirichlet(np.ones(N), size=20)
    for level, twin in ((1.0, Diversity(0.0)), (0.0, Diversity(1.0))):
        function = ExponentiallyConcave(KNOTS, np.full(15, level))
        np.testing.assert_allclose(function.weights(p), twin.weights(p), atol=EXACT)
        np.testing.assert_allclose(function.divergence(p, q), twin.divergence(p, q), atol=EXACT)


def exact_divergence(function: ExponentiallyConcave, p: ndarray, q: ndarray) -> float:
    """T from its definition, fifty digits."""
    with localcontext() as context:
        context.prec = 50
        grid = [Decimal(float(y)) for y in np.log(function.knots)]
        v = [Decimal(float(x)) for x in function.elasticity]

        def at(y: Decimal) -> tuple[Decimal, Decimal]:
            """v and l at y."""
            if y <= grid[0]:
                return v[0], (y - grid[0]) * v[0]
            area = Decimal(0)
            for left, right, low, high in zip(grid[:-1], grid[1:], v[:-1], v[1:], strict=True):
                if y <= right:
                    here = low + (high - low) * (y - left) / (right - left)
                    return here, area + (y - left) * (low + here) / 2
                area += (right - left) * (low + high) / 2
            return v[-1], area + (y - grid[-1]) * v[-1]

        before, after = [Decimal(float(x)) for x in p], [Decimal(float(x)) for x in q]
        before, after = [x / sum(before) for x in before], [x / sum(after) for x in after]
        gain = sum((at(x.ln())[0] * (y / x - 1) for x, y in zip(before, after, strict=True)), Decimal(0)) / len(p)
        moved = sum((at(y.ln())[1] - at(x.ln())[1] for x, y in zip(before, after, strict=True)), Decimal(0)) / len(p)
        return float((1 + gain).ln() - moved)


@pytest.mark.parametrize("size", [1.0, 1e-2, 1e-4, 1e-6])
def test_the_divergence_keeps_its_digits(size: float) -> None:
    rng = np.random.default_rng(2)
    for _ in range(5):
        function = ExponentiallyConcave(KNOTS, elasticity(rng, KNOTS))
        p = np.maximum(rng.dirichlet(np.full(N, 0.5)), 1e-4)
        p[:2] = KNOTS[[4, 9]]  # on a knot, and moved across it
        p[2:] *= (1.0 - p[:2].sum()) / p[2:].sum()
        q = p * np.exp(size * rng.normal(size=N))
        q /= q.sum()
        assert float(function.divergence(p, q)) == pytest.approx(exact_divergence(function, p, q), rel=1e-8)


@some
@given(seed=seeds)
def test_drift_is_the_mean_divergence_of_small_shocks(seed: int) -> None:
    """``E T = g dt`` for shocks of covariance dt: taken exactly over the columns of a root of the covariance, up and down."""
    rng = np.random.default_rng(seed)
    function = ExponentiallyConcave(KNOTS, elasticity(rng, KNOTS))
    mu = rng.dirichlet(np.ones(N))
    sigma = FactoredCovariance(rng.normal(0.0, 0.2, (N, 2)), rng.uniform(0.01, 0.1, N))
    root = np.hstack((sigma.loadings, np.diag(np.sqrt(sigma.specific))))
    h = 1e-5
    moved = mu * np.exp(h * np.concatenate((root.T, -root.T)))
    divergence = function.divergence(mu[None, :], moved / moved.sum(axis=1, keepdims=True))
    assert float(divergence.sum()) / (2.0 * h * h) == pytest.approx(function.drift(mu, sigma), abs=1e-4)


@pytest.mark.parametrize("with_boundary", [True, False])
@pytest.mark.parametrize("smoothness", [0.0, 1e-4])
def test_the_optimum_and_its_certificate(with_boundary: bool, smoothness: float) -> None:
    mu, gross = history(3)
    found = optimal_generator(mu, gross, KNOTS, with_boundary=with_boundary, smoothness=smoothness)
    nu = drifted(mu, gross)

    def objective(function: ExponentiallyConcave) -> float:
        earned = np.log(relative_value(function, mu, nu)) if with_boundary else l_divergence(function, mu, nu)
        return float(earned.mean()) - 0.5 * smoothness * float(np.sum(np.diff(function.elasticity) ** 2 / np.diff(np.log(KNOTS))))

    assert found.objective == pytest.approx(objective(found.function), abs=1e-14)
    assert -1e-16 <= found.gap <= 1e-12
    rng = np.random.default_rng(4)
    others = [ExponentiallyConcave(KNOTS, elasticity(rng, KNOTS)) for _ in range(200)]
    others += [ExponentiallyConcave(KNOTS, np.full(15, level)) for level in (0.0, 0.3, 1.0)]
    assert max(map(objective, others)) <= found.objective + found.gap


@pytest.mark.parametrize("with_boundary", [True, False])
def test_the_optimum_agrees_with_cvxpy(with_boundary: bool) -> None:
    mu, gross = history(5)
    found = optimal_generator(mu, gross, KNOTS, with_boundary=with_boundary, smoothness=1e-5)
    nu, lengths = drifted(mu, gross), np.diff(np.log(KNOTS))
    # a step's gain and boundary, one column a knot, from functions that are one there and, being linear in v, need not be concave
    basis = [object.__new__(ExponentiallyConcave) for _ in KNOTS]
    for k, function in enumerate(basis):
        object.__setattr__(function, "knots", KNOTS)
        object.__setattr__(function, "elasticity", np.eye(15)[k])
    gains = np.column_stack([relative_value(function, mu, nu) - 1.0 for function in basis])
    boundary = np.array([np.mean(function.log_value(nu) - function.log_value(mu)) for function in basis])
    v = cp.Variable(15)
    rise = v[1:] - v[:-1]
    value = cp.sum(cp.log(1.0 + gains @ v)) / len(mu) - 0.5e-5 * cp.sum(cp.multiply(cp.square(rise), 1.0 / lengths))
    value = value if with_boundary else value - boundary @ v
    bends = [rise + cp.multiply(lengths, cp.square(u) - u) <= 0 for u in (v[:-1], v[1:])]
    cp.Problem(cp.Maximize(1e3 * value), [v >= 0, v <= 1, *bends]).solve(solver=cp.CLARABEL)
    np.testing.assert_allclose(found.function.elasticity, v.value, atol=2e-3)
    assert found.objective == pytest.approx(float(value.value), abs=1e-9)


def test_what_pays_is_found() -> None:
    """Returns that only names below a size have: the optimum holds those in excess, and no other."""
    rng = np.random.default_rng(6)
    mu = rng.dirichlet(np.full(N, 0.7), size=300)
    gross = np.exp(rng.normal(0.0, 0.01, mu.shape) + 0.02 * (mu < 0.05))
    v = optimal_generator(mu, gross, KNOTS).function.elasticity
    assert (v[KNOTS < 0.03] > 0.95).all()
    assert (v[KNOTS > 0.1] < 0.05).all()


def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    mu, gross = history(7)
    whole = optimal_generator(mu, gross, KNOTS, smoothness=1e-4)
    monkeypatch.setattr(functional, "BLOCK", 11)
    np.testing.assert_allclose(optimal_generator(mu, gross, KNOTS, smoothness=1e-4).function.elasticity, whole.function.elasticity, atol=1e-9)


def test_an_open_market_has_its_own_optimum() -> None:
    mu, gross = history(8, zeros=False)
    inside = open_market(mu, 6)
    found = optimal_generator(inside, gross, KNOTS)
    pi = found.function.weights(inside)
    assert (pi[inside == 0.0] == 0.0).all()
    parts = decompose(found.function, np.concatenate((inside, inside[-1:])), gross)
    assert found.objective == pytest.approx(float(parts.total.mean()), abs=1e-14)


def test_the_best_product_beats_its_parts_and_is_certified() -> None:
    mu, gross = history(9)
    functions = (Diversity(0.0), Entropy(), GiniSimpson())
    found = optimal_product(functions, mu, gross)
    nu = drifted(mu, gross)
    assert found.growth.gap <= EXACT
    assert found.growth.growth == pytest.approx(float(np.log(relative_value(found.function, mu, nu)).mean()), abs=1e-14)
    for function in functions:
        assert float(np.log(relative_value(function, mu, nu)).mean()) <= found.growth.growth + found.growth.gap
    assert found.growth.growth >= 0.0  # the market is among them


@pytest.mark.parametrize(
    ("knots", "v", "message"),
    [
        ([0.1], [0.5], "knots must"),
        ([0.1, 0.1], [0.5, 0.5], "knots must"),
        ([0.0, 0.1], [0.5, 0.5], "knots must"),
        ([0.1, 0.2], [0.5, 1.1], "from 0 to 1"),
        ([0.1, 0.2], [0.1, 0.9], "too steeply"),
        ([0.1, 0.2], [0.0, 0.01], "too steeply"),
    ],
)
def test_functions_that_are_not_concave_are_refused(knots: list[float], v: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ExponentiallyConcave(np.array(knots), np.array(v))


def test_what_cannot_be_used_is_refused() -> None:
    mu, gross = history(10)
    with pytest.raises(ValueError, match="one shape"):
        optimal_generator(mu[1:], gross, KNOTS)
    with pytest.raises(ValueError, match="penalty"):
        optimal_generator(mu, gross, KNOTS, smoothness=-1.0)
    with pytest.raises(ValueError, match="needed"):
        optimal_product((), mu, gross)
