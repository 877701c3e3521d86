"""What it costs to keep a hybrid risk model up to date: one session taken, and one estimate, at 500 and 3,000 names, against the batch.

The market is that of `walk_forward.py`. The batch finds the regressions of the whole window anew at every estimate. Both give the same estimate; how far
they are apart is told. Times are of the processor, on one thread.

    python benchmarks/risk_update.py [--names 500 3000] [--json]
"""

from __future__ import annotations

import walk_forward  # isort: skip - first: it sets the number of threads

import argparse
import json
import statistics
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from gammastar.risk.hybrid import HybridFactors

if TYPE_CHECKING:
    from collections.abc import Callable

SESSIONS, ESTIMATES = 60, 5
TARGETS = {3000: 0.003}
"""Seconds of the processor for one session taken."""


def each(job: Callable[[], Any], times: int) -> float:
    """Return the median of the processor's time for a job, after one run to warm up."""
    job()
    taken = []
    for _ in range(times):
        start = time.process_time()
        job()
        taken.append(time.process_time() - start)
    return statistics.median(taken)


def measure(names: int) -> dict[str, float]:
    """Return the seconds, and how far both forms are apart."""
    panel, model = walk_forward.market(names, 1.0), HybridFactors()
    first = len(panel) - SESSIONS - 1
    online, taken = model.online().update(panel.moment(first)), []
    for t in range(first + 1, len(panel)):
        moment = panel.moment(t)
        start = time.process_time()
        online = online.update(moment)
        taken.append(time.process_time() - start)
    moment = panel.moment(len(panel) - 1)
    probes = np.random.default_rng(0).normal(size=(20, names)) / names
    told, batch = online.estimate(moment), model.estimate(moment)
    apart = max(abs(told.quadratic(probe) / batch.quadratic(probe) - 1.0) for probe in probes)
    return {
        "a session taken": statistics.median(taken),
        "an estimate": each(lambda: online.estimate(moment), ESTIMATES),
        "an estimate in batch": each(lambda: model.estimate(moment), ESTIMATES),
        "variances apart": apart,
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--names", type=int, nargs="+", default=[500, 3000])
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    found = {names: measure(names) for names in arguments.names}
    if arguments.json:
        print(json.dumps(found, indent=1))
        return
    for names, row in found.items():
        print(f"{names} names")
        for name, value in row.items():
            print(f"  {name:<24}{value:10.1e}" if name == "variances apart" else f"  {name:<24}{1e3 * value:10.2f} ms")
        if names in TARGETS:
            print(f"  target for a session {1e3 * TARGETS[names]:.0f} ms: {'met' if row['a session taken'] <= TARGETS[names] else 'missed'}")


if __name__ == "__main__":
    main()
