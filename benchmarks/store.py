"""The store: from its files to a dense panel, now and as of an earlier time, against pandas doing the same; and one append.

The data is simulated: monthly snapshots with sectors, daily returns of which half a per cent is missing. All but the last forty sessions
are ingested; those follow by `append`, one at a time, with a correction of 200 earlier returns after every eighth. A store is opened
(every byte is checked against its checksum) and gives its panel: of all that is known, and of what was known before the last twenty sessions, which has
corrections to leave out. pandas has the same rows in one Parquet file, with the dates on which they were known: it keeps the last version of each
row known by then, makes wide tables, fills each missing return with its sector's, and drifts the weights between snapshots. It does
less: it looks at no checksum, and of the six rules for missing returns it has one. How far both answers are apart is printed. One thread, processor seconds, the best of
the repeats, taking turns; the peak of memory is that of a process of its own, less what its imports take.

    python benchmarks/store.py [--repeats 3] [--sessions 40] [--json]
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"

import argparse
import json
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from gammastar.store import append, ingest, open_store

pa.set_cpu_count(1)
SHAPES = {"3 years x 3,000": ("2017-01-03", "2019-12-31", 3000, 0.5), "20 years x 500": ("2000-01-03", "2019-12-31", 500, 1.0)}
EARLIER = 2.0
MEASURE = """
import sys, duckdb, pyarrow.parquet
from gammastar.store import open_store
peak = lambda: next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
own = peak()
panel = open_store(sys.argv[1]).panel()
print(peak() - own)
"""


def simulate(start: str, end: str, names: int) -> tuple[pd.DataFrame, pd.DataFrame, np.ndarray]:
    """Return members and returns as tables, and the sessions."""
    import exchange_calendars

    days = exchange_calendars.get_calendar("XNYS", start=start, end=end).sessions.to_numpy().astype("datetime64[D]")
    rng, count = np.random.default_rng(7), len(days)
    ids = np.array([f"A{k:05d}" for k in range(names)])
    month = days.astype("datetime64[M]")
    ends = np.flatnonzero(np.append(True, month[1:] != month[:-1]))
    returns = np.expm1(0.02 * rng.standard_normal((count, names)))
    weights = rng.dirichlet(np.full(names, 5.0), len(ends))
    sector = np.array([f"S{k % 11}" for k in range(names)])
    codes = lambda rows: pd.Categorical.from_codes(np.tile(np.arange(names), rows), ids)  # noqa: E731
    members = pd.DataFrame({"date": np.repeat(days[ends], names), "asset_id": codes(len(ends)), "weight": weights.ravel(), "sector": np.tile(sector, len(ends))})
    told = pd.DataFrame({"date": np.repeat(days[1:], names), "asset_id": codes(count - 1), "total_return": returns[1:].ravel()})
    return members, told[rng.random(len(told)) < 0.995].reset_index(drop=True), days


def build(home: Path, shape: tuple[str, str, int, float], sessions: int) -> dict[str, Any]:
    """Write a store and the file for pandas; return what the ingest and the appends took."""
    members, returns, days = simulate(*shape[:3])
    cut, rng = days[-sessions - 1], np.random.default_rng(3)
    log = [returns[returns["date"] <= cut].assign(known=lambda rows: rows["date"])]

    def write(name: str, rows: pd.DataFrame, of_members: pd.DataFrame) -> Path:
        folder = home / name
        folder.mkdir(parents=True)
        rows.to_parquet(folder / "returns.parquet", index=False)
        if len(of_members):
            of_members.to_parquet(folder / "members.parquet", index=False)
        return folder

    first = write("first", log[0].drop(columns="known"), members[members["date"] <= cut])
    began = time.process_time()
    ingest(first, home / "store")
    took: dict[str, Any] = {"ingest": time.process_time() - began, "appends": []}
    for number, day in enumerate(days[-sessions:]):
        rows = returns[returns["date"] == day].assign(known=day)
        if number % 8 == 7:
            wrong = log[0].sample(200, random_state=int(rng.integers(1 << 30))).assign(total_return=0.01, known=day)
            rows = pd.concat((rows, wrong), ignore_index=True)
        log.append(rows)
        folder = write(f"day{number}", rows, members[members["date"] == day])
        began = time.process_time()
        append(folder, home / "store")
        took["appends"].append(time.process_time() - began)
    pd.concat(log, ignore_index=True).to_parquet(home / "returns.parquet", index=False)
    members.to_parquet(home / "members.parquet", index=False)
    return {**took, "before": days[-sessions // 2 - 1], "days": days}


def by_pandas(home: Path, until: np.datetime64 | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return returns, which are observed, and benchmark weights, all dense."""
    rows, members = pd.read_parquet(home / "returns.parquet"), pd.read_parquet(home / "members.parquet")
    if until is not None:
        rows, members = rows[rows["known"] <= until], members[members["date"] <= until]
    rows = rows.drop_duplicates(["date", "asset_id"], keep="last")
    wide = rows.pivot(index="date", columns="asset_id", values="total_return")  # noqa: PD010 (pivot_table averages)
    weights = members.pivot(index="date", columns="asset_id", values="weight")  # noqa: PD010 (pivot_table averages)
    sectors = members.drop_duplicates("asset_id", keep="last").set_index("asset_id")["sector"].reindex(wide.columns)
    days = wide.index.union(weights.index)
    wide = wide.reindex(days)
    raw, observed = wide.to_numpy(), wide.notna().to_numpy()
    held, snapshots = weights.reindex(days), weights.index
    returns, benchmark = np.where(observed, raw, 0.0), held.to_numpy().copy()
    groups = pd.get_dummies(sectors).to_numpy(dtype=float)
    for begin, end in zip(days.searchsorted(snapshots), [*days.searchsorted(snapshots[1:]), len(days)], strict=True):
        for t in range(max(begin, 1), end):
            weight = benchmark[t - 1]
            seen = np.where(observed[t], weight, 0.0)
            of_sector = ((seen * returns[t]) @ groups) / (seen @ groups)
            returns[t] = np.where(observed[t], returns[t], groups @ of_sector)
            if t > begin:
                grown = weight * (1.0 + returns[t])
                benchmark[t] = grown / grown.sum()
    return returns, observed, benchmark


def timed(call: Any) -> tuple[float, Any]:
    began = time.process_time()
    answer = call()
    return time.process_time() - began, answer


def compare(home: Path, until: np.datetime64 | None, repeats: int) -> dict[str, float]:
    """Time both roads in turns, and say how far apart their answers are."""
    known = None if until is None else str(until)
    ours, theirs = [], []
    for _ in range(repeats):
        seconds, panel = timed(lambda: open_store(home / "store").panel(known=known))
        ours.append(seconds)
        seconds, (returns, observed, benchmark) = timed(lambda: by_pandas(home, until))
        theirs.append(seconds)
    if not np.array_equal(panel.observed[1:], observed[1:]):
        raise SystemExit("the two roads do not see the same returns")
    apart = max(float(np.abs(panel.returns[1:] - returns[1:]).max()), float(np.abs(panel.benchmark - benchmark).max()))
    return {"seconds": min(ours), "pandas": min(theirs), "apart": apart, "cells": panel.returns.size}


def append_process(home: Path, names: int) -> dict[str, float]:
    """Append one session on the command line, in a process of its own: import and all."""
    last = open_store(home / "store").days[-1]
    rng, folder = np.random.default_rng(1), home / "next"
    folder.mkdir()
    rows = pd.DataFrame({"date": str(last), "asset_id": [f"A{k:05d}" for k in range(names)], "total_return": 0.02 * rng.standard_normal(names)})
    rows.to_csv(folder / "returns.csv", index=False)
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, "-c", "from gammastar.app.cli import main; main()", "append", str(folder), "--into", str(home / "store")], check=True, stdout=subprocess.DEVNULL)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"wall": wall, "seconds": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--sessions", type=int, default=40)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    found: dict[str, Any] = {"python": platform.python_version(), "numpy": np.__version__, "pandas": pd.__version__}
    for name, shape in SHAPES.items():
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder)
            made = build(home, shape, asked.sessions)
            found[name] = {
                "now": compare(home, None, asked.repeats) | {"limit": shape[3]},
                "earlier": compare(home, made["before"], asked.repeats) | {"limit": EARLIER},
                "ingest": made["ingest"],
                "append": float(np.median(made["appends"])),
                "append_process": append_process(home, shape[2]),
                "peak_mb": int(subprocess.run([sys.executable, "-c", MEASURE, str(home / "store")], check=True, capture_output=True, text=True).stdout) / 1024,
            }
    if asked.json:
        print(json.dumps(found))
        return
    print(f"{'':<18}{'panel':<10}{'store, s':>10}{'pandas, s':>11}{'ratio':>7}{'limit, s':>10}{'apart':>10}")
    for name in SHAPES:
        for when in ("now", "earlier"):
            row = found[name][when]
            print(f"{name:<18}{when:<10}{row['seconds']:>10.2f}{row['pandas']:>11.2f}{row['pandas'] / row['seconds']:>7.1f}{row['limit']:>10.1f}{row['apart']:>10.0e}")
    print()
    for name in SHAPES:
        row, panel = found[name], found[name]["now"]["cells"] * 8 / 2**20
        print(f"{name}: ingest {row['ingest']:.1f} s, append {row['append']:.2f} s in a process that runs, {row['append_process']['seconds']:.2f} s on the command line"
              f" ({row['append_process']['wall']:.2f} s by the clock); memory at most {row['peak_mb']:.0f} MB for arrays of {panel:.0f} MB each")


if __name__ == "__main__":
    main()
