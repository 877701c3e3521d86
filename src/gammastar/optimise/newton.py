"""A semismooth Newton method in the prices of the common form's few couplings: factors, rows, limited sums and risk.

Given prices phi of the factor exposures, lambda of the rows, s of the limited sums and kappa of half the squared risk, the Lagrangian of the form in
`gammastar.optimise.lane` falls apart into one function a name, whose minimum has a closed form. With ``sigma = a_s + kappa``, ``theta = a_f + kappa``
and ``v = g - B phi - A' lambda``::

    y_i = min(max(h_i + soft threshold of (v_i - sigma D_i h_i) / (sigma D_i), lower_i), upper_i)        (buy_i + up's above, sell_i + down's below)

and the dual ``q(phi, lambda, s, kappa)`` is concave and once differentiable; its gradient is by what the couplings are missed, its generalised Hessian
``E_F (sigma D_F)^-1 E_F'`` plus a diagonal, over the names F strictly between bounds and kinks. In prices divided by sigma and ``nu = 1 / sigma`` the
couplings are linear on F, and the risk limit is a quadratic in nu that is solved exactly (as in trust regions: More and Sorensen 1983). The line search
is on the derivative of q, which falls along every line. Sources: Qi and Sun 1993; Li, Sun and Toh 2018 (semismooth Newton on a dual).
"""

from __future__ import annotations

__all__ = ["Prices", "newton"]

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotrs

from gammastar.optimise.interior import Multipliers

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from numpy import ndarray

    from gammastar.optimise.lane import Lane

STEPS, PATIENCE = 30, 10
"""Newton steps, and steps without halving what the couplings miss, after which the interior point is the better way."""
MISSED, RISK = 1e-12, 1e-12
"""Good enough: by which couplings are missed, in weight; the squared risk, relative to its limit."""
FIRST, RATIO, CURVED = 12, 1.5, 0.2
"""Tries at the first kappa; it is enough where specific risk squared is below so many times the limit's and such a part of the names off their bounds."""
GROW = 3.0
"""How much 1 / sigma may grow in one step."""
SEARCH, FLAT, STEEP, SHORT = 10, 0.05, 0.7, 0.05
"""Points tried on one line; parts of the first derivative, below zero and above, at which its end is near enough; length below which a step was short."""
REGULAR, LEAN, MOST = 1e-10, 1e-3, 1e-2
"""Damping, in parts of the Hessian with all names free: the least; of a coupling that few free names move; the most after short steps."""
ROUNDS = 6
"""Tries at which prices of inequalities are held at zero."""
NEVER = 1e13
"""Times the whole diagonal: a price with that much curvature stays where it is put."""
LEAST_AVERSION = 1e-10
"""Stands for no aversion to factor risk at all."""


@dataclass(frozen=True, eq=False)
class Prices:
    """Prices to start from.

    Args:
        factors: of the factor exposures, ``(a_f + kappa) f``, shape (k,).
        rows: of the coupling rows, shape (r,).
        sums: of the limited sums, shape (q,).
        kappa: of half the squared risk.
    """

    factors: Float[ndarray, " k"]
    rows: Float[ndarray, " r"]
    sums: Float[ndarray, " q"]
    kappa: float


class _Dual:
    """The dual of a lane: what does not change from step to step, and the damping of the next one (Levenberg and Marquardt's)."""

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self.k, self.r, self.q = len(lane.exposure), len(lane.low), len(lane.up)
        self.least, self.damping = lane.aversion[1], REGULAR  # the least sigma
        self.columns = np.empty((len(lane.gain), self.k + self.r))
        self.columns[:, : self.k] = lane.loadings.T
        self.columns[:, self.k :] = lane.rows.T
        self.root = 1.0 / np.sqrt(lane.specific)
        self.half = self.columns * self.root[:, None]
        self.deviation = lane.specific * self.root
        self.kinked = len(lane.held) > 0
        self.bought, self.sold = ((lane.gain - lane.buy) * self.root, (lane.gain + lane.sell) * self.root) if self.kinked else (lane.gain * self.root,) * 2
        self.squared = np.inf if lane.limit is None else lane.limit**2
        self.inequality = np.ones(self.r + self.q, dtype=bool)
        self.inequality[: lane.equalities] = False
        whole = np.einsum("ij,ij->j", self.half, self.half)
        self.whole = np.concatenate((whole, np.full(self.q, float(self.root @ self.root)))) if self.q else whole

    def at(self, price: Float[ndarray, " p"], kappa: float, pull: Float[ndarray, " m"]) -> _At:
        """Return the weights at given prices, which names are free and what the couplings miss."""
        lane, k, r = self.lane, self.k, self.r
        sharp, theta = (self.least + kappa) * lane.specific, max(lane.aversion[0] + kappa, LEAST_AVERSION)
        if self.kinked:
            buy, sell = lane.buy, lane.sell
            if self.q:
                buy, sell = buy + price[k + r :] @ lane.up, sell + price[k + r :] @ lane.down
            raw = np.minimum(np.maximum(lane.held, (pull - buy) / sharp), (pull + sell) / sharp)
        else:
            raw = pull / sharp
        y = np.minimum(np.maximum(raw, lane.lower), lane.upper)
        free = y == raw
        above = free
        if self.kinked:
            free &= raw != lane.held
            above = raw > lane.held
        f = price[:k] / theta
        act, missed = y @ self.columns, np.empty(len(price))
        missed[:k] = act[:k] + lane.exposure - f
        act, rows = act[k:], price[k : k + r]
        aim = np.where(rows > 0.0, lane.high, np.where(rows < 0.0, lane.low, np.minimum(np.maximum(act, lane.low), lane.high)))
        missed[k : k + r] = act - aim
        if self.q:
            traded = y - lane.held
            beyond = lane.up * np.maximum(traded, 0.0).sum() - lane.down * np.minimum(traded, 0.0).sum() - lane.total
            missed[k + r :] = np.where(price[k + r :] > 0.0, beyond, np.maximum(beyond, 0.0))
        risk = float(f @ f) + float(y @ (lane.specific * y)) + lane.rest
        return _At(price, kappa, pull, y, free, above, f, missed, risk)

    def settled(self, at: _At) -> bool:
        """Return whether the couplings hold."""
        if not at.worst <= MISSED:
            return False
        over = (at.risk - self.squared) / self.squared if self.lane.limit is not None else -1.0
        return over <= RISK and (at.kappa == 0.0 or over >= -RISK)


@dataclass(eq=False)
class _At:
    """Prices with the weights that belong to them.

    Args:
        price: of factors, rows and limited sums, one after the other, shape (p,).
        kappa: of half the squared risk.
        pull: v, shape (m,).
        y: shape (m,).
        free: names strictly between bounds and kinks, shape (m,).
        above: which of them are bought, shape (m,).
        f: ``phi / theta``, shape (k,).
        missed: derivative of the dual by each price, shape (p,).
        risk: squared.
    """

    price: Float[ndarray, " p"]
    kappa: float
    pull: Float[ndarray, " m"]
    y: Float[ndarray, " m"]
    free: Bool[ndarray, " m"]
    above: Bool[ndarray, " m"]
    f: Float[ndarray, " k"]
    missed: Float[ndarray, " p"]
    risk: float

    @cached_property
    def worst(self) -> float:
        """By how much a coupling is missed at most."""
        return float(np.abs(self.missed).max(initial=0.0))


class _Model:
    """The couplings as linear functions of prices over sigma and of ``nu = 1 / sigma``, as long as the free names stay free."""

    def __init__(self, dual: _Dual, at: _At) -> None:
        lane, k, p = dual.lane, dual.k, len(at.price)
        self.dual, self.at = dual, at
        self.sigma = dual.least + at.kappa
        self.ratio = self.sigma / max(lane.aversion[0] + at.kappa, LEAST_AVERSION)
        self.tilt = self.ratio * (lane.aversion[0] - dual.least)
        chosen = np.flatnonzero(at.free)
        half = np.empty((len(chosen), p + 2))
        half[:, : k + dual.r] = dual.half[chosen]
        if dual.q:
            half[:, k + dual.r : p] = np.where(at.above[chosen, None], lane.up, -lane.down) * dual.root[chosen, None]
        half[:, p] = np.where(at.above, dual.bought, dual.sold)[chosen]
        half[:, p + 1] = (at.y * dual.deviation)[chosen]
        products = half.T @ half
        self.plain, self.ends, self.squares = products[:p, :p], products[p:, :p], products[p:, p:]
        self.matrix = self.plain.copy()
        diagonal = self.matrix.reshape(-1)[:: p + 1]
        diagonal[:k] += self.ratio
        least = dual.whole * min(LEAN, max(REGULAR, at.worst))
        diagonal += np.maximum(least - diagonal, dual.damping * dual.whole)
        self.right = np.empty((2, p))
        self.right[0], self.right[1] = at.missed, self.ends[0]
        self.right[1, :k] += self.tilt * at.f
        self.scaled = at.price / self.sigma

    def solve(self, outside: Bool[ndarray, " p"] | None, *, fixed: bool) -> tuple[ndarray, float] | None:
        """Return the prices and kappa where the couplings hold, but for those `outside`, whose prices are zero."""
        matrix, right = self.matrix.copy(), self.right.copy()
        if outside is not None:
            matrix.reshape(-1)[:: len(matrix) + 1][outside] = NEVER * self.dual.whole[outside]
            right[0, outside], right[1, outside] = (-NEVER * self.dual.whole * self.scaled)[outside], 0.0
        root, failed = dpotrf(matrix.T, lower=1, overwrite_a=1)
        if failed:
            return None
        moves = dpotrs(root, right.T, lower=1, overwrite_b=1)[0].T
        nu, least = 1.0 / self.sigma, self.dual.least
        to = nu if fixed else self._turn(moves)
        kappa = self.at.kappa if to == nu else 0.0 if to * least >= 1.0 else 1.0 / to - least
        self.change, self.turned = moves[0] + (to - nu) * moves[1], to - nu
        price = (self.scaled + self.change) * (least + kappa)
        if outside is not None:
            price[outside] = 0.0
        return price, kappa

    def left(self) -> Float[ndarray, " p"]:
        """Return what the couplings would miss at the prices last solved for."""
        return np.asarray(self.right[0] + self.turned * self.right[1] - self.matrix @ self.change)

    def _turn(self, moves: Float[ndarray, "2 p"]) -> float:
        """Return nu at which the risk limit is met, within reach of the present one."""
        at, k = self.at, self.dual.k
        ((aa, ao), (_, oo)) = self.squares.tolist()
        ((bent00, bent01), (_, bent11)) = (moves @ self.plain @ moves.T).tolist()
        ((along0, own0), (along1, own1)) = (moves @ self.ends.T).tolist()
        f = np.empty((2, k))
        np.multiply(moves[:, :k], self.ratio, out=f)
        f[0] += at.f
        f[1] -= self.tilt * at.f
        ((f00, f01), (_, f11)) = (f @ f.T).tolist()
        rest = at.risk - float(at.f @ at.f) - oo - self.dual.squared
        found = _root(aa - 2.0 * along1 + bent11 + f11, ao - along0 - own1 + bent01 + f01, oo - 2.0 * own0 + bent00 + f00 + rest)
        nu = 1.0 / self.sigma
        return min(max(nu + found, 0.2 * nu), GROW * nu, 1.0 / self.dual.least)


def _root(a: float, b: float, c: float) -> float:
    """Return the larger root of ``a x^2 + 2 b x + c``, or where it is least."""
    if a <= 0.0:
        return 0.0
    inner = b * b - a * c
    if inner <= 0.0:
        return -b / a
    return (math.sqrt(inner) - b) / a if b <= 0.0 else -c / (math.sqrt(inner) + b)


def _rise(dual: _Dual, at: _At, price: ndarray, kappa: float) -> float:
    """Return the derivative of the dual at a point along a direction."""
    return float(at.missed @ price) + (0.5 * (at.risk - dual.squared) * kappa if kappa else 0.0)


def _ahead(dual: _Dual, at: _At, *, fixed: bool) -> tuple[ndarray, float, float] | None:
    """Return a direction in the prices and in kappa along which the dual rises, and how far it may be followed.

    Prices of inequalities that would change sign are first held at zero. If the dual does not rise that way, only those that are zero already are, and
    the way ends where the first of the others comes to zero.
    """
    k, model = dual.k, _Model(dual, at)
    now = at.price[k:]
    side = np.where(now != 0.0, now, at.missed[k:])
    idle = dual.inequality & (side == 0.0)
    for bold in (True, False):
        out = idle
        for _ in range(ROUNDS):
            found = model.solve(np.concatenate((np.zeros(k, dtype=bool), out)) if out.any() else None, fixed=fixed)
            if found is None:
                return None
            told = found[0][k:]
            crossed = dual.inequality & (told * side < 0.0)
            held = crossed if bold else crossed & (now == 0.0)
            freed = out & ~idle & (model.left()[k:] * side > 0.0) if out is not idle else held
            if not (held.any() or freed.any()):
                way, turn = found[0] - at.price, found[1] - at.kappa
                if _rise(dual, at, way, turn) <= 0.0:
                    break
                return way, turn, float(np.min(now[crossed] / (now - told)[crossed])) if crossed.any() else 1.0
            out = (out | held) & ~(freed & ~held)
    return None


def _softer(dual: _Dual, at: _At) -> _At:
    """Return the point with less of a kappa that only keeps names off their bounds for a start; prices stay as they are against sigma."""
    before = dual.least + at.kappa
    sigma = before / GROW if before > 1.2 * GROW * dual.least else dual.least
    price = at.price * (sigma / before)
    return dual.at(price, sigma - dual.least, dual.lane.gain - dual.columns @ price[: dual.k + dual.r])


def _search(dual: _Dual, at: _At, way: ndarray, turn: float, longest: float) -> _At:
    """Return a point along a direction, at most `longest` away, where the dual's derivative along it is small."""
    k = dual.k
    first = _rise(dual, at, way, turn)
    swing = -(dual.columns @ way[: k + dual.r])
    low, high, length, found = 0.0, longest, longest, at
    rise_low, rise_high, kept = first, 0.0, at
    for _ in range(SEARCH):
        there = at.price + length * way
        if length == longest:
            side = at.price[k:]
            there[k:][dual.inequality & (np.abs(there[k:]) <= 1e-13 * np.abs(side))] = 0.0
        found = dual.at(there, at.kappa + length * turn, at.pull + length * swing)
        rise = _rise(dual, found, way, turn)
        if rise >= -FLAT * first and (rise <= STEEP * first or length == longest):
            break
        if rise > 0.0:
            low, rise_low, kept = length, rise, found
        else:
            high, rise_high = length, rise
        length = low + (high - low) * min(max(rise_low / (rise_low - rise_high), 0.1), 0.5)
    else:
        found, length = kept, low
    dual.damping = min(max(1e3 * dual.damping, 1e-6), MOST) if length < SHORT else max(1e-2 * dual.damping, REGULAR)
    return found


def _first_kappa(dual: _Dual, pull: Float[ndarray, " m"]) -> float:
    """Return a kappa to start from: with specific risk alone the limit about holds, and enough names are off their bounds.

    Too much is better than too little: on the way down names come to their bounds one after the other, and the steps stay good.
    """
    lane = dual.lane
    if dual.kinked:
        pull = np.maximum(pull - lane.buy, 0.0) + np.minimum(pull + lane.sell, 0.0)
    ideal, sigma = pull / lane.specific, dual.least
    moved = pull != 0.0
    wanted = CURVED * float(np.count_nonzero(moved))
    for _ in range(FIRST):
        y = np.minimum(np.maximum(ideal / sigma, lane.lower), lane.upper)
        ratio = float(y @ (lane.specific * y)) / dual.squared
        off = np.abs(y * sigma - ideal) <= 1e-9 * np.abs(ideal)
        if ratio <= RATIO and np.count_nonzero(off & moved) >= wanted:
            break
        sigma *= min(max(np.sqrt(ratio), 2.0), 4.0)
    return float(sigma - dual.least)


def newton(lane: Lane, start: Prices | None = None) -> Multipliers | None:
    """Return the optimum of `lane` with its multipliers, or None where the prices do not settle in a few steps.

    Args:
        lane: the problem.
        start: prices to start from; without them, those of a portfolio without factor risk.
    """
    dual = _Dual(lane)
    k, r = dual.k, dual.r
    price = np.zeros(k + r + dual.q)
    if start is None:
        middle = float(lane.gain.mean())
        kappa = _first_kappa(dual, lane.gain - middle)
        price[k : k + lane.equalities] = np.where((lane.rows[: lane.equalities] == 1.0).all(axis=1), middle, 0.0)
    else:
        price[:k], price[k : k + r], price[k + r :], kappa = start.factors, start.rows, start.sums, start.kappa
    at, missed, since = dual.at(price, kappa, lane.gain - dual.columns @ price[: k + r]), np.inf, 0
    for step in range(STEPS):
        if dual.settled(at):
            return _told(dual, at, step)
        now = at.worst
        missed, since = (now, 0) if now < 0.5 * missed else (missed, since + 1)
        if since >= PATIENCE:
            return None
        if lane.limit is None and at.kappa > 0.0:
            at, since = _softer(dual, at), 0
        ahead = _ahead(dual, at, fixed=lane.limit is None)
        if ahead is None and lane.limit is not None:
            ahead = _ahead(dual, at, fixed=True)
        if ahead is None:
            return None
        at = _search(dual, at, *ahead)
    return _told(dual, at, STEPS) if dual.settled(at) else None


def _told(dual: _Dual, at: _At, steps: int) -> Multipliers:
    """Return the point with the multipliers of its bounds: what is left of the slope, net of the cost of trading on."""
    lane, k, r = dual.lane, dual.k, dual.r
    slope = at.pull - (dual.least + at.kappa) * lane.specific * at.y
    if dual.kinked:
        sums = at.price[k + r :]
        buy, sell = lane.buy + sums @ lane.up, lane.sell + sums @ lane.down
        traded = at.y - lane.held
        slope = np.where(traded > 0.0, slope - buy, np.where(traded < 0.0, slope + sell, np.where(slope > buy, slope - buy, np.where(slope < -sell, slope + sell, 0.0))))
    up = np.where(at.y >= lane.upper, np.maximum(slope, 0.0), 0.0)
    down = np.where(at.y <= lane.lower, np.maximum(-slope, 0.0), 0.0)
    return Multipliers(at.y, at.price[k : k + r], at.kappa, at.price[:k], at.price[k + r :], up, down, steps)
