"""How much a rule has to give way, and which rules do: amounts against CVXPY and by hand, the order of priorities, what a relaxed proposal keeps."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from scipy.optimize import brentq

from gammastar import mandate as g
from gammastar.core.generating import Diversity
from gammastar.optimise import Status, decide, propose
from gammastar.optimise.elastic import natural_unit
from gammastar.optimise.problem import state_problem
from gammastar.optimise.relax import least_loosening, relaxed
from gammastar.optimise.solver import solve

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gammastar.market.moment import Moment
    from gammastar.optimise.relax import Relaxed

EXACT = 1e-6


def out(*columns: int, priority: int = 0) -> g.Exclude:
    return g.Exclude(tuple(g.ListEntry(f"A{k:03d}", "sold by the client", "4.2") for k in columns), priority=priority)


def calm(plots: Any, seed: int, n: int = 30) -> Moment:
    """Return a market whose portfolio is the benchmark."""
    m = plots.market(np.random.default_rng([seed, 9]), n)
    return replace(m, holdings=m.benchmark)


def amount(plots: Any, m: Moment, rules: Iterable[g.Rule], name: str) -> float:
    return least_loosening(plots.signed(rules), m, name).amount


# -- the least amount of one rule alone -----------------------------------------------------------------------------------------------------------------


def compare(plots: Any, seed: int, n: int) -> int:
    mandate, m, _ = plots.case(seed, n)
    choices = propose(mandate, m).choices
    for choice in choices:
        true = plots.least(mandate.rules, m, choice.rule)
        assert choice.amount == pytest.approx(np.inf if true is None else true, abs=EXACT), (seed, choice.rule)
    return len(choices)


@pytest.mark.parametrize("block", range(4))
def test_amounts_are_the_least_that_do(plots: Any, block: int) -> None:
    assert sum(compare(plots, seed, 25) for seed in range(100 + block, 108 + block, 4)) >= 4


@pytest.mark.slow
@pytest.mark.parametrize("block", range(20))
def test_amounts_are_the_least_that_do_in_two_hundred_conflicts(plots: Any, block: int) -> None:
    for seed in range(2000 + block, 2200 + block, 20):
        compare(plots, seed, int(np.random.default_rng(seed).integers(20, 200)))


def test_amounts_by_hand(plots: Any) -> None:
    m = calm(plots, 1)
    top = int(m.benchmark.argmax())
    weight = float(m.benchmark[top])
    assert amount(plots, m, (g.ActiveWeight(0.01), out(top)), "active_weight") == pytest.approx(weight - 0.01, abs=EXACT)
    assert amount(plots, m, (g.ActiveWeight(0.01), out(top)), "exclude") == pytest.approx(weight - 0.01, abs=EXACT)
    assert amount(plots, m, (g.Turnover(0.01), out(top)), "turnover") == pytest.approx(2.0 * weight - 0.01, abs=EXACT)
    assert amount(plots, m, (g.Buys(0.01), out(top)), "turnover.buys") == pytest.approx(weight - 0.01, abs=EXACT)
    assert amount(plots, m, (g.WeightBounds(maximum=0.02),), "weight") == pytest.approx(1.0 / 30.0 - 0.02, abs=EXACT)
    assert amount(plots, m, (g.WeightBounds(minimum=0.05),), "weight") == pytest.approx(0.05 - 1.0 / 30.0, abs=EXACT)
    assert amount(plots, m, (g.Cash(0.05, 0.05), g.Turnover(0.01)), "turnover") == pytest.approx(0.04, abs=EXACT)
    assert amount(plots, m, (g.Cash(0.05, 0.05), g.Turnover(0.01)), "cash") == pytest.approx(0.04, abs=EXACT)
    assert amount(plots, m, (g.ActiveWeight(0.5), g.Turnover(0.01)), "turnover") == pytest.approx(0.0, abs=1e-12)


def test_of_two_limits_in_one_rule_the_other_may_become_the_tighter(plots: Any) -> None:
    """Loosened by a, each name may weigh at most ``min(maximum + a, (multiple + a) mu)``: the slope of the sum falls on the way."""
    m = calm(plots, 2)
    rule, mu = g.WeightBounds(maximum=0.001, multiple=0.6), m.benchmark
    true = brentq(lambda a: np.minimum(0.001 + a, (0.6 + a) * mu).sum() - 1.0, 0.0, 5.0, xtol=1e-13)
    linear = (1.0 - np.minimum(0.001, 0.6 * mu).sum()) / np.where(0.6 * mu < 0.001, mu, 1.0).sum()
    assert true > linear + 0.05
    assert amount(plots, m, (rule,), "weight") == pytest.approx(true, abs=EXACT)


def test_a_neutral_name_moves_with_the_bound_that_gives_way(plots: Any, bench: Any) -> None:
    """A neutral name is excluded, and may not be far from the benchmark: the list has to give up to the near edge, not to the name's own weight."""
    m = calm(plots, 3)
    observed = m.observed.copy()
    top = int(m.benchmark.argmax())
    observed[-5:, top] = False
    m = replace(m, observed=observed)
    true = float(m.benchmark[top]) - 0.01
    assert amount(plots, m, (g.ActiveWeight(0.01), out(top)), "exclude") == pytest.approx(true, abs=EXACT)
    assert amount(plots, m, (g.ActiveWeight(0.01), out(top)), "active_weight") == pytest.approx(true, abs=EXACT)
    given = propose(plots.signed((g.ActiveWeight(0.01), out(top, priority=1))), m, relax=True)
    assert given.status is Status.RELAXED
    assert {gave.rule: gave.amount for gave in given.relaxed} == {"exclude": pytest.approx(true, abs=EXACT)}


def test_what_no_amount_can_end_is_told_as_such(plots: Any) -> None:
    m = calm(plots, 4)
    floors = g.WeightBounds(minimum=1.02 / 30.0)
    assert amount(plots, m, (floors, g.Cash(0.01, 0.02)), "cash") == np.inf  # cash ends at zero, and the floors ask for more than all
    top, second = np.argsort(-m.benchmark)[:2]
    two = (g.ActiveWeight(0.01), out(int(top)), g.TrackingError(0.0), g.MustSell(out(int(second)).assets))
    assert amount(plots, m, two, "exclude") == np.inf
    assert amount(plots, m, (*two, g.Names(maximum=3)), "names") == np.inf
    proposal = propose(plots.signed((g.WeightBounds(minimum=1.02 / 30.0, priority=0), g.Cash(0.01, 0.02))), m)
    assert proposal.conflict == ("weight",)


def test_a_target_is_no_limit_that_gives_way(plots: Any) -> None:
    m, rule = calm(plots, 5), g.TrackingError(0.001, target=0.0005)
    top = int(m.benchmark.argmax())
    true = plots.least((replace(rule, target=None), out(top)), m, "tracking_error")
    assert amount(plots, m, (rule, out(top)), "tracking_error") == pytest.approx(true, abs=EXACT)
    problem = state_problem(plots.signed((rule, out(top))), m, elastic=frozenset({"tracking_error"}))
    assert solve(problem, least={"tracking_error": 1.0}).exceeded["tracking_error"] == pytest.approx(true, abs=EXACT)


def test_the_place_that_needs_it_and_what_it_brings_are_told(plots: Any) -> None:
    m = calm(plots, 6)
    top = int(m.benchmark.argmax())
    rules = (g.ActiveWeight(0.01), out(top, priority=2), g.TrackingError(0.9))
    proposal = propose(plots.signed(rules), m)
    for choice in proposal.choices:
        assert choice.where == m.assets.label(top)
        looser = [rule.loosened(choice.amount + 1e-8) if rule.name == choice.rule else rule for rule in rules]
        assert choice.growth == pytest.approx(propose(plots.signed(looser), m).forecast.captured_volatility, abs=1e-7)
        assert choice.needed == pytest.approx(choice.limit + choice.amount, abs=1e-9)


# -- the order of giving way --------------------------------------------------------------------------------------------------------------------------


def excess_by_level(proposal: Any, rules: Iterable[g.Rule]) -> dict[int, float]:
    gave = {given.rule: given.amount for given in proposal.relaxed}
    found: dict[int, float] = {}
    for rule in rules:
        if rule.name in gave:
            found[rule.priority] = found.get(rule.priority, 0.0) + gave[rule.name] / natural_unit(rule)
    return found


def in_order(plots: Any, seed: int, n: int) -> int:
    """Compare one conflict under random priorities with CVXPY, one level after the other; return the highest that had to give way."""
    mandate, m, _ = plots.case(seed, n)
    rng = np.random.default_rng([seed, 4])
    rules = tuple(replace(rule, priority=int(rng.integers(0, 4))) for rule in mandate.rules)
    proposal = propose(mandate.with_rules(rules), m, relax=True)
    true = plots.in_order(rules, m, natural_unit)
    if true is None:
        assert proposal.status is Status.CONFLICT
        return 0
    assert proposal.status is Status.RELAXED
    told = excess_by_level(proposal, rules)
    assert 0 not in told
    for level in range(1, 6):
        exact = EXACT * sum(1.0 / natural_unit(rule) for rule in rules if rule.priority == level)
        assert told.get(level, 0.0) == pytest.approx(true.get(level, 0.0), abs=exact), (seed, level, told, true)
    kept(plots, proposal, rules, m)
    return max(told)


def kept(plots: Any, proposal: Any, rules: tuple[g.Rule, ...], m: Moment) -> None:
    """Every rule holds to 1e-8 when loosened by what it gave, and the rules that gave are shown as broken."""
    gave = {given.rule: given.amount for given in proposal.relaxed}
    for rule in rules:
        if rule.penalty is None and not isinstance(rule, (g.Names, g.RiskContribution)):
            assert plots.violation(rule.loosened(gave.get(rule.name, 0.0)), m, proposal.targets) <= 1e-8, rule.name
    assert {reading.rule for reading in proposal.readings if reading.breached} == set(gave)


@pytest.mark.parametrize("block", range(4))
def test_rules_give_way_in_the_order_of_priorities_and_as_little_as_possible(plots: Any, block: int) -> None:
    levels = [in_order(plots, seed, 24) for seed in range(200 + block, 208 + block, 4)]
    assert max(levels) >= 1


@pytest.mark.slow
@pytest.mark.parametrize("block", range(10))
def test_order_in_a_hundred_conflicts(plots: Any, block: int) -> None:
    for seed in range(3000 + block, 3100 + block, 10):
        in_order(plots, seed, int(np.random.default_rng(seed).integers(20, 120)))


@pytest.mark.parametrize(("first", "second", "gives"), [(1, 2, "turnover"), (2, 1, "active_weight"), (0, 3, "active_weight"), (5, 0, "turnover")])
def test_the_lower_priority_gives_way_first(plots: Any, first: int, second: int, gives: str) -> None:
    m = calm(plots, 7)
    held = m.benchmark.copy()
    held[int(held.argmax())] += 0.04
    m = replace(m, holdings=held / held.sum())
    rules = (g.Turnover(0.02, priority=first), g.ActiveWeight(0.01, priority=second))
    proposal = propose(plots.signed(rules), m, relax=True)
    assert proposal.status is Status.RELAXED
    assert [given.rule for given in proposal.relaxed] == [gives]
    assert proposal.relaxed[0].amount == pytest.approx(plots.least(rules, m, gives), abs=EXACT)
    assert proposal.relaxed[0].growth == pytest.approx(proposal.forecast.captured_volatility, abs=1e-9)
    assert gives in proposal.advice
    kept(plots, proposal, rules, m)


def test_a_level_gives_only_what_those_below_it_cannot(plots: Any) -> None:
    """Turnover (1) alone cannot end it, since the group's limit (2) forbids it; the group gives its least, turnover all the rest."""
    m = calm(plots, 8)
    inside = np.flatnonzero(m.sector_codes == 1)
    share = float(m.benchmark[inside].sum())
    rules = (out(*inside), g.GroupActive(0.01, priority=2), g.Turnover(0.02, priority=1))
    proposal = propose(plots.signed(rules), m, relax=True)
    assert {given.rule: given.amount for given in proposal.relaxed} == {
        "sector": pytest.approx(share - 0.01, abs=EXACT),
        "turnover": pytest.approx(2.0 * share - 0.02, abs=EXACT),
    }


def test_what_never_gives_way_stays_a_conflict(plots: Any) -> None:
    m = calm(plots, 9)
    top = int(m.benchmark.argmax())
    rules = (out(top), g.ActiveWeight(0.01, priority=0), g.Turnover(0.5, priority=1))
    mandate = plots.signed(rules)
    proposal = propose(mandate, m, relax=True)
    assert proposal.status is Status.CONFLICT
    assert relaxed(mandate, m) is None
    assert [choice.priority for choice in proposal.choices] == [0, 0]
    assert all(choice.amount == pytest.approx(float(m.benchmark[top]) - 0.01, abs=EXACT) for choice in proposal.choices)
    assert "never gives way" in proposal.advice
    assert "None of them may give way" in proposal.advice


def test_several_that_end_it_together_are_told(plots: Any) -> None:
    m = calm(plots, 9)
    rules = (out(int(m.benchmark.argmax())), g.ActiveWeight(0.01, priority=1), g.Turnover(0.01, priority=2))
    proposal = propose(plots.signed(rules), m)
    assert "several together would" in proposal.advice
    assert propose(plots.signed(rules), m, relax=True).status is Status.RELAXED


def test_a_mandate_that_can_be_kept_is_not_relaxed(plots: Any) -> None:
    m = calm(plots, 10)
    rules = (g.ActiveWeight(0.01), g.TrackingError(0.02))
    here, there = (propose(plots.signed(rules), m, relax=relax) for relax in (True, False))
    assert here.status is Status.OPTIMAL
    assert np.array_equal(here.targets, there.targets)
    assert here.relaxed == ()


# -- what a relaxed proposal is -----------------------------------------------------------------------------------------------------------------------


def squeezed(plots: Any) -> tuple[tuple[g.Rule, ...], Moment]:
    m = calm(plots, 11)
    inside = np.flatnonzero(m.sector_codes == 1)
    return (out(*inside), g.GroupActive(0.01, priority=1, clause="7.3"), g.TrackingError(0.5)), m


def test_a_relaxed_proposal_is_the_best_of_the_loosened_mandate(plots: Any) -> None:
    rules, m = squeezed(plots)
    proposal = propose(plots.signed(rules), m, relax=True)
    given = relaxed(plots.signed(rules), m)
    assert given is not None
    np.testing.assert_allclose(proposal.targets, propose(given.mandate, m).targets, atol=1e-7)
    assert proposal.solved
    limits = {reading.rule: reading.limit for reading in proposal.readings}
    assert limits["sector"] == 0.01  # readings are against the mandate as it was signed


@pytest.mark.parametrize("seed", range(2))
def test_rules_that_give_way_leave_room_for_the_discrete_ones(plots: Any, seed: int) -> None:
    """At the least amounts one portfolio is left, and it keeps no discrete rule; what gives way then gives more, and everything is kept."""
    m = calm(plots, 40 + seed, 60)
    order = np.argsort(-m.benchmark)
    turnover, least = g.Turnover(0.02, priority=2), g.MinimumTrade(float(np.median(m.benchmark)))
    rules = (g.ActiveWeight(0.01, priority=1), turnover, g.TrackingError(0.003, priority=3), out(*order[:3].tolist()))
    apart, beside = relaxed(plots.signed(rules), m), propose(plots.signed((*rules, least)), m, relax=True)
    assert apart is not None
    assert beside.status is Status.RELAXED, beside.advice
    given = {gave.rule: gave.amount for gave in beside.relaxed}
    assert all(given[gave.rule] > gave.amount for gave in apart.given)
    traded = np.abs(beside.targets - m.benchmark)
    assert np.all((traded <= 1e-9) | (traded >= least.limit - 1e-8) | (beside.targets <= 1e-9))
    assert traded.sum() <= turnover.limit + given["turnover"] + 1e-8
    assert beside.forecast.tracking_error <= 0.003 + given["tracking_error"] + 1e-8


@pytest.mark.parametrize("beyond", [0.0, 1e-6])
def test_a_relaxed_answer_beyond_its_amounts_is_not_released(plots: Any, monkeypatch: pytest.MonkeyPatch, beyond: float) -> None:
    """The names of a sector are excluded but for a tolerance: one millionth more than was given up is too much."""
    m = calm(plots, 11)
    rules = (out(int(m.benchmark.argmax()), priority=1), g.ActiveWeight(0.01, priority=2))
    honest, top = decide.relaxed, int(m.benchmark.argmax())

    def dishonest(mandate: g.Mandate, moment: Moment) -> Relaxed | None:
        given = honest(mandate, moment)
        assert given is not None
        pushed = given.answer.weights.copy()
        pushed[top] += beyond
        pushed[int(m.benchmark.argmin())] -= beyond
        return replace(given, answer=replace(given.answer, weights=pushed))

    monkeypatch.setattr(decide, "relaxed", dishonest)
    proposal = propose(plots.signed(rules), m, relax=True)
    assert proposal.status is (Status.UNSOLVED if beyond else Status.RELAXED)
    if beyond:
        assert "exclude" in proposal.advice
        assert np.array_equal(proposal.targets, m.holdings)


def test_a_generated_strategy_keeps_its_conflict(plots: Any) -> None:
    m = calm(plots, 12)
    mandate = g.Mandate(strategy=g.Generated(Diversity(0.0)), rules=(g.ActiveWeight(0.001),), risk=None)
    proposal = propose(mandate, m, relax=True)
    assert proposal.status is Status.CONFLICT
    assert proposal.conflict == ("active_weight",)
    assert proposal.relaxed == proposal.choices == ()


# -- the words ------------------------------------------------------------------------------------------------------------------------------------------


def test_the_advice_says_what_would_have_to_give(plots: Any) -> None:
    rules, m = squeezed(plots)
    share = f"{100.0 * float(m.benchmark[m.sector_codes == 1].sum()):.2f}%"
    first, *choices, last = propose(plots.signed(rules), m).advice.splitlines()
    assert first.startswith("exclude (4.2) and sector (7.3) contradict each other: no weights keep both. S1 can weigh at most 0.00% by exclude")
    assert choices[0] == "One of these would have to give, the others staying as they are:"
    assert choices[1].startswith(f"  sector: S1 at most 1.00% would need {share} (priority 1); expected growth advantage then +")
    assert choices[2].startswith("  exclude: A")
    assert " would need to be missed by " in choices[2]
    assert " (never gives way); expected growth advantage then +" in choices[2]
    assert sum("bp less than the best of these" in line for line in choices) == 1
    assert "relax" in last
    given = propose(plots.signed(rules), m, relax=True).advice
    assert given == f"no weights keep all rules; relaxed in the order of their priorities: sector: S1 at most 1.00% is {share} (priority 1)"


def test_a_conflict_behind_a_conflict_is_told(plots: Any) -> None:
    """Nothing that one rule of the first conflict gives ends the second."""
    m = calm(plots, 13)
    low, high = int(m.benchmark.argmin()), int(m.benchmark.argmax())
    rules = (out(high), g.ActiveWeight(0.01), g.Turnover(0.0), g.MustSell(out(low).assets))
    proposal = propose(plots.signed(rules), m)
    assert set(proposal.conflict) == {"exclude", "active_weight"}
    for choice in proposal.choices:  # what ends this conflict alone
        assert choice.amount == pytest.approx(float(m.benchmark[high]) - 0.01, abs=EXACT)
        assert choice.growth is None
    assert "That ends this conflict only: turnover and must_sell (4.2) contradict each other too." in proposal.advice
