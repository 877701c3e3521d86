"""One proposal against the same problem in cvxpy with Clarabel, at n = 100, 500 and 3000 names and 20 factors.

Both get the covariance given, in factor form, and the mandate: tracking error 2% (a cone), active weight 0.5%, 11 sectors within 1%, costs of
5 bp on trades away from drifted holdings. Ours is timed as `state` plus `solve` (from mandate and moment to weights), and once more as the
whole of `propose` (with the independent check, forecast and fingerprint). cvxpy is timed as it is used: build the expressions, `solve`. Its solver
alone is timed too, so that one sees what the modelling layer costs. Both run on one thread.

    python benchmarks/proposal.py [--names 100 500 3000] [--repeats 7] [--json]
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = os.environ["RAYON_NUM_THREADS"] = "1"

import argparse
import json
import platform
import statistics
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import clarabel
import cvxpy as cp
import numpy as np

from gammastar.core.covariance import FactoredCovariance
from gammastar.mandate import ActiveWeight, GroupActive, Mandate, TrackingError, TradingPolicy
from gammastar.market.assets import Assets
from gammastar.market.calendar import Frequency
from gammastar.market.moment import Moment
from gammastar.optimise import propose
from gammastar.optimise.problem import state_problem
from gammastar.optimise.solver import Outcome, solve

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy import ndarray

FACTORS, SECTORS, SESSIONS = 20, 11, 126
TRACKING_ERROR, ACTIVE, SECTOR, COST = 0.02, 0.005, 0.01, 0.0005
PERCENT, SCALE = 100.0, 1e4


@dataclass(frozen=True)
class Row:
    """Medians in seconds of one size, and how far the two answers are apart."""

    names: int
    state_and_solve: float
    propose: float
    cvxpy: float
    cvxpy_solver_alone: float
    ratio: float
    ratio_whole_proposal: float
    objective_gap: float
    largest_weight_gap: float


def market(names: int, seed: int) -> Moment:
    """Return a large-cap market with its risk given and holdings that have drifted from the benchmark."""
    rng = np.random.default_rng(seed)
    mu = 1.0 / (np.arange(names) + 10.0) * rng.uniform(0.7, 1.4, names)
    mu /= mu.sum()
    held = mu * np.exp(rng.normal(0.0, 0.05, names))
    loadings = np.column_stack((rng.uniform(0.1, 0.25, names), rng.normal(0.0, 0.04, (names, FACTORS - 1))))
    return Moment(
        session=np.datetime64("2015-06-30"),
        assets=Assets(tuple(f"A{i:04d}" for i in range(names))),
        frequency=Frequency.DAILY,
        returns=np.zeros((SESSIONS, names)),
        observed=np.ones((SESSIONS, names), dtype=bool),
        benchmark=mu,
        benchmark_history=np.tile(mu, (SESSIONS, 1)),
        published=np.ones(SESSIONS, dtype=bool),
        sector_labels=tuple(f"S{k:02d}" for k in range(SECTORS)),
        sector_codes=rng.integers(0, SECTORS, names),
        holdings=held / held.sum(),
        covariance=FactoredCovariance(loadings, rng.uniform(0.12, 0.4, names) ** 2),
    )


def mandate() -> Mandate:
    """Return the mandate that both sides solve."""
    rules = (TrackingError(TRACKING_ERROR), ActiveWeight(ACTIVE), GroupActive(SECTOR))
    return Mandate(rules=rules, trading=TradingPolicy(cost=COST))


def ours(signed: Mandate, moment: Moment) -> ndarray:
    """Return our weights: state the problem, solve it."""
    answer = solve(state_problem(signed, moment))
    if answer.outcome is not Outcome.SOLVED:
        raise RuntimeError(f"ours: {answer.message}")
    return answer.weights


def modelled(moment: Moment) -> tuple[ndarray, float]:
    """Return cvxpy's weights, and the seconds its solver took, for the problem as a careful user would write it: factor form, percent of weight."""
    mu, sigma = moment.benchmark, moment.covariance
    if sigma is None or moment.holdings is None:
        raise ValueError("risk and holdings are given here")
    n = len(mu)
    growth = 0.5 * sigma.relative_variances(mu)
    x, f = cp.Variable(n), cp.Variable(FACTORS)
    deviation = np.sqrt(sigma.specific)
    groups = (moment.sector_codes[None, :] == np.arange(SECTORS)[:, None]).astype(float)
    trades = cp.norm1(x - PERCENT * (moment.holdings - mu))
    gain = growth @ x / PERCENT - COST * trades / PERCENT - 0.5 * (cp.sum_squares(f) + cp.sum_squares(cp.multiply(deviation, x))) / PERCENT**2
    constraints = [
        f == sigma.loadings.T @ x,
        cp.sum(x) == 0.0,
        x >= -PERCENT * np.minimum(mu, ACTIVE),
        x <= PERCENT * ACTIVE,
        cp.abs(groups @ x) <= PERCENT * SECTOR,
        cp.norm(cp.hstack([f, cp.multiply(deviation, x)])) <= PERCENT * TRACKING_ERROR,
    ]
    problem = cp.Problem(cp.Maximize(SCALE * gain), constraints)
    problem.solve(solver="CLARABEL", max_threads=1, tol_feas=1e-9, tol_gap_rel=1e-9, tol_gap_abs=1e-9)
    if problem.status != "optimal" or x.value is None:
        raise RuntimeError(f"cvxpy: {problem.status}")
    return mu + x.value / PERCENT, float(problem.solver_stats.solve_time)


def median_seconds(jobs: list[Callable[[], Any]], repeats: int) -> list[float]:
    """Return the median wall time of each job. They take turns, so that whatever else the machine does hits all of them alike."""
    taken: list[list[float]] = [[] for _ in jobs]
    for _ in range(repeats):
        for k, job in enumerate(jobs):
            start = time.perf_counter()
            job()
            taken[k].append(time.perf_counter() - start)
    return [statistics.median(seconds) for seconds in taken]


def measure(names: int, repeats: int) -> Row:
    """Return one line of the table."""
    signed, moment = mandate(), market(names, seed=names)
    here, (there, _) = ours(signed, moment), modelled(moment)
    value = state_problem(signed, moment).value
    alone: list[float] = []
    jobs = [lambda: ours(signed, moment), lambda: propose(signed, moment), lambda: alone.append(modelled(moment)[1])]
    own, whole, theirs = median_seconds(jobs, repeats)
    return Row(
        names=names,
        state_and_solve=own,
        propose=whole,
        cvxpy=theirs,
        cvxpy_solver_alone=statistics.median(alone),
        ratio=theirs / own,
        ratio_whole_proposal=theirs / whole,
        objective_gap=abs(value(here) / value(there) - 1.0),
        largest_weight_gap=float(np.abs(here - there).max()),
    )


def table(rows: list[Row]) -> str:
    """Return the rows as a table of text."""
    head = f"{'names':>6} {'state+solve s':>14} {'propose s':>10} {'cvxpy s':>9} {'its solver s':>13} {'ratio':>7} {'ratio whole':>12} {'objective gap':>14} {'weight gap':>11}"
    lines = [
        f"{r.names:>6} {r.state_and_solve:>14.4f} {r.propose:>10.4f} {r.cvxpy:>9.4f} {r.cvxpy_solver_alone:>13.4f} {r.ratio:>6.1f}x"
        f" {r.ratio_whole_proposal:>11.1f}x {r.objective_gap:>14.1e} {r.largest_weight_gap:>11.1e}"
        for r in rows
    ]
    return "\n".join((head, *lines))


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--names", type=int, nargs="+", default=[100, 500, 3000])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    asked = parser.parse_args()
    rows = [measure(names, asked.repeats) for names in asked.names]
    facts = {
        "benchmark": "proposal",
        "factors": FACTORS,
        "repeats": asked.repeats,
        "python": platform.python_version(),
        "clarabel": clarabel.__version__,
        "cvxpy": cp.__version__,
        "numpy": np.__version__,
    }
    if asked.json:
        print(json.dumps({**facts, "rows": [asdict(row) for row in rows]}, indent=2))
    else:
        print(", ".join(f"{key} {value}" for key, value in facts.items()))
        print(table(rows))


if __name__ == "__main__":
    main()
