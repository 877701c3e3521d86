"""Figures show the numbers of the track, inside their frame, with labels that do not touch."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import plotly.io
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gammastar.market.assets import Assets
from gammastar.report.figure_style import WIDTH, thin
from gammastar.report.figures import (
    PICTURES,
    figure_active_weights,
    figure_calendar_years,
    figure_captured_volatility,
    figure_costs,
    figure_decomposition,
    figure_diversity,
    figure_relative_drawdown,
    figure_relative_return,
    figure_risk_parts,
    figure_sector_tilts,
    figure_size_tilt,
    figure_tracking_error,
    figure_wealth,
    pictures,
)
from gammastar.report.spans import calendar_years
from gammastar.report.statistics import summarise

if TYPE_CHECKING:
    from collections.abc import Callable

    import plotly.graph_objects as go

    from gammastar.market.track import Track

NEEDS_MORE = [
    figure_active_weights, figure_captured_volatility, figure_costs, figure_decomposition, figure_diversity, figure_risk_parts, figure_sector_tilts, figure_size_tilt,
]  # fmt: skip


def drawn(figure: go.Figure) -> dict:
    return json.loads(plotly.io.to_json(figure, engine="json", validate=False))


def numbers(values: object) -> np.ndarray:
    """Return numbers as the page carries them."""
    if isinstance(values, dict):
        return np.frombuffer(base64.b64decode(values["bdata"]), dtype=values["dtype"]).astype(float)
    return np.asarray(values, dtype=float)


def lines(figure: go.Figure) -> dict[str, np.ndarray]:
    return {trace["name"]: numbers(trace["y"]) for trace in drawn(figure)["data"] if trace["type"] == "scatter"}


# Thinning


@given(values=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=400), points=st.integers(4, 60))
def test_thinning_keeps_both_ends_and_both_extremes(values: list[float], points: int) -> None:
    line = np.array(values)
    kept = thin(line, points)
    assert len(kept) <= max(points, 4)
    assert np.all(np.diff(kept) > 0)
    assert (kept[0], kept[-1]) == (0, len(line) - 1)
    assert (line[kept].min(), line[kept].max()) == (line.min(), line.max())


def test_short_lines_are_drawn_whole() -> None:
    assert list(thin(np.arange(5.0))) == [0, 1, 2, 3, 4]


# Every figure


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)
def test_a_figure_has_a_title_a_unit_a_size_and_few_points(full_track: Track, bare_track: Track, picture) -> None:
    track = full_track if picture.shows(full_track) else bare_track
    figure = drawn(picture.build(track))
    layout = figure["layout"]
    assert layout["width"] == WIDTH
    assert 200 <= layout["height"] <= 400
    assert layout["title"]["text"].startswith("<b>")
    assert len(json.dumps(layout["template"])) < 100
    assert sum(len(json.dumps(trace)) for trace in figure["data"]) < 90_000
    assert picture.caption.endswith(".")


@pytest.mark.parametrize("build", NEEDS_MORE)
def test_a_figure_of_what_a_track_does_not_hold_says_so(bare_track: Track, build: Callable[[Track], go.Figure]) -> None:
    with pytest.raises(ValueError, match="which this track does not hold"):
        build(bare_track)


def test_labels_at_line_ends_do_not_touch_and_stay_on_the_figure(full_track: Track) -> None:
    for picture in pictures(full_track):
        figure = picture.build(full_track)
        layout = figure.layout
        bounds = layout.yaxis.range
        if bounds is None:
            continue
        domain = layout.yaxis.domain or (0.0, 1.0)
        pixels = (layout.height - layout.margin.t - layout.margin.b) * (domain[1] - domain[0])
        ends = [a for a in layout.annotations if a.xref == "paper" and a.yref == "y"]
        places = sorted((a.y - bounds[0]) / (bounds[1] - bounds[0]) * pixels + a.yshift for a in ends)
        assert all(gap >= 13.5 for gap in np.diff(places)), picture.name
        assert all(-8.0 <= place <= pixels + 8.0 for place in places), picture.name


# What they show


def test_the_parts_drawn_add_up_to_the_relative_return_drawn(full_track: Track) -> None:
    ends = {name: values[-1] for name, values in lines(figure_relative_return(full_track)).items()}
    assert ends.pop("Relative return") == pytest.approx(sum(ends.values()), abs=1e-4)
    own = {name: values[-1] for name, values in lines(figure_decomposition(full_track)).items()}
    assert own.pop("Relative return") == pytest.approx(sum(own.values()), abs=1e-4)


def test_labels_say_where_the_lines_end(full_track: Track) -> None:
    texts = {note.text for note in figure_relative_return(full_track).layout.annotations}
    for part, label in (("allocation", "Allocation"), ("captured_volatility", "Captured volatility"), ("cost", "Cost")):
        total = 100.0 * getattr(full_track.attribution, part).sum()
        assert f"{label}  {total:.2f}%".replace("-", "\u2212") in texts


def test_wealth_starts_at_one_and_ends_where_returns_compound_to(full_track: Track) -> None:
    shown = lines(figure_wealth(full_track))
    assert shown["Portfolio"][0] == shown["Benchmark"][0] == 1.0
    assert shown["Portfolio"][-1] == pytest.approx(np.prod(1.0 + full_track.portfolio), rel=1e-6)
    assert shown["Published index"][-1] == pytest.approx(
        full_track.index_level[-1] / full_track.index_level[0], rel=1e-6
    )


def test_the_deepest_point_drawn_is_the_statistic(full_track: Track) -> None:
    (depth,) = lines(figure_relative_drawdown(full_track)).values()
    assert depth.min() == pytest.approx(100.0 * summarise(full_track).number("max_relative_drawdown"), rel=1e-6)


def test_calendar_years_stack_to_their_totals(full_track: Track) -> None:
    bars = [numbers(trace["y"]) for trace in drawn(figure_calendar_years(full_track))["data"] if trace["type"] == "bar"]
    totals = [1e4 * entry.relative_log_return for entry in calendar_years(full_track)]
    np.testing.assert_allclose(np.sum(bars, axis=0), totals, atol=1e-6)


def test_turnover_bars_leave_the_initial_purchase_out(full_track: Track) -> None:
    (bars,) = [numbers(trace["y"]) for trace in drawn(figure_costs(full_track))["data"] if trace["type"] == "bar"]
    years = summarise(full_track).number("years")
    assert bars.sum() == pytest.approx(100.0 * summarise(full_track).number("turnover_one_way") * years, rel=1e-9)


def test_tracking_error_is_not_drawn_before_there_is_any(full_track: Track) -> None:
    shown = lines(figure_tracking_error(full_track))
    assert shown["Forecast"].min() > 0.0
    assert set(shown) == {"63 sessions", "252 sessions", "Forecast"}


def test_the_largest_weights_are_the_largest(full_track: Track) -> None:
    bar, dots = drawn(figure_active_weights(full_track))["data"]
    active = 100.0 * (full_track.holdings.weights[-1] - full_track.holdings.benchmark[-1])
    assert numbers(bar["x"]).max() == pytest.approx(active.max(), rel=1e-6)
    assert numbers(bar["x"]).min() == pytest.approx(active.min(), rel=1e-6)
    ticker = full_track.holdings.assets.tickers.index(bar["customdata"][0])
    assert numbers(dots["x"])[0] == pytest.approx(100.0 * full_track.holdings.relative_volatility[ticker], rel=1e-6)


def test_diversity_of_equal_weights_is_the_number_of_names(full_track: Track) -> None:
    equal = np.full_like(full_track.holdings.benchmark, 0.0)
    equal[:, :20] = 0.05
    shown = lines(figure_diversity(replace(full_track, holdings=replace(full_track.holdings, benchmark=equal))))
    for values in shown.values():
        np.testing.assert_allclose(values, 20.0, rtol=1e-6)


def test_names_bring_no_markup_into_labels(full_track: Track) -> None:
    bad = "<script>alert(1)</script>"
    held = full_track.holdings
    assets = Assets(held.assets.ids, tuple(f"{bad}{k}" for k in range(len(held.assets))))
    sectors = tuple(f"{bad}{k}" for k in range(len(held.sector_labels)))
    track = replace(
        full_track, holdings=replace(held, assets=assets, sector_labels=sectors), baselines={bad: full_track.benchmark}
    )
    for picture in pictures(track):
        assert "<script" not in json.dumps(drawn(picture.build(track))), picture.name


def test_a_track_of_one_session_and_the_benchmark_held_can_be_drawn(
    cut_track: Callable[[int], Track], full_track: Track
) -> None:
    nothing = np.zeros(len(full_track))
    still = replace(
        full_track,
        portfolio=full_track.benchmark,
        forecast=replace(
            full_track.forecast, tracking_error=nothing, factor_share=nothing, captured_volatility=nothing
        ),
        holdings=replace(
            full_track.holdings,
            weights=full_track.holdings.benchmark,
            sector_active=0.0 * full_track.holdings.sector_active,
            size=nothing,
        ),
    )
    names = {picture.name for picture in pictures(still)}
    assert "active-weights" not in names
    for track in (still, cut_track(1), cut_track(30)):
        for picture in pictures(track):
            drawn(picture.build(track))
