"""What discrete rules leave of each weight: up to four pieces, of which a portfolio takes one for each name.

    ZERO  not held, or sold whole
    STAY  exactly the weight held now
    LESS  sold by at least the least trade, and at least the least holding is left
    MORE  the least holding or above; bought by at least the least trade

On pieces that are chosen the problem is convex again. With all of them open, the hull of each name's pieces is the relaxation.
"""

from __future__ import annotations

__all__ = ["LESS", "MORE", "STAY", "TOUCH", "ZERO", "Pieces", "find_pieces", "on_lots", "restrict", "settle_fixed"]

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from gammastar.core.rows import CountLimit, LeastHolding, LeastTrade, WholeLots
from gammastar.mandate.rules.discrete import HELD

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int
    from numpy import ndarray

    from gammastar.optimise.problem import Problem

ZERO, STAY, LESS, MORE = range(4)

TOUCH = 1e-7
"""A weight this close to a piece is in it; the next solve puts it there exactly."""

COUNTED = 1e-6
"""The least weight of a name that is held only so that there are names enough."""

EQUAL = 1e-12


@dataclass(frozen=True, eq=False)
class Pieces:
    """The pieces of m names.

    Args:
        low: lower ends, shape (m, 4).
        high: upper ends, shape (m, 4).
        valid: which there are, within the bounds, shape (m, 4).
        low_rule: position of the rule that sets each lower end, -1 for none, shape (m, 4).
        high_rule: the same for upper ends.
        slope: how much wider a piece becomes at its threshold as the rule is loosened by one unit: 1, or 0 where whole lots decide.
    """

    low: Float[ndarray, "m 4"]
    high: Float[ndarray, "m 4"]
    valid: Bool[ndarray, "m 4"]
    low_rule: Int[ndarray, "m 4"]
    high_rule: Int[ndarray, "m 4"]
    slope: float

    def nearest(self, weights: Float[ndarray, " m"], open_: Bool[ndarray, "m 4"]) -> tuple[Int[ndarray, " m"], Float[ndarray, " m"]]:
        """Return for each name the open piece that is nearest, points before intervals, and how far it is (infinite if none is open)."""
        distance = np.maximum(np.maximum(self.low - weights[:, None], weights[:, None] - self.high), 0.0)
        distance = np.where(open_, np.where(distance <= TOUCH, 0.0, distance), np.inf)
        piece = distance.argmin(axis=1)
        return piece, distance[np.arange(len(piece)), piece]

    def only(self, piece: Int[ndarray, " m"]) -> Bool[ndarray, "m 4"]:
        """Return the choice of one piece for each name as a mask."""
        return np.asarray(np.arange(4)[None, :] == piece[:, None])


@dataclass(frozen=True, eq=False)
class _Thresholds:
    """What the discrete rows say of single names, shape (n,) each; positions of their rules in the problem."""

    held: Float[ndarray, " n"]
    least: Float[ndarray, " n"]
    grandfathered: Bool[ndarray, " n"]
    trade: Float[ndarray, " n"] | None
    lot: Float[ndarray, " n"] | None
    holding_rule: int
    trade_rule: int


def _thresholds(problem: Problem) -> _Thresholds:
    n = len(problem.benchmark)
    least, small, trade, lot = np.zeros(n), np.zeros(n, dtype=bool), None, None
    holding_rule = trade_rule = -1
    for row in problem.discrete:
        match row:
            case LeastHolding():
                least, small, holding_rule = np.maximum(least, row.least), row.grandfathered, problem.rules.index(row.rule)
            case LeastTrade():
                trade, trade_rule = row.least, problem.rules.index(row.rule)
            case WholeLots():
                lot = row.lot
            case CountLimit() if row.minimum:
                least = np.maximum(least, COUNTED)
            case _:
                pass
    return _Thresholds(problem.held, least, small, trade, lot, holding_rule, trade_rule)


def find_pieces(problem: Problem) -> Pieces:
    """Return the pieces of the free names, within their bounds and, with whole lots, from lot to lot."""
    return _pieces(_thresholds(problem), problem.free, problem.lower, problem.upper)


def _pieces(told: _Thresholds, at: Int[ndarray, " m"], lower: Float[ndarray, " m"], upper: Float[ndarray, " m"]) -> Pieces:
    held, least, m = told.held[at], told.least[at], len(at)
    low, high = np.zeros((m, 4)), np.zeros((m, 4))
    low[:, STAY] = high[:, STAY] = held
    low_rule, high_rule = np.full((m, 4), -1), np.full((m, 4), -1)
    floor = np.maximum(lower, least)
    low[:, LESS] = low[:, MORE] = floor
    low_rule[:, LESS] = low_rule[:, MORE] = np.where(least > lower, told.holding_rule, -1)
    high[:, LESS], high[:, MORE] = -np.inf, upper
    if told.trade is not None:
        bought, sold = held + told.trade[at], held - told.trade[at]
        low[:, MORE] = np.maximum(floor, bought)
        low_rule[:, MORE] = np.where(bought > floor, told.trade_rule, low_rule[:, MORE])
        high[:, LESS] = np.minimum(upper, sold)
        high_rule[:, LESS] = np.where(sold < upper, told.trade_rule, -1)
    if told.lot is not None:
        _to_lots(low, high, held, told.lot[at])
    valid = low <= high + EQUAL
    valid[:, ZERO] = lower <= EQUAL
    may_stay = (held >= least - EQUAL) | told.grandfathered[at]
    valid[:, STAY] = (held > HELD) & may_stay & (held >= lower - EQUAL) & (held <= upper + EQUAL)
    return Pieces(low, np.maximum(low, high), valid, low_rule, high_rule, 1.0 if told.lot is None else 0.0)


def _to_lots(low: Float[ndarray, "m 4"], high: Float[ndarray, "m 4"], held: Float[ndarray, " m"], lot: Float[ndarray, " m"]) -> None:
    """Move the ends of the intervals inwards to whole lots from what is held."""
    for piece in (LESS, MORE):
        low[:, piece] = held + lot * np.ceil((low[:, piece] - held) / lot - 1e-7)
        high[:, piece] = held + lot * np.floor((high[:, piece] - held) / lot + 1e-7)
        low[:, piece] = np.where(low[:, piece] < 0.0, low[:, piece] + lot, low[:, piece])


def on_lots(weights: Float[ndarray, " m"], held: Float[ndarray, " m"], lot: Float[ndarray, " m"]) -> Float[ndarray, " m"]:
    """Return the weights nearest to `weights` that are whole lots away from `held`."""
    return np.asarray(held + lot * np.round((weights - held) / lot))


def settle_fixed(problem: Problem) -> Problem:
    """Return the problem with the fixed names (neutral ones) moved to the nearest weight that the discrete rules allow them."""
    told, n = _thresholds(problem), len(problem.benchmark)
    at = np.setdiff1d(np.arange(n), problem.free)
    here = problem.fixed[at]
    pieces = _pieces(told, at, np.zeros(len(at)), np.full(len(at), np.inf))
    piece, distance = pieces.nearest(here, pieces.valid)
    rows = np.arange(len(at))
    moved = np.clip(here, pieces.low[rows, piece], pieces.high[rows, piece])
    if told.lot is not None:
        inside = (piece == LESS) | (piece == MORE)
        moved = np.where(inside, np.clip(on_lots(moved, told.held[at], told.lot[at]), pieces.low[rows, piece], pieces.high[rows, piece]), moved)
    if not np.any((np.abs(moved - here) > 0.0) & np.isfinite(distance)):
        return problem
    fixed = problem.fixed.copy()
    fixed[at] = np.where(np.isfinite(distance), moved, here)
    return replace(problem, fixed=fixed)


def restrict(problem: Problem, pieces: Pieces, open_: Bool[ndarray, "m 4"]) -> Problem | None:
    """Return the problem on the hull of the open pieces; names with one weight left are fixed there. None if a name has no piece."""
    if not open_.any(axis=1).all():
        return None
    rows = np.arange(len(open_))
    lowest = np.where(open_, pieces.low, np.inf).argmin(axis=1)
    highest = np.where(open_, pieces.high, -np.inf).argmax(axis=1)
    low, high = pieces.low[rows, lowest], pieces.high[rows, highest]
    raised, capped = low > problem.lower + EQUAL, high < problem.upper - EQUAL
    point = (high - low <= EQUAL) & ~(problem.lower == problem.upper)
    fixed, kept = problem.fixed.copy(), ~point
    fixed[problem.free[point]] = low[point]
    rule_low, rule_high = pieces.low_rule[rows, lowest], pieces.high_rule[rows, highest]
    return replace(
        problem,
        free=problem.free[kept],
        fixed=fixed,
        lower=np.where(raised, low, problem.lower)[kept],
        upper=np.where(capped, high, problem.upper)[kept],
        lower_rule=np.where(raised, rule_low, problem.lower_rule)[kept],
        upper_rule=np.where(capped, rule_high, problem.upper_rule)[kept],
        lower_slope=np.where(raised, np.where(rule_low >= 0, -pieces.slope, 0.0), problem.lower_slope)[kept],
        upper_slope=np.where(capped, np.where(rule_high >= 0, pieces.slope, 0.0), problem.upper_slope)[kept],
        tied=problem.tied[kept],
    )
