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

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotrs

from gammastar.optimise.interior import Multipliers, _start_kappa

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from numpy import ndarray

    from gammastar.optimise.lane import Lane

STEPS, PATIENCE = 30, 10
"""Newton steps, and steps without halving what the couplings miss, after which the interior point is the better way."""
MISSED, RISK = 1e-12, 1e-12
"""Good enough: by which couplings are missed, in weight; the squared risk, relative to its limit."""
SEARCH = 10
"""Points tried on one line."""
REGULAR, LEAN = 1e-10, 1e-3
"""Of the mean diagonal, added to the Hessian."""
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
    """The dual of a lane: what does not change from step to step."""

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self.k, self.r, self.q = len(lane.exposure), len(lane.low), len(lane.up)
        self.least = lane.aversion[1]
        self.columns = np.empty((len(lane.gain), self.k + self.r))
        self.columns[:, : self.k] = lane.loadings.T
        self.columns[:, self.k :] = lane.rows.T
        self.root = 1.0 / np.sqrt(lane.specific)
        self.half = self.columns * self.root[:, None]
        self.kinked = len(lane.held) > 0
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
        over, under = act - lane.high, act - lane.low
        missed[k : k + r] = np.where(rows > 0.0, over, np.where(rows < 0.0, under, np.maximum(over, 0.0) + np.minimum(under, 0.0)))
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
    """Prices with the weights that belong to them."""

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
        lane, k = dual.lane, dual.k
        self.dual, self.at = dual, at
        self.sigma = dual.least + at.kappa
        self.ratio = self.sigma / max(lane.aversion[0] + at.kappa, LEAST_AVERSION)
        self.tilt = self.ratio * (lane.aversion[0] - dual.least)
        chosen = np.flatnonzero(at.free)
        half, root, gain = dual.half[chosen], dual.root[chosen], lane.gain[chosen]
        if dual.kinked:
            above = at.above[chosen]
            gain = gain - np.where(above, lane.buy[chosen], -lane.sell[chosen])
            if dual.q:
                half = np.concatenate((half, np.where(above[:, None], lane.up, -lane.down) * root[:, None]), axis=1)
        along, own = gain * root, at.y[chosen] / root
        self.along, self.own = along @ half, own @ half
        self.squares = (float(along @ along), float(along @ own), float(own @ own))
        self.matrix = half.T @ half
        self.plain = self.matrix.copy() if lane.limit is not None else self.matrix
        diagonal = self.matrix.reshape(-1)[:: len(self.matrix) + 1]
        diagonal[:k] += self.ratio
        least = dual.whole * min(LEAN, max(REGULAR, at.worst))
        diagonal += np.maximum(least - diagonal, REGULAR * dual.whole)
        self.lean = self.along.copy()
        self.lean[:k] += self.tilt * at.f
        self.scaled = at.price / self.sigma

    def solve(self, inside: Bool[ndarray, " p"], *, fixed: bool) -> tuple[ndarray, float] | None:
        """Return the prices and kappa where the couplings `inside` hold, the other prices being zero."""
        at, p = self.at, len(self.scaled)
        right, moves = np.empty((2, p)), np.zeros((2, p))
        right[0], right[1] = at.missed, self.lean
        if inside.all():
            root, failed = dpotrf(self.matrix.T, lower=1)
            if not failed:
                moves = dpotrs(root, right.T, lower=1, overwrite_b=1)[0].T
        else:
            out, chosen = np.flatnonzero(~inside), np.flatnonzero(inside)
            moves[0, out] = -self.scaled[out]
            right[0] -= moves[0, out] @ self.matrix[out]
            root, failed = dpotrf(self.matrix[chosen][:, chosen].T, lower=1, overwrite_a=1)
            if not failed:
                moves[:, chosen] = dpotrs(root, right[:, chosen].T, lower=1)[0].T
        if failed:
            return None
        nu, least = 1.0 / self.sigma, self.dual.least
        to = nu if fixed or self.dual.lane.limit is None else self._turn(moves)
        kappa = at.kappa if to == nu else 0.0 if to * least >= 1.0 else 1.0 / to - least
        return (self.scaled + moves[0] + (to - nu) * moves[1]) * (least + kappa), kappa

    def _turn(self, moves: Float[ndarray, "2 p"]) -> float:
        """Return nu at which the risk limit is met, within reach of the present one."""
        at, k = self.at, self.dual.k
        aa, ao, oo = self.squares
        bent, own, along = moves @ self.plain, moves @ self.own, moves @ self.along
        lead, trail = at.f + self.ratio * moves[0, :k], self.ratio * moves[1, :k] - self.tilt * at.f
        uu = oo - 2.0 * own[0] + float(bent[0] @ moves[0])
        uv = ao - along[0] - own[1] + float(bent[0] @ moves[1])
        vv = aa - 2.0 * along[1] + float(bent[1] @ moves[1])
        rest = at.risk - float(at.f @ at.f) - oo - self.dual.squared
        found = _root(vv + float(trail @ trail), uv + float(lead @ trail), uu + float(lead @ lead) + rest)
        nu = 1.0 / self.sigma
        return min(max(nu + found, 0.2 * nu), 5.0 * nu, 1.0 / self.dual.least)


def _root(a: float, b: float, c: float) -> float:
    """Return the larger root of ``a x^2 + 2 b x + c``, or where it is least."""
    if a <= 0.0:
        return 0.0
    inner = b * b - a * c
    if inner <= 0.0:
        return -b / a
    return (np.sqrt(inner) - b) / a if b <= 0.0 else -c / (np.sqrt(inner) + b)


def _rise(dual: _Dual, at: _At, price: ndarray, kappa: float) -> float:
    """Return the derivative of the dual at a point along a direction."""
    return float(at.missed @ price) + (0.5 * (at.risk - dual.squared) * kappa if kappa else 0.0)


def _ahead(dual: _Dual, at: _At, *, fixed: bool) -> tuple[ndarray, float, float] | None:
    """Return a direction in the prices and in kappa along which the dual rises, and how far it may be followed.

    Prices of inequalities that would change sign are first held at zero. If the dual does not rise that way, only those that are zero already are, and
    the way ends where the first of the others comes to zero.
    """
    k, model = dual.k, _Model(dual, at)
    side = np.where(at.price[k:] != 0.0, at.price[k:], at.missed[k:])
    working = np.ones(len(at.price), dtype=bool)
    working[k:] = (side != 0.0) | ~dual.inequality
    for bold in (True, False):
        inside = working.copy()
        for _ in range(4):
            found = model.solve(inside, fixed=fixed)
            if found is None:
                return None
            crossed = dual.inequality & (found[0][k:] * side < 0.0)
            held = crossed if bold else crossed & (at.price[k:] == 0.0)
            if not held.any():
                way, turn = found[0] - at.price, found[1] - at.kappa
                if _rise(dual, at, way, turn) <= 0.0:
                    break
                now = at.price[k:][crossed]
                return way, turn, float(np.min(now / (now - found[0][k:][crossed]), initial=1.0))
            inside[k:] &= ~held
    return None


def _search(dual: _Dual, at: _At, way: ndarray, turn: float, longest: float) -> _At:
    """Return a point along a direction, at most `longest` away, where the dual's derivative along it is small."""
    k = dual.k
    first = _rise(dual, at, way, turn)
    swing = -(dual.columns @ way[: k + dual.r])
    low, high, length, found = 0.0, None, longest, at
    rise_low, rise_high, kept = first, 0.0, at
    for _ in range(SEARCH):
        there = at.price + length * way
        if length == longest:
            side = at.price[k:]
            there[k:][dual.inequality & (np.abs(there[k:]) <= 1e-13 * np.abs(side))] = 0.0
        found = dual.at(there, at.kappa + length * turn, at.pull + length * swing)
        rise = _rise(dual, found, way, turn)
        if rise >= -0.05 * first and (rise <= 0.7 * first or length == longest):
            break
        if rise > 0.0:
            low, rise_low, kept = length, rise, found
        else:
            high, rise_high = length, rise
        if high is None:
            break
        length = low + (high - low) * min(max(rise_low / (rise_low - rise_high), 0.1), 0.5)
    else:
        return kept
    return found


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
        kappa = _start_kappa(lane)
        price[k : k + lane.equalities] = np.where((lane.rows[: lane.equalities] == 1.0).all(axis=1), np.median(lane.gain), 0.0)
    else:
        price[:k], price[k : k + r], price[k + r :], kappa = start.factors, start.rows, start.sums, start.kappa
    at, missed, since = dual.at(price, kappa, lane.gain - dual.columns @ price[: k + r]), np.inf, 0
    for step in range(STEPS):
        if dual.settled(at):
            return _told(dual, at, step)
        now = at.worst
        missed, since = (now, 0) if now < 0.5 * missed else (missed, since + 1)
        ahead = _ahead(dual, at, fixed=False) if since < PATIENCE else None
        if ahead is None and lane.limit is not None and since < PATIENCE:
            ahead = _ahead(dual, at, fixed=True)
        if ahead is None:
            return None
        at = _search(dual, at, *ahead)
    return _told(dual, at, STEPS) if dual.settled(at) else None


def _told(dual: _Dual, at: _At, steps: int) -> Multipliers:
    lane, k, r = dual.lane, dual.k, dual.r
    slope = at.pull - (dual.least + at.kappa) * lane.specific * at.y
    up, down = np.zeros(len(at.y)), np.zeros(len(at.y))
    if dual.kinked:
        sums = at.price[k + r :]
        buy, sell = lane.buy + sums @ lane.up, lane.sell + sums @ lane.down
        traded = at.y - lane.held
        slope = np.where(traded > 0.0, slope - buy, np.where(traded < 0.0, slope + sell, np.where(slope > buy, slope - buy, np.where(slope < -sell, slope + sell, 0.0))))
    up = np.where(at.y >= lane.upper, np.maximum(slope, 0.0), 0.0)
    down = np.where(at.y <= lane.lower, np.maximum(-slope, 0.0), 0.0)
    return Multipliers(at.y, at.price[k : k + r], at.kappa, at.price[:k], at.price[k + r :], up, down, steps)
