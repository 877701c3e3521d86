"""Functionally generated portfolios: a function G of the market weights, and the portfolio it generates.

``pi_i = mu_i (1 + D_i log G - sum_j mu_j D_j log G)`` (Fernholz 1999). Weights `mu` may hold zeros: a name with no weight is not in the
market, gets no weight, and does not count in `n`. All functions work on the last axis. Each family has an L-divergence that keeps its digits
however small the step (`divergence`); `gammastar.core.families`, `rank_generating`, `argument` and `concave` hold further functions.
"""

from __future__ import annotations

__all__ = [
    "Compensated",
    "Composite",
    "Diversity",
    "Entropy",
    "GeneratingFunction",
    "GeometricMean",
    "GiniSimpson",
    "Market",
    "bet_dial",
    "bregman_divergence",
    "from_bregman",
    "l_divergence",
    "relative_gain",
    "relative_value",
]

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from gammastar.core.excess_growth import excess_growth
from gammastar.core.simplex import log_excess, log_mean_exp, relative_changes
from gammastar.core.simplex import log_held as _log

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy import ndarray

    from gammastar.core.covariance import FactoredCovariance


_SMALL_P = 0.1  # below, dividing by p would lose digits that a sum centred on the geometric mean keeps


class GeneratingFunction(Protocol):
    """A positive function G of the market weights."""

    def log_value(self, mu: Float[ndarray, "*t n"]) -> Float[ndarray, "*t"]:
        """Return ``log G(mu)``."""
        ...

    def weights(self, mu: Float[ndarray, "*t n"]) -> Float[ndarray, "*t n"]:
        """Return the weights G generates from `mu`."""
        ...

    def drift(self, mu: Float[ndarray, " n"], sigma: FactoredCovariance) -> float:
        """Return ``-(1/2G) sum_ij D_ij G mu_i mu_j tau^mu_ij``, a year: the drift of the continuous master equation."""
        ...


@runtime_checkable
class Compensated(GeneratingFunction, Protocol):
    """A generating function with an L-divergence of its own that keeps its digits near zero."""

    def divergence(self, p: Float[ndarray, "*t n"], q: Float[ndarray, "*t n"]) -> Float[ndarray, "*t"]:
        """Return ``T(q|p)``, accurate however close q is to p."""
        ...


def l_divergence(function: GeneratingFunction, p: Float[ndarray, "*t n"], q: Float[ndarray, "*t n"]) -> Float[ndarray, "*t"]:
    """Return ``T(q|p) = log(sum_i pi_i(p) q_i / p_i) - log(G(q) / G(p))`` (Pal and Wong 2016); not negative for concave G.

    The families of this package compute it to about eight digits even where it is 1e-13 (relative steps of 1e-6); of a function that has no
    `divergence` the definition is taken as it stands, with an absolute error of the rounding of log G.

    Args:
        function: the generating function.
        p: weights at which the portfolio was formed, last axis n.
        q: weights to which returns moved them, same shape and the same names.

    Raises:
        ValueError: p and q that do not hold the same names.

    >>> float(l_divergence(Diversity(0.5), np.array([0.5, 0.5]), np.array([0.5000001, 0.4999999])).round(18))
    1e-14
    """
    if isinstance(function, Compensated):
        return function.divergence(p, q)
    return np.asarray(np.log(relative_value(function, p, q)) - (function.log_value(q) - function.log_value(p)))


def bregman_divergence(function: GeneratingFunction, p: Float[ndarray, "*t n"], q: Float[ndarray, "*t n"]) -> Float[ndarray, "*t"]:
    """Return ``B(q|p) = G(p) - G(q) + grad G(p).(q - p) = G(p) (1 + s) (1 - exp(-T(q|p)))``, `s` the `relative_gain` (Karatzas and Ruf 2017).

    Args and errors as `l_divergence`; not negative for concave G, in units of G.

    >>> p, q = np.array([0.5, 0.5]), np.array([0.6, 0.4])
    >>> bool(np.isclose(bregman_divergence(Entropy(), p, q), q @ np.log(q / p)))
    True
    """
    grown = np.exp(function.log_value(p)) * (1.0 + relative_gain(function, p, q))
    return np.asarray(-grown * np.expm1(-l_divergence(function, p, q)))


def from_bregman(bregman: Float[ndarray, "*t"], value: Float[ndarray, "*t"], gain: Float[ndarray, "*t"]) -> Float[ndarray, "*t"]:
    """Return ``T = -log(1 - B / (G (1 + s)))``, the L-divergence of a function whose Bregman divergence is known.

    Args:
        bregman: ``B(q|p)``, any shape.
        value: ``G(p)``, positive, same shape.
        gain: `relative_gain` s, same shape.

    >>> float(from_bregman(np.array(0.01), np.array(1.0), np.array(0.0)).round(6))
    0.01005
    """
    return np.asarray(-np.log1p(-bregman / (value * (1.0 + gain))))


def relative_gain(function: GeneratingFunction, p: Float[ndarray, "*t n"], q: Float[ndarray, "*t n"]) -> Float[ndarray, "*t"]:
    """Return ``s = sum_i pi_i(p) (q_i / p_i - 1) = grad log G(p).(q - p)``: `relative_value` less one, with all its digits.

    Args and errors as `l_divergence`; a fraction a step, of the shape of the weights without its last axis.

    >>> float(relative_gain(Diversity(0.0), np.array([0.8, 0.2]), np.array([0.7, 0.3])).round(6))
    0.1875
    """
    return np.asarray(np.sum(function.weights(p) * relative_changes(p, q), axis=-1))


def relative_value(function: GeneratingFunction, p: Float[ndarray, "*t n"], q: Float[ndarray, "*t n"]) -> Float[ndarray, "*t"]:
    """Return ``sum_i pi_i(p) q_i / p_i``: one step's gross return of the generated portfolio over that of the market (Fernholz 1999).

    Args:
        function: the generating function.
        p: weights at which the portfolio was formed, last axis n.
        q: weights to which returns moved them, same shape; what it holds beyond `p` does not count.

    >>> float(relative_value(Diversity(0.0), np.array([0.8, 0.2]), np.array([0.7, 0.3])).round(6))
    1.1875
    """
    ratio = np.divide(q, p, out=np.zeros(np.broadcast_shapes(p.shape, q.shape)), where=p > 0.0)
    return np.asarray(np.sum(function.weights(p) * ratio, axis=-1))


def _entropy(mu: Float[ndarray, "*t n"]) -> Float[ndarray, "*t"]:
    """Return the Shannon entropy ``-sum mu log mu``."""
    return np.asarray(-np.sum(mu * _log(mu), axis=-1))


@dataclass(frozen=True)
class Market:
    """``G = 1``: generates the market itself."""

    def log_value(self, mu: Float[ndarray, "*t n"]) -> Float[ndarray, "*t"]:
        """Return zero."""
        return np.zeros(mu.shape[:-1])

    def weights(self, mu: Float[ndarray, "*t n"]) -> Float[ndarray, "*t n"]:
        """Return `mu`."""
        return mu

    def drift(self, mu: Float[ndarray, " n"], sigma: FactoredCovariance) -> float:
        """Return zero."""
        del mu, sigma
        return 0.0

    def divergence(self, p: Float[ndarray, "*t n"], q: Float[ndarray, "*t n"]) -> Float[ndarray, "*t"]:
        """Return zero: the market does not trade."""
        return np.zeros(np.broadcast_shapes(p.shape, q.shape)[:-1])


@dataclass(frozen=True)
class Diversity:
    """``G = ((1/n) sum mu^p)^(1/p)``, the power mean of the weights; the geometric mean at ``p = 0``.

    Generates ``pi = mu^p / sum mu^p``: equal weight at 0, the market at 1. Concave, so that ``T >= 0``, for ``p <= 1``.

    Args:
        p: any real number.
    """

    p: float

    def log_value(self, mu: Float[ndarray, "*t n"]) -> Float[ndarray, "*t"]:
        """Return ``log G``, continuous in p through 0 (a small p is raised from the geometric mean, a large one from the largest power)."""
        held = mu > 0.0
        count = held.sum(axis=-1)
        log_mu = _log(mu)
        if abs(self.p) > _SMALL_P:
            exponents = np.where(held, self.p * log_mu, -np.inf)
            top = exponents.max(axis=-1)
            return np.asarray((top + np.log(np.exp(exponents - top[..., None]).sum(axis=-1) / count)) / self.p)
        centre = log_mu.sum(axis=-1) / count
        if self.p == 0.0:
            return np.asarray(centre)
        raised = self.p * (log_mu - centre[..., None])
        if abs(self.p) > 1.0:  # the largest power is taken out, so that none overflows
            top = np.where(held, raised, -np.inf).max(axis=-1)
            powers = np.where(held, np.exp(np.minimum(raised - top[..., None], 0.0)), 0.0)
            return np.asarray(centre + (top + np.log(powers.sum(axis=-1) / count)) / self.p)
        spread = np.where(held, np.expm1(raised), 0.0)
        return np.asarray(centre + np.log1p(spread.sum(axis=-1) / count) / self.p)

    def weights(self, mu: Float[ndarray, "*t n"]) -> Float[ndarray, "*t n"]:
        """Return ``mu^p / sum mu^p``."""
        if self.p == 1.0:
            return mu
        held = mu > 0.0
        if self.p == 0.0:
            return np.asarray(held / held.sum(axis=-1, keepdims=True))
        exponents = np.where(held, self.p * _log(mu), -np.inf)
        powers = np.exp(exponents - exponents.max(axis=-1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=-1, keepdims=True))

    def drift(self, mu: Float[ndarray, " n"], sigma: FactoredCovariance) -> float:
        """Return ``(1 - p) gamma*_pi`` (Fernholz 2002, example 3.4.4)."""
        return (1.0 - self.p) * excess_growth(self.weights(mu), sigma)

    def divergence(self, p: Float[ndarray, "*t n"], q: Float[ndarray, "*t n"]) -> Float[ndarray, "*t"]:
        """Return ``log M_1(r; pi) - log M_p(r; pi)``, power means of the relatives ``r = q/p`` under the generated weights.

        With ``z = log r`` less its mean under `pi`: ``log sum pi e^z - (1/p) log sum pi e^{p z}``, each of second order.
        """
        if self.p == 1.0:
            return np.zeros(np.broadcast_shapes(p.shape, q.shape)[:-1])
        pi, x = self.weights(p), np.log1p(relative_changes(p, q))
        z = x - np.sum(pi * x, axis=-1, keepdims=True)
        first = log_mean_exp(pi, z)
        return first if self.p == 0.0 else np.asarray(first - log_mean_exp(pi, self.p * z) / self.p)


@dataclass(frozen=True)
class Entropy:
    """``G = S(mu) + shift`` with ``S = -sum mu log mu``; generates ``mu_i (shift - log mu_i) / (S + shift)``.

    Args:
        shift: not negative; the larger, the closer to the market.

    Raises:
        ValueError: a negative shift.
    """

    shift: float = 0.0

    def __post_init__(self) -> None:
        if not self.shift >= 0.0:
            raise ValueError(f"shift must not be negative, got {self.shift}")

    def log_value(self, mu: Float[ndarray, "*t n"]) -> Float[ndarray, "*t"]:
        """Return ``log(S + shift)``."""
        return np.asarray(np.log(_entropy(mu) + self.shift))

    def weights(self, mu: Float[ndarray, "*t n"]) -> Float[ndarray, "*t n"]:
        """Return ``mu_i (shift - log mu_i) / (S + shift)``."""
        raw = mu * (self.shift - _log(mu))
        return np.asarray(raw / raw.sum(axis=-1, keepdims=True))

    def drift(self, mu: Float[ndarray, " n"], sigma: FactoredCovariance) -> float:
        """Return ``gamma*_mu / (S + shift)`` (Fernholz 2002, example 3.4.1)."""
        return excess_growth(mu, sigma) / float(_entropy(mu) + self.shift)

    def divergence(self, p: Float[ndarray, "*t n"], q: Float[ndarray, "*t n"]) -> Float[ndarray, "*t"]:
        """Return ``-log(1 - KL(q|p) / (G(p) (1 + s)))``: the Bregman divergence of the entropy is KL."""
        d = relative_changes(p, q)
        gain = np.sum(self.weights(p) * d, axis=-1)
        return from_bregman(np.sum(p * (d * np.log1p(d) - log_excess(d)), axis=-1), _entropy(p) + self.shift, gain)


@dataclass(frozen=True)
class GiniSimpson:
    """``G = 1 - sum mu^2 / 2``; generates ``mu_i (1 + (sum mu^2 - mu_i) / G)``."""

    def log_value(self, mu: Float[ndarray, "*t n"]) -> Float[ndarray, "*t"]:
        """Return ``log(1 - sum mu^2 / 2)``."""
        return np.asarray(np.log1p(-0.5 * np.sum(mu * mu, axis=-1)))

    def weights(self, mu: Float[ndarray, "*t n"]) -> Float[ndarray, "*t n"]:
        """Return ``mu_i (1 + (sum mu^2 - mu_i) / G)``."""
        squares = np.sum(mu * mu, axis=-1, keepdims=True)
        return np.asarray(mu * (1.0 + (squares - mu) / (1.0 - 0.5 * squares)))

    def drift(self, mu: Float[ndarray, " n"], sigma: FactoredCovariance) -> float:
        """Return ``sum_i mu_i^2 tau^mu_ii / (2 G)``."""
        return 0.5 * float((mu * mu) @ sigma.relative_variances(mu)) / (1.0 - 0.5 * float(mu @ mu))

    def divergence(self, p: Float[ndarray, "*t n"], q: Float[ndarray, "*t n"]) -> Float[ndarray, "*t"]:
        """Return ``-log(1 - |q - p|^2 / (2 G(p) (1 + s)))``."""
        d = relative_changes(p, q)
        gain = np.sum(self.weights(p) * d, axis=-1)
        return from_bregman(0.5 * np.sum((p * d) ** 2, axis=-1), 1.0 - 0.5 * np.sum(p * p, axis=-1), gain)


@dataclass(frozen=True, eq=False)
class GeometricMean:
    """``G = prod mu_i^c_i``; generates the constant weights `c`.

    Args:
        c: constant weights, shape (n,), summing to one, positive only where the market has a weight.

    Raises:
        ValueError: weights that do not sum to one.
    """

    c: Float[ndarray, " n"]

    def __post_init__(self) -> None:
        if abs(float(np.sum(self.c)) - 1.0) > 1e-9:
            raise ValueError(f"constant weights must sum to one, got {float(np.sum(self.c))}")

    def log_value(self, mu: Float[ndarray, "*t n"]) -> Float[ndarray, "*t"]:
        """Return ``sum_i c_i log mu_i``."""
        return np.asarray(np.sum(self.c * _log(mu), axis=-1))

    def weights(self, mu: Float[ndarray, "*t n"]) -> Float[ndarray, "*t n"]:
        """Return `c`."""
        return np.broadcast_to(self.c, mu.shape)

    def drift(self, mu: Float[ndarray, " n"], sigma: FactoredCovariance) -> float:
        """Return ``gamma*_c``."""
        del mu
        return excess_growth(self.c, sigma)

    def divergence(self, p: Float[ndarray, "*t n"], q: Float[ndarray, "*t n"]) -> Float[ndarray, "*t"]:
        """Return the free energy ``log sum_i c_i r_i - sum_i c_i log r_i`` of the relatives ``r = q/p``."""
        x = np.log1p(relative_changes(p, q))
        return log_mean_exp(np.broadcast_to(self.c, x.shape), x - np.sum(self.c * x, axis=-1, keepdims=True))


@dataclass(frozen=True)
class Composite:
    """``G = prod_k G_k^{a_k}``; generates ``sum_k a_k pi_k + (1 - sum_k a_k) mu``.

    Args:
        parts: generating functions with their exponents.
    """

    parts: tuple[tuple[GeneratingFunction, float], ...]

    def log_value(self, mu: Float[ndarray, "*t n"]) -> Float[ndarray, "*t"]:
        """Return ``sum_k a_k log G_k``."""
        return np.asarray(sum((a * part.log_value(mu) for part, a in self.parts), np.zeros(mu.shape[:-1])))

    def weights(self, mu: Float[ndarray, "*t n"]) -> Float[ndarray, "*t n"]:
        """Return ``mu + sum_k a_k (pi_k - mu)``."""
        return np.asarray(mu + sum((a * (part.weights(mu) - mu) for part, a in self.parts), np.zeros_like(mu)))

    def drift(self, mu: Float[ndarray, " n"], sigma: FactoredCovariance) -> float:
        """Return ``sum_k a_k (g_k + TE_k^2 / 2) - TE^2 / 2``; for one part ``a g + a (1 - a) TE^2 / 2``."""
        own = sum(a * (part.drift(mu, sigma) + 0.5 * sigma.quadratic(part.weights(mu) - mu)) for part, a in self.parts)
        return own - 0.5 * sigma.quadratic(self.weights(mu) - mu)

    def divergence(self, p: Float[ndarray, "*t n"], q: Float[ndarray, "*t n"]) -> Float[ndarray, "*t"]:
        """Return ``sum_k a_k (T_k + e(s_k)) - e(sum_k a_k s_k)`` with ``e(s) = s - log(1 + s)`` and each part's gain `s_k`."""
        shape = np.broadcast_shapes(p.shape, q.shape)[:-1]
        total, gain = np.zeros(shape), np.zeros(shape)
        for part, a in self.parts:
            own = relative_gain(part, p, q)
            total += a * (l_divergence(part, p, q) + log_excess(own))
            gain += a * own
        return np.asarray(total - log_excess(gain))


def bet_dial(function: GeneratingFunction, a: float) -> GeneratingFunction:
    """Return ``G^a``: exactly `a` times the active bet of `function`, hence exactly `a` times its tracking error.

    Args:
        function: G.
        a: any real number; 0 is the market, 1 the function itself.

    >>> mu = np.array([0.8, 0.2])
    >>> bet_dial(Diversity(0.0), 0.5).weights(mu).round(3)
    array([0.65, 0.35])
    """
    return function if a == 1.0 else Composite(((function, a),))
