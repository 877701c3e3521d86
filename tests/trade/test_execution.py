"""Trades pay for themselves and lose nothing; the ledger is a fold that conserves value."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gammastar.core.costs import self_financing
from gammastar.trade import Positions, execute, fold
from gammastar.trade.ledger import Dividends, Fills, Opening, Splits, apply_event

NOW = np.datetime64("2015-06-30")
seeds = st.integers(0, 2**32 - 1)
costs = st.sampled_from((0.0, 0.0005, 0.01))


def account(seed: int, n: int, *, value: float = 1e8, cash: float = 0.0, whole: bool = False) -> tuple[Positions, np.ndarray, np.ndarray]:
    """Return positions, prices and target weights (cash last)."""
    rng = np.random.default_rng(seed)
    prices = np.exp(rng.normal(3.5, 1.0, n))
    money = rng.dirichlet(np.full(n, 0.7)) * value * (1.0 - cash)
    quantity = np.floor(money / prices) if whole else money / prices
    target = rng.dirichlet(np.full(n, 0.7))
    target[rng.random(n) < 0.2] = 0.0
    return Positions(quantity, value - float(quantity @ prices)), prices, np.append(target / max(target.sum(), 1e-9), 0.0)


@settings(max_examples=60)
@given(seed=seeds, n=st.integers(2, 30), cost=costs, cash=st.sampled_from((0.0, 0.1)))
def test_a_trade_reaches_its_weights_conserves_value_and_charges_exactly_its_cost(seed: int, n: int, cost: float, cash: float) -> None:
    positions, prices, target = account(seed, n, cash=cash)
    assume(target.sum() > 0.5)
    before = positions.values(prices).sum()
    fills = execute(NOW, positions, prices, target, cost=cost, whole=False)
    after = apply_event(positions, fills)
    money = after.values(prices)
    paid = float(fills.cost.sum())
    assert money.sum() + paid == pytest.approx(before, rel=1e-14)
    np.testing.assert_allclose(fills.cost, cost * np.abs(fills.quantity * fills.price), rtol=1e-15)
    assert paid == pytest.approx(cost * np.abs(money - positions.values(prices))[:-1].sum(), rel=1e-9, abs=1e-6)
    np.testing.assert_allclose(money / money.sum(), target, atol=1e-12)
    charges = np.append(np.full(n, cost), 0.0)
    assert money.sum() / before == pytest.approx(self_financing(positions.values(prices), target, charges), rel=1e-13)


@settings(max_examples=60)
@given(seed=seeds, n=st.integers(3, 30), cost=costs)
def test_names_that_stay_are_not_touched(seed: int, n: int, cost: float) -> None:
    """Where the target is the present weight there is no trade; those that are traded bear the cost."""
    positions, prices, _ = account(seed, n)
    weights = positions.values(prices) / positions.values(prices).sum()
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(n)[: max(2, n // 3)]
    target = weights.copy()
    target[chosen] = rng.dirichlet(np.ones(len(chosen))) * weights[chosen].sum()
    fills = execute(NOW, positions, prices, target, cost=cost, whole=False)
    assert set(fills.columns) <= set(chosen.tolist())
    after = apply_event(positions, fills).values(prices)
    assert after.sum() + fills.cost.sum() == pytest.approx(positions.values(prices).sum(), rel=1e-14)
    pool = after[chosen] / after[chosen].sum()
    np.testing.assert_allclose(pool, target[chosen] / target[chosen].sum(), atol=1e-9)


@settings(max_examples=30)
@given(seed=seeds, n=st.integers(2, 30), cost=costs, whole=st.booleans())
def test_no_change_is_no_trade(seed: int, n: int, cost: float, whole: bool) -> None:
    positions, prices, _ = account(seed, n, whole=whole)
    money = positions.values(prices)
    fills = execute(NOW, positions, prices, money / money.sum(), cost=cost, whole=whole)
    assert len(fills.columns) == 0
    assert fills.cost.sum() == 0.0


@settings(max_examples=60)
@given(seed=seeds, n=st.integers(2, 30), cost=costs, value=st.sampled_from((1e4, 1e6, 1e8)))
def test_whole_shares_are_whole_and_cash_is_never_owed(seed: int, n: int, cost: float, value: float) -> None:
    positions, prices, target = account(seed, n, value=value, whole=True)
    assume(target.sum() > 0.5)
    fills = execute(NOW, positions, prices, target, cost=cost, whole=True)
    after = apply_event(positions, fills)
    assert np.array_equal(after.quantity, np.round(after.quantity))
    assert (after.quantity >= 0.0).all()
    assert after.cash >= 0.0
    assert after.values(prices).sum() + fills.cost.sum() == pytest.approx(value, rel=1e-13)
    np.testing.assert_allclose(fills.cost, cost * np.abs(fills.quantity * fills.price), rtol=1e-15)
    # every name within one share of what fractions would hold, unless it was cut to stay out of debt
    ideal = apply_event(positions, execute(NOW, positions, prices, target, cost=cost, whole=False)).quantity
    assert (after.quantity <= ideal + 1e-6).all()
    assert after.cash <= (prices * (1.0 + cost)).sum() + prices.max() + 1e-6


def test_cash_is_invested_in_whole_shares() -> None:
    positions, prices = Positions(np.array([0.0, 0.0]), 1000.0), np.array([30.0, 7.0])
    fills = execute(NOW, positions, prices, np.array([0.5, 0.5, 0.0]), cost=0.0, whole=True)
    after = apply_event(positions, fills)
    assert after.quantity.tolist() == [16.0, 71.0]
    assert after.cash == 1000.0 - 16.0 * 30.0 - 71.0 * 7.0


def test_a_share_that_rounding_makes_unaffordable_is_not_bought() -> None:
    """A hair less than a hundred shares' money is taken for a hundred shares, which it does not pay."""
    positions, prices = Positions(np.array([0.0, 0.0]), 1000.0 - 1e-8), np.array([10.0, 10.0])
    after = apply_event(positions, execute(NOW, positions, prices, np.array([0.5, 0.5, 0.0]), cost=0.0, whole=True))
    assert after.cash >= 0.0
    assert after.quantity.sum() == 99.0


# -- the ledger ------------------------------------------------------------------------------------------------------


def events(seed: int, n: int) -> tuple[list[Opening | Fills | Splits | Dividends], np.ndarray]:
    rng = np.random.default_rng(seed)
    prices = rng.uniform(5.0, 200.0, n)
    made: list[Opening | Fills | Splits | Dividends] = [Opening(NOW, rng.integers(0, 500, n).astype(float), 5_000.0)]
    for _ in range(10):
        columns = np.sort(rng.permutation(n)[: rng.integers(1, n + 1)])
        kind = rng.integers(0, 3)
        if kind == 0:
            quantity = rng.integers(-20, 21, len(columns)).astype(float)
            made.append(Fills(NOW, columns, quantity, prices[columns], 0.001 * np.abs(quantity * prices[columns])))
        elif kind == 1:
            made.append(Splits(NOW, columns, rng.choice([0.5, 2.0, 3.0], len(columns))))
        else:
            made.append(Dividends(NOW, columns, rng.uniform(0.0, 50.0, len(columns))))
    return made, prices


@settings(max_examples=40)
@given(seed=seeds, n=st.integers(1, 8), cut=st.integers(0, 11))
def test_the_fold_goes_event_by_event_in_order(seed: int, n: int, cut: int) -> None:
    """Positions are those of an explicit book-keeper; folding the first part and applying the rest is the whole."""
    made, _ = events(seed, n)
    quantity, cash = [0.0] * n, 0.0
    for event in made:
        match event:
            case Opening():
                quantity, cash = [q + x for q, x in zip(quantity, event.quantity, strict=True)], cash + event.cash
            case Fills():
                for k, i in enumerate(event.columns):
                    quantity[i] += event.quantity[k]
                    cash -= event.quantity[k] * event.price[k] + event.cost[k]
            case Splits():
                for k, i in enumerate(event.columns):
                    quantity[i] *= event.ratio[k]
            case Dividends():
                cash += event.amount.sum()
    whole = fold(made, assets=n)
    np.testing.assert_allclose(whole.quantity, quantity, rtol=1e-13)
    assert whole.cash == pytest.approx(cash, rel=1e-12, abs=1e-8)
    positions = fold(made[:cut], assets=n)
    for event in made[cut:]:
        positions = apply_event(positions, event)
    assert np.array_equal(positions.quantity, whole.quantity)
    assert positions.cash == whole.cash


def test_order_matters_where_it_must() -> None:
    """Ten shares bought before a two-for-one split are twenty after it; bought after it they are ten."""
    opening = Opening(NOW, np.zeros(1), 1000.0)
    buy = Fills(NOW, np.array([0]), np.array([10.0]), np.array([50.0]), np.array([0.0]))
    split = Splits(NOW, np.array([0]), np.array([2.0]))
    assert fold([opening, buy, split], assets=1).quantity[0] == 20.0
    assert fold([opening, split, buy], assets=1).quantity[0] == 10.0


@settings(max_examples=40)
@given(seed=seeds, n=st.integers(1, 8))
def test_corporate_actions_conserve_value(seed: int, n: int) -> None:
    """A split at the price it implies, and a dividend with the price lower by what was paid, leave wealth alone; a trade costs its cost."""
    rng = np.random.default_rng(seed)
    prices = rng.uniform(5.0, 200.0, n)
    positions = Positions(rng.uniform(0.0, 100.0, n), 1000.0)
    value, columns = positions.values(prices).sum(), np.arange(n)
    ratio = rng.choice([0.5, 2.0, 7.0], n)
    split = apply_event(positions, Splits(NOW, columns, ratio))
    assert split.values(prices / ratio).sum() == pytest.approx(value, rel=1e-14)
    paid = 0.02 * prices
    dividend = apply_event(positions, Dividends(NOW, columns, positions.quantity * paid))
    assert dividend.values(prices - paid).sum() == pytest.approx(value, rel=1e-14)
    quantity = rng.uniform(-5.0, 5.0, n)
    fills = Fills(NOW, columns, quantity, prices, 0.001 * np.abs(quantity * prices))
    assert apply_event(positions, fills).values(prices).sum() == pytest.approx(value - fills.cost.sum(), rel=1e-13)


def test_events_leave_earlier_positions_as_they_were() -> None:
    positions = Positions(np.array([1.0, 2.0]), 10.0)
    apply_event(positions, Splits(NOW, np.array([0]), np.array([2.0])))
    apply_event(positions, Fills(NOW, np.array([1]), np.array([1.0]), np.array([3.0]), np.array([0.0])))
    assert positions.quantity.tolist() == [1.0, 2.0]
    assert positions.cash == 10.0
