"""Functional portfolio optimisation: the best generating function of a family, as a convex program (Campbell and Wong 2022).

The family is ``log G(mu) = (1/n) sum_i l(mu_i)`` over the n names held, ``l`` a function of one weight. With the elasticity ``v = x l'(x)`` it generates

    ``pi_i = mu_i (1 - mean v) + v_i / n``,

so that ``v = 0`` is the market and ``v = 1`` equal weight, and a step's relative value ``1 + (1/n) sum_i v_i (q_i / p_i - 1)`` is linear in v. G is concave
wherever ``exp(l)`` is: where ``dv/d log x <= v (1 - v)``. Both the L-divergence and the log return are concave in v. Here v is linear between knots of log x,
0 to 1, constant outside: the condition then holds everywhere if it holds at both ends of each piece, and the program is finite, convex and exact.
"""

from __future__ import annotations

__all__ = ["ExponentiallyConcave", "OptimalGenerator", "OptimalProduct", "optimal_generator", "optimal_product"]

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from gammastar.core.generating import Composite
from gammastar.core.growth_optimal import GrowthOptimal, growth_optimal
from gammastar.core.interior_point import interior_point
from gammastar.core.simplex import drifted, log_excess, log_held, relative_changes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float, Int
    from numpy import ndarray

    from gammastar.core.covariance import FactoredCovariance
    from gammastar.core.generating import GeneratingFunction

BLOCK = 256  # steps taken at once: the memory used is a few times BLOCK times the names, 8 bytes each
CONCAVE = 1e-12


@dataclass(frozen=True, eq=False)
class ExponentiallyConcave:
    """``log G = (1/n) sum_i l(mu_i)`` over the n names held, with elasticity ``v = x l'(x)`` piecewise linear in log x.

    Generates ``mu_i (1 - mean v) + v_i / n``; long-only, and G is concave, so that ``T >= 0``.

    Args:
        knots: weights at which v is given, shape (m,), positive and increasing, at least two.
        elasticity: v at the knots, shape (m,), from 0 (the market) to 1 (equal weight); constant outside them.

    Raises:
        ValueError: knots that do not increase, values outside 0 to 1, or a rise that is too steep for a concave G:
            ``v_{k+1} - v_k <= v (1 - v) log(x_{k+1} / x_k)`` must hold with ``v_k`` and with ``v_{k+1}`` for v.

    >>> half = ExponentiallyConcave(np.array([0.01, 0.1]), np.array([0.5, 0.5]))
    >>> half.weights(np.array([0.8, 0.2]))
    array([0.65, 0.35])
    """

    knots: Float[ndarray, " m"]
    elasticity: Float[ndarray, " m"]

    def __post_init__(self) -> None:
        knots, v = self.knots, self.elasticity
        if knots.ndim != 1 or len(knots) < 2 or knots.shape != v.shape or not (knots[0] > 0.0 and bool(np.all(np.diff(knots) > 0.0))):
            raise ValueError(f"knots must be positive and increase, two at least, one value each; got shapes {knots.shape} and {v.shape}")
        if not bool(np.all((v >= 0.0) & (v <= 1.0))):
            raise ValueError(f"elasticities must be from 0 to 1, got {v.min()} to {v.max()}")
        steepest = float(np.max(_concavity(v, np.diff(np.log(knots)))))
        if steepest > CONCAVE:
            raise ValueError(f"the elasticity rises too steeply for a concave function, by {steepest}")

    def log_value(self, mu: Float[ndarray, "*t n"]) -> Float[ndarray, "*t"]:
        """Return ``(1/n) sum_i l(mu_i)``, with l zero at the first knot."""
        grid, slopes, areas = self._pieces
        y = log_held(mu)
        piece, anchor = _place(grid, y)
        u = y - grid[anchor]
        values = areas[anchor] + u * (self.elasticity[anchor] + 0.5 * slopes[piece] * u)
        return np.asarray(np.sum(_per_name(mu) * values, axis=-1))

    def weights(self, mu: Float[ndarray, "*t n"]) -> Float[ndarray, "*t n"]:
        """Return ``mu_i (1 - mean v) + v_i / n``."""
        share = self._shares(mu)
        return np.asarray(mu * (1.0 - share.sum(axis=-1, keepdims=True)) + share)

    def drift(self, mu: Float[ndarray, " n"], sigma: FactoredCovariance) -> float:
        """Return ``sum_i (v_i - dv_i/d log x) tau^mu_ii / (2n) - w'tau^mu w / 2`` with ``w = v / n``."""
        grid, slopes, _ = self._pieces
        share, rise = self._shares(mu), _per_name(mu) * slopes[_place(grid, log_held(mu))[0]]
        return 0.5 * float((share - rise) @ sigma.relative_variances(mu)) - 0.5 * sigma.quadratic(share - mu * share.sum())

    def divergence(self, p: Float[ndarray, "*t n"], q: Float[ndarray, "*t n"]) -> Float[ndarray, "*t"]:
        """Return ``(1/n) sum (v_i (d_i - log(1 + d_i)) - bend_i) - (A - log(1 + A))`` with ``A = (1/n) sum v_i d_i``, each term of second order.

        ``d_i = q_i / p_i - 1``, and ``bend_i`` is the integral of ``v - v_i`` from ``log p_i`` to ``log q_i``.
        """
        change = relative_changes(p, q)
        share = self._shares(p)
        bend = self._bend(log_held(np.broadcast_to(p, change.shape)), np.log1p(change))
        gain = np.sum(share * change, axis=-1)
        return np.asarray(np.sum(share * log_excess(change) - _per_name(p) * bend, axis=-1) - log_excess(gain))

    @property
    def _pieces(self) -> tuple[Float[ndarray, " m"], Float[ndarray, " m1"], Float[ndarray, " m"]]:
        """The grid of log x, the slope of v before, between and beyond its points, and l at them."""
        grid, v = np.log(self.knots), self.elasticity
        lengths = np.diff(grid)
        areas = np.concatenate(([0.0], np.cumsum(0.5 * lengths * (v[1:] + v[:-1]))))
        return grid, np.concatenate(([0.0], np.diff(v) / lengths, [0.0])), areas

    def _bend(self, y: Float[ndarray, "*t n"], move: Float[ndarray, "*t n"]) -> Float[ndarray, "*t n"]:
        """Return the integral of ``v - v(y)`` from y to ``y + move``, without cancellation where at most one knot lies between."""
        grid, slopes, areas = self._pieces
        (piece, anchor), (other, far) = _place(grid, y), _place(grid, y + move)
        here = slopes[piece]
        between = np.clip(np.minimum(piece, other), 0, len(grid) - 1)  # the knot crossed, where it is one
        before = np.where(piece == other, move, grid[between] - y)
        near = before * here * (0.5 * before + (move - before)) + 0.5 * slopes[other] * (move - before) ** 2
        u, w = y - grid[anchor], y + move - grid[far]
        ends = areas[far] + w * (self.elasticity[far] + 0.5 * slopes[other] * w) - areas[anchor] - u * (self.elasticity[anchor] + 0.5 * here * u)
        return np.asarray(np.where(np.abs(piece - other) <= 1, near, ends - move * (self.elasticity[anchor] + here * u)))

    def _shares(self, mu: Float[ndarray, "*t n"]) -> Float[ndarray, "*t n"]:
        """Return ``v_i / n``."""
        return np.asarray(_per_name(mu) * np.interp(log_held(mu), np.log(self.knots), self.elasticity))


@dataclass(frozen=True, eq=False)
class OptimalGenerator:
    """The best generating function of the family on a history.

    Args:
        function: it.
        objective: its objective a step: mean log relative return, or mean L-divergence, less the penalty.
        gap: no other function of the family, on these knots, has an objective above ``objective + gap``.
    """

    function: ExponentiallyConcave
    objective: float
    gap: float


@dataclass(frozen=True, eq=False)
class OptimalProduct:
    """The best product of powers ``prod_k G_k^a_k``, ``a >= 0``, ``sum a <= 1``, on a history.

    Args:
        function: it, with the exponents.
        growth: log relative return a step, and its certificate; the last weight is what is left for the market.
    """

    function: Composite
    growth: GrowthOptimal


def optimal_product(functions: Sequence[GeneratingFunction], mu: Float[ndarray, "t n"], gross: Float[ndarray, "t n"]) -> OptimalProduct:
    """Return the product of powers of given functions with the most log relative return in hindsight.

    ``prod G_k^a_k`` holds ``sum_k a_k pi_k + (1 - sum_k a_k) mu``: constant weights on the generated portfolios and the market. So this is the
    growth-optimal portfolio of theirs, with its certificate.

    Args:
        functions: exponentially concave generating functions; then so is the product.
        mu: market weights at the start of each step, shape (t, n).
        gross: gross returns of each step, shape (t, n).

    Raises:
        ValueError: no functions, no steps, or shapes that do not fit together.

    >>> from gammastar.core.generating import Diversity
    >>> mu, gross = np.array([[0.7, 0.3], [0.7, 0.3]]), np.array([[2.0, 1.0], [0.5, 1.0]])
    >>> optimal_product((Diversity(0.0),), mu, gross).growth.weights.round(6).tolist()
    [1.0, 0.0]
    """
    if not functions or mu.shape != gross.shape:
        raise ValueError(f"functions, and weights and returns of one shape are needed, got {len(functions)}, {mu.shape} and {gross.shape}")
    market = np.einsum("tn,tn->t", mu, gross)
    relative = [np.einsum("tn,tn->t", function.weights(mu), gross) / market for function in functions]
    best = growth_optimal(np.column_stack((*relative, np.ones(len(mu)))))
    return OptimalProduct(Composite(tuple(zip(functions, map(float, best.weights), strict=False))), best)


def optimal_generator(
    mu: Float[ndarray, "t n"],
    gross: Float[ndarray, "t n"],
    knots: Float[ndarray, " m"],
    *,
    with_boundary: bool = True,
    smoothness: float = 0.0,
) -> OptimalGenerator:
    """Return the exponentially concave function on `knots` that did best in hindsight, by a convex program with a certificate.

    Maximises over v the mean of ``log(1 + (1/n) sum_i v_i (q_i / p_i - 1))``, the log relative return, or of that less ``log G(q) - log G(p)``, the
    L-divergence (the objective of Campbell and Wong), minus ``smoothness`` times ``sum_k (v_{k+1} - v_k)^2 / (2 log(x_{k+1} / x_k))``.

    Args:
        mu: market weights p at the start of each step, shape (t, n); an open market's, where only the largest may be held.
        gross: gross returns of each step, shape (t, n), which make q of p.
        knots: weights at which the elasticity is free, shape (m,), positive and increasing, at least two.
        with_boundary: whether the boundary counts; without it the L-divergence alone is maximised.
        smoothness: penalty a step, not negative.

    Raises:
        ValueError: no steps, shapes that do not fit, knots that do not increase, or a negative penalty.

    >>> mu, gross = np.array([[0.7, 0.2, 0.1]]), np.array([[1.0, 1.0, 1.1]])  # the smallest name has won
    >>> found = optimal_generator(mu, gross, np.array([0.1, 0.2, 0.7]))
    >>> found.function.elasticity.round(6).tolist(), found.gap < 1e-12
    ([1.0, 0.0, 0.0], True)
    """
    if mu.ndim != 2 or not len(mu) or mu.shape != gross.shape:
        raise ValueError(f"weights and returns must be steps by names and of one shape, got {mu.shape} and {gross.shape}")
    if not smoothness >= 0.0:
        raise ValueError(f"the penalty must not be negative, got {smoothness}")
    market = ExponentiallyConcave(knots, np.zeros(len(knots)))  # checks the knots
    grid = np.log(market.knots)
    exposure, boundary = _linear_parts(mu, gross, grid)
    program = _Program(exposure, boundary * (0.0 if with_boundary else 1.0), np.diff(grid), smoothness)
    scaled = replace(program, scale=program.steepest())
    inside = interior_point(scaled, np.full(len(grid), 0.5))
    gap = program.gap(inside.x, inside.multipliers[2 * len(grid) :] * scaled.scale)
    return OptimalGenerator(ExponentiallyConcave(market.knots, inside.x), program.value(inside.x), gap)


@dataclass(frozen=True, eq=False)
class _Program:
    """Minimise ``-(mean log(1 + A v) - c'v - penalty)`` over 0 <= v <= 1 and the two concavity conditions of each piece, divided by `scale`."""

    exposure: Float[ndarray, "t m"]
    boundary: Float[ndarray, " m"]
    lengths: Float[ndarray, " m1"]
    smoothness: float
    scale: float = 1.0

    def steepest(self) -> float:
        """Return the scale that makes slopes of order one: a day's are of order 1e-5, and the method stops at absolute residuals."""
        return float(np.max(np.abs(self.objective(np.full(len(self.boundary), 0.5))[0]))) or 1.0

    @property
    def equality(self) -> Float[ndarray, "0 m"]:
        return np.zeros((0, len(self.boundary)))

    def value(self, v: Float[ndarray, " m"]) -> float:
        """Return the objective to maximise, not scaled."""
        penalty = 0.5 * self.smoothness * float(np.sum(np.diff(v) ** 2 / self.lengths))
        return float(np.mean(np.log1p(self.exposure @ v)) - self.boundary @ v) - penalty

    def objective(self, v: Float[ndarray, " m"]) -> tuple[Float[ndarray, " m"], Float[ndarray, "m m"]]:
        relative = self.exposure / (1.0 + self.exposure @ v)[:, None]
        steps = np.diff(np.eye(len(v)), axis=0)
        stiffness = self.smoothness * (steps.T / self.lengths) @ steps
        gradient = self.boundary - relative.mean(axis=0) + stiffness @ v
        return gradient / self.scale, (relative.T @ relative / len(relative) + stiffness) / self.scale

    def constraints(self, v: Float[ndarray, " m"]) -> tuple[Float[ndarray, " c"], Float[ndarray, "c m"]]:
        count = len(v)
        unit, rise = np.eye(count), np.diff(np.eye(count), axis=0)
        bend = self.lengths[:, None] * (2.0 * v - 1.0)[None, :]
        jacobian = np.concatenate((-unit, unit, rise + bend * unit[:-1], rise + bend * unit[1:]))
        return np.concatenate((-v, v - 1.0, _concavity(v, self.lengths))), jacobian

    def curvature(self, multipliers: Float[ndarray, " c"]) -> Float[ndarray, "m m"]:
        return np.diag(2.0 * self._bends(multipliers[2 * len(self.boundary) :]))

    def gap(self, v: Float[ndarray, " m"], multipliers: Float[ndarray, " c2"]) -> float:
        """Return how much higher the objective can be anywhere, by weak duality for any multipliers of the concavity conditions.

        ``f(w) <= f(v) + slopes.(w - v) - sum_j multipliers_j g_j(w)``, and over 0 <= w <= 1 the right side splits into parabolas, one a knot.
        """
        slopes = -self.objective(v)[0] * self.scale
        bends, pieces = self._bends(multipliers), len(self.lengths)
        on_rise = multipliers[:pieces] + multipliers[pieces:]
        linear = slopes + bends - np.concatenate((np.diff(-on_rise, prepend=0.0), on_rise[-1:]))
        top = np.clip(np.divide(linear, 2.0 * bends, out=np.where(linear > 0.0, 1.0, 0.0), where=bends > 0.0), 0.0, 1.0)
        return float(np.sum(linear * top - bends * top * top) - slopes @ v)

    def _bends(self, multipliers: Float[ndarray, " c2"]) -> Float[ndarray, " m"]:
        """Return the coefficient of ``v_k^2`` in ``sum_j multipliers_j g_j``."""
        left, right = np.split(multipliers, 2)
        return np.asarray(np.append(left * self.lengths, 0.0) + np.append(0.0, right * self.lengths))


def _concavity(v: Float[ndarray, " m"], lengths: Float[ndarray, " m1"]) -> Float[ndarray, " c2"]:
    """Return ``v_{k+1} - v_k - v (1 - v) length_k`` with the left and with the right v of each piece: not positive for a concave G."""
    allowed = v * (1.0 - v)
    rise = np.diff(v)
    return np.concatenate((rise - allowed[:-1] * lengths, rise - allowed[1:] * lengths))


def _place(grid: Float[ndarray, " m"], y: Float[ndarray, "*t n"]) -> tuple[Int[ndarray, "*t n"], Int[ndarray, "*t n"]]:
    """Return the piece that each y lies in, 0 before the grid and m beyond it, and the knot that it is measured from: the last before it, or the first."""
    piece = np.searchsorted(grid, y, side="right")
    return piece, np.maximum(piece - 1, 0)


def _per_name(mu: Float[ndarray, "*t n"]) -> Float[ndarray, "*t n"]:
    """Return ``1/n`` for the n names held, zero for others."""
    held = mu > 0.0
    return np.asarray(held / held.sum(axis=-1, keepdims=True))


def _linear_parts(mu: ndarray, gross: ndarray, grid: ndarray) -> tuple[Float[ndarray, "t m"], Float[ndarray, " m"]]:
    """Return A and c: a step's relative value less one is ``A v``, and the mean boundary ``c'v``."""
    exposure, boundary = np.empty((len(mu), len(grid))), np.zeros(len(grid))
    for start in range(0, len(mu), BLOCK):
        p = mu[start : start + BLOCK]
        q = drifted(p, gross[start : start + BLOCK])
        per_name, logs = _per_name(p), log_held(p)
        left, share = _between(grid, logs)
        flat, size = left + len(grid) * np.arange(len(p))[:, None], len(p) * len(grid)
        excess = per_name * relative_changes(p, q)
        at_left = np.bincount(flat.ravel(), ((1.0 - share) * excess).ravel(), size)
        at_right = np.bincount(flat.ravel() + 1, (share * excess).ravel(), size)
        exposure[start : start + BLOCK] = (at_left + at_right).reshape(len(p), len(grid))
        boundary += _areas(log_held(q).ravel(), per_name.ravel(), grid) - _areas(logs.ravel(), per_name.ravel(), grid)
    return exposure, boundary / len(mu)


def _between(grid: Float[ndarray, " m"], y: Float[ndarray, "*t n"]) -> tuple[Int[ndarray, "*t n"], Float[ndarray, "*t n"]]:
    """Return the knot to the left of each y, moved into the grid, and how far it is on the way to the next, 0 to 1."""
    inside = np.clip(y, grid[0], grid[-1])
    left = np.clip(np.searchsorted(grid, inside, side="right") - 1, 0, len(grid) - 2)
    return left, (inside - grid[left]) / np.diff(grid)[left]


def _areas(y: Float[ndarray, " s"], masses: Float[ndarray, " s"], grid: Float[ndarray, " m"]) -> Float[ndarray, " m"]:
    """Return the derivative of ``sum_s masses_s l(y_s)`` in v."""
    size, lengths = len(grid), np.diff(grid)
    left, share = _between(grid, y)
    right = 0.5 * share * share * lengths[left]
    total = np.bincount(left, masses * (share * lengths[left] - right), size) + np.bincount(left + 1, masses * right, size)
    in_piece = np.bincount(left, masses, size)
    beyond = (in_piece.sum() - np.cumsum(in_piece))[:-1] * 0.5 * lengths  # names to the right of a piece have all of its area
    total[:-1] += beyond
    total[1:] += beyond
    total[0] += masses @ np.minimum(y - grid[0], 0.0)
    total[-1] += masses @ np.maximum(y - grid[-1], 0.0)
    return np.asarray(total)
