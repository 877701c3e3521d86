"""The path of a simulated market: one loop over sessions, vectorised over the places that listed names hold.

There are always `listed` places. When a name exits, a new listing takes its place at the same close; each listing becomes a column
of the panel in the order of listing. Every stream of random numbers is drawn session by session, so a longer market begins like a shorter one.
"""

from __future__ import annotations

__all__ = ["Laws", "Path", "later_streams", "session_of_quarter", "simulate_path"]

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gammastar.market.calendar import Calendar, Clock, Frequency
from gammastar.simulate.names import FACTORS, STYLES, Names, draw_names, exposures_of, growth_rates
from gammastar.simulate.variances import LogVariances, rank_variances

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int
    from numpy import ndarray

    from gammastar.simulate.exits import Hazards
    from gammastar.simulate.names import Exposures
    from gammastar.simulate.parameters import Firms, Growth, Shocks

TOP_HEAVY = 1.5


@dataclass(frozen=True, eq=False)
class Path:
    """A market's path, by session t and place m; what is said of t holds at its close.

    Args:
        names: the n names ever listed.
        occupant: column of the name in each place, after the close's exits and listings, shape (t, m).
        rank: its rank by float capitalisation, 1 the largest, shape (t, m).
        log_capital: logarithm of its float capitalisation, shape (t, m).
        log_return: log total return of the session, of the place's occupant at the close before, shape (t, m).
        specific: specific variance of the next session, exits apart, annual, shape (t, m).
        factor_volatilities: of the market, sector and style shocks of the next session, annual, shape (t, 15).
    """

    names: Names
    occupant: Int[ndarray, "t m"]
    rank: Int[ndarray, "t m"]
    log_capital: Float[ndarray, "t m"]
    log_return: Float[ndarray, "t m"]
    specific: Float[ndarray, "t m"]
    factor_volatilities: Float[ndarray, "t f"]

    def exposures(self, position: int) -> Exposures:
        """Return the exposures of each place's name over the session after the one at `position`."""
        return exposures_of(self.names.take(self.occupant[position]), self.rank[position])


@dataclass(frozen=True, eq=False)
class Laws:
    """The laws of a market, gathered for the loop.

    Args:
        shocks, growth, firms, hazards: see their classes.
    """

    shocks: Shocks
    growth: Growth
    firms: Firms
    hazards: Hazards

    @property
    def listed(self) -> int:
        """Number of listed names."""
        return self.hazards.listed


def _first_capitals(laws: Laws, rng: np.random.Generator) -> Float[ndarray, " m"]:
    """Return log capitalisations by rank from the stationary law of a first-order model: independent exponential gaps.

    Mean gaps ``s_k^2 / (-2 sum_{j<=k} g_j)`` with g the growth rates less their mean and ``s_k^2`` the mean variance against the market
    (Banner, Fernholz and Karatzas 2005); the mean capitalisation is one. Draws whose largest name is more than 1.5 times that of the mean
    gaps are drawn again: the law's few markets of one giant are not what the S&P 500 has been.

    Raises:
        ValueError: growth rates by rank that do not hold the market together.
    """
    shocks, listed = laws.shocks, laws.listed
    against = (
        rank_variances(shocks, listed)
        + shocks.sector**2
        + STYLES * shocks.style**2
        + (shocks.beta_spread * shocks.market) ** 2
    )
    equal = growth_rates(laws.growth, np.arange(1, listed + 1), against)
    local_time = -2.0 * np.cumsum(equal - equal.mean())[:-1]
    if local_time.min() <= 0.0:
        raise ValueError(
            f"growth rates by rank do not hold the market together: with volatility_discount {laws.growth.volatility_discount!r} and restoring "
            f"{laws.growth.restoring!r} the largest names outgrow the mean. Allowed: sums over the first ranks below the mean. Raise `restoring`."
        )
    mean_gaps = 0.5 * (against[1:] + against[:-1]) / local_time
    usual = np.exp(_from_gaps(mean_gaps)).max()
    logs = _from_gaps(mean_gaps * rng.standard_exponential(listed - 1))
    while np.exp(logs.max()) > TOP_HEAVY * usual:
        logs = _from_gaps(mean_gaps * rng.standard_exponential(listed - 1))
    return logs


def _from_gaps(gaps: Float[ndarray, " m-1"]) -> Float[ndarray, " m"]:
    """Return log capitalisations by rank, with mean capitalisation one."""
    logs = -np.concatenate(([0.0], np.cumsum(gaps)))
    return np.asarray(logs - np.log(np.exp(logs).mean()))


@dataclass(frozen=True, eq=False)
class _Streams:
    """Independent generators, one for each purpose."""

    factors: np.random.Generator
    specific: np.random.Generator
    news: np.random.Generator
    variances: np.random.Generator
    exits: np.random.Generator
    issuance: np.random.Generator
    listings: np.random.Generator
    entries: np.random.Generator

    @classmethod
    def spawned(cls, seed: np.random.SeedSequence) -> _Streams:
        """Return the children of `seed`, which is left as it was: `SeedSequence.spawn` would count them."""
        return cls(*(_stream(seed, child) for child in range(len(cls.__dataclass_fields__))))


def _stream(seed: np.random.SeedSequence, child: int) -> np.random.Generator:
    spawned = np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, child), pool_size=seed.pool_size)
    return np.random.Generator(np.random.PCG64(spawned))


def later_streams(seed: np.random.SeedSequence, count: int) -> tuple[np.random.Generator, ...]:
    """Return generators independent of those of the path, for what is drawn once it is there."""
    first = len(_Streams.__dataclass_fields__)
    return tuple(_stream(seed, first + child) for child in range(count))


def _ranks(log_capital: Float[ndarray, " m"]) -> Int[ndarray, " m"]:
    """Return the rank of each place by capitalisation, from 1, the largest."""
    rank = np.empty(len(log_capital), dtype=np.int16)
    rank[np.argsort(-log_capital, kind="stable")] = np.arange(1, len(log_capital) + 1)
    return rank


class _Walk:
    """The state of the loop: who holds each place, how large, and the variances of the next session."""

    def __init__(self, laws: Laws, streams: _Streams) -> None:
        self.laws, self.streams = laws, streams
        listed = laws.listed
        self.listings = [draw_names(streams.listings, listed, laws.shocks, laws.firms)]
        self.names = self.listings[0].take(np.arange(listed))
        self.occupant = np.arange(listed, dtype=np.int32)
        self.log_capital = _first_capitals(laws, streams.listings)[streams.listings.permutation(listed)]
        self.variances = LogVariances(laws.shocks, listed, streams.variances)
        self.base = rank_variances(laws.shocks, listed)
        self.look()

    def look(self) -> None:
        """Set what the next session's law depends on: ranks, exposures and volatilities."""
        spread = self.laws.shocks.specific_spread
        self.rank = _ranks(self.log_capital)
        self.exposures = exposures_of(self.names, self.rank)
        self.factor_volatilities = self.variances.factor_volatilities()
        own = spread * self.names.volatility - 0.5 * spread**2
        self.specific = self.base[self.rank - 1] * self.variances.specific_multiples(own)

    def earn(self) -> tuple[Float[ndarray, " m"], float, ndarray, ndarray]:
        """Return the session's log returns, the market's standardised shock, the places that exit, and which of those failed."""
        laws, streams, year = self.laws, self.streams, Frequency.DAILY.periods
        normal = streams.factors.standard_normal(FACTORS)
        common = self.exposures.shocks(normal * self.factor_volatilities)
        own = _news(streams, laws.shocks, laws.listed) * np.sqrt(self.specific)
        variances = self.exposures.variances(self.factor_volatilities) + self.specific
        drift = growth_rates(laws.growth, self.rank, variances) / year - laws.hazards.means(self.rank)
        log_return = drift + (common + own) / np.sqrt(year)
        places, failed = laws.hazards.strike(self.rank, streams.exits.random(laws.listed))
        premium, loss = laws.hazards.jumps
        log_return[places] += np.where(failed, loss, premium)
        return log_return, float(normal[0]), places, failed

    def advance(self, payday: int, *, quarter_end: bool) -> Float[ndarray, " m"]:
        """Live through one session, and return its log total returns by place."""
        log_return, market_shock, places, failed = self.earn()
        dividend = self.laws.firms.dividend_yield / 4.0 * (self.names.payday == payday)
        self.log_capital = self.log_capital + np.log(np.exp(log_return) - dividend)
        if quarter_end:
            firms = self.laws.firms
            issued = firms.issuance + firms.issuance_spread * np.clip(
                self.streams.issuance.standard_normal(len(log_return)), -4.0, 4.0
            )
            self.log_capital += np.log1p(issued)
        self.variances.move(market_shock, self.streams.variances)
        if len(places):
            self.relist(places, failed)
        self.look()
        return log_return

    def relist(self, places: Int[ndarray, " k"], failed: Bool[ndarray, " k"]) -> None:
        """Put new listings in the `places` of names that exit at this close."""
        by_rank = np.sort(self.log_capital)[::-1]
        known = sum(len(names) for names in self.listings)
        fresh = draw_names(self.streams.entries, len(places), self.laws.shocks, self.laws.firms)
        self.listings.append(fresh)
        self.occupant = self.occupant.copy()
        self.occupant[places] = np.arange(known, known + len(places))
        for field in Names.__dataclass_fields__:
            getattr(self.names, field)[places] = getattr(fresh, field)
        for place, failure in zip(places, failed, strict=True):
            self.log_capital[place] = self.laws.hazards.entry(
                by_rank, self.streams.entries.random(2), failed=bool(failure)
            )
        self.variances.relist(places, self.streams.entries)


def _news(streams: _Streams, shocks: Shocks, listed: int) -> Float[ndarray, " m"]:
    """Return specific shocks of unit variance: normal, with a larger standard deviation for the names that have news."""
    chance, multiple = shocks.news_probability, shocks.news_multiple
    quiet = 1.0 / np.sqrt(1.0 + chance * (multiple**2 - 1.0))
    with_news = streams.news.random(listed) < chance
    return np.asarray(streams.specific.standard_normal(listed) * quiet * np.where(with_news, multiple, 1.0))


def session_of_quarter(calendar: Calendar) -> Int[ndarray, " t"]:
    """Return the number of sessions of the calendar since the quarter's first, for each session."""
    quarter = calendar.sessions.astype("datetime64[M]").astype(np.int64) // 3
    first = np.searchsorted(quarter, quarter)
    return np.asarray(np.arange(len(calendar)) - first)


def simulate_path(laws: Laws, calendar: Calendar, seed: np.random.SeedSequence) -> Path:
    """Return the path of a market over the sessions of `calendar`.

    Raises:
        ValueError: growth rates by rank that do not hold the market together.
    """
    walk = _Walk(laws, _Streams.spawned(seed))
    shape = (len(calendar), laws.listed)
    occupant, rank = np.empty(shape, dtype=np.int32), np.empty(shape, dtype=np.int16)
    log_capital, log_return, specific = np.empty(shape), np.zeros(shape), np.empty(shape)
    volatilities = np.empty((len(calendar), FACTORS))
    payday, quarter_end = session_of_quarter(calendar), calendar.ticks(Clock.QUARTERLY)
    for t in range(len(calendar)):
        if t:
            log_return[t] = walk.advance(int(payday[t]), quarter_end=bool(quarter_end[t]))
        occupant[t], rank[t], log_capital[t] = walk.occupant, walk.rank, walk.log_capital
        specific[t], volatilities[t] = walk.specific, walk.factor_volatilities
    names = Names(
        *(np.concatenate([getattr(part, field) for part in walk.listings]) for field in Names.__dataclass_fields__)
    )
    return Path(names, occupant, rank, log_capital, log_return, specific, volatilities)
