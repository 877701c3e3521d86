"""Simulated markets beside their closed forms: what is told of one path is true on average over many, and the path is on real sessions."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace

import numpy as np
import pytest

from gammastar.core.excess_growth import free_energy
from gammastar.core.generating import Diversity
from gammastar.simulate import (
    Atlas,
    AtlasPreset,
    FirstOrder,
    FirstOrderPreset,
    GeometricBrownianPreset,
    Grid,
    History,
    HybridAtlas,
    HybridAtlasPreset,
    MovingBlocks,
    RankJacobiPreset,
    Setup,
    VolatilityStabilisedPreset,
    simulate_history,
)
from gammastar.simulate.closed_forms import examiner, stationary_curve
from gammastar.simulate.comparison import Unit, index_facts
from gammastar.simulate.model_market import YEARS_PER_STEP, ModelMarket, other_paths
from gammastar.simulate.parameters import ParameterError
from gammastar.simulate.sessions import exchange_sessions, sessions_from
from gammastar.theory import account_for

PRESETS = (
    AtlasPreset(names=12),
    FirstOrderPreset(names=10),
    HybridAtlasPreset(names=5),
    GeometricBrownianPreset(names=8),
    VolatilityStabilisedPreset(names=8),
    RankJacobiPreset(names=8, largest_theta=0.5),
)
each_preset = pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: type(preset).__name__)
QUARTER = History(sessions=64)


@each_preset
def test_over_many_paths_each_figure_has_its_closed_form_for_a_mean(preset: AtlasPreset) -> None:
    setup = preset.build()
    paths = setup.model.simulate(Grid(126, paths=600), 3, start=setup.start)
    examine = examiner(setup.model)
    found = [examine(logs, YEARS_PER_STEP) for logs in paths.log_capitalisations]
    apart = np.array([[row.seen - row.exact for row in rows] for rows in found])
    scores = apart.mean(axis=0) / (apart.std(axis=0, ddof=1) / np.sqrt(len(apart)))
    told = {row.name: round(float(score), 1) for row, score in zip(found[0], scores, strict=True)}
    assert max(map(abs, told.values())) < 4.0, told


@each_preset
def test_the_path_is_the_model_s_own_on_sessions_of_the_exchange(preset: AtlasPreset) -> None:
    setup = preset.build()
    market = simulate_history(setup, 5, QUARTER)
    alone = setup.model.simulate(Grid(63), 5, start=setup.start)
    np.testing.assert_allclose(market.panel.benchmark, alone.weights[0], atol=1e-13)
    expected = exchange_sessions("XNYS", dt.date(2010, 1, 4), dt.date(2010, 12, 31)).first(64)
    np.testing.assert_array_equal(market.panel.sessions, expected.sessions)
    assert market.panel.calendar.following == expected.following
    assert market.panel.calendar.name == "XNYS"
    account = account_for(Diversity(0.5), market.panel)
    assert np.abs(account.parts.residual).max() < 1e-12


@each_preset
def test_the_common_shock_moves_the_index_and_nothing_else(preset: AtlasPreset) -> None:
    setup = preset.build()
    calm, moved = (simulate_history(replace(setup, growth=0.0, volatility=size), 5, QUARTER) for size in (0.0, 0.3))
    np.testing.assert_allclose(moved.panel.benchmark, calm.panel.benchmark, atol=1e-13)
    shocks = np.log1p(moved.panel.returns[1:]) - np.log1p(calm.panel.returns[1:])
    np.testing.assert_allclose(shocks, shocks[:, :1] + np.zeros(shocks.shape), atol=1e-12)
    assert shocks[:, 0].std() * np.sqrt(252.0) == pytest.approx(0.3, rel=4.0 / np.sqrt(2 * 63))
    kept = [k for k, row in enumerate(calm.comparisons) if row.quantity != "growth of the index" and "growth of equal weights, " not in row.quantity
            and "mean growth" not in row.quantity and "volatility of a name" not in row.quantity]  # fmt: skip
    for k in kept:
        assert moved.comparisons[k].path == pytest.approx(calm.comparisons[k].path, abs=1e-9)
        assert moved.comparisons[k].error == pytest.approx(calm.comparisons[k].error, abs=1e-9)
    assert len(kept) >= 2


@each_preset
def test_the_same_seed_gives_the_same_path_and_more_sessions_only_add(preset: AtlasPreset) -> None:
    setup = preset.build()
    first, again, other = (simulate_history(setup, seed, QUARTER) for seed in (1, 1, 2))
    longer = simulate_history(setup, 1, History(sessions=80))
    assert first.panel.fingerprint == again.panel.fingerprint != other.panel.fingerprint
    assert first.comparisons == again.comparisons
    np.testing.assert_array_equal(longer.panel.returns[:64], first.panel.returns)


def test_the_standard_error_is_that_of_one_path() -> None:
    """Against what is known on paper: the mean growth of exchangeable names over T years."""
    setup = GeometricBrownianPreset(names=10).build()
    market = simulate_history(setup, 1, History(sessions=253))
    assert market.others == 127
    (row,) = (row for row in market.comparisons if row.quantity == "mean growth of the names")
    exact = 0.29 * np.sqrt(0.3 + 0.7 / 10.0)
    assert row.error == pytest.approx(exact, rel=4.0 / np.sqrt(2.0 * 127))
    assert row.score == pytest.approx((row.path - 0.05) / row.error)


def test_a_large_market_has_fewer_other_paths_and_a_very_large_one_none() -> None:
    assert [other_paths(names, 2521) for names in (3, 100, 500, 20000)] == [127, 32, 31, 0]
    for names in (50, 200, 1000, 5000):
        assert (1 + other_paths(names, 2521)) * names * 2521 * 8 <= 2**29


def test_without_other_paths_there_is_no_standard_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gammastar.simulate.model_market.OTHERS", ((127, 1),))
    market = simulate_history(AtlasPreset(names=4).build(), 1, QUARTER)
    assert all(row.error is None and row.score is None for row in market.comparisons)
    assert market.to_pandas()["standard_error"].isna().all()
    assert "No standard errors" in str(market)
    json.dumps(market.to_dict(), allow_nan=False)


@each_preset
def test_every_form_of_the_result_says_the_same(preset: AtlasPreset) -> None:
    market = simulate_history(preset.build(), 5, QUARTER)
    told = json.loads(json.dumps(market.to_dict(), allow_nan=False))
    frame = market.to_pandas()
    assert len(told["comparisons"]) == len(frame) == len(market.comparisons)
    for row, said, (name, line) in zip(market.comparisons, told["comparisons"], frame.iterrows(), strict=True):
        assert said["quantity"] == name == row.quantity
        assert (said["closed_form"], said["path"], said["standard_error"]) == (row.exact, row.path, row.error)
        assert (line["closed_form"], line["path"], line["standard_error"]) == (row.exact, row.path, row.error)
        assert row.quantity in str(market)
    assert (told["sessions"], told["from"], told["assets"]) == (64, "2010-01-04", len(market.model))
    assert told["fingerprint"] == market.panel.fingerprint
    assert market._repr_html_().startswith("<pre>")
    drawn = [len(trace.x) for trace in market.plot().data]
    assert len(drawn) >= 2
    assert set(drawn) == {64 if isinstance(preset, GeometricBrownianPreset) else len(market.model)}


def test_percent_is_told_as_percent() -> None:
    market = simulate_history(VolatilityStabilisedPreset(names=8, excess_growth=0.025).build(), 1, QUARTER)
    (line,) = (line for line in str(market).splitlines() if line.startswith("excess growth of the index"))
    assert line.split()[5:9] == ["%", "a", "year", "2.500"]
    assert [float(word) for word in line.split()[9:]] == pytest.approx([100.0 * market.comparisons[2].path, 100.0 * market.comparisons[2].error], rel=1e-3)
    assert Unit.FRACTION.value == ("%", 100.0)


def test_the_index_is_described_by_its_own_returns() -> None:
    market = simulate_history(AtlasPreset(names=20).build(), 1, History(sessions=253))
    facts, returns = index_facts(market.panel), market.panel.benchmark_returns[1:]
    assert facts["compound_return"] == pytest.approx(np.prod(1.0 + returns) - 1.0)
    assert facts["volatility"] == pytest.approx(returns.std(ddof=1) * np.sqrt(252.0))
    assert facts["ten_largest_last"] == pytest.approx(np.sort(market.panel.benchmark[-1])[-10:].sum())


@each_preset
def test_excess_growth_of_the_index_is_the_free_energy_of_its_sessions(preset: AtlasPreset) -> None:
    market = simulate_history(preset.build(), 1, QUARTER)
    (row,) = (row for row in market.comparisons if row.quantity == "excess growth of the index")
    realised = free_energy(market.panel.benchmark[:-1], 1.0 + market.panel.returns[1:])
    assert row.path == pytest.approx(252.0 * realised.mean(), rel=1e-9)


def test_who_holds_which_rank_is_counted() -> None:
    """Name 3 is the largest, then name 1, then name 2, throughout."""
    model = HybridAtlasPreset(names=3).build().model
    told = {row.name: row.seen for row in examiner(model)(np.tile([1.0, 0.5, 2.0], (5, 1)), YEARS_PER_STEP)}
    assert [told[f"time at rank 1 of name {i}"] for i in (1, 2, 3)] == [0.0, 0.0, 1.0]
    assert (told["mean rank of name 1"], told["mean rank of name 3"]) == (2.0, 1.0)
    assert told["mean gap below rank 1"] == 1.0


@each_preset
def test_the_stationary_curve_is_where_paths_are_on_average(preset: AtlasPreset) -> None:
    model = preset.build().model
    curve = stationary_curve(model, np.random.default_rng(1))
    if isinstance(preset, GeometricBrownianPreset):
        assert curve is None
        return
    assert curve is not None
    assert (curve.low < curve.mean).all()
    assert (curve.mean < curve.high).all()
    ranked = np.log(-np.sort(-model.simulate(Grid(2, paths=2000), 2).weights[:, 0], axis=1))
    error = ranked.std(axis=0) * np.sqrt(1.0 / 2000 + 1.0 / 4000)
    assert (np.abs(ranked.mean(axis=0) - curve.mean) < 4.0 * error).all()
    assert ((ranked < curve.low).mean(axis=0) == pytest.approx(0.05, abs=4.0 * np.sqrt(0.05 * 0.95 / 1300)))


def test_presets_make_the_market_they_name() -> None:
    rank = np.arange(1, 100)
    line = FirstOrderPreset(slope=0.8).build().model
    assert isinstance(line, FirstOrder)
    np.testing.assert_allclose(line.mean_gap(), 0.8 * np.log1p(1.0 / rank))
    np.testing.assert_allclose(line.volatilities[[0, -1]], [0.2, 0.3])
    atlas = AtlasPreset(drift=0.04, volatility=0.2).build().model
    assert atlas == Atlas(100, 0.04, 0.2, 0.05)
    for preset in (VolatilityStabilisedPreset(excess_growth=0.03), RankJacobiPreset(excess_growth=0.03)):
        assert preset.build().model.excess_growth() == pytest.approx(0.03)  # type: ignore[attr-defined]
    start = GeometricBrownianPreset(names=4, slope=1.0).build().start
    np.testing.assert_allclose(np.exp(start), [1.0, 1 / 2, 1 / 3, 1 / 4])
    hybrid = HybridAtlasPreset(names=3, name_drift=0.01).build().model
    assert isinstance(hybrid, HybridAtlas)
    np.testing.assert_allclose(hybrid.name_drifts, [0.01, 0.0, -0.01])


@pytest.mark.parametrize(
    ("preset", "name"),
    [
        (AtlasPreset(names=1), "names"),
        (AtlasPreset(volatility=-0.1), "volatility"),
        (AtlasPreset(volatility=float("nan")), "volatility"),
        (AtlasPreset(drift=0.0), "drift"),
        (AtlasPreset(drift=0.001), "drift"),  # the slope would be 31
        (AtlasPreset(names=2000), "drift"),  # the smallest would drift by 40% in a session
        (AtlasPreset(market_volatility=1.5), "market_volatility"),
        (FirstOrderPreset(slope=0.0), "slope"),
        (FirstOrderPreset(names=2000), "names"),
        (FirstOrderPreset(smallest_volatility=0.0), "smallest_volatility"),
        (HybridAtlasPreset(names=17), "names"),
        (HybridAtlasPreset(name_drift=0.05), "name_drift"),
        (GeometricBrownianPreset(correlation=1.0), "correlation"),
        (VolatilityStabilisedPreset(alpha=-0.1), "alpha"),
        (VolatilityStabilisedPreset(excess_growth=0.0), "excess_growth"),
        (RankJacobiPreset(smallest_theta=0.9), "smallest_theta"),
        (RankJacobiPreset(growth=2.0), "growth"),
    ],
)
def test_a_number_out_of_range_is_named(preset: AtlasPreset, name: str) -> None:
    with pytest.raises(ParameterError) as caught:
        preset.build()
    assert caught.value.name == name
    assert f"{name} is {getattr(preset, name)!r}; allowed: " in str(caught.value)


def test_what_has_no_closed_form_is_refused() -> None:
    with pytest.raises(TypeError, match="MovingBlocks has no closed forms"):
        examiner(MovingBlocks())  # type: ignore[arg-type]
    model = HybridAtlas(np.append(np.full(16, -0.05), 0.8), np.full(17, 0.3), np.zeros(17))
    with pytest.raises(ValueError, match="17 names"):
        simulate_history(Setup(model), 1, QUARTER)
    with pytest.raises(ValueError, match="volatility"):
        Setup(Atlas(3, 0.1, 0.3), volatility=-0.1)
    with pytest.raises(ValueError, match="sessions"):
        History(sessions=2)


def test_sessions_from_a_day_on() -> None:
    calendar = sessions_from("XNYS", dt.date(2020, 7, 3), 3)  # a holiday before a weekend
    assert [str(day) for day in calendar.sessions] == ["2020-07-06", "2020-07-07", "2020-07-08"]
    assert str(calendar.following) == "2020-07-09"
    assert len(sessions_from("XNYS", dt.date(1914, 7, 2), 100)) == 100  # closed for four months
    with pytest.raises(ValueError, match="NOWHERE"):
        sessions_from("NOWHERE", dt.date(2020, 1, 1), 3)
    with pytest.raises(ValueError, match="no calendar"):
        sessions_from("XNYS", dt.date(2262, 3, 1), 60)


def test_a_calendar_has_one_session_for_each_record() -> None:
    paths = Atlas(3, 0.1, 0.3).simulate(Grid(5), 1)
    with pytest.raises(ValueError, match="the calendar has 5 sessions; allowed: 6"):
        paths.panel(calendar=sessions_from("XNYS", dt.date(2020, 1, 2), 5))


def test_affine_variances_are_needed_for_exact_gaps_and_said_so() -> None:
    market = simulate_history(Setup(FirstOrder([-0.1, -0.1, 0.2], [0.2, 0.3, 0.2])), 1, QUARTER)
    assert market.comparisons[0].quantity == "mean gap, approximate, below rank 1"
    assert isinstance(market, ModelMarket)
