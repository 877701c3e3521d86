"""A panel written as a dataset and ingested is the same panel."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from gammastar.simulate import LargeCapMarket
from gammastar.store import ingest, open_store, write_dataset

if TYPE_CHECKING:
    from pathlib import Path

    from gammastar.market.panel import Panel


def there_and_back(panel: Panel, home: Path) -> Panel:
    write_dataset(panel, home / "dataset")
    ingest(home / "dataset", home / "store")
    return open_store(home / "store").panel()


@pytest.mark.parametrize("prices", [False, True])
def test_a_simulated_market_comes_back_to_the_bit(prices: bool, tmp_path: Path) -> None:
    model = LargeCapMarket(members=20, listed=35, start=dt.date(2012, 1, 3), end=dt.date(2012, 12, 31))
    panel = model.simulate(11, prices=prices).panel
    back = there_and_back(panel, tmp_path)
    assert back.fingerprint == panel.fingerprint
    assert (back.assets, back.source) == (panel.assets, panel.source)
    assert (back.prices is not None) == prices


@pytest.mark.parametrize("frequency", ["daily", "monthly"])
def test_a_panel_of_real_shape_comes_back_to_the_bit(frequency: str, make: Any, tmp_path: Path) -> None:
    draft = make(3, share_missing=0.3)
    draft.returns = draft.returns[~((draft.returns["asset_id"] == 21) & (draft.returns["date"] > "2019-01-10"))]
    draft.members.loc[[3, 12, 20], "forward_return"] = np.nan
    ingest(draft.write(tmp_path / "first"), tmp_path / "a")
    panel = open_store(tmp_path / "a").panel(frequency)
    back = there_and_back(panel, tmp_path)
    assert back.fingerprint == panel.fingerprint
    assert back.frequency is panel.frequency


def test_the_published_index_comes_back(draft: Any, tmp_path: Path) -> None:
    ingest(draft.write(tmp_path / "first"), tmp_path / "a")
    panel = open_store(tmp_path / "a").panel()
    level = np.where(panel.published, 100.0 + np.arange(len(panel)), np.nan)
    back = there_and_back(replace(panel, index_level=level), tmp_path)
    assert np.array_equal(back.index_level, level, equal_nan=True)


def test_writing_again_replaces_what_was_written(draft: Any, tmp_path: Path) -> None:
    ingest(draft.write(tmp_path / "first"), tmp_path / "a")
    store = open_store(tmp_path / "a")
    write_dataset(store.panel("daily"), tmp_path / "dataset")
    write_dataset(store.panel("monthly"), tmp_path / "dataset")
    assert sorted(file.name for file in (tmp_path / "dataset").iterdir()) == ["dataset.toml", "members.parquet"]
