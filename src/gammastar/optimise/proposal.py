"""The proposal: target weights with their forecast, the price of every binding rule, and what stood in the way."""

from __future__ import annotations

__all__ = ["Forecast", "Proposal", "Relaxation", "Status"]

import math
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from gammastar.core.risk_parts import RiskParts, risk_parts

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy import ndarray

    from gammastar.mandate.rules import Reading
    from gammastar.market.moment import Moment
    from gammastar.optimise.fast import Warm
    from gammastar.optimise.problem import Problem
    from gammastar.optimise.solver import Rung


class Status(StrEnum):
    """How a proposal came out. Each has its advice in `Proposal.advice`."""

    OPTIMAL = "OPTIMAL"
    RELAXED = "RELAXED"
    CONFLICT = "CONFLICT"
    UNSOLVED = "UNSOLVED"


@dataclass(frozen=True)
class Forecast:
    """What the risk model says of the targets; annual fractions.

    Args:
        tracking_error: ``sqrt((pi - mu)' Sigma (pi - mu))``.
        factor_share: part of its square that factors explain, 0 to 1.
        captured_volatility: ``gamma*_pi - gamma*_mu``, the excess growth advantage.
        beta: forecast beta to the benchmark.
        volatility: of the targets.
        benchmark_volatility: of the benchmark.
    """

    tracking_error: float
    factor_share: float
    captured_volatility: float
    beta: float
    volatility: float
    benchmark_volatility: float


@dataclass(frozen=True)
class Relaxation:
    """A rule that gives way, and what that does.

    Args:
        rule: its name.
        amount: by which its limits are loosened, in the rule's own units; infinite where no amount ends the conflict.
        limit: before, as the rule is written.
        unit: of amount and limit, in words.
        where: the group, asset or exposure that needs it.
        growth: expected growth advantage a year of the best portfolio with this rule relaxed by this amount; None where there is none.
        priority: of the rule: 1 gives way first, 5 last, 0 never.
        needed: the limit at `where` that would do.
        floor: whether it is a lower limit.
    """

    rule: str
    amount: float
    limit: float
    unit: str
    where: str
    growth: float | None
    priority: int
    needed: float = math.inf
    floor: bool = False


@dataclass(frozen=True, eq=False)
class Proposal:
    """Target weights, and everything needed to judge them.

    Args:
        status: how it came out; only OPTIMAL and RELAXED carry targets to trade to.
        mandate: name of the mandate.
        moment: what was known, with covariance and holdings.
        targets: weights, shape (n,), summing to one; the holdings where there is no answer.
        forecast: of the targets, or None where no covariance was needed.
        active_share: half the sum of absolute active weights, cash included.
        names: how many are held.
        turnover_two_way: traded weight from the holdings to the targets.
        cost: of that trade, a fraction of the portfolio's value.
        prices: of each binding rule, basis points of expected growth for 1% by which all its limits are loosened (0.01 for beta and exposure).
        readings: what each rule measures on the targets.
        conflict: the rules that contradict each other; empty unless the status is CONFLICT.
        neutral: how many members are held at their benchmark weight for want of history.
        advice: what to do next, in words.
        fingerprint: of the mandate and of all that was known.
        exceeded: by how much each soft rule is exceeded, in its own units.
        relaxed: what was given up, where the status is RELAXED.
        choices: what would have to give for the conflict to end, each by itself, where the status is CONFLICT.
        objective: expected growth advantage net of amortised cost and penalties, a year; None for a generated strategy or without an answer.
        problem: that was solved, for `replay` and `why`; None for a generated strategy.
        gap: growth a year that discrete rules cost against the relaxation that a convex program can solve; None without discrete rules.
        rung: of the solver's ladder that found the targets; None for a generated strategy or without an answer.
        warm: where the next proposal's search may start; None where the cone solver found the targets.
    """

    status: Status
    mandate: str
    moment: Moment
    targets: Float[ndarray, " n"]
    forecast: Forecast | None
    active_share: float
    names: int
    turnover_two_way: float
    cost: float
    prices: dict[str, float]
    readings: tuple[Reading, ...]
    conflict: tuple[str, ...]
    neutral: int
    advice: str
    fingerprint: str
    exceeded: dict[str, float] = field(default_factory=dict)
    relaxed: tuple[Relaxation, ...] = ()
    choices: tuple[Relaxation, ...] = ()
    gap: float | None = None
    objective: float | None = None
    problem: Problem | None = None
    rung: Rung | None = None
    warm: Warm | None = None

    @property
    def risk(self) -> RiskParts | None:
        """Parts of the forecast tracking error by name, factor and group, which sum to it; None without a covariance."""
        sigma = self.moment.covariance
        return None if sigma is None else risk_parts(self.targets - self.moment.benchmark, sigma)

    @property
    def solved(self) -> bool:
        """Whether there are targets to trade to."""
        return self.status in {Status.OPTIMAL, Status.RELAXED}

    @property
    def heuristic(self) -> bool:
        """Whether discrete rules were kept by rounding: the answer keeps every rule, and may not be the best that does."""
        return self.gap is not None

    def to_dict(self) -> dict[str, Any]:
        """Return the proposal as plain values; targets by asset id, None where there are none to trade to."""
        held = np.flatnonzero((self.targets > 0.0) | (self.moment.benchmark > 0.0))
        ids = self.moment.assets.ids
        return {
            "status": self.status.value,
            "mandate": self.mandate,
            "session": str(self.moment.session),
            "forecast": None if self.forecast is None else asdict(self.forecast),
            "active_share": self.active_share,
            "names": self.names,
            "neutral": self.neutral,
            "turnover_two_way": self.turnover_two_way,
            "cost": self.cost,
            "prices_bp": self.prices,
            "rules": [asdict(reading) for reading in self.readings],
            "conflict": list(self.conflict),
            "advice": self.advice,
            "fingerprint": self.fingerprint,
            "exceeded": self.exceeded,
            "relaxed": [asdict(given) for given in self.relaxed],
            "choices": [asdict(given) for given in self.choices],
            "objective": self.objective,
            "risk": self._risk_told(),
            "heuristic": self.heuristic,
            "gap": self.gap,
            "targets": {ids[i]: float(self.targets[i]) for i in held} if self.solved else None,
        }

    def _risk_told(self) -> dict[str, Any] | None:
        """Return parts of the tracking error: of every name with an active weight, of sectors, of factors."""
        parts = self.risk
        if parts is None:
            return None
        labels, codes = self.moment.group("sector")
        ids = self.moment.assets.ids
        return {
            "tracking_error": parts.risk,
            "by_name": {ids[i]: float(parts.by_name[i]) for i in np.flatnonzero(parts.by_name)},
            "by_sector": dict(zip(labels, parts.by_group(codes, len(labels)).tolist(), strict=True)),
            "by_factor": parts.by_factor.tolist(),
            "specific": parts.specific,
        }
