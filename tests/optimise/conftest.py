"""What the tests of the optimiser share: markets, mandates, and two readers of them that share nothing with the house's rows (`twin`, `checker`)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.optimise import checker, markets, twin

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
class Bench:
    """What the tests of this folder share."""

    policy = POLICY

    moment = staticmethod(moment)
    holdings = staticmethod(holdings)
    random_mandate = staticmethod(random_mandate)
    any_mandate = staticmethod(markets.any_mandate)
    rich = staticmethod(markets.rich)
    second_opinion = staticmethod(twin.second_opinion)
    room_above = staticmethod(twin.room_above)
    violations = staticmethod(checker.violations)
    stands = staticmethod(checker.stands)
    excess = staticmethod(checker.excess)
    excess_in_units = staticmethod(checker.excess_in_units)
    value = staticmethod(checker.value)
    soft_charge = staticmethod(checker.soft_charge)
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

    def rich_case(self, seed: int, *, largest: int = 500) -> tuple[Mandate, Moment]:
        """Return a random mandate with any of the convex rules and forms of the objective, on 20 to `largest` names, log-uniform."""
        rng = np.random.default_rng(seed)
        n = round(math.exp(rng.uniform(math.log(20.0), math.log(largest))))
        shape = {"sectors": int(rng.integers(2, 9)), "factors": int(rng.integers(1, 9)), "outside": int(rng.choice([0, 0, 3])), "short": int(rng.choice([0, 0, 4]))}
        m = markets.rich(rng, moment(rng, n, **shape), sessions=int(rng.choice([12, 40, 300], p=[0.2, 0.6, 0.2])))
        m = replace(m, holdings=holdings(rng, m))
        return markets.any_mandate(rng, m, POLICY), m


@pytest.fixture(scope="session")
def bench() -> Bench:
    """The second statement, the checker and the makers of random cases."""
    return Bench()
