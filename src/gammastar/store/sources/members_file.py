"""Index weights from a file of their own, and vendor names to the ids of that file by reviewed matches."""

from __future__ import annotations

__all__ = ["read_members", "rename_assets"]

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from gammastar.store.findings import Findings
from gammastar.store.identity.matching import read_matches
from gammastar.store.layout import GROUPS, TABLES
from gammastar.store.sources.sheet import open_sheet

if TYPE_CHECKING:
    from pathlib import Path


def read_members(path: Path) -> Any:
    """Return the columns of the layout of members that a CSV or Parquet file has, as they are; the ingest checks them.

    Raises:
        DataError: it cannot be read, or has no date, asset_id and weight.
    """
    findings = Findings()
    sheet = open_sheet(path, TABLES["members"].required, findings)
    findings.stop_on_errors(sheet.file)
    wanted = (*(column.name for column in TABLES["members"].columns), *GROUPS)
    return pa.table({name: sheet.columns[name] for name in wanted if name in sheet})


def rename_assets(returns: Any, matches: Path) -> Any:
    """Return the table of returns with the vendor's names as the asset ids they are matched with; rows of others are left out.

    Raises:
        DataError: the matches cannot be read, or some are still to be reviewed.
    """
    accepted = read_matches(matches)
    encoded = returns.column("asset_id").combine_chunks()
    names, codes = encoded.dictionary.to_pylist(), encoded.indices.to_numpy()
    dates = returns.column("date").to_numpy().astype("datetime64[D]")
    assets = tuple(dict.fromkeys(match.asset for match in accepted))
    position = {asset: code for code, asset in enumerate(assets)}
    by_name: dict[str, list[Any]] = {}
    for match in accepted:
        by_name.setdefault(match.vendor, []).append(match)
    new = np.full(len(codes), -1, dtype=np.int32)
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(len(names) + 1))
    for code, name in enumerate(names):
        rows = order[starts[code] : starts[code + 1]]
        for match in by_name.get(name, ()):
            new[rows[(dates[rows] >= match.first) & (dates[rows] <= match.last)]] = position[match.asset]
    kept = np.flatnonzero(new >= 0)
    ids = pa.DictionaryArray.from_arrays(pa.array(new[kept]), pa.array(assets, pa.string()))
    taken = returns.take(pa.array(kept))
    return taken.set_column(taken.schema.get_field_index("asset_id"), "asset_id", ids)
