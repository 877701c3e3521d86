"""The mandate's problem at one moment: objective, free and fixed names, bounds, and the rules' rows as they came."""

from __future__ import annotations

__all__ = ["Problem", "neutral_names", "state_problem"]

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gammastar.core.rows import AbsoluteSum, Bounds, LinearRows, RiskCone, Row
from gammastar.mandate.strategy import VolatilityCapture
from gammastar.market.missing import PATIENCE

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int
    from numpy import ndarray

    from gammastar.core.covariance import FactoredCovariance
    from gammastar.mandate.mandate import Mandate
    from gammastar.market.moment import Moment

LONG_ONLY = "long_only"


@dataclass(frozen=True, eq=False)
class Problem:
    """Maximise ``growth' d - d' Sigma d / 2 - cost * sum abs(w - held)`` over weights w, with ``d = w - mu``.

    Args:
        benchmark: mu, shape (n,).
        growth: linear term ``gamma + diag(tau^mu) / 2``, a year, shape (n,).
        covariance: Sigma.
        held: weights before the trade, shape (n,).
        cost: cost of a trade, a fraction of its value, divided by the years over which it is amortised.
        free: columns the optimiser may choose, shape (m,).
        fixed: weights of all the others, shape (n,) (zero at the free columns).
        lower: bounds at the free columns, shape (m,).
        upper: bounds at the free columns, shape (m,).
        lower_rule: position in `rules` of the rule that sets each lower bound, shape (m,); -1 for long-only.
        upper_rule: the same for upper bounds; -1 for none.
        lower_slope: how each lower bound moves with its rule's limit, shape (m,).
        upper_slope: the same for upper bounds.
        linear: the rules' linear rows.
        cones: the rules' risk cones.
        sums: the rules' absolute sums.
        rules: names of the rules.
        crossed: pairs of rules whose bounds leave no weight for some asset, with its column.
    """

    benchmark: Float[ndarray, " n"]
    growth: Float[ndarray, " n"]
    covariance: FactoredCovariance
    held: Float[ndarray, " n"]
    cost: float
    free: Int[ndarray, " m"]
    fixed: Float[ndarray, " n"]
    lower: Float[ndarray, " m"]
    upper: Float[ndarray, " m"]
    lower_rule: Int[ndarray, " m"]
    upper_rule: Int[ndarray, " m"]
    lower_slope: Float[ndarray, " m"]
    upper_slope: Float[ndarray, " m"]
    linear: tuple[LinearRows, ...]
    cones: tuple[RiskCone, ...]
    sums: tuple[AbsoluteSum, ...]
    rules: tuple[str, ...]
    crossed: tuple[tuple[str, str, int], ...]

    def value(self, weights: Float[ndarray, " n"]) -> float:
        """Return the objective at `weights`, a year."""
        active = weights - self.benchmark
        traded = float(np.abs(weights - self.held).sum())
        return float(self.growth @ active) - 0.5 * self.covariance.quadratic(active) - self.cost * traded


@dataclass(eq=False)
class _Box:
    """Bounds of all assets and which rule set each; tightened rule by rule."""

    lower: Float[ndarray, " n"]
    upper: Float[ndarray, " n"]
    lower_rule: Int[ndarray, " n"]
    upper_rule: Int[ndarray, " n"]
    lower_slope: Float[ndarray, " n"]
    upper_slope: Float[ndarray, " n"]

    @classmethod
    def long_only(cls, n: int) -> _Box:
        """Return the box of non-negative weights."""
        return cls(np.zeros(n), np.full(n, np.inf), np.full(n, -1), np.full(n, -1), np.zeros(n), np.zeros(n))

    def tighten(self, row: Bounds, rule: int) -> None:
        """Take over the tighter of the present bounds and those of `row`."""
        tighter = row.lower > self.lower
        self.lower = np.where(tighter, row.lower, self.lower)
        self.lower_rule = np.where(tighter, rule, self.lower_rule)
        self.lower_slope = np.where(tighter, row.lower_slope, self.lower_slope)
        tighter = row.upper < self.upper
        self.upper = np.where(tighter, row.upper, self.upper)
        self.upper_rule = np.where(tighter, rule, self.upper_rule)
        self.upper_slope = np.where(tighter, row.upper_slope, self.upper_slope)


def neutral_names(mandate: Mandate, moment: Moment) -> Bool[ndarray, " n"]:
    """Return the members that cannot be bet on, for want of history or of present returns: they are held at their benchmark weight."""
    short = moment.short_history(minimum=mandate.data.minimum_observations, window=mandate.data.observation_window)
    stopped = moment.missing_run(longest=PATIENCE) == PATIENCE
    return np.asarray(moment.members & (short | stopped))


def state_problem(mandate: Mandate, moment: Moment, *, without: frozenset[str] = frozenset()) -> Problem:
    """Return the problem that a volatility-capture mandate poses at `moment`.

    Names outside the benchmark are fixed at zero, neutral names at their benchmark weight as far as the rules' bounds allow.

    Args:
        mandate: with a `VolatilityCapture` strategy.
        moment: with a covariance; holdings default to the benchmark.
        without: names of rules to leave out (used to find which rules contradict each other).

    Raises:
        TypeError: another strategy.
        ValueError: no covariance.
    """
    if not isinstance(mandate.strategy, VolatilityCapture):
        raise TypeError("only volatility capture poses a problem; a generated strategy has its weights at once")
    sigma, mu = moment.need_covariance("the objective"), moment.benchmark
    rules = [rule for rule in mandate.rules if rule.name not in without]
    rows: list[tuple[int, Row]] = [(k, row) for k, rule in enumerate(rules) for row in rule.rows(moment)]
    box = _Box.long_only(len(mu))
    for k, row in rows:
        if isinstance(row, Bounds):
            box.tighten(row, k)
    members, neutral = moment.members, neutral_names(mandate, moment)
    names = tuple(rule.name for rule in rules)
    crossed = _crossed(box, members, names)
    pinned = np.clip(mu, box.lower, np.maximum(box.upper, box.lower))
    # a neutral name that a bound moves off its benchmark weight moves with the bound: it is left to the solver, between equal bounds
    moved = neutral & (pinned != mu) & ((box.lower_slope != 0.0) | (box.upper_slope != 0.0))
    box.lower, box.upper = np.where(moved, pinned, box.lower), np.where(moved, pinned, box.upper)
    free = np.flatnonzero(members & ((~neutral & (box.upper > box.lower)) | moved))
    fixed = np.where(members, pinned, 0.0)
    fixed[free] = 0.0
    return Problem(
        benchmark=mu,
        growth=mandate.strategy.growth.rates(sigma) + 0.5 * sigma.relative_variances(mu),
        covariance=sigma,
        held=mu if moment.holdings is None else moment.holdings,
        cost=mandate.trading.cost / mandate.strategy.holding_period,
        free=free,
        fixed=fixed,
        lower=box.lower[free],
        upper=box.upper[free],
        lower_rule=box.lower_rule[free],
        upper_rule=box.upper_rule[free],
        lower_slope=box.lower_slope[free],
        upper_slope=box.upper_slope[free],
        linear=tuple(row for _, row in rows if isinstance(row, LinearRows)),
        cones=tuple(row for _, row in rows if isinstance(row, RiskCone)),
        sums=tuple(row for _, row in rows if isinstance(row, AbsoluteSum)),
        rules=names,
        crossed=crossed,
    )


def _crossed(box: _Box, members: Bool[ndarray, " n"], names: tuple[str, ...]) -> tuple[tuple[str, str, int], ...]:
    """Return, for each pair of rules whose bounds cross, the first asset where they do."""
    found: dict[tuple[str, str], int] = {}
    for i in np.flatnonzero(members & (box.lower > box.upper + 1e-12)):
        low, high = int(box.lower_rule[i]), int(box.upper_rule[i])
        found.setdefault((names[low] if low >= 0 else LONG_ONLY, names[high]), int(i))
    return tuple((low, high, column) for (low, high), column in found.items())
