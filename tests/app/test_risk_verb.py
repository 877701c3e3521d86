"""`gammastar risk evaluate` from a store to words, JSON and a folder, and what it refuses."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from gammastar.core.measures import bias_band

SPAN = ("--from", "2019-01-31", "--to", "2019-12-31")


@pytest.fixture(scope="module")
def base(store, mandates):
    return ("risk", "evaluate", store, "--mandate", mandates / "tiny.toml")


def test_an_evaluation_in_words_as_json_and_in_a_folder(gammastar, base, tmp_path):
    """All say the same, and the bias is that of the returns and forecasts that are written, by a formula of three lines."""
    out = tmp_path / "deep" / "risk"
    told = gammastar(*base, *SPAN, "--windows", "2019-02-01:2019-07-31, 2019", "--out", out)
    assert told.code == 0, told.err
    assert "risk.html" in told.err
    assert {path.name for path in out.iterdir()} == {"risk.html", "risk.json", "forecasts.csv"}
    study = json.loads((out / "risk.json").read_text())
    with (out / "forecasts.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [window["window"] for window in study["windows"]] == ["whole", "2019-02-01:2019-07-31", "2019"]
    for window in study["windows"]:
        inside = [row for row in rows if window["from"] <= row["date"] <= window["to"]]
        assert len(inside) == window["sessions"]
        realised, forecast = (np.array([float(row[name]) for row in inside]) for name in ("active_return", "forecast"))
        found = window["groups"]["optimised"]["daily"]
        assert found["value"] == pytest.approx(np.std(realised / forecast, ddof=1), rel=1e-12)
        assert (found["low"], found["high"]) == bias_band(len(inside))
        months = {row["date"][:7] for row in inside}
        assert window["months"] == len(months)
        scaled = []
        for month in sorted(months):
            here = np.array([row["date"][:7] == month for row in inside])
            scaled.append(realised[here].sum() / np.sqrt(np.sum(forecast[here] ** 2)))
        assert window["groups"]["optimised"]["monthly"]["value"] == pytest.approx(np.std(scaled, ddof=1), rel=1e-12)
        growth = window["growth"]["raw"]
        captured, expected = (sum(float(row[name]) for row in inside) for name in ("captured", "expected_raw"))
        assert growth["ratio"] == pytest.approx(captured / expected, rel=1e-9)
        assert f"{found['value']:.2f}" in told.out
    assert len(study["styles"]["decisions"]) == study["decisions"] == len(study["slopes"]) == 11
    assert set(study["windows"][0]["groups"]) == {"optimised", "random", "sector", "style", "benchmark"}
    assert set(study["windows"][0]["groups"]["sector"]["each"]) == {"Energy", "Financials", "Utilities", "Materials"}
    page = (out / "risk.html").read_text(encoding="utf-8")
    assert "Risk evaluation" in page
    assert "<script src" not in page


def test_json_on_stdout_is_what_the_folder_holds(gammastar, base, tmp_path):
    plain = gammastar(*base, *SPAN, "--json", "--out", tmp_path)
    assert plain.code == 0
    written = json.loads((tmp_path / "risk.json").read_text())
    assert plain.json == written
    assert [window["window"] for window in written["windows"]] == ["whole"]  # one calendar year is the whole


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--windows", "lately"), 2, ("--windows", "Got lately", "2008-2012")),
        (("--windows", ""), 2, ("--windows", "Got nothing")),
        (("--windows", "2012-2008"), 2, ("ends before it starts",)),
        (("--windows", "2019-02-30:2019-03-31"), 2, ("--windows", "not a date")),
        (("--from", "soon"), 2, ("--from", "YYYY-MM-DD")),
        (("--from", "2019-12-31"), 2, ("no session to evaluate",)),
        (("--from", "2018-07-31"), 5, ("fewer than 126 returns", "--from")),
        (("--from", "1999-01-04"), 5, ("does not reach",)),
        (("--from", "2019-01-31", "--windows", "2015"), 5, ("window 2015", "fewer than two months")),
        (("--from", "2019-11-29", "--to", "2019-12-13"), 5, ("window whole",)),
    ],
)
def test_what_cannot_be_evaluated_is_named(gammastar, base, options, code, said):
    answer = gammastar(*base, *options)
    assert (answer.code, answer.out) == (code, "")
    for part in said:
        assert part in answer.err


def test_rules_that_contradict_each_other_and_a_file_in_the_way(gammastar, store, mandates, tmp_path):
    answer = gammastar("risk", "evaluate", store, "--mandate", mandates / "conflict.toml", *SPAN)
    assert (answer.code, answer.out) == (4, "")
    assert "first decision" in answer.err
    blocked = tmp_path / "file"
    blocked.write_text("")
    answer = gammastar("risk", "evaluate", store, "--mandate", mandates / "tiny.toml", "--out", blocked)
    assert (answer.code, answer.out) == (2, "")
    assert blocked.read_text() == ""


def test_monthly_data_alone_is_not_enough(gammastar, dataset, mandates, tmp_path):
    """Forecasts of sessions need sessions."""
    alone = tmp_path / "dataset"
    alone.mkdir()
    head, *rows = (dataset / "members.csv").read_text().splitlines()
    (alone / "members.csv").write_text("\n".join([f"{head},forward_return", *(f"{row},0.01" for row in rows)]) + "\n")
    assert gammastar("ingest", alone, "--into", tmp_path / "store").code == 0
    answer = gammastar("risk", "evaluate", tmp_path / "store", "--mandate", mandates / "tiny.toml")
    assert (answer.code, answer.out) == (1, "")
    assert "daily" in answer.err


def test_what_is_learnt_starts_from_no_correction(gammastar, base):
    told = gammastar(*base, *SPAN, "--json").json
    slopes, levels = told["slopes"], told["levels"]
    assert slopes[0] == levels[0] == 1.0
    assert len(levels) == len(slopes)
    assert all(0.0 <= slope <= 1.0 for slope in slopes)
