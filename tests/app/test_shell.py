"""The command line as a program: usage, streams, help, and the workspace that `init` writes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from gammastar.app.cli import app

FROM, TO, ON = "2019-06-28", "2019-12-31", "2019-11-29"


def program(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the installed program as a process of its own."""
    command = [sys.executable, "-c", "from gammastar.app.cli import main; main()", *map(str, arguments)]
    environment = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1", "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment, check=False, timeout=120)


def commands(group: object = None, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Return the words of every command."""
    group = typer.main.get_command(app) if group is None else group
    found = []
    for name, command in group.commands.items():
        found += commands(command, (*path, name)) if hasattr(command, "commands") else [(*path, name)]
    return found


def test_verbs_are_all_there():
    """The verbs that the documentation promises."""
    assert {" ".join(words) for words in commands()} == {
        "ingest", "append", "data status", "data diff", "data sources", "data match", "data check", "data override", "data quarantine", "data revoke", "data corrections", "simulate large-cap", "simulate atlas", "simulate first-order", "simulate hybrid-atlas",
        "simulate geometric-brownian", "simulate volatility-stabilised", "simulate rank-jacobi", "mandate validate", "propose", "check", "frontier", "why", "replay", "backtest", "report",
        "compare", "verify", "init", "sweep", "risk evaluate",
        "theory decompose", "theory rebalancing", "theory capital-curve",
    }  # fmt: skip


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_has_help(gammastar, words):
    """Help says what the command does and what each option is; it needs no data."""
    answer = gammastar(*words, "--help")
    assert (answer.code, answer.err) == (0, "")
    assert "Usage: " in answer.out


@pytest.mark.parametrize("words", [words for words in commands() if words not in {("init",)}], ids=" ".join)
def test_every_reading_verb_speaks_json(gammastar, words):
    """`--json` is an option of every verb that tells something."""
    assert "--json" in gammastar(*words, "--help").out


@pytest.mark.parametrize(
    "arguments",
    [
        ("propse",),
        ("propose",),
        ("propose", "m.toml", "--data", "s"),
        ("propose", "m.toml", "--data", "s", "--on", "2019-11-29", "--hodlings", "x"),
        ("ingest", "d"),
        ("data",),
        ("data", "stats"),
        ("simulate", "large-cap", "--out", "d", "--seed", "x"),
        ("simulate", "large-cap", "--out", "d", "--members", "3"),
        ("compare", "one"),
    ],
)
def test_wrong_usage(gammastar, arguments, tmp_path, monkeypatch):
    """Unknown commands and options, missing and impossible values: exit code 2, nothing written."""
    monkeypatch.chdir(tmp_path)
    assert gammastar(*arguments).code == 2
    assert list(tmp_path.iterdir()) == []


def test_version():
    """The program says its version on stdout, as a process of its own."""
    from gammastar import __version__

    done = program("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{__version__}\n", "")


def test_failures_of_the_process_have_no_traceback(tmp_path):
    """Exit codes and streams of a real process."""
    done = program("propose", "absent.toml", "--data", "store", "--on", ON, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: absent.toml: the file cannot be read")
    assert "Traceback" not in done.stderr


def test_a_closed_pipe_is_no_failure_to_tell(store):
    """`gammastar ... | head -1` ends quietly."""
    code = "from gammastar.app.cli import main; main()"
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-c", code, "data", "status", str(store)],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
    )
    os.close(writing)
    assert "Traceback" not in done.stderr


def test_a_place_that_cannot_be_written(gammastar, store, mandates, tmp_path):
    """The operating system's refusal is one line."""
    blocked = tmp_path / "file"
    blocked.write_text("")
    answer = gammastar("propose", mandates / "tiny.toml", "--data", store, "--on", ON, "--orders", blocked / "orders.csv")
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.startswith("error: ")
    assert answer.err.count("\n") == 1


def test_init_keeps_what_is_there(gammastar, tmp_path):
    """A second `init` changes nothing; a file in the way is refused."""
    desk = tmp_path / "desk"
    assert gammastar("init", desk).code == 0
    (desk / "mandate.toml").write_text("mine")
    answer = gammastar("init", desk)
    assert "nothing was changed" in answer.out
    assert (desk / "mandate.toml").read_text() == "mine"
    assert gammastar("init", desk / "mandate.toml").code == 2


def test_the_template_is_followed_to_the_end(gammastar, dataset, tmp_path, monkeypatch):
    """`init` in an empty folder, own files in `dataset/`, and then its README line by line, each with exit code 0."""
    monkeypatch.chdir(tmp_path)
    assert gammastar("init").code == 0
    assert {path.name for path in tmp_path.iterdir()} == {"mandate.toml", "dataset.toml", "README.md"}
    (tmp_path / "dataset").symlink_to(dataset)
    block = re.search(r"```\n(.*?)```", (tmp_path / "README.md").read_text(), re.DOTALL)
    lines = [line.replace("2008-12-31", FROM).split() for line in block[1].strip().splitlines()]
    assert len(lines) >= 6
    for words in lines:
        assert words[0] == "gammastar"
        answer = gammastar(*words[1:])
        assert answer.code == 0, answer.err
    assert (tmp_path / "runs" / "first" / "tearsheet.html").exists()


def test_template_and_example_are_the_same_mandate():
    """What `init` writes is the first committed example."""
    from gammastar.mandate import Mandate

    root = Path(__file__).resolve().parents[2]
    template, example = (
        root / "src" / "gammastar" / "templates" / "mandate.toml",
        root / "examples" / "mandates" / "us-enhanced-index.toml",
    )
    assert Mandate.load(template).fingerprint == Mandate.load(example).fingerprint
