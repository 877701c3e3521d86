"""What is true of a simulated market: the covariance and the growth rates of each next session."""

from __future__ import annotations

__all__ = ["Truth"]

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gammastar.core.covariance import FactoredCovariance
from gammastar.market.calendar import Frequency
from gammastar.simulate.names import STYLES, Exposures, growth_rates

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from numpy import ndarray

    from gammastar.simulate.exits import Hazards
    from gammastar.simulate.parameters import Growth
    from gammastar.simulate.path import Path


@dataclass(frozen=True, eq=False)
class Truth:
    """The truth behind a simulated panel, in the order of its columns; built on demand from the path of volatilities.

    Args:
        path: the market's path, listing by listing.
        growth: the law of the growth rates.
        hazards: the law of the exits.
    """

    path: Path
    growth: Growth
    hazards: Hazards

    def covariance(self, position: int) -> FactoredCovariance:
        """Return the true annual covariance of log returns over the session after the one at `position`, given all up to its close.

        Exact, exits included; shape (n, 15) and (n,). A column with no listed name (return zero, or for a month's rest the return of its sector)
        carries a market exposure of one and its sector's, and no specific variance.
        """
        path = self.path
        volatilities = path.factor_volatilities[position]
        columns = path.occupant[position]
        names = path.names
        loadings = Exposures(names.sector, np.ones(len(names)), np.zeros((STYLES, len(names)))).loadings(volatilities)
        loadings[columns] = path.exposures(position).loadings(volatilities)
        specific = np.zeros(len(names))
        specific[columns] = (
            path.specific[position] + self.hazards.variances(path.rank[position]) * Frequency.DAILY.periods
        )
        return FactoredCovariance(loadings, specific)

    def growth_rates(self, position: int) -> Float[ndarray, " n"]:
        """Return the true annual growth rates, 252 times the expected log return over the next session; zero where no name is listed."""
        path = self.path
        volatilities = path.factor_volatilities[position]
        variances = path.exposures(position).variances(volatilities) + path.specific[position]
        rates = np.zeros(len(path.names))
        rates[path.occupant[position]] = growth_rates(self.growth, path.rank[position], variances)
        return rates

    def listed(self, position: int) -> Int[ndarray, " m"]:
        """Return the columns of the names listed at the close of the session at `position`, in ascending order."""
        return np.sort(self.path.occupant[position])

    def capitalisations(self, position: int) -> Float[ndarray, " n"]:
        """Return float capitalisations at the close of the session at `position`, in units of their mean at the first; zero where no name is listed."""
        values = np.zeros(len(self.path.names))
        values[self.path.occupant[position]] = np.exp(self.path.log_capital[position])
        return values
