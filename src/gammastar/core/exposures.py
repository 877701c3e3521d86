"""Characteristics of assets, standardised against the benchmark: benchmark-weighted mean, equal-weighted deviation, as in Menchero, Orr and Wang (2011).

Without units; size is the log benchmark weight, which is log capitalisation but for a constant that standardising takes away.
"""

from __future__ import annotations

__all__ = ["size_exposure", "standardise"]

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float
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


def size_exposure(mu: Float[ndarray, " n"]) -> Float[ndarray, " n"]:
    """Return exposures to size: the log benchmark weight, standardised; shape (n,), zero for names outside the benchmark.

    Args:
        mu: benchmark weights, shape (n,), summing to one.

    >>> size_exposure(np.array([0.8, 0.2])).round(6).tolist()
    [0.4, -1.6]
    """
    return standardise(np.log(mu, out=np.zeros(len(mu)), where=mu > 0.0), mu)
