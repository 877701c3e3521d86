"""What joining and leaving an index takes or gives, and the figures that are read off an account and a capital curve."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gammastar.core.generating import Diversity, Entropy, GeneratingFunction, GiniSimpson
from gammastar.market.calendar import Clock, Frequency
from gammastar.market.panel import Prices
from gammastar.simulate import LargeCapMarket
from gammastar.simulate.paths import weekday_sessions, weights_panel
from gammastar.theory import account_for, capital_curve
from gammastar.theory.account import _flow

if TYPE_CHECKING:
    from gammastar.market.panel import Panel

EXACT = 1e-12
FUNCTIONS: tuple[GeneratingFunction, ...] = (Diversity(0.0), Diversity(0.6), Entropy(0.2), GiniSimpson())
every = pytest.mark.parametrize("function", FUNCTIONS, ids=str)
some = settings(max_examples=20)
seeds = st.integers(0, 2**32 - 1)


def whole(function: GeneratingFunction, nu: np.ndarray, after: np.ndarray) -> float:
    return float(function.log_value(nu) - function.log_value(after))


@every
@some
@given(seed=seeds, weight=st.floats(0.001, 0.5))
def test_who_joins_or_leaves_is_membership_alone_where_the_others_keep_their_proportions(
    function: GeneratingFunction, seed: int, weight: float
) -> None:
    nu = np.append(np.random.default_rng(seed).dirichlet(np.ones(6)), 0.0)
    joined = np.append((1.0 - weight) * nu[:-1], weight)
    left = np.concatenate(([0.0], nu[1:] / nu[1:].sum()))
    both = np.concatenate(([0.0], (1.0 - weight) * left[1:-1], [weight]))
    for after in (joined, left, both):
        membership, other = _flow(function, nu, after)
        assert other == pytest.approx(0.0, abs=EXACT)
        assert membership == pytest.approx(whole(function, nu, after), abs=EXACT)


@every
@some
@given(seed=seeds)
def test_where_nobody_joins_or_leaves_all_flow_is_other(function: GeneratingFunction, seed: int) -> None:
    nu, after = np.random.default_rng(seed).dirichlet(np.ones(6), 2)
    membership, other = _flow(function, nu, after)
    assert membership == pytest.approx(0.0, abs=EXACT)
    assert other == pytest.approx(whole(function, nu, after), abs=EXACT)


@every
@some
@given(seed=seeds, weight=st.floats(0.01, 0.3))
def test_the_two_flows_sum_to_the_change_of_log_g(function: GeneratingFunction, seed: int, weight: float) -> None:
    rng = np.random.default_rng(seed)
    nu, after = np.append(rng.dirichlet(np.ones(6)), 0.0), np.append(0.0, (1.0 - weight) * rng.dirichlet(np.ones(5)))
    after = np.append(after, weight)
    assert sum(_flow(function, nu, after)) == pytest.approx(whole(function, nu, after), abs=EXACT)


@every
@settings(max_examples=5)
@given(seed=seeds, split=st.booleans())
def test_without_dividends_total_return_is_price_return(function: GeneratingFunction, seed: int, split: bool) -> None:
    """Prices that grow by the total return, splits or none: no dividend term, and the account is the one without prices."""
    rng = np.random.default_rng(seed)
    calendar = weekday_sessions(41, Frequency.DAILY)
    bare = weights_panel(rng.normal(0.0, 0.02, (40, 6)), rng.dirichlet(np.full(6, 3.0)), calendar, Frequency.DAILY, "a test")
    splits = np.where(rng.random((41, 6)) < 0.05, 2.0, 1.0) if split else np.ones((41, 6))
    close = 50.0 * np.cumprod((1.0 + bare.returns) / splits, axis=0)
    splits[0] = 1.0
    told = account_for(function, replace(bare, prices=Prices(close, splits)), clock=Clock.WEEKLY).parts
    plain = account_for(function, bare, clock=Clock.WEEKLY).parts
    np.testing.assert_allclose(told.dividend, 0.0, atol=EXACT)
    for name in ("boundary", "l_divergence", "leakage", "flow_membership", "flow_other", "residual"):
        np.testing.assert_allclose(getattr(told, name), getattr(plain, name), atol=EXACT)


@pytest.fixture(scope="module")
def panel() -> Panel:
    return LargeCapMarket(members=30, listed=45, start=dt.date(2006, 10, 31), end=dt.date(2007, 12, 31)).simulate(3).panel


def test_an_annual_account_is_the_whole_over_the_years(panel: Panel) -> None:
    account = account_for(Diversity(0.5), panel)
    assert account.years == pytest.approx((len(panel) - 1) / 252, rel=EXACT)
    steps = len(account.ends)
    assert steps == len(panel) - 1
    for name, value in account.annual().items():
        assert value == pytest.approx(getattr(account.parts, name).mean() * 252, abs=EXACT)


def test_shares_of_the_largest_are_sums_of_ranked_weights(panel: Panel) -> None:
    curve = capital_curve(panel, on=(panel.sessions[-1],))
    ranked = np.sort(panel.benchmark[-1])[::-1]
    for count in (1, 10, 30):
        assert curve.share(count) == pytest.approx(ranked[:count].sum(), abs=EXACT)
    fit = np.polyfit(np.log(np.arange(5, 21)), np.log(ranked[4:20]), 1)
    assert curve.slope(5, 20) == pytest.approx(fit[0], rel=1e-9)
