"""Further generating functions: affine ones, sums and shifts, Hill numbers and Renyi entropies.

A sum ``G = sum_k c_k G_k`` generates the mixture of the parts in proportion to their values ``c_k G_k``, as a fund of funds that buys and holds
would; a product (`Composite`) generates the mixture with fixed proportions.
"""

from __future__ import annotations

__all__ = ["Affine", "Hill", "Renyi", "Sum", "shifted"]

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gammastar.core.excess_growth import excess_growth
from gammastar.core.generating import (
    Composite,
    Diversity,
    Entropy,
    GeneratingFunction,
    Market,
    bregman_divergence,
    from_bregman,
    relative_gain,
)
from gammastar.core.simplex import log_excess, log_held, relative_changes

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy import ndarray

    from gammastar.core.covariance import FactoredCovariance


@dataclass(frozen=True, eq=False)
class Affine:
    """``G = c0 + sum_i c_i mu_i``: buy and hold of ``c0 + c_i`` shares each; ``T = 0`` and no drift (Fernholz 2002, section 3.1).

    Args:
        c0: the constant.
        c: slopes, shape (n,), with ``c0 + c_i`` not negative and not all zero.

    Raises:
        ValueError: a negative number of shares, or none at all.

    >>> Affine(0.0, np.array([1.0, 1.0, 0.0])).weights(np.array([0.5, 0.25, 0.25])).round(3)
    array([0.667, 0.333, 0.   ])
    """

    c0: float
    c: Float[ndarray, " n"]

    def __post_init__(self) -> None:
        shares = self.c0 + self.c
        if not ((shares >= 0.0).all() and (shares > 0.0).any()):
            raise ValueError(f"c0 + c_i must not be negative and not all zero, got a smallest value of {float(shares.min())}")

    def log_value(self, mu: Float[ndarray, "*t n"]) -> Float[ndarray, "*t"]:
        """Return ``log(c0 + c.mu)``, written ``log sum_i (c0 + c_i) mu_i``."""
        return np.asarray(np.log(np.sum((self.c0 + self.c) * mu, axis=-1)))

    def weights(self, mu: Float[ndarray, "*t n"]) -> Float[ndarray, "*t n"]:
        """Return ``mu_i (c0 + c_i) / G``."""
        raw = mu * (self.c0 + self.c)
        return np.asarray(raw / raw.sum(axis=-1, keepdims=True))

    def drift(self, mu: Float[ndarray, " n"], sigma: FactoredCovariance) -> float:
        """Return zero."""
        del mu, sigma
        return 0.0

    def divergence(self, p: Float[ndarray, "*t n"], q: Float[ndarray, "*t n"]) -> Float[ndarray, "*t"]:
        """Return zero: buying and holding does not trade."""
        return np.zeros(np.broadcast_shapes(p.shape, q.shape)[:-1])


@dataclass(frozen=True)
class Sum:
    """``G = sum_k c_k G_k``, positive; generates ``sum_k (c_k G_k / G) pi_k``. Concave if all parts are and no `c_k` is negative.

    Args:
        parts: generating functions with their coefficients; some may be negative as long as G is positive where it is used.
    """

    parts: tuple[tuple[GeneratingFunction, float], ...]

    def _values(self, mu: Float[ndarray, "*t n"]) -> tuple[Float[ndarray, "k *t"], Float[ndarray, "*t"]]:
        """Return ``c_k G_k / scale``, each, and log of the scale, which keeps them from overflowing.

        Raises:
            ValueError: a sum that is not positive.
        """
        logs = np.stack([part.log_value(mu) for part, _ in self.parts])
        scale = logs.max(axis=0)
        values = np.stack([c * np.exp(log - scale) for (_, c), log in zip(self.parts, logs, strict=True)])
        if not (values.sum(axis=0) > 0.0).all():
            raise ValueError("the sum of generating functions must be positive at these weights")
        return values, scale

    def log_value(self, mu: Float[ndarray, "*t n"]) -> Float[ndarray, "*t"]:
        """Return ``log sum_k c_k G_k``."""
        values, scale = self._values(mu)
        return np.asarray(scale + np.log(values.sum(axis=0)))

    def weights(self, mu: Float[ndarray, "*t n"]) -> Float[ndarray, "*t n"]:
        """Return the mixture of the parts in proportion to ``c_k G_k``."""
        values, _ = self._values(mu)
        shares = values / values.sum(axis=0)
        return np.asarray(mu + sum(share[..., None] * (part.weights(mu) - mu) for share, (part, _) in zip(shares, self.parts, strict=True)))

    def drift(self, mu: Float[ndarray, " n"], sigma: FactoredCovariance) -> float:
        """Return ``sum_k (c_k G_k / G) g_k``."""
        values, _ = self._values(mu)
        return float(sum(v * part.drift(mu, sigma) for v, (part, _) in zip(values, self.parts, strict=True)) / values.sum())

    def divergence(self, p: Float[ndarray, "*t n"], q: Float[ndarray, "*t n"]) -> Float[ndarray, "*t"]:
        """Return ``-log(1 - sum_k c_k B_k / (G (1 + s)))``: Bregman divergences add."""
        bregman = np.asarray(sum(c * bregman_divergence(part, p, q) for part, c in self.parts))
        return from_bregman(bregman, np.exp(self.log_value(p)), relative_gain(self, p, q))


def shifted(function: GeneratingFunction, c: float) -> GeneratingFunction:
    """Return ``G + c``: ``G / (G + c)`` times the active bet of `function`; the larger c, the closer to the market (Fernholz and Karatzas 2009 do it to entropy).

    Args:
        function: G.
        c: added to it, not negative, in units of G.

    >>> mu = np.array([0.5, 0.3, 0.2])
    >>> bool(np.allclose(shifted(Entropy(), 0.7).weights(mu), Entropy(0.7).weights(mu)))
    True
    """
    return Sum(((function, 1.0), (Market(), c)))


@dataclass(frozen=True)
class Hill:
    """``G = exp(H_p)``, the Hill number of order p (effective number of names), ``H_p = log(sum mu^p) / (1 - p)`` the Renyi entropy.

    It is ``D_p^{p / (1 - p)}`` (D_p without 1/n) and generates ``a mu^p / sum mu^p + (1 - a) mu`` with ``a = p / (1 - p)``; at order 1
    ``exp(S)``, which generates ``mu_i (1 - log mu_i - S)``. Concave for ``p <= 1/2``, where ``a <= 1``. The closer p comes to 1 without being it, the
    more digits go: within 1e-6 of it about six.

    Args:
        order: p, not negative; 0 counts the names and generates the market.

    Raises:
        ValueError: a negative order.
    """

    order: float

    def __post_init__(self) -> None:
        if not self.order >= 0.0:
            raise ValueError(f"the order must not be negative, got {self.order}")

    def _composite(self) -> Composite:
        """Return the power of the diversity that has the same weights and divergence."""
        return Composite(((Diversity(self.order), self.order / (1.0 - self.order)),))

    def log_value(self, mu: Float[ndarray, "*t n"]) -> Float[ndarray, "*t"]:
        """Return the Renyi entropy ``H_p``."""
        return _renyi(mu, self.order)

    def weights(self, mu: Float[ndarray, "*t n"]) -> Float[ndarray, "*t n"]:
        """Return ``a mu^p / sum mu^p + (1 - a) mu``."""
        if self.order == 0.0:
            return mu
        if self.order == 1.0:
            return np.asarray(mu * (1.0 - log_held(mu) - _renyi(mu, 1.0)[..., None]))
        return self._composite().weights(mu)

    def drift(self, mu: Float[ndarray, " n"], sigma: FactoredCovariance) -> float:
        """Return ``a g + a (1 - a) TE^2 / 2`` of the diversity; ``gamma*_mu - TE^2 / 2`` at order 1."""
        if self.order == 0.0:
            return 0.0
        if self.order == 1.0:
            return excess_growth(mu, sigma) - 0.5 * sigma.quadratic(self.weights(mu) - mu)
        return self._composite().drift(mu, sigma)

    def divergence(self, p: Float[ndarray, "*t n"], q: Float[ndarray, "*t n"]) -> Float[ndarray, "*t"]:
        """Return the divergence of the power; ``KL(q|p) - (s - log(1 + s))`` at order 1."""
        if self.order == 0.0:
            return np.zeros(np.broadcast_shapes(p.shape, q.shape)[:-1])
        if self.order == 1.0:
            return np.asarray(_relative_entropy(p, q) - log_excess(relative_gain(self, p, q)))
        return self._composite().divergence(p, q)


@dataclass(frozen=True)
class Renyi:
    """``G = H_p + shift`` with the Renyi entropy ``H_p = log(sum mu^p) / (1 - p)``; generates ``mu + p (w - mu) / ((1 - p) G)``, ``w = mu^p / sum mu^p``.

    Order 1 is the entropy itself. Concave for ``p <= 1``. ``log D_p = ((1 - p) / p) H_p``, so that `Diversity`, `Hill` and this one rank markets
    alike and bet differently. Close to order 1 digits go as for `Hill`.

    Args:
        order: p, not negative.
        shift: not negative.

    Raises:
        ValueError: a negative order or shift.
    """

    order: float
    shift: float = 0.0

    def __post_init__(self) -> None:
        if not (self.order >= 0.0 and self.shift >= 0.0):
            raise ValueError(f"order and shift must not be negative, got {self.order} and {self.shift}")

    def _scale(self) -> float:
        return self.order / (1.0 - self.order)

    def _value(self, mu: Float[ndarray, "*t n"]) -> Float[ndarray, "*t"]:
        return np.asarray(_renyi(mu, self.order) + self.shift)

    def log_value(self, mu: Float[ndarray, "*t n"]) -> Float[ndarray, "*t"]:
        """Return ``log(H_p + shift)``."""
        return np.asarray(np.log(self._value(mu)))

    def weights(self, mu: Float[ndarray, "*t n"]) -> Float[ndarray, "*t n"]:
        """Return ``mu + p (w - mu) / ((1 - p) G)``."""
        if self.order == 1.0:
            return Entropy(self.shift).weights(mu)
        return np.asarray(mu + self._scale() * (Diversity(self.order).weights(mu) - mu) / self._value(mu)[..., None])

    def drift(self, mu: Float[ndarray, " n"], sigma: FactoredCovariance) -> float:
        """Return ``(p / ((1 - p) G)) (g_w + TE_w^2 / 2)`` with drift and tracking error of the diversity."""
        if self.order == 1.0:
            return Entropy(self.shift).drift(mu, sigma)
        inner = Diversity(self.order)
        own = inner.drift(mu, sigma) + 0.5 * sigma.quadratic(inner.weights(mu) - mu)
        return self._scale() * own / float(self._value(mu))

    def divergence(self, p: Float[ndarray, "*t n"], q: Float[ndarray, "*t n"]) -> Float[ndarray, "*t"]:
        """Return T from the Bregman divergence ``(p / (1 - p)) (s_w - log(1 + s_w) + T_w)``."""
        if self.order == 1.0:
            return Entropy(self.shift).divergence(p, q)
        inner = Diversity(self.order)
        bregman = self._scale() * (log_excess(relative_gain(inner, p, q)) + inner.divergence(p, q))
        return from_bregman(bregman, self._value(p), relative_gain(self, p, q))


def _renyi(mu: Float[ndarray, "*t n"], order: float) -> Float[ndarray, "*t"]:
    """Return ``log(sum mu^p) / (1 - p)``, written ``log(1 + sum mu (mu^{p-1} - 1)) / (1 - p)``: continuous in p through 1."""
    log_mu = log_held(mu)
    if order == 1.0:
        return np.asarray(-np.sum(mu * log_mu, axis=-1))
    return np.asarray(np.log1p(np.sum(mu * np.expm1((order - 1.0) * log_mu), axis=-1)) / (1.0 - order))


def _relative_entropy(p: Float[ndarray, "*t n"], q: Float[ndarray, "*t n"]) -> Float[ndarray, "*t"]:
    """Return ``KL(q|p)``, accurate near zero."""
    d = relative_changes(p, q)
    return np.asarray(np.sum(p * (d * np.log1p(d) - log_excess(d)), axis=-1))
