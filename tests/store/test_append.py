"""Append: sessions one by one make the same store as all at once; what says nothing new changes nothing; what is wrong changes nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from gammastar.errors import DataError, StaleDataError, UsageError
from gammastar.store import append, ingest, open_store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CUT = "2019-01-15"


def part(draft: Any, keep: Callable[[pd.Series], pd.Series]) -> Any:
    """The rows of a draft whose dates are kept; a table without rows is not written."""
    for name in ("members", "returns"):
        table = getattr(draft, name)
        rows = None if table is None else table[keep(table["date"])].reset_index(drop=True)
        setattr(draft, name, rows if rows is not None and len(rows) else None)
    return draft


@pytest.fixture
def started(make: Any, tmp_path: Path) -> Path:
    """A store of the sessions up to CUT."""
    ingest(part(make(), lambda date: date <= CUT).write(tmp_path / "first"), tmp_path / "store")
    return tmp_path / "store"


def later_days(make: Any) -> list[str]:
    dates = make().returns["date"]
    return sorted(set(dates[dates > CUT]))


def test_sessions_one_by_one_make_the_same_panels(started: Path, make: Any, good: Path, tmp_path: Path) -> None:
    for day in later_days(make):
        report = append(part(make(), lambda date, day=day: date == day).write(tmp_path / day), started)
        assert report.sessions == (day,)
        assert report.changed
    assert len(list(started.glob("returns-*.parquet"))) < len(later_days(make)), "small files were merged"
    for frequency in ("daily", "monthly"):
        assert open_store(started).panel(frequency).fingerprint == open_store(good).panel(frequency).fingerprint
    one, whole = open_store(started).status(), open_store(good).status()
    for name in ("panels", "assets", "snapshots", "sessions", "sectors", "known", "frequencies"):
        assert one[name] == whole[name], name
    assert {name: facts["rows"] for name, facts in one["files"].items()} == {"members": 40, "returns": 640}


def test_all_that_is_missing_at_once_makes_the_same_panel(started: Path, make: Any, good: Path, tmp_path: Path) -> None:
    report = append(make().write(tmp_path / "whole"), started)
    assert (report.added["returns"], report.corrected["returns"], report.unchanged["returns"]) == (240, 0, 400)
    assert open_store(started).panel().fingerprint == open_store(good).panel().fingerprint


def test_the_same_append_twice_changes_nothing_and_says_so(started: Path, make: Any, tmp_path: Path, listing: Any) -> None:
    dataset = part(make(), lambda date: date == later_days(make)[0]).write(tmp_path / "day")
    first = append(dataset, started)
    held = set(open_store(started).manifest["files"]) | {"store.json"}
    before = {path: content for path, content in listing(started).items() if path.rpartition("/")[2] in held}
    again = append(dataset, started)
    assert listing(started) == before, "not a byte, but for files that nothing refers to any more"
    assert (again.changed, again.fingerprint) == (False, first.fingerprint)
    assert "Nothing new in day" in str(again)
    assert json.loads(json.dumps(again.to_dict())) == again.to_dict()


def test_what_a_killed_writer_left_is_cleaned_up_and_nothing_else(started: Path, make: Any, tmp_path: Path) -> None:
    for name in ("index-000099.parquet", "store.json.new", "returns.parquet", "notes.txt", "mine.parquet"):
        (started / name).write_text("left")
    append(part(make(), lambda date: date == later_days(make)[0]).write(tmp_path / "day"), started)
    left = {path.name for path in started.iterdir()} - open_store(started).manifest["files"].keys()
    assert left == {"store.json", "notes.txt", "mine.parquet", "returns.parquet", "sessions-000001.parquet"}, "the last state's files stay for those who read it"


def test_a_store_of_an_older_layout_says_to_ingest_again_and_is_replaced(good: Path, make: Any, tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.mkdir()
    for name in ("members", "returns", "assets"):
        (store / f"{name}.parquet").write_bytes(b"PAR1")
    files = {f"{name}.parquet": {"sha256": ""} for name in ("members", "returns", "assets")}
    (store / "store.json").write_text(json.dumps({"format": "gammastar-store", "schema_version": 1, "files": files}))
    for verb in (open_store, lambda path: append(make().write(tmp_path / "data"), path)):
        with pytest.raises(DataError, match=r"another schema\. Got 1\. Allowed: schema version 2\. Next: run `gammastar ingest"):
            verb(store)
    ingest(make().write(tmp_path / "data"), store)
    assert open_store(store).panel().fingerprint == open_store(good).panel().fingerprint
    assert not list(store.glob("*[a-z].parquet"))


def test_one_file_is_enough(started: Path, make: Any, tmp_path: Path) -> None:
    day = later_days(make)[0]
    folder = part(make(), lambda date: date == day).write(tmp_path / "day")
    (folder / "returns.csv").rename(folder / f"returns_{day}.csv")
    assert append(folder / f"returns_{day}.csv", started).added == {"returns": 8}
    (folder / "prices.csv").write_text("x")
    with pytest.raises(DataError, match="does not say which table"):
        append(folder / "prices.csv", started)


def correction(make: Any, folder: Path, day: str, **columns: object) -> Path:
    draft = part(make(), lambda date: date == day)
    draft.members = None
    draft.returns = draft.returns.head(3).assign(**columns)
    return draft.write(folder)


def test_a_correction_is_a_new_row_and_the_old_one_stays(good: Path, make: Any, tmp_path: Path) -> None:
    shutil.copytree(good, tmp_path / "store")
    before = open_store(good)
    files = {path.name: path.read_bytes() for path in good.glob("*.parquet")}
    report = append(correction(make, tmp_path / "fix", "2018-12-11", total_return=0.05), tmp_path / "store", known="2019-03-05")
    assert (report.added["returns"], report.corrected["returns"], report.known) == (0, 3, "2019-03-05")
    assert all((tmp_path / "store" / name).read_bytes() == content for name, content in files.items())
    store = open_store(tmp_path / "store")
    at = before.panel().calendar.position(np.datetime64("2018-12-11"))
    assert (store.panel().returns[at, :3] == 0.05).all()
    assert store.panel(known="2019-03-04").fingerprint == before.panel().fingerprint
    assert store.fingerprint != before.fingerprint


def test_a_correction_keeps_what_its_file_does_not_tell(make: Any, tmp_path: Path) -> None:
    draft = make()
    draft.returns["price"], draft.returns["split"], draft.returns["traded_value"] = 12.5, 2.0, 7e6
    draft.members["price"] = 12.5
    ingest(draft.write(tmp_path / "data"), tmp_path / "store")
    append(correction(make, tmp_path / "fix", "2018-12-11", total_return=0.05), tmp_path / "store", known="2019-03-05")
    panel = open_store(tmp_path / "store").panel()
    at = panel.calendar.position(np.datetime64("2018-12-11"))
    assert panel.prices is not None
    assert panel.traded is not None
    assert (panel.prices.close[at] == 12.5).all()
    assert (panel.prices.split[at] == 2.0).all()
    assert (panel.traded[at] == 7e6).all()


def test_a_correction_can_be_taken_back(good: Path, make: Any, tmp_path: Path) -> None:
    shutil.copytree(good, tmp_path / "store")
    wrong = correction(make, tmp_path / "wrong", "2018-12-11", total_return=0.05)
    append(wrong, tmp_path / "store", known="2019-03-05")
    right = correction(make, tmp_path / "right", "2018-12-11")
    assert not append(right, tmp_path / "store", known="2019-03-06").changed, "a row that was told before is no news, unless it says since when"
    append(correction(make, tmp_path / "back", "2018-12-11", known="2019-03-06"), tmp_path / "store")
    store = open_store(tmp_path / "store")
    assert store.panel().returns.tobytes() == open_store(good).panel().returns.tobytes()
    assert store.panel(known="2019-03-05").returns.tobytes() != store.panel().returns.tobytes()


def test_a_corrected_snapshot_takes_the_place_of_the_whole_one(good: Path, make: Any, tmp_path: Path) -> None:
    shutil.copytree(good, tmp_path / "store")
    draft = part(make(), lambda date: date == "2019-01-31")
    draft.returns = None
    draft.members = draft.members.iloc[1:].assign(weight=1.0 / 7.0, sector="Materials")
    append(draft.write(tmp_path / "fix"), tmp_path / "store", known="2019-03-05")
    panel = open_store(tmp_path / "store").panel()
    at = panel.calendar.position(np.datetime64("2019-01-31"))
    assert np.allclose(panel.benchmark[at], [0.0, *[1.0 / 7.0] * 7])
    assert [panel.sectors.labels[code] for code in panel.sectors.codes[at, 1:]] == ["Materials"] * 7
    assert panel.published[at]


def test_new_names_and_sectors_come_with_a_snapshot(started: Path, make: Any, tmp_path: Path) -> None:
    draft = part(make(), lambda date: date > CUT)
    new = draft.members["asset_id"] == 7
    draft.members.loc[new, ["asset_id", "sector", "ticker"]] = [1000, "Aerospace", "NEW"]
    draft.returns.loc[draft.returns["asset_id"] == 7, "asset_id"] = 1000
    append(draft.write(tmp_path / "rest"), started)
    panel = open_store(started).panel()
    assert panel.assets.ids == ("7", "14", "21", "28", "35", "42", "49", "56", "1000")
    assert panel.sectors.labels == ("Aerospace", "Energy", "Utilities", "Unknown")
    assert panel.benchmark[-1, -1] > 0.0
    before = open_store(started).panel(known=CUT)
    assert before.assets.ids == ("7", "14", "21", "28", "35", "42", "49", "56")


REFUSED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "a correction without a date": (lambda d: setattr(part(d, lambda date: date == "2018-12-11"), "returns", d.returns.assign(total_return=0.5)), "known-missing"),
    "known in the past": (lambda d: setattr(part(d, lambda date: date == "2018-12-11"), "returns", d.returns.assign(total_return=0.5, known="2018-12-20")), "known-in-the-past"),
    "a closed day": (lambda d: setattr(part(d, lambda date: date == "2019-01-16"), "returns", d.returns.assign(date="2019-01-21")), "date-session"),
    "a day of mourning": (lambda d: setattr(part(d, lambda date: date == "2019-01-16"), "returns", d.returns.assign(date="2018-12-05")), "date-session"),
    "weights that do not sum": (lambda d: setattr(part(d, lambda date: date == "2019-01-31"), "members", d.members.iloc[1:]), "weight-sum"),
    "a snapshot without sectors": (lambda d: setattr(part(d, lambda date: date == "2019-01-31"), "members", d.members.drop(columns="sector")), "column-missing"),
    "a snapshot before the first": (lambda d: setattr(part(d, lambda date: date == "2019-01-31"), "members", d.members.assign(date="2018-09-28")), "snapshot-too-early"),
    "other ids": (lambda d: (part(d, lambda date: date == "2019-01-16"), d.returns.__setitem__("asset_id", d.returns["asset_id"] + 5000)), "id-mismatch"),
    "another calendar": (lambda d: (part(d, lambda date: date == "2019-01-16"), setattr(d, "mapping", 'calendar = "XLON"')), "calendar-differs"),
    "twice the same row": (lambda d: setattr(part(d, lambda date: date == "2019-01-16"), "returns", pd.concat((d.returns, d.returns.head(1)))), "row-duplicate"),
    "a total loss": (lambda d: setattr(part(d, lambda date: date == "2019-01-16"), "returns", d.returns.assign(total_return=-1.0)), "return-total-loss"),
    "nothing of ours": (lambda d: (setattr(d, "members", None), setattr(d, "returns", None)), "file-absent"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_wrong_is_refused_and_changes_nothing(name: str, started: Path, make: Any, tmp_path: Path, listing: Any) -> None:
    change, rule = REFUSED[name]
    draft = make()
    change(draft)
    if rule == "known-missing":
        assert draft.members is None or not len(draft.members)
    dataset, before = draft.write(tmp_path / "bad"), listing(started)
    with pytest.raises(DataError) as caught:
        append(dataset, started)
    assert rule in [finding.rule for finding in caught.value.findings]
    assert listing(started) == before


def test_words_are_no_dates(started: Path, make: Any, tmp_path: Path) -> None:
    for word in ("today", "now", "2019-02", "NaT"):
        with pytest.raises(UsageError, match="not a date"):
            append(make().write(tmp_path / "data"), started, known=word)
        with pytest.raises(UsageError, match="not a date"):
            open_store(started).panel(known=word)


def test_there_must_be_a_store(make: Any, tmp_path: Path) -> None:
    with pytest.raises(StaleDataError, match="there is no store"):
        append(make().write(tmp_path / "data"), tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_half_days_are_sessions_and_said(make: Any, tmp_path: Path) -> None:
    ingest(part(make(), lambda date: date <= "2018-12-21").write(tmp_path / "first"), tmp_path / "store")
    report = append(part(make(), lambda date: date == "2018-12-24").write(tmp_path / "day"), tmp_path / "store")
    assert (report.sessions, report.half_days) == (("2018-12-24",), ("2018-12-24",))
    assert "half days: 2018-12-24" in str(report)


def test_a_session_left_out_is_said(started: Path, make: Any, tmp_path: Path) -> None:
    report = append(part(make(), lambda date: date == "2019-01-18").write(tmp_path / "day"), started)
    assert [finding.rule for finding in report.findings] == ["session-empty"]
    assert report.sessions == ("2019-01-16", "2019-01-17", "2019-01-18")


@pytest.mark.parametrize(
    ("on", "daily", "monthly"),
    [("2019-02-28", 0, 0), ("2019-03-01", 1, 0), ("2019-03-03", 1, 0), ("2019-03-29", 21, 1), ("2019-04-30", 42, 2), ("2019-01-10", 0, 0)],
)
def test_staleness_counts_sessions_of_the_exchange(on: str, daily: int, monthly: int, good: Path) -> None:
    assert open_store(good).staleness(np.datetime64(on)) == {"daily": daily, "monthly": monthly}


def test_two_writers_are_refused_politely(started: Path, make: Any, tmp_path: Path) -> None:
    from gammastar.store.disk import only_writer

    dataset = part(make(), lambda date: date == "2019-01-16").write(tmp_path / "day")
    with only_writer(started):
        for verb in (append, ingest):
            with pytest.raises(DataError, match=f"process {os.getpid()} on") as caught:
                verb(dataset if verb is append else make().write(tmp_path / "whole"), started)
            assert "wait until it is done" in str(caught.value)
        assert open_store(started).panel().fingerprint, "readers do not wait"
    assert append(dataset, started).changed


def test_the_lock_of_a_dead_writer_is_taken_over(started: Path, make: Any, tmp_path: Path) -> None:
    code = "import os, signal, sys; from pathlib import Path; from gammastar.store.disk import only_writer; lock = only_writer(Path(sys.argv[1])); lock.__enter__(); os.kill(os.getpid(), signal.SIGKILL)"
    subprocess.run([sys.executable, "-c", code, str(started)], check=False)
    assert started.with_name(".store.lock").read_text().startswith("process ")
    assert append(part(make(), lambda date: date == "2019-01-16").write(tmp_path / "day"), started).changed
    assert not started.with_name(".store.lock").exists()


def test_groups_and_index_are_appended_too(make: Any, tmp_path: Path) -> None:
    def rich(draft: Any) -> Any:
        draft.members["country"] = np.where(draft.members["asset_id"] % 2, "US", "GB")
        draft.index = pd.DataFrame({"date": ["2018-10-31", "2018-11-30", "2019-01-31", "2019-02-28"], "level": [100.0, 101.0, 99.0, 104.0]})
        return draft

    ingest(rich(make()).write(tmp_path / "data"), tmp_path / "whole")
    first = part(rich(make()), lambda date: date <= CUT)
    first.index = first.index[first.index["date"] <= CUT]
    ingest(first.write(tmp_path / "first"), tmp_path / "store")
    append(part(rich(make()), lambda date: date > CUT).write(tmp_path / "rest"), tmp_path / "store")
    one, other = open_store(tmp_path / "store").panel(), open_store(tmp_path / "whole").panel()
    assert one.fingerprint == other.fingerprint
    assert np.array_equal(one.index_level, other.index_level, equal_nan=True)
    assert one.group("country").labels == ("GB", "US", "Unknown")
