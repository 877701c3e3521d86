"""Every replication runs as people run it, prints its table, and says by its exit code whether it agrees."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FINE, MISMATCH, ABSENT = 0, 1, 5


def relatives_missing() -> str | None:
    """Say why the price relatives cannot be read, or nothing."""
    named = os.environ.get("GAMMASTAR_RELATIVES")
    if named:
        return None if (Path(named) / "nyse_o.csv").is_file() else "GAMMASTAR_RELATIVES names a folder without nyse_o.csv"
    try:
        metadata.distribution("universal-portfolios")
    except metadata.PackageNotFoundError:
        return "the wheel universal-portfolios (requirements/replications.txt) is not installed; GAMMASTAR_RELATIVES may name its data folder"
    return None


def run(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run Python from the root of the repository."""
    return subprocess.run([sys.executable, *code.split("|")], cwd=ROOT, env=os.environ | variables, capture_output=True, text=True, check=False)


@pytest.fixture
def relatives() -> None:
    reason = relatives_missing()
    if reason:
        pytest.skip(reason)


@pytest.mark.parametrize("module", ["cover", "constant_rebalanced"])
@pytest.mark.usefixtures("relatives")
def test_published_numbers_of_the_classic_markets(module: str) -> None:
    done = run(f"-m|replications.{module}")
    assert done.returncode == FINE, done.stdout + done.stderr
    assert "NO" not in done.stdout.replace("NYSE(o)", "")


@pytest.mark.slow
@pytest.mark.parametrize("module", ["sp500", "size_leakage"])
def test_tables_of_the_real_history(sp500: Path, module: str) -> None:
    done = run(f"-m|replications.{module}", GAMMASTAR_SP500=str(sp500))
    assert done.returncode == FINE, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("module", ["atlas_gaps", "volatility_stabilised"])
def test_tables_of_simulated_markets(module: str) -> None:
    done = run(f"-m|replications.{module}")
    assert done.returncode == FINE, done.stdout + done.stderr


@pytest.mark.parametrize(("module", "variable"), [("cover", "GAMMASTAR_RELATIVES"), ("sp500", "GAMMASTAR_SP500"), ("size_leakage", "GAMMASTAR_SP500")])
def test_absent_data_is_told_and_not_called_a_failure(module: str, variable: str, tmp_path: Path) -> None:
    done = run(f"-m|replications.{module}", **{variable: str(tmp_path)})
    assert done.returncode == ABSENT, done.stdout + done.stderr
    assert done.stdout.startswith("skipped: ")
    assert variable in done.stdout
    assert done.stderr == ""


def test_the_data_wheel_is_never_imported() -> None:
    done = run("-c|import sys, replications.__main__; print('universal' in sys.modules, 'gammastar.core.universal' in sys.modules)")
    assert done.stdout.split() == ["False", "True"], done.stderr


TABLES = """
import sys
from replications.table import Row, Table, AbsentError, main
def table(*rows): return lambda: Table("title", "source", rows)
def absent(): raise AbsentError("no data")
fine, wrong = table(Row("a", "1.50", 1.504)), table(Row("a", "1.50", 1.506))
near, far = table(Row("a", "1", 1.39, 0.1)), table(Row("a", "1", 1.41, 0.1))
biased = table(Row("a", "1", 1.41, 0.1, 0.02))
sys.exit(main(*eval(sys.argv[1])))
"""


@pytest.mark.parametrize(
    ("makers", "code"),
    [
        ("[fine, near, biased]", FINE),
        ("[fine, wrong]", MISMATCH),
        ("[far]", MISMATCH),
        ("[fine, absent]", ABSENT),
        ("[absent, wrong, fine]", MISMATCH),
        ("[wrong, absent]", MISMATCH),
    ],
)
def test_a_number_that_is_off_is_a_mismatch(makers: str, code: int) -> None:
    done = run(f"-c|{TABLES}|{makers}")
    assert done.returncode == code, done.stderr


def test_every_module_is_in_the_readme() -> None:
    text = (ROOT / "replications" / "README.md").read_text(encoding="utf-8")
    helpers = {"__init__", "__main__", "table", "relatives", "sp500_panel"}
    modules = {file.stem for file in (ROOT / "replications").glob("*.py")} - helpers
    assert len(modules) == 6
    assert all(f"`{module}`" in text for module in modules)
