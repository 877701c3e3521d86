"""A sweep is its backtests, run one by one: the same numbers, whatever runs them, in whatever order; nothing is run twice, and no failure is lost."""

from __future__ import annotations

import mmap
import pickle
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from gammastar.backtest import run_backtest
from gammastar.backtest.compare import flat_statistics
from gammastar.backtest.run import run_fingerprint, run_span
from gammastar.errors import MandateError, UsageError
from gammastar.mandate import Mandate
from gammastar.simulate import LargeCapMarket
from gammastar.sweep import Archive, Task, grid, run_sweep, tasks_of
from gammastar.sweep.shared import open_shared, share

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gammastar.market.panel import Panel

TEXT = """
name = "Swept"
[strategy]
kind = "volatility_capture"
[rules]
tracking_error = { limit = 0.03 }
active_weight = { limit = 0.03 }
[risk]
kind = "statistical_factors"
factors = 5
window = 300
[clocks]
reoptimise = "quarterly"
"""
SETTINGS = {"rules.tracking_error.limit": [0.01, 0.02], "trading.cost_bp": [0.0, 10.0]}
SPAN = ("2008-06-30", "2009-03-31")


@pytest.fixture(scope="module")
def panel() -> Panel:
    import datetime as dt

    return LargeCapMarket(members=30, listed=40, start=dt.date(2006, 10, 31), end=dt.date(2009, 6, 30)).simulate(3).panel


@pytest.fixture
def path(tmp_path: Path) -> Path:
    place = tmp_path / "mandate.toml"
    place.write_text(TEXT, encoding="utf-8")
    return place


class AtOnce(Executor):
    """Runs tasks as they are handed in."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


def test_a_sweep_is_its_backtests(panel: Panel, path: Path) -> None:
    tasks = tasks_of(path, SETTINGS)
    with ThreadPoolExecutor(1) as executor:
        found = run_sweep(tasks, panel, SPAN, executor=executor)
    assert [outcome.settings for outcome in found.outcomes] == list(grid(SETTINGS))
    for task, outcome in zip(tasks, found.outcomes, strict=True):
        alone = run_backtest(task.mandate, panel, *SPAN)
        assert outcome.failure == ""
        assert outcome.fingerprint == alone.fingerprint
        assert outcome.statistics == flat_statistics(alone.to_dict())
        assert outcome.number("attribution.cost") == alone.to_dict()["attribution"]["cost"]
    assert found.outcomes[0].number("relative_log_return") != found.outcomes[1].number("relative_log_return")


def test_processes_give_the_same_to_the_bit(panel: Panel, path: Path) -> None:
    tasks = tasks_of(path, SETTINGS)[:2]
    here = run_sweep(tasks, panel, SPAN, executor=AtOnce())
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as executor:
        there = run_sweep(tasks, panel, SPAN, executor=executor)
    assert here == there


def test_runs_that_are_there_are_not_run_again(panel: Panel, path: Path, tmp_path: Path) -> None:
    tasks, archive = tasks_of(path, SETTINGS)[:1], Archive(tmp_path / "runs")
    first = run_sweep(tasks, panel, SPAN, executor=AtOnce(), archive=archive)
    second = run_sweep(tasks, panel, SPAN, executor=AtOnce(), archive=archive)
    assert (first.outcomes[0].again, second.outcomes[0].again) == (False, True)
    assert second.outcomes[0].statistics == first.outcomes[0].statistics
    kept = Mandate.load(archive.folder / first.outcomes[0].fingerprint[:16] / "mandate.toml")
    assert kept.fingerprint == tasks[0].mandate.fingerprint


def test_a_run_that_fails_is_told_and_stops_no_other(panel: Panel, path: Path) -> None:
    tasks = tasks_of(path, {"rules.weight.maximum": [0.01, 0.5]})
    found = run_sweep(tasks, panel, SPAN, executor=AtOnce())
    assert [bool(outcome.failure) for outcome in found.outcomes] == [True, False]
    assert "weight" in found.failed[0].failure
    assert found.to_dict()["failed"] == 1


def test_a_fingerprint_knows_what_decides_a_run(panel: Panel, path: Path) -> None:
    one, other = tasks_of(path, {"trading.cost_bp": [0.0, 10.0]})
    later = replace(panel, benchmark=panel.benchmark[:, ::-1])

    def fingerprint(task: Task, market: Panel, span: tuple[str | None, str | None]) -> str:
        return run_fingerprint(task.mandate, market, *run_span(task.mandate, market, *span))

    told = [fingerprint(one, panel, SPAN), fingerprint(other, panel, SPAN), fingerprint(one, later, SPAN), fingerprint(one, panel, (None, None))]
    assert len(set(told)) == len(told)


def lies_in_a_file(array: np.ndarray) -> bool:
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    while isinstance(base, (memoryview, pickle.PickleBuffer)):
        base = base.obj if isinstance(base, memoryview) else base.raw()
    return isinstance(base, mmap.mmap)


def test_a_shared_panel_is_the_panel_and_no_copy(panel: Panel, tmp_path: Path) -> None:
    share(panel, tmp_path)
    there = open_shared(str(tmp_path))
    assert there.fingerprint == panel.fingerprint
    for name in ("returns", "observed", "benchmark"):
        mapped = getattr(there, name)
        assert np.array_equal(mapped, getattr(panel, name))
        assert lies_in_a_file(mapped)
        assert not mapped.flags.writeable
    assert np.array_equal(there.sectors.codes, panel.sectors.codes)
    assert there.assets == panel.assets
    assert np.array_equal(there.moment(5).benchmark, panel.moment(5).benchmark)
    with pytest.raises(ValueError, match="read-only"):
        there.returns[0, 0] = 1.0


@pytest.mark.parametrize(
    ("settings", "error", "told"),
    [
        ({"rules.tracking_error.limit": []}, UsageError, "no value"),
        ({"rules.tracking_error.limit": [0.02, 0.02]}, UsageError, "same mandate"),
        ({"rules.tracking_eror": [0.02]}, MandateError, "tracking_error"),
        ({"rules.tracking_error.limit": [2.0]}, MandateError, "limit"),
    ],
)
def test_bad_settings_are_refused_before_anything_runs(path: Path, settings: dict[str, list[Any]], error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        tasks_of(path, settings)


def exit_code(*words: str) -> int:
    from gammastar.app.cli import main

    with pytest.raises(SystemExit) as left:
        main(words)
    return int(left.value.code or 0)


def test_the_command_prints_a_line_a_run(panel: Panel, path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from gammastar.store import write_dataset

    write_dataset(panel, tmp_path / "dataset")
    assert exit_code("ingest", str(tmp_path / "dataset"), "--into", str(tmp_path / "store")) == 0
    words = ["sweep", str(path), "--data", str(tmp_path / "store"), "--from", SPAN[0], "--to", SPAN[1], "--set", "rules.weight.maximum=0.01,0.5"]
    capsys.readouterr()
    assert exit_code(*words) == 1
    told = capsys.readouterr().out.splitlines()
    assert told[0].split()[0] == "weight.maximum"
    assert "failed" in told[1]
    assert told[2].split()[0] == "0.5"
    assert told[3].startswith("rules.weight.maximum=0.01: ")
    assert exit_code(*words[:-1], "rules.weight.maximum") == 2
    assert "KEY=VALUES" in capsys.readouterr().err


def test_a_shared_panel_knows_its_past(panel: Panel, tmp_path: Path) -> None:
    """Where something was corrected, moments before that are those of the day, in every process."""
    from gammastar.store import append, ingest, open_store, write_dataset

    write_dataset(panel, tmp_path / "dataset")
    ingest(tmp_path / "dataset", tmp_path / "store")
    asset, at = panel.assets.ids[int(panel.benchmark[300].argmax())], panel.sessions[300]
    (tmp_path / "returns.csv").write_text(f"date,asset_id,total_return,price,split\n{at},{asset},0.05,100.0,1.0\n", encoding="utf-8")
    append(tmp_path / "returns.csv", tmp_path / "store", known=str(panel.calendar.following))
    mended = open_store(tmp_path / "store").panel("daily")
    (tmp_path / "shared").mkdir()
    share(mended, tmp_path / "shared")
    there = open_shared(str(tmp_path / "shared"))
    assert there.fingerprint == mended.fingerprint
    assert there.returns[300].max() == mended.returns[300].max()
    assert np.array_equal(there.moment(350).returns, mended.moment(350).returns)
    assert not np.array_equal(there.moment(350).returns[300], there.returns[300])
