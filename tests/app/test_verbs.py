"""Each verb of the command line: what it prints where, what it writes, and its exit code."""

from __future__ import annotations

import csv
import json
import re
import shutil

import numpy as np
import pytest

from gammastar.mandate import Mandate

ON = "2019-11-29"


def test_ingest_and_status_tell_the_same(gammastar, dataset, tmp_path):
    """What ingest found is what the store says it holds; twice the same input, twice the same fingerprint."""
    first = gammastar("ingest", dataset, "--into", tmp_path / "one", "--json")
    again = gammastar("ingest", dataset, "--into", tmp_path / "two")
    status = gammastar("data", "status", tmp_path / "two", "--json")
    assert (first.code, again.code, status.code) == (0, 0, 0)
    assert first.err == again.err == status.err == ""
    held = status.json
    assert held["fingerprint"] == first.json["fingerprint"]
    assert held["fingerprint"] in again.out
    assert held["assets"] == first.json["found"]["assets"] == 25


def test_status_for_people(gammastar, store):
    """The human form has the same facts, in lines."""
    held = gammastar("data", "status", store, "--json").json
    told = gammastar("data", "status", store).out
    assert held["fingerprint"] in told
    assert f"{held['sessions']:,} sessions of XNYS" in told
    assert "25 in 4 sectors" in told
    assert "{" not in told


def test_ingest_refuses(gammastar, dataset, tmp_path):
    """A bad dataset is told with file and row, and leaves no store."""
    bad = tmp_path / "bad"
    shutil.copytree(dataset, bad)
    lines = (bad / "returns.csv").read_text().splitlines()
    lines[5] = lines[5].rsplit(",", 1)[0] + ",much"
    (bad / "returns.csv").write_text("\n".join(lines))
    answer = gammastar("ingest", bad, "--into", tmp_path / "store")
    assert (answer.code, answer.out) == (1, "")
    assert "returns.csv, row 6" in answer.err
    assert not (tmp_path / "store").exists()


def test_validate(gammastar, mandates):
    """A valid mandate is told rule by rule; its fingerprint is that of the library."""
    told = gammastar("mandate", "validate", mandates / "tiny.toml")
    assert (told.code, told.err) == (0, "")
    assert "at most 2.00% a year" in told.out
    signed = Mandate.load(mandates / "tiny.toml")
    for rule in signed.rules:
        assert rule.name in told.out
        assert type(rule).__name__ + "(" not in told.out
    answer = gammastar("mandate", "validate", mandates / "tiny.toml", "--json").json
    assert answer["fingerprint"] == signed.fingerprint
    assert answer["mandate"] == json.loads(signed.canonical)


def test_validate_refuses(gammastar, tmp_path):
    """A bad mandate: nothing on stdout, one message on stderr, exit code 1."""
    path = tmp_path / "mandate.toml"
    path.write_text("name = 'x'\n[strategy]\nkind = 'volatility_capture'\n[rules]\nbeta = { limit = 5 }\n")
    for arguments in (("mandate", "validate", path), ("mandate", "validate", path, "--json")):
        answer = gammastar(*arguments)
        assert (answer.code, answer.out) == (1, "")
        assert answer.err.startswith(f"error: {path}, line 5, rules.beta.limit")
        assert answer.err.count("\n") == 1


@pytest.mark.parametrize("name", ["tiny", "generated"])
def test_propose_then_check(gammastar, store, mandates, tmp_path, name):
    """Targets sum to one, the order list leads from the benchmark to them, and `check` finds no breach in them."""
    mandate, orders, targets = mandates / f"{name}.toml", tmp_path / "out" / "orders.csv", tmp_path / "targets.csv"
    answer = gammastar("propose", mandate, "--data", store, "--on", ON, "--orders", orders, "--targets", targets, "--json")
    assert (answer.code, answer.err) == (0, "")
    proposal = answer.json
    assert proposal["status"] == "OPTIMAL"
    assert proposal["session"] == ON
    assert sum(proposal["targets"].values()) == pytest.approx(1.0, abs=1e-12)
    with orders.open() as stream:
        lines = list(csv.DictReader(stream))
    traded = sum(float(line["weight"]) for line in lines)
    assert traded == pytest.approx(proposal["turnover_two_way"], abs=1e-9)
    assert all(line["reason"] for line in lines)
    for line in lines:
        assert float(line["to_weight"]) == pytest.approx(proposal["targets"][line["asset_id"]], abs=1e-12)
    checked = gammastar("check", mandate, "--data", store, "--on", ON, "--weights", targets, "--json")
    assert (checked.code, checked.err, checked.json["breaches"]) == (0, "", [])


def test_propose_for_people(gammastar, store, mandates, tmp_path):
    """The text says what is assumed, what is expected, every rule, and where the files are."""
    path = tmp_path / "orders.csv"
    answer = gammastar("propose", mandates / "tiny.toml", "--data", store, "--on", ON, "--orders", path)
    assert (answer.code, answer.err) == (0, "")
    for part in (
        "OPTIMAL",
        "benchmark is assumed",
        "expected growth advantage",
        "tracking_error",
        "no rule is broken",
        "largest overweights",
        str(path),
    ):
        assert part in answer.out


def test_holdings_are_the_start_of_the_trade(gammastar, store, mandates, tmp_path):
    """From its own targets a proposal has (nearly) nothing left to trade, and no benchmark is assumed."""
    targets, arguments = tmp_path / "targets.csv", ("propose", mandates / "tiny.toml", "--data", store, "--on", ON)
    first = gammastar(*arguments, "--targets", targets, "--json").json
    again = gammastar(*arguments, "--holdings", targets, "--json").json
    assert again["turnover_two_way"] < 0.02 * first["turnover_two_way"]
    assert "assumed" not in gammastar(*arguments, "--holdings", targets).out


def test_conflict(gammastar, store, mandates, tmp_path):
    """Contradicting rules: exit code 4, the rules by their names, no order list, text and JSON alike."""
    arguments = ("propose", mandates / "conflict.toml", "--data", store, "--on", ON, "--orders", tmp_path / "orders.csv")
    told, answer = gammastar(*arguments), gammastar(*arguments, "--json")
    assert (told.code, answer.code) == (4, 4)
    assert answer.json["status"] == "CONFLICT"
    assert set(answer.json["conflict"]) == {"active_weight", "weight"}
    assert re.search(r"in conflict:\n +active_weight +limit 0\.1000%\n +weight +limit 3\.5000%", told.out)
    assert "tracking_error" not in told.out
    assert not (tmp_path / "orders.csv").exists()


@pytest.mark.parametrize(
    ("on", "code", "said"),
    [
        ("2019-11-30", 2, ("not a session of XNYS", "2019-11-29 and 2019-12-02")),
        ("2019-11-28", 2, ("2019-11-27 and 2019-11-29",)),
        ("2020-01-02", 5, ("does not reach", "2019-12-31")),
        ("2018-05-30", 5, ("does not reach", "2018-05-31 to")),
        ("today", 2, ("not a date", "Got today", "YYYY-MM-DD")),
        ("2019-11", 2, ("not a date",)),
        ("29/11/2019", 2, ("not a date",)),
    ],
)
def test_dates(gammastar, store, mandates, tmp_path, on, code, said):
    """A date that is no session names its neighbours, one beyond the data its ends."""
    weights = tmp_path / "weights.csv"
    weights.write_text("asset_id,weight\n1000,1\n")
    for arguments in (("propose", "--on", on), ("check", "--on", on, "--weights", weights)):
        answer = gammastar(*arguments, mandates / "tiny.toml", "--data", store)
        assert (answer.code, answer.out) == (code, "")
        for part in said:
            assert part in answer.err


def test_check_finds_breaches(gammastar, store, mandates, tmp_path):
    """Everything in one name breaks what it must, and the table says how far."""
    weights = tmp_path / "weights.csv"
    weights.write_text("asset_id,weight\n1003,1\n")
    arguments = ("check", mandates / "tiny.toml", "--data", store, "--on", ON, "--weights", weights)
    told, answer = gammastar(*arguments), gammastar(*arguments, "--json")
    assert (told.code, answer.code, told.err, answer.err) == (3, 3, "", "")
    assert {"tracking_error", "active_weight", "sector"} <= set(answer.json["breaches"])
    assert [rule["rule"] for rule in answer.json["rules"] if rule["breached"]] == answer.json["breaches"]
    assert told.out.count("BREACH") == len(answer.json["breaches"])
    assert "T3 (1003)" in told.out


def test_check_refuses_unknown_assets(gammastar, store, mandates, tmp_path):
    """A bad weights file and an exclusion of an asset that nobody knows are errors, not breaches."""
    weights, mandate = tmp_path / "weights.csv", tmp_path / "mandate.toml"
    weights.write_text("asset_id,weight\nT3,1\n")
    answer = gammastar("check", mandates / "tiny.toml", "--data", store, "--on", ON, "--weights", weights)
    assert (answer.code, answer.out) == (1, "")
    assert "row 2, column 'asset_id'" in answer.err
    assert "write 1003 for T3" in answer.err
    weights.write_text("asset_id,weight\n1003,1\n")
    mandate.write_text((mandates / "tiny.toml").read_text() + "[[rules.exclude]]\nasset = 'T3'\nreason = 'client'\n")
    answer = gammastar("check", mandate, "--data", store, "--on", ON, "--weights", weights)
    assert (answer.code, answer.out) == (1, "")
    assert "rules.exclude" in answer.err
    assert "Got T3" in answer.err


def test_simulate_is_a_dataset(gammastar, tmp_path, monkeypatch):
    """A simulated market is written, told, and read by ingest."""
    import datetime as dt

    from gammastar import simulate

    monkeypatch.setattr(
        simulate.LargeCapMarket,
        "__init__",
        _short(simulate.LargeCapMarket.__init__, dt.date(2019, 1, 2), dt.date(2019, 3, 29)),
    )
    made = gammastar(
        "simulate",
        "large-cap",
        "--out",
        tmp_path / "dataset",
        "--seed",
        "3",
        "--members",
        "20",
        "--listed",
        "30",
        "--json",
    )
    assert (made.code, made.err, made.json["seed"]) == (0, "", 3)
    stored = gammastar("ingest", tmp_path / "dataset", "--into", tmp_path / "store", "--json").json
    assert stored["found"]["sessions"] == made.json["sessions"] == 61


def _short(init, start, end):
    def shorter(self, *args, **values):
        init(self, *args, **{**values, "start": start, "end": end})

    return shorter


def test_json_has_no_nan():
    """What is not a finite number becomes null, however deep it lies."""
    from gammastar.app.words import json_text

    told = json_text(
        {"a": float("nan"), "b": [1.5, float("inf"), {"c": (-float("inf"),)}], "d": np.datetime64("2019-11-29")}
    )
    assert json.loads(told) == {"a": None, "b": [1.5, None, {"c": [None]}], "d": "2019-11-29"}
