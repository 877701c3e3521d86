"""Costs of trades: convex, by side, in steps, by a power; charged so that value is conserved."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gammastar.core.costs import TradeCost, self_financing

seeds = st.integers(0, 2**32 - 1)


def any_cost(rng: np.random.Generator, n: int, exponent: float = 1.5) -> TradeCost:
    steps = ((rng.uniform(0.0, 0.05, n), rng.uniform(0.0, 0.002, n)), (rng.uniform(0.05, 0.1, n), rng.uniform(0.0, 0.002, n)))
    return TradeCost(rng.uniform(0.0, 0.003, n), rng.uniform(0.0, 0.003, n), steps, rng.uniform(0.0, 0.02, n), exponent)


@settings(max_examples=50)
@given(seed=seeds, n=st.integers(1, 12), exponent=st.sampled_from((1.5, 1.6, 2.0)))
def test_a_cost_is_its_formula_and_its_slopes_are_its_derivatives(seed: int, n: int, exponent: float) -> None:
    rng = np.random.default_rng(seed)
    cost, x = any_cost(rng, n, exponent), rng.normal(0.0, 0.1, n)
    by_hand = []
    for i, trade in enumerate(x.tolist()):
        paid = cost.buy[i] * max(trade, 0.0) + cost.sell[i] * max(-trade, 0.0) + cost.impact[i] * abs(trade) ** exponent
        paid += sum(extra[i] * max(abs(trade) - start[i], 0.0) for start, extra in cost.steps)
        by_hand.append(paid)
    np.testing.assert_allclose(cost.of(x), by_hand, rtol=1e-13, atol=1e-18)
    left, right = cost.marginal(x)
    step = 1e-9
    np.testing.assert_allclose((cost.of(x + step) - cost.of(x)) / step, right, atol=1e-5)
    np.testing.assert_allclose((cost.of(x) - cost.of(x - step)) / step, left, atol=1e-5)
    assert (left <= right + 1e-15).all()
    np.testing.assert_allclose(cost.scaled(3.0).of(x), 3.0 * cost.of(x), rtol=1e-13)
    np.testing.assert_allclose(cost.with_cash().of(np.append(x, 0.7)), np.append(cost.of(x), 0.0), rtol=1e-13)
    np.testing.assert_allclose(cost.take(np.arange(n)[::-1]).of(x[::-1]), cost.of(x)[::-1], rtol=1e-13)


def test_at_no_trade_the_two_slopes_are_the_rates_of_the_sides() -> None:
    cost = TradeCost(np.array([0.002]), np.array([0.001]))
    left, right = cost.marginal(np.zeros(1))
    assert (left[0], right[0]) == (-0.001, 0.002)
    assert cost.linear
    assert not cost.free
    assert TradeCost.proportional(0.0, 3).free


@settings(max_examples=80)
@given(seed=seeds, n=st.integers(1, 20), kind=st.sampled_from(("sides", "all")))
def test_value_is_conserved_under_every_cost(seed: int, n: int, kind: str) -> None:
    """What is left, plus what was paid, is what there was."""
    rng = np.random.default_rng(seed)
    psi, target = rng.dirichlet(np.full(n, 0.6)) * 1e6, rng.dirichlet(np.full(n, 0.6))
    target[rng.random(n) < 0.2] = 0.0
    if target.sum() == 0.0:
        target[0] = 1.0
    target /= target.sum()
    cost = any_cost(rng, n) if kind == "all" else TradeCost(rng.uniform(0.0, 0.01, n), rng.uniform(0.0, 0.01, n))
    c = self_financing(psi, target, cost)
    assert 0.9 < c <= 1.0
    assert c + float(cost.of(c * target - psi / 1e6).sum()) == pytest.approx(1.0, abs=1e-14)


def test_one_rate_is_both_sides() -> None:
    rng = np.random.default_rng(1)
    psi, target, rate = rng.dirichlet(np.ones(9)), rng.dirichlet(np.ones(9)), rng.uniform(0.0, 0.01, 9)
    assert self_financing(psi, target, rate) == self_financing(psi, target, TradeCost(rate, rate))


def test_costs_that_are_not_convex_are_refused() -> None:
    rate = np.array([0.001])
    with pytest.raises(ValueError, match="negative"):
        TradeCost(-rate, rate)
    with pytest.raises(ValueError, match="negative"):
        TradeCost(rate, rate, ((rate, -rate),))
    with pytest.raises(ValueError, match="above 1"):
        TradeCost(rate, rate, (), rate, 1.0)
    with pytest.raises(ValueError, match="leave something"):
        self_financing(np.array([1.0, 0.0]), np.array([0.0, 1.0]), TradeCost(np.array([1.5, 1.5]), np.array([0.0, 0.0])))
