"""Wright-Fisher transitions, Dirichlet laws, the volatility-stabilised and the rank Jacobi market."""

from __future__ import annotations

import decimal
import math

import numpy as np
import pytest
from scipy import stats
from scipy.special import gammaln, psi

from gammastar.core.excess_growth import free_energy
from gammastar.core.rank import local_times
from gammastar.simulate import Grid, Paths, RankJacobi, VolatilityStabilised, wright_fisher
from gammastar.simulate.wright_fisher import (
    AncestorLaw,
    ancestor_law,
    dirichlet_concentration,
    dirichlet_entropy,
    squared_bessel,
    wright_fisher_step,
)


def mean_and_error(by_path: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return by_path.mean(axis=0), by_path.std(axis=0, ddof=1) / np.sqrt(len(by_path))


def factorial_moment(law: AncestorLaw, total: float, order: int) -> float:
    """``E prod_{j<l} (A - j) / (Theta + A + j)``, the part of ``mu(0)``'s l-th moments that survives."""
    parts = [(law.numbers - j) / (total + law.numbers + j) for j in range(order)]
    return float(law.probabilities @ np.prod(parts, axis=0))


@pytest.mark.parametrize(
    ("total", "time"), [(2.0, 0.5), (2.0, 0.02), (5.0, 1.0 / 252.0), (10.5, 0.1), (60.0, 0.004), (750.0, 0.002)]
)
def test_the_law_of_ancestors_keeps_the_moments_that_the_diffusion_keeps(total: float, time: float) -> None:
    """``exp(-l (l + Theta - 1) t / 2)`` are the eigenvalues of the diffusion."""
    law = ancestor_law(total, time)
    assert law.probabilities.sum() == pytest.approx(1.0, abs=1e-11)
    assert (law.probabilities >= 0.0).all()
    for order in (1, 2, 3):
        kept = math.exp(-0.5 * order * (order + total - 1.0) * time)
        assert factorial_moment(law, total, order) == pytest.approx(kept, rel=1e-10)


@pytest.mark.parametrize("total", [2.0, 750.0, 50000.0])
def test_the_normal_law_of_small_times_meets_the_exact_one(total: float) -> None:
    close = 2e-7 if total < 1000.0 else 1e-4
    exact, normal = ancestor_law(total, 1.0001e-4), wright_fisher._normal_law(total, 1.0001e-4)
    for order in (1, 2, 3):
        assert factorial_moment(normal, total, order) == pytest.approx(factorial_moment(exact, total, order), rel=close)
    spread = [
        math.sqrt(law.probabilities @ (law.numbers - law.probabilities @ law.numbers) ** 2) for law in (exact, normal)
    ]
    assert spread[1] == pytest.approx(spread[0], rel=100.0 * close)
    at = np.searchsorted(normal.numbers, exact.numbers).clip(max=len(normal.numbers) - 1)
    apart = np.abs(np.cumsum(exact.probabilities) - np.cumsum(normal.probabilities)[at]).max()
    assert apart < 1e-3
    tiny = ancestor_law(total, 1e-8)
    assert -math.log(factorial_moment(tiny, total, 1)) == pytest.approx(0.5 * total * 1e-8, rel=1e-6)


def series(m: int, total: int, time: float) -> float:
    """The textbook series of the law of ancestors (Tavare 1984), summed with digits to spare."""
    with decimal.localcontext() as context:
        context.prec = 120
        whole = decimal.Decimal(0)
        for k in range(m, m + 400):
            size = decimal.Decimal(math.factorial(total + m + k - 2) // math.factorial(total + m - 1))
            size *= decimal.Decimal(total + 2 * k - 1) / (math.factorial(m) * math.factorial(k - m))
            term = size * (decimal.Decimal(-k * (k + total - 1)) * decimal.Decimal(time) / 2).exp()
            whole += -term if (k - m) % 2 else term
            if term < decimal.Decimal("1e-60") and k > m + 10:
                break
        return float(whole)


@pytest.mark.parametrize(("total", "time"), [(2, 0.5), (6, 0.0625), (12, 0.25)])
def test_the_law_of_ancestors_is_the_textbook_series(total: int, time: float) -> None:
    law = ancestor_law(float(total), time)
    for m, chance in zip(law.numbers, law.probabilities, strict=True):
        if chance > 1e-8 and m > 0:
            assert chance == pytest.approx(series(int(m), total, time), rel=1e-10)


@pytest.mark.parametrize("time", [0.05, 0.8])
def test_a_wright_fisher_step_has_the_moments_of_the_diffusion(time: float) -> None:
    theta, mu, size = np.array([1.0, 2.0, 1.5]), np.array([0.7, 0.2, 0.1]), 200000
    law, rng, total = ancestor_law(4.5, time), np.random.default_rng(1), 4.5
    draws = wright_fisher_step(np.tile(mu, (size, 1)), theta, law, rng)
    np.testing.assert_allclose(draws.sum(axis=1), 1.0, atol=1e-12)
    first = theta / total + (mu - theta / total) * math.exp(-0.5 * total * time)
    mean, error = mean_and_error(draws)
    assert (np.abs(mean - first) < 4.0 * error).all()
    # E mu_i^2 solves m' = (theta_i + 1) E mu_i - (Theta + 1) m
    a, b, c = theta / total, mu - theta / total, 0.5 * total
    grown = (theta + 1) * (
        a * -math.expm1(-(total + 1) * time) / (total + 1)
        + b * (math.exp(-c * time) - math.exp(-(total + 1) * time)) / (total + 1 - c)
    )
    mean, error = mean_and_error(draws**2)
    assert (np.abs(mean - (mu**2 * math.exp(-(total + 1) * time) + grown)) < 4.0 * error).all()


def test_dirichlet_moments() -> None:
    for n, theta in ((5, 1.0), (20, 1.7), (3, 4.0)):
        draws = np.random.default_rng(n).dirichlet(np.full(n, theta), 40000)
        mean, error = mean_and_error((draws**2).sum(axis=1))
        assert abs(mean - dirichlet_concentration(n, theta)) < 4.0 * error
        mean, error = mean_and_error(-(draws * np.log(draws)).sum(axis=1))
        assert abs(mean - dirichlet_entropy(n, theta)) < 4.0 * error


def test_squared_bessel_processes_add_and_scale() -> None:
    rng, size, time = np.random.default_rng(2), 60000, 0.7
    start = np.array([0.5, 0.0, 2.0])
    draws = squared_bessel(np.broadcast_to(start, (size, 3)), 3.0, time, rng)
    mean, error = mean_and_error(draws)
    assert (np.abs(mean - (start + 3.0 * time)) < 4.0 * error).all()
    variance = 4.0 * start * time + 2.0 * 3.0 * time**2
    assert (np.abs(draws.var(axis=0) / variance - 1.0) < 0.05).all()
    whole = squared_bessel(np.full(size, 2.5), 9.0, time, rng)  # the sum of independent ones, of summed dimension
    assert stats.ks_2samp(draws.sum(axis=1), whole).pvalue > 1e-4
    # from nothing, weights are Dirichlet(delta / 2): the law of the volatility-stabilised market
    born = squared_bessel(np.zeros((size, 4)), 3.0, time, rng)
    weights = born / born.sum(axis=1, keepdims=True)
    mean, error = mean_and_error((weights**2).sum(axis=1))
    assert abs(mean - dirichlet_concentration(4, 1.5)) < 4.0 * error


VSM = VolatilityStabilised(names=6, alpha=1.0)


@pytest.fixture(scope="module")
def market() -> Paths:
    return VSM.simulate(Grid(40, paths=400, years_per_step=0.02), 7)


def test_the_volatility_stabilised_market_starts_and_stays_in_its_law(market: Paths) -> None:
    for t in (0, 1, 40):
        weights = market.weights[:, t]
        mean, error = mean_and_error((weights**2).sum(axis=1))
        assert abs(mean - VSM.expected_concentration()) < 4.0 * error
        mean, error = mean_and_error(-(weights * np.log(weights)).sum(axis=1))
        assert abs(mean - VSM.expected_entropy()) < 4.0 * error
    over_time = (market.weights**2).sum(axis=-1).mean(axis=1)
    mean, error = mean_and_error(over_time)
    assert abs(mean - VSM.expected_concentration()) < 4.0 * error


def test_its_total_is_a_geometric_brownian_motion(market: Paths) -> None:
    log_total = np.log(np.exp(market.log_capitalisations).sum(axis=-1))
    steps = np.diff(log_total, axis=1)
    mean, error = mean_and_error(steps.mean(axis=1) / 0.02)
    assert abs(mean - VSM.growth_rate()) < 4.0 * error
    assert steps.var() == pytest.approx(0.02, rel=4.0 * np.sqrt(2.0 / steps.size))
    moves = np.diff(market.weights[..., 0], axis=1)
    assert abs(np.corrcoef(steps.ravel(), moves.ravel())[0, 1]) < 4.0 / np.sqrt(steps.size)


def test_its_weights_go_back_as_they_should() -> None:
    start = np.log([0.8, 0.1, 0.05, 0.02, 0.02, 0.01])
    paths = VSM.simulate(Grid(3, paths=2000, years_per_step=0.05), 8, start=start)
    for t in (1, 3):
        mean, error = mean_and_error(paths.weights[:, t])
        assert (np.abs(mean - VSM.expected_weights(np.exp(start), 0.05 * t)) < 4.0 * error).all()


def test_each_of_its_names_moves_as_the_equation_says() -> None:
    """``d log X_i = alpha/(2 mu_i) dt + mu_i^{-1/2} dW_i``, the W independent: drift and covariance over a short step."""
    start, step, paths = np.log([0.4, 0.3, 0.2, 0.05, 0.03, 0.02]), 1e-4, 10000
    mu = np.exp(start)
    ends = VSM.simulate(Grid(1, paths=paths, years_per_step=step), 9, start=start).log_capitalisations[:, 1]
    scaled = (ends - start) * np.sqrt(mu / step)
    drift = np.sqrt(step / mu) * VSM.alpha / 2
    assert (np.abs(scaled.mean(axis=0) - drift) < 4.0 / np.sqrt(paths) + 0.3 * step / mu).all()
    assert (np.abs(np.cov(scaled.T) - np.eye(6)) < 4.0 * np.sqrt(2.0 / paths) + 3.0 * step / mu.min()).all()


def test_its_excess_growth_is_the_same_whatever_the_weights() -> None:
    """Measured by the free energy of the market over short steps; what the step takes away is of its order."""
    step = 2e-4
    paths = VSM.simulate(Grid(100, paths=200, years_per_step=step), 10)
    gross = np.exp(np.diff(paths.log_capitalisations, axis=1))
    by_path = free_energy(paths.weights[:, :-1], gross).mean(axis=1) / step
    mean, error = mean_and_error(by_path)
    bias = step * VSM.names**2 * VSM.excess_growth()
    assert abs(mean - VSM.excess_growth()) < 4.0 * error + bias
    assert error + bias < 0.02 * VSM.excess_growth()


def test_the_growth_optimal_portfolio_is_optimal() -> None:
    rng = np.random.default_rng(1)
    for market in (VolatilityStabilised(7, 0.5, rate=0.1), VolatilityStabilised(2), VolatilityStabilised(4, 3.0)):
        mu = rng.dirichlet(np.full(len(market), market.theta), 50)
        best = market.growth_optimal(mu)
        np.testing.assert_allclose(best.sum(axis=1), 1.0, atol=1e-12)
        np.testing.assert_allclose(market.portfolio_growth(mu, mu), market.growth_rate(), rtol=1e-12)
        aside = rng.normal(size=best.shape)
        aside -= aside.mean(axis=1, keepdims=True)
        top = market.portfolio_growth(best, mu)
        for size in (1e-3, -1e-3, 1.0):
            assert (market.portfolio_growth(best + size * aside, mu) < top).all()
        # the loss is the square alone: no first-order part is left
        loss = top - market.portfolio_growth(best + 1e-3 * aside, mu)
        np.testing.assert_allclose(loss, 0.5e-6 * market.rate * (aside**2 / mu).sum(axis=1), rtol=1e-5)


def test_the_growth_optimal_portfolio_grows_at_its_rate() -> None:
    market, step = VolatilityStabilised(3, 3.0), 2e-4
    paths = market.simulate(Grid(100, paths=300, years_per_step=step), 11)
    mu = paths.weights[:, :-1]
    pi = market.growth_optimal(mu)
    earned = np.log((pi * np.exp(np.diff(paths.log_capitalisations, axis=1))).sum(axis=-1)) / step
    mean, error = mean_and_error((earned - market.portfolio_growth(pi, mu)).mean(axis=1))
    assert abs(mean) < 4.0 * error
    lead = (market.portfolio_growth(pi, mu) - market.growth_rate()).mean()
    assert error < 0.5 * lead


def test_what_is_stated_of_simple_markets_holds() -> None:
    market = VolatilityStabilised(names=5, alpha=0.4, rate=0.02)
    assert market.excess_growth() == pytest.approx(0.02 * 4 / 2)
    assert market.growth_rate() == pytest.approx(0.02 * (5 * 1.4 - 1) / 2)
    assert market.expected_entropy() == pytest.approx(float(psi(8.0) - psi(2.4)))
    assert market.expected_concentration() == pytest.approx(2.4 / 8.0)
    np.testing.assert_allclose(market.growth_optimal(np.full(5, 0.2)), 0.2)


def test_the_rate_is_a_clock() -> None:
    slow, fast = VolatilityStabilised(4, 0.5, rate=0.1), VolatilityStabilised(4, 0.5)
    one = slow.simulate(Grid(5, years_per_step=0.5), 3).log_capitalisations
    np.testing.assert_allclose(one, fast.simulate(Grid(5, years_per_step=0.05), 3).log_capitalisations, atol=1e-12)


RANKED = RankJacobi([0.5, 0.8, 1.0, 1.2, 1.5, 2.0])


@pytest.mark.parametrize(("n", "theta"), [(2, 1.0), (6, 2.5), (30, 1.0)])
def test_ordered_gammas_have_the_right_volume(n: int, theta: float) -> None:
    table = RankJacobi(np.full(n, theta))._ordered.tables[0]
    assert table[-1] == pytest.approx(n * gammaln(theta) - gammaln(n + 1), abs=1e-3)


def test_with_equal_thetas_the_rank_jacobi_law_is_dirichlet() -> None:
    draws = RankJacobi(np.full(5, 1.5)).stationary_weights(np.random.default_rng(1), 40000)
    other = np.random.default_rng(2).dirichlet(np.full(5, 1.5), 40000)
    for column in range(5):
        assert stats.ks_2samp(np.sort(draws)[:, column], np.sort(other)[:, column]).pvalue > 1e-4
    assert stats.ks_2samp(draws[:, 0], other[:, 0]).pvalue > 1e-4


def test_two_ranks_have_a_law_one_can_write_down() -> None:
    """With n = 2 the largest weight has the density ``x^{a-1} (1-x)^{b-1}`` on (1/2, 1)."""
    draws = RankJacobi([0.7, 1.8]).stationary_weights(np.random.default_rng(1), 20000).max(axis=1)
    law = stats.beta(0.7, 1.8)
    assert stats.kstest(draws, lambda x: (law.cdf(x) - law.cdf(0.5)) / law.sf(0.5)).pvalue > 1e-4


def test_the_density_of_rank_jacobi_is_what_is_drawn() -> None:
    """Importance: draws weighted from Dirichlet(1) by the density have the means of draws from the law."""
    flat = np.random.default_rng(3).dirichlet(np.ones(6), 200000)
    chance = np.exp(RANKED.log_density(flat))
    ranked = np.sort(flat)[:, ::-1]
    expected = (chance[:, None] * ranked).sum(axis=0) / chance.sum()
    error = np.sqrt((chance[:, None] ** 2 * (ranked - expected) ** 2).sum(axis=0)) / chance.sum()
    mean, own = mean_and_error(np.sort(RANKED.stationary_weights(np.random.default_rng(4), 40000))[:, ::-1])
    assert (np.abs(mean - expected) < 4.0 * np.hypot(error, own)).all()


def test_rank_jacobi_paths_stay_in_their_law_and_have_their_local_times() -> None:
    step = 0.005
    paths = RANKED.simulate(Grid(80, paths=250, years_per_step=step), 5)
    weights = paths.weights
    expected = np.sort(RANKED.stationary_weights(np.random.default_rng(6), 200000))[:, ::-1].mean(axis=0)
    mean, error = mean_and_error(np.sort(weights, axis=-1)[..., ::-1].mean(axis=1))
    assert (np.abs(mean - expected) < 4.0 * error + 0.2 * step).all()
    rates, error = mean_and_error(np.array([local_times(path).sum(axis=0)[:-1] for path in weights]) / (80 * step))
    assert (np.abs(rates - RANKED.local_time_rate(expected)) < 4.0 * error + 0.02).all()
    np.testing.assert_allclose(np.exp(paths.log_capitalisations).sum(axis=-1), 1.0, atol=1e-12)
    assert RANKED.excess_growth() == pytest.approx(2.5)


@pytest.mark.parametrize("alpha", [-0.1, math.nan])
def test_values_out_of_range_are_refused(alpha: float) -> None:
    with pytest.raises(ValueError, match="allowed: 0 to"):
        VolatilityStabilised(3, alpha)
    with pytest.raises(ValueError, match="diffusion's own clock"):
        VolatilityStabilised(3, rate=1e-8).simulate(Grid(1), 1)
