"""The loops of `gammastar.optimise.problem`, `lane` and `certify` over names, compiled.

Arrays must be contiguous
and writeable, or the code is compiled once more for theirs.
"""

from __future__ import annotations

__all__ = ["Entries", "binding_lines", "choose", "gained", "in_order", "priced_lines", "reach_of_trades"]

import numpy as np
from numpy import ndarray

from gammastar.core.compiled import compiled

Entries = tuple[ndarray, ndarray, ndarray]
"""Of a sparse matrix, line by line: the values, the column of each, and where each line begins and ends, shape (r + 1,)."""


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


@compiled
def binding_lines(
    entries: Entries, sides: tuple[ndarray, ndarray], base: ndarray, moving: ndarray, box: tuple[ndarray, ndarray]
) -> tuple[ndarray, ndarray, ndarray, ndarray]:
    """Return the lines ``low <= matrix @ (base + y) <= high`` that the box of y does not keep by itself: which, dense, with finite bounds on y.

    Args:
        entries: of the matrix.
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
def in_order(rows: ndarray, low: ndarray, high: ndarray, pinned: float) -> tuple[ndarray, ndarray, ndarray, int, ndarray, ndarray]:
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


@compiled
def reach_of_trades(held: ndarray, away: ndarray, columns: ndarray, lower: ndarray, upper: ndarray) -> tuple[float, float, float, float]:
    """Return the most that the names at `columns` can buy and sell, and what is held above and below by all others.

    Args:
        held: of those names, in y, shape (m,).
        away: of all names, from the centre, shape (n,); it is set to zero at `columns`.
        columns: shape (m,).
        lower: of y, shape (m,).
        upper: shape (m,).
    """
    up, down, above, below = 0.0, 0.0, 0.0, 0.0
    for i in range(len(held)):
        up += max(upper[i] - held[i], 0.0)
        down += max(held[i] - lower[i], 0.0)
        away[columns[i]] = 0.0
    for each in away:
        above += max(each, 0.0)
        below += max(-each, 0.0)
    return up, down, above, below


@compiled
def priced_lines(entries: Entries, weights: ndarray, pull: ndarray, lines: tuple[ndarray, ndarray, ndarray]) -> tuple[float, float]:
    """Return price times distance to the bound it belongs to, summed over lines, and by how much bounds are missed; add ``matrix' price`` to `pull`.

    Args:
        entries: of the matrix.
        weights: shape (n,).
        pull: shape (n,).
        lines: price, lower and upper bound of each line, shape (r,).
    """
    data, columns, ends = entries
    price, low, high = lines
    slack, missed = 0.0, 0.0
    for line in range(len(price)):
        value = 0.0
        for entry in range(ends[line], ends[line + 1]):
            value += data[entry] * weights[columns[entry]]
            pull[columns[entry]] += data[entry] * price[line]
        slack += abs(price[line] * ((high[line] - value) if price[line] > 0.0 else (value - low[line]))) if price[line] != 0.0 else 0.0
        missed = max(missed, low[line] - value, value - high[line])
    return slack, missed


@compiled
def gained(slope: ndarray, sharp: ndarray, stands: tuple[ndarray, ndarray], rates: tuple[ndarray, ndarray], bounds: tuple[ndarray, ndarray]) -> tuple[float, float]:
    """Return the most that names can gain in sum, of ``slope d - sharp d^2 / 2 - change of cost`` between their bounds, and by how much bounds are missed.

    Args:
        slope: shape (m,).
        sharp: curvature, shape (m,).
        stands: weight now, and where the cost has its kink, each of shape (m,).
        rates: of buying and of selling.
        bounds: lower and upper.
    """
    here, centre = stands
    up, down = rates
    lower, upper = bounds
    total, missed = 0.0, 0.0
    for i in range(len(slope)):
        bought, sold = here[i] + (slope[i] - up[i]) / sharp[i], here[i] + (slope[i] + down[i]) / sharp[i]
        best = bought if bought > centre[i] else sold if sold < centre[i] else centre[i]
        best = min(max(best, lower[i]), upper[i])
        move, before, after = best - here[i], here[i] - centre[i], best - centre[i]
        paid = (up[i] if after > 0.0 else -down[i]) * after - (up[i] if before > 0.0 else -down[i]) * before
        gain = slope[i] * move - 0.5 * sharp[i] * move * move - paid
        if not gain <= 0.0:  # what is no number is told
            total += gain
        missed = max(missed, lower[i] - here[i], here[i] - upper[i])
    return total, missed
