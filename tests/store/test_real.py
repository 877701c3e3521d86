"""What is true of the real data; skipped where it is absent."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from gammastar.store import ingest, open_store

if TYPE_CHECKING:
    from pathlib import Path

    from gammastar.market.panel import Panel
    from gammastar.store import Store


@pytest.fixture(scope="module")
def daily(real_store: Store) -> Panel:
    return real_store.panel("daily")


@pytest.fixture(scope="module")
def monthly(real_store: Store) -> Panel:
    return real_store.panel("monthly")


def test_the_monthly_benchmark_compounds_as_published(monthly: Panel) -> None:
    assert len(monthly) == 159
    compound = np.prod(1 + monthly.benchmark_returns) ** (12 / 158) - 1
    assert round(compound, 5) == 0.08950
    assert monthly.imputed_weight.max() < 1e-12


def test_the_daily_benchmark_follows_the_monthly_one(daily: Panel, monthly: Panel) -> None:
    assert np.array_equal(daily.sessions[daily.published], monthly.sessions)
    wealth = np.cumprod(1 + daily.benchmark_returns)[daily.published] / np.cumprod(1 + monthly.benchmark_returns)
    assert np.abs(np.diff(np.log(wealth))).max() < 2e-4


@pytest.mark.parametrize(
    ("begin", "end", "apart"),
    [
        ("2006-10-31", "2008-12-31", 3e-4),
        ("2008-12-31", "2012-12-31", 8e-4),
        ("2012-12-31", "2019-12-31", 1e-4),
        ("2006-10-31", "2019-12-31", 3e-4),
    ],
)
def test_the_daily_benchmark_stays_beside_the_published_index(daily: Panel, begin: str, end: str, apart: float) -> None:
    assert daily.index_level is not None
    first, last = (daily.calendar.position(np.datetime64(day)) for day in (begin, end))
    wealth = np.cumprod(1 + daily.benchmark_returns)
    ours, theirs = np.log(wealth[last] / wealth[first]), np.log(daily.index_level[last] / daily.index_level[first])
    years = (np.datetime64(end) - np.datetime64(begin)).astype(int) / 365.25
    assert abs(ours - theirs) / years < apart


def test_returns_cover_most_of_the_weight(daily: Panel) -> None:
    years = daily.sessions.astype("datetime64[Y]").astype(int) + 1970
    missing = {year: daily.imputed_weight[years == year].mean() for year in (2007, 2009, 2012, 2016)}
    assert missing[2007] == pytest.approx(0.13, abs=0.01)
    assert missing[2009] == pytest.approx(0.08, abs=0.01)
    assert missing[2012] == pytest.approx(0.06, abs=0.01)
    assert missing[2016] < 0.001


def test_panels_are_quick(real_store: Store, daily: Panel, monthly: Panel) -> None:
    # processor time, not the clock's: others may share the machine. One store read is warm by now.
    for frequency, limit in (("daily", 3.0), ("monthly", 1.0)):
        started = time.process_time()
        panel = real_store.panel(frequency)
        assert time.process_time() - started < 2 * limit
        assert panel.fingerprint == (daily if frequency == "daily" else monthly).fingerprint


@pytest.fixture(scope="module")
def years(real: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the first fourteen months, raw."""
    members = pd.read_parquet(
        real / "members_monthly.parquet", columns=["date", "asset_id", "sector", "weight", "forward_return"]
    )
    returns = pd.read_parquet(real / "returns_daily.parquet", columns=["date", "asset_id", "total_return"])
    return members[members["date"] <= "2007-12-31"].reset_index(drop=True), returns[
        returns["date"] <= "2007-12-31"
    ].reset_index(drop=True)


def _panel(members: pd.DataFrame, returns: pd.DataFrame, home: Path) -> Panel:
    home.mkdir()
    members.to_parquet(home / "members.parquet")
    returns.to_parquet(home / "returns.parquet")
    ingest(home, home / "store")
    return open_store(home / "store").panel()


def test_no_row_of_the_real_past_depends_on_the_future(years: Any, tmp_path: Path) -> None:
    members, returns = years
    before = _panel(members, returns, tmp_path / "before")
    rng = np.random.default_rng(20071231)
    for at in rng.integers(20, len(before) - 5, size=3):
        cut = pd.Timestamp(before.sessions[at])
        other, garbage = members.copy(), returns.copy()
        snapshots = np.sort(members["date"].unique())
        ends = dict(itertools.pairwise(snapshots))
        ahead = ~(members["date"].map(ends) <= cut)
        other.loc[ahead, "forward_return"] = rng.uniform(-0.2, 0.2, size=int(ahead.sum()))
        later = members["date"] > cut
        other.loc[later, "weight"] = rng.exponential(size=int(later.sum()))
        other.loc[later, "weight"] /= other[later].groupby("date")["weight"].transform("sum")
        other.loc[later, "sector"] = rng.permutation(other.loc[later, "sector"])
        gone = returns["date"] > cut
        garbage.loc[gone, "total_return"] = rng.permutation(garbage.loc[gone, "total_return"].to_numpy())
        after = _panel(other, garbage[~gone | (rng.random(len(gone)) < 0.8)], tmp_path / f"after{at}")
        for name in ("returns", "observed", "benchmark", "published"):
            assert getattr(before, name)[: at + 1].tobytes() == getattr(after, name)[: at + 1].tobytes(), (name, cut)
        assert before.fingerprint != after.fingerprint
