"""Exact decomposition of the diversity family over a long and wide history, against one `np.log` plus one multiply over the same array.

The history is 15,000 sessions of 5,000 names by default, weights and gross total returns given; weights move with returns, dividends (1.5% of the names a
session), issuance (2% of the names a session) and, every 63 sessions, an exchange of ten names, so that every session has a flow. One p, one thread, blocks
of the stated size. The yardstick writes into an array that exists and has been touched: nothing but the logarithm and the multiplication is in it. Times are of the
processor (and of the wall, which other work on the machine can stretch). Beside `decompose_blocks` with the blocks asked for stand `decompose` at every
step, which comes to it with blocks of the default size, and `decompose` every five sessions.

    python benchmarks/decomposition.py [--sessions 15000] [--names 5000] [--p 0.76] [--block-bytes 2097152] [--repeats 3] [--json]
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"

import argparse
import json
import platform
import statistics
import time
import tracemalloc
from typing import TYPE_CHECKING

import numpy as np

from gammastar.core.blocks import decompose_blocks
from gammastar.core.decomposition import decompose
from gammastar.core.generating import Diversity

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy import ndarray

RESERVE = 50  # names that wait outside the index


def history(sessions: int, names: int, seed: int = 7) -> tuple[ndarray, ndarray]:
    """Return weights, shape (sessions + 1, names), and gross total returns, shape (sessions, names)."""
    rng = np.random.default_rng(seed)
    mu, gross = np.empty((sessions + 1, names)), np.empty((sessions, names))
    mu[0] = rng.pareto(1.2, names) + 0.02
    mu[0, names - RESERVE :] = 0.0
    mu[0] /= mu[0].sum()
    for t in range(sessions):
        np.exp(rng.normal(0.0, 0.015, names) + rng.normal(0.0003, 0.01), out=gross[t])
        pays, issues = rng.integers(0, names, int(0.015 * names)), rng.integers(0, names, int(0.02 * names))
        price = mu[t] * gross[t]
        gross[t, pays] *= 1.005
        price[issues] *= 1.002
        # a pull to the middle, too small for any session to show, keeps sizes apart but bounded over sixty years
        price *= np.maximum(mu[t], 1e-9) ** -2e-4
        if t % 63 == 62:
            joins, leaves = rng.choice(np.flatnonzero(price == 0.0), 10, replace=False), rng.choice(np.flatnonzero(price), 10, replace=False)
            price[joins], price[leaves] = np.median(price), 0.0
        mu[t + 1] = price / price.sum()
    return mu, gross


def seconds(jobs: dict[str, Callable[[], object]], repeats: int) -> dict[str, tuple[float, float]]:
    """Return the median processor and wall time of each job. They take turns, so that whatever else the machine does hits all of them alike."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in jobs}
    for _ in range(repeats):
        for name, job in jobs.items():
            start = time.thread_time(), time.perf_counter()
            job()
            taken[name].append((time.thread_time() - start[0], time.perf_counter() - start[1]))
    return {name: (statistics.median(t[0] for t in times), statistics.median(t[1] for t in times)) for name, times in taken.items()}


def extra_memory(job: Callable[[], object]) -> int:
    """Return the largest number of bytes that a job holds beside what exists."""
    tracemalloc.start()
    job()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def measure(asked: argparse.Namespace) -> dict[str, float | int]:
    """Return what was measured."""
    mu, gross = history(asked.sessions, asked.names)
    function, out, few = Diversity(asked.p), np.empty_like(gross), min(asked.sessions, 200)
    # the logarithm of zero takes another road through the library: the yardstick gets positive numbers only
    positive = np.where(mu[1:] > 0.0, mu[1:], 1e-9)
    np.multiply(positive, gross, out=out)

    def yardstick() -> None:
        np.log(positive, out=out)
        np.multiply(out, gross, out=out)

    def ours() -> object:
        return decompose_blocks(function, mu, gross, block_bytes=asked.block_bytes)

    def front() -> object:
        return decompose(function, mu, gross)

    def weekly() -> object:
        return decompose(function, mu, gross, np.arange(asked.sessions + 1) % 5 == 0)

    times = seconds({"yardstick": yardstick, "ours": ours, "front": front, "weekly": weekly}, asked.repeats)
    # a schedule that waits for its last but one rebalance is followed session by session, not in blocks
    waiting = np.arange(few + 1) != few - 1
    parts, plain = decompose_blocks(function, mu[: few + 1], gross[:few]), decompose(function, mu[: few + 1], gross[:few], waiting)
    return {
        "yardstick_cpu_s": times["yardstick"][0],
        "decomposition_cpu_s": times["ours"][0],
        "ratio_cpu": times["ours"][0] / times["yardstick"][0],
        "decompose_ratio_cpu": times["front"][0] / times["yardstick"][0],
        "decompose_weekly_ratio_cpu": times["weekly"][0] / times["yardstick"][0],
        "yardstick_wall_s": times["yardstick"][1],
        "decomposition_wall_s": times["ours"][1],
        "ratio_wall": times["ours"][1] / times["yardstick"][1],
        "nanoseconds_a_weight": 1e9 * times["ours"][0] / gross.size,
        "extra_memory_bytes": extra_memory(ours),
        "largest_difference_from_schedule": max(
            float(np.abs(getattr(parts, name) - getattr(plain, name))[: few - 2].max()) for name in ("boundary", "l_divergence", "flow")
        ),
    }


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sessions", type=int, default=15_000)
    parser.add_argument("--names", type=int, default=5_000)
    parser.add_argument("--p", type=float, default=0.76)
    parser.add_argument("--block-bytes", type=int, default=1 << 21)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the lines")
    asked = parser.parse_args()
    facts = {"benchmark": "decomposition", **vars(asked), "python": platform.python_version(), "numpy": np.__version__}
    facts.pop("json")
    found = measure(asked)
    if asked.json:
        print(json.dumps({**facts, **found}, indent=2))
        return
    print(", ".join(f"{key} {value}" for key, value in facts.items()))
    for key, value in found.items():
        print(f"{key:>34} {value:>12.4g}")


if __name__ == "__main__":
    main()
