"""The second benchmark of a mandate: another portfolio to stay close to."""

from __future__ import annotations

__all__ = ["GeneratedBenchmark", "GivenBenchmark", "SecondBenchmark"]

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gammastar.errors import StaleDataError

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy import ndarray

    from gammastar.core.generating import GeneratingFunction
    from gammastar.market.moment import Moment


@dataclass(frozen=True)
class GeneratedBenchmark:
    """The portfolio that a generating function of the index weights generates: equal weight, diversity ..."""

    function: GeneratingFunction

    def weights(self, moment: Moment) -> Float[ndarray, " n"]:
        """Return its weights, shape (n,), summing to one."""
        return np.asarray(self.function.weights(moment.benchmark))


@dataclass(frozen=True)
class GivenBenchmark:
    """Weights that the user brings, with the day they were known; scaled to one over the assets that the market knows.

    Args:
        weights_by_asset: asset id and weight.
        known: day, ISO; before it they may not be used.
    """

    weights_by_asset: tuple[tuple[str, float], ...]
    known: str

    def weights(self, moment: Moment) -> Float[ndarray, " n"]:
        """Return its weights, shape (n,), summing to one.

        Raises:
            StaleDataError: the moment is before the day the weights were known, or none of the assets is in the market.
        """
        if moment.session < np.datetime64(self.known):
            raise StaleDataError("second_benchmark", "these weights were not known yet", got=f"a decision on {moment.session}", allowed=f"{self.known} or later",
                                 advice="decide later, or give weights that were known then")  # fmt: skip
        found = np.zeros(len(moment.benchmark))
        for asset, weight in self.weights_by_asset:
            if asset in moment.assets.index:
                found[moment.assets.index[asset]] = weight
        if not found.sum() > 0.0:
            raise StaleDataError("second_benchmark", "the data knows none of its assets", advice="use the permanent ids of the store")
        return np.asarray(found / found.sum())


SecondBenchmark = GeneratedBenchmark | GivenBenchmark
