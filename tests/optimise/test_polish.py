"""The last digits of the cone solver's answers: what is polished is the optimum to rounding, and what cannot be is left as it was."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import clarabel
import numpy as np
import pytest
from scipy import sparse
from tests.optimise.stress import missed, stress_problem

from gammastar.core.costs import TradeCost
from gammastar.core.rows import LinearRows
from gammastar.mandate import ActiveWeight, GroupActive, Mandate, TrackingError, Turnover
from gammastar.mandate.strategy import TradingPolicy
from gammastar.optimise import solver
from gammastar.optimise.polish import polished
from gammastar.optimise.problem import state_problem
from gammastar.optimise.solver import Outcome, solve

if TYPE_CHECKING:
    from numpy import ndarray


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, Any]]:
    """What was given to be polished, and what came of it."""
    found: list[tuple[Any, Any]] = []

    def watched(*given: Any) -> Any:
        found.append((given, polished(*given)))
        return found[-1][1]

    monkeypatch.setattr(solver, "polished", watched)
    return found


def left_over(program: tuple[ndarray, ndarray, Any, ndarray, list[Any]], x: ndarray, z: ndarray) -> float:
    """Return by how much x and z miss the conditions of optimality (Karush, Kuhn, Tucker), written here from the cones' definitions."""
    quadratic, linear, matrix, right, cones = program
    s, start = right - matrix @ x, 0
    parts = [np.abs(quadratic * x + linear + matrix.T @ z).max(initial=0.0)]
    for cone in cones:
        here, dual = s[start : start + cone.dim], z[start : start + cone.dim]
        start += cone.dim
        parts.append(abs(float(here @ dual)))
        if isinstance(cone, clarabel.ZeroConeT):
            parts.append(np.abs(here).max())
        elif isinstance(cone, clarabel.NonnegativeConeT):
            parts += [-here.min(), -dual.min()]
        else:
            parts += [np.linalg.norm(here[1:]) - here[0], np.linalg.norm(dual[1:]) - dual[0]]
    return float(max(parts))


def test_what_is_polished_meets_the_conditions_of_optimality(seen: list[tuple[Any, Any]]) -> None:
    """Random problems, vertices and risk limits that bind among them: thousands of times nearer to the optimum than the solver, and each at it."""
    for seed in range(60):
        solve(stress_problem(seed, largest=200), clarabel=True)
    before = [left_over(program, x, z) for (program, (x, _, z)), _ in seen]
    after = [left_over(given[0], *found) for given, found in seen if found is not None]
    assert len(after) == len(before) >= 40
    assert max(after) < 1e-9
    assert np.median(before) > 1e3 * np.median(after)


def test_polished_weights_keep_their_rows_to_rounding_and_are_no_worse(monkeypatch: pytest.MonkeyPatch) -> None:
    moved = 0
    for seed in range(40):
        problem = stress_problem(seed, largest=200)
        exact = solve(problem, clarabel=True)
        with monkeypatch.context() as patch:
            patch.setattr(solver, "polished", lambda *_: None)
            rough = solve(problem, clarabel=True)
        assert exact.outcome is rough.outcome
        if exact.outcome is Outcome.SOLVED:
            assert missed(problem, exact.weights) < 1e-12, seed
            assert problem.value(exact.weights) >= problem.value(rough.weights) - 1e-6 * max(missed(problem, rough.weights), 1e-6), seed
            np.testing.assert_allclose(exact.weights, rough.weights, atol=1e-5)
            moved += bool(np.abs(exact.weights - rough.weights).max() > 1e-9)
    assert moved >= 5


@pytest.mark.parametrize("gap", [0.0, 1e-12, 1e-10, 1e-8, 1e-6])
def test_rows_that_exclude_each_other_by_a_hair(bench: Any, gap: float) -> None:
    """A name held a hair from its bound: the trade's kink and the bound cannot both bind, and the solver cannot tell which does."""
    rng = np.random.default_rng(8)
    m = bench.moment(rng, 120)
    mandate = Mandate(rules=(TrackingError(0.01), ActiveWeight(0.004), GroupActive(0.02)), trading=TradingPolicy(cost=0.001), data=bench.policy)
    held = m.benchmark * np.exp(rng.normal(0.0, 0.2, 120))
    held /= held.sum()
    free = solve(state_problem(mandate, m.with_holdings(held, m.value))).weights
    upper = m.benchmark + 0.004
    there = np.flatnonzero(free >= upper - 1e-12)[:5]
    held[there] = upper[there] - gap
    assert len(there) == 5
    held[int(np.argmax(np.where(free < upper - 0.001, held, 0.0)))] += 1.0 - held.sum()
    problem = state_problem(mandate, m.with_holdings(held, m.value))
    fast, cones = solve(problem), solve(problem, clarabel=True)
    np.testing.assert_allclose(fast.weights, cones.weights, atol=1e-9)


def test_a_row_that_is_there_twice_does_no_harm(bench: Any) -> None:
    m = bench.moment(np.random.default_rng(9), 90)
    once = state_problem(Mandate(rules=(TrackingError(0.01), GroupActive(0.001), Turnover(0.1)), data=bench.policy), m)
    twice = replace(once, rows=(*once.rows, *(row for row in once.rows if isinstance(row, LinearRows))))
    np.testing.assert_allclose(solve(once, clarabel=True).weights, solve(twice, clarabel=True).weights, atol=1e-9)


def test_other_cones_are_left_as_they_are(seen: list[tuple[Any, Any]]) -> None:
    problem = stress_problem(3, largest=60)
    n = len(problem.benchmark)
    impact = TradeCost(np.zeros(n), np.zeros(n), impact=np.full(n, 1e-3))
    assert solve(replace(problem, cost=impact), clarabel=True).outcome is Outcome.SOLVED
    assert [found for _, found in seen] == [None]


@pytest.mark.parametrize("binds", [[0.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 2.0]])
def test_a_wrong_guess_of_what_binds_is_mended(binds: list[float]) -> None:
    """The least ``x'x / 2 - x_1`` with ``x_1 + x_2 = 1`` and x not negative is at (1, 0), whichever bounds an answer says to bind."""
    matrix, right = sparse.csc_matrix(np.array([[1.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])), np.array([1.0, 0.0, 0.0])
    program = (np.ones(2), np.array([-1.0, 0.0]), matrix, right, [clarabel.ZeroConeT(1), clarabel.NonnegativeConeT(2)])
    found = polished(program, (np.array([1.0, 0.0]), np.array([0.0, 1.0, 0.0]), np.array(binds)))
    assert found is not None
    np.testing.assert_allclose(found[0], [1.0, 0.0], atol=1e-9)
    assert left_over(program, *found) < 1e-9
