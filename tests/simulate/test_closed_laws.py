"""Laws of the parts that market models are made of, each against a second road to the same number."""

from __future__ import annotations

import datetime as dt
import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gammastar.core.covariance import FactoredCovariance
from gammastar.core.excess_growth import excess_growth
from gammastar.simulate import (
    Clustering,
    Firms,
    FirstOrder,
    GeometricBrownian,
    Grid,
    Growth,
    HybridAtlas,
    LargeCapMarket,
    MovingBlocks,
    RankJacobi,
    Shocks,
    SimulatedMarket,
    StationaryBlocks,
    calibrate_first_order,
    walkers,
)
from gammastar.simulate.exits import Hazards
from gammastar.simulate.grid import generators
from gammastar.simulate.names import STYLES, draw_names, exposures_of, growth_rates
from gammastar.simulate.path import Laws, _first_capitals
from gammastar.simulate.rank_walkers import NamedWalker, RankDynamics
from gammastar.simulate.variances import rank_variances

EXACT = 1e-12
UNEVEN = FirstOrder([-0.3, -0.2, 0.1, 0.4], np.sqrt([0.09, 0.01, 0.16, 0.25]), growth=0.03)
HYBRID = HybridAtlas([-0.3, -0.1, 0.0, 0.4], np.sqrt([0.10, 0.08, 0.06, 0.04]), [0.1, 0.05, -0.05, -0.1])
seeds = st.integers(0, 2**32 - 1)


# Models of ranks


@settings(max_examples=30)
@given(seed=seeds)
def test_excess_growth_by_rank_is_that_of_the_names_that_hold_the_ranks(seed: int) -> None:
    mu = np.random.default_rng(seed).dirichlet(np.ones(4))
    rank = np.argsort(np.argsort(-mu))
    sigma = FactoredCovariance(np.zeros((4, 1)), UNEVEN.volatilities[rank] ** 2)
    assert float(UNEVEN.excess_growth(mu)) == pytest.approx(excess_growth(mu, sigma), abs=EXACT)


@settings(max_examples=20)
@given(seed=seeds, substeps=st.integers(1, 5), years=st.floats(0.01, 2.0))
def test_a_name_drifts_at_the_rate_of_its_rank_and_its_own(seed: int, substeps: int, years: float) -> None:
    """Without shocks, and far enough apart to keep their ranks, ``log X_i`` moves by ``(g_k + gamma_i) h``, however fine the Euler steps."""
    rng = np.random.default_rng(seed)
    ranks, own = rng.uniform(-0.5, 0.5, 5), rng.uniform(-0.5, 0.5, 5)
    start = rng.permutation(10.0 * np.arange(5))
    walker = NamedWalker(RankDynamics(ranks, np.zeros(5), own), Grid(1, years_per_step=years, substeps=substeps), start[None, :], [rng])
    out = np.empty((1, 1, 5))
    walker.advance(out)
    rank = np.argsort(np.argsort(-start))
    np.testing.assert_allclose(out[0, 0], start + (ranks[rank] + own) * years, atol=EXACT * 40.0)


def test_local_times_of_a_hybrid_market_are_those_of_its_orders() -> None:
    """``lambda_k = -2 E sum_{j<=k} (g_j + gamma of the name at rank j)``, over all orders, each as likely as the product of its mean gaps."""
    variances, rates, total = HYBRID.volatilities**2, np.zeros(3), 0.0
    for order in itertools.permutations(range(4)):
        pull = np.cumsum(HYBRID.drifts + HYBRID.name_drifts[list(order)])[:-1]
        chance = float(np.prod((variances[:-1] + variances[1:]) / (-4.0 * pull)))
        rates += chance * -2.0 * pull
        total += chance
    np.testing.assert_allclose(HYBRID.local_time_rate(), rates / total, rtol=EXACT)


def test_gaps_of_a_hybrid_market_are_exponential_given_the_order() -> None:
    """Monte Carlo: of the gaps below the first k names of one order, ``1/e`` exceed their mean; standard error ``sqrt((1/e)(1 - 1/e) / draws)``."""
    logs = np.log(HYBRID.stationary_weights(np.random.default_rng(21), 40000))
    order = np.argsort(-logs, axis=1)
    gaps = -np.diff(np.take_along_axis(logs, order, axis=1), axis=1)
    variances = HYBRID.volatilities**2
    pull = np.cumsum(HYBRID.drifts + HYBRID.name_drifts[order], axis=1)[:, :-1]
    scaled = gaps / ((variances[:-1] + variances[1:]) / (-4.0 * pull))
    error = 1.0 / np.sqrt(len(scaled))
    assert (np.abs(scaled.mean(axis=0) - 1.0) < 4.0 * error).all()
    chance = math.exp(-1.0)
    assert (np.abs((scaled > 1.0).mean(axis=0) - chance) < 4.0 * math.sqrt(chance * (1.0 - chance)) * error).all()


@pytest.mark.parametrize("substeps", [1, 4])
def test_substeps_of_a_rank_jacobi_market_take_its_time_and_no_more(substeps: int) -> None:
    """Monte Carlo: with equal thetas ``E mu(t) = 1/n + (mu(0) - 1/n) exp(-n theta t / 2)``, exactly, at 4 standard errors of the sample."""
    n, theta, years = 4, 1.5, 0.2
    start = np.array([0.7, 0.15, 0.1, 0.05])
    paths = RankJacobi(np.full(n, theta)).simulate(Grid(1, paths=4000, years_per_step=years, substeps=substeps), 3, start=np.log(start))
    ends = paths.weights[:, -1]
    expected = 1.0 / n + (start - 1.0 / n) * math.exp(-0.5 * n * theta * years)
    error = ends.std(axis=0, ddof=1) / np.sqrt(len(ends))
    assert (np.abs(ends.mean(axis=0) - expected) < 4.0 * error).all()


def test_each_path_and_each_purpose_has_numbers_of_its_own() -> None:
    drawn = [rng.random() for purpose in (0, 1) for rng in generators(5, range(50), purpose=purpose)]
    assert len(set(drawn)) == 100


def test_the_error_of_a_drift_is_that_of_its_shock_less_the_mean_shock() -> None:
    """``P diag(sigma^2) P / T`` with ``P = I - 1/m``, on the diagonal."""
    fit = calibrate_first_order(FirstOrder(UNEVEN.drifts, UNEVEN.volatilities).simulate(Grid(252 * 5), 9).panel())
    project = np.eye(4) - 0.25
    expected = np.diag(project @ np.diag(fit.model.volatilities**2) @ project) / fit.years
    np.testing.assert_allclose(fit.drift_error**2, expected, rtol=EXACT)


def test_a_moving_block_may_begin_anywhere_that_it_fits() -> None:
    begins = MovingBlocks(4).positions(4000, 6, np.random.default_rng(3))[::4]
    counts = np.bincount(begins, minlength=6)
    assert (counts[3:] == 0).all()
    assert (np.abs(counts[:3] - 1000.0 / 3.0) < 4.0 * math.sqrt(1000.0 * 2.0 / 9.0)).all()


def test_what_was_observed_goes_along_with_its_return(market: SimulatedMarket) -> None:
    panel, blocks = market.panel, StationaryBlocks(20.0)
    new = blocks.resample(panel, 500, 4, coverage=0.3)
    taken = 1 + blocks.positions(500, len(panel) - 1, np.random.default_rng(4))
    columns = [panel.assets.index[asset] for asset in new.assets.ids]
    np.testing.assert_allclose(new.returns[1:], panel.returns[np.ix_(taken, columns)], atol=EXACT)
    np.testing.assert_array_equal(new.observed[1:], panel.observed[np.ix_(taken, columns)])
    assert not new.observed[1:].all()


@pytest.mark.parametrize("model", [UNEVEN, HYBRID, GeometricBrownian.exchangeable(names=4, volatility=0.3), RankJacobi([0.8, 1.0, 1.1, 1.2])], ids=lambda m: type(m).__name__)
def test_each_path_starts_at_its_own_start_however_paths_are_cut(model: FirstOrder, monkeypatch: pytest.MonkeyPatch) -> None:
    start = np.random.default_rng(6).normal(size=(35, 4))
    monkeypatch.setattr(walkers, "CHUNK_BYTES", 1)
    paths = model.simulate(Grid(2, paths=35), 1, start=start)
    np.testing.assert_allclose(paths.log_capitalisations[:, 0], start, atol=EXACT)


# The large-cap market


def test_specific_volatility_is_linear_in_the_log_of_the_rank() -> None:
    volatility = np.sqrt(rank_variances(Shocks(specific_largest=0.1, specific_smallest=0.3), 100))
    np.testing.assert_allclose(volatility[[0, 9, 99]], [0.1, 0.2, 0.3], atol=EXACT)


def test_size_exposure_is_a_standard_score() -> None:
    rng = np.random.default_rng(1)
    size = exposures_of(draw_names(rng, 200, Shocks(), Firms()), rng.permutation(200) + 1).styles[0]
    assert size.mean() == pytest.approx(0.0, abs=EXACT)
    assert size.var() == pytest.approx(1.0 - 1.0 / 200**2, abs=EXACT)


HAZARDS = Hazards(Firms(takeover_rate=0.4, delisting_rate=0.2), 50)
RANK = np.arange(1, 51)


def test_exits_have_their_mean_rates_and_their_law_over_ranks() -> None:
    q = (RANK - 0.5) / 50
    assert HAZARDS.takeover.mean() * 252 == pytest.approx(0.4, rel=EXACT)
    assert HAZARDS.delisting.mean() * 252 == pytest.approx(0.2, rel=1.0 / 50**2)  # the midpoint rule of 4 q^3
    np.testing.assert_allclose(HAZARDS.takeover / HAZARDS.takeover[-1], q / q[-1], rtol=EXACT)
    np.testing.assert_allclose(HAZARDS.delisting / HAZARDS.delisting[-1], (q / q[-1]) ** 3, rtol=EXACT)


def test_moments_of_an_exit_are_those_of_its_three_outcomes() -> None:
    jumps = np.array([np.log1p(HAZARDS.firms.takeover_premium), np.log1p(-HAZARDS.firms.delisting_loss), 0.0])
    chances = np.stack((HAZARDS.takeover, HAZARDS.delisting, 1.0 - HAZARDS.takeover - HAZARDS.delisting))
    mean = jumps @ chances
    np.testing.assert_allclose(HAZARDS.means(RANK), mean, rtol=EXACT)
    np.testing.assert_allclose(HAZARDS.variances(RANK), ((jumps[:, None] - mean) ** 2 * chances).sum(axis=0), rtol=EXACT)


def test_one_uniform_number_decides_who_goes_and_how() -> None:
    taken, gone = HAZARDS.takeover, HAZARDS.takeover + HAZARDS.delisting
    for uniform, struck, failed in ((0.5 * taken, 50, False), (0.5 * (taken + gone), 50, True), (1.01 * gone, 0, False)):
        places, failures = HAZARDS.strike(RANK, uniform)
        assert len(places) == struck
        assert (failures == failed).all()


@pytest.mark.parametrize(("failed", "power"), [(False, 2.0), (True, 4.0)])
def test_new_listings_start_where_exits_happen(failed: bool, power: float) -> None:
    """Exits of density ``2 q`` or ``4 q^3`` lie below the rank quantile x with chance ``x^2`` or ``x^4``."""
    depth = -np.arange(50.0)
    for x in (0.1, 0.5, 0.9):
        assert HAZARDS.entry(depth, np.array([x**power, 0.5]), failed=failed) == pytest.approx(-(math.floor(49 * x) + 0.5))


def test_names_own_multiples_of_specific_variance_have_mean_one() -> None:
    """Monte Carlo: over 4,000 names at the first close, at 4 standard errors of the sample."""
    shocks = Shocks(commonality=0.0, specific_spread=0.6, specific_clustering=Clustering(half_life=20.0, spread=0.0))
    path = LargeCapMarket(members=3000, listed=4000, end=dt.date(2006, 11, 3), shocks=shocks).simulate(1, prices=False).truth.path
    multiple = path.specific[0] / rank_variances(shocks, 4000)[path.rank[0] - 1]
    assert abs(multiple.mean() - 1.0) < 4.0 * multiple.std(ddof=1) / math.sqrt(4000)


def test_first_capitalisations_have_the_gaps_of_the_first_order_model() -> None:
    """Monte Carlo: over the lower half, which the cut of markets with one giant hardly touches, at 4 standard errors of the sample."""
    shocks, growth, listed = Shocks(), Growth(), 60
    laws = Laws(shocks, growth, Firms(), Hazards(Firms(), listed))
    against = rank_variances(shocks, listed) + shocks.sector**2 + STYLES * shocks.style**2 + (shocks.beta_spread * shocks.market) ** 2
    rates = growth_rates(growth, np.arange(1, listed + 1), against)
    expected = FirstOrder(rates - rates.mean(), np.sqrt(against)).mean_gap()
    rng = np.random.default_rng(2)
    scaled = np.array([-np.diff(_first_capitals(laws, rng)) for _ in range(400)])[:, 30:] / expected[30:]
    by_draw = scaled.mean(axis=1)
    assert abs(by_draw.mean() - 1.0) < 4.0 * by_draw.std(ddof=1) / math.sqrt(400)
