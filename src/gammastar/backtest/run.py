"""A backtest: the fold of `step` over sessions, and what it measured."""

from __future__ import annotations

__all__ = ["position_of", "run_backtest", "run_fingerprint", "run_span"]

import hashlib
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from gammastar import __version__
from gammastar.backtest import measure
from gammastar.backtest.result import Decision, Result
from gammastar.backtest.step import Engine
from gammastar.core.generating import Diversity
from gammastar.errors import StaleDataError, UsageError
from gammastar.mandate.mandate import Mandate
from gammastar.mandate.strategy import Clocks, Generated
from gammastar.market.calendar import Clock
from gammastar.market.past import real_time
from gammastar.market.track import Track

if TYPE_CHECKING:
    from collections.abc import Callable

    from gammastar.backtest.state import RunState
    from gammastar.market.panel import Panel

BASELINES = {"Equal weight": 0.0, "Diversity weight, p = 0.5": 0.5}


def run_backtest(
    mandate: Mandate,
    panel: Panel,
    start: str | np.datetime64 | None = None,
    end: str | np.datetime64 | None = None,
    *,
    resume: RunState | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Result:
    """Run `mandate` on `panel`, session by session, knowing at each close only what was known then.

    Where something was corrected after its date, decisions see what was told by then, and the accounts stand as each close was first told.

    The benchmark is held at the close of `start`, the first decision is made there and traded after the mandate's lag, at cost.

    Args:
        mandate: what to run.
        panel: the market.
        start: first close; default the first session with the history that the mandate's risk model needs.
        end: last close; default the panel's last.
        resume: state of an earlier run to go on from; `start` is then that run's last close.
        progress: called with sessions done and sessions in all.

    Raises:
        StaleDataError: the panel does not reach the dates.
        UsageError: an end that is not after the start, or whole shares without prices.
        ConflictError: the rules contradict each other at the start.
    """
    began = time.perf_counter()
    panel = real_time(panel)
    engine = Engine(mandate, panel)
    first, last = run_span(mandate, panel, start if resume is None else panel.sessions[resume.position], end)
    if resume is None:
        state, opening = engine.open(first)
    else:
        state, opening = resume, engine.resumed(resume)
    sessions, covariances = [opening], [state.covariance]
    weights = np.empty((last - first + 1, len(panel.assets) + 1))
    weights[:1] = engine.weights(state, slice(first, first + 1))
    while state.position < last:
        state, happened = engine.advance(state, last)
        begin, stop = state.position + 1 - len(happened), state.position + 1
        weights[begin - first : stop - first] = engine.weights(state, slice(begin, stop))
        sessions.extend(happened)
        covariances.extend([state.covariance] * len(happened))
        if progress is not None:
            progress(state.position - first, last - first)
    ran = measure.Ran(engine, first, tuple(sessions), weights, tuple(covariances), resumed=resume)
    track = replace(_track(ran), baselines=_baselines(mandate, panel, first, last))
    decisions = tuple(Decision.of(session.decision, session.broken) for session in sessions if session.decision is not None)
    events = tuple(event for session in sessions for event in session.events)
    return Result(mandate, track, decisions, events, state, time.perf_counter() - began)


def run_span(mandate: Mandate, panel: Panel, start: str | np.datetime64 | None, end: str | np.datetime64 | None) -> tuple[int, int]:
    """Return the positions of the first and the last close of a run; defaults and errors are those of `run_backtest`."""
    first = _first_with_history(mandate, panel) if start is None else position_of(panel, start)
    last = len(panel) - 1 if end is None else position_of(panel, end)
    if last <= first:
        raise UsageError("from, to", "the run has no session", got=f"{panel.sessions[first]} to {panel.sessions[last]}",
                         advice="choose an end after the start")
    return first, last


def run_fingerprint(mandate: Mandate, panel: Panel, first: int, last: int) -> str:
    """Return SHA-256 of mandate, data, dates and version; `panel` in real time (`gammastar.market.past.real_time`)."""
    known = f"{mandate.fingerprint} {panel.fingerprint} {panel.sessions[first]} {panel.sessions[last]} {__version__}"
    return hashlib.sha256(known.encode()).hexdigest()


def position_of(panel: Panel, date: str | np.datetime64) -> int:
    """Return the position of the last session on or before `date`.

    Raises:
        UsageError: it is no date.
        StaleDataError: the panel does not reach it.
    """
    try:
        day = np.datetime64(str(date), "D")
    except ValueError as error:
        raise UsageError("date", "this is not a date", got=str(date), allowed="YYYY-MM-DD") from error
    if day < panel.sessions[0] or day >= panel.calendar.following:
        raise StaleDataError(str(day), "the data does not reach this date", allowed=f"{panel.sessions[0]} to {panel.sessions[-1]}",
                             advice="choose a date inside, or ingest newer data")
    return panel.calendar.last_on_or_before(day)


def _first_with_history(mandate: Mandate, panel: Panel) -> int:
    """Return the first session by which most members have the observations that the mandate asks for (0 for generated strategies)."""
    if isinstance(mandate.strategy, Generated):
        return 0
    seen = np.cumsum(panel.observed, axis=0)
    enough = (panel.benchmark * (seen >= mandate.data.minimum_observations)).sum(axis=1) > 0.5
    if not enough.any():
        raise StaleDataError("from", f"no session has {mandate.data.minimum_observations} earlier returns for most of the benchmark",
                             advice="ingest a longer history, or lower data.minimum_observations")
    return int(np.argmax(enough))


def _track(ran: measure.Ran) -> Track:
    """Return the track of a run."""
    panel, mandate = ran.engine.panel, ran.engine.mandate
    span = slice(ran.start + 1, ran.stop + 1)
    return Track(
        name=mandate.name,
        benchmark_name=mandate.benchmark,
        start=panel.sessions[ran.start],
        sessions=panel.sessions[span],
        frequency=panel.frequency,
        portfolio=ran.portfolio_returns,
        benchmark=ran.benchmark_returns,
        imputed_weight=panel.imputed_weight[span],
        attribution=measure.attribution(ran),
        decomposition=measure.decomposition(ran),
        forecast=measure.forecast(ran),
        trading=measure.trading(ran),
        holdings=measure.holdings(ran),
        compliance=measure.compliance(ran),
        index_level=None if panel.index_level is None else panel.index_level[ran.start : ran.stop + 1],
        facts=_facts(ran),
    )


def _facts(ran: measure.Ran) -> dict[str, str]:
    """Return what a footer should say."""
    panel, mandate = ran.engine.panel, ran.engine.mandate
    clocks = mandate.clocks
    return {
        "fingerprint": run_fingerprint(mandate, panel, ran.start, ran.stop),
        "mandate fingerprint": mandate.fingerprint,
        "data fingerprint": panel.fingerprint,
        "data": f"{panel.source}, {panel.frequency.name.lower()} sessions of {panel.calendar.name}",
        "clocks": f"re-optimise {clocks.reoptimise}, rebalance {clocks.rebalance}, decided at one close and traded {clocks.lag} session(s) later",
        "costs": f"{mandate.trading.cost * 1e4:g} bp of traded value{_further(mandate)}, band {mandate.trading.band * 1e4:g} bp",
        "software": f"gammastar {__version__}",
    }


def _baselines(mandate: Mandate, panel: Panel, first: int, last: int) -> dict[str, np.ndarray]:
    """Return the returns of simple generated portfolios, rebalanced monthly with the mandate's lag and costs."""
    found: dict[str, np.ndarray] = {}
    for name, p in BASELINES.items():
        plain = Mandate(name=name, strategy=Generated(Diversity(p)), trading=replace(mandate.trading, whole_shares=False, band=0.0),
                        clocks=Clocks(Clock.QUARTERLY, Clock.MONTHLY, mandate.clocks.lag), risk=None)
        engine = Engine(plain, panel)
        state, opening = engine.open(first)
        values = [opening.value_before]
        while state.position < last:
            state, happened = engine.advance(state, last)
            values.extend(session.value for session in happened)
        found[name] = measure.returns_of(values)
    return found


def _further(mandate: Mandate) -> str:
    """Return in words what is charged beyond the proportional rate."""
    costs = mandate.trading.costs
    told = [] if costs.sell is None else [f"{costs.sell * 1e4:g} bp of sales"]
    told += ["steps by volume"] if costs.steps else []
    told += ["single names apart"] if costs.assets else []
    told += [] if costs.impact is None else [f"impact of power {costs.impact.exponent:g}"]
    return "".join(f", {item}" for item in told)
