"""No look-ahead: whatever is put in place of the future, decisions up to now stay the same to the bit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gammastar.backtest import run_backtest
from gammastar.mandate import Mandate
from gammastar.market.calendar import Calendar
from gammastar.market.panel import Panel, Prices, Sectors
from gammastar.optimise import propose

START = "2008-06-30"
EXAMPLES = Path(__file__).parents[2] / "examples" / "mandates"


def poisoned(panel: Panel, after: int, seed: int) -> Panel:
    """Return the panel with everything later than the session at `after` replaced by garbage."""
    rng = np.random.default_rng(seed)
    later = slice(after + 1, None)
    shape = panel.returns[later].shape

    def swap(array: np.ndarray, garbage: np.ndarray) -> np.ndarray:
        changed = array.copy()
        changed[later] = garbage
        return changed

    prices = panel.prices
    return replace(
        panel,
        returns=swap(panel.returns, np.expm1(rng.normal(0.0, 0.5, shape))),
        observed=swap(panel.observed, rng.random(shape) < 0.5),
        benchmark=swap(panel.benchmark, rng.dirichlet(np.full(shape[1], 0.1), size=shape[0])),
        sectors=Sectors(panel.sectors.labels, swap(panel.sectors.codes, rng.integers(0, len(panel.sectors.labels), shape))),
        published=swap(panel.published, rng.random(shape[0]) < 0.5),
        prices=None if prices is None else Prices(swap(prices.close, rng.uniform(1, 9, shape)), swap(prices.split, rng.integers(1, 3, shape))),
        index_level=None,
    )


def around(panel: Panel, position: int) -> tuple[Panel, int]:
    """Return the sessions that a decision at `position` may look back on and a few later ones, and its position among them.

    The garbage of a few sessions says as much as that of all, and costs less.
    """
    first = int(np.flatnonzero(panel.published[: max(position - 756, 0) + 1])[-1])
    part = slice(first, position + 12)
    return replace(
        panel,
        calendar=Calendar(panel.sessions[part], panel.sessions[position + 12] if position + 12 < len(panel) else panel.calendar.following, "XNYS"),
        returns=panel.returns[part],
        observed=panel.observed[part],
        benchmark=panel.benchmark[part],
        sectors=Sectors(panel.sectors.labels, panel.sectors.codes[part]),
        published=panel.published[part],
        index_level=None,
    ), position - first


def same_decision(mandate: Mandate, panel: Panel, position: int, seed: int) -> None:
    honest = propose(mandate, panel.moment(position))
    fooled = propose(mandate, poisoned(panel, position, seed).moment(position))
    assert honest.fingerprint == fooled.fingerprint
    assert np.array_equal(honest.targets, fooled.targets)
    assert honest.prices == fooled.prices


def same_run(mandate: Mandate, panel: Panel, position: int, start: str = START) -> None:
    """A whole run over the poisoned panel is the same up to and including the close of `position`."""
    honest = run_backtest(mandate, panel, start, panel.sessions[position])
    fooled = run_backtest(mandate, poisoned(panel, position, 3), start, panel.sessions[position])
    assert np.array_equal(honest.track.portfolio, fooled.track.portfolio)
    assert np.array_equal(honest.state.positions.quantity, fooled.state.positions.quantity)
    assert [d.fingerprint for d in honest.decisions] == [d.fingerprint for d in fooled.decisions]
    assert len(honest.state.pending) == len(fooled.state.pending)
    for one, two in zip(honest.state.pending, fooled.state.pending, strict=True):
        assert np.array_equal(np.asarray(one.targets), np.asarray(two.targets))


def test_fifty_decisions_on_a_simulated_market(small_panel: Panel, capture: Mandate) -> None:
    rng = np.random.default_rng(20)
    for position in rng.integers(260, len(small_panel) - 2, size=50).tolist():
        same_decision(capture, small_panel, position, seed=position)


@pytest.mark.parametrize("kind", ["capture", "diversity"])
@pytest.mark.parametrize("day", ["2008-10-14", "2009-03-31", "2009-11-25"])
def test_whole_runs_on_a_simulated_market(small_panel: Panel, request: pytest.FixtureRequest, kind: str, day: str) -> None:
    same_run(request.getfixturevalue(kind), small_panel, small_panel.calendar.position(np.datetime64(day)))


def test_fifty_decisions_on_real_history(sp500_daily: Panel) -> None:
    mandate = Mandate.load(EXAMPLES / "us-enhanced-index.toml")
    rng = np.random.default_rng(21)
    for position in rng.integers(300, len(sp500_daily) - 2, size=50).tolist():
        same_decision(mandate, *around(sp500_daily, position), seed=position)


@pytest.mark.parametrize("day", ["2008-09-15", "2008-11-14", "2009-01-30"])
def test_whole_runs_on_real_history(sp500_daily: Panel, day: str) -> None:
    position = sp500_daily.calendar.position(np.datetime64(day))
    mandate = Mandate.load(EXAMPLES / "us-enhanced-index-classic.toml")
    same_run(mandate, sp500_daily.first(position + 30), position, start="2008-06-30")


def test_the_poison_works(small_panel: Panel, capture: Mandate) -> None:
    """A decision that may look one session ahead does change, so the tests above can fail."""
    position = 400
    honest = propose(capture, small_panel.moment(position + 1))
    fooled = propose(capture, poisoned(small_panel, position, 5).moment(position + 1))
    assert not np.array_equal(honest.targets, fooled.targets)
