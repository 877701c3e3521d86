"""The loops of `gammastar.optimise.newton`, compiled: a step at 500 names takes some 25 microseconds.

numba's cache looks at one file for what has changed, so what is compiled into one function stands here together. Arrays of a lane are passed as they are in
`gammastar.optimise.lane`; ``p = k + r + q`` prices stand one after the other: factors, rows, limited sums.
"""

from __future__ import annotations

__all__ = ["search"]

import math
from typing import NamedTuple

import numpy as np
from numpy import ndarray

from gammastar.core.compiled import compiled

_Three = tuple[ndarray, ndarray, ndarray]
_Four = tuple[ndarray, ndarray, ndarray, ndarray]
_Six = tuple[ndarray, ndarray, ndarray, ndarray, ndarray, ndarray]

STEPS, PATIENCE = 30, 10
"""Newton steps, and steps without halving what the couplings miss, after which the interior point is the better way."""
MISSED, RISK = 1e-12, 1e-12
"""Good enough: by which couplings are missed, in weight; the squared risk, relative to its limit."""
FIRST, RATIO, CURVED = 12, 1.5, 0.2
"""Tries at the first kappa; it is enough where specific risk squared is below so many times the limit's and such a part of the names off their bounds."""
GROW = 3.0
"""How much 1 / sigma may grow in one step."""
SEARCH, FLAT, STEEP, SHORT = 10, 0.1, 0.7, 0.05
"""Points tried on one line; parts of the first derivative, below zero and above, at which its end is near enough; length below which a step was short."""
REGULAR, LEAN, MOST = 1e-10, 1e-3, 1e-2
"""Damping, in parts of the Hessian with all names free: the least; of a coupling that few free names move; the most after short steps."""
ROUNDS = 6
"""Tries at which prices of inequalities are held at zero."""
LEAST_AVERSION = 1e-10
"""Stands for no aversion to factor risk at all."""


class Form(NamedTuple):
    """A lane, whose arrays and numbers it has (`gammastar.optimise.lane.Lane`), and what does not change from step to step.

    Args:
        columns: (B', A') by name, shape (m, k + r).
        root: ``1 / sqrt(D)``, shape (m,).
        whole: diagonal of the Hessian with all names free, times sigma, shape (p,).
        factor, least: the aversions to factor and to specific risk; the latter is the least sigma.
        squared: the limit of risk squared; infinite without one.
    """

    columns: ndarray
    root: ndarray
    whole: ndarray
    gain: ndarray
    specific: ndarray
    lower: ndarray
    upper: ndarray
    held: ndarray
    buy: ndarray
    sell: ndarray
    exposure: ndarray
    low: ndarray
    high: ndarray
    up: ndarray
    down: ndarray
    total: ndarray
    equalities: int
    factor: float
    least: float
    squared: float
    rest: float


class At(NamedTuple):
    """Prices with the weights that belong to them.

    Args:
        price: shape (p,).
        kappa: of half the squared risk.
        pull: v, shape (m,).
        y: shape (m,).
        side: 0 for a name at a bound or a kink, 1 for one bought or without kinks, -1 for one sold, shape (m,).
        f: ``phi / theta``, shape (k,).
        missed: derivative of the dual by each price, shape (p,).
        risk: squared.
        worst: by how much a coupling is missed at most.
    """

    price: ndarray
    kappa: float
    pull: ndarray
    y: ndarray
    side: ndarray
    f: ndarray
    missed: ndarray
    risk: float
    worst: float


class Model(NamedTuple):
    """The couplings as linear functions of prices over sigma and of ``nu = 1 / sigma``, as long as the free names stay free.

    Args:
        products: of the columns of the free names, of their slopes and of their weights, shape (p + 2, p + 2).
        matrix: the damped Hessian times sigma, shape (p, p).
        right: what is missed, and its change with nu, shape (2, p).
        scaled: prices over sigma, shape (p,).
        sigma: ``least + kappa``.
        ratio: ``sigma / theta``.
        tilt: ``ratio (a_f - a_s)``.
    """

    products: ndarray
    matrix: ndarray
    right: ndarray
    scaled: ndarray
    sigma: float
    ratio: float
    tilt: float


@compiled
def _form(columns: ndarray, names: _Four, kinks: _Three, sides: _Six, scalars: tuple[int, float, float, float, float]) -> Form:
    """Return the form of a lane's arrays."""
    gain, specific, lower, upper = names
    held, buy, sell = kinks
    exposure, low, high, up, down, total = sides
    equalities, factor, least, squared, rest = scalars
    m, c = columns.shape
    whole, root = np.zeros(c + len(up)), np.empty(m)
    every = 0.0
    for i in range(m):
        over = 1.0 / math.sqrt(specific[i])
        inverse = over * over
        root[i] = over
        every += inverse
        for j in range(c):
            whole[j] += columns[i, j] * columns[i, j] * inverse
    whole[c:] = every
    return Form(columns, root, whole, gain, specific, lower, upper, held, buy, sell, exposure, low, high, up, down, total,
                equalities, factor, least, squared, rest)  # fmt: skip


@compiled
def _at(form: Form, price: ndarray, kappa: float, pull: ndarray) -> At:
    """Return the weights at given prices, which names are free and what the couplings miss."""
    m, k, r, q = len(form.gain), len(form.exposure), len(form.low), len(form.up)
    sigma, theta = form.least + kappa, max(form.factor + kappa, LEAST_AVERSION)
    extra_up, extra_down = 0.0, 0.0
    for j in range(q):
        extra_up += price[k + r + j] * form.up[j]
        extra_down += price[k + r + j] * form.down[j]
    kinked = len(form.held) > 0
    y, side = np.empty(m), np.empty(m, dtype=np.int8)
    rising, falling, own, over = 0.0, 0.0, 0.0, 1.0 / sigma
    for i in range(m):
        blunt = over * form.root[i] * form.root[i]
        if kinked:
            raw = min(max(form.held[i], (pull[i] - form.buy[i] - extra_up) * blunt), (pull[i] + form.sell[i] + extra_down) * blunt)
            where = 1 if raw > form.held[i] else -1 if raw < form.held[i] else 0
        else:
            raw, where = pull[i] * blunt, 1
        weight = min(max(raw, form.lower[i]), form.upper[i])
        y[i] = weight
        side[i] = where if weight == raw else 0
        own += form.specific[i] * weight * weight
        if q:
            traded = weight - form.held[i]
            if traded > 0.0:
                rising += traded
            else:
                falling -= traded
    act, missed, f = np.dot(y, form.columns), np.empty(len(price)), np.empty(k)
    common, worst = 0.0, 0.0
    for j in range(k):
        f[j] = price[j] / theta
        common += f[j] * f[j]
        missed[j] = act[j] + form.exposure[j] - f[j]
    for j in range(r):
        there, asked = act[k + j], price[k + j]
        aim = form.high[j] if asked > 0.0 else form.low[j] if asked < 0.0 else min(max(there, form.low[j]), form.high[j])
        missed[k + j] = there - aim
    for j in range(q):
        beyond = form.up[j] * rising + form.down[j] * falling - form.total[j]
        missed[k + r + j] = beyond if price[k + r + j] > 0.0 else max(beyond, 0.0)
    for each in missed:
        if not abs(each) <= worst:  # what is no number is the worst
            worst = abs(each)
    return At(price, kappa, pull, y, side, f, missed, common + own + form.rest, worst)


@compiled
def _settled(form: Form, at: At) -> bool:
    """Return whether the couplings hold."""
    if not at.worst <= MISSED:
        return False
    over = (at.risk - form.squared) / form.squared if form.squared < np.inf else -1.0
    return over <= RISK and (at.kappa == 0.0 or over >= -RISK)


@compiled
def _model(form: Form, at: At, damping: float) -> Model:
    """Return the model at a point, damped in parts of the Hessian with all names free."""
    k, c, q, p = len(form.exposure), form.columns.shape[1], len(form.up), len(at.price)
    sigma = form.least + at.kappa
    ratio = sigma / max(form.factor + at.kappa, LEAST_AVERSION)
    tilt = ratio * (form.factor - form.least)
    kinked, count = len(form.held) > 0, 0
    for side in at.side:
        count += side != 0
    half = np.empty((count, p + 2))
    row = 0
    for i in range(len(at.side)):
        side = at.side[i]
        if side == 0:
            continue
        root = form.root[i]
        for j in range(c):
            half[row, j] = form.columns[i, j] * root
        for j in range(q):
            half[row, c + j] = (form.up[j] if side > 0 else -form.down[j]) * root
        rate = 0.0 if not kinked else form.buy[i] if side > 0 else -form.sell[i]
        half[row, p] = (form.gain[i] - rate) * root
        half[row, p + 1] = at.y[i] / root
        row += 1
    products = np.dot(half.T, half)
    matrix = products[:p, :p].copy()
    right = np.empty((2, p))
    lean = min(LEAN, max(REGULAR, at.worst))
    for j in range(p):
        right[0, j], right[1, j] = at.missed[j], products[p, j]
        diagonal = matrix[j, j]
        if j < k:
            diagonal += ratio
            right[1, j] += tilt * at.f[j]
        matrix[j, j] = diagonal + max(form.whole[j] * lean - diagonal, damping * form.whole[j])
    return Model(products, matrix, right, at.price / sigma, sigma, ratio, tilt)


@compiled
def _factored(matrix: ndarray) -> bool:
    """Turn a symmetric matrix into its upper Cholesky root in place, row by row; return whether it has one."""
    p = len(matrix)
    for a in range(p):
        row, done = matrix[a], a - a % 4
        for t in range(0, done, 4):  # four at a time, or most of the time goes into beginning short loops
            one, two, three, four = matrix[t, a], matrix[t + 1, a], matrix[t + 2, a], matrix[t + 3, a]
            for c in range(a, p):
                row[c] -= one * matrix[t, c] + two * matrix[t + 1, c] + three * matrix[t + 2, c] + four * matrix[t + 3, c]
        for t in range(done, a):
            one = matrix[t, a]
            for c in range(a, p):
                row[c] -= one * matrix[t, c]
        if not row[a] > 0.0:
            return False
        over = 1.0 / math.sqrt(row[a])
        for c in range(a, p):
            row[c] *= over
    return True


@compiled
def _solved(root: ndarray, right: ndarray) -> None:
    """Solve in place for both lines of `right`, given the upper Cholesky root."""
    p = len(root)
    first, second = right[0], right[1]
    for a in range(p):
        over = 1.0 / root[a, a]
        one, two = first[a] * over, second[a] * over
        first[a], second[a] = one, two
        for b in range(a + 1, p):
            first[b] -= root[a, b] * one
            second[b] -= root[a, b] * two
    for a in range(p - 1, -1, -1):
        one, two = first[a], second[a]
        for b in range(a + 1, p):
            one -= root[a, b] * first[b]
            two -= root[a, b] * second[b]
        first[a], second[a] = one / root[a, a], two / root[a, a]


@compiled
def _times(matrix: ndarray, vectors: ndarray) -> ndarray:
    """Return the first p rows and columns of a symmetric matrix times two vectors, shape (2, p)."""
    p = vectors.shape[1]
    found = np.zeros((2, p))
    for b in range(p):
        one, two = vectors[0, b], vectors[1, b]
        for a in range(p):
            found[0, a] += matrix[b, a] * one
            found[1, a] += matrix[b, a] * two
    return found


@compiled
def _larger_root(a: float, b: float, c: float) -> float:
    """Return the larger root of ``a x^2 + 2 b x + c``, or where it is least."""
    if a <= 0.0:
        return 0.0
    inner = b * b - a * c
    if inner <= 0.0:
        return -b / a
    return (math.sqrt(inner) - b) / a if b <= 0.0 else -c / (math.sqrt(inner) + b)


@compiled
def _turn(form: Form, at: At, model: Model, moves: ndarray) -> float:
    """Return nu at which the risk limit is met, within reach of the present one."""
    k, p = len(at.f), len(at.price)
    products = model.products
    bent00, bent01, bent11 = 0.0, 0.0, 0.0
    along0, along1, own0, own1 = 0.0, 0.0, 0.0, 0.0
    bent = _times(products, moves)
    for a in range(p):
        bent00 += moves[0, a] * bent[0, a]
        bent01 += moves[0, a] * bent[1, a]
        bent11 += moves[1, a] * bent[1, a]
        along0 += moves[0, a] * products[p, a]
        along1 += moves[1, a] * products[p, a]
        own0 += moves[0, a] * products[p + 1, a]
        own1 += moves[1, a] * products[p + 1, a]
    f00, f01, f11, common = 0.0, 0.0, 0.0, 0.0
    for j in range(k):
        first, second = moves[0, j] * model.ratio + at.f[j], moves[1, j] * model.ratio - model.tilt * at.f[j]
        f00 += first * first
        f01 += first * second
        f11 += second * second
        common += at.f[j] * at.f[j]
    aa, ao, oo = products[p, p], products[p, p + 1], products[p + 1, p + 1]
    rest = at.risk - common - oo - form.squared
    found = _larger_root(aa - 2.0 * along1 + bent11 + f11, ao - along0 - own1 + bent01 + f01, oo - 2.0 * own0 + bent00 + f00 + rest)
    nu = 1.0 / model.sigma
    return min(max(nu + found, 0.2 * nu), GROW * nu, 1.0 / form.least)


@compiled
def _aim(form: Form, at: At, model: Model, outside: ndarray, fixed: bool) -> tuple[bool, ndarray, float, ndarray]:  # noqa: FBT001 - compiled functions take all by position
    """Return the prices and kappa where the couplings hold, but for those `outside`, whose prices are zero, and what the couplings then miss.

    The first value is False where the damped Hessian has no root.
    """
    p = len(at.price)
    inside = np.flatnonzero(~outside)
    count, moves = len(inside), np.zeros((2, p))
    small, right = np.empty((count, count)), np.empty((2, count))
    for j in range(p):
        if outside[j]:
            moves[0, j] = -model.scaled[j]
    for a in range(count):
        row, to_right = model.matrix[inside[a]], model.right[0, inside[a]]
        for j in range(p):
            to_right -= row[j] * moves[0, j]
        right[0, a], right[1, a] = to_right, model.right[1, inside[a]]
        for b in range(count):
            small[a, b] = row[inside[b]]
    if not _factored(small):
        return False, moves[0], 0.0, moves[1]
    _solved(small, right)
    for a in range(count):
        moves[0, inside[a]], moves[1, inside[a]] = right[0, a], right[1, a]
    nu = 1.0 / model.sigma
    to = nu if fixed else _turn(form, at, model, moves)
    kappa = at.kappa if to == nu else 0.0 if to * form.least >= 1.0 else 1.0 / to - form.least
    price, left, turned = np.empty(p), np.empty(p), to - nu
    for j in range(p):
        moves[0, j] += turned * moves[1, j]
    moved = _times(model.matrix, moves)
    for j in range(p):
        price[j] = 0.0 if outside[j] else (model.scaled[j] + moves[0, j]) * (form.least + kappa)
        left[j] = model.right[0, j] + turned * model.right[1, j] - moved[0, j]
    return True, price, kappa, left


@compiled
def _rise(form: Form, at: At, way: ndarray, turn: float) -> float:
    """Return the derivative of the dual at a point along a direction."""
    total = 0.5 * (at.risk - form.squared) * turn if turn != 0.0 else 0.0
    for j in range(len(way)):
        total += at.missed[j] * way[j]
    return total


@compiled
def _ahead(form: Form, at: At, damping: float, fixed: bool) -> tuple[bool, ndarray, float, float]:  # noqa: FBT001 - compiled functions take all by position
    """Return a direction in the prices and in kappa along which the dual rises, and how far it may be followed; False first where there is none.

    Prices of inequalities that would change sign are first held at zero. If the dual does not rise that way, only those that are zero already are, and
    the way ends where the first of the others comes to zero.
    """
    k, p = len(form.exposure), len(at.price)
    model = _model(form, at, damping)
    now, side = at.price, np.zeros(p)
    idle = np.zeros(p, dtype=np.bool_)
    first = k + form.equalities  # the inequalities follow
    for j in range(first, p):
        side[j] = now[j] if now[j] != 0.0 else at.missed[j]
        idle[j] = side[j] == 0.0
    for bold in (True, False):
        out = idle.copy()
        for turn_of in range(ROUNDS):
            answered, price, kappa, left = _aim(form, at, model, out, fixed)
            if not answered:
                return False, at.price, 0.0, 0.0
            change = False
            longest = 1.0
            following = out.copy()
            for j in range(first, p):
                crossed = price[j] * side[j] < 0.0
                held = crossed and (bold or now[j] == 0.0)
                freed = turn_of > 0 and out[j] and not idle[j] and left[j] * side[j] > 0.0
                if crossed:
                    longest = min(longest, now[j] / (now[j] - price[j]))
                if held or freed:
                    change = True
                    following[j] = held
            if not change:
                way, turn = price - now, kappa - at.kappa
                if _rise(form, at, way, turn) <= 0.0:
                    break
                return True, way, turn, longest
            out = following
    return False, at.price, 0.0, 0.0


@compiled
def _pull(form: Form, price: ndarray) -> ndarray:
    """Return v: gain less prices."""
    return np.asarray(form.gain - np.dot(form.columns, price[: form.columns.shape[1]]))


@compiled
def _softer(form: Form, at: At) -> At:
    """Return the point with less of a kappa that only keeps names off their bounds for a start; prices stay as they are against sigma."""
    before = form.least + at.kappa
    sigma = before / GROW if before > 1.2 * GROW * form.least else form.least
    price = at.price * (sigma / before)
    return _at(form, price, sigma - form.least, _pull(form, price))


@compiled
def _line(form: Form, at: At, way: ndarray, turn: float, longest: float) -> tuple[At, float]:
    """Return a point along a direction, at most `longest` away, where the dual's derivative along it is small, and the length to it."""
    first = _rise(form, at, way, turn)
    swing = -np.dot(form.columns, way[: form.columns.shape[1]])
    low, high, length = 0.0, longest, longest
    rise_low, rise_high, kept = first, 0.0, at
    for _ in range(SEARCH):
        there = at.price + length * way
        if length == longest:
            for j in range(len(form.exposure) + form.equalities, len(there)):
                if abs(there[j]) <= 1e-13 * abs(at.price[j]):
                    there[j] = 0.0
        found = _at(form, there, at.kappa + length * turn, at.pull + length * swing)
        rise = _rise(form, found, way, turn)
        if rise >= -FLAT * first and (rise <= STEEP * first or length == longest):
            return found, length
        if rise > 0.0:
            low, rise_low, kept = length, rise, found
        else:
            high, rise_high = length, rise
        length = low + (high - low) * min(max(rise_low / (rise_low - rise_high), 0.1), 0.5)
    return kept, low


@compiled
def _first_kappa(form: Form, pull: ndarray) -> float:
    """Return a kappa to start from: with specific risk alone the limit about holds, and enough names are off their bounds.

    Too much is better than too little: on the way down names come to their bounds one after the other, and the steps stay good.
    """
    sigma, kinked = form.least, len(form.held) > 0
    ideal, wanted = np.empty(len(pull)), 0.0
    for i in range(len(pull)):
        moved = max(pull[i] - form.buy[i], 0.0) + min(pull[i] + form.sell[i], 0.0) if kinked else pull[i]
        ideal[i] = moved / form.specific[i]
        wanted += CURVED * (moved != 0.0)
    for _ in range(FIRST):
        squared, off = 0.0, 0
        for i in range(len(pull)):
            y = min(max(ideal[i] / sigma, form.lower[i]), form.upper[i])
            squared += form.specific[i] * y * y
            off += ideal[i] != 0.0 and abs(y * sigma - ideal[i]) <= 1e-9 * abs(ideal[i])
        ratio = squared / form.squared
        if ratio <= RATIO and off >= wanted:
            break
        sigma *= min(max(math.sqrt(ratio), 2.0), 4.0)
    return sigma - form.least


@compiled
def _bounds(form: Form, at: At) -> tuple[ndarray, ndarray]:
    """Return the multipliers of upper and lower bounds: what is left of the slope, net of the cost of trading on."""
    m, k, r, q = len(form.gain), len(form.exposure), len(form.low), len(form.up)
    extra_up, extra_down = 0.0, 0.0
    for j in range(q):
        extra_up += at.price[k + r + j] * form.up[j]
        extra_down += at.price[k + r + j] * form.down[j]
    upper, lower = np.zeros(m), np.zeros(m)
    for i in range(m):
        slope = at.pull[i] - (form.least + at.kappa) * form.specific[i] * at.y[i]
        if len(form.held):
            buy, sell, traded = form.buy[i] + extra_up, form.sell[i] + extra_down, at.y[i] - form.held[i]
            if traded > 0.0:
                slope -= buy
            elif traded < 0.0:
                slope += sell
            else:
                slope = slope - buy if slope > buy else slope + sell if slope < -sell else 0.0
        if at.y[i] >= form.upper[i]:
            upper[i] = max(slope, 0.0)
        if at.y[i] <= form.lower[i]:
            lower[i] = max(-slope, 0.0)
    return upper, lower


@compiled
def search(
    columns: ndarray, names: _Four, kinks: _Three, sides: _Six, scalars: tuple[int, float, float, float, float], start: tuple[ndarray, float]
) -> tuple[bool, ndarray, ndarray, float, ndarray, ndarray, int]:
    """Return whether the prices settled, and y, prices, kappa, multipliers of upper and of lower bounds, and steps.

    Args:
        columns: (B', A') by name, shape (m, k + r).
        names: gain, specific, lower, upper, each of shape (m,).
        kinks: held, buy, sell, each of shape (m,) or empty.
        sides: exposure, low, high, up, down, total.
        scalars: how many rows are equalities, aversions to factor and to specific risk, squared limit (infinite without one), rest.
        start: prices to start from, shape (p,), and kappa; empty for those of a portfolio without factor risk.
    """
    form = _form(columns, names, kinks, sides, scalars)
    k, limited = len(form.exposure), form.squared < np.inf
    price, kappa = start
    if not len(price):
        middle = form.gain.mean()
        kappa = _first_kappa(form, form.gain - middle)
        price = np.zeros(k + len(form.low) + len(form.up))
        for j in range(form.equalities):
            if (columns[:, k + j] == 1.0).all():
                price[k + j] = middle
    at = _at(form, price, kappa, _pull(form, price))
    damping, least_missed, since, steps, settled = REGULAR, np.inf, 0, 0, False
    for steps in range(STEPS + 1):
        settled = _settled(form, at)
        if settled or steps == STEPS:
            break
        since += 1
        if at.worst < 0.5 * least_missed:
            least_missed, since = at.worst, 0
        if since >= PATIENCE:
            break
        if not limited and at.kappa > 0.0:
            at, since = _softer(form, at), 0
        found, way, turn, longest = _ahead(form, at, damping, not limited)
        if not found and limited:
            found, way, turn, longest = _ahead(form, at, damping, limited)  # kappa stays
        if not found:
            break
        at, length = _line(form, at, way, turn, longest)
        damping = min(max(1e3 * damping, 1e-6), MOST) if length < SHORT else max(1e-2 * damping, REGULAR)
    upper, lower = _bounds(form, at)
    return settled, at.y, at.price, at.kappa, upper, lower, steps
