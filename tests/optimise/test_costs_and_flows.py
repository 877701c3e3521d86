"""Costs in the objective, cash, and flows: against formulas, and against what the rules mean."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import cvxpy as cp
import numpy as np
import pytest

from gammastar.mandate import (
    ActiveWeight,
    Cash,
    CashMode,
    GroupActive,
    Mandate,
    TrackingError,
    TradingPolicy,
    VolatilityCapture,
)
from gammastar.mandate.costs import CostModel, PriceImpact, daily_volatility
from gammastar.optimise import Status, propose
from gammastar.trade import order_list

if TYPE_CHECKING:
    from gammastar.core.costs import TradeCost


def market(bench: Any, seed: int, n: int = 40) -> Any:
    rng = np.random.default_rng(seed)
    m = bench.moment(rng, n)
    held = m.benchmark * np.exp(rng.normal(0.0, 0.15, n))
    returns = rng.normal(0.0, 0.02, m.returns.shape)
    traded = rng.lognormal(16.0, 1.0, m.returns.shape)
    traded[:, 3] = 0.0
    return replace(m, holdings=held / held.sum(), returns=returns, traded=traded, value=5e8)


MODELS = [
    CostModel(sell=0.002),
    CostModel(assets=(("A001", 0.01), ("A002", 0.0))),
    CostModel(steps=((0.05, 0.002), (0.5, 0.004))),
    CostModel(impact=PriceImpact(1.0, 1.5)),
    CostModel(sell=0.0, impact=PriceImpact(0.7, 1.6), steps=((0.1, 0.001),)),
]


def statement(cost: TradeCost, trade: cp.Expression) -> cp.Expression:
    """Return a cost as CVXPY says it."""
    total = cost.buy @ cp.pos(trade) + cost.sell @ cp.neg(trade)
    for start, extra in cost.steps:
        total = total + extra @ cp.pos(cp.abs(trade) - start)
    return total if cost.impact is None else total + cost.impact @ cp.power(cp.abs(trade), cost.exponent)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("seed", [1, 2])
def test_every_cost_is_in_the_objective(bench: Any, model: CostModel, seed: int) -> None:
    m = market(bench, seed)
    mandate = Mandate(
        strategy=VolatilityCapture(holding_period=0.5), rules=(TrackingError(0.03), ActiveWeight(0.03), GroupActive(0.02)),
        trading=TradingPolicy(cost=0.0005, costs=model), data=bench.policy,
    )  # fmt: skip
    found = propose(mandate, m)
    assert found.status is Status.OPTIMAL
    sigma, mu, cost = m.covariance.dense(), m.benchmark, mandate.trading.cost_at(m)
    w = cp.Variable(len(mu))
    active, root = w - mu, np.linalg.cholesky(sigma)
    growth = 0.5 * np.diag(m.covariance.relative(mu))
    groups = (m.sector_codes[None, :] == np.arange(5)[:, None]).astype(float)
    rules = [w >= 0, cp.sum(w) == 1, cp.norm(root.T @ active) <= 0.03, cp.abs(active) <= 0.03, cp.abs(groups @ active) <= 0.02]
    objective = growth @ active - 0.5 * cp.sum_squares(root.T @ active) - statement(cost, w - m.holdings) / 0.5
    best = cp.Problem(cp.Maximize(1e4 * objective), rules).solve(solver="CLARABEL")
    assert found.objective * 1e4 == pytest.approx(best, rel=1e-6, abs=1e-4)
    assert found.cost == pytest.approx(float(cost.of(found.targets - m.holdings).sum()), rel=1e-12)


def test_the_estimate_stays_with_each_order(bench: Any) -> None:
    m = market(bench, 1)
    policy = TradingPolicy(cost=0.0005, costs=MODELS[4])
    found = propose(Mandate(rules=(TrackingError(0.03),), trading=policy, data=bench.policy), m)
    orders = order_list(found.moment, found.targets, policy)
    assert sum(order.estimated_cost for order in orders) == pytest.approx(found.cost * 5e8, rel=1e-6)
    largest = orders[0]
    i = m.assets.index[largest.asset]
    rate = 0.0005 if largest.side == "buy" else 0.0
    days = largest.value / m.traded[:, i].mean()
    impact = 0.7 * daily_volatility(m)[i] * days**0.6
    assert largest.estimated_cost == pytest.approx(largest.value * (rate + impact) + 0.001 * max(largest.value - 0.1 * m.traded[:, i].mean(), 0.0), rel=1e-9)


def test_impact_grows_with_money(bench: Any) -> None:
    """At four times the money the same trade in weight costs twice the rate, under the square-root law."""
    m, model = market(bench, 1), CostModel(impact=PriceImpact(1.0, 1.5))
    one, four = (model.at(replace(m, value=value), 0.0).of(np.full(40, 0.01)) for value in (1e8, 4e8))
    np.testing.assert_allclose(four, 2.0 * one, rtol=1e-12)


def test_cash_is_kept_at_its_buffer_and_no_more(bench: Any) -> None:
    m = market(bench, 2)
    found = propose(Mandate(rules=(TrackingError(0.03), Cash(0.01, 0.03)), data=bench.policy), m)
    assert found.status is Status.OPTIMAL
    assert 1.0 - found.targets.sum() == pytest.approx(0.01, abs=1e-8)
    assert not any(reading.rule == "fully_invested" for reading in found.readings)


@pytest.mark.parametrize("money", [2e7, -2e7])
def test_a_flow_in_cash_mode_is_traded_one_way(bench: Any, money: float) -> None:
    m = market(bench, 3).with_flow(money)
    assert m.value == 5e8 + money
    assert 1.0 - m.holdings.sum() == pytest.approx(money / m.value, abs=1e-12)
    mandate = Mandate(rules=(TrackingError(0.05), CashMode()), data=bench.policy)
    found = propose(mandate, m)
    assert found.status is Status.OPTIMAL
    trade = found.targets - m.holdings
    assert (trade * np.sign(money) >= -1e-8).all()
    assert found.turnover_two_way == pytest.approx(abs(money) / m.value, abs=1e-7)
    free = propose(replace(mandate, rules=(TrackingError(0.05),)), m)
    assert free.turnover_two_way > 2.0 * found.turnover_two_way
    assert free.objective > found.objective
    assert propose(mandate, replace(m, flow=0.0)).turnover_two_way == pytest.approx(free.turnover_two_way, abs=1e-6)


def test_a_withdrawal_of_everything_is_refused(bench: Any) -> None:
    with pytest.raises(ValueError, match="leaves nothing"):
        market(bench, 3).with_flow(-5e8)
