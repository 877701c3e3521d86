"""A large-cap market whose truth is known: Pareto-like capitalisations, clustering volatility, entries, exits, an index on top."""

from __future__ import annotations

__all__ = ["LargeCapMarket", "SimulatedMarket"]

import datetime as dt
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from gammastar.market.assets import Assets
from gammastar.market.calendar import Calendar, Frequency
from gammastar.market.missing import fill_missing
from gammastar.market.panel import Panel, Sectors
from gammastar.simulate.attributes import group_attributes, money_traded
from gammastar.simulate.comparison import Comparison, comparison_dicts, comparison_frame, index_facts, market_lines
from gammastar.simulate.exits import Hazards
from gammastar.simulate.index_rule import IndexRule, published_snapshots
from gammastar.simulate.names import SECTORS
from gammastar.simulate.parameters import Firms, Growth, Shocks, require
from gammastar.simulate.path import Laws, Path, later_streams, session_of_quarter, simulate_path
from gammastar.simulate.quotes import quoted_prices
from gammastar.simulate.sessions import exchange_sessions
from gammastar.simulate.truth import Truth
from gammastar.simulate.truth_comparison import true_index_variances, truth_comparisons

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go
    from jaxtyping import Float
    from numpy import ndarray


@dataclass(frozen=True, eq=False)
class SimulatedMarket:
    """A market and the truth behind it.

    Args:
        panel: what a desk would see.
        truth: covariance and growth rates of each next session, in the panel's order of columns.
    """

    panel: Panel
    truth: Truth

    @cached_property
    def comparisons(self) -> tuple[Comparison, ...]:
        """The truth beside the path's own figures, each with the standard error that independent sessions would have."""
        return truth_comparisons(self.panel, self.truth)

    def to_dict(self) -> dict[str, object]:
        """Return dates, facts and comparisons as plain values; rates and weights are fractions."""
        return {
            "source": self.panel.source,
            "calendar": self.panel.calendar.name,
            "from": str(self.panel.sessions[0]),
            "to": str(self.panel.sessions[-1]),
            "sessions": len(self.panel),
            "assets": len(self.panel.assets),
            "fingerprint": self.panel.fingerprint,
            "index": index_facts(self.panel),
            "comparisons": comparison_dicts(self.comparisons),
        }

    def to_pandas(self) -> pd.DataFrame:
        """Return the comparisons: one row a quantity, with unit, truth, figure of the path, standard error and score; rates are fractions."""
        return comparison_frame(self.comparisons)

    def __str__(self) -> str:
        """Return the market and the comparisons as a table."""
        return "\n".join(market_lines(self.panel, self.comparisons, "truth"))

    def _repr_html_(self) -> str:
        """Return the market for a notebook."""
        import html

        return f"<pre>{html.escape(str(self))}</pre>"

    def plot(self) -> go.Figure:
        """Return the true volatility of the index over time, beside that of its returns over a quarter."""
        from gammastar.simulate.model_figures import volatility_figure

        return volatility_figure(self.panel, *true_index_variances(self.panel, self.truth))


@dataclass(frozen=True)
class LargeCapMarket:
    """A market of listed names and an index of the largest, daily; `docs/simulated-market.md` has its equations.

    Args:
        members: names in the index.
        listed: names listed at any time.
        start: first day; its first session is the panel's first.
        end: last day.
        exchange: code of the calendar.
        buffer: half-width of the index's review band, as a fraction of `members`.
        shocks: volatilities and how they cluster.
        growth: growth rates by rank.
        firms: exits, listings, shares, dividends, prices.

    Raises:
        ValueError: values out of range, with what is allowed and what to do.

    >>> model = LargeCapMarket(members=20, listed=30, start=dt.date(2019, 1, 2), end=dt.date(2019, 3, 29))
    >>> market = model.simulate(7)
    >>> len(market.panel), int((market.panel.benchmark[-1] > 0).sum()), len(market.truth.covariance(0)) == len(market.panel.assets)
    (61, 20, True)
    """

    members: int = 500
    listed: int = 700
    start: dt.date = dt.date(2006, 10, 31)
    end: dt.date = dt.date(2019, 12, 31)
    exchange: str = "XNYS"
    buffer: float = 0.19
    shocks: Shocks = field(default_factory=Shocks)
    growth: Growth = field(default_factory=Growth)
    firms: Firms = field(default_factory=Firms)

    def __post_init__(self) -> None:
        require(10, 20000, "The floor below the index needs room.", listed=self.listed)
        require(
            5,
            0.95 * self.listed,
            f"Some of the {self.listed} listed names must stay outside the index.",
            members=self.members,
        )
        if self.start >= self.end:
            raise ValueError(f"start {self.start} is not before end {self.end}. Choose a later `end`.")
        allowed = min(self.listed / self.members - 1.0, 0.5)
        require(0.0, allowed, "A member must be able to fall out of the band.", buffer=self.buffer)

    def simulate(self, seed: int | np.random.SeedSequence, *, prices: bool = True) -> SimulatedMarket:
        """Return the market that `seed` gives: the same seed, the same bytes; a later `end` only adds sessions and columns.

        Args:
            seed: a non-negative integer or a `SeedSequence`, which is left as it was.
            prices: give the panel as-traded prices and splits. They do not change the returns.

        Raises:
            ValueError: growth rates by rank that do not hold the market together, or no sessions between the dates.
        """
        sequence = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
        calendar = exchange_sessions(self.exchange, self.start, self.end)
        hazards = Hazards(self.firms, self.listed)
        path = simulate_path(Laws(self.shocks, self.growth, self.firms, hazards), calendar, sequence)
        source = f"simulated large-cap market, seed {sequence.entropy}"
        if sequence.spawn_key:
            source += f", spawn key {sequence.spawn_key}"
        panel, (groups, habits, days) = self._panel(path, calendar, source, prices=prices), later_streams(sequence, 3)
        known = panel.sectors.codes != len(SECTORS)
        told = replace(
            panel,
            groups=group_attributes(path, known, panel.assets.ids, groups),
            traded=money_traded(path, habits, days),
        )
        return SimulatedMarket(told, Truth(path, self.growth, hazards))

    def _panel(self, path: Path, calendar: Calendar, source: str, *, prices: bool) -> Panel:
        names, sectors, raw = path.names, _sectors(path), _by_column(path)
        rule = IndexRule(self.members, self.buffer)
        filled = fill_missing(
            raw, np.zeros(raw.shape, dtype=bool), sectors.codes, published_snapshots(path, calendar, rule)
        )
        quotes = None
        if prices:
            quotes = quoted_prices(filled.returns, filled.observed, session_of_quarter(calendar), names, self.firms)
        return Panel(
            calendar=calendar,
            assets=_assets(len(names)),
            frequency=Frequency.DAILY,
            returns=filled.returns,
            observed=filled.observed,
            benchmark=filled.benchmark,
            sectors=sectors,
            published=filled.published,
            source=source,
            prices=quotes,
        )


def _by_column(path: Path) -> Float[ndarray, "t n"]:
    """Return simple returns by column; NaN where no name was listed at the close before."""
    returns = np.full((len(path.occupant), len(path.names)), np.nan)
    returns[np.arange(1, len(returns))[:, None], path.occupant[:-1]] = np.expm1(path.log_return[1:])
    return returns


def _assets(count: int) -> Assets:
    """Return permanent ids in the order of listing, with short labels."""
    return Assets(
        ids=tuple(f"SIM{number:05d}" for number in range(1, count + 1)),
        tickers=tuple(_ticker(number) for number in range(count)),
        names=tuple(f"Simulated Company {number}" for number in range(1, count + 1)),
    )


def _ticker(number: int) -> str:
    """Return the label of a number: AAA, AAB, ..., with more letters when three do not suffice."""
    letters = ""
    while number or len(letters) < 3:
        number, letter = divmod(number, 26)
        letters = chr(ord("A") + letter) + letters
    return letters


def _sectors(path: Path) -> Sectors:
    """Return the sector of each name from its listing on; before that it is unknown."""
    sessions, columns = len(path.occupant), len(path.names)
    first = np.full(columns, sessions)
    changed = np.vstack([np.ones((1, path.occupant.shape[1]), dtype=bool), path.occupant[1:] != path.occupant[:-1]])
    rows, places = np.nonzero(changed)
    first[path.occupant[rows, places]] = rows
    known = np.arange(sessions)[:, None] >= first
    return Sectors((*SECTORS, "Unknown"), np.where(known, path.names.sector, len(SECTORS)).astype(np.int16))
