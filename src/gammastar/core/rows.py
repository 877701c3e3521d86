"""Labelled rows: what a rule asks of the weights before a trade, as values that any solver can be given.

Every row carries the rule's name and how its bounds move with the rule's limit, so that a dual variable or a certificate of
infeasibility comes back under the rule's own name and in the rule's own units.
"""

from __future__ import annotations

__all__ = ["AbsoluteSum", "Bounds", "LinearRows", "RiskCone", "Row"]

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy import ndarray

    from gammastar.core.covariance import FactoredCovariance


@dataclass(frozen=True, eq=False)
class Bounds:
    """``lower <= w <= upper``, one row an asset.

    Args:
        rule: the name of the rule.
        lower: shape (n,); minus infinity for none.
        upper: shape (n,); infinity for none.
        lower_slope: derivative of `lower` with respect to the rule's limit, shape (n,).
        upper_slope: derivative of `upper` with respect to the rule's limit, shape (n,).
    """

    rule: str
    lower: Float[ndarray, " n"]
    upper: Float[ndarray, " n"]
    lower_slope: Float[ndarray, " n"]
    upper_slope: Float[ndarray, " n"]


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
    """

    rule: str
    labels: tuple[str, ...]
    matrix: Float[ndarray, "m n"]
    lower: Float[ndarray, " m"]
    upper: Float[ndarray, " m"]
    lower_slope: Float[ndarray, " m"]
    upper_slope: Float[ndarray, " m"]


@dataclass(frozen=True, eq=False)
class RiskCone:
    """``sqrt((w - centre)' Sigma (w - centre)) <= limit``."""

    rule: str
    covariance: FactoredCovariance
    centre: Float[ndarray, " n"]
    limit: float


@dataclass(frozen=True, eq=False)
class AbsoluteSum:
    """``sum_i abs(w_i - centre_i) <= limit``."""

    rule: str
    centre: Float[ndarray, " n"]
    limit: float


Row = Bounds | LinearRows | RiskCone | AbsoluteSum
