"""The texts: nothing of this machine, nothing unfinished, no dead link, no command that does not exist."""

from __future__ import annotations

import importlib
import re
from typing import TYPE_CHECKING, Any

import pytest

import gammastar

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.project.conftest import Tree

# Each is written in two halves, so that this file does not hold what it looks for.
HOSTS = ("pypi" + ".org", "python" + "hosted", "npm" + "js.", "registry" + ".npm", "deb" + ".debian", "conda" + ".anaconda")
PATHS = re.compile(r"(?<![\w.])/(" + "|".join(("ho" + "me", "Us" + "ers", "wo" + "rk", "ro" + "ot", "fa" + "rm", "tm" + "p")) + r")/\w")
UNFINISHED = re.compile("|".join(("TO" + "DO", "FIX" + "ME", "NotImpl" + "ementedError", "x" + "fail", r"mark\.sk" + r"ip\b")))
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)


def pages(tree: Tree) -> list[Path]:
    return tree.matching("*.md")


def shell_lines(text: str) -> Iterator[list[str]]:
    """Yield the words of each line of each fenced block, without prompt and comment."""
    for block in FENCE.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            yield line.removeprefix("$ ").split("#")[0].split()


def test_no_text_names_a_registry_or_a_path_of_one_machine(tree: Tree) -> None:
    found = []
    for file in tree.files:
        if file.suffix in {".png", ".parquet"}:
            continue
        text = tree.text(file)
        found += [(file.as_posix(), host) for host in HOSTS if host in text]
        found += [(file.as_posix(), match.group()) for match in PATHS.finditer(text)]
    assert not found


def test_nothing_is_left_unfinished_or_silenced(tree: Tree) -> None:
    found = [(file.as_posix(), match.group()) for file in tree.matching("*.py") for match in UNFINISHED.finditer(tree.text(file))]
    assert not found


def test_no_link_between_files_is_dead(tree: Tree) -> None:
    dead = [
        (page.as_posix(), target)
        for page in pages(tree)
        for target in LINK.findall(FENCE.sub("", tree.text(page)))
        if "://" not in target and not target.startswith(("#", "mailto:"))
        if not (tree.root / page.parent / target.split("#")[0]).exists()
    ]
    assert not dead


def test_changelog_tells_of_this_version(tree: Tree) -> None:
    sections = re.split(r"^## ", tree.text("CHANGELOG.md"), flags=re.MULTILINE)[1:]
    mine = [section for section in sections if section.startswith(gammastar.__version__)]
    assert len(mine) == 1
    assert len(mine[0].split()) > 20


@pytest.fixture(scope="module")
def command_line() -> Any:
    import typer

    from gammastar.app.cli import app

    return typer.main.get_command(app)


def unknown_parts(command: Any, words: list[str]) -> list[str]:
    """Return the options, and the verb if it is none, that the command line does not have."""
    while hasattr(command, "commands") and words:
        if words[0] not in command.commands:
            return [] if words[0] == "--help" else words[:1]
        command, words = command.commands[words[0]], words[1:]
    known = {"--help", *(option for parameter in command.params for option in parameter.opts)}
    return [word for word in words if word.startswith("--") and word.split("=")[0] not in known]


def test_every_command_that_a_text_shows_exists(tree: Tree, command_line: Any) -> None:
    shown = 0
    for page in pages(tree):
        for words in shell_lines(tree.text(page)):
            if words[:1] in (["gammastar"], [".venv/bin/gammastar"]):
                shown += 1
                assert not unknown_parts(command_line, words[1:]), (page.as_posix(), words)
    assert shown >= 5


def test_every_make_target_that_a_text_shows_exists_and_is_listed(tree: Tree) -> None:
    listed = set(re.findall(r"^([a-z-]+):.*## ", tree.text("Makefile"), flags=re.MULTILINE))
    assert {"env", "demo", "test", "check", "check-slow", "bench", "docs", "lint"} <= listed
    shown = {words[1] for page in pages(tree) for words in shell_lines(tree.text(page)) if words[:1] == ["make"] and len(words) > 1}
    assert shown
    assert shown <= listed


def commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    yield name, command
    for word, child in getattr(command, "commands", {}).items():
        yield from commands(child, f"{name} {word}")


def test_every_command_and_option_has_help(command_line: Any) -> None:
    for name, command in commands(command_line, "gammastar"):
        assert command.help, name
        for parameter in command.params:
            if parameter.opts[0].startswith("-"):
                assert parameter.help, (name, parameter.opts)


def test_every_name_in_the_glossary_exists(tree: Tree) -> None:
    names = re.findall(r"`gammastar\.([\w.]+)`", tree.text("docs/glossary.md"))
    assert len(names) > 30
    for name in names:
        parts = name.split(".")
        for cut in range(len(parts), 0, -1):
            try:
                value: Any = importlib.import_module(".".join(("gammastar", *parts[:cut])))
            except ModuleNotFoundError:
                continue
            break
        else:
            value, cut = gammastar, 0
        for part in parts[cut:]:
            fields = getattr(value, "__dataclass_fields__", {})
            value = fields[part] if part in fields else getattr(value, part)


def test_decision_records_are_numbered_and_fill_one_page(tree: Tree) -> None:
    records = sorted(file for file in tree.matching("docs/decisions/*.md"))
    assert [record.name[:4] for record in records] == [f"{k:04d}" for k in range(1, len(records) + 1)]
    for record in records:
        lines = tree.text(record).splitlines()
        assert lines[0].startswith(f"# {int(record.name[:4])}. ")
        assert len(lines) <= 60, record
