"""Labelled rows: what a rule asks of the weights before a trade, as values that any solver can be given.

Every row carries the rule's name and how its bounds move with the rule's limit, so that a dual variable, a certificate of
infeasibility or an amount of relaxation comes back under the rule's own name and in the rule's own units.

A row with a `penalty` is soft: it may be exceeded, at a price of so much expected growth a year for each unit of excess over the limit.
"""

from __future__ import annotations

__all__ = [
    "AbsoluteSum",
    "Bounds",
    "Budget",
    "ConvexRow",
    "CountLimit",
    "DiscreteRow",
    "LargePositions",
    "LargestSum",
    "LeastHolding",
    "LeastTrade",
    "LinearRows",
    "RiskCone",
    "RiskShares",
    "Row",
    "WholeLots",
    "indicator",
]

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_array, issparse

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int
    from numpy import dtype, ndarray

    from gammastar.core.covariance import FactoredCovariance


def indicator(codes: Int[ndarray, " n"], groups: int) -> csr_array:
    """Return which assets belong to each group: one where ``codes[i] == g``, shape (groups, n), sparse; equal codes share one matrix, not to be written to."""
    return _indicator(codes.tobytes(), codes.dtype, groups)


@lru_cache(maxsize=16)
def _indicator(codes: bytes, kind: dtype[Any], groups: int) -> csr_array:
    """Return the matrix for the bytes of the codes: groups seldom change from one decision to the next."""
    group = np.frombuffer(codes, dtype=kind)
    n, ends = len(group), np.zeros(groups + 1, dtype=np.int32)
    np.cumsum(np.bincount(group, minlength=groups), out=ends[1:])
    return csr_array((np.ones(n), np.argsort(group, kind="stable").astype(np.int32), ends), shape=(groups, n))


@dataclass(frozen=True, eq=False)
class Bounds:
    """``lower <= w <= upper``, one row an asset.

    Args:
        rule: the name of the rule.
        lower: shape (n,); minus infinity for none.
        upper: shape (n,); infinity for none.
        lower_slope: derivative of `lower` with respect to the rule's limit, shape (n,).
        upper_slope: derivative of `upper` with respect to the rule's limit, shape (n,).
        penalty: growth a year for each unit of the limit by which a soft row is exceeded; None for a hard one.
    """

    rule: str
    lower: Float[ndarray, " n"]
    upper: Float[ndarray, " n"]
    lower_slope: Float[ndarray, " n"]
    upper_slope: Float[ndarray, " n"]
    penalty: float | None = None


@dataclass(frozen=True, eq=False)
class LinearRows:
    """``lower <= matrix @ w <= upper``, one named row a line.

    Args:
        rule: the name of the rule.
        labels: the name of each row, for instance a sector.
        matrix: shape (m, n).
        lower: shape (m,); minus infinity for none.
        upper: shape (m,); infinity for none.
        lower_slope: derivative of `lower` with respect to the rule's limit, shape (m,).
        upper_slope: derivative of `upper` with respect to the rule's limit, shape (m,).
        penalty: of a soft row; None for a hard one.
    """

    rule: str
    labels: tuple[str, ...]
    matrix: Float[ndarray, "m n"] | csr_array
    lower: Float[ndarray, " m"]
    upper: Float[ndarray, " m"]
    lower_slope: Float[ndarray, " m"]
    upper_slope: Float[ndarray, " m"]
    penalty: float | None = None

    @cached_property
    def entries(self) -> tuple[Float[ndarray, " entries"], Int[ndarray, " entries"], Int[ndarray, " ends"]]:
        """The matrix line by line: its values, the column of each, and where each line begins and ends, shape (m + 1,); contiguous and writeable."""
        matrix: Any = self.matrix
        if issparse(matrix):
            found = (matrix.data, np.float64), (matrix.indices, np.int32), (matrix.indptr, np.int32)
            data, columns, ends = (values if values.dtype == kind and values.flags.carray else np.array(values, dtype=kind) for values, kind in found)
            return data, columns, ends
        lines, names = matrix.shape
        ends = np.arange(lines + 1, dtype=np.int32) * names
        return np.array(matrix, dtype=np.float64).reshape(-1), np.tile(np.arange(names, dtype=np.int32), lines), ends


@dataclass(frozen=True, eq=False)
class RiskCone:
    """``sqrt((w - centre)' Sigma (w - centre)) <= limit``; the limit's slope is one."""

    rule: str
    covariance: FactoredCovariance
    centre: Float[ndarray, " n"]
    limit: float
    penalty: float | None = None


@dataclass(frozen=True, eq=False)
class AbsoluteSum:
    """``sum_i up (w_i - centre_i)^+ + down (centre_i - w_i)^+ <= limit``; the limit's slope is one.

    Args:
        rule: the name of the rule.
        centre: shape (n,).
        limit: of the sum.
        up: weight of what is above the centre, 0 or more.
        down: weight of what is below it; either equal to `up`, or one of the two is zero.
        penalty: of a soft row; None for a hard one.
    """

    rule: str
    centre: Float[ndarray, " n"]
    limit: float
    up: float = 1.0
    down: float = 1.0
    penalty: float | None = None

    def __post_init__(self) -> None:
        if not (self.up == self.down or 0.0 in (self.up, self.down)):
            raise ValueError("up and down must be equal, or one of them zero")


@dataclass(frozen=True, eq=False)
class LargestSum:
    """``sum of the count largest (matrix @ w) <= limit``, a convex row: the least over t of ``count t + sum (matrix @ w - t)^+``.

    Args:
        rule: the name of the rule.
        matrix: which weights are added before the largest are taken, shape (m, n) (issuers); None for each asset by itself.
        count: how many.
        limit: of the sum.
        penalty: of a soft row; None for a hard one.
    """

    rule: str
    matrix: Float[ndarray, "m n"] | csr_array | None
    count: int
    limit: float
    penalty: float | None = None


@dataclass(frozen=True, eq=False)
class Budget:
    """``minimum <= 1 - sum w <= maximum``: what may stay in cash. Without one, nothing may.

    Args:
        rule: the name of the rule.
        minimum: of cash.
        maximum: of cash.
        premium: growth a year that idle cash is charged in the objective.
        penalty: of a soft row; None for a hard one.
    """

    rule: str
    minimum: float
    maximum: float
    premium: float
    penalty: float | None = None


ConvexRow = Bounds | LinearRows | RiskCone | AbsoluteSum | LargestSum | Budget


@dataclass(frozen=True, eq=False)
class CountLimit:
    """At least `minimum` and at most `maximum` names that are held, or that are traded (None for no limit).

    Args:
        rule: the name of the rule.
        minimum: of names.
        maximum: of names.
        held: None to count names with a weight above zero; otherwise names whose weight is another than here are counted, shape (n,).
    """

    rule: str
    minimum: int | None
    maximum: int | None
    held: Float[ndarray, " n"] | None = None


@dataclass(frozen=True, eq=False)
class LeastHolding:
    """``w_i = 0`` or ``w_i >= least_i``; a grandfathered name may also stay exactly where it is.

    Args:
        rule: the name of the rule.
        least: shape (n,).
        grandfathered: the names that may stay at `held`, shape (n,).
        held: shape (n,).
    """

    rule: str
    least: Float[ndarray, " n"]
    grandfathered: Bool[ndarray, " n"]
    held: Float[ndarray, " n"]


@dataclass(frozen=True, eq=False)
class LeastTrade:
    """``w_i = held_i`` or ``abs(w_i - held_i) >= least_i``; selling out whole is always allowed.

    Args:
        rule: the name of the rule.
        least: shape (n,).
        held: shape (n,).
    """

    rule: str
    least: Float[ndarray, " n"]
    held: Float[ndarray, " n"]


@dataclass(frozen=True, eq=False)
class WholeLots:
    """``(w_i - held_i) / lot_i`` is a whole number; selling out whole is always allowed. What rounding leaves stays in cash.

    Args:
        rule: the name of the rule.
        lot: weight of one lot, shape (n,).
        held: shape (n,).
    """

    rule: str
    lot: Float[ndarray, " n"]
    held: Float[ndarray, " n"]


@dataclass(frozen=True, eq=False)
class LargePositions:
    """The second half of 5/10/40: issuers above `threshold` sum to at most `total`. That each is at most 10% is a linear row of its own.

    Args:
        rule: the name of the rule.
        matrix: issuers by assets, shape (m, n).
        threshold: above which an issuer counts, 0.05.
        total: of those, 0.40.
    """

    rule: str
    matrix: Float[ndarray, "m n"] | csr_array
    threshold: float
    total: float


@dataclass(frozen=True, eq=False)
class RiskShares:
    """``sum_{i in group} d_i (Sigma d)_i <= limit * d' Sigma d`` with ``d = w - centre``: not convex, kept by sequential convex steps.

    Args:
        rule: the name of the rule.
        covariance: Sigma.
        centre: shape (n,).
        labels: of the groups.
        matrix: groups by assets, shape (m, n); None for each asset by itself.
        limit: share of active variance, 0 to 1.
    """

    rule: str
    covariance: FactoredCovariance
    centre: Float[ndarray, " n"]
    labels: tuple[str, ...]
    matrix: Float[ndarray, "m n"] | csr_array | None
    limit: float


DiscreteRow = CountLimit | LeastHolding | LeastTrade | WholeLots | LargePositions | RiskShares
"""Rows that no convex program can state: kept by rounding, by support or by steps, and always rechecked."""

Row = ConvexRow | DiscreteRow
