"""The common form of a Problem as a few dense arrays: one variance, at most one risk cone of the same covariance, few coupling rows, one cost kink a name.

In ``y = w - benchmark`` of the names that can move, with factor exposures ``f = B'y + e`` (e: of all others)::

    minimise    (a_f f'f + a_s y'Dy) / 2 - g'y + sum_i buy_i (y_i - h_i)^+ + sell_i (h_i - y_i)^+
    subject to  lower <= y <= upper,   low <= A y <= high,   f'f + y'Dy + rest <= limit^2,
                up_j sum (y - h)^+ + down_j sum (h - y)^+ <= total_j
"""

from __future__ import annotations

__all__ = ["Lane", "RowSource", "lane_of", "same_array", "same_covariance"]

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gammastar.core.compiled import compiled
from gammastar.core.rows import AbsoluteSum, Budget, LinearRows, RiskCone

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from numpy import ndarray

    from gammastar.core.covariance import FactoredCovariance
    from gammastar.optimise.problem import Problem

MOST_ROWS, MOST_FACTORS = 60, 200
"""Beyond these the work of a step, which grows with their square, is no longer small."""
PINNED = 1e-12
"""Bounds nearer than this leave a name no room: it stands in their middle."""
NO_BOUND = 2.0
"""Stands for no upper bound: no weight of a long-only portfolio comes near it."""


@dataclass(frozen=True, eq=False)
class RowSource:
    """Where the coupling rows of one row of the problem stand in the lane.

    Args:
        row: linear rows or a budget; None for fully invested.
        kept: which of its lines are in the lane, shape (r,).
        place: where each of them stands among the lane's rows, shape (r,).
        size: what each was divided by, shape (r,).
    """

    row: LinearRows | Budget | None
    kept: Int[ndarray, " r"]
    place: Int[ndarray, " r"]
    size: Float[ndarray, " r"]


@dataclass(frozen=True, eq=False)
class Lane:
    """Arrays of the common form; see the module's formula.

    Args:
        moving: positions among the free names of those that can move, shape (m,).
        gain: g, shape (m,).
        loadings: B', shape (k, m).
        specific: D, shape (m,).
        exposure: e, shape (k,).
        rest: specific variance of the names that cannot move.
        aversion: (a_f, a_s).
        lower: shape (m,).
        upper: shape (m,).
        rows: A, each row with a largest entry of one, equalities first, shape (r, m).
        low: shape (r,).
        high: shape (r,); equal to `low` for the first `equalities`.
        equalities: how many.
        limit: of risk; None without a cone.
        held: h, shape (m,); empty where no trade costs anything and no sum is limited.
        buy: shape (m,) or empty.
        sell: shape (m,) or empty.
        up: of each limited sum, shape (q,).
        down: shape (q,).
        total: shape (q,).
        sources: of the rows.
        sums: limited sums, in order.
        cone: the risk cone.
    """

    moving: Int[ndarray, " m"]
    gain: Float[ndarray, " m"]
    loadings: Float[ndarray, "k m"]
    specific: Float[ndarray, " m"]
    exposure: Float[ndarray, " k"]
    rest: float
    aversion: tuple[float, float]
    lower: Float[ndarray, " m"]
    upper: Float[ndarray, " m"]
    rows: Float[ndarray, "r m"]
    low: Float[ndarray, " r"]
    high: Float[ndarray, " r"]
    equalities: int
    limit: float | None
    held: Float[ndarray, " m"]
    buy: Float[ndarray, " m"]
    sell: Float[ndarray, " m"]
    up: Float[ndarray, " q"]
    down: Float[ndarray, " q"]
    total: Float[ndarray, " q"]
    sources: tuple[RowSource, ...]
    sums: tuple[AbsoluteSum, ...]
    cone: RiskCone | None


def lane_of(problem: Problem) -> Lane | None:
    """Return the problem in the common form, or None where it has another."""
    cones = [row for row in problem.rows if isinstance(row, RiskCone)]
    sums = [row for row in problem.rows if isinstance(row, AbsoluteSum)]
    if not _has_form(problem, cones, sums):
        return None
    free, variance, sigma = problem.free, problem.variances[0], problem.variances[0].covariance
    moves = problem.upper - problem.lower > PINNED
    moving = np.flatnonzero(moves)
    if not len(moving):
        return None
    columns, still = free[moving], problem.fixed.copy()
    mu = problem.benchmark[columns]
    if len(moving) < len(free):
        still[free] = 0.5 * (problem.lower + problem.upper)
    still[columns] = mu  # weights at y = 0
    away = still - problem.benchmark
    lower, upper = problem.lower[moving] - mu, np.minimum(problem.upper[moving], NO_BOUND) - mu
    coupling = _coupling(problem, still, columns, (lower, upper))
    if coupling is None:
        return None
    rows, low, high, equalities, sources = coupling
    held, kinks = _kinks(problem, sums, columns, (lower, upper), still)
    if kinks is None:
        return None
    buy, sell, up, down, total, limited = kinks
    return Lane(
        moving=moving,
        gain=(problem.growth + problem.premium)[columns],
        loadings=sigma.loadings[columns].T,
        specific=sigma.specific[columns],
        exposure=away @ sigma.loadings if away.any() else np.zeros(sigma.loadings.shape[1]),
        rest=float(away @ (sigma.specific * away)),
        aversion=(variance.factor, variance.specific),
        lower=lower,
        upper=upper,
        rows=rows,
        low=low,
        high=high,
        equalities=equalities,
        limit=cones[0].limit if cones else None,
        held=held,
        buy=buy,
        sell=sell,
        up=up,
        down=down,
        total=total,
        sources=sources,
        sums=limited,
        cone=cones[0] if cones else None,
    )


def _has_form(problem: Problem, cones: list[RiskCone], sums: list[AbsoluteSum]) -> bool:
    """Return whether objective and kinds of rows are those of the common form."""
    if problem.elastic or len(problem.variances) != 1 or not problem.cost.linear or len(cones) > 1:
        return False
    if any(not isinstance(row, LinearRows | RiskCone | AbsoluteSum | Budget) or row.penalty is not None for row in problem.rows):
        return False
    if sum(isinstance(row, Budget) for row in problem.rows) > 1:
        return False
    variance = problem.variances[0]
    sigma = variance.covariance
    if sigma.loadings.shape[1] > MOST_FACTORS or not variance.specific > 0.0 or variance.factor < 0.0:
        return False
    if not same_array(variance.centre, problem.benchmark) or not (sigma.specific[problem.free] > 0.0).all():
        return False
    if cones and not (cones[0].limit > 0.0 and same_array(cones[0].centre, problem.benchmark) and same_covariance(cones[0].covariance, sigma)):
        return False
    centre = problem.held if not problem.cost.free or not sums else sums[0].centre
    return all(same_array(row.centre, centre) for row in sums)


def same_array(a: ndarray, b: ndarray) -> bool:
    """Return whether two arrays are one, or have the same entries."""
    return a is b or bool(np.array_equal(a, b))


def same_covariance(a: FactoredCovariance, b: FactoredCovariance) -> bool:
    """Return whether two covariances are one, or have the same entries."""
    return a is b or (same_array(a.loadings, b.loadings) and same_array(a.specific, b.specific))


_Coupling = tuple["ndarray", "ndarray", "ndarray", int, tuple[RowSource, ...]]


def _coupling(problem: Problem, base: ndarray, columns: ndarray, box: tuple[ndarray, ndarray]) -> _Coupling | None:
    """Return the linear rows that can bind, net of the other names; None where there are too many."""
    found: list[list[ndarray]] = []
    given: list[tuple[LinearRows | Budget | None, ndarray]] = []
    if not any(isinstance(row, Budget) for row in problem.rows):
        left = np.array([1.0 - base.sum()])
        found.append([np.ones((1, len(columns))), left, left])
        given.append((None, np.zeros(1, dtype=np.intp)))
    for row in problem.rows:
        if isinstance(row, Budget):
            invested = float(base.sum())
            found.append([np.ones((1, len(columns))), np.array([1.0 - row.maximum - invested]), np.array([1.0 - row.minimum - invested])])
            given.append((row, np.zeros(1, dtype=np.intp)))
        if isinstance(row, LinearRows):
            kept, *lines = _binding_lines(row.entries, (row.lower, row.upper), base, columns, box)
            if len(kept) > MOST_ROWS:
                return None
            found.append(lines)
            given.append((row, kept))
    rows, low, high = (np.concatenate([part[k] for part in found]) for k in range(3))
    if len(rows) > MOST_ROWS:
        return None
    rows, low, high, equalities, place, size = _in_order(rows, low, high, PINNED)
    sources, start = [], 0
    for source, kept in given:
        stop = start + len(kept)
        sources.append(RowSource(source, kept, place[start:stop], size[start:stop]))
        start = stop
    return rows, low, high, equalities, tuple(sources)


@compiled
def _binding_lines(
    entries: tuple[ndarray, ndarray, ndarray], sides: tuple[ndarray, ndarray], base: ndarray, moving: ndarray, box: tuple[ndarray, ndarray]
) -> tuple[ndarray, ndarray, ndarray, ndarray]:
    """Return the lines ``low <= matrix @ (base + y) <= high`` that the box of y does not keep by itself: which, dense, with finite bounds on y.

    Args:
        entries: of the matrix, as `LinearRows` gives them.
        sides: lower and upper bounds, shape (r,).
        base: weights at y = 0, shape (n,).
        moving: columns of y, shape (m,).
        box: lower and upper bounds of y, shape (m,).
    """
    data, columns, ends = entries
    lines = len(ends) - 1
    place = np.full(len(base), -1)
    for i in range(len(moving)):
        place[moving[i]] = i
    kept, low, high = np.empty(lines, dtype=np.int64), np.empty(lines), np.empty(lines)
    count = 0
    for line in range(lines):
        at, middle, width = 0.0, 0.0, 0.0
        for entry in range(ends[line], ends[line + 1]):
            column, value = columns[entry], data[entry]
            at += value * base[column]
            i = place[column]
            if i >= 0:
                middle += value * (0.5 * (box[0][i] + box[1][i]))
                width += abs(value) * (0.5 * (box[1][i] - box[0][i]))
        least, most = middle - width, middle + width
        below, above = sides[0][line] - at, sides[1][line] - at
        if below > least or above < most:
            margin = width + 1e-6  # a side that cannot bind is put out of reach
            kept[count] = line
            low[count] = below if below > least and below > -np.inf else least - margin
            high[count] = above if above < most and above < np.inf else most + margin
            count += 1
    dense = np.zeros((count, len(moving)))
    for row in range(count):
        for entry in range(ends[kept[row]], ends[kept[row] + 1]):
            i = place[columns[entry]]
            if i >= 0:
                dense[row, i] += data[entry]
    return kept[:count].copy(), dense, low[:count].copy(), high[:count].copy()


@compiled
def _in_order(rows: ndarray, low: ndarray, high: ndarray, pinned: float) -> tuple[ndarray, ndarray, ndarray, int, ndarray, ndarray]:
    """Return rows with a largest entry of one, those of equal bounds first; their bounds, how many are equal, where each row went, what it was divided by.

    Args:
        rows: shape (r, m).
        low: shape (r,).
        high: shape (r,).
        pinned: bounds nearer than this are equal: both become their middle.
    """
    count, names = rows.shape
    size, place, equal = np.empty(count), np.empty(count, dtype=np.int64), 0
    for row in range(count):
        largest = 0.0
        for i in range(names):
            largest = max(largest, abs(rows[row, i]))
        size[row] = largest if largest > 0.0 else 1.0
        equal += high[row] / size[row] - low[row] / size[row] <= pinned
    found, lows, highs = np.empty((count, names)), np.empty(count), np.empty(count)
    first, last = 0, equal
    for row in range(count):
        below, above = low[row] / size[row], high[row] / size[row]
        if above - below <= pinned:
            below = above = 0.5 * (below + above)
            to, first = first, first + 1
        else:
            to, last = last, last + 1
        place[row], lows[to], highs[to] = to, below, above
        for i in range(names):
            found[to, i] = rows[row, i] / size[row]
    return found, lows, highs, equal, place, size


_Kinks = tuple["ndarray", "ndarray", "ndarray", "ndarray", "ndarray", tuple[AbsoluteSum, ...]]


def _kinks(problem: Problem, sums: list[AbsoluteSum], columns: ndarray, box: tuple[ndarray, ndarray], base: ndarray) -> tuple[ndarray, _Kinks | None]:
    """Return where costs and limited sums have their kinks, and their rates; empty where there are none."""
    nothing = np.zeros(0)
    centre = problem.held if not problem.cost.free or not sums else sums[0].centre
    held = centre[columns] - problem.benchmark[columns]
    limited, totals = [], []
    most_up, most_down = float(np.maximum(box[1] - held, 0.0).sum()), float(np.maximum(held - box[0], 0.0).sum())
    away = base - centre
    away[columns] = 0.0
    above, below = float(np.maximum(away, 0.0).sum()), float(np.maximum(-away, 0.0).sum())
    for row in sums:
        total = row.limit - row.up * above - row.down * below
        if row.up * most_up + row.down * most_down > total:
            limited.append(row)
            totals.append(total)
    buy, sell = problem.cost.buy[columns], problem.cost.sell[columns]
    if not limited and not (buy.any() or sell.any()):
        return nothing, (nothing, nothing, nothing, nothing, nothing, ())
    if not limited and not (buy + sell > 0.0).all():
        return nothing, None
    up, down = np.array([row.up for row in limited]), np.array([row.down for row in limited])
    if limited and not ((buy + sell > 0.0).all() or (up + down > 0.0).any()):
        return nothing, None
    return held, (buy, sell, up, down, np.array(totals), tuple(limited))
