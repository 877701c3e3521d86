"""The page, the text and the CSV of a study of risk forecasts."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from gammastar.core.measures import bias_band, bias_statistic
from gammastar.report import forecasts_csv, risk_page, risk_summary
from gammastar.report.risk_figures import (
    figure_bias,
    figure_each,
    figure_forecast,
    figure_growth,
    figure_growth_sums,
    figure_styles,
)
from gammastar.risk.study import Forecasts, Group, RiskStudy, calendar_years, score, whole


@pytest.fixture(scope="module")
def study() -> RiskStudy:
    """Two years of one portfolio whose risk was forecast too low by a half, of sound ones beside it, and of a sector that came late."""
    days = np.arange(np.datetime64("2014-12-31"), np.datetime64("2016-12-31"))
    days = days[np.is_busday(days)]
    rng = np.random.default_rng(1)
    groups = (Group("optimised", ("own",)), Group("random", ("a", "b", "c")), Group("sector", ("Energy & <b>Gas</b>", "Late")), Group("style", ("size",)), Group("benchmark", ("B",)))
    forecast = np.full((len(days), 8), 0.001)
    realised = rng.normal(0.0, 0.001, forecast.shape)
    realised[:, 0] *= 1.5
    forecast[:300, 5] = 0.0
    expected = {"raw": np.full(len(days), 4e-5), "calibrated": np.full(len(days), 3e-5), "learnt": np.full(len(days), 3.5e-5)}
    told = Forecasts(days, groups, realised, forecast, rng.normal(3e-5, 1e-4, len(days)), expected)
    decisions = days[::21]
    exposures = {"size": np.zeros(len(decisions)), "volatility": rng.normal(0.1, 0.02, len(decisions))}
    seconds = {"estimate": np.full(len(decisions), 0.25), "proposal": np.full(len(decisions), 0.01)}
    windows = tuple(score(told, span) for span in (whole(told), *calendar_years(told)))
    return RiskStudy("Mine <script>", "Index", "Model(x=1)", told, windows, decisions, 1, exposures, seconds, np.linspace(1.0, 0.9, len(decisions)), np.linspace(1.0, 1.1, len(decisions)), {"data": "simulated"})


def test_the_text_tells_every_window_and_its_figures(study: RiskStudy) -> None:
    text = risk_summary(study)
    bias = bias_statistic(study.forecasts.realised[:, 0], study.forecasts.forecast[:, 0])
    low, high = bias_band(len(study.forecasts))
    assert f"{bias:.2f} by session" in " ".join(text.split())
    assert re.search(rf"whole +{len(study.forecasts)} +{bias:.2f} +{low:.2f} to {high:.2f} ", text)
    assert "risk was forecast too low" in text
    for window in study.windows:
        assert f"{1e4 * window.growth['raw'].realised:.1f}" in text
        assert f"{window.growth['learnt'].ratio:.2f} \u00b1 {window.growth['learnt'].error:.2f}" in text
    assert "0.250" in text
    assert max(len(line) for line in text.splitlines()) < 140


def test_the_page_needs_no_network_and_escapes_what_it_is_given(study: RiskStudy) -> None:
    page = risk_page(study)
    assert "Mine <script>" not in page
    assert "Mine &lt;script&gt;" in page
    assert "<b>Gas</b>" not in page
    assert not re.search(r'(src|href)="', page)
    assert page == risk_page(study)
    figures = dict(re.findall(r'<script type="application/json" id="([\w-]+)-data">(.*?)</script>', page, re.DOTALL))
    assert set(figures) == {"bias-daily", "bias-monthly", "forecast", "each", "growth", "growth-sums", "styles"}
    for name, data in figures.items():
        assert json.loads(data)["data"]
        assert page.count(f'id="{name}"') == 1
    for part in ("Risk evaluation", "Process time", "Style drift", "QLIKE", "1, 1 without" if len(study.decisions) == 1 else f"{len(study.decisions)}, 1 without"):
        assert part in page


def test_the_figures_show_what_was_scored(study: RiskStudy) -> None:
    bias = figure_bias(study, lambda group: group.daily, "sessions")
    own = next(trace for trace in bias.data if trace.name == "Optimised")
    assert list(own.y) == [window.group("optimised").daily.value for window in study.windows]
    assert len(bias.layout.shapes) == len(study.windows) + 1
    each = figure_each(study)
    assert list(each.data[0].x) == [*study.windows[0].group("style").each_daily, *study.windows[0].group("sector").each_daily]
    growth = figure_growth(study)
    assert [trace.name for trace in growth.data][-1] == "Realised"
    assert list(growth.data[0].y) == pytest.approx([1e4 * window.growth["raw"].forecast for window in study.windows])
    sums = figure_growth_sums(study)
    assert sums.data[-1].y[-1] == pytest.approx(100.0 * study.forecasts.captured.sum(), rel=1e-5)
    assert {trace.name for trace in figure_styles(study).data} == {"Size", "Volatility"}
    assert figure_forecast(study).data[1].y[0] == pytest.approx(100.0 * 0.001 * np.sqrt(252.0), rel=1e-6)


def test_short_and_poor_studies_give_a_whole_page(study: RiskStudy) -> None:
    """Few sessions, no growth forecast that is positive, no sectors."""
    told = study.forecasts
    short = Forecasts(told.sessions[:40], told.groups[:2], told.realised[:40, :4], told.forecast[:40, :4], told.captured[:40], {"raw": np.zeros(40)})
    poor = replace(study, forecasts=short, windows=(score(short, whole(short)),), decisions=study.decisions[:2], exposures={"size": np.zeros(2)}, slopes=np.ones(2), levels=np.ones(2))
    assert "Risk evaluation" in risk_page(poor)
    assert "optimised" in risk_summary(poor)


def test_the_csv_reads_back_to_the_same_bits(study: RiskStudy) -> None:
    head, *rows = forecasts_csv(study).splitlines()
    assert head == "date,active_return,forecast,captured,expected_raw,expected_calibrated,expected_learnt"
    table = np.array([[float(cell) for cell in row.split(",")[1:]] for row in rows])
    assert np.array_equal(table[:, 0], study.forecasts.realised[:, 0])
    assert np.array_equal(table[:, 5], study.forecasts.expected["learnt"])
    assert [row.split(",")[0] for row in rows] == [str(day) for day in study.forecasts.sessions]
