"""Scores of a study of forecasts: means over series, their bands, windows, and the slope learnt from the past."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from gammastar.core.covariance import FactoredCovariance
from gammastar.core.excess_growth import calibrated_captured_volatility
from gammastar.core.measures import bias_statistic
from gammastar.risk.calibration import GrowthCalibration, realised_relative_variances, spread_slope
from gammastar.risk.evaluate import Span, evaluate, measured_bias, measured_mean_bias
from gammastar.risk.study import Forecasts, Group, RiskStudy, calendar_years, score, whole


def forecasts(scale: float = 1.0, seed: int = 3) -> Forecasts:
    """Return two years and a month of one portfolio and three others, the last of which comes late; true deviations over `scale`."""
    days = np.arange(np.datetime64("2014-12-01"), np.datetime64("2017-01-01"))
    days = days[np.is_busday(days)]
    rng = np.random.default_rng(seed)
    deviation = np.exp(rng.normal(-5.0, 0.3, (len(days), 4)))
    realised = rng.standard_normal(deviation.shape) * deviation
    forecast = deviation / scale
    forecast[:200, 3] = 0.0
    growth = rng.normal(1e-4, 1e-4, len(days))
    groups = (Group("optimised", ("own",)), Group("random", ("one", "two", "late")))
    return Forecasts(days, groups, realised, forecast, growth, {"raw": np.full(len(days), 2e-4), "none": np.zeros(len(days))})


def test_a_group_of_one_is_scored_as_the_evaluation_does() -> None:
    told = forecasts()
    window = score(told, whole(told))
    own = window.group("optimised")
    found = evaluate(told.realised[:, 0], told.forecast[:, 0], told.months, np.random.default_rng(1))
    assert (own.daily, own.monthly) == (found.sessions, found.periods)
    assert own.qlike == pytest.approx(found.qlike, rel=1e-14)
    assert own.each_daily == (bias_statistic(told.realised[:, 0], told.forecast[:, 0]),)


@pytest.mark.parametrize("scale", [0.7, 1.0, 2.0])
def test_a_group_is_the_mean_of_its_series_and_a_scale_is_found(scale: float) -> None:
    window = score(forecasts(scale), Span("2016", "2016-01-01", "2016-12-31"))
    drawn = window.group("random")
    assert drawn.labels == ("one", "two", "late")
    assert drawn.daily.value == pytest.approx(np.mean(drawn.each_daily), rel=1e-14)
    assert drawn.monthly.value == pytest.approx(np.mean(drawn.each_monthly), rel=1e-14)
    assert drawn.daily.value == pytest.approx(scale, rel=0.08)
    assert (drawn.daily.low < drawn.daily.value < drawn.daily.high) == (scale == 1.0)


def test_series_that_are_not_there_all_through_are_left_out() -> None:
    told = forecasts()
    assert score(told, whole(told)).group("random").labels == ("one", "two")
    assert score(told, Span("first", "2014-12-01", "2015-03-31")).group("benchmark") is None


def test_the_band_of_a_mean_is_that_of_one_for_one_and_narrower_for_many() -> None:
    told = forecasts()
    pair = told.realised[:, :1], told.forecast[:, :1]
    assert measured_mean_bias(*pair, np.random.default_rng(4)) == measured_bias(pair[0][:, 0], pair[1][:, 0], np.random.default_rng(4))
    rng = np.random.default_rng(7)
    many = measured_mean_bias(rng.standard_normal((500, 40)) * np.linspace(0.2, 1.8, 40), np.ones((500, 40)), rng)
    assert many.bootstrap_low < many.value < many.bootstrap_high
    assert many.value == pytest.approx(1.0, abs=0.02)
    assert many.bootstrap_high - many.bootstrap_low < 0.3 * (many.high - many.low)


def test_windows_of_years_leave_out_what_is_short() -> None:
    told = forecasts()
    assert [span.name for span in calendar_years(told)] == ["2015", "2016"]
    assert whole(told) == Span("whole", "2014-12-01", "2016-12-30")
    with pytest.raises(ValueError, match="needs 2"):
        score(told, Span("short", "2015-01-01", "2015-01-31"))


def test_growth_without_a_positive_forecast_has_no_ratio() -> None:
    told = forecasts()
    growth = score(told, whole(told)).growth
    assert set(growth) == {"raw"}
    assert growth["raw"].ratio == pytest.approx(told.captured.sum() / told.expected["raw"].sum(), rel=1e-12)


def test_a_study_is_plain_values() -> None:
    told = forecasts()
    study = RiskStudy("m", "b", "model", told, (score(told, whole(told)),), told.sessions[:2], 0, {"size": np.zeros(2)}, {"estimate": np.array([0.1, 0.3])}, np.ones(2), np.ones(2))
    plain = json.loads(json.dumps(study.to_dict(), allow_nan=False))
    assert plain["seconds"] == {"estimate": {"median": 0.2, "highest": 0.3}}
    assert plain["windows"][0]["groups"]["random"]["each"]["two"]["daily"] == study.windows[0].group("random").each_daily[1]
    assert plain["styles"]["exposures"] == {"size": [0.0, 0.0]}


@pytest.mark.parametrize("wrong", ["columns", "rows", "growth"])
def test_arrays_that_do_not_fit_are_refused(wrong: str) -> None:
    told = forecasts()
    parts = {"realised": told.realised, "forecast": told.forecast, "captured": told.captured}
    if wrong == "columns":
        parts["forecast"] = told.forecast[:, :2]
    elif wrong == "rows":
        parts["realised"] = told.realised[:-1]
    else:
        parts["captured"] = told.captured[:-1]
    with pytest.raises(ValueError, match=r"one row a session|one value a session"):
        Forecasts(told.sessions, told.groups, expected=told.expected, **parts)


def test_the_slope_is_found_and_noise_in_forecasts_lowers_it() -> None:
    """Forecasts are truth and error in equal parts of log variance: half of their spread comes true."""
    rng = np.random.default_rng(2)
    truth = np.exp(rng.normal(-3.0, 0.5, 4000))
    forecast = truth * np.exp(rng.normal(0.0, 0.5, 4000))
    sessions = rng.standard_normal((21, 4000)) * np.sqrt(truth / 252.0)
    index = rng.normal(0.0, 0.01, 21)
    realised = realised_relative_variances(np.expm1(sessions + index[:, None]), np.expm1(index), annual=252.0)
    assert realised.mean() == pytest.approx(truth.mean(), rel=0.02)
    assert spread_slope(realised, forecast) == pytest.approx(0.5, abs=0.03)
    assert spread_slope(realised, truth) == pytest.approx(1.0, abs=0.03)
    slope = spread_slope(realised, forecast)
    learnt = GrowthCalibration(half_life=math.inf, slopes=2.0, count=2.0)
    for _ in range(6):
        learnt = learnt.after(realised, forecast)
    assert learnt.slope == pytest.approx((2.0 + 6.0 * slope) / 8.0, rel=1e-12)
    fading = GrowthCalibration(half_life=1.0, slopes=2.0, count=2.0).after(realised, forecast).after(realised, forecast)
    assert fading.slope == pytest.approx((2.0 / 4.0 + slope / 2.0 + slope) / (2.0 / 4.0 + 1.0 / 2.0 + 1.0), rel=1e-12)  # a period is half as heavy as the next
    assert learnt.after(np.zeros(3), np.ones(3)) == learnt
    assert GrowthCalibration(slopes=0.0, count=1e-9).after(1.0 / truth, truth).slope == 0.0
    for bad in ((realised[:1], forecast[:1]), (realised[:3], np.ones(3)), (realised[:3], forecast[:2])):
        with pytest.raises(ValueError, match=r"two names|alike"):
            spread_slope(*bad)


def test_the_level_is_what_moved_forecasts_miss() -> None:
    """Forecasts twice too high, with half of their spread true, come out right on the whole once slope and level are learnt; captured growth is moved likewise."""
    rng = np.random.default_rng(3)
    truth = np.exp(rng.normal(-3.0, 0.5, 4000))
    forecast = 2.0 * truth * np.exp(rng.normal(0.0, 0.5, 4000))
    learnt = GrowthCalibration(half_life=2.0)
    for _ in range(60):
        learnt = learnt.after(truth, forecast)
    logs = np.log(forecast)
    moved = np.exp(logs.mean() + learnt.slope * (logs - logs.mean()))
    assert learnt.level * moved.sum() == pytest.approx(truth.sum(), rel=1e-6)
    sigma, mu = FactoredCovariance(np.zeros((3, 1)), np.array([0.01, 0.04, 0.09])), np.array([0.5, 0.3, 0.2])
    pi = np.array([0.3, 0.3, 0.4])
    risk, plain = 0.5 * sigma.quadratic(pi - mu), calibrated_captured_volatility(pi, mu, sigma, slope=0.7)
    assert calibrated_captured_volatility(pi, mu, sigma, slope=0.7, level=0.6) == pytest.approx(0.6 * (plain + risk) - risk, rel=1e-12)
    for level in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="level must be above 0"):
            calibrated_captured_volatility(pi, mu, sigma, level=level)
