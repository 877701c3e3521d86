"""What a store is made of: the rows of a checked dataset in canonical order, their fingerprint, and their Parquet files."""

from __future__ import annotations

__all__ = ["Dataset", "arrange", "asset_order", "clean_groups", "clean_sectors"]

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from gammastar.market.groups import UNKNOWN
from gammastar.store.layout import TABLES
from gammastar.store.parsing import Coded, Table

if TYPE_CHECKING:
    from pathlib import Path

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
        calendar: the exchange's code.
        days: its sessions from the first snapshot to the last date, and the one that follows.
    """

    tables: dict[str, Table]
    ids: tuple[str, ...]
    sectors: tuple[str, ...]
    groups: dict[str, tuple[str, ...]]
    calendar: str
    days: ndarray

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

    def write(self, folder: Path) -> None:
        """Write the Parquet files of the store into `folder`."""
        for name, table in self.tables.items():
            _write(
                folder / f"{name}.parquet", {column.name: _arrow(table, column.name) for column in _columns(name, table)}
            )
        if self.groups:
            _write(folder / "groups.parquet", _long(self.tables["members"], tuple(self.groups)))
        order = np.arange(len(self.ids))
        tickers = _last_labels(self.tables["members"], "ticker", self.ids)
        names = _last_labels(self.tables["members"], "name", tickers)
        labels = {"ticker": pa.array(tickers), "name": pa.array(names)}
        _write(folder / "assets.parquet", {"asset_id": pa.array(self.ids), "position": pa.array(order), **labels})
        days = pa.array(self.days.astype("datetime64[D]"))
        _write(folder / "sessions.parquet", {"session": days, "position": pa.array(np.arange(len(self.days)))})


def asset_order(ids: set[str]) -> tuple[str, ...]:
    """Return ids in the order of a panel's columns: whole numbers by value, then texts by alphabet."""
    return tuple(sorted(ids, key=lambda text: (0, int(text), text) if text.isdecimal() else (1, 0, text)))


def arrange(tables: dict[str, Table], sessions: Sessions, names: Mapping) -> Dataset:
    """Return the dataset in canonical order, without rows that no panel can use (unknown assets, returns before the first snapshot).

    Args:
        tables: checked tables.
        sessions: of the exchange, around them.
        names: labels in the order wanted; others follow by alphabet.
    """
    members = tables["members"]
    ids = asset_order(set(members.texts["asset_id"].values))
    arranged = {"members": _sorted(members, ids)}
    first = members.dates["date"].min()
    last = members.dates["date"].max()
    if "returns" in tables:
        returns = _sorted(tables["returns"], ids)
        arranged["returns"] = returns.taken(
            np.flatnonzero((returns.texts["asset_id"].codes >= 0) & (returns.dates["date"] >= first))
        )
        last = max(last, arranged["returns"].dates["date"].max())
        _value_volumes(arranged["returns"])
    if "index" in tables:
        arranged["index"] = tables["index"].taken(np.argsort(tables["index"].dates["date"], kind="stable"))
    texts = arranged["members"].texts
    texts["sector"] = clean_sectors(texts["sector"])
    ordered = {"sector": _ordered(texts["sector"], names.sectors)}
    for name in names.attributes:
        if name in texts:
            texts[name] = clean_groups(texts[name])
            ordered[name] = _ordered(texts[name], tuple(label for label in names.groups.get(name, ()) if label != UNKNOWN))
    return Dataset(arranged, ids, ordered.pop("sector"), ordered, sessions.name, sessions.between(first, last))


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


def _write(path: Path, columns: dict[str, Any]) -> None:
    pa.parquet.write_table(pa.table(columns), path, compression="zstd")


def _last_labels(members: Table, column: str, otherwise: tuple[str, ...]) -> tuple[str, ...]:
    """Return the last known label of each asset, or what to call it otherwise."""
    coded = members.texts[column]
    told = np.flatnonzero(coded.codes >= 0)  # by date: later rows overwrite
    last = np.full(len(otherwise), -1, dtype=np.int64)
    last[members.texts["asset_id"].codes[told]] = coded.codes[told]
    return tuple(coded.values[code] if code >= 0 else label for code, label in zip(last, otherwise, strict=True))
