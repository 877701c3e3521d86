"""The optimiser against CVXPY: the same mandates, stated a second time from the documents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from gammastar.optimise import Status, propose

if TYPE_CHECKING:
    from gammastar.mandate import Mandate
    from gammastar.market.moment import Moment
    from gammastar.optimise import Proposal

SEEDS = range(145)


@dataclass(frozen=True, eq=False)
class Case:
    """One random mandate and both answers to it."""

    mandate: Mandate
    moment: Moment
    proposal: Proposal
    second: Any

    def __str__(self) -> str:
        rules = [rule.name for rule in self.mandate.rules]
        return f"{rules}: {self.proposal.status} {self.proposal.conflict} {self.proposal.advice}; second opinion {self.second.status}"


def ask(bench: Any, mandate: Mandate, moment: Moment) -> Case:
    return Case(mandate, moment, propose(mandate, moment), bench.second_opinion(mandate, moment))


def agree(bench: Any, case: Case) -> None:
    """Assert that both roads say the same; no case is passed over."""
    proposal, second = case.proposal, case.second
    if not second.feasible:
        assert second.status in {"infeasible", "bounds cross"}, case
        assert proposal.status is Status.CONFLICT, case
        assert proposal.conflict, case
        return
    assert proposal.status is Status.OPTIMAL, case
    mine = bench.value(case.mandate, case.moment, proposal.targets)
    assert mine == pytest.approx(second.objective, rel=1e-6, abs=1e-10), case
    # specific variances are positive, so the optimum is unique
    np.testing.assert_allclose(proposal.targets, second.weights, atol=1e-5, err_msg=str(case))
    assert not {rule: by for rule, by in bench.violations(case.mandate, case.moment, proposal.targets).items() if by > 1e-8}, case


@pytest.fixture(scope="module")
def cases(bench: Any) -> list[Case]:
    """Random mandates with both answers, asked once."""
    return [ask(bench, *bench.case(seed)) for seed in SEEDS]


def test_random_mandates(bench: Any, cases: list[Case]) -> None:
    for case in cases:
        agree(bench, case)


def test_the_random_mandates_are_a_fair_sample(cases: list[Case]) -> None:
    """At least a hundred have an answer, some are impossible, and every rule is met binding and in conflict."""
    solved = [case.proposal for case in cases if case.proposal.status is Status.OPTIMAL]
    impossible = [case.proposal for case in cases if case.proposal.status is Status.CONFLICT]
    assert len(solved) >= 100
    assert len(impossible) >= 15
    binding = set().union(*(proposal.prices for proposal in solved))
    assert binding == {"tracking_error", "active_weight", "weight", "sector", "beta", "exclude", "exposure.size", "turnover"}
    assert set().union(*(proposal.conflict for proposal in impossible)) >= {"tracking_error", "active_weight", "weight", "sector", "exclude", "turnover"}


@pytest.mark.parametrize("seed", [3, 8, 15, 21])
def test_a_third_solver_of_another_kind(bench: Any, seed: int) -> None:
    """SCS, an operator-splitting method, shares no code with interior points."""
    mandate, moment = bench.case(seed, largest=40)
    proposal, third = propose(mandate, moment), bench.second_opinion(mandate, moment, solver="SCS", eps=1e-9, max_iters=200_000)
    assert third.feasible == (proposal.status is Status.OPTIMAL)
    if third.feasible:
        assert bench.value(mandate, moment, proposal.targets) == pytest.approx(third.objective, rel=1e-5, abs=1e-9)
        np.testing.assert_allclose(proposal.targets, third.weights, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 1060))
def test_random_mandates_of_up_to_five_hundred_names(bench: Any, seed: int) -> None:
    agree(bench, ask(bench, *bench.case(seed, largest=500)))
