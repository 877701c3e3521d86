"""Names: what stays with them, what they are exposed to, and how fast they grow."""

from __future__ import annotations

__all__ = ["FACTORS", "SECTORS", "STYLES", "Exposures", "Names", "draw_names", "exposures_of", "growth_rates"]

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from numpy import ndarray

    from gammastar.simulate.parameters import Firms, Growth, Shocks

SECTORS = (
    "Communication Services",
    "Consumer Discretionary",
    "Consumer Staples",
    "Energy",
    "Financials",
    "Health Care",
    "Industrials",
    "Information Technology",
    "Materials",
    "Real Estate",
    "Utilities",
)
STYLES = 3
FACTORS = 1 + len(SECTORS) + STYLES
_PAYDAYS = 55  # every quarter has more sessions than this


@dataclass(frozen=True, eq=False)
class Names:
    """What stays with a name from its listing on, shape (n,) each, in the order of listing.

    Args:
        sector: position in `SECTORS`.
        beta: exposure to the market shock.
        volatility: standard score of the log specific variance at equal rank; exposure to the volatility style.
        value: exposure to the value style.
        payday: session of the quarter on which the dividend is paid.
        first_price: price at the first session or listing, in money.
    """

    sector: Int[ndarray, " n"]
    beta: Float[ndarray, " n"]
    volatility: Float[ndarray, " n"]
    value: Float[ndarray, " n"]
    payday: Int[ndarray, " n"]
    first_price: Float[ndarray, " n"]

    def __len__(self) -> int:
        return len(self.sector)

    def take(self, columns: Int[ndarray, " m"]) -> Names:
        """Return the names at `columns`."""
        return Names(*(getattr(self, field)[columns] for field in self.__dataclass_fields__))


@dataclass(frozen=True, eq=False)
class Exposures:
    """Exposures of m names to the market, to their own sector and to the three styles.

    Args:
        sector: position in `SECTORS`, shape (m,).
        market: exposure to the market shock, shape (m,).
        styles: exposures to size, volatility and value, shape (3, m).
    """

    sector: Int[ndarray, " m"]
    market: Float[ndarray, " m"]
    styles: Float[ndarray, "3 m"]

    def shocks(self, factors: Float[ndarray, " f"]) -> Float[ndarray, " m"]:
        """Return the factor part of each name's shock; `factors` are those of the market, the sectors and the styles, in this order.

        Written out name by name, without a matrix product, whose rounding may depend on the machine.
        """
        size, volatility, value = factors[1 + len(SECTORS) :]
        styles = self.styles
        return np.asarray(
            self.market * factors[0]
            + factors[1:][self.sector]
            + styles[0] * size
            + styles[1] * volatility
            + styles[2] * value
        )

    def loadings(self, volatilities: Float[ndarray, " f"]) -> Float[ndarray, "m f"]:
        """Return the factor loadings B, annual, given the factors' volatilities: ``B B'`` is the factor part of the covariance."""
        count = len(self.sector)
        sectors = np.zeros((count, len(SECTORS)))
        sectors[np.arange(count), self.sector] = 1.0
        return np.asarray(np.column_stack([self.market, sectors, self.styles.T]) * volatilities)

    def variances(self, volatilities: Float[ndarray, " f"]) -> Float[ndarray, " m"]:
        """Return the factor part of each name's variance, a year: the squared norms of the rows of `loadings`."""
        squared = volatilities**2
        styles = squared[1 + len(SECTORS) :]
        return np.asarray(
            self.market**2 * squared[0] + squared[1:][self.sector] + (self.styles**2 * styles[:, None]).sum(axis=0)
        )


def exposures_of(names: Names, rank: Int[ndarray, " m"]) -> Exposures:
    """Return exposures; that to size is the uniform standard score of the rank, largest names highest."""
    size = np.sqrt(12.0) * (0.5 - (rank - 0.5) / len(rank))
    return Exposures(names.sector, names.beta, np.stack([size, names.volatility, names.value]))


def growth_rates(growth: Growth, rank: Int[ndarray, " m"], variances: Float[ndarray, " m"]) -> Float[ndarray, " m"]:
    """Return the growth rate of each listed name, a year, by its rank (1 is the largest) and its total variance.

    ``rate + restoring m / (m - floor) [rank > floor] - volatility_discount (sigma_ii - mean sigma_jj) / 2``.
    """
    listed = len(rank)
    floor = round(growth.equal_share * listed)
    rates = growth.rate + np.where(rank > floor, growth.restoring * listed / (listed - floor), 0.0)
    if growth.volatility_discount:
        rates = rates - 0.5 * growth.volatility_discount * (variances - variances.mean())
    return np.asarray(rates)


def draw_names(rng: np.random.Generator, count: int, shocks: Shocks, firms: Firms) -> Names:
    """Return `count` new names; each takes the same amount of random numbers."""
    scores = rng.standard_normal((count, 4))
    uniform = rng.random((count, 2))
    return Names(
        sector=(uniform[:, 0] * len(SECTORS)).astype(np.int16),
        beta=1.0 + shocks.beta_spread * np.clip(scores[:, 0], -2.5, 2.5),
        volatility=scores[:, 1],
        value=scores[:, 2],
        payday=(uniform[:, 1] * _PAYDAYS).astype(np.int16),
        first_price=np.minimum(firms.first_price * np.exp(firms.first_price_spread * scores[:, 3]), firms.split_above),
    )
