"""A primal-dual interior point for the common form, where every step costs O(m (k + r)^2).

Slacks S and multipliers Z of all inequalities lie in one vector each: upper bounds, lower bounds, bought, sold, high rows, low rows, risk, sums. The
risk limit enters as ``(f'f + y'Dy + rest - limit^2) / 2 + s = 0`` with multiplier kappa, so that the Hessian keeps its form
``diagonal + (a_f + kappa) B B'`` and the limit's gradient is one more coupling row. Steps are Mehrotra's predictor and corrector; the corrector takes
the curvature of the risk limit into account. Source: Mehrotra 1992; Nocedal and Wright 2006, sections 14.2, 16.6 and 19.3.
"""

from __future__ import annotations

__all__ = ["Multipliers", "interior_point"]

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotrs

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy import ndarray

    from gammastar.optimise.lane import Lane

ITERATIONS = 60
GAP, RESIDUAL, SLOPE = 1e-12, 1e-12, 1e-8
"""Good enough: relative to the objective, in weight, and relative to how far the names' gains lie apart."""
PATIENCE, LATE, LATE_PATIENCE = 20, 1e-6, 2
"""Steps without progress after which nothing more is expected, and that number near the optimum, where rounding takes over."""
SMALL = 0.3
"""Size of the first complementarity products, in units of a typical weight times how far the names' gains lie apart."""
REGULAR = 1e-12
"""Of the diagonal, added for equalities: rows that say one thing twice do no harm."""


@dataclass(frozen=True, eq=False)
class Multipliers:
    """A point of the lane with its multipliers.

    Args:
        y: active weights of the names that can move, shape (m,).
        rows: multiplier of each coupling row, positive where the high side presses, shape (r,).
        kappa: of the risk limit, as half a squared risk.
        factors: of the factor exposures, ``(a_f + kappa) f``, shape (k,).
        sums: of the limited sums, shape (q,).
        upper: of the upper bounds, shape (m,).
        lower: of the lower bounds, shape (m,).
        iterations: steps taken.
    """

    y: Float[ndarray, " m"]
    rows: Float[ndarray, " r"]
    kappa: float
    factors: Float[ndarray, " k"]
    sums: Float[ndarray, " q"]
    upper: Float[ndarray, " m"]
    lower: Float[ndarray, " m"]
    iterations: int


class _Layout:
    """Where each kind of inequality stands in S and Z."""

    def __init__(self, lane: Lane) -> None:
        m, kinked, rows = len(lane.gain), len(lane.held), len(lane.low) - lane.equalities
        sizes = (m, m, kinked, kinked, rows, rows, int(lane.limit is not None), len(lane.up))
        ends = np.cumsum((0, *sizes)).tolist()
        self.count = ends[-1]
        self.upper, self.lower, self.bought, self.sold, self.high, self.low, self.cone, self.sums = (
            slice(a, b) for a, b in pairwise(ends)
        )


@dataclass(eq=False)
class _Point:
    """An iterate: y, multipliers of equalities, slope of the trading cost, slacks and multipliers of inequalities."""

    y: Float[ndarray, " m"]
    equal: Float[ndarray, " e"]
    trade: Float[ndarray, " m"]
    slack: Float[ndarray, " c"]
    dual: Float[ndarray, " c"]


def _start(lane: Lane, at: _Layout) -> _Point:
    """Return a point well inside of the bounds, with complementarity products of one size."""
    unit = float(np.mean(np.minimum(lane.upper - lane.lower, max(2.0 / len(lane.gain), 1e-6))))
    slope = _slope(lane)
    product = SMALL * unit * slope
    room = np.minimum(-lane.lower, lane.upper)
    margin = np.where(room > 0.0, 0.5 * room, 0.25 * np.minimum(lane.upper - lane.lower, unit))
    margin = np.minimum(margin, 0.25 * unit)
    y = np.minimum(np.maximum(lane.held if len(lane.up) else 0.0, lane.lower + margin), lane.upper - margin)
    slack, dual, trade = np.empty(at.count), np.empty(at.count), np.zeros(len(lane.held))
    slack[at.upper], slack[at.lower] = lane.upper - y, y - lane.lower
    act, e = lane.rows @ y, lane.equalities
    slack[at.high] = np.maximum(lane.high - act, unit)[e:]
    slack[at.low] = np.maximum(act - lane.low, unit)[e:]
    if lane.limit is not None:
        f = lane.loadings @ y + lane.exposure
        slack[at.cone] = max(-0.5 * (float(f @ f) + float(y @ (lane.specific * y)) + lane.rest - lane.limit**2), 0.1 * lane.limit**2)
    if len(trade):
        distance = y - lane.held
        apart = min([0.5 * unit, *(0.5 * lane.total / (len(y) * (lane.up + lane.down)))])
        slack[at.bought] = np.maximum(distance, 0.0) + max(apart, 0.01 * unit)
        slack[at.sold] = slack[at.bought] - distance
    for j, (up, down) in enumerate(zip(lane.up, lane.down, strict=True)):
        left = lane.total[j] - up * slack[at.bought].sum() - down * slack[at.sold].sum()
        slack[at.sums.start + j] = max(left, unit * np.sqrt(len(y)))
    dual[:] = product / slack
    dual[at.sums] = np.maximum(dual[at.sums], 0.1 * slope)
    dual[at.cone] = np.maximum(dual[at.cone], _start_kappa(lane))
    if len(trade):
        buy, sell = lane.buy + lane.up @ dual[at.sums], lane.sell + lane.down @ dual[at.sums]
        trade = 0.5 * (buy - sell)
        dual[at.bought], dual[at.sold] = buy - trade, sell + trade
    equal = np.where((lane.rows[: lane.equalities] == 1.0).all(axis=1), np.median(lane.gain), 0.0)
    point = _Point(y, equal, trade, slack, dual)
    unpaid = _System(lane, at, point, np.empty((0, len(y)))).stationary  # the bounds take it over: the start is feasible in its multipliers
    dual[at.upper] += np.maximum(-unpaid, 0.0)
    dual[at.lower] += np.maximum(unpaid, 0.0)
    return point


def _start_kappa(lane: Lane) -> float:
    """Return about what the risk limit costs where specific risk and bounds are all there is; zero without a limit, or where it does not bind."""
    if lane.limit is None:
        return 0.0
    pull, squared = lane.gain - np.median(lane.gain), lane.limit**2
    if len(lane.held):
        pull = np.where(pull > 0.0, np.maximum(pull - lane.buy, 0.0), np.minimum(pull + lane.sell, 0.0))
    ideal, kappa = pull / lane.specific, lane.aversion[1]
    for _ in range(12):
        y = np.minimum(np.maximum(ideal / kappa, lane.lower), lane.upper)
        ratio = float(y @ (lane.specific * y)) / squared
        if ratio <= 1.5:
            break
        kappa *= min(np.sqrt(ratio), 4.0)
    return float(kappa - lane.aversion[1])


class _System:
    """Residuals at a point, and the factored Newton system there."""

    def __init__(self, lane: Lane, at: _Layout, point: _Point, buffer: Float[ndarray, "c m"]) -> None:
        self.lane, self.at, self.point, self.buffer = lane, at, point, buffer
        y, z, e = point.y, point.dual, lane.equalities
        self.kappa = float(z[at.cone][0]) if lane.limit is not None else 0.0
        self.theta, self.sharp = lane.aversion[0] + self.kappa, lane.aversion[1] + self.kappa
        f, dy = lane.loadings @ y + lane.exposure, lane.specific * y
        by_factors = f @ lane.loadings
        rows = np.concatenate((point.equal, z[at.high] - z[at.low]))
        self.stationary = self.sharp * dy + self.theta * by_factors - lane.gain + rows @ lane.rows + z[at.upper] - z[at.lower]
        act = lane.rows @ y
        self.equal = act[:e] - lane.high[:e]
        self.high, self.low = act[e:] + point.slack[at.high] - lane.high[e:], lane.low[e:] + point.slack[at.low] - act[e:]
        self.factor_part, self.specific_part = float(f @ f), float(y @ dy)
        self.cone, self.slope = 0.0, by_factors
        if lane.limit is not None:
            self.cone = 0.5 * (self.factor_part + self.specific_part + lane.rest - lane.limit**2) + float(point.slack[at.cone][0])
            self.slope = by_factors + dy
        if len(point.trade):
            bought, sold = point.slack[at.bought], point.slack[at.sold]
            self.stationary += point.trade
            self.sums = lane.up * bought.sum() + lane.down * sold.sum() + point.slack[at.sums] - lane.total

    def residual(self) -> float:
        """Return the largest violation of a row, in weights (risk in units of its limit)."""
        worst = max((float(np.abs(part).max(initial=0.0)) for part in (self.equal, self.high, self.low)), default=0.0)
        if len(self.lane.up):
            worst = max(worst, float(np.abs(self.sums).max()))
        return worst if self.lane.limit is None else max(worst, abs(self.cone) / self.lane.limit**2 * float(np.abs(self.lane.limit)))

    def objective(self) -> float:
        """Return the objective, to be maximised, at the point."""
        lane, point = self.lane, self.point
        value = float(lane.gain @ point.y) - 0.5 * (lane.aversion[0] * self.factor_part + lane.aversion[1] * self.specific_part)
        if len(point.trade):
            value -= float(lane.buy @ point.slack[self.at.bought] + lane.sell @ point.slack[self.at.sold])
        return value

    def factor(self) -> bool:
        """Factor ``C Delta^-1 C' + W``; return whether that went well."""
        lane, at, point, buffer = self.lane, self.at, self.point, self.buffer
        k, r, e = len(lane.exposure), len(lane.low), lane.equalities
        ratio = point.dual / point.slack
        diagonal = self.sharp * lane.specific + ratio[at.upper] + ratio[at.lower]
        corner = np.zeros(len(buffer))
        corner[:k] = 1.0
        np.multiply(lane.loadings, np.sqrt(self.theta), out=buffer[:k])
        self.weight = ratio[at.high] + ratio[at.low]
        corner[k + e : k + r] = 1.0 / self.weight
        here = k + r
        if lane.limit is not None:
            buffer[here] = self.slope
            corner[here] = 1.0 / ratio[at.cone][0]
            here += 1
        block = np.zeros((0, 0))
        if len(point.trade):
            by, sold = 1.0 / ratio[at.bought], 1.0 / ratio[at.sold]
            self.curve = 1.0 / (by + sold)
            diagonal += self.curve
            if len(lane.up):
                self.turn = np.outer(lane.up, by) - np.outer(lane.down, sold)
                scaled = self.turn * self.curve
                buffer[here:] = scaled
                block = np.outer(lane.up, lane.up) * by.sum() + np.outer(lane.down, lane.down) * sold.sum() - scaled @ self.turn.T
                block[np.diag_indices(len(block))] += 1.0 / ratio[at.sums]
        self.inverse = 1.0 / diagonal
        half = buffer * np.sqrt(self.inverse)
        matrix = half @ half.T
        diagonal = matrix.reshape(-1)[:: len(matrix) + 1]
        diagonal[k : k + e] *= 1.0 + REGULAR
        diagonal += corner
        if len(block):
            matrix[here:, here:] += block
        self.root, failed = dpotrf(matrix, lower=1, overwrite_a=1)
        return not failed

    def step(self, target: Float[ndarray, " c"], bend: Float[ndarray, " m"] | None, sag: float | None) -> tuple[_Point, float]:
        """Return the Newton step towards products ``S Z + target``, and its part in kappa.

        `bend` and `sag` are the second order of the risk limit; without them (the predictor) last digits do not matter.
        """
        lane, at, point = self.lane, self.at, self.point
        s, z, k, r, e = point.slack, point.dual, len(lane.exposure), len(lane.low), lane.equalities
        stationary = self.stationary if bend is None else self.stationary + bend
        push = target / s
        right = np.zeros(len(self.buffer))
        tilt = stationary + push[at.upper] - push[at.lower]
        right[k : k + e] = self.equal
        right[k + e : k + r] = (push[at.high] + z[at.high] * self.high / s[at.high] - push[at.low] - z[at.low] * self.low / s[at.low]) / self.weight
        here, cone = k + r, self.cone + (sag or 0.0)
        if lane.limit is not None:
            right[here] = float(target[at.cone][0]) / self.kappa + cone
            here += 1
        if len(point.trade):
            pull_bought, pull_sold = target[at.bought] / z[at.bought], target[at.sold] / z[at.sold]
            lag = pull_sold - pull_bought  # y = held + bought - sold holds from the start, and steps keep it
            tilt = tilt + lag * self.curve
            if len(lane.up):
                right[here:] = target[at.sums] / z[at.sums] + self.sums + lane.up * pull_bought.sum() + lane.down * pull_sold.sum() + self.buffer[here:] @ lag
        multipliers = dpotrs(self.root, right - self.buffer @ (tilt * self.inverse), lower=1)[0]
        y = -(tilt + multipliers @ self.buffer) * self.inverse
        slack, dual, trade = np.empty(at.count), np.empty(at.count), np.zeros(len(point.trade))
        slack[at.upper], slack[at.lower] = -y, y
        if len(trade):
            price = multipliers[here:]
            trade = (y + lag) * self.curve + (price @ self.buffer[here:] if len(lane.up) else 0.0)
            by, sold = lane.up @ price - trade, lane.down @ price + trade
            slack[at.bought] = (target[at.bought] - s[at.bought] * by) / z[at.bought]
            slack[at.sold] = (target[at.sold] - s[at.sold] * sold) / z[at.sold]
            slack[at.sums] = (target[at.sums] - s[at.sums] * price) / z[at.sums]
        act = lane.rows[e:] @ y
        slack[at.high], slack[at.low] = -self.high - act, act - self.low
        if lane.limit is not None:
            slack[at.cone] = -cone - float(self.slope @ y)
        dual[:] = (target - z * slack) / s
        if len(trade):
            dual[at.bought], dual[at.sold], dual[at.sums] = by, sold, price
        if bend is not None or sag is not None:
            self._sharpen(slack, dual, target, multipliers[k + e :])
        return _Point(y, multipliers[k : k + e], trade, slack, dual), float(dual[at.cone][0]) if lane.limit is not None else 0.0


    def _sharpen(self, slack: ndarray, dual: ndarray, target: ndarray, told: ndarray) -> None:
        """Take the steps of slacks that nearly vanish from the multipliers: differences of rows have lost their last digits."""
        at, s, z = self.at, self.point.slack, self.point.dual
        rows = at.high.stop - at.high.start
        upper, lower = z[at.high] * s[at.low] > z[at.low] * s[at.high], told[:rows]
        high = np.where(upper, lower + dual[at.low], dual[at.high])
        low = np.where(upper, dual[at.low], dual[at.high] - lower)
        dual[at.high], dual[at.low] = high, low
        both = slice(at.high.start, at.low.stop)
        near = z[both] > s[both]
        slack[both] = np.where(near, (target[both] - s[both] * dual[both]) / z[both], slack[both])
        if self.lane.limit is not None and self.kappa > float(s[at.cone][0]):
            dual[at.cone] = told[rows]
            slack[at.cone] = (target[at.cone] - s[at.cone] * told[rows]) / self.kappa


def _length(point: _Point, step: _Point) -> float:
    """Return the longest step, at most one, that keeps slacks and multipliers from falling below zero."""
    low = min(float((step.slack / point.slack).min()), float((step.dual / point.dual).min()))
    return 1.0 if low >= -1.0 else -1.0 / low


def interior_point(lane: Lane) -> Multipliers | None:
    """Return the optimum of `lane` with its multipliers, or None where no step leads further (perhaps because there is no point at all)."""
    at = _Layout(lane)
    point = _start(lane, at)
    buffer = np.empty((len(lane.exposure) + len(lane.low) + int(lane.limit is not None) + len(lane.up), len(lane.gain)))
    buffer[len(lane.exposure) : len(lane.exposure) + len(lane.low)] = lane.rows
    best, kept, since = np.inf, point, 0
    scale = _slope(lane)
    iteration = 0
    while iteration < ITERATIONS:
        system = _System(lane, at, point, buffer)
        gap = float(point.slack @ point.dual)
        tight = gap / (abs(system.objective()) + 1e-6)
        merit = max(tight / GAP, system.residual() / RESIDUAL, float(np.abs(system.stationary).max()) / (SLOPE * scale)) * GAP
        if merit < best:
            kept, since, best = point, since if merit > 0.9 * best else 0, merit
        since += 1
        if merit <= GAP or since > (LATE_PATIENCE if best < LATE else PATIENCE) or not np.isfinite(merit) or not system.factor():
            break
        step = _mehrotra(system, gap)
        length = min(1.0, _length(point, step) * (0.99 if tight > 1e-3 else 0.999))
        point = _Point(*(getattr(point, part) + length * getattr(step, part) for part in ("y", "equal", "trade", "slack", "dual")))
        iteration += 1
    return _told(lane, at, kept, iteration) if best < LATE else None


def _slope(lane: Lane) -> float:
    """Return how far the names' gains lie apart."""
    return float(np.abs(lane.gain - np.median(lane.gain)).mean()) + 1e-6


def _mehrotra(system: _System, gap: float) -> _Point:
    """Return the corrected step."""
    lane, point = system.lane, system.point
    product = point.slack * point.dual
    guess, turned = system.step(-product, None, None)
    length = _length(point, guess)
    reached = float((point.slack + length * guess.slack) @ (point.dual + length * guess.dual))
    centre = (reached / gap) ** 3 * gap / len(product)
    bend, sag = None, 0.0
    if lane.limit is not None:
        f = lane.loadings @ guess.y
        along = f @ lane.loadings + lane.specific * guess.y
        bend, sag = turned * length**2 * along, 0.5 * length**2 * float(guess.y @ along)
    return system.step(centre - product - length**2 * guess.slack * guess.dual, bend, sag)[0]


def _told(lane: Lane, at: _Layout, point: _Point, iterations: int) -> Multipliers:
    rows = np.concatenate((point.equal, point.dual[at.high] - point.dual[at.low]))
    kappa = float(point.dual[at.cone][0]) if lane.limit is not None else 0.0
    factors = (lane.aversion[0] + kappa) * (lane.loadings @ point.y + lane.exposure)
    return Multipliers(point.y, rows, kappa, factors, point.dual[at.sums], point.dual[at.upper], point.dual[at.lower], iterations)
