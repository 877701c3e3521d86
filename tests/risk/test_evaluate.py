"""Evaluation of forecasts: right forecasts are found right, wrong ones wrong, by the amount they are."""

from __future__ import annotations

import numpy as np
import pytest

from gammastar.core.measures import bias_statistic
from gammastar.risk.evaluate import Span, evaluate, growth_ratio, mean_bias, measured_bias, period_outcomes, qlike

MONTHS = np.repeat(np.arange(60), 21)


def history(seed: int, *, scale: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Return returns and forecasts, true deviations over `scale`."""
    rng = np.random.default_rng(seed)
    deviation = np.exp(rng.normal(-5.0, 0.4, len(MONTHS)))
    return rng.standard_normal(len(MONTHS)) * deviation, deviation / scale


@pytest.mark.parametrize("scale", [0.8, 1.0, 1.5])
def test_forecasts_that_are_wrong_by_a_factor_have_it_as_their_bias(scale: float) -> None:
    found = evaluate(*history(3, scale=scale), MONTHS, np.random.default_rng(1))
    assert found.sessions.value == pytest.approx(scale, rel=0.05)
    assert found.periods.value == pytest.approx(scale, rel=0.25)
    assert (found.sessions.low < found.sessions.value < found.sessions.high) == (scale == 1.0)
    assert found.sessions.bootstrap_low < found.sessions.value < found.sessions.bootstrap_high
    assert (found.sessions.count, found.periods.count) == (1260, 60)
    assert found.to_dict()["qlike"] == found.qlike


def test_the_bias_statistic_is_the_one_of_the_measures() -> None:
    returns, forecast = history(4)
    bias = measured_bias(returns, forecast, np.random.default_rng(2))
    assert bias.value == bias_statistic(returns, forecast)
    again = measured_bias(returns, forecast, np.random.default_rng(2))
    assert bias == again  # the same source, the same bands
    few = measured_bias(returns[:10], forecast[:10], np.random.default_rng(2))
    assert few.count == 10


def test_mean_bias_is_the_mean_over_columns() -> None:
    pairs = [history(seed, scale=scale) for seed, scale in ((1, 1.0), (2, 1.4))]
    realised, forecast = (np.column_stack(columns) for columns in zip(*pairs, strict=True))
    assert mean_bias(realised, forecast) == pytest.approx(np.mean([bias_statistic(*pair) for pair in pairs]), rel=1e-12)
    with pytest.raises(ValueError, match="one shape"):
        mean_bias(realised, forecast[:, :1])


def test_periods_add_returns_and_variances() -> None:
    returns, forecast = history(5)
    sums, deviations, variances = period_outcomes(returns, forecast, MONTHS)
    for month in (0, 31, 59):
        inside = month == MONTHS
        assert sums[month] == pytest.approx(returns[inside].sum(), rel=1e-12)
        assert deviations[month] == pytest.approx(np.sqrt((forecast[inside] ** 2).sum()), rel=1e-12)
        assert variances[month] == pytest.approx((returns[inside] ** 2).sum(), rel=1e-12)


def test_qlike_is_least_for_the_forecast_that_is_right_on_average() -> None:
    """Over constant forecasts of given realised variances the best is their mean, and the loss is never negative."""
    realised = np.random.default_rng(6).gamma(3.0, 2.0, 200)
    losses = {scale: qlike(realised, np.full(200, realised.mean() * scale)) for scale in (0.7, 0.9, 1.0, 1.1, 1.4)}
    assert min(losses, key=lambda scale: losses[scale]) == 1.0
    assert qlike(realised, realised) == 0.0
    assert qlike(4.0 * realised, 4.0 * np.full(200, 5.0)) == pytest.approx(qlike(realised, np.full(200, 5.0)), rel=1e-12)
    assert min(losses.values()) > 0.0
    for wrong in ((realised[:3], realised[:2]), (np.array([0.0]), np.array([1.0])), (np.empty(0), np.empty(0))):
        with pytest.raises(ValueError, match=r"length|positive"):
            qlike(*wrong)


def test_growth_ratio_is_realised_over_forecast_with_a_fair_error() -> None:
    """Monte Carlo: the standard error is that of the ratio over repetitions."""
    found = []
    for seed in range(200):
        forecast = np.full(len(MONTHS), 0.02 / 252.0)
        realised = 0.7 * forecast + np.random.default_rng(seed).normal(0.0, 2e-4, len(MONTHS))
        found.append(growth_ratio(realised, forecast, MONTHS, annual=252.0))
    assert found[0].forecast == pytest.approx(0.02, rel=1e-12)
    assert found[0].ratio == pytest.approx(found[0].realised / found[0].forecast, rel=1e-12)
    assert np.mean([x.ratio for x in found]) == pytest.approx(0.7, abs=0.03)
    assert np.mean([x.error for x in found]) == pytest.approx(np.std([x.ratio for x in found], ddof=1), rel=0.15)
    with pytest.raises(ValueError, match="positive forecast"):
        growth_ratio(np.ones(42), np.zeros(42), np.repeat([0, 1], 21), annual=252.0)


def test_a_span_holds_both_its_ends() -> None:
    days = np.array(["2012-12-31", "2013-01-01", "2016-12-31", "2017-01-01"], dtype="datetime64[D]")
    assert Span("selection", "2013-01-01", "2016-12-31").holds(days).tolist() == [False, True, True, False]
