"""Laws of functionally generated portfolios (Fernholz 2002, chapter 3), each against G written a second time, in complex arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gammastar.core.covariance import FactoredCovariance
from gammastar.core.excess_growth import excess_growth, free_energy
from gammastar.core.generating import (
    Composite,
    Diversity,
    Entropy,
    GeometricMean,
    GiniSimpson,
    Market,
    bet_dial,
    l_divergence,
    relative_value,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy import ndarray

    from gammastar.core.generating import GeneratingFunction

EXACT = 1e-12
P_VALUES = (-2.5, -1.0, -0.3, -1e-6, 0.0, 1e-6, 0.25, 0.5, 0.76, 1.0)
CONSTANT = np.array([0.4, 0.25, 0.15, 0.1, 0.07, 0.03])
N = len(CONSTANT)


def _diversity(p: float) -> Callable[[ndarray], complex]:
    if p == 0.0:
        return lambda mu: np.exp(np.mean(np.log(mu)))
    return lambda mu: np.mean(mu**p) ** (1.0 / p)


# each generating function with its G, written from the definition; complex arguments are for derivatives
FAMILY: dict[str, tuple[GeneratingFunction, Callable[[ndarray], complex]]] = {
    "market": (Market(), lambda mu: mu.sum() / mu.sum()),
    **{f"diversity {p}": (Diversity(p), _diversity(p)) for p in (*P_VALUES, 1.7, 3.0)},
    "entropy": (Entropy(), lambda mu: -np.sum(mu * np.log(mu))),
    "entropy shifted": (Entropy(0.7), lambda mu: 0.7 - np.sum(mu * np.log(mu))),
    "gini-simpson": (GiniSimpson(), lambda mu: 1.0 - 0.5 * np.sum(mu * mu)),
    "geometric mean": (GeometricMean(CONSTANT), lambda mu: np.exp(np.sum(CONSTANT * np.log(mu)))),
    "dial": (bet_dial(Diversity(0.5), 0.3), lambda mu: _diversity(0.5)(mu) ** 0.3),
    "composite": (
        Composite(((Entropy(0.2), 0.6), (Diversity(-0.5), 0.25))),
        lambda mu: (0.2 - np.sum(mu * np.log(mu))) ** 0.6 * _diversity(-0.5)(mu) ** 0.25,
    ),
}
CONCAVE = [name for name in FAMILY if name not in {"diversity 1.7", "diversity 3.0"}]

weights = arrays(np.float64, N, elements=st.floats(0.01, 1.0)).map(lambda x: x / x.sum())
relatives = arrays(np.float64, N, elements=st.floats(0.2, 5.0))
named = pytest.mark.parametrize("name", FAMILY)
few = settings(max_examples=5)  # of each member of the family: about a hundred of each law
some = settings(max_examples=20)


def moved(p: ndarray, relative: ndarray) -> ndarray:
    return p * relative / (p @ relative)


def covariance(rng: np.random.Generator, n: int = N) -> FactoredCovariance:
    return FactoredCovariance(rng.normal(0.0, 0.2, (n, 2)) + 0.1, rng.uniform(0.01, 0.2, n))


def gradient(g: Callable[[ndarray], complex], mu: ndarray) -> ndarray:
    """Complex steps: the derivative to the last digit."""
    step = 1e-40
    return np.array([g(mu + 1j * step * np.eye(len(mu))[i]).imag / step for i in range(len(mu))])


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
@given(mu=weights)
def test_weights_are_fernholz_formula_of_log_g(name: str, mu: ndarray) -> None:
    function, g = FAMILY[name]
    d_log = gradient(lambda x: np.log(g(x)), mu)
    np.testing.assert_allclose(function.weights(mu), mu * (1.0 + d_log - mu @ d_log), rtol=1e-11, atol=EXACT)


@named
@few
@given(mu=weights, other=weights)
def test_log_value_is_log_g(name: str, mu: ndarray, other: ndarray) -> None:
    function, g = FAMILY[name]
    assert function.log_value(mu) == pytest.approx(float(np.log(g(mu + 0j)).real), rel=1e-11, abs=1e-11 if "e-06" not in name else 1e-9)
    both = np.stack((mu, other))
    assert np.array_equal(function.log_value(both), [function.log_value(mu), function.log_value(other)])
    assert np.array_equal(function.weights(both), [function.weights(mu), function.weights(other)])


@named
@few
@given(mu=weights)
def test_weights_sum_to_one(name: str, mu: ndarray) -> None:
    pi = FAMILY[name][0].weights(mu)
    assert pi.sum() == pytest.approx(1.0, abs=EXACT)
    if name not in {"diversity 1.7", "diversity 3.0", "gini-simpson"}:
        assert (pi > 0.0).all()


@some
@given(mu=weights)
def test_diversity_is_equal_weight_at_zero_and_the_market_at_one(mu: ndarray) -> None:
    np.testing.assert_allclose(Diversity(0.0).weights(mu), 1.0 / N, atol=EXACT)
    assert np.array_equal(Diversity(1.0).weights(mu), mu)
    assert np.array_equal(Market().weights(mu), mu)


@some
@given(mu=weights, p=st.floats(-3.0, 1.5), above=st.floats(1e-6, 1.0))
def test_diversity_tilts_less_the_nearer_p_comes_to_one(mu: ndarray, p: float, above: float) -> None:
    largest = int(mu.argmax())
    assert Diversity(p).weights(mu)[largest] <= Diversity(p + above).weights(mu)[largest] + EXACT


@some
@given(mu=weights, p=st.floats(1e-15, 1e-4), sign=st.sampled_from((-1.0, 1.0)))
def test_diversity_is_continuous_in_p_through_zero(mu: ndarray, p: float, sign: float) -> None:
    """``log D_p = mean log mu + p var(log mu) / 2 + O(p^2)``: no digits may be lost however small p is."""
    log_mu, near = np.log(mu), Diversity(sign * p)
    third = np.abs(log_mu - log_mu.mean()).max() ** 3
    slack = EXACT + p * p * third
    assert near.log_value(mu) == pytest.approx(log_mu.mean() + 0.5 * sign * p * log_mu.var(), abs=slack)
    np.testing.assert_allclose(near.weights(mu), (1.0 + sign * p * (log_mu - log_mu.mean())) / N, atol=EXACT + p * p * 2.0 * third)


@some
@given(mu=weights, p=st.floats(0.05, 0.95) | st.floats(-3.0, -0.05))
def test_renyi_relation(mu: ndarray, p: float) -> None:
    """``log of the unnormalised D_p = ((1 - p) / p) H_p`` with the Renyi entropy ``H_p = log(sum mu^p) / (1 - p)``."""
    renyi = np.log(np.sum(mu**p)) / (1.0 - p)
    assert Diversity(p).log_value(mu) + np.log(N) / p == pytest.approx((1.0 - p) / p * renyi, rel=1e-11, abs=1e-11)


@pytest.mark.parametrize("name", CONCAVE)
@few
@given(p=weights, relative=relatives)
def test_l_divergence_of_concave_g_is_not_negative(name: str, p: ndarray, relative: ndarray) -> None:
    assert l_divergence(FAMILY[name][0], p, moved(p, relative)) >= -EXACT


@some
@given(p=weights, relative=relatives, power=st.floats(1.0, 4.0))
def test_l_divergence_of_diversity_beyond_one_is_not_positive(p: ndarray, relative: ndarray, power: float) -> None:
    assert l_divergence(Diversity(power), p, moved(p, relative)) <= EXACT


@named
@few
@given(p=weights, relative=relatives)
def test_l_divergence_is_its_gradient_form(name: str, p: ndarray, relative: ndarray) -> None:
    """``T(q|p) = log(1 + grad log G(p).(q - p)) - log(G(q) / G(p))``."""
    function, g = FAMILY[name]
    q = moved(p, relative)
    slope = gradient(lambda x: np.log(g(x)), p) @ (q - p)
    assume(1.0 + slope > 1e-3)
    expected = np.log1p(slope) - (np.log(g(q + 0j)) - np.log(g(p + 0j))).real
    assert l_divergence(function, p, q) == pytest.approx(expected, rel=1e-10, abs=1e-11 if "e-06" not in name else 1e-8)


@some
@given(p=weights, relative=relatives, power=st.floats(-3.0, -0.01) | st.floats(0.01, 3.0))
def test_l_divergence_of_diversity_compares_power_means(p: ndarray, relative: ndarray, power: float) -> None:
    """``T = log M_1(r; pi) - log M_p(r; pi)``."""
    function, q = Diversity(power), moved(p, relative)
    pi, r = function.weights(p), q / p
    assert l_divergence(function, p, q) == pytest.approx(np.log(pi @ r) - np.log(pi @ r**power) / power, rel=1e-10, abs=1e-12)


@some
@given(p=weights, relative=relatives)
def test_l_divergence_at_p_zero_is_free_energy(p: ndarray, relative: ndarray) -> None:
    q = moved(p, relative)
    assert l_divergence(Diversity(0.0), p, q) == pytest.approx(float(free_energy(np.full(N, 1.0 / N), q / p)), abs=EXACT)
    assert l_divergence(GeometricMean(CONSTANT), p, q) == pytest.approx(float(free_energy(CONSTANT, q / p)), abs=EXACT)


@dataclass(frozen=True, eq=False)
class Affine:
    """``G = b . mu``: buy and hold of b shares each."""

    b: ndarray

    def log_value(self, mu: ndarray) -> ndarray:
        return np.log(mu @ self.b)

    def weights(self, mu: ndarray) -> ndarray:
        return mu * self.b / (mu @ self.b)[..., None]

    def drift(self, mu: ndarray, sigma: FactoredCovariance) -> float:
        return 0.0


@some
@given(p=weights, relative=relatives, b=arrays(np.float64, N, elements=st.floats(0.1, 3.0)))
def test_linear_g_gives_no_l_divergence(p: ndarray, relative: ndarray, b: ndarray) -> None:
    q = moved(p, relative)
    assert l_divergence(Market(), p, q) == pytest.approx(0.0, abs=EXACT)
    assert l_divergence(Diversity(1.0), p, q) == pytest.approx(0.0, abs=EXACT)
    assert l_divergence(Affine(b), p, q) == pytest.approx(0.0, abs=EXACT)


@named
@few
@given(p=weights, first=relatives, second=relatives)
def test_three_point_identity(name: str, p: ndarray, first: ndarray, second: ndarray) -> None:
    """Rebalancing at q instead of holding on from p to r pays ``T(q|p) + T(r|q) - T(r|p)``, exactly."""
    function = FAMILY[name][0]
    q, r = moved(p, first), moved(moved(p, first), second)
    held = function.weights(p) @ (r / p)
    assume(held > 1e-3 and min(function.weights(p) @ (q / p), function.weights(q) @ (r / q)) > 1e-3)
    rebalanced = (function.weights(p) @ (q / p)) * (function.weights(q) @ (r / q))
    told = l_divergence(function, p, q) + l_divergence(function, q, r) - l_divergence(function, p, r)
    assert told == pytest.approx(np.log(rebalanced) - np.log(held), abs=1e-11)


@named
@few
@given(seed=st.integers(0, 2**32 - 1), mu=weights)
def test_drift_is_that_of_the_dense_hessian(name: str, seed: int, mu: ndarray) -> None:
    """``g = -(1/2G) sum_ij D_ij G mu_i mu_j tau^mu_ij``."""
    function, g = FAMILY[name]
    sigma = covariance(np.random.default_rng(seed))
    d = np.eye(N) - mu  # rows e_i - mu
    tau = d @ sigma.dense() @ d.T
    expected = -0.5 * float(np.sum(hessian(g, mu) * np.outer(mu, mu) * tau)) / float(np.real(g(mu + 0j)))
    assert function.drift(mu, sigma) == pytest.approx(expected, rel=1e-6, abs=1e-8)


@named
@few
@given(seed=st.integers(0, 2**32 - 1), mu=weights)
def test_drift_does_not_depend_on_the_numeraire(name: str, seed: int, mu: ndarray) -> None:
    """A shock common to all names leaves relative covariances, and with them the drift, alone."""
    sigma = covariance(np.random.default_rng(seed))
    shocked = FactoredCovariance(np.column_stack((sigma.loadings, np.full(N, 0.5))), sigma.specific)
    function = FAMILY[name][0]
    assert function.drift(mu, shocked) == pytest.approx(function.drift(mu, sigma), abs=1e-11)


@some
@given(seed=st.integers(0, 2**32 - 1), mu=weights, a=st.floats(-1.0, 2.0), name=st.sampled_from(sorted(FAMILY)))
def test_the_bet_dial_scales_bet_and_tracking_error_exactly(seed: int, mu: ndarray, a: float, name: str) -> None:
    function, sigma = FAMILY[name][0], covariance(np.random.default_rng(seed))
    dialled, active = bet_dial(function, a), function.weights(mu) - mu
    np.testing.assert_allclose(dialled.weights(mu) - mu, a * active, atol=EXACT)
    full, scaled = (np.sqrt(sigma.quadratic(x.weights(mu) - mu)) for x in (function, dialled))
    assert scaled == pytest.approx(abs(a) * full, abs=EXACT)
    assert dialled.log_value(mu) == pytest.approx(a * float(function.log_value(mu)), abs=EXACT)
    assert dialled.drift(mu, sigma) == pytest.approx(a * function.drift(mu, sigma) + 0.5 * a * (1.0 - a) * full**2, abs=EXACT)


@some
@given(mu=weights, a=st.floats(-1.0, 1.0), b=st.floats(-1.0, 1.0), names=st.tuples(*2 * [st.sampled_from(sorted(FAMILY))]))
def test_a_composition_generates_the_mixture(mu: ndarray, a: float, b: float, names: tuple[str, str]) -> None:
    """``G1^a G2^b`` generates ``a pi1 + b pi2 + (1 - a - b) mu``."""
    one, two = (FAMILY[name][0] for name in names)
    mixture = a * one.weights(mu) + b * two.weights(mu) + (1.0 - a - b) * mu
    np.testing.assert_allclose(Composite(((one, a), (two, b))).weights(mu), mixture, atol=EXACT)


@some
@given(mu=weights, shift=st.floats(0.0, 50.0))
def test_shifted_entropy_dials_the_entropy_bet(mu: ndarray, shift: float) -> None:
    """``S + c`` bets ``S / (S + c)`` times what S bets."""
    entropy = -float(mu @ np.log(mu))
    plain, shifted = Entropy().weights(mu) - mu, Entropy(shift).weights(mu) - mu
    np.testing.assert_allclose(shifted, plain * entropy / (entropy + shift), atol=EXACT)


@pytest.mark.parametrize("name", [name for name in FAMILY if name != "geometric mean"])
@few
@given(mu=weights, order=st.permutations(range(N)))
def test_permuting_names_permutes_weights(name: str, mu: ndarray, order: list[int]) -> None:
    function = FAMILY[name][0]
    np.testing.assert_allclose(function.weights(mu[order]), function.weights(mu)[order], atol=EXACT)
    assert function.log_value(mu[order]) == pytest.approx(float(function.log_value(mu)), abs=EXACT)


@pytest.mark.parametrize("name", [name for name in FAMILY if name != "geometric mean"])
@few
@given(mu=weights, relative=relatives, seed=st.integers(0, 2**32 - 1))
def test_a_name_without_weight_is_not_in_the_market(name: str, mu: ndarray, relative: ndarray, seed: int) -> None:
    function = FAMILY[name][0]
    sigma, held = covariance(np.random.default_rng(seed), N + 2), np.array([0, 2, 3, 4, 6, 7])
    wide, grown = np.zeros(N + 2), np.zeros(N + 2)
    wide[held], grown[held] = mu, moved(mu, relative)
    pi = function.weights(wide)
    assert (np.delete(pi, held) == 0.0).all()
    np.testing.assert_allclose(pi[held], function.weights(mu), atol=EXACT)
    assert function.log_value(wide) == pytest.approx(float(function.log_value(mu)), abs=EXACT)
    assert l_divergence(function, wide, grown) == pytest.approx(float(l_divergence(function, mu, moved(mu, relative))), abs=1e-11)
    assert function.drift(wide, sigma) == pytest.approx(function.drift(mu, sigma.take(held)), abs=1e-11)


def test_the_equal_market_gives_every_member_of_the_family_the_equal_weight() -> None:
    equal = np.full(N, 1.0 / N)
    for name, (function, _) in FAMILY.items():
        if name != "geometric mean":
            np.testing.assert_allclose(function.weights(equal), equal, atol=EXACT)


@some
@given(p=weights, relative=relatives)
def test_relative_value_is_that_of_the_money(p: ndarray, relative: ndarray) -> None:
    """Wealth of the portfolio over wealth of the market after one step, counted in money."""
    for function, _ in FAMILY.values():
        pi = function.weights(p)
        assert relative_value(function, p, moved(p, relative)) == pytest.approx((pi @ relative) / (p @ relative), rel=1e-11, abs=EXACT)


@pytest.mark.parametrize("p", [-400.0, -60.0, 60.0, 400.0])
def test_diversity_holds_for_extreme_p(p: float) -> None:
    """The power mean tends to the largest weight, or to the smallest, and the portfolio to that name."""
    mu = np.array([0.5, 0.3, 0.19999, 1e-5])
    edge = int(mu.argmax() if p > 0.0 else mu.argmin())
    pi = Diversity(p).weights(mu)
    assert pi.sum() == pytest.approx(1.0, abs=EXACT)
    assert pi[edge] == pytest.approx(1.0, abs=1e-6)
    assert Diversity(p).log_value(mu) == pytest.approx(np.log(mu[edge]) - np.log(4.0) / p, abs=1e-6)


def test_functions_refuse_what_they_cannot_generate() -> None:
    with pytest.raises(ValueError, match="shift"):
        Entropy(-0.1)
    with pytest.raises(ValueError, match="sum to one"):
        GeometricMean(np.array([0.5, 0.4]))


def test_drift_of_the_geometric_mean_is_excess_growth() -> None:
    sigma = covariance(np.random.default_rng(3))
    assert GeometricMean(CONSTANT).drift(CONSTANT[::-1], sigma) == excess_growth(CONSTANT, sigma)
