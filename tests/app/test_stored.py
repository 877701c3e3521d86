"""The daily verbs: append, status on a date, what changed between two dates and which decisions it touches."""

from __future__ import annotations

import csv
import json
import shutil

import numpy as np
import pytest

from gammastar.workspace import run_mandate

FIX = "2019-09-13"


@pytest.fixture
def mended(dataset, tmp_path, gammastar):
    """A store whose return of one name on 13 September was ingested wrong, and mended on 16 October before the later sessions came."""
    lines = (dataset / "returns.csv").read_text().splitlines()
    members = (dataset / "members.csv").read_text().splitlines()
    at = next(k for k, line in enumerate(lines) if line.startswith(f"{FIX},1003,"))
    wrong = list(lines)
    wrong[at] = f"{FIX},1003,0.35"
    for name, keep in (("first", lambda day: day <= "2019-10-15"), ("rest", lambda day: day > "2019-10-15")):
        folder = tmp_path / name
        folder.mkdir()
        rows = wrong if name == "first" else lines
        for file, told in (("returns", rows), ("members", members)):
            kept = [told[0], *(line for line in told[1:] if keep(line[:10]))]
            (folder / f"{file}.csv").write_text("\n".join(kept) + "\n")
    (tmp_path / "returns-fix.csv").write_text(f"{lines[0]},known\n{lines[at]},2019-10-16\n")
    assert gammastar("ingest", tmp_path / "first", "--into", tmp_path / "store").code == 0
    assert gammastar("append", tmp_path / "returns-fix.csv", "--into", tmp_path / "store").code == 0
    assert gammastar("append", tmp_path / "rest", "--into", tmp_path / "store").code == 0
    return tmp_path / "store"


def test_append_for_people_and_as_json(gammastar, mended, tmp_path):
    again = gammastar("append", tmp_path / "rest", "--into", mended)
    assert (again.code, again.err) == (0, "")
    assert again.out.startswith("Nothing new in rest")
    told = gammastar("append", tmp_path / "returns-fix.csv", "--into", mended, "--json")
    assert told.json["changed"] is False
    assert told.json["unchanged"] == {"returns": 1}
    refused = gammastar("append", tmp_path / "nothing", "--into", mended)
    assert (refused.code, "there is no such folder or file" in refused.err) == (1, True)
    assert gammastar("append", tmp_path / "rest", "--into", tmp_path / "nowhere").code == 5


@pytest.mark.parametrize(("on", "code"), [("2019-12-31", 0), ("2020-01-01", 0), ("2020-01-02", 5), ("2020-02-03", 5)])
def test_status_says_how_stale_the_data_is(gammastar, mended, on, code):
    answer = gammastar("data", "status", mended, "--on", on)
    assert answer.code == code
    assert ("stale on" in answer.err) == bool(code)
    told = gammastar("data", "status", mended, "--on", on, "--json")
    assert (told.code, told.json["stale"]["daily"]) == (code, {"2020-01-02": 1, "2020-02-03": 22}.get(on, 0))
    assert gammastar("data", "status", mended).code == 0
    assert gammastar("data", "status", mended, "--on", "yesterday").code == 2


def test_the_difference_says_which_decisions_are_touched(gammastar, mended, mandates, tmp_path):
    runs = tmp_path / "runs"
    for name, known in (("before", "2019-10-15"), ("after", None)):
        end = "2019-10-15" if known else "2019-12-31"
        answer = gammastar("backtest", mandates / "tiny.toml", "--data", mended, "--from", "2019-06-28", "--to", end, "--out", runs / name, *(("--known", known) if known else ()))
        assert answer.code == 0, answer.err
    shutil.copytree(runs / "before", runs / "elsewhere")
    head = json.loads((runs / "elsewhere" / "run.json").read_text())
    head["inputs"]["data"] = "/elsewhere/store"
    (runs / "elsewhere" / "run.json").write_text(json.dumps(head))
    found = gammastar("data", "diff", mended, "--from", "2019-10-15", "--to", "2019-12-31", "--runs", runs, "--json")
    assert found.code == 0, found.err
    (change,) = found.json["corrections"]
    assert (change["date"], change["asset"], change["before"], change["known"]) == (FIX, "1003", 0.35, "2019-10-16")
    told = {run["run"].rpartition("/")[2]: run for run in found.json["runs"]}
    assert told["before"]["outdated"] == ["2019-09-30"]
    assert told["before"]["changed"] == []
    assert told["after"]["outdated"] == told["after"]["changed"] == [], "it knew of the correction"
    assert "its data is" in told["elsewhere"]["note"]
    text = gammastar("data", "diff", mended, "--from", "2019-10-15", "--to", "2019-12-31", "--runs", runs).out
    assert f"{FIX} 1003 total_return: 0.35 ->" in text
    assert "looked at values corrected only later (2019-09-30)" in text
    assert gammastar("data", "diff", mended, "--from", "2019-12-31", "--to", "2019-10-15").code == 2
    assert gammastar("data", "diff", mended, "--from", "2019-10-15", "--to", "2019-12-31", "--runs", tmp_path / "first").code == 2


def decisions(run):
    with (run / "decisions.csv").open() as stream:
        return {row["date"]: row["fingerprint"] for row in csv.DictReader(stream)}


def test_a_run_of_what_was_known_is_the_same_ever_after(gammastar, mended, mandates, tmp_path):
    """Saved with what the store knew, a run is verified after the store has learnt more."""
    assert gammastar("backtest", mandates / "tiny.toml", "--data", mended, "--from", "2019-06-28", "--to", "2019-12-31", "--out", tmp_path / "run").code == 0
    fix = (tmp_path / "returns-fix.csv").read_text().replace("2019-10-16", "2020-01-03").replace(FIX, "2019-08-14").splitlines()
    fields = fix[1].split(",")
    fields[2] = "-0.2"
    (tmp_path / "returns-again.csv").write_text(f"{fix[0]}\n{','.join(fields)}\n")
    assert gammastar("append", tmp_path / "returns-again.csv", "--into", mended, "--json").json["corrected"] == {"returns": 1}
    assert gammastar("verify", tmp_path / "run").code == 0
    new = run_mandate(mandates / "tiny.toml", mended, start="2019-06-28", end="2019-12-31")
    assert [decision.fingerprint for decision in new.decisions] == list(decisions(tmp_path / "run").values()), "learnt after the last decision"


def test_decisions_before_a_correction_are_those_of_its_day(mended, mandates, dataset, tmp_path, gammastar):
    """A run over all that is known decides up to the correction as a run that ended there did, and differently after it than without it."""
    assert gammastar("ingest", tmp_path / "first", "--into", tmp_path / "then").code == 0
    then = run_mandate(mandates / "tiny.toml", tmp_path / "then", start="2019-06-28", end="2019-10-15")
    now = run_mandate(mandates / "tiny.toml", mended, start="2019-06-28", end="2019-12-31")
    count = len(then.decisions)
    assert [one.fingerprint for one in now.decisions[:count]] == [one.fingerprint for one in then.decisions]
    sessions = len(then.track.portfolio)
    assert np.array_equal(now.track.portfolio[:sessions], then.track.portfolio)
    assert gammastar("append", tmp_path / "rest", "--into", tmp_path / "then").code == 0
    unmended = run_mandate(mandates / "tiny.toml", tmp_path / "then", start="2019-06-28", end="2019-12-31")
    assert now.decisions[count].fingerprint != unmended.decisions[count].fingerprint
    assert str(now.decisions[count].session) == "2019-10-31"
