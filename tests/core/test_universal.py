"""Cover's universal portfolio: three roads to one number, and a bound that no market breaks."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from math import factorial, prod
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gammastar.core import universal
from gammastar.core.growth_optimal import growth_optimal
from gammastar.core.universal import (
    UniversalPortfolio,
    regret_bound,
    simplex_grid,
    simplex_quadrature,
    universal_over,
    universal_pair,
    universal_sampled,
)

if TYPE_CHECKING:
    from numpy import ndarray

EXACT = 1e-12
some = settings(max_examples=25)
pairs = st.integers(1, 30).flatmap(lambda t: arrays(np.float64, (t, 2), elements=st.floats(0.2, 5.0)))
alphas = st.sampled_from([0.5, 1.0, 2.5])


def market(seed: int, steps: int, names: int, spread: float = 0.2) -> ndarray:
    return np.exp(np.random.default_rng(seed).normal(0.0, spread, (steps, names)))


def earns_what_it_holds(found: UniversalPortfolio, gross: ndarray) -> None:
    """Weights and wealth belong together: the wealth is earned by the weights."""
    earned = np.log(np.einsum("tn,tn->t", found.weights[:-1], gross))
    np.testing.assert_allclose(np.diff(found.log_wealth), earned, atol=EXACT)
    np.testing.assert_allclose(found.weights.sum(axis=1), 1.0, atol=EXACT)
    assert found.weights.min() >= 0.0
    assert found.log_wealth[0] == 0.0


def exact_wealth(gross: ndarray, names: int) -> float:
    """The integral of the polynomial under the uniform prior, in fractions: ``integral prod b^k = (n-1)! prod k! / (t + n - 1)!``."""
    rows = [[Fraction(float(x)) for x in row] for row in gross]
    total = Fraction(0)
    for chosen in product(range(names), repeat=len(rows)):
        counts = [chosen.count(name) for name in range(names)]
        moment = Fraction(factorial(names - 1) * prod(map(factorial, counts)), factorial(len(rows) + names - 1))
        total += moment * prod((row[name] for row, name in zip(rows, chosen, strict=True)), start=Fraction(1))
    return float(total)


@pytest.mark.parametrize("names", [2, 3])
def test_short_histories_in_fractions(names: int) -> None:
    gross = market(1, 6, names)
    expected = exact_wealth(gross, names)
    assert np.exp(universal_over(gross, *simplex_quadrature(names, 4)).log_wealth[-1]) == pytest.approx(expected, rel=EXACT)
    if names == 2:
        assert np.exp(universal_pair(gross).log_wealth[-1]) == pytest.approx(expected, rel=EXACT)


@some
@given(gross=pairs, alpha=alphas)
def test_recursion_and_quadrature_agree_all_along(gross: ndarray, alpha: float) -> None:
    exact = universal_pair(gross, alpha=alpha)
    points = len(gross) // 2 + 2  # exact while t + 1 <= 2 points - 1
    rule = universal_over(gross, *simplex_quadrature(2, points, alpha=alpha))
    np.testing.assert_allclose(rule.log_wealth, exact.log_wealth, atol=1e-11)
    np.testing.assert_allclose(rule.weights, exact.weights, atol=1e-11)
    earns_what_it_holds(exact, gross)
    assert exact.log_wealth_se == 0.0


@some
@given(gross=pairs, alpha=st.sampled_from([0.5, 1.0]))
def test_no_market_breaks_the_bound(gross: ndarray, alpha: float) -> None:
    best = growth_optimal(gross)
    regret = len(gross) * best.growth - universal_pair(gross, alpha=alpha).log_wealth[-1]
    assert -1e-9 <= regret <= regret_bound(2, len(gross), alpha=alpha) + 1e-9


@pytest.mark.parametrize("alpha", [0.5, 1.0])
def test_the_bound_is_reached_when_one_asset_alone_pays(alpha: float) -> None:
    gross = np.tile([1.0, 1e-30], (50, 1))
    assert -universal_pair(gross, alpha=alpha).log_wealth[-1] == pytest.approx(regret_bound(2, 50, alpha=alpha), rel=1e-12)
    assert regret_bound(2, 50) == pytest.approx(np.log(51.0), rel=EXACT)
    assert regret_bound(3, 50) == pytest.approx(np.log(52 * 51 / 2), rel=EXACT)


@some
@given(gross=pairs, alpha=alphas)
def test_swapping_the_assets_swaps_the_weights(gross: ndarray, alpha: float) -> None:
    one, other = universal_pair(gross, alpha=alpha), universal_pair(gross[:, ::-1], alpha=alpha)
    np.testing.assert_allclose(one.log_wealth, other.log_wealth, atol=EXACT)
    np.testing.assert_allclose(one.weights, other.weights[:, ::-1], atol=EXACT)


@pytest.mark.parametrize(("names", "parts"), [(1, 3), (2, 20), (3, 5), (4, 3)])
def test_grid_is_the_mean_of_its_portfolios(names: int, parts: int) -> None:
    nodes, masses = simplex_grid(names, parts)
    assert len({tuple(row) for row in np.rint(nodes * parts).astype(int)}) == len(nodes) == len(masses)
    np.testing.assert_allclose(nodes.sum(axis=1), 1.0, atol=EXACT)
    gross = market(2, 300, names)
    found = universal_over(gross, nodes, masses)
    assert np.exp(found.log_wealth[-1]) == pytest.approx(np.exp(np.log(gross @ nodes.T).sum(axis=0)).mean(), rel=1e-10)
    earns_what_it_holds(found, gross)


def test_coarsest_grid_is_buy_and_hold() -> None:
    gross = market(3, 90, 3)
    assert np.exp(universal_over(gross, *simplex_grid(3, 1)).log_wealth[-1]) == pytest.approx(gross.prod(axis=0).mean(), rel=1e-10)


@pytest.mark.parametrize("names", [2, 3, 4])
@pytest.mark.parametrize("alpha", [0.5, 1.0, 3.0])
def test_quadrature_has_the_moments_of_the_prior(names: int, alpha: float) -> None:
    nodes, masses = simplex_quadrature(names, 6, alpha=alpha)
    total = names * alpha
    for name in range(names):
        assert masses @ nodes[:, name] == pytest.approx(1 / names, abs=EXACT)
        assert masses @ nodes[:, name] ** 2 == pytest.approx(alpha * (alpha + 1) / (total * (total + 1)), abs=EXACT)
    assert masses @ (nodes[:, 0] * nodes[:, -1]) == pytest.approx(alpha**2 / (total * (total + 1)), abs=EXACT)


def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    gross, grid = market(4, 150, 3), simplex_grid(3, 8)
    whole = universal_over(gross, *grid)
    monkeypatch.setattr(universal, "BLOCK", 7)
    pieces = universal_over(gross, *grid)
    np.testing.assert_allclose(pieces.log_wealth, whole.log_wealth, atol=EXACT)
    np.testing.assert_allclose(pieces.weights, whole.weights, atol=EXACT)


@pytest.mark.parametrize(
    ("names", "alpha", "steps", "spread"), [(2, 0.5, 120, 0.2), (3, 1.0, 120, 0.2), (3, 0.5, 120, 0.2), (3, 1.0, 30, 1.0), (2, 0.5, 30, 1.0)]
)
def test_sampler_is_within_its_errors_of_the_rule(names: int, alpha: float, steps: int, spread: float) -> None:
    gross = market(17, steps, names, spread)
    rule = universal_over(gross, *simplex_quadrature(names, 61, alpha=alpha))
    found = universal_sampled(gross, rng=np.random.default_rng(18), alpha=alpha, particles=1000, replicas=16)
    assert 0.0 < found.log_wealth_se < 0.03
    assert abs(np.expm1(found.log_wealth[-1] - rule.log_wealth[-1])) <= 4.0 * found.log_wealth_se
    np.testing.assert_allclose(found.weights, rule.weights, atol=0.03)


@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("steps", [0, 3])
def test_the_chain_leaves_wealth_times_prior_as_it_is(alpha: float, steps: int) -> None:
    """Started far off, at equal weights, it finds the law; moments within four standard errors of independent draws."""
    rng, gross, draws = np.random.default_rng(19), market(20, steps, 3, 1.0), 20_000
    nodes = rng.dirichlet(np.full(3, 30.0), draws)
    for _ in range(3):
        nodes = universal._moved(nodes, gross, alpha, np.array([[1.5, 0.0], [0.5, 1.5]]) / np.sqrt(alpha), rng)
    rule, masses = simplex_quadrature(3, 30, alpha=alpha)
    shares = masses * np.prod(rule @ gross.T, axis=1)
    shares /= shares.sum()
    for power in (1, 2):
        np.testing.assert_allclose((nodes**power).mean(axis=0), shares @ rule**power, atol=4.0 * 0.45 / np.sqrt(draws))


def test_sampler_repeats_with_its_seed_and_spreads_as_it_says() -> None:
    gross = market(5, 60, 5)
    runs = [universal_sampled(gross, rng=np.random.default_rng(seed), particles=100, replicas=4) for seed in (1, 1, *range(2, 22))]
    assert np.array_equal(runs[0].weights, runs[1].weights)
    last = np.array([run.log_wealth[-1] for run in runs[1:]])
    told = np.sqrt(np.mean([run.log_wealth_se**2 for run in runs[1:]]))
    assert 0.65 < last.std(ddof=1) / told < 1.5


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: universal_pair(np.ones((3, 3))), "two assets"),
        (lambda: universal_pair(np.zeros((3, 2))), "positive"),
        (lambda: universal_pair(np.ones((3, 2)), alpha=0.0), "alpha"),
        (lambda: universal_over(np.ones((3, 2)), *simplex_grid(3, 2)), "do not fit"),
        (lambda: universal_over(np.ones((3, 2)), np.eye(2), np.ones(2)), "sum to one"),
        (lambda: simplex_grid(40, 40), "no grid"),
        (lambda: simplex_quadrature(1, 3), "no rule"),
        (lambda: regret_bound(2, 10, alpha=0.4), "1/2"),
        (lambda: universal_sampled(np.ones((3, 3)), rng=np.random.default_rng(0), particles=5), "sampling needs"),
    ],
)
def test_what_cannot_be_used_is_refused(call: object, message: str) -> None:
    assert callable(call)
    with pytest.raises(ValueError, match=message):
        call()
