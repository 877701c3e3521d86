"""Ingest: repeatable whatever the file says it in, whole or not at all, and honest about what it found."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from gammastar.errors import DataError, UsageError
from gammastar.store import ingest, open_store

if TYPE_CHECKING:
    from collections.abc import Callable


def _shuffled(draft: Any) -> None:
    draft.members = draft.members.sample(frac=1.0, random_state=3)
    draft.returns = draft.returns.sample(frac=1.0, random_state=4)


def _with(**columns: object) -> Callable[[Any], None]:
    def apply(draft: Any) -> None:
        draft.members = draft.members.assign(**columns)

    return apply


def _byte_order_mark(draft: Any) -> None:
    draft.files["members.csv"] = b"\xef\xbb\xbf" + draft.members.to_csv(index=False).encode()
    draft.members = None


def _windows_lines(draft: Any) -> None:
    draft.files["returns.csv"] = draft.returns.to_csv(index=False, lineterminator="\r\n").encode() + b"\r\n\r\n"
    draft.returns = None


def _padded(draft: Any) -> None:
    draft.members["ticker"] = " " + draft.members["ticker"] + " "
    draft.members["weight"] = [f" {value!r} " for value in draft.members["weight"].tolist()]


def _narrow_ids(draft: Any) -> None:
    draft.returns["asset_id"] = draft.returns["asset_id"].astype("int16")
    draft.members["asset_id"] = draft.members["asset_id"].astype("float64")


def _text_ids(draft: Any) -> None:
    draft.returns["asset_id"] = draft.returns["asset_id"].astype(str)


def _real_dates(draft: Any) -> None:
    draft.returns["date"] = pd.to_datetime(draft.returns["date"]).dt.as_unit("ns")
    draft.members["date"] = pd.to_datetime(draft.members["date"]).dt.date


def _categories(draft: Any) -> None:
    draft.members["sector"] = draft.members["sector"].astype("category")
    draft.members["date"] = draft.members["date"].astype("category")


def _dated_twice(draft: Any) -> None:
    draft.returns["known"] = draft.returns["date"]
    draft.returns["split"] = np.nan


SAME = {
    "rows in another order": ("csv", _shuffled),
    "rows in another order, Parquet": ("parquet", _shuffled),
    "Parquet": ("parquet", lambda _: None),
    "byte order mark": ("csv", _byte_order_mark),
    "Windows line ends, blank lines at the end": ("csv", _windows_lines),
    "blanks around values": ("csv", _padded),
    "ids of other widths": ("parquet", _narrow_ids),
    "ids as text": ("parquet", _text_ids),
    "dates as timestamps": ("parquet", _real_dates),
    "categories": ("parquet", _categories),
    "known and split given as their defaults": ("csv", _dated_twice),
    "columns nobody reads": ("csv", _with(next_date="1066-10-14", leaves=True, quality="TR")),
}


@pytest.mark.parametrize("name", SAME)
def test_the_same_rows_give_the_same_fingerprint(name: str, draft: Any, good: Path, tmp_path: Path) -> None:
    ending, change = SAME[name]
    change(draft)
    report = ingest(draft.write(tmp_path / "other", ending), tmp_path / "store")
    assert report.fingerprint == open_store(good).fingerprint
    assert open_store(tmp_path / "store").panel("daily").fingerprint == open_store(good).panel("daily").fingerprint


@pytest.mark.parametrize("column", ["weight", "sector", "ticker", "forward_return", "price", "known"])
def test_another_value_gives_another_fingerprint(column: str, draft: Any, good: Path, tmp_path: Path) -> None:
    values = {
        "weight": 0.0,
        "sector": "Materials",
        "ticker": "X",
        "forward_return": 0.0123,
        "price": 12.0,
        "known": "2018-11-05",
    }
    if column == "weight":
        draft.members.loc[1, "weight"] += draft.members.loc[0, "weight"]
    if column not in draft.members:
        draft.members[column] = None
    draft.members[column] = draft.members[column].astype(object)
    draft.members.loc[0, column] = values[column]
    assert ingest(draft.write(tmp_path / "other"), tmp_path / "store").fingerprint != open_store(good).fingerprint


def test_the_fingerprint_sees_the_last_digit(draft: Any, good: Path, tmp_path: Path) -> None:
    draft.returns.loc[5, "total_return"] = np.nextafter(draft.returns.loc[5, "total_return"], 1.0)
    assert ingest(draft.write(tmp_path / "other"), tmp_path / "store").fingerprint != open_store(good).fingerprint


def test_the_report_says_what_was_found_and_what_is_missing(draft: Any, tmp_path: Path) -> None:
    draft.members["quality"] = "TR"
    draft.returns = draft.returns[draft.returns["asset_id"] != 14]
    report = ingest(draft.write(tmp_path / "dataset"), tmp_path / "store")
    told = report.to_dict()
    assert json.loads(json.dumps(told)) == told
    assert told["found"]["files"]["members"]["rows"] == 40
    assert told["found"]["files"]["members"]["ignored_columns"] == ["quality"]
    assert told["missing"]["files"] == ["index"]
    panel = open_store(tmp_path / "store").panel("daily")
    assert told["missing"]["imputed"]["daily"]["share"] == pytest.approx(panel.imputed_weight[1:].mean(), abs=1e-6)
    for word in (
        "members.csv, 40 rows",
        "ignored columns: quality",
        "no index file",
        "benchmark weight is imputed",
        report.fingerprint,
    ):
        assert word in str(report)


def test_the_status_says_what_the_store_holds(good: Path) -> None:
    status = open_store(good).status()
    assert (status["schema_version"], status["frequencies"], status["assets"], status["snapshots"]) == (
        2,
        ["daily", "monthly"],
        8,
        5,
    )
    assert status["panels"]["daily"] == {"from": "2018-10-31", "to": "2019-02-28", "sessions": 81, "prices": False}
    assert json.loads(json.dumps(status)) == status


WARNINGS: dict[str, tuple[Callable[[Any], None], str]] = {
    "unknown asset": (lambda d: setattr(d, "returns", pd.concat((d.returns, d.returns.tail(3).assign(asset_id=999)[:1]))), "return-unknown-asset"),
    "member without returns": (lambda d: setattr(d, "returns", d.returns[d.returns["asset_id"] != 7]), "member-without-returns"),
    "early return": (lambda d: setattr(d, "returns", pd.concat((d.returns, d.returns.head(1).assign(date="2018-10-30")))), "returns-early"),
    "late return": (lambda d: d.returns.insert(3, "known", [*d.returns["date"][:-1], "2019-03-04"]), "return-late"),
    "session without returns": (lambda d: setattr(d, "returns", d.returns[d.returns["date"] != "2018-12-12"]), "session-empty"),
    "snapshot after the returns": (lambda d: setattr(d, "returns", d.returns[d.returns["date"] < "2019-02-15"]), "snapshot-beyond-returns"),
    "snapshot gap": (lambda d: setattr(d, "members", d.members[d.members["date"] != "2018-12-31"]), "snapshot-gap"),
    "one snapshot": (lambda d: setattr(d, "members", d.members[d.members["date"] == "2018-10-31"]), "snapshot-single"),
    "rounded weights": (lambda d: d.members.update(d.members["weight"].round(4)), "weight-rounded"),
    "no sectors": (lambda d: setattr(d, "members", d.members.drop(columns="sector")), "sector-absent"),
    "blank sector": (lambda d: d.members.__setitem__("sector", ["", *d.members["sector"][1:]]), "sector-unknown"),
    "absurd sector": (lambda d: d.members.__setitem__("sector", ["#N/A", "x" * 90, "-", *d.members["sector"][3:]]), "sector-unknown"),
    "sector not listed": (lambda d: setattr(d, "mapping", 'sectors = ["Utilities"]'), "sector-unlisted"),
    "blank country": (lambda d: d.members.__setitem__("country", ["", *["US"] * (len(d.members) - 1)]), "group-unknown"),
    "country not listed": (lambda d: (d.members.__setitem__("country", "US"), setattr(d, "mapping", '[groups.country]\nlabels = ["GB"]')), "group-unlisted"),
    "volume without price": (lambda d: d.returns.__setitem__("volume", 100.0), "volume-without-price"),
    "ids of two kinds": (lambda d: [t.__setitem__("asset_id", t["asset_id"].astype(str).replace("7", "A7")) for t in (d.members, d.returns)], "id-mixed"),
    "forward return missing": (lambda d: d.members.__setitem__("forward_return", [np.nan, *d.members["forward_return"][1:]]), "forward-return-missing"),
    "half of the index gone": (lambda d: setattr(d, "members", _half(d.members)), "snapshot-size"),
    "late weights": (lambda d: d.members.insert(3, "known", [*["2018-11-02"] * 8, *d.members["date"][8:]]), "snapshot-not-monthly"),
}  # fmt: skip


def _half(members: pd.DataFrame) -> pd.DataFrame:
    gone = (members["date"] == "2019-01-31") & (members.index % 2 == 0)
    kept = members[~gone].copy()
    kept["weight"] /= kept.groupby("date")["weight"].transform("sum")
    return kept


@pytest.mark.parametrize("name", WARNINGS)
def test_what_is_odd_is_said_and_does_not_stop(name: str, draft: Any, tmp_path: Path) -> None:
    change, rule = WARNINGS[name]
    change(draft)
    report = ingest(draft.write(tmp_path / "dataset"), tmp_path / "store")
    assert rule in [finding.rule for finding in report.findings]
    assert {finding.severity for finding in report.findings} == {"warning"}
    assert len(open_store(tmp_path / "store").panel()) > 10


class Killed(BaseException):
    """The process is dead: from here on it touches the disk no more, not even to clean up."""


def kill_at(moment: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the process die before or after one of its calls that touch the disk; moments count both sides of each call."""
    counted = 0

    def dying(call: Any) -> Any:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            nonlocal counted
            counted += 1
            if counted >= moment:
                raise Killed
            result = call(*args, **kwargs)
            counted += 1
            if counted >= moment:
                raise Killed
            return result

        return wrapped

    for name in ("write", "fsync", "rename", "replace", "mkdir", "unlink"):
        monkeypatch.setattr(os, name, dying(getattr(os, name)))
    monkeypatch.setattr(shutil, "rmtree", dying(shutil.rmtree))


@pytest.mark.parametrize("existing", [False, True])
def test_a_killed_ingest_leaves_the_old_store_or_none(existing: bool, good: Path, make: Any, tmp_path: Path) -> None:
    old = open_store(good).fingerprint
    dataset = make(1).write(tmp_path / "new")
    new = ingest(dataset, tmp_path / "after").fingerprint
    seen = set()
    for moment in range(1, 99, 3 if existing else 7):
        home = tmp_path / f"home{moment}"
        shutil.copytree(good, home / "store") if existing else home.mkdir()
        with pytest.MonkeyPatch.context() as patch:
            kill_at(moment, patch)
            try:
                ingest(dataset, home / "store")
            except Killed:
                pass
            else:
                break
        try:
            left = open_store(home / "store").fingerprint
        except DataError:
            left = "none"
        seen.add(left)
        if moment % 5 == 1 and left != new:
            ingest(dataset, home / "store")
            assert [path.name for path in home.iterdir()] == ["store"], "what a killed process left is cleaned up"
            assert {path.name for path in (home / "store").iterdir()} == {"store.json", *open_store(home / "store").manifest["files"]}
            assert open_store(home / "store").fingerprint == new
    assert moment > 15
    assert seen == {old if existing else "none", new}


def test_a_process_that_is_really_killed_leaves_the_old_store(draft: Any, make: Any, tmp_path: Path) -> None:
    old = ingest(draft.write(tmp_path / "old"), tmp_path / "home" / "store").fingerprint
    code = "import os, signal, sys; from gammastar.store import ingest; os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL); ingest(*sys.argv[1:])"
    dataset = make(1).write(tmp_path / "new")
    done = subprocess.run([sys.executable, "-c", code, str(dataset), str(tmp_path / "home" / "store")], check=False)
    assert done.returncode == -signal.SIGKILL
    assert {path.name for path in (tmp_path / "home").iterdir()} == {"store", ".store.lock"}
    assert open_store(tmp_path / "home" / "store").fingerprint == old


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_nothing_else_is_ever_overwritten(kind: str, draft: Any, tmp_path: Path, listing: Any) -> None:
    dataset = draft.write(tmp_path / "dataset")
    if kind == "file":
        (tmp_path / "mine").write_text("dear")
    else:
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine" / "thesis.txt").write_text("dear")
    before = listing(tmp_path)
    with pytest.raises(DataError, match="mine"):
        ingest(dataset, tmp_path / "mine")
    assert listing(tmp_path) == before


def test_an_empty_folder_and_deep_paths_are_fine(draft: Any, tmp_path: Path) -> None:
    dataset = draft.write(tmp_path / "dataset")
    (tmp_path / "empty").mkdir()
    ingest(dataset, tmp_path / "empty")
    ingest(dataset, tmp_path / "a" / "b" / "store")
    assert open_store(tmp_path / "empty").fingerprint == open_store(tmp_path / "a" / "b" / "store").fingerprint


def _rewrite(store: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    manifest = json.loads((store / "store.json").read_text())
    change(manifest)
    (store / "store.json").write_text(json.dumps(manifest))


def _rows(store: Path, table: str) -> Path:
    return next(store.glob(f"{table}-*.parquet"))


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


DAMAGE: dict[str, tuple[Callable[[Path], Any], str]] = {
    "gone": (shutil.rmtree, "there is no store"),
    "not a store": (lambda s: [file.unlink() for file in s.iterdir()], "not a store"),
    "manifest gone": (lambda s: (s / "store.json").unlink(), "not a store"),
    "manifest cut": (lambda s: (s / "store.json").write_text('{"format": '), "manifest of the store is damaged"),
    "manifest of something else": (
        lambda s: (s / "store.json").write_text('{"name": "x"}'),
        "not the manifest of a store",
    ),
    "manifest not an object": (lambda s: (s / "store.json").write_text("[]"), "not the manifest of a store"),
    "manifest incomplete": (lambda s: _rewrite(s, lambda m: m.pop("fingerprint")), "manifest of the store is damaged"),
    "older schema": (lambda s: _rewrite(s, lambda m: m.update(schema_version=1)), "another schema"),
    "no schema": (lambda s: _rewrite(s, lambda m: m.pop("schema_version")), "another schema"),
    "rows gone": (lambda s: _rows(s, "returns").unlink(), "file of the store is missing"),
    "rows cut": (
        lambda s: _rows(s, "members").write_bytes(_rows(s, "members").read_bytes()[:-9]),
        "damaged or was changed",
    ),
    "one bit": (lambda s: _flip(_rows(s, "returns")), "damaged or was changed"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_store_is_refused(name: str, good: Path, tmp_path: Path) -> None:
    change, says = DAMAGE[name]
    shutil.copytree(good, tmp_path / "store")
    change(tmp_path / "store")
    with pytest.raises(DataError, match=says) as caught:
        open_store(tmp_path / "store")
    assert "gammastar ingest" in str(caught.value)


def test_frequencies_are_those_the_data_has(draft: Any, make: Any, tmp_path: Path) -> None:
    ingest(draft.write(tmp_path / "both"), tmp_path / "a")
    assert open_store(tmp_path / "a").panel().frequency.name == "DAILY"
    with pytest.raises(UsageError, match="daily, monthly"):
        open_store(tmp_path / "a").panel("weekly")
    monthly = make()
    monthly.returns = None
    ingest(monthly.write(tmp_path / "monthly"), tmp_path / "b")
    assert open_store(tmp_path / "b").panel().frequency.name == "MONTHLY"
    with pytest.raises(DataError, match="no daily panel"):
        open_store(tmp_path / "b").panel("daily")
    daily = make()
    daily.members = daily.members.drop(columns="forward_return")
    ingest(daily.write(tmp_path / "daily"), tmp_path / "c")
    assert open_store(tmp_path / "c").frequencies == ("daily",)


def test_a_mapping_renames_files_and_columns(draft: Any, tmp_path: Path) -> None:
    plain = ingest(draft.write(tmp_path / "plain"), tmp_path / "a")
    folder = tmp_path / "vendor"
    folder.mkdir()
    renamed = draft.members.rename(columns={"date": "Stichtag", "asset_id": "sedol", "weight": "wgt"})
    renamed.assign(weight="not ours").to_csv(folder / "holdings.csv", index=False)
    draft.returns.to_parquet(folder / "rtn.parquet", index=False)
    text = """
        source = "Vendor"
        [members]
        file = "holdings.csv"
        columns = { date = "Stichtag", asset_id = "sedol", weight = "wgt" }
        [returns]
        file = "rtn.parquet"
    """
    (tmp_path / "vendor.toml").write_text(text, encoding="utf-8")
    report = ingest(folder, tmp_path / "b", mapping=tmp_path / "vendor.toml")
    assert report.fingerprint == plain.fingerprint
    assert (report.source, plain.source) == ("Vendor", "plain")
    assert report.found["files"]["members"]["ignored_columns"] == ["weight"]


def test_the_examples_of_mappings_are_read() -> None:
    from gammastar.store.layout import read_mapping

    examples = sorted((Path(__file__).resolve().parents[2] / "examples" / "datasets").glob("*.toml"))
    assert len(examples) >= 2
    for example in examples:
        assert read_mapping(example).source


def test_importing_the_room_loads_nothing_third_party() -> None:
    code = (
        "import sys, gammastar.store; sys.exit(any(m in sys.modules for m in ('numpy', 'pandas', 'pyarrow', 'duckdb')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
