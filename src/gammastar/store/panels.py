"""From a store's rows to a Panel: daily returns, or the periodic returns between snapshots."""

from __future__ import annotations

__all__ = ["Built", "Labels", "build_daily", "build_monthly", "carry_prices"]

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from gammastar.errors import DataError
from gammastar.market.assets import Assets
from gammastar.market.calendar import Calendar, Frequency
from gammastar.market.groups import ISSUER, UNKNOWN, code_type, own_issuers
from gammastar.market.missing import Filling, Snapshots, fill_missing
from gammastar.market.panel import Panel, Prices, Sectors

if TYPE_CHECKING:
    from numpy import ndarray

    from gammastar.store.queries import Queries

_SUMS_TO_ONE = 1e-12


@dataclass(frozen=True)
class Labels:
    """What a store says of itself, besides its rows.

    Args:
        calendar: the exchange's code.
        source: what the data is, in words.
        sectors: group names in order, without ``"Unknown"``.
        groups: likewise of each other group attribute it has.
        traded: whether it has money traded.
    """

    calendar: str
    source: str
    sectors: tuple[str, ...]
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)
    traded: bool = False


@dataclass(frozen=True, eq=False)
class Built:
    """A panel, and what was filled to make it whole."""

    panel: Panel
    filling: Filling


@dataclass(frozen=True, eq=False)
class _Members:
    """Published snapshots by position, and the groups of names.

    Args:
        at, effective: as in `Snapshots`, on the sessions of the store.
        weights, forward: shape (k, n).
        sectors: the group of each name as known at each session of the store, shape (t, n).
        groups: the same by other attributes.
    """

    at: ndarray
    effective: ndarray
    weights: ndarray
    forward: ndarray
    sectors: ndarray
    groups: dict[str, Sectors]

    def until(self, end: int) -> Snapshots:
        """Return the snapshots of the first `end` sessions."""
        within = self.at < end
        return Snapshots(self.at[within], self.effective[within], self.weights[within], self.forward[within])

    def groups_at(self, sessions: slice | ndarray) -> dict[str, Sectors]:
        """Return the further groups at `sessions` of the store."""
        return {name: group.at(sessions) for name, group in self.groups.items()}


def build_daily(queries: Queries, labels: Labels) -> Built:
    """Return the daily panel: the exchange's sessions from the first known snapshot to the last daily return.

    Raises:
        DataError: rows that cannot be read.
    """
    assets, days = _assets(queries), queries.ask("sessions")["session"].astype("datetime64[D]")
    members = _members(queries, labels, len(days), assets.ids)
    end = int(queries.ask("span")["last"][0]) + 1
    rows = queries.ask("returns")
    raw = np.full((end, len(assets)), np.nan)
    estimated = np.zeros(raw.shape, dtype=bool)
    raw[rows["session"], rows["asset"]] = rows["total_return"]
    estimated[rows["session"], rows["asset"]] = rows["estimated"]
    raw[0] = np.nan
    snapshots = members.until(end)
    start = int(snapshots.effective.min())
    if start >= end - 1:
        raise DataError(
            str(queries.folder),
            "no snapshot was known before the last daily return",
            advice="correct the column `known`",
        )
    filled = fill_missing(raw, estimated, members.sectors[:end], snapshots)
    known = slice(start, end)
    returns, observed, published = (
        filled.returns[known].copy(),
        filled.observed[known].copy(),
        filled.published[known].copy(),
    )
    returns[0], observed[0], published[0] = 0.0, False, True
    panel = Panel(
        calendar=Calendar(days[known], days[end], labels.calendar),
        assets=assets,
        frequency=Frequency.DAILY,
        returns=returns,
        observed=observed,
        benchmark=filled.benchmark[known],
        sectors=_labelled(labels, members.sectors[known]),
        published=published,
        source=labels.source,
        prices=_prices(queries, known, observed, filled.benchmark[known]),
        index_level=_index(queries, known),
        groups=members.groups_at(known),
        traded=_traded(queries, known, len(assets)) if labels.traded else None,
    )
    return Built(panel, filled.filling)


def build_monthly(queries: Queries, labels: Labels) -> Built:
    """Return the panel of the snapshots: the return at each is the `forward_return` of the snapshot before.

    Raises:
        DataError: rows that cannot be read, or a snapshot that was not known at its own close.
    """
    assets, days = _assets(queries), queries.ask("sessions")["session"].astype("datetime64[D]")
    members = _members(queries, labels, len(days), assets.ids)
    late = np.flatnonzero(members.effective > members.at)
    if len(late):
        raise DataError(
            str(queries.folder),
            f"the weights of {days[members.at[late[0]]]} were known later, and the monthly panel decides at their close",
            advice='use the daily panel: store.panel("daily")',
        )
    raw = np.vstack((np.full((1, len(assets)), np.nan), members.forward[:-1]))
    at = np.arange(len(members.at))
    snapshots = Snapshots(at, at, members.weights, np.full_like(members.forward, np.nan))
    sectors = members.sectors[members.at]
    filled = fill_missing(raw, np.zeros(raw.shape, dtype=bool), sectors, snapshots)
    panel = Panel(
        calendar=Calendar(days[members.at], days[members.at[-1] + 1], labels.calendar),
        assets=assets,
        frequency=Frequency.MONTHLY,
        returns=filled.returns,
        observed=filled.observed,
        benchmark=filled.benchmark,
        sectors=_labelled(labels, sectors),
        published=filled.published,
        source=labels.source,
        index_level=_index(queries, members.at),
        groups=members.groups_at(members.at),
    )
    return Built(panel, filled.filling)


def _assets(queries: Queries) -> Assets:
    rows = queries.ask("assets")
    return Assets(*(tuple(str(text) for text in rows[name]) for name in ("asset_id", "ticker", "name")))


def _members(queries: Queries, labels: Labels, sessions: int, ids: tuple[str, ...]) -> _Members:
    n = len(ids)
    rows = queries.ask("members", labels=list(labels.sectors))
    at, first, of = np.unique(rows["session"], return_index=True, return_inverse=True)
    effective = rows["effective"][first].astype(np.int64)
    weights, forward = np.zeros((len(at), n)), np.full((len(at), n), np.nan)
    weights[of, rows["asset"]] = rows["weight"]
    forward[of, rows["asset"]] = rows["forward_return"]
    sums = weights.sum(axis=1, keepdims=True)
    snapshot = sums[:, 0] > 0.0  # dates with weights of zero only tell groups and labels
    weights, forward, sums = weights[snapshot], forward[snapshot], sums[snapshot]
    weights = np.where(np.abs(sums - 1.0) > _SUMS_TO_ONE, weights / sums, weights)
    codes = np.full((len(at), n), -1, dtype=np.int16)
    codes[of, rows["asset"]] = np.where(rows["sector"] < 0, len(labels.sectors), rows["sector"])
    return _Members(
        at[snapshot].astype(np.int64),
        effective[snapshot],
        weights,
        forward,
        _sectors(codes, effective, sessions, len(labels.sectors)),
        {
            name: _told_group(queries.ask("groups", attribute=name, labels=list(listed)), (at, effective, sessions), _labels(name, listed, ids))
            for name, listed in labels.groups.items()
        },
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
        rows: session, asset and code of each row of members; -1 where it tells none.
        when: dates of members, when each was known, and how many sessions the store has.
        labels: as `_labels` gives them.
    """
    (at, effective, sessions), (names, untold) = when, labels
    told = np.full((len(at), len(untold)), -1, dtype=untold.dtype)
    told[np.searchsorted(at, rows["session"]), rows["asset"]] = np.where(rows["code"] < 0, untold[rows["asset"]], rows["code"])
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


def _labelled(labels: Labels, codes: ndarray) -> Sectors:
    return Sectors((*labels.sectors, UNKNOWN), codes)


def _index(queries: Queries, sessions: slice | ndarray) -> ndarray | None:
    """Return the published index at `sessions`, NaN where it is not known, or None if it is known at none of them."""
    if not (queries.folder / "index.parquet").exists():
        return None
    rows = queries.ask("index")
    level = np.full(len(queries.ask("sessions")["session"]), np.nan)
    level[rows["session"]] = rows["level"]
    chosen: ndarray = level[sessions]
    return chosen if bool(np.isfinite(chosen).any()) else None


def _prices(queries: Queries, known: slice, observed: ndarray, benchmark: ndarray) -> Prices | None:
    """Return as-traded prices, the last one carried over sessions without one, or None where they are not complete.

    They are complete if every observed return has a price beside it, and every name in the benchmark has had one. A name that has had
    none yet, and so cannot be held, shows the price 1.
    """
    rows = queries.ask("prices")
    shape = (known.stop, observed.shape[1])
    within = rows["session"] < known.stop
    session, asset = rows["session"][within], rows["asset"][within]
    close, split = np.full(shape, np.nan), np.ones(shape)
    close[session, asset] = rows["close"][within]
    split[session, asset] = rows["split"][within]
    if bool((observed & np.isnan(close[known])).any()):
        return None
    priced = np.maximum.accumulate(np.isfinite(close), axis=0)[known]
    if bool((~priced & (benchmark > 0.0)).any()):
        return None
    return Prices(carry_prices(close)[known], split[known])


def _traded(queries: Queries, known: slice, n: int) -> ndarray:
    """Return money traded at the sessions `known`, 0 where the data has none, shape (t, n)."""
    rows = queries.ask("traded")
    traded = np.zeros((known.stop, n))
    within = rows["session"] < known.stop
    traded[rows["session"][within], rows["asset"][within]] = rows["traded_value"][within]
    return traded[known]


def carry_prices(close: ndarray) -> ndarray:
    """Return prices with the last one carried over sessions without one (NaN), and 1 before the first, shape (t, n)."""
    last = np.maximum.accumulate(np.where(np.isfinite(close), np.arange(len(close))[:, None], 0), axis=0)
    carried = np.take_along_axis(close, last, axis=0)
    return np.where(np.isnan(carried), 1.0, carried)
