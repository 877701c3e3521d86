"""Online risk models agree with their batch forms, whatever came and went, and are values."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from gammastar.core.covariance import FactoredCovariance
from gammastar.errors import StaleDataError
from gammastar.market.assets import Assets
from gammastar.market.calendar import Frequency
from gammastar.market.characteristics import STYLES
from gammastar.market.moment import Moment
from gammastar.risk import online
from gammastar.risk.cross_section import cross_sections
from gammastar.risk.hybrid import HybridFactors
from gammastar.risk.online import Afresh, OnlineSections, online_risk
from gammastar.risk.rows import Rows
from gammastar.risk.sample import ExponentialSample, LedoitWolf
from gammastar.risk.statistical import StatisticalFactors

if TYPE_CHECKING:
    from gammastar.risk.statistical import RiskModel

SHORT = {"window": 120, "minimum": 40, "recent": 80}
MODELS: dict[str, RiskModel] = {
    "hybrid": HybridFactors(components=2, volatility_half_life=30.0, correlation_half_life=90.0, **SHORT),
    "statistical": StatisticalFactors(factors=3, volatility_half_life=30.0, correlation_half_life=90.0, **SHORT),
    "ledoit-wolf": LedoitWolf(**SHORT),
    "exponential": ExponentialSample(half_life=40.0, **SHORT),
}
SESSIONS, NAMES = 900, 30
FIRST = 300


@cache
def market(seed: int) -> Moment:
    """Return a market in which names are listed, leave, join the index, change sector, miss returns, and one stands still."""
    rng = np.random.default_rng(seed)
    logs = rng.normal(0.0, 0.01, (SESSIONS, 1)) * rng.uniform(0.5, 1.5, NAMES) + rng.standard_t(5, (SESSIONS, NAMES)) * rng.uniform(0.006, 0.02, NAMES)
    logs[500:, 3] = 0.0
    listed, gone = rng.integers(-400, 500, NAMES), rng.integers(450, 1_600, NAMES)
    listed[:8], gone[:8] = -1, SESSIONS
    sessions = np.arange(SESSIONS)[:, None]
    alive = (sessions >= listed) & (sessions < gone)
    observed = alive & (rng.random(logs.shape) > 0.05)
    observed[0] = False
    member = alive & ((sessions >= listed + 60) | (np.arange(NAMES) < 8))
    weights = np.where(member, rng.dirichlet(np.full(NAMES, 2.0)) * np.exp(np.cumsum(logs, axis=0)), 0.0)
    weights /= weights.sum(axis=1, keepdims=True)
    sectors = np.tile(np.arange(NAMES) % 3, (SESSIONS, 1))
    sectors[350:, 4], sectors[610:, 9:12] = 3, 0
    return Moment(
        session=np.datetime64("2015-06-30"), assets=Assets(tuple(f"A{i}" for i in range(NAMES))), frequency=Frequency.DAILY,
        returns=np.where(observed, np.expm1(logs), 0.0), observed=observed, benchmark=weights[-1], benchmark_history=weights,
        published=np.ones(SESSIONS, dtype=bool), sector_labels=("S0", "S1", "S2", "S3", "nobody"), sector_codes=sectors[-1], sector_history=sectors,
    )  # fmt: skip


def until(m: Moment, stop: int) -> Moment:
    """Return what was known at the close of session ``stop - 1``."""
    assert m.sector_history is not None
    return replace(m, returns=m.returns[:stop], observed=m.observed[:stop], benchmark=m.benchmark_history[stop - 1], published=m.published[:stop],
                   benchmark_history=m.benchmark_history[:stop], sector_codes=m.sector_history[stop - 1], sector_history=m.sector_history[:stop])  # fmt: skip


def apart(one: FactoredCovariance, other: FactoredCovariance) -> float:
    """Return the largest difference of two covariances over the largest variance."""
    return float(np.abs(one.dense() - other.dense()).max() / other.variances.max())


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("step", [1, 5, 21], ids=lambda step: f"every {step}")
def test_online_agrees_with_batch(name: str, step: int) -> None:
    """At every fiftieth session or so of six hundred, updated daily, weekly (one by one) and monthly (in blocks)."""
    m, model = market(1), MODELS[name]
    state = online_risk(model)
    for count, stop in enumerate(range(FIRST, SESSIONS + 1, step)):
        then = until(m, stop)
        state = state.update(then)
        if count % max(50 // step, 1) == 0:
            assert apart(state.estimate(then), model.estimate(then)) < 1e-10


@pytest.mark.parametrize("name", MODELS)
def test_held_names_outside_the_index_get_the_same_risk(name: str) -> None:
    then = until(market(2), 700)
    held = replace(then, holdings=np.full(NAMES, 1.0 / NAMES))
    state = online_risk(MODELS[name]).update(until(market(2), 650)).update(then)
    assert apart(state.estimate(held), MODELS[name].estimate(held)) < 1e-10


@pytest.mark.parametrize("sessions", [2_001, pytest.param(10_001, marks=pytest.mark.slow)])
def test_rounding_stays_away_over_thousands_of_sessions(sessions: int) -> None:
    """Sums that add and drop, and are made anew at fixed sessions, against sums of the last year alone."""
    rng, n = np.random.default_rng(3), 5
    returns = rng.standard_t(3, (sessions, n)) * 0.01
    returns[rng.random(returns.shape) < 1e-3] = -0.95
    observed = np.ones_like(returns, dtype=bool)
    weights = np.exp(np.cumsum(rng.normal(0.0, 0.01, returns.shape), axis=0))
    weights /= weights.sum(axis=1, keepdims=True)
    m = replace(market(1), assets=Assets(tuple("ABCDE")), returns=np.maximum(returns, -0.95), observed=observed, published=np.ones(sessions, dtype=bool),
                benchmark_history=weights, sector_history=np.zeros((sessions, n), dtype=int), benchmark=weights[-1], sector_codes=np.zeros(n, dtype=int))  # fmt: skip
    model = HybridFactors(components=1, **SHORT)
    state = model.online().update(until(m, 400))
    for stop in range(401, sessions + 1, online.BLOCK):
        state = state.update(until(m, stop))
    last = until(m, state.seen)
    assert state.seen > sessions - 11
    assert apart(state.estimate(last), model.estimate(last)) < 1e-10


def test_later_data_cannot_change_a_row() -> None:
    """Sectors that change, members that leave and sectors that empty do not change what earlier sessions were found to be."""
    m = market(1)
    for early, late in ((400, 470), (560, 640)):
        one, other = (cross_sections(until(m, stop), window=100, styles=STYLES) for stop in (early, late))
        gap = late - early
        np.testing.assert_allclose(one.returns[gap:], other.returns[:-gap], atol=1e-12)
        np.testing.assert_allclose(one.residuals[gap:], other.residuals[:-gap], atol=1e-12)


def test_a_sector_with_nobody_in_it_is_a_factor_without_return() -> None:
    found = cross_sections(market(1), window=100, styles=STYLES)
    assert found.names[1:6] == ("S0", "S1", "S2", "S3", "nobody")
    assert not found.returns[:, 5].any()


@pytest.mark.parametrize("name", MODELS)
def test_two_that_go_on_from_one_state_do_not_disturb_each_other(name: str) -> None:
    """What one saw after the parting, and a state kept from before it, stay as they were to the bit."""
    m = market(4)
    start, end = until(m, 600), until(m, 640)
    wild = replace(end, returns=np.where(np.arange(640)[:, None] >= 600, end.returns * 3.0, end.returns))
    state = online_risk(MODELS[name]).update(start)
    alone = online_risk(MODELS[name]).update(start).update(end).estimate(end)
    before, left = state.estimate(start), state.update(end)
    right = state.update(wild)
    assert np.array_equal(left.estimate(end).loadings, alone.loadings)
    assert apart(right.estimate(wild), MODELS[name].estimate(wild)) < 1e-10
    assert np.array_equal(state.estimate(start).loadings, before.loadings)


def test_a_model_without_an_online_form_is_estimated_afresh() -> None:
    class Plain:
        def estimate(self, moment: Moment) -> FactoredCovariance:
            n = len(moment.assets)
            return FactoredCovariance(np.zeros((n, 1)), np.full(n, float(len(moment.returns))))

    state = online_risk(Plain())
    assert isinstance(state, Afresh)
    assert state.update(market(1)).estimate(until(market(1), 500)).specific[0] == 500.0


@pytest.mark.parametrize("name", MODELS)
def test_it_refuses_another_moment(name: str) -> None:
    state = online_risk(MODELS[name]).update(until(market(1), 500))
    with pytest.raises(ValueError, match="does not go back"):
        state.update(until(market(1), 499))
    with pytest.raises(ValueError, match="update the model"):
        state.estimate(until(market(1), 501))


@pytest.mark.parametrize("stop", [1, 2, 30])
@pytest.mark.parametrize("name", MODELS)
def test_without_history_it_says_so(name: str, stop: int) -> None:
    then = until(market(1), stop)
    with pytest.raises(StaleDataError, match="observed returns"):
        online_risk(MODELS[name]).update(then).estimate(then)


def test_nothing_new_changes_nothing() -> None:
    m = market(1)
    state = MODELS["hybrid"].online().update(m)  # type: ignore[attr-defined]
    assert isinstance(state, OnlineSections)
    assert state.update(m) is state


def test_rows_keep_a_window() -> None:
    rows, whole = Rows.empty(3, (2,), np.float64), np.arange(40.0).reshape(20, 2)
    for t in range(20):
        rows = rows.append(whole[t : t + 1])
        np.testing.assert_array_equal(rows.last, whole[max(t - 2, 0) : t + 1])
    np.testing.assert_array_equal(rows.append(whole).last, whole[-3:])
    with pytest.raises(ValueError, match="read-only"):
        rows.last[0] = 0.0


SP500 = Path(os.environ.get("GAMMASTAR_SP500", Path(__file__).resolve().parents[3] / "shared" / "data" / "sp500"))
