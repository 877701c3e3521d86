"""What a simulated large-cap market is made of: shocks, growth, and the life of firms. Every number has a unit and a default.

The defaults come from stylised facts of large United States stocks (index volatility about 16%, mean pairwise correlation about 0.3,
capital distribution of the S&P 500), never from the result of a strategy; `docs/simulated-market.md` shows what they give.
"""

from __future__ import annotations

__all__ = ["Clustering", "Firms", "Growth", "ParameterError", "Shocks", "require"]

import math
from dataclasses import dataclass


class ParameterError(ValueError):
    """A parameter out of range, in parts, so that a shell can name the option it came from.

    Args:
        name: of the parameter.
        value: that it had.
        allowed: what would do.
        advice: what to do.
    """

    def __init__(self, name: str, value: float, allowed: str, advice: str) -> None:
        self.name, self.value, self.allowed, self.advice = name, value, allowed, advice
        super().__init__(f"{name} is {value!r}; allowed: {allowed}. {advice}")


def require(low: float, high: float, advice: str, **values: float) -> None:
    """Check that each of `values` is a finite number in [low, high].

    Raises:
        ParameterError: a `ValueError` naming the parameter, what it was, what is allowed, and `advice`.
    """
    for name, value in values.items():
        if not (math.isfinite(value) and low <= value <= high):
            raise ParameterError(name, value, f"{low:g} to {high:g}", advice)


@dataclass(frozen=True)
class Clustering:
    """How a variance wanders: its logarithm is a stationary first-order autoregression, and its mean is one.

    Args:
        half_life: of a deviation of the log variance, in sessions.
        spread: standard deviation of the log variance; zero makes the variance constant.

    Raises:
        ValueError: a value out of range.
    """

    half_life: float
    spread: float

    def __post_init__(self) -> None:
        require(0.1, 1e5, "It is a number of sessions; 20 to 120 is usual.", half_life=self.half_life)
        require(0.0, 3.0, "It is the standard deviation of a log variance; 0.4 to 1.0 is usual.", spread=self.spread)

    @property
    def persistence(self) -> float:
        """Autoregression coefficient of the log variance, one session to the next."""
        return float(2.0 ** (-1.0 / self.half_life))


@dataclass(frozen=True)
class Shocks:
    """Shocks to log returns: market, sector, style and specific. Volatilities are annual fractions, root mean square over time.

    Args:
        market: volatility of the market shock.
        beta_spread: standard deviation across names of the exposure to it, around one.
        sector: volatility of each sector's shock.
        style: volatility of each of the three style shocks: size, volatility, value.
        specific_largest: specific volatility of the name of rank 1.
        specific_smallest: specific volatility of the last listed name; between them it is linear in the logarithm of the rank.
        specific_spread: standard deviation across names, at equal rank, of the log specific variance.
        news_probability: chance a session that a name has news; zero makes specific shocks Gaussian given their variance.
        news_multiple: standard deviation of a specific shock with news over one without; the variance overall is unchanged.
        leverage: correlation of the market shock with the next innovation of its own log variance.
        commonality: exponent with which sector, style and specific variances follow the market's.
        market_clustering: of the market variance.
        factor_clustering: of each sector and style variance, besides what they share with the market's.
        specific_clustering: of each specific variance, besides what it shares with the market's.

    Raises:
        ValueError: a value out of range.
    """

    market: float = 0.155
    beta_spread: float = 0.25
    sector: float = 0.07
    style: float = 0.025
    specific_largest: float = 0.12
    specific_smallest: float = 0.27
    specific_spread: float = 0.4
    news_probability: float = 0.016
    news_multiple: float = 4.0
    leverage: float = -0.5
    commonality: float = 0.5
    market_clustering: Clustering = Clustering(half_life=60.0, spread=0.8)
    factor_clustering: Clustering = Clustering(half_life=60.0, spread=0.4)
    specific_clustering: Clustering = Clustering(half_life=40.0, spread=0.5)

    def __post_init__(self) -> None:
        advice = "Volatilities are annual fractions: 0.16 is 16%."
        require(0.0, 2.0, advice, market=self.market, sector=self.sector, style=self.style)
        require(0.01, 2.0, advice, specific_largest=self.specific_largest, specific_smallest=self.specific_smallest)
        require(
            0.0,
            2.0,
            "It is a standard deviation across names.",
            beta_spread=self.beta_spread,
            specific_spread=self.specific_spread,
        )
        require(
            0.0, 0.5, "It is a chance a session: four days a year are 0.016.", news_probability=self.news_probability
        )
        require(1.0, 20.0, "It is a ratio of standard deviations.", news_multiple=self.news_multiple)
        require(-1.0, 1.0, "It is a correlation.", leverage=self.leverage)
        require(
            0.0, 2.0, "Zero: nothing shared; one: the others move as the market's does.", commonality=self.commonality
        )


@dataclass(frozen=True)
class Growth:
    """Growth rates: the annual drift of log total returns, rank by rank, as in an Atlas model with a smooth floor.

    Names of rank at most ``equal_share`` times the number listed all have the rate `rate`; the names below share the push
    that holds the market up, so that the mean over all ranks is ``rate + restoring``.

    Args:
        rate: growth rate of every name above the floor, a year.
        restoring: by how much that lies below the mean over all listed names, a year; it sets the slope of the capital distribution.
        equal_share: share of the listed names that lies above the floor.
        volatility_discount: 0 gives equal growth rates, where volatility capture earns its forecast; 1 gives equal expected
            simple returns, where it earns nothing. ``growth_i = ... - volatility_discount (sigma_ii - mean sigma_jj) / 2``.

    Raises:
        ValueError: a value out of range.
    """

    rate: float = 0.06
    restoring: float = 0.033
    equal_share: float = 0.85
    volatility_discount: float = 0.0

    def __post_init__(self) -> None:
        require(-0.5, 0.5, "It is an annual fraction: 0.06 is 6%.", rate=self.rate)
        require(0.001, 0.5, "Above zero, or the market concentrates in one name.", restoring=self.restoring)
        require(0.1, 0.98, "Some names must lie below the floor to hold the rest up.", equal_share=self.equal_share)
        require(
            -2.0,
            2.0,
            "Zero: equal growth rates; one: equal expected simple returns.",
            volatility_discount=self.volatility_discount,
        )


@dataclass(frozen=True)
class Firms:
    """The life of firms: exits, new listings, shares, dividends, prices.

    Args:
        takeover_rate: takeovers a name and year, on average over ranks; in proportion to the rank.
        takeover_premium: simple return added on the last day.
        delisting_rate: failures a name and year, on average over ranks; in proportion to the cube of the rank.
        delisting_loss: part of the value lost on the last day.
        dividend_yield: a year, paid in four parts, each name on its own day of the quarter.
        issuance: mean growth of the float shares at each quarter's end; negative when firms buy back.
        issuance_spread: standard deviation of it.
        first_price: median price at the first session or listing, in money.
        first_price_spread: standard deviation of its logarithm.
        split_above: a price above it is split two for one before the next session's close, in money.

    Raises:
        ValueError: a value out of range.
    """

    takeover_rate: float = 0.025
    takeover_premium: float = 0.25
    delisting_rate: float = 0.003
    delisting_loss: float = 0.75
    dividend_yield: float = 0.02
    issuance: float = -0.002
    issuance_spread: float = 0.008
    first_price: float = 50.0
    first_price_spread: float = 0.5
    split_above: float = 200.0

    def __post_init__(self) -> None:
        require(
            0.0,
            1.0,
            "It is a chance a name and year.",
            takeover_rate=self.takeover_rate,
            delisting_rate=self.delisting_rate,
        )
        require(0.0, 5.0, "It is a simple return: 0.25 is 25%.", takeover_premium=self.takeover_premium)
        require(0.0, 0.99, "It is a part of the value.", delisting_loss=self.delisting_loss)
        require(0.0, 0.2, "It is an annual fraction: 0.02 is 2%.", dividend_yield=self.dividend_yield)
        if self.dividend_yield > 2.0 * (1.0 - self.delisting_loss):
            raise ValueError(
                f"dividend_yield is {self.dividend_yield!r} where a failure leaves {1.0 - self.delisting_loss:g} of the value; "
                "allowed: up to twice that. A failing name could not pay its dividend; lower one of the two."
            )
        require(-0.1, 0.1, "It is a fraction of the shares, a quarter.", issuance=self.issuance)
        require(0.0, 0.1, "It is a fraction of the shares, a quarter.", issuance_spread=self.issuance_spread)
        require(0.01, 1e6, "It is a price in money.", first_price=self.first_price)
        require(0.0, 3.0, "It is a standard deviation of a logarithm.", first_price_spread=self.first_price_spread)
        require(2.0 * self.first_price, 1e9, "It must be at least twice first_price.", split_above=self.split_above)
