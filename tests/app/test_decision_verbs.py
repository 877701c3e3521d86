"""Frontier, why, replay, relax and flows on the command line."""

from __future__ import annotations

import csv
import itertools
import json

import pytest

ON = "2019-11-29"


def test_a_frontier_in_lines_as_json_and_as_a_page(gammastar, mandates, store, tmp_path):
    arguments = ("frontier", mandates / "tiny.toml", "--data", store, "--on", ON, "--rule", "tracking_error", "--from", 0.005, "--to", 0.03, "--points", 6)
    page = tmp_path / "deep" / "frontier.html"
    told, plain = gammastar(*arguments, "--figure", page), gammastar(*arguments, "--json")
    assert (told.code, plain.code) == (0, 0)
    growth = [point["growth"] for point in plain.json["points"]]
    assert len(growth) == 6
    assert all(later >= earlier - 1e-9 for earlier, later in itertools.pairwise(growth))
    assert f"{1e4 * growth[-1]:.1f}" in told.out
    assert "tracking_error" in page.read_text(encoding="utf-8")
    assert '<script src=' not in page.read_text(encoding="utf-8")


def test_a_frontier_that_cannot_be_drawn(gammastar, mandates, store):
    base = ("frontier", mandates / "tiny.toml", "--data", store, "--on", ON)
    unknown = gammastar(*base, "--rule", "risk", "--from", 0.01, "--to", 0.02)
    assert (unknown.code, unknown.out) == (2, "")
    assert "tracking_error" in unknown.err
    backwards = gammastar(*base, "--rule", "tracking_error", "--from", 0.02, "--to", 0.01)
    assert backwards.code == 2
    assert "0.02 to 0.01" in backwards.err


def test_why_tells_what_holds_a_weight(gammastar, mandates, store):
    base = ("--data", store, "--on", ON)
    proposal = gammastar("propose", mandates / "tiny.toml", *base, "--json").json
    asset = max(proposal["targets"], key=proposal["targets"].get)
    told, plain = gammastar("why", mandates / "tiny.toml", *base, "--asset", asset), gammastar("why", mandates / "tiny.toml", *base, "--asset", asset, "--json")
    assert (told.code, plain.code) == (0, 0)
    assert plain.json["target"] == proposal["targets"][asset]
    for hold in plain.json["holds"]:
        assert hold["rule"] in told.out
    nobody = gammastar("why", mandates / "tiny.toml", *base, "--asset", "nobody")
    assert (nobody.code, nobody.out) == (2, "")
    assert "no such asset" in nobody.err


def test_a_proposal_is_written_and_replayed(gammastar, mandates, store, tmp_path):
    path = tmp_path / "proposal.json"
    written = gammastar("propose", mandates / "tiny.toml", "--data", store, "--on", ON, "--out", path)
    assert written.code == 0
    assert str(path) in written.out
    told = gammastar("replay", path)
    assert told.code == 0
    assert "same bytes" in told.out
    changed = json.loads(path.read_text())
    changed["answer"]["prices"] = {}
    path.write_text(json.dumps(changed))
    other = gammastar("replay", path, "--json")
    assert other.code == 1
    assert not other.json["same"]
    path.write_text("nothing")
    broken = gammastar("replay", path)
    assert (broken.code, broken.out) == (1, "")
    assert "not a proposal file" in broken.err


def test_a_conflict_gives_way_when_asked_to(gammastar, mandates, store):
    base = (mandates / "conflict.toml", "--data", store, "--on", ON)
    refused, relaxed = gammastar("propose", *base, "--json"), gammastar("propose", *base, "--relax", "--json")
    assert refused.code == 4
    assert refused.json["status"] == "CONFLICT"
    assert refused.json["choices"]
    assert relaxed.code == 0
    assert relaxed.json["status"] == "RELAXED"
    assert {given["rule"] for given in relaxed.json["relaxed"]} <= {given["rule"] for given in refused.json["choices"]}
    assert "warning" in relaxed.err


@pytest.mark.parametrize("money", [2_000_000, -2_000_000])
def test_a_flow_is_traded(gammastar, mandates, store, tmp_path, money):
    """What is paid in is bought, what is paid out is sold; the orders know the value after it."""
    orders = tmp_path / "orders.csv"
    told = gammastar("propose", mandates / "tiny.toml", "--data", store, "--on", ON, "--flow", money, "--orders", orders, "--json")
    assert told.code == 0
    with orders.open(newline="") as file:
        rows = list(csv.DictReader(file))
    net = sum(float(row["value"]) * (1.0 if row["side"] == "buy" else -1.0) for row in rows)
    assert net == pytest.approx(money, rel=1e-4)
    all_of_it = gammastar("propose", mandates / "tiny.toml", "--data", store, "--on", ON, "--flow", -1e12)
    assert (all_of_it.code, all_of_it.out) == (2, "")
    assert "leaves nothing" in all_of_it.err
