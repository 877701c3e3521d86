"""The page about mandates: every rule and every key has a paragraph and an example, and every example is a mandate."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import numpy as np
import pytest

from gammastar.errors import UsageError
from gammastar.mandate import Mandate, rules
from gammastar.mandate.explain import _all_keys
from gammastar.mandate.schema import MandateFile
from gammastar.mandate.schema.rules import RulesEntry
from gammastar.optimise import Status, propose
from gammastar.simulate import LargeCapMarket

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "mandate.md").read_text(encoding="utf-8")
FENCE = re.compile(r"^```toml\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
EXAMPLES = FENCE.findall(PAGE)
PROSE = FENCE.sub("", PAGE)
OPTIONS = {"priority", "clause", "penalty_bp"}
SECONDS = {"second_benchmark": '[second_benchmark]\nkind = "generated"\nfunction = "equal"\n', "second_risk": "[second_risk]\nfactors = 5\n"}
ASKS = {"second_benchmark": "second_benchmark", "second_model": "second_risk"}


def completed(example: str) -> str:
    """Return an example of the page as a whole mandate: what it leaves out is put around it."""
    first = example.split("\n", 1)[0]
    if not first.startswith("[") and not first.startswith("name ="):
        example = f"[rules]\n{example}"
    data = tomllib.loads(example)
    head = "" if "name" in data else 'name = "An example"\n'
    tail = "" if "strategy" in data else '[strategy]\nkind = "volatility_capture"\n'
    for word, table in ASKS.items():
        if re.search(rf"\b{word}\b", example) and table not in data:
            tail += SECONDS[table]
    return f"{head}{example}\n{tail}"


@pytest.fixture
def build(tmp_path):
    (tmp_path / "growth.csv").write_text("asset_id,growth\n17,0.01\n")
    (tmp_path / "weights.csv").write_text("asset_id,weight\n17,0.5\nSIM00001,0.5\n")

    def built(text: str) -> Mandate:
        (tmp_path / "mandate.toml").write_text(text)
        return Mandate.load(tmp_path / "mandate.toml")

    return built


@pytest.mark.parametrize("example", EXAMPLES, ids=[f"{k}: {example.splitlines()[0][:40]}" for k, example in enumerate(EXAMPLES)])
def test_every_example_is_a_mandate(build, example):
    """What the page shows can be written."""
    assert build(completed(example)).name


@pytest.fixture(scope="module")
def simulated():
    """A market with everything that rules can ask for, at a close on which what the examples date is known."""
    return at_a_close(LargeCapMarket().simulate(7).panel)


@pytest.fixture(scope="module")
def real(sp500_daily):
    """The real market, which has no volumes, prices, countries or issuers, at the same close."""
    return at_a_close(sp500_daily)


def at_a_close(panel):
    return panel.moment(int(np.searchsorted(panel.sessions, np.datetime64("2019-11-29"))))


@pytest.mark.parametrize("example", EXAMPLES, ids=[f"{k}: {example.splitlines()[0][:40]}" for k, example in enumerate(EXAMPLES)])
def test_every_example_finds_targets_that_keep_its_rules(build, simulated, example):
    """What the page shows can be followed."""
    proposal = propose(build(completed(example)), simulated)
    assert proposal.status is Status.OPTIMAL, proposal.advice
    assert not [reading.rule for reading in proposal.readings if reading.breached and not reading.soft]


def test_every_example_on_real_history(build, real):
    """On real history most examples find targets; the others say which data their rule lacks, or which asset there is none of."""
    found, lacking = 0, []
    for example in EXAMPLES:
        try:
            proposal = propose(build(completed(example)), real)
        except UsageError as error:
            lacking.append(str(error))
            continue
        assert proposal.status is Status.OPTIMAL, (example, proposal.advice)
        assert not [reading.rule for reading in proposal.readings if reading.breached and not reading.soft], example
        found += 1
    assert found >= 30, lacking
    assert all(re.search("does not have|do not have|no asset|unknown|not in", told) for told in lacking), lacking


def test_every_class_of_rule_has_an_example(build):
    """No rule is known to the code alone."""
    shown = {type(rule) for example in EXAMPLES for rule in build(completed(example)).rules}
    known = {value for value in vars(rules).values() if isinstance(value, type) and issubclass(value, rules.RuleOptions)}
    assert shown == known - {rules.RuleOptions, rules.AssetList}


def test_every_rule_has_a_paragraph():
    """Each table of `[rules]` opens a paragraph with its name, and an example follows it before the next one."""
    for name in RulesEntry.model_fields:
        start = PAGE.find(f"\n**{name}**: ")
        assert start >= 0, name
        following = PAGE[start + 1 :]
        stop = re.search(r"\n\*\*\w+\*\*: |\n#", following)
        paragraph = following[: stop.start()] if stop else following
        example = FENCE.search(paragraph)
        assert example is not None, name
        assert re.search(rf"\b{name}\b", example[1]), name
        assert len(paragraph[: example.start()].split()) >= 12, name


def keys_of(data: object, table: str = "") -> set[tuple[str, str]]:
    """Return table and key of everything in an example; labels and ids give keys too, which nobody asks for."""
    if isinstance(data, list):
        return {key for item in data for key in keys_of(item, table)}
    if not isinstance(data, dict):
        return set()
    return {pair for key, value in data.items() for pair in ((table, key), *keys_of(value, f"{table}.{key}" if table else key))}


def unlabelled(table: str) -> str:
    """Return a table of the page's examples as the schema knows it: without the label of a group."""
    return "rules.group_weight.bounds" if table.startswith("rules.group_weight.bounds") else table


def test_every_key_is_in_an_example():
    """What the schema takes is shown; a limit may be shown as the number that stands for its table."""
    shown = {(unlabelled(table), key) for example in EXAMPLES for table, key in keys_of(tomllib.loads(completed(example)))}
    assert {key for _, key in shown} >= OPTIONS
    for table, key in _all_keys(MandateFile):
        parent = tuple(table.rsplit(".", 1)) if "." in table else ("", table)
        told = (table, key) in shown or (key == "limit" and parent in shown) or key in OPTIONS or (key == "kind" and table == "second_risk")
        told = told or (table == "second_risk" and ("risk", key) in shown)  # the same keys
        told = told or (table in {f"rules.{name}" for name in ("no_buy", "no_sell", "must_sell", "freeze", "exclude")} and key in {"clause", "from", "until"})
        assert told, (table, key)


def test_every_key_is_told_in_prose():
    """Each key stands in a paragraph, as code or as the name that opens it."""
    words = set(re.findall(r"\*\*(\w+)\*\*", PROSE)) | {word for code in re.findall(r"`([^`\n]+)`", PROSE) for word in re.findall(r"\w+", code)}
    missing = {key for _, key in _all_keys(MandateFile)} - words
    assert not missing


def test_links_within_the_page_lead_somewhere():
    """Each anchor is a heading."""
    headings = {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)}
    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE)) <= headings
