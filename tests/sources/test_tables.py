"""Tables in memory: every library's table, under any names of columns, gives the same store."""

from __future__ import annotations

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from gammastar.errors import DataError, UsageError
from gammastar.store.sources.delivery import ingest_source
from gammastar.store.sources.raw_bars import RawBars
from gammastar.store.sources.tables import Tables

COLUMNS = {"members": {"date": "effective", "weight": "w", "asset_id": "id", "region": "zone"}, "returns": {"total_return": "ret", "asset_id": "id"}}


class Capsule:
    """A table of a library that is not here: it speaks the Arrow C stream interface, and nothing else of it is used."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._table.__arrow_c_stream__(requested_schema)


@pytest.fixture
def frames(world) -> dict[str, pd.DataFrame]:
    at = tuple(np.array(world.rows()).T)
    delivery = RawBars(adjusted="").read(pd.DataFrame({"date": world.days[at[0]], "ticker": np.array(world.ids)[at[1]], "close": world.close[at], "dividend": world.dividend[at], "split": world.split[at]}))
    members, returns = (table.to_pandas().astype({"asset_id": str}) for table in (delivery.members, delivery.returns))
    members = members.drop(columns="ticker").assign(zone="North")
    return {"members": members.rename(columns={"date": "effective", "weight": "w", "asset_id": "id"}), "returns": returns.rename(columns={"total_return": "ret", "asset_id": "id"})}


KINDS = {
    "pandas": lambda frame: frame,
    "arrow": lambda frame: pa.Table.from_pandas(frame, preserve_index=False),
    "duckdb": lambda frame: duckdb.from_arrow(pa.Table.from_pandas(frame, preserve_index=False)),
    "capsule": lambda frame: Capsule(pa.Table.from_pandas(frame, preserve_index=False)),
    "dict": lambda frame: {name: frame[name].tolist() for name in frame.columns},
}


def test_every_kind_of_table_gives_the_same_store(frames, tmp_path):
    source = Tables("mine", COLUMNS, groups={"region": ("North",)})
    prints = {kind: ingest_source(source, {name: make(frame) for name, frame in frames.items()}, tmp_path / kind).fingerprint for kind, make in KINDS.items()}
    assert len(set(prints.values())) == 1, prints


def test_polars_frames_where_there_is_polars(frames, tmp_path):
    polars = pytest.importorskip("polars")
    one = ingest_source(Tables("mine", COLUMNS, groups={"region": ("North",)}), {name: polars.from_pandas(frame) for name, frame in frames.items()}, tmp_path / "p")
    assert one.fingerprint == ingest_source(Tables("mine", COLUMNS, groups={"region": ("North",)}), frames, tmp_path / "q").fingerprint


@pytest.mark.parametrize(
    ("source", "data", "error", "said"),
    [
        (Tables(), 3, UsageError, "tables in memory"),
        (Tables(), {"members": 3}, UsageError, "this is no table"),
        (Tables(), {"returns": {"date": []}}, UsageError, "no table of members"),
        (Tables(), {"member": {"date": []}}, UsageError, "Allowed: members, returns, index"),
        (Tables(columns={"members": {"datum": "x"}}), {"members": {"x": []}}, UsageError, "no such column"),
        (Tables(columns={"members": {"date": "x"}}), {"members": {"y": []}}, DataError, "column-missing"),
    ],
)
def test_what_does_not_fit_is_named(source, data, error, said):
    with pytest.raises(error, match=said):
        source.read(data)
