"""A generating function of one's own: log G as a Python function, its portfolio, its drift, and whether it is concave."""

from __future__ import annotations

__all__ = ["Concavity", "UserFunction", "concavity_check", "drift_from_divergence"]

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gammastar.core.generating import GeneratingFunction, l_divergence
from gammastar.core.simplex import log_excess, relative_changes

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Complex, Float
    from numpy import ndarray

    from gammastar.core.covariance import FactoredCovariance

_TINY = 1e-40  # a complex step: no subtraction, so no step is too small
_SHORT = 0.05  # longest relative change over which eight nodes integrate a smooth gradient to rounding
_NODES, _NODE_WEIGHTS = (0.5 * (x + shift) for x, shift in zip(np.polynomial.legendre.leggauss(8), (1.0, 0.0), strict=True))
_DRIFT_STEP = 1e-4
_DRIFT_ENTRIES = 1 << 20  # numbers in one block of directions: 8 MB


@dataclass(frozen=True, eq=False)
class UserFunction:
    """A function of one's own, given as ``log G``.

    The gradient is given, or taken by complex steps: ``D_i log G = Im log G(mu + i h e_i) / h``, exact to rounding. `log_g` must then accept complex
    arrays and be analytic (no `abs`, `max`, `sort` or comparisons of the values: for a function of ranks, pass a function of the sorted
    weights to `ByRank`). Nothing is assumed of concavity: ask `concavity_check`.

    Args:
        log_g: log G of an array of weights, over its last axis; an array without that axis. Where a weight is zero it must stay finite.
        gradient: ``D_i log G``, same shape as the weights, or None. What it says of names without weight does not matter.

    >>> own = UserFunction(lambda x: 0.5 * np.log(np.sum(np.sqrt(x), axis=-1)))
    >>> own.weights(np.array([0.64, 0.36])).round(6)
    array([0.622857, 0.377143])
    """

    log_g: Callable[[ndarray], ndarray]
    gradient: Callable[[ndarray], ndarray] | None = None

    def log_value(self, mu: Float[ndarray, "*t n"]) -> Float[ndarray, "*t"]:
        """Return ``log G(mu)``."""
        return np.asarray(self.log_g(mu), dtype=np.float64)

    def log_gradient(self, mu: Float[ndarray, "*t n"]) -> Float[ndarray, "*t n"]:
        """Return ``D_i log G(mu)``, zero for names without weight; without a given gradient n evaluations of log G."""
        held = mu > 0.0
        if self.gradient is not None:
            return np.asarray(np.where(held, self.gradient(mu), 0.0))
        slopes = np.zeros(mu.shape)
        for i in range(mu.shape[-1]):
            step = np.zeros(mu.shape[-1])
            step[i] = _TINY
            slopes[..., i] = self._complex_step(mu + 1j * np.where(held, step, 0.0)) if held[..., i].any() else 0.0
        return slopes

    def weights(self, mu: Float[ndarray, "*t n"]) -> Float[ndarray, "*t n"]:
        """Return ``mu_i (1 + D_i log G - sum_j mu_j D_j log G)`` (Fernholz 1999)."""
        slope = self.log_gradient(mu)
        return np.asarray(mu * (1.0 + slope - np.sum(mu * slope, axis=-1, keepdims=True)))

    def drift(self, mu: Float[ndarray, " n"], sigma: FactoredCovariance) -> float:
        """Return the drift of the continuous master equation, from the L-divergence of small steps (`drift_from_divergence`)."""
        return drift_from_divergence(self, mu, sigma)

    def divergence(self, p: Float[ndarray, "*t n"], q: Float[ndarray, "*t n"]) -> Float[ndarray, "*t"]:
        """Return ``T(q|p)``; for short steps ``-int_0^1 (grad log G(p + u m) - grad log G(p)).m du - (s - log(1 + s))`` with ``m = q - p``.

        The integral is taken at eight Gauss nodes where no weight changes by more than a twentieth of itself, and keeps its digits; longer steps
        lose none to the definition.
        """
        d = relative_changes(p, q)
        p, move = np.broadcast_to(p, d.shape), p * d
        slope = self.log_gradient(p)
        gain = np.sum(slope * move, axis=-1)
        plain = np.log1p(gain) - (self.log_value(p + move) - self.log_value(p))
        near = np.abs(d).max(axis=-1) <= _SHORT
        if not near.any():
            return np.asarray(plain)
        bend = np.zeros(gain.shape)
        start = self._along(p, move, slope)
        for node, weight in zip(_NODES, _NODE_WEIGHTS, strict=True):
            bend += weight * (self._along(p + node * move, move, None) - start)
        return np.asarray(np.where(near, -bend - log_excess(gain), plain))

    def _along(self, x: Float[ndarray, "*t n"], move: Float[ndarray, "*t n"], slope: Float[ndarray, "*t n"] | None) -> Float[ndarray, "*t"]:
        """Return ``grad log G(x).move``: with one complex evaluation where no gradient is given."""
        if self.gradient is None:
            return self._complex_step(x + 1j * (_TINY * move))
        return np.asarray(np.sum((self.log_gradient(x) if slope is None else slope) * move, axis=-1))

    def _complex_step(self, z: Complex[ndarray, "*t n"]) -> Float[ndarray, "*t"]:
        """Return the derivative along the imaginary part of `z`.

        Raises:
            ValueError: a log G that dropped the imaginary part.
        """
        value = np.asarray(self.log_g(z))
        if not np.iscomplexobj(value):
            raise ValueError("log_g returned real numbers for complex weights: write it analytically, or give its gradient")
        return np.asarray(value.imag / _TINY)


def drift_from_divergence(function: GeneratingFunction, mu: Float[ndarray, " n"], sigma: FactoredCovariance) -> float:
    """Return ``-(1/2G) sum_ij D_ij G mu_i mu_j tau^mu_ij``, a year, of any function whose L-divergence keeps its digits near zero.

    ``T(mu + e v | mu) = -(e^2 / 2G) v' D^2 G v + O(e^3)``, summed over the directions ``v = mu_i (b_i - mu.b)`` of the factors b and of each
    name's specific risk; the odd term goes by symmetry. Relative error about 1e-8; ``2 (n + k)`` divergences, in blocks of a few megabytes.

    The drift is that of Fernholz 2002, theorem 3.1.5.

    Args:
        function: a generating function with a `divergence`.
        mu: market weights, shape (n,).
        sigma: annual covariance of log returns, k factors.

    >>> from gammastar.core.covariance import FactoredCovariance
    >>> from gammastar.core.generating import Entropy
    >>> mu, sigma = np.array([0.7, 0.3]), FactoredCovariance(np.zeros((2, 1)), np.array([0.04, 0.09]))
    >>> round(drift_from_divergence(Entropy(), mu, sigma) / Entropy().drift(mu, sigma), 6)
    1.0
    """
    columns = sigma.loadings.shape[1] + len(mu)
    at_once = max(1, _DRIFT_ENTRIES // len(mu))
    total = 0.0
    for first in range(0, columns, at_once):
        shocks = np.stack([_shock(sigma, column) for column in range(first, min(first + at_once, columns))])
        shocks -= (shocks @ mu)[:, None]
        total += float(sum(l_divergence(function, mu, mu * (1.0 + sign * _DRIFT_STEP * shocks)).sum() for sign in (1.0, -1.0)))
    return 0.5 * total / _DRIFT_STEP**2


def _shock(sigma: FactoredCovariance, column: int) -> Float[ndarray, " n"]:
    """Return one column of the square root of the covariance: a factor's loadings, or a name's specific volatility."""
    factors = sigma.loadings.shape[1]
    if column < factors:
        return sigma.loadings[:, column]
    own = np.zeros(len(sigma))
    own[column - factors] = np.sqrt(sigma.specific[column - factors])
    return own


@dataclass(frozen=True, eq=False)
class Concavity:
    """What a search for a counter-example to concavity found.

    Args:
        segments: how many segments were tried.
        violations: on how many of them G at the middle is below the mean of its ends by more than rounding.
        worst: the smallest ``G(middle) / mean of the ends - 1`` found; negative is against concavity.
        ends: the segment of `worst`, shape (2, n).
    """

    segments: int
    violations: int
    worst: float
    ends: Float[ndarray, "2 n"]

    @property
    def holds(self) -> bool:
        """No counter-example was found: evidence, not proof."""
        return self.violations == 0

    def __str__(self) -> str:
        """Return the answer with its advice."""
        if self.holds:
            return f"no counter-example to concavity on {self.segments} random segments"
        return (
            f"not concave: {self.violations} of {self.segments} random segments bend the other way, the worst by {-self.worst:.2g} of G;"
            " T may be negative, and rebalancing may lose"
        )


def concavity_check(function: GeneratingFunction, n: int, rng: np.random.Generator, *, segments: int = 1000) -> Concavity:
    """Return whether ``G((p + q) / 2) >= (G(p) + G(q)) / 2`` on random segments of the simplex.

    Ends are drawn from Dirichlet laws of random concentration (from 0.05, near the corners, to 50, near the centre); half of the segments are then
    shortened at random down to a thousandth, so that a narrow bulge is found too.

    Args:
        function: the generating function.
        n: number of names, at least 2.
        rng: source of the segments.
        segments: how many, at least 1.

    Raises:
        ValueError: fewer than two names or no segment.

    >>> str(concavity_check(UserFunction(lambda x: np.log(np.sum(x * x, axis=-1))), 3, np.random.default_rng(1), segments=8))[:35]
    'not concave: 8 of 8 random segments'
    """
    if n < 2 or segments < 1:
        raise ValueError(f"at least 2 names and 1 segment are needed, got {n} and {segments}")
    concentration = np.exp(rng.uniform(np.log(0.05), np.log(50.0), (2, segments, 1)))
    ends = rng.standard_gamma(np.broadcast_to(concentration, (2, segments, n))) + 1e-12
    p, q = ends / ends.sum(axis=-1, keepdims=True)
    length = np.where(rng.random((segments, 1)) < 0.5, 1.0, 10.0 ** rng.uniform(-3.0, 0.0, (segments, 1)))
    q = p + length * (q - p)
    logs = np.stack([function.log_value(p), function.log_value(q)])
    middle = function.log_value(0.5 * (p + q))
    gap = np.expm1(middle - np.logaddexp(*logs) + np.log(2.0))
    rounding = 1e-13 * (10.0 + np.abs(logs).max(axis=0))
    at = int(gap.argmin())
    return Concavity(segments, int((gap < -rounding).sum()), float(gap[at]), np.stack((p[at], q[at])))
