"""Contributions and withdrawals: cash mode trades one way only, and comes nearest to the targets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from gammastar.trade import invest_flow

if TYPE_CHECKING:
    from numpy import ndarray


def after_flow(seed: int, n: int, flow: float) -> tuple[ndarray, ndarray]:
    rng = np.random.default_rng(seed)
    targets = rng.dirichlet(np.full(n, 2.0))
    held = targets * np.exp(rng.normal(0.0, 0.1, n))
    return held / held.sum() / (1.0 + flow), targets


@settings(max_examples=100)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(2, 40), flow=st.sampled_from((0.001, 0.02, 0.3, -0.001, -0.02, -0.3)))
def test_cash_mode_trades_one_way_and_makes_a_level(seed: int, n: int, flow: float) -> None:
    weights, targets = after_flow(seed, n, flow)
    reached = invest_flow(weights, targets, flow)
    trade = reached - weights
    assert reached.sum() == pytest.approx(1.0, abs=1e-13)
    assert (reached >= 0.0).all()
    assert (trade * np.sign(flow) >= -1e-15).all()
    away = (reached - targets)[np.abs(trade) > 1e-12]
    inside = away[(reached[np.abs(trade) > 1e-12] > 1e-12)]
    np.testing.assert_allclose(inside, inside[0] if len(inside) else 0.0, atol=1e-12)  # those traded end the same distance from their targets
    still = (reached - targets)[np.abs(trade) <= 1e-12]
    if len(inside):  # and those not traded are already beyond it
        assert (still * np.sign(flow) >= inside[0] * np.sign(flow) - 1e-12).all()


@pytest.mark.parametrize("flow", [0.05, -0.05])
def test_cash_mode_is_the_nearest_portfolio(flow: float) -> None:
    weights, targets = after_flow(5, 6, flow)
    bounds = [(w, None) if flow > 0.0 else (0.0, w) for w in weights]
    best = minimize(lambda w: ((w - targets) ** 2).sum() * 1e4, weights / weights.sum(), bounds=bounds, method="SLSQP",
                    constraints={"type": "eq", "fun": lambda w: w.sum() - 1.0}, options={"ftol": 1e-14, "maxiter": 500})  # fmt: skip
    np.testing.assert_allclose(invest_flow(weights, targets, flow), best.x, atol=1e-6)


def test_nothing_to_invest_is_refused() -> None:
    with pytest.raises(ValueError, match="does not lead"):
        invest_flow(np.array([0.5, 0.5]), np.array([0.4, 0.5]), 0.1)
    with pytest.raises(ValueError, match="does not lead"):
        invest_flow(np.array([0.5, 0.4]), np.array([0.5, 0.5]), 0.0)
