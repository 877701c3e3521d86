"""Markets, mandates and two readers of them that share nothing with the house's rows: a CVXPY statement and a checker, both from the documents."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import cvxpy as cp
import numpy as np
import pytest

from gammastar.core.covariance import FactoredCovariance
from gammastar.mandate import (
    ActiveWeight,
    ArithmeticGrowth,
    Beta,
    DataPolicy,
    Exclude,
    Exclusion,
    Exposure,
    GroupActive,
    Mandate,
    Rule,
    TrackingError,
    TradingPolicy,
    Turnover,
    VolatilityCapture,
    WeightBounds,
)
from gammastar.market.assets import Assets
from gammastar.market.calendar import Frequency
from gammastar.market.moment import Moment

if TYPE_CHECKING:
    from numpy import ndarray

POLICY = DataPolicy(minimum_observations=4, observation_window=10)
SESSIONS = 10


def excluding(*columns: int) -> Exclude:
    return Exclude(tuple(Exclusion(f"A{column:03d}", "sold by the client") for column in columns))


def moment(
    rng: np.random.Generator,
    n: int,
    *,
    sectors: int = 5,
    factors: int = 4,
    outside: int = 0,
    short: int = 0,
    mu: ndarray | None = None,
    codes: ndarray | None = None,
) -> Moment:
    """Return a market of n names, the last `outside` of them not in the benchmark, `short` of them without history enough (half of those stopped just now), risk given."""
    if mu is None:
        mu = 1.0 / (np.arange(n) + 2.0) * rng.uniform(0.5, 2.0, n)
        mu[n - outside :] = 0.0
        mu = mu[np.concatenate((rng.permutation(n - outside), np.arange(n - outside, n)))]
    loadings = np.column_stack((rng.uniform(0.1, 0.25, n), rng.normal(0.0, 0.06, (n, factors - 1))))
    observed = np.ones((SESSIONS, n), dtype=bool)
    silent = rng.permutation(n)[:short]
    observed[-5:, silent[::2]] = False  # five observed returns, and none for five sessions running
    observed[:7, silent[1::2]] = False  # three observed returns
    mu = mu / mu.sum()
    return Moment(
        session=np.datetime64("2015-06-30"),
        assets=Assets(tuple(f"A{i:03d}" for i in range(n))),
        frequency=Frequency.DAILY,
        returns=np.zeros((SESSIONS, n)),
        observed=observed,
        benchmark=mu,
        benchmark_history=np.tile(mu, (SESSIONS, 1)),
        published=np.ones(SESSIONS, dtype=bool),
        sector_labels=tuple(f"S{k}" for k in range(sectors)),
        sector_codes=rng.integers(0, sectors, n) if codes is None else codes,
        covariance=FactoredCovariance(loadings, rng.uniform(0.1, 0.45, n) ** 2),
    )


def holdings(rng: np.random.Generator, m: Moment) -> ndarray | None:
    """Return holdings of one of the kinds met: unknown, the benchmark, drifted, with names that left, with cash."""
    kind = rng.integers(0, 5)
    if kind == 0:
        return None
    if kind == 1:
        return m.benchmark
    h = m.benchmark * np.exp(rng.normal(0.0, 0.15, len(m.benchmark)))
    if kind >= 3:
        h = h + np.where(m.benchmark == 0.0, 0.002, 0.0)
    return h / h.sum() * (0.99 if kind == 4 else 1.0)


def _to_exclude(rng: np.random.Generator, m: Moment) -> ndarray:
    """Return a few names: small ones mostly, since a large one often cannot be spared."""
    pool = np.argsort(m.benchmark)[: len(m.benchmark) // 2] if rng.random() < 0.75 else np.arange(len(m.benchmark))
    return rng.choice(pool, size=rng.integers(1, 4), replace=False)


def random_mandate(rng: np.random.Generator, m: Moment) -> Mandate:
    """Return a mandate with a random subset of rules, some of them impossible together."""

    def between(low: float, high: float) -> float:
        return float(np.exp(rng.uniform(np.log(low), np.log(high))))

    kinds: list[Rule] = [
        TrackingError(between(0.003, 0.04)),
        ActiveWeight(between(0.002, 0.05)),
        WeightBounds(
            minimum=between(1e-5, 3e-4) if rng.random() < 0.3 else None,
            maximum=between(0.03, 0.3) if rng.random() < 0.5 else None,
            plus=between(0.002, 0.05) if rng.random() < 0.5 else None,
            multiple=between(1.2, 6.0) if rng.random() < 0.5 else None,
        ),
        GroupActive(between(0.002, 0.05), (("S1", between(0.002, 0.05)),) if rng.random() < 0.4 else ()),
        Beta(between(0.002, 0.1)),
        Exposure(between(0.002, 0.1)),
        excluding(*_to_exclude(rng, m)),
        Turnover(between(0.05, 0.8)),
    ]
    return Mandate(
        strategy=VolatilityCapture(
            growth=ArithmeticGrowth() if rng.random() < 0.3 else VolatilityCapture().growth,
            holding_period=float(rng.choice([1.0, 0.5, 2.0])),
        ),
        rules=tuple(kind for kind in kinds if rng.random() < 0.5),
        trading=TradingPolicy(cost=float(rng.choice([0.0, 0.0005, 0.002]))),
        data=POLICY,
    )


@dataclass(frozen=True)
class Opinion:
    """What the second statement of the problem says."""

    feasible: bool
    weights: ndarray
    objective: float
    status: str


def _limits(mandate: Mandate, m: Moment) -> tuple[ndarray, ndarray]:
    """Return the lowest and highest weight that the rules on single names allow."""
    mu = m.benchmark
    low, high = np.zeros(len(mu)), np.where(mu > 0.0, 1.0, 0.0)
    for rule in mandate.rules:
        match rule:
            case ActiveWeight(limit=limit):
                low, high = np.maximum(low, mu - limit), np.minimum(high, mu + limit)
            case WeightBounds():
                low = np.maximum(low, np.where(mu > 0.0, rule.minimum or 0.0, 0.0))
                high = np.minimum(high, np.inf if rule.maximum is None else rule.maximum)
                high = np.minimum(high, np.inf if rule.plus is None else mu + rule.plus)
                high = np.minimum(high, np.inf if rule.multiple is None else mu * rule.multiple)
            case Exclude():
                for item in rule.assets:
                    high[m.assets.ids.index(item.asset)] = 0.0
    return low, np.where(mu > 0.0, high, 0.0)


def value(mandate: Mandate, m: Moment, w: ndarray) -> float:
    """Return the mandate's objective at w from the dense formula of the theory."""
    mu, sigma = m.benchmark, m.covariance.dense()
    d, deviation = w - mu, np.eye(len(mu)) - mu
    tau = np.einsum("ij,jk,ik->i", deviation, sigma, deviation)
    gamma = -0.5 * np.diag(sigma) if isinstance(mandate.strategy.growth, ArithmeticGrowth) else np.zeros(len(mu))
    held = mu if m.holdings is None else m.holdings
    cost = mandate.trading.cost / mandate.strategy.holding_period * np.abs(w - held).sum()
    return float(d @ gamma + 0.5 * d @ tau - 0.5 * d @ sigma @ d - cost)


def second_opinion(mandate: Mandate, m: Moment, *, solver: str = "CLARABEL", **options: Any) -> Opinion:
    """State the mandate's problem once more, for CVXPY, in percent of weight."""
    mu, cov, n = m.benchmark, m.covariance, len(m.benchmark)
    sigma, scale = cov.dense(), 100.0
    x = cp.Variable(n)  # active weight in percent
    f = cp.Variable(cov.loadings.shape[1])
    held = mu if m.holdings is None else m.holdings
    trades = cp.norm1(x - scale * (held - mu))
    low, high = _limits(mandate, m)
    if (low > high + 1e-12).any():
        return Opinion(False, mu, np.nan, "bounds cross")
    deviation = np.eye(n) - mu
    tau = np.einsum("ij,jk,ik->i", deviation, sigma, deviation)
    gamma = -0.5 * np.diag(sigma) if isinstance(mandate.strategy.growth, ArithmeticGrowth) else np.zeros(n)
    sized = np.sqrt(cov.specific)
    cost = mandate.trading.cost / mandate.strategy.holding_period
    risk = cp.sum_squares(f) + cp.sum_squares(cp.multiply(sized, x))
    objective = (gamma + 0.5 * tau) @ x * scale - 0.5 * risk - cost * trades * scale
    constraints = [f == cov.loadings.T @ x, cp.sum(x) == 0.0]
    neutral = (m.observed[-POLICY.observation_window :].sum(axis=0) < POLICY.minimum_observations) | ~m.observed[-5:].any(axis=0)
    pinned = neutral & (mu > 0.0)
    low, high = np.where(pinned, np.clip(mu, low, high), low), np.where(pinned, np.clip(mu, low, high), high)
    same = high - low <= 1e-12
    constraints += [x[~same] >= scale * (low - mu)[~same], x[~same] <= scale * (high - mu)[~same]] if (~same).any() else []
    constraints += [x[same] == scale * (low - mu)[same]] if same.any() else []
    for rule in mandate.rules:
        match rule:
            case TrackingError(limit=limit):
                constraints.append(cp.norm(cp.hstack([f, cp.multiply(sized, x)])) <= scale * limit)
            case GroupActive(limit=limit, limits=own):
                for k, label in enumerate(m.sector_labels):
                    if (m.sector_codes == k).any():
                        constraints.append(cp.abs(cp.sum(x[m.sector_codes == k])) <= scale * dict(own).get(label, limit))
            case Beta(limit=limit):
                constraints.append(cp.abs((sigma @ mu) @ x) <= scale * limit * float(mu @ sigma @ mu))
            case Exposure(limit=limit):
                constraints.append(cp.abs(size(mu) @ x) <= scale * limit)
            case Turnover(limit=limit):
                constraints.append(trades <= scale * limit)
    problem = cp.Problem(cp.Maximize(objective), constraints)
    for tolerance in (1e-10, 1e-9, 1e-8):
        tight = {"tol_feas": tolerance, "tol_gap_abs": tolerance, "tol_gap_rel": tolerance} if solver == "CLARABEL" else {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # "may be inaccurate": the status says so, and is looked at
            problem.solve(solver=solver, **{**tight, **options})
        if "inaccurate" not in problem.status:
            break
    if problem.status != "optimal":
        return Opinion(False, mu, np.nan, problem.status)
    w = mu + x.value / scale
    return Opinion(True, w, value(mandate, m, w), problem.status)


def size(mu: ndarray) -> ndarray:
    """Return the log weight with benchmark-weighted mean 0 and equal-weighted spread 1 over members (zero outside)."""
    out, inside = np.zeros(len(mu)), mu > 0.0
    logs = np.log(mu[inside])
    out[inside] = (logs - np.sum(mu[inside] * logs)) / np.sqrt(np.mean((logs - logs.mean()) ** 2))
    return out


def violations(mandate: Mandate, m: Moment, w: ndarray) -> dict[str, float]:
    """Return by how much w breaks each rule, and what holds for every mandate; dense and by hand."""
    mu, sigma = m.benchmark, m.covariance.dense()
    active = w - mu
    found = {"long_only": float(-w.min()), "fully_invested": abs(float(w.sum()) - 1.0), "outside": float(np.abs(w[mu == 0.0]).max(initial=0.0))}
    for rule in mandate.rules:
        match rule:
            case TrackingError(limit=limit):
                excess = float(np.sqrt(active @ sigma @ active)) - limit
            case ActiveWeight(limit=limit):
                excess = float(np.abs(active).max()) - limit
            case WeightBounds():
                tops = [t for t in (rule.maximum, None if rule.plus is None else mu + rule.plus, None if rule.multiple is None else rule.multiple * mu) if t is not None]
                over = max((float(np.max((w - t)[mu > 0.0])) for t in tops), default=0.0)
                excess = max(over, float(np.max(((rule.minimum or 0.0) - w)[mu > 0.0])))
            case GroupActive(limit=limit, limits=own):
                totals = {label: float(active[m.sector_codes == k].sum()) for k, label in enumerate(m.sector_labels)}
                excess = max(abs(total) - dict(own).get(label, limit) for label, total in totals.items())
            case Beta(limit=limit):
                excess = abs(float(w @ sigma @ mu) / float(mu @ sigma @ mu) - 1.0) - limit
            case Exposure(limit=limit):
                excess = abs(float(active @ size(mu))) - limit
            case Exclude():
                excess = max(float(w[m.assets.ids.index(item.asset)]) for item in rule.assets)
            case Turnover(limit=limit):
                excess = float(np.abs(w - (mu if m.holdings is None else m.holdings)).sum()) - limit
            case _:
                raise AssertionError(f"no check for {rule}")
        found[rule.name] = excess
    return found


@dataclass(frozen=True)
class Bench:
    """What the tests of this folder share."""

    policy = POLICY

    moment = staticmethod(moment)
    holdings = staticmethod(holdings)
    random_mandate = staticmethod(random_mandate)
    second_opinion = staticmethod(second_opinion)
    violations = staticmethod(violations)
    value = staticmethod(value)
    excluding = staticmethod(excluding)

    def case(self, seed: int, *, largest: int = 120) -> tuple[Mandate, Moment]:
        """Return one random mandate at one random moment."""
        rng = np.random.default_rng(seed)
        n = int(rng.integers(20, largest + 1))
        m = moment(
            rng,
            n,
            sectors=int(rng.integers(2, 9)),
            factors=int(rng.integers(1, 9)),
            outside=int(rng.choice([0, 0, 3])),
            short=int(rng.choice([0, 0, 4])),
        )
        return random_mandate(rng, m), replace(m, holdings=holdings(rng, m))


@pytest.fixture(scope="session")
def bench() -> Bench:
    """The second statement, the checker and the makers of random cases."""
    return Bench()
