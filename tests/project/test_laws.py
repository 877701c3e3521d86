"""Every law has a test, and every mutation a formula to break: what the two lists name is there."""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.project.conftest import Tree

LAW = re.compile(r"^\| (.+) \| `([\w/]+\.py)::(\w+)` \|$", re.MULTILINE)
LEAST = 60


def names_in(tree: Tree, file: str) -> set[str]:
    return {node.name for node in ast.parse(tree.text(f"tests/{file}")).body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def test_every_law_has_the_test_that_the_table_names(tree: Tree) -> None:
    text = tree.text("docs/theory.md").partition("## Laws and where they are tested")[2]
    rows = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("| law ")]
    laws = LAW.findall(text)
    assert len(laws) == len(rows) >= 40
    assert not [(file, test) for _, file, test in laws if test not in names_in(tree, file)]


def test_every_mutation_has_a_formula_and_a_test(tree: Tree) -> None:
    mutations = json.loads(tree.text("tests/mutations.json"))
    assert len(mutations) >= LEAST
    told = [(entry["file"], entry["old"], entry["new"]) for entry in mutations]
    assert not [entry for entry, count in Counter(told).items() if count > 1]
    gone = [(file, old) for file, old, _ in told if tree.text(f"src/gammastar/{file}").count(old) != 1]
    assert not gone, "these texts are not there once any more: rewrite the entries of tests/mutations.json for the formulas as they stand"
    named = [name.partition("::") for entry in mutations for name in entry["tests"]]
    assert not [(file, test) for file, _, test in named if test and test.partition("[")[0] not in names_in(tree, file)]


def test_every_room_of_formulas_has_mutations(tree: Tree) -> None:
    rooms = Counter(entry["file"].split("/")[0] for entry in json.loads(tree.text("tests/mutations.json")))
    assert rooms["core"] >= LEAST
    assert rooms["simulate"] >= 30
    assert rooms["theory"] >= 8
