"""A mandate walked for its forecasts: the true covariance is found right, a wrong one wrong; nothing later is looked at; figures are the formulas'."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from gammastar.backtest.forecasting import GROUPS, GROWTH, study_risk, walk_forecasts
from gammastar.core.covariance import FactoredCovariance
from gammastar.core.excess_growth import captured_volatility, expected_captured_volatility
from gammastar.core.exposures import size_exposure
from gammastar.errors import ConflictError, StaleDataError, UsageError
from gammastar.mandate import ActiveWeight, Clocks, Generated, Mandate, TrackingError, WeightBounds
from gammastar.market.calendar import Clock
from gammastar.optimise import propose
from gammastar.risk.calibration import GrowthCalibration, realised_relative_variances
from gammastar.risk.evaluate import Span
from gammastar.risk.statistical import StatisticalFactors
from gammastar.simulate import History, simulate_history
from gammastar.simulate.geometric_brownian import GeometricBrownian
from gammastar.simulate.presets import Setup

if TYPE_CHECKING:
    from gammastar.market.moment import Moment
    from gammastar.market.panel import Panel


@dataclass(frozen=True, eq=False)
class Known:
    """The covariance of the market, or a multiple of it, as if it were estimated."""

    covariance: FactoredCovariance
    factor: float = 1.0

    def estimate(self, moment: Moment) -> FactoredCovariance:
        return self.covariance.scaled(self.factor)


@pytest.fixture(scope="module")
def market() -> tuple[Panel, FactoredCovariance]:
    """Thirty names with different betas and volatilities over six years, and their covariance."""
    rng = np.random.default_rng(5)
    loadings = np.column_stack((0.15 * rng.uniform(0.6, 1.4, 30), 0.08 * rng.standard_normal(30)))
    sigma = FactoredCovariance(loadings, rng.uniform(0.15, 0.35, 30) ** 2)
    setup = Setup(GeometricBrownian(np.full(30, 0.05), sigma), start=-0.3 * np.log(np.arange(1.0, 31.0)))
    return simulate_history(setup, 8, History(sessions=1513, start=dt.date(2010, 1, 4))).panel, sigma


def mandate(sigma: FactoredCovariance, factor: float = 1.0) -> Mandate:
    return Mandate(name="known", rules=(TrackingError(0.03), ActiveWeight(0.05)), risk=Known(sigma, factor))


def test_with_the_true_covariance_every_bias_is_within_its_band(market) -> None:
    """The optimiser finds no errors to seek; with a doubled forecast the bias is a half, far outside, for exactly the same targets of fixed portfolios."""
    panel, sigma = market
    found = study_risk(mandate(sigma), panel, (None, None), ())
    (window,) = found.windows
    own, drawn = window.group("optimised"), window.group("random")
    assert own.daily.low < own.daily.value < own.daily.high
    assert own.monthly.low < own.monthly.value < own.monthly.high
    inside = [drawn.daily.low < value < drawn.daily.high for value in drawn.each_daily]
    assert np.mean(inside) > 0.75
    assert drawn.daily.bootstrap_low < 1.0 < drawn.daily.bootstrap_high
    assert abs(window.growth["raw"].ratio - 1.0) < 3.0 * window.growth["raw"].error
    doubled = study_risk(mandate(sigma, 4.0), panel, (None, None), ()).windows[0]
    for name in ("random", "style", "benchmark"):
        assert doubled.group(name).daily.value == pytest.approx(0.5 * window.group(name).daily.value, rel=1e-12)
    assert doubled.group("optimised").daily.value < doubled.group("optimised").daily.low
    assert doubled.group("optimised").daily.value == pytest.approx(0.5, abs=0.05)


def test_forecasts_and_returns_are_those_of_the_proposals(market) -> None:
    """Recomputed by hand: targets of `propose` at the month's last close, their forecast, and the returns of the sessions after it."""
    panel, sigma = market
    signed = mandate(sigma)
    found = walk_forecasts(signed, panel, (np.datetime64("2011-01-31"), np.datetime64("2011-03-31")))
    told = found.forecasts
    assert [str(day) for day in found.decisions] == ["2011-01-31", "2011-02-28"]
    assert str(told.sessions[0]) == "2011-02-01"
    assert str(told.sessions[-1]) == "2011-03-31"
    at = panel.calendar.position(np.datetime64("2011-01-31"))
    until = panel.calendar.position(np.datetime64("2011-02-28"))
    moment = panel.moment(at)
    proposal = propose(signed, moment)
    active = proposal.targets - moment.benchmark
    rows = slice(at + 1, until + 1)
    here = slice(0, until - at)
    assert told.realised[here, 0] == pytest.approx(panel.returns[rows] @ active, abs=1e-15)
    assert told.forecast[here, 0] == pytest.approx(proposal.forecast.tracking_error / np.sqrt(252.0), rel=1e-12)
    expected = expected_captured_volatility(proposal.targets, moment.benchmark, sigma)
    assert told.expected["raw"][here] == pytest.approx(expected / 252.0, rel=1e-12)
    weights = np.broadcast_to(proposal.targets, panel.returns[rows].shape)
    captured = captured_volatility(weights, panel.benchmark[at:until], 1.0 + panel.returns[rows])
    assert told.captured[here] == pytest.approx(captured, abs=1e-14)
    assert found.exposures["size"][0] == pytest.approx(size_exposure(moment.benchmark) @ active, abs=1e-12)
    index = told.columns(told.groups[-1])
    assert told.realised[:, index][:, 0] == pytest.approx(panel.benchmark_returns[at + 1 : at + 1 + len(told)], abs=1e-15)
    assert tuple(group.name for group in told.groups) == GROUPS
    assert tuple(told.expected) == GROWTH


def test_the_learnt_calibration_knows_the_past_alone(market) -> None:
    panel, sigma = market
    found = walk_forecasts(mandate(sigma), panel, (np.datetime64("2011-01-31"), np.datetime64("2011-05-31")))
    learnt = GrowthCalibration()
    for k, day in enumerate(found.decisions[:-1]):
        assert (found.slopes[k], found.levels[k]) == pytest.approx((learnt.slope, learnt.level), rel=1e-12)
        at, until = (panel.calendar.position(d) for d in (day, found.decisions[k + 1]))
        tau = sigma.relative_variances(panel.benchmark[at])
        learnt = learnt.after(realised_relative_variances(panel.returns[at + 1 : until + 1], panel.benchmark_returns[at + 1 : until + 1], annual=252.0), tau)
    assert (found.slopes[0], found.levels[0]) == (1.0, 1.0)
    assert (found.slopes[-1], found.levels[-1]) == pytest.approx((learnt.slope, learnt.level), rel=1e-12)


def test_nothing_later_than_a_decision_changes_its_forecasts(small_panel: Panel) -> None:
    """With all returns after a close spoilt, every forecast made up to it is the same."""
    signed = Mandate(rules=(TrackingError(0.03), ActiveWeight(0.03)), risk=StatisticalFactors(factors=5, window=400))
    start, cut = np.datetime64("2008-06-30"), np.datetime64("2008-10-31")
    at = small_panel.calendar.position(cut)
    spoilt = small_panel.returns.copy()
    spoilt[at + 1 :] = np.random.default_rng(0).normal(0.0, 0.05, spoilt[at + 1 :].shape)
    poisoned = replace(small_panel, returns=spoilt)
    end = np.datetime64("2008-11-28")
    plain, other = (walk_forecasts(signed, panel, (start, end)).forecasts for panel in (small_panel, poisoned))
    assert np.array_equal(plain.forecast, other.forecast)
    for name in GROWTH:
        assert np.array_equal(plain.expected[name], other.expected[name])
    assert not np.array_equal(plain.realised, other.realised)


def test_sectors_without_members_are_left_out_and_sector_weights_are_neutral(small_panel: Panel) -> None:
    signed = Mandate(rules=(TrackingError(0.03), ActiveWeight(0.03)), risk=StatisticalFactors(factors=5, window=400))
    found = study_risk(signed, small_panel, (np.datetime64("2008-06-30"), np.datetime64("2008-12-31")), ())
    told = found.forecasts
    group = next(group for group in told.groups if group.name == "sector")
    forecast = told.forecast[:, told.columns(group)]
    scored = found.windows[0].group("sector")
    assert scored.labels == tuple(label for label, column in zip(group.labels, forecast.T, strict=True) if (column > 0.0).all())


def test_a_generated_mandate_is_evaluated_too(small_panel: Panel, diversity: Mandate) -> None:
    found = study_risk(diversity, small_panel, (np.datetime64("2008-06-30"), np.datetime64("2009-06-30")), (Span("half", "2008-07-01", "2008-12-31"),))
    assert [window.span.name for window in found.windows] == ["whole", "half"]
    assert found.windows[0].group("optimised").daily.value > 0.0


def test_what_cannot_be_evaluated_is_refused(market, small_panel: Panel, index_fund: Mandate) -> None:
    panel, sigma = market
    signed = mandate(sigma)
    day = np.datetime64("2011-06-30")
    with pytest.raises(UsageError, match="no risk model"):
        study_risk(Mandate(strategy=Generated(), risk=None), panel, (None, None))
    with pytest.raises(UsageError, match="targets are the benchmark"):
        study_risk(index_fund, small_panel, (np.datetime64("2008-06-30"), None))
    with pytest.raises(UsageError, match="no session"):
        study_risk(signed, panel, (day, day))
    with pytest.raises(StaleDataError, match="does not reach"):
        study_risk(signed, panel, (np.datetime64("1999-12-31"), None))
    with pytest.raises(StaleDataError, match="fewer than 126 returns"):
        study_risk(signed, panel, (np.datetime64("2010-03-31"), None))
    with pytest.raises(StaleDataError, match="no close has"):
        study_risk(signed, panel.first(100), (None, None))
    with pytest.raises(StaleDataError, match="window later"):
        study_risk(signed, panel, (day, np.datetime64("2011-09-30")), (Span("later", "2014-01-01", "2014-12-31"),))
    impossible = Mandate(rules=(ActiveWeight(0.0001), WeightBounds(minimum=0.033)), risk=Known(sigma), clocks=Clocks(Clock.MONTHLY))
    with pytest.raises(ConflictError, match="first decision"):
        study_risk(impossible, panel, (day, None))


@pytest.mark.slow
def test_the_example_is_forecast_about_right_on_calm_real_history(sp500_daily: Panel) -> None:
    """2013 to 2016, the selection data: random portfolios are right, the optimised one nearly."""
    signed = Mandate.load(Path(__file__).resolve().parents[2] / "examples" / "mandates" / "us-enhanced-index.toml")
    (window,) = study_risk(signed, sp500_daily, (np.datetime64("2012-12-31"), np.datetime64("2016-12-31")), ()).windows
    assert 0.95 < window.group("random").daily.value < 1.10
    assert 0.90 < window.group("optimised").daily.value < 1.20
    assert 0.8 < window.growth["learnt"].ratio < 1.2
