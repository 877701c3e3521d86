"""The growth-optimal portfolio: constant weights with the most growth, in hindsight over a history or for given rates.

Both problems are concave over the simplex, and both answers carry a certificate: with slopes ``d_i``, the derivatives of growth in the weights, no
long-only portfolio grows faster than ``growth + gap``, ``gap = max_i d_i - sum_i pi_i d_i``. At the optimum the gap is zero: these are the
Karush-Kuhn-Tucker conditions (Bell and Cover 1980; Cover and Thomas 2006, theorem 16.2.1).
"""

from __future__ import annotations

__all__ = ["GrowthOptimal", "growth_gap", "growth_optimal", "growth_optimal_rates"]

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from gammastar.core.excess_growth import excess_growth
from gammastar.core.interior_point import interior_point

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from numpy import ndarray

    from gammastar.core.covariance import FactoredCovariance

TOLERANCE = 1e-13
FIRST = 40  # names in the first working set; optimal portfolios hold few


@dataclass(frozen=True, eq=False)
class GrowthOptimal:
    """A growth-optimal portfolio with its certificate.

    Args:
        weights: constant weights, shape (n,), not negative, summing to one.
        growth: log return a step (history) or growth rate a year (rates).
        gap: ``max_i d_i - sum_i pi_i d_i``, not negative but for rounding: no long-only constant weights have more growth than ``growth + gap``.
    """

    weights: Float[ndarray, " n"]
    growth: float
    gap: float

    @property
    def held(self) -> Int[ndarray, " m"]:
        """Positions of the names with a weight."""
        return np.flatnonzero(self.weights)


def growth_gap(pi: Float[ndarray, " n"], gross: Float[ndarray, "t n"]) -> float:
    """Return ``max_i mean_t(R_ti / pi'R_t) - 1``: how much more log return a step than `pi` any constant long-only weights can have had.

    ``mean log(c'R / pi'R) <= log mean(c'R / pi'R) <= log(1 + gap) <= gap`` for every `c` of the simplex, by Jensen.

    Args:
        pi: constant weights, shape (n,), summing to one, with a positive return in each step.
        gross: gross returns of each step, shape (t, n).

    >>> float(round(growth_gap(np.array([0.5, 0.5]), np.array([[2.0, 1.0], [0.5, 1.0]])), 12))
    0.0
    """
    return float(np.max((1.0 / (gross @ pi)) @ gross) / len(gross) - 1.0)


def growth_optimal(gross: Float[ndarray, "t n"]) -> GrowthOptimal:
    """Return the best constant-rebalanced portfolio in hindsight: the weights that maximise ``mean_t log(b'R_t)`` over the simplex.

    The numeraire does not matter: returns relative to the market give the same weights. Exact to rounding (`gap` is of the order of 1e-15). Found on a
    working set of names that grows by those whose slope says they are missed, so thousands of names cost passes over the array and no more.

    Args:
        gross: gross returns of each step, shape (t, n), positive.

    Raises:
        ValueError: no steps, no names, or a return that is not positive and finite.

    >>> stock_and_cash = np.array([[2.0, 1.0], [0.5, 1.0]])
    >>> growth_optimal(stock_and_cash).weights.round(12)
    array([0.5, 0.5])
    """
    if gross.ndim != 2 or not gross.size:
        raise ValueError(f"gross returns must be steps by names, got the shape {gross.shape}")
    if not (bool(np.all(gross > 0.0)) and bool(np.all(np.isfinite(gross)))):
        raise ValueError("gross returns must be positive and finite")
    pi = _best_weights(_HistoricalGrowth(gross))
    return GrowthOptimal(pi, float(np.mean(np.log(gross @ pi))), growth_gap(pi, gross))


def growth_optimal_rates(gamma: Float[ndarray, " n"], sigma: FactoredCovariance) -> GrowthOptimal:
    """Return the long-only portfolio with the largest growth rate ``pi'gamma + gamma*_pi`` (Fernholz 2002, section 1.1).

    Args:
        gamma: growth rates a year, shape (n,); with equal rates the answer is the portfolio of most excess growth.
        sigma: annual covariance of log returns.

    Raises:
        ValueError: shapes that do not fit together.

    >>> from gammastar.core.covariance import FactoredCovariance
    >>> growth_optimal_rates(np.array([0.05, 0.03]), FactoredCovariance(np.zeros((2, 1)), np.array([0.04, 0.04]))).weights.round(12)
    array([0.75, 0.25])
    """
    if gamma.shape != (len(sigma),):
        raise ValueError(f"growth rates {gamma.shape} do not fit a covariance of {len(sigma)} assets")
    problem = _GrowthRate(gamma + 0.5 * sigma.variances, sigma)
    pi = _best_weights(problem)
    return GrowthOptimal(pi, float(pi @ gamma) + excess_growth(pi, sigma), _gap(problem.slopes(pi), pi))


class _Growth(Protocol):
    """A concave function of the weights."""

    def slopes(self, pi: Float[ndarray, " n"]) -> Float[ndarray, " n"]: ...

    def first_guess(self) -> Float[ndarray, " n"]: ...

    def take(self, columns: Int[ndarray, " m"]) -> _Growth: ...

    def local(self, pi: Float[ndarray, " n"]) -> tuple[Float[ndarray, " n"], Float[ndarray, "n n"]]: ...


@dataclass(frozen=True, eq=False)
class _HistoricalGrowth:
    """``mean log(b'R)``."""

    gross: Float[ndarray, "t n"]

    def slopes(self, pi: Float[ndarray, " n"]) -> Float[ndarray, " n"]:
        return np.asarray((1.0 / (self.gross @ pi)) @ self.gross / len(self.gross))

    def first_guess(self) -> Float[ndarray, " n"]:
        return self.slopes(np.full(self.gross.shape[1], 1.0 / self.gross.shape[1]))

    def take(self, columns: Int[ndarray, " m"]) -> _HistoricalGrowth:
        return _HistoricalGrowth(self.gross[:, columns])

    def local(self, pi: Float[ndarray, " n"]) -> tuple[Float[ndarray, " n"], Float[ndarray, "n n"]]:
        relative = self.gross / (self.gross @ pi)[:, None]
        return relative.mean(axis=0), -(relative.T @ relative) / len(relative)


@dataclass(frozen=True, eq=False)
class _GrowthRate:
    """``pi'arithmetic - pi'Sigma pi / 2``."""

    arithmetic: Float[ndarray, " n"]
    sigma: FactoredCovariance

    def slopes(self, pi: Float[ndarray, " n"]) -> Float[ndarray, " n"]:
        return np.asarray(self.arithmetic - self.sigma.times(pi))

    def first_guess(self) -> Float[ndarray, " n"]:
        return self.slopes(np.full(len(self.sigma), 1.0 / len(self.sigma)))

    def take(self, columns: Int[ndarray, " m"]) -> _GrowthRate:
        return _GrowthRate(self.arithmetic[columns], self.sigma.take(columns))

    def local(self, pi: Float[ndarray, " n"]) -> tuple[Float[ndarray, " n"], Float[ndarray, "n n"]]:
        return self.slopes(pi), -self.sigma.dense()  # a working set is small


@dataclass(frozen=True, eq=False)
class _OverSimplex:
    """Minimise minus the growth over the simplex, as the interior-point method wants it."""

    growth: _Growth
    names: int

    @property
    def equality(self) -> Float[ndarray, "1 n"]:
        return np.ones((1, self.names))

    def objective(self, x: Float[ndarray, " n"]) -> tuple[Float[ndarray, " n"], Float[ndarray, "n n"]]:
        slopes, hessian = self.growth.local(x)
        return -slopes, -hessian

    def constraints(self, x: Float[ndarray, " n"]) -> tuple[Float[ndarray, " n"], Float[ndarray, "n n"]]:
        return -x, -np.eye(self.names)

    def curvature(self, multipliers: Float[ndarray, " n"]) -> Float[ndarray, "n n"]:
        return np.zeros((len(multipliers), len(multipliers)))


def _gap(slopes: Float[ndarray, " n"], pi: Float[ndarray, " n"]) -> float:
    return float(np.max(slopes) - slopes @ pi)


def _best_weights(growth: _Growth) -> Float[ndarray, " n"]:
    """Return the maximiser over the simplex, by working sets: solve on some names, add those whose slope exceeds the portfolio's, repeat."""
    guess = growth.first_guess()
    names = len(guess)
    working = np.sort(np.argsort(-guess, kind="stable")[:FIRST])
    while True:
        pi = np.zeros(names)
        pi[working] = _on_working_set(growth.take(working), len(working))
        slopes = growth.slopes(pi)
        missed = np.setdiff1d(np.flatnonzero(slopes - slopes @ pi > TOLERANCE), working)
        if not len(missed):
            return pi
        worst = missed[np.argsort(-slopes[missed], kind="stable")[: max(FIRST, len(working))]]
        working = np.union1d(working, worst)


def _on_working_set(growth: _Growth, names: int) -> Float[ndarray, " n"]:
    """Return the maximiser on few names: interior point, then Newton on the names held, which gives the others exactly nothing."""
    if names == 1:
        return np.ones(1)
    inside = interior_point(_OverSimplex(growth, names), np.full(names, 1.0 / names))
    best = np.asarray(inside.x / inside.x.sum())
    held = inside.x > inside.multipliers
    pi = np.where(held, inside.x, 0.0) / inside.x[held].sum()
    for _ in range(3):
        if _gap(growth.slopes(pi), pi) <= max(TOLERANCE, _gap(growth.slopes(best), best)):
            best = pi
        moved = _newton_on_held(growth, pi, held)
        if bool(np.any(moved < 0.0)):
            break
        pi = moved
    return best


def _newton_on_held(growth: _Growth, pi: Float[ndarray, " n"], held: ndarray) -> Float[ndarray, " n"]:
    """Return `pi` after a Newton step on the weights of the names held, their sum kept."""
    count = int(held.sum())
    slopes, hessian = growth.local(pi)
    system = np.ones((count + 1, count + 1))
    system[:count, :count], system[count, count] = -hessian[np.ix_(held, held)], 0.0
    right = np.append(slopes[held] - slopes @ pi, 0.0)
    step = np.linalg.lstsq(system, right, rcond=1e-14)[0][:count]  # names that move alike leave the system singular, and any answer serves
    moved = pi.copy()
    moved[held] += step
    return np.asarray(moved / moved.sum())
