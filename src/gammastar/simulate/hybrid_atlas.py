"""Hybrid Atlas model: drifts by rank and by name, volatilities by rank (Ichiba, Papathanakos, Banner, Karatzas and Fernholz 2011)."""

from __future__ import annotations

__all__ = ["HybridAtlas"]

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from gammastar.market.arrays import frozen_array
from gammastar.simulate.first_order import FirstOrder
from gammastar.simulate.grid import generators
from gammastar.simulate.rank_walkers import NamedWalker, RankDynamics
from gammastar.simulate.walkers import STEPS, dense_paths, starting_points, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jaxtyping import Float
    from numpy import ndarray

    from gammastar.simulate.grid import Block, Grid
    from gammastar.simulate.paths import Paths
    from gammastar.simulate.walkers import Walker

MOST_NAMES = 16  # the exact law sums over the 2^n sets of names


@dataclass(frozen=True, eq=False)
class HybridAtlas:
    """``d log X_i = (gamma + g_k + gamma_i) dt + sigma_k dW_i`` while name i has rank k.

    Given the order of the names, the stationary gaps are independent and exponential with rates ``-4 (sum_{j<=k} g_j + gamma_S) / (sigma_k^2 + sigma_{k+1}^2)``, S the names of the first k ranks; an
    order has a probability proportional to the product of their means. Exact where ``sigma_k^2`` is affine in k. Simulated in Euler steps, whose error is at most of order ``sqrt(euler_step)``.

    Args:
        drifts: ``g_k`` a year, the largest first, shape (n,), summing to zero.
        volatilities: ``sigma_k`` a year, shape (n,), positive.
        name_drifts: ``gamma_i`` a year, shape (n,), summing to zero.
        growth: gamma, of the whole market, a year.

    Raises:
        ValueError: drifts that do not sum to zero, or with which some names could run away at the top.

    >>> model = HybridAtlas([-0.1, -0.1, 0.2], [0.3, 0.3, 0.3], name_drifts=[0.02, 0.0, -0.02])
    >>> share = model.occupation()
    >>> bool(np.allclose(model.drifts @ share, -model.name_drifts))
    True
    """

    drifts: Float[ndarray, " n"]
    volatilities: Float[ndarray, " n"]
    name_drifts: Float[ndarray, " n"]
    growth: float = 0.0

    def __post_init__(self) -> None:
        ranks = FirstOrder(self.drifts, self.volatilities, self.growth)
        own = frozen_array(self.name_drifts, np.float64)
        for name, value in (("drifts", ranks.drifts), ("volatilities", ranks.volatilities), ("name_drifts", own)):
            object.__setattr__(self, name, value)
        if own.shape != ranks.drifts.shape:
            raise ValueError(
                f"name_drifts has the shape {own.shape}; allowed: {ranks.drifts.shape}, one for each name."
            )
        if not abs(own.sum()) <= 1e-9 * (np.abs(own).sum() + np.abs(ranks.drifts).sum()):
            raise ValueError(
                f"name_drifts sum to {own.sum():g}; allowed: 0. Put what is common to all names into `growth`."
            )
        fastest = np.cumsum(ranks.drifts + np.sort(own)[::-1])[:-1]
        if not (fastest < 0.0).all():
            worst = int(np.argmax(fastest))
            raise ValueError(
                f"the fastest {worst + 1} names at the top drift by {fastest[worst]:g}; allowed: below 0, else they run away. Lower their name_drifts."
            )

    def __len__(self) -> int:
        return len(self.drifts)

    @property
    def has_exact_gaps(self) -> bool:
        """Whether ``sigma_k^2`` is affine in k: the law of orders and gaps is exact then, else an approximation."""
        return FirstOrder(self.drifts, self.volatilities).has_exact_gaps

    def occupation(self) -> Float[ndarray, "n n"]:
        """Return ``theta_{k,i}``, the share of time that rank k (row) is held by name i (column); ``sum_k g_k theta_{k,i} = -gamma_i``.

        Exact where `has_exact_gaps`.

        Raises:
            ValueError: more than 16 names.
        """
        law = self._law
        return np.asarray(np.array([law.rank_chances(k) for k in range(len(self))]))

    def mean_gap(self) -> Float[ndarray, " g"]:
        """Return the mean gaps of ranked log capitalisations, over the law of orders, shape (n - 1,).

        Raises:
            ValueError: more than 16 names.
        """
        law = self._law
        return np.array([law.set_chances(k) @ law.means[law.levels[k]] for k in range(1, len(self))])

    def local_time_rate(self) -> Float[ndarray, " g"]:
        """Return ``lambda_k = -2 sum_{j<=k} (g_j + sum_i gamma_i theta_{j,i})``, a year, shape (n - 1,).

        Raises:
            ValueError: more than 16 names.
        """
        return np.asarray(-2.0 * np.cumsum(self.drifts + self.occupation() @ self.name_drifts)[:-1])

    def stationary_weights(self, rng: np.random.Generator, size: int) -> Float[ndarray, "s n"]:
        """Return draws of the weights by name, shape (size, n): the order of the names, then the gaps given it.

        Raises:
            ValueError: more than 16 names.
        """
        law, n = self._law, len(self)
        left = np.full(size, 2**n - 1)
        depth = np.zeros(size)
        capital = np.empty((size, n))
        for k in range(n, 0, -1):  # from the smallest name up
            chances = law.last_chances(left)
            name = (rng.random(size)[:, None] >= np.cumsum(chances, axis=1)).sum(axis=1).clip(max=n - 1)
            capital[np.arange(size), name] = depth
            left &= ~(1 << name)
            if k > 1:
                depth += rng.standard_exponential(size) * law.means[left]
        capital = np.exp(capital - capital.max(axis=1, keepdims=True))
        return np.asarray(capital / capital.sum(axis=1, keepdims=True))

    def simulate(self, grid: Grid, seed: int | np.random.SeedSequence, *, start: ndarray | None = None) -> Paths:
        """Return paths by name. The same seed gives the same bytes; more paths or steps only add to them.

        Args:
            grid: times and number of paths.
            seed: a non-negative integer or a `SeedSequence`, which is left as it was.
            start: log capitalisations, shape (n,) or (paths, n). None draws from `stationary_weights`; with more than 16 names give one, and the grid a burn-in.

        Raises:
            ValueError: a start that does not fit or is needed, or more than 2 GiB of paths.
        """
        source = f"simulated hybrid Atlas model of {len(self)} names, seed {seed}"
        return dense_paths(grid, len(self), lambda: self.stream(grid, seed, start=start), source)

    def stream(
        self, grid: Grid, seed: int | np.random.SeedSequence, *, start: ndarray | None = None
    ) -> Iterator[Block]:
        """Yield the same paths in blocks of steps; memory does not grow with the number of steps."""
        dynamics = RankDynamics(self.growth + self.drifts, self.volatilities, self.name_drifts)

        def make(chunk: range) -> Walker:
            first = starting_points(
                seed, chunk, lambda rng: np.log(self.stationary_weights(rng, 1)[0]), start, len(self)
            )
            return NamedWalker(dynamics, grid, first, generators(seed, chunk, purpose=STEPS))

        return walk(grid, len(self), make)

    @cached_property
    def _law(self) -> _OrderLaw:
        n = len(self)
        if n > MOST_NAMES:
            raise ValueError(
                f"the market has {n} names; allowed: {MOST_NAMES} for the exact law. Give `start`, and the grid a burn-in."
            )
        return _OrderLaw(self)


class _OrderLaw:
    """The law of the order of the names. The mean gap below the first k ranks depends on the set of their names only, so sums over n! orders are sums over 2^n sets."""

    def __init__(self, model: HybridAtlas) -> None:
        n = self.names = len(model)
        sets = np.arange(2**n)
        self.holds = (sets[:, None] >> np.arange(n)) & 1 > 0
        count = self.holds.sum(axis=1)
        self.levels = [np.flatnonzero(count == k) for k in range(n + 1)]
        variances = model.volatilities**2
        pull = -4.0 * np.cumsum(model.drifts)[:-1]
        self.means = np.ones(2**n)  # the empty and the full set have no gap below them
        for k in range(1, n):
            at = self.levels[k]
            self.means[at] = (variances[k - 1] + variances[k]) / (
                pull[k - 1] - 4.0 * self.holds[at] @ model.name_drifts
            )
        self.above = np.zeros(2**n)  # total weight of the orders of the set's names, own gap included
        self.above[0] = 1.0
        for k in range(1, n + 1):
            at = self.levels[k]
            self.above[at] = self.means[at] * self._removed(at).sum(axis=1)
        self.below = np.zeros(2**n)  # total weight of the orders of the names outside it
        self.below[-1] = 1.0
        for k in range(n - 1, -1, -1):
            at = self.levels[k]
            larger = np.where(self.holds[at], 0, at[:, None] | (1 << np.arange(n)))
            self.below[at] = np.where(self.holds[at], 0.0, self.means[larger] * self.below[larger]).sum(axis=1)
        self.total = self.above[-1]

    def _removed(self, at: ndarray) -> ndarray:
        """Return, by name, the weight of the orders of each set in which that name is last, but for the set's own gap."""
        smaller = np.where(self.holds[at], at[:, None] & ~(1 << np.arange(self.names)), 0)
        return np.where(self.holds[at], self.above[smaller], 0.0)

    def set_chances(self, k: int) -> ndarray:
        """Return the chance that each set of k names fills the first k ranks."""
        at = self.levels[k]
        return np.asarray(self.above[at] * self.below[at] / self.total)

    def rank_chances(self, k: int) -> ndarray:
        """Return the chance that each name holds rank k + 1 (from 0)."""
        at = self.levels[k + 1]
        last = self._removed(at) * (self.means[at] * self.below[at])[:, None]
        return np.asarray(last.sum(axis=0) / self.total)

    def last_chances(self, sets: ndarray) -> ndarray:
        """Return the chance of each name to be the last of the given set, shape (sets, n)."""
        weights = self._removed(sets)
        return np.asarray(weights / weights.sum(axis=1, keepdims=True))
