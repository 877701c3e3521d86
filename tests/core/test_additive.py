"""Additive generation and finite-variation arguments: exact, against holdings counted in money."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gammastar.core.additive import additive_holdings, additive_path, additive_weights
from gammastar.core.argument import Blend, decompose_argument, generator_at, log_values, moving_average
from gammastar.core.blocks import decompose_blocks
from gammastar.core.concave import UserFunction
from gammastar.core.families import Affine, Renyi, Sum
from gammastar.core.generating import (
    Diversity,
    Entropy,
    GeneratingFunction,
    GeometricMean,
    GiniSimpson,
    Market,
    bregman_divergence,
)
from gammastar.core.rank_generating import ByRank, top
from gammastar.core.simplex import drifted

STEP, RUN = 1e-12, 1e-10
N, STEPS = 7, 200
C = np.array([0.4, 0.2, 0.15, 0.1, 0.07, 0.05, 0.03])
FUNCTIONS: dict[str, GeneratingFunction] = {
    "market": Market(),
    "entropy": Entropy(),
    "entropy shifted": Entropy(0.5),
    "gini-simpson": GiniSimpson(),
    "diversity": Diversity(0.5),
    "geometric mean": GeometricMean(C),
    "affine": Affine(0.5, C),
    "renyi": Renyi(0.5),
    "sum": Sum(((Entropy(), 1.0), (GiniSimpson(), 2.0))),
    "user": UserFunction(lambda x: np.log(1.0 - 0.5 * np.sum(x * x, axis=-1))),
}
RANKED: dict[str, GeneratingFunction] = {"top": top(3), "top, entropy": top(4, Entropy()), "by rank": ByRank(GeometricMean(C))}
named = pytest.mark.parametrize("name", FUNCTIONS)
few = settings(max_examples=3)
some = settings(max_examples=20)
seeds = st.integers(0, 2**32 - 1)


def history(seed: int, *, flow: bool = False, steps: int = STEPS) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    gross = np.exp(rng.normal(0.0, 0.03, (steps, N)))
    mu = np.empty((steps + 1, N))
    mu[0] = rng.uniform(0.5, 2.0, N)
    mu[0] /= mu[0].sum()
    for t in range(steps):
        mu[t + 1] = mu[t] * gross[t] * (np.exp(rng.normal(0.0, 0.01, N)) if flow and t % 3 == 0 else 1.0)
        mu[t + 1] /= mu[t + 1].sum()
    return mu, gross


def held(path_holdings: np.ndarray, nu: np.ndarray) -> np.ndarray:
    return np.sum(path_holdings * nu, axis=1)


@named
@few
@given(seed=seeds)
def test_value_is_g_plus_the_bregman_divergences(name: str, seed: int) -> None:
    """``V_T = G(mu_T) + sum B``, with V counted share by share."""
    function, (mu, gross) = FUNCTIONS[name], history(seed)
    path = additive_path(function, mu, gross)
    value = [float(np.exp(function.log_value(mu[0])))]
    for t in range(STEPS):
        theta = additive_holdings(function, mu[t], value[-1])
        assert theta @ mu[t] == pytest.approx(value[-1], abs=STEP)
        value.append(float(theta @ mu[t + 1]))
    np.testing.assert_allclose(path.value, value, atol=RUN)
    assert path.value[-1] == pytest.approx(float(np.exp(function.log_value(mu[-1]))) + path.bregman.sum(), abs=RUN)
    assert (path.bregman >= -STEP).all()
    np.testing.assert_allclose(path.gamma, np.cumsum(path.bregman), atol=STEP)


@pytest.mark.parametrize("name", [*FUNCTIONS, *RANKED])
@few
@given(seed=seeds, flow=st.booleans(), start=st.none() | st.floats(1.0, 20.0))
def test_the_parts_leave_no_residual(name: str, seed: int, flow: bool, start: float | None) -> None:
    function, (mu, gross) = (FUNCTIONS | RANKED)[name], history(seed, flow=flow)
    path = additive_path(function, mu, gross, start=start)
    np.testing.assert_allclose(path.total, np.diff(path.value), atol=STEP)
    nu = drifted(mu[:-1], gross)
    money = np.log(np.sum(path.weights[:-1] * gross, axis=1) / np.sum(mu[:-1] * gross, axis=1))
    np.testing.assert_allclose(path.log_relative, money, atol=STEP)
    np.testing.assert_allclose(np.sum(path.weights, axis=1), 1.0, atol=STEP)
    g = np.exp(function.log_value(np.concatenate((mu, nu))))
    np.testing.assert_allclose(path.boundary, np.diff(g[: STEPS + 1]), atol=STEP)
    np.testing.assert_allclose(path.flow, g[STEPS + 1 :] - g[1 : STEPS + 1], atol=STEP)
    assert not path.finite_variation.any()
    assert path.leakage.any() == (name in RANKED)
    if name == "top":
        assert (path.leakage <= STEP).all()


@some
@given(seed=seeds)
def test_holdings_are_those_of_the_gradient(seed: int) -> None:
    """``th_i = D_i G + V - mu.grad G`` for the entropy, ``D_i G = -log mu_i - 1``, and Gini-Simpson, ``-mu_i``."""
    mu, _ = history(seed, steps=4)
    value = np.linspace(1.0, 3.0, 5)
    for function, slope in ((Entropy(), -np.log(mu) - 1.0), (GiniSimpson(), -mu)):
        expected = slope + (value - np.sum(mu * slope, axis=1))[:, None]
        np.testing.assert_allclose(additive_holdings(function, mu, value), expected, atol=1e-11)
        np.testing.assert_allclose(additive_weights(function, mu, value), expected * mu / value[:, None], atol=STEP)


@some
@given(seed=seeds)
def test_bregman_divergence_of_the_entropy_is_relative_entropy(seed: int) -> None:
    """``B(q|p) = KL(q|p)``."""
    p, q = np.random.default_rng(seed).dirichlet(np.ones(N), 2)
    assert bregman_divergence(Entropy(), p, q) == pytest.approx(float(q @ np.log(q / p)), abs=STEP)
    assert bregman_divergence(Entropy(2.0), p, q) == pytest.approx(float(q @ np.log(q / p)), abs=STEP)
    assert bregman_divergence(GiniSimpson(), p, q) == pytest.approx(0.5 * float((q - p) @ (q - p)), abs=STEP)


@named
@some
@given(seed=seeds)
def test_at_a_value_of_g_it_holds_what_g_generates(name: str, seed: int) -> None:
    """At the start both kinds of generation agree; a value twice as large halves the bet; a name without weight is not held."""
    function, mu = FUNCTIONS[name], history(seed, steps=0)[0][0]
    g = float(np.exp(function.log_value(mu)))
    np.testing.assert_allclose(additive_weights(function, mu, g), function.weights(mu), atol=STEP)
    np.testing.assert_allclose(additive_weights(function, mu, 2.0 * g) - mu, 0.5 * (function.weights(mu) - mu), atol=STEP)
    assert additive_holdings(Entropy(), np.array([0.5, 0.5, 0.0]), 1.0)[2] == 0.0


@some
@given(seed=seeds, flow=st.booleans())
def test_a_value_larger_than_g_is_a_shift_of_g(seed: int, flow: bool) -> None:
    """Additive generation does not see a constant in G but in where it starts."""
    mu, gross = history(seed, flow=flow, steps=40)
    plain = additive_path(Entropy(), mu, gross, start=float(np.exp(Entropy(3.0).log_value(mu[0]))))
    np.testing.assert_allclose(plain.value, additive_path(Entropy(3.0), mu, gross).value, atol=1e-11)


def blends(mu: np.ndarray, function: GeneratingFunction, span: int = 20) -> list[GeneratingFunction]:
    return [Blend(function, row, 0.6) for row in moving_average(mu, span)]


@pytest.mark.parametrize("inner", [Entropy(0.2), Diversity(0.5), GiniSimpson()])
@few
@given(seed=seeds, flow=st.booleans())
def test_a_moving_average_is_a_third_exact_term(inner: GeneratingFunction, seed: int, flow: bool) -> None:
    """Multiplicative and additive: boundary, divergence, finite variation and flow, against money."""
    mu, gross = history(seed, flow=flow, steps=60)
    functions, average, nu = blends(mu, inner), moving_average(mu, 20), drifted(mu[:-1], gross)
    weights = np.stack([function.weights(row) for function, row in zip(functions, mu, strict=True)])
    relative = np.log(np.sum(weights[:-1] * gross, axis=1) / np.sum(mu[:-1] * gross, axis=1))
    parts = decompose_argument(functions, mu, gross)
    np.testing.assert_allclose(parts.total, relative, atol=STEP)
    assert (parts.l_divergence >= -STEP).all()
    if not flow:
        np.testing.assert_allclose(parts.flow, 0.0, atol=STEP)

    def log_g(x: np.ndarray, a: np.ndarray) -> np.ndarray:
        return inner.log_value(0.6 * x + 0.4 * a)

    np.testing.assert_allclose(parts.finite_variation, log_g(nu, average[:-1]) - log_g(nu, average[1:]), atol=STEP)
    assert np.abs(parts.finite_variation).max() > 1e-7
    path = additive_path(functions, mu, gross)
    np.testing.assert_allclose(path.total, np.diff(path.value), atol=STEP)
    np.testing.assert_allclose(path.log_relative, np.log(np.sum(path.weights[:-1] * gross, axis=1) / np.sum(mu[:-1] * gross, axis=1)), atol=STEP)
    g_before, g_after = np.exp(log_g(nu, average[:-1])), np.exp(log_g(nu, average[1:]))
    np.testing.assert_allclose(path.finite_variation, g_before - g_after, atol=STEP)
    np.testing.assert_allclose(path.gamma, path.value[1:] - path.value[0] - np.cumsum(path.boundary + path.flow), atol=RUN)


@few
@given(seed=seeds, flow=st.booleans())
def test_an_argument_that_stands_still_is_no_argument(seed: int, flow: bool) -> None:
    mu, gross = history(seed, flow=flow, steps=30)
    parts, plain = decompose_argument([Diversity(0.5)] * 31, mu, gross), decompose_blocks(Diversity(0.5), mu, gross)
    assert not parts.finite_variation.any()
    for name in ("boundary", "l_divergence", "flow"):
        np.testing.assert_allclose(getattr(parts, name), getattr(plain, name), atol=STEP)
    many, one = additive_path([Entropy()] * 31, mu, gross), additive_path(Entropy(), mu, gross)
    np.testing.assert_allclose(many.value, one.value, atol=STEP)
    assert generator_at(Entropy(), 3) == generator_at([Market(), Entropy()], 1) == Entropy()
    np.testing.assert_allclose(log_values([Entropy()] * 31, mu), log_values(Entropy(), mu), atol=STEP)


@some
@given(seed=seeds, span=st.integers(1, 15))
def test_a_moving_average_looks_back_and_never_forward(seed: int, span: int) -> None:
    mu, _ = history(seed, steps=12)
    average = moving_average(mu, span)
    np.testing.assert_allclose(average[5], mu[max(0, 6 - span) : 6].mean(axis=0), atol=STEP)
    poisoned = mu.copy()
    poisoned[6:] = 1.0 / N
    assert np.array_equal(moving_average(poisoned, span)[:6], average[:6])
    np.testing.assert_allclose(average.sum(axis=1), 1.0, atol=STEP)


def test_what_does_not_fit_is_refused() -> None:
    mu, gross = history(1, steps=3)
    with pytest.raises(ValueError, match="needed at 3 times for 2 steps"):
        additive_path(Entropy(), mu, gross[1:])
    with pytest.raises(ValueError, match="needed at 4 times"):
        additive_path([Entropy()] * 3, mu, gross)
    with pytest.raises(ValueError, match="no longer positive at step 0"):
        additive_path(Entropy(), mu, gross, start=-1.0)
    with pytest.raises(ValueError, match="needed at 4 times"):
        decompose_argument([Entropy()] * 3, mu, gross)
    with pytest.raises(ValueError, match="span"):
        moving_average(mu, 0)
