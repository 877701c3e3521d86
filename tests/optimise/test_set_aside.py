"""Rows that the fast rung sets aside: where the answer without them keeps them it is the answer with them; lines it breaks are put in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gammastar.mandate import (
    ActiveShare,
    ActiveWeight,
    FactorRisk,
    GroupActive,
    IssuerLimit,
    Mandate,
    TopWeights,
    TrackingError,
    TradingPolicy,
    Turnover,
)
from gammastar.optimise.problem import state_problem
from gammastar.optimise.solver import Outcome, Rung, solve


def posed(bench: Any, seed: int, *, tight: bool) -> Any:
    """Return a problem of 220 names with rows that are set aside, some binding when `tight`."""
    rng = np.random.default_rng(seed)
    m = bench.moment(rng, 220, short=4, outside=3)
    held = m.benchmark * np.exp(rng.normal(0.0, 0.1, 220))
    top = float(np.sort(m.benchmark)[-10:].sum())
    largest = float(m.benchmark.max())
    rules = (
        TrackingError(0.02),
        ActiveWeight(0.01),
        GroupActive(0.01),
        Turnover(0.6),
        IssuerLimit(largest + (0.002 if tight else 0.5)),
        TopWeights(10, top + (0.002 if tight and seed % 2 else 0.4)),
        ActiveShare(0.3 if tight and seed % 3 == 0 else 0.9),
        FactorRisk(0.008 if tight and seed % 5 == 0 else 0.5),
    )
    mandate = Mandate(rules=rules, trading=TradingPolicy(cost=0.0005), data=bench.policy)
    return state_problem(mandate, replace(m, holdings=held / held.sum()))


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("tight", [True, False])
def test_setting_rows_aside_changes_nothing(bench: Any, seed: int, tight: bool) -> None:
    problem = posed(bench, seed, tight=tight)
    fast, whole = solve(problem), solve(problem, clarabel=True)
    assert fast.outcome is whole.outcome is Outcome.SOLVED
    assert problem.value(fast.weights) == pytest.approx(problem.value(whole.weights), rel=1e-7, abs=1e-11)
    for rule, price in whole.prices.items():
        assert fast.prices[rule] == pytest.approx(price, rel=1e-3, abs=3e-6), rule
    if not tight:
        assert fast.rung is not Rung.CONES


def test_both_ways_out_are_taken(bench: Any) -> None:
    """A row set aside that binds sends the problem to the cone solver; lines that bind are put in."""
    rungs = [solve(posed(bench, seed, tight=True)).rung for seed in range(10)]
    assert Rung.CONES in rungs
    assert set(rungs) - {Rung.CONES}


def test_issuers_that_bind_are_put_in(bench: Any) -> None:
    problem = next(p for p in (posed(bench, seed, tight=True) for seed in range(40)) if (a := solve(p)).rung is not Rung.CONES and a.prices["concentration.issuer"] > 1e-4)
    assert solve(problem).prices["concentration.issuer"] == pytest.approx(solve(problem, clarabel=True).prices["concentration.issuer"], rel=1e-3)
