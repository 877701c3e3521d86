"""Arrays that nobody can write to."""

from __future__ import annotations

__all__ = ["frozen_array"]

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy import ndarray
    from numpy.typing import ArrayLike, DTypeLike


def frozen_array(values: ArrayLike, dtype: DTypeLike) -> ndarray:
    """Return `values` as a read-only array; the caller's own array is left writable, and not copied when it need not be."""
    array = np.asarray(values, dtype=dtype)
    if array.flags.writeable:
        array = array.view()
        array.flags.writeable = False
    return array
