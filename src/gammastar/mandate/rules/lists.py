"""Dated lists of assets: what may not be held, bought or sold, and what must be sold. Each entry has a reason and a clause."""

from __future__ import annotations

__all__ = ["AssetList", "Exclude", "Exclusion", "Freeze", "ListEntry", "MustSell", "NoBuy", "NoSell"]

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from gammastar.core.rows import Bounds, Row
from gammastar.mandate.rules.base import NEVER, Reading, RuleOptions, closest

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy import ndarray

    from gammastar.market.moment import Moment


@dataclass(frozen=True)
class ListEntry:
    """One asset of a list: why, by which clause of the mandate, and when.

    Args:
        asset: permanent id.
        reason: in words.
        clause: of the mandate.
        start: first day, ISO; None for always.
        end: last day, ISO; None for ever.
    """

    asset: str
    reason: str
    clause: str = ""
    start: str | None = None
    end: str | None = None

    def holds(self, session: np.datetime64) -> bool:
        """Return whether the entry is in force on a day."""
        after = self.start is None or session >= np.datetime64(self.start)
        return bool(after and (self.end is None or session <= np.datetime64(self.end)))


Exclusion = ListEntry


@dataclass(frozen=True)
class AssetList(RuleOptions):
    """A list of assets whose weights are bounded.

    Args:
        assets: the entries.
        tolerance: weight by which a bound may be missed; only a relaxation makes it more than zero.
    """

    assets: tuple[ListEntry, ...]
    tolerance: float = 0.0
    priority: int = field(default=NEVER, kw_only=True)
    name: ClassVar[str] = "list"
    floor: ClassVar[bool] = False
    ceiling: ClassVar[bool] = False
    of_holdings: ClassVar[bool] = True

    def columns(self, moment: Moment) -> list[int]:
        """Return the columns of the entries in force that are listed."""
        index = moment.assets.index
        return [index[item.asset] for item in self.assets if item.asset in index and item.holds(moment.session)]

    def rows(self, moment: Moment) -> tuple[Row, ...]:
        """Return bounds at the holdings, or at zero."""
        n, at = len(moment.benchmark), self.columns(moment)
        lower, upper, down, up = np.full(n, -np.inf), np.full(n, np.inf), np.zeros(n), np.zeros(n)
        level = _level(self, moment)
        if self.floor:
            lower[at], down[at] = level[at] - self.tolerance, -1.0
        if self.ceiling:
            upper[at], up[at] = level[at] + self.tolerance, 1.0
        return (Bounds(self.name, lower, upper, down, up, self.penalty),)

    def measure(self, weights: Float[ndarray, " n"], moment: Moment) -> Reading | None:
        """Return the asset that is furthest on the wrong side; None where holdings are needed and not known."""
        if self.of_holdings and moment.holdings is None:
            return None
        found = [Reading(self.name, 0.0, self.tolerance, self.tolerance, "none of them listed")]
        for entry in self.assets:
            k = moment.assets.index.get(entry.asset)
            if k is None or not entry.holds(moment.session):
                continue
            level = 0.0 if not self.of_holdings or moment.holdings is None else float(moment.holdings[k])
            above, below = float(weights[k]) - level, level - float(weights[k])
            wrong = max(above if self.ceiling else -np.inf, below if self.floor else -np.inf)
            found.append(Reading(self.name, wrong, self.tolerance, self.tolerance - wrong, moment.assets.label(k)))
        return closest(found[1:] or found)

    def loosened(self, amount: float) -> Self:
        """Return the list with its tolerance wider by `amount`."""
        return replace(self, tolerance=self.tolerance + amount)


def _level(rule: AssetList, moment: Moment) -> Float[ndarray, " n"]:
    if not rule.of_holdings:
        return np.zeros(len(moment.benchmark))
    return moment.benchmark if moment.holdings is None else moment.holdings


@dataclass(frozen=True)
class Exclude(AssetList):
    """Assets that may not be held: ``w_i <= 0``."""

    name: ClassVar[str] = "exclude"
    ceiling: ClassVar[bool] = True
    of_holdings: ClassVar[bool] = False


@dataclass(frozen=True)
class MustSell(AssetList):
    """Assets that have to be sold whole: ``w_i <= 0``; dated, so that a sale can be announced."""

    name: ClassVar[str] = "must_sell"
    ceiling: ClassVar[bool] = True
    of_holdings: ClassVar[bool] = False


@dataclass(frozen=True)
class NoBuy(AssetList):
    """Assets that may be held and sold but not bought: ``w_i <= held_i``."""

    name: ClassVar[str] = "no_buy"
    ceiling: ClassVar[bool] = True


@dataclass(frozen=True)
class NoSell(AssetList):
    """Assets that may not be sold: ``w_i >= held_i``."""

    name: ClassVar[str] = "no_sell"
    floor: ClassVar[bool] = True


@dataclass(frozen=True)
class Freeze(AssetList):
    """Assets that may not be traded: ``w_i = held_i``."""

    name: ClassVar[str] = "freeze"
    floor: ClassVar[bool] = True
    ceiling: ClassVar[bool] = True
