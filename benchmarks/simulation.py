"""The first-order model, 1,000 paths x 500 names x 2,520 sessions, against the drawing of its normals.

The market by rank is streamed: each block of steps is made, looked at (the largest weight's logarithm is summed, so that nothing is left out) and let go; no dense array exists. Beside it the
same normals are drawn, by the same generators in the same calls, and nothing else. The market by name, which follows every name through the ranks, is timed over fewer sessions. All on one
thread; the two sides take turns, share by share of the sessions, so that whatever else the machine does hits both alike.

    python benchmarks/simulation.py [--paths 1000] [--names 500] [--sessions 2520] [--by-name 252] [--json]
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"

import argparse
import json
import platform
import resource
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from gammastar.simulate import FirstOrder, Grid
from gammastar.simulate.grid import generators
from gammastar.simulate.walkers import STEPS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gammastar.simulate import Block

SEED = 1


@dataclass(frozen=True)
class Row:
    """Seconds of one run."""

    what: str
    sessions: int
    normals: float
    simulation: float
    ratio: float
    million_moves_a_second: float


def model(names: int) -> FirstOrder:
    """Return a large-cap-like model: volatilities rise with the rank, the smallest tenth carries the market."""
    drifts = np.full(names, -0.03)
    carried = max(1, names // 10)
    drifts[-carried:] += 0.03 * names / carried
    return FirstOrder(drifts - drifts.mean(), np.sqrt(np.linspace(0.2**2, 0.45**2, names)), growth=0.06)


def timed_normals(streams: list[np.random.Generator], noise: np.ndarray) -> float:
    """Return the seconds of drawing one block of steps for all paths, path by path, into one path's memory."""
    begun = time.perf_counter()
    for rng in streams:
        rng.standard_normal(out=noise)
    return time.perf_counter() - begun


def timed_stream(blocks: Iterator[Block], streams: list[np.random.Generator]) -> tuple[float, float]:
    """Return the seconds of the normals and of the simulation of the same steps, taking turns block by block."""
    normals = simulation = total = 0.0
    while True:
        begun = time.perf_counter()
        block = next(blocks, None)
        if block is not None:
            total += float(block.log_capitalisations[:, :, 0].sum())
        simulation += time.perf_counter() - begun
        if block is None:
            break
        if block.first > 0:
            normals += timed_normals(streams, np.empty(block.log_capitalisations.shape[1:]))
    if not np.isfinite(total):
        raise RuntimeError("the paths are not finite")
    return normals, simulation


def measure(what: str, market: FirstOrder, grid: Grid) -> Row:
    """Return one line of the table; starting points and generators count as simulation."""
    stream = market.stream_ranked if what == "by rank" else market.stream
    streams = generators(SEED + 1, range(grid.paths), purpose=STEPS)
    normals, simulation = timed_stream(stream(grid, SEED), streams)
    moves = grid.paths * grid.steps * len(market) / simulation / 1e6
    return Row(what, grid.steps, normals, simulation, simulation / normals, moves)


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--paths", type=int, default=1000)
    parser.add_argument("--names", type=int, default=500)
    parser.add_argument("--sessions", type=int, default=2520)
    parser.add_argument(
        "--by-name", type=int, default=252, help="sessions of the run that follows names; 0 leaves it out"
    )
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    market = model(given.names)
    rows = [measure("by rank", market, Grid(given.sessions, paths=given.paths))]
    if given.by_name:
        rows.append(measure("by name", market, Grid(given.by_name, paths=given.paths)))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
    if given.json:
        print(
            json.dumps(
                {
                    "machine": platform.machine(),
                    "numpy": np.__version__,
                    "peak_mib": peak,
                    "rows": [asdict(row) for row in rows],
                }
            )
        )
        return
    print(f"{'market':>8} {'sessions':>9} {'normals s':>10} {'simulation s':>13} {'ratio':>6} {'million moves/s':>16}")
    for r in rows:
        print(
            f"{r.what:>8} {r.sessions:>9} {r.normals:>10.2f} {r.simulation:>13.2f} {r.ratio:>5.2f}x {r.million_moves_a_second:>16.1f}"
        )
    print(f"{given.paths} paths x {given.names} names; peak memory {peak:.0f} MiB; by rank the allowance is 4x.")


if __name__ == "__main__":
    main()
