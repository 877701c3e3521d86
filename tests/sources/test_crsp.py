"""CRSP in both layouts: the same market, the same delisting, the same store."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from tests.sources.conftest import LAST

from gammastar.errors import DataError
from gammastar.store import open_store
from gammastar.store.findings import Findings
from gammastar.store.sources import streamed
from gammastar.store.sources.crsp_ciz import CrspCiz
from gammastar.store.sources.crsp_legacy import CrspLegacy
from gammastar.store.sources.delivery import ingest_source
from gammastar.store.sources.sheet import open_rows_of, open_sheet
from gammastar.store.sources.streamed import Names

PERMNO = {"AAA": "14593", "BBB": "10107", "CCC": "11850", "DDD": "12490", "EEE": "10145", "FFF": "83835"}
GONE = -0.6  # return of FFF's delisting, after its last bar
MEMBERS = ("AAA", "BBB", "CCC", "DDD", "FFF")


@pytest.fixture(scope="session")
def truth(world):
    """Returns with FFF's delisting: compounded into its last day in the legacy layout, a day of its own in CIZ."""
    legacy, ciz = world.returns.copy(), world.returns.copy()
    legacy[LAST, 5] = (1.0 + legacy[LAST, 5]) * (1.0 + GONE) - 1.0
    ciz[LAST + 1, 5] = GONE
    return {"legacy": legacy, "ciz": ciz}


def at_rows(world):
    return tuple(np.array(world.rows()).T)


def names_of(world, first: str, last: str, more: dict[str, object]) -> pd.DataFrame:
    """One row a name; BBB is renamed in March, and its old ticker goes to EEE."""
    rows = []
    for k, name in enumerate(world.ids):
        spells = [("2019-01-01", "2019-12-31", name)]
        if name == "BBB":
            spells = [("2019-01-01", "2019-03-14", "BBB"), ("2019-03-15", "2019-12-31", "BNEW")]
        if name == "EEE":
            spells = [("2019-01-01", "2019-03-14", "EEE"), ("2019-03-15", "2019-12-31", "BBB")]
        rows += [{"PERMNO": PERMNO[name], "PERMCO": 20000 + k // 2, first: start, last: end, "TICKER": ticker, "SICCD": 3571 if k % 2 else 6021, **more} for start, end, ticker in spells]
    return pd.DataFrame(rows)


def write_legacy(world, folder, *, dlret: object = GONE, dlstcd: int = 574, sp500: bool = True, date_format: str = "%Y-%m-%d"):
    folder.mkdir()
    at = at_rows(world)
    later = np.cumprod(world.split[::-1], axis=0)[::-1] / world.split
    earned = world.returns[at].astype(object)
    earned[np.isnan(world.returns[at])] = "C"
    price = np.where(at[1] == 3, -world.close[at], world.close[at])  # DDD does not trade: the middle of bid and ask
    dsf = {"PERMNO": [PERMNO[world.ids[k]] for k in at[1]], "date": pd.to_datetime(world.days[at[0]]).strftime(date_format), "PRC": price, "VOL": world.volume[at], "RET": earned, "SHROUT": world.shares[at] / 1000.0, "CFACPR": later[at], "CFACSHR": later[at]}
    pd.DataFrame(dsf).sample(frac=1.0, random_state=1).to_csv(folder / "dsf.csv", index=False)
    names_of(world, "NAMEDT", "NAMEENDT", {"SHRCD": 11, "EXCHCD": 1, "COMNAM": "A COMPANY"}).to_csv(folder / "msenames.csv", index=False)
    ends = [{"PERMNO": PERMNO[name], "DLSTDT": str(world.days[-1]), "DLSTCD": 100, "DLRET": ""} for name in world.ids if name != "FFF"]
    ends.append({"PERMNO": PERMNO["FFF"], "DLSTDT": str(world.days[LAST]), "DLSTCD": dlstcd, "DLRET": dlret})
    pd.DataFrame(ends).to_csv(folder / "dsedelist.csv", index=False)
    if sp500:
        pd.DataFrame([{"PERMNO": PERMNO[name], "start": "2010-01-01", "ending": "2019-12-31"} for name in MEMBERS]).to_csv(folder / "dsp500list.csv", index=False)
    return folder


def write_ciz(world, folder, *, sp500: bool = True):
    folder.mkdir()
    at = at_rows(world)
    later = np.cumprod(world.split[::-1], axis=0)[::-1] / world.split
    daily = pd.DataFrame({"permno": [int(PERMNO[world.ids[k]]) for k in at[1]], "dlycaldt": world.days[at[0]], "dlyprc": world.close[at], "dlyprcflg": np.where(at[1] == 3, "BA", "TR"), "dlyret": world.returns[at], "dlycap": world.capital[at] / 1000.0, "dlyvol": world.volume[at], "dlycumfacshr": later[at], "dlydelflg": "N"})
    end = {"permno": int(PERMNO["FFF"]), "dlycaldt": world.days[LAST + 1], "dlyprc": world.close[LAST, 5] * (1.0 + GONE), "dlyprcflg": "DA", "dlyret": GONE, "dlycap": 1.0, "dlyvol": np.nan, "dlycumfacshr": 1.0, "dlydelflg": "Y"}
    pd.concat([daily, pd.DataFrame([end])]).to_parquet(folder / "dsf_v2.parquet")
    more = {"issuernm": "A COMPANY", "securitytype": "EQTY", "securitysubtype": "COM", "sharetype": "NS", "usincflg": "Y"}
    names_of(world, "secinfostartdt", "secinfoenddt", more).to_csv(folder / "stksecurityinfohist.csv", index=False)
    if sp500:
        pd.DataFrame([{"permno": PERMNO[name], "indno": 1000500, "mbrstartdt": "2010-01-01", "mbrenddt": "2019-12-31"} for name in MEMBERS]).to_csv(folder / "dsp500list_v2.csv", index=False)
    return folder


LAYOUTS = {"legacy": (CrspLegacy, write_legacy), "ciz": (CrspCiz, write_ciz)}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_market_comes_back_with_its_delisting(world, truth, same_returns, tmp_path, layout):
    source, write = LAYOUTS[layout]
    report = ingest_source(source(), write(world, tmp_path / "crsp"), tmp_path / "store")
    panel = open_store(tmp_path / "store").panel()
    inside = type(world)(MEMBERS, *(getattr(world, name)[:, [0, 1, 2, 3, 5]] if name != "days" else world.days for name in ("days", "close", "dividend", "split", "volume", "shares", "wealth")))
    same_returns(panel, inside, truth[layout][:, [0, 1, 2, 3, 5]], ids=PERMNO)
    start = int(np.flatnonzero(world.days == panel.sessions[0])[0])
    order = [panel.assets.index[PERMNO[name]] for name in MEMBERS]
    np.testing.assert_array_equal(panel.prices.split[1:, order], inside.split[start + 1 :])
    at = np.flatnonzero(panel.published)
    wanted = np.nan_to_num(world.standing[world.month_ends][:, [0, 1, 2, 3, 5]])
    np.testing.assert_allclose(panel.benchmark[at][:, order], wanted / wanted.sum(axis=1, keepdims=True), rtol=1e-9)
    assert "price-quoted" in {finding.rule for finding in report.findings}
    labels = panel.group("issuer").labels
    assert labels[panel.group("issuer").codes[-1, order[0]]] == labels[panel.group("issuer").codes[-1, order[1]]] == "20000"  # AAA and BBB are of one company


@pytest.mark.parametrize("layout", LAYOUTS)
def test_tickers_are_labels_of_their_time_and_never_ids(world, tmp_path, layout):
    source, write = LAYOUTS[layout]
    members = source().read(write(world, tmp_path / "crsp", sp500=False)).members.to_pandas().astype({"date": str})
    told = members.set_index(["date", "asset_id"]).ticker
    assert told["2019-02-28", PERMNO["BBB"]] == "BBB"
    assert told["2019-03-29", PERMNO["BBB"]] == "BNEW"
    assert told["2019-03-29", PERMNO["EEE"]] == "BBB"
    assert set(members.sector) == {"Manufacturing", "Finance"}


def test_the_two_layouts_make_the_same_index(world, tmp_path):
    made = [source().read(write(world, tmp_path / name)).members.to_pandas().astype({"asset_id": str}).set_index(["date", "asset_id"]).weight.sort_index() for name, (source, write) in LAYOUTS.items()]
    pd.testing.assert_series_equal(made[0], made[1], rtol=1e-12)


def test_a_delisting_of_poor_performance_without_a_return_is_assumed_and_flagged(world, truth, tmp_path):
    folder = write_legacy(world, tmp_path / "crsp", dlret="A")
    delivery = CrspLegacy().read(folder)
    table = delivery.returns.to_pandas().set_index(["asset_id", "date"]).sort_index()
    last = table.loc[PERMNO["FFF"]].iloc[-1]
    assert last.total_return == pytest.approx((1.0 + world.returns[LAST, 5]) * 0.7 - 1.0, abs=1e-12)
    assert last.estimated
    assert "delisting-assumed" in {finding.rule for finding in delivery.remarks}
    plain = CrspLegacy(performance_delisting=None).read(folder).returns.to_pandas().set_index(["asset_id", "date"]).sort_index()
    assert plain.loc[PERMNO["FFF"]].iloc[-1].total_return == pytest.approx(world.returns[LAST, 5], abs=1e-12)
    other = CrspLegacy().read(write_legacy(world, tmp_path / "merged", dlret="A", dlstcd=231))
    assert "delisting-assumed" not in {finding.rule for finding in other.remarks}


@pytest.mark.parametrize("code", ["B", "C", "-66.0", "-99", "", "."])
def test_codes_of_missing_returns_are_no_returns(world, tmp_path, code):
    folder = write_legacy(world, tmp_path / "crsp")
    table = pd.read_csv(folder / "dsf.csv", dtype=str, keep_default_na=False)
    row = table[(PERMNO["AAA"] == table.PERMNO) & (table.date == str(world.days[40]))].index
    table.loc[row, "RET"] = code
    table.to_csv(folder / "dsf.csv", index=False)
    told = CrspLegacy().read(folder).returns.to_pandas()
    assert len(told[(told.asset_id == PERMNO["AAA"]) & (told.date == world.days[40])]) == 0


def test_sas_dates_and_compact_dates_are_read(world, tmp_path):
    made = [CrspLegacy().read(write_legacy(world, tmp_path / name, date_format=form)).returns for name, form in (("iso", "%Y-%m-%d"), ("sas", "%d%b%Y"), ("compact", "%Y%m%d"))]
    assert made[0].equals(made[1])
    assert made[0].equals(made[2])


def test_a_letter_that_is_no_code_is_refused(world, tmp_path):
    folder = write_legacy(world, tmp_path / "crsp")
    table = pd.read_csv(folder / "dsf.csv", dtype=str)
    table.loc[7, "RET"] = "X"
    table.to_csv(folder / "dsf.csv", index=False)
    with pytest.raises(DataError) as refused:
        CrspLegacy().read(folder)
    assert [(finding.rule, finding.row, finding.value) for finding in refused.value.findings if finding.severity == "error"] == [("number", 9, "X")]


def test_without_the_list_of_the_index_it_is_the_common_stocks(world, tmp_path):
    folder = write_legacy(world, tmp_path / "crsp", sp500=False)
    table = pd.read_csv(folder / "msenames.csv")
    table.loc[int(PERMNO["CCC"]) == table.PERMNO, "SHRCD"] = 31  # a depositary receipt
    table.to_csv(folder / "msenames.csv", index=False)
    delivery = CrspLegacy().read(folder)
    assert "index-absent" in {finding.rule for finding in delivery.remarks}
    assert set(delivery.members.to_pandas().asset_id) == set(PERMNO.values()) - {PERMNO["CCC"]}


def test_the_published_index_stands_beside_the_one_of_the_weights(world, tmp_path):
    folder = write_legacy(world, tmp_path / "crsp")
    pd.DataFrame({"caldt": world.days, "vwretd": 0.01, "spindx": 1.0}).to_csv(folder / "dsp500.csv", index=False)
    ingest_source(CrspLegacy(), folder, tmp_path / "store")
    level = open_store(tmp_path / "store").panel().index_level
    np.testing.assert_allclose(level[1:] / level[:-1], 1.01, rtol=1e-12)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_the_rows_of_some_names_are_those_of_the_whole_file(tmp_path, monkeypatch, ending):
    """Pieces of a few hundred bytes, blanks around names, rows too short and empty lines between: values and row numbers are those of a reader of the whole."""
    rng = np.random.default_rng(4)
    rows = pd.DataFrame({"Permno": rng.integers(10_000, 10_040, 3_000), "date": "2019-01-31", "PRC": rng.random(3_000), "other": "x"}).astype({"Permno": object})
    rows.loc[7, "Permno"] = " 10001 "
    rows.loc[9, "Permno"] = "no number"
    path = tmp_path / f"dsf.{ending}"
    if ending == "csv":
        lines = rows.to_csv(index=False).splitlines()
        for at in (3, 500, 501, 2_000):
            lines.insert(at, "10001,2019-01-31" if at % 2 else "")
        path.write_text("\ufeff" + "\n".join(lines) + "\n")
    else:
        rows.astype({"Permno": str}).to_parquet(path, row_group_size=100)
    monkeypatch.setattr(streamed, "_PIECE", 400)
    whole, some = Findings(), Findings()
    every = open_sheet(path, ("permno", "prc"), whole, optional=())
    names = frozenset({"10001", "10030"})
    found = open_rows_of(path, ("permno", "prc"), some, Names("permno", names), optional=())
    coded = every.texts("permno")
    wanted = np.array([coded.codes[at] < 0 or coded.at(at) in {*names, "no number"} for at in range(len(every))])
    assert 0 < wanted.sum() < 400
    np.testing.assert_array_equal(found.rows, every.rows[wanted])
    np.testing.assert_array_equal(found.numbers("prc"), every.numbers("prc")[wanted])
    assert found.columns.keys() == every.columns.keys() == {"permno", "prc"}
    assert some.found == whole.found
    with pytest.raises(DataError, match="is it 'permno'"):
        open_rows_of(path, ("permn",), some, Names("permno", names), optional=())
    for content, said in ((b"", "no header"), (b"permno,prc\n10001,\xff\n", "cannot be read as CSV"), (None, "cannot be read: ")):
        bad = tmp_path / ("bad.csv" if content is not None else "nothing.csv")
        if content is not None:
            bad.write_bytes(content)
        with pytest.raises(DataError, match=said):
            open_rows_of(bad, ("permno", "prc"), some, Names("permno", names), optional=())
