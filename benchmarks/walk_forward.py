"""Fifteen years x 500 names, re-optimised every week with risk model, limits and costs, against the same run in cvxportfolio 1.5.

The market is simulated: a market factor, further factors, specific risk; 500 names that are all there all the time; the benchmark is weighted by
capitalisation. The mandate: tracking error 2%, active weight 0.5%, sectors within 1%, 5 bp costs, decided every week and traded at the next close.

* Ours runs on daily sessions: accounting, attribution and compliance are daily, and risk is estimated anew every week from 756 sessions.
* cvxportfolio (`make .venv/.peers`; the run then needs `.venv/peers/bin/python`) is given the same returns by the week, so it sees a fifth of the rows;
  its own factor model fitted every week, the limit on tracking error as a limit on that model's risk, its own costs, the expected growth term as
  returns forecast, found beforehand and not timed, and Clarabel. It runs `--weeks` weeks, after as many to warm up as it takes to import and compile
  (one); its time is scaled to fifteen years. Its covariance grows with the weeks it has seen; the weeks that run are the first, so that is in its favour.

The ratio goes to `build/bench.json` too; what others wrote there stays. Times are of the processor, on one thread. They are two programs, with two risk models: what is compared is the work of a walk-forward, not its answers.

    .venv/peers/bin/python benchmarks/walk_forward.py [--names 500] [--years 15] [--weeks 26] [--clock weekly] [--json]
    .venv/bin/python benchmarks/walk_forward.py --names 3000 --years 30 --clock monthly
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = os.environ["RAYON_NUM_THREADS"] = "1"

import argparse
import importlib.util
import json
import resource
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gammastar.backtest import run_backtest
from gammastar.mandate import ActiveWeight, Clocks, GroupActive, Mandate, TrackingError, TradingPolicy
from gammastar.market.assets import Assets
from gammastar.market.calendar import Calendar, Clock, Frequency
from gammastar.market.groups import Sectors
from gammastar.market.panel import Panel
from gammastar.risk.statistical import StatisticalFactors

if TYPE_CHECKING:
    from collections.abc import Callable


FACTORS, SECTORS, WINDOW = 15, 11, 756
COST, LIMIT, ACTIVE, SECTOR = 0.0005, 0.02, 0.005, 0.01
DAYS, WEEKS = 252, 52
BENCH = Path(__file__).parents[1] / "build" / "bench.json"


def market(names: int, years: float) -> Panel:
    """Return the market, with a window of history before the years that are run."""
    rng = np.random.default_rng([names, 5])
    sessions = WINDOW + 1 + round(DAYS * years)
    days = np.arange(np.datetime64("1990-01-01"), np.datetime64("1990-01-01") + 2 * sessions)
    days = days[np.is_busday(days)][: sessions + 1]
    loadings = np.column_stack((rng.uniform(0.1, 0.25, names), rng.normal(0.0, 0.04, (names, FACTORS - 1)))) / np.sqrt(DAYS)
    specific = rng.uniform(0.12, 0.4, names) / np.sqrt(DAYS)
    logs = rng.normal(size=(sessions, FACTORS)) @ loadings.T
    for t in range(sessions):  # in place, as everything here: what is measured is the run's memory
        logs[t] += rng.normal(size=names) * specific
    logs[0] = 0.0
    capital = np.cumsum(logs, axis=0)
    np.exp(capital, out=capital)
    capital /= np.arange(names) + 10.0
    capital /= capital.sum(axis=1, keepdims=True)
    return Panel(
        calendar=Calendar(days[:-1], days[-1], "XNYS"),
        assets=Assets(tuple(f"A{i:05d}" for i in range(names))),
        frequency=Frequency.DAILY,
        returns=np.expm1(logs, out=logs),
        observed=np.ones((sessions, names), dtype=bool),
        benchmark=capital,
        sectors=Sectors(tuple(f"S{k:02d}" for k in range(SECTORS)), np.tile(rng.integers(0, SECTORS, names), (sessions, 1))),
        published=np.ones(sessions, dtype=bool),
        source="simulated",
    )


def mandate(clock: Clock = Clock.WEEKLY) -> Mandate:
    """Return what both run."""
    return Mandate(
        rules=(TrackingError(LIMIT), ActiveWeight(ACTIVE), GroupActive(SECTOR)),
        clocks=Clocks(clock, clock, 1),
        trading=TradingPolicy(cost=COST),
        risk=StatisticalFactors(factors=FACTORS),
    )


def processor_seconds(job: Callable[[], Any]) -> tuple[float, Any]:
    """Return the processor's time for a job, and what it returned."""
    start = time.process_time()
    found = job()
    return time.process_time() - start, found


def weekly(panel: Panel) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the returns from week to week and the benchmark at their start."""
    ends = np.flatnonzero(panel.calendar.ticks(Clock.WEEKLY))
    level = np.cumsum(np.log1p(panel.returns), axis=0)[ends]
    index = pd.DatetimeIndex(panel.sessions[ends[:-1]].astype("datetime64[ns]"), tz="UTC")
    returns = pd.DataFrame(np.expm1(np.diff(level, axis=0)), index=index, columns=list(panel.assets.ids))
    return returns, pd.DataFrame(panel.benchmark[ends[:-1]], index=index, columns=returns.columns)


def in_cvxportfolio(panel: Panel, first: int, weeks: int) -> Callable[[], Any]:
    """Return the run of cvxportfolio, everything that can be found beforehand found."""
    import cvxportfolio as cvx

    returns, benchmark = weekly(panel)
    logs = np.log1p(returns)
    # half the relative variance of each name, from the year before: the linear part of the growth advantage
    relative = logs.sub((logs * benchmark).sum(axis=1), axis=0)
    growth = (0.5 * relative.rolling(WEEKS).var()).shift(1).bfill()
    cash = pd.DataFrame({**returns, "cash": 0.0})
    at = pd.DataFrame({**benchmark, "cash": 0.0})
    data = cvx.UserProvidedMarketData(returns=cash, cash_key="cash", min_history=pd.Timedelta("365d"))
    simulator = cvx.MarketSimulator(market_data=data, costs=[cvx.TransactionCost(a=COST, b=None)], round_trades=False)
    codes = panel.sectors.codes[0]
    inside = pd.DataFrame(np.eye(SECTORS)[codes], index=returns.columns)
    sums = benchmark @ inside
    risk = cvx.FactorModelCovariance(num_factors=FACTORS)
    policy = cvx.SinglePeriodOptimization(
        cvx.ReturnsForecast(r_hat=growth) - 0.5 * risk - cvx.TransactionCost(a=COST, b=None),
        [
            cvx.LongOnly(applies_to_cash=True),
            cvx.FactorModelCovariance(num_factors=FACTORS) <= cvx.AnnualizedVolatility(LIMIT),
            cvx.MaxBenchmarkDeviation(ACTIVE),
            cvx.MinBenchmarkDeviation(-ACTIVE),
            cvx.FactorMaxLimit(inside, sums + SECTOR),
            cvx.FactorMinLimit(inside, sums - SECTOR),
        ],
        benchmark=cvx.FixedWeights(at),
        solver="CLARABEL",
        ignore_dpp=True,  # compiled anew each week: at this size that is the faster way for it
    )
    start = int(returns.index.searchsorted(pd.Timestamp(panel.sessions[first], tz="UTC")))
    opening = at.iloc[start] * 1e9

    def run() -> Any:
        return simulator.backtest(policy, start_time=returns.index[start], end_time=returns.index[start + weeks], h=opening)

    return run


def ours(panel: Panel, first: int, clock: Clock = Clock.WEEKLY) -> Callable[[], Any]:
    """Return our run."""
    signed = mandate(clock)
    return lambda: run_backtest(signed, panel, str(panel.sessions[first]))


def peak() -> float:
    """Return the most memory that this process had so far, in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(names: int, years: float, weeks: int, clock: Clock) -> dict[str, Any]:
    """Return seconds, memory, ratio, and how proposals came out."""
    panel = market(names, years)
    panel.fingerprint, panel.benchmark_returns, panel.index_change  # noqa: B018 - found once for a panel, not once for a run
    first = WINDOW
    before = peak()
    seconds, result = processor_seconds(ours(panel, first, clock))
    found: dict[str, Any] = {
        "names": names,
        "years": years,
        "decisions": len(result.decisions),
        "seconds": seconds,
        "statuses": dict(Counter(decision.status for decision in result.decisions)),
        "megabytes_before": before,
        "peak_megabytes": peak(),
    }
    if importlib.util.find_spec("cvxportfolio") is not None and weeks:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            in_cvxportfolio(panel, first, 1)()
            taken, told = processor_seconds(in_cvxportfolio(panel, first, weeks))
        found |= {"peer_weeks": weeks, "peer_seconds": taken, "peer_seconds_scaled": taken * len(result.decisions) / weeks}
        found["walk_forward_500"] = found["peer_seconds_scaled"] / seconds
        found["peer_turnover"] = float(told.turnover.mean())
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--names", type=int, default=500)
    parser.add_argument("--years", type=float, default=15.0)
    parser.add_argument("--weeks", type=int, default=26, help="of cvxportfolio; 0 leaves it out")
    parser.add_argument("--clock", type=Clock, default=Clock.WEEKLY, choices=list(Clock), help="of decisions; cvxportfolio decides every week")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    found = measure(arguments.names, arguments.years, arguments.weeks if arguments.clock is Clock.WEEKLY else 0, arguments.clock)
    if arguments.names == 500 and "walk_forward_500" in found:
        known = json.loads(BENCH.read_text()) if BENCH.exists() else {}
        BENCH.parent.mkdir(exist_ok=True)
        BENCH.write_text(json.dumps({**known, "walk_forward_500": found["walk_forward_500"], "walk_forward": found}, indent=2, default=str) + "\n")
    if arguments.json:
        print(json.dumps(found, indent=1, default=str))
        return
    for name, value in found.items():
        print(f"{name:<24}{value if not isinstance(value, float) else f'{value:.3f}'}")


if __name__ == "__main__":
    main()
