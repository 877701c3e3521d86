"""A small dataset to break: names, sessions, weights and returns from a seed, written as CSV or Parquet."""

from __future__ import annotations

import copy
import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from gammastar.store import Store, ingest, open_store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(scope="session")
def real(sp500: Path) -> Path:
    """The folder of the real data."""
    return sp500


@pytest.fixture(scope="session")
def real_store(sp500_store: Path) -> Store:
    """The real data as a store, with its published index."""
    return open_store(sp500_store)


@functools.cache
def exchange_sessions(start: str, end: str) -> np.ndarray:
    import exchange_calendars

    days = exchange_calendars.get_calendar("XNYS", start=start, end=end).sessions
    return days.to_numpy().astype("datetime64[D]")


@dataclass
class Draft:
    """A dataset about to be written."""

    members: pd.DataFrame
    returns: pd.DataFrame | None
    index: pd.DataFrame | None = None
    mapping: str | None = None
    files: dict[str, bytes] = field(default_factory=dict)

    def write(self, folder: Path, ending: str = "csv") -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        tables = {"members": self.members, "returns": self.returns, "index_total_return": self.index}
        for name, table in tables.items():
            if table is None:
                continue
            if ending == "csv":
                table.to_csv(folder / f"{name}.csv", index=False)
            else:
                table.to_parquet(folder / f"{name}.parquet", index=False)
        if self.mapping is not None:
            (folder / "dataset.toml").write_text(self.mapping, encoding="utf-8")
        for name, content in self.files.items():
            (folder / name).write_bytes(content)
        return folder


def make_draft(seed: int = 0, **shape: object) -> Draft:
    """Return a clean dataset to spoil."""
    return copy.deepcopy(_made(seed, **shape))


@functools.cache
def _made(
    seed: int = 0, *, names: int = 8, start: str = "2018-10-31", end: str = "2019-02-28", share_missing: float = 0.0
) -> Draft:
    """Return a clean dataset: month-end snapshots, two sectors, daily returns of the members, forward returns that agree with them."""
    rng = np.random.default_rng(seed)
    days = exchange_sessions(start, end)
    month = days.astype("datetime64[M]")
    ends = np.flatnonzero(np.append(month[1:] != month[:-1], True))
    daily = np.expm1(0.02 * rng.standard_normal((len(days), names)))
    missing = rng.random(daily.shape) < share_missing
    ids = np.arange(1, names + 1) * 7
    members, returns = [], []
    for position, at in enumerate(ends):
        nxt = ends[position + 1] if position + 1 < len(ends) else None
        ahead = np.full(names, np.nan) if nxt is None else np.prod(1.0 + daily[at + 1 : nxt + 1], axis=0) - 1.0
        weight = rng.dirichlet(np.full(names, 5.0))
        members.append(
            pd.DataFrame(
                {
                    "date": str(days[at]),
                    "asset_id": ids,
                    "weight": weight,
                    "sector": np.where(np.arange(names) % 2, "Energy", "Utilities"),
                    "ticker": [f"T{asset}" for asset in ids],
                    "name": [f"Name {asset}" for asset in ids],
                    "forward_return": ahead,
                }
            )
        )
    for t in range(ends[0] + 1, len(days)):
        kept = ~missing[t]
        returns.append(pd.DataFrame({"date": str(days[t]), "asset_id": ids[kept], "total_return": daily[t][kept]}))
    return Draft(pd.concat(members, ignore_index=True), pd.concat(returns, ignore_index=True))


@pytest.fixture
def make() -> Callable[..., Draft]:
    return make_draft


@pytest.fixture
def draft() -> Draft:
    return make_draft()


@pytest.fixture(scope="session")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The clean dataset as a store; to be copied, never to be written to."""
    home = tmp_path_factory.mktemp("good")
    ingest(make_draft().write(home / "dataset"), home / "store")
    return home / "store"


@pytest.fixture
def listing() -> Callable[[Path], dict[str, bytes]]:
    """Return every file and folder below a folder, with the files' contents."""
    return lambda folder: {
        str(path): path.read_bytes() if path.is_file() else b"" for path in sorted(folder.rglob("*"))
    }
