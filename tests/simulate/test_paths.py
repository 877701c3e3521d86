"""Paths: the same seed gives the same bytes however they are cut, more only adds, and a Panel says what the path says."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import pytest

from gammastar.market.calendar import Clock, Frequency
from gammastar.simulate import (
    Atlas,
    FirstOrder,
    GeometricBrownian,
    Grid,
    HybridAtlas,
    RankJacobi,
    VolatilityStabilised,
    walkers,
)
from gammastar.simulate.paths import weekday_sessions
from gammastar.simulate.rank_walkers import NamedWalker, RankDynamics

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gammastar.simulate import Block

MODELS = (
    Atlas(6, 0.1, 0.3, growth=0.05),
    FirstOrder([-0.2, -0.1, 0.1, 0.2], [0.2, 0.25, 0.3, 0.2]),
    HybridAtlas([-0.2, -0.1, 0.1, 0.2], [0.2, 0.2, 0.2, 0.2], [0.05, -0.05, 0.02, -0.02]),
    GeometricBrownian.exchangeable(names=5, volatility=0.3, correlation=0.3, growth=0.05),
    VolatilityStabilised(5, 0.5, rate=2.0),
    RankJacobi([0.6, 0.9, 1.2, 1.5], rate=2.0),
)
each_model = pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)


def joined(blocks: Iterable[Block]) -> np.ndarray:
    return np.concatenate([block.log_capitalisations for block in blocks], axis=1)


@each_model
def test_more_paths_and_more_steps_only_add(model: Atlas) -> None:
    small = model.simulate(Grid(7, paths=2), 11).log_capitalisations
    large = model.simulate(Grid(70, paths=19), 11).log_capitalisations
    np.testing.assert_array_equal(large[:2, :8], small)
    assert not np.array_equal(model.simulate(Grid(7, paths=2), 12).log_capitalisations, small)
    assert len({path.tobytes() for path in large}) == 19


@each_model
def test_the_sizes_of_blocks_and_chunks_do_not_change_a_bit(model: Atlas, monkeypatch: pytest.MonkeyPatch) -> None:
    grid = Grid(30, paths=35, substeps=2, burn_in=7 / 252)
    whole = model.simulate(grid, 3).log_capitalisations
    for block, chunk, rows in ((1, 1, 64), (2000, 500, 7), (2**26, 2**26, 4)):
        monkeypatch.setattr(walkers, "BLOCK_BYTES", block)
        monkeypatch.setattr(walkers, "CHUNK_BYTES", chunk)
        monkeypatch.setattr(walkers, "LARGEST_ROWS", rows)
        blocks = list(model.stream(grid, 3))
        assert [b.first for b in blocks] == [0, *np.cumsum([b.log_capitalisations.shape[1] for b in blocks])[:-1]]
        np.testing.assert_array_equal(joined(blocks), whole)


@each_model
def test_a_seed_sequence_is_left_as_it_was_and_its_children_differ(model: Atlas) -> None:
    root = np.random.SeedSequence(5)
    grid = Grid(3)
    first = model.simulate(grid, root).log_capitalisations
    np.testing.assert_array_equal(model.simulate(grid, 5).log_capitalisations, first)
    assert root.n_children_spawned == 0
    (child,) = root.spawn(1)
    assert not np.array_equal(model.simulate(grid, child).log_capitalisations, first)


@each_model
def test_a_run_split_in_two_starts_where_it_is_told(model: Atlas) -> None:
    start = np.linspace(0.0, -2.0, len(model))
    paths = model.simulate(Grid(2, paths=3), 1, start=start)
    np.testing.assert_allclose(paths.log_capitalisations[:, 0], np.tile(start, (3, 1)), atol=1e-14)
    rows = np.vstack((start, start[::-1], start))
    np.testing.assert_allclose(
        model.simulate(Grid(2, paths=3), 1, start=rows).log_capitalisations[:, 0], rows, atol=1e-14
    )
    with pytest.raises(ValueError, match=r"start has the shape \(2,\)"):
        model.simulate(Grid(2), 1, start=np.zeros(2))
    with pytest.raises(ValueError, match="not finite"):
        model.simulate(Grid(2), 1, start=np.full(len(model), -np.inf))


@each_model
def test_the_panel_says_what_the_path_says(model: Atlas) -> None:
    paths = model.simulate(Grid(60, paths=2), 4)
    panel = paths.panel(1)
    log_capital = paths.log_capitalisations[1]
    np.testing.assert_allclose(np.log1p(panel.returns[1:]), np.diff(log_capital, axis=0), atol=1e-13)
    np.testing.assert_allclose(panel.benchmark, paths.weights[1], atol=1e-13)
    total = np.log(np.exp(log_capital).sum(axis=1))
    np.testing.assert_allclose(np.log1p(panel.benchmark_returns[1:]), np.diff(total), atol=1e-12)
    np.testing.assert_allclose(panel.index_change, 0.0, atol=1e-13)  # returns alone move the weights
    assert panel.frequency is Frequency.DAILY
    assert panel.observed[1:].all()
    assert panel.published[0]
    assert panel.published[1:].sum() == panel.calendar.ticks(Clock.MONTHLY)[1:].sum()


def test_the_market_by_rank_is_the_market_by_name_sorted() -> None:
    model = FirstOrder([-0.3, -0.1, 0.0, 0.1, 0.3], [0.2, 0.3, 0.2, 0.4, 0.3], growth=0.1)
    grid = Grid(100, paths=7, substeps=3, burn_in=0.1)
    named = joined(model.stream(grid, 9))
    np.testing.assert_array_equal(joined(model.stream_ranked(grid, 9)), np.sort(named, axis=-1)[..., ::-1])


def test_names_keep_their_own_path_from_step_to_step() -> None:
    """A step's moves are small, so a name that took another's place would jump."""
    paths = Atlas(50, 0.05, 0.2).simulate(Grid(50), 2).log_capitalisations[0]
    assert np.abs(np.diff(paths, axis=0)).max() < 6.0 * 0.2 / np.sqrt(252.0) + 0.05
    assert (np.diff(np.argsort(-paths, axis=1), axis=0) != 0).any()


def test_of_names_that_tie_the_lower_column_has_the_better_rank() -> None:
    dynamics = RankDynamics(np.array([3.0, 2.0, 1.0]), np.zeros(3))
    walker = NamedWalker(dynamics, Grid(1, years_per_step=1.0), np.zeros((1, 3)), [np.random.default_rng(0)])
    out = np.empty((1, 1, 3))
    walker.advance(out)
    np.testing.assert_allclose(out[0, 0], [3.0, 2.0, 1.0])
    # 1 and 0 come to tie after a step: 0 + 3 = 2 + 1 in another order of columns
    walker = NamedWalker(
        RankDynamics(np.array([0.0, 1.0]), np.zeros(2)),
        Grid(2, years_per_step=1.0),
        np.array([[0.0, 1.0]]),
        [np.random.default_rng(0)],
    )
    out = np.empty((1, 2, 2))
    walker.advance(out)
    np.testing.assert_allclose(out[0], [[1.0, 1.0], [1.0, 2.0]])


def test_substeps_refine_and_do_not_lengthen() -> None:
    model = Atlas(3, 0.1, 0.3)
    start = np.zeros(3)
    ends = model.simulate(Grid(1, paths=4000, years_per_step=1.0, substeps=4), 1, start=start).log_capitalisations[:, 1]
    assert ends.sum(axis=1).std() == pytest.approx(0.3 * np.sqrt(3.0), rel=4.0 / np.sqrt(2 * 4000))


def test_burn_in_moves_the_start() -> None:
    model = Atlas(3, 0.1, 0.3)
    start = np.array([0.0, -5.0, -10.0])
    burnt = model.simulate(Grid(5, burn_in=10 / 252), 1, start=start).log_capitalisations
    longer = model.simulate(Grid(15), 1, start=start).log_capitalisations
    np.testing.assert_array_equal(burnt, longer[:, 10:])


def test_times_and_months() -> None:
    grid = Grid(24, years_per_step=1 / 12)
    np.testing.assert_allclose(grid.times[[0, 12, 24]], [0.0, 1.0, 2.0])
    assert grid.years == pytest.approx(2.0)
    panel = Atlas(3, 0.1, 0.3).simulate(grid, 1).panel()
    assert panel.frequency is Frequency.MONTHLY
    assert len(panel) == 25
    months = panel.sessions.astype("datetime64[M]")
    assert (np.diff(months).astype(int) == 1).all()
    assert np.is_busday(panel.sessions).all()
    assert ((panel.sessions + 3).astype("datetime64[M]") > months).all()  # no weekday follows in the month


def test_weekdays_follow_each_other() -> None:
    calendar = weekday_sessions(10, Frequency.DAILY)
    assert np.is_busday(calendar.sessions).all()
    assert np.busday_count(calendar.sessions[0], calendar.following) == 10


def test_what_does_not_fit_is_told() -> None:
    model = Atlas(3, 0.1, 0.3)
    with pytest.raises(ValueError, match="Use `stream`"):
        model.simulate(Grid(10**6, paths=1000), 1)
    with pytest.raises(ValueError, match="years_per_step"):
        model.simulate(Grid(3, years_per_step=0.5), 1).panel()
    with pytest.raises(ValueError, match="path is 1"):
        model.simulate(Grid(3), 1).panel(1)
    for bad in ({"steps": 0}, {"steps": 1, "paths": 0}, {"steps": 1, "substeps": 0}, {"steps": 1, "burn_in": -1.0}):
        with pytest.raises(ValueError, match="allowed"):
            Grid(**bad)


def test_a_stream_takes_no_more_memory_when_it_is_longer() -> None:
    model = Atlas(100, 0.01, 0.2)
    sizes = [b.log_capitalisations.nbytes for b in itertools.islice(model.stream_ranked(Grid(10**6, paths=400), 1), 5)]
    assert max(sizes) <= 2**24


@pytest.mark.parametrize(
    ("drifts", "volatilities", "complaint"),
    [
        ([-0.1, 0.2], [0.2, 0.2], "sum to 0.1"),
        ([0.1, -0.1], [0.2, 0.2], "run away"),
        ([-0.1, 0.1], [0.2, 0.0], "positive"),
        ([-0.1, 0.1], [0.2], "do not fit"),
    ],
)
def test_markets_that_do_not_hold_together_are_refused(
    drifts: list[float], volatilities: list[float], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        FirstOrder(drifts, volatilities)


def test_names_that_would_run_away_are_refused() -> None:
    with pytest.raises(ValueError, match="run away"):
        HybridAtlas([-0.1, 0.1], [0.2, 0.2], [0.15, -0.15])
    with pytest.raises(ValueError, match="name_drifts sum"):
        HybridAtlas([-0.1, 0.1], [0.2, 0.2], [0.05, 0.0])
    with pytest.raises(ValueError, match="17 names"):
        HybridAtlas(np.append(np.full(16, -0.1), 1.6), np.full(17, 0.2), np.zeros(17)).occupation()
    with pytest.raises(ValueError, match="smallest weight reaches zero"):
        RankJacobi([1.0, 0.5])
