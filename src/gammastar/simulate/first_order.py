"""First-order and Atlas models: every drift and every volatility belongs to a rank (Banner, Fernholz and Karatzas 2005)."""

from __future__ import annotations

__all__ = ["Atlas", "FirstOrder"]

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from gammastar.market.arrays import frozen_array
from gammastar.simulate.grid import generators
from gammastar.simulate.parameters import require
from gammastar.simulate.rank_walkers import NamedWalker, RankDynamics, RankedWalker
from gammastar.simulate.walkers import STEPS, dense_paths, starting_points, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jaxtyping import Float
    from numpy import ndarray

    from gammastar.simulate.grid import Block, Grid
    from gammastar.simulate.paths import Paths
    from gammastar.simulate.walkers import Walker


@dataclass(frozen=True, eq=False)
class FirstOrder:
    """``d log X_i = (gamma + g_k) dt + sigma_k dW_i`` while name i has rank k.

    The Euler steps hold ranks still. Against the law in continuous time the mean gaps come out too large: `euler_gap_bias` bounds by how much where variances are affine
    in the rank; elsewhere the error is at most of order ``sqrt(euler_step)``. Local-time rates and the sum `weighted_gap` have no bias but the one stated there.

    Args:
        drifts: ``g_k`` a year, the largest first, shape (n,); they sum to zero and their partial sums are negative.
        volatilities: ``sigma_k`` a year, shape (n,), positive.
        growth: gamma, of the whole market, a year.

    Raises:
        ValueError: drifts that do not hold the market together, or volatilities that do not fit them.

    >>> model = FirstOrder(drifts=[-0.1, -0.1, 0.2], volatilities=[0.2, 0.3, 0.2])
    >>> model.local_time_rate().round(6).tolist(), model.has_exact_gaps
    ([0.2, 0.4], False)
    """

    drifts: Float[ndarray, " n"]
    volatilities: Float[ndarray, " n"]
    growth: float = 0.0

    def __post_init__(self) -> None:
        for name in ("drifts", "volatilities"):
            object.__setattr__(self, name, frozen_array(getattr(self, name), np.float64))
        if self.drifts.ndim != 1 or len(self.drifts) < 2 or self.volatilities.shape != self.drifts.shape:
            raise ValueError(
                f"drifts {self.drifts.shape} and volatilities {self.volatilities.shape} do not fit; allowed: one of each for n >= 2 ranks."
            )
        if not (np.isfinite(self.volatilities).all() and (self.volatilities > 0.0).all()):
            raise ValueError("volatilities must be finite and positive. They are annual fractions.")
        partial = np.cumsum(self.drifts)
        if not abs(partial[-1]) <= 1e-9 * np.abs(self.drifts).sum():
            raise ValueError(
                f"drifts sum to {partial[-1]:g}; allowed: 0. Put what is common to all ranks into `growth`."
            )
        if not (partial[:-1] < 0.0).all():
            worst = int(np.argmax(partial[:-1]))
            raise ValueError(
                f"the first {worst + 1} drifts sum to {partial[worst]:g}; allowed: below 0, else the largest run away. Lower them."
            )
        require(-10.0, 10.0, "It is an annual rate.", growth=self.growth)

    def __len__(self) -> int:
        return len(self.drifts)

    def local_time_rate(self) -> Float[ndarray, " g"]:
        """Return ``lambda_k = -2 sum_{j<=k} g_j``, a year: local time of the gap between ranks k and k + 1, shape (n - 1,).

        Exact in continuous time, and for the Euler steps in their own stationary law.
        """
        return np.asarray(-2.0 * np.cumsum(self.drifts)[:-1])

    def local_time_standard_error(self, years: float) -> Float[ndarray, " g"]:
        """Return the standard error of each local-time rate when it is estimated from one path of `years`, shape (n - 1,).

        ``2 sqrt(((1 - k/n)^2 sum_{j<=k} sigma_j^2 + (k/n)^2 sum_{j>k} sigma_j^2) / T)``: the shocks of the first k ranks less their share of all. Over years that are long beside the time in which
        the gaps forget where they were; over fewer it errs on the wide side.
        """
        variances = self.volatilities**2
        share = np.arange(1, len(self)) / len(self)
        above = np.cumsum(variances)[:-1]
        noise = (1.0 - share) ** 2 * above + share**2 * (variances.sum() - above)
        return np.asarray(2.0 * np.sqrt(noise / years))

    @property
    def has_exact_gaps(self) -> bool:
        """Whether ``sigma_k^2`` is affine in k: then, and only then, the gaps are independent and exponential."""
        variances = self.volatilities**2
        return bool(np.allclose(np.diff(variances, 2), 0.0, atol=1e-9 * float(variances.max())))

    def mean_gap(self) -> Float[ndarray, " g"]:
        """Return the mean gaps of ranked log capitalisations, ``(sigma_k^2 + sigma_{k+1}^2) / (2 lambda_k)``, shape (n - 1,).

        Exact where `has_exact_gaps`; elsewhere an approximation (20% off at variances 1, 4, 1).
        """
        variances = self.volatilities**2
        return np.asarray((variances[:-1] + variances[1:]) / (2.0 * self.local_time_rate()))

    def weighted_gap(self, euler_step: float = 0.0) -> float:
        """Return ``sum_k lambda_k E gap_k = (1 - 1/n) sum sigma_k^2 + euler_step sum g_k^2``, exact for any volatilities.

        In the stationary law the mean square of the log capitalisations around their mean stands still; its change over a step of that many years (0: continuous time) gives the sum.
        """
        spread = (1.0 - 1.0 / len(self)) * float(np.sum(self.volatilities**2))
        return spread + euler_step * float(np.sum(self.drifts**2))

    def euler_gap_bias(self, euler_step: float) -> Float[ndarray, " g"]:
        """Return a bound on how much too large each mean gap is in Euler steps of that many years, shape (n - 1,).

        ``euler_step sum_j g_j^2 / lambda_k``. Where `has_exact_gaps`, the biases weighted by ``lambda_k`` sum to ``euler_step sum_j g_j^2`` exactly (`weighted_gap`); each is at most its own share when none is negative, as
        simulation finds.
        """
        return np.asarray(euler_step * float(np.sum(self.drifts**2)) / self.local_time_rate())

    def capital_curve(self) -> Float[ndarray, " n"]:
        """Return the log weights of the market whose gaps are all at their means, the largest first, shape (n,)."""
        depth = np.concatenate(([0.0], -np.cumsum(self.mean_gap())))
        return np.asarray(depth - np.log(np.sum(np.exp(depth))))

    def excess_growth(self, weights: Float[ndarray, "*t n"]) -> Float[ndarray, "*t"]:
        """Return ``gamma*_mu = sum_k sigma_k^2 mu_(k) (1 - mu_(k)) / 2``, a year, of the market at `weights`, in any order."""
        ranked = np.sort(weights, axis=-1)[..., ::-1]
        return np.asarray(0.5 * np.sum(self.volatilities**2 * ranked * (1.0 - ranked), axis=-1))

    def occupation(self) -> Float[ndarray, "n n"]:
        """Return the share of time that rank k (row) is held by name i (column): ``1/n``, for names do not differ."""
        return np.full((len(self), len(self)), 1.0 / len(self))

    def stationary_gaps(self, rng: np.random.Generator, size: int) -> Float[ndarray, "s g"]:
        """Return draws of the gaps, independent exponentials with means `mean_gap`: the stationary law where `has_exact_gaps`."""
        return np.asarray(rng.standard_exponential((size, len(self) - 1)) * self.mean_gap())

    def stationary_weights(self, rng: np.random.Generator, size: int) -> Float[ndarray, "s n"]:
        """Return draws of the weights by name, ranks dealt out at random, shape (size, n)."""
        depth = np.zeros((size, len(self)))
        np.cumsum(-self.stationary_gaps(rng, size), axis=1, out=depth[:, 1:])
        capital = rng.permuted(np.exp(depth), axis=1)
        return np.asarray(capital / capital.sum(axis=1, keepdims=True))

    def simulate(self, grid: Grid, seed: int | np.random.SeedSequence, *, start: ndarray | None = None) -> Paths:
        """Return paths by name. The same seed gives the same bytes; more paths or steps only add to them.

        Args:
            grid: times and number of paths.
            seed: a non-negative integer or a `SeedSequence`, which is left as it was.
            start: log capitalisations, shape (n,) or (paths, n). None draws from `stationary_weights`; where that is an approximation, give the grid a burn-in.

        Raises:
            ValueError: a start that does not fit, or more than 2 GiB of paths.
        """
        source = f"simulated first-order model of {len(self)} ranks, seed {seed}"
        return dense_paths(grid, len(self), lambda: self.stream(grid, seed, start=start), source)

    def stream(
        self, grid: Grid, seed: int | np.random.SeedSequence, *, start: ndarray | None = None
    ) -> Iterator[Block]:
        """Yield the same paths in blocks of steps; memory does not grow with the number of steps."""
        return walk(grid, len(self), lambda chunk: self._walker(NamedWalker, grid, seed, chunk, start))

    def stream_ranked(
        self, grid: Grid, seed: int | np.random.SeedSequence, *, start: ndarray | None = None
    ) -> Iterator[Block]:
        """Yield the same paths by rank, the largest first: several times faster, for the names are not followed."""
        return walk(grid, len(self), lambda chunk: self._walker(RankedWalker, grid, seed, chunk, start))

    @cached_property
    def _dynamics(self) -> RankDynamics:
        return RankDynamics(self.growth + self.drifts, self.volatilities)

    def _walker(
        self,
        kind: type[NamedWalker | RankedWalker],
        grid: Grid,
        seed: int | np.random.SeedSequence,
        chunk: range,
        start: ndarray | None,
    ) -> Walker:
        first = starting_points(seed, chunk, lambda rng: np.log(self.stationary_weights(rng, 1)[0]), start, len(self))
        return kind(self._dynamics, grid, first, generators(seed, chunk, purpose=STEPS))


@dataclass(frozen=True)
class Atlas:
    """The Atlas model: all names fall behind at the rate g but the smallest, which carries the market at ``(n - 1) g``.

    Everything that a first-order model has, it has through `first_order`; its closed forms are written out here.

    Args:
        names: n.
        drift: g, a year, positive.
        volatility: sigma, a year.
        growth: gamma, of the whole market, a year.

    Raises:
        ValueError: a value out of range.

    >>> Atlas(names=4, drift=0.05, volatility=0.3).mean_gap().round(3).tolist()
    [0.9, 0.45, 0.3]
    """

    names: int
    drift: float
    volatility: float
    growth: float = 0.0

    def __post_init__(self) -> None:
        require(2, 1e6, "A market has at least two names.", names=self.names)
        require(1e-9, 10.0, "It is an annual rate.", drift=self.drift)
        require(1e-9, 10.0, "It is an annual fraction.", volatility=self.volatility)
        require(-10.0, 10.0, "It is an annual rate.", growth=self.growth)

    def __len__(self) -> int:
        return self.names

    @cached_property
    def first_order(self) -> FirstOrder:
        """The same market as a first-order model."""
        drifts = np.full(self.names, -self.drift)
        drifts[-1] = (self.names - 1) * self.drift
        return FirstOrder(drifts, np.full(self.names, self.volatility), self.growth)

    def local_time_rate(self) -> Float[ndarray, " g"]:
        """Return ``2 k g``, a year, shape (n - 1,)."""
        return np.asarray(2.0 * np.arange(1, self.names) * self.drift)

    def local_time_standard_error(self, years: float) -> Float[ndarray, " g"]:
        """Return ``2 k sigma sqrt((1/k - 1/n) / T)``: standard error of each rate over one path of T `years`, shape (n - 1,)."""
        k = np.arange(1, self.names)
        return np.asarray(2.0 * k * self.volatility * np.sqrt((1.0 / k - 1.0 / self.names) / years))

    def mean_gap(self) -> Float[ndarray, " g"]:
        """Return ``sigma^2 / (2 k g)``, the means of the independent exponential gaps, shape (n - 1,)."""
        return np.asarray(self.volatility**2 / self.local_time_rate())

    def euler_gap_bias(self, euler_step: float) -> Float[ndarray, " g"]:
        """Return the bound ``n (n - 1) g euler_step / (2 k)`` on the bias of each mean gap; near zero beside it but for the smallest names."""
        k = np.arange(1, self.names)
        return np.asarray(self.names * (self.names - 1) * self.drift * euler_step / (2.0 * k))

    def capital_curve(self) -> Float[ndarray, " n"]:
        """Return the log weights of the market whose gaps are all at their means; close to a line of slope ``-sigma^2 / (2 g)`` in log rank."""
        return self.first_order.capital_curve()

    def excess_growth(self, weights: Float[ndarray, "*t n"]) -> Float[ndarray, "*t"]:
        """Return ``gamma*_mu = sigma^2 (1 - sum mu^2) / 2``, a year, of the market at `weights`."""
        return np.asarray(0.5 * self.volatility**2 * (1.0 - np.sum(np.square(weights), axis=-1)))

    def occupation(self) -> Float[ndarray, "n n"]:
        """Return the share of time that rank k (row) is held by name i (column): ``1/n``."""
        return self.first_order.occupation()

    def stationary_gaps(self, rng: np.random.Generator, size: int) -> Float[ndarray, "s g"]:
        """Return draws of the gaps in their stationary law, exact, shape (size, n - 1)."""
        return self.first_order.stationary_gaps(rng, size)

    def stationary_weights(self, rng: np.random.Generator, size: int) -> Float[ndarray, "s n"]:
        """Return draws of the weights by name in their stationary law, exact, shape (size, n)."""
        return self.first_order.stationary_weights(rng, size)

    def simulate(self, grid: Grid, seed: int | np.random.SeedSequence, *, start: ndarray | None = None) -> Paths:
        """Return paths by name, as `FirstOrder.simulate` does."""
        source = f"simulated Atlas model of {self.names} names, seed {seed}"
        return dense_paths(grid, self.names, lambda: self.stream(grid, seed, start=start), source)

    def stream(
        self, grid: Grid, seed: int | np.random.SeedSequence, *, start: ndarray | None = None
    ) -> Iterator[Block]:
        """Yield the same paths in blocks of steps, as `FirstOrder.stream` does."""
        return self.first_order.stream(grid, seed, start=start)

    def stream_ranked(
        self, grid: Grid, seed: int | np.random.SeedSequence, *, start: ndarray | None = None
    ) -> Iterator[Block]:
        """Yield the same paths by rank, as `FirstOrder.stream_ranked` does."""
        return self.first_order.stream_ranked(grid, seed, start=start)
