"""The common form of a Problem as a few dense arrays: one variance, at most one risk cone of the same covariance, few coupling rows, one cost kink a name.

In ``y = w - benchmark`` of the names that can move, with factor exposures ``f = B'y + e`` (e: of all others)::

    minimise    (a_f f'f + a_s y'Dy) / 2 - g'y + sum_i buy_i (y_i - h_i)^+ + sell_i (h_i - y_i)^+
    subject to  lower <= y <= upper,   low <= A y <= high,   f'f + y'Dy + rest <= limit^2,
                up_j sum (y - h)^+ + down_j sum (h - y)^+ <= total_j
"""

from __future__ import annotations

__all__ = ["Lane", "lane_of", "same_array", "same_covariance"]

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gammastar.core.compiled import compiled
from gammastar.core.rows import AbsoluteSum, Budget, LinearRows, RiskCone
from gammastar.optimise.lines import plain

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from numpy import ndarray

    from gammastar.core.covariance import FactoredCovariance
    from gammastar.optimise.lines import Lines
    from gammastar.optimise.problem import Problem

MOST_ROWS, MOST_FACTORS = 60, 200
"""Beyond these the work of a step, which grows with their square, is no longer small."""
PINNED = 1e-12
"""Bounds nearer than this leave a name no room: it stands in their middle."""
NO_BOUND = 2.0
"""Stands for no upper bound: no weight of a long-only portfolio comes near it."""

_Three = tuple["ndarray", "ndarray", "ndarray"]
_Four = tuple["ndarray", "ndarray", "ndarray", "ndarray"]
_Five = tuple["ndarray", "ndarray", "ndarray", "ndarray", "ndarray"]


@dataclass(frozen=True, eq=False)
class Lane:
    """Arrays of the common form; see the module's formula.

    Args:
        moving: positions among the free names of those that can move, shape (m,).
        gain: g, shape (m,).
        columns: (B', A') by name, shape (m, k + r); each row of A has a largest entry of one, and equalities come first.
        specific: D, shape (m,).
        exposure: e, shape (k,).
        rest: specific variance of the names that cannot move.
        aversion: (a_f, a_s).
        lower: shape (m,).
        upper: shape (m,).
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
        lines: of all linear rows of the problem, one after the other.
        kept: which of them can bind, shape (r - 1,).
        place: where the budget stands among the rows, and after it each line kept, shape (r,).
        size: what each was divided by, shape (r,).
        sums: limited sums, in order.
    """

    moving: Int[ndarray, " m"]
    gain: Float[ndarray, " m"]
    columns: Float[ndarray, "m kr"]
    specific: Float[ndarray, " m"]
    exposure: Float[ndarray, " k"]
    rest: float
    aversion: tuple[float, float]
    lower: Float[ndarray, " m"]
    upper: Float[ndarray, " m"]
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
    lines: Lines
    kept: Int[ndarray, " kept"]
    place: Int[ndarray, " r"]
    size: Float[ndarray, " r"]
    sums: tuple[AbsoluteSum, ...]

    @property
    def loadings(self) -> Float[ndarray, "k m"]:
        """B'."""
        return self.columns[:, : len(self.exposure)].T

    @property
    def rows(self) -> Float[ndarray, "r m"]:
        """A."""
        return self.columns[:, len(self.exposure) :].T


def lane_of(problem: Problem) -> Lane | None:
    """Return the problem in the common form, or None where it has another."""
    cones = [row for row in problem.rows if isinstance(row, RiskCone)]
    sums = [row for row in problem.rows if isinstance(row, AbsoluteSum)]
    if not _has_form(problem, cones, sums):
        return None
    variance, cost, lines = problem.variances[0], problem.cost, problem.lines
    centre = sums[0].centre if sums and cost.free else problem.held
    limits = np.array([(row.up, row.down, row.limit) for row in sums]).reshape(-1, 3)
    fits, moving, names, coupling, places, kinks, limited, totals = _built(
        (problem.free, problem.lower, problem.upper),
        (problem.fixed, plain(problem.benchmark), problem.growth, problem.premium, 1.0 - problem.cash[1], 1.0 - problem.cash[0]),
        (variance.covariance.loadings, variance.covariance.specific),
        (lines.data, lines.columns, lines.ends, lines.low, lines.high),
        (plain(centre), plain(cost.buy), plain(cost.sell)),
        limits,
    )
    if not fits:
        return None
    gain, specific, lower, upper = names
    columns, exposure, rest, low, high, equalities = coupling
    held, buy, sell = kinks
    kept, place, size = places
    return Lane(
        moving=moving,
        gain=gain,
        columns=columns,
        specific=specific,
        exposure=exposure,
        rest=rest,
        aversion=(variance.factor, variance.specific),
        lower=lower,
        upper=upper,
        low=low,
        high=high,
        equalities=equalities,
        limit=cones[0].limit if cones else None,
        held=held,
        buy=buy,
        sell=sell,
        up=limits[limited, 0],
        down=limits[limited, 1],
        total=totals,
        lines=lines,
        kept=kept,
        place=place,
        size=size,
        sums=tuple(sums[j] for j in limited.tolist()),
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
    if not same_array(variance.centre, problem.benchmark):
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


@compiled
def _built(
    names: tuple[ndarray, ndarray, ndarray],
    assets: tuple[ndarray, ndarray, ndarray, float, float, float],
    sigma: tuple[ndarray, ndarray],
    lines: tuple[ndarray, ndarray, ndarray, ndarray, ndarray],
    kinks: tuple[ndarray, ndarray, ndarray],
    sums: ndarray,
) -> tuple[bool, ndarray, _Four, tuple[ndarray, ndarray, float, ndarray, ndarray, int], _Three, _Three, ndarray, ndarray]:
    """Return whether the arrays have the common form, and what a `Lane` holds of them.

    Args:
        names: free names and their lower and upper bounds, shape (f,).
        assets: weights of the others, benchmark, growth, each of shape (n,), the premium of cash, and the least and the most that may be invested.
        sigma: loadings, shape (n, k), and specific variances, shape (n,).
        lines: as in `Lines`.
        kinks: centre of trades, rates of buying and of selling, shape (n,).
        sums: weight of what is above the centre and below it, and limit, of each limited sum, shape (q, 3).
    """
    (free, floor, cap), (fixed, mu, growth, premium, least, most), (loadings, own) = names, assets, sigma
    n, k = loadings.shape
    base, moving, fits, m = fixed.copy(), np.empty(len(free), dtype=np.int64), True, 0
    for j in range(len(free)):
        i = free[j]
        fits = fits and own[i] > 0.0
        if cap[j] - floor[j] > PINNED:
            moving[m], base[i] = j, mu[i]
            m += 1
        else:
            base[i] = 0.5 * (floor[j] + cap[j])
    moving = moving[:m].copy()
    exposure, rest, invested = np.zeros(k), 0.0, 0.0
    for i in range(n):
        invested += base[i]
        away = base[i] - mu[i]
        if away != 0.0:
            rest += away * away * own[i]
            for a in range(k):
                exposure[a] += away * loadings[i, a]
    gain, specific, lower, upper = np.empty(m), np.empty(m), np.empty(m), np.empty(m)
    place = np.full(n, -1)
    for j in range(m):
        i = free[moving[j]]
        place[i] = j
        gain[j], specific[j] = growth[i] + premium, own[i]
        lower[j], upper[j] = floor[moving[j]] - mu[i], min(cap[moving[j]], NO_BOUND) - mu[i]
    kept, low, high = _binding(lines, base, place, (lower, upper))
    low[0], high[0] = least - invested, most - invested
    size = np.ones(len(low))
    for row in range(len(kept)):
        largest = _largest_entry(lines, kept[row], place)
        size[row + 1] = largest if largest > 0.0 else 1.0
    equalities, where = _in_order(low, high, size)
    columns = np.zeros((m, k + len(low)))
    for j in range(m):
        columns[j, :k] = loadings[free[moving[j]]]
        columns[j, k + where[0]] = 1.0
    _fill(columns[:, k:], lines, place, (kept, where, size))
    costed, held, limited, totals = _kinks((free, moving), (base, mu), place, (lower, upper), kinks, sums)
    fits = fits and costed and m > 0 and len(low) <= MOST_ROWS
    return fits, moving, (gain, specific, lower, upper), (columns, exposure, rest, low, high, equalities), (kept, where, size), held, limited, totals


@compiled
def _binding(lines: _Five, base: ndarray, place: ndarray, box: tuple[ndarray, ndarray]) -> _Three:
    """Return the lines ``low <= matrix @ (base + y) <= high`` that the box of y does not keep by itself, with finite bounds on ``matrix @ y``.

    The first bounds are left free for the budget.

    Args:
        lines: as in `Lines`.
        base: weights at y = 0, shape (n,).
        place: of each asset in y, -1 where it does not move, shape (n,).
        box: lower and upper bounds of y, shape (m,).
    """
    data, columns, ends, floor, cap = lines
    kept, low, high = np.empty(len(floor), dtype=np.int64), np.empty(len(floor) + 1), np.empty(len(floor) + 1)
    count = 0
    for line in range(len(floor)):
        at, middle, width = 0.0, 0.0, 0.0
        for entry in range(ends[line], ends[line + 1]):
            column, value = columns[entry], data[entry]
            at += value * base[column]
            j = place[column]
            if j >= 0:
                middle += value * (0.5 * (box[0][j] + box[1][j]))
                width += abs(value) * (0.5 * (box[1][j] - box[0][j]))
        least, most = middle - width, middle + width
        below, above = floor[line] - at, cap[line] - at
        if below > least or above < most:
            margin = width + 1e-6  # a side that cannot bind is put out of reach
            kept[count] = line
            count += 1
            low[count] = below if below > least and below > -np.inf else least - margin
            high[count] = above if above < most and above < np.inf else most + margin
    return kept[:count].copy(), low[: count + 1].copy(), high[: count + 1].copy()


@compiled
def _fill(rows: ndarray, lines: _Five, place: ndarray, places: _Three) -> None:
    """Write the lines kept into the columns they go to, each divided by its size; `places` are those of the lane, `rows` is (m, r)."""
    kept, where, size = places
    for row in range(len(kept)):
        for entry in range(lines[2][kept[row]], lines[2][kept[row] + 1]):
            j = place[lines[1][entry]]
            if j >= 0:
                rows[j, where[row + 1]] += lines[0][entry] / size[row + 1]


@compiled
def _largest_entry(lines: _Five, line: int, place: ndarray) -> float:
    """Return the largest absolute value of a line over names that move."""
    largest = 0.0
    for entry in range(lines[2][line], lines[2][line + 1]):
        if place[lines[1][entry]] >= 0:
            largest = max(largest, abs(lines[0][entry]))
    return largest


@compiled
def _in_order(low: ndarray, high: ndarray, size: ndarray) -> tuple[int, ndarray]:
    """Divide bounds by `size` and put those that are equal first, in place; return how many are equal, and where each went."""
    count, equal = len(low), 0
    for row in range(count):
        low[row], high[row] = low[row] / size[row], high[row] / size[row]
        equal += high[row] - low[row] <= PINNED
    lows, highs, where = low.copy(), high.copy(), np.empty(count, dtype=np.int64)
    first, last = 0, equal
    for row in range(count):
        if highs[row] - lows[row] <= PINNED:
            where[row] = first
            low[first] = high[first] = 0.5 * (lows[row] + highs[row])
            first += 1
        else:
            where[row] = last
            low[last], high[last] = lows[row], highs[row]
            last += 1
    return equal, where


@compiled
def _kinks(
    names: tuple[ndarray, ndarray], weights: tuple[ndarray, ndarray], place: ndarray, box: tuple[ndarray, ndarray], kinks: _Three, sums: ndarray
) -> tuple[bool, _Three, ndarray, ndarray]:
    """Return whether costs and limited sums have the common form, where they have their kinks and their rates, which sums can bind, and their limits.

    Kinks and rates are empty where there are none.
    """
    (free, moving), (base, mu), (centre, buying, selling) = names, weights, kinks
    m = len(moving)
    held, buy, sell = np.empty(m), np.empty(m), np.empty(m)
    most_up, most_down, above, below = 0.0, 0.0, 0.0, 0.0
    some, every = False, True
    for j in range(m):
        i = free[moving[j]]
        held[j], buy[j], sell[j] = centre[i] - mu[i], buying[i], selling[i]
        most_up += max(box[1][j] - held[j], 0.0)
        most_down += max(held[j] - box[0][j], 0.0)
        some = some or buy[j] != 0.0 or sell[j] != 0.0
        every = every and buy[j] + sell[j] > 0.0
    limited, totals = np.empty(len(sums), dtype=np.int64), np.empty(len(sums))
    count, felt = 0, False
    if len(sums):
        for i in range(len(base)):
            if place[i] < 0:
                above += max(base[i] - centre[i], 0.0)
                below += max(centre[i] - base[i], 0.0)
    for q in range(len(sums)):
        up, down, limit = sums[q]
        total = limit - up * above - down * below
        if up * most_up + down * most_down > total:
            limited[count], totals[count] = q, total
            count += 1
            felt = felt or up + down > 0.0
    if count == 0 and not some:
        held, buy, sell = np.empty(0), np.empty(0), np.empty(0)
    fits = every or felt or not (some or count > 0)
    return fits, (held, buy, sell), limited[:count].copy(), totals[:count].copy()
