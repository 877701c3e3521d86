"""What was known when: a closed day never changes, and no decision sees what was learnt after it."""

from __future__ import annotations

import itertools
import json
import pickle
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from gammastar.errors import StaleDataError, UsageError
from gammastar.store import append, ingest, open_store
from gammastar.store.difference import compare_knowledge

if TYPE_CHECKING:
    from pathlib import Path

    from gammastar.market.moment import Moment


def same_moment(one: Moment, other: Moment) -> bool:
    """Whether two moments say the same, by label where columns or codes differ."""
    columns = [one.assets.index[asset] for asset in other.assets.ids]
    extra = np.setdiff1d(np.arange(len(one.assets)), columns)
    arrays = all(
        np.array_equal(getattr(one, name)[..., columns], getattr(other, name)) and not getattr(one, name)[..., extra].any()
        for name in ("returns", "observed", "benchmark", "benchmark_history")
    )
    labels = [one.sector_labels[code] for code in one.sector_codes[columns]] == [other.sector_labels[code] for code in other.sector_codes]
    return arrays and labels and np.array_equal(one.published, other.published)


def poison(draft: Any, rng: np.random.Generator, known: str) -> Any:
    """Facts learnt on one day: corrected returns and a corrected snapshot of any earlier date."""
    dates = sorted(set(draft.returns["date"][draft.returns["date"] < known]))
    chosen = rng.choice(dates, size=min(5, len(dates)), replace=False)
    rows = draft.returns[draft.returns["date"].isin(chosen)].sample(frac=0.5, random_state=int(rng.integers(1 << 30)))
    draft.returns = rows.assign(total_return=np.expm1(rng.normal(0.0, 0.15, len(rows))), known=known)
    snapshots = sorted(set(draft.members["date"][draft.members["date"] < known]))
    if rng.random() < 0.6:
        of_date = draft.members[draft.members["date"] == rng.choice(snapshots)].copy()
        draft.members = of_date.assign(weight=rng.dirichlet(np.ones(len(of_date))), sector=rng.choice(["Energy", "Materials"], len(of_date)), known=known)
    else:
        draft.members = None
    return draft


def poisoned_times(count: int, make: Any, tmp_path: Path, good: Path) -> None:
    """Append facts learnt at random times, one after another, and compare every earlier moment with what it was."""
    honest = open_store(good).panel()
    days, tried = honest.sessions, 0
    for round_ in itertools.count():
        home = tmp_path / str(round_)
        cut = str(days[int(np.random.default_rng(round_).integers(30, 60))])
        first = make()
        for name in ("members", "returns"):
            setattr(first, name, (rows := getattr(first, name))[rows["date"] <= cut])
        ingest(first.write(home / "first"), home / "store")
        rng, known = np.random.default_rng([round_, 7]), np.datetime64(cut)
        before = open_store(home / "store").panel()
        for step in range(4):
            known += int(rng.integers(1, 6))
            append(poison(make_until(make, cut), rng, str(known)).write(home / f"poison{step}"), home / "store")
            after = open_store(home / "store").panel()
            for position in {int(rng.integers(1, len(before))), len(before) - 1}:
                earlier = before.sessions[position] < known
                assert earlier
                assert same_moment(after.moment(position), before.moment(position)), (round_, step, position)
                tried += 1
                if tried >= count:
                    return
            assert not np.array_equal(after.returns, before.returns)


def make_until(make: Any, cut: str) -> Any:
    draft = make()
    for name in ("members", "returns"):
        setattr(draft, name, (rows := getattr(draft, name))[rows["date"] <= cut])
    return draft


def test_facts_known_later_never_change_an_earlier_moment(make: Any, tmp_path: Path, good: Path) -> None:
    poisoned_times(24, make, tmp_path, good)


@pytest.mark.slow
def test_facts_known_later_never_change_an_earlier_moment_200_times(make: Any, tmp_path: Path, good: Path) -> None:
    poisoned_times(200, make, tmp_path, good)


@pytest.fixture
def corrected(good: Path, make: Any, tmp_path: Path) -> Path:
    """The good store with a return of 11 December corrected on 10 and 20 January, and the January snapshot on 6 March."""
    whole = make()
    first = make_until(make, "2019-01-10")
    ingest(first.write(tmp_path / "first"), tmp_path / "store")
    for known, value in (("2019-01-11", 0.04), ("2019-01-22", -0.02)):
        fix, day = make(), make()
        fix.members = None
        fix.returns = fix.returns[fix.returns["date"] == "2018-12-11"].head(1).assign(total_return=value, known=known)
        append(fix.write(tmp_path / f"fix{known}"), tmp_path / "store")
        upto = "2019-01-18" if known == "2019-01-11" else "2019-02-28"
        day.returns = whole.returns[whole.returns["date"].between(known, upto)]
        day.members = whole.members[whole.members["date"].between(known, upto)]
        day.members = day.members if len(day.members) else None
        append(day.write(tmp_path / f"days{known}"), tmp_path / "store")
    fix = make()
    fix.returns, rows = None, fix.members[fix.members["date"] == "2019-01-31"].copy()
    fix.members = rows.assign(sector="Materials")
    append(fix.write(tmp_path / "last"), tmp_path / "store", known="2019-03-06")
    return tmp_path / "store"


def test_each_moment_is_that_of_the_panel_known_then(corrected: Path) -> None:
    store = open_store(corrected)
    panel = store.panel()
    assert panel.past is not None
    assert [str(panel.sessions[at]) if at < len(panel) else "later" for at in panel.past.revised] == ["2019-01-11", "2019-01-22", "later"]
    for position in range(2, len(panel)):
        told = store.panel(known=panel.sessions[position])
        assert same_moment(panel.moment(position), told.moment(position)), panel.sessions[position]
    at = panel.calendar.position(np.datetime64("2018-12-11"))
    values = [panel.moment(panel.calendar.position(np.datetime64(day))).returns[at, 0] for day in ("2019-01-10", "2019-01-11", "2019-01-18", "2019-01-22")]
    assert values[1:] == [0.04, 0.04, -0.02]
    assert values[0] not in {0.04, -0.02}


@pytest.mark.parametrize("most", [2, 16])
def test_a_closed_day_never_changes(most: int, corrected: Path, make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gammastar.store.merging._MOST", most)
    days = ("2018-12-03", "2019-01-10", "2019-01-15", "2019-02-01", "2019-03-04")
    before = {day: open_store(corrected).panel(known=day).fingerprint for day in days}
    rng = np.random.default_rng(1)
    for step in range(18):  # enough for files to be merged
        append(poison(make(), rng, str(np.datetime64("2019-03-06") + step)).write(tmp_path / f"p{step}"), corrected)
        closed = str(np.datetime64("2019-03-06") + step - 1)
        before[closed] = open_store(corrected).panel(known=closed).fingerprint
    assert {day: open_store(corrected).panel(known=day).fingerprint for day in before} == before
    assert len(list(corrected.glob("returns-*.parquet"))) < 18
    assert len({before[day] for day in days}) == len(days)


def test_a_panel_that_was_corrected_says_so_in_its_fingerprint(corrected: Path, good: Path) -> None:
    panel = open_store(corrected).panel()
    assert open_store(good).panel().past is None
    assert panel.fingerprint == open_store(corrected).panel().fingerprint
    from dataclasses import replace

    assert replace(panel, past=None).fingerprint != panel.fingerprint
    assert pickle.loads(pickle.dumps(panel)).fingerprint == panel.fingerprint  # noqa: S301 (our own bytes)


def test_real_time_rows_are_those_of_their_own_close(corrected: Path, good: Path) -> None:
    from gammastar.market.past import real_time

    panel = open_store(corrected).panel()
    told = real_time(panel)
    for position in range(2, len(panel)):
        then = panel.moment(position)
        assert np.array_equal(told.returns[position], then.returns[-1])
        assert np.array_equal(told.benchmark[position], then.benchmark)
        assert told.sectors.codes[position].tolist() == then.sector_codes.tolist()
        assert same_moment(told.moment(position), then), "what was mended by then is seen mended"
    at = panel.calendar.position(np.datetime64("2018-12-11"))
    assert told.returns[at, 0] == open_store(good).panel().returns[at, 0] != panel.returns[at, 0]
    assert real_time(open_store(good).panel()).fingerprint == open_store(good).panel().fingerprint


def test_late_rows_count_as_missing_at_any_time(good: Path, make: Any, tmp_path: Path) -> None:
    draft = make()
    lost = (draft.returns["date"] == "2019-02-26") & (draft.returns["asset_id"] == 7)
    late = make()
    late.members, late.returns = None, draft.returns[lost]
    draft.returns = draft.returns[~lost]
    ingest(draft.write(tmp_path / "data"), tmp_path / "store")
    before = open_store(tmp_path / "store").panel()
    assert append(late.write(tmp_path / "late"), tmp_path / "store", known="2019-03-05").added == {"returns": 1}
    after = open_store(tmp_path / "store").panel()
    assert after.fingerprint == before.fingerprint
    assert not after.observed[after.calendar.position(np.datetime64("2019-02-26")), 0]


def test_before_anything_was_known_there_is_no_panel(good: Path) -> None:
    with pytest.raises(StaleDataError, match="was known on 2018-10-01"):
        open_store(good).panel(known="2018-10-01")


def test_a_panel_ends_where_knowledge_ended(good: Path) -> None:
    panel = open_store(good).panel(known="2018-12-24")
    assert str(panel.sessions[-1]) == "2018-12-24"
    assert str(panel.calendar.following) == "2018-12-26"
    monthly = open_store(good).panel("monthly", known="2018-12-31")
    assert str(monthly.sessions[-1]) == "2018-12-31"


def test_the_difference_names_what_changed(corrected: Path) -> None:
    store = open_store(corrected)
    found = compare_knowledge(store, "2019-01-18", "2019-02-01")
    assert [(change.date, change.asset, change.column, change.after, change.known) for change in found.corrections] == [("2018-12-11", "7", "total_return", -0.02, "2019-01-22")]
    assert (found.added["returns"], found.added["members"], found.late["returns"]) == (72, 8, 0)
    assert found.corrections[0].before == 0.04
    last = compare_knowledge(store, "2019-03-05", "2019-03-06")
    assert {change.column for change in last.corrections} == {"sector"}
    assert len(last.corrections) == 8
    assert last.decisive == ((np.datetime64("2019-01-31"), np.datetime64("2019-03-06")),)
    assert json.loads(json.dumps(found.to_dict())) == found.to_dict()
    assert "2018-12-11 7 total_return: 0.04 -> -0.02, known 2019-01-22" in str(found)
    assert "nothing" in str(compare_knowledge(store, "2019-03-06", "2019-03-07"))
    with pytest.raises(UsageError, match="later than the first"):
        compare_knowledge(store, "2019-03-06", "2019-03-06")


def test_late_facts_and_groups_are_told_apart_from_new_ones(make: Any, tmp_path: Path) -> None:
    draft = make()
    draft.members["country"] = "US"
    lost = (draft.returns["date"] == "2019-02-26") & (draft.returns["asset_id"] == 7)
    late = make()
    late.members, late.returns = draft.members[draft.members["date"] == "2019-02-28"].assign(country="GB"), draft.returns[lost]
    draft.returns = draft.returns[~lost]
    ingest(draft.write(tmp_path / "data"), tmp_path / "store")
    append(late.write(tmp_path / "late"), tmp_path / "store", known="2019-03-05")
    found = compare_knowledge(open_store(tmp_path / "store"), "2019-02-28", "2019-03-05")
    assert (found.late["returns"], found.added["returns"]) == (1, 0)
    assert {(change.column, change.before, change.after) for change in found.corrections} == {("country", "US", "GB")}


def test_a_return_of_a_period_that_ended_is_no_correction(make: Any, tmp_path: Path) -> None:
    """Monthly data arrives as snapshots: each new one brings the forward return of the one before it."""
    whole = make()
    whole.returns = None
    ingest(whole.write(tmp_path / "whole"), tmp_path / "w")
    ends = sorted(set(whole.members["date"]))
    for count in range(2, len(ends) + 1):
        draft = make()
        draft.returns, rows = None, draft.members[draft.members["date"].isin(ends[:count])].copy()
        rows.loc[rows["date"] == ends[count - 1], "forward_return"] = np.nan
        draft.members = rows
        folder = draft.write(tmp_path / f"month{count}")
        ingest(folder, tmp_path / "store") if count == 2 else append(folder, tmp_path / "store")
    panel = open_store(tmp_path / "store").panel()
    assert panel.past is None
    assert panel.fingerprint == open_store(tmp_path / "w").panel().fingerprint
    assert open_store(tmp_path / "store").panel(known=ends[2]).returns.tobytes() == panel.returns[:3].tobytes()


def test_copies_of_a_store_are_stores(corrected: Path, tmp_path: Path) -> None:
    shutil.copytree(corrected, tmp_path / "copy")
    assert open_store(tmp_path / "copy").panel().fingerprint == open_store(corrected).panel().fingerprint
    assert isinstance(pd.read_parquet(next((tmp_path / "copy").glob("returns-*.parquet"))), pd.DataFrame)
