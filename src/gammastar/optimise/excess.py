"""What weights are worth and what they break: rows evaluated on weights, beside the solver."""

from __future__ import annotations

__all__ = ["broken_discrete", "hard_excess", "risk_shares", "violations", "worth"]

from typing import TYPE_CHECKING, Any

import numpy as np

from gammastar.core.rows import (
    AbsoluteSum,
    Bounds,
    Budget,
    ConvexRow,
    CountLimit,
    DiscreteRow,
    LargePositions,
    LargestSum,
    LeastHolding,
    LeastTrade,
    LinearRows,
    RiskCone,
    RiskShares,
    WholeLots,
)
from gammastar.mandate.rules.discrete import HELD

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Float
    from numpy import ndarray

    from gammastar.optimise.problem import Problem

ROUNDING = 1e-8
"""What a limit may be exceeded by for want of digits; the independent check says the same."""


def violations(row: ConvexRow, weights: Float[ndarray, " n"]) -> tuple[Float[ndarray, " r"], Float[ndarray, " r"]]:
    """Return by how much each bound of `row` is exceeded at `weights` (negative: what is left), and how it moves with the rule's limit.

    Args:
        row: hard or soft.
        weights: shape (n,).

    Returns:
        Excess over the bounds, in their own units, minus infinity where there is none, and the absolute slopes; both of shape (r,).
    """
    one = np.ones(1)
    match row:
        case Bounds() | LinearRows():
            values = row.matrix @ weights if isinstance(row, LinearRows) else weights
            excess = np.concatenate((row.lower - values, values - row.upper))
            return np.asarray(excess), np.abs(np.concatenate((row.lower_slope, row.upper_slope)))
        case RiskCone():
            return one * (np.sqrt(row.covariance.quadratic(weights - row.centre)) - row.limit), one
        case AbsoluteSum():
            away = weights - row.centre
            return one * (float((row.up * np.maximum(away, 0.0) + row.down * np.maximum(-away, 0.0)).sum()) - row.limit), one
        case LargestSum():
            sums = weights if row.matrix is None else row.matrix @ weights
            return one * (float(np.sort(sums)[::-1][: row.count].sum()) - row.limit), one
        case Budget():
            cash = 1.0 - float(weights.sum())
            return np.array([row.minimum - cash, cash - row.maximum]), np.ones(2)


def worth(problem: Problem, weights: Float[ndarray, " n"]) -> float:
    """Return the objective at `weights` less the penalties of soft rules that are exceeded, a year.

    The rows of one rule with one penalty share one excess: the largest, in units of the rule's limit.
    """
    exceeded: dict[tuple[str, float], float] = {}
    for row in problem.rows:
        if row.penalty is not None and row.rule not in problem.elastic:
            excess, slope = violations(row, weights)
            units = np.divide(excess, slope, out=np.zeros(len(excess)), where=(slope > 0.0) & (excess > 0.0))
            key = (row.rule, row.penalty)
            exceeded[key] = max(exceeded.get(key, 0.0), float(units.max(initial=0.0)))
    return problem.value(weights) - sum(penalty * excess for (_, penalty), excess in exceeded.items())


def hard_excess(problem: Problem, weights: Float[ndarray, " n"]) -> float:
    """Return by how much the worst hard row or bound of `problem` is exceeded at `weights`; zero if all hold."""
    free = weights[problem.free]
    worst = [0.0, float((problem.lower - free).max(initial=0.0)), float((free - problem.upper).max(initial=0.0))]
    if not any(isinstance(row, Budget) for row in problem.rows):
        worst.append(abs(float(weights.sum()) - 1.0))
    worst += [float(violations(row, weights)[0].max(initial=0.0)) for row in problem.rows if row.penalty is None and row.rule not in problem.elastic]
    return max(worst)


def risk_shares(row: RiskShares, weights: Float[ndarray, " n"]) -> Float[ndarray, " g"]:
    """Return the share of each group in active variance, shape (g,); zeros where there is no active risk."""
    active = weights - row.centre
    by_name = active * row.covariance.times(active)
    parts = by_name if row.matrix is None else row.matrix @ by_name
    total = float(by_name.sum())
    return np.asarray(parts / total) if total > 0.0 else np.zeros(len(parts))


def broken_discrete(problem: Problem, weights: Float[ndarray, " n"]) -> tuple[str, ...]:
    """Return the rules whose discrete rows `weights` break by more than rounding."""
    return tuple(row.rule for row in problem.discrete if not _KEPT[type(row)](row, weights))


def _count(row: CountLimit, weights: Float[ndarray, " n"]) -> bool:
    names = int((weights > HELD if row.held is None else np.abs(weights - row.held) > HELD).sum())
    return (row.minimum is None or names >= row.minimum) and (row.maximum is None or names <= row.maximum)


def _holding(row: LeastHolding, weights: Float[ndarray, " n"]) -> bool:
    stays = row.grandfathered & (np.abs(weights - row.held) <= HELD)
    return bool(np.all((weights <= HELD) | (weights >= row.least - ROUNDING) | stays))


def _trade(row: LeastTrade, weights: Float[ndarray, " n"]) -> bool:
    size = np.abs(weights - row.held)
    return bool(np.all((weights <= HELD) | (size <= HELD) | (size >= row.least - ROUNDING)))


def _lots(row: WholeLots, weights: Float[ndarray, " n"]) -> bool:
    lots = (weights - row.held) / row.lot
    return bool(np.all((weights <= HELD) | (np.abs(lots - np.round(lots)) <= 1e-6)))


def _large(row: LargePositions, weights: Float[ndarray, " n"]) -> bool:
    sums = row.matrix @ weights
    return float(sums[sums > row.threshold + ROUNDING].sum()) <= row.total + ROUNDING


def _shares(row: RiskShares, weights: Float[ndarray, " n"]) -> bool:
    return float(risk_shares(row, weights).max(initial=0.0)) <= row.limit + 1e-9


_KEPT: dict[type[DiscreteRow], Callable[[Any, Float[ndarray, " n"]], bool]] = {
    CountLimit: _count,
    LeastHolding: _holding,
    LeastTrade: _trade,
    WholeLots: _lots,
    LargePositions: _large,
    RiskShares: _shares,
}
