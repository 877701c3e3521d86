"""The Moment: all that is known at one decision time."""

from __future__ import annotations

__all__ = ["Moment"]

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from gammastar.market.arrays import frozen_array
from gammastar.market.groups import SECTOR, Group, Named, no_such_group

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jaxtyping import Bool, Float, Int
    from numpy import ndarray

    from gammastar.core.covariance import FactoredCovariance
    from gammastar.market.assets import Assets
    from gammastar.market.calendar import Frequency


_BYTE = 255
"""Rows that a byte can count."""


@dataclass(frozen=True, eq=False)
class Moment:
    """What is known at the close of one session.

    Args:
        session: the date.
        assets: the n assets, in column order.
        frequency: of `returns`.
        returns: simple total returns up to and including this session, shape (t, n), complete.
        observed: which of them are data, shape (t, n).
        benchmark: index weights at this close, shape (n,).
        benchmark_history: index weights at every close so far, shape (t, n).
        published: at which closes so far index weights were published, shape (t,).
        sector_labels: group names.
        sector_codes: the group of each asset now, shape (n,).
        holdings: weights held before trading, shape (n,), cash being one minus their sum; None when not known.
        covariance: annual covariance of log returns, or None before it is estimated.
        second_covariance: a second estimate of the same, for a rule that looks at risk in two ways; or None.
        groups: the group of each asset now by further attributes (country, issuer ...); `group` reads them and the sector.
        price: as-traded closes now, shape (n,), or None where the data has no prices.
        value: money value of the portfolio, cash included; None when not known.
        traded: money value traded at every session so far, shape (t, n), 0 where not known; None where the data has no volumes.
        second_benchmark: weights of a second benchmark now, shape (n,), or None.
        flow: money paid in (positive) or out at this close, a fraction of the portfolio's value after it; the holdings know of it.
        traded_this_year: two-way turnover of the last twelve months before this trade.
        sector_history: the group of each asset at every close so far, shape (t, n); None where only that of now is known.
    """

    session: np.datetime64
    assets: Assets
    frequency: Frequency
    returns: Float[ndarray, "t n"]
    observed: Bool[ndarray, "t n"]
    benchmark: Float[ndarray, " n"]
    benchmark_history: Float[ndarray, "t n"]
    published: Bool[ndarray, " t"]
    sector_labels: tuple[str, ...]
    sector_codes: Int[ndarray, " n"]
    holdings: Float[ndarray, " n"] | None = None
    covariance: FactoredCovariance | None = None
    second_covariance: FactoredCovariance | None = None
    groups: Mapping[str, Group] = field(default_factory=Named)
    price: Float[ndarray, " n"] | None = None
    value: float | None = None
    traded: Float[ndarray, "t n"] | None = None
    second_benchmark: Float[ndarray, " n"] | None = None
    flow: float = 0.0
    traded_this_year: float = 0.0
    sector_history: Int[ndarray, "t n"] | None = None

    @property
    def members(self) -> Bool[ndarray, " n"]:
        """Which assets are in the benchmark at this close."""
        return np.asarray(self.benchmark > 0.0)

    @property
    def attributes(self) -> tuple[str, ...]:
        """Names of the group attributes; the first is ``"sector"``."""
        return (SECTOR, *self.groups)

    def group(self, attribute: str) -> Group:
        """Return labels and codes of one group attribute: the group of asset i is ``labels[codes[i]]``.

        Raises:
            ValueError: there is no such attribute; those there are, are told.
        """
        if attribute == SECTOR:
            return Group(self.sector_labels, self.sector_codes)
        return self.groups[attribute] if attribute in self.groups else no_such_group(attribute, self.groups)

    def average_traded(self, window: int) -> Float[ndarray, " n"]:
        """Return the mean money traded a session over the last `window` sessions (all, if there are fewer), shape (n,).

        Sessions without trading, or before a listing, count as 0: an asset's liquidity is rather too low than too high.

        Raises:
            ValueError: the data has no volumes, or `window` is below 1.
        """
        if self.traded is None:
            raise ValueError("the data has no money traded: give the dataset's returns a column traded_value, or volume and price")
        if window < 1:
            raise ValueError(f"window is {window}: the average needs at least 1 session")
        return np.asarray(self.traded[-window:].mean(axis=0))

    def with_risk(self, covariance: FactoredCovariance, second: FactoredCovariance | None = None) -> Moment:
        """Return this moment with an estimate of risk, and a `second` one or none."""
        return replace(self, covariance=covariance, second_covariance=second)

    def with_holdings(self, holdings: Float[ndarray, " n"], value: float | None = None) -> Moment:
        """Return this moment with the weights held now, and the portfolio's money `value`; without one, a value known before stays.

        Raises:
            ValueError: a value that is not above zero.
        """
        if value is not None and not 0.0 < value < np.inf:
            raise ValueError(f"the portfolio's value is {value}: it must be above zero and finite")
        return replace(self, holdings=frozen_array(holdings, np.float64), value=self.value if value is None else float(value))

    def with_flow(self, money: float) -> Moment:
        """Return this moment after `money` was paid in (positive) or out (negative): weights and value are those after it.

        A contribution is in cash until it is invested; after a withdrawal the holdings sum to more than one until it is raised.

        Raises:
            ValueError: holdings or the portfolio's value are not known, or nothing would be left.
        """
        if self.holdings is None:
            raise ValueError("a flow needs holdings: use moment.with_holdings(...) first")
        before = self.need_value("a flow")
        after = before + money
        if not after > 0.0:
            raise ValueError(f"a withdrawal of {-money:g} leaves nothing of {before:g}")
        return replace(self.with_holdings(self.holdings * (before / after), after), flow=money / after)

    def need_second_covariance(self, rule: str) -> FactoredCovariance:
        """Return the second covariance.

        Raises:
            ValueError: there is none; `rule` needs one.
        """
        if self.second_covariance is None:
            raise ValueError(f"{rule} needs a second risk model: add [second_risk] to the mandate, or use moment.with_risk(..., second=...)")
        return self.second_covariance

    def need_second_benchmark(self, rule: str) -> Float[ndarray, " n"]:
        """Return the weights of the second benchmark.

        Raises:
            ValueError: there is none; `rule` needs one.
        """
        if self.second_benchmark is None:
            raise ValueError(f"{rule} needs a second benchmark: add [second_benchmark] to the mandate")
        return self.second_benchmark

    def need_value(self, rule: str) -> float:
        """Return the money value of the portfolio.

        Raises:
            ValueError: it is not known; `rule` needs it.
        """
        if self.value is None:
            raise ValueError(f"{rule} needs the money value of the portfolio: use moment.with_holdings(..., value=...)")
        return self.value

    def need_price(self, rule: str) -> Float[ndarray, " n"]:
        """Return as-traded prices.

        Raises:
            ValueError: the data has none; `rule` needs them.
        """
        if self.price is None:
            raise ValueError(f"{rule} needs as-traded prices and splits, and this data has none: ingest a dataset with price and split columns")
        return self.price

    def need_covariance(self, rule: str) -> FactoredCovariance:
        """Return the covariance.

        Raises:
            ValueError: there is none; `rule` needs one.
        """
        if self.covariance is None:
            raise ValueError(f"{rule} needs a covariance: estimate risk first and use moment.with_risk(...)")
        return self.covariance

    def short_history(self, *, minimum: int, window: int) -> Bool[ndarray, " n"]:
        """Return which assets have fewer than `minimum` observed returns in the last `window` sessions."""
        return np.asarray(_counts(self.observed[-window:]) < minimum)

    def missing_run(self, *, longest: int) -> Int[ndarray, " n"]:
        """Return for how many sessions running each member has had no observed return, counted up to `longest`; 0 for other names."""
        run = np.zeros(len(self.benchmark), dtype=np.int64)
        gone = np.flatnonzero(self.members & ~self.observed[-1])
        backwards = self.observed[-longest:, gone][::-1]
        run[gone] = np.where(backwards.any(axis=0), backwards.argmax(axis=0), longest)
        return run


def _counts(observed: Bool[ndarray, "t n"]) -> Int[ndarray, " n"]:
    """Return how many rows are true in each column; bytes are added as bytes, as many as cannot overflow."""
    found = np.zeros(observed.shape[1], dtype=np.int64)
    for start in range(0, len(observed), _BYTE):
        found += np.add.reduce(observed[start : start + _BYTE].view(np.uint8), axis=0, dtype=np.uint8)
    return found
