"""Laws of the further generating functions, each against G written a second time, in complex arithmetic."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gammastar.core.argument import Blend
from gammastar.core.concave import UserFunction, concavity_check, drift_from_divergence
from gammastar.core.covariance import FactoredCovariance
from gammastar.core.families import Affine, Hill, Renyi, Sum, shifted
from gammastar.core.generating import (
    Composite,
    Diversity,
    Entropy,
    GeometricMean,
    GiniSimpson,
    Market,
    l_divergence,
    relative_gain,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy import ndarray

    from gammastar.core.generating import GeneratingFunction

EXACT = 1e-12
C = np.array([0.4, 0.25, 0.15, 0.1, 0.07, 0.03])
A = np.array([0.05, 0.3, 0.15, 0.1, 0.2, 0.2])
N = len(C)


def _renyi(mu: ndarray, p: float) -> complex:
    return -np.sum(mu * np.log(mu)) if p == 1.0 else np.log(np.sum(mu**p)) / (1.0 - p)


def _own(x: ndarray) -> ndarray:
    """A concave function that no family has: the root of the Gini-Simpson index, times the geometric mean to the fifth of a power."""
    return 0.5 * np.log(1.0 - np.sum(x * x, axis=-1)) + 0.2 * np.mean(np.log(x), axis=-1)


def _own_gradient(x: ndarray) -> ndarray:
    return -x / (1.0 - np.sum(x * x, axis=-1, keepdims=True)) + 0.2 / (x.shape[-1] * x)


FAMILY: dict[str, tuple[GeneratingFunction, Callable[[ndarray], complex]]] = {
    "affine": (Affine(0.2, C), lambda mu: 0.2 + C @ mu),
    "sum": (Sum(((Entropy(), 0.5), (GiniSimpson(), 0.1))), lambda mu: -0.5 * np.sum(mu * np.log(mu)) + 0.1 - 0.05 * np.sum(mu * mu)),
    "sum of scales": (
        Sum(((Diversity(0.5), 4.0), (GeometricMean(C), 1e-3))),
        lambda mu: 4.0 * np.mean(np.sqrt(mu)) ** 2 + 1e-3 * np.exp(np.sum(C * np.log(mu))),
    ),
    "shifted": (shifted(Diversity(0.0), 0.05), lambda mu: np.exp(np.mean(np.log(mu))) + 0.05),
    "shifted down": (shifted(GiniSimpson(), -0.4), lambda mu: 0.6 - 0.5 * np.sum(mu * mu)),
    **{f"hill {p}": (Hill(p), lambda mu, p=p: np.exp(_renyi(mu, p))) for p in (0.0, 0.3, 0.5, 0.9, 1.0, 2.0)},
    **{f"renyi {p}": (Renyi(p, 0.2), lambda mu, p=p: _renyi(mu, p) + 0.2) for p in (0.0, 0.3, 0.9, 1.0, 2.0)},
    "renyi": (Renyi(0.5), lambda mu: _renyi(mu, 0.5)),
    "blend": (Blend(Entropy(), A, 0.35), lambda mu: -np.sum((0.35 * mu + 0.65 * A) * np.log(0.35 * mu + 0.65 * A))),
    "blend, all today's": (Blend(Diversity(0.5), A, 1.0), lambda mu: np.mean(np.sqrt(mu)) ** 2),
    "user, complex steps": (UserFunction(_own), lambda mu: np.exp(_own(mu))),
    "user, gradient": (UserFunction(_own, _own_gradient), lambda mu: np.exp(_own(mu))),
}
CONCAVE = [name for name in FAMILY if name not in {"hill 0.9", "hill 1.0", "hill 2.0", "renyi 2.0"}]

weights = arrays(np.float64, N, elements=st.floats(0.01, 1.0)).map(lambda x: x / x.sum())
relatives = arrays(np.float64, N, elements=st.floats(0.2, 5.0))
named = pytest.mark.parametrize("name", FAMILY)
few = settings(max_examples=6)
some = settings(max_examples=25)


def moved(p: ndarray, relative: ndarray) -> ndarray:
    return p * relative / (p @ relative)


def covariance(seed: int, n: int = N) -> FactoredCovariance:
    rng = np.random.default_rng(seed)
    return FactoredCovariance(rng.normal(0.0, 0.2, (n, 2)) + 0.1, rng.uniform(0.01, 0.2, n))


def gradient(g: Callable[[ndarray], complex], mu: ndarray) -> ndarray:
    step = 1e-40
    return np.array([np.imag(g(mu + 1j * step * np.eye(len(mu))[i])) / step for i in range(len(mu))])


def hessian(g: Callable[[ndarray], complex], mu: ndarray) -> ndarray:
    """Fourth-order central differences of complex-step gradients."""
    rows = []
    for i in range(len(mu)):
        h = 2e-3 * mu[i] * np.eye(len(mu))[i]
        near, far = gradient(g, mu + h) - gradient(g, mu - h), gradient(g, mu + 2 * h) - gradient(g, mu - 2 * h)
        rows.append((8.0 * near - far) / (12.0 * h[i]))
    return np.array(rows)


@named
@few
@given(mu=weights, other=weights)
def test_weights_are_fernholz_formula_of_log_g(name: str, mu: ndarray, other: ndarray) -> None:
    function, g = FAMILY[name]
    d_log = gradient(lambda x: np.log(g(x)), mu)
    pi = function.weights(mu)
    np.testing.assert_allclose(pi, mu * (1.0 + d_log - mu @ d_log), rtol=1e-10, atol=EXACT)
    assert pi.sum() == pytest.approx(1.0, abs=EXACT)
    np.testing.assert_allclose(function.weights(np.stack((mu, other))), np.stack((pi, function.weights(other))), atol=EXACT)


@named
@few
@given(mu=weights, other=weights)
def test_log_value_is_log_g(name: str, mu: ndarray, other: ndarray) -> None:
    function, g = FAMILY[name]
    assert function.log_value(mu) == pytest.approx(float(np.log(g(mu + 0j)).real), rel=1e-11, abs=1e-11)
    np.testing.assert_allclose(function.log_value(np.stack((mu, other))), [function.log_value(mu), function.log_value(other)], atol=EXACT)


@named
@few
@given(p=weights, relative=relatives)
def test_l_divergence_is_its_definition(name: str, p: ndarray, relative: ndarray) -> None:
    function, g = FAMILY[name]
    q = moved(p, relative)
    gain = gradient(lambda x: np.log(g(x)), p) @ (q - p)
    assume(1.0 + gain > 1e-3)
    assert relative_gain(function, p, q) == pytest.approx(gain, rel=1e-10, abs=EXACT)
    expected = np.log1p(gain) - (np.log(g(q + 0j)) - np.log(g(p + 0j))).real
    assert l_divergence(function, p, q) == pytest.approx(expected, rel=1e-9, abs=1e-11)


@pytest.mark.parametrize("name", CONCAVE)
@few
@given(p=weights, relative=relatives, seed=st.integers(0, 2**32 - 1))
def test_l_divergence_of_concave_g_is_not_negative(name: str, p: ndarray, relative: ndarray, seed: int) -> None:
    function = FAMILY[name][0]
    assert l_divergence(function, p, moved(p, relative)) >= -EXACT
    assert concavity_check(function, N, np.random.default_rng(seed), segments=50).holds


@pytest.mark.parametrize("name", ["hill 2.0", "renyi 2.0"])
def test_a_function_that_is_not_concave_is_found_out(name: str) -> None:
    answer = concavity_check(FAMILY[name][0], N, np.random.default_rng(3))
    assert not answer.holds
    assert "not concave" in str(answer)
    assert answer.worst < 0.0 < answer.violations <= answer.segments
    p, q = answer.ends
    own = FAMILY[name][1]
    assert own(0.5 * (p + q)) / (0.5 * (own(p) + own(q))) - 1.0 == pytest.approx(answer.worst, abs=1e-9)


@named
@few
@given(p=weights, first=relatives, second=relatives)
def test_three_point_identity(name: str, p: ndarray, first: ndarray, second: ndarray) -> None:
    function = FAMILY[name][0]
    q, r = moved(p, first), moved(moved(p, first), second)
    once, then, held = (1.0 + float(relative_gain(function, *pair)) for pair in ((p, q), (q, r), (p, r)))
    assume(min(once, then, held) > 1e-3)
    told = l_divergence(function, p, q) + l_divergence(function, q, r) - l_divergence(function, p, r)
    assert told == pytest.approx(np.log(once * then / held), abs=1e-11)


@named
@few
@given(seed=st.integers(0, 2**32 - 1), mu=weights)
def test_drift_is_that_of_the_dense_hessian(name: str, seed: int, mu: ndarray) -> None:
    function, g = FAMILY[name]
    sigma = covariance(seed)
    d = np.eye(N) - mu
    tau = d @ sigma.dense() @ d.T
    expected = -0.5 * float(np.sum(np.real(hessian(g, mu)) * np.outer(mu, mu) * tau)) / float(np.real(g(mu + 0j)))
    assert function.drift(mu, sigma) == pytest.approx(expected, rel=1e-6, abs=1e-8)
    assert drift_from_divergence(function, mu, sigma) == pytest.approx(function.drift(mu, sigma), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("function", [Diversity(0.4), Entropy(0.3), GiniSimpson(), GeometricMean(C), Composite(((Entropy(), 0.5), (Market(), 0.1)))])
@few
@given(seed=st.integers(0, 2**32 - 1), mu=weights)
def test_drift_from_small_steps_is_the_closed_form(function: GeneratingFunction, seed: int, mu: ndarray) -> None:
    assert drift_from_divergence(function, mu, covariance(seed)) == pytest.approx(function.drift(mu, covariance(seed)), rel=1e-7, abs=1e-10)


@pytest.mark.parametrize("name", [name for name in FAMILY if name.startswith(("hill", "renyi", "shifted"))])
@few
@given(mu=weights, relative=relatives, order=st.permutations(range(N)))
def test_names_may_be_permuted_and_may_be_absent(name: str, mu: ndarray, relative: ndarray, order: list[int]) -> None:
    function = FAMILY[name][0]
    np.testing.assert_allclose(function.weights(mu[order]), function.weights(mu)[order], atol=EXACT)
    held = np.array([0, 2, 3, 4, 6, 7])
    wide, grown = np.zeros(N + 2), np.zeros(N + 2)
    wide[held], grown[held] = mu, moved(mu, relative)
    assert (np.delete(function.weights(wide), held) == 0.0).all()
    np.testing.assert_allclose(function.weights(wide)[held], function.weights(mu), atol=EXACT)
    assert function.log_value(wide) == pytest.approx(float(function.log_value(mu)), abs=EXACT)
    assert l_divergence(function, wide, grown) == pytest.approx(float(l_divergence(function, mu, moved(mu, relative))), abs=1e-11)


@some
@given(mu=weights, p=st.floats(0.05, 0.95))
def test_renyi_relation(mu: ndarray, p: float) -> None:
    """``log D_p = ((1 - p) / p) H_p``, D_p without its 1/n; the Hill number is the effective number of names."""
    unnormalised = float(Diversity(p).log_value(mu)) + np.log(N) / p
    assert unnormalised == pytest.approx((1.0 - p) / p * float(Hill(p).log_value(mu)), abs=1e-11)
    assert np.exp(Renyi(p).log_value(mu)) == pytest.approx(float(Hill(p).log_value(mu)), abs=1e-11)
    assert 1.0 - 1e-9 <= np.exp(Hill(p).log_value(mu)) <= N + 1e-9
    a = p / (1.0 - p)
    np.testing.assert_allclose(Hill(p).weights(mu), a * Diversity(p).weights(mu) + (1.0 - a) * mu, atol=EXACT * max(1.0, a))


def test_the_hill_number_of_an_equal_market_counts_its_names() -> None:
    for order in (0.0, 0.5, 1.0, 2.0):
        assert np.exp(Hill(order).log_value(np.array([0.25, 0.25, 0.25, 0.25, 0.0]))) == pytest.approx(4.0, abs=EXACT)
    np.testing.assert_array_equal(Hill(0.0).weights(C), C)


@some
@given(mu=weights, gap=st.floats(-1e-4, 1e-4).filter(lambda x: abs(x) > 1e-7))
def test_hill_and_renyi_are_continuous_through_order_one(mu: ndarray, gap: float) -> None:
    for family in (Hill, Renyi):
        np.testing.assert_allclose(family(1.0 + gap).weights(mu), family(1.0).weights(mu), atol=20.0 * abs(gap) + 1e-8)
        assert family(1.0 + gap).log_value(mu) == pytest.approx(float(family(1.0).log_value(mu)), abs=20.0 * abs(gap))


@some
@given(mu=weights, c=st.floats(0.0, 20.0))
def test_a_shift_dials_the_bet_by_the_value(mu: ndarray, c: float) -> None:
    """``G + c`` bets ``G / (G + c)`` times what G bets; the shifted entropy is one of them."""
    np.testing.assert_allclose(shifted(Entropy(), c).weights(mu), Entropy(c).weights(mu), atol=EXACT)
    g = float(np.exp(Diversity(0.3).log_value(mu)))
    active = Diversity(0.3).weights(mu) - mu
    np.testing.assert_allclose(shifted(Diversity(0.3), c).weights(mu) - mu, active * g / (g + c), atol=EXACT)


@some
@given(p=weights, relative=relatives)
def test_an_affine_function_buys_and_holds(p: ndarray, relative: ndarray) -> None:
    """Its weights after a step are those to which returns moved its holdings: nothing to trade, nothing earned by it."""
    function, q = Affine(0.3, C), moved(p, relative)
    np.testing.assert_allclose(moved(function.weights(p), q / p), function.weights(q), atol=EXACT)
    assert l_divergence(function, p, q) == 0.0


@some
@given(mu=weights, seed=st.integers(0, 2**32 - 1))
def test_a_user_function_is_the_family_it_writes_down(mu: ndarray, seed: int) -> None:
    own = UserFunction(lambda x: np.log(np.sum(x**0.5, axis=-1)) / 0.5)
    q = moved(mu, np.random.default_rng(seed).uniform(0.97, 1.03, N))
    np.testing.assert_allclose(own.weights(mu), Diversity(0.5).weights(mu), atol=EXACT)
    assert l_divergence(own, mu, q) == pytest.approx(float(l_divergence(Diversity(0.5), mu, q)), rel=1e-8)
    assert own.drift(mu, covariance(seed)) == pytest.approx(Diversity(0.5).drift(mu, covariance(seed)), rel=1e-6)


def test_a_user_function_leaves_out_names_without_weight() -> None:
    own = UserFunction(lambda x: np.log(np.sum(np.sqrt(x), axis=-1)))
    mu = np.array([0.5, 0.0, 0.3, 0.2])
    assert own.weights(mu)[1] == 0.0
    np.testing.assert_allclose(own.weights(mu)[[0, 2, 3]], own.weights(mu[[0, 2, 3]]), atol=EXACT)


def test_functions_refuse_what_they_cannot_generate() -> None:
    with pytest.raises(ValueError, match="not be negative and not all zero"):
        Affine(0.0, np.array([0.5, -0.1]))
    with pytest.raises(ValueError, match="not be negative and not all zero"):
        Affine(0.0, np.zeros(2))
    for refused in (lambda: Hill(-0.1), lambda: Renyi(-1.0), lambda: Renyi(0.5, -0.1)):
        with pytest.raises(ValueError, match="negative"):
            refused()
    with pytest.raises(ValueError, match="positive at these weights"):
        shifted(GiniSimpson(), -2.0).weights(C)
    with pytest.raises(ValueError, match="share"):
        Blend(Entropy(), A, 0.0)
    with pytest.raises(ValueError, match="write it analytically"):
        UserFunction(lambda x: np.log(np.abs(x).sum(axis=-1))).weights(C)
    for n, segments in ((1, 10), (3, 0)):
        with pytest.raises(ValueError, match="at least 2 names"):
            concavity_check(Entropy(), n, np.random.default_rng(1), segments=segments)


def test_a_narrow_bulge_is_found() -> None:
    """A dent in the middle of the simplex that reaches a thirtieth of its width."""
    dented = UserFunction(lambda x: np.log(1.0 - np.sum(x * x, axis=-1) - 0.05 * np.exp(-500.0 * np.sum((x - 1.0 / 3.0) ** 2, axis=-1))))
    assert not concavity_check(dented, 3, np.random.default_rng(2), segments=4000).holds
    assert "no counter-example to concavity on 4000" in str(concavity_check(Entropy(), 3, np.random.default_rng(2), segments=4000))
