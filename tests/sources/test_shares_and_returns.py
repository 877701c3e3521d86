"""Counting shares and counting returns are two roads to one wealth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from gammastar.backtest import run_backtest
from gammastar.core.generating import Diversity
from gammastar.mandate import Clocks, Generated, Mandate, TradingPolicy
from gammastar.market.calendar import Clock
from gammastar.store import open_store
from gammastar.store.sources.delivery import ingest_source
from gammastar.store.sources.raw_bars import RawBars
from gammastar.trade.ledger import Dividends, Splits

TOLERANCE = 2e-4
"""Of wealth over four months: a dividend waits as cash for the month's trade, and shares are whole."""


def test_a_run_in_whole_shares_agrees_with_the_run_in_returns(world, tmp_path):
    """As-traded prices, a dividend, a split with a dividend, a reverse split: the events are there, and the wealth is that of the returns."""
    at = tuple(np.array(world.rows()).T)
    data = pd.DataFrame({"date": world.days[at[0]], "ticker": np.array(world.ids)[at[1]], "close": world.close[at], "dividend": world.dividend[at], "split": world.split[at]})
    ingest_source(RawBars(), data, tmp_path / "store")
    panel = open_store(tmp_path / "store").panel()
    trading = TradingPolicy(whole_shares=True, capital=1e9)
    mandate = Mandate(name="diversity", strategy=Generated(Diversity(0.5)), clocks=Clocks(Clock.MONTHLY, Clock.WEEKLY, 1), trading=trading)
    whole = run_backtest(mandate, panel, panel.sessions[0])
    plain = run_backtest(replace(mandate, trading=replace(trading, whole_shares=False)), panel, panel.sessions[0])
    difference = np.cumsum(np.log1p(whole.track.portfolio) - np.log1p(plain.track.portfolio))
    assert 0.0 < np.abs(difference).max() < TOLERANCE
    splits = {(str(event.session), panel.assets.ids[column], ratio) for event in whole.events if isinstance(event, Splits) for column, ratio in zip(event.columns, event.ratio, strict=True)}
    assert splits == {(str(world.days[30]), "BBB", 2.0), (str(world.days[40]), "CCC", 0.1)}
    paid = {(str(event.session), panel.assets.ids[column]): amount for event in whole.events if isinstance(event, Dividends) for column, amount in zip(event.columns, event.amount, strict=True)}
    observed = {key for key, amount in paid.items() if abs(amount) > 1.0 and panel.observed[panel.sessions == np.datetime64(key[0]), panel.assets.index[key[1]]]}
    assert observed == {(str(world.days[30]), "BBB"), (str(world.days[50]), "AAA")}
