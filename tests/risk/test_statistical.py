"""Laws of the statistical factor model: what it must return whatever the market, and what it must find where the truth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gammastar.errors import DataError
from gammastar.market.assets import Assets
from gammastar.market.calendar import Frequency
from gammastar.market.moment import Moment
from gammastar.risk.statistical import StatisticalFactors

EXACT = 1e-12
SMALL = StatisticalFactors(factors=3, window=120, minimum=40, recent=80, volatility_half_life=30.0, correlation_half_life=90.0)


def moment(seed: int, *, sessions: int = 150, n: int = 12, gaps: float = 0.05, short: tuple[int, ...] = (), logs: np.ndarray | None = None) -> Moment:
    """Return a market with correlated returns of which a share is missing; the names in `short` are observed for thirty sessions only."""
    rng = np.random.default_rng(seed)
    if logs is None:
        logs = rng.normal(0.0, 0.012, (sessions, 1)) * rng.uniform(0.5, 1.5, n) + rng.standard_t(5, (sessions, n)) * 0.012
    observed = rng.random(logs.shape) > gaps
    observed[0] = False
    for i in short:
        observed[:-30, i] = False
    returns = np.expm1(logs)
    returns[0] = 0.0
    mu = rng.dirichlet(np.ones(logs.shape[1]))
    return Moment(
        session=np.datetime64("2015-06-30"),
        assets=Assets(tuple(f"A{i}" for i in range(logs.shape[1]))),
        frequency=Frequency.DAILY,
        returns=returns,
        observed=observed,
        benchmark=mu,
        benchmark_history=np.tile(mu, (len(logs), 1)),
        published=np.ones(len(logs), dtype=bool),
        sector_labels=("S0", "S1", "S2"),
        sector_codes=np.arange(logs.shape[1]) % 3,
    )


def weighted_mean_square(m: Moment, model: StatisticalFactors) -> np.ndarray:
    """Return annual variances by an explicit loop over what was observed."""
    variances = np.zeros(len(m.assets))
    for i in range(len(m.assets)):
        total = weight = 0.0
        for back in range(min(model.window, len(m.returns))):
            t = len(m.returns) - 1 - back
            if m.observed[t, i]:
                decay = 0.5 ** (back / model.volatility_half_life)
                total, weight = total + decay * np.log1p(m.returns[t, i]) ** 2, weight + decay
        variances[i] = 252.0 * total / weight
    return variances


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("factors", [1, 3, 12, 40])
def test_total_variance_is_the_weighted_mean_square(seed: int, factors: int) -> None:
    m, model = moment(seed), replace(SMALL, factors=factors)
    sigma = model.estimate(m)
    np.testing.assert_allclose(sigma.variances, weighted_mean_square(m, model), rtol=1e-12)
    assert sigma.loadings.shape == (12, min(factors, 12))


@pytest.mark.parametrize("seed", range(4))
def test_with_all_factors_the_correlations_are_the_weighted_ones(seed: int) -> None:
    m, model = moment(seed), replace(SMALL, factors=12)
    logs = np.where(m.observed, np.log1p(m.returns), 0.0)[-model.window :]
    weight = 0.5 ** (np.arange(len(logs) - 1, -1, -1) / model.correlation_half_life)
    moments = (logs.T * weight) @ logs
    root = np.sqrt(np.diag(moments))
    correlation = moments / np.outer(root, root)
    vol = np.sqrt(weighted_mean_square(m, model))
    np.testing.assert_allclose(model.estimate(m).dense(), correlation * np.outer(vol, vol), rtol=1e-9, atol=EXACT)


@pytest.mark.parametrize("factors", [1, 2, 5])
def test_fewer_factors_keep_the_best_part_of_the_correlations(factors: int) -> None:
    """Loadings are the leading eigenvectors of the full model's correlation matrix, each times the root of its eigenvalue."""
    m = moment(7)
    full, few = replace(SMALL, factors=12).estimate(m), replace(SMALL, factors=factors).estimate(m)
    vol = np.sqrt(full.variances)
    values, vectors = np.linalg.eigh(full.dense() / np.outer(vol, vol))
    leading = vectors[:, ::-1][:, :factors] * np.sqrt(values[::-1][:factors])
    np.testing.assert_allclose(few.loadings @ few.loadings.T, (leading @ leading.T) * np.outer(vol, vol), atol=1e-11)
    strength = np.sum((few.loadings / vol[:, None]) ** 2, axis=0)
    np.testing.assert_allclose(strength, values[::-1][:factors], rtol=1e-9)  # the strongest first


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("model", [SMALL, replace(SMALL, correlation_shrinkage=0.4, volatility_shrinkage=0.3)])
def test_scaling_returns_by_k_scales_the_covariance_by_k_squared(seed: int, model: StatisticalFactors) -> None:
    """Log returns times k, short names with their proxies included."""
    m, k = moment(seed, short=(2, 7)), 1.9
    scaled = replace(m, returns=np.expm1(k * np.log1p(m.returns)))
    here, there = model.estimate(m).dense(), model.estimate(scaled).dense()
    np.testing.assert_allclose(there, k * k * here, rtol=1e-11, atol=EXACT * np.abs(here).max())


@pytest.mark.parametrize("seed", range(5))
def test_unobserved_entries_never_matter(seed: int) -> None:
    """Any garbage where nothing was observed: not a bit changes."""
    m = moment(seed, gaps=0.2, short=(1, 5))
    garbage = np.random.default_rng(seed + 99).uniform(-0.99, 50.0, m.returns.shape)
    poisoned = replace(m, returns=np.where(m.observed, m.returns, garbage))
    here, there = SMALL.estimate(m), SMALL.estimate(poisoned)
    assert np.array_equal(here.loadings, there.loadings)
    assert np.array_equal(here.specific, there.specific)


def test_sessions_before_the_window_never_matter() -> None:
    m = moment(3)
    early = m.returns.copy()
    early[: -SMALL.window] = 7.0
    assert np.array_equal(SMALL.estimate(m).dense(), SMALL.estimate(replace(m, returns=early)).dense())


@pytest.mark.parametrize("seed", range(3))
def test_permuting_assets_permutes_the_covariance(seed: int) -> None:
    m, order = moment(seed, short=(4,)), np.random.default_rng(seed).permutation(12)
    other = replace(
        m,
        assets=Assets(tuple(m.assets.ids[i] for i in order)),
        returns=m.returns[:, order],
        observed=m.observed[:, order],
        benchmark=m.benchmark[order],
        benchmark_history=m.benchmark_history[:, order],
        sector_codes=m.sector_codes[order],
    )
    np.testing.assert_allclose(SMALL.estimate(other).dense(), SMALL.estimate(m).dense()[np.ix_(order, order)], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_more_names_than_sessions_take_the_other_gram_matrix_to_the_same_place(seed: int) -> None:
    """n > T uses the T x T matrix, n <= T the n x n one: doubling the history with unobserved sessions switches, and changes nothing."""
    model = replace(SMALL, factors=4, window=200, minimum=20, recent=200)
    wide = moment(seed, sessions=60, n=90)
    blank = np.zeros((60, 90))
    long = replace(
        wide,
        returns=np.vstack((blank, wide.returns)),
        observed=np.vstack((blank > 0.0, wide.observed)),
        benchmark_history=np.tile(wide.benchmark, (120, 1)),
        published=np.ones(120, dtype=bool),
    )
    np.testing.assert_allclose(model.estimate(wide).dense(), model.estimate(long).dense(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("model", [SMALL, replace(SMALL, factors=40), replace(SMALL, correlation_shrinkage=1.0)])
def test_it_is_a_covariance(seed: int, model: StatisticalFactors) -> None:
    sigma = model.estimate(moment(seed, short=(0, 3, 6, 9), gaps=0.1))
    assert (sigma.specific >= 0.0).all()
    assert np.linalg.eigvalsh(sigma.dense()).min() > -EXACT
    vol = np.sqrt(sigma.variances)
    assert np.abs(sigma.dense() / np.outer(vol, vol)).max() <= 1.0 + 1e-12


def test_a_short_history_gets_what_is_typical_of_its_sector() -> None:
    m = moment(5, n=13, short=(3, 6))  # both of sector 0, with peers 0, 9 and 12
    sigma = SMALL.estimate(m)
    peers = [0, 9, 12]
    for i in (3, 6):
        np.testing.assert_allclose(sigma.loadings[i], sigma.loadings[peers].mean(axis=0), rtol=1e-12)
        assert sigma.variances[i] == pytest.approx(np.median(sigma.variances[peers]), rel=1e-12)
    wild = m.returns.copy()
    wild[-30:, 3] *= 5.0
    again = SMALL.estimate(replace(m, returns=wild))
    assert np.array_equal(again.dense(), sigma.dense())  # its own few returns are not used at all


def test_a_sector_without_peers_gets_what_is_typical_of_all() -> None:
    m = moment(5, short=(1, 4, 7, 10))  # all of sector 1
    sigma = SMALL.estimate(m)
    known = [i for i in range(12) if i % 3 != 1]
    np.testing.assert_allclose(sigma.loadings[4], sigma.loadings[known].mean(axis=0), rtol=1e-12)
    assert sigma.variances[4] == pytest.approx(np.median(sigma.variances[known]), rel=1e-12)


def test_names_neither_in_the_benchmark_nor_held_have_no_part() -> None:
    m = moment(6)
    mu = m.benchmark.copy()
    mu[[2, 5]] = 0.0
    mu /= mu.sum()
    held = mu.copy()
    held[5] = 0.01
    outside = SMALL.estimate(replace(m, benchmark=mu))
    assert not outside.dense()[[2, 5]].any()
    with_held = SMALL.estimate(replace(m, benchmark=mu, holdings=held))
    assert not with_held.dense()[2].any()
    assert with_held.variances[5] > 0.0


def test_shrinkage_goes_from_nothing_to_all() -> None:
    """Correlations towards those of the first component, log volatilities towards their mean; total variances stay with the former."""
    m = moment(8)
    plain, one = SMALL.estimate(m), replace(SMALL, factors=1).estimate(m)
    half, whole = (replace(SMALL, correlation_shrinkage=s).estimate(m) for s in (0.5, 1.0))
    off = ~np.eye(12, dtype=bool)
    np.testing.assert_allclose(whole.dense()[off], one.dense()[off], atol=1e-12)
    np.testing.assert_allclose(half.dense()[off], 0.5 * (plain.dense() + one.dense())[off], atol=1e-12)
    np.testing.assert_allclose(half.variances, plain.variances, rtol=1e-12)
    alike = replace(SMALL, volatility_shrinkage=1.0).estimate(m)
    np.testing.assert_allclose(alike.variances, np.exp(np.log(plain.variances).mean()), rtol=1e-10)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_planted_factor_structure_is_recovered(seed: int) -> None:
    """Monte Carlo: 4,000 sessions of a two-factor market, half-lives long against them; errors within four standard errors of sampling."""
    rng, sessions, n = np.random.default_rng(seed), 4_000, 30
    loadings = np.column_stack((rng.uniform(0.006, 0.012, n), 0.006 * np.where(np.arange(n) % 2 == 0, 1.0, -1.0)))
    specific = rng.uniform(0.008, 0.015, n) ** 2
    logs = rng.normal(size=(sessions, 2)) @ loadings.T + rng.normal(size=(sessions, n)) * np.sqrt(specific)
    model = StatisticalFactors(factors=2, window=sessions, minimum=100, recent=sessions, volatility_half_life=1e6, correlation_half_life=1e6)
    sigma = model.estimate(moment(seed, n=n, gaps=0.0, logs=logs))
    truth = 252.0 * (loadings @ loadings.T + np.diag(specific))
    error = np.sqrt((truth**2 + np.outer(np.diag(truth), np.diag(truth))) / sessions)
    # principal components also take in a little specific variance: of the order of the mean specific over n
    bias = 252.0 * specific.max() / n * 4.0 * ~np.eye(n, dtype=bool)
    assert (np.abs(sigma.dense() - truth) < 4.5 * error + bias).all()
    exposure = rng.normal(size=n)
    assert sigma.quadratic(exposure) == pytest.approx(exposure @ truth @ exposure, rel=0.15)


def test_a_monthly_panel_is_annualised_by_twelve() -> None:
    m = moment(2)
    daily, monthly = SMALL.estimate(m).dense(), SMALL.estimate(replace(m, frequency=Frequency.MONTHLY)).dense()
    np.testing.assert_allclose(monthly * 252.0, daily * 12.0, rtol=1e-12)


def test_a_name_that_does_not_move_breaks_nothing() -> None:
    m = moment(4)
    still = m.returns.copy()
    still[:, 3] = 0.0
    sigma = SMALL.estimate(replace(m, returns=still))
    assert sigma.variances[3] == pytest.approx(252.0 * 1e-12, rel=1e-9)
    assert np.isfinite(sigma.dense()).all()


def test_without_histories_there_is_no_estimate() -> None:
    m = moment(4)
    with pytest.raises(DataError, match="40 observed returns"):
        SMALL.estimate(replace(m, observed=np.zeros_like(m.observed)))


@pytest.mark.parametrize(
    "wrong",
    [{"factors": 0}, {"minimum": 1}, {"window": 10}, {"recent": 10}, {"volatility_half_life": 0.0}, {"correlation_half_life": -1.0},
     {"correlation_shrinkage": 1.1}, {"volatility_shrinkage": -0.1}],
)
def test_it_refuses_parameters_outside_their_range(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"need|must"):
        replace(SMALL, **wrong)
