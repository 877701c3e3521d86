"""Sharadar's tables: the same market in its format, with its ways to adjust."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from gammastar.errors import DataError
from gammastar.store import open_store
from gammastar.store.sources.delivery import ingest_source
from gammastar.store.sources.sharadar import Sharadar

PERMA = {"AAA": "199059", "BBB": "194817", "CCC": "195146", "DDD": "187592", "EEE": "118691", "FFF": "113975"}


def write(world, folder, *, decimals: int = 9, sp500: bool = True):
    """Write SEP (closes adjusted for splits, closeadj for dividends too, volume in shares of today), DAILY in millions, TICKERS, SP500 and ACTIONS."""
    folder.mkdir()
    at = tuple(np.array(world.rows()).T)
    split_adjusted, adjusted = world.adjusted(dividends=False), world.adjusted(dividends=True)
    ticker, date = np.array(world.ids)[at[1]], world.days[at[0]]
    close = np.round(split_adjusted[at], decimals)
    sep = {"ticker": ticker, "date": date, "open": close, "high": close, "low": close, "close": close, "volume": world.volume[at] * world.close[at] / split_adjusted[at],
           "closeadj": np.round(adjusted[at], decimals), "closeunadj": world.close[at], "lastupdated": "2019-05-01"}
    pd.DataFrame(sep).to_csv(folder / "SHARADAR_SEP.csv", index=False)
    pd.DataFrame({"ticker": ticker, "date": date, "lastupdated": "2019-05-01", "ev": 1.0, "marketcap": world.capital[at] / 1e6}).to_csv(folder / "SHARADAR_DAILY.csv", index=False)
    tickers = [{"table": "SEP", "permaticker": PERMA[name], "ticker": name, "name": f"{name} INC", "sector": "Energy", "industry": "Oil", "cusips": "", "secfilings": f"https://www.sec.gov/cgi-bin/browse-edgar?action=getcompany&CIK=00010000{world.ids.index(name) // 2}"} for name in world.ids]
    tickers += [{**tickers[0], "table": "SF1"}]
    pd.DataFrame(tickers).to_csv(folder / "SHARADAR_TICKERS.csv", index=False)
    actions = [(world.days[t], "split", world.ids[k], world.split[t, k]) for t, k in zip(*np.nonzero(world.split != 1.0), strict=True)]
    actions += [(world.days[t], "dividend", world.ids[k], world.dividend[t, k]) for t, k in zip(*np.nonzero(world.dividend), strict=True)]
    pd.DataFrame(actions, columns=["date", "action", "ticker", "value"]).assign(name="", contraticker="", contraname="").to_csv(folder / "SHARADAR_ACTIONS.csv", index=False)
    if sp500:  # AAA joins in February, EEE leaves in March, FFF leaves when it ends
        changes = [("2019-02-15", "added", "AAA"), ("2019-03-20", "removed", "EEE"), (str(world.days[60] + 1), "removed", "FFF")]
        changes += [("2019-04-30", "current", name) for name in ("AAA", "BBB", "CCC", "DDD")]
        changes += [("2019-01-31", "historical", name) for name in ("BBB", "CCC", "DDD", "EEE", "FFF")]
        pd.DataFrame(changes, columns=["date", "action", "ticker"]).assign(name="", contraticker="", contraname="", note="").to_csv(folder / "SHARADAR_SP500.csv", index=False)
    return folder


def test_the_market_comes_back(world, same_returns, tmp_path):
    report = ingest_source(Sharadar(), write(world, tmp_path / "s"), tmp_path / "store")
    panel = open_store(tmp_path / "store").panel()
    same_returns(panel, world, ids=PERMA, tolerance=1e-9)
    assert not [finding for finding in report.findings if finding.rule in {"split-differs", "member-list", "member-change"}]
    order = [panel.assets.index[PERMA[name]] for name in world.ids]
    start = int(np.flatnonzero(world.days == panel.sessions[0])[0])
    np.testing.assert_array_equal(panel.prices.split[1:, order], world.split[start + 1 :])
    issuer = panel.group("issuer")
    assert [issuer.labels[issuer.codes[-1, column]] for column in order[:4]] == ["CIK 100000", "CIK 100000", "CIK 100001", "CIK 100001"]
    there = np.isfinite(world.close[start:])
    np.testing.assert_array_equal(panel.prices.close[:, order][there], world.close[start:][there])
    np.testing.assert_allclose(panel.traded[1:, order], np.nan_to_num(world.volume * world.close)[start + 1 :], rtol=1e-9)


def test_the_index_is_its_members_by_capitalisation(world, tmp_path):
    members = Sharadar().read(write(world, tmp_path / "s")).members.to_pandas()
    wanted = {"2019-01-31": "BBB CCC DDD EEE FFF", "2019-02-28": "AAA BBB CCC DDD EEE FFF", "2019-03-29": "AAA BBB CCC DDD FFF", "2019-04-30": "AAA BBB CCC DDD"}
    assert {str(day) for day in members.date.unique()} == set(wanted)
    for day, names in wanted.items():
        told = members[members.date.astype(str) == day].set_index("ticker").weight
        capital = pd.Series(world.standing[np.flatnonzero(world.days == np.datetime64(day))[0]], world.ids)[names.split()]
        pd.testing.assert_series_equal(told.sort_index(), capital / capital.sum(), check_names=False, check_index_type=False, check_dtype=False)


def test_lists_and_changes_that_differ_are_told(world, tmp_path):
    folder = write(world, tmp_path / "s")
    table = pd.read_csv(folder / "SHARADAR_SP500.csv")
    extra = pd.DataFrame([("2019-03-05", "added", "BBB"), ("2019-01-31", "historical", "AAA"), ("2019-02-01", "added", "ZZZ")], columns=["date", "action", "ticker"])
    pd.concat([table, extra]).to_csv(folder / "SHARADAR_SP500.csv", index=False)
    rules = {finding.rule for finding in Sharadar().read(folder).remarks}
    assert {"member-list", "member-unknown"} <= rules


def test_a_split_that_actions_and_prices_tell_differently_is_told(world, tmp_path):
    folder = write(world, tmp_path / "s")
    table = pd.read_csv(folder / "SHARADAR_ACTIONS.csv")
    table.loc[table.ticker.eq("BBB") & table.action.eq("split"), "value"] = 3.0
    table.to_csv(folder / "SHARADAR_ACTIONS.csv", index=False)
    (remark,) = (finding for finding in Sharadar().read(folder).remarks if finding.rule == "split-differs")
    assert remark.message == "ACTIONS has a split of 3, the prices one of 2"


def test_without_sp500_the_index_is_all_and_says_so(world, tmp_path):
    delivery = Sharadar().read(write(world, tmp_path / "s", sp500=False))
    assert "index-absent" in {finding.rule for finding in delivery.remarks}
    assert delivery.members.to_pandas().groupby("date").size().tolist() == [6, 6, 6, 5]


def test_rounding_to_three_decimals_is_all_that_is_lost(world, same_returns, tmp_path):
    ingest_source(Sharadar(), write(world, tmp_path / "s", decimals=3), tmp_path / "store")
    same_returns(open_store(tmp_path / "store").panel(), world, ids=PERMA, tolerance=2e-3 / np.nanmin(world.adjusted(dividends=True)))


@pytest.mark.parametrize("name", ["SEP", "DAILY", "TICKERS"])
def test_a_table_that_is_not_there_is_named(world, tmp_path, name):
    folder = write(world, tmp_path / "s")
    (folder / f"SHARADAR_{name}.csv").unlink()
    with pytest.raises(DataError, match=f"there is no table {name.lower()}"):
        Sharadar().read(folder)


def test_a_column_that_is_not_there_is_named(world, tmp_path):
    folder = write(world, tmp_path / "s")
    pd.read_csv(folder / "SHARADAR_SEP.csv").rename(columns={"closeadj": "close_adj"}).to_csv(folder / "SHARADAR_SEP.csv", index=False)
    with pytest.raises(DataError, match="is it 'close_adj'"):
        Sharadar().read(folder)
