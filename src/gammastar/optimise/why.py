"""Why a weight is what it is: what it earns at the margin, which rules hold it, and what it would be without them.

At the optimum the slope of the objective in each weight is balanced exactly by the rules that bind: for asset i

    d objective / d w_i  =  sum over rules of pressure_ri  +  cost of trading  +  long-only  +  level

with the level common to all assets (fully invested). A rule with a positive pressure holds the weight down, one with a negative holds it up.
"""

from __future__ import annotations

__all__ = ["Hold", "WeightExplanation", "explain_weight"]

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gammastar.core.rows import RiskCone
from gammastar.errors import UsageError
from gammastar.mandate.strategy import VolatilityCapture
from gammastar.optimise.decide import propose
from gammastar.optimise.discrete import best_answer
from gammastar.optimise.formulation import formulate
from gammastar.optimise.problem import Problem, neutral_names, state_problem
from gammastar.optimise.solver import Outcome, solve

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy import ndarray

    from gammastar.mandate.mandate import Mandate
    from gammastar.market.moment import Moment
    from gammastar.optimise.proposal import Proposal

SMALL = 1e-7
"""Growth a year for a whole unit of weight (a thousandth of a basis point a percent) below which nothing presses on a weight."""


@dataclass(frozen=True)
class Hold:
    """What one rule does to one weight.

    Args:
        rule: its name; ``"cost of trading"`` and ``"long-only"`` are no rules but press too.
        pressure: growth a year for a unit of weight; positive holds the weight down, negative holds it up.
        without: the weight if this rule were not there and all others were; None where that was not asked or has no answer.
    """

    rule: str
    pressure: float
    without: float | None = None


@dataclass(frozen=True)
class WeightExplanation:
    """One weight, explained. Annual fractions.

    Args:
        session: of the decision.
        asset: permanent id.
        label: ticker and id.
        benchmark: index weight.
        held: before the trade.
        target: proposed.
        neutral: whether it is held at the benchmark for want of history.
        relative_volatility: ``sqrt(tau^mu_ii)``.
        median_relative_volatility: of the members.
        correlation: of the asset's return relative to the benchmark with the rest of the active bet.
        growth: ``gamma_i + tau^mu_ii / 2``, what the first basis point of active weight is expected to earn, a unit.
        marginal_growth: slope of the objective at the target for weight taken pro rata from the benchmark, cost apart.
        holds: what keeps it where it is, the strongest first.
    """

    session: str
    asset: str
    label: str
    benchmark: float
    held: float
    target: float
    neutral: bool
    relative_volatility: float
    median_relative_volatility: float
    correlation: float | None
    growth: float
    marginal_growth: float
    holds: tuple[Hold, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)

    def __str__(self) -> str:
        active = self.target - self.benchmark
        lean = "overweight" if active > 1e-8 else "underweight" if active < -1e-8 else "at its benchmark weight"
        times = self.relative_volatility / self.median_relative_volatility if self.median_relative_volatility > 0.0 else float("nan")
        rows = [
            f"{self.label} at the close of {self.session}: {100 * self.target:.3f}%, {lean}"
            + (f" by {1e4 * abs(active):.1f} bp" if lean.endswith("weight") and abs(active) > 1e-8 else ""),
            "",
            f"benchmark weight       {100 * self.benchmark:9.3f} %",
            f"held before the trade  {100 * self.held:9.3f} %",
            f"relative volatility    {100 * self.relative_volatility:9.1f} % a year, {times:.2f} times the median member's",
        ]
        if self.neutral:
            return "\n".join([*rows, "", "neutral: its history is too short, or stopped; it is held at the benchmark weight and not bet on"])
        if self.correlation is not None:
            rows.append(f"correlation            {self.correlation:9.2f}   of its relative return with the rest of the active bet")
        rows += [
            f"first basis point      {self.growth:9.4f} bp of growth a year (gamma_i + tau_ii / 2)",
            f"next basis point       {self.marginal_growth:9.4f} bp of growth a year, taken pro rata from the benchmark, before cost",
            "",
        ]
        return "\n".join([*rows, *self._held_by()])

    def _held_by(self) -> list[str]:
        """Return the lines on what keeps the weight where it is."""
        if not self.holds:
            return ["no rule presses on it: the next basis point is worth what it is worth elsewhere"]
        lines = ["what keeps it there (bp of growth a year for the next bp of weight)"]
        for hold in self.holds:
            side = "holds it down" if hold.pressure > 0.0 else "holds it up"
            without = "" if hold.without is None else f"; without this rule {100 * hold.without:.3f}% ({1e4 * (hold.without - self.target):+.1f} bp)"
            lines.append(f"  {hold.rule:<28}{abs(hold.pressure):9.4f}  {side}{without}")
        return lines


def explain_weight(mandate: Mandate, moment: Moment, asset: str, *, without: int = 3) -> WeightExplanation:
    """Return why the target weight of one asset is what it is.

    Args:
        mandate: of volatility capture.
        moment: what is known.
        asset: permanent id, or ticker.
        without: how many of the rules that press most are left out one at a time, to see what the weight would be.

    Raises:
        UsageError: a generated strategy, no such asset, or rules that contradict each other.
    """
    if not isinstance(mandate.strategy, VolatilityCapture):
        raise UsageError("strategy", "a generated strategy needs no explanation: each weight is a function of the index weights", advice="use kind = volatility_capture")
    column = _column(moment, asset)
    found = propose(mandate, moment)
    if not found.solved or found.problem is None:
        raise UsageError(str(moment.session), f"there are no targets to explain: {found.advice}", advice="gammastar propose says which rules are at odds")
    holds = _holds(found.problem, column) if column in found.problem.free else ()
    named = [hold.rule for hold in holds if hold.rule in found.problem.rules][:without]
    others = {rule: _weight_without(mandate, found.moment, rule, column) for rule in named}
    return _explanation(mandate, found, column, tuple(replace(hold, without=others.get(hold.rule)) for hold in holds))


def _explanation(mandate: Mandate, found: Proposal, i: int, holds: tuple[Hold, ...]) -> WeightExplanation:
    """Return the explanation, given what presses on the weight."""
    moment, problem = found.moment, found.problem
    if problem is None or moment.covariance is None or moment.holdings is None:
        raise ValueError("a solved proposal of volatility capture has a problem, a covariance and holdings")
    sigma, mu = moment.covariance, moment.benchmark
    relative = np.sqrt(sigma.relative_variances(mu))
    slope = problem.gradient(found.targets)
    rest = found.targets - mu
    rest[i] = 0.0
    spread = float(relative[i]) * float(np.sqrt(sigma.quadratic(rest)))
    against = sigma.times(rest)
    return WeightExplanation(
        session=str(moment.session),
        asset=moment.assets.ids[i],
        label=moment.assets.label(i),
        benchmark=float(mu[i]),
        held=float(moment.holdings[i]),
        target=float(found.targets[i]),
        neutral=bool(neutral_names(mandate, moment)[i]),
        relative_volatility=float(relative[i]),
        median_relative_volatility=float(np.median(relative[moment.members])),
        correlation=float(against[i] - mu @ against) / spread if spread > 0.0 else None,
        growth=float(problem.growth[i]),
        marginal_growth=float(slope[i] - mu @ slope),
        holds=holds,
    )


def _column(moment: Moment, asset: str) -> int:
    """Return the column of an asset named by id or by ticker.

    Raises:
        UsageError: there is none, or several have the ticker.
    """
    if asset in moment.assets.index:
        return moment.assets.index[asset]
    found = [i for i, ticker in enumerate(moment.assets.tickers) if ticker == asset]
    held = [i for i in found if moment.benchmark[i] > 0.0]
    found = held if len(held) == 1 else found
    if len(found) != 1:
        what = "there is no such asset in the data" if not found else "several assets have had this ticker"
        got = asset if not found else ", ".join(moment.assets.ids[i] for i in found)
        raise UsageError("--asset", what, got=got, allowed="a permanent id, as in the store, or a ticker that is unique", advice="use the permanent id")
    return found[0]


def pressures(problem: Problem) -> tuple[tuple[str, ...], Float[ndarray, "owners m"]]:
    """Return what presses on each free weight at the optimum: names, and growth a year for a unit of weight, shape (owners, m).

    Names are those of the rules, then ``"level"`` (fully invested), ``"cost of trading"`` (limits on turnover included) and ``"long-only"``. The sum over
    owners is the slope of the objective.

    Raises:
        ValueError: the problem has no answer.
    """
    answer = solve(problem, clarabel=True)
    if answer.outcome is not Outcome.SOLVED or answer.duals is None:
        raise ValueError(f"the problem has no answer: {answer.message}")
    form = formulate(problem, {})
    found = form.stack.pressures(answer.duals, form.active, len(problem.rules))
    structure = found[-1]
    slope = problem.gradient(answer.weights)[problem.free]
    cones = [row for row in problem.rows if isinstance(row, RiskCone)]
    for row in cones:  # a cone presses through the factor exposures too, whose rows are structure: its gradient times its price says all of it
        away = answer.weights - row.centre
        risk = float(np.sqrt(row.covariance.quadratic(away)))
        price = answer.prices.get(row.rule, 0.0)
        found[problem.rules.index(row.rule)] = price * row.covariance.times(away)[problem.free] / risk if risk > 0.0 else 0.0
    structure[:] = 0.0
    at_zero = problem.lower_rule == -1
    rest = slope - found.sum(axis=0)
    structure[at_zero] = np.where(answer.weights[problem.free][at_zero] < 1e-7, rest[at_zero], 0.0)
    return (*problem.rules, "level", "cost of trading", "long-only"), found


def _holds(problem: Problem, column: int) -> tuple[Hold, ...]:
    """Return what presses on one weight, the strongest first; the common level apart."""
    names, found = pressures(replace(problem, discrete=()))
    at = int(np.flatnonzero(problem.free == column)[0])
    holds = [Hold(name, float(value)) for name, value in zip(names, found[:, at], strict=True) if name != "level" and abs(value) > SMALL]
    return tuple(sorted(holds, key=lambda hold: -abs(hold.pressure)))


def _weight_without(mandate: Mandate, moment: Moment, rule: str, column: int) -> float | None:
    """Return the weight that the mandate without one rule would propose."""
    answer = best_answer(state_problem(mandate, moment, without=frozenset({rule})))
    return float(answer.weights[column]) if answer.outcome is Outcome.SOLVED else None
