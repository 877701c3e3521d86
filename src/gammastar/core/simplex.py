"""Points of the simplex that lie close together: differences that keep their digits.

A day moves weights by a few thousandths, and what rebalancing earns on it is of the square of that: differences of logarithms of size 5 would
leave two digits of it (cancellation: Higham 2002, chapter 1). Everything here is therefore written on the relative change ``d_i = q_i / p_i - 1`` and on what remains of ``exp`` and
``log`` after their linear part (series near zero, so that the relative error stays a few units in the last place).
"""

from __future__ import annotations

__all__ = ["drifted", "exp_excess", "log_excess", "log_held", "log_mean_exp", "relative_changes"]

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy import ndarray

_SERIES_BELOW = 0.3  # where the closed forms have lost four bits


def exp_excess(z: Float[ndarray, "*s"]) -> Float[ndarray, "*s"]:
    """Return ``exp(z) - 1 - z``, relative error a few units in the last place.

    Args:
        z: any shape.

    >>> float(exp_excess(np.array(1e-9)))
    5.000000001666667e-19
    """
    z = np.asarray(z, dtype=np.float64)
    near = np.abs(z) < _SERIES_BELOW
    small = np.where(near, z, 0.0)
    series = np.ones_like(small)
    for k in range(14, 2, -1):
        series = 1.0 + series * small / k
    return np.where(near, 0.5 * small * small * series, np.expm1(z) - z)


def log_excess(z: Float[ndarray, "*s"]) -> Float[ndarray, "*s"]:
    """Return ``z - log(1 + z)``, not negative, for ``z > -1``; relative error a few units in the last place.

    With ``w = z / (2 + z)`` it is ``z w - 2 (w^3/3 + w^5/5 + ...)``.

    Args:
        z: above -1, any shape.

    >>> float(log_excess(np.array(1e-9)))
    4.999999996666666e-19
    """
    z = np.asarray(z, dtype=np.float64)
    near = np.abs(z) < _SERIES_BELOW
    small = np.where(near, z, 0.0)
    w = small / (2.0 + small)
    square = w * w
    series = np.zeros_like(square)
    for k in range(21, 1, -2):
        series = series * square + 1.0 / k
    return np.where(near, small * w - 2.0 * w * square * series, z - np.log1p(z, where=~near, out=np.zeros_like(z)))


def log_held(mu: Float[ndarray, "*t n"]) -> Float[ndarray, "*t n"]:
    """Return ``log mu``, and zero where `mu` is zero (a name that is not in the market).

    Args:
        mu: weights, not negative, any shape.

    >>> log_held(np.array([1.0, 0.0]))
    array([0., 0.])
    """
    return np.asarray(np.log(mu, out=np.zeros_like(mu), where=mu > 0.0))


def log_mean_exp(pi: Float[ndarray, "*t n"], y: Float[ndarray, "*t n"]) -> Float[ndarray, "*t"]:
    """Return ``log sum_i pi_i exp(y_i)`` for exponents whose mean under `pi` is zero: of second order in y, and accurate to that order.

    Args:
        pi: weights, last axis n, summing to one.
        y: exponents, same shape, ``sum_i pi_i y_i = 0``.

    >>> float(log_mean_exp(np.array([0.5, 0.5]), np.array([1e-9, -1e-9])))
    5e-19
    """
    top = np.max(np.where(pi != 0.0, y, -np.inf), axis=-1, keepdims=True)
    near = np.log1p(np.sum(pi * exp_excess(np.minimum(y, 1.0)), axis=-1))
    if (top <= 1.0).all():
        return np.asarray(near)
    far = top[..., 0] + np.log(np.sum(pi * np.exp(np.minimum(y - top, 0.0)), axis=-1))  # nothing overflows
    return np.asarray(np.where(top[..., 0] <= 1.0, near, far))


def relative_changes(p: Float[ndarray, "*t n"], q: Float[ndarray, "*t n"]) -> Float[ndarray, "*t n"]:
    """Return ``d_i = (q_i / sum q) / (p_i / sum p) - 1``, zero where no weight is held, relative error a few units in the last place.

    Weights that sum to one only to rounding are scaled to do so: what that rounding would add is of first order and could exceed all of a
    quantity of second order.

    Args:
        p: weights before, last axis n.
        q: weights after, same shape, positive for the names that `p` holds and for no other.

    Raises:
        ValueError: p and q that do not hold the same names.

    >>> relative_changes(np.array([0.25, 0.75, 0.0]), np.array([0.5, 0.5, 0.0])).round(3)
    array([ 1.   , -0.333,  0.   ])
    """
    held = np.broadcast_to(p > 0.0, np.broadcast_shapes(p.shape, q.shape))
    if not np.array_equal(held, np.broadcast_to(q > 0.0, held.shape)):
        raise ValueError("weights before and after must hold the same names: positive in both, or zero in both")
    moved = q - p
    common = np.sum(moved, axis=-1, keepdims=True) / np.sum(p, axis=-1, keepdims=True)
    change = np.divide(moved, p, out=np.zeros(held.shape), where=held)
    return np.asarray(np.where(held, (change - common) / (1.0 + common), 0.0))


def drifted(mu: Float[ndarray, "*t n"], gross: Float[ndarray, "*t n"]) -> Float[ndarray, "*t n"]:
    """Return ``nu_i = mu_i R_i / sum_j mu_j R_j``: where returns alone move the weights `mu`.

    Args:
        mu: weights at the start of a step, last axis n.
        gross: gross returns of the step, same shape, positive.

    >>> drifted(np.array([0.5, 0.5]), np.array([1.5, 0.5]))
    array([0.75, 0.25])
    """
    grown = mu * gross
    return np.asarray(grown / np.sum(grown, axis=-1, keepdims=True))
