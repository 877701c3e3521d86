"""From what a run did to its track: exact attribution, forecasts in force, tilts, and the daily compliance log."""

from __future__ import annotations

__all__ = ["Ran", "attribution", "compliance", "decomposition", "forecast", "holdings", "returns_of", "trading"]

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from gammastar.core.attribution import attribute
from gammastar.core.decomposition import decompose
from gammastar.core.exposures import size_exposure
from gammastar.mandate.check import check_weights
from gammastar.mandate.strategy import Generated
from gammastar.market.arrays import blocks_of
from gammastar.market.track import Attribution, Compliance, Decomposition, Forecast, Holdings, Trading

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy import ndarray

    from gammastar.backtest.state import RunState
    from gammastar.backtest.step import Engine, Session
    from gammastar.core.covariance import FactoredCovariance
    from gammastar.mandate.rules import Reading
    from gammastar.market.moment import Moment


@dataclass(frozen=True, eq=False)
class Ran:
    """A finished run.

    Args:
        engine: the mandate on its panel.
        start: position of the first close.
        sessions: what happened at each close, the start's first.
        weights: after the trade at each close, cash last, shape (t+1, n+1).
        covariances: in force after each close.
        resumed: the state that the run went on from, or None.
    """

    engine: Engine
    start: int
    sessions: tuple[Session, ...]
    weights: Float[ndarray, "t1 n1"]
    covariances: tuple[FactoredCovariance | None, ...]
    resumed: RunState | None = None

    @property
    def stop(self) -> int:
        """Position of the last session."""
        return self.start + len(self.sessions) - 1

    @cached_property
    def benchmark(self) -> Float[ndarray, "t1 n"]:
        """Index weights at each close."""
        return self.engine.panel.benchmark[self.start : self.stop + 1]

    @property
    def returns(self) -> Float[ndarray, "t n"]:
        """Simple returns of each session after the start."""
        return self.engine.panel.returns[self.start + 1 : self.stop + 1]

    @cached_property
    def benchmark_returns(self) -> Float[ndarray, " t"]:
        """Simple returns of the benchmark."""
        return self.engine.panel.benchmark_returns[self.start + 1 : self.stop + 1]

    @cached_property
    def portfolio_returns(self) -> Float[ndarray, " t"]:
        """Simple returns net of cost; what was paid at the starting close (lag 0) is charged to the first session."""
        return returns_of([self.sessions[0].value_before, *(session.value for session in self.sessions[1:])])

    @cached_property
    def cost_fraction(self) -> Float[ndarray, " t"]:
        """Cost of each session as a fraction of the money before the trade."""
        paid = np.array([session.cost / session.value_before for session in self.sessions])
        charged = paid[1:].copy()
        charged[0] = 1.0 - (1.0 - paid[0]) * (1.0 - charged[0])
        return charged

    @cached_property
    def relative_log_returns(self) -> Float[ndarray, " t"]:
        """``log(1 + portfolio) - log(1 + benchmark)``, from money, not from the parts it is explained by."""
        return np.asarray(np.log1p(self.portfolio_returns) - np.log1p(self.benchmark_returns))


def attribution(ran: Ran) -> Attribution:
    """Return allocation, captured volatility and cost of each session, with what rounding leaves."""
    allocation, captured = np.zeros(len(ran.returns)), np.zeros(len(ran.returns))
    for rows in blocks_of(len(ran.returns)):
        gross = 1.0 + ran.returns[rows]
        still = np.ones((len(gross), 1))
        parts = attribute(ran.weights[rows], np.hstack((ran.benchmark[rows], 0.0 * still)), np.hstack((gross, still)))
        allocation[rows], captured[rows] = parts.allocation, parts.captured_volatility
    cost = np.log1p(-ran.cost_fraction)
    return Attribution(allocation, captured, cost, ran.relative_log_returns - allocation - captured - cost)


def returns_of(values: list[float]) -> Float[ndarray, " t"]:
    """Return simple returns from one value to the next."""
    found = np.array(values)
    return np.asarray(found[1:] / found[:-1] - 1.0)


def decomposition(ran: Ran) -> Decomposition | None:
    """Return the exact parts of a generated strategy's sessions, None for any other.

    The ideal portfolio is formed anew at the closes at which the strategy decides to rebalance; execution is what the portfolio held did
    differently from it.
    """
    strategy = ran.engine.mandate.strategy
    if not isinstance(strategy, Generated):
        return None
    panel = ran.engine.panel
    formed = ran.start if ran.resumed is None else ran.resumed.formed  # a run gone on with goes on with the ideal portfolio formed then
    ideal = decompose(
        strategy.function, panel.benchmark[formed : ran.stop + 1], 1.0 + panel.returns[formed + 1 : ran.stop + 1], ran.engine.rebalances[formed : ran.stop + 1]
    ).after(ran.start - formed)
    cost = np.log1p(-ran.cost_fraction)
    earned = np.einsum("tn,tn->t", ran.weights[:-1, :-1], 1.0 + ran.returns) + ran.weights[:-1, -1]
    execution = np.log(earned) - np.log1p(ran.benchmark_returns) - ideal.total
    residual = ran.relative_log_returns - ideal.boundary - ideal.l_divergence - ideal.flow - execution - cost
    return Decomposition(ideal.boundary, ideal.l_divergence, ideal.flow, execution, cost, residual)


def forecast(ran: Ran) -> Forecast | None:
    """Return what the covariance in force said of the weights that earned each session's return; None if one was missing."""
    if any(sigma is None for sigma in ran.covariances[:-1]):
        return None
    steps = len(ran.returns)
    error, share, captured = np.zeros(steps), np.zeros(steps), np.zeros(steps)
    for first, last, sigma in _in_force(ran):
        mu = ran.benchmark[first:last]
        part = ran.weights[first:last, :-1] - mu
        factor = np.square(part @ sigma.loadings).sum(axis=1)
        specific = np.square(part) @ sigma.specific
        variance = factor + specific
        against = (mu @ sigma.loadings) @ sigma.loadings.T + mu * sigma.specific
        # active' diag(tau^mu) with tau_ii = sigma_ii - 2 (Sigma mu)_i + mu' Sigma mu; the last counts what cash leaves uninvested
        relative = part @ sigma.variances - 2.0 * np.einsum("tn,tn->t", part, against)
        relative += part.sum(axis=1) * np.einsum("tn,tn->t", mu, against)
        error[first:last] = np.sqrt(variance)
        share[first:last] = np.divide(factor, variance, out=np.zeros(last - first), where=variance > 0.0)
        captured[first:last] = 0.5 * (relative - variance)
    return Forecast(error, share, captured)


def _in_force(ran: Ran) -> list[tuple[int, int, FactoredCovariance]]:
    """Return stretches of sessions (first, last + 1) that one covariance was in force for."""
    stretches: list[tuple[int, int, FactoredCovariance]] = []
    for t, sigma in enumerate(ran.covariances[:-1]):
        if sigma is not None and stretches and stretches[-1][2] is sigma:
            stretches[-1] = (stretches[-1][0], t + 1, sigma)
        elif sigma is not None:
            stretches.append((t, t + 1, sigma))
    return stretches


def trading(ran: Ran) -> Trading:
    """Return what was traded at each close, as fractions of the money before the trade; what was at the starting close, in the first session.

    The trade to the first targets, `lag` sessions after the start, is the initial purchase.
    """
    turnover = np.array([session.traded / session.value_before for session in ran.sessions])
    turnover[1] += turnover[0]
    initial = max(ran.engine.mandate.clocks.lag - 1, 0)
    bought = ran.resumed is None and initial < len(turnover) - 1 and turnover[initial + 1] > 0.0
    return Trading(turnover[1:], ran.cost_fraction, initial if bought else -1)


def holdings(ran: Ran) -> Holdings:
    """Return weights and tilts at each close after the start."""
    panel, stop = ran.engine.panel, ran.stop
    weights, mu = ran.weights[1:, :-1], ran.benchmark[1:]
    codes, labels = panel.sectors.codes[ran.start + 1 : stop + 1], panel.sectors.labels
    tilts, size = np.zeros((len(mu), len(labels))), np.zeros(len(mu))
    for rows in blocks_of(len(mu)):
        active = weights[rows] - mu[rows]
        for s in range(len(labels)):
            tilts[rows, s] = np.einsum("tn,tn->t", active, codes[rows] == s)
        size[rows] = np.einsum("tn,tn->t", active, size_exposure(mu[rows]))
    sigma = ran.covariances[-1]
    relative = None if sigma is None else np.sqrt(sigma.relative_variances(mu[-1]))
    return Holdings(panel.assets, weights, mu, labels, tilts, size, panel.sectors.codes[stop], relative)


def compliance(ran: Ran) -> Compliance:
    """Return the daily log: every rule measured on the weights held at each close, and why it is broken where it is.

    ``active``: the targets released by the decision in force broke the rule on the day they were released. ``band``: a trade left it broken
    because it stopped at the edge of the no-trade band, where the targets themselves would have kept it. ``passive``: prices or the index moved.
    A breach that lasts keeps its cause until a trade.
    """
    rows: list[tuple[np.datetime64, Reading, str]] = []
    causes: dict[str, str] = {}
    broken = set(ran.sessions[0].broken)
    for k in range(1, len(ran.sessions)):
        session, moment = ran.sessions[k], _moment_after(ran, k)
        readings = check_weights(ran.engine.mandate, ran.weights[k, :-1], moment, fully_invested=False)
        kept = _kept_by_targets(ran, session, readings, moment)
        for reading in readings:
            cause = "ok"
            if reading.breached:
                by_trade = "active" if reading.rule in broken else "band" if reading.rule in kept else "passive"
                lasting = causes.get(reading.rule, "ok")
                cause = by_trade if session.ordered is not None or lasting == "ok" else lasting
            causes[reading.rule] = cause
            rows.append((moment.session, reading, cause))
        if session.released:
            broken = set(session.broken)
    found = [reading for _, reading, _ in rows]
    return Compliance(
        session=np.array([session for session, _, _ in rows], dtype="datetime64[D]"),
        rule=tuple(reading.rule for reading in found),
        value=np.array([reading.value for reading in found]),
        limit=np.array([reading.limit for reading in found]),
        headroom=np.array([reading.headroom for reading in found]),
        where=tuple(reading.where for reading in found),
        verdict=tuple(verdict for _, _, verdict in rows),
    )


def _moment_after(ran: Ran, k: int) -> Moment:
    """Return what is known at close k, with the covariance in force; where something was traded, with the weights held before the trade."""
    moment, sigma = ran.engine.panel.moment(ran.start + k), ran.covariances[k]
    if ran.sessions[k].traded > 0.0:
        grown = ran.weights[k - 1, :-1] * (1.0 + ran.returns[k - 1])
        moment = moment.with_holdings(grown / (grown.sum() + ran.weights[k - 1, -1]))
    return moment if sigma is None else moment.with_risk(sigma)


def _kept_by_targets(ran: Ran, session: Session, readings: tuple[Reading, ...], moment: Moment) -> set[str]:
    """Return the rules that the targets traded towards keep at this close; none where nothing was traded towards."""
    if session.ordered is None or not any(reading.breached for reading in readings):
        return set()
    return {reading.rule for reading in check_weights(ran.engine.mandate, session.ordered, moment, fully_invested=False) if not reading.breached}
