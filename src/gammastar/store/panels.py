"""From a store's rows to a Panel: daily returns, or the periodic returns between snapshots."""

from __future__ import annotations

__all__ = ["Built", "Frame", "Labels", "build_daily", "build_monthly", "carry_prices"]

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from gammastar.errors import DataError, StaleDataError
from gammastar.market.assets import Assets
from gammastar.market.calendar import Calendar, Frequency
from gammastar.market.groups import ISSUER, UNKNOWN, code_type, own_issuers
from gammastar.market.missing import Filling, Snapshots, fill_missing
from gammastar.market.panel import Panel, Prices, Sectors
from gammastar.store.contents import asset_order
from gammastar.store.facts import Facts, read_facts

if TYPE_CHECKING:
    from numpy import ndarray

    from gammastar.store.queries import Queries

_SUMS_TO_ONE = 1e-12
_NEVER = 2**31 - 1
_NEAR = 6  # days from a date of the index back to its session


@dataclass(frozen=True)
class Labels:
    """What a store says of itself, besides its rows.

    Args:
        calendar: the exchange's code.
        source: what the data is, in words.
        sectors: group names in the order declared, without ``"Unknown"``; others that rows tell follow by alphabet.
        groups: likewise of each other group attribute it has.
    """

    calendar: str
    source: str
    sectors: tuple[str, ...]
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Frame:
    """The columns and labels of a panel, and how long it is: an earlier view of the same panel is laid into the same frame.

    Args:
        assets: the columns.
        sectors: group names, without ``"Unknown"``.
        groups: likewise of each other group attribute.
        end: one more than the position of the last session, on the sessions of the store.
    """

    assets: Assets
    sectors: tuple[str, ...]
    groups: dict[str, tuple[str, ...]]
    end: int | None = None


@dataclass(frozen=True, eq=False)
class Built:
    """A panel, what was filled to make it whole, and the frame it is laid into."""

    panel: Panel
    filling: Filling
    frame: Frame


@dataclass(frozen=True, eq=False)
class _Members:
    """Published snapshots by position, and the groups of names.

    Args:
        at, effective: as in `Snapshots`, on the sessions of the store.
        weights, forward: shape (k, n).
        sectors: the group of each name as known at each session of the store, shape (t, n).
        groups: the same by other attributes.
        prices: positions of dates of members that were known at their own close, and the prices told there, shape (m, n).
    """

    at: ndarray
    effective: ndarray
    weights: ndarray
    forward: ndarray
    sectors: ndarray
    groups: dict[str, Sectors]
    prices: tuple[ndarray, ndarray]

    def until(self, end: int) -> Snapshots:
        """Return the snapshots of the first `end` sessions."""
        within = self.at < end
        return Snapshots(self.at[within], self.effective[within], self.weights[within], self.forward[within])

    def with_returns(self) -> _Members:
        """Return the snapshots up to the last that a known return leads to."""
        led = np.flatnonzero(np.isfinite(self.forward[:-1]).any(axis=1))
        end = int(led[-1]) + 2 if len(led) else 0
        return replace(self, at=self.at[:end], effective=self.effective[:end], weights=self.weights[:end], forward=self.forward[:end])

    def groups_at(self, sessions: slice | ndarray) -> dict[str, Sectors]:
        """Return the further groups at `sessions` of the store."""
        return {name: group.at(sessions) for name, group in self.groups.items()}


def build_daily(queries: Queries, labels: Labels, frame: Frame | None = None) -> Built:
    """Return the daily panel: the exchange's sessions from the first known snapshot to the last daily return.

    Args:
        queries: to the view of a store.
        labels: of the store.
        frame: to lay the panel into; default the frame of what the view knows.

    Raises:
        DataError: rows that cannot be read.
        StaleDataError: nothing was known by then.
    """
    days = queries.view.days
    frame = frame or _frame(queries, labels)
    facts = read_facts(queries.view, frame.assets.ids, end=frame.end)
    if facts.end < 1:
        raise _nothing_known(queries, "daily return")
    frame, end = replace(frame, end=facts.end), facts.end
    members = _members(queries, frame, len(days))
    facts.raw[0] = np.nan
    snapshots = members.until(end)
    start = int(snapshots.effective.min())
    if start >= end - 1:
        what = "no snapshot was known before the last daily return"
        raise DataError(str(queries.view.folder), what, advice="correct the column `known`, or ask for a later time")
    filled = fill_missing(facts.raw, facts.estimated, members.sectors[:end], snapshots)
    known = slice(start, end)
    returns, observed, published = filled.returns[known], filled.observed[known], filled.published[known]
    if start:
        returns, observed, published = returns.copy(), observed.copy(), published.copy()
        returns[0], observed[0], published[0] = 0.0, False, True
    panel = Panel(
        calendar=Calendar(days[known], days[end], labels.calendar),
        assets=frame.assets,
        frequency=Frequency.DAILY,
        returns=returns,
        observed=observed,
        benchmark=filled.benchmark[known],
        sectors=_labelled(frame, members.sectors[known]),
        published=published,
        source=labels.source,
        prices=_prices(facts, members, known, observed, filled.benchmark[known]),
        index_level=_index(queries, known),
        groups=members.groups_at(known),
        traded=None if facts.traded_value is None else facts.traded_value[known],
    )
    return Built(panel, filled.filling, frame)


def build_monthly(queries: Queries, labels: Labels, frame: Frame | None = None) -> Built:
    """Return the panel of the snapshots: the return at each is the `forward_return` of the snapshot before.

    It ends at the last snapshot that any `forward_return` leads to.

    Args:
        queries: to the view of a store.
        labels: of the store.
        frame: to lay the panel into; default the frame of what the view knows.

    Raises:
        DataError: rows that cannot be read, or a snapshot that was not known at its own close.
        StaleDataError: nothing was known by then.
    """
    days = queries.view.days
    frame = frame or _frame(queries, labels)
    members = _members(queries, frame, len(days)).with_returns()
    if len(members.at) < 2:
        raise _nothing_known(queries, "forward_return")
    late = np.flatnonzero(members.effective > members.at)
    if len(late):
        raise DataError(
            str(queries.view.folder),
            f"the weights of {days[members.at[late[0]]]} were known later, and the monthly panel decides at their close",
            advice='use the daily panel: store.panel("daily")',
        )
    raw = np.vstack((np.full((1, len(frame.assets)), np.nan), members.forward[:-1]))
    at = np.arange(len(members.at))
    snapshots = Snapshots(at, at, members.weights, np.full_like(members.forward, np.nan))
    sectors = members.sectors[members.at]
    filled = fill_missing(raw, np.zeros(raw.shape, dtype=bool), sectors, snapshots)
    panel = Panel(
        calendar=Calendar(days[members.at], days[members.at[-1] + 1], labels.calendar),
        assets=frame.assets,
        frequency=Frequency.MONTHLY,
        returns=filled.returns,
        observed=filled.observed,
        benchmark=filled.benchmark,
        sectors=_labelled(frame, sectors),
        published=filled.published,
        source=labels.source,
        index_level=_index(queries, members.at),
        groups=members.groups_at(members.at),
    )
    return Built(panel, filled.filling, frame)


def _nothing_known(queries: Queries, what: str) -> StaleDataError:
    return StaleDataError(str(queries.view.folder), f"no {what} was known on {queries.view.until}", advice="ask for a later time, or ingest older data")


def _frame(queries: Queries, labels: Labels) -> Frame:
    """Return the columns and labels of what a view knows."""
    if not queries.view.files.get("members"):
        raise _nothing_known(queries, "snapshot")
    rows = queries.ask("assets")
    told = {str(asset): (ticker, name) for asset, ticker, name in zip(*(rows[name].tolist() for name in ("asset_id", "ticker", "name")), strict=True)}
    ids = asset_order(set(told))
    tickers = tuple(told[asset][0] or asset for asset in ids)
    names = tuple(told[asset][1] or ticker for asset, ticker in zip(ids, tickers, strict=True))
    found: dict[str, set[str]] = {}
    if queries.view.files.get("groups"):
        answer = queries.ask("attributes")
        for attribute, label in zip(answer["attribute"].tolist(), answer["label"].tolist(), strict=True):
            found.setdefault(attribute, set()).update(() if label is None else (label,))
    groups = {name: _ordered(labels.groups.get(name, ()), found.get(name, set())) for name in (*labels.groups, *sorted(set(found) - set(labels.groups)))}
    sectors = _ordered(labels.sectors, set(queries.ask("labels")["label"].tolist()))
    return Frame(Assets(ids, tickers, names), sectors, groups)


def _ordered(declared: tuple[str, ...], told: set[str]) -> tuple[str, ...]:
    """Return labels as declared, then the others by alphabet."""
    return tuple(dict.fromkeys((*declared, *sorted(told))))


def _members(queries: Queries, frame: Frame, sessions: int) -> _Members:
    """Return the snapshots that a view knows."""
    days, ids = queries.view.days, list(frame.assets.ids)
    rows = queries.ask("members", labels=list(frame.sectors), ids=ids)
    dates, first, of = np.unique(rows["date"].astype("datetime64[D]"), return_index=True, return_inverse=True)
    if not len(dates):
        raise _nothing_known(queries, "snapshot")
    at, effective = np.searchsorted(days, dates), np.searchsorted(days, rows["first"][first].astype("datetime64[D]"))
    effective = np.where(effective < len(days), effective, _NEVER)
    shape, where = (len(at), len(ids)), (of, rows["asset"])
    weights, forward, price = np.zeros(shape), np.full(shape, np.nan), np.full(shape, np.nan)
    weights[where], forward[where], price[where] = rows["weight"], rows["forward_return"], rows["price"]
    sums = weights.sum(axis=1, keepdims=True)
    snapshot = sums[:, 0] > 0.0  # dates with weights of zero only tell groups and labels
    codes = np.full(shape, -1, dtype=np.int16)
    codes[where] = np.where(rows["sector"] < 0, len(frame.sectors), rows["sector"])
    weights, forward, sums = weights[snapshot], forward[snapshot], sums[snapshot]
    return _Members(
        at[snapshot],
        effective[snapshot],
        np.where(np.abs(sums - 1.0) > _SUMS_TO_ONE, weights / sums, weights),
        forward,
        _sectors(codes, effective, sessions, len(frame.sectors)),
        {
            name: _told_group(queries.ask("groups", attribute=name, labels=list(listed), ids=ids), (dates, effective, sessions), _labels(name, listed, frame.assets.ids))
            for name, listed in frame.groups.items()
            if queries.view.files.get("groups")
        },
        (at[effective == at], price[effective == at]),
    )


def _labels(attribute: str, listed: tuple[str, ...], ids: tuple[str, ...]) -> tuple[tuple[str, ...], ndarray]:
    """Return the labels of an attribute, and which of them each name has before any is told: unknown, or itself as its own issuer."""
    own = own_issuers(ids) if attribute == ISSUER else (UNKNOWN,) * len(ids)
    names = tuple(dict.fromkeys((*listed, *own))) or (UNKNOWN,)
    position = {label: code for code, label in enumerate(names)}
    return names, np.array([position[label] for label in own], dtype=code_type(len(names)))


def _told_group(rows: dict[str, ndarray], when: tuple[ndarray, ndarray, int], labels: tuple[tuple[str, ...], ndarray]) -> Sectors:
    """Return the groups of one attribute known at each session of the store.

    Args:
        rows: date, asset and code of each row of members; -1 where it tells none.
        when: dates of members, when each was known, and how many sessions the store has.
        labels: as `_labels` gives them.
    """
    (dates, effective, sessions), (names, untold) = when, labels
    told = np.full((len(dates), len(untold)), -1, dtype=untold.dtype)
    told[np.searchsorted(dates, rows["date"].astype("datetime64[D]")), rows["asset"]] = np.where(rows["code"] < 0, untold[rows["asset"]], rows["code"])
    return Sectors(names, _sectors(told, effective, sessions, untold))


def _sectors(told: ndarray, effective: ndarray, sessions: int, unknown: int | ndarray) -> ndarray:
    """Return the group known at each session: the last one told, which a name that left keeps; `told` is -1 where nothing is."""
    states = [np.full(told.shape[1], unknown, dtype=told.dtype)]
    in_force = np.zeros(sessions, dtype=np.int64)
    for k, start in enumerate(effective):
        if not bool(np.any(effective[k + 1 :] < start)):  # else a newer one was known before this one
            states.append(np.where(told[k] >= 0, told[k], states[-1]))
            in_force[start:] = len(states) - 1
    return np.stack(states)[in_force]


def _labelled(frame: Frame, codes: ndarray) -> Sectors:
    return Sectors((*frame.sectors, UNKNOWN), codes)


def _index(queries: Queries, sessions: slice | ndarray) -> ndarray | None:
    """Return the published index at `sessions`, NaN where it is not known, or None if it is known at none of them.

    A date that is no session (a month end may be a Sunday) stands at the session before it, if that is at most six days earlier.
    """
    if not queries.view.files.get("index"):
        return None
    rows, days = queries.ask("index"), queries.view.days
    dates = rows["date"].astype("datetime64[D]")
    at = np.searchsorted(days, dates, side="right") - 1
    near = (at >= 0) & ((dates - days[at]).astype(np.int64) <= _NEAR)
    level = np.full(len(days), np.nan)
    level[at[near]] = rows["level"][near]  # by date: the last one of a session stands
    chosen: ndarray = level[sessions]
    return chosen if bool(np.isfinite(chosen).any()) else None


def _prices(facts: Facts, members: _Members, known: slice, observed: ndarray, benchmark: ndarray) -> Prices | None:
    """Return as-traded prices, the last one carried over sessions without one, or None where they are not complete.

    They are complete if every observed return has a price beside it, and every name in the benchmark has had one. A name that has had
    none yet, and so cannot be held, shows the price 1. At a snapshot its price stands in for a missing one.
    """
    at, published = members.prices
    if facts.price is None and not np.isfinite(published).any():
        return None
    close = np.full(facts.raw.shape, np.nan) if facts.price is None else facts.price
    within = at < len(close)
    close[at[within]] = np.where(np.isnan(close[at[within]]), published[within], close[at[within]])
    if bool((observed & np.isnan(close[known])).any()):
        return None
    priced = np.maximum.accumulate(np.isfinite(close), axis=0)[known]
    if bool((~priced & (benchmark > 0.0)).any()):
        return None
    split = np.ones(close.shape) if facts.split is None else facts.split
    return Prices(carry_prices(close)[known], split[known])


def carry_prices(close: ndarray) -> ndarray:
    """Return prices with the last one carried over sessions without one (NaN), and 1 before the first, shape (t, n)."""
    last = np.maximum.accumulate(np.where(np.isfinite(close), np.arange(len(close))[:, None], 0), axis=0)
    carried = np.take_along_axis(close, last, axis=0)
    return np.where(np.isnan(carried), 1.0, carried)
