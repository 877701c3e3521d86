"""Calibration: simulate, estimate, simulate again, and meet the parameters again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from gammastar.core.rank import local_times
from gammastar.core.rank_estimates import rank_estimates
from gammastar.simulate import Atlas, FirstOrder, Grid, calibrate_atlas, calibrate_first_order, rank_record

if TYPE_CHECKING:
    from gammastar.market.panel import Panel
    from gammastar.simulate import SimulatedMarket

MODEL = FirstOrder([-0.5, -0.25, -0.25, 0.25, 0.75], np.sqrt([0.04, 0.06, 0.05, 0.09, 0.1]), growth=0.05)
ATLAS = Atlas(8, 0.2, 0.3, growth=0.05)
CENTURY = Grid(252 * 80)


@pytest.fixture(scope="module")
def panel() -> Panel:
    return MODEL.simulate(CENTURY, 1).panel()


def test_a_first_order_model_is_found_again(panel: Panel) -> None:
    fit = calibrate_first_order(panel)
    assert (np.abs(fit.scores(MODEL)) < 4.0).all()
    assert (np.abs(fit.model.drifts - MODEL.drifts) < 4.0 * fit.drift_error).all()
    error = np.sqrt(2.0 / CENTURY.steps) / (1.0 - 2.0 / 5.0)
    assert (np.abs(fit.model.volatilities**2 / MODEL.volatilities**2 - 1.0) < 6.0 * error).all()
    assert abs(fit.model.growth - MODEL.growth) < 4.0 * np.sqrt(np.mean(MODEL.volatilities**2) / 5 / 80)
    assert fit.years == pytest.approx(80.0)
    assert fit.drift_error.max() < 0.1 * np.ptp(MODEL.drifts)


def test_and_once_more_from_the_model_that_was_found(panel: Panel) -> None:
    first = calibrate_first_order(panel)
    second = calibrate_first_order(first.model.simulate(CENTURY, 2).panel())
    assert (np.abs(second.scores(first.model)) < 4.0).all()
    np.testing.assert_allclose(second.observed_gap, first.observed_gap, rtol=0.25)


def test_an_atlas_model_is_found_by_both_roads() -> None:
    decades = Grid(252 * 40, paths=6)
    paths = ATLAS.simulate(decades, 3)
    fits = [calibrate_atlas(paths.panel(path)) for path in range(6)]
    by_local_time = np.array([fit.by_local_time.drift for fit in fits])
    by_curve = np.array([fit.by_curve.drift for fit in fits])
    assert (np.abs(by_local_time - 0.2) < 4.0 * fits[0].drift_error).all()
    assert abs(by_local_time.mean() - 0.2) < 4.0 * fits[0].drift_error / np.sqrt(6)
    assert abs(by_curve.mean() / 0.2 - 1.0) < 4.0 * by_curve.std(ddof=1) / 0.2 / np.sqrt(6) + 0.02
    np.testing.assert_allclose([fit.by_curve.volatility for fit in fits], 0.3, rtol=0.01)
    expected = 0.3 / np.sqrt(8 * 7 * 40.0)
    assert fits[0].drift_error == pytest.approx(expected, rel=0.02)


def test_a_rank_record_is_what_the_core_estimates(panel: Panel) -> None:
    """Where names stay, following members is following names."""
    record = rank_record(panel)
    logs = np.log(panel.benchmark)
    np.testing.assert_allclose(record.local_time, local_times(logs)[:, :-1], atol=1e-10)
    estimates = rank_estimates(logs, 1.0 / 252.0)
    fit = calibrate_first_order(panel)
    np.testing.assert_allclose(fit.model.local_time_rate(), estimates.local_time_rate[:-1], rtol=1e-8)
    np.testing.assert_allclose(fit.model.drifts, estimates.growth_by_local_time, atol=1e-8)
    # exact: the local-time road differs from the mean move by the change of the ranked capitalisations alone
    own = record.moves.mean(axis=0) * 252.0
    ranked = np.sort(logs, axis=1)[:, ::-1]
    change = ranked[-1] - ranked[0]
    np.testing.assert_allclose(fit.model.drifts - (own - own.mean()), -(change - change.mean()) / 80.0, atol=1e-9)


def test_taking_fewer_ranks_leaves_the_larger_as_they_are(panel: Panel) -> None:
    whole, part = rank_record(panel), rank_record(panel, 3)
    np.testing.assert_array_equal(part.moves, whole.moves[:, :3])
    np.testing.assert_array_equal(part.local_time, whole.local_time[:, :2])
    np.testing.assert_array_equal(part.mean_gap, whole.mean_gap[:2])
    assert len(calibrate_first_order(panel, 3).model) == 3


def test_two_ranks_share_what_is_seen_of_them() -> None:
    fit = calibrate_first_order(Atlas(2, 0.2, 0.3).simulate(Grid(252 * 20), 1).panel())
    np.testing.assert_allclose(fit.model.volatilities, 0.3, rtol=0.02)


def test_index_changes_are_neither_moves_nor_local_time(market: SimulatedMarket) -> None:
    record = rank_record(market.panel)
    assert record.moves.shape[1] == int((market.panel.benchmark > 0.0).sum(axis=1).min())
    assert (record.local_time >= -1e-9).all()
    # by hand, for one session with a change of members
    t = int(np.flatnonzero(market.panel.index_change > 1e-3)[0]) - 1
    weights = market.panel.benchmark[t]
    members = np.flatnonzero(weights > 0.0)
    order = members[np.argsort(-weights[members], kind="stable")]
    after = np.log(weights[order]) + np.log1p(market.panel.returns[t + 1, order])
    grown = 2.0 * np.cumsum(np.sort(after)[::-1] - after)
    np.testing.assert_allclose(record.local_time[t], grown[: record.local_time.shape[1]], atol=1e-9)


def test_what_cannot_be_calibrated_is_told(panel: Panel) -> None:
    with pytest.raises(ValueError, match="allowed: 2 to 5"):
        calibrate_first_order(panel, 6)
    with pytest.raises(ValueError, match="at least 3"):
        rank_record(panel.first(2))
    apart = Atlas(3, 0.2, 0.3).simulate(Grid(5), 1, start=np.array([0.0, -20.0, -40.0])).panel()
    with pytest.raises(ValueError, match="never change places"):
        calibrate_first_order(apart)
    with pytest.raises(ValueError, match="never change places"):
        calibrate_atlas(apart)
    fit = calibrate_first_order(panel, 3)
    with pytest.raises(ValueError, match="other model has 5 ranks"):
        fit.scores(MODEL)


def test_the_real_index_by_ranks(sp500_daily: Panel) -> None:
    """The twenty largest: gaps of the fitted model near those observed, and the fit found again on its own paths."""
    fit = calibrate_first_order(sp500_daily, 20)
    assert len(fit.model) == 20
    # where the market is steady the gap formula is near: seen over the middle ranks together
    assert fit.model.mean_gap()[4:].sum() == pytest.approx(fit.observed_gap[4:].sum(), rel=0.3)
    again = calibrate_first_order(fit.model.simulate(Grid(252 * 20), 1).panel())
    assert (np.abs(again.scores(fit.model)) < 4.5).all()
