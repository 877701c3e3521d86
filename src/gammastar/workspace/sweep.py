"""The verb of sweeps: a mandate with a grid of settings, run on a store."""

from __future__ import annotations

__all__ = ["sweep_mandate"]

import os
import tomllib
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

from gammastar.errors import UsageError
from gammastar.workspace.opening import open_panel, parse_date

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from gammastar.sweep import Sweep

ONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def sweep_mandate(
    mandate: Path,
    data: Path,
    settings: Sequence[str],
    *,
    span: tuple[str | None, str | None] = (None, None),
    out: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Sweep:
    """Run a mandate with every combination of settings on a store, one process a core.

    Args:
        mandate: file.
        data: store.
        settings: ``KEY=VALUE,VALUE``, the key dotted as in the file, the values as TOML writes them.
        span: first and last close, YYYY-MM-DD; the defaults of a backtest.
        out: folder for the runs; those that are there already are not run again.
        progress: called with runs done and runs in all.

    Raises:
        UsageError: a setting that cannot be read, or two combinations that are one mandate.
        MandateError: a combination that is no mandate.
    """
    from gammastar.sweep import Archive, run_sweep, tasks_of

    for option, day in zip(("--from", "--to"), span, strict=True):
        if day is not None:
            parse_date(option, day)
    tasks = tasks_of(mandate, dict(_setting(text) for text in settings))
    panel = open_panel(data, None)
    archive = None if out is None else Archive(out, str(data.resolve()))
    for name in ONE_THREAD:  # a process a core: more threads would only wait for each other
        os.environ.setdefault(name, "1")
    with ProcessPoolExecutor(min(os.cpu_count() or 1, len(tasks)), mp_context=get_context("spawn")) as executor:
        return run_sweep(tasks, panel, span, executor=executor, archive=archive, progress=progress)


def _setting(text: str) -> tuple[str, list[Any]]:
    """Return the key and the values of ``KEY=VALUE,VALUE``."""
    key, equals, values = text.partition("=")
    try:
        found = tomllib.loads(f"values = [{values}]")["values"]
    except tomllib.TOMLDecodeError as error:
        raise UsageError("--set", "the values cannot be read", got=text, allowed="as TOML writes them",
                         advice='write numbers as 0.01,0.02 and words in quotes: strategy.kind="generated"') from error  # fmt: skip
    if not equals or not key.strip():
        raise UsageError("--set", "this is not KEY=VALUES", got=text, advice="write for instance rules.tracking_error.limit=0.01,0.02")
    return key.strip(), found
