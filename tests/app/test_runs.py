"""Runs on the command line: backtest, report, compare, verify, and what a failure leaves behind."""

from __future__ import annotations

import json
import shutil

import pytest

from gammastar.mandate import Mandate

FROM, TO = "2019-06-28", "2019-12-31"

# the keys that issue and documentation promise of `backtest --json`
PROMISED = {
    "periods", "from", "to", "portfolio_return", "benchmark_return", "relative_log_return", "attribution", "decomposition", "tracking_error",
    "forecast_tracking_error", "information_ratio", "information_ratio_se", "active_share", "beta", "names", "turnover_one_way", "breaches",
    "imputed_weight", "wall_seconds", "fingerprint",
}  # fmt: skip


@pytest.mark.parametrize("name", ["tiny", "generated"])
def test_backtest_json(gammastar, store, mandates, name):
    """Every promised key is there, whether or not the run is saved; generated strategies are decomposed."""
    answer = gammastar(
        "backtest", mandates / f"{name}.toml", "--data", store, "--from", "2019-09-30", "--to", TO, "--json"
    )
    assert (answer.code, answer.err) == (0, "")
    found = answer.json
    assert set(found) >= PROMISED
    assert set(found["attribution"]) >= {
        "allocation",
        "captured_volatility",
        "cost",
        "residual",
        "residual_max_session",
    }
    parts = {"boundary", "l_divergence", "flow", "execution", "cost", "residual"}
    assert found["decomposition"] is None if name == "tiny" else set(found["decomposition"]) >= parts
    assert (found["from"], found["to"], found["breaches"]) == ("2019-09-30", TO, 0)
    total = sum(found["attribution"][part] for part in ("allocation", "captured_volatility", "cost", "residual"))
    assert total == pytest.approx(found["relative_log_return"], abs=1e-12)


def test_backtest_writes_a_run(gammastar, store, mandates, run, tmp_path):
    """Summary on stdout, the list of files on stderr, and the same bytes as the same run made elsewhere."""
    answer = gammastar(
        "backtest", mandates / "tiny.toml", "--data", store, "--from", FROM, "--to", TO, "--out", tmp_path / "run"
    )
    assert answer.code == 0
    assert answer.out.startswith("Tiny against")
    assert str(tmp_path / "run") in answer.err
    written = {path.name for path in (tmp_path / "run").iterdir()}
    assert written >= {
        "run.json",
        "returns.csv",
        "weights.parquet",
        "tearsheet.html",
        "compliance.csv",
        "decisions.csv",
        "mandate.toml",
    }
    for name in ("returns.csv", "weights.parquet", "compliance.csv", "decisions.csv"):
        assert (tmp_path / "run" / name).read_bytes() == (run / name).read_bytes()


@pytest.mark.parametrize(
    ("mandate", "dates", "code", "said"),
    [
        ("conflict", ("--from", FROM), 4, "active_weight"),
        ("tiny", ("--from", "2017-01-03"), 5, "does not reach"),
        ("tiny", ("--to", "2029-01-02"), 5, "does not reach"),
        ("tiny", ("--from", TO, "--to", FROM), 2, "no session"),
        ("tiny", ("--from", "last year"), 2, "not a date"),
        ("tiny", ("--frequency", "hourly"), 2, "daily, monthly"),
        ("tiny", ("--frequency", "monthly"), 1, "no monthly panel"),
        ("absent", (), 1, "cannot be read"),
    ],
)
def test_a_failing_backtest_leaves_nothing(gammastar, store, mandates, tmp_path, mandate, dates, code, said):
    """No run folder, nothing on stdout, the reason on stderr."""
    answer = gammastar(
        "backtest", mandates / f"{mandate}.toml", "--data", store, *dates, "--out", tmp_path / "run", "--json"
    )
    assert (answer.code, answer.out) == (code, "")
    assert answer.err.startswith("error: ")
    assert said in answer.err
    assert list(tmp_path.iterdir()) == []


def test_out_that_is_no_run_is_refused(gammastar, store, mandates, tmp_path):
    """A folder or file that is not a run stays as it is, and nothing is run first."""
    kept = tmp_path / "thesis"
    kept.mkdir()
    (kept / "chapter.txt").write_text("years of work")
    for target in (kept, kept / "chapter.txt"):
        answer = gammastar("backtest", mandates / "tiny.toml", "--data", store, "--out", target)
        assert (answer.code, answer.out) == (1, "")
        assert "not a run" in answer.err
    assert [path.name for path in kept.iterdir()] == ["chapter.txt"]
    assert (kept / "chapter.txt").read_text() == "years of work"


def test_a_crash_while_saving_leaves_the_old_run(store, mandates, run, tmp_path, monkeypatch):
    """Whatever file fails to be written, the earlier run is whole; the next attempt succeeds and leaves nothing beside the run."""
    from gammastar.backtest import archive, run_backtest
    from gammastar.store import open_store

    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    result = run_backtest(
        Mandate.load(mandates / "generated.toml"), open_store(store).panel(), "2019-11-29", "2019-12-06"
    )

    def crash(*_args, **_kwargs):
        raise OSError(28, "disk full")

    for writer in ("returns_csv", "_write_holdings", "tear_sheet"):
        with monkeypatch.context() as patched:
            patched.setattr(archive, writer, crash)
            with pytest.raises(OSError, match="disk full"):
                archive.save_run(result, folder, mandate_text="", inputs={})
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    archive.save_run(result, folder, mandate_text="", inputs={})
    assert archive.read_run(folder)["track"]["name"] == "Tiny diversity"
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_report(gammastar, run, tmp_path):
    """The report of a run is the summary of its backtest, and writes the tear sheet anew, to the same bytes."""
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    (copy / "tearsheet.html").unlink()
    told, answer = gammastar("report", copy), gammastar("report", copy, "--json")
    assert (told.code, told.err, answer.code, answer.err) == (0, "", 0, "")
    assert told.out.startswith("Tiny against")
    assert (copy / "tearsheet.html").read_bytes() == (run / "tearsheet.html").read_bytes()
    saved = json.loads((run / "run.json").read_text())
    for key in ("portfolio_return", "tracking_error", "attribution", "active_share", "turnover_one_way"):
        assert answer.json[key] == saved[key]


def test_compare(gammastar, run, store, mandates, tmp_path):
    """A run has no difference from itself; from another it has that of its statistics, and a note on what else differs."""
    same = gammastar("compare", run, run, "--json")
    assert (same.code, same.err, same.json["notes"]) == (0, "", [])
    assert all(entry["difference"] in {0.0, None} for entry in same.json["statistics"].values())
    gammastar(
        "backtest",
        mandates / "generated.toml",
        "--data",
        store,
        "--from",
        "2019-09-30",
        "--to",
        TO,
        "--out",
        tmp_path / "other",
    )
    told, answer = (
        gammastar("compare", run, tmp_path / "other"),
        gammastar("compare", run, tmp_path / "other", "--json"),
    )
    entry = answer.json["statistics"]["active_share"]
    assert entry["difference"] == pytest.approx(entry["second"] - entry["first"])
    assert "the first close differ" in answer.json["notes"][0]
    assert "note: the first close differ" in told.out
    assert "Active share" in told.out


def test_verify(gammastar, run, tmp_path):
    """A run is reproduced to the byte."""
    told, answer = gammastar("verify", run), gammastar("verify", run, "--json")
    assert (told.code, told.err, answer.code, answer.err) == (0, "", 0, "")
    assert ": reproduced" in told.out
    assert answer.json["reproduced"] is True
    assert set(answer.json["files"]) >= {"returns.csv", "weights.parquet", "compliance.csv", "run.json"}


@pytest.mark.parametrize("name", ["returns.csv", "weights.parquet", "compliance.csv", "run.json"])
def test_verify_finds_a_changed_byte(gammastar, run, tmp_path, name):
    """One changed digit in any file is found, and named."""
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    content = bytearray((copy / name).read_bytes())
    at = content.index(b'"beta": ') + 10 if name == "run.json" else len(content) // 2
    content[at] = ord("7") if content[at] != ord("7") else ord("8")
    (copy / name).write_bytes(bytes(content))
    answer = gammastar("verify", copy, "--json")
    assert (answer.code, answer.json["reproduced"], answer.json["different"]) == (1, False, [name])


def test_verify_with_other_data(gammastar, run, dataset, tmp_path):
    """A store that has changed since is the cause named; a run without its mandate or store is refused."""
    changed = tmp_path / "dataset"
    shutil.copytree(dataset, changed)
    lines = (changed / "returns.csv").read_text().splitlines()
    lines[-1] = lines[-1].rsplit(",", 1)[0] + ",0.0123"
    (changed / "returns.csv").write_text("\n".join(lines) + "\n")
    assert gammastar("ingest", changed, "--into", tmp_path / "store").code == 0
    answer = gammastar("verify", run, "--data", tmp_path / "store")
    assert answer.code == 1
    assert "NOT reproduced" in answer.out
    assert "cause: the data is not that of the run" in answer.out
    answer = gammastar("verify", run, "--data", tmp_path / "nowhere")
    assert (answer.code, answer.out) == (2, "")
    assert "--data" in answer.err


def test_readings_of_a_damaged_run(gammastar, run, tmp_path):
    """What is no run, or no longer one, is refused by each verb that reads runs."""
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    (copy / "returns.csv").unlink()
    for arguments in (("report", copy), ("report", tmp_path), ("compare", run, tmp_path), ("verify", tmp_path)):
        answer = gammastar(*arguments)
        assert (answer.code, answer.out) == (1, "")
        assert answer.err.startswith("error: ")
    (copy / "run.json").write_text("{")
    assert "not JSON" in gammastar("compare", copy, run).err
    (copy / "run.json").write_text('{"schema": 99}')
    assert "schema version" in gammastar("compare", copy, run).err
