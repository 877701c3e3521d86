"""Block bootstraps keep the cross-section of each day and the order within blocks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from gammastar.simulate import GeometricBrownian, Grid, MovingBlocks, StationaryBlocks

if TYPE_CHECKING:
    from gammastar.market.panel import Panel
    from gammastar.simulate import SimulatedMarket

BLOCKS = (StationaryBlocks(10.0), MovingBlocks(10))
both = pytest.mark.parametrize("blocks", BLOCKS, ids=lambda blocks: type(blocks).__name__)


@pytest.fixture(scope="module")
def history() -> Panel:
    market = GeometricBrownian.exchangeable(names=6, volatility=0.3, correlation=0.3, growth=0.05)
    return market.simulate(Grid(300), 1).panel()


def source_rows(new: Panel, old: Panel) -> np.ndarray:
    """The session of `old` whose returns each session of `new` has."""
    by_row = {row.tobytes(): t for t, row in enumerate(np.round(old.returns, 12) + 0.0)}
    return np.array([by_row[row.tobytes()] for row in np.round(new.returns[1:], 12) + 0.0])


@both
def test_each_session_is_a_whole_session_of_the_history(blocks: StationaryBlocks, history: Panel) -> None:
    new = blocks.resample(history, 1000, 3)
    rows = source_rows(new, history)
    assert len(new) == 1001
    assert rows.min() >= 1  # the first session has no return to give
    following = np.diff(rows) == 1
    assert 0.87 < following.mean() < 0.93  # blocks of ten: nine in ten sessions follow their own
    np.testing.assert_allclose(new.benchmark[0], history.benchmark[0], atol=1e-12)
    np.testing.assert_allclose(new.index_change, 0.0, atol=1e-12)


@both
def test_more_sessions_only_add_and_seeds_matter(blocks: StationaryBlocks, history: Panel) -> None:
    short, long = blocks.resample(history, 55, 4), blocks.resample(history, 400, 4)
    np.testing.assert_array_equal(long.returns[:56], short.returns)
    np.testing.assert_array_equal(blocks.resample(history, 55, np.random.SeedSequence(4)).returns, short.returns)
    assert not np.array_equal(blocks.resample(history, 55, 5).returns, short.returns)


@both
def test_every_session_is_as_likely_and_means_are_kept(blocks: StationaryBlocks) -> None:
    counts = np.bincount(blocks.positions(200000, 50, np.random.default_rng(1)), minlength=50)
    if isinstance(blocks, StationaryBlocks):
        # 20,000 blocks; a session's count has the spread of blocks that come in tens
        assert (np.abs(counts / 4000.0 - 1.0) < 4.0 * np.sqrt(2.0 * 10.0 / 4000.0)).all()
    else:
        assert counts[:9].max() < counts[9:-9].min()  # the ends are in fewer blocks, as is known of this bootstrap
        assert (np.abs(counts[9:-9] / (200000 / 41.0) - 1.0) < 4.0 * np.sqrt(10.0 / 4878.0)).all()


def test_block_lengths_are_geometric() -> None:
    positions = StationaryBlocks(20.0).positions(100000, 10**6, np.random.default_rng(2))
    starts = np.flatnonzero(np.diff(positions, prepend=-5) != 1)
    lengths = np.diff(starts)
    assert lengths.mean() == pytest.approx(20.0, rel=4.0 / np.sqrt(len(lengths)))
    assert lengths.std() == pytest.approx(np.sqrt(20.0 * 19.0), rel=0.1)


def test_names_sectors_and_observations_go_along(market: SimulatedMarket) -> None:
    panel = market.panel
    new = StationaryBlocks(20.0).resample(panel, 500, 1)
    columns = [panel.assets.index[asset] for asset in new.assets.ids]
    assert (panel.benchmark[0, columns] > 0.0).all()
    assert panel.observed[1:, columns].all()
    assert new.observed[1:].all()
    assert new.frequency is panel.frequency
    first = panel.benchmark[0, columns]
    np.testing.assert_allclose(new.benchmark[0], first / first.sum(), atol=1e-12)
    np.testing.assert_array_equal(new.sectors.codes[250], panel.sectors.codes[0, columns])
    assert new.assets.tickers == tuple(panel.assets.tickers[i] for i in columns)
    wider = StationaryBlocks(20.0).resample(panel, 500, 1, coverage=0.5)
    assert set(new.assets.ids) < set(wider.assets.ids)
    assert not wider.observed[1:].all()


def test_the_cross_section_is_kept(history: Panel) -> None:
    new = StationaryBlocks(10.0).resample(history, 20000, 1)
    old, drawn = np.corrcoef(np.log1p(history.returns[1:]).T), np.corrcoef(np.log1p(new.returns[1:]).T)
    assert np.abs(drawn - old).max() < 4.0 * np.sqrt(10.0 / 20000)


def test_what_does_not_fit_is_told(history: Panel) -> None:
    with pytest.raises(ValueError, match="longer than the history"):
        MovingBlocks(500).resample(history, 10, 1)
    with pytest.raises(ValueError, match="allowed: 1 to"):
        StationaryBlocks(0.5)
    with pytest.raises(ValueError, match="allowed: 0 to 1"):
        StationaryBlocks().resample(history, 10, 1, coverage=1.5)
    hidden = replace(history, observed=np.zeros_like(history.observed))
    with pytest.raises(ValueError, match="Lower `coverage`"):
        StationaryBlocks().resample(hidden, 10, 1)


def test_the_real_history_resampled(sp500_daily: Panel) -> None:
    new = StationaryBlocks().resample(sp500_daily, 504, 1)
    assert len(new.assets) > 200
    assert 0.05 < new.benchmark_returns[1:].std() * np.sqrt(252) < 0.6
