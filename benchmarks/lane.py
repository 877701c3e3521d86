"""The fast lane against cvxpy with Clarabel in factor form: one problem stated and solved, cold and warm, at 500 and at 3,000 names.

Both sides state the same problem anew and solve it: tracking error, active weights, sectors, proportional costs (as in `proposal.py`). Cold starts from
nothing; warm starts from the optimum of the week before, after which prices, holdings and the risk model have moved. CPU time of one thread, median of
runs taken in turn, five in a row. Writes build/bench.json; what others wrote there stays.

    python benchmarks/lane.py [--repeats 7] [--out build/bench.json]
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = os.environ["RAYON_NUM_THREADS"] = "1"

import argparse
import json
import statistics
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gammastar.core.covariance import FactoredCovariance
from gammastar.optimise.certify import prove
from gammastar.optimise.fast import duals_of
from gammastar.optimise.lane import lane_of
from gammastar.optimise.newton import newton
from gammastar.optimise.problem import state_problem
from gammastar.optimise.solver import Answer, Outcome, solve
from proposal import mandate, market, modelled

if TYPE_CHECKING:
    from collections.abc import Callable

    from gammastar.mandate import Mandate
    from gammastar.market.moment import Moment
    from gammastar.optimise.fast import Warm

WEEKLY, MODEL = 0.03, 0.01
"""Volatility of a name's week; by how much the risk model moves in it."""
CVXPY_EVERY = 3
"""One turn of cvxpy to so many of ours: it is the slow one."""
ROW = 5
"""Runs in a row of one turn, of both sides alike: as in a loop over weeks, what a run needs is in the processor's caches."""


def week_later(moment: Moment, weights: np.ndarray, seed: int) -> Moment:
    """Return the moment a week on: prices, holdings and the risk model have moved."""
    rng = np.random.default_rng(seed)
    sigma = moment.covariance
    if sigma is None:
        raise ValueError("risk is given here")
    gross = np.exp(rng.normal(0.0, WEEKLY, len(weights)))
    mu, held = moment.benchmark * gross, weights * gross
    moved = FactoredCovariance(sigma.loadings * (1.0 + rng.normal(0.0, MODEL, sigma.loadings.shape)), sigma.specific * np.exp(rng.normal(0.0, MODEL, len(weights))))
    return replace(moment, benchmark=mu / mu.sum(), holdings=held / held.sum(), covariance=moved)


def ours(signed: Mandate, moment: Moment, warm: Warm | None) -> Answer:
    """Return our answer: state the problem, solve it."""
    answer = solve(state_problem(signed, moment), warm=warm)
    if answer.outcome is not Outcome.SOLVED:
        raise RuntimeError(f"ours: {answer.message}")
    return answer


def medians(jobs: dict[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """Return the median CPU time of each job in seconds. They take turns, so that whatever else the machine does hits all of them alike."""
    taken: dict[str, list[float]] = {name: [] for name in jobs}
    for turn in range(repeats * CVXPY_EVERY):
        for name, job in jobs.items():
            if name.startswith("cvxpy") and turn % CVXPY_EVERY:
                continue
            for _ in range(ROW):
                start = time.process_time()
                job()
                taken[name].append(time.process_time() - start)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def measure(names: int, repeats: int) -> dict[str, Any]:
    """Return seconds and ratios at one size."""
    signed, first = mandate(), market(names, seed=names)
    before = ours(signed, first, None)
    moment, warm = week_later(first, before.weights, seed=names + 1), before.warm
    problem = state_problem(signed, moment)
    lane = lane_of(problem)
    cold, hot, (theirs, _) = ours(signed, moment, None), ours(signed, moment, warm), modelled(moment)
    found = None if lane is None else newton(lane)
    jobs: dict[str, Callable[[], Any]] = {
        "cold": lambda: ours(signed, moment, None),
        "warm": lambda: ours(signed, moment, warm),
        "cvxpy": lambda: modelled(moment),
        "of_which_stating": lambda: state_problem(signed, moment),
        "of_which_lane": lambda: lane_of(problem),
    }
    if lane is not None and found is not None:
        duals = duals_of(problem, lane, found)
        jobs |= {"of_which_newton_cold": lambda: newton(lane), "of_which_proof": lambda: prove(problem, cold.weights, duals)}
    seconds = medians(jobs, repeats)
    value = problem.value
    return {
        "seconds": seconds,
        "cold": seconds["cvxpy"] / seconds["cold"],
        "warm": seconds["cvxpy"] / seconds["warm"],
        "rungs": {"cold": cold.rung.value, "warm": hot.rung.value},
        "steps": {"cold": cold.iterations, "warm": hot.iterations},
        "objective_above_cvxpy": value(cold.weights) / value(theirs) - 1.0,
        "warm_against_cold": value(hot.weights) / value(cold.weights) - 1.0,
    }


def main() -> None:
    """Measure, write, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7, help="turns of cvxpy, of five runs each; ours has three times as many")
    parser.add_argument("--out", type=Path, default=Path("build/bench.json"))
    asked = parser.parse_args()
    small, large = measure(500, asked.repeats), measure(3000, asked.repeats)
    told = {
        "solve_cold_500": small["cold"],
        "solve_warm_500": small["warm"],
        "solve_cold_3000": large["cold"],
        "solve_warm_3000": large["warm"],
        "solve": {"500": small, "3000": large},
    }
    known = json.loads(asked.out.read_text()) if asked.out.exists() else {}
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(json.dumps({**known, **told}, indent=2) + "\n")
    for names, row in (("500", small), ("3000", large)):
        parts = ", ".join(f"{name.removeprefix('of_which_')} {1e3 * seconds:.2f}" for name, seconds in row["seconds"].items())
        print(f"{names} names: cold {row['cold']:.1f}x, warm {row['warm']:.1f}x cvxpy ({row['rungs']['cold']}; {row['steps']} steps); ms: {parts}")
        print(f"  objective over cvxpy's - 1: {row['objective_above_cvxpy']:.1e}; warm over cold - 1: {row['warm_against_cold']:.1e}")


if __name__ == "__main__":
    main()
