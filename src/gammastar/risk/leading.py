"""The largest eigenvalues of a symmetric matrix and their eigenvectors, by Lanczos iteration.

Each step multiplies the matrix with one vector and makes the result orthogonal to all vectors before it, a second time where little is left of it (twice is enough:
Parlett 1998, section 6.9).
What the matrix does within their span is tridiagonal; its largest eigenvalues are those of the matrix once the last components of their vectors,
times the length of what is left, are below rounding. A few dozen to a hundred products find ten or twenty of several hundred, where a dense method needs
the whole reduction; half of the matrix is read. Decision 14 has the times.
"""

from __future__ import annotations

__all__ = ["leading_eigenpairs"]

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.linalg import eigh, eigh_tridiagonal
from scipy.linalg.blas import dsymv

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy import ndarray

_FEW: Final = 8
"""Times the number of eigenvectors that a matrix has to be larger than for an iteration to pay."""

_ROUNDING: Final = float(np.finfo(np.float64).eps)


def leading_eigenpairs(matrix: Float[ndarray, "m m"], count: int) -> tuple[Float[ndarray, " k"], Float[ndarray, "m k"]]:
    """Return the `count` largest eigenvalues, rising, and their eigenvectors; one matrix has one answer, to the last digit.

    Args:
        matrix: symmetric, without negative eigenvalues beyond rounding; only its upper triangle is read.
        count: from 1 to m.

    >>> values, vectors = leading_eigenpairs(np.diag([1.0, 3.0, 2.0]), 1)
    >>> values.round(6).tolist(), abs(vectors[:, 0]).round(6).tolist()
    ([3.0], [0.0, 1.0, 0.0])
    """
    size = len(matrix)
    found = _lanczos(matrix, count) if size > _FEW * count else None
    if found is None:
        values, vectors = eigh(matrix, lower=False, subset_by_index=(size - count, size - 1), driver="evr")
        return np.asarray(values), np.asarray(vectors)
    return found


def _lanczos(matrix: Float[ndarray, "m m"], count: int) -> tuple[Float[ndarray, " k"], Float[ndarray, "m k"]] | None:
    """Return the eigenpairs; None where half as many steps as there are rows do not show them, so that a dense method is quicker, or steps end early."""
    size, most = len(matrix), len(matrix) // 2
    transposed = np.ascontiguousarray(matrix).T
    basis, diagonal, beside = np.empty((most + 1, size)), np.empty(most), np.empty(most)
    start = 1.0 + 0.5 * np.cos(np.arange(size) * 2.0)
    basis[0] = start / np.sqrt(start @ start)
    look = 2 * count + 10
    for step in range(most):
        reached = dsymv(1.0, transposed, basis[step], lower=1)
        diagonal[step] = reached @ basis[step]
        before, length = basis[: step + 1], np.sqrt(reached @ reached)
        for _ in range(2):
            reached -= (before @ reached) @ before
            beside[step] = np.sqrt(reached @ reached)
            if beside[step] > 0.1 * length:  # else the rounding of what was taken away is large beside what is left
                break
        if beside[step] <= 16.0 * _ROUNDING * length:
            return None  # no product leaves what is spanned: other eigenvectors may lie outside
        basis[step + 1] = reached / beside[step]
        if step + 1 == look:
            small = _ROUNDING * diagonal[:look].max()
            error = _of_tridiagonal(diagonal[:look], beside[:look], 1, count)[2]
            if error <= small:  # the last one wanted is there; the larger ones come before it
                values, inside, error = _of_tridiagonal(diagonal[:look], beside[:look], count, count)
                if error <= small:
                    return values, before.T @ inside
            look += max(4, int(3.0 * np.log10(error / small)))
    return None


def _of_tridiagonal(
    diagonal: Float[ndarray, " s"], beside: Float[ndarray, " s"], several: int, back: int
) -> tuple[Float[ndarray, " k"], Float[ndarray, "s k"], float]:
    """Return `several` eigenpairs, rising, from the one `back` from the end on, and what they leave of the matrix's own equations at most."""
    first = len(diagonal) - back
    values, vectors = eigh_tridiagonal(diagonal, beside[:-1], select="i", select_range=(first, first + several - 1))
    return values, vectors, float(abs(beside[-1] * vectors[-1]).max())
