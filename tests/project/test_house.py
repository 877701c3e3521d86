"""The house: arrows point down only, and what may never enter a room does not."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.project.conftest import Tree

FILES = {"io", "os", "pathlib", "shutil", "sqlite3", "tempfile"}
FRAMES = {"duckdb", "pandas", "polars", "pyarrow"}
CLOCKS = {"datetime", "time"}
NEVER = {
    "core": FILES | FRAMES | CLOCKS | {"logging", "plotly", "random"},
    "market": FILES | FRAMES | {"time", "sklearn", "scipy"},
    "mandate/rules/": FILES | FRAMES | {"clarabel"},
    "optimise": FILES | FRAMES | {"time"},
    "trade": {"gammastar.risk"},
    "report": {"gammastar.backtest", "gammastar.optimise", "gammastar.store"},
    "app": {"numpy", "pandas", "scipy"},
}


def imported(text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def called(text: str) -> set[str]:
    return {node.func.attr for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)}


def test_arrows_point_down_only(tree: Tree) -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"], cwd=tree.root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("room", NEVER)
def test_what_may_never_enter_a_room_does_not(tree: Tree, room: str) -> None:
    inside = [file for file in tree.source if file.relative_to("src/gammastar").as_posix().startswith(room)]
    assert inside
    found = {
        (file.as_posix(), name)
        for file in inside
        for name in imported(tree.text(file))
        if any(name == banned or name.startswith(f"{banned}.") for banned in NEVER[room])
    }
    assert not found


def test_core_does_not_know_the_word_nan(tree: Tree) -> None:
    names = {"nan", "isnan", "nanmean", "nansum", "nan_to_num", "nanstd", "nanvar"}
    core = [file for file in tree.source if "core" in file.parts]
    found = {
        (file.name, node.attr)
        for file in core
        for node in ast.walk(ast.parse(tree.text(file)))
        if isinstance(node, ast.Attribute) and node.attr in names
    }
    assert not found


def test_time_is_an_argument(tree: Tree) -> None:
    """Nothing asks what day it is."""
    asking = {"now", "today", "utcnow", "localtime", "gmtime"}
    assert not {file.as_posix(): asking & called(tree.text(file)) for file in tree.source if asking & called(tree.text(file))}


def test_no_public_function_bears_the_name_of_a_room(tree: Tree) -> None:
    package = tree.root / "src" / "gammastar"
    rooms = {path.name for path in package.iterdir() if path.is_dir()}
    for file in tree.source:
        if "app" in file.parts:  # a command is called what people type
            continue
        functions = {node.name for node in ast.parse(tree.text(file)).body if isinstance(node, ast.FunctionDef)}
        assert not functions & rooms, file
