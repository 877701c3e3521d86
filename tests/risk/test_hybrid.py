"""Laws of the hybrid factor model: what it must return whatever the market, and what it must find where the truth is known."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from gammastar.core.covariance import FactoredCovariance
from gammastar.core.excess_growth import expected_captured_volatility
from gammastar.core.exposures import standardise
from gammastar.errors import DataError
from gammastar.mandate.characteristics import characteristic_values
from gammastar.market.assets import Assets
from gammastar.market.calendar import Frequency
from gammastar.market.characteristics import STYLES, Observed, running_characteristics
from gammastar.market.moment import Moment
from gammastar.risk.cross_section import cross_sections
from gammastar.risk.hybrid import HybridFactors, noise
from gammastar.risk.weighted import effective_sessions, without_noise

if TYPE_CHECKING:
    from gammastar.risk.statistical import RiskModel

SMALL = HybridFactors(components=2, window=120, minimum=40, recent=80, volatility_half_life=30.0, correlation_half_life=90.0)


def moment(
    seed: int, *, sessions: int = 420, n: int = 24, gaps: float = 0.05, short: tuple[int, ...] = (), outside: tuple[int, ...] = ()
) -> Moment:
    """Return a market with sectors and betas, of which a share is missing; `short` names are observed for thirty sessions, `outside` ones leave the index late."""
    rng = np.random.default_rng(seed)
    logs = rng.normal(0.0, 0.01, (sessions, 1)) * rng.uniform(0.5, 1.5, n) + rng.normal(0.0, 0.006, (sessions, 3))[:, np.arange(n) % 3]
    logs += rng.standard_t(5, (sessions, n)) * rng.uniform(0.006, 0.02, n)
    observed = rng.random(logs.shape) > gaps
    observed[0] = False
    for i in short:
        observed[:-30, i] = False
    returns = np.where(observed, np.expm1(logs), 0.0)
    weights = rng.dirichlet(np.full(n, 2.0)) * np.exp(np.cumsum(rng.normal(0.0, 0.01, (sessions, n)), axis=0))
    weights[-60:, list(outside)] = 0.0
    weights /= weights.sum(axis=1, keepdims=True)
    return Moment(
        session=np.datetime64("2015-06-30"),
        assets=Assets(tuple(f"A{i}" for i in range(n))),
        frequency=Frequency.DAILY,
        returns=returns,
        observed=observed,
        benchmark=weights[-1],
        benchmark_history=weights,
        published=np.ones(sessions, dtype=bool),
        sector_labels=("S0", "S1", "S2"),
        sector_codes=np.arange(n) % 3,
    )


def until(m: Moment, stop: int) -> Moment:
    """Return what was known at the close of session ``stop - 1``."""
    return replace(m, returns=m.returns[:stop], observed=m.observed[:stop], benchmark=m.benchmark_history[stop - 1],
                   benchmark_history=m.benchmark_history[:stop], published=m.published[:stop])  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
def test_the_characteristics_of_the_last_session_are_those_of_the_mandate(seed: int) -> None:
    """Running sums and plain formulas: two roads to size, volatility, momentum, reversal and, on the mandate's own index, beta."""
    m = moment(seed, outside=(5,))
    logs = np.where(m.observed, np.log1p(m.returns), 0.0)
    index = np.zeros(len(logs))
    index[1:] = np.log1p(np.einsum("tn,tn->t", m.benchmark_history[:-1], m.returns[1:]))
    found = running_characteristics(Observed(logs, m.observed, index), m.benchmark_history[-3:], minimum=2)
    assert tuple(found) == STYLES
    for name, (values, known) in found.items():
        assert known[-1].all()
        np.testing.assert_allclose(values[-1][m.members], characteristic_values(name, m)[m.members], rtol=1e-9, atol=1e-12)


def test_running_characteristics_refuse_what_cannot_be() -> None:
    m = moment(1)
    history = Observed(np.log1p(m.returns), m.observed, np.zeros(len(m.returns)))
    with pytest.raises(ValueError, match="minimum"):
        running_characteristics(history, m.benchmark_history, minimum=1)
    with pytest.raises(ValueError, match="rows"):
        running_characteristics(history, np.ones((500, 24)), minimum=2)


def design(m: Moment, t: int) -> np.ndarray:
    """Return exposures at the close of t by the plain formulas, shape (n, 1 + 3 + 5)."""
    then = until(m, t + 1)
    logs = np.where(then.observed, np.log1p(then.returns), 0.0)
    index = np.zeros(len(logs))
    for s in range(1, len(logs)):
        weight = then.benchmark_history[s - 1] * then.observed[s]
        index[s] = weight @ logs[s] / weight.sum()
    found = running_characteristics(Observed(logs, then.observed, index), then.benchmark_history[-1:], minimum=63)
    styles = [standardise(found[name][0][0], then.benchmark) for name in STYLES]
    return np.column_stack((np.ones(len(then.assets)), np.eye(3)[m.sector_codes], *styles))


def test_the_regressions_are_constrained_least_squares() -> None:
    """Against one dense regression with its constraint solved as a bordered system, on sessions from one end of the window to the other."""
    m = moment(3)
    found = cross_sections(m, window=120, styles=STYLES)
    assert found.names == ("market", "S0", "S1", "S2", *STYLES)
    for back in (1, 50, 120):
        t = len(m.returns) - back
        x, mu, use = design(m, t - 1), m.benchmark_history[t - 1], m.observed[t]
        weight = np.sqrt(mu[use])
        border = np.zeros(x.shape[1])
        border[1:4] = np.bincount(m.sector_codes[use], weights=mu[use], minlength=3)
        system = np.block([[(x[use].T * weight) @ x[use], border[:, None]], [border[None, :], np.zeros((1, 1))]])
        right = np.append((x[use].T * weight) @ np.log1p(m.returns[t, use]), 0.0)
        answer = np.linalg.lstsq(system, right, rcond=None)[0][:-1]
        np.testing.assert_allclose(found.returns[-back], answer, rtol=1e-7, atol=1e-10)
        residual = np.where(use, np.log1p(np.where(use, m.returns[t], 0.0)) - x @ answer, 0.0)
        np.testing.assert_allclose(found.residuals[-back], residual, atol=1e-10)
    np.testing.assert_allclose(found.exposures, design(m, len(m.returns) - 1), atol=1e-9)


def test_residual_variance_is_each_name_s_own_weighted_mean_square() -> None:
    """Nothing is moved across names: with the factors' part taken away, an explicit loop over the name's own residuals is what is left."""
    m = moment(4)
    plain = replace(SMALL, surge_half_life=0.0)
    found, sigma = cross_sections(m, window=120, styles=STYLES), plain.estimate(m)
    none = replace(plain, components=0).estimate(m)
    for i in range(24):
        total = weight = 0.0
        for back in range(120):
            if found.observed[-1 - back, i]:
                decay = 0.5 ** (back / 30.0)
                total, weight = total + decay * found.residuals[-1 - back, i] ** 2, weight + decay
        assert none.specific[i] == pytest.approx(252.0 * total / weight, rel=1e-10)
    np.testing.assert_allclose(sigma.variances, none.variances, rtol=1e-12)  # components share it out, and add nothing
    assert sigma.loadings.shape == (24, 9 + 2)


def test_the_factors_variance_is_that_of_their_returns() -> None:
    m = moment(5)
    found, sigma = cross_sections(m, window=120, styles=STYLES), replace(SMALL, components=0, correlation_half_life=30.0, own_sensitivities=False).estimate(m)
    weight = 0.5 ** (np.arange(119, -1, -1) / 30.0)
    covariance = 252.0 * (found.returns.T * weight) @ found.returns / weight.sum()
    np.testing.assert_allclose(sigma.loadings @ sigma.loadings.T, found.exposures @ covariance @ found.exposures.T, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_scaling_returns_by_k_scales_the_covariance_by_k_squared(seed: int) -> None:
    """Log returns times k, short names included; every standardised characteristic is as it was."""
    m, k = moment(seed, short=(2, 7)), 1.9
    scaled = replace(m, returns=np.expm1(k * np.log1p(m.returns)))
    here, there = SMALL.estimate(m).dense(), SMALL.estimate(scaled).dense()
    np.testing.assert_allclose(there, k * k * here, rtol=1e-8, atol=1e-10 * np.abs(here).max())


@pytest.mark.parametrize("style", STYLES)
def test_a_style_removed_changes_the_covariance(style: str) -> None:
    m = moment(6)
    full, less = SMALL.estimate(m), replace(SMALL, styles=tuple(name for name in STYLES if name != style)).estimate(m)
    assert less.loadings.shape[1] == full.loadings.shape[1] - 1
    assert np.abs(less.dense() - full.dense()).max() > 1e-4 * np.abs(full.dense()).max()


@pytest.mark.parametrize("seed", range(3))
def test_permuting_assets_permutes_the_covariance(seed: int) -> None:
    m, order = moment(seed, short=(4,), outside=(9,)), np.random.default_rng(seed).permutation(24)
    other = replace(
        m,
        assets=Assets(tuple(m.assets.ids[i] for i in order)),
        returns=m.returns[:, order],
        observed=m.observed[:, order],
        benchmark=m.benchmark[order],
        benchmark_history=m.benchmark_history[:, order],
        sector_codes=m.sector_codes[order],
    )
    np.testing.assert_allclose(SMALL.estimate(other).dense(), SMALL.estimate(m).dense()[np.ix_(order, order)], rtol=1e-8, atol=1e-11)


@pytest.mark.parametrize("seed", range(3))
def test_unobserved_entries_never_matter(seed: int) -> None:
    """Any garbage where nothing was observed: not a bit changes."""
    m = moment(seed, gaps=0.2, short=(1, 5))
    garbage = np.random.default_rng(seed + 99).uniform(-0.99, 50.0, m.returns.shape)
    here, there = SMALL.estimate(m), SMALL.estimate(replace(m, returns=np.where(m.observed, m.returns, garbage)))
    assert np.array_equal(here.loadings, there.loadings)
    assert np.array_equal(here.specific, there.specific)


def test_later_data_cannot_change_a_factor_return() -> None:
    """The sessions that two moments share have the same regressions, but for the order in which running sums were added."""
    m = moment(7)
    early, late = (cross_sections(until(m, stop), window=100, styles=STYLES) for stop in (400, 420))
    np.testing.assert_allclose(early.returns[20:], late.returns[:-20], atol=1e-12)
    np.testing.assert_allclose(early.residuals[20:], late.residuals[:-20], atol=1e-12)
    wild = m.returns.copy()
    wild[-20:] = np.where(m.observed[-20:], 5.0, 0.0)
    again = cross_sections(replace(m, returns=wild), window=100, styles=STYLES)
    np.testing.assert_allclose(again.returns[:-20], late.returns[:-20], atol=1e-12)


def test_sessions_before_window_and_year_never_matter() -> None:
    m = moment(3)
    early = m.returns.copy()
    early[: -SMALL.window - 252] = 7.0
    assert np.array_equal(SMALL.estimate(m).dense(), SMALL.estimate(replace(m, returns=early)).dense())


@pytest.mark.parametrize(
    "model",
    [SMALL, replace(SMALL, components=40), replace(SMALL, components=0), replace(SMALL, styles=()), replace(SMALL, remove_noise=True),
     replace(SMALL, own_sensitivities=False)],
)  # fmt: skip
def test_it_is_a_covariance(model: RiskModel) -> None:
    sigma = model.estimate(moment(2, short=(0, 3, 6, 9), gaps=0.1, outside=(8,)))
    assert np.isfinite(sigma.dense()).all()
    assert (sigma.specific >= 0.0).all()
    assert np.linalg.eigvalsh(sigma.dense()).min() > -1e-12


def test_names_neither_in_the_benchmark_nor_held_have_no_part() -> None:
    m = moment(6, outside=(2, 5))
    held = m.benchmark.copy()
    held[5] = 0.01
    assert not SMALL.estimate(m).dense()[[2, 5]].any()
    with_held = SMALL.estimate(replace(m, holdings=held))
    assert not with_held.dense()[2].any()
    assert with_held.variances[5] > 0.0


def test_a_short_history_gets_what_is_typical_of_its_sector() -> None:
    m = moment(5, short=(3, 6))  # both of sector 0
    sigma = SMALL.estimate(m)
    peers = [i for i in range(24) if i % 3 == 0 and i not in {3, 6}]
    for i in (3, 6):
        np.testing.assert_allclose(sigma.loadings[i], sigma.loadings[peers].mean(axis=0), rtol=1e-12)
        assert sigma.variances[i] == pytest.approx(np.median(sigma.variances[peers]), rel=1e-12)


@pytest.mark.parametrize("sessions", [45, 60, 90])
def test_a_young_market_whose_styles_are_not_known_yet_has_finite_risk(sessions: int) -> None:
    sigma = SMALL.estimate(moment(8, sessions=sessions, gaps=0.0))
    assert np.isfinite(sigma.dense()).all()
    assert (sigma.variances > 0.0).all()


def test_a_name_that_does_not_move_and_a_sector_of_one_break_nothing() -> None:
    m = moment(4)
    still = m.returns.copy()
    still[:, 3] = 0.0
    codes = m.sector_codes.copy()
    codes[5] = 3
    sigma = SMALL.estimate(replace(m, returns=still, sector_codes=codes, sector_labels=("S0", "S1", "S2", "alone")))
    assert np.isfinite(sigma.dense()).all()


def test_without_histories_there_is_no_estimate() -> None:
    m = moment(4)
    with pytest.raises(DataError, match="40 observed returns"):
        SMALL.estimate(replace(m, observed=np.zeros_like(m.observed)))


@pytest.mark.parametrize(
    "wrong",
    [{"components": -1}, {"minimum": 1}, {"window": 10}, {"recent": 10}, {"volatility_half_life": 0.0}, {"correlation_half_life": -1.0},
     {"styles": ("size", "size")}, {"styles": ("taste",)}],
)  # fmt: skip
def test_it_refuses_parameters_outside_their_range(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"need|must"):
        replace(SMALL, **wrong)


def planted(seed: int, *, n: int = 300, sessions: int = 1_100, own: float = 0.0) -> tuple[Moment, FactoredCovariance]:
    """Return a market of constant risk and the truth behind it: market, ten sectors, styles of beta, size and volatility, specific; a share `own` of
    the market sensitivities is of no characteristic."""
    rng = np.random.default_rng(seed)
    mu = np.sort(rng.pareto(1.5, n) + 0.2)[::-1]
    mu /= mu.sum()
    codes, log_volatility = rng.permutation(np.arange(n) % 10), rng.normal(0.0, 0.3, n)
    styles = [strength * standardise(x, mu) for strength, x in ((0.05, rng.standard_normal(n)), (0.03, np.log(mu)), (0.04, log_volatility))]
    truth = np.column_stack((np.full(n, 0.16), 0.08 * np.eye(10)[codes], *styles))
    truth[:, 1:11] *= 1.0 + own * rng.standard_normal((n, 1))
    specific = (0.22 * np.exp(log_volatility)) ** 2
    logs = (rng.standard_normal((sessions, truth.shape[1])) @ truth.T + rng.standard_normal((sessions, n)) * np.sqrt(specific)) / np.sqrt(252.0)
    logs[0] = 0.0
    observed = np.ones(logs.shape, dtype=bool)
    observed[0] = False
    known = Moment(
        session=np.datetime64("2015-06-30"), assets=Assets(tuple(f"A{i}" for i in range(n))), frequency=Frequency.DAILY, returns=np.expm1(logs),
        observed=observed, benchmark=mu, benchmark_history=np.tile(mu, (sessions, 1)), published=np.ones(sessions, dtype=bool),
        sector_labels=tuple(f"S{k}" for k in range(10)), sector_codes=codes,
    )  # fmt: skip
    return known, FactoredCovariance(truth, specific)


def capture_weights(sigma: FactoredCovariance, mu: np.ndarray, target: float) -> np.ndarray:
    """Return active weights that maximise forecast captured volatility at a forecast tracking error: ``Sigma d = tau / 2 + p``, long-only or not."""
    dense, pull = sigma.dense(), 0.5 * sigma.relative_variances(mu)
    to_pull, to_budget = np.linalg.solve(dense, pull), np.linalg.solve(dense, np.ones(len(mu)))
    active = to_pull - to_budget * (to_pull.sum() / to_budget.sum())
    return np.asarray(active * (target / np.sqrt(sigma.quadratic(active))))


def over_truth(sigma: FactoredCovariance, truth: FactoredCovariance, active: np.ndarray) -> float:
    """Return forecast over true risk."""
    return float(np.sqrt(sigma.quadratic(active) / truth.quadratic(active)))


def recovered(model: HybridFactors, seed: int) -> float:
    """Return forecast over true risk of what the forecast optimised, after asking random active portfolios of the same market to be within 5%."""
    m, truth = planted(seed)
    sigma, rng = model.estimate(m), np.random.default_rng(seed)
    ratios = []
    for _ in range(60):
        active = rng.standard_normal(300) * np.minimum(m.benchmark, 0.005)
        ratios.append(over_truth(sigma, truth, active - active.mean()))
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.05)
    assert np.sqrt(np.mean((np.array(ratios) - 1.0) ** 2)) < 0.05
    best = capture_weights(sigma, m.benchmark, 0.02)
    assert expected_captured_volatility(m.benchmark + best, m.benchmark, sigma) > 0.0
    return over_truth(sigma, truth, best)


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_with_own_sensitivities_planted_risk_is_recovered_for_random_and_for_optimised_portfolios(seed: int) -> None:
    assert recovered(HybridFactors(own_sensitivities=True), seed) == pytest.approx(1.0, abs=0.10)


def test_the_default_model_recovers_planted_risk_for_random_and_for_optimised_portfolios() -> None:
    """Twelve markets. One optimised portfolio says little of a market (its ratio is spread by 6%), so 5% is asked of their mean, and 20% of each."""
    optimised = [recovered(HybridFactors(), seed) for seed in range(11, 23)]
    assert optimised == pytest.approx(np.ones(12), abs=0.20)
    assert np.mean(optimised) == pytest.approx(1.0, abs=0.05)


def test_own_sensitivities_bring_hidden_ones_into_the_forecast() -> None:
    """Where sensitivities differ within sectors and no characteristic tells, an optimiser cancels what it sees and keeps the rest: 10% of risk is missed without."""
    with_them, without = [], []
    for seed in range(11, 17):
        m, truth = planted(seed, own=0.4)
        for told, on in ((with_them, True), (without, False)):
            sigma = HybridFactors(own_sensitivities=on).estimate(m)
            told.append(over_truth(sigma, truth, capture_weights(sigma, m.benchmark, 0.02)))
    assert np.mean(with_them) == pytest.approx(1.0, abs=0.05)
    assert np.mean(without) < np.mean(with_them) - 0.05


def test_a_surge_is_the_ratio_of_two_weighted_means_of_dispersion_and_only_raises() -> None:
    """Loops over the definition; calm days at the end leave the covariance as it is, days of three times the returns scale all of it alike."""
    m = moment(4)
    plain, surging = (replace(SMALL, surge_half_life=half) for half in (0.0, 5.0))
    found = cross_sections(m, window=120, styles=STYLES)
    for t in (3, 60, 119):
        mu = np.where(found.observed[t], m.benchmark_history[-121 + t], 0.0)
        away = np.log1p(m.returns[-120 + t]) - found.returns[t, 0]
        assert found.dispersion[t] == pytest.approx(float(np.sqrt(mu) @ np.square(away) / np.sqrt(mu).sum()), rel=1e-10)
    for size, rises in ((1.0, None), (0.2, False), (3.0, True)):
        returns = m.returns.copy()
        returns[-4:] = np.expm1(size * np.log1p(returns[-4:]))
        changed = replace(m, returns=returns)
        dispersion = cross_sections(changed, window=120, styles=STYLES).dispersion
        means = []
        for half in (5.0, 30.0):
            weights = [0.5 ** (back / half) for back in range(119, -1, -1)]
            means.append(sum(w * d for w, d in zip(weights, dispersion, strict=True)) / sum(weights))
        ratio = max(1.0, means[0] / means[1])
        assert rises is None or (ratio > 1.5 if rises else ratio == 1.0)
        before, after = plain.estimate(changed), surging.estimate(changed)
        np.testing.assert_allclose(after.loadings, before.loadings * np.sqrt(ratio), rtol=1e-12)
        np.testing.assert_allclose(after.specific, before.specific * ratio, rtol=1e-9, atol=1e-15)


def test_sensitivities_that_no_characteristic_tells_are_found() -> None:
    """Where sector sensitivities differ within a sector, own sensitivities bring covariances nearer to the truth; where they do not, they do no harm."""
    for own, least in ((0.6, 0.0), (0.0, -0.05)):
        m, truth = planted(21, own=own)
        with_them, without = (replace(HybridFactors(components=0, own_sensitivities=on), volatility_half_life=252.0).estimate(m) for on in (True, False))
        off = ~np.eye(300, dtype=bool)
        errors = [float(np.sqrt(np.mean((sigma.dense() - truth.dense())[off] ** 2))) for sigma in (with_them, without)]
        assert errors[0] < errors[1] * (1.0 - least)


def test_noise_is_what_specific_returns_add_to_factor_returns() -> None:
    """Monte Carlo: in a market of specific returns alone the second moments of the factors' returns are all noise."""
    m, truth = planted(31, sessions=1_300, n=200)
    rng, variances = np.random.default_rng(5), truth.specific / 252.0
    alone = replace(m, returns=np.expm1(rng.standard_normal(m.returns.shape) * np.sqrt(variances)))
    found = cross_sections(alone, window=1_000, styles=("size",))
    added = noise(found, m.benchmark, (np.arange(200), variances))
    seen = found.returns.T @ found.returns / 1_000
    np.testing.assert_allclose(np.diag(seen), np.diag(added), rtol=0.2)  # standard error of a variance over 1,000 sessions is 4.5%
    taken = replace(HybridFactors(), remove_noise=True).estimate(m)
    assert taken.quadratic(m.benchmark) < HybridFactors().estimate(m).quadratic(m.benchmark)


@pytest.mark.parametrize("strength", [3.0, 12.0])
def test_components_lose_what_noise_adds_to_them(strength: float) -> None:
    """A planted spike in a correlation matrix, at 300 names and 600 sessions: what is kept is near the best multiple of the seen direction; pure noise goes."""
    rng, names, sessions = np.random.default_rng(9), 300, 600
    direction = rng.standard_normal(names)
    direction /= np.linalg.norm(direction)
    returns = rng.standard_normal((sessions, names)) + np.sqrt(strength) * rng.standard_normal((sessions, 1)) * direction
    values, vectors = np.linalg.eigh(returns.T @ returns / sessions)
    scale = values.sum() / names
    seen = (vectors * np.sqrt(values / scale))[:, ::-1][:, :4]
    kept = np.einsum("nk,nk->k", *(2 * [without_noise(seen, sessions)])) * scale
    best = strength * float(vectors[:, -1] @ direction) ** 2
    assert kept[0] == pytest.approx(best, rel=0.15)
    assert kept[1:] == pytest.approx(0.0, abs=0.5)  # an edge is never sharp in a finite sample


def test_effective_sessions_of_equal_weights_are_all_of_them() -> None:
    assert effective_sessions(np.full(40, 0.3)) == pytest.approx(40.0)
    assert effective_sessions(0.5 ** (np.arange(5000.0) / 252.0)) == pytest.approx(2.0 * 252.0 / np.log(2.0), rel=1e-2)
