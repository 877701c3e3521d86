"""Arrays that nobody can write to, and arrays a block at a time."""

from __future__ import annotations

__all__ = ["blocks_of", "frozen_array"]

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy import ndarray
    from numpy.typing import ArrayLike, DTypeLike


BLOCK: Final = 256
"""Rows that are worked on at once where all of them would need memory for several arrays more."""


def blocks_of(rows: int) -> list[slice]:
    """Return slices of a bounded number of rows, one after another, that cover all."""
    return [slice(start, min(start + BLOCK, rows)) for start in range(0, rows, BLOCK)]


def frozen_array(values: ArrayLike, dtype: DTypeLike) -> ndarray:
    """Return `values` as a read-only array; the caller's own array is left writable, and not copied when it need not be."""
    array = np.asarray(values, dtype=dtype)
    if array.flags.writeable:
        array = array.view()
        array.flags.writeable = False
    return array
