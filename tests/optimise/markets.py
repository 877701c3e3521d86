"""Random markets in which every rule can be stated, and random mandates with any of the convex rules and forms of the objective."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from tests.optimise import checker

from gammastar import mandate as g
from gammastar.core.covariance import FactoredCovariance
from gammastar.mandate.costs import CostModel, PriceImpact
from gammastar.market.groups import Group, Named
from gammastar.risk.statistical import StatisticalFactors

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy import ndarray

    from gammastar.market.moment import Moment

CHARACTERISTICS = ("size", "volatility", "beta", "momentum", "reversal")
VALUE = 1e8


def between(rng: np.random.Generator, low: float, high: float) -> float:
    """Return a number with a uniform logarithm."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def rich(rng: np.random.Generator, m: Moment, *, sessions: int) -> Moment:
    """Return the market with returns, volumes, groups, holdings, a second benchmark and a second risk model."""
    n, short = len(m.benchmark), len(m.observed)
    returns = 0.01 * rng.normal(size=(sessions, 1)) + rng.uniform(0.005, 0.03, n) * rng.normal(size=(sessions, n))
    observed = np.vstack((rng.random((max(sessions - short, 0), n)) > 0.03, m.observed))[-sessions:]
    drift = np.exp(0.02 * rng.normal(size=(sessions, n)).cumsum(axis=0))
    history = (m.benchmark + np.where((m.benchmark == 0.0) & (rng.random(n) < 0.7), 0.001, 0.0)) * drift
    history[-1] = m.benchmark
    volume = VALUE * (m.benchmark + 1e-4) * rng.uniform(0.02, 3.0, n) * np.where(rng.random(n) < 0.02, 0.0, 1.0)
    tilted = m.benchmark * np.exp(rng.normal(0.0, 0.3, n))
    sigma, k = m.covariance, m.covariance.loadings.shape[1]
    second = FactoredCovariance(sigma.loadings[:, : max(k - 1, 1)] * rng.uniform(0.7, 1.3, (n, 1)), sigma.specific * rng.uniform(0.5, 1.5, n))
    issuers = np.where(rng.random(n) < 0.15, np.maximum(np.arange(n) - 1, 0), np.arange(n))
    groups = {"country": Group(("AT", "CH", "DE", "Unknown"), rng.integers(0, 4, n)), "issuer": Group(tuple(f"I{i}" for i in range(n)), issuers)}
    return replace(
        m,
        returns=returns,
        observed=observed,
        benchmark_history=history / history.sum(axis=1, keepdims=True),
        published=np.ones(sessions, dtype=bool),
        groups=Named(groups),
        traded=volume * np.exp(0.3 * rng.normal(size=(sessions, n))),
        value=VALUE,
        second_benchmark=tilted / tilted.sum(),
        second_covariance=second,
        traded_this_year=float(rng.uniform(0.0, 0.3)),
    )


# -- one rule of each kind, its limit drawn at random ----------------------------------------------------------------------------------------------------

Maker = "Callable[[np.random.Generator, Moment], g.Rule]"


def _own(rng: np.random.Generator, label: str, low: float, high: float) -> tuple[tuple[str, float], ...]:
    return ((label, between(rng, low, high)),) if rng.random() < 0.4 else ()


def _some(rng: np.random.Generator, chance: float, low: float, high: float) -> float | None:
    return between(rng, low, high) if rng.random() < chance else None


MAKERS: dict[str, Callable[[np.random.Generator, Moment], g.Rule]] = {
    "tracking_error": lambda r, m: g.TrackingError(between(r, 0.003, 0.04), target=_some(r, 0.3, 0.003, 0.03)),
    "second benchmark": lambda r, m: g.TrackingError(between(r, 0.005, 0.05), second_benchmark=True),
    "second model": lambda r, m: g.TrackingError(between(r, 0.003, 0.04), second_model=True),
    "both seconds": lambda r, m: g.TrackingError(between(r, 0.005, 0.05), second_benchmark=True, second_model=True),
    "factor risk": lambda r, m: g.FactorRisk(between(r, 0.001, 0.02)),
    "specific risk": lambda r, m: g.SpecificRisk(between(r, 0.002, 0.03)),
    "active_weight": lambda r, m: g.ActiveWeight(between(r, 0.002, 0.05), _own(r, "A003", 0.001, 0.02), _own(r, "S1", 0.002, 0.02)),
    "weight": lambda r, m: g.WeightBounds(_some(r, 0.3, 1e-5, 3e-4), _some(r, 0.5, 0.03, 0.3), _some(r, 0.5, 0.002, 0.05), _some(r, 0.5, 1.2, 6.0)),
    "sector": lambda r, m: g.GroupActive(between(r, 0.002, 0.05), _own(r, "S1", 0.002, 0.05)),
    "country": lambda r, m: g.GroupActive(between(r, 0.002, 0.05), _own(r, "CH", 0.002, 0.05), attribute="country"),
    "sector weight": lambda r, m: g.GroupWeight((("S0", between(r, 0.05, 0.3), None), ("S1", between(r, 0.01, 0.1), between(r, 0.15, 0.5)), ("Moon", 0.9, 0.9))),
    "country weight": lambda r, m: g.GroupWeight((("AT", None, between(r, 0.1, 0.5)),), attribute="country"),
    "beta": lambda r, m: g.Beta(between(r, 0.002, 0.1)),
    "second beta": lambda r, m: g.Beta(between(r, 0.005, 0.1), second_benchmark=True),
    "active_share": lambda r, m: g.ActiveShare(between(r, 0.03, 0.4)),
    "turnover": lambda r, m: g.Turnover(between(r, 0.05, 0.8)),
    "buys": lambda r, m: g.Buys(between(r, 0.03, 0.4)),
    "year": lambda r, m: g.TurnoverYear(between(r, 0.3, 1.2)),
    "trade liquidity": lambda r, m: g.TradeLiquidity(between(r, 0.05, 2.0), window=int(r.integers(3, 30))),
    "holding liquidity": lambda r, m: g.HoldingLiquidity(between(r, 0.5, 20.0)),
    "top": lambda r, m: g.TopWeights(int(r.integers(1, 12)), between(r, 0.1, 0.6)),
    "issuer": lambda r, m: g.IssuerLimit(between(r, 0.02, 0.2)),
    "cash": lambda r, m: g.Cash(minimum=float(r.choice([0.0, 0.005])), maximum=float(r.choice([0.005, 0.03])), premium=float(r.choice([0.0, 0.02, 0.05]))),
    **{f"exposure {name}": lambda r, m, name=name: g.Exposure(between(r, 0.002, 0.1), name) for name in CHARACTERISTICS},
}
"""Every rule with a convex row, lists apart."""

LISTS: dict[str, type[g.AssetList]] = {"exclude": g.Exclude, "must_sell": g.MustSell, "no_buy": g.NoBuy, "no_sell": g.NoSell, "freeze": g.Freeze}

PENALTY = {"beta": (0.02, 0.5), "exposure": (0.002, 0.1), "liquidity": (1e-4, 1e-2), "weight": (1e-3, 0.5), "turnover": (0.003, 0.05)}


def softened(rng: np.random.Generator, rule: g.Rule) -> g.Rule:
    """Return the rule with a penalty of the order of what its limit is worth, so that some are paid and some are not."""
    low, high = next((size for name, size in PENALTY.items() if rule.name.startswith(name)), (0.01, 2.0))
    return replace(rule, penalty=between(rng, low, high))


def lists(rng: np.random.Generator, m: Moment) -> list[g.Rule]:
    """Return some lists, some of whose entries are not in force or not listed at all."""
    found = []
    order = itertools.cycle(rng.permutation(np.argsort(m.benchmark)[: 3 * len(m.benchmark) // 4]).tolist())
    for make in LISTS.values():
        if rng.random() < 0.25:
            entries = [g.ListEntry(f"A{next(order):03d}", "a reason", "clause 4") for _ in range(int(rng.integers(1, 4)))]
            entries += [g.ListEntry(f"A{next(order):03d}", "not yet", start="2015-07-01"), g.ListEntry(f"A{next(order):03d}", "no longer", end="2015-06-29")]
            entries += [g.ListEntry("GONE", "not listed", start="2015-06-30", end="2015-06-30")]
            found.append(make(tuple(entries)))
    return found


def anchor(rng: np.random.Generator, mandate: g.Mandate, m: Moment) -> ndarray:
    """Return weights that keep the lists and what stands still, for limits that leave at least one portfolio."""
    mu, h = m.benchmark, checker.held(m)
    low, high = checker.hard_limits(mandate, m)
    stands, outside = checker.neutral(mandate, m), mu == 0.0
    w = np.where(outside, 0.0, (1.0 - rng.random()) * mu + rng.random() * (h - mu) + mu * rng.uniform(0.0, 0.1, len(mu)))
    w = np.where(stands, mu, np.maximum(w, 0.1 * mu))
    w = np.clip(w, low, np.maximum(low, high))
    moving = ~stands & ~outside & np.isinf(high) & (low == 0.0)
    cash = next((rule for rule in mandate.rules if isinstance(rule, g.Cash)), None)
    rest = 1.0 - (0.0 if cash is None else rng.uniform(cash.minimum, cash.maximum)) - float(w[~moving].sum())
    return np.where(moving, w * rest / float(w[moving].sum()), w) if moving.any() and rest > 0.0 else w


def _strategy(rng: np.random.Generator, m: Moment) -> g.VolatilityCapture:
    ids = m.assets.ids
    given = tuple((ids[i], float(rng.normal(0.0, 0.02))) for i in rng.choice(len(ids), 8, replace=False))
    growth: list[g.GrowthAssumption] = [
        g.EqualGrowth(),
        g.ArithmeticGrowth(float(rng.choice([0.3, 1.0]))),
        g.RankGrowth(buckets=5),
        g.GivenGrowth((*given, ("GONE", 1.0)), "2015-06-30"),
    ]
    penalties = (
        (g.VariancePenalty(2.0, second_model=True),),
        (g.VariancePenalty(0.5, second_benchmark=True),),
        (g.VariancePenalty(1.0, second_benchmark=True, second_model=True), g.VariancePenalty(0.3)),
    )
    plain = rng.random() < 0.5
    return g.VolatilityCapture(
        growth=growth[int(rng.choice([0, 0, 1, 2, 3]))],
        holding_period=float(rng.choice([1.0, 0.5, 2.0])),
        factor_aversion=1.0 if plain else between(rng, 0.5, 10.0),
        specific_aversion=1.0 if plain else between(rng, 0.5, 10.0),
        penalties=penalties[int(rng.integers(3))] if rng.random() < 0.25 else (),
    )


def _trading(rng: np.random.Generator) -> g.TradingPolicy:
    rate = float(rng.choice([0.0, 0.0005, 0.002]))
    model = CostModel(
        sell=float(rng.choice([0.0, 0.001, 0.003])) if rng.random() < 0.3 else None,
        assets=(("A002", 0.004), ("A007", 0.0), ("GONE", 0.1)) if rng.random() < 0.3 else (),
        steps=((0.1, 0.001), (0.5, 0.004)) if rng.random() < 0.25 else (),
        impact=PriceImpact(between(rng, 0.1, 2.0), float(rng.choice([1.5, 1.6]))) if rng.random() < 0.25 else None,
    )
    return g.TradingPolicy(cost=rate, costs=model)


def any_mandate(rng: np.random.Generator, m: Moment, data: g.DataPolicy) -> g.Mandate:
    """Return a mandate with a random subset of the rules; in four of five, limits that leave at least one portfolio."""
    second = g.GivenBenchmark((("A000", 1.0),), "2000-01-01")  # the moment brings the weights
    chosen = [make(rng, m) for make in MAKERS.values() if rng.random() < 0.25]
    mandate = g.Mandate(
        strategy=_strategy(rng, m),
        rules=(*lists(rng, m), *(rule for rule in chosen if isinstance(rule, g.Cash))),
        trading=_trading(rng),
        second_risk=StatisticalFactors(),
        second_benchmark=second,
        data=data,
    )
    w = anchor(rng, mandate, m)
    possible, rules = rng.random() < 0.8, []
    for rule in chosen:
        needed = checker.excess_in_units(rule, m, w)
        loose = rule if not possible or isinstance(rule, g.Cash) or not 0.0 < needed < np.inf else rule.loosened(needed * 1.05 + 1e-5)
        rules.append(softened(rng, loose) if rng.random() < 0.2 else loose)
    found = [softened(rng, rule) if rng.random() < 0.1 else rule for rule in mandate.rules]
    return mandate.with_rules((*(rule for rule in found if not isinstance(rule, g.Cash)), *rules))
