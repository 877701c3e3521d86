"""Blocks of ``A x + s = b, s in K`` as they are added, every row under the name of its rule."""

from __future__ import annotations

__all__ = ["BUDGET", "STRUCTURE", "TRADES", "Part", "Stack", "of_dense", "of_identity", "of_sparse"]

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from numpy import ndarray

STRUCTURE, TRADES, BUDGET = -1, -2, -3
"""Owners of the rows that belong to no rule: long-only and definitions; traded amounts; fully invested."""
_OWNERS = 3

Part = tuple[Any, Any, Any]
"""Row numbers (within the block), columns and values of some entries."""


def of_identity(columns: Int[ndarray, " m"], scale: float | ndarray = 1.0, rows: Int[ndarray, " m"] | None = None) -> Part:
    """Return one entry a row: `scale` at `columns`."""
    return (np.arange(len(columns)) if rows is None else rows, columns, np.broadcast_to(scale, len(columns)))


def of_dense(columns: Int[ndarray, " m"], matrix: Float[ndarray, "r m"]) -> Part:
    """Return the non-zero entries of a matrix whose columns stand at `columns`."""
    rows, at = np.nonzero(matrix)
    return rows, columns[at], matrix[rows, at]


def of_sparse(columns: Int[ndarray, " m"], matrix: Any) -> Part:
    """Return the entries of a sparse or dense matrix whose columns stand at `columns`."""
    if not sparse.issparse(matrix):
        return of_dense(columns, np.asarray(matrix))
    entries = matrix.tocoo()
    return entries.coords[0], columns[entries.coords[1]], entries.data


@dataclass(eq=False)
class Stack:
    """A cone program under construction: variables, their costs, and rows with their owners."""

    width: int = 0
    height: int = 0
    rows: list[ndarray] = field(default_factory=list)
    columns: list[ndarray] = field(default_factory=list)
    values: list[ndarray] = field(default_factory=list)
    right: list[ndarray] = field(default_factory=list)
    cones: list[Any] = field(default_factory=list)
    owners: list[ndarray] = field(default_factory=list)
    slopes: list[ndarray] = field(default_factory=list)
    others: list[tuple[ndarray, ndarray]] = field(default_factory=list)
    linear: list[ndarray] = field(default_factory=list)
    quadratic: list[ndarray] = field(default_factory=list)

    def variables(self, count: int, linear: float | ndarray = 0.0, quadratic: float | ndarray = 0.0) -> Int[ndarray, " count"]:
        """Add variables with their part in the objective ``quadratic x^2 / 2 + linear x``; return their columns."""
        self.linear.append(np.broadcast_to(np.asarray(linear, dtype=np.float64), count))
        self.quadratic.append(np.broadcast_to(np.asarray(quadratic, dtype=np.float64), count))
        self.width += count
        return np.arange(self.width - count, self.width)

    def add(
        self, cones: Any, parts: list[Part], right: Float[ndarray, " r"], owner: int | ndarray = STRUCTURE, slope: float | ndarray = 0.0,
        *, below: tuple[ndarray, ndarray] | None = None,
    ) -> None:  # fmt: skip
        """Add rows.

        Args:
            cones: a cone, or a list of cones, that takes all of the rows.
            parts: entries; several at one place are added.
            right: b.
            owner: position of the rule, or `STRUCTURE`.
            slope: d(b) / d(owner's limit).
            below: owner and slope where the dual is negative: of equal bounds, the one that binds from below.
        """
        count = len(right)
        if count == 0:
            return
        for rows, columns, values in parts:
            self.rows.append(np.asarray(rows) + self.height)
            self.columns.append(np.asarray(columns))
            self.values.append(np.asarray(values, dtype=np.float64))
        self.right.append(np.asarray(right, dtype=np.float64))
        self.cones.extend(cones if isinstance(cones, list) else [cones])
        self.owners.append(np.broadcast_to(owner, count))
        self.slopes.append(np.broadcast_to(slope, count))
        self.others.append((self.owners[-1], self.slopes[-1]) if below is None else below)
        self.height += count

    def matrix(self) -> Any:
        """Return A."""
        entries = (np.concatenate(self.values), (np.concatenate(self.rows), np.concatenate(self.columns)))
        matrix = sparse.coo_array(entries, shape=(self.height, self.width)).tocsc()
        matrix.sum_duplicates()
        return sparse.csc_matrix(matrix)

    def _binding(self, duals: Float[ndarray, " rows"]) -> tuple[ndarray, ndarray]:
        """Return owner and slope of each row, of equal bounds those of the one that binds."""
        owners, slopes = np.concatenate(self.owners), np.concatenate(self.slopes)
        negative = duals < 0.0
        below = (np.concatenate([owner for owner, _ in self.others]), np.concatenate([slope for _, slope in self.others]))
        return np.where(negative, below[0], owners), np.where(negative, below[1], slopes)

    def prices(self, duals: Float[ndarray, " rows"], rules: tuple[str, ...]) -> dict[str, float]:
        """Return d(objective) / d(limit) of each rule."""
        owners, slopes = self._binding(duals)
        earned = np.bincount(owners + _OWNERS, weights=duals * slopes, minlength=len(rules) + _OWNERS)[_OWNERS:]
        return dict(zip(rules, earned.tolist(), strict=True))

    def pressures(self, duals: Float[ndarray, " rows"], columns: Int[ndarray, " m"], count: int) -> Float[ndarray, "owners m"]:
        """Return ``A' z`` at some columns by owner: the rules first, shape (count,), then fully invested, trades, structure."""
        owners, _ = self._binding(duals)
        weighed = sparse.csr_array(self.matrix()[:, columns].multiply(duals[:, None]))
        return np.array([weighed[owners == k].sum(axis=0) for k in (*range(count), BUDGET, TRADES, STRUCTURE)])

    def shares(self, certificate: Float[ndarray, " rows"], rules: tuple[str, ...]) -> dict[str, float]:
        """Return the largest absolute entry of each rule, relative to the largest of all."""
        owners, size = np.concatenate(self.owners), np.abs(certificate)
        scale = float(size.max(initial=0.0)) or 1.0
        return {rule: float(size[owners == k].max(initial=0.0)) / scale for k, rule in enumerate(rules)}
