"""The one loop that all models share: chunks of paths that fit the cache, blocks of steps that fit the memory."""

from __future__ import annotations

__all__ = ["START", "STEPS", "StartLaw", "Walker", "dense_paths", "starting_points", "walk"]

from typing import TYPE_CHECKING, Protocol

import numpy as np

from gammastar.simulate.grid import Block, Grid, generators
from gammastar.simulate.paths import Paths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jaxtyping import Float
    from numpy import ndarray

START, STEPS = 0, 1  # purposes of random numbers
BLOCK_BYTES = 2**24  # one block of all paths; larger ones cost page faults
CHUNK_BYTES = 2**20  # the shocks of one chunk of paths: they are drawn, scaled and added while in the cache
LARGEST_ROWS = 64
LARGEST_DENSE = 2**31


class Walker(Protocol):
    """The state of a chunk of c paths, and how it moves."""

    def record(self, out: Float[ndarray, "c n"]) -> None:
        """Write the log capitalisations as they are now into `out`."""
        ...

    def advance(self, out: Float[ndarray, "c s n"]) -> None:
        """Move on by as many recorded steps as `out` holds, and write each into it."""
        ...


def walk(grid: Grid, names: int, make: Callable[[range], Walker], *, together: int = 1) -> Iterator[Block]:
    """Yield the start, then block upon block of steps, of all paths.

    Memory is that of two blocks (16 MiB each, or one step of all paths where that is more) and of the states. The sizes of blocks and chunks do not change a bit.

    Args:
        grid: times and number of paths.
        names: n.
        make: returns the walker of a range of paths.
        together: paths that must not be parted; ranges start at its multiples.
    """
    inner = max(1, LARGEST_ROWS // grid.substeps)
    rows = min(grid.steps, inner, max(1, BLOCK_BYTES // (grid.paths * names * 8)))
    width = max(1, CHUNK_BYTES // (rows * grid.substeps * names * 8))
    width = -(-width // together) * together
    chunks = [range(low, min(low + width, grid.paths)) for low in range(0, grid.paths, width)]
    walkers = [make(chunk) for chunk in chunks]
    start = np.empty((grid.paths, 1, names))
    for chunk, walker in zip(chunks, walkers, strict=True):
        for done in range(0, grid.burn_in_steps, rows):
            walker.advance(np.empty((len(chunk), min(rows, grid.burn_in_steps - done), names)))
        walker.record(start[chunk.start : chunk.stop, 0])
    yield Block(0, start)
    for first in range(1, grid.steps + 1, rows):
        values = np.empty((grid.paths, min(rows, grid.steps + 1 - first), names))
        for chunk, walker in zip(chunks, walkers, strict=True):
            walker.advance(values[chunk.start : chunk.stop])
        yield Block(first, values)


def dense_paths(grid: Grid, names: int, blocks: Callable[[], Iterator[Block]], source: str) -> Paths:
    """Return all blocks in one array.

    Raises:
        ValueError: an array of more than 2 GiB; the stream has no such limit.
    """
    size = grid.paths * (grid.steps + 1) * names * 8
    if size > LARGEST_DENSE:
        raise ValueError(
            f"{grid.paths} paths x {grid.steps + 1} records x {names} names take {size / 2**30:.1f} GiB; "
            f"allowed: {LARGEST_DENSE / 2**30:g} GiB. Use `stream`, which yields them block by block."
        )
    values = np.empty((grid.paths, grid.steps + 1, names))
    for block in blocks():
        values[:, block.first : block.first + block.log_capitalisations.shape[1]] = block.log_capitalisations
    return Paths(grid, values, source)


class StartLaw(Protocol):
    """A law of starting points: the log capitalisations by name of one path, from its own generator."""

    def __call__(self, rng: np.random.Generator) -> Float[ndarray, " n"]:
        """Return one draw."""
        ...


def starting_points(
    seed: int | np.random.SeedSequence, chunk: range, law: StartLaw, start: Float[ndarray, "..."] | None, names: int
) -> Float[ndarray, "c n"]:
    """Return where the paths of a chunk start: at `start` where it is given, else each at a draw of `law`.

    Args:
        seed: of the whole simulation.
        chunk: numbers of the paths.
        law: of the starting points.
        start: log capitalisations, shape (n,) for all paths or (paths, n), or None.
        names: n.

    Raises:
        ValueError: a `start` of another shape, or one that is not finite.
    """
    if start is None:
        return np.array([law(rng) for rng in generators(seed, chunk, purpose=START)])
    given = np.asarray(start, dtype=np.float64)
    if given.shape[-1:] != (names,) or given.ndim > 2 or (given.ndim == 2 and len(given) < chunk.stop):
        raise ValueError(f"start has the shape {given.shape}; allowed: ({names},) or (paths, {names}).")
    if not np.isfinite(given).all():
        raise ValueError("start holds a value that is not finite; allowed: finite log capitalisations.")
    rows = given[chunk.start : chunk.stop] if given.ndim == 2 else np.broadcast_to(given, (len(chunk), names))
    return np.array(rows)
