"""Rules that look at money, volume, cash and the year's trades, in a run."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from gammastar.backtest import run_backtest
from gammastar.core.generating import Diversity
from gammastar.mandate import (
    ActiveWeight,
    Cash,
    Clocks,
    GeneratedBenchmark,
    Mandate,
    TrackingError,
    TradeLiquidity,
    TradingPolicy,
    TurnoverYear,
)
from gammastar.mandate.costs import CostModel, PriceImpact
from gammastar.market.calendar import Clock
from gammastar.risk.statistical import StatisticalFactors
from gammastar.simulate import LargeCapMarket

if TYPE_CHECKING:
    from gammastar.market.panel import Panel


@pytest.fixture(scope="module")
def panel() -> Panel:
    whole = LargeCapMarket(members=40, listed=60).simulate(3).panel
    return whole.first(620)


MANDATE = Mandate(
    rules=(TrackingError(0.03), ActiveWeight(0.02)),
    risk=StatisticalFactors(factors=5, window=378),
    clocks=Clocks(Clock.MONTHLY, Clock.WEEKLY, 1),
    trading=TradingPolicy(cost=0.0005),
)


def test_cash_is_kept_in_a_run(panel: Panel) -> None:
    result = run_backtest(replace(MANDATE, rules=(*MANDATE.rules, Cash(0.01, 0.02))), panel, panel.sessions[500])
    assert all(decision.status == "OPTIMAL" and not decision.broken for decision in result.decisions)
    later = 1.0 - result.track.holdings.weights.sum(axis=1)[10:]
    assert (later > 0.008).all()
    assert (later < 0.012).all()
    assert np.abs(result.track.attribution.residual).max() < 1e-12


def test_dearer_trades_cost_more_and_impact_needs_volume(panel: Panel) -> None:
    plain = run_backtest(MANDATE, panel, panel.sessions[500])
    dear = run_backtest(replace(MANDATE, trading=TradingPolicy(cost=0.0005, capital=2e10, costs=CostModel(sell=0.001, impact=PriceImpact()))), panel, panel.sessions[500])
    assert dear.track.trading.cost.sum() > plain.track.trading.cost.sum()
    assert np.abs(dear.track.attribution.residual).max() < 1e-12


def test_the_years_turnover_is_kept_at_decisions(panel: Panel) -> None:
    loose = run_backtest(replace(MANDATE, rules=(*MANDATE.rules, TurnoverYear(50.0))), panel, panel.sessions[450])
    tight = run_backtest(replace(MANDATE, rules=(*MANDATE.rules, TurnoverYear(1.2)), clocks=Clocks(Clock.MONTHLY, Clock.MONTHLY, 1)), panel, panel.sessions[450])
    assert loose.track.trading.turnover_two_way.sum() > tight.track.trading.turnover_two_way.sum()
    solved = [decision for decision in tight.decisions if decision.status == "OPTIMAL"]
    for decision in solved:  # what was traded by that close, from the track, and what the decision would trade
        before = tight.track.trading.turnover_two_way[tight.track.sessions <= decision.session].sum()
        assert before + decision.turnover_two_way <= 1.2 + 1e-7
    assert any("turnover.year" in decision.prices_bp for decision in solved)


def test_liquidity_binds_more_the_more_money_there_is(panel: Panel) -> None:
    rules = (*MANDATE.rules, TradeLiquidity(0.1))
    small, large = (run_backtest(replace(MANDATE, rules=rules, trading=replace(MANDATE.trading, capital=capital)), panel, panel.sessions[500]) for capital in (1e8, 1e12))
    assert large.decisions[0].turnover_two_way < small.decisions[0].turnover_two_way


def test_second_model_and_second_benchmark_in_a_run(panel: Panel) -> None:
    mandate = replace(
        MANDATE, second_risk=StatisticalFactors(factors=2, window=300), second_benchmark=GeneratedBenchmark(Diversity(0.8)),
        rules=(*MANDATE.rules, TrackingError(0.02, second_model=True), TrackingError(0.04, second_benchmark=True)),
    )  # fmt: skip
    result = run_backtest(mandate, panel, panel.sessions[560])
    assert all(decision.status == "OPTIMAL" and not decision.broken for decision in result.decisions)
    assert {"tracking_error.second_model", "tracking_error.second_benchmark"} & set().union(*(decision.prices_bp for decision in result.decisions))
