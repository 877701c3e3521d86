"""The verbs that simulate a market model: the dataset goes through ingest, theory and backtest; the figure is a page; bad numbers name their option."""

from __future__ import annotations

import json

import numpy as np
import pytest

from gammastar import workspace
from gammastar.simulate import AtlasPreset
from gammastar.store import open_store

MODELS = ("atlas", "first-order", "hybrid-atlas", "geometric-brownian", "volatility-stabilised", "rank-jacobi")
SMALL = ("--names", "9", "--sessions", "90", "--seed", "3")


@pytest.mark.parametrize("model", MODELS)
def test_each_model_is_a_dataset_that_the_theory_reads(gammastar, tmp_path, model):
    """What `--json` says is what the store holds, and the exact account and the capital curve are made of it."""
    dataset, store, page = tmp_path / "dataset", tmp_path / "store", tmp_path / "pages" / "figure.html"
    made = gammastar("simulate", model, "--out", dataset, *SMALL, "--figure", page, "--json")
    assert made.code == 0
    assert made.err == f"figure: {page}\n"
    told = made.json
    assert (told["dataset"], told["sessions"], told["assets"], told["from"]) == (str(dataset), 90, 9, "2010-01-04")
    assert all(row["standard_error"] >= 0.0 for row in told["comparisons"])
    assert gammastar("ingest", dataset, "--into", store).code == 0
    panel = open_store(store).panel()
    assert str(panel.sessions[-1]) == told["to"]
    assert panel.benchmark_returns[1:].std(ddof=1) * np.sqrt(252.0) == pytest.approx(told["index"]["volatility"])
    account = gammastar("theory", "decompose", store, "--json").json
    assert account["residual_max_step"] < 1e-12
    assert account["flow_membership"] == pytest.approx(0.0, abs=1e-12)
    curve = gammastar("theory", "capital-curve", store, "--json").json
    assert curve["weights"][0][0] == pytest.approx(told["index"]["largest_first"])
    text = page.read_text()
    assert "<html" in text
    assert 'src="http' not in text


@pytest.mark.parametrize("model", MODELS)
def test_people_read_a_table(gammastar, tmp_path, model):
    """Model, dates, index, every quantity, where it was written; no braces."""
    answer = gammastar("simulate", model, "--out", tmp_path / "dataset", *SMALL)
    assert (answer.code, answer.err) == (0, "")
    for part in ("seed 3", "90 sessions of XNYS, 2010-01-04 to 2010-05-12", "closed form", "std. error", "excess growth of the index", str(tmp_path / "dataset")):
        assert part in answer.out
    assert "{" not in answer.out
    told = gammastar("simulate", model, "--out", tmp_path / "again", *SMALL, "--json").json
    assert told["fingerprint"][:16] in answer.out
    for row in told["comparisons"]:
        assert row["quantity"] in answer.out


def test_a_mandate_runs_on_it(gammastar, mandates, tmp_path):
    """Two years of a market of forty names, and the template's kind of mandate."""
    gammastar("simulate", "atlas", "--out", tmp_path / "dataset", "--names", "40", "--years", "1.5")
    assert gammastar("ingest", tmp_path / "dataset", "--into", tmp_path / "store").code == 0
    for name in ("tiny", "generated"):
        answer = gammastar("backtest", mandates / f"{name}.toml", "--data", tmp_path / "store", "--from", "2011-02-28", "--json")
        assert answer.code == 0, answer.err


def test_the_same_from_python(gammastar, tmp_path):
    """The verb is one function, and its seed decides the bytes."""
    told = gammastar("simulate", "atlas", "--out", tmp_path / "one", *SMALL, "--from", "2015-07-04", "--json").json
    market = workspace.simulate_model(AtlasPreset(names=9), tmp_path / "two", seed=3, start="2015-07-04", sessions=90)
    assert market.panel.fingerprint == told["fingerprint"]
    assert told["from"] == "2015-07-06"
    assert {"dataset": str(tmp_path / "one"), "seed": 3, **json.loads(json.dumps(market.to_dict()))} == told
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes()


def test_years_are_of_252_sessions(gammastar, tmp_path):
    """Steps, not closes, make up a year."""
    told = gammastar("simulate", "atlas", "--out", tmp_path / "d", "--names", "3", "--years", "0.5", "--json").json
    assert (told["sessions"], told["years"]) == (127, 0.5)


def test_an_earlier_dataset_in_the_folder_is_replaced(gammastar, tmp_path):
    """As `simulate large-cap` does."""
    out = tmp_path / "dataset"
    first = gammastar("simulate", "atlas", "--out", out, *SMALL, "--json").json
    gammastar("simulate", "rank-jacobi", "--out", out, *SMALL)
    assert gammastar("simulate", "atlas", "--out", out, *SMALL, "--json").json["fingerprint"] == first["fingerprint"]
    assert {path.name for path in out.iterdir()} == {"dataset.toml", "members.parquet", "returns.parquet"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("atlas", "--volatility", "-0.1"), "--volatility: "),
        (("atlas", "--names", "1"), "--names: "),
        (("atlas", "--drift", "nan"), "--drift: "),
        (("atlas", "--drift", "0.0001"), "--drift: the slope would be 312"),
        (("atlas", "--years", "1", "--sessions", "9"), "--years and --sessions: both say how long. Got 1 and 9."),
        (("atlas", "--years", "-1"), "--years: "),
        (("atlas", "--years", "inf"), "--years: "),
        (("atlas", "--sessions", "2"), "--sessions: "),
        (("atlas", "--from", "soon"), "--from: this is not a date. Got soon."),
        (("atlas", "--from", "2262-03-01"), "--from: there is no calendar"),
        (("geometric-brownian", "--names", "5000", "--years", "199"), "--names and --sessions: a path takes at most 256 MiB. Got 5,000 names over 50,149 sessions. Allowed: 6,710 sessions"),
        (("first-order", "--slope", "9"), "--slope: "),
        (("first-order", "--largest-volatility", "0"), "--largest-volatility: "),
        (("hybrid-atlas", "--names", "17"), "--names: "),
        (("hybrid-atlas", "--name-drift", "0.06"), "--name-drift: above `drift` the first names run away"),
        (("geometric-brownian", "--correlation", "1.5"), "--correlation: "),
        (("volatility-stabilised", "--alpha", "-1"), "--alpha: "),
        (("volatility-stabilised", "--names", "5000", "--excess-growth", "0.0001"), "the market: these numbers do not fit together"),
        (("rank-jacobi", "--smallest-theta", "0.5"), "--smallest-theta: "),
        (("large-cap", "--members", "700", "--listed", "600"), "--members: "),
    ],
)
def test_bad_numbers_name_their_option(gammastar, tmp_path, arguments, said):
    """Exit code 2, one line on stderr, nothing on stdout, nothing written."""
    page = () if arguments[0] == "large-cap" else ("--figure", tmp_path / "figure.html")
    answer = gammastar("simulate", *arguments, "--out", tmp_path / "dataset", *page)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith(f"error: {said}")
    assert answer.err.count("\n") == 1
    assert "Next: " in answer.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("model", ["atlas", "large-cap"])
def test_a_file_in_the_way_is_refused(gammastar, tmp_path, model):
    """Before anything is simulated; the file stays as it was."""
    (tmp_path / "dataset").write_text("mine")
    answer = gammastar("simulate", model, "--out", tmp_path / "dataset")
    assert (answer.code, answer.out) == (2, "")
    assert "--out: this is a file" in answer.err
    assert (tmp_path / "dataset").read_text() == "mine"
