"""The Panel: a market's returns and benchmark weights, session by session. Every source of data returns one."""

from __future__ import annotations

__all__ = ["Panel", "Prices", "Sectors"]

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from gammastar.market.arrays import blocks_of, frozen_array
from gammastar.market.groups import SECTOR, Group, Named, Sectors, checked_groups, no_such_group
from gammastar.market.moment import Moment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jaxtyping import Bool, Float
    from numpy import ndarray

    from gammastar.market.assets import Assets
    from gammastar.market.calendar import Calendar, Frequency
    from gammastar.market.past import Past


@dataclass(frozen=True, eq=False)
class Prices:
    """As-traded closing prices and splits: what whole shares need.

    Args:
        close: as traded, shape (t, n), positive.
        split: new shares for one old share, effective before the close of t; 1 when there is none.
    """

    close: Float[ndarray, "t n"]
    split: Float[ndarray, "t n"]

    def __post_init__(self) -> None:
        object.__setattr__(self, "close", frozen_array(self.close, np.float64))
        object.__setattr__(self, "split", frozen_array(self.split, np.float64))


@dataclass(frozen=True, eq=False)
class Panel:
    """A market, complete and read-only.

    Args:
        calendar: the t sessions.
        assets: the n assets.
        frequency: daily or monthly; the two are never mixed.
        returns: simple total returns, shape (t, n); ``returns[t]`` is earned from the close of t-1 to the close of t. Complete: a
            missing return was filled by `gammastar.market.missing` and is False in `observed`. The first row is zero.
        observed: which returns are data, shape (t, n). Only these may enter an estimate of risk.
        benchmark: index weights at the close of t, after that close's index changes, shape (t, n); each row sums to one.
        sectors: the group of each asset.
        published: sessions at whose close index weights were published, shape (t,). Between them weights drift with returns.
        source: where it came from, in words.
        prices: as-traded prices and splits, or None.
        index_level: the published total-return index at each session, shape (t,), or None. Shown, never used.
        groups: further group attributes by name: country, industry, issuer and others. ``"sector"`` is none of them: it is `sectors`.
        traded: money value traded in each asset at each session, shape (t, n), 0 where there was no trading or it is not known; or None.
        past: earlier views of the same panel, where something in it was corrected after its date; or None.

    Raises:
        ValueError: shapes that differ, a value that is not finite, a return of -100% or less, weights that are negative or do not sum to
            one, codes that are no positions in their labels, or money traded below zero.
    """

    calendar: Calendar
    assets: Assets
    frequency: Frequency
    returns: Float[ndarray, "t n"]
    observed: Bool[ndarray, "t n"]
    benchmark: Float[ndarray, "t n"]
    sectors: Sectors
    published: Bool[ndarray, " t"]
    source: str
    prices: Prices | None = None
    index_level: Float[ndarray, " t"] | None = None
    groups: Mapping[str, Sectors] = field(default_factory=Named)
    traded: Float[ndarray, "t n"] | None = None
    past: Past | None = None

    def __post_init__(self) -> None:
        for name, dtype in (("returns", np.float64), ("observed", np.bool_), ("benchmark", np.float64), ("published", np.bool_)):
            object.__setattr__(self, name, frozen_array(getattr(self, name), dtype))
        shape = (len(self.calendar), len(self.assets))
        if not self.returns.shape == self.observed.shape == self.benchmark.shape == self.sectors.codes.shape == shape:
            raise ValueError(f"returns, observed, benchmark and sectors must all have the shape {shape}")
        if self.published.shape != shape[:1]:
            raise ValueError(f"published must have the shape {shape[:1]}")
        if not self.published[0]:
            raise ValueError("index weights must be published at the first session")
        if not bool(np.all(np.isfinite(self.returns))) or not bool(np.all(self.returns > -1.0)):
            raise ValueError("returns must be finite and above -100%")
        if not bool(np.all(self.benchmark >= 0.0)) or not bool(np.all(np.abs(self.benchmark.sum(axis=1) - 1.0) <= 1e-9)):
            raise ValueError("benchmark weights must be non-negative and sum to one at each session")
        if self.index_level is not None:
            object.__setattr__(self, "index_level", frozen_array(self.index_level, np.float64))
        if self.prices is not None and not self.prices.close.shape == self.prices.split.shape == shape:
            raise ValueError(f"prices and splits must have the shape {shape}")
        object.__setattr__(self, "groups", checked_groups(self.groups, shape))
        if self.traded is not None:
            object.__setattr__(self, "traded", _checked_traded(self.traded, shape))

    def __len__(self) -> int:
        return len(self.calendar)

    @property
    def sessions(self) -> ndarray:
        """The dates, ``datetime64[D]``, shape (t,)."""
        return self.calendar.sessions

    @property
    def attributes(self) -> tuple[str, ...]:
        """Names of the group attributes; the first is ``"sector"``."""
        return (SECTOR, *self.groups)

    def group(self, attribute: str) -> Sectors:
        """Return the groups of one attribute at each session.

        Raises:
            ValueError: there is no such attribute; those there are, are told.
        """
        if attribute == SECTOR:
            return self.sectors
        return self.groups[attribute] if attribute in self.groups else no_such_group(attribute, self.groups)

    @cached_property
    def benchmark_returns(self) -> Float[ndarray, " t"]:
        """Simple returns of the benchmark, ``sum_i benchmark[t-1, i] returns[t, i]``; the first is zero."""
        earned = np.einsum("tn,tn->t", self.benchmark[:-1], self.returns[1:])
        return frozen_array(np.concatenate(([0.0], earned)), np.float64)

    @cached_property
    def growth(self) -> Float[ndarray, "t n"]:
        """What one unit of money in each asset has grown to since before the first session, its income reinvested."""
        grown = 1.0 + self.returns
        return frozen_array(np.cumprod(grown, axis=0, out=grown), np.float64)

    @cached_property
    def imputed_weight(self) -> Float[ndarray, " t"]:
        """Benchmark weight whose return at t is not data but imputed; the first is zero."""
        missing = np.einsum("tn,tn->t", self.benchmark[:-1], ~self.observed[1:])
        return frozen_array(np.concatenate(([0.0], missing)), np.float64)

    @cached_property
    def index_change(self) -> Float[ndarray, " t"]:
        """One-way index change at the close of t: half the absolute difference of the weights from their return-drifted values."""
        change = np.zeros(len(self))
        for rows in blocks_of(len(self) - 1):
            grown = self.benchmark[:-1][rows] * (1.0 + self.returns[1:][rows])
            grown /= grown.sum(axis=1, keepdims=True)
            change[1:][rows] = 0.5 * np.abs(self.benchmark[1:][rows] - grown).sum(axis=1)
        return frozen_array(change, np.float64)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the contents, the same for the same market whatever file it came from."""
        digest = hashlib.sha256()
        digest.update(repr((self.assets.ids, self.frequency.name, self.calendar.name, str(self.calendar.following), self.sectors.labels)).encode())
        for array in (self.sessions, self.returns, self.observed, self.benchmark, self.sectors.codes, self.published):
            digest.update(_bytes(array))
        if self.prices is not None:
            digest.update(_bytes(self.prices.close))
            digest.update(_bytes(self.prices.split))
        for name, group in sorted(self.groups.items()):
            digest.update(repr(("group", name, group.labels)).encode())
            digest.update(_bytes(group.codes))
        if self.traded is not None:
            digest.update(b"traded")
            digest.update(_bytes(self.traded))
        if self.past is not None:
            digest.update(repr(("past", self.past.revised.tolist(), self.past.fingerprint)).encode())
        return digest.hexdigest()

    def as_known(self, position: int) -> Panel:
        """Return the panel as known at the close of the session at `position`: itself, unless something was corrected later."""
        if self.past is None or not bool((self.past.revised > position).any()):
            return self
        return self.past.panel(position)

    def moment(self, position: int) -> Moment:
        """Return all that is known at the close of the session at `position`, and nothing later: corrections that came after it are undone."""
        told = self.as_known(position)
        if told is not self:
            return told.moment(position)
        until = position + 1
        return Moment(
            session=self.sessions[position],
            assets=self.assets,
            frequency=self.frequency,
            returns=self.returns[:until],
            observed=self.observed[:until],
            benchmark=self.benchmark[position],
            benchmark_history=self.benchmark[:until],
            published=self.published[:until],
            sector_labels=self.sectors.labels,
            sector_codes=self.sectors.codes[position],
            sector_history=self.sectors.codes[:until],
            groups=Named({name: Group(group.labels, group.codes[position]) for name, group in self.groups.items()}),
            price=None if self.prices is None else self.prices.close[position],
            traded=None if self.traded is None else self.traded[:until],
        )

    def first(self, count: int) -> Panel:
        """Return the panel of the first `count` sessions."""
        prices = None if self.prices is None else Prices(self.prices.close[:count], self.prices.split[:count])
        return replace(
            self,
            calendar=self.calendar.first(count),
            returns=self.returns[:count],
            observed=self.observed[:count],
            benchmark=self.benchmark[:count],
            sectors=self.sectors.first(count),
            published=self.published[:count],
            prices=prices,
            index_level=None if self.index_level is None else self.index_level[:count],
            groups={name: group.first(count) for name, group in self.groups.items()},
            traded=None if self.traded is None else self.traded[:count],
        )


def _bytes(array: ndarray) -> memoryview:
    """Return the memory of an array, by rows; it is copied only where it does not lie so."""
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def _checked_traded(traded: Float[ndarray, "t n"], shape: tuple[int, int]) -> ndarray:
    """Return money traded, read-only.

    Raises:
        ValueError: another shape, or a value that is not finite or below zero.
    """
    frozen = frozen_array(traded, np.float64)
    if frozen.shape != shape:
        raise ValueError(f"traded must have the shape {shape}, not {frozen.shape}")
    if not bool(np.all(np.isfinite(frozen))) or not bool(np.all(frozen >= 0.0)):
        raise ValueError("money traded must be finite and not negative: 0 where there was no trading or it is not known")
    return frozen
