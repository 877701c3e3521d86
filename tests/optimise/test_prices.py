"""The price of a rule: the derivative of the best objective with respect to the rule's limit."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from gammastar.mandate import (
    ActiveWeight,
    AssetList,
    Beta,
    Exclude,
    Exposure,
    Freeze,
    GroupActive,
    ListEntry,
    Mandate,
    Rule,
    TrackingError,
    TradingPolicy,
    Turnover,
    VolatilityCapture,
    WeightBounds,
)
from gammastar.optimise import Status, propose

if TYPE_CHECKING:
    from collections.abc import Callable

    from gammastar.market.moment import Moment

BP_PER_PERCENT = 100.0
"""Basis points (1e-4) of growth per 1% (0.01) of the limit, for one unit of growth per unit of the limit."""


def limits(rng: np.random.Generator, m: Moment) -> tuple[Rule, ...]:
    """Return rules of one limit each, tight enough that several bind."""
    every: list[Rule] = [
        TrackingError(float(rng.uniform(0.008, 0.02))),
        ActiveWeight(float(rng.uniform(0.006, 0.02))),
        WeightBounds(maximum=float(m.benchmark.max() + rng.uniform(-0.005, 0.002))),
        GroupActive(float(rng.uniform(0.003, 0.01)), (("S0", 0.004),)),
        Beta(float(rng.uniform(0.002, 0.01))),
        Exposure(float(rng.uniform(0.01, 0.05))),
        Turnover(float(rng.uniform(0.25, 0.5))),
    ]
    chosen = rng.permutation(len(every))[:5]
    return tuple(every[k] for k in sorted(chosen))


def case(bench: Any, seed: int) -> tuple[Mandate, Moment]:
    rng = np.random.default_rng(seed)
    m = bench.moment(rng, int(rng.integers(30, 70)))
    held = m.benchmark * np.exp(rng.normal(0.0, 0.1, len(m.benchmark)))
    cost = float(rng.choice([0.0, 0.0005]))
    return Mandate(rules=limits(rng, m), trading=TradingPolicy(cost=cost), data=bench.policy), replace(m, holdings=held / held.sum())


def loosened(mandate: Mandate, name: str, amount: float) -> Mandate:
    """Return the mandate with every limit of one rule looser by `amount`."""
    return mandate.with_rules(tuple(rule.loosened(amount) if rule.name == name else rule for rule in mandate.rules))


def slope(bench: Any, mandate: Mandate, m: Moment, name: str, step: float = 1e-6) -> float:
    """Return the central difference of the best objective, basis points per 1% of the limit."""
    best = []
    for change in (step, -step):
        proposal = propose(loosened(mandate, name, change), m)
        assert proposal.status is Status.OPTIMAL
        best.append(bench.value(mandate, m, proposal.targets))
    return (best[0] - best[1]) / (2.0 * step) * BP_PER_PERCENT


@pytest.mark.parametrize("block", range(4))
def test_prices_are_the_slopes_of_the_best_objective(bench: Any, block: int) -> None:
    binding = 0
    for seed in range(block, 20, 4):
        mandate, m = case(bench, seed)
        proposal = propose(mandate, m)
        assert proposal.status is Status.OPTIMAL
        for rule in mandate.rules:
            told, measured = proposal.prices.get(rule.name, 0.0), slope(bench, mandate, m, rule.name)
            assert told == pytest.approx(measured, rel=1e-3, abs=1e-4), (seed, rule.name)
            binding += told > 0.0
    assert binding >= 10


def best(bench: Any, mandate: Mandate, m: Moment) -> float:
    """Return the best objective, penalties included; minus infinity where nothing keeps the rules."""
    proposal = propose(mandate, m)
    if proposal.status is not Status.OPTIMAL:
        assert proposal.status is Status.CONFLICT
        return -np.inf
    return float(bench.value(mandate, m, proposal.targets) - bench.soft_charge(mandate, m, proposal.targets))


def step_of(rule: Rule) -> float:
    """Return a small step in the rule's own units: a day's volume and a multiple of the benchmark weight are larger units than a weight."""
    return 1e-4 if rule.name.startswith("liquidity") else 1e-5 if rule.name == "weight" else 3e-6


def priced_right(bench: Any, mandate: Mandate, m: Moment) -> tuple[int, int]:
    """Assert that each rule's price is what its limit brings; return how many bind, and how many of those were measured from both sides.

    The best objective is concave in a limit, so a price lies between the slopes to the right and to the left, however many rows change places on the
    way; where those two are near each other it is their mean, within one part in a thousand. A rule that cannot be tightened has one slope only.
    """
    proposal = propose(mandate, m)
    if proposal.status is not Status.OPTIMAL:
        return 0, 0
    here, binding, both = best(bench, mandate, m), 0, 0
    for rule in mandate.rules:
        step, told = step_of(rule), proposal.prices.get(rule.name, 0.0) / BP_PER_PERCENT
        right = (best(bench, loosened(mandate, rule.name, step), m) - here) / step
        tighter = -np.inf if isinstance(rule, AssetList) else best(bench, loosened(mandate, rule.name, -step), m)  # a list is kept or not
        left = (here - tighter) / step
        rounding = 1e-3 * abs(told) + 1e-11 / step + 1e-9
        assert right - rounding <= told <= left + rounding, (rule, told, right, left)
        binding += told > 1e-5
        if told > 1e-5 and left - right <= 0.02 * told:
            assert told == pytest.approx(0.5 * (left + right), rel=1e-3, abs=1e-11 / step + 1e-9), (rule, told, right, left)
            both += 1
    return binding, both


def test_prices_of_every_rule_in_random_mandates(bench: Any) -> None:
    """Twenty problems of any rules, hard and soft, and any form of the objective."""
    counts = [priced_right(bench, *bench.rich_case(seed, largest=40)) for seed in range(500, 526)]
    solved = [count for count in counts if count[0]]
    assert len(solved) >= 18
    assert sum(both for _, both in solved) >= 0.6 * sum(binding for binding, _ in solved) >= 30


@pytest.mark.slow
@pytest.mark.parametrize("first", range(20_000, 20_130, 13))
def test_prices_in_a_hundred_random_mandates(bench: Any, first: int) -> None:
    counts = [priced_right(bench, *bench.rich_case(seed, largest=120)) for seed in range(first, first + 13)]
    assert sum(bool(binding) for binding, _ in counts) >= 6
    assert sum(both for _, both in counts) >= 0.6 * sum(binding for binding, _ in counts)


@pytest.mark.parametrize("rule", [WeightBounds(plus=0.004), WeightBounds(multiple=1.3), WeightBounds(maximum=0.11), WeightBounds(minimum=0.004)])
def test_each_form_of_the_weight_rule_has_its_price(bench: Any, rule: Rule) -> None:
    m = bench.moment(np.random.default_rng(3), 40)
    mandate = Mandate(rules=(rule, TrackingError(0.02)), data=bench.policy)
    measured = slope(bench, mandate, m, "weight")
    assert measured > 1e-2
    assert propose(mandate, m).prices["weight"] == pytest.approx(measured, rel=1e-3)


def test_a_rule_that_does_not_bind_has_no_price(bench: Any) -> None:
    m = bench.moment(np.random.default_rng(5), 40)
    loose = (TrackingError(0.9), ActiveWeight(0.9), GroupActive(0.9), Beta(0.9), Exposure(9.0), Turnover(2.0), WeightBounds(maximum=1.0))
    assert propose(Mandate(rules=(loose), data=bench.policy), m).prices == {}
    held = replace(m, holdings=m.benchmark)
    assert propose(Mandate(strategy=VolatilityCapture(holding_period=0.5), rules=loose, data=bench.policy), held).prices == {}


def test_without_a_free_name_there_is_no_price(bench: Any) -> None:
    """Where every weight is fixed nothing can be bought with a looser limit (of these rules)."""
    m = bench.moment(np.random.default_rng(5), 40)
    m = replace(m, observed=np.zeros_like(m.observed))
    rules: tuple[Rule, ...] = (TrackingError(0.02), GroupActive(0.01), Beta(0.01), Exposure(0.01), Turnover(0.5))
    proposal = propose(Mandate(rules=rules, data=bench.policy), m)
    assert proposal.status is Status.OPTIMAL
    np.testing.assert_allclose(proposal.targets, m.benchmark, rtol=1e-14)
    assert proposal.prices == {}


PRICED: list[Callable[[float], Rule]] = [TrackingError, ActiveWeight, GroupActive, Beta, Exposure, Turnover]


@pytest.mark.parametrize("make", PRICED, ids=lambda make: make.__name__)
def test_prices_are_positive_and_fall_as_the_limit_is_loosened(bench: Any, make: Callable[[float], Rule]) -> None:
    """The best objective is concave in a limit."""
    m = bench.moment(np.random.default_rng(8), 40)
    prices = [propose(Mandate(rules=(make(limit), TrackingError(0.08)) if make is not TrackingError else (make(limit),), data=bench.policy), m).prices for limit in (0.002, 0.004, 0.008)]
    name = make(0.1).name
    told = [price.get(name, 0.0) for price in prices]
    assert told[0] > told[1] >= told[2] >= 0.0


def test_a_cap_on_neutral_names_has_its_price_too(bench: Any) -> None:
    """A neutral name above the cap is held at the cap, and moves with it."""
    rng = np.random.default_rng(4)
    m = bench.moment(rng, 40)
    observed = m.observed.copy()
    observed[:, np.argsort(m.benchmark)[-3:]] = False
    m = replace(m, observed=observed)
    cap = float(np.sort(m.benchmark)[-4]) + 0.003
    mandate = Mandate(rules=(WeightBounds(maximum=cap), TrackingError(0.05)), data=bench.policy)
    assert (m.benchmark > cap).any()
    proposal = propose(mandate, m)
    assert proposal.prices["weight"] == pytest.approx(slope(bench, mandate, m, "weight"), rel=1e-3)
    np.testing.assert_allclose(proposal.targets[np.argsort(m.benchmark)[-3:]], cap, atol=1e-9)


@pytest.mark.parametrize("gap", [1e-3, 1e-6, 1e-7])
def test_caps_that_leave_no_whole_portfolio_are_a_conflict_however_close(bench: Any, gap: float) -> None:
    m = bench.moment(np.random.default_rng(5), 40)
    proposal = propose(Mandate(rules=(WeightBounds(maximum=1.0 / 40 - gap), TrackingError(0.9)), data=bench.policy), m)
    assert proposal.status is Status.CONFLICT
    assert proposal.conflict == ("weight",)


@pytest.mark.parametrize("rule", ["exclude", "freeze"])
def test_a_rule_that_pins_a_weight_has_a_price_that_is_a_gain(bench: Any, rule: str) -> None:
    """Loosening can only help: the price of a list is the slope to the looser side, never negative."""
    m = bench.moment(np.random.default_rng(8), 40)
    held = m.benchmark * np.exp(np.random.default_rng(9).normal(0.0, 0.3, 40))
    m = replace(m, holdings=held / held.sum())
    entries = tuple(ListEntry(m.assets.ids[i], "asked for") for i in (3, 11, 17, 25))
    listed: Rule = Exclude(entries) if rule == "exclude" else Freeze(entries)
    mandate = Mandate(rules=(TrackingError(0.05), ActiveWeight(0.2), listed), data=bench.policy)
    told = propose(mandate, m)
    assert told.status is Status.OPTIMAL
    step = 1e-6
    wider = propose(loosened(mandate, rule, step), m)
    gain = (bench.value(mandate, m, wider.targets) - bench.value(mandate, m, told.targets)) / step * BP_PER_PERCENT
    assert told.prices.get(rule, 0.0) >= 0.0
    assert told.prices.get(rule, 0.0) == pytest.approx(gain, rel=2e-3, abs=1e-3)
