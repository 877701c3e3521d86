"""The main job on the real S&P 500, by phase: loading, risk, solving, everything else (accounting, trading, measuring).

Enhanced index on the daily panel, 2008-12-31 to 2019-12-31, monthly re-optimisation, weekly rebalancing, tracking error 2%, active weight 0.5%,
sectors 1%, 5 bp costs. Run it as ``python benchmarks/real_run.py [--json]``; it needs the shared data (GAMMASTAR_SP500 says where it is).
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import json
import resource
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gammastar.backtest import run_backtest
from gammastar.mandate import ActiveWeight, Clocks, GroupActive, Mandate, TrackingError, TradingPolicy
from gammastar.market.calendar import Clock
from gammastar.optimise import decide
from gammastar.risk.online import OnlineReturns
from gammastar.store import ingest, open_store

if TYPE_CHECKING:
    from collections.abc import Callable

SP500 = Path(os.environ.get("GAMMASTAR_SP500", Path(__file__).parents[2] / "shared" / "data" / "sp500"))
SECONDS: dict[str, float] = defaultdict(float)


def timed(phase: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return `function`, its seconds added up under `phase`."""

    def run(*args: Any, **kwargs: Any) -> Any:
        began = time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            SECONDS[phase] += time.perf_counter() - began

    return run


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if not SP500.is_dir():
        sys.exit(f"there is no data at {SP500}; set GAMMASTAR_SP500")
    mandate = Mandate(
        rules=(TrackingError(0.02), ActiveWeight(0.005), GroupActive(0.01)),
        clocks=Clocks(Clock.MONTHLY, Clock.WEEKLY, 1),
        trading=TradingPolicy(cost=0.0005),
    )
    with tempfile.TemporaryDirectory() as folder:
        timed("ingest", ingest)(SP500, Path(folder) / "store")
        panel = timed("load panel", open_store(Path(folder) / "store").panel)("daily")
    OnlineReturns.update = timed("risk", OnlineReturns.update)  # type: ignore[method-assign]
    OnlineReturns.estimate = timed("risk", OnlineReturns.estimate)  # type: ignore[method-assign]
    decide.best_answer = timed("solve", decide.best_answer)
    result = run_backtest(mandate, panel, "2008-12-31", "2019-12-31")
    table = dict(SECONDS)
    table["accounting and the rest"] = result.wall_seconds - table["risk"] - table["solve"]
    table["run in all"] = result.wall_seconds
    found = result.to_dict()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if arguments.json:
        print(json.dumps({"seconds": table, "peak_mb": peak, "breaches": found["breaches"], "attribution": found["attribution"]}, indent=1))
        return
    for phase, seconds in table.items():
        print(f"{phase:<26}{seconds:8.2f} s")
    print(f"{'peak memory':<26}{peak:8.0f} MB")
    print(f"{'decisions, breaches':<26}{found['decisions']:>8} {found['breaches']}")


if __name__ == "__main__":
    main()
