"""Laws of discrete rules: every answer keeps every rule, nothing is changed without need, failure names the rule."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from gammastar.core.rows import LargePositions, RiskShares
from gammastar.mandate import ActiveWeight, GroupActive, Mandate, Rule, TrackingError, TradingPolicy, Turnover
from gammastar.mandate.check import check_weights
from gammastar.mandate.rules import (
    Cash,
    FiveTenForty,
    Lot,
    MinimumHolding,
    MinimumTrade,
    MostTrades,
    Names,
    RiskContribution,
    lacking,
)
from gammastar.market.assets import Assets
from gammastar.market.groups import Group
from gammastar.optimise import Status, propose
from gammastar.optimise.discrete import best_answer
from gammastar.optimise.excess import broken_discrete, hard_excess, risk_shares, violations, worth
from gammastar.optimise.problem import state_problem
from gammastar.optimise.sequential import tangents
from gammastar.optimise.solver import Outcome, solve

if TYPE_CHECKING:
    from gammastar.market.moment import Moment
    from gammastar.optimise.solver import Answer

N = 60


def market(bench: Any, seed: int, n: int = N, *, short: int = 0) -> Moment:
    """Return a market with prices, a portfolio of some of its names, and its value."""
    rng = np.random.default_rng(seed)
    m = bench.moment(rng, n, short=short)
    held = m.benchmark * np.exp(rng.normal(0.0, 0.2, n))
    held[rng.permutation(n)[: n // 4]] = 0.0
    price = np.exp(rng.uniform(np.log(5.0), np.log(500.0), n))
    return replace(m, price=price).with_holdings(held / held.sum(), float(10.0 ** rng.uniform(6.5, 9.0)))


def random_rules(rng: np.random.Generator, n: int) -> tuple[Rule, ...]:
    """Return rules that can be kept together as a rule, two or more of them discrete."""
    rules: list[Rule] = [TrackingError(float(rng.uniform(0.02, 0.05)))]
    discrete: list[tuple[Rule, ...]] = [
        (Names(maximum=int(rng.integers(n // 2, n))),),
        (MinimumHolding(float(rng.choice([0.002, 0.005])), grandfather=bool(rng.random() < 0.5)),),
        (MinimumTrade(float(rng.choice([0.001, 0.003]))),),
        (Cash(0.0, 0.01), Lot(int(rng.choice([1, 10, 100])))),
        (FiveTenForty(each=0.15, threshold=0.06, total=0.4),),
    ]
    for kind in rng.permutation(len(discrete))[: rng.integers(2, 5)]:
        rules += discrete[kind]
    if rng.random() < 0.6:
        rules.append(GroupActive(float(rng.uniform(0.02, 0.05))))
    if rng.random() < 0.3:
        rules.append(Turnover(float(rng.uniform(0.8, 1.2))))
    return tuple(rules)


def case(bench: Any, seed: int) -> tuple[Mandate, Moment]:
    rng = np.random.default_rng(seed + 1000)
    m = market(bench, seed, short=int(rng.choice([0, 0, 4])))
    cost = float(rng.choice([0.0, 0.0005]))
    return Mandate(rules=random_rules(rng, N), trading=TradingPolicy(cost=cost), data=bench.policy), m


def breaches(mandate: Mandate, weights: np.ndarray, m: Moment) -> list[Any]:
    return [reading for reading in check_weights(mandate, weights, m) if reading.breached]


@pytest.mark.parametrize("block", range(4))
def test_every_answer_keeps_every_rule_and_covers_its_gap(bench: Any, block: int) -> None:
    solved = 0
    for seed in range(block, 24, 4):
        mandate, m = case(bench, seed)
        problem = state_problem(mandate, m)
        answer = best_answer(problem)
        if answer.outcome is not Outcome.SOLVED:
            assert answer.outcome is Outcome.INFEASIBLE or any(rule.name in answer.message for rule in mandate.rules), (seed, answer.message)
            continue
        solved += 1
        assert not breaches(mandate, answer.weights, m), seed
        assert not broken_discrete(problem, answer.weights), seed
        assert answer.gap is not None
        assert answer.gap >= -1e-9, seed
    assert solved >= 5


@pytest.mark.parametrize("seed", range(6))
def test_a_released_proposal_is_marked_heuristic(bench: Any, seed: int) -> None:
    mandate, m = case(bench, seed)
    proposal = propose(mandate, m)
    assert proposal.heuristic or not proposal.solved
    if proposal.solved:
        assert not [reading for reading in proposal.readings if reading.breached]


def permuted(m: Moment, order: np.ndarray) -> Moment:
    return replace(
        m,
        assets=Assets(tuple(m.assets.ids[i] for i in order)),
        returns=m.returns[:, order],
        observed=m.observed[:, order],
        benchmark=m.benchmark[order],
        benchmark_history=m.benchmark_history[:, order],
        sector_codes=m.sector_codes[order],
        holdings=m.holdings[order],
        covariance=m.covariance.take(order),
        price=m.price[order],
    )


@pytest.mark.parametrize("seed", range(6))
def test_permuting_assets_permutes_the_answer(bench: Any, seed: int) -> None:
    mandate, m = case(bench, seed)
    order = np.random.default_rng(seed).permutation(N)
    here, there = best_answer(state_problem(mandate, m)), best_answer(state_problem(mandate, permuted(m, order)))
    assert here.outcome is there.outcome
    np.testing.assert_allclose(there.weights, here.weights[order], atol=2e-6 if not any(isinstance(r, Lot) for r in mandate.rules) else 2e-3)
    if here.gap is not None:
        assert there.gap == pytest.approx(here.gap, abs=1e-6)


@pytest.mark.parametrize(
    "loose",
    [
        (Names(minimum=1, maximum=N),),
        (FiveTenForty(each=0.9, threshold=0.8, total=1.0),),
        (RiskContribution(0.99),),
        (RiskContribution(0.999, attribute="sector"),),
        (MinimumHolding(1e-10), MinimumTrade(1e-10)),
    ],
    ids=lambda rules: rules[0].name,
)
def test_a_rule_that_does_not_bind_changes_nothing(bench: Any, loose: tuple[Rule, ...]) -> None:
    m = market(bench, 3)
    rules: tuple[Rule, ...] = (TrackingError(0.03), GroupActive(0.03))
    plain = best_answer(state_problem(Mandate(rules=rules, data=bench.policy), m))
    answer = best_answer(state_problem(Mandate(rules=(*rules, *loose), data=bench.policy), m))
    assert plain.gap is None
    assert answer.gap == pytest.approx(0.0, abs=1e-9)
    np.testing.assert_allclose(answer.weights, plain.weights, atol=1e-6)


def test_without_discrete_rules_it_is_the_convex_answer_to_the_bit(bench: Any) -> None:
    problem = state_problem(Mandate(rules=(TrackingError(0.03), GroupActive(0.03)), data=bench.policy), market(bench, 4))
    assert np.array_equal(best_answer(problem).weights, solve(problem).weights)


@pytest.mark.parametrize("loosen", [(Names(maximum=25), 5), (MinimumHolding(0.01), 0.005), (MinimumTrade(0.01), 0.005), (RiskContribution(0.08), 0.05)])
def test_loosening_a_discrete_rule_leaves_the_relaxation_where_it_is(bench: Any, loosen: tuple[Rule, float]) -> None:
    """The relaxation knows nothing of it, so the told gap and the objective always add up to the same, and a looser rule is kept too."""
    rule, amount = loosen
    m = market(bench, 5)
    tight, wide = (Mandate(rules=(TrackingError(0.04), one), data=bench.policy) for one in (rule, rule.loosened(amount)))
    posed = [state_problem(mandate, m) for mandate in (tight, wide)]
    found = [best_answer(problem) for problem in posed]
    tops = [worth(problem, answer.weights) + answer.gap for problem, answer in zip(posed, found, strict=True)]
    assert tops[1] >= tops[0] - 1e-9
    assert not broken_discrete(posed[1], found[0].weights)


def test_the_same_question_has_the_same_answer_to_the_bit(bench: Any) -> None:
    mandate, m = case(bench, 2)
    one, two = (best_answer(state_problem(mandate, m)) for _ in range(2))
    assert np.array_equal(one.weights, two.weights)
    assert one.prices == two.prices


def test_names_that_cannot_be_are_named(bench: Any) -> None:
    m = market(bench, 6)
    mandate = Mandate(rules=(TrackingError(0.005), ActiveWeight(0.01), Names(maximum=4)), data=bench.policy)
    answer = best_answer(state_problem(mandate, m))
    assert answer.outcome is Outcome.FAILED
    assert "names" in answer.message
    assert propose(mandate, m).status is Status.UNSOLVED


def test_of_several_rules_the_one_that_stands_in_the_way_is_named(bench: Any) -> None:
    mandate = Mandate(rules=(TrackingError(0.01), MinimumTrade(0.0005), Names(maximum=4)), data=bench.policy)
    message = best_answer(state_problem(mandate, market(bench, 6))).message
    assert "names" in message
    assert "min_trade" not in message


def test_an_infeasible_relaxation_stays_a_conflict_of_convex_rules(bench: Any) -> None:
    m = market(bench, 6)
    mandate = Mandate(rules=(ActiveWeight(0.001), Turnover(0.0), Names(maximum=50)), data=bench.policy)
    assert best_answer(state_problem(mandate, m)).outcome is Outcome.INFEASIBLE


def test_lots_need_room_in_cash(bench: Any) -> None:
    m = market(bench, 7)
    for rules in ((Lot(1),), (Lot(1), Cash(0.01, 0.01))):
        answer = best_answer(state_problem(Mandate(rules=(TrackingError(0.03), *rules), data=bench.policy), m))
        assert answer.outcome is Outcome.FAILED
        assert "cash" in answer.message


@pytest.mark.parametrize("shares", [1, 100, 5000])
def test_lots_are_whole_and_cash_stays_within_its_rule(bench: Any, shares: int) -> None:
    m = market(bench, 8)
    m = m.with_holdings(m.holdings, 3e7)
    mandate = Mandate(rules=(TrackingError(0.04), GroupActive(0.03), Cash(0.001, 0.01), Lot(shares)), data=bench.policy)
    problem = state_problem(mandate, m)
    answer = best_answer(problem)
    assert answer.outcome is Outcome.SOLVED, answer.message
    traded = (answer.weights - m.holdings) * m.value / (shares * m.price)
    kept = answer.weights > 0.0
    np.testing.assert_allclose(traded[kept], np.round(traded[kept]), atol=1e-6)
    assert 0.001 - 1e-9 <= 1.0 - answer.weights.sum() <= 0.01 + 1e-9
    assert hard_excess(problem, answer.weights) <= 1e-8


@pytest.mark.parametrize("more", [(), (MinimumHolding(0.002),)], ids=["alone", "of a least size"])
def test_a_least_number_of_names_is_reached(bench: Any, more: tuple[Rule, ...]) -> None:
    m = market(bench, 9)
    free = best_answer(state_problem(Mandate(rules=(TrackingError(0.08),), data=bench.policy), m))
    held = int((free.weights > 1e-6).sum())
    mandate = Mandate(rules=(TrackingError(0.08), Names(minimum=held + 5), *more), data=bench.policy)
    answer = best_answer(state_problem(mandate, m))
    assert int((answer.weights > (0.0019 if more else 9e-7)).sum()) >= held + 5
    assert not breaches(mandate, answer.weights, m)


@pytest.mark.parametrize("more", [(), (MinimumTrade(0.001),), (Names(maximum=42),), (MinimumHolding(0.002, grandfather=True), Turnover(0.3))], ids=len)
@pytest.mark.parametrize("seed", range(3))
def test_few_names_are_traded_and_the_others_stay_to_the_last_digit(bench: Any, seed: int, more: tuple[Rule, ...]) -> None:
    m = market(bench, 30 + seed)
    rules = (TrackingError(0.08), *more)
    free = best_answer(state_problem(Mandate(rules=rules, data=bench.policy), m))
    assert free.outcome is Outcome.SOLVED
    trades = int((np.abs(free.weights - m.holdings) > 1e-9).sum())
    mandate = Mandate(rules=(*rules, MostTrades(trades // 2)), data=bench.policy)
    answer = best_answer(state_problem(mandate, m))
    assert answer.outcome is Outcome.SOLVED, answer.message
    assert not breaches(mandate, answer.weights, m)
    assert int((answer.weights != m.holdings).sum()) <= trades // 2
    assert answer.gap is not None
    assert answer.gap > 0.0


def test_neutral_names_follow_discrete_rules_too(bench: Any) -> None:
    """A neutral name stands at its benchmark weight; where that is no holding or no lot, at the nearest weight that is one."""
    m = market(bench, 10, short=6)
    m = m.with_holdings(m.benchmark, 1e8)
    least = float(np.median(m.benchmark))
    mandate = Mandate(rules=(TrackingError(0.05), MinimumHolding(least), Cash(0.0, 0.01), Lot(10)), data=bench.policy)
    answer = best_answer(state_problem(mandate, m))
    assert answer.outcome is Outcome.SOLVED
    assert not breaches(mandate, answer.weights, m)


def test_grandfathered_names_may_stay_exactly_as_they_are(bench: Any) -> None:
    """Thirty small positions of 0.3%: there is not turnover enough to sell them or to make them larger."""
    m = market(bench, 11)
    small = np.isin(np.arange(N), np.argsort(m.benchmark)[:30])
    held = np.where(small, 0.003, m.benchmark * 0.91 / m.benchmark[~small].sum())
    m = m.with_holdings(held)
    others: tuple[Rule, ...] = (Turnover(0.05), MinimumTrade(0.01), TrackingError(0.08))
    problem = state_problem(Mandate(rules=(*others, MinimumHolding(0.005, grandfather=True)), data=bench.policy), m)
    assert "min_holding" in broken_discrete(problem, solve(problem).weights)
    answer = best_answer(problem)
    assert answer.outcome is Outcome.SOLVED
    stay = (answer.weights > 0.0) & (answer.weights < 0.005 - 1e-8)
    assert stay.sum() > 20
    np.testing.assert_allclose(answer.weights[stay], held[stay], atol=1e-9)
    strict = best_answer(state_problem(Mandate(rules=(*others, MinimumHolding(0.005)), data=bench.policy), m))
    assert strict.outcome is Outcome.FAILED
    assert "min_holding" in strict.message


def test_large_issuers_are_counted_over_their_lines(bench: Any) -> None:
    """Two lines of 4% are one issuer of 8%: five of them are 40%, six are too many."""
    rng = np.random.default_rng(12)
    m = bench.moment(rng, 40, mu=np.concatenate((np.full(16, 3.5), np.full(24, 1.8))))
    issuers = np.concatenate((np.repeat(np.arange(8), 2), np.arange(8, 32)))
    m = replace(m, groups={"issuer": Group(tuple(f"I{i}" for i in range(32)), issuers)})
    mandate = Mandate(rules=(FiveTenForty(), TrackingError(0.2)), data=bench.policy)
    problem = state_problem(mandate, m)
    row = next(row for row in problem.discrete if isinstance(row, LargePositions))
    assert float((row.matrix @ m.benchmark)[:8].sum()) > 0.5
    answer = best_answer(problem)
    sums = np.bincount(issuers, weights=answer.weights)
    assert answer.outcome is Outcome.SOLVED
    assert sums[sums > 0.05 + 1e-8].sum() <= 0.4 + 1e-8
    assert not breaches(mandate, answer.weights, m)


SHARES: list[tuple[Rule, ...]] = [
    (RiskContribution(0.10),),
    (RiskContribution(0.25, attribute="sector"),),
    (RiskContribution(0.12), RiskContribution(0.28, attribute="sector")),
]


@pytest.mark.parametrize("rules", SHARES, ids=lambda rules: "+".join(rule.name for rule in rules))
def test_shares_of_risk_are_kept_and_no_feasible_neighbour_is_better(bench: Any, rules: tuple[Rule, ...]) -> None:
    bound = 0
    for seed in range(6):
        m = market(bench, 20 + seed, 40)
        mandate = Mandate(rules=(TrackingError(0.03), ActiveWeight(0.03), *rules), data=bench.policy)
        problem = state_problem(mandate, m)
        answer = best_answer(problem)
        assert answer.outcome is Outcome.SOLVED, (seed, answer.message)
        assert not breaches(mandate, answer.weights, m), seed
        shares = [risk_shares(row, answer.weights).max() - row.limit for row in problem.discrete if isinstance(row, RiskShares)]
        assert max(shares) <= 1e-9
        bound += answer.gap > 1e-8
        rng, best = np.random.default_rng(seed), worth(problem, answer.weights)
        for _ in range(200):
            step = rng.normal(size=40) * (rng.random(40) < 0.2) * answer.weights * 10.0 ** rng.uniform(-5, -2)
            near = np.maximum(answer.weights + step, 0.0)
            near = near / near.sum()
            if hard_excess(problem, near) <= 0.0 and not broken_discrete(problem, near):
                assert worth(problem, near) <= best + 1e-7
    assert bound >= 2


def test_tangents_touch_the_shares(bench: Any) -> None:
    """At the point itself the tangent says what the share says; near it, to first order."""
    m = market(bench, 30, 40)
    problem = state_problem(Mandate(rules=(RiskContribution(0.05), RiskContribution(0.2, attribute="sector")), data=bench.policy), m)
    rng = np.random.default_rng(0)
    weights = m.holdings
    step = rng.normal(size=40) * 1e-6

    def exact(row: RiskShares, w: np.ndarray) -> np.ndarray:
        active = w - row.centre
        return (risk_shares(row, w) - row.limit) * float(active @ row.covariance.times(active))

    for row, tangent in zip([row for row in problem.discrete if isinstance(row, RiskShares)], tangents(problem, weights), strict=True):
        scale = 1.0 / np.sqrt(float((weights - row.centre) @ row.covariance.times(weights - row.centre)))
        at = [row.labels.index(label) for label in tangent.labels]
        for w in (weights, weights + step):
            excess = violations(tangent, w)[0][len(at) :]
            np.testing.assert_allclose(excess, scale * exact(row, w)[at], atol=1e-9 * scale)


def test_shares_together_with_other_discrete_rules(bench: Any) -> None:
    m = market(bench, 31)
    m = m.with_holdings(m.holdings, 1e8)
    rules: tuple[Rule, ...] = (
        TrackingError(0.04), GroupActive(0.04), Names(maximum=40), MinimumHolding(0.004), MinimumTrade(0.001), Cash(0.0, 0.005), Lot(10),
        RiskContribution(0.15), RiskContribution(0.35, attribute="sector"),
    )  # fmt: skip
    mandate = Mandate(rules=rules, data=bench.policy)
    answer: Answer = best_answer(state_problem(mandate, m))
    assert answer.outcome is Outcome.SOLVED, answer.message
    assert not breaches(mandate, answer.weights, m)


def test_the_price_of_a_least_holding_is_the_slope_on_the_names_chosen(bench: Any) -> None:
    m = market(bench, 32)

    def found(limit: float) -> tuple[float, Answer]:
        problem = state_problem(Mandate(rules=(TrackingError(0.03), MinimumHolding(limit)), data=bench.policy), m)
        answer = best_answer(problem)
        return worth(problem, answer.weights), answer

    value, answer = found(0.006)
    looser, other = found(0.006 - 1e-6)
    assert np.array_equal(answer.weights > 0.0, other.weights > 0.0)
    assert answer.prices["min_holding"] > 0.0
    assert (looser - value) / 1e-6 == pytest.approx(answer.prices["min_holding"], rel=1e-2)


def test_the_gap_counts_what_soft_rules_are_exceeded_by(bench: Any) -> None:
    """The largest excess of a soft rule, over all its groups, at its price, comes off the objective of both."""
    m = market(bench, 33)
    mandate = Mandate(rules=(TrackingError(0.05), GroupActive(0.002, penalty=0.02), Names(maximum=25)), data=bench.policy)
    problem = state_problem(mandate, m)
    answer, relaxed = best_answer(problem), solve(problem)

    def by_hand(weights: np.ndarray) -> float:
        totals = np.bincount(m.sector_codes, weights=weights - m.benchmark)
        return problem.value(weights) - 0.02 * max(float(np.abs(totals).max()) - 0.002, 0.0)

    assert by_hand(relaxed.weights) < problem.value(relaxed.weights)
    assert answer.gap == pytest.approx(by_hand(relaxed.weights) - by_hand(answer.weights), abs=1e-12)


def test_rules_that_need_prices_say_so(bench: Any) -> None:
    assert lacking(Lot(1), bench.moment(np.random.default_rng(0), 10)) == ("price", "value")


@pytest.mark.slow
def test_hundreds_of_combined_mandates(bench: Any) -> None:
    """Of mandates whose convex rules can be kept, nearly all are; no answer breaks a rule."""
    solved, posed, gaps = 0, 0, []
    for seed in range(100, 250):
        mandate, m = case(bench, seed)
        answer = best_answer(state_problem(mandate, m))
        posed += answer.outcome is not Outcome.INFEASIBLE
        if answer.outcome is Outcome.SOLVED:
            solved += 1
            assert not breaches(mandate, answer.weights, m), seed
            assert answer.gap is not None
            assert answer.gap >= -1e-9, seed
            gaps.append(answer.gap)
    print(f"{solved} of {posed}; gap {1e4 * np.median(gaps):.2f} bp a year in the median, {1e4 * np.quantile(gaps, 0.9):.2f} in nine of ten")  # noqa: T201
    assert solved >= 0.95 * posed
