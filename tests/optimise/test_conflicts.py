"""Planted contradictions: each mandate has one, and the proposal has to name exactly the rules that make it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from gammastar.mandate import (
    ActiveWeight,
    Beta,
    Exposure,
    GroupActive,
    Mandate,
    Rule,
    TrackingError,
    Turnover,
    WeightBounds,
)
from gammastar.optimise import Status, propose

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy import ndarray

    from gammastar.market.moment import Moment

N = 40
CODES = np.arange(N) % 5
LOOSE: tuple[Rule, ...] = (TrackingError(0.9), ActiveWeight(0.9), GroupActive(0.9), Beta(0.9), Exposure(9.0), Turnover(2.0), WeightBounds(maximum=1.0))
"""Rules that forbid nothing: they stand in every mandate, and must not be named."""


@dataclass(frozen=True, eq=False)
class Planted:
    """A contradiction: the rules that make it, and the holdings if they are part of it."""

    rules: tuple[Rule, ...]
    held: ndarray | None = None


def beta(m: Moment) -> ndarray:
    against = m.covariance.dense() @ m.benchmark
    return against / (against @ m.benchmark)


def without(m: Moment, bench: Any, keep: ndarray) -> Rule:
    return bench.excluding(*np.flatnonzero(~keep))


def moved(m: Moment, source: ndarray, sink: ndarray, weight: float) -> ndarray:
    """Return the benchmark with `weight` taken pro rata from the names of `source` and given to those of `sink`."""
    mu = m.benchmark
    return mu - weight * mu * source / mu[source].sum() + weight * mu * sink / mu[sink].sum()


def cap_below_equal(m: Moment, bench: Any) -> Planted:
    return Planted((WeightBounds(maximum=0.9 / N),))


def floor_above_equal(m: Moment, bench: Any) -> Planted:
    return Planted((WeightBounds(minimum=1.1 / N),))


def cap_crosses_floor(m: Moment, bench: Any) -> Planted:
    return Planted((WeightBounds(minimum=0.01, plus=0.001),))


def large_name_excluded(m: Moment, bench: Any) -> Planted:
    return Planted((ActiveWeight(0.005), bench.excluding(int(m.benchmark.argmax()))))


def sector_excluded(m: Moment, bench: Any) -> Planted:
    return Planted((GroupActive(0.01), without(m, bench, CODES != 2)))


def sector_with_its_own_limit_excluded(m: Moment, bench: Any) -> Planted:
    return Planted((GroupActive(0.5, (("S2", 0.01),)), without(m, bench, CODES != 2)))


def drifted_and_no_turnover(m: Moment, bench: Any) -> Planted:
    held = moved(m, m.benchmark < np.median(m.benchmark), m.benchmark == m.benchmark.max(), 0.03)
    return Planted((ActiveWeight(0.01), Turnover(0.0)), held)


def no_risk_and_a_name_excluded(m: Moment, bench: Any) -> Planted:
    return Planted((TrackingError(0.0), bench.excluding(4)))


def floor_against_active_weight(m: Moment, bench: Any) -> Planted:
    floor = float(m.benchmark.min()) + 0.002
    return Planted((ActiveWeight(0.001), WeightBounds(minimum=floor)))


def floor_against_exclusion(m: Moment, bench: Any) -> Planted:
    return Planted((WeightBounds(minimum=0.001), bench.excluding(7)))


def only_low_betas_left(m: Moment, bench: Any) -> Planted:
    return Planted((Beta(0.02), without(m, bench, beta(m) < 0.95)))


def only_small_names_left(m: Moment, bench: Any) -> Planted:
    return Planted((Exposure(0.05), without(m, bench, m.benchmark < np.quantile(m.benchmark, 0.7))))


def exclusion_dearer_than_turnover(m: Moment, bench: Any) -> Planted:
    return Planted((Turnover(0.02), bench.excluding(int(m.benchmark.argmax()))), m.benchmark)


def drifted_above_its_cap(m: Moment, bench: Any) -> Planted:
    largest = m.benchmark == m.benchmark.max()
    return Planted((Turnover(0.02), WeightBounds(maximum=float(m.benchmark.max()) + 0.01)), moved(m, ~largest, largest, 0.04))


def capped_far_from_the_benchmark(m: Moment, bench: Any) -> Planted:
    return Planted((TrackingError(0.002), WeightBounds(maximum=1.2 / N)))


def floors_fill_a_sector(m: Moment, bench: Any) -> Planted:
    """Eight floors lift the lightest sector above its limit."""
    share = np.bincount(CODES, weights=m.benchmark)
    return Planted((GroupActive(0.01), WeightBounds(minimum=(float(share.min()) + 0.02) / 8.0)))


def risky_holdings_and_little_turnover(m: Moment, bench: Any) -> Planted:
    low = beta(m) < 0.8
    return Planted((TrackingError(0.005), Turnover(0.01)), moved(m, ~low, low, 0.3))


def sector_overweight_and_little_turnover(m: Moment, bench: Any) -> Planted:
    return Planted((GroupActive(0.01), Turnover(0.04)), moved(m, CODES != 1, CODES == 1, 0.05))


KINDS: list[Callable[..., Planted]] = [
    cap_below_equal,
    floor_above_equal,
    cap_crosses_floor,
    large_name_excluded,
    sector_excluded,
    sector_with_its_own_limit_excluded,
    drifted_and_no_turnover,
    no_risk_and_a_name_excluded,
    floor_against_active_weight,
    floor_against_exclusion,
    only_low_betas_left,
    only_small_names_left,
    exclusion_dearer_than_turnover,
    drifted_above_its_cap,
    capped_far_from_the_benchmark,
    floors_fill_a_sector,
    risky_holdings_and_little_turnover,
    sector_overweight_and_little_turnover,
]


def verdict(m: Moment, bench: Any, rules: tuple[Rule, ...]) -> tuple[Status, set[str]]:
    proposal = propose(Mandate(rules=rules, data=bench.policy), m)
    return proposal.status, set(proposal.conflict)


def mandate_rules(planted: Planted, seed: int) -> tuple[Rule, ...]:
    """Return the planted rules among those that forbid nothing, in random order."""
    names = {rule.name for rule in planted.rules}
    rules = [*planted.rules, *(rule for rule in LOOSE if rule.name not in names)]
    np.random.default_rng(seed).shuffle(rules)
    return tuple(rules)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_the_planted_rules_are_named_and_none_can_be_spared(bench: Any, kind: Callable[..., Planted], seed: int) -> None:
    m = bench.moment(np.random.default_rng(seed), N, codes=CODES)
    planted = kind(m, bench)
    m = replace(m, holdings=planted.held)
    rules, names = mandate_rules(planted, seed), {rule.name for rule in planted.rules}
    status, named = verdict(m, bench, rules)
    assert status is Status.CONFLICT
    assert named == names
    for name in names:
        assert verdict(m, bench, tuple(rule for rule in rules if rule.name != name))[0] is Status.OPTIMAL
    assert not bench.second_opinion(Mandate(rules=rules, data=bench.policy), m).feasible


def sector_squeezed(bench: Any) -> tuple[Moment, tuple[Rule, ...]]:
    """Half of a sector is excluded, the other half is capped, and no other sector may help out."""
    mu = np.full(N, 1.0)
    mu[(CODES == 3) & (np.arange(N) < 20)] = 4.0
    m = bench.moment(np.random.default_rng(5), N, codes=CODES, mu=mu)
    small = float(m.benchmark.min())
    gone = np.flatnonzero(m.benchmark > 2.0 * small)
    cap = float(m.benchmark.max())
    kept_sector_needs = float(m.benchmark[CODES == 3].sum())
    assert 4.0 * cap < kept_sector_needs - 0.02
    return m, (GroupActive(0.01), bench.excluding(*gone), WeightBounds(maximum=cap))


def beta_squeezed(bench: Any) -> tuple[Moment, tuple[Rule, ...]]:
    """Without the high betas but one, that one alone could lift the portfolio's beta, and its active weight is limited."""
    m = bench.moment(np.random.default_rng(6), N, codes=CODES, mu=np.linspace(0.95, 1.05, N))
    order = np.argsort(beta(m))
    return m, (Beta(0.1), bench.excluding(*order[-20:-1]), ActiveWeight(0.028))


def turnover_squeezed(bench: Any) -> tuple[Moment, tuple[Rule, ...]]:
    """A heavy name has to go; its sector must stay, and the turnover that is left will not fetch its weight from elsewhere."""
    m = bench.moment(np.random.default_rng(7), N, codes=CODES, mu=np.linspace(0.95, 1.05, N))
    inside = CODES == 1
    held = moved(m, inside, ~inside, 0.06)
    first = np.flatnonzero(inside)[0]
    return replace(m, holdings=held), (GroupActive(0.01), bench.excluding(first), Turnover(0.12))


@pytest.mark.parametrize("squeezed", [sector_squeezed, beta_squeezed, turnover_squeezed])
def test_three_rules_that_hold_two_by_two(bench: Any, squeezed: Callable[[Any], tuple[Moment, tuple[Rule, ...]]]) -> None:
    m, rules = squeezed(bench)
    every, names = mandate_rules(Planted(rules), 1), {rule.name for rule in rules}
    assert verdict(m, bench, every) == (Status.CONFLICT, names)
    for name in names:
        assert verdict(m, bench, tuple(rule for rule in every if rule.name != name))[0] is Status.OPTIMAL


def test_a_conflict_keeps_the_holdings_and_says_what_to_do(bench: Any) -> None:
    m = bench.moment(np.random.default_rng(1), N, codes=CODES)
    m = replace(m, holdings=moved(m, CODES == 0, CODES == 1, 0.02))
    proposal = propose(Mandate(rules=(GroupActive(0.01), Turnover(0.0)), data=bench.policy), m)
    assert proposal.status is Status.CONFLICT
    assert np.array_equal(proposal.targets, m.holdings)
    assert proposal.turnover_two_way == 0.0
    assert "sector and turnover" in proposal.advice
    assert "Loosen one in the mandate" in proposal.advice
    assert proposal.prices == {}
