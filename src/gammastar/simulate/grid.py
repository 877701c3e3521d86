"""When a path is recorded, and the random numbers each path draws."""

from __future__ import annotations

__all__ = ["Block", "Grid", "generators"]

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gammastar.simulate.parameters import require

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jaxtyping import Float
    from numpy import ndarray


@dataclass(frozen=True)
class Grid:
    """How many paths, and the times at which they are recorded: 0, h, ..., ``steps`` h.

    Args:
        steps: recorded steps of each path.
        paths: independent paths.
        years_per_step: h, in years; 1/252 is a session, 1/12 a month.
        substeps: Euler steps in each recorded one; they divide the bias. Exact samplers need none and take one.
        burn_in: years that each path runs before time 0, for starts that are not in the stationary law.

    Raises:
        ValueError: a value out of range.
    """

    steps: int
    paths: int = 1
    years_per_step: float = 1.0 / 252.0
    substeps: int = 1
    burn_in: float = 0.0

    def __post_init__(self) -> None:
        require(1, 1e9, "A path has at least one step.", steps=self.steps)
        require(1, 1e8, "There is at least one path.", paths=self.paths)
        require(1e-9, 100.0, "It is in years: 1/252 for a session.", years_per_step=self.years_per_step)
        require(1, 1e4, "1 is no refinement.", substeps=self.substeps)
        require(0.0, 1e5, "It is in years.", burn_in=self.burn_in)

    @property
    def euler_step(self) -> float:
        """Years of one Euler step, ``years_per_step / substeps``."""
        return self.years_per_step / self.substeps

    @property
    def burn_in_steps(self) -> int:
        """Recorded steps that make up the burn-in, rounded up."""
        return int(np.ceil(self.burn_in / self.years_per_step - 1e-9))

    @property
    def years(self) -> float:
        """Length of a path, in years."""
        return self.steps * self.years_per_step

    @property
    def times(self) -> Float[ndarray, " s"]:
        """Times of the records in years, shape (steps + 1,)."""
        return np.arange(self.steps + 1) * self.years_per_step


@dataclass(frozen=True, eq=False)
class Block:
    """Successive records of all paths.

    Args:
        first: position in `Grid.times` of the first of them.
        log_capitalisations: shape (paths, records, n); by name, or by rank, the largest first, where the stream says so.
    """

    first: int
    log_capitalisations: Float[ndarray, "p s n"]


def generators(seed: int | np.random.SeedSequence, paths: Iterable[int], *, purpose: int) -> list[np.random.Generator]:
    """Return one generator for each of `paths`, a function of the seed, the path's number and the purpose alone.

    So a path does not depend on how many others are drawn, and a longer path begins with the shorter one.

    Args:
        seed: a non-negative integer or a `SeedSequence`, which is left as it was.
        paths: numbers of the paths.
        purpose: what the numbers are for: 0 where a path starts, 1 where it goes.
    """
    root = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
    return [
        np.random.default_rng(np.random.SeedSequence(root.entropy, spawn_key=(*root.spawn_key, path, purpose)))
        for path in paths
    ]
