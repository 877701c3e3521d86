"""Signed corrections: what they change and what they leave, taking them back, who is told, and what is refused."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from gammastar.errors import GammastarError, StaleDataError, UsageError
from gammastar.store import append, corrections, ingest, open_store, override, override_return, quarantine, revoke
from gammastar.store.difference import compare_knowledge
from gammastar.store.quality.inspection import inspect_store
from gammastar.store.signatures import Signature

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gammastar.market.panel import Panel

BY = {"author": "A. Person", "reason": "a misprint"}
DAY, NEXT = "2019-01-15", "2019-01-16"
LAST, LATER = "2019-02-28", "2019-03-04"


@pytest.fixture
def store(good: Path, tmp_path: Path) -> Path:
    shutil.copytree(good, tmp_path / "store")
    return tmp_path / "store"


def now(store: Path, **asked: Any) -> Panel:
    return open_store(store).panel("daily", **asked)


def same(one: Panel, other: Panel) -> bool:
    """Whether two panels say the same, value by value."""
    arrays = ("returns", "observed", "benchmark", "sessions")
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in arrays)


def at(panel: Panel, asset: str, day: str) -> tuple[int, int]:
    return panel.calendar.position(np.datetime64(day)), panel.assets.index[asset]


def test_an_override_changes_one_value_and_only_from_its_day_on(store: Path) -> None:
    before = now(store)
    report = override_return(store, "14", DAY, 0.25, known=LATER, **BY)
    assert (report.corrected["returns"], report.added["returns"], report.known) == (1, 0, LATER)
    after = now(store)
    place = at(after, "14", DAY)
    changed = after.returns != before.returns
    assert after.returns[place] == 0.25
    assert (changed.sum(), changed[place]) == (1, True)
    assert now(store, known=LAST).fingerprint == before.fingerprint
    for position in (place[0], len(before) - 1):  # no decision made before it was known sees it
        assert np.array_equal(after.moment(position).returns, before.moment(position).returns)


def test_price_split_and_money_traded_stay(make: Callable[..., Any], tmp_path: Path) -> None:
    draft = make()
    draft.returns = draft.returns.assign(price=50.0 + np.arange(len(draft.returns)) * 0.01, split=1.0, volume=1000.0)
    ingest(draft.write(tmp_path / "dataset"), tmp_path / "store")
    assert override_return(tmp_path / "store", "14", DAY, 0.25, **BY).findings == ()
    assert [change.column for change in corrections(open_store(tmp_path / "store"))[0].changes] == ["total_return"]


def test_a_quarantine_is_an_append_of_estimated_rows(store: Path, good: Path, tmp_path: Path, make: Callable[..., Any]) -> None:
    shutil.copytree(good, tmp_path / "twin")
    rows = make().returns
    rows = rows[(rows["asset_id"] == 21) & rows["date"].between(DAY, "2019-01-22")].assign(estimated=True, known=LATER)
    (tmp_path / "rows").mkdir()
    rows.to_csv(tmp_path / "rows" / "returns.csv", index=False, float_format="%.17g")
    append(tmp_path / "rows", tmp_path / "twin")
    report = quarantine(store, DAY, "2019-01-22", asset="21", known=LATER, **BY)
    assert report.corrected["returns"] == len(rows) == 5
    assert same(now(store), now(tmp_path / "twin"))
    assert not now(store).observed[at(now(store), "21", DAY)]


def test_a_whole_session_is_put_in_quarantine(store: Path) -> None:
    quarantine(store, DAY, known=LATER, **BY)
    panel = now(store)
    row = panel.calendar.position(np.datetime64(DAY))
    assert not panel.observed[row].any()
    assert panel.observed[row - 1].all()
    assert panel.observed[row + 1].all()


@pytest.mark.parametrize("known", [None, LATER])
def test_taking_back_brings_back_every_value(store: Path, good: Path, known: str | None) -> None:
    """On the last day of the data too, where a correction and its end are known on one day."""
    override_return(store, "14", LAST, 0.25, known=known, **BY)
    quarantine(store, DAY, LAST, asset="7", known=known, **BY)
    assert not same(now(store), now(good))
    revoke(store, 2, known=known, **BY)
    revoke(store, 1, known=known, **BY)
    assert same(now(store), now(good))
    told = corrections(open_store(store))
    assert [(one.number, one.kind, one.revokes, one.revoked_by) for one in told] == [(1, "override", None, 4), (2, "quarantine", None, 3), (3, "revoke", 2, None), (4, "revoke", 1, None)]
    assert not any(change.current for one in told[:2] for change in one.changes)
    revoke(store, 4, known=known, **BY)  # the end of a correction can be taken back as well
    assert now(store).returns[at(now(store), "14", LAST)] == 0.25


def test_the_same_again_changes_nothing(store: Path) -> None:
    override_return(store, "14", DAY, 0.25, **BY)
    before = open_store(store).manifest
    again = override_return(store, "14", DAY, 0.25, author="Somebody else", reason="the same")
    assert (again.changed, "says so already" in str(again), again.to_dict()["correction"]["number"]) == (False, True, None)
    assert open_store(store).manifest == before


def test_a_delivery_that_repeats_what_was_corrected_does_not_undo_it(store: Path, make: Callable[..., Any], tmp_path: Path) -> None:
    override_return(store, "14", DAY, 0.25, **BY)
    quarantine(store, NEXT, asset="14", **BY)
    corrected = now(store)
    report = append(make().write(tmp_path / "again"), store)
    assert not report.changed
    assert same(now(store), corrected)


def test_a_delivery_with_a_third_value_stands_and_says_so(store: Path, make: Callable[..., Any], tmp_path: Path) -> None:
    override_return(store, "14", DAY, 0.25, **BY)
    rows = make().returns
    (tmp_path / "third").mkdir()
    rows[(rows["asset_id"] == 14) & (rows["date"] == DAY)].assign(total_return=0.125).to_csv(tmp_path / "third" / "returns.csv", index=False)
    report = append(tmp_path / "third", store, known=LATER)
    assert [finding.rule for finding in report.findings if finding.rule.startswith("correction")] == ["correction-superseded"]
    assert "A. Person" in str(report)
    assert "correction 1" in str(report)
    assert now(store).returns[at(now(store), "14", DAY)] == 0.125
    with pytest.raises(UsageError, match="corrected again by entry 2"):
        revoke(store, 1, **BY)


def test_a_file_overrides_snapshots_and_index_levels(make: Callable[..., Any], tmp_path: Path) -> None:
    draft = make()
    draft.index = pd.DataFrame({"date": sorted(set(draft.members["date"])), "level": 100.0 + np.arange(draft.members["date"].nunique())})
    ingest(draft.write(tmp_path / "dataset"), tmp_path / "store")
    level = draft.index.assign(level=lambda rows: rows["level"].where(rows["date"] != "2018-12-31", 99.0))
    (tmp_path / "levels").mkdir()
    level.to_csv(tmp_path / "levels" / "index_total_return.csv", index=False)
    assert override(tmp_path / "store", tmp_path / "levels", known=LATER, **BY).corrected["index"] == 1
    revoke(tmp_path / "store", 1, **BY)
    snapshot = draft.members[draft.members["date"] == "2018-12-31"].assign(weight=1.0 / 8.0)
    snapshot.to_csv(tmp_path / "members.csv", index=False)
    report = override(tmp_path / "store", tmp_path / "members.csv", known=LATER, **BY)
    assert report.corrected["members"] == 8
    told = corrections(open_store(tmp_path / "store"))
    assert told[0].changes[0].before == 102.0
    assert told[1].changes[0].after == 102.0
    assert (told[2].rows["members"], told[2].changes) == (8, ())
    with pytest.raises(UsageError, match="only corrections of returns or of index levels"):
        revoke(tmp_path / "store", 3, **BY)


def test_an_index_level_that_a_correction_added_is_not_taken_away(make: Callable[..., Any], tmp_path: Path) -> None:
    draft = make()
    levels = pd.DataFrame({"date": sorted(set(draft.members["date"])), "level": 100.0 + np.arange(draft.members["date"].nunique())})
    draft.index = levels.iloc[:-1]
    ingest(draft.write(tmp_path / "dataset"), tmp_path / "store")
    (tmp_path / "levels").mkdir()
    levels.to_csv(tmp_path / "levels" / "index_total_return.csv", index=False)
    override(tmp_path / "store", tmp_path / "levels", known=LATER, **BY)
    with pytest.raises(UsageError, match="a level cannot be taken away"):
        revoke(tmp_path / "store", 1, **BY)


def test_a_row_that_a_correction_added_is_late_and_is_marked_when_it_is_taken_back(make: Callable[..., Any], tmp_path: Path) -> None:
    draft, whole = make(), make().returns
    draft.returns = whole[~((whole["asset_id"] == 14) & (whole["date"] == DAY))]
    ingest(draft.write(tmp_path / "dataset"), tmp_path / "store")
    before = now(tmp_path / "store")
    whole[(whole["asset_id"] == 14) & (whole["date"] == DAY)].to_csv(tmp_path / "returns.csv", index=False)
    assert override(tmp_path / "store", tmp_path / "returns.csv", **BY).added["returns"] == 1
    assert not now(tmp_path / "store").observed[at(before, "14", DAY)]  # nobody knew it on its day
    revoke(tmp_path / "store", 1, **BY)
    assert same(now(tmp_path / "store"), before)
    assert [(change.column, change.after) for change in corrections(open_store(tmp_path / "store"))[1].changes] == [("estimated", True)]


def test_corrections_outlive_the_merging_of_files(store: Path, make: Callable[..., Any], tmp_path: Path) -> None:
    for step in range(20):
        override_return(store, "14", DAY, 0.01 * (step + 1), **BY)
    held = open_store(store)
    assert any("merged" in facts for facts in held.manifest["files"].values())
    told = corrections(held)
    assert [one.changes[0].after for one in told] == pytest.approx([0.01 * (step + 1) for step in range(20)])
    assert [one.changes[0].before for one in told[1:]] == [one.changes[0].after for one in told[:-1]]
    assert [change.current for one in told for change in one.changes] == [False] * 19 + [True]


def test_everybody_is_told(store: Path) -> None:
    override_return(store, "14", DAY, 9.0, known=LATER, author="<b>A</b>", reason="it is & was <i>so</i>")
    held = open_store(store)
    assert held.status()["corrections"] == 1
    difference = compare_knowledge(held, LAST, LATER)
    assert difference.signed == ((1, Signature("override", "<b>A</b>", "it is & was <i>so</i>")),)
    assert "correction 1: override by <b>A</b>" in str(difference)
    assert difference.to_dict()["signed"][0]["author"] == "<b>A</b>"
    found = inspect_store(held)
    assert [(one.number, one.values, one.standing) for one in found.verdict.corrections] == [(1, 1, 1)]
    here = [finding for finding in found.verdict.findings if finding.asset == "14" and finding.first == np.datetime64(DAY)]
    assert here
    assert all("correction 1 is here (override by <b>A</b>" in finding.message for finding in here)
    from gammastar.report.quality_page import quality_page

    page = quality_page(found.verdict, found.panel, found.tracking)
    assert "&lt;b&gt;A&lt;/b&gt;" in page
    assert "<b>A</b>" not in page
    told = corrections(held)[0]
    assert json.loads(json.dumps(told.to_dict()))["changes"][0]["after"] == 9.0
    assert str(told).startswith("1  override, <b>A</b>: it is & was")


REFUSED: dict[str, Callable[[Path], Any]] = {
    "author is empty|author of a correction is empty": lambda store: override_return(store, "14", DAY, 0.1, author=" ", reason="x"),
    "reason of a correction is empty": lambda store: override_return(store, "14", DAY, 0.1, author="A", reason=""),
    "has 501 characters": lambda store: override_return(store, "14", DAY, 0.1, author="A", reason="x" * 501),
    "line breaks or control": lambda store: override_return(store, "14", DAY, 0.1, author="A\nB", reason="x"),
    "no asset with this id": lambda store: override_return(store, "15", DAY, 0.1, **BY),
    "no stored return of 14": lambda store: override_return(store, "14", "2019-01-13", 0.1, **BY),
    "there is no stored return": lambda store: quarantine(store, "2031-01-02", **BY),
    "this is not a date": lambda store: override_return(store, "14", "yesterday", 0.1, **BY),
    "this is no return": lambda store: override_return(store, "14", DAY, float("nan"), **BY),
    "this is no return.*-1.5": lambda store: override_return(store, "14", DAY, -1.5, **BY),
    "/store: the correction cannot be stored.*return-huge": lambda store: override_return(store, "14", DAY, 1e6, **BY),
    "cannot have been known earlier": lambda store: override_return(store, "14", DAY, 0.1, known="2019-01-31", **BY),
    "second date must not be before": lambda store: quarantine(store, NEXT, DAY, **BY),
    "no such correction": lambda store: revoke(store, 1, **BY),
    "the name does not say which table": lambda store: override(store, store / "store.json", **BY),
    "no such folder or file": lambda store: override(store, store / "nothing.csv", **BY),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_is_refused_and_the_store_is_as_it_was(what: str, store: Path) -> None:
    before = open_store(store).manifest
    with pytest.raises(GammastarError, match=f"(?s){what}"):
        REFUSED[what](store)
    assert open_store(store).manifest == before


def test_there_must_be_a_store_and_a_correction_is_taken_back_once(store: Path, tmp_path: Path) -> None:
    with pytest.raises(StaleDataError, match="there is no store"):
        quarantine(tmp_path / "nowhere", DAY, **BY)
    override_return(store, "14", DAY, 0.25, **BY)
    revoke(store, 1, **BY)
    with pytest.raises(UsageError, match="taken back already, by 2"):
        revoke(store, 1, **BY)
