"""Which rung of the solver's ladder finds the targets in a weekly walk-forward on a simulated large-cap market, for the example mandates.

Risk is estimated and targets are sought at every last session of a week; each search starts from the last. Prints the share of decisions by rung; what
Newton in prices leaves to the rungs below it is the fallback rate.

    python benchmarks/ladder.py [--seed 7] [--members 500] [--from 2009-12-31] [--to 2013-12-31]
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = os.environ["RAYON_NUM_THREADS"] = "1"

import argparse
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from gammastar.backtest import run_backtest
from gammastar.mandate.schema import read_mandate
from gammastar.market.calendar import Clock
from gammastar.optimise import discrete
from gammastar.simulate import LargeCapMarket

MANDATES = ("us-enhanced-index.toml", "us-enhanced-index-classic.toml")


def main() -> None:
    """Run the mandates, print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--members", type=int, default=500)
    parser.add_argument("--from", dest="start", default="2009-12-31")
    parser.add_argument("--to", default="2013-12-31")
    parser.add_argument("--mandates", nargs="+", default=MANDATES, help="files in examples/mandates")
    asked = parser.parse_args()
    panel = LargeCapMarket(members=asked.members, listed=round(1.4 * asked.members)).simulate(asked.seed).panel
    for name in asked.mandates:
        mandate = read_mandate(Path(__file__).parents[1] / "examples" / "mandates" / name)
        mandate = replace(mandate, clocks=replace(mandate.clocks, reoptimise=Clock.WEEKLY))
        rungs, steps, seconds = Counter[str](), list[int](), list[float]()
        first = discrete.solve

        def watched(*given: Any, solve: Any = first, **options: Any) -> Any:
            began = time.process_time()
            answer = solve(*given, **options)
            seconds.append(time.process_time() - began)  # noqa: B023 - used up within the turn
            rungs[answer.rung.value] += 1  # noqa: B023
            steps.append(answer.iterations)  # noqa: B023
            return answer

        discrete.solve = watched
        try:
            run_backtest(mandate, panel, asked.start, asked.to)
        finally:
            discrete.solve = first
        told = ", ".join(f"{rung} {count} ({count / rungs.total():.1%})" for rung, count in rungs.most_common())
        print(f"{name}: {rungs.total()} searches: {told}; median {np.median(steps):.0f} steps, {1e3 * np.median(seconds):.1f} ms")


if __name__ == "__main__":
    main()
