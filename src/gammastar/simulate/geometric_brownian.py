"""Geometric Brownian market: constant growth rates and covariance; simulated without error."""

from __future__ import annotations

__all__ = ["GeometricBrownian"]

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gammastar.core.covariance import FactoredCovariance
from gammastar.core.excess_growth import excess_growth
from gammastar.market.arrays import frozen_array
from gammastar.simulate.grid import generators
from gammastar.simulate.parameters import require
from gammastar.simulate.walkers import STEPS, dense_paths, starting_points, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jaxtyping import Float
    from numpy import ndarray

    from gammastar.simulate.grid import Block, Grid
    from gammastar.simulate.paths import Paths
    from gammastar.simulate.walkers import Walker


@dataclass(frozen=True, eq=False)
class GeometricBrownian:
    """``d log X = gamma dt + sigma dW`` with ``sigma sigma' = B B' + diag(D)``. Exact at the recorded times; substeps change nothing and are not taken.

    No law is stationary: the largest names run away. Paths start from equal capitalisations unless told.

    Args:
        growth: gamma, growth rates a year, shape (n,).
        covariance: of log returns, annual.

    Raises:
        ValueError: shapes that do not fit, or rates that are not finite.

    >>> market = GeometricBrownian.exchangeable(names=4, volatility=0.3, correlation=0.25)
    >>> round(market.excess_growth(np.full(4, 0.25)), 5)  # s^2 (1 - rho) (1 - sum pi^2) / 2
    0.02531
    """

    growth: Float[ndarray, " n"]
    covariance: FactoredCovariance

    def __post_init__(self) -> None:
        object.__setattr__(self, "growth", frozen_array(self.growth, np.float64))
        if self.growth.shape != (len(self.covariance),) or len(self.growth) < 2:
            raise ValueError(
                f"growth has the shape {self.growth.shape}; allowed: ({len(self.covariance)},), one rate for each of n >= 2 names of the covariance."
            )
        if not np.isfinite(self.growth).all():
            raise ValueError("growth holds a value that is not finite; allowed: annual rates.")

    @classmethod
    def exchangeable(
        cls, *, names: int, volatility: float, correlation: float = 0.0, growth: float = 0.0
    ) -> GeometricBrownian:
        """Return the market in which all names are alike.

        Args:
            names: n.
            volatility: s, a year.
            correlation: rho of every pair, 0 to 1.
            growth: gamma of each name, a year.

        Raises:
            ValueError: a value out of range.
        """
        require(2, 1e6, "A market has at least two names.", names=names)
        require(0.0, 10.0, "It is an annual fraction.", volatility=volatility)
        require(0.0, 1.0, "It is common to all pairs.", correlation=correlation)
        loadings = np.full((names, 1), volatility * np.sqrt(correlation))
        specific = np.full(names, volatility**2 * (1.0 - correlation))
        return cls(np.full(names, growth), FactoredCovariance(loadings, specific))

    def __len__(self) -> int:
        return len(self.growth)

    def excess_growth(self, weights: Float[ndarray, " n"]) -> float:
        """Return ``gamma*_pi``, a year, of constant weights; ``s^2 (1 - rho) (1 - sum pi^2)/2`` where names are alike."""
        return excess_growth(weights, self.covariance)

    def growth_rate(self, weights: Float[ndarray, " n"]) -> float:
        """Return ``pi' gamma + gamma*_pi``, a year: the growth rate of a portfolio that is traded back to constant weights at all times.

        Traded back at the end of steps of h years, it earns this to order h.
        """
        return float(weights @ self.growth) + self.excess_growth(weights)

    def growth_optimal(self) -> Float[ndarray, " n"]:
        """Return the constant weights, of either sign, of largest growth rate: ``Sigma^-1 (b - l)``, ``b = gamma + diag(Sigma)/2``, l such that they sum to one.

        Raises:
            numpy.linalg.LinAlgError: a covariance without an inverse.
        """
        drift = self.growth + 0.5 * self.covariance.variances
        solved = np.linalg.solve(self.covariance.dense(), np.column_stack((drift, np.ones(len(self)))))
        price = (solved[:, 0].sum() - 1.0) / solved[:, 1].sum()
        return np.asarray(solved[:, 0] - price * solved[:, 1])

    def simulate(self, grid: Grid, seed: int | np.random.SeedSequence, *, start: ndarray | None = None) -> Paths:
        """Return paths by name, exact at the times of the grid. The same seed gives the same bytes; more paths or steps only add to them.

        Args:
            grid: times and number of paths.
            seed: a non-negative integer or a `SeedSequence`, which is left as it was.
            start: log capitalisations, shape (n,) or (paths, n). None starts from weights 1/n, of total one.

        Raises:
            ValueError: a start that does not fit, or more than 2 GiB of paths.
        """
        source = f"simulated geometric Brownian market of {len(self)} names, seed {seed}"
        return dense_paths(grid, len(self), lambda: self.stream(grid, seed, start=start), source)

    def stream(
        self, grid: Grid, seed: int | np.random.SeedSequence, *, start: ndarray | None = None
    ) -> Iterator[Block]:
        """Yield the same paths in blocks of steps; memory does not grow with the number of steps."""
        begin = np.full(len(self), -np.log(len(self))) if start is None else start

        def make(chunk: range) -> Walker:
            first = starting_points(seed, chunk, lambda _: begin, begin, len(self))
            return _BrownianWalker(self, grid.years_per_step, first, generators(seed, chunk, purpose=STEPS))

        return walk(grid, len(self), make)


class _BrownianWalker:
    """A chunk of paths: in each step a path draws its factors' shocks, then the specific ones."""

    def __init__(
        self, model: GeometricBrownian, step: float, start: Float[ndarray, "c n"], streams: list[np.random.Generator]
    ) -> None:
        self.values, self.streams = start, streams
        self.drift = model.growth * step
        self.loadings = model.covariance.loadings.T * np.sqrt(step)
        self.scale = np.sqrt(model.covariance.specific * step)

    def record(self, out: Float[ndarray, "c n"]) -> None:
        """Write the log capitalisations into `out`, by column."""
        out[...] = self.values

    def advance(self, out: Float[ndarray, "c s n"]) -> None:
        """Move on by as many recorded steps as `out` holds, and write each into it."""
        factors = len(self.loadings)
        for path, rng in enumerate(self.streams):
            shocks = rng.standard_normal((out.shape[1], factors + out.shape[2]))
            # einsum adds up in an order that does not depend on how many rows there are
            moves = np.einsum("sk,kn->sn", shocks[:, :factors], self.loadings)
            moves += shocks[:, factors:] * self.scale
            moves += self.drift
            moves[0] += self.values[path]
            np.cumsum(moves, axis=0, out=out[path])
            self.values[path] = out[path, -1]
