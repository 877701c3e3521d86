"""The main job on the real S&P 500, against figures that an independent program found on it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from gammastar.backtest import run_backtest
from gammastar.core.generating import Diversity, Market
from gammastar.mandate import Clocks, Generated, Mandate, TradingPolicy
from gammastar.market.calendar import Clock

if TYPE_CHECKING:
    from gammastar.market.panel import Panel

EXAMPLES = Path(__file__).parents[2] / "examples" / "mandates"
BP = 1e4


def plain(p: float) -> Mandate:
    """Return the diversity-weighted portfolio, rebalanced monthly, no lag, no cost."""
    return Mandate(name=f"p = {p}", strategy=Generated(Diversity(p)), clocks=Clocks(Clock.MONTHLY, Clock.MONTHLY, 0), trading=TradingPolicy())


@pytest.mark.parametrize(
    ("p", "compound", "relative", "boundary", "divergence", "tracking_error"),
    [
        (0.0, 9.436, 44.5, -334.8, 379.4, 4.476),
        (0.25, 9.255, 28.0, -227.3, 255.3, 3.344),
        (0.5, 9.117, 15.3, -137.4, 152.7, 2.238),
        (0.76, 9.011, 5.6, -59.9, 65.5, 1.083),
    ],
)
def test_the_published_table(sp500_monthly: Panel, p: float, compound: float, relative: float, boundary: float, divergence: float, tracking_error: float) -> None:
    found = run_backtest(plain(p), sp500_monthly).to_dict()
    parts = found["decomposition"]
    assert found["periods"] == 158
    assert 100 * found["portfolio_return"] == pytest.approx(compound, abs=0.001)
    assert BP * found["relative_log_return"] == pytest.approx(relative, abs=0.1)
    assert BP * (parts["boundary"] + parts["flow"]) == pytest.approx(boundary, abs=0.1)
    assert BP * parts["l_divergence"] == pytest.approx(divergence, abs=0.1)
    assert 100 * found["tracking_error"] == pytest.approx(tracking_error, abs=0.001)
    assert abs(parts["execution"]) < 1e-12


def test_the_index_itself(sp500_monthly: Panel) -> None:
    found = run_backtest(replace(plain(1.0), strategy=Generated(Market())), sp500_monthly).to_dict()
    assert 100 * found["benchmark_return"] == pytest.approx(8.950, abs=0.001)
    mu, gross = sp500_monthly.benchmark[:-1], 1.0 + sp500_monthly.returns[1:]
    free = np.log((mu * gross).sum(axis=1)) - (mu * np.log(gross)).sum(axis=1)
    assert BP * 12 * free.mean() == pytest.approx(253.5, abs=0.1)


def test_equal_weight_since_2013(sp500_monthly: Panel) -> None:
    found = run_backtest(plain(0.0), sp500_monthly, "2012-12-31", "2019-12-31").to_dict()
    parts = found["decomposition"]
    assert found["periods"] == 84
    assert 100 * found["benchmark_return"] == pytest.approx(14.726, abs=0.001)
    assert BP * found["relative_log_return"] == pytest.approx(-60.2, abs=0.1)
    assert BP * (parts["boundary"] + parts["flow"]) == pytest.approx(-311.4, abs=0.1)
    assert BP * parts["l_divergence"] == pytest.approx(251.1, abs=0.1)


def test_most_of_the_boundary_of_the_table_is_flow(sp500_monthly: Panel) -> None:
    """Equal weight: concentration takes 43 bp a year, index changes 292."""
    parts = run_backtest(plain(0.0), sp500_monthly).to_dict()["decomposition"]
    assert BP * parts["boundary"] == pytest.approx(-43.0, abs=1.0)
    assert BP * parts["flow"] == pytest.approx(-292.0, abs=1.0)


def test_holding_the_benchmark_is_zero_on_the_daily_panel(sp500_daily: Panel) -> None:
    mandate = replace(plain(1.0), strategy=Generated(Market()))
    track = run_backtest(mandate, sp500_daily, "2008-12-31", "2011-12-30").track
    assert track.forecast is not None
    assert track.attribution is not None
    for series in (track.portfolio - track.benchmark, track.attribution.allocation, track.attribution.captured_volatility, track.forecast.tracking_error):
        assert abs(series).max() <= 1e-12


@pytest.mark.parametrize("name", ["us-enhanced-index", "us-enhanced-index-classic", "us-diversity-weighted"])
def test_every_example_keeps_its_books_on_real_history(sp500_daily: Panel, name: str) -> None:
    result = run_backtest(Mandate.load(EXAMPLES / f"{name}.toml"), sp500_daily, "2010-12-31", "2012-06-29")
    found = result.to_dict()
    assert found["breaches"] == 0
    assert found["conflicts"] == 0
    assert found["attribution"]["residual_max_session"] <= 1e-12
    assert found["attribution"]["captured_volatility"] > 0.0
    assert found["attribution"]["cost"] < 0.0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["us-enhanced-index", "us-enhanced-index-classic", "us-diversity-weighted"])
def test_every_example_over_eleven_years(sp500_daily: Panel, name: str) -> None:
    result = run_backtest(Mandate.load(EXAMPLES / f"{name}.toml"), sp500_daily, "2008-12-31", "2019-12-31")
    found = result.to_dict()
    assert found["periods"] == 2768
    assert found["breaches"] == 0
    assert found["attribution"]["residual_max_session"] <= 1e-12
    assert abs(found["attribution"]["residual"]) * found["periods"] / 252 <= 1e-10
