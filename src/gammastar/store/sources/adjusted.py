"""Raw bars and actions against the vendor's own adjusted series: two roads to the same total return, and where they part."""

from __future__ import annotations

__all__ = ["Disagreement", "against_adjusted"]

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy import ndarray

    from gammastar.store.sources.bars import Bars

TOLERANCE = 1e-4
"""Of a day's return: what rounding of published adjusted prices leaves."""

_LARGEST_TERM = 10  # of the denominator of a ratio that a split could be; one nearer to 1 than a tenth is rather a payment
_CLOSE = 2e-3
_LARGE = 0.3  # a day's return of an adjusted series from which one of its two prices is doubtful


@dataclass(frozen=True)
class Disagreement:
    """One row on which the two series differ.

    Args:
        row: of the bars.
        asset: id.
        date: session.
        actions: return from bars and actions.
        adjusted: return of the adjusted series.
        explanation: what would make them agree, or that nothing simple does.
    """

    row: int
    asset: str
    date: np.datetime64
    actions: float
    adjusted: float
    explanation: str

    def __str__(self) -> str:
        """Return one line."""
        return f"{self.asset} {self.date}: {self.actions:+.6f} from bars and actions, {self.adjusted:+.6f} adjusted; {self.explanation}"


def against_adjusted(bars: Bars, returns: ndarray, adjusted: ndarray, *, tolerance: float = TOLERANCE) -> tuple[Disagreement, ...]:
    """Return the rows on which the return from bars and actions differs from that of an adjusted series by more than `tolerance`.

    Args:
        bars: as traded.
        returns: total returns of the rows, NaN where there is none, shape (m,).
        adjusted: adjusted close of the rows, NaN where there is none, shape (m,).
        tolerance: of a simple return.
    """
    positive = np.where(adjusted > 0.0, adjusted, np.nan)
    same = np.concatenate(([False], bars.asset[1:] == bars.asset[:-1]))
    vendor = np.full(len(bars), np.nan)
    np.divide(positive, np.concatenate(([np.nan], positive[:-1])), out=vendor, where=same)
    vendor -= 1.0
    return tuple(
        Disagreement(int(at), bars.assets[bars.asset[at]], bars.date[at], float(returns[at]), float(vendor[at]), _explain(bars, int(at), float(returns[at]), float(vendor[at])))
        for at in np.flatnonzero(np.abs(returns - vendor) > tolerance)
    )


def _explain(bars: Bars, at: int, actions: float, adjusted: float) -> str:
    """Say what single action, missing or counted the other way, makes the two agree."""
    before = float(bars.close[at - 1])
    if actions <= -1.0 or adjusted <= -1.0:
        return "one of the two is a total loss"
    ratio = (1.0 + adjusted) / (1.0 + actions)
    old_share = (bars.split[at] * bars.close[at] + bars.dividend[at]) / before - 1.0
    if bars.split[at] != 1.0 and bars.dividend[at] > 0.0 and abs(old_share - adjusted) < TOLERANCE:
        return "the dividend is that of a share before the split"
    near = Fraction(ratio).limit_denominator(_LARGEST_TERM)
    if abs(near - 1) >= Fraction(1, _LARGEST_TERM) and abs(float(near) / ratio - 1.0) < _CLOSE:
        where = "" if bars.split[at] == 1.0 else f" beside the one of {bars.split[at]:g}"
        lack = f"the actions lack a split of {near.numerator} for {near.denominator}{where}"
        return lack if abs(adjusted) < _LARGE else f"{lack}, and this close is still that of a share before it"
    paid = before * (1.0 + adjusted) / bars.split[at] - bars.close[at]
    if paid >= 0.0:
        return f"a payment of {paid:.6g} a share where the actions have {bars.dividend[at]:.6g}"
    return "no single split or dividend makes them agree"
