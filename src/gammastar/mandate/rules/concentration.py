"""Rules on concentration: the largest names, issuers over linked share classes, 5/10/40."""

from __future__ import annotations

__all__ = ["FiveTenForty", "IssuerLimit", "TopWeights"]

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from gammastar.core.rows import LargePositions, LargestSum, LinearRows, Row, indicator
from gammastar.mandate.rules.base import Reading, RuleOptions, closest

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy import ndarray
    from scipy.sparse import csr_array

    from gammastar.market.moment import Moment

ISSUER = "issuer"


@dataclass(frozen=True)
class TopWeights(RuleOptions):
    """The `count` largest weights sum to at most `limit`."""

    count: int
    limit: float
    name: ClassVar[str] = "concentration.top"

    def rows(self, moment: Moment) -> tuple[Row, ...]:
        """Return one sum of the largest."""
        return (LargestSum(self.name, None, self.count, self.limit, self.penalty),)

    def measure(self, weights: Float[ndarray, " n"], moment: Moment) -> Reading:
        """Return the sum of the largest weights."""
        value = float(sum(sorted(weights.tolist(), reverse=True)[: self.count]))
        return Reading(self.name, value, self.limit, self.limit - value, f"largest {self.count}")


def _issuers(moment: Moment) -> tuple[tuple[str, ...], csr_array]:
    """Return the issuers and which assets are theirs; each asset is its own issuer where the panel knows none."""
    if ISSUER not in moment.attributes:
        return moment.assets.ids, indicator(np.arange(len(moment.benchmark)), len(moment.benchmark))
    labels, codes = moment.group(ISSUER)
    return tuple(labels), indicator(codes, len(labels))


def _by_issuer(weights: Float[ndarray, " n"], moment: Moment) -> dict[str, float]:
    """Return the weight of each issuer."""
    if ISSUER not in moment.attributes:
        return {moment.assets.label(i): w for i, w in enumerate(weights.tolist())}
    labels, codes = moment.group(ISSUER)
    held: dict[str, float] = {}
    for i, w in enumerate(weights.tolist()):
        held[labels[codes[i]]] = held.get(labels[codes[i]], 0.0) + w
    return held


@dataclass(frozen=True)
class IssuerLimit(RuleOptions):
    """Each issuer's weight, over all its share classes, at most `limit`."""

    limit: float
    name: ClassVar[str] = "concentration.issuer"

    def rows(self, moment: Moment) -> tuple[Row, ...]:
        """Return one row an issuer that could exceed the limit."""
        labels, matrix = _issuers(moment)
        none, one = np.full(len(labels), -np.inf), np.ones(len(labels))
        return (LinearRows(self.name, labels, matrix, none, one * self.limit, 0.0 * one, one, self.penalty),)

    def measure(self, weights: Float[ndarray, " n"], moment: Moment) -> Reading:
        """Return the largest issuer."""
        return closest(Reading(self.name, w, self.limit, self.limit - w, issuer) for issuer, w in _by_issuer(weights, moment).items())


@dataclass(frozen=True)
class FiveTenForty(RuleOptions):
    """The 5/10/40 rule of European funds: no issuer above 10%, and those above 5% sum to at most 40%.

    The first is linear; the second is kept by choosing which issuers may be large, and rechecked.

    Args:
        each: the most for one issuer, 0.10.
        threshold: above which an issuer counts, 0.05.
        total: the most for all that count, 0.40.
    """

    each: float = 0.10
    threshold: float = 0.05
    total: float = 0.40
    name: ClassVar[str] = "concentration.five_ten_forty"

    def rows(self, moment: Moment) -> tuple[Row, ...]:
        """Return a row an issuer, and the choice of large ones."""
        labels, matrix = _issuers(moment)
        none, one = np.full(len(labels), -np.inf), np.ones(len(labels))
        return (
            LinearRows(self.name, labels, matrix, none, one * self.each, 0.0 * one, one),
            LargePositions(self.name, matrix, self.threshold, self.total),
        )

    def measure(self, weights: Float[ndarray, " n"], moment: Moment) -> Reading:
        """Return the largest issuer against 10%, or the sum of those above 5% against 40%, whichever is closer."""
        held = _by_issuer(weights, moment)
        large = sum(w for w in held.values() if w > self.threshold + 1e-8)
        readings = [Reading(self.name, w, self.each, self.each - w, issuer) for issuer, w in held.items()]
        return closest([*readings, Reading(self.name, large, self.total, self.total - large, f"issuers above {self.threshold:.0%}")])

    def loosened(self, amount: float) -> FiveTenForty:
        """Return the rule with the limits on one issuer and on the total looser by `amount`."""
        return replace(self, each=self.each + amount, total=self.total + amount)
