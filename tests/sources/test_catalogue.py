"""The sources there are, their settings as people type them, and those that other packages bring."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, fields, is_dataclass
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gammastar.app.cli import main
from gammastar.errors import UsageError
from gammastar.store import open_store
from gammastar.store.sources import catalogue
from gammastar.store.sources.catalogue import make_source, source_names
from gammastar.store.sources.raw_bars import RawBars
from gammastar.store.sources.snapshots import IndexWeights

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Acme:
    """A source of another package."""

    path: Path
    count: int = 2
    strict: bool = False

    def read(self, data):
        raise AssertionError


def test_every_source_is_a_frozen_dataclass_with_read_and_documented():
    page = (ROOT / "docs" / "sources.md").read_text(encoding="utf-8")
    for name, entry in source_names().items():
        kind = entry.load()
        assert is_dataclass(kind)
        assert kind.__dataclass_params__.frozen
        assert callable(kind.read)
        assert f"`{name}`" in page, name
        for item in fields(kind):
            assert f"`{item.name}`" in page or item.name in kind.__doc__, (name, item.name)


def test_settings_are_read_by_the_type_of_their_field():
    made = make_source("bars", {"weights": "traded", "members": "x.csv", "asset": "permno"})
    assert made == RawBars(weights=IndexWeights.TRADED, members=Path("x.csv"), asset="permno")
    assert make_source("crsp", {"performance_delisting": "-0.55"}).performance_delisting == -0.55
    assert make_source("yfinance", {"whole": "yes"}).whole is True


@pytest.mark.parametrize(
    ("name", "settings", "said"),
    [
        ("shardar", {}, "write --source sharadar"),
        ("bars", {"wieghts": "equal"}, "write --set weights=..."),
        ("bars", {"weights": "float"}, "Allowed: equal, traded"),
        ("crsp", {"performance_delisting": "much"}, "Allowed: float"),
        ("yfinance", {"whole": "maybe"}, "Allowed: bool"),
    ],
)
def test_what_does_not_exist_is_named_with_what_does(name, settings, said):
    with pytest.raises(UsageError) as refused:
        make_source(name, settings)
    assert said in str(refused.value)


def test_another_package_brings_a_source_and_cannot_take_our_names(monkeypatch):
    sys.modules["acme_data"] = sys.modules[__name__]
    points = EntryPoints([EntryPoint("acme", "acme_data:Acme", catalogue.GROUP), EntryPoint("bars", "acme_data:Acme", catalogue.GROUP), EntryPoint("gone", "acme_data:Nothing", catalogue.GROUP), EntryPoint("odd", "acme_data:main", catalogue.GROUP)])
    monkeypatch.setattr(catalogue, "entry_points", lambda group: points.select(group=group))
    assert make_source("acme", {"path": "x", "count": "3", "strict": "true"}) == Acme(Path("x"), 3, True)
    assert source_names()["bars"].load() is RawBars
    for name, said in (("acme", "needs path"), ("gone", "cannot be loaded"), ("odd", "is no source")):
        with pytest.raises(UsageError, match=said):
            make_source(name, {})
    del sys.modules["acme_data"]


def run(*words: object) -> int:
    with pytest.raises(SystemExit) as done:
        main([str(word) for word in words])
    return int(done.value.code or 0)


@pytest.fixture
def bars_file(world, tmp_path) -> Path:
    at = tuple(np.array(world.rows()).T)
    pd.DataFrame({"date": world.days[at[0]], "ticker": np.array(world.ids)[at[1]], "close": world.close[at], "dividend": world.dividend[at], "split": world.split[at]}).to_csv(tmp_path / "bars.csv", index=False)
    return tmp_path / "bars.csv"


def test_the_command_ingests_by_a_source_and_keeps_its_tables_where_asked(bars_file, tmp_path, capsys):
    assert run("ingest", bars_file, "--source", "bars", "--set", "title=Mine", "--into", tmp_path / "store", "--dataset", tmp_path / "kept") == 0
    assert "Stored Mine" in capsys.readouterr().out
    assert {path.name for path in (tmp_path / "kept").iterdir()} == {"members.parquet", "returns.parquet", "dataset.toml"}
    assert run("ingest", tmp_path / "kept", "--into", tmp_path / "again") == 0
    assert open_store(tmp_path / "again").fingerprint == open_store(tmp_path / "store").fingerprint


@pytest.mark.parametrize(("words", "said"), [(("--set", "weights"), "KEY=VALUE"), (("--mapping", "m.toml"), "leave --mapping out"), (("--set", "weights=nothing"), "equal, traded")])
def test_options_that_do_not_fit_are_usage_errors(bars_file, tmp_path, capsys, words, said):
    assert run("ingest", bars_file, "--source", "bars", *words, "--into", tmp_path / "store") == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "store").exists()


def test_sources_are_listed(capsys):
    assert run("data", "sources") == 0
    out = capsys.readouterr().out
    assert all(name in out for name in source_names())


def test_matches_are_written_by_a_command(world, bars_file, tmp_path, capsys):
    ends = world.month_ends
    rows = [(world.days[t], k, world.ids[k], world.close[t, k]) for t in ends for k in range(6)]
    pd.DataFrame(rows, columns=["date", "asset_id", "ticker", "price"]).to_csv(tmp_path / "members.csv", index=False)
    assert run("data", "match", tmp_path / "members.csv", bars_file, "--out", tmp_path / "matches.csv") == 0
    assert "candidates" in capsys.readouterr().out
    assert run("data", "match", tmp_path / "members.csv", bars_file, "--out", tmp_path / "matches.csv", "--json") == 0
    assert {row["decision"] for row in json.loads(capsys.readouterr().out)["candidates"]} <= {"accept", "review", "reject"}
    assert len(pd.read_csv(tmp_path / "matches.csv")) >= 6
