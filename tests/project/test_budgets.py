"""Budgets that make one think: function 50 lines, class 200, parameters 6, file 400.

Functions and classes are counted in lines of code: blank lines, comments and docstrings are free. A file is counted as a reader scrolls it,
whole. Fields of dataclasses are not parameters. `budget_exceptions.toml` lists what may be larger, how large, and why.
"""

from __future__ import annotations

import ast
import io
import tokenize
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.project.conftest import Tree

BUDGETS = {"function": 50, "class": 200, "parameters": 6, "file": 400}
EXCEPTIONS = tomllib.loads(Path(__file__).with_name("budget_exceptions.toml").read_text(encoding="utf-8")).get("exception", [])
FREE = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER, tokenize.ENCODING}
Scope = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True)
class Size:
    budget: str
    where: str
    value: int


def code_lines(text: str, module: ast.Module) -> set[int]:
    """Return the numbers of the lines that hold code."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in FREE:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(module):
        if isinstance(node, (ast.Module, Scope)) and ast.get_docstring(node, clean=False) is not None:
            docstring = node.body[0]
            lines.difference_update(range(docstring.lineno, (docstring.end_lineno or docstring.lineno) + 1))
    return lines


def scopes(node: ast.AST, inside: str = "") -> Iterator[tuple[str, Scope]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Scope):
            yield f"{inside}{child.name}", child
            yield from scopes(child, f"{inside}{child.name}.")
        else:
            yield from scopes(child, inside)


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    takes = function.args
    names = [arg.arg for arg in (*takes.posonlyargs, *takes.args, *takes.kwonlyargs)]
    return len(names) - (names[:1] in (["self"], ["cls"]))


def sizes(place: str, text: str) -> Iterator[Size]:
    module = ast.parse(text)
    lines = code_lines(text, module)
    yield Size("file", place, len(text.splitlines()))
    for name, node in scopes(module):
        where, length = f"{place}:{name}", sum(node.lineno <= line <= (node.end_lineno or node.lineno) for line in lines)
        if isinstance(node, ast.ClassDef):
            yield Size("class", where, length)
        else:
            yield Size("function", where, length)
            yield Size("parameters", where, parameters(node))


def over_budget(tree: Tree) -> dict[tuple[str, str], int]:
    found = (size for file in tree.source for size in sizes(file.relative_to("src/gammastar").as_posix(), tree.text(file)))
    return {(size.budget, size.where): size.value for size in found if size.value > BUDGETS[size.budget]}


def test_everything_keeps_its_budget_or_is_listed_with_a_reason(tree: Tree) -> None:
    allowed = {(item["budget"], item["where"]): item["value"] for item in EXCEPTIONS}
    broken = {key: value for key, value in over_budget(tree).items() if value > allowed.get(key, 0)}
    assert not broken, "split it, or give a reason in budget_exceptions.toml"


def test_no_exception_outlives_its_need(tree: Tree) -> None:
    over = over_budget(tree)
    stale = [item["where"] for item in EXCEPTIONS if (item["budget"], item["where"]) not in over]
    assert not stale, "these keep their budget by now: delete the entry"
    assert all(len(item["reason"]) > 20 for item in EXCEPTIONS)


def test_docstrings_comments_and_blank_lines_are_free() -> None:
    text = '"""Module."""\n\n\ndef f(a, *, b):\n    """Say.\n\n    More.\n    """\n    # why\n    x = (\n        a,\n\n    )\n    return x, b\n'
    assert list(sizes("m.py", text)) == [Size("file", "m.py", 14), Size("function", "m.py:f", 5), Size("parameters", "m.py:f", 2)]
