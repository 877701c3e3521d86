"""What a panel showed before its past was corrected: a decision sees the world as it was told by then, and nothing learnt later."""

from __future__ import annotations

__all__ = ["Past", "real_time"]

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from gammastar.market.groups import Sectors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jaxtyping import Int
    from numpy import ndarray

    from gammastar.market.panel import Panel, Prices


class Past(Protocol):
    """Gives earlier views of a panel, with its columns and labels."""

    @property
    def revised(self) -> Int[ndarray, " k"]:
        """Sessions, increasing, at whose close something about an earlier session was first known to be otherwise; it may lie after the last."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 of what tells the earlier views."""

    def panel(self, position: int) -> Panel:
        """Return the panel as known at the close of the session at `position`; it may be shorter or longer, and tells rows up to there."""


def real_time(panel: Panel) -> Panel:
    """Return the panel whose every row is as known at its own close: what somebody saw who wrote down each day's row and never mended it.

    Moments are those of `panel`. Where nothing was corrected later, it is `panel` itself.
    """
    if panel.past is None:
        return panel
    parts = list(_epochs(panel))

    def rows(of: Callable[[Panel], ndarray]) -> ndarray:
        return np.concatenate([of(told)[begin:end] for begin, end, told in parts])

    prices = None if any(told.prices is None for _, _, told in parts) else _prices(parts)
    return replace(
        panel,
        returns=rows(lambda told: told.returns),
        observed=rows(lambda told: told.observed),
        benchmark=rows(lambda told: told.benchmark),
        published=rows(lambda told: told.published),
        sectors=Sectors(panel.sectors.labels, rows(lambda told: told.sectors.codes)),
        groups={name: Sectors(group.labels, rows(_group_codes(name))) for name, group in panel.groups.items()},
        traded=None if any(told.traded is None for _, _, told in parts) else rows(lambda told: np.asarray(told.traded)),
        prices=prices,
        past=_Lived(panel),
    )


@dataclass(frozen=True, eq=False)
class _Lived:
    """The past of a panel in real time: at each session the world is what `origin` shows there, the rows mended by then included."""

    origin: Panel

    @property
    def revised(self) -> ndarray:
        told = self.origin.past
        return np.zeros(0, dtype=np.int64) if told is None else np.union1d(told.revised, [len(self.origin)])

    @property
    def fingerprint(self) -> str:
        return self.origin.fingerprint

    def panel(self, position: int) -> Panel:
        return self.origin.as_known(position)


def _epochs(panel: Panel) -> Iterator[tuple[int, int, Panel]]:
    """Give the stretches of sessions that one view tells: begin, end, view."""
    begin = 0
    if panel.past is not None:
        for end in np.minimum(panel.past.revised, len(panel)).tolist():
            if end > begin:
                yield begin, end, panel.as_known(begin)
                begin = end
    if begin < len(panel):
        yield begin, len(panel), panel


def _prices(parts: list[tuple[int, int, Panel]]) -> Prices:
    from gammastar.market.panel import Prices as Told

    told = [(view.prices, slice(begin, end)) for begin, end, view in parts if view.prices is not None]
    return Told(np.concatenate([prices.close[rows] for prices, rows in told]), np.concatenate([prices.split[rows] for prices, rows in told]))


def _group_codes(name: str) -> Callable[[Panel], ndarray]:
    return lambda told: told.groups[name].codes
