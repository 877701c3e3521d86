"""Characteristics of assets, standardised against the benchmark: benchmark-weighted mean, equal-weighted deviation, as in Menchero, Orr and Wang (2011).

Without units; size is the log benchmark weight, which is log capitalisation but for a constant that standardising takes away.
"""

from __future__ import annotations

__all__ = ["size_exposure", "standardise", "standardise_sessions"]

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from numpy import ndarray


def standardise(values: Float[ndarray, " n"], mu: Float[ndarray, " n"]) -> Float[ndarray, " n"]:
    """Return `values` shifted to benchmark-weighted mean 0 and scaled to equal-weighted standard deviation 1 over members.

    Args:
        values: a characteristic, shape (n,); only members (``mu > 0``) count.
        mu: benchmark weights, shape (n,), summing to one.

    Returns:
        Exposures, shape (n,); zero for names outside the benchmark, and everywhere if all members are alike.
    """
    member = mu > 0.0
    spread = float(values[member].std())
    exposures = np.zeros(len(mu))
    if spread > 1e-12 * float(np.abs(values[member]).max()):  # less is rounding: all members are alike
        exposures[member] = (values[member] - mu[member] @ values[member] / mu[member].sum()) / spread
    return exposures


def size_exposure(mu: Float[ndarray, "*t n"]) -> Float[ndarray, "*t n"]:
    """Return exposures to size: the log benchmark weight, standardised; the shape of `mu`, zero for names outside the benchmark.

    Args:
        mu: benchmark weights, summing to one, of one session or of several, shape (n,) or (t, n).

    >>> size_exposure(np.array([0.8, 0.2])).round(6).tolist()
    [0.4, -1.6]
    """
    sessions = np.atleast_2d(mu)
    member = sessions > 0.0
    return standardise_sessions(np.log(sessions, out=np.zeros_like(sessions), where=member), member, sessions).reshape(mu.shape)


def standardise_sessions(values: Float[ndarray, "t n"], known: Bool[ndarray, "t n"], mu: Float[ndarray, "t n"]) -> Float[ndarray, "t n"]:
    """Return `standardise` of every session at once; names outside the benchmark are measured on the members' scale.

    A member whose characteristic is not known gets the benchmark-weighted mean of the others, hence 0; so does any other name that is not known.

    Args:
        values: a characteristic, shape (t, n).
        known: where it is known, shape (t, n).
        mu: benchmark weights, shape (t, n); each row has a member.

    Returns:
        Exposures, shape (t, n); a session in which nothing is known of any member, or all are alike, has zeros.

    >>> mu = np.array([[0.8, 0.2]])
    >>> standardise_sessions(np.log(mu), mu > 0.0, mu).round(6).tolist()
    [[0.4, -1.6]]
    """
    member = mu > 0.0
    weight = np.where(known, mu, 0.0)
    mean = np.einsum("tn,tn->t", weight, values) / np.maximum(weight.sum(axis=1), 1e-300)
    centred = np.where(known, values - mean[:, None], 0.0)
    count = np.maximum(member.sum(axis=1), 1)
    inside = np.where(member, centred, 0.0)
    average = inside.sum(axis=1) / count
    spread = np.sqrt(np.maximum(np.einsum("tn,tn->t", inside, inside) / count - average * average, 0.0))
    alike = spread <= 1e-12 * np.abs(np.where(member & known, values, 0.0)).max(axis=1, initial=0.0)
    scale = np.divide(1.0, spread, out=np.zeros_like(spread), where=~alike)
    return np.asarray(centred * scale[:, None])
