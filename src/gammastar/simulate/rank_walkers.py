"""Markets whose drifts and volatilities belong to ranks, step by step.

A step adds to the log capitalisation at rank k the drift and the shock of rank k, and sorts anew. The market by rank alone sorts values and nothing else; the market by name
carries the names along, in an order that is nearly sorted before each sort. Both draw the same numbers, so one is the sorted other, bit for bit.
"""

from __future__ import annotations

__all__ = ["NamedWalker", "RankDynamics", "RankedWalker"]

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy import ndarray

    from gammastar.simulate.grid import Grid


@dataclass(frozen=True, eq=False)
class RankDynamics:
    """Drifts and volatilities, annual.

    Args:
        drifts: of log capitalisations by rank, the largest first, the market's own growth included, shape (n,).
        volatilities: by rank, shape (n,).
        name_drifts: added to them, by name, shape (n,); or None.
    """

    drifts: Float[ndarray, " n"]
    volatilities: Float[ndarray, " n"]
    name_drifts: Float[ndarray, " n"] | None = None


class _Shocks:
    """Drifts and shocks by rank of a chunk of paths, each path's from its own generator, step after step; ascending, as NumPy sorts."""

    def __init__(self, dynamics: RankDynamics, grid: Grid, streams: list[np.random.Generator]) -> None:
        self.substeps = grid.substeps
        self.streams = streams
        self.drift = np.asarray(dynamics.drifts)[::-1] * grid.euler_step
        self.scale = np.asarray(dynamics.volatilities)[::-1] * np.sqrt(grid.euler_step)

    def draw(self, records: int) -> Float[ndarray, "c s n"]:
        """Return the moves of the next ``records * substeps`` Euler steps."""
        moves = np.empty((len(self.streams), records * self.substeps, len(self.drift)))
        for path, rng in enumerate(self.streams):
            rng.standard_normal(out=moves[path])
        moves *= self.scale
        moves += self.drift
        return moves


class RankedWalker:
    """Paths by rank: records hold the log capitalisations in descending order."""

    def __init__(
        self, dynamics: RankDynamics, grid: Grid, start: Float[ndarray, "c n"], streams: list[np.random.Generator]
    ) -> None:
        self.shocks = _Shocks(dynamics, grid, streams)
        self.values = np.sort(start, axis=1)

    def record(self, out: Float[ndarray, "c n"]) -> None:
        """Write the log capitalisations into `out`, the largest first."""
        out[...] = self.values[:, ::-1]

    def advance(self, out: Float[ndarray, "c s n"]) -> None:
        """Move on by as many recorded steps as `out` holds, and write each into it."""
        moves = self.shocks.draw(out.shape[1])
        for t in range(moves.shape[1]):
            self.values += moves[:, t]
            self.values.sort(axis=1)
            if (t + 1) % self.shocks.substeps == 0:
                self.record(out[:, t // self.shocks.substeps])


class NamedWalker:
    """Paths by name: records hold the log capitalisations by column. Of names that tie, the lower column has the better rank."""

    def __init__(
        self, dynamics: RankDynamics, grid: Grid, start: Float[ndarray, "c n"], streams: list[np.random.Generator]
    ) -> None:
        self.shocks = _Shocks(dynamics, grid, streams)
        self.own = None if dynamics.name_drifts is None else np.asarray(dynamics.name_drifts) * grid.euler_step
        chunk, names = start.shape
        self.row = np.arange(chunk)[:, None]
        self.values, self.names = start.copy(), np.tile(np.arange(names), (chunk, 1))
        self.spare = np.empty_like(self.values), np.empty_like(self.names)
        self._sort()

    def record(self, out: Float[ndarray, "c n"]) -> None:
        """Write the log capitalisations into `out`, by column."""
        out[self.row, self.names] = self.values

    def advance(self, out: Float[ndarray, "c s n"]) -> None:
        """Move on by as many recorded steps as `out` holds, and write each into it."""
        moves = self.shocks.draw(out.shape[1])
        flat = out.reshape(-1)  # a view: blocks are contiguous. One flat index is several times faster than two
        if not np.shares_memory(flat, out):
            raise ValueError("records must be contiguous in memory")
        records, names = out.shape[1:]
        for t in range(moves.shape[1]):
            self.values += moves[:, t]
            if self.own is not None:
                self.values += self.own[self.names]
            self._sort()
            if (t + 1) % self.shocks.substeps == 0:
                record = t // self.shocks.substeps
                flat[self.names + (self.row * (records * names) + record * names)] = self.values

    def _sort(self) -> None:
        # A stable sort is the fast one here: ranks change little in a step, and it takes runs as they are.
        self._take(np.argsort(self.values, axis=1, kind="stable"))
        tied = self.values[:, 1:] == self.values[:, :-1]
        if tied.any():
            self._take(np.lexsort((-self.names, self.values), axis=1))

    def _take(self, order: ndarray) -> None:
        order += self.row * order.shape[1]
        values, names = self.spare
        # "clip" skips the check of indices that a sort has made, and writes straight into `out`
        np.take(self.values.reshape(-1), order, out=values, mode="clip")
        np.take(self.names.reshape(-1), order, out=names, mode="clip")
        self.values, self.names, self.spare = values, names, (self.values, self.names)
