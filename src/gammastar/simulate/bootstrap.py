"""Other histories from a real one: blocks of sessions, drawn again, each with the whole cross-section of that day."""

from __future__ import annotations

__all__ = ["MovingBlocks", "StationaryBlocks"]

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from gammastar.market.assets import Assets
from gammastar.market.panel import Sectors
from gammastar.simulate.parameters import require
from gammastar.simulate.paths import weekday_sessions, weights_panel

if TYPE_CHECKING:
    from jaxtyping import Int
    from numpy import ndarray

    from gammastar.market.panel import Panel


@dataclass(frozen=True)
class StationaryBlocks:
    """Blocks of random length, geometric with mean `length`, from random places, the end joined to the beginning (Politis and Romano 1994).

    Args:
        length: mean length of a block, in sessions.

    Raises:
        ValueError: a length below 1.
    """

    length: float = 63.0

    def __post_init__(self) -> None:
        require(1.0, 1e6, "It is a number of sessions.", length=self.length)

    def positions(self, count: int, source: int, rng: np.random.Generator) -> Int[ndarray, " s"]:
        """Return which of `source` sessions stand in for each of `count` new ones; fewer are the first of more."""
        draws = rng.random((count, 2))
        anew = draws[:, 0] < 1.0 / self.length
        anew[0] = True
        begins = np.flatnonzero(anew)
        block = np.cumsum(anew) - 1
        return np.asarray(
            ((draws[begins, 1] * source).astype(np.int64)[block] + np.arange(count) - begins[block]) % source
        )

    def resample(
        self, panel: Panel, sessions: int, seed: int | np.random.SeedSequence, *, coverage: float = 1.0
    ) -> Panel:
        """Return a new history of `sessions` steps, made of blocks of `panel`.

        A new session takes all returns of one old session together, so that the cross-section of shocks stays as it was, within a block also their order in time. What changes over time is simplified: the names
        are the members at the first session with returns observed in at least `coverage` of the sessions (with 1, the survivors); they start at their first benchmark weights, scaled to one, keep the sector they
        had then, and are members for good; returns alone move the weights. The calendar is one of weekdays. A return that was filled is taken as filled, and stays unobserved.

        Args:
            panel: the history.
            sessions: steps of the new one; it has one session more, at which it starts.
            seed: a non-negative integer or a `SeedSequence`, which is left as it was.
            coverage: least share of observed returns, 0 to 1.

        Raises:
            ValueError: a value out of range, or fewer than two names that qualify.
        """
        return _resampled(self, panel, sessions, seed, coverage)


@dataclass(frozen=True)
class MovingBlocks:
    """Blocks of one length from random places (Kuensch 1989); the last is cut to fit.

    Args:
        length: of a block, in sessions.

    Raises:
        ValueError: a length below 1.
    """

    length: int = 63

    def __post_init__(self) -> None:
        require(1, 1e6, "It is a number of sessions.", length=self.length)

    def positions(self, count: int, source: int, rng: np.random.Generator) -> Int[ndarray, " s"]:
        """Return which of `source` sessions stand in for each of `count` new ones; fewer are the first of more.

        Raises:
            ValueError: blocks longer than the history.
        """
        require(1, source, "A block is not longer than the history.", length=self.length)
        begins = rng.integers(0, source - self.length + 1, -(-count // self.length))
        return np.asarray((begins[:, None] + np.arange(self.length)).ravel()[:count])

    def resample(
        self, panel: Panel, sessions: int, seed: int | np.random.SeedSequence, *, coverage: float = 1.0
    ) -> Panel:
        """Return a new history of `sessions` steps, made of blocks of `panel`, as `StationaryBlocks.resample` does."""
        return _resampled(self, panel, sessions, seed, coverage)


class _Blocks(Protocol):
    def positions(self, count: int, source: int, rng: np.random.Generator) -> Int[ndarray, " s"]: ...


def _resampled(
    blocks: _Blocks, panel: Panel, sessions: int, seed: int | np.random.SeedSequence, coverage: float
) -> Panel:
    require(1, 1e7, "A history has at least one step.", sessions=sessions)
    require(0.0, 1.0, "It is a share of the sessions.", coverage=coverage)
    kept = np.flatnonzero((panel.benchmark[0] > 0.0) & (panel.observed[1:].mean(axis=0) >= coverage))
    if len(kept) < 2:
        raise ValueError(
            f"{len(kept)} first members are observed in {coverage:.0%} of the sessions; allowed: at least 2. Lower `coverage`, or take a shorter history."
        )
    # the first session has no return, so the history holds one fewer
    taken = 1 + blocks.positions(sessions, len(panel) - 1, np.random.default_rng(seed))
    weights = panel.benchmark[0, kept]
    made = weights_panel(
        np.log1p(panel.returns[np.ix_(taken, kept)]),
        weights / weights.sum(),
        weekday_sessions(sessions + 1, panel.frequency),
        panel.frequency,
        f"{blocks!r} of {panel.source}, seed {seed}",
    )
    assets = panel.assets
    return replace(
        made,
        assets=Assets(*(tuple(labels[i] for i in kept) for labels in (assets.ids, assets.tickers, assets.names))),
        observed=np.vstack((made.observed[:1], panel.observed[np.ix_(taken, kept)])),
        sectors=_standing(panel.sectors, kept, sessions + 1),
        groups={name: _standing(group, kept, sessions + 1) for name, group in panel.groups.items()},
        traded=None if panel.traded is None else panel.traded[np.ix_(np.append(0, taken), kept)],
    )


def _standing(group: Sectors, kept: Int[ndarray, " m"], sessions: int) -> Sectors:
    """Return the groups that the names `kept` have at the first session, for all of the `sessions`."""
    return Sectors(group.labels, np.tile(group.codes[0, kept], (sessions, 1)))
