"""Markets whose weights are a Wright-Fisher diffusion, step by step."""

from __future__ import annotations

__all__ = ["GROUP", "SimplexMoves", "simplex_blocks"]

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gammastar.simulate.grid import generators
from gammastar.simulate.walkers import STEPS, starting_points, walk
from gammastar.simulate.wright_fisher import wright_fisher_step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jaxtyping import Float
    from numpy import ndarray

    from gammastar.simulate.grid import Block, Grid
    from gammastar.simulate.walkers import StartLaw, Walker
    from gammastar.simulate.wright_fisher import AncestorLaw

GROUP = 16  # paths that draw from one generator: a draw of many at once costs little more than one


@dataclass(frozen=True, eq=False)
class SimplexMoves:
    """One recorded step of a market whose weights are a Wright-Fisher diffusion.

    Args:
        theta: by rank, the largest first, shape (n,); held still over each of the `substeps`, so exact where all are equal.
        law: number of lines after one substep.
        substeps: in a recorded step.
        total_growth: expected change of the log of the total capitalisation in a recorded step.
        total_volatility: standard deviation of that change; it is independent of the weights.
    """

    theta: Float[ndarray, " n"]
    law: AncestorLaw
    substeps: int
    total_growth: float = 0.0
    total_volatility: float = 0.0

    def next_weights(self, mu: Float[ndarray, "c n"], rng: np.random.Generator) -> Float[ndarray, "c n"]:
        """Return the weights one recorded step later."""
        by_name = self.theta
        alike = bool((self.theta == self.theta[0]).all())
        for _ in range(self.substeps):
            if not alike:
                by_name = np.empty_like(mu)
                np.put_along_axis(by_name, np.argsort(-mu, axis=1, kind="stable"), self.theta[None, :], axis=1)
            mu = wright_fisher_step(mu, by_name, self.law, rng)
        return mu

    def next_totals(self, log_totals: Float[ndarray, " c"], rng: np.random.Generator) -> Float[ndarray, " c"]:
        """Return the logs of the total capitalisations one recorded step later."""
        if self.total_volatility == 0.0:
            return log_totals
        return np.asarray(log_totals + self.total_growth + self.total_volatility * rng.standard_normal(len(log_totals)))


class _SimplexWalker:
    """Whole groups of paths, of which the first are wanted; each group draws from its own generator, step after step."""

    def __init__(self, moves: SimplexMoves, start: Float[ndarray, "c n"], streams: list[np.random.Generator]) -> None:
        top = start.max(axis=1, keepdims=True)
        capital = np.exp(start - top)
        self.moves, self.streams = moves, streams
        self.weights = capital / capital.sum(axis=1, keepdims=True)
        self.log_totals = top[:, 0] + np.log(capital.sum(axis=1))

    def record(self, out: Float[ndarray, "c n"]) -> None:
        """Write the log capitalisations into `out`, by column."""
        out[...] = (np.log(self.weights) + self.log_totals[:, None])[: len(out)]

    def advance(self, out: Float[ndarray, "c s n"]) -> None:
        """Move on by as many recorded steps as `out` holds, and write each into it."""
        for group, rng in enumerate(self.streams):
            rows = slice(group * GROUP, (group + 1) * GROUP)
            wanted = out[rows]
            mu, log_totals = self.weights[rows], self.log_totals[rows]
            for t in range(out.shape[1]):
                mu = self.moves.next_weights(mu, rng)
                log_totals = self.moves.next_totals(log_totals, rng)
                wanted[:, t] = (np.log(mu) + log_totals[:, None])[: len(wanted)]
            self.weights[rows], self.log_totals[rows] = mu, log_totals


def simplex_blocks(
    moves: SimplexMoves, grid: Grid, seed: int | np.random.SeedSequence, law: StartLaw, start: ndarray | None
) -> Iterator[Block]:
    """Yield the start, then block upon block of steps, of all paths.

    Paths are drawn in whole groups of 16, so that more paths only add here too; but where each path is given its own start, the last group depends on how many were given.

    Args:
        moves: one recorded step.
        grid: times and number of paths.
        seed: a non-negative integer or a `SeedSequence`, which is left as it was.
        law: of the starting points.
        start: log capitalisations, shape (n,) or (paths, n), or None.
    """
    names = len(moves.theta)
    groups = -(-grid.paths // GROUP)
    given = None if start is None else np.asarray(start, dtype=np.float64)
    if given is not None and given.ndim == 2 and len(given) == grid.paths:
        given = np.concatenate((given, np.repeat(given[-1:], groups * GROUP - grid.paths, axis=0)))

    def make(chunk: range) -> Walker:
        low, high = chunk.start // GROUP, -(-chunk.stop // GROUP)
        first = starting_points(seed, range(low * GROUP, high * GROUP), law, given, names)
        return _SimplexWalker(moves, first, generators(seed, range(low, high), purpose=STEPS))

    return walk(grid, names, make, together=GROUP)
