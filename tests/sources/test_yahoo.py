"""Frames of yfinance: both orders of columns, both kinds of adjustment, one ticker or many."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from gammastar.errors import UsageError
from gammastar.store import open_store
from gammastar.store.sources.delivery import ingest_source
from gammastar.store.sources.yahoo import YahooFrame


def download(world, *, auto_adjust: bool, group_by: str = "column", zone: str | None = None) -> pd.DataFrame:
    """Return what `download` gives: closes, dividends and volumes in shares of today, NaN where a ticker has no bar."""
    later = np.cumprod(world.split[::-1], axis=0)[::-1] / world.split
    adjusted = world.adjusted(dividends=True)
    fields = {"Close": world.close / later, "Volume": world.volume * later, "Dividends": world.dividend / later, "Stock Splits": np.where(world.split == 1.0, 0.0, world.split)}
    fields |= {"Close": adjusted} if auto_adjust else {"Adj Close": adjusted}
    index = pd.DatetimeIndex(world.days.astype("datetime64[ns]"), name="Date").tz_localize(zone)
    frame = pd.concat({name: pd.DataFrame(np.where(np.isnan(world.close), np.nan, values), index, world.ids) for name, values in fields.items()}, axis=1, names=["Price", "Ticker"])
    return frame if group_by == "column" else frame.swaplevel(axis=1).sort_index(axis=1)


@pytest.mark.parametrize("auto_adjust", [True, False])
@pytest.mark.parametrize("group_by", ["column", "ticker"])
@pytest.mark.parametrize("zone", [None, "America/New_York"])
def test_the_market_comes_back(world, same_returns, tmp_path, auto_adjust, group_by, zone):
    report = ingest_source(YahooFrame(), download(world, auto_adjust=auto_adjust, group_by=group_by, zone=zone), tmp_path / "store")
    panel = open_store(tmp_path / "store").panel()
    same_returns(panel, world)
    assert panel.prices is None  # Yahoo's prices are in shares of today
    rules = {finding.rule for finding in report.findings}
    assert "price-not-as-traded" in rules
    assert "adjusted-differs" not in rules


def test_a_whole_frame_gives_prices_as_traded(world, same_returns, tmp_path):
    ingest_source(YahooFrame(whole=True), download(world, auto_adjust=False), tmp_path / "store")
    panel = open_store(tmp_path / "store").panel()
    same_returns(panel, world)
    start = int(np.flatnonzero(world.days == panel.sessions[0])[0])
    there = np.isfinite(world.close[start:])
    np.testing.assert_allclose(panel.prices.close[there], world.close[start:][there], rtol=1e-12)
    np.testing.assert_array_equal(panel.prices.split[1:], world.split[start + 1 :])


def test_a_frame_of_one_ticker_needs_its_name(world, tmp_path):
    frame = download(world, auto_adjust=False).xs("AAA", axis=1, level="Ticker")
    with pytest.raises(UsageError, match="does not say which"):
        YahooFrame().read(frame)
    assert set(YahooFrame(ticker="AAA").read(frame).members.to_pandas().asset_id) == {"AAA"}


@pytest.mark.parametrize("data", [{"a": [1]}, pd.DataFrame({"Close": [1.0]}), pd.DataFrame({("x", "y"): [1.0]}, index=pd.DatetimeIndex(["2019-01-02"]))])
def test_what_is_no_frame_of_yfinance_is_refused(data):
    with pytest.raises(UsageError) as refused:
        YahooFrame(ticker="A").read(data)
    assert refused.value.allowed
