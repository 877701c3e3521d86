"""Rank Jacobi market: a Wright-Fisher diffusion whose drift belongs to ranks (Itkin and Larsson 2021)."""

from __future__ import annotations

__all__ = ["RankJacobi"]

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from gammastar.market.arrays import frozen_array
from gammastar.simulate.parameters import require
from gammastar.simulate.simplex_walker import SimplexMoves, simplex_blocks
from gammastar.simulate.walkers import dense_paths
from gammastar.simulate.wright_fisher import ancestor_law

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jaxtyping import Float
    from numpy import ndarray

    from gammastar.simulate.grid import Block, Grid
    from gammastar.simulate.paths import Paths


@dataclass(frozen=True, eq=False)
class RankJacobi:
    """``d mu_i = (theta_k - Theta mu_i)/2 dt + dM_i`` while name i has rank k, ``d<M_i, M_j> = mu_i (delta_ij - mu_j) dt``, in the market's own clock: years times `rate`.

    A model of weights: the total capitalisation is one at all times, and a Panel's returns are relative to the market's. Each substep holds the thetas of the names still and draws the Wright-Fisher transition that these have
    exactly: the weights stay inside the simplex, and the error, of the drifts alone, vanishes with the substep; where all thetas are equal there is none.

    Args:
        theta: ``theta_k``, the largest name first, shape (n,), positive; the last is at least 1, so that no weight reaches zero.
        rate: units of the market's clock in a year.

    Raises:
        ValueError: a value out of range.

    >>> RankJacobi([0.5, 1.0, 1.5], rate=0.02).excess_growth()
    0.02
    """

    theta: Float[ndarray, " n"]
    rate: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "theta", frozen_array(self.theta, np.float64))
        if self.theta.ndim != 1 or len(self.theta) < 2:
            raise ValueError(f"theta has the shape {self.theta.shape}; allowed: one number for each of n >= 2 ranks.")
        require(1e-6, 1e6, "The thetas are positive.", **{f"theta[{k}]": float(v) for k, v in enumerate(self.theta)})
        require(1.0, 1e6, "Else the smallest weight reaches zero.", **{"the last theta": float(self.theta[-1])})
        require(1e-9, 1e3, "It is the speed of the market's clock.", rate=self.rate)

    def __len__(self) -> int:
        return len(self.theta)

    def excess_growth(self) -> float:
        """Return ``gamma*_mu = rate (n - 1) / 2``, a year: the same at all times, whatever the weights."""
        return 0.5 * self.rate * (len(self) - 1)

    def log_density(self, weights: Float[ndarray, "*t n"]) -> Float[ndarray, "*t"]:
        """Return ``sum_k (theta_k - 1) log mu_(k)``, the log of the invariant density up to a constant."""
        ranked = np.sort(weights, axis=-1)[..., ::-1]
        return np.asarray(np.log(ranked) @ (self.theta - 1.0))

    def local_time_rate(self, top_weights: Float[ndarray, " n"]) -> Float[ndarray, " g"]:
        """Return the rate of ``Lam_k``, a year, shape (n - 1,): ``rate (Theta sum_{j<=k} E mu_(j) - sum_{j<=k} theta_j)``, for ranked weights stand still on average.

        Args:
            top_weights: ``E mu_(k)`` in the stationary law, the largest first, shape (n,); for instance the means of sorted draws of `stationary_weights`.
        """
        held = np.cumsum(top_weights)[:-1]
        return np.asarray(self.rate * (self.theta.sum() * held - np.cumsum(self.theta)[:-1]))

    def occupation(self) -> Float[ndarray, "n n"]:
        """Return the share of time that rank k (row) is held by name i (column): ``1/n``, for names do not differ."""
        return np.full((len(self), len(self)), 1.0 / len(self))

    def stationary_weights(self, rng: np.random.Generator, size: int) -> Float[ndarray, "s n"]:
        """Return draws of the weights by name in the stationary law, to about 1e-4 of each weight's distribution, shape (size, n)."""
        capital = np.exp(self._ordered.draw(rng, size))
        return np.asarray(rng.permuted(capital / capital.sum(axis=1, keepdims=True), axis=1))

    def simulate(self, grid: Grid, seed: int | np.random.SeedSequence, *, start: ndarray | None = None) -> Paths:
        """Return paths by name. The same seed gives the same bytes; more paths or steps only add to them.

        Args:
            grid: times and number of paths; its substeps divide the error.
            seed: a non-negative integer or a `SeedSequence`, which is left as it was.
            start: log weights, shape (n,) or (paths, n). None draws from `stationary_weights`.

        Raises:
            ValueError: a start that does not fit, a substep of the market's clock outside 1e-9 to 20, or more than 2 GiB of paths.
        """
        source = f"simulated rank Jacobi market of {len(self)} names, seed {seed}"
        return dense_paths(grid, len(self), lambda: self.stream(grid, seed, start=start), source)

    def stream(
        self, grid: Grid, seed: int | np.random.SeedSequence, *, start: ndarray | None = None
    ) -> Iterator[Block]:
        """Yield the same paths in blocks of steps; memory does not grow with the number of steps."""
        law = ancestor_law(float(self.theta.sum()), self.rate * grid.euler_step)
        moves = SimplexMoves(self.theta, law, grid.substeps)
        return simplex_blocks(moves, grid, seed, lambda rng: np.log(self.stationary_weights(rng, 1)[0]), start)

    @cached_property
    def _ordered(self) -> _OrderedGammas:
        return _OrderedGammas(self.theta)


class _OrderedGammas:
    """Gamma variables of shapes ``theta_k`` given that they descend; over their sum they have the invariant law of the ranked weights.

    ``H_k(y) = int_0^y z^{theta_k - 1} e^{-z} H_{k+1}(z) dz``, ``H_{n+1} = 1``: given the variable before it at y, the k-th has the distribution ``H_k(.) / H_k(y)``. The logs of all H_k are tabulated
    over log y and taken as linear between points, and below the first, where ``H_k`` is a power of y.
    """

    def __init__(self, theta: Float[ndarray, " n"]) -> None:
        total = float(theta.sum())
        self.points = np.arange(-14.0, np.log(total + 40.0 * np.sqrt(total) + 100.0), 0.005)
        self.powers = np.cumsum(theta[::-1])[::-1]
        self.tables = np.empty((len(theta), len(self.points)))
        inner = np.zeros_like(self.points)
        for k in range(len(theta) - 1, -1, -1):
            inner = self.tables[k] = self._integral(
                theta[k] * self.points - np.exp(self.points) + inner, self.powers[k]
            )

    def _integral(self, log_values: Float[ndarray, " v"], power: float) -> Float[ndarray, " v"]:
        """Return the log of the integral up to each point of a function that is exponential between points."""
        low, rise = log_values[:-1], np.diff(log_values)
        steep = np.where(np.abs(rise) > 1e-8, rise, 1e-8)
        cells = low + np.log(np.diff(self.points) * np.expm1(steep) / steep)
        return np.logaddexp.accumulate(np.concatenate(([log_values[0] - np.log(power)], cells)))

    def draw(self, rng: np.random.Generator, size: int) -> Float[ndarray, "s n"]:
        """Return the logs of draws, descending in each row."""
        logs = np.empty((size, len(self.tables)))
        before = np.full(size, self.points[-1])
        first = self.points[0]
        for k, (table, power) in enumerate(zip(self.tables, self.powers, strict=True)):
            reach = np.interp(before, self.points, table) + power * np.minimum(before - first, 0.0)
            target = reach - rng.standard_exponential(size)
            before = logs[:, k] = np.interp(target, table, self.points) + np.minimum(target - table[0], 0.0) / power
        return logs
