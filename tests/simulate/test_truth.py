"""The truth is true: covariance, growth and volatility capture agree with what happens, within Monte Carlo error."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest

from gammastar.simulate import Clustering, Firms, Growth, LargeCapMarket, Shocks, SimulatedMarket
from gammastar.simulate.names import FACTORS
from gammastar.simulate.variances import LogVariances

SEEDS = (11, 12, 13)


@pytest.fixture(scope="module")
def markets() -> list[SimulatedMarket]:
    model = LargeCapMarket(members=60, listed=90, start=dt.date(2006, 10, 31), end=dt.date(2011, 12, 30))
    return [model.simulate(seed, prices=False) for seed in SEEDS]


def innovations(market: SimulatedMarket, portfolios: int, rng: np.random.Generator) -> np.ndarray:
    """Log returns of random portfolios less their true growth, whitened by their true covariance; shape (t, portfolios)."""
    truth, log_returns = market.truth, np.log1p(market.panel.returns)
    whitened = np.empty((len(market.panel) - 1, portfolios))
    for t in range(len(whitened)):
        listed = truth.listed(t)
        weights = rng.standard_normal((len(listed), portfolios))
        weights[:, 0] = 1.0 / len(listed)
        sigma = truth.covariance(t).take(listed)
        exposed = sigma.loadings.T @ weights
        covariance = (exposed.T @ exposed + (weights.T * sigma.specific) @ weights) / 252.0
        surprise = weights.T @ (log_returns[t + 1] - truth.growth_rates(t) / 252.0)[listed]
        whitened[t] = np.linalg.solve(np.linalg.cholesky(covariance), surprise)
    return whitened


@pytest.fixture(scope="module")
def whitened(markets: list[SimulatedMarket]) -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    return [innovations(market, 6, rng) for market in markets]


def within(samples: np.ndarray, expected: float, sigmas: float = 4.0) -> bool:
    """Whether the mean of `samples` is within `sigmas` of its own standard errors of `expected`."""
    return bool(
        np.all(np.abs(samples.mean(axis=0) - expected) <= sigmas * samples.std(axis=0, ddof=1) / np.sqrt(len(samples)))
    )


def test_whitened_innovations_have_mean_zero_and_unit_covariance(whitened: list[np.ndarray]) -> None:
    z = np.concatenate(whitened)
    assert within(z, 0.0)
    for i in range(z.shape[1]):
        for j in range(i + 1):
            # Standard error of the mean of z_i z_j from the sample, fat tails included.
            assert within(z[:, i] * z[:, j], float(i == j)), (i, j)
    # The portfolios of many names have thin tails: their variance is known to 4 sqrt(2 / t), about 9%.
    assert abs(z[:, 0].var() - 1.0) < 4.0 * np.sqrt(2.0 / len(z)) * 1.2


def test_volatility_clusters_and_the_truth_explains_it(
    markets: list[SimulatedMarket], whitened: list[np.ndarray]
) -> None:
    raw, explained = [], []
    for market, innovation in zip(markets, whitened, strict=True):
        index = np.log1p(market.panel.benchmark_returns[1:]) ** 2
        raw.append(np.corrcoef(index[1:], index[:-1])[0, 1])
        z = innovation[:, 0] ** 2  # of equal weights, with the market in it
        explained.append(np.corrcoef(z[1:], z[:-1])[0, 1])
    error = 1.0 / np.sqrt(sum(len(market.panel) for market in markets))
    assert np.mean(raw) > 4.0 * error
    assert abs(np.mean(explained)) < 4.0 * error


def test_realised_volatility_capture_agrees_with_its_forecast(markets: list[SimulatedMarket]) -> None:
    gaps = []
    for market in markets:
        for t in range(len(market.panel) - 1):
            listed = market.truth.listed(t)
            sigma = market.truth.covariance(t).take(listed)
            weights = np.full(len(listed), 1.0 / len(listed))
            forecast = 0.5 * (weights @ sigma.variances - sigma.quadratic(weights)) / 252.0
            gross = 1.0 + market.panel.returns[t + 1, listed]
            gaps.append((np.log(weights @ gross) - weights @ np.log(gross)) / forecast)
    assert within(np.array(gaps), 1.0)


def test_names_above_the_floor_grow_alike(markets: list[SimulatedMarket]) -> None:
    truth, growth = markets[0].truth, Growth()
    for t in (0, 500):
        listed = truth.listed(t)
        order = listed[np.argsort(-truth.capitalisations(t)[listed])]
        rates = truth.growth_rates(t)[order]
        floor = round(growth.equal_share * len(order))
        np.testing.assert_allclose(rates[:floor], growth.rate, rtol=1e-14)
        assert rates.mean() == pytest.approx(growth.rate + growth.restoring, rel=1e-12)
        members = markets[0].panel.benchmark[t][order] > 0.0
        assert np.flatnonzero(members).max() < floor


def test_a_full_volatility_discount_gives_equal_expected_simple_returns() -> None:
    firms = Firms(takeover_rate=0.0, delisting_rate=0.0)
    growth = Growth(volatility_discount=1.0, restoring=0.08)
    market = LargeCapMarket(members=60, listed=90, end=dt.date(2007, 6, 29), growth=growth, firms=firms).simulate(4)
    truth = market.truth
    for t in (0, 100):
        order = np.argsort(-truth.capitalisations(t))[: round(growth.equal_share * 90)]
        simple = truth.growth_rates(t) + 0.5 * truth.covariance(t).variances
        assert np.ptp(simple[order]) < 1e-12
        assert np.ptp(truth.growth_rates(t)[order]) > 0.01


def test_growth_rates_and_covariance_follow_a_name_not_a_place(markets: list[SimulatedMarket]) -> None:
    market = markets[0]
    t = len(market.panel) - 1
    gone = np.setdiff1d(np.arange(len(market.panel.assets)), market.truth.listed(t))
    sigma = market.truth.covariance(t)
    assert len(gone)
    assert not sigma.specific[gone].any()
    assert not market.truth.growth_rates(t)[gone].any()
    assert not market.truth.capitalisations(t)[gone].any()
    assert (sigma.specific[market.truth.listed(t)] > 0.0).all()
    assert sigma.loadings.shape == (len(market.panel.assets), FACTORS)


def test_variances_have_their_stated_means() -> None:
    shocks = Shocks(commonality=0.0, specific_clustering=Clustering(half_life=10.0, spread=0.8))
    rng = np.random.default_rng(3)
    state = LogVariances(shocks, 40_000, rng)
    for _ in range(30):
        state.move(float(rng.standard_normal()), rng)
    multiples = state.specific_multiples(np.zeros(40_000))
    assert within(multiples, 1.0)
    draws = []
    for _ in range(4_000):
        fresh = LogVariances(Shocks(), 1, rng)
        draws.append(np.append(fresh.factor_volatilities()[[0, 1, 13]] ** 2, fresh.specific_multiples(np.zeros(1))))
    base = Shocks()
    for value, stated in zip(np.array(draws).T, (base.market**2, base.sector**2, base.style**2, 1.0), strict=True):
        assert within(value, stated)


def test_news_changes_tails_and_not_variance() -> None:
    model = LargeCapMarket(
        members=60,
        listed=90,
        start=dt.date(2006, 10, 31),
        end=dt.date(2009, 12, 31),
        firms=Firms(takeover_rate=0.0, delisting_rate=0.0),
    )
    fat, thin = (
        innovations_of_names(
            replace(model, shocks=Shocks(market=0.0, sector=0.0, style=0.0, news_probability=chance)).simulate(
                6, prices=False
            )
        )
        for chance in (0.016, 0.0)
    )
    assert within(fat**2, 1.0)
    assert within(thin**2, 1.0)
    assert within(thin**4, 3.0)
    assert (fat**4).mean() > 6.0


def test_exits_are_in_the_covariance_and_in_the_growth_rates() -> None:
    # Almost nothing moves but exits, so their moments decide: at each rank's own chance, and nearly all of the variance.
    shocks = Shocks(
        market=0.0, sector=0.0, style=0.0, specific_largest=0.01, specific_smallest=0.01, news_probability=0.0
    )
    firms = Firms(takeover_rate=1.0, delisting_rate=0.5)
    market = LargeCapMarket(members=150, listed=240, end=dt.date(2007, 12, 31), shocks=shocks, firms=firms).simulate(
        8, prices=False
    )
    path, squares, surprises = market.truth.path, [], []
    for t in range(len(market.panel) - 1):
        columns = path.occupant[t]
        specific = market.truth.covariance(t).specific[columns] / 252.0
        surprise = path.log_return[t + 1] - market.truth.growth_rates(t)[columns] / 252.0
        squares.append((surprise**2).sum() / specific.sum())
        surprises.append(surprise.sum() / np.sqrt(specific.sum()))
    assert within(np.array(squares), 1.0)
    assert within(np.array(surprises), 0.0)


def innovations_of_names(market: SimulatedMarket) -> np.ndarray:
    """Standardised specific shocks of every name and session, in one row; there must be no exits."""
    path = market.truth.path
    surprise = (
        path.log_return[1:]
        - np.stack([market.truth.growth_rates(t)[path.occupant[t]] for t in range(len(market.panel) - 1)]) / 252.0
    )
    return (surprise / np.sqrt(path.specific[:-1] / 252.0)).ravel()
