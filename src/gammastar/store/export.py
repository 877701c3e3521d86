"""A Panel to the dataset layout on disk: how simulated markets become data like any other."""

from __future__ import annotations

__all__ = ["write_dataset"]

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from gammastar.market.calendar import Frequency
from gammastar.market.groups import ISSUER, UNKNOWN, own_issuers
from gammastar.market.missing import Snapshots, fill_missing
from gammastar.store.panels import carry_prices

if TYPE_CHECKING:
    from numpy import ndarray

    from gammastar.market.panel import Panel, Sectors


def write_dataset(panel: Panel, folder: Path | str) -> None:
    """Write a panel in the layout of docs/dataset.md, as Parquet with a `dataset.toml`; ingesting it gives the same panel back.

    Filled returns that the missing-data policy would not fill the same way are written with `estimated` true. A monthly panel is written
    with `forward_return`. Files of an earlier dataset in the folder are replaced.

    Args:
        panel: its sessions must be those of the exchange its calendar names.
        folder: made if it is not there.
    """
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    tables = {"members": _members(panel)}
    if panel.frequency is Frequency.DAILY:
        tables["returns"] = _returns(panel)
    if panel.index_level is not None:
        at = np.flatnonzero(np.isfinite(panel.index_level))
        tables["index_total_return"] = {"date": pa.array(panel.sessions[at]), "level": pa.array(panel.index_level[at])}
    for name in ("members", "returns", "index_total_return"):
        (target / f"{name}.parquet").unlink(missing_ok=True)
    for name, columns in tables.items():
        pa.parquet.write_table(pa.table(columns), target / f"{name}.parquet", compression="zstd")
    (target / "dataset.toml").write_text(_mapping(panel), encoding="utf-8")


def _mapping(panel: Panel) -> str:
    listed = [label for label in panel.sectors.labels if label != UNKNOWN]
    lines = {"source": panel.source, "calendar": panel.calendar.name, "sectors": listed}
    text = "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in lines.items())
    for name, group in panel.groups.items():
        untold = set(_untold_labels(panel, name))
        shown = [label for label in group.labels if label not in untold]
        text += f"\n[groups.{name}]\nlabels = {json.dumps(shown, ensure_ascii=False)}\n"
    return text


def _untold_labels(panel: Panel, name: str) -> tuple[str, ...]:
    """Return the label that each asset has in an attribute as long as no other is told of it."""
    return own_issuers(panel.assets.ids) if name == ISSUER else (UNKNOWN,) * len(panel.assets)


def _untold(panel: Panel, name: str, group: Sectors) -> ndarray:
    """Return the code of that label for each asset, -1 where the attribute does not have it."""
    position = {label: code for code, label in enumerate(group.labels)}
    return np.array([position.get(label, -1) for label in _untold_labels(panel, name)], dtype=np.int32)


def _members(panel: Panel) -> dict[str, Any]:
    """Return the members table: weights at each snapshot, and a row of weight zero where a group is told of a name without weight."""
    session, asset = np.nonzero(_told(panel))
    weights = np.where(panel.published[session], panel.benchmark[session, asset], 0.0)
    labels = [None if label == UNKNOWN else label for label in panel.sectors.labels]
    columns = {
        "date": pa.array(panel.sessions[session]),
        "asset_id": _texts(panel.assets.ids, asset),
        "weight": pa.array(weights),
        "sector": pa.array([labels[code] for code in panel.sectors.codes[session, asset]], pa.string()),
        "ticker": _texts(panel.assets.tickers, asset),
        "name": _texts(panel.assets.names, asset),
    }
    for name, group in panel.groups.items():
        codes = group.codes[session, asset].astype(np.int32)
        told = pa.array(codes, mask=codes == _untold(panel, name, group)[asset])
        columns[name] = pa.DictionaryArray.from_arrays(told, pa.array(group.labels, pa.string()))
    if panel.frequency is Frequency.MONTHLY:
        ahead = np.where(panel.observed, panel.returns, np.nan)[1:]
        forward = np.vstack((ahead, np.full((1, ahead.shape[1]), np.nan)))
        columns["forward_return"] = pa.array(forward[session, asset], from_pandas=True)
    return columns


def _told(panel: Panel) -> ndarray:
    """Return where a members row is needed: a weight, a return ahead, a group that changed, or the first mention of a name."""
    told = panel.published[:, None] & (panel.benchmark > 0.0)
    for name in panel.attributes:
        group = panel.group(name)
        told[0] |= group.codes[0] != _untold(panel, name, group)
        told[1:] |= group.codes[1:] != group.codes[:-1]
    if panel.frequency is Frequency.MONTHLY:
        told[:-1] |= panel.observed[1:]
    told[0] |= ~told.any(axis=0)
    return np.asarray(told)


def _returns(panel: Panel) -> dict[str, Any]:
    """Return the returns table."""
    raw = np.where(panel.observed, panel.returns, np.nan)
    at = np.flatnonzero(panel.published)
    snapshots = Snapshots(at, at, panel.benchmark[at], np.full((len(at), raw.shape[1]), np.nan))
    refilled = fill_missing(raw, np.zeros(raw.shape, dtype=bool), panel.sectors.codes, snapshots).returns
    written = panel.observed.copy()
    if not np.array_equal(refilled, panel.returns):
        written |= (panel.returns != 0.0) | (refilled != 0.0)
    if panel.prices is not None:
        written |= panel.prices.split != 1.0
        known = np.where(written, panel.prices.close, np.nan)
        known[0] = panel.prices.close[0]
        written |= carry_prices(known) != panel.prices.close
        written[0] = True
    if panel.traded is not None:
        written |= panel.traded > 0.0
        if bool((written & ~panel.observed)[1:].any()):  # a row that tells a filled return may change how others are filled
            written |= (panel.returns != 0.0) | (refilled != 0.0)
    session, asset = np.nonzero(written)
    columns = {
        "date": pa.array(panel.sessions[session]),
        "asset_id": _texts(panel.assets.ids, asset),
        "total_return": pa.array(panel.returns[session, asset]),
        "estimated": pa.array(~panel.observed[session, asset]),
    }
    if panel.prices is not None:
        columns["price"] = pa.array(panel.prices.close[session, asset])
        columns["split"] = pa.array(panel.prices.split[session, asset])
    if panel.traded is not None:
        columns["traded_value"] = pa.array(panel.traded[session, asset])
    return columns


def _texts(values: tuple[str, ...], at: ndarray) -> Any:
    return pa.DictionaryArray.from_arrays(pa.array(at.astype(np.int32)), pa.array(values, pa.string()))
