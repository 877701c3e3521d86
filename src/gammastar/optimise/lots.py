"""Whole lots: round, then move single lots until every row holds again and nothing more is gained."""

from __future__ import annotations

__all__ = ["whole_lots"]

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from gammastar.core.rows import (
    AbsoluteSum,
    Bounds,
    Budget,
    ConvexRow,
    LargestSum,
    LinearRows,
    RiskCone,
    RiskShares,
    WholeLots,
)
from gammastar.optimise.excess import ROUNDING, broken_discrete, hard_excess, violations, worth
from gammastar.optimise.pieces import EQUAL, on_lots
from gammastar.optimise.sequential import keep_shares
from gammastar.optimise.solver import Answer, Outcome, solve

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Float, Int
    from numpy import ndarray

    from gammastar.optimise.problem import Problem

ROUNDS = 4
BATCHES = (1, 4)
MOVES = 400
GAINS = 60
WORTHWHILE = 1e-8
"""Growth a year that a lot has to bring."""


def whole_lots(problem: Problem, answer: Answer, row: WholeLots) -> Answer | None:
    """Return weights in whole lots that keep every row of `problem`, or None.

    All names are rounded at once. Where that cannot be mended by moving single lots, hard rows are tightened by what they were exceeded by
    and the problem is solved and rounded again; then the same in batches, the largest lots first, each followed by a solve for the rest.

    Args:
        problem: on chosen pieces, whose bounds are whole lots from what is held.
        answer: to it, without lots.
        row: the lots.
    """
    for batches in BATCHES:
        tight, start = problem, answer
        for _ in range(ROUNDS):
            rounded = _rounded(tight, start, row, batches)
            if rounded is None:
                break
            weights = _mended(problem, rounded, row)
            if hard_excess(problem, weights) <= ROUNDING and not broken_discrete(problem, weights):
                return replace(answer, weights=_bettered(problem, weights, row))
            tight = _tightened(problem, tight, weights)
            again = _solved(tight)
            if again is None:
                break
            start = again
    return None


def _solved(problem: Problem) -> Answer | None:
    """Return the answer with shares of risk kept too, or None."""
    answer = solve(problem)
    if answer.outcome is not Outcome.SOLVED:
        return None
    return keep_shares(problem, answer) if any(isinstance(row, RiskShares) for row in problem.discrete) else answer


def _rounded(problem: Problem, answer: Answer, row: WholeLots, batches: int) -> Float[ndarray, " n"] | None:
    """Return `answer` in whole lots, the names with the largest lots first, the others solved for again after each batch."""
    rest, here = problem, answer
    for left in range(batches, 0, -1):
        at, m = rest.free, len(rest.free)
        whole = np.clip(on_lots(here.weights[at], row.held[at], row.lot[at]), rest.lower, rest.upper)
        if left == 1 or m == 0:
            weights = rest.fixed.copy()
            weights[at] = whole
            return weights
        batch = np.zeros(m, dtype=bool)
        batch[np.argsort(-row.lot[at], kind="stable")[: -(-m // left)]] = True
        fixed = rest.fixed.copy()
        fixed[at[batch]] = whole[batch]
        kept = ~batch
        rest = replace(
            rest, free=at[kept], fixed=fixed, lower=rest.lower[kept], upper=rest.upper[kept], lower_rule=rest.lower_rule[kept],
            upper_rule=rest.upper_rule[kept], tied=rest.tied[kept], lower_slope=rest.lower_slope[kept], upper_slope=rest.upper_slope[kept],
        )  # fmt: skip
        found = solve(rest)
        if found.outcome is not Outcome.SOLVED:
            return None
        here = found
    return None


def _tightened(problem: Problem, tight: Problem, weights: Float[ndarray, " n"]) -> Problem:
    """Return `tight` with each hard row of `problem` that `weights` exceed tighter by that excess, and a little more."""
    rows = tuple(_tighter(mine, violations(row, weights)[0]) if row.penalty is None else mine for row, mine in zip(problem.rows, tight.rows, strict=True))
    shares = tuple(replace(row, limit=0.999 * row.limit) if isinstance(row, RiskShares) else row for row in tight.discrete)
    return replace(tight, rows=rows, discrete=shares)


def _tighter(row: ConvexRow, excess: Float[ndarray, " r"]) -> ConvexRow:
    over = np.where(excess > 0.0, 1.25 * excess + ROUNDING, 0.0)
    match row:
        case LinearRows() | Bounds():
            low, high = np.split(over, 2)
            return replace(row, lower=row.lower + low, upper=row.upper - high)
        case Budget():
            minimum, maximum = row.minimum + float(over[0]), row.maximum - float(over[1])
            middle = 0.5 * (minimum + maximum)
            return replace(row, minimum=min(minimum, middle), maximum=max(maximum, middle))
        case RiskCone() | AbsoluteSum() | LargestSum():
            return replace(row, limit=row.limit - float(over[0]))


@dataclass(frozen=True, eq=False)
class _Moves:
    """Single lots that could be bought or sold.

    Args:
        at: columns, shape (c,).
        size: signed weight of each move, shape (c,).
    """

    at: Int[ndarray, " c"]
    size: Float[ndarray, " c"]


def _moves(problem: Problem, weights: Float[ndarray, " n"], row: WholeLots) -> _Moves:
    """Return the moves of one lot that stay within the bounds."""
    at = problem.free
    here, lot = weights[at], row.lot[at]
    up, down = here + lot <= problem.upper + EQUAL, here - lot >= problem.lower - EQUAL
    return _Moves(np.concatenate((at[up], at[down])), np.concatenate((lot[up], -lot[down])))


def _mended(problem: Problem, weights: Float[ndarray, " n"], row: WholeLots) -> Float[ndarray, " n"]:
    """Return `weights` after single lots have been moved, each time the one that lowers the excess over hard rows most."""
    hard = [(one, _AFTER[type(one)]) for one in problem.rows if one.penalty is None and type(one) in _AFTER]
    weights = weights.copy()
    for _ in range(MOVES):
        now = sum(float(np.maximum(violations(one, weights)[0], 0.0).sum()) for one, _ in hard)
        moves = _moves(problem, weights, row)
        if now <= ROUNDING / 10.0 or not len(moves.at):
            break
        after = sum((after(one, weights, moves) for one, after in hard), np.zeros(len(moves.at)))
        gains = _gains(problem, weights, moves)
        best = int(np.lexsort((-gains, np.round(after, 10)))[0])
        if after[best] >= now - 1e-12:
            break
        weights[moves.at[best]] += moves.size[best]
    return weights


def _bettered(problem: Problem, weights: Float[ndarray, " n"], row: WholeLots) -> Float[ndarray, " n"]:
    """Return `weights` after single lots have been moved, each time the one that brings most and breaks nothing."""
    hard = [(one, _AFTER[type(one)]) for one in problem.rows if one.penalty is None and type(one) in _AFTER]
    weights = weights.copy()
    for _ in range(GAINS):
        moves = _moves(problem, weights, row)
        if not len(moves.at):
            break
        after = sum((after(one, weights, moves) for one, after in hard), np.zeros(len(moves.at)))
        gains = np.where(after <= ROUNDING / 10.0, _gains(problem, weights, moves), -np.inf)
        best = int(gains.argmax())
        if not gains[best] > WORTHWHILE:
            break
        tried = weights.copy()
        tried[moves.at[best]] += moves.size[best]
        if hard_excess(problem, tried) > ROUNDING or broken_discrete(problem, tried) or worth(problem, tried) <= worth(problem, weights):
            break
        weights = tried
    return weights


def _gains(problem: Problem, weights: Float[ndarray, " n"], moves: _Moves) -> Float[ndarray, " c"]:
    """Return what each move adds to the objective, soft rules apart."""
    slope, curve = problem.gradient(weights), np.zeros(len(weights))
    for variance in problem.variances:
        by_factor = np.einsum("nk,nk->n", variance.covariance.loadings, variance.covariance.loadings)
        curve = curve + variance.factor * by_factor + variance.specific * variance.covariance.specific
    trade = weights - problem.held
    cost = problem.cost.of(trade)
    up, down = trade.copy(), trade.copy()
    bought = moves.size > 0.0
    up[moves.at[bought]] += moves.size[bought]
    down[moves.at[~bought]] += moves.size[~bought]
    dearer = np.where(bought, problem.cost.of(up)[moves.at], problem.cost.of(down)[moves.at]) - cost[moves.at]
    return np.asarray(slope[moves.at] * moves.size - 0.5 * curve[moves.at] * moves.size**2 - dearer)


def _after_linear(row: LinearRows, weights: Float[ndarray, " n"], moves: _Moves) -> Float[ndarray, " c"]:
    values = row.matrix @ weights
    excess = np.maximum(row.lower - values, 0.0) + np.maximum(values - row.upper, 0.0)
    chosen = row.matrix[:, moves.at]
    if isinstance(chosen, np.ndarray):
        moved = values[:, None] + chosen * moves.size
        return np.asarray((np.maximum(row.lower[:, None] - moved, 0.0) + np.maximum(moved - row.upper[:, None], 0.0)).sum(axis=0))
    entries = chosen.tocoo()
    line, column = entries.coords
    moved = values[line] + entries.data * moves.size[column]
    change = np.maximum(row.lower[line] - moved, 0.0) + np.maximum(moved - row.upper[line], 0.0) - excess[line]
    return np.asarray(excess.sum() + np.bincount(column, weights=change, minlength=len(moves.at)))


def _after_cone(row: RiskCone, weights: Float[ndarray, " n"], moves: _Moves) -> Float[ndarray, " c"]:
    away, sigma = weights - row.centre, row.covariance
    against, own = sigma.times(away)[moves.at], sigma.variances[moves.at]
    variance = sigma.quadratic(away) + 2.0 * moves.size * against + moves.size**2 * own
    return np.asarray(np.maximum(np.sqrt(np.maximum(variance, 0.0)) - row.limit, 0.0))


def _after_sum(row: AbsoluteSum, weights: Float[ndarray, " n"], moves: _Moves) -> Float[ndarray, " c"]:
    def part(x: Float[ndarray, " m"]) -> Float[ndarray, " m"]:
        return np.asarray(row.up * np.maximum(x, 0.0) + row.down * np.maximum(-x, 0.0))

    away = weights - row.centre
    total = float(part(away).sum()) - part(away)[moves.at] + part(away[moves.at] + moves.size)
    return np.asarray(np.maximum(total - row.limit, 0.0))


def _after_budget(row: Budget, weights: Float[ndarray, " n"], moves: _Moves) -> Float[ndarray, " c"]:
    cash = 1.0 - float(weights.sum()) - moves.size
    return np.asarray(np.maximum(row.minimum - cash, 0.0) + np.maximum(cash - row.maximum, 0.0))


_AFTER: dict[type, Callable[..., Float[ndarray, " c"]]] = {
    LinearRows: _after_linear,
    RiskCone: _after_cone,
    AbsoluteSum: _after_sum,
    Budget: _after_budget,
}
