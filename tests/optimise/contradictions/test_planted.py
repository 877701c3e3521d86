"""Planted conflicts of 2 to 5 rules of every kind: the proposal names exactly the rules that make one, and none of them can be spared."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from gammastar import mandate as g
from gammastar.optimise import Status, propose
from gammastar.optimise.certificates import cheap_certificate
from gammastar.optimise.conflict import contradiction

if TYPE_CHECKING:
    from gammastar.market.moment import Moment

SECONDS = 5.0
"""For one proposal with a conflict of 500 names, what each choice means included."""


def size(seed: int, largest: int) -> int:
    """Return a number of names, small ones more often."""
    return int(np.exp(np.random.default_rng([seed, 1]).uniform(np.log(20), np.log(largest))))


def irreducible(plots: Any, rules: tuple[g.Rule, ...], m: Moment) -> bool:
    """Return whether rules leave no weights, and without any one of them some, by CVXPY's word."""
    return plots.least(rules, m) is None and all(plots.least([rule for rule in rules if rule is not one], m) is not None for one in rules)


def look(plots: Any, seed: int, n: int) -> None:
    """Compare one proposal with what was planted: by CVXPY's word it contradicts itself, and without any one of its rules it does not."""
    mandate, m, names = plots.case(seed, n)
    proposal = propose(mandate, m)
    assert proposal.status is Status.CONFLICT, seed
    assert set(proposal.conflict) == names, seed
    assert np.array_equal(proposal.targets, m.holdings)
    assert [choice.rule for choice in proposal.choices] == list(proposal.conflict)
    cheap = cheap_certificate(mandate, m)
    assert cheap is None or names <= set(cheap.rules), seed


@pytest.mark.parametrize("block", range(10))
def test_the_planted_rules_are_named_and_none_can_be_spared(plots: Any, block: int) -> None:
    for seed in range(block, 50, 10):
        look(plots, seed, size(seed, 30))


@pytest.mark.slow
@pytest.mark.parametrize("block", range(50))
def test_five_hundred_planted_conflicts(plots: Any, block: int) -> None:
    for seed in range(1000 + block, 1500 + block, 50):
        look(plots, seed, 500 if seed % 25 == 0 else size(seed, 500))


def test_every_kind_of_rule_is_planted(plots: Any, bench: Any) -> None:
    """Every rule with a row that a convex program can state is among the rules that conflicts are made of."""
    rng = np.random.default_rng(1)
    kinds = {type(rule) for rule in (*plots.pushers(rng, plots.market(rng, 30)), *plots.tightest(rng))}
    every = {kind for kind in vars(g).values() if isinstance(kind, type) and hasattr(kind, "rows") and hasattr(kind, "loosened")}
    assert every - kinds - {g.Rule, g.AssetList} == {g.Names, g.MostTrades, g.RiskContribution, g.MinimumHolding, g.MinimumTrade, g.Lot}


@pytest.mark.parametrize("seed", range(2))
def test_of_several_conflicts_one_is_named(plots: Any, seed: int) -> None:
    rng = np.random.default_rng([seed, 2])
    m = plots.market(rng, 30)
    first, second = plots.plant(rng, m), plots.plant(rng, m)
    rules = (*first, *(rule for rule in second if rule.name not in {other.name for other in first}))
    named = contradiction(plots.signed(rules), m).rules
    assert irreducible(plots, tuple(rule for rule in rules if rule.name in named), m)


def test_five_hundred_names_take_seconds(plots: Any) -> None:
    mandate, m, names = plots.case(7, 500)
    started = time.process_time()
    proposal = propose(mandate, m)
    assert time.process_time() - started < SECONDS
    assert set(proposal.conflict) == names


# -- rules that never conflict ------------------------------------------------------------------------------------------------------------------------


def test_soft_rules_and_discrete_rules_are_in_no_conflict(plots: Any) -> None:
    rng = np.random.default_rng(5)
    m = plots.market(rng, 30)
    out = g.Exclude((g.ListEntry("A003", "sold by the client"),))
    soft = (g.ActiveWeight(0.0, penalty=1.0), g.Turnover(0.0, penalty=1.0), g.TrackingError(0.9, target=0.0), out, g.Names(maximum=29))
    assert propose(plots.signed(soft), m).status is Status.OPTIMAL
    assert cheap_certificate(plots.signed(soft), m) is None
    hard = replace(soft[0], penalty=None)
    assert set(propose(plots.signed((hard, *soft[1:])), m).conflict) == {"active_weight", "exclude"}


def test_where_there_is_a_choice_rules_that_may_give_way_are_named(plots: Any) -> None:
    """A name is excluded against a limit that never gives way, and against one that may."""
    m = plots.market(np.random.default_rng(6), 30)
    gone = g.Exclude((g.ListEntry(f"A{int(m.benchmark.argmax()):03d}", "sold by the client"),), priority=2)
    for never, may in ((g.TrackingError, g.SpecificRisk), (g.SpecificRisk, g.TrackingError)):
        rules = (never(1e-4, priority=0), may(1e-4, priority=1), gone)
        for ordered in (rules, rules[::-1]):
            assert set(contradiction(plots.signed(ordered), m).rules) == {rules[1].name, "exclude"}


# -- cheap certificates -------------------------------------------------------------------------------------------------------------------------------


def test_bounds_that_cross_name_the_asset_and_both_bounds(plots: Any) -> None:
    m = plots.market(np.random.default_rng(7), 30)
    found = cheap_certificate(plots.signed((g.ActiveWeight(0.01), g.WeightBounds(maximum=float(m.benchmark.max()) - 0.02))), m)
    assert found is not None
    assert found.rules == ("active_weight", "weight")
    top = m.benchmark.max()
    assert f"A{int(m.benchmark.argmax()):03d} must be at least {100 * (top - 0.01):.2f}% by active_weight and at most {100 * (top - 0.02):.2f}%" in found.sentence


def test_bounds_that_cannot_sum_to_one_are_told(plots: Any) -> None:
    m = plots.market(np.random.default_rng(7), 40)
    low = cheap_certificate(plots.signed((g.WeightBounds(maximum=0.02), g.Cash(0.0, 0.1))), m)
    assert low is not None
    assert "adds up to 80.00%, and 90.00% has to be invested" in low.sentence
    high = cheap_certificate(plots.signed((g.WeightBounds(minimum=0.024), g.Cash(0.05, 0.1))), m)
    assert high is not None
    assert "adds up to 96.00%, and only 95.00% can be invested" in high.sentence
    assert set(high.rules) == {"weight", "cash"}


def test_a_drifted_name_above_its_cap_with_too_little_turnover_is_told(plots: Any) -> None:
    m = plots.market(np.random.default_rng(7), 30)
    held, top = m.benchmark.copy(), int(m.benchmark.argmax())
    held[top] += 0.04
    m = replace(m, holdings=held / held.sum())
    cap = float(m.holdings[top]) - 0.03
    found = cheap_certificate(plots.signed((g.Turnover(0.05), g.WeightBounds(maximum=cap))), m)
    assert found is not None
    assert found.rules == ("turnover", "weight")
    assert f"the bounds of weight force at least 6.00% of turnover, A{top:03d} alone 3.00%, and 5.00% is left of its limit" in found.sentence
    for rule, more, enough in ((g.Turnover(0.0600001), (), True), (g.Turnover(0.05), (g.Cash(0.0, 0.1),), True), (g.Turnover(0.02), (g.Cash(0.0, 0.1),), False),
                               (g.Buys(0.0300001), (), True), (g.Buys(0.0299), (), False), (g.Buys(0.0), (g.Cash(0.0, 0.1),), True)):  # fmt: skip
        found = cheap_certificate(plots.signed((rule, g.WeightBounds(maximum=cap), *more)), m)
        assert (found is None) == enough, rule


def test_trades_that_need_no_rule_are_counted(plots: Any) -> None:
    """A name that left the benchmark is sold, a neutral one is brought to its benchmark weight, whatever the rules say."""
    m = plots.market(np.random.default_rng(7), 30)
    mu, held, observed = m.benchmark.copy(), m.benchmark.copy(), m.observed.copy()
    mu[4], held[4], held[5] = 0.0, 0.03, mu[5] + 0.02
    left = replace(m, benchmark=mu / mu.sum(), holdings=held / held.sum())
    found = cheap_certificate(plots.signed((g.Turnover(0.05),)), left)
    assert found is not None
    assert found.sentence.startswith(f"what left the benchmark or is neutral forces at least {200 * left.holdings[4]:.2f}% of turnover, A004 alone")
    observed[-5:, 5] = False
    stopped = replace(m, observed=observed, holdings=held / held.sum())
    excess = float(stopped.holdings[5] - m.benchmark[5])
    assert cheap_certificate(plots.signed((g.Turnover(1.99 * excess),)), stopped) is not None
    assert cheap_certificate(plots.signed((g.Turnover(2.01 * excess),)), stopped) is None


def test_a_group_whose_names_cannot_meet_its_row_is_told(plots: Any) -> None:
    m = plots.market(np.random.default_rng(7), 30)
    inside = m.sector_codes == 1
    count = int(inside.sum())
    wide = g.GroupWeight((("S1", count * 0.01 + 0.02, None),))
    found = cheap_certificate(plots.signed((wide, g.WeightBounds(maximum=0.01, plus=0.5), g.Cash(0.0, 1.0))), m)
    assert found is not None
    assert found.rules == ("group_weight.sector", "weight")
    assert f"S1 can weigh at most {count}.00% by weight, and group_weight.sector asks for at least {count + 2}.00%" in found.sentence


@pytest.mark.parametrize("block", range(4))
def test_no_certificate_is_given_for_rules_that_can_hold(plots: Any, block: int) -> None:
    """Whatever a certificate names contradicts itself, by CVXPY's word: random rules, most of which can hold together."""
    given = 0
    for seed in range(block, 16, 4):
        rng = np.random.default_rng([seed, 3])
        m = plots.market(rng, 24)
        pool = plots.pushers(rng, m)
        rules = tuple({pool[k].name: pool[k] for k in rng.permutation(len(pool))[:6]}.values())
        found = cheap_certificate(plots.signed(rules), m)
        if found is not None:
            given += 1
            assert plots.least([rule for rule in rules if rule.name in found.rules], m) is None, (seed, found)
    assert given > 0
