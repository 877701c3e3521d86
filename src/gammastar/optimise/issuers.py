"""The second half of 5/10/40: which issuers may be large."""

from __future__ import annotations

__all__ = ["choose_large"]

import itertools
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from gammastar.core.rows import LargePositions, LinearRows
from gammastar.optimise.excess import worth
from gammastar.optimise.pressure import slopes_at
from gammastar.optimise.rounding import WORTHWHILE

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int
    from numpy import ndarray

    from gammastar.optimise.problem import Problem
    from gammastar.optimise.rounding import Effort
    from gammastar.optimise.solver import Answer

MARGIN = 1e-9
"""Kept below the threshold, so that an issuer at it does not count for the solver's last digits."""


def choose_large(problem: Problem, start: Answer, effort: Effort, enough: float) -> tuple[LinearRows, ...] | None:
    """Return linear rows that keep 5/10/40: issuers that may not be large are capped at the threshold, and the others in sum.

    First the largest issuers are chosen, as many as bring most; then single issuers are put in, taken out or exchanged, the most promising first.

    Args:
        problem: its convex rows stand as they are.
        start: an answer to it.
        effort: what may be spent.
        enough: an objective that need not be improved.

    Returns:
        The rows to add, none if there is no such rule; None if no choice of large issuers was found that leaves weights.
    """
    found: tuple[LinearRows, ...] = ()
    for row in problem.discrete:
        if isinstance(row, LargePositions):
            chosen = _Choosing(row, replace(problem, rows=(*problem.rows, *found)), effort).choose(start, enough)
            if chosen is None:
                return None
            found = (*found, *chosen)
    return found


@dataclass(eq=False)
class _Choosing:
    """The search for the issuers that may be large.

    Args:
        row: what limits them.
        problem: the convex rest.
        effort: left.
        tried: objective of each choice that was solved.
    """

    row: LargePositions
    problem: Problem
    effort: Effort
    tried: dict[bytes, tuple[float, Answer | None]] = field(default_factory=dict)

    def value(self, large: Bool[ndarray, " g"]) -> float:
        """Return the best objective with these issuers large, minus infinity if there are no weights."""
        key = large.tobytes()
        if key not in self.tried:
            answer = self.effort.solve(self.with_rows(large))
            self.tried[key] = (-np.inf if answer is None else worth(self.problem, answer.weights), answer)
        return self.tried[key][0]

    def with_rows(self, large: Bool[ndarray, " g"]) -> Problem:
        """Return the problem with these issuers large."""
        return replace(self.problem, rows=(*self.problem.rows, *_capped(self.row, large, _reach(self.row, self.problem))))

    def choose(self, start: Answer, enough: float) -> tuple[LinearRows, ...] | None:
        """Return the rows of the best choice found."""
        row = self.row
        sums = np.asarray(row.matrix @ start.weights)
        large = sums > row.threshold + MARGIN
        first: Bool[ndarray, " g"] | None = large
        if float(sums[large].sum()) > row.total + MARGIN:
            first = self._by_size(start, sums, min(int(row.total / row.threshold), int(large.sum())))
        else:
            self.tried[large.tobytes()] = worth(self.problem, start.weights), start
        if first is None:
            return None
        large = self._exchanged(first, enough)
        return _capped(row, large, _reach(row, self.problem))

    def _by_size(self, start: Answer, sums: Float[ndarray, " g"], most: int) -> Bool[ndarray, " g"] | None:
        """Return the largest issuers, in the number that brings most; None if no number leaves weights."""
        steepness = np.asarray(self.row.matrix @ self.problem.gradient(start.weights))
        order = np.lexsort((-steepness, -np.round(sums, 7)))
        best = int(np.searchsorted(np.cumsum(sums[order]), self.row.total))
        best = min(best, most)
        if not np.isfinite(self.value(_first(order, best))):
            best = max(range(most, -1, -1), key=lambda count: self.value(_first(order, count)))
        for step in (1, -1):
            while 0 <= best + step <= most and self.value(_first(order, best + step)) > self.value(_first(order, best)):
                best += step
        return _first(order, best) if np.isfinite(self.value(_first(order, best))) else None

    def _exchanged(self, large: Bool[ndarray, " g"], enough: float) -> Bool[ndarray, " g"]:
        """Return the choice after issuers have been put in, taken out and exchanged, as long as that helps within patience."""
        failed, near = 0, self._near(large) if self.value(large) < enough else []
        while failed < self.effort.patience(self.problem) and self.effort.left > 0.0 and self.value(large) < enough:
            other = next((one for one in near if one.tobytes() not in self.tried), None)
            if other is None:
                break
            failed += 1
            if self.value(other) > self.value(large) + WORTHWHILE:
                large, failed, near = other, 0, self._near(other)
        return large

    def _near(self, large: Bool[ndarray, " g"]) -> list[Bool[ndarray, " g"]]:
        """Return the choices that differ by one issuer or one exchange, by the slope of the objective in what changes."""
        answer = self.tried[large.tobytes()][1]
        if answer is None:
            return []
        slopes = slopes_at(self.with_rows(large), answer).first
        owners = np.asarray(self.row.matrix @ slopes) / np.maximum(np.asarray(self.row.matrix @ np.ones(len(slopes))), 1.0)
        sums = np.asarray(self.row.matrix @ answer.weights)
        out = sorted((float(owners[i] * max(sums[i] - self.row.threshold, 0.0)), i) for i in np.flatnonzero(large))
        able = ~large & (_reach(self.row, self.problem) > self.row.threshold)
        into = sorted((-float(owners[j]) * self.row.threshold, j) for j in np.flatnonzero(able))[:20]
        ways: list[tuple[float, tuple[int, ...]]] = [(cost, (int(i),)) for cost, i in [*out, *into]]
        ways += [(a + b, (int(i), int(j))) for (a, i), (b, j) in itertools.product(out, into)]
        most = int(self.row.total / self.row.threshold)
        flipped = [_flipped(large, way) for _, way in sorted(ways)]
        return [one for one in flipped if one.sum() <= most]


def _flipped(large: Bool[ndarray, " g"], issuers: tuple[int, ...]) -> Bool[ndarray, " g"]:
    after = large.copy()
    after[list(issuers)] ^= True
    return after


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
