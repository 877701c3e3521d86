"""The only road to target weights."""

from __future__ import annotations

__all__ = ["propose"]

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from gammastar.core.excess_growth import expected_captured_volatility
from gammastar.errors import StaleDataError
from gammastar.mandate.check import check_weights
from gammastar.mandate.strategy import Generated
from gammastar.optimise.conflict import contradicting_rules
from gammastar.optimise.problem import neutral_names, state_problem
from gammastar.optimise.proposal import Forecast, Proposal, Status
from gammastar.optimise.solver import Outcome, solve

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy import ndarray

    from gammastar.mandate.mandate import Mandate
    from gammastar.market.moment import Moment

PER_ONE_PERCENT_IN_BP = 0.01 * 1e4


@dataclass(frozen=True)
class _Verdict:
    """How the search for targets came out."""

    status: Status
    prices: dict[str, float] = field(default_factory=dict)
    conflict: tuple[str, ...] = ()
    advice: str = ""


def propose(mandate: Mandate, moment: Moment) -> Proposal:
    """Return target weights for `mandate` from what is known at `moment`, and nothing else.

    Args:
        mandate: rules, strategy, risk model.
        moment: without a covariance, the mandate's risk model estimates it; without holdings, the benchmark is assumed to be held.

    Raises:
        StaleDataError: histories are too short for the risk model.
    """
    holdings = moment.benchmark if moment.holdings is None else moment.holdings
    moment = moment.with_holdings(holdings)
    if isinstance(mandate.strategy, Generated):
        return _generated(mandate, _with_risk_if_possible(mandate, moment), mandate.strategy)
    if moment.covariance is None and mandate.risk is not None:
        moment = moment.with_risk(mandate.risk.estimate(moment))
    problem = state_problem(mandate, moment)
    answer = solve(problem)
    if answer.outcome is Outcome.INFEASIBLE:
        rules = contradicting_rules(mandate, moment, answer)
        return _proposal(mandate, moment, holdings, _Verdict(Status.CONFLICT, conflict=rules, advice=_conflict_advice(rules)))
    if answer.outcome is Outcome.FAILED:
        advice = f"the solver stopped with {answer.message}; nothing was changed"
        return _proposal(mandate, moment, holdings, _Verdict(Status.UNSOLVED, advice=advice))
    targets = _clean(answer.weights)
    binding = {rule: price * PER_ONE_PERCENT_IN_BP for rule, price in answer.prices.items() if abs(price) > 1e-9}
    proposal = _proposal(mandate, moment, targets, _Verdict(Status.OPTIMAL, binding))
    broken = [reading.rule for reading in proposal.readings if reading.breached]
    if broken:
        advice = f"the answer breaks {', '.join(broken)} by more than rounding in the independent check; it is not released"
        return _proposal(mandate, moment, holdings, _Verdict(Status.UNSOLVED, advice=advice))
    return proposal


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


def _clean(weights: Float[ndarray, " n"]) -> Float[ndarray, " n"]:
    """Return `weights` without the solver's last digits: nothing below 1e-12, and a sum of one."""
    kept = np.where(weights < 1e-12, 0.0, weights)
    return np.asarray(kept / kept.sum())


def _conflict_advice(rules: tuple[str, ...]) -> str:
    if len(rules) == 1:
        return f"no weights keep {rules[0]}, whatever the other rules say; loosen it"
    return f"no weights keep {' and '.join(rules) or 'all rules'} together; loosen one of them"


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
        active_share=0.5 * float(np.abs(targets - moment.benchmark).sum()),
        names=int((targets > 0.0).sum()),
        turnover_two_way=traded,
        cost=traded * mandate.trading.cost,
        prices=verdict.prices,
        readings=check_weights(mandate, targets, moment, fully_invested=verdict.status is Status.OPTIMAL),
        conflict=verdict.conflict,
        neutral=0 if isinstance(mandate.strategy, Generated) else int(neutral_names(mandate, moment).sum()),
        advice=verdict.advice,
        fingerprint=_fingerprint(mandate, moment),
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
