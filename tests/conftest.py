"""What all tests share: one BLAS thread, repeatable examples, and the real S&P 500 history where it is present."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from gammastar.market.panel import Panel

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path("..", "shared", "data", "sp500")

# For the processes that the run starts: workers and commands. In its own, pytest-randomly has imported numpy already; `make` sets them before that.
for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

REAL_DATA_FIXTURES = {"sp500", "sp500_store", "sp500_daily", "sp500_monthly"}

# The same examples on every machine and every day; no deadline, since machines are shared.
settings.register_profile("gammastar", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("gammastar")


def sp500_path() -> Path:
    """Return where the real S&P 500 history is looked for: `GAMMASTAR_SP500`, or beside the repository."""
    return Path(os.environ.get("GAMMASTAR_SP500") or ROOT / SHARED)


def sp500_place() -> str:
    """Return that place in words that do not depend on the machine."""
    return os.environ.get("GAMMASTAR_SP500") or SHARED.as_posix()


def _sp500_present() -> bool:
    return (sp500_path() / "members_monthly.parquet").is_file()


def pytest_report_header() -> str:
    """Say whether the real history is there."""
    return f"shared data: {'present' if _sp500_present() else 'absent'} at {sp500_place()}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test that reads the real history, so that `-m sp500` selects it and the closing lines can count it."""
    for item in items:
        if REAL_DATA_FIXTURES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker("sp500")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many tests read the real history, or would have."""
    stats = terminalreporter.stats
    counts = {kind: sum("sp500" in getattr(report, "keywords", ()) for report in stats.get(kind, ())) for kind in ("passed", "failed", "error", "skipped")}
    told = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count) or "none selected"
    terminalreporter.write_line(f"shared data: {'present' if _sp500_present() else 'absent'} at {sp500_place()}; tests that use it: {told}")


@pytest.fixture(scope="session")
def sp500() -> Path:
    """The folder of the real S&P 500 history."""
    if not _sp500_present():
        pytest.skip(f"the S&P 500 history is not at {sp500_place()}; GAMMASTAR_SP500 may say where it is")
    return sp500_path()


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], object]], Path]:
    """Return ``made_once(name, make)``: the folder that ``make(folder)`` fills, made by one worker of the run and read by all."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def once(name: str, make: Callable[[Path], object]) -> Path:
        folder, done = shared / name, shared / f"{name}.done"
        with (shared / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # released when the file closes, whatever happens
            if not done.exists():
                make(folder)
                done.touch()
        return folder

    return once


@pytest.fixture(scope="session")
def sp500_store(sp500: Path, made_once: Callable[[str, Callable[[Path], object]], Path]) -> Path:
    """The real history, ingested."""
    from gammastar.store import ingest

    return made_once("sp500-store", lambda folder: ingest(sp500, folder, mapping=ROOT / "examples" / "datasets" / "sp500.toml"))


@pytest.fixture(scope="session")
def sp500_daily(sp500_store: Path) -> Panel:
    """The daily panel of the real history."""
    from gammastar.store import open_store

    return open_store(sp500_store).panel("daily")


@pytest.fixture(scope="session")
def sp500_monthly(sp500_store: Path) -> Panel:
    """The monthly panel of the real history."""
    from gammastar.store import open_store

    return open_store(sp500_store).panel("monthly")
