"""The fast rung against the cone solver, on random problems of the common form; and what must go to the cone solver."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.optimise.stress import missed, stress_problem

from gammastar.core.costs import TradeCost
from gammastar.core.rows import AbsoluteSum, LinearRows, RiskCone
from gammastar.mandate import Mandate, TrackingError, Turnover
from gammastar.mandate.growth import ArithmeticGrowth
from gammastar.mandate.strategy import VolatilityCapture
from gammastar.market.missing import PATIENCE
from gammastar.optimise import solver, why
from gammastar.optimise.certify import Duals, prove
from gammastar.optimise.fast import FastAnswer, fast_answer
from gammastar.optimise.problem import choose, neutral_names, state_problem
from gammastar.optimise.solver import Answer, Outcome, Rung, solve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gammastar.optimise.problem import Problem

SEEDS, SMALL = range(200), 120


@pytest.fixture(autouse=True, scope="module")
def _whatever_the_size() -> Iterator[None]:
    """Small problems go to the fast rung too, so that many can be tried."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(solver, "FAST_FROM", 1)
        yield


@dataclass(frozen=True, eq=False)
class Case:
    """One problem and both answers to it."""

    seed: int
    problem: Problem
    fast: Answer
    cones: Answer


def ask(seed: int, largest: int) -> Case:
    problem = stress_problem(seed, largest=largest)
    return Case(seed, problem, solve(problem), solve(problem, clarabel=True))


def agree(case: Case) -> None:
    """Assert that both roads say the same: conflicts as conflicts, the same objective and the same weights."""
    assert case.fast.outcome is case.cones.outcome, case.seed
    if case.fast.outcome is not Outcome.SOLVED:
        assert case.fast.rung is Rung.CONES
        return
    problem = case.problem
    mine, theirs = problem.value(case.fast.weights), problem.value(case.cones.weights)
    assert mine == pytest.approx(theirs, rel=1e-9, abs=1e-12), case.seed
    np.testing.assert_allclose(case.fast.weights, case.cones.weights, atol=1e-8, err_msg=str(case.seed))
    assert missed(problem, case.fast.weights) <= 1e-9, case.seed


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    """Random problems with both answers, asked once."""
    return [ask(seed, SMALL) for seed in SEEDS]


def test_both_roads_agree_on_two_hundred_problems(cases: list[Case]) -> None:
    for case in cases:
        agree(case)


def test_nearly_every_answer_comes_from_the_fast_rung(cases: list[Case]) -> None:
    rungs = Counter(case.fast.rung for case in cases if case.fast.outcome is Outcome.SOLVED)
    assert rungs[Rung.CONES] <= 0.03 * rungs.total(), rungs


def test_the_problems_are_a_fair_sample(cases: list[Case]) -> None:
    """Some contradict themselves; every rule is met binding and not, the risk limit and turnover among them."""
    solved = [case for case in cases if case.cones.outcome is Outcome.SOLVED]
    assert len(cases) - len(solved) >= 10
    for rule in ("box", "sector", "style", "risk", "turnover"):
        binding = sum(case.cones.prices[rule] > 1e-6 for case in solved)
        assert 5 <= binding < len(solved), rule


def unique(case: Case, rule: str) -> bool:
    """Return whether the price of a rule is one number: equal bounds share theirs, and at what is held a cash limit has two slopes."""
    zero_width = any(isinstance(row, LinearRows) and bool((row.upper - row.lower < 1e-12).any()) for row in case.problem.rows)
    return rule != "cash" and not (rule == "sector" and zero_width)


def test_prices_are_those_of_the_cone_solver(cases: list[Case]) -> None:
    compared = 0
    for case in cases:
        if case.fast.outcome is Outcome.SOLVED:
            for rule, price in case.cones.prices.items():
                if unique(case, rule):
                    assert case.fast.prices[rule] == pytest.approx(price, rel=1e-4, abs=1e-6), (case.seed, rule)
                    compared += price > 1e-5
    assert compared > 200


@pytest.mark.parametrize("spoiled", ["weights", "rows", "kappa", "budget"])
def test_a_spoiled_answer_is_not_proved(monkeypatch: pytest.MonkeyPatch, spoiled: str) -> None:
    """The proof sees a small error in any part: weights, or the multipliers that are to prove them."""
    problem = next(p for p in map(stress_problem_of, range(40)) if (a := solve(p)).rung is not Rung.CONES and a.prices["risk"] > 1e-3)
    seen: list[Any] = []

    def watched(*given: Any) -> Any:
        seen.append(given)
        return prove(*given)

    monkeypatch.setattr("gammastar.optimise.fast.prove", watched)
    assert fast_answer(problem) is not None
    _, weights, duals = seen[0]
    assert prove(problem, weights, duals).holds
    weights = weights.copy()
    if spoiled == "weights":
        i, j = problem.free[np.argsort(-weights[problem.free])[:2]]
        weights[i], weights[j] = weights[i] - 1e-5, weights[j] + 1e-5
    if spoiled == "rows":
        duals = replace(duals, linear={k: v + 1e-3 for k, v in duals.linear.items()})
    if spoiled == "kappa":
        duals = replace(duals, kappa=duals.kappa * 1.01)
    if spoiled == "budget":
        duals = replace(duals, budget=duals.budget + 1e-4)
    assert not prove(problem, weights, duals).holds


def stress_problem_of(seed: int) -> Problem:
    return stress_problem(seed, largest=SMALL)


def test_the_gap_bounds_what_other_weights_could_gain(cases: list[Case]) -> None:
    """For any multipliers and any weights that keep the rows, objective plus gap is at least the optimum."""
    rng, looked = np.random.default_rng(5), 0
    for case in cases[:60]:
        problem = case.problem
        if case.fast.outcome is not Outcome.SOLVED or missed(problem, problem.benchmark) > 0.0:
            continue
        linear = {k: np.where(np.isfinite(row.upper), rng.exponential(1e-3, len(row.upper)), 0.0) for k, row in enumerate(problem.rows) if isinstance(row, LinearRows)}
        sums = {k: float(rng.exponential(1e-3)) for k, row in enumerate(problem.rows) if isinstance(row, AbsoluteSum)}
        kappa = float(rng.exponential(1.0)) if any(isinstance(row, RiskCone) for row in problem.rows) else 0.0
        proof = prove(problem, problem.benchmark, Duals(float(rng.normal(0.0, 0.05)), linear, sums, kappa))
        assert proof.value + proof.gap >= problem.value(case.fast.weights) - 1e-12, case.seed
        looked += 1
    assert looked >= 5


def test_the_proof_tells_by_how_much_rows_are_missed() -> None:
    """Weights at random, far and near: what the proof says is broken is what the rows written a second time say."""
    rng = np.random.default_rng(6)
    for seed in range(40):
        problem = stress_problem(seed, largest=SMALL)
        linear = {k: np.zeros(len(row.lower)) for k, row in enumerate(problem.rows) if isinstance(row, LinearRows)}
        none = Duals(0.0, linear, {k: 0.0 for k, row in enumerate(problem.rows) if isinstance(row, AbsoluteSum)}, 0.0)
        for size in (1e-9, 1e-4, 0.3):
            weights = problem.benchmark * np.exp(rng.normal(rng.normal(0.0, size), size, len(problem.benchmark)))
            weights[np.setdiff1d(np.arange(len(weights)), problem.free)] = problem.fixed[np.setdiff1d(np.arange(len(weights)), problem.free)]
            assert prove(problem, weights, none).broken == pytest.approx(max(missed(problem, weights), 0.0), abs=1e-12)


@pytest.mark.parametrize("blend", [0.0, 0.7])
def test_the_linear_term_is_growth_and_half_the_relative_variance(bench: Any, blend: float) -> None:
    m = bench.moment(np.random.default_rng(4), 40)
    growth = ArithmeticGrowth(blend)
    problem = state_problem(Mandate(rules=(TrackingError(0.02),), strategy=VolatilityCapture(growth=growth), data=bench.policy), m)
    np.testing.assert_allclose(problem.growth, growth.rates(m) + 0.5 * np.diag(m.covariance.relative(m.benchmark)), rtol=1e-12, atol=1e-15)


def test_the_proof_has_the_objective_of_the_problem(cases: list[Case]) -> None:
    for case in cases[:40]:
        problem = case.problem
        linear = {k: np.zeros(len(row.lower)) for k, row in enumerate(problem.rows) if isinstance(row, LinearRows)}
        none = Duals(0.0, linear, {k: 0.0 for k, row in enumerate(problem.rows) if isinstance(row, AbsoluteSum)}, 0.0)
        assert prove(problem, case.cones.weights, none).value == pytest.approx(problem.value(case.cones.weights), rel=1e-12, abs=1e-16)


@pytest.mark.parametrize("members", [1.0, 0.9])
def test_neutral_names_are_counted_the_short_way_and_the_long(bench: Any, members: float) -> None:
    """Where every member has all of its last returns nothing is counted; the count says the same."""
    rng, seen = np.random.default_rng(3), set()
    for _ in range(60):
        m = bench.moment(rng, 12)
        observed = np.array(m.observed)
        minimum, window = bench.policy.minimum_observations, bench.policy.observation_window
        for i in np.flatnonzero(rng.random(12) < 0.1):
            observed[rng.integers(0, len(observed), int(rng.integers(1, 2 * window))), i] = False
        m = replace(m, observed=observed, benchmark=np.where(rng.random(12) < members, m.benchmark, 0.0))
        short = observed[-window:].sum(axis=0) < minimum
        stopped = ~observed[-PATIENCE:].any(axis=0)
        expected = (m.benchmark > 0.0) & (short | stopped)
        np.testing.assert_array_equal(neutral_names(Mandate(rules=(), data=bench.policy), m), expected)
        seen.add(bool(expected.any()))
    assert seen == {True, False}


def test_names_are_chosen_as_the_definitions_say() -> None:
    """Loops over names against whole arrays: who is free, where the others stand, who follows a bound, where bounds cross."""
    rng = np.random.default_rng(7)
    some = np.array([0.0, 0.0, 0.01, 0.02, 0.03])
    for _ in range(200):
        mu, lower, upper = rng.choice(some, 30), rng.choice(some, 30), rng.choice([0.0, 0.01, 0.02, 0.04, np.inf], 30)
        neutral, slopes = (mu > 0.0) & (rng.random(30) < 0.4), tuple(rng.choice([0.0, 1.0], 30) for _ in range(2))
        members, top, yields = mu > 0.0, np.maximum(upper, lower), (slopes[0] != 0.0) | (slopes[1] != 0.0)
        pinned, outside = np.clip(mu, lower, top), np.clip(0.0, lower, top)
        stands = np.where(members, pinned, outside)
        follows = (neutral & (pinned != mu) & yields) | (~members & (outside > 0.0) & (slopes[0] != 0.0))
        low, high = np.where(follows, stands, lower), np.where(follows, stands, upper)
        chosen = follows | (members & ~neutral & ((high > low) | ((high == low) & yields)))
        crossing = (members | (outside > 0.0)) & (lower > upper)
        free, fixed, moved, crossed = choose(mu, neutral, (lower, upper), slopes)
        np.testing.assert_array_equal(crossed, np.flatnonzero(crossing))
        np.testing.assert_array_equal(free, np.flatnonzero(chosen))
        np.testing.assert_array_equal(fixed, np.where(chosen, 0.0, stands))
        np.testing.assert_array_equal(moved, follows)
        np.testing.assert_array_equal(lower, low)
        np.testing.assert_array_equal(upper, high)


def test_an_answer_that_is_not_proved_goes_to_the_cone_solver(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = stress_problem_of(next(seed for seed in range(40) if solve(stress_problem_of(seed)).rung is not Rung.CONES))
    monkeypatch.setattr("gammastar.optimise.certify.GAP", -1.0)
    answer = solve(problem)
    assert (answer.outcome, answer.rung) == (Outcome.SOLVED, Rung.CONES)


def test_the_same_problem_has_the_same_answer_to_the_bit() -> None:
    first, second = (fast_answer(stress_problem_of(3)) for _ in range(2))
    assert isinstance(first, FastAnswer)
    assert isinstance(second, FastAnswer)
    assert first.weights.tobytes() == second.weights.tobytes()
    assert first.prices == second.prices


def other_forms(problem: Problem) -> dict[str, Problem]:
    n = len(problem.benchmark)
    line = LinearRows("style", ("x",), np.ones((1, n)), np.zeros(1), np.array([2.0]), np.zeros(1), np.zeros(1), penalty=0.1)
    return {
        "soft rows": replace(problem, rows=(*problem.rows, line)),
        "impact": replace(problem, cost=TradeCost(np.zeros(n), np.zeros(n), impact=np.full(n, 1e-4))),
        "two variances": replace(problem, variances=problem.variances * 2),
    }


@pytest.mark.parametrize("form", ["soft rows", "impact", "two variances"])
def test_other_forms_go_to_the_cone_solver(form: str) -> None:
    seed = next(seed for seed in range(40) if (p := stress_problem_of(seed)) and solve(p).rung is not Rung.CONES and not p.cost.free)
    assert solve(other_forms(stress_problem_of(seed))[form]).rung is Rung.CONES


def test_a_mandate_goes_the_fast_way_and_is_explained_all_the_same(bench: Any) -> None:
    m = bench.moment(np.random.default_rng(5), 40)
    mandate = Mandate(rules=(TrackingError(0.01), Turnover(0.4)), data=bench.policy)
    assert solve(state_problem(mandate, m)).rung is not Rung.CONES
    assert why.explain_weight(mandate, m, m.assets.ids[0], without=0).target >= 0.0


@pytest.mark.slow
@pytest.mark.parametrize("block", range(10))
def test_both_roads_agree_on_problems_of_all_sizes(block: int) -> None:
    for seed in range(1000 + 30 * block, 1030 + 30 * block):
        agree(ask(seed, 3000))
