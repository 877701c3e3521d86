"""The monthly panel of the S&P 500 history, ingested into a folder that is thrown away."""

from __future__ import annotations

__all__ = ["VARIABLE", "history_folder", "monthly_panel"]

import os
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from gammastar.store import ingest, open_store
from replications.table import AbsentError

if TYPE_CHECKING:
    from gammastar.market.panel import Panel

VARIABLE = "GAMMASTAR_SP500"
ROOT = Path(__file__).resolve().parents[1]
BESIDE = Path("..", "shared", "data", "sp500")


def history_folder() -> Path:
    """Return the folder of the history.

    Raises:
        AbsentError: it is neither where the environment says nor beside the repository.
    """
    named = os.environ.get(VARIABLE)
    folder = Path(named) if named else ROOT / BESIDE
    if not (folder / "members_monthly.parquet").is_file():
        raise AbsentError(f"the S&P 500 history is not at {named or BESIDE.as_posix()}. Next: name its folder in {VARIABLE}")
    return folder


@cache
def monthly_panel() -> Panel:
    """Return the monthly panel.

    Raises:
        AbsentError: no history.
    """
    folder = history_folder()
    with tempfile.TemporaryDirectory() as scratch:
        ingest(folder, Path(scratch) / "store", mapping=ROOT / "examples" / "datasets" / "sp500.toml")
        return open_store(Path(scratch) / "store").panel("monthly")
