"""A second statement of every convex rule, loosened or not, for CVXPY; markets with all that rules ask for; and conflicts planted with it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import cvxpy as cp
import numpy as np
import pytest
from tests.optimise.twin import attempted

from gammastar import mandate as g
from gammastar.core.covariance import FactoredCovariance
from gammastar.market.groups import Group, Named
from gammastar.risk.statistical import StatisticalFactors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy import ndarray

    from gammastar.market.moment import Moment

PERCENT = 100.0
DISCRETE = (g.Names, g.RiskContribution, g.MinimumHolding, g.MinimumTrade, g.Lot)


# -- a market in which every rule can be stated -------------------------------------------------------------------------------------------------


def market(bench: Any, rng: np.random.Generator, n: int) -> Moment:
    """Return n names with holdings that drifted, volumes, countries, issuers, a second benchmark and a second risk model."""
    m = bench.moment(rng, n, sectors=4, factors=4)
    mu = m.benchmark
    held = mu * np.exp(rng.normal(0.0, 0.3, n))
    tilted = mu * np.exp(rng.normal(0.0, 0.2, n))
    issuers = np.maximum(np.arange(n) - (np.arange(n) % 7 == 3), 0)  # now and then two lines of one issuer
    second = FactoredCovariance(m.covariance.loadings * rng.uniform(0.8, 1.2, (n, 1)), m.covariance.specific * rng.uniform(0.7, 1.4, n))
    flow = float(rng.choice([0.0, 0.0, 0.02]))
    groups = {
        "country": Group(("AT", "CH", "DE"), rng.integers(0, 3, n)),
        "issuer": Group(tuple(f"I{k}" for k in range(n)), issuers),
    }
    return replace(
        m,
        holdings=held / held.sum() * (1.0 - flow),
        flow=flow,
        groups=Named(groups),
        traded=np.tile(1e8 * mu * rng.uniform(0.3, 1.2, n), (len(m.returns), 1)),
        value=1e8,
        second_benchmark=tilted / tilted.sum(),
        second_covariance=second,
        traded_this_year=0.2,
    )


def signed(bench: Any, rules: Iterable[g.Rule]) -> g.Mandate:
    """Return a mandate of `rules`, with all that they may ask for."""
    second = g.GivenBenchmark((("A000", 1.0),), "2000-01-01")  # the moment brings the weights
    return g.Mandate(rules=tuple(rules), second_benchmark=second, second_risk=StatisticalFactors(), data=bench.policy)


# -- the second statement ---------------------------------------------------------------------------------------------------------------------------


@dataclass
class Stated:
    """Variables and rows in percent: weights x, and by how much one rule gives way."""

    m: Moment
    x: Any
    give: Any

    def within(self, away: Any, limit: Any) -> list[Any]:
        return [cp.abs(away) <= PERCENT * np.asarray(limit) + self.give]

    def below(self, value: Any, limit: Any, rate: Any = 1.0) -> list[Any]:
        """Return ``value <= rate (limit + give)``, rate a number for each row."""
        return [value <= cp.multiply(rate, PERCENT * np.asarray(limit) + self.give * np.ones(np.shape(rate)))]


def _sums(codes: ndarray, labels: Iterable[str]) -> tuple[ndarray, list[str]]:
    matrix = np.array([codes == k for k, _ in enumerate(labels)], dtype=float)
    return matrix, list(labels)


def _norm(sigma: FactoredCovariance, away: Any) -> Any:
    return cp.norm(cp.hstack([sigma.loadings.T @ away, cp.multiply(np.sqrt(sigma.specific), away)]))


def rows(rule: g.Rule, s: Stated) -> list[Any]:
    """Return a rule as the documents word it, its limits looser by `s.give`."""
    m, x = s.m, s.x
    mu, held, n = m.benchmark, m.holdings, len(m.benchmark)
    d, t = x - PERCENT * mu, x - PERCENT * held
    match rule:
        case g.TrackingError() | g.FactorRisk() | g.SpecificRisk():
            return _risk(rule, s)
        case g.Beta():
            nu = m.second_benchmark if rule.second_benchmark else mu
            against = m.covariance.dense() @ nu
            return s.within(against @ x / float(against @ nu) - PERCENT, rule.limit)
        case g.ActiveWeight():
            return s.within(d, rule.limit)
        case g.WeightBounds():
            found = [] if rule.minimum is None else [x >= PERCENT * rule.minimum - s.give]
            found += [] if rule.maximum is None else s.below(x, rule.maximum)
            found += [] if rule.plus is None else s.below(d, rule.plus)
            return found + ([] if rule.multiple is None else s.below(x, rule.multiple, mu))
        case g.GroupActive():
            matrix, labels = _sums(m.group(rule.attribute).codes, m.group(rule.attribute).labels)
            own = dict(rule.limits)
            return s.within(matrix @ d, [own.get(label, rule.limit) for label in labels])
        case g.GroupWeight():
            matrix, labels = _sums(m.group(rule.attribute).codes, m.group(rule.attribute).labels)
            total = matrix @ x
            found = []
            for label, low, high in rule.bounds:
                k = labels.index(label)
                found += [] if low is None else [total[k] >= PERCENT * low - s.give]
                found += [] if high is None else [total[k] <= PERCENT * high + s.give]
            return found
        case g.Exposure(characteristic="size"):
            logs = np.log(mu)
            return s.within((logs - mu @ logs) / logs.std() @ d, rule.limit)
        case g.ActiveShare():
            return s.below(0.5 * (cp.norm1(d) + cp.abs(PERCENT - cp.sum(x))), rule.limit)
        case g.Cash():
            cash = PERCENT - cp.sum(x)
            return [cash >= 0.0, cash >= PERCENT * rule.minimum - s.give, cash <= PERCENT * rule.maximum + s.give]
        case g.Turnover():
            return s.below(cp.norm1(t), rule.limit)
        case g.TurnoverYear():
            return s.below(cp.norm1(t), rule.limit - m.traded_this_year)
        case g.Buys():
            return s.below(cp.sum(cp.pos(t)), rule.limit)
        case g.CashMode():
            return [-t <= PERCENT * rule.tolerance + s.give] if m.flow > 0.0 else []
        case g.TradeLiquidity():
            return s.below(cp.abs(t), rule.limit, m.traded[-rule.window :].mean(axis=0) / m.value)
        case g.HoldingLiquidity():
            return s.below(x, rule.limit, m.traded[-rule.window :].mean(axis=0) / m.value)
        case g.TopWeights():
            return s.below(cp.sum_largest(x, rule.count), rule.limit)
        case g.IssuerLimit() | g.FiveTenForty():
            matrix, _ = _sums(m.group("issuer").codes, m.group("issuer").labels)
            return s.below(matrix[matrix.any(axis=1)] @ x, rule.limit if isinstance(rule, g.IssuerLimit) else rule.each)
        case g.AssetList():
            return _listed(rule, s)
    raise AssertionError(f"no statement of {rule} for {n} names")


def _risk(rule: Any, s: Stated) -> list[Any]:
    centre = s.m.second_benchmark if getattr(rule, "second_benchmark", False) else s.m.benchmark
    sigma = s.m.second_covariance if getattr(rule, "second_model", False) else s.m.covariance
    away = s.x - PERCENT * centre
    match rule:
        case g.FactorRisk():
            size = cp.norm(sigma.loadings.T @ away)
        case g.SpecificRisk():
            size = cp.norm(cp.multiply(np.sqrt(sigma.specific), away))
        case _:
            size = _norm(sigma, away)
    return s.below(size, rule.limit)


def _listed(rule: Any, s: Stated) -> list[Any]:
    at = [s.m.assets.index[entry.asset] for entry in rule.assets]
    level = np.zeros(len(at)) if isinstance(rule, (g.Exclude, g.MustSell)) else s.m.holdings[at]
    above, found = s.x[at] - PERCENT * level, []
    if not isinstance(rule, g.NoSell):
        found += s.below(above, rule.tolerance)
    if isinstance(rule, (g.NoSell, g.Freeze)):
        found += s.below(-above, rule.tolerance)
    return found


def least(rules: Iterable[g.Rule], m: Moment, loose: str | None = None) -> float | None:
    """Return by how much the rule called `loose` has to be loosened for all of `rules` to hold; None where nothing helps.

    Without `loose`: zero where they can hold, None where they cannot.
    """
    gives, constraints = stated(rules, m, () if loose is None else (loose,))
    value = _minimum(gives[loose] if gives else cp.Constant(0.0), constraints)
    return None if value is None else value / PERCENT


def in_order(rules: Iterable[g.Rule], m: Moment, unit: Callable[[g.Rule], float]) -> dict[int, float] | None:
    """Return the least excess of each priority, relative to `unit`, the last priority that has to give way first; None where none helps."""
    by_level = {p: [rule for rule in rules if rule.priority == p and not isinstance(rule, DISCRETE) and rule.penalty is None] for p in range(1, 6)}
    for last in range(1, 6):
        giving = [rule for p in range(1, last + 1) for rule in by_level[p]]
        gives, constraints = stated(rules, m, tuple(rule.name for rule in giving))
        if _minimum(cp.Constant(0.0), constraints) is None:
            continue
        found: dict[int, float] = {}
        for level in range(last, 0, -1):
            if by_level[level]:
                excess = cp.sum(cp.hstack([gives[rule.name] / unit(rule) for rule in by_level[level]]))
                found[level] = _minimum(excess, constraints) or 0.0
                constraints = [*constraints, excess <= found[level] + 1e-7]
        return {level: excess / PERCENT for level, excess in found.items()}
    return None


def stated(rules: Iterable[g.Rule], m: Moment, loose: tuple[str, ...]) -> tuple[dict[str, Any], list[Any]]:
    """Return by how much each of `loose` gives way, and the rows of all rules."""
    rules = [rule for rule in rules if rule.penalty is None and not isinstance(rule, DISCRETE)]
    x, gives = cp.Variable(len(m.benchmark)), {name: cp.Variable(nonneg=True) for name in loose}
    constraints = [x >= 0.0, *([x[m.benchmark == 0.0] == 0.0] if (m.benchmark == 0.0).any() else [])]
    constraints += [] if any(isinstance(rule, g.Cash) for rule in rules) else [cp.sum(x) == PERCENT]
    for rule in rules:
        constraints += rows(rule, Stated(m, x, gives.get(rule.name, 0.0)))
    return gives, constraints


def violation(rule: g.Rule, m: Moment, weights: ndarray) -> float:
    """Return by how much `weights` break a rule, in its units (of weight for liquidity)."""
    x = cp.Variable(len(weights), value=PERCENT * weights)
    return max(float(np.max(row.violation())) for row in rows(rule, Stated(m, x, 0.0))) / PERCENT


def _minimum(objective: Any, constraints: list[Any]) -> float | None:
    problem = cp.Problem(cp.Minimize(objective), constraints)
    for own in ({}, {"equilibrate_enable": False}, {"static_regularization_enable": False}):
        for tolerance in (1e-10, 1e-9, 1e-8, 1e-7):
            done = attempted(problem, "CLARABEL", {"tol_feas": tolerance, "tol_gap_abs": tolerance, "tol_gap_rel": tolerance, **own})
            if done and "inaccurate" not in problem.status:
                return float(problem.value) if problem.status == "optimal" else None
    if problem.status is None:
        raise AssertionError("the second solver gives no answer at any tolerance")
    return float(problem.value) if problem.status.startswith("optimal") else None


# -- planting -----------------------------------------------------------------------------------------------------------------------------------------


def _entries(columns: Iterable[int]) -> tuple[g.ListEntry, ...]:
    return tuple(g.ListEntry(f"A{column:03d}", "asked for by the client", "annex 2") for column in columns)


def _some(rng: np.random.Generator, pool: ndarray, most: int = 4) -> ndarray:
    return rng.choice(pool, size=min(int(rng.integers(1, most + 1)), len(pool)), replace=False)


def pushers(rng: np.random.Generator, m: Moment) -> list[g.Rule]:
    """Return one rule of every kind that may move weights away from where another wants them."""
    mu, held, n = m.benchmark, m.holdings, len(m.benchmark)
    top, by_size = np.sort(mu)[::-1], np.argsort(-mu)
    u = rng.uniform
    sector, country = int(m.sector_codes[by_size[0]]), int(m.group("country").codes[by_size[1]])
    sector_held = float(mu[m.sector_codes == sector].sum())
    country_held = float(mu[m.group("country").codes == country].sum())
    lists = rng.permutation(by_size[: max(n // 2, 12)])
    floor = rng.random() < 0.3
    return [
        g.Exclude(_entries(_some(rng, lists[0::5]))),
        g.MustSell(_entries(_some(rng, lists[1::5]))),
        g.NoSell(_entries(_some(rng, np.flatnonzero(held > mu), 6))),
        g.NoBuy(_entries(_some(rng, np.flatnonzero(held < mu), 6))),
        g.Freeze(_entries(_some(rng, lists[3::5], 5))),
        g.WeightBounds(
            minimum=u(0.3, 0.8) / n if floor else None,
            maximum=None if floor else max(top[2] * u(0.7, 0.95), 1.3 / n),
            multiple=u(1.5, 4.0) if rng.random() < 0.3 else None,
        ),
        g.GroupWeight(((f"S{sector}", None, sector_held * u(0.8, 0.95)),)) if rng.random() < 0.5 else g.GroupWeight(((f"S{sector}", min(sector_held * u(1.05, 1.2), 0.95), None),)),
        g.GroupWeight(((m.group("country").labels[country], None, country_held * u(0.8, 0.95)),), "country"),
        g.Cash(u(0.005, 0.03), 0.04),
        g.Turnover(u(0.02, 0.15)),
        g.TurnoverYear(0.2 + u(0.02, 0.15)),
        g.Buys(u(0.01, 0.08)),
        g.CashMode(),
        g.TradeLiquidity(u(0.1, 0.8), 5),
        g.HoldingLiquidity(u(2.0, 4.0), 5),
        g.TopWeights(5, float(top[:5].sum()) * u(0.8, 0.95)),
        g.IssuerLimit(max(top[1] * u(0.7, 0.95), 2.5 / n)),
        g.FiveTenForty(each=max(top[1] * u(0.7, 0.95), 2.5 / n), threshold=0.9, total=1.0),
        g.TrackingError(u(0.002, 0.02)),
        g.TrackingError(u(0.002, 0.02), second_benchmark=True),
        g.TrackingError(u(0.002, 0.02), second_model=True),
        g.FactorRisk(u(0.001, 0.01)),
        g.SpecificRisk(u(0.002, 0.02)),
        g.Beta(u(0.002, 0.02)),
        g.Beta(u(0.002, 0.02), second_benchmark=True),
        g.Exposure(u(0.005, 0.1)),
        g.ActiveWeight(u(0.002, 0.01)),
        g.GroupActive(u(0.002, 0.02)),
        g.GroupActive(u(0.002, 0.02), (), "country"),
        g.ActiveShare(u(0.02, 0.15)),
    ]


def loosest(rng: np.random.Generator) -> list[g.Rule]:
    """Return rules that forbid nothing, soft ones that are exceeded, and discrete ones: none of them may be named."""
    free: list[g.Rule] = [
        g.TrackingError(5.0), g.TrackingError(5.0, second_benchmark=True), g.FactorRisk(5.0), g.SpecificRisk(5.0), g.Beta(9.0), g.Exposure(99.0),
        g.ActiveWeight(1.0), g.GroupActive(1.0), g.GroupActive(1.0, (), "country"), g.ActiveShare(1.0), g.Turnover(3.0), g.Buys(2.0),
        g.TurnoverYear(5.0), g.WeightBounds(maximum=1.0), g.TopWeights(5, 1.0), g.IssuerLimit(1.0), g.HoldingLiquidity(1e6, 5), g.TradeLiquidity(1e6, 5),
        g.GroupWeight((("S0", 0.0, 1.0),)), g.Names(maximum=10_000), g.RiskContribution(1.0),
        g.TrackingError(0.0, second_model=True, penalty=0.01), g.Beta(0.0, second_benchmark=True, penalty=0.01),
    ]  # fmt: skip
    return [free[k] for k in rng.permutation(len(free))[: int(rng.integers(4, 14))]]


def tightest(rng: np.random.Generator) -> list[g.Rule]:
    """Return rules with nothing allowed, in random order: what is measured, and loosened to just below what the others need."""
    found: list[g.Rule] = [
        g.TrackingError(0.0), g.TrackingError(0.0, second_benchmark=True), g.TrackingError(0.0, second_model=True), g.FactorRisk(0.0), g.SpecificRisk(0.0),
        g.Beta(0.0), g.Beta(0.0, second_benchmark=True), g.Exposure(0.0), g.ActiveWeight(0.0), g.GroupActive(0.0), g.GroupActive(0.0, (), "country"),
        g.ActiveShare(0.0), g.Turnover(0.0), g.TurnoverYear(0.2), g.Buys(0.0), g.TradeLiquidity(0.0, 5), g.HoldingLiquidity(0.0, 5), g.TopWeights(5, 0.0),
        g.IssuerLimit(0.0),
    ]  # fmt: skip
    return [found[k] for k in rng.permutation(len(found))]


def plant(rng: np.random.Generator, m: Moment) -> tuple[g.Rule, ...]:
    """Return 2 to 5 rules that contradict each other, none of which can be spared, by CVXPY's word and with room to spare.

    Some rules push, one is as tight as it goes: what it needs is measured, and rules are dropped that the need does not depend on. Half-way
    between what the rules need together and what they need with one left out, the tight rule contradicts all of the others and no fewer.
    """
    wanted, found = int(rng.choice([2, 3, 4, 5], p=[0.3, 0.4, 0.2, 0.1])), None
    for tries, last in enumerate(tightest(rng)):
        if found is not None and (len(found) >= wanted or tries >= 2):
            break
        pool = [rule for rule in pushers(rng, m) if rule.name != last.name]
        kept = [pool[k] for k in rng.permutation(len(pool))[: wanted + 1]]
        need = least([*kept, last], m, last.name)
        while need is None and kept:
            kept.pop()
            need = least([*kept, last], m, last.name)
        fewer = _needs_without(kept, last, m)
        while kept and (need is None or len(kept) > 4 or need - max(fewer) < 0.01 * need or need < 1e-3):
            kept.pop(int(np.argmax(fewer)))
            fewer, need = _needs_without(kept, last, m), least([*kept, last], m, last.name)
        if kept and (found is None or len(kept) + 1 > len(found)):
            found = (*kept, last.loosened(0.5 * (need + max(fewer))))
    assert found is not None, "nothing could be planted"
    return found


def _needs_without(kept: list[g.Rule], last: g.Rule, m: Moment) -> list[float]:
    """Return what `last` needs with each of `kept` left out: more without a rule on cash, since nothing may then be cash."""
    needs = [least([*(rule for rule in kept if rule is not one), last], m, last.name) for one in kept]
    return [np.inf if need is None else need for need in needs]


@dataclass(frozen=True)
class Plots:
    """What the tests of this folder share."""

    bench: Any
    market: Callable[..., Moment]
    least = staticmethod(least)
    in_order = staticmethod(in_order)
    violation = staticmethod(violation)
    tightest = staticmethod(tightest)
    plant = staticmethod(plant)
    pushers = staticmethod(pushers)
    loosest = staticmethod(loosest)

    def signed(self, rules: Iterable[g.Rule]) -> g.Mandate:
        return signed(self.bench, rules)

    def case(self, seed: int, n: int) -> tuple[g.Mandate, Moment, frozenset[str]]:
        """Return a mandate with one planted conflict among rules that forbid nothing, in random order, and the rules that make it."""
        rng = np.random.default_rng(seed)
        m = self.market(rng, n)
        planted = plant(rng, m)
        names = frozenset(rule.name for rule in planted)
        rules = [*planted, *(rule for rule in loosest(rng) if rule.name not in names)]
        return self.signed(rules[k] for k in rng.permutation(len(rules))), m, names


@pytest.fixture(scope="session")
def plots(bench: Any) -> Plots:
    """The second statement, the markets and the planter."""
    return Plots(bench, lambda rng, n: market(bench, rng, n))
