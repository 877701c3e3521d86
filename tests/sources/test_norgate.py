"""Norgate's export: a file a symbol, total-return closes beside unadjusted ones."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from gammastar.errors import DataError
from gammastar.store import open_store
from gammastar.store.sources.delivery import ingest_source
from gammastar.store.sources.norgate import NorgateCsv

SYMBOL = {"AAA": "AAA", "BBB": "BBB", "CCC": "CCC", "DDD": "DDD", "EEE": "EEE", "FFF": "FFF-201903"}


def write(world, folder, *, adjusted: bool = True, index: bool = True):
    folder.mkdir()
    total = world.adjusted(dividends=True)
    for k, name in enumerate(world.ids):
        at = np.flatnonzero(np.isfinite(world.close[:, k]))
        close = total[at, k] if adjusted else world.close[at, k]
        data = {"Date": pd.to_datetime(world.days[at]).strftime("%Y%m%d"), "Open": close, "High": close, "Low": close, "Close": close, "Volume": world.volume[at, k], "Turnover": world.volume[at, k] * world.close[at, k],
                "Unadjusted Close": world.close[at, k], "Dividend": world.dividend[at, k]}
        if index:
            data["Index Constituent"] = np.where((name == "EEE") & (world.days[at] > np.datetime64("2019-03-15")), 0, 1)
        pd.DataFrame(data).to_csv(folder / f"{SYMBOL[name]}.csv", index=False)
    return folder


def test_the_market_comes_back(world, same_returns, tmp_path):
    ingest_source(NorgateCsv(), write(world, tmp_path / "n"), tmp_path / "store")
    panel = open_store(tmp_path / "store").panel()
    same_returns(panel, world, ids=SYMBOL)
    start = int(np.flatnonzero(world.days == panel.sessions[0])[0])
    order = [panel.assets.index[SYMBOL[name]] for name in world.ids]
    np.testing.assert_array_equal(panel.prices.split[1:, order], world.split[start + 1 :])
    np.testing.assert_allclose(panel.traded[1:, order], np.nan_to_num(world.volume * world.close)[start + 1 :], rtol=1e-12)


def test_constituents_are_those_of_the_day(world, tmp_path):
    members = NorgateCsv().read(write(world, tmp_path / "n")).members.to_pandas().astype({"date": str})
    inside = {day: set(group.asset_id) for day, group in members.groupby("date")}
    assert "EEE" in inside["2019-02-28"]
    assert "EEE" not in inside["2019-03-29"]
    assert len(NorgateCsv().read(write(world, tmp_path / "all", index=False)).members) > len(members)


def test_prices_without_adjustment_are_refused(world, tmp_path):
    with pytest.raises(DataError, match="not-adjusted"):
        NorgateCsv().read(write(world, tmp_path / "n", adjusted=False))
    with pytest.raises(DataError, match="no exported file"):
        NorgateCsv().read(tmp_path)
