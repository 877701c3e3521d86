"""The mandate's problem at one moment: objective, free and fixed names, bounds, and the rules' rows as they came."""

from __future__ import annotations

__all__ = ["Problem", "Variance", "choose", "neutral_names", "state_problem"]

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, get_args

import numpy as np

from gammastar.core.compiled import compiled
from gammastar.core.rows import Bounds, Budget, ConvexRow, DiscreteRow
from gammastar.mandate.strategy import VolatilityCapture
from gammastar.market.missing import PATIENCE
from gammastar.optimise.lines import Lines, lines_of, plain

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int
    from numpy import ndarray

    from gammastar.core.costs import TradeCost
    from gammastar.core.covariance import FactoredCovariance
    from gammastar.mandate.mandate import Mandate
    from gammastar.market.moment import Moment

LONG_ONLY = "long_only"
_CONVEX, _DISCRETE = get_args(ConvexRow), get_args(DiscreteRow)


@dataclass(frozen=True, eq=False)
class Variance:
    """``(factor norm(B'(w - centre))^2 + specific (w - centre)'D(w - centre)) / 2`` off the objective."""

    covariance: FactoredCovariance
    centre: Float[ndarray, " n"]
    factor: float = 1.0
    specific: float = 1.0

    def value(self, weights: Float[ndarray, " n"]) -> float:
        """Return what is taken off the objective at `weights`."""
        by_factors, by_names = self.covariance.parts(weights - self.centre)
        return 0.5 * (self.factor * by_factors + self.specific * by_names)

    def gradient(self, weights: Float[ndarray, " n"]) -> Float[ndarray, " n"]:
        """Return its derivative by each weight, shape (n,)."""
        loadings, away = self.covariance.loadings, weights - self.centre
        return np.asarray(self.factor * (loadings @ (loadings.T @ away)) + self.specific * self.covariance.specific * away)


@dataclass(frozen=True, eq=False)
class Problem:
    """Maximise ``growth'(w - mu) - sum of variances - cost(w - held) - premium * cash`` over weights w that keep the rows.

    Args:
        benchmark: mu, shape (n,).
        growth: linear term ``gamma + diag(tau^mu) / 2``, a year, shape (n,).
        variances: the first is the active variance of the mandate's risk model; penalties follow.
        held: weights before the trade, shape (n,).
        cost: of trades, divided by the years over which it is amortised.
        cash: least and most cash; both zero unless a rule says otherwise.
        premium: growth a year that cash is charged.
        free: columns the optimiser may choose, shape (m,).
        fixed: weights of all the others, shape (n,) (zero at the free columns).
        lower: bounds at the free columns, shape (m,).
        upper: bounds at the free columns, shape (m,).
        lower_rule: position in `rules` of the rule that sets each lower bound, shape (m,); -1 for long-only.
        upper_rule: the same for upper bounds; -1 for none.
        lower_slope: how each lower bound moves with its rule's limit, shape (m,).
        upper_slope: the same for upper bounds.
        tied: names that follow the bound that moved them off the weight they would have: neutral ones, and those outside the benchmark, shape (m,).
        rows: the rules' convex rows other than hard bounds: linear, cones, sums, soft and elastic bounds.
        discrete: the rows that no convex program can state.
        rules: names of the rules.
        elastic: rules that may be exceeded by an amount to be found (only while a relaxation is sought).
        crossed: pairs of rules whose bounds leave no weight for some asset, with its column.
    """

    benchmark: Float[ndarray, " n"]
    growth: Float[ndarray, " n"]
    variances: tuple[Variance, ...]
    held: Float[ndarray, " n"]
    cost: TradeCost
    cash: tuple[float, float]
    premium: float
    free: Int[ndarray, " m"]
    fixed: Float[ndarray, " n"]
    lower: Float[ndarray, " m"]
    upper: Float[ndarray, " m"]
    lower_rule: Int[ndarray, " m"]
    upper_rule: Int[ndarray, " m"]
    lower_slope: Float[ndarray, " m"]
    upper_slope: Float[ndarray, " m"]
    tied: Bool[ndarray, " m"]
    rows: tuple[ConvexRow, ...]
    discrete: tuple[DiscreteRow, ...]
    rules: tuple[str, ...]
    elastic: tuple[str, ...]
    crossed: tuple[tuple[str, str, int], ...]

    @cached_property
    def lines(self) -> Lines:
        """The lines of its linear rows."""
        return lines_of(self.rows)

    def value(self, weights: Float[ndarray, " n"]) -> float:
        """Return the objective at `weights`, a year; penalties of soft rules are not in it."""
        gained = float(self.growth @ (weights - self.benchmark)) - self.premium * (1.0 - float(weights.sum()))
        return gained - sum(variance.value(weights) for variance in self.variances) - float(self.cost.of(weights - self.held).sum())

    def gradient(self, weights: Float[ndarray, " n"]) -> Float[ndarray, " n"]:
        """Return the derivative of the objective by each weight, cost apart, shape (n,)."""
        slope = self.growth + self.premium
        for variance in self.variances:
            slope = slope - variance.gradient(weights)
        return np.asarray(slope)


def neutral_names(mandate: Mandate, moment: Moment) -> Bool[ndarray, " n"]:
    """Return the members that cannot be bet on, for want of history or of present returns: they are held at their benchmark weight."""
    minimum, window = mandate.data.minimum_observations, mandate.data.observation_window
    if PATIENCE <= minimum <= min(window, len(moment.observed)) and bool((moment.observed[-minimum:].all(axis=0) | ~moment.members).all()):
        return np.zeros(len(moment.benchmark), dtype=bool)  # as on most days: nothing to count
    stopped = moment.missing_run(longest=PATIENCE) == PATIENCE
    return np.asarray(moment.members & (moment.short_history(minimum=minimum, window=window) | stopped))


def state_problem(
    mandate: Mandate, moment: Moment, *, without: frozenset[str] = frozenset(), elastic: frozenset[str] = frozenset()
) -> Problem:
    """Return the problem that a volatility-capture mandate poses at `moment`.

    Names outside the benchmark are fixed at zero and neutral names at their benchmark weight, as far as the rules' bounds allow.

    Args:
        mandate: with a `VolatilityCapture` strategy.
        moment: with a covariance; holdings default to the benchmark.
        without: names of rules to leave out (used to find which rules contradict each other).
        elastic: names of rules that may be exceeded (used to find by how much they would have to give way).

    Raises:
        TypeError: another strategy.
        ValueError: no covariance, or something else that a rule needs is not known.
    """
    if not isinstance(mandate.strategy, VolatilityCapture):
        raise TypeError("only volatility capture poses a problem; a generated strategy has its weights at once")
    strategy, sigma, mu = mandate.strategy, moment.need_covariance("the objective"), moment.benchmark
    rules = [rule for rule in mandate.rules if rule.name not in without]
    names = tuple(rule.name for rule in rules)
    rows = tuple(row for rule in rules for row in rule.rows(moment))
    bounds = tuple(row for row in rows if isinstance(row, Bounds) and row.penalty is None and row.rule not in elastic)  # what no amount can move
    box, owners = _long_only(len(mu))
    for row in bounds:
        _tighten(box, owners, (plain(row.lower), plain(row.upper), plain(row.lower_slope), plain(row.upper_slope)), names.index(row.rule))
    free, fixed, tied, crossed, sides, by = _chosen(plain(mu), neutral_names(mandate, moment), box, owners)
    hard = {id(row) for row in bounds}
    budget = next((row for row in rows if isinstance(row, Budget)), None)
    return Problem(
        benchmark=mu,
        growth=_growth(plain(strategy.growth.rates(moment)), sigma.loadings, sigma.specific, plain(mu)),
        variances=(Variance(sigma, mu, strategy.factor_aversion, strategy.specific_aversion), *_penalties(strategy, moment)),
        held=mu if moment.holdings is None else moment.holdings,
        cost=mandate.trading.cost_at(moment).scaled(1.0 / strategy.holding_period),
        cash=(0.0, 0.0) if budget is None else (budget.minimum, budget.maximum),
        premium=0.0 if budget is None else budget.premium,
        free=free,
        fixed=fixed,
        lower=sides[0],
        upper=sides[1],
        lower_slope=sides[2],
        upper_slope=sides[3],
        lower_rule=by[0],
        upper_rule=by[1],
        tied=tied,
        rows=tuple(row for row in rows if isinstance(row, _CONVEX) and id(row) not in hard),
        discrete=tuple(row for row in rows if isinstance(row, _DISCRETE)),
        rules=names,
        elastic=tuple(name for name in names if name in elastic),
        crossed=_crossed(owners, crossed, names) if len(crossed) else (),
    )


def _penalties(strategy: VolatilityCapture, moment: Moment) -> tuple[Variance, ...]:
    """Return the further variances that the strategy shuns."""
    found = []
    for penalty in strategy.penalties:
        sigma = moment.need_second_covariance("a penalty") if penalty.second_model else moment.need_covariance("a penalty")
        centre = moment.need_second_benchmark("a penalty") if penalty.second_benchmark else moment.benchmark
        found.append(Variance(sigma, centre, penalty.aversion, penalty.aversion))
    return tuple(found)


@compiled
def _growth(rates: ndarray, loadings: ndarray, specific: ndarray, mu: ndarray) -> ndarray:
    """Return ``rates + diag(tau^mu) / 2``, as `FactoredCovariance.relative_variances` has tau: ``norm(b_i - b)^2 + D_i (1 - 2 mu_i) + mu'D mu``, b = B'mu."""
    n, k = loadings.shape
    middle, own, growth = np.zeros(k), 0.0, np.empty(n)
    for i in range(n):
        own += specific[i] * mu[i] * mu[i]
        for a in range(k):
            middle[a] += mu[i] * loadings[i, a]
    for i in range(n):
        apart = 0.0
        for a in range(k):
            apart += (loadings[i, a] - middle[a]) ** 2
        growth[i] = rates[i] + 0.5 * max(apart + specific[i] * (1.0 - 2.0 * mu[i]) + own, 0.0)
    return growth


def _long_only(n: int) -> tuple[Float[ndarray, "4 n"], Int[ndarray, "2 n"]]:
    """Return the box of non-negative weights: lower and upper bounds and how they move with their rules' limits; and which rules those are, none yet."""
    box = np.zeros((4, n))
    box[1] = np.inf
    return box, np.full((2, n), -1)


@compiled
def _tighten(box: ndarray, owners: ndarray, bounds: tuple[ndarray, ndarray, ndarray, ndarray], rule: int) -> None:
    """Take over the tighter of the present bounds and those of a rule, in place; `bounds` are lower and upper, and the slopes of both."""
    lower, upper, lower_slope, upper_slope = bounds
    for i in range(len(lower)):
        if lower[i] > box[0, i]:
            box[0, i], box[2, i], owners[0, i] = lower[i], lower_slope[i], rule
        if upper[i] < box[1, i]:
            box[1, i], box[3, i], owners[1, i] = upper[i], upper_slope[i], rule


@compiled
def _chosen(mu: ndarray, neutral: ndarray, box: ndarray, owners: ndarray) -> tuple[ndarray, ndarray, ndarray, ndarray, ndarray, ndarray]:
    """Return which names are free, where the others stand, which of the free follow a bound that moved them, where bounds cross, and the box of the free."""
    free, fixed, moved, crossed = choose(mu, neutral, (box[0], box[1]), (box[2], box[3]))
    m = len(free)
    tied, sides, by = np.empty(m, dtype=np.bool_), np.empty((4, m)), np.empty((2, m), dtype=np.int64)
    for j in range(m):
        i = free[j]
        tied[j], by[0, j], by[1, j] = moved[i], owners[0, i], owners[1, i]
        for side in range(4):
            sides[side, j] = box[side, i]
    return free, fixed, tied, crossed, sides, by


@compiled
def choose(mu: ndarray, neutral: ndarray, box: tuple[ndarray, ndarray], slopes: tuple[ndarray, ndarray]) -> tuple[ndarray, ndarray, ndarray, ndarray]:
    """Return which names are free, where the others stand, which follow a bound that moved them, and where bounds cross.

    Names outside the benchmark stand at zero and neutral names at their benchmark weight, as far as the bounds allow. One that a bound moves off that
    weight moves with the bound: it is left to the solver, between equal bounds. So is one whose bounds are equal, so that the rule that holds it has its
    price.

    Args:
        mu: benchmark weights, shape (n,).
        neutral: members that cannot be bet on, shape (n,).
        box: lower and upper bounds, shape (n,); those of names that follow a bound are made equal.
        slopes: derivatives of the bounds with respect to their rules' limits, shape (n,).
    """
    n = len(mu)
    lower, upper = box
    free, fixed, moved, crossed = np.empty(n, dtype=np.int64), np.empty(n), np.zeros(n, dtype=np.bool_), np.empty(n, dtype=np.int64)
    count, crosses = 0, 0
    for i in range(n):
        member, top = mu[i] > 0.0, max(upper[i], lower[i])
        outside = min(max(0.0, lower[i]), top)
        stands = min(max(mu[i], lower[i]), top) if member else outside
        if (member or outside > 0.0) and lower[i] > upper[i] + 1e-12:
            crossed[crosses] = i
            crosses += 1
        yields = slopes[0][i] != 0.0 or slopes[1][i] != 0.0
        moved[i] = (neutral[i] and stands != mu[i] and yields) or (not member and outside > 0.0 and slopes[0][i] != 0.0)
        if moved[i]:
            lower[i] = upper[i] = stands
        chosen = member and not neutral[i] and (upper[i] > lower[i] or (upper[i] == lower[i] and yields))
        fixed[i] = stands
        if chosen or moved[i]:
            fixed[i] = 0.0
            free[count] = i
            count += 1
    return free[:count].copy(), fixed, moved, crossed[:crosses].copy()


def _crossed(owners: Int[ndarray, "2 n"], where: Int[ndarray, " crossed"], names: tuple[str, ...]) -> tuple[tuple[str, str, int], ...]:
    """Return, for each pair of rules whose bounds cross, the first asset where they do."""
    found: dict[tuple[str, str], int] = {}
    for i in where.tolist():
        low, high = int(owners[0, i]), int(owners[1, i])
        found.setdefault((names[low] if low >= 0 else LONG_ONLY, names[high]), i)
    return tuple((low, high, column) for (low, high), column in found.items())
