"""The self-financing root: exact, against a root finder that knows nothing of breakpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import brentq

from gammastar.core.costs import self_financing

if TYPE_CHECKING:
    from numpy import ndarray

N = 6
shares = arrays(np.float64, N, elements=st.just(0.0) | st.floats(1e-9, 1.0)).filter(lambda x: x.sum() > 0.1)
weights = shares.map(lambda x: x / x.sum())
costs = arrays(np.float64, N, elements=st.floats(0.0, 0.3) | st.just(0.0))


def left_side(c: float, value: float, psi: ndarray, target: ndarray, cost: ndarray) -> float:
    return value * c + float(np.sum(cost * np.abs(c * value * target - psi)))


@settings(max_examples=80)
@given(psi=shares, target=weights, cost=costs, value=st.floats(1e-3, 1e9))
def test_it_conserves_value_and_is_the_root(psi: ndarray, target: ndarray, cost: ndarray, value: float) -> None:
    money = psi / psi.sum() * value
    c = self_financing(money, target, cost)
    assert 0.0 < c <= 1.0
    total = float(money.sum())
    assert left_side(c, total, money, target, cost) == pytest.approx(total, rel=1e-14 * N * 2)
    root = brentq(lambda x: left_side(x, total, money, target, cost) / total - 1.0, 0.0, 1.0 + 1e-9, xtol=1e-15, rtol=1e-15)
    assert c == pytest.approx(root, rel=1e-12)


@settings(max_examples=20)
@given(psi=shares, target=weights, cost=costs, scale=st.floats(0.1, 1e6), order=st.permutations(range(N)))
def test_neither_the_unit_of_money_nor_the_order_matters(psi: ndarray, target: ndarray, cost: ndarray, scale: float, order: list[int]) -> None:
    c = self_financing(psi, target, cost)
    assert self_financing(scale * psi, target, cost) == pytest.approx(c, rel=1e-13)
    assert self_financing(psi[order], target[order], cost[order]) == pytest.approx(c, rel=1e-13)


@settings(max_examples=20)
@given(target=weights, psi=shares, cost=costs, more=st.floats(0.0, 0.3))
def test_no_trade_is_free_and_dearer_is_never_better(target: ndarray, psi: ndarray, cost: ndarray, more: float) -> None:
    assert self_financing(3.0 * target, target, cost) == pytest.approx(1.0, rel=1e-14)
    assert self_financing(psi, target, np.zeros(N)) == 1.0
    assert self_financing(psi, target, cost + more) <= self_financing(psi, target, cost) + 1e-14


def test_two_assets_by_hand() -> None:
    """All of A, half of B wanted, cost k on B alone: ``c + k c / 2 = 1``. Cost on both: ``c + k (1 - c/2) + k c/2 = 1``."""
    money, half, k = np.array([100.0, 0.0]), np.array([0.5, 0.5]), 0.01
    assert self_financing(money, half, np.array([0.0, k])) == pytest.approx(1.0 / (1.0 + 0.5 * k), rel=1e-15)
    assert self_financing(money, half, np.array([k, k])) == pytest.approx(1.0 - k, rel=1e-15)
    assert self_financing(money, np.array([0.0, 1.0]), np.array([k, 0.0])) == pytest.approx(1.0 - k, rel=1e-15)


@pytest.mark.parametrize(
    ("psi", "target", "cost", "told"),
    [
        ([0.0, 0.0], [0.5, 0.5], [0.0, 0.0], "positive value"),
        ([1.0, 1.0], [0.5, 0.4], [0.0, 0.0], "sum to one"),
        ([1.0, 1.0], [0.5, 0.5], [-0.1, 0.0], "negative"),
        ([1.0, 1.0], [0.5, 0.5], [1.0, 1.0], "leave something"),
    ],
)
def test_it_refuses_what_has_no_root(psi: list[float], target: list[float], cost: list[float], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        self_financing(np.array(psi), np.array(target), np.array(cost))
