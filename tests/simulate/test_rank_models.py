"""Atlas, first-order and hybrid markets: closed forms against each other, and simulated paths against them at four standard errors."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gammastar.core.rank import local_times
from gammastar.simulate import Atlas, FirstOrder, Grid, HybridAtlas, Paths

SESSION = 1.0 / 252.0


def mean_and_error(by_path: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return by_path.mean(axis=0), by_path.std(axis=0, ddof=1) / np.sqrt(len(by_path))


def gaps(paths: Paths) -> np.ndarray:
    """Mean gaps over time of each path."""
    return np.diff(np.sort(-paths.log_capitalisations, axis=-1), axis=-1).mean(axis=1)


def occupations(paths: Paths) -> np.ndarray:
    """Share of time of each path that rank k is held by name i, shape (paths, n, n)."""
    order = np.argsort(-paths.log_capitalisations, axis=-1, kind="stable")
    n = order.shape[-1]
    return np.stack([(order == i).mean(axis=1) for i in range(n)], axis=-1)


def local_time_rates(paths: Paths) -> np.ndarray:
    return np.array([local_times(path).sum(axis=0)[:-1] for path in paths.log_capitalisations]) / paths.grid.years


ATLAS = Atlas(names=10, drift=0.05, volatility=0.3, growth=0.07)
AFFINE = FirstOrder([-0.15, -0.1, -0.05, 0.0, 0.1, 0.2], np.sqrt(np.linspace(0.04, 0.14, 6)))
HYBRID = HybridAtlas([-0.3, -0.1, 0.0, 0.4], np.sqrt([0.10, 0.08, 0.06, 0.04]), [0.1, 0.05, -0.05, -0.1])


@pytest.fixture(scope="module")
def atlas_paths() -> Paths:
    return ATLAS.simulate(Grid(756, paths=1200), 20)


def test_atlas_mean_gaps(atlas_paths: Paths) -> None:
    mean, error = mean_and_error(gaps(atlas_paths))
    bias = ATLAS.euler_gap_bias(SESSION)
    assert (bias < 0.011 * ATLAS.mean_gap()).all()
    assert (mean - ATLAS.mean_gap() < 4.0 * error + bias).all()
    assert (mean - ATLAS.mean_gap() > -4.0 * error).all()


def test_atlas_gaps_start_independent_and_exponential() -> None:
    draws = ATLAS.stationary_gaps(np.random.default_rng(1), 40000) / ATLAS.mean_gap()
    error = 1.0 / np.sqrt(40000)
    assert (np.abs(draws.mean(axis=0) - 1.0) < 4.0 * error).all()
    assert (np.abs((draws > 1.0).mean(axis=0) - math.exp(-1.0)) < 4.0 * error / 2).all()
    assert (np.abs(np.corrcoef(draws.T) - np.eye(9)) < 4.5 * error).all()


def test_atlas_local_time_rates(atlas_paths: Paths) -> None:
    rates = local_time_rates(atlas_paths)
    mean, error = mean_and_error(rates)
    assert (np.abs(mean - ATLAS.local_time_rate()) < 4.0 * error).all()
    assert (error < 0.045 * ATLAS.local_time_rate()).all()
    stated = ATLAS.local_time_standard_error(1200 * 3.0)
    assert (np.abs(mean - ATLAS.local_time_rate()) < 4.0 * stated).all()


def test_each_name_spends_an_equal_time_at_each_rank(atlas_paths: Paths) -> None:
    share, error = mean_and_error(occupations(atlas_paths))
    assert (np.abs(share - ATLAS.occupation()) < 4.0 * error).all()
    assert (error < 0.012).all()
    np.testing.assert_allclose(ATLAS.occupation().sum(axis=0), 1.0)


def test_the_standard_error_of_local_time_rates_is_the_stated_one() -> None:
    model, paths = FirstOrder([-0.8, -0.4, 0.4, 0.8], np.sqrt([0.04, 0.06, 0.08, 0.10])), 300
    rates = local_time_rates(model.simulate(Grid(1500, paths=paths, years_per_step=0.02), 5))
    ratio = rates.std(axis=0, ddof=1) / model.local_time_standard_error(30.0)
    # the bounded term of the exact identity is worth another few percent over thirty years
    assert (np.abs(ratio - 1.0) < 4.0 / np.sqrt(2.0 * paths) + 0.05).all()


def test_atlas_is_the_first_order_model_it_says() -> None:
    general = ATLAS.first_order
    np.testing.assert_allclose(ATLAS.local_time_rate(), general.local_time_rate(), rtol=1e-12)
    np.testing.assert_allclose(ATLAS.mean_gap(), general.mean_gap(), rtol=1e-12)
    np.testing.assert_allclose(ATLAS.euler_gap_bias(0.01), general.euler_gap_bias(0.01), rtol=1e-12)
    np.testing.assert_allclose(ATLAS.local_time_standard_error(7.0), general.local_time_standard_error(7.0), rtol=1e-12)
    relative = ATLAS.local_time_standard_error(7.0) / ATLAS.local_time_rate()
    k = np.arange(1, 10)
    np.testing.assert_allclose(relative, 0.3 / 0.05 * np.sqrt((1 / k - 1 / 10) / 7.0), rtol=1e-12)
    weights = np.random.default_rng(1).dirichlet(np.ones(10), 3)
    np.testing.assert_allclose(ATLAS.excess_growth(weights), general.excess_growth(weights), rtol=1e-12)
    grid = Grid(3, paths=2)
    np.testing.assert_array_equal(
        ATLAS.simulate(grid, 1).log_capitalisations, general.simulate(grid, 1).log_capitalisations
    )


def test_the_capital_curve_of_a_large_atlas_market_is_a_line() -> None:
    model = Atlas(names=2000, drift=0.05, volatility=0.3)
    curve = model.capital_curve()
    assert np.exp(curve).sum() == pytest.approx(1.0)
    k = np.array([50, 500])
    slope = (curve[k[1] - 1] - curve[k[0] - 1]) / np.log(k[1] / k[0])
    assert slope == pytest.approx(-(0.3**2) / (2 * 0.05), rel=0.01)
    np.testing.assert_allclose(-np.diff(curve), model.mean_gap(), rtol=1e-9)


def test_first_order_gaps_where_variances_are_affine_in_the_rank() -> None:
    assert AFFINE.has_exact_gaps
    mean, error = mean_and_error(gaps(AFFINE.simulate(Grid(504, paths=500), 6)))
    bias = AFFINE.euler_gap_bias(SESSION)
    assert (bias < 0.01 * AFFINE.mean_gap()).all()
    assert (np.abs(mean - AFFINE.mean_gap()) < 4.0 * error + bias).all()
    assert AFFINE.weighted_gap() == pytest.approx(float(AFFINE.local_time_rate() @ AFFINE.mean_gap()), rel=1e-12)


def test_first_order_local_times_and_growth() -> None:
    model = FirstOrder(AFFINE.drifts, AFFINE.volatilities, growth=0.2)
    paths = model.simulate(Grid(504, paths=300), 8)
    mean, error = mean_and_error(local_time_rates(paths))
    assert (np.abs(mean - model.local_time_rate()) < 4.0 * error).all()
    grown = paths.log_capitalisations[:, -1].mean(axis=1) - paths.log_capitalisations[:, 0].mean(axis=1)
    mean, error = mean_and_error(grown / 2.0)
    assert abs(mean - 0.2) < 4.0 * error


def test_elsewhere_the_gap_formula_is_an_approximation_and_the_weighted_sum_is_exact() -> None:
    """Variances 1, 4, 1: the formula is 20% off, as the sum foretells."""
    model = FirstOrder([-0.5, 0.0, 0.5], 0.2 * np.array([1.0, 2.0, 1.0]))
    assert not model.has_exact_gaps
    assert float(model.local_time_rate() @ model.mean_gap()) / model.weighted_gap() == pytest.approx(1.25)
    grid = Grid(2000, paths=200, years_per_step=0.01, burn_in=3.0)
    by_path = gaps(model.simulate(grid, 7))
    mean, _ = mean_and_error(by_path)
    assert (mean < 0.9 * model.mean_gap()).all()
    total, total_error = mean_and_error(by_path @ model.local_time_rate())
    assert abs(total - model.weighted_gap(0.01)) < 4.0 * total_error
    assert total_error < 0.02 * model.weighted_gap()


@pytest.mark.parametrize(
    "model",
    [Atlas(5, 0.5, 0.3).first_order, FirstOrder(5.0 * AFFINE.drifts, AFFINE.volatilities)],
    ids=["atlas", "affine"],
)
def test_the_euler_bias_of_the_gaps_is_the_stated_one(model: FirstOrder) -> None:
    step = 0.1
    by_path = gaps(model.simulate(Grid(2500, paths=200, years_per_step=step, burn_in=10.0), 3))
    mean, error = mean_and_error(by_path)
    bias = mean - model.mean_gap()
    assert (bias > -4.0 * error).all()
    assert (bias < model.euler_gap_bias(step) + 4.0 * error).all()
    total, total_error = mean_and_error(by_path @ model.local_time_rate())
    assert abs(total - model.weighted_gap(step)) < 4.0 * total_error
    assert model.weighted_gap(step) - model.weighted_gap() > 10.0 * total_error  # the bias is there to be seen


def test_refinement_divides_the_bias() -> None:
    model, start = Atlas(5, 0.5, 0.3).first_order, None
    sums = []
    for substeps in (1, 10):
        grid = Grid(1000, paths=200, years_per_step=0.1, substeps=substeps, burn_in=10.0)
        sums.append(mean_and_error(gaps(model.simulate(grid, 4, start=start)) @ model.local_time_rate()))
    assert sums[0][0] - sums[1][0] == pytest.approx(
        0.09 * float(np.sum(model.drifts**2)), abs=4.0 * math.hypot(sums[0][1], sums[1][1])
    )


def by_permutations(model: HybridAtlas) -> tuple[np.ndarray, np.ndarray]:
    """Occupation and mean gaps by the sum over all orders (Ichiba et al. 2011, theorem 2 and corollary 2)."""
    n = len(model)
    variances = model.volatilities**2
    occupation, gap, total = np.zeros((n, n)), np.zeros(n - 1), 0.0
    for order in itertools.permutations(range(n)):
        drift = np.cumsum(model.drifts + model.name_drifts[list(order)])[:-1]
        means = (variances[:-1] + variances[1:]) / (-4.0 * drift)
        chance = float(np.prod(means))
        occupation[np.arange(n), order] += chance
        gap += chance * means
        total += chance
    return occupation / total, gap / total


def test_hybrid_laws_by_sets_are_those_by_permutations() -> None:
    model = HybridAtlas([-0.3, -0.2, 0.0, 0.1, 0.4], np.sqrt(np.linspace(0.04, 0.2, 5)), [0.1, 0.05, 0.0, -0.05, -0.1])
    occupation, gap = by_permutations(model)
    np.testing.assert_allclose(model.occupation(), occupation, rtol=1e-12)
    np.testing.assert_allclose(model.mean_gap(), gap, rtol=1e-12)


@given(st.integers(2, 7), st.integers(0, 2**32 - 1))
@settings(max_examples=30)
def test_hybrid_occupation_balances_the_drifts(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    pull = -rng.uniform(0.1, 1.0, n - 1)
    drifts = np.diff(pull, prepend=0.0, append=0.0)
    own = rng.uniform(-1.0, 1.0, n)
    own -= own.mean()
    own *= 0.9 * np.min(-pull / np.maximum(np.cumsum(np.sort(own)[::-1])[:-1], 1e-9)) * rng.random()
    model = HybridAtlas(drifts, np.sqrt(np.linspace(0.05, rng.uniform(0.05, 0.5), n)), own)
    share = model.occupation()
    np.testing.assert_allclose(share.sum(axis=0), 1.0, atol=1e-12)
    np.testing.assert_allclose(share.sum(axis=1), 1.0, atol=1e-12)
    np.testing.assert_allclose(model.drifts @ share, -model.name_drifts, atol=1e-12)


def test_a_hybrid_market_whose_names_are_alike_is_a_first_order_market() -> None:
    model = HybridAtlas(AFFINE.drifts, AFFINE.volatilities, np.zeros(6))
    np.testing.assert_allclose(model.occupation(), AFFINE.occupation(), rtol=1e-12)
    np.testing.assert_allclose(model.mean_gap(), AFFINE.mean_gap(), rtol=1e-12)
    np.testing.assert_allclose(model.local_time_rate(), AFFINE.local_time_rate(), rtol=1e-12)


def test_hybrid_paths_start_and_stay_in_their_law() -> None:
    paths = HYBRID.simulate(Grid(756, paths=400), 2)
    bias = FirstOrder(HYBRID.drifts, HYBRID.volatilities).euler_gap_bias(SESSION)
    mean, error = mean_and_error(gaps(paths))
    assert (np.abs(mean - HYBRID.mean_gap()) < 4.0 * error + bias).all()
    share, error = mean_and_error(occupations(paths))
    assert (np.abs(share - HYBRID.occupation()) < 4.0 * error + 0.002).all()
    rates, error = mean_and_error(local_time_rates(paths))
    assert (np.abs(rates - HYBRID.local_time_rate()) < 4.0 * error + 0.002).all()
    weights = HYBRID.stationary_weights(np.random.default_rng(1), 40000)
    mean, error = mean_and_error(np.diff(np.sort(-np.log(weights), axis=1), axis=1))
    assert (np.abs(mean - HYBRID.mean_gap()) < 4.0 * error).all()
    order = np.argsort(-weights, axis=1)
    drawn = np.array([(order == i).mean(axis=0) for i in range(4)]).T
    assert (np.abs(drawn - HYBRID.occupation()) < 4.0 * np.sqrt(0.25 / 40000)).all()


def test_stationary_weights_are_weights_and_exchangeable() -> None:
    weights = ATLAS.stationary_weights(np.random.default_rng(3), 20000)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, atol=1e-12)
    mean, error = mean_and_error(weights)
    assert (np.abs(mean - 0.1) < 4.0 * error).all()


@pytest.mark.slow
def test_atlas_laws_at_length() -> None:
    """Twenty years of 400 paths: local-time rates to about half a percent, mean gaps to one."""
    paths = ATLAS.simulate(Grid(252 * 20, paths=400), 33)
    mean, error = mean_and_error(gaps(paths))
    excess = mean - ATLAS.mean_gap()
    assert (excess < 4.0 * error + ATLAS.euler_gap_bias(SESSION)).all()
    assert (excess > -4.0 * error).all()
    rates, error = mean_and_error(local_time_rates(paths))
    assert (
        np.abs(rates - ATLAS.local_time_rate()) < 4.0 * np.minimum(error, ATLAS.local_time_standard_error(8000.0))
    ).all()
    share, error = mean_and_error(occupations(paths))
    assert (np.abs(share - 0.1) < 4.0 * error).all()


@pytest.mark.slow
def test_a_large_first_order_market_stays_in_its_law() -> None:
    n = 100
    drifts = np.full(n, -0.05)
    drifts[-10:] += 0.5
    model = FirstOrder(drifts, np.sqrt(np.linspace(0.2**2, 0.4**2, n)))
    sums = np.zeros((200, n - 1))
    for block in model.stream_ranked(Grid(2520, paths=200), 4):
        sums -= np.diff(block.log_capitalisations, axis=-1).sum(axis=1)
    mean, error = mean_and_error(sums / 2521)
    assert (np.abs(mean - model.mean_gap()) < 4.5 * error + model.euler_gap_bias(SESSION)).all()
