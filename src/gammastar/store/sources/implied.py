"""Splits that two price series of one vendor imply, where one is as traded and the other adjusted."""

from __future__ import annotations

__all__ = ["implied_splits", "nearest_ratio"]

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy import ndarray

_LEAST = 0.01  # of a split: what rounding of published prices can feign is less
_TERMS = ((5, 0.003), (20, 2e-4))
"""Denominators up to which a ratio is a split, and how near it must be."""


def nearest_ratio(value: float) -> float:
    """Return the ratio of small whole numbers that a split is, or the value itself where none is near.

    >>> nearest_ratio(1.9995), nearest_ratio(0.1000004), nearest_ratio(1.05001), nearest_ratio(1.123456)
    (2.0, 0.1, 1.05, 1.123456)
    """
    if value < 1.0:
        return 1.0 / nearest_ratio(1.0 / value)
    for terms, tolerance in _TERMS:
        near = Fraction(value).limit_denominator(terms)
        if abs(float(near) / value - 1.0) < tolerance:
            return float(near)
    return value


def implied_splits(asset: ndarray, traded: ndarray, adjusted: ndarray) -> ndarray:
    """Return new shares for one old one of each row, from a close as traded and the same close adjusted for splits alone.

    With factor ``f = traded / adjusted`` the split of a row is ``f_before / f``, 1 where that is within 1% of 1.

    Args:
        asset: codes, rows sorted by asset and date, shape (m,).
        traded: closes as traded, shape (m,).
        adjusted: the same adjusted for splits alone, shape (m,).
    """
    factor = traded / adjusted
    same = np.concatenate(([False], asset[1:] == asset[:-1]))
    ratio = np.where(same, np.concatenate(([1.0], factor[:-1])) / factor, 1.0)
    cut = np.abs(ratio - 1.0) > _LEAST
    split = np.ones(len(ratio))
    split[cut] = [nearest_ratio(value) for value in ratio[cut].tolist()]
    return split
