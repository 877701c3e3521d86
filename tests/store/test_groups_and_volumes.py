"""Group attributes and money traded: point in time, out of columns or a mapping, there and back to the bit; stores without them are as before."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from gammastar.market.groups import Sectors, own_issuers
from gammastar.store import ingest, open_store, write_dataset

if TYPE_CHECKING:
    from pathlib import Path

    from gammastar.market.panel import Panel


def stored(draft: Any, home: Path, frequency: str = "daily", ending: str = "parquet") -> Panel:
    ingest(draft.write(home / "dataset", ending), home / "store")
    return open_store(home / "store").panel(frequency)


def told(panel: Panel, attribute: str) -> np.ndarray:
    """The label of each name at each session."""
    group = panel.group(attribute)
    return np.array(group.labels)[group.codes]


def rich(draft: Any) -> Any:
    """Give a draft countries that change, issuers of which most are blank, a declared rating, prices and volumes."""
    members, returns = draft.members, draft.returns
    rng = np.random.default_rng(6)
    members["country"] = rng.choice(["US", "GB", "IE", None], len(members), p=[0.7, 0.1, 0.1, 0.1])
    members["issuer"] = np.where(members["asset_id"].isin([14, 28]), "Twin", None)
    members["grade"] = rng.choice(["AA", "BBB"], len(members))
    members["price"] = rng.uniform(10.0, 90.0, len(members))
    returns["price"] = rng.uniform(10.0, 90.0, len(returns))
    returns["volume"] = np.where(rng.random(len(returns)) < 0.9, np.floor(1e6 * rng.exponential(size=len(returns))), np.nan)
    draft.mapping = '[groups.rating]\ncolumn = "grade"\nlabels = ["BBB", "AA"]\n\n[groups.country]\nlabels = ["US"]'
    return draft


def without_volume(draft: Any) -> Any:
    draft.returns["traded_value"] = draft.returns["volume"] * draft.returns["price"]
    draft.returns = draft.returns.drop(columns="volume")
    return draft


def test_a_dataset_without_them_is_stored_as_before(good: Path) -> None:
    manifest = json.loads((good / "store.json").read_text(encoding="utf-8"))
    assert sorted(file.name for file in good.iterdir()) == sorted(["store.json", *(f"{name}-000001.parquet" for name in ("members", "returns", "sessions"))])
    assert manifest["declared"].keys() == {"sector"}
    assert {"country", "issuer", "volume", "traded_value"}.isdisjoint(pd.read_parquet(good / "returns-000001.parquet").columns)
    panel = open_store(good).panel()
    assert (panel.attributes, panel.traded) == (("sector",), None)


def test_labels_and_attributes_stand_in_the_order_of_the_mapping(draft: Any, tmp_path: Path) -> None:
    panel = stored(rich(draft), tmp_path)
    assert panel.attributes == ("sector", "country", "issuer", "rating")
    assert panel.group("country").labels == ("US", "GB", "IE", "Unknown")
    assert panel.group("rating").labels == ("BBB", "AA", "Unknown")
    assert panel.group("issuer").labels == ("Twin", *(f"asset {7 * k}" for k in range(1, 9)))
    report = open_store(tmp_path / "store").status()
    assert report["groups"] == {"country": 3, "issuer": 1, "rating": 2}
    assert report["traded"]


def test_groups_are_those_told_last(draft: Any, tmp_path: Path) -> None:
    panel = stored(rich(draft), tmp_path)
    days = draft.members["date"].astype("datetime64[s]").to_numpy()
    for attribute, column in (("country", "country"), ("rating", "grade")):
        labels = told(panel, attribute)
        for t, session in enumerate(panel.sessions):
            last = days[days <= session].max()
            rows = draft.members[days == last].set_index("asset_id")[column].fillna("Unknown")
            assert list(labels[t]) == [rows[int(asset)] for asset in panel.assets.ids]
    monthly = open_store(tmp_path / "store").panel("monthly")
    np.testing.assert_array_equal(told(monthly, "country"), told(panel, "country")[panel.published])
    assert monthly.traded is None


def test_groups_known_later_are_told_later(draft: Any, tmp_path: Path) -> None:
    draft = rich(draft)
    dates = draft.members["date"]
    draft.members["known"] = np.where(dates == "2018-12-31", "2019-01-03", dates)
    panel = stored(draft, tmp_path)
    at = panel.calendar.position(np.datetime64("2018-12-31"))
    labels = told(panel, "rating")
    rows = [draft.members[dates == day]["grade"].tolist() for day in ("2018-11-30", "2018-12-31")]
    assert list(labels[at]) == list(labels[at + 1]) == rows[0] != rows[1]
    assert list(labels[at + 2]) == rows[1]


def test_an_asset_without_issuer_is_its_own(draft: Any, tmp_path: Path) -> None:
    draft = rich(draft)
    draft.members.loc[draft.members["date"] < "2018-12-31", "issuer"] = None
    draft.members.loc[draft.members["asset_id"] == 7, "issuer"] = "14"  # no asset's id: the issuer's name
    panel = stored(draft, tmp_path)
    labels = told(panel, "issuer")
    early = panel.sessions < np.datetime64("2018-12-31")
    assert set(labels[:, 0]) == {"14"}
    assert [set(labels[early, i]) for i in (1, 3)] == [{"asset 14"}, {"asset 28"}]
    assert [set(labels[~early, i]) for i in (1, 2, 3)] == [{"Twin"}, {"asset 21"}, {"Twin"}]


def test_issuers_may_be_whole_numbers_and_long_names(draft: Any, tmp_path: Path) -> None:
    name = "The Long and Winding Road Building and General Contracting Company of North and South Holdings"
    draft.members["issuer"] = draft.members["asset_id"] // 14
    draft.members["industry"] = name
    panel = stored(draft, tmp_path)
    assert list(told(panel, "issuer")[0]) == ["asset 7", "1", "1", "2", "2", "3", "3", "4"]  # a bare 0 names nobody
    assert set(told(panel, "industry").ravel()) == {name}
    assert panel.fingerprint == stored(draft, tmp_path / "again", ending="csv").fingerprint


def test_a_column_that_says_nothing_is_one_group(draft: Any, tmp_path: Path) -> None:
    draft.members["country"], draft.members["issuer"] = "n/a", None
    panel = stored(draft, tmp_path)
    assert panel.group("country").labels == ("Unknown",)
    assert len(set(told(panel, "issuer")[0])) == 8


def test_money_traded_is_what_is_given_else_volume_times_price(draft: Any, tmp_path: Path) -> None:
    draft = rich(draft)
    draft.returns["traded_value"] = np.where(draft.returns["asset_id"] == 7, 5.5e6, np.nan)
    panel = stored(draft, tmp_path)
    expected = np.zeros(panel.returns.shape)
    for row in draft.returns.itertuples():
        money = 5.5e6 if row.asset_id == 7 else row.volume * row.price
        expected[panel.calendar.position(np.datetime64(row.date)), row.asset_id // 7 - 1] = 0.0 if np.isnan(money) else money
    np.testing.assert_array_equal(panel.traded, expected)
    assert (panel.traded == 0.0).any()


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_volume_and_price_say_the_same_as_money(ending: str, make: Any, tmp_path: Path) -> None:
    reports = [
        ingest(change(rich(make())).write(tmp_path / name, ending), tmp_path / f"{name}-store")
        for name, change in (("a", lambda d: d), ("b", without_volume))
    ]
    assert reports[0].fingerprint == reports[1].fingerprint
    panels = [open_store(report.store).panel() for report in reports]
    assert panels[0].fingerprint == panels[1].fingerprint


@pytest.mark.parametrize("column", ["country", "issuer", "grade", "volume"])
def test_another_value_gives_another_fingerprint(column: str, make: Any, tmp_path: Path) -> None:
    other = rich(make())
    table = other.returns if column == "volume" else other.members
    used = sorted(set(table[column].dropna()))  # no new label, which would be seen as such
    table.loc[12, column] = "Twin" if column == "issuer" else used[int(table.loc[12, column] == used[0])]
    prints = [ingest(draft.write(tmp_path / name, "parquet"), tmp_path / f"{name}-store").fingerprint for name, draft in (("a", rich(make())), ("b", other))]
    assert prints[0] != prints[1]


@pytest.mark.parametrize("frequency", ["daily", "monthly"])
@pytest.mark.parametrize("share_missing", [0.0, 0.4])
def test_they_come_back_to_the_bit(share_missing: float, frequency: str, make: Any, tmp_path: Path) -> None:
    draft = rich(make(3, share_missing=share_missing))
    draft.returns = draft.returns[~((draft.returns["asset_id"] == 21) & (draft.returns["date"] > "2019-01-10"))]
    panel = stored(draft, tmp_path / "first", frequency)
    write_dataset(panel, tmp_path / "written")
    ingest(tmp_path / "written", tmp_path / "back")
    back = open_store(tmp_path / "back").panel()
    assert back.fingerprint == panel.fingerprint
    assert back.attributes == panel.attributes
    for name in panel.attributes:
        assert back.group(name).labels == panel.group(name).labels
        np.testing.assert_array_equal(back.group(name).codes, panel.group(name).codes)
    assert (back.traded is None) == (frequency == "monthly")


@pytest.mark.parametrize("seed", range(3))
def test_money_and_groups_of_any_session_come_back(seed: int, make: Any, tmp_path: Path) -> None:
    plain = make(seed, share_missing=0.4)
    plain.members = plain.members.drop(columns="forward_return")  # with it every filled return is written anyway
    gone = plain.members["asset_id"].isin([7, 21]) & (plain.members["date"] > "2018-12-01")
    plain.members = plain.members[~gone].copy()
    plain.members["weight"] /= plain.members.groupby("date")["weight"].transform("sum")
    silent = (plain.returns["asset_id"] == 14) & plain.returns["date"].between("2018-12-05", "2019-02-10")
    plain.returns = plain.returns[~silent]  # long enough to count as sold at its last price, which a row in between would change
    panel = stored(plain, tmp_path / "first")
    rng = np.random.default_rng(seed)
    codes = np.where(rng.random(panel.returns.shape) < 0.1, rng.integers(0, 3, panel.returns.shape), 1)
    own = own_issuers(panel.assets.ids)
    issuers = np.where(codes == 0, 0, 1 + np.arange(len(own)))
    groups = {"country": Sectors(("US", "GB", "Unknown"), codes), "issuer": Sectors(("Twin", *own), issuers)}
    traded = np.where(rng.random(codes.shape) < 0.5, 1e6 * rng.random(codes.shape), 0.0)
    assert ((traded > 0.0) & ~panel.observed)[1:].any()
    panel = replace(panel, groups=groups, traded=traded)
    write_dataset(panel, tmp_path / "written")
    ingest(tmp_path / "written", tmp_path / "back")
    assert open_store(tmp_path / "back").panel().fingerprint == panel.fingerprint


def test_money_known_later_is_not_seen(draft: Any, tmp_path: Path) -> None:
    draft = rich(draft)
    before = stored(draft, tmp_path / "a")
    late = (draft.returns["date"] == "2019-01-15") & (draft.returns["asset_id"] == 14)
    draft.returns["known"] = np.where(late, "2019-01-18", draft.returns["date"])
    after = stored(draft, tmp_path / "b")
    at = before.calendar.position(np.datetime64("2019-01-15"))
    assert before.traded[at, 1] > after.traded[at, 1] == 0.0
    assert np.count_nonzero(before.traded != after.traded) == 1


def test_money_traded_where_the_return_is_filled_comes_back(make: Any, tmp_path: Path) -> None:
    draft = rich(make(3, share_missing=0.4))
    draft.returns["estimated"] = np.random.default_rng(0).random(len(draft.returns)) < 0.2
    panel = stored(draft, tmp_path / "first")
    assert ((panel.traded > 0.0) & ~panel.observed).any()
    write_dataset(panel, tmp_path / "written")
    ingest(tmp_path / "written", tmp_path / "back")
    assert open_store(tmp_path / "back").panel().fingerprint == panel.fingerprint


@pytest.mark.parametrize("seed", range(6))
def test_the_future_changes_no_group_and_no_average(seed: int, make: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    before = stored(rich(make(5, share_missing=0.2)), tmp_path / "before")
    at = int(rng.integers(5, len(before) - 5))
    bad = rich(make(5, share_missing=0.2))
    later = bad.members["date"].astype("datetime64[s]").to_numpy() > before.sessions[at]
    for column in ("country", "issuer", "grade"):
        bad.members.loc[later, column] = rng.choice(["AAA", "Zzz", "US", None], int(later.sum()))
    gone = bad.returns["date"].astype("datetime64[s]").to_numpy() > before.sessions[at]
    bad.returns.loc[gone, "volume"] = rng.uniform(0.0, 1e9, int(gone.sum()))
    after = stored(bad, tmp_path / "after")
    assert before.fingerprint != after.fingerprint
    for name in before.attributes:
        np.testing.assert_array_equal(told(before, name)[: at + 1], told(after, name)[: at + 1])
    moments = before.moment(at), after.moment(at)
    for window in (1, 20, 500):
        np.testing.assert_array_equal(*(moment.average_traded(window) for moment in moments))
    np.testing.assert_array_equal(*(moment.price for moment in moments))
