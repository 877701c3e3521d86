"""What a store is made of: the rows of a checked dataset in canonical order, and their fingerprint."""

from __future__ import annotations

__all__ = ["Dataset", "Held", "arrange", "asset_order", "clean_groups", "clean_sectors"]

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from gammastar.market.groups import UNKNOWN
from gammastar.store.layout import TABLES
from gammastar.store.parsing import Coded, Table

if TYPE_CHECKING:
    from numpy import ndarray

    from gammastar.store.layout import Column, Mapping
    from gammastar.store.sessions import Sessions

_NO_SECTOR = frozenset(
    {
        "",
        "-",
        "--",
        "?",
        ".",
        "0",
        "n/a",
        "na",
        "#n/a",
        "#na",
        "nan",
        "none",
        "null",
        "unknown",
        "unclassified",
        "undefined",
        "missing",
    }
)
_LONGEST_SECTOR, _LONGEST_GROUP = 64, 200


@dataclass(frozen=True, eq=False)
class Dataset:
    """A checked dataset in canonical order.

    Args:
        tables: members, and returns and index where there are any, each sorted by date and asset.
        ids: asset ids in the order of a panel's columns.
        sectors: group names in order, without ``"Unknown"``.
        groups: likewise of each other group attribute that members have.
        declared: of these, the labels that the mapping lists, by attribute.
        calendar: the exchange's code.
        days: its sessions from the first snapshot to the last date, and the one that follows.
    """

    tables: dict[str, Table]
    ids: tuple[str, ...]
    sectors: tuple[str, ...]
    groups: dict[str, tuple[str, ...]]
    calendar: str
    days: ndarray
    declared: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of what the rows say, whatever file they came from."""
        digest = hashlib.sha256(repr(("gammastar-dataset-1", self.calendar, self.sectors, self.ids)).encode())
        for name, table in sorted(self.tables.items()):
            digest.update(f"{name}:{len(table)}".encode())
            for column in _columns(name, table):
                digest.update(column.name.encode())
                digest.update(_canonical(table, column.name))
        for name, labels in sorted(self.groups.items()):
            digest.update(repr((name, labels)).encode())
            digest.update(_canonical(self.tables["members"], name))
        return digest.hexdigest()

    def rows(self, entry: int) -> dict[str, pa.Table]:
        """Return the rows as they are stored: each with its date, when it was known, and the entry that brought it.

        Args:
            entry: number of the ingest or append, increasing.
        """
        stored = {}
        for name, table in self.tables.items():
            columns = {column.name: _arrow(table, column.name) for column in _columns(name, table)}
            stored[name] = pa.table({**columns, "entry": pa.array(np.full(len(table), entry, dtype=np.int32))})
        if self.groups and len(self.tables["members"]):
            long = _long(self.tables["members"], tuple(self.groups))
            stored["groups"] = pa.table({**long, "entry": pa.array(np.full(len(long["date"]), entry, dtype=np.int32))})
        return stored


@dataclass(frozen=True, eq=False)
class Held:
    """What a store holds, as far as new rows must fit it.

    Args:
        ids: of its assets.
        days: its sessions, and the one that follows.
        known: the last time at which anything became known.
    """

    ids: tuple[str, ...]
    days: ndarray
    known: np.datetime64


def asset_order(ids: set[str]) -> tuple[str, ...]:
    """Return ids in the order of a panel's columns: whole numbers by value, then texts by alphabet."""
    return tuple(sorted(ids, key=lambda text: (0, int(text), text) if text.isdecimal() else (1, 0, text)))


def arrange(tables: dict[str, Table], sessions: Sessions, names: Mapping, held: Held | None = None) -> Dataset:
    """Return the dataset in canonical order, without rows that no panel can use (unknown assets, returns before the first snapshot).

    Args:
        tables: checked tables.
        sessions: of the exchange, around them.
        names: labels in the order wanted; others follow by alphabet.
        held: what they are added to, or None for a dataset of its own, which has members.
    """
    members = tables.get("members")
    told = () if members is None else members.texts["asset_id"].values
    ids = asset_order({*told, *(() if held is None else held.ids)})
    arranged = {} if members is None else {"members": _sorted(members, ids)}
    first = arranged["members"].dates["date"].min() if held is None else held.days[0]
    dated = [table.dates["date"].max() for table in arranged.values()]
    if "returns" in tables:
        returns = _sorted(tables["returns"], ids)
        arranged["returns"] = returns.taken(
            np.flatnonzero((returns.texts["asset_id"].codes >= 0) & (returns.dates["date"] >= first))
        )
        dated.extend(arranged["returns"].dates["date"][-1:])
        _value_volumes(arranged["returns"])
    if "index" in tables:
        arranged["index"] = tables["index"].taken(np.argsort(tables["index"].dates["date"], kind="stable"))
    last = max(dated, default=first) if held is None else max([held.days[-2], *dated])
    ordered: dict[str, tuple[str, ...]] = {"sector": ()} if members is None else _clean_labels(arranged["members"], names)
    declared = {name: tuple(label for label in names.groups.get(name, ()) if label != UNKNOWN) for name in ordered}
    declared["sector"] = names.sectors
    return Dataset(arranged, ids, ordered.pop("sector"), ordered, sessions.name, sessions.between(first, last), declared)


def _clean_labels(members: Table, names: Mapping) -> dict[str, tuple[str, ...]]:
    """Clean the sectors and groups of members, and return the labels of each in order."""
    texts = members.texts
    texts["sector"] = clean_sectors(texts["sector"])
    ordered = {"sector": _ordered(texts["sector"], names.sectors)}
    for name in names.attributes:
        if name in texts:
            texts[name] = clean_groups(texts[name])
            ordered[name] = _ordered(texts[name], tuple(label for label in names.groups.get(name, ()) if label != UNKNOWN))
    return ordered


def _ordered(coded: Coded, listed: tuple[str, ...]) -> tuple[str, ...]:
    """Return the labels listed, then the others by alphabet."""
    return tuple(dict.fromkeys((*listed, *coded.values)))


def _value_volumes(returns: Table) -> None:
    """Leave money traded as the only column of volumes: where it is not given, volume times price. Without any there is no column."""
    numbers = returns.numbers
    given, volume = (numbers.pop(name, None) for name in ("traded_value", "volume"))
    if given is None and volume is None:
        return
    valued = np.full(len(returns), np.nan) if volume is None else volume * numbers["price"]
    traded = valued if given is None else np.where(np.isnan(given), valued, given)
    if not np.isnan(traded).all():
        numbers["traded_value"] = traded


def _columns(name: str, table: Table) -> tuple[Column, ...]:
    """Return the columns of the layout that a typed table has."""
    return tuple(column for column in TABLES[name].columns if not column.extra or column.name in table.numbers)


def clean_groups(coded: Coded) -> Coded:
    """Return labels of a group attribute without those that name no group; issuers have longer names than sectors."""
    return clean_sectors(coded, longest=_LONGEST_GROUP)


def clean_sectors(coded: Coded, *, longest: int = _LONGEST_SECTOR) -> Coded:
    """Return sector names without those that name no sector (blanks, dashes, "n/a", text with control characters or too long) or that no row has."""
    used = {coded.values[code] for code in np.unique(coded.codes) if code >= 0}
    kept = [text for text in coded.values if text in used and _is_sector(text, longest)]
    position = {text: code for code, text in enumerate(kept)}
    lookup = np.array([*(position.get(text, -1) for text in coded.values), -1], dtype=np.int32)
    return Coded(lookup[coded.codes], tuple(kept))


def _is_sector(text: str, longest: int) -> bool:
    return text.lower() not in _NO_SECTOR and len(text) <= longest and text.isprintable()


def _long(members: Table, names: tuple[str, ...]) -> dict[str, Any]:
    """Return the groups of members one below the other: date, asset, attribute, label."""
    count = len(members)
    codes = pa.array(np.repeat(np.arange(len(names), dtype=np.int32), count))
    labels = [_arrow(members, name).cast(pa.string()) for name in names]
    return {
        "date": pa.array(np.tile(members.dates["date"].astype("datetime64[D]"), len(names))),
        "asset_id": _arrow(members, "asset_id").take(pa.array(np.tile(np.arange(count), len(names)))),
        "attribute": pa.DictionaryArray.from_arrays(codes, pa.array(names, pa.string())),
        "label": pa.concat_arrays(labels),
        "known": pa.array(np.tile(members.dates["known"].astype("datetime64[D]"), len(names))),
    }


def _sorted(table: Table, ids: tuple[str, ...]) -> Table:
    """Return the table by date and asset, with assets as positions in `ids` (-1: not among them)."""
    coded = table.texts["asset_id"]
    position = {asset: code for code, asset in enumerate(ids)}
    lookup = np.array([*(position.get(asset, -1) for asset in coded.values), -1], dtype=np.int32)
    codes = lookup[coded.codes]
    order = np.lexsort((codes, table.dates["date"]))
    placed = table.taken(order)
    placed.texts["asset_id"] = Coded(codes[order], ids)
    return placed


def _canonical(table: Table, name: str) -> bytes:
    """Return the bytes of a column that are the same for equal contents."""
    if name in table.dates:
        return table.dates[name].astype("datetime64[D]").astype("<i8").tobytes()
    if name in table.numbers:
        numbers = table.numbers[name].astype("<f8") + 0.0  # no negative zero
        return np.where(np.isnan(numbers), np.nan, numbers).tobytes()
    if name in table.flags:
        return table.flags[name].astype(np.uint8).tobytes()
    coded = table.texts[name]
    used = np.unique(coded.codes[coded.codes >= 0])  # values in order, so codes of the used ones are canonical
    ranks = np.full(len(coded.values) + 1, -1)
    ranks[used] = np.arange(len(used))
    return b"".join((repr([coded.values[code] for code in used]).encode(), ranks[coded.codes].astype("<i4").tobytes()))


def _arrow(table: Table, name: str) -> Any:
    if name in table.dates:
        return pa.array(table.dates[name].astype("datetime64[D]"))
    if name in table.numbers:
        return pa.array(table.numbers[name], from_pandas=True)
    if name in table.flags:
        return pa.array(table.flags[name])
    coded = table.texts[name]
    return pa.DictionaryArray.from_arrays(
        pa.array(coded.codes, mask=coded.codes < 0), pa.array(coded.values, pa.string())
    )
