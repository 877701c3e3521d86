"""The only road to target weights."""

from __future__ import annotations

__all__ = ["propose"]

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from gammastar.core.excess_growth import expected_captured_volatility
from gammastar.errors import StaleDataError, UsageError
from gammastar.mandate.check import check_weights
from gammastar.mandate.rules import Cash, lacking
from gammastar.mandate.strategy import Generated
from gammastar.optimise.conflict import contradiction, further_contradiction
from gammastar.optimise.discrete import best_answer
from gammastar.optimise.elastic import hard_answer
from gammastar.optimise.problem import neutral_names, state_problem
from gammastar.optimise.proposal import Forecast, Proposal, Relaxation, Status
from gammastar.optimise.relax import choices, relaxed, several_end_it
from gammastar.optimise.solver import Answer, Outcome
from gammastar.optimise.words import conflict_advice, relaxed_advice

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy import ndarray

    from gammastar.mandate.mandate import Mandate
    from gammastar.market.moment import Moment
    from gammastar.optimise.fast import Warm
    from gammastar.optimise.solver import Rung

PER_ONE_PERCENT_IN_BP = 0.01 * 1e4


@dataclass(frozen=True)
class _Verdict:
    """How the search for targets came out."""

    status: Status
    prices: dict[str, float] = field(default_factory=dict)
    conflict: tuple[str, ...] = ()
    advice: str = ""
    exceeded: dict[str, float] = field(default_factory=dict)
    relaxed: tuple[Relaxation, ...] = ()
    choices: tuple[Relaxation, ...] = ()
    gap: float | None = None
    rung: Rung | None = None
    warm: Warm | None = None


def propose(mandate: Mandate, moment: Moment, *, relax: bool = False, warm: Warm | None = None) -> Proposal:
    """Return target weights for `mandate` from what is known at `moment`, and nothing else.

    Args:
        mandate: rules, strategy, risk model.
        moment: without a covariance, the mandate's risk model estimates it; without holdings, the benchmark is assumed to be held; without a
            value, the mandate's capital.
        relax: where rules contradict each other, let them give way in the order of their priorities; the status is then RELAXED.
        warm: of the last proposal, to start the search from; the answer is the same without, to what is proved of it.

    Raises:
        StaleDataError: histories are too short for the risk model.
        UsageError: a rule needs what the data does not have.
    """
    moment = _prepared(mandate, moment)
    if isinstance(mandate.strategy, Generated):
        return _generated(mandate, _with_risk_if_possible(mandate, moment), mandate.strategy)
    moment = with_risk(mandate, moment)
    _refuse_unknown(mandate, moment)
    problem = state_problem(mandate, moment)
    answer = best_answer(problem, warm)
    if answer.outcome is not Outcome.SOLVED and hard_answer(mandate, moment).outcome is Outcome.INFEASIBLE:
        found = _contradicted(mandate, moment, relax=relax)
        return found if found.problem is not None else replace(found, problem=problem)  # a relaxed proposal brings the problem it solved
    found = _released(mandate, moment, answer)
    return replace(found, problem=problem, objective=problem.value(found.targets) if found.solved else None)


def _prepared(mandate: Mandate, moment: Moment) -> Moment:
    """Return the moment with holdings, a money value, and the weights of the second benchmark.

    Raises:
        UsageError: costs need volumes that the data does not have.
    """
    if mandate.trading.costs.needs_volume and moment.traded is None:
        raise UsageError("trading.costs", "steps and impact need what the data does not have", got=f"no {_NEEDS['traded']}",
                         advice="ingest a dataset that has it, or remove steps and impact from the mandate")  # fmt: skip
    holdings = moment.benchmark if moment.holdings is None else moment.holdings
    moment = moment.with_holdings(holdings, moment.value or mandate.trading.capital)
    if mandate.second_benchmark is None or moment.second_benchmark is not None:
        return moment
    return replace(moment, second_benchmark=mandate.second_benchmark.weights(moment))


def with_risk(mandate: Mandate, moment: Moment) -> Moment:
    """Return the moment with every covariance that the mandate estimates and that it does not have yet."""
    first, second = moment.covariance, moment.second_covariance
    if first is None and mandate.risk is not None:
        first = mandate.risk.estimate(moment)
    if second is None and mandate.second_risk is not None:
        second = mandate.second_risk.estimate(moment)
    return moment if first is None else moment.with_risk(first, second)


def _refuse_unknown(mandate: Mandate, moment: Moment) -> None:
    """Refuse a mandate with a rule that needs what the data does not have."""
    for rule in mandate.rules:
        for what in lacking(rule, moment):
            where, lacks = f"rules.{rule.name}", "this rule needs what the data does not have"
            if what.startswith("groups."):
                raise UsageError(where, lacks, got=f'no group attribute "{what.removeprefix("groups.")}"', allowed=", ".join(moment.attributes),
                                 advice="write one of them, or give the dataset's members that column")  # fmt: skip
            raise UsageError(where, lacks, got=f"no {_NEEDS.get(what, what)}", advice="ingest a dataset that has it, or remove the rule")


_NEEDS = {"traded": "money traded (columns traded_value, or volume and price)", "price": "as-traded prices and splits (columns price and split)"}


def _released(mandate: Mandate, moment: Moment, answer: Answer, given: tuple[Relaxation, ...] = (), kept: Mandate | None = None) -> Proposal:
    """Return the proposal of an answer, if the independent check against the mandate (as loosened: `kept`) lets it pass."""
    if answer.outcome is not Outcome.SOLVED:
        return _unsolved(mandate, moment, f"the solver stopped: {answer.message}; nothing was changed")
    status = Status.RELAXED if given else Status.OPTIMAL
    binding = {rule: price * PER_ONE_PERCENT_IN_BP for rule, price in answer.prices.items() if abs(price) > 1e-9}
    exceeded = {rule: excess for rule, excess in answer.exceeded.items() if excess > 1e-9}
    advice = relaxed_advice(mandate, given) if given else ""
    verdict = _Verdict(status, binding, (), advice, exceeded, given, (), answer.gap, answer.rung, answer.warm)
    proposal = _proposal(mandate, moment, clean(answer.weights, cash=any(isinstance(rule, Cash) for rule in mandate.rules)), verdict)
    readings = proposal.readings if kept is None else check_weights(kept, proposal.targets, moment)
    broken = [reading.rule for reading in readings if reading.breached]
    if broken:
        return _unsolved(mandate, moment, f"the answer breaks {', '.join(broken)} by more than rounding in the independent check; it is not released")
    return proposal


def _unsolved(mandate: Mandate, moment: Moment, advice: str) -> Proposal:
    return _proposal(mandate, moment, _held(moment), _Verdict(Status.UNSOLVED, advice=advice))


def _held(moment: Moment) -> Float[ndarray, " n"]:
    return moment.benchmark if moment.holdings is None else moment.holdings


def _contradicted(mandate: Mandate, moment: Moment, *, relax: bool) -> Proposal:
    """Return what is said of rules that contradict each other, or the proposal with some of them relaxed.

    Readings of a relaxed proposal are against the mandate as it was signed; the check that releases it is against the mandate as loosened.
    """
    found = contradiction(mandate, moment)
    given = relaxed(mandate, moment) if relax else None
    if given is not None:
        proposal = _released(mandate, moment, given.answer, given.given, given.mandate)
        return replace(proposal, problem=given.problem, objective=given.problem.value(proposal.targets) if proposal.solved else None)
    told = choices(mandate, moment, found.rules)
    further = further_contradiction(mandate, moment, found) if all(choice.growth is None for choice in told) else ()
    advice = conflict_advice(mandate, found, told, further, together=several_end_it(mandate, moment, told))
    return _proposal(mandate, moment, _held(moment), _Verdict(Status.CONFLICT, conflict=found.rules, advice=advice, choices=told))


def _with_risk_if_possible(mandate: Mandate, moment: Moment) -> Moment:
    """Return the moment with a covariance; a generated strategy needs none, so too short a history is no failure."""
    if moment.covariance is not None or mandate.risk is None:
        return moment
    try:
        return moment.with_risk(mandate.risk.estimate(moment))
    except StaleDataError:
        return moment


def _generated(mandate: Mandate, moment: Moment, strategy: Generated) -> Proposal:
    """Return the generated weights; rules are measured, since nothing can be optimised to keep them."""
    targets = strategy.function.weights(moment.benchmark)
    proposal = _proposal(mandate, moment, targets, _Verdict(Status.OPTIMAL))
    broken = tuple(reading.rule for reading in proposal.readings if reading.breached)
    if not broken:
        return proposal
    advice = "the generated weights break these rules; turn the bet dial down, loosen the limits, or use volatility_capture"
    return _proposal(mandate, moment, targets, _Verdict(Status.CONFLICT, conflict=broken, advice=advice))


def clean(weights: Float[ndarray, " n"], *, cash: bool) -> Float[ndarray, " n"]:
    """Return `weights` without the solver's last digits: nothing below 1e-12, and a sum of one unless `cash` may be held."""
    kept = np.where(weights < 1e-12, 0.0, weights)
    return np.asarray(kept if cash else kept / kept.sum())


def _proposal(mandate: Mandate, moment: Moment, targets: Float[ndarray, " n"], verdict: _Verdict) -> Proposal:
    """Return a proposal with everything that follows from its targets."""
    holdings = moment.benchmark if moment.holdings is None else moment.holdings
    traded = float(np.abs(targets - holdings).sum())
    return Proposal(
        status=verdict.status,
        mandate=mandate.name,
        moment=moment,
        targets=targets,
        forecast=_forecast(targets, moment),
        active_share=0.5 * (float(np.abs(targets - moment.benchmark).sum()) + abs(1.0 - float(targets.sum()))),
        names=int((targets > 0.0).sum()),
        turnover_two_way=traded,
        cost=float(mandate.trading.cost_at(moment).of(targets - holdings).sum()),
        prices=verdict.prices,
        readings=check_weights(mandate, targets, moment, fully_invested=verdict.status in {Status.OPTIMAL, Status.RELAXED}),
        conflict=verdict.conflict,
        neutral=0 if isinstance(mandate.strategy, Generated) else int(neutral_names(mandate, moment).sum()),
        advice=verdict.advice,
        fingerprint=_fingerprint(mandate, moment),
        exceeded=verdict.exceeded,
        relaxed=verdict.relaxed,
        choices=verdict.choices,
        gap=verdict.gap,
        rung=verdict.rung,
        warm=verdict.warm,
    )


def _forecast(targets: Float[ndarray, " n"], moment: Moment) -> Forecast | None:
    """Return what the covariance says of the targets."""
    if moment.covariance is None:
        return None
    sigma, mu = moment.covariance, moment.benchmark
    factor, specific = sigma.parts(targets - mu)
    variance = factor + specific
    against = sigma.times(mu)
    return Forecast(
        tracking_error=float(np.sqrt(variance)),
        factor_share=factor / variance if variance > 0.0 else 0.0,
        captured_volatility=expected_captured_volatility(targets, mu, sigma),
        beta=float(targets @ against / (mu @ against)),
        volatility=float(np.sqrt(sigma.quadratic(targets))),
        benchmark_volatility=float(np.sqrt(mu @ against)),
    )


def _fingerprint(mandate: Mandate, moment: Moment) -> str:
    """Return SHA-256 of the mandate and of what decides the targets."""
    digest = hashlib.sha256(mandate.fingerprint.encode())
    digest.update(f"{moment.session} {moment.assets.ids}".encode())
    arrays = [moment.benchmark, moment.holdings, moment.sector_codes, neutral_names(mandate, moment)]
    arrays += [] if moment.covariance is None else [moment.covariance.loadings, moment.covariance.specific]
    for array in arrays:
        if array is not None:
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
