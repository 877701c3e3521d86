"""Sample covariances and adapters against dense formulas, planted truth, and laws of scale."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from gammastar.mandate import ActiveWeight, Clocks, Mandate, TrackingError
from gammastar.mandate.schema.file import MandateFile
from gammastar.market.assets import Assets
from gammastar.market.calendar import Frequency
from gammastar.market.moment import Moment
from gammastar.optimise import Status, propose
from gammastar.risk.adapters import FittedCovariance
from gammastar.risk.hybrid import HybridFactors
from gammastar.risk.sample import ExponentialSample, LedoitWolf
from gammastar.risk.statistical import StatisticalFactors

if TYPE_CHECKING:
    from numpy import ndarray

SESSIONS, NAMES, FACTORS = 700, 40, 4
DAYS = 252.0


@dataclass(frozen=True, eq=False)
class Planted:
    """A market with its true annual covariance."""

    moment: Moment
    truth: ndarray


def planted(seed: int, scale: float = 1.0, sessions: int = SESSIONS) -> Planted:
    rng = np.random.default_rng(seed)
    loadings = np.column_stack((rng.uniform(0.12, 0.25, NAMES), rng.normal(0.0, 0.06, (NAMES, FACTORS - 1)))) / np.sqrt(DAYS)
    specific = rng.uniform(0.15, 0.35, NAMES) / np.sqrt(DAYS)
    logs = rng.normal(size=(sessions, FACTORS)) @ loadings.T + rng.normal(size=(sessions, NAMES)) * specific
    mu = 1.0 / (np.arange(NAMES) + 4.0)
    mu /= mu.sum()
    moment = Moment(
        session=np.datetime64("2015-06-30"),
        assets=Assets(tuple(f"A{i:03d}" for i in range(NAMES))),
        frequency=Frequency.DAILY,
        returns=np.expm1(scale * logs),
        observed=np.ones((sessions, NAMES), dtype=bool),
        benchmark=mu,
        benchmark_history=np.tile(mu, (sessions, 1)),
        published=np.ones(sessions, dtype=bool),
        sector_labels=tuple("ABCD"),
        sector_codes=np.arange(NAMES) % 4,
    )
    return Planted(moment, DAYS * (loadings @ loadings.T + np.diag(specific**2)))


def logs_of(moment: Moment) -> ndarray:
    return np.log1p(moment.returns)


def test_the_exponential_sample_is_its_definition() -> None:
    m = planted(1).moment
    model = ExponentialSample(half_life=60.0, window=300)
    x, w = logs_of(m)[-300:], 0.5 ** (np.arange(299, -1, -1.0) / 60.0)
    dense = DAYS * (x.T * w) @ x / w.sum()
    np.testing.assert_allclose(model.estimate(m).dense(), dense, rtol=1e-10, atol=1e-14)


def by_the_paper(x: ndarray) -> ndarray:
    """Ledoit and Wolf (2004), lemma 3.2 to 3.5, written out with n x n matrices."""
    t, p = x.shape
    s = x.T @ x / t
    m = np.trace(s) / p
    d2 = np.sum((s - m * np.eye(p)) ** 2) / p
    b2 = sum(np.sum((np.outer(row, row) - s) ** 2) / p for row in x) / t**2
    b2 = min(b2, d2)
    return b2 / d2 * m * np.eye(p) + (1.0 - b2 / d2) * s


@pytest.mark.parametrize("window", [30, 300])
def test_ledoit_and_wolf_by_the_paper(window: int) -> None:
    m = planted(2).moment
    model = LedoitWolf(window=window, minimum=2, recent=2)
    np.testing.assert_allclose(model.estimate(m).dense(), DAYS * by_the_paper(logs_of(m)[-window:]), rtol=1e-9, atol=1e-14)


class Plain:
    """What scikit-learn's estimators look like."""

    def fit(self, returns: ndarray) -> Plain:
        self.covariance_ = np.cov(returns, rowvar=False)
        return self


def test_a_fitted_covariance_is_taken_as_it_is_up_to_its_factors() -> None:
    m = planted(3).moment
    dense = DAYS * np.cov(logs_of(m)[-252:], rowvar=False)
    whole = FittedCovariance(Plain(), factors=NAMES, window=252).estimate(m).dense()
    np.testing.assert_allclose(whole, dense, rtol=1e-9, atol=1e-12)
    few = FittedCovariance(Plain(), factors=6, window=252).estimate(m).dense()
    np.testing.assert_allclose(np.diag(few), np.diag(dense), rtol=1e-9)


MODELS = {
    "statistical": StatisticalFactors(factors=4, volatility_half_life=400.0, correlation_half_life=400.0, window=700),
    "exponential": ExponentialSample(half_life=400.0, window=700),
    "ledoit-wolf": LedoitWolf(window=700),
}


@pytest.mark.parametrize("name", MODELS)
def test_risk_scales_with_returns(name: str) -> None:
    """Log returns times k: risk times k, exactly but for rounding."""
    one, thrice = (MODELS[name].estimate(planted(4, scale).moment).dense() for scale in (1.0, 3.0))
    np.testing.assert_allclose(thrice, 9.0 * one, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("name", MODELS)
def test_planted_risk_is_found_for_random_portfolios(name: str) -> None:
    """Forecast over true active risk, on average over portfolios and markets: within 5%."""
    ratios = []
    for seed in range(10, 14):
        made = planted(seed)
        sigma, rng = MODELS[name].estimate(made.moment), np.random.default_rng(seed)
        for _ in range(40):
            d = rng.normal(size=NAMES)
            d -= d.mean()
            ratios.append(np.sqrt(sigma.quadratic(d) / (d @ made.truth @ d)))
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.05)


def test_planted_risk_is_found_for_optimised_portfolios() -> None:
    """The statistical model with as many factors as there are: within 10% for the portfolios that were chosen by it."""
    ratios = []
    for seed in range(20, 28):
        made = planted(seed)
        mandate = Mandate(rules=(TrackingError(0.03), ActiveWeight(0.05)), risk=MODELS["statistical"], clocks=Clocks())
        proposal = propose(mandate, made.moment)
        assert proposal.status is Status.OPTIMAL
        d = proposal.targets - made.moment.benchmark
        ratios.append(proposal.forecast.tracking_error / np.sqrt(d @ made.truth @ d))
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.10)


def test_a_factor_removed_changes_the_weights() -> None:
    m = planted(30).moment
    chosen = [
        propose(Mandate(rules=(TrackingError(0.03), ActiveWeight(0.05)), risk=replace(MODELS["statistical"], factors=count)), m).targets for count in (4, 3)
    ]
    assert np.abs(chosen[0] - chosen[1]).max() > 1e-3


@pytest.mark.parametrize(
    ("kind", "model"),
    [("ledoit_wolf", LedoitWolf), ("exponential_sample", ExponentialSample), ("hybrid", HybridFactors), ("statistical", StatisticalFactors), ("statistical_factors", StatisticalFactors)],
)
def test_a_mandate_names_its_model(kind: str, model: type) -> None:
    told = MandateFile.model_validate({"name": "x", "strategy": {"kind": "volatility_capture"}, "risk": {"kind": kind}})
    assert told.build().risk == replace(model(), minimum=told.data.minimum_observations, recent=told.data.observation_window)
