"""The second half of 5/10/40: which issuers may be large."""

from __future__ import annotations

__all__ = ["choose_large"]

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from gammastar.core.rows import LargePositions, LinearRows
from gammastar.optimise.excess import worth

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int
    from numpy import ndarray

    from gammastar.optimise.problem import Problem
    from gammastar.optimise.rounding import Effort
    from gammastar.optimise.solver import Answer

MARGIN = 1e-9
"""Kept below the threshold, so that an issuer at it does not count for the solver's last digits."""


def choose_large(problem: Problem, start: Answer, effort: Effort) -> tuple[LinearRows, ...] | None:
    """Return linear rows that keep 5/10/40: issuers that may not be large are capped at the threshold, and the others in sum.

    The largest issuers are the candidates. How many of them may be large is found by trying one more and one fewer, as long as that helps.

    Args:
        problem: its convex rows stand as they are.
        start: an answer to it.
        effort: what may be spent.

    Returns:
        The rows to add, none if there is no such rule; None if no number of large issuers leaves weights.
    """
    found: tuple[LinearRows, ...] = ()
    for row in problem.discrete:
        if isinstance(row, LargePositions):
            chosen = _rows_of(row, replace(problem, rows=(*problem.rows, *found)), start, effort)
            if chosen is None:
                return None
            found = (*found, *chosen)
    return found


def _rows_of(row: LargePositions, problem: Problem, start: Answer, effort: Effort) -> tuple[LinearRows, ...] | None:
    sums = np.asarray(row.matrix @ start.weights)
    reach = _reach(row, problem)
    large = sums > row.threshold + MARGIN
    if float(sums[large].sum()) <= row.total + MARGIN:
        return _capped(row, large, reach)
    steepness = np.asarray(row.matrix @ problem.gradient(start.weights))
    order = np.lexsort((-steepness, -np.round(sums, 7)))
    most = min(int(row.total / row.threshold), int(large.sum()))
    tried: dict[int, float] = {}

    def value(count: int) -> float:
        if count not in tried:
            within = 0 <= count <= most
            answer = effort.solve(replace(problem, rows=(*problem.rows, *_capped(row, _first(order, count), reach)))) if within else None
            tried[count] = -np.inf if answer is None else worth(problem, answer.weights)
        return tried[count]

    count = min(int(np.searchsorted(np.cumsum(sums[order]), row.total)), most)
    if not np.isfinite(value(count)):
        count = max(range(most, -1, -1), key=value)
    for step in (1, -1):
        while value(count + step) > value(count):
            count += step
    return _capped(row, _first(order, count), reach) if np.isfinite(value(count)) else None


def _first(order: Int[ndarray, " g"], count: int) -> Bool[ndarray, " g"]:
    chosen = np.zeros(len(order), dtype=bool)
    chosen[order[:count]] = True
    return chosen


def _reach(row: LargePositions, problem: Problem) -> Float[ndarray, " g"]:
    """Return the most that each issuer could come to."""
    top = problem.fixed.copy()
    top[problem.free] = np.minimum(problem.upper, 1.0)
    return np.asarray(row.matrix @ top)


def _capped(row: LargePositions, large: Bool[ndarray, " g"], reach: Float[ndarray, " g"]) -> tuple[LinearRows, ...]:
    """Return a cap for each issuer that is not `large` and could be, and one on the sum of those that are."""
    found = []
    small = np.flatnonzero(~large & (reach > row.threshold))
    if len(small):
        none, cap = np.full(len(small), -np.inf), np.full(len(small), row.threshold)
        found.append(LinearRows(row.rule, ("threshold",) * len(small), row.matrix[small], none, cap, 0.0 * cap, 0.0 * cap))
    if large.any():
        one = np.ones(1)
        total = np.asarray(row.matrix[np.flatnonzero(large)].sum(axis=0)).reshape(1, -1)
        found.append(LinearRows(row.rule, ("large ones",), total, -np.inf * one, row.total * one, 0.0 * one, one))
    return tuple(found)
