"""A mandate walked through history for its forecasts alone: what its risk model said at each decision, and what came until the next.

At each close that re-optimises, risk is estimated from what is known there, the mandate's targets are proposed, and the forecast stands until the next such
close. Returns count from the session after the decision. The targets' active weights are held fixed in between: nothing is traded, no lag, no band, no
cost, since forecasts are judged here and not the trading. Beside the targets stand portfolios that nobody optimised.
"""

from __future__ import annotations

__all__ = ["GROUPS", "GROWTH", "Walk", "study_risk", "walk_forecasts"]

import time
from dataclasses import dataclass, field, fields
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gammastar.backtest.run import position_of
from gammastar.core.excess_growth import (
    calibrated_captured_volatility,
    captured_volatility,
    expected_captured_volatility,
)
from gammastar.core.exposures import standardise
from gammastar.errors import ConflictError, GammastarError, StaleDataError, UsageError
from gammastar.mandate.characteristics import characteristic_values
from gammastar.mandate.strategy import Generated
from gammastar.market.calendar import Frequency
from gammastar.market.characteristics import STYLES
from gammastar.optimise.decide import propose, with_risk
from gammastar.optimise.proposal import Status
from gammastar.risk.calibration import GrowthCalibration, realised_relative_variances
from gammastar.risk.online import up_to_date
from gammastar.risk.study import Forecasts, Group, RiskStudy, calendar_years, score, whole

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Float, Int
    from numpy import ndarray

    from gammastar.core.covariance import FactoredCovariance
    from gammastar.mandate.mandate import Mandate
    from gammastar.market.moment import Moment
    from gammastar.market.panel import Panel
    from gammastar.risk.evaluate import Span
    from gammastar.risk.online import OnlineRisk

GROUPS: Final = ("optimised", "random", "sector", "style", "benchmark")
GROWTH: Final = ("raw", "calibrated", "learnt")
"""Forecasts of excess growth: as the risk model has it, with the fixed slope of `calibrated_captured_volatility`, and with slope and level learnt from the past alone."""
RANDOM: Final = 40
RANDOM_LIMIT: Final = 0.005
SEED: Final = 20080101


@dataclass(frozen=True, eq=False)
class Walk:
    """What a walk found.

    Args:
        forecasts: session by session.
        decisions: closes at which forecasts were made, shape (m,).
        exposures: of the active targets at each decision, by style, shape (m,) each.
        seconds: process time of the estimate and of the proposal, shape (m,) each.
        slopes: of the calibration learnt from the past, as known at each decision, shape (m,).
        levels: likewise, shape (m,).
        unsolved: decisions without new targets; the former ones were kept.
    """

    forecasts: Forecasts
    decisions: ndarray
    exposures: dict[str, Float[ndarray, " m"]]
    seconds: dict[str, Float[ndarray, " m"]]
    slopes: Float[ndarray, " m"]
    levels: Float[ndarray, " m"]
    unsolved: int


def study_risk(
    mandate: Mandate, panel: Panel, span: tuple[np.datetime64 | None, np.datetime64 | None], windows: tuple[Span, ...] | None = None,
    *, progress: Callable[[int, int], None] | None = None,
) -> RiskStudy:  # fmt: skip
    """Return how far the forecasts of a mandate's risk model held on a panel.

    Args:
        mandate: whose targets and whose risk model.
        panel: daily.
        span: first close at which a forecast is made, default the first with history; last session, default the panel's last.
        windows: to score after the whole record; default the calendar years.
        progress: called with decisions done and decisions in all.

    Raises:
        UsageError: no risk model, a panel that is not daily, an end that is not after the start, targets that are the benchmark.
        StaleDataError: the data does not reach the dates, or a window holds forecasts of fewer than two months.
        ConflictError: the rules contradict each other at the first decision.
    """
    found = walk_forecasts(mandate, panel, span, progress=progress)
    told = found.forecasts
    scored = []
    for window in (whole(told), *(calendar_years(told) if windows is None else windows)):
        if len(np.unique(told.months[window.holds(told.sessions)])) < 2:
            raise StaleDataError(f"window {window.name}", "there are forecasts of fewer than two months in it", got=f"{window.first} to {window.last}",
                                 allowed=f"{told.sessions[0]} to {told.sessions[-1]}", advice="choose another window, or an earlier --from")  # fmt: skip
        scored.append(score(told, window))
    return RiskStudy(mandate.name, mandate.benchmark, model_words(mandate.risk), told, tuple(scored), found.decisions, found.unsolved,
                     found.exposures, found.seconds, found.slopes, found.levels, _facts(mandate, panel, told))  # fmt: skip


def model_words(model: Any) -> str:
    """Return an estimator in words: its type, and every parameter."""
    told = ", ".join(f"{item.name}={getattr(model, item.name)!r}" for item in fields(model))
    return f"{type(model).__name__}({told})"


def _facts(mandate: Mandate, panel: Panel, told: Forecasts) -> dict[str, str]:
    rows = slice(panel.calendar.position(told.sessions[0]), panel.calendar.position(told.sessions[-1]) + 1)
    return {
        "mandate fingerprint": mandate.fingerprint,
        "data fingerprint": panel.fingerprint,
        "data": f"{panel.source}, daily sessions of {panel.calendar.name}",
        "forecasts": f"made at the {mandate.clocks.reoptimise} closes, from what was known there, and held until the next",
        "imputed": f"{100.0 * float(panel.imputed_weight[rows].mean()):.2f}% of the benchmark's weight on average has imputed returns; no forecast uses them",
    }


def walk_forecasts(
    mandate: Mandate, panel: Panel, span: tuple[np.datetime64 | None, np.datetime64 | None] = (None, None), *, progress: Callable[[int, int], None] | None = None
) -> Walk:
    """Return the forecasts of a mandate's risk model, and what came, from the first close of a span to its last session.

    Args:
        mandate: whose targets and whose risk model.
        panel: daily.
        span: first close at which a forecast is made, default the first re-optimising close with history; last session, default the panel's last.
        progress: called with decisions done and decisions in all.

    Raises:
        UsageError: no risk model, a panel that is not daily, an end that is not after the start, targets that are the benchmark.
        StaleDataError: the data does not reach the dates, or histories are too short at the first close.
        ConflictError: the rules contradict each other at the first decision.
    """
    if mandate.risk is None:
        raise UsageError("mandate.risk", "the mandate has no risk model to evaluate", advice="add [risk]")
    if panel.frequency is not Frequency.DAILY:
        raise UsageError("panel", "forecasts are evaluated on daily returns", got=panel.frequency.name.lower(), advice="ingest a dataset with daily returns")
    first, last = _ends(mandate, panel, span)
    ticks = np.flatnonzero(panel.calendar.ticks(mandate.clocks.reoptimise))
    decisions = [first, *(int(t) for t in ticks if first < t < last)]
    recorder = _Recorder(mandate, panel)
    for done, (at, until) in enumerate(pairwise((*decisions, last)), start=1):
        recorder.decide(at, until)
        if progress is not None:
            progress(done, len(decisions))
    return recorder.walk()


def _ends(mandate: Mandate, panel: Panel, span: tuple[np.datetime64 | None, np.datetime64 | None]) -> tuple[int, int]:
    """Return the positions of the first decision and of the last session."""
    start, end = span
    last = len(panel) - 1 if end is None else position_of(panel, end)
    minimum, window = mandate.data.minimum_observations, mandate.data.observation_window
    advice = "choose a later --from, ingest a longer history, or lower data.minimum_observations"
    if start is None:
        ticks = np.flatnonzero(panel.calendar.ticks(mandate.clocks.reoptimise))
        first = next((int(t) for t in ticks if _has_history(panel, int(t), minimum, window)), None)
        if first is None:
            raise StaleDataError("from", f"no close has {minimum} earlier returns for most of the benchmark", advice=advice)
    else:
        first = position_of(panel, start)
        if not _has_history(panel, first, minimum, window):
            raise StaleDataError(str(panel.sessions[first]), f"most of the benchmark has fewer than {minimum} returns in the {window} sessions before", advice=advice)
    if last <= first:
        raise UsageError("from, to", "there is no session to evaluate", got=f"{panel.sessions[first]} to {panel.sessions[last]}", advice="choose an end after the start")
    return first, last


def _has_history(panel: Panel, at: int, minimum: int, window: int) -> bool:
    enough = panel.observed[max(at + 1 - window, 0) : at + 1].sum(axis=0) >= minimum
    return bool(panel.benchmark[at] @ enough > 0.5)


def random_active(moment: Moment, draws: Float[ndarray, "p n"]) -> Float[ndarray, "p n"]:
    """Return active weights: independent draws within the member's weight and 0.5%, shifted to a sum of zero; none where the history is short.

    Args:
        moment: what is known.
        draws: one row a portfolio, shape (p, n).
    """
    use = moment.members & ~moment.short_history(minimum=126, window=252)
    size = np.where(use, np.minimum(moment.benchmark, RANDOM_LIMIT), 0.0)
    weights = draws * size
    return np.asarray(weights - size * (weights.sum(axis=1, keepdims=True) / size.sum()))


def sector_active(moment: Moment) -> Float[ndarray, "s n"]:
    """Return for each sector its members by capitalisation less the benchmark, shape (s, n); zeros for a sector without members."""
    mu, count = moment.benchmark, len(moment.sector_labels)
    inside = (moment.sector_codes[None, :] == np.arange(count)[:, None]) * mu
    share = inside.sum(axis=1, keepdims=True)
    return np.where(share > 0.0, inside / np.where(share > 0.0, share, 1.0) - mu, 0.0)


def style_exposures(moment: Moment) -> Float[ndarray, "k n"]:
    """Return the exposures of every asset to the styles, as the rule `exposure` measures them, shape (k, n)."""
    return np.array([standardise(characteristic_values(style, moment), moment.benchmark) for style in STYLES])


@dataclass
class _Recorder:
    """Writes down one decision after another."""

    mandate: Mandate
    panel: Panel
    targets: ndarray | None = None
    risk: OnlineRisk | None = None
    unsolved: int = 0
    decisions: list[int] = field(default_factory=list)
    rows: list[dict[str, ndarray]] = field(default_factory=list)
    styles: list[ndarray] = field(default_factory=list)
    seconds: list[tuple[float, float]] = field(default_factory=list)
    learnt: GrowthCalibration = field(default_factory=GrowthCalibration)
    slopes: list[float] = field(default_factory=list)
    levels: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.draws = np.random.default_rng(SEED).standard_normal((RANDOM, len(self.panel.assets)))

    def decide(self, at: int, until: int) -> None:
        """Estimate and propose at one close; write down the sessions after it, up to `until`."""
        moment = self.panel.moment(at)
        moment = moment if self.targets is None else moment.with_holdings(self.targets)
        moment, targets = self._proposed(moment)
        sigma = moment.need_covariance("the evaluation")
        styles = style_exposures(moment)
        active = targets - moment.benchmark
        weights = np.vstack((active, random_active(moment, self.draws), sector_active(moment), moment.benchmark * styles, moment.benchmark))
        annual = float(self.panel.frequency.periods)
        variances = np.square(weights @ sigma.loadings).sum(axis=1) + np.square(weights) @ sigma.specific
        if not variances[0] > 0.0:
            raise UsageError(str(moment.session), "the mandate's targets are the benchmark, so there is no active risk to evaluate",
                             advice="evaluate a mandate that may differ from its benchmark")  # fmt: skip
        rows = np.arange(at + 1, until + 1)
        returns = self.panel.returns[rows]
        said = _growth_forecasts(targets, moment.benchmark, sigma, self.learnt)
        self.decisions.append(at)
        self.styles.append(styles @ active)
        self.rows.append({
            "position": rows,
            "realised": np.column_stack((returns @ weights[:-1].T, self.panel.benchmark_returns[rows])),
            "forecast": np.broadcast_to(np.sqrt(variances / annual), (len(rows), len(weights))),
            "captured": _captured(targets, self.panel.benchmark[rows - 1], returns),
            **{name: np.full(len(rows), value / annual) for name, value in zip(GROWTH, said, strict=True)},
        })  # fmt: skip
        self.slopes.append(self.learnt.slope)
        self.levels.append(self.learnt.level)
        self.learnt = self._learn(moment, rows)

    def _learn(self, moment: Moment, rows: Int[ndarray, " m"]) -> GrowthCalibration:
        """Return what the sessions up to the next decision teach of the spread of tau; only returns that were observed do."""
        known = moment.members & ~moment.short_history(minimum=self.mandate.data.minimum_observations, window=self.mandate.data.observation_window)
        known &= self.panel.observed[rows].all(axis=0)
        forecast = moment.need_covariance("the calibration").relative_variances(moment.benchmark)
        came = realised_relative_variances(self.panel.returns[np.ix_(rows, known)], self.panel.benchmark_returns[rows], annual=float(self.panel.frequency.periods))
        return self.learnt.after(came, forecast[known])

    def _proposed(self, moment: Moment) -> tuple[Moment, Float[ndarray, " n"]]:
        """Return the moment with risk, and the targets: new ones, or the former where there are none. Write down the time both took."""
        began = time.process_time()
        if self.mandate.risk is not None:
            self.risk = up_to_date(self.risk, self.mandate.risk, self.panel, moment)
            moment = moment.with_risk(self.risk.estimate(moment))
        moment = with_risk(self.mandate, moment)
        estimated = time.process_time()
        proposal = propose(self.mandate, moment)
        self.seconds.append((estimated - began, time.process_time() - estimated))
        if proposal.solved or isinstance(self.mandate.strategy, Generated):
            self.targets = proposal.targets
        else:
            self.unsolved += 1
        if self.targets is None:
            kind = ConflictError if proposal.status is Status.CONFLICT else GammastarError
            raise kind(str(moment.session), "there are no targets at the first decision", got=", ".join(proposal.conflict) or None, advice=proposal.advice)
        return moment, self.targets

    def walk(self) -> Walk:
        """Return what was written down."""
        joined = {name: np.concatenate([row[name] for row in self.rows]) for name in self.rows[0]}
        labels = (self.mandate.name,), tuple(f"random {k + 1}" for k in range(RANDOM)), self.panel.sectors.labels, STYLES, (self.mandate.benchmark,)
        groups = tuple(Group(name, tuple(told)) for name, told in zip(GROUPS, labels, strict=True))
        forecasts = Forecasts(
            sessions=self.panel.sessions[joined["position"]],
            groups=groups,
            realised=joined["realised"],
            forecast=joined["forecast"],
            captured=joined["captured"],
            expected={name: joined[name] for name in GROWTH},
            annual=float(self.panel.frequency.periods),
        )
        exposures = dict(zip(STYLES, np.array(self.styles).T, strict=True))
        taken = np.array(self.seconds)
        return Walk(forecasts, self.panel.sessions[self.decisions], exposures, {"estimate": taken[:, 0], "proposal": taken[:, 1]}, np.array(self.slopes), np.array(self.levels), self.unsolved)


def _growth_forecasts(targets: Float[ndarray, " n"], mu: Float[ndarray, " n"], sigma: FactoredCovariance, learnt: GrowthCalibration) -> tuple[float, ...]:
    """Return the forecasts of `GROWTH`, a year."""
    return (
        expected_captured_volatility(targets, mu, sigma),
        calibrated_captured_volatility(targets, mu, sigma),
        calibrated_captured_volatility(targets, mu, sigma, slope=learnt.slope, level=learnt.level),
    )


def _captured(targets: Float[ndarray, " n"], mu: Float[ndarray, "m n"], returns: Float[ndarray, "m n"]) -> Float[ndarray, " m"]:
    """Return the excess growth that fixed targets captured at each session; what is not invested is cash, with a return of zero."""
    cash = np.zeros((len(mu), 1))
    pi = np.broadcast_to(np.append(targets, 1.0 - targets.sum()), (len(mu), len(targets) + 1))
    return captured_volatility(pi, np.hstack((mu, cash)), 1.0 + np.hstack((returns, cash)))
