"""One proposal with every linear rule on, at n = 500 and 3,000 names and 20 factors, against the same problem stated for others.

The mandate has active weights, bounds, sectors, countries, beta, five exposures, active share, turnover, buys, liquidity of trades and holdings,
issuers, the ten largest, lists, cash, and costs. Its risk is given; what is timed is the whole of `propose`: statement, solver, independent check,
forecast, prices. Two further lines: active share so near that it binds, which is left to the cone solver; and the cone of a tracking error on top.

* cvxpy: the same problem, in factor form and percent of weight, with Clarabel at the same tolerance.
* skfolio (only where it is installed: the requirement group `peers`): its `MeanRisk` with what its own parameters can say: bounds, lists and
  liquidity as weights, sectors, countries, beta and exposures as inequalities, cash as a budget, costs. Not turnover, buys, active share, issuers
  or the ten largest: so its problem is the easier one.
* The penalty form of Qlib's published enhanced indexing: maximise ``d'r - lambda (d'F C F'd + d'S d)`` with bounds on d and a limit on turnover,
  written here for cvxpy, against ours with the same rules.

Times are of the processor (`time.process_time`), on one thread, after one run to warm up. Memory is the peak of a fresh process that makes the market
and one proposal, and of one that only makes the market.

    python benchmarks/rules.py [--names 500 3000] [--repeats 5] [--json]
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = os.environ["RAYON_NUM_THREADS"] = "1"

import argparse
import importlib.util
import json
import platform
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gammastar import mandate as g
from gammastar.core.covariance import FactoredCovariance
from gammastar.market.assets import Assets
from gammastar.market.calendar import Frequency
from gammastar.market.groups import Group, Named
from gammastar.market.moment import Moment
from gammastar.optimise import Status, propose
from gammastar.optimise.problem import state_problem
from gammastar.optimise.solver import solve

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy import ndarray

FACTORS, SECTORS, COUNTRIES, SESSIONS = 20, 11, 12, 252
VALUE, PERCENT = 1e9, 100.0
EXPOSURES = ("size", "volatility", "beta", "momentum", "reversal")
TARGETS = {500: 0.06, 3000: 0.5}
"""Seconds of processor time."""
TARGET_MEMORY = 500.0
"""Megabytes."""


def market(names: int) -> Moment:
    """Return a large-cap market with risk, volumes, groups and drifted holdings given."""
    rng = np.random.default_rng(names)
    mu = 1.0 / (np.arange(names) + 10.0) * rng.uniform(0.7, 1.4, names)
    mu /= mu.sum()
    held = mu * np.exp(rng.normal(0.0, 0.05, names))
    held[200:205] = 0.0  # excluded
    loadings = np.column_stack((rng.uniform(0.1, 0.25, names), rng.normal(0.0, 0.04, (names, FACTORS - 1))))
    issuers = np.where(rng.random(names) < 0.04, np.maximum(np.arange(names) - 1, 0), np.arange(names))
    return Moment(
        session=np.datetime64("2015-06-30"),
        assets=Assets(tuple(f"A{i:04d}" for i in range(names))),
        frequency=Frequency.DAILY,
        returns=0.01 * rng.normal(size=(SESSIONS, 1)) + 0.015 * rng.normal(size=(SESSIONS, names)),
        observed=np.ones((SESSIONS, names), dtype=bool),
        benchmark=mu,
        benchmark_history=np.tile(mu, (SESSIONS, 1)),
        published=np.ones(SESSIONS, dtype=bool),
        sector_labels=tuple(f"S{k:02d}" for k in range(SECTORS)),
        sector_codes=rng.integers(0, SECTORS, names),
        groups=Named({
            "country": Group(tuple(f"C{k:02d}" for k in range(COUNTRIES)), rng.integers(0, COUNTRIES, names)),
            "issuer": Group(tuple(f"I{k:04d}" for k in range(names)), issuers),
        }),
        holdings=0.998 * held / held.sum(),
        value=VALUE,
        traded=VALUE * mu * rng.uniform(0.5, 5.0, names) * np.exp(0.2 * rng.normal(size=(SESSIONS, names))),
        covariance=FactoredCovariance(loadings, rng.uniform(0.12, 0.4, names) ** 2),
    )


def mandate(moment: Moment, *, cone: bool = False) -> g.Mandate:
    """Return the mandate with every linear rule, each near what binds."""
    ids = moment.assets.ids
    rules: tuple[g.Rule, ...] = (
        g.ActiveWeight(0.004),
        g.WeightBounds(maximum=0.06, plus=0.0035, multiple=8.0),
        g.GroupActive(0.01),
        g.GroupActive(0.008, attribute="country"),
        g.Beta(0.01),
        *(g.Exposure(0.05, name) for name in EXPOSURES),
        g.ActiveShare(0.2),
        g.Turnover(0.35),
        g.Buys(0.17),
        g.TradeLiquidity(0.5),
        g.HoldingLiquidity(30.0),
        g.IssuerLimit(0.05),
        g.TopWeights(10, 0.2 if len(ids) < 1000 else 0.125),
        g.Exclude(tuple(g.ListEntry(asset, "a reason") for asset in ids[200:205])),
        g.NoBuy(tuple(g.ListEntry(asset, "a reason") for asset in ids[100:105])),
        g.Cash(0.0, 0.005),
    )
    return g.Mandate(rules=(*((g.TrackingError(0.02),) if cone else ()), *rules), trading=g.TradingPolicy(cost=0.0005))


def harder(signed: g.Mandate) -> g.Mandate:
    """Return the mandate with a limit on active share so near that it binds: a row that the fast solver has no place for."""
    rules = tuple(replace(rule, limit=0.6 * rule.limit) if isinstance(rule, g.ActiveShare) else rule for rule in signed.rules)
    return signed.with_rules(rules)


def ours(signed: g.Mandate, moment: Moment) -> ndarray:
    """Return the targets of one proposal."""
    proposal = propose(signed, moment)
    if proposal.status is not Status.OPTIMAL:
        raise RuntimeError(f"ours: {proposal.status} {proposal.conflict} {proposal.advice}")
    return proposal.targets


# -- the same rules as numbers, for the others ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Numbers:
    """Bounds on weights and two-sided linear rows on active weights."""

    low: ndarray
    high: ndarray
    rows: ndarray
    reach: ndarray
    growth: ndarray


def numbers(moment: Moment) -> Numbers:
    """Return the rules on single names as bounds, and those on groups, beta and exposures as rows; what a user of the others would work out by hand."""
    mu, held, sigma, n = moment.benchmark, moment.holdings, moment.covariance, len(moment.benchmark)
    if held is None or sigma is None or moment.traded is None:
        raise ValueError("holdings, risk and volumes are given here")
    volume = moment.traded[-21:].mean(axis=0) / VALUE
    low = np.maximum.reduce((np.zeros(n), mu - 0.004, held - 0.5 * volume))
    high = np.minimum.reduce((mu + 0.0035, 8.0 * mu, np.full(n, 0.06), held + 0.5 * volume, 30.0 * volume))
    high[200:205], high[100:105] = 0.0, np.minimum(high, held)[100:105]
    low = np.minimum(low, high)
    against = sigma.times(mu)
    logs, index = np.log1p(moment.returns), np.log1p(moment.returns[1:] @ mu)
    centred = index - index.mean()
    raw = (np.log(mu), np.log(logs.std(axis=0)), centred @ logs[1:] / (centred @ centred), logs[:-21].sum(axis=0), logs[-21:].sum(axis=0))
    exposures = np.array([(x - mu @ x) / x.std() for x in raw])
    sectors = (moment.sector_codes == np.arange(SECTORS)[:, None]).astype(float)
    countries = (moment.group("country").codes == np.arange(COUNTRIES)[:, None]).astype(float)
    rows = np.vstack((sectors, countries, against / (against @ mu), exposures))
    reach = np.concatenate((np.full(SECTORS, 0.01), np.full(COUNTRIES, 0.008), [0.01], np.full(len(raw), 0.05)))
    return Numbers(low, high, rows, reach, 0.5 * sigma.relative_variances(mu))


def in_cvxpy(signed: g.Mandate, moment: Moment, told: Numbers) -> ndarray:
    """Return cvxpy's weights for the same problem, as a careful user would write it."""
    import cvxpy as cp

    mu, sigma, held = moment.benchmark, moment.covariance, moment.holdings
    if sigma is None or held is None:
        raise ValueError("holdings and risk are given here")
    n, issuer = len(mu), np.asarray(moment.group("issuer").codes)
    from scipy.sparse import csr_array

    owners = csr_array((np.ones(n), (issuer, np.arange(n))), shape=(n, n))
    x, f = cp.Variable(n), cp.Variable(FACTORS)
    w, trade = x + PERCENT * mu, x - PERCENT * (held - mu)
    cash = -cp.sum(x)
    specific = cp.multiply(np.sqrt(sigma.specific), x)
    top = next(rule.limit for rule in signed.rules if isinstance(rule, g.TopWeights))
    constraints = [
        f == sigma.loadings.T @ x, x >= PERCENT * (told.low - mu), x <= PERCENT * (told.high - mu), cp.abs(told.rows @ x)[:-6] <= PERCENT * told.reach[:-6],
        cp.abs(told.rows[-5:] @ x) <= PERCENT * told.reach[-5:], cp.abs(told.rows[-6] @ x) <= PERCENT * told.reach[-6],
        cp.sum(cp.neg(x)) <= PERCENT * 0.2, cp.norm1(trade) <= PERCENT * 0.35, cp.sum(cp.pos(trade)) <= PERCENT * 0.17,
        owners @ w <= PERCENT * 0.05, cp.sum_largest(w, 10) <= PERCENT * top, cash >= 0.0, cash <= PERCENT * 0.005,
    ]  # fmt: skip
    if isinstance(signed.rules[0], g.TrackingError):
        constraints.append(cp.norm(cp.hstack([f, specific])) <= PERCENT * signed.rules[0].limit)
    gain = told.growth @ x * PERCENT - 0.05 * cash * PERCENT - 0.0005 * PERCENT * cp.norm1(trade) - 0.5 * (cp.sum_squares(f) + cp.sum_squares(specific))
    problem = cp.Problem(cp.Maximize(gain), constraints)
    problem.solve(solver="CLARABEL", max_threads=1, tol_feas=1e-9, tol_gap_rel=1e-9, tol_gap_abs=1e-9)
    if problem.status != "optimal" or x.value is None:
        raise RuntimeError(f"cvxpy: {problem.status}")
    return np.asarray(mu + x.value / PERCENT)


def in_skfolio(moment: Moment, told: Numbers) -> ndarray:
    """Return skfolio's weights for what its own parameters can say of the problem."""
    from skfolio.optimization import MeanRisk, ObjectiveFunction
    from skfolio.prior import BasePrior, FactorModel, ReturnDistribution

    mu, sigma, held = moment.benchmark, moment.covariance, moment.holdings
    if sigma is None or held is None:
        raise ValueError("holdings and risk are given here")
    dense = sigma.dense()
    factors = FactorModel(
        observations=np.arange(SESSIONS).astype(str),
        asset_names=np.array(moment.assets.ids),
        factor_names=np.array([f"F{k:02d}" for k in range(FACTORS)]),
        factor_families=None,
        loading_matrix=np.array(sigma.loadings),
        exposures=None,
        factor_covariance=np.eye(FACTORS),
        factor_mu=np.zeros(FACTORS),
        factor_returns=None,
        idio_covariance=np.array(sigma.specific),
        idio_mu=None,
        idio_returns=None,
        idio_variances=None,
    )
    # expected returns for which mean less half the variance is the mandate's objective, up to a constant
    wanted = told.growth + dense @ mu + 0.05

    class Given(BasePrior):  # type: ignore[misc]
        def __init__(self) -> None:
            pass

        def fit(self, X: Any, y: Any = None, **others: Any) -> Any:  # noqa: ARG002
            self.return_distribution_ = ReturnDistribution(mu=wanted, covariance=dense, returns=np.asarray(X), factor_model=factors)
            return self

    inequality = np.vstack((told.rows, -told.rows))
    right = np.concatenate((told.reach + told.rows @ mu, told.reach - told.rows @ mu))
    model = MeanRisk(
        objective_function=ObjectiveFunction.MAXIMIZE_UTILITY,
        risk_aversion=0.5,
        prior_estimator=Given(),
        min_weights=told.low,
        max_weights=told.high,
        budget=None,
        min_budget=0.995,
        max_budget=1.0,
        left_inequality=inequality,
        right_inequality=right,
        previous_weights=held,
        transaction_costs=0.0005,
        solver="CLARABEL",
        solver_params={"max_threads": 1, "tol_feas": 1e-9, "tol_gap_rel": 1e-9, "tol_gap_abs": 1e-9},
    )
    return np.asarray(model.fit(moment.returns).weights_)


NOT_IN_SKFOLIO = (g.ActiveShare, g.Turnover, g.Buys, g.IssuerLimit, g.TopWeights)
"""Rules that its parameters cannot say; they could be added to it as cvxpy expressions, which would be cvxpy again."""


# -- the penalty form ---------------------------------------------------------------------------------------------------------------------------------

PENALTY, DEVIATION, DELTA = 1.0, 0.01, 0.2


def penalty_mandate(moment: Moment, returns: ndarray) -> g.Mandate:
    """Return our mandate with the rules of the penalty form: expected returns, deviation from the benchmark, turnover."""
    if moment.covariance is None:
        raise ValueError("risk is given here")
    rates = returns - 0.5 * moment.covariance.relative_variances(moment.benchmark)
    growth = g.GivenGrowth(tuple(zip(moment.assets.ids, rates.tolist(), strict=True)), "2000-01-01")
    strategy = g.VolatilityCapture(growth=growth, factor_aversion=2.0 * PENALTY, specific_aversion=2.0 * PENALTY)
    return g.Mandate(strategy=strategy, rules=(g.ActiveWeight(DEVIATION), g.Turnover(DELTA)))


def penalty_form(moment: Moment, returns: ndarray) -> ndarray:
    """Return cvxpy's weights for the penalty form as it was published."""
    import cvxpy as cp

    mu, sigma, held = moment.benchmark, moment.covariance, moment.holdings
    if sigma is None or held is None:
        raise ValueError("holdings and risk are given here")
    w = cp.Variable(len(mu), nonneg=True)
    d = w - mu
    v = d @ sigma.loadings
    gain = d @ returns - PENALTY * (cp.quad_form(v, np.eye(FACTORS)) + sigma.specific @ (d**2))
    constraints = [cp.sum(w) == 1.0, d >= -DEVIATION, d <= DEVIATION, cp.norm(w - held, 1) <= DELTA]
    problem = cp.Problem(cp.Maximize(gain), constraints)
    problem.solve(solver="CLARABEL", max_threads=1, tol_feas=1e-9, tol_gap_rel=1e-9, tol_gap_abs=1e-9)
    if problem.status != "optimal" or w.value is None:
        raise RuntimeError(f"penalty form: {problem.status}")
    return np.asarray(w.value)


# -- measuring -----------------------------------------------------------------------------------------------------------------------------------------


def processor_seconds(job: Callable[[], Any], repeats: int) -> tuple[float, float]:
    """Return the median and the best of the processor's time for a job, after one run to warm up."""
    job()
    taken = []
    for _ in range(repeats):
        start = time.process_time()
        job()
        taken.append(time.process_time() - start)
    return statistics.median(taken), min(taken)


def peak_megabytes(names: int, *, propose_too: bool) -> float:
    """Return the peak memory of a fresh process."""
    asked = [sys.executable, __file__, "--memory", "propose" if propose_too else "market", "--names", str(names)]
    return float(subprocess.run(asked, check=True, capture_output=True, text=True).stdout)


def own_peak(names: int, *, propose_too: bool) -> float:
    """Return this process's peak memory in megabytes after making the market, and a proposal."""
    moment = market(names)
    if propose_too:
        ours(mandate(moment), moment)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024.0**2 if platform.system() == "Darwin" else 1024.0)


def measure(names: int, repeats: int) -> dict[str, Any]:
    """Return the figures of one size; seconds are (median, best)."""
    moment = market(names)
    signed, told = mandate(moment), numbers(moment)
    coned = mandate(moment, cone=True)
    flat = replace(moment, holdings=None if moment.holdings is None else moment.holdings / moment.holdings.sum())
    returns = np.random.default_rng(1).normal(0.0, 0.05, names)
    plain = penalty_mandate(flat, returns)
    value = state_problem(signed, moment).value
    here, there = ours(signed, moment), in_cvxpy(signed, moment, told)
    own, other = ours(plain, flat), penalty_form(flat, returns)
    penalised = state_problem(plain, flat).value
    figures: dict[str, Any] = {
        "names": names,
        "ours": processor_seconds(lambda: ours(signed, moment), repeats),
        "ours, statement and solver alone": processor_seconds(lambda: solve(state_problem(signed, moment)), repeats),
        "ours, active share binding": processor_seconds(lambda: ours(harder(signed), moment), repeats),
        "ours with the cone": processor_seconds(lambda: ours(coned, moment), repeats),
        "cvxpy": processor_seconds(lambda: in_cvxpy(signed, moment, told), repeats),
        "cvxpy with the cone": processor_seconds(lambda: in_cvxpy(coned, moment, told), repeats),
        "penalty form, ours": processor_seconds(lambda: ours(plain, flat), repeats),
        "penalty form, cvxpy": processor_seconds(lambda: penalty_form(flat, returns), repeats),
        "objective apart": abs(value(there) / value(here) - 1.0),
        "objective apart, penalty form": abs(penalised(other) / penalised(own) - 1.0),
        "rules that bind": sorted(propose(signed, moment).prices),
        "peak megabytes": peak_megabytes(names, propose_too=True),
        "peak megabytes of the market alone": peak_megabytes(names, propose_too=False),
    }
    if importlib.util.find_spec("skfolio") is None:
        figures["skfolio"] = "not installed"
    else:
        fewer = signed.with_rules(tuple(rule for rule in signed.rules if not isinstance(rule, NOT_IN_SKFOLIO)))
        free_of = state_problem(fewer, moment).value
        figures["skfolio"] = processor_seconds(lambda: in_skfolio(moment, told), min(repeats, 3))
        figures["skfolio's rules, ours"] = processor_seconds(lambda: ours(fewer, moment), repeats)
        figures["objective apart, skfolio"] = abs(free_of(in_skfolio(moment, told)) / free_of(ours(fewer, moment)) - 1.0)
    return figures


def told(figures: dict[str, Any]) -> str:
    """Return the figures of one size as lines of text."""
    names = figures["names"]
    lines = [f"{names} names"]
    for key, value in figures.items():
        if isinstance(value, tuple):
            lines.append(f"  {key:<40} {value[0] * 1e3:9.1f} ms (best {value[1] * 1e3:.1f})")
        elif isinstance(value, float):
            lines.append(f"  {key:<40} {value:9.2g}" if value < 1.0 else f"  {key:<40} {value:9.0f}")
        elif key != "names":
            lines.append(f"  {key:<40} {', '.join(value) if isinstance(value, list) else value}")
    target = TARGETS.get(names)
    if target is not None:
        verdict = "met" if figures["ours"][0] <= target else "missed"
        lines.append(f"  target for ours {target * 1e3:.0f} ms: {verdict}")
    lines.append(f"  target for memory {TARGET_MEMORY:.0f} MB: {'met' if figures['peak megabytes'] <= TARGET_MEMORY else 'missed'}")
    return "\n".join(lines)


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--names", type=int, nargs="+", default=[500, 3000])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    parser.add_argument("--memory", choices=["market", "propose"], help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.memory:
        print(own_peak(asked.names[0], propose_too=asked.memory == "propose"))
        return
    found = [measure(names, asked.repeats) for names in asked.names]
    print(json.dumps({"benchmark": "rules", "python": platform.python_version(), "sizes": found}, indent=2) if asked.json else "\n".join(map(told, found)))


if __name__ == "__main__":
    main()
