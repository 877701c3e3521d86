"""The ladder of solvers (Newton, interior point, cones) against the cone solver alone, on random problems of all sizes; warm starts against cold ones."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.optimise.stress import missed, stress_problem

from gammastar.optimise import fast, solver
from gammastar.optimise.fast import Warm, fast_answer
from gammastar.optimise.lane import lane_of
from gammastar.optimise.newton import newton
from gammastar.optimise.solver import Outcome, Rung, solve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gammastar.optimise.problem import Problem
    from gammastar.optimise.solver import Answer

FEW, BLOCKS, IN_BLOCK, SLOW_FROM = 200, 20, 500, 100_000
SAME, KEPT = 1e-6, 1e-9
"""How near the objective comes to the cone solver's, relative; by how much rows may be missed."""


@pytest.fixture(autouse=True, scope="module")
def _whatever_the_size() -> Iterator[None]:
    """Small problems climb the ladder too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(solver, "FAST_FROM", 1)
        yield


@dataclass
class Tally:
    """What came of many problems."""

    rungs: Counter[str] = field(default_factory=Counter)
    conflicts: int = 0
    better: int = 0
    binding: int = 0
    slack: int = 0
    vertices: int = 0

    def told(self) -> str:
        solved = self.rungs.total()
        rungs = ", ".join(f"{name} {count} ({count / solved:.1%})" for name, count in sorted(self.rungs.items()))
        return (
            f"ladder: {solved} solved ({rungs}), {self.conflicts} conflicts, {self.better} better than the cone solver and proved;"
            f" risk limit binding {self.binding}, slack {self.slack}; near a vertex {self.vertices}"
        )


def climb(seeds: range) -> Tally:
    """Solve problems by the ladder and by the cone solver, and assert that they agree."""
    tally = Tally()
    for seed in seeds:
        problem = stress_problem(seed)
        mine = solve(problem)
        theirs = mine if mine.rung is Rung.CONES else solve(problem, clarabel=True)  # its last rung is the cone solver itself
        if mine.outcome is Outcome.SOLVED:
            _count(tally, problem, mine)
            _agree(tally, seed, problem, mine, theirs)
        else:
            assert mine.outcome is Outcome.INFEASIBLE, seed
            tally.conflicts += 1
    return tally


def _count(tally: Tally, problem: Problem, mine: Answer) -> None:
    tally.rungs[mine.rung.name] += 1
    if mine.prices["risk"] > 1e-6:
        tally.binding += 1
    else:
        tally.slack += 1
    here = mine.weights[problem.free]
    inside = (here > problem.lower + 1e-9) & (here < problem.upper - 1e-9) & (np.abs(here - problem.held[problem.free]) > 1e-9)
    tally.vertices += int(inside.sum()) <= 0.05 * len(here)


def _agree(tally: Tally, seed: int, problem: Problem, mine: Answer, theirs: Answer) -> None:
    """Assert that the rows are kept, and that the objective is the cone solver's, or better where that is proved."""
    assert missed(problem, mine.weights) <= KEPT, seed
    if theirs.outcome is not Outcome.SOLVED:
        assert theirs.outcome is Outcome.FAILED, seed
        assert mine.rung is not Rung.CONES, seed
        tally.better += 1
        return
    value, other = problem.value(mine.weights), problem.value(theirs.weights)
    apart = (value - other) / max(abs(other), 1e-6)
    assert apart >= -SAME, (seed, value, other, mine.rung)
    if apart > SAME:
        assert mine.rung is not Rung.CONES, seed
        tally.better += 1


def test_two_hundred_problems_of_all_sizes(capsys: pytest.CaptureFixture[str]) -> None:
    tally = climb(range(SLOW_FROM - FEW, SLOW_FROM))
    with capsys.disabled():
        print(f"\n{tally.told()}")  # noqa: T201 - the figures are what the test is for
    assert tally.rungs["CONES"] <= 0.03 * tally.rungs.total()
    assert tally.rungs["NEWTON"] >= 0.5 * tally.rungs.total()
    assert min(tally.conflicts, tally.binding, tally.slack, tally.vertices) >= 5


def test_rows_that_miss_each_other_by_half_a_millionth_are_a_conflict() -> None:
    """The cone solver reaches its last iteration on these sectors with this turnover; either alone can be kept."""
    problem = stress_problem(104_975)
    both = solve(problem)
    assert both.outcome is Outcome.INFEASIBLE
    assert {rule for rule, share in both.certificate.items() if share > 1e-3} == {"sector", "turnover"}
    for rule in ("sector", "turnover"):
        assert solve(replace(problem, rows=tuple(row for row in problem.rows if row.rule != rule))).outcome is Outcome.SOLVED


@pytest.mark.slow
@pytest.mark.parametrize("block", range(BLOCKS))
def test_ten_thousand_problems_of_all_sizes(block: int, capsys: pytest.CaptureFixture[str]) -> None:
    tally = climb(range(SLOW_FROM + IN_BLOCK * block, SLOW_FROM + IN_BLOCK * (block + 1)))
    with capsys.disabled():
        print(f"\n{tally.told()}")  # noqa: T201 - the figures are what the test is for
    assert tally.rungs["CONES"] <= 0.03 * tally.rungs.total()


def next_week(problem: Problem, seed: int) -> Problem:
    """Return a problem like another: growth and holdings have moved."""
    rng = np.random.default_rng((21, seed))
    growth = problem.growth + rng.normal(0.0, 0.1 * float(problem.growth.std()), len(problem.growth))
    if any(hasattr(row, "centre") and row.rule == "turnover" for row in problem.rows):
        return replace(problem, growth=growth)
    held = problem.held * np.exp(rng.normal(0.0, 0.03, len(growth)))
    return replace(problem, growth=growth, held=held / held.sum())


def test_the_answer_does_not_hang_on_the_start() -> None:
    """From the last optimum, from prices that mean nothing and from none: one optimum, to 1e-8 of the objective."""
    compared = 0
    for seed in range(80):
        last = solve(stress_problem(seed, largest=600))
        problem = next_week(stress_problem(seed, largest=600), seed)
        cold = solve(problem)
        if last.warm is None or cold.warm is None:
            continue
        rng = np.random.default_rng((22, seed))
        wild = Warm(rng.dirichlet(np.ones(len(cold.weights))), 0.3, {name: rng.normal(size=len(price)) for name, price in last.warm.linear.items()}, {}, 50.0)
        for start in (last.warm, wild, cold.warm):
            other = solve(problem, warm=start)
            assert other.rung is not Rung.CONES, seed
            assert problem.value(other.weights) == pytest.approx(problem.value(cold.weights), rel=1e-8, abs=1e-12), seed
            np.testing.assert_allclose(other.weights, cold.weights, atol=1e-5, err_msg=str(seed))
        compared += 1
    assert compared >= 50


def test_a_start_from_the_optimum_is_at_its_end_at_once() -> None:
    starts = 0
    for seed in range(40):
        problem = stress_problem(seed, largest=600)
        cold = solve(problem)
        if cold.rung is Rung.NEWTON:
            again = solve(problem, warm=cold.warm)
            assert again.rung is Rung.NEWTON
            assert again.iterations <= 2, seed
            starts += 1
    assert starts >= 10


def test_a_start_of_other_assets_is_left_aside() -> None:
    problem = stress_problem(3, largest=200)
    cold = solve(problem)
    other = Warm(np.full(7, 1.0 / 7.0), 0.0, {}, {}, 0.0)
    assert solve(problem, warm=other).weights.tobytes() == cold.weights.tobytes()


def test_where_newton_stalls_the_interior_point_takes_over(monkeypatch: pytest.MonkeyPatch) -> None:
    seed = next(seed for seed in range(40) if solve(stress_problem(seed, largest=200)).rung is Rung.NEWTON)
    problem = stress_problem(seed, largest=200)
    cold = solve(problem)
    monkeypatch.setattr(fast, "newton", lambda *_: None)
    other = solve(problem)
    assert other.rung is Rung.INTERIOR
    assert problem.value(other.weights) == pytest.approx(problem.value(cold.weights), rel=1e-8, abs=1e-12)


def test_what_newton_gets_wrong_does_not_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer with prices a little off is not proved; the interior point's is."""
    seed = next(seed for seed in range(40) if (a := solve(stress_problem(seed, largest=200))).rung is Rung.NEWTON and a.prices["risk"] > 1e-3)
    problem = stress_problem(seed, largest=200)

    def spoiled(*given: object) -> object:
        found = newton(*given)  # type: ignore[arg-type]
        return None if found is None else replace(found, rows=found.rows + 1e-4)

    monkeypatch.setattr(fast, "newton", spoiled)
    assert solve(problem).rung is Rung.INTERIOR


def test_newton_takes_few_steps_where_the_risk_limit_binds() -> None:
    steps = []
    for seed in range(60):
        answer = fast_answer(stress_problem(seed, largest=600))
        if answer is not None and answer.newton and answer.prices["risk"] > 1e-2:
            steps.append(answer.iterations)
    assert len(steps) >= 15
    assert np.median(steps) <= 10


def test_contradictions_have_no_answer_by_newton() -> None:
    """Rows that exclude each other: prices grow without end, and no answer comes of it."""
    found = 0
    for seed in range(200):
        problem = stress_problem(seed, largest=120)
        if solve(problem, clarabel=True).outcome is Outcome.INFEASIBLE and (lane := lane_of(problem)) is not None:
            assert newton(lane) is None or fast_answer(problem) is None, seed
            found += 1
    assert found >= 10
