"""As-traded prices, splits and the dividends they imply."""

from __future__ import annotations

__all__ = ["quoted_prices"]

from typing import TYPE_CHECKING

import numpy as np

from gammastar.market.panel import Prices

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from numpy import ndarray

    from gammastar.simulate.names import Names
    from gammastar.simulate.parameters import Firms


def quoted_prices(
    returns: Float[ndarray, "t n"],
    observed: Bool[ndarray, "t n"],
    paying: Float[ndarray, " t"],
    names: Names,
    firms: Firms,
) -> Prices:
    """Return closes and splits with ``(close split + dividend) / previous close = 1 + return`` wherever the return is observed.

    Prices are not rounded to the cent, which would put a rounding error into every return. Without an observed return (not yet listed, gone)
    the price stands still.

    Args:
        returns: simple total returns.
        observed: which of them were earned in the market.
        paying: session of the quarter; a name pays a quarter of its annual yield, on its previous close, when this is its payday.
        names: the n names.
        firms: dividend yield and the price above which shares are split.
    """
    close, split = np.empty_like(returns), np.ones_like(returns)
    close[0] = names.first_price
    for t in range(1, len(returns)):
        before = close[t - 1]
        dividend = firms.dividend_yield / 4.0 * (names.payday == paying[t])
        split[t] = np.where(observed[t] & (before > firms.split_above), 2.0, 1.0)
        close[t] = np.where(observed[t], before * (1.0 + returns[t] - dividend) / split[t], before)
    return Prices(close, split)
