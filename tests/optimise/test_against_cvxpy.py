"""The optimiser against a second statement of the same mandates, written from the documents for CVXPY, and against a second solver.

Every answer is judged four ways. An independent checker finds no violation above 1e-8, and agrees with the house's own check. CVXPY's answer to the
second statement has the same objective within 1e-6 of itself. A linear program of tangents, solved by HiGHS's simplex, proves that no weights whatever
do better by more than that. Amounts by which soft rules are exceeded are what the checker measures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from gammastar import mandate as g
from gammastar.mandate import check_weights, rules
from gammastar.optimise import Status, propose

if TYPE_CHECKING:
    from gammastar.mandate import Mandate
    from gammastar.market.moment import Moment
    from gammastar.optimise import Proposal

RELATIVE, ABSOLUTE = 1e-6, 1e-10
ROUNDING = 1e-8
FAST, SLOW, BLOCK = range(132), range(10_000, 11_300), 50


@dataclass(frozen=True, eq=False)
class Case:
    """One random mandate and both answers to it."""

    mandate: Mandate
    moment: Moment
    proposal: Proposal
    second: Any

    def __str__(self) -> str:
        names = [rule.name if rule.penalty is None else f"{rule.name} (soft)" for rule in self.mandate.rules]
        return f"{len(self.moment.benchmark)} names, {names}: {self.proposal.status} {self.proposal.conflict} {self.proposal.advice}; second opinion {self.second.status}"


def ask(bench: Any, mandate: Mandate, moment: Moment) -> Case:
    return Case(mandate, moment, propose(mandate, moment), bench.second_opinion(mandate, moment))


def agree(bench: Any, case: Case) -> None:
    """Assert that both roads say the same; no case is passed over."""
    proposal, second, mandate, m = case.proposal, case.second, case.mandate, case.moment
    if second.status in {"infeasible", "bounds cross"}:
        assert proposal.status is Status.CONFLICT, case
        assert proposal.conflict, case
        return
    if second.status == "infeasible_inaccurate" and proposal.conflict:  # the rules that are named are a smaller problem, and contradict each other by themselves
        alone = mandate.with_rules(tuple(rule for rule in mandate.rules if rule.name in proposal.conflict))
        assert bench.second_opinion(alone, m).status in {"infeasible", "bounds cross"}, case
        return
    assert proposal.status is Status.OPTIMAL, case
    mine = bench.value(mandate, m, proposal.targets) - bench.soft_charge(mandate, m, proposal.targets)
    # where CVXPY's solver has to stop before its last digits the proof alone decides
    assert bench.room_above(mandate, m, proposal.targets) <= max(RELATIVE * abs(mine), ABSOLUTE), case
    assert second.feasible or second.status == "optimal_inaccurate", case
    if second.feasible:
        assert mine == pytest.approx(second.objective, rel=RELATIVE, abs=ABSOLUTE), case
    checked(bench, case)


def checked(bench: Any, case: Case) -> None:
    """Assert that no hard rule is broken, and that the house's check reads what the independent one does."""
    proposal, mandate, m = case.proposal, case.mandate, case.moment
    assert not {rule: by for rule, by in bench.violations(mandate, m, proposal.targets).items() if by > ROUNDING}, case
    readings = {reading.rule: reading for reading in check_weights(mandate, proposal.targets, m)}
    for rule in mandate.rules:
        if rule.name not in readings:
            assert m.holdings is None, (rule, case)  # nobody can measure what was traded
            continue
        reading, by = readings[rule.name], bench.excess(rule, m, proposal.targets)
        by_volume = rule.name.startswith("liquidity")  # told in volumes; and what has none cannot be counted under a soft rule
        assert reading.exceeded == (by > ROUNDING) or abs(by - ROUNDING) < 1e-10 or (by_volume and rule.penalty is not None), (rule, case)
        if np.isfinite(by) and not by_volume:
            assert reading.headroom == pytest.approx(-by, abs=1e-10), (rule, case)
        if rule.penalty is not None:
            needed = bench.excess_in_units(rule, m, proposal.targets)
            assert proposal.exceeded.get(rule.name, 0.0) >= needed * (1.0 - 1e-6) - 1e-7, (rule, case)


@pytest.fixture(scope="module")
def cases(bench: Any) -> list[Case]:
    """Random mandates with both answers, asked once."""
    return [ask(bench, *bench.rich_case(seed, largest=500 if seed % 20 == 0 else 60)) for seed in FAST]


def test_random_mandates(bench: Any, cases: list[Case]) -> None:
    for case in cases:
        agree(bench, case)


def test_the_random_mandates_are_a_fair_sample(cases: list[Case]) -> None:
    """At least a hundred have an answer, some are impossible, and every rule is met hard, soft and binding, every form of the objective met."""
    solved = [case for case in cases if case.proposal.status is Status.OPTIMAL]
    assert len(solved) >= 100
    assert len(cases) - len(solved) >= 15
    kinds = {type(rule) for case in solved for rule in case.mandate.rules}
    convex = {kind for kind in vars(rules).values() if isinstance(kind, type) and issubclass(kind, rules.RuleOptions)}
    convex -= {rules.RuleOptions, g.AssetList, g.FiveTenForty, g.Lot, g.MinimumHolding, g.MinimumTrade, g.Names, g.MostTrades, g.RiskContribution}
    convex -= {g.CashMode}  # it acts only where money flows: tests/optimise/test_costs_and_flows.py
    assert kinds == convex
    assert {type(rule) for case in solved for rule in case.mandate.rules if rule.penalty is not None} >= convex - {g.Exclude, g.MustSell, g.NoBuy, g.NoSell, g.Freeze}
    binding = {rule for case in solved for rule, price in case.proposal.prices.items() if price > 0.0}
    assert len(binding) >= 25
    strategies = [case.mandate.strategy for case in solved]
    assert {type(strategy.growth) for strategy in strategies} == {g.EqualGrowth, g.ArithmeticGrowth, g.RankGrowth, g.GivenGrowth}
    assert {len(strategy.penalties) for strategy in strategies} == {0, 1, 2}
    costs = [case.mandate.trading.costs for case in solved]
    assert {cost.impact.exponent for cost in costs if cost.impact} == {1.5, 1.6}
    assert any(cost.steps for cost in costs)
    assert any(cost.sell is not None for cost in costs)


def test_the_proof_sees_a_worse_answer(bench: Any) -> None:
    """A hundredth of the way back to the benchmark is a worse answer, and the linear program says so."""
    seen = 0
    for seed in range(40):
        mandate, m = bench.rich_case(seed, largest=60)
        proposal = propose(mandate, m)
        back = 0.99 * proposal.targets + 0.01 * m.benchmark
        if proposal.status is Status.OPTIMAL and max(bench.violations(mandate, m, back).values()) <= ROUNDING:
            here, there = (bench.value(mandate, m, w) - bench.soft_charge(mandate, m, w) for w in (proposal.targets, back))
            assert bench.room_above(mandate, m, back) >= here - there - 1e-12
            seen += here - there > 1e-7
    assert seen >= 3


@pytest.mark.parametrize("seed", [3, 8, 15, 21])
def test_a_third_solver_of_another_kind(bench: Any, seed: int) -> None:
    """SCS, an operator-splitting method, shares no code with interior points or simplex; it has fewer digits."""
    mandate, moment = bench.case(seed, largest=40)
    proposal, third = propose(mandate, moment), bench.second_opinion(mandate, moment, solver="SCS", eps=1e-9, max_iters=200_000)
    assert third.feasible == (proposal.status is Status.OPTIMAL)
    if third.feasible:
        assert bench.value(mandate, moment, proposal.targets) == pytest.approx(third.objective, rel=1e-5, abs=1e-9)
        np.testing.assert_allclose(proposal.targets, third.weights, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(SLOW.start, SLOW.stop, BLOCK))
def test_a_thousand_random_mandates_of_up_to_five_hundred_names(bench: Any, first: int) -> None:
    solved = 0
    for seed in range(first, first + BLOCK):
        case = ask(bench, *bench.rich_case(seed))
        agree(bench, case)
        solved += case.proposal.status is Status.OPTIMAL
    assert solved >= 25
