"""Panels out of a store: the benchmark drifts and jumps, groups and labels are those known, and the future changes nothing."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from gammastar.errors import DataError
from gammastar.market.calendar import Clock, Frequency
from gammastar.store import ingest, open_store

if TYPE_CHECKING:
    from pathlib import Path

    from gammastar.market.panel import Panel


def stored(draft: Any, home: Path, frequency: str = "daily") -> Panel:
    ingest(draft.write(home / "dataset", "parquet"), home / "store")
    return open_store(home / "store").panel(frequency)


def same_until(before: Panel, after: Panel, cut: int) -> None:
    """Check that two panels of the same names are identical to the bit up to a position."""
    assert np.array_equal(before.sessions[: cut + 1], after.sessions[: cut + 1])
    assert before.assets.ids == after.assets.ids
    for name in ("returns", "observed", "benchmark", "published"):
        assert getattr(before, name)[: cut + 1].tobytes() == getattr(after, name)[: cut + 1].tobytes(), name
    labels = [np.array(panel.sectors.labels)[panel.sectors.codes[: cut + 1]] for panel in (before, after)]
    assert np.array_equal(*labels)


def poisoned(draft: Any, cut: np.datetime64, rng: np.random.Generator) -> Any:
    """Replace all that is dated after `cut`, or became known after it, by garbage."""
    members, returns = draft.members, draft.returns
    later = members["date"].astype("datetime64[s]").to_numpy() > cut
    dates = np.unique(members["date"].astype("datetime64[s]").to_numpy())
    ends = np.append(dates[1:], np.datetime64("2100-01-01"))
    ahead = ends[np.searchsorted(dates, members["date"].astype("datetime64[s]").to_numpy())] > cut
    members.loc[later, "sector"] = rng.choice(["Aerospace", "Zinc", "Energy", None], size=int(later.sum()))
    members.loc[ahead, "forward_return"] = rng.uniform(-0.2, 0.2, size=int(ahead.sum()))
    garbage = pd.Series(rng.exponential(size=int(later.sum())), index=members.index[later])
    members.loc[later, "weight"] = garbage / garbage.groupby(members.loc[later, "date"]).transform("sum")
    gone = returns["date"].astype("datetime64[s]").to_numpy() > cut
    returns.loc[gone, "total_return"] = rng.uniform(-0.15, 0.15, size=int(gone.sum()))
    draft.returns = returns[~(gone & (rng.random(len(returns)) < 0.3))]
    return draft


@pytest.mark.parametrize("seed", range(8))
def test_the_future_changes_no_row_of_the_past(seed: int, make: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    before = stored(make(5, share_missing=0.3), tmp_path / "before")
    at = int(rng.integers(5, len(before) - 5))
    bad = poisoned(make(5, share_missing=0.3), before.sessions[at].astype("datetime64[s]"), rng)
    after = stored(bad, tmp_path / "after")
    same_until(before, after, at)
    assert before.fingerprint != after.fingerprint


def test_the_future_changes_no_row_of_the_monthly_past(make: Any, tmp_path: Path) -> None:
    draft = make(5)
    draft.members.loc[[2, 9, 12], "forward_return"] = np.nan
    before = stored(draft, tmp_path / "before", "monthly")
    bad = poisoned(draft, before.sessions[2].astype("datetime64[s]"), np.random.default_rng(0))
    same_until(before, stored(bad, tmp_path / "after", "monthly"), 2)


def test_weights_jump_at_snapshots_and_drift_between(draft: Any, tmp_path: Path) -> None:
    panel = stored(draft, tmp_path)
    grown = panel.benchmark[:-1] * (1 + panel.returns[1:])
    drifted = grown / grown.sum(axis=1, keepdims=True)
    between = ~panel.published[1:]
    np.testing.assert_allclose(panel.benchmark[1:][between], drifted[between], atol=1e-15)
    weights = draft.members.pivot_table(index="date", columns="asset_id", values="weight")
    np.testing.assert_allclose(panel.benchmark[panel.published], weights.to_numpy(), atol=1e-15)
    assert [str(day) for day in panel.sessions[panel.published]] == list(weights.index)
    assert panel.assets.ids == tuple(str(7 * k) for k in range(1, 9))


def test_the_calendar_knows_the_session_that_follows(draft: Any, tmp_path: Path) -> None:
    panel = stored(draft, tmp_path)
    assert (str(panel.sessions[0]), str(panel.sessions[-1]), str(panel.calendar.following)) == (
        "2018-10-31",
        "2019-02-28",
        "2019-03-01",
    )
    assert np.array_equal(panel.calendar.ticks(Clock.MONTHLY), panel.published)
    assert panel.frequency is Frequency.DAILY
    assert not panel.returns[0].any()
    assert not panel.observed[0].any()


def test_two_frequencies_tell_one_story(draft: Any, tmp_path: Path) -> None:
    daily = stored(draft, tmp_path)
    monthly = open_store(tmp_path / "store").panel("monthly")
    assert np.array_equal(monthly.sessions, daily.sessions[daily.published])
    at = np.flatnonzero(daily.published)
    compound = np.array([np.prod(1 + daily.returns[a + 1 : b + 1], axis=0) - 1 for a, b in itertools.pairwise(at)])
    np.testing.assert_allclose(monthly.returns[1:], compound, atol=1e-12)
    wealth = [np.prod(1 + panel.benchmark_returns) for panel in (daily, monthly)]
    assert wealth[0] == pytest.approx(wealth[1], abs=1e-12)
    assert str(monthly.calendar.following) == "2019-03-01"
    assert monthly.published.all()
    assert monthly.observed[1:].all()


def test_a_member_without_daily_returns_is_whole_by_the_month(make: Any, tmp_path: Path) -> None:
    draft = make()
    draft.returns = draft.returns[draft.returns["asset_id"] != 7]
    daily = stored(draft, tmp_path)
    monthly = open_store(tmp_path / "store").panel("monthly")
    assert not daily.observed[:, 0].any()
    at = np.flatnonzero(daily.published)
    compound = [np.prod(1 + daily.returns[a + 1 : b + 1, 0]) - 1 for a, b in itertools.pairwise(at)]
    assert compound == pytest.approx(monthly.returns[1:, 0].tolist(), abs=1e-12)


def test_groups_are_those_of_the_latest_snapshot(draft: Any, tmp_path: Path) -> None:
    draft.members.loc[draft.members["date"] >= "2018-12-31", "sector"] = draft.members["sector"].replace(
        "Energy", "Power"
    )
    draft.members.loc[(draft.members["date"] == "2018-11-30") & (draft.members["asset_id"] == 14), "sector"] = "n/a"
    panel = stored(draft, tmp_path)
    assert panel.sectors.labels == ("Energy", "Power", "Utilities", "Unknown")
    told = np.array(panel.sectors.labels)[panel.sectors.codes[:, 1]]
    expected = np.where(
        panel.sessions < np.datetime64("2018-11-30"),
        "Energy",
        np.where(panel.sessions < np.datetime64("2018-12-31"), "Unknown", "Power"),
    )
    assert np.array_equal(told, expected)


def test_a_name_is_unknown_before_it_enters_and_keeps_its_group_after_it_left(make: Any, tmp_path: Path) -> None:
    draft = make()
    members = draft.members
    kept = members[
        ~((members["asset_id"] == 7) & (members["date"] < "2018-12-01"))
        & ~((members["asset_id"] == 14) & (members["date"] > "2019-01-01"))
    ].copy()
    kept["weight"] /= kept.groupby("date")["weight"].transform("sum")
    draft.members = kept
    panel = stored(draft, tmp_path)
    told = np.array(panel.sectors.labels)[panel.sectors.codes]
    assert set(told[panel.sessions < np.datetime64("2018-12-31"), 0]) == {"Unknown"}
    assert set(told[panel.sessions >= np.datetime64("2018-12-31"), 0]) == {"Utilities"}
    assert set(told[:, 1]) == {"Energy"}
    assert not panel.benchmark[panel.sessions >= np.datetime64("2019-01-31"), 1].any()


def test_labels_are_the_last_known(draft: Any, tmp_path: Path) -> None:
    last = (draft.members["date"] == "2019-01-31") & (draft.members["asset_id"] == 7)
    draft.members.loc[last, ["ticker", "name"]] = ["NEW", "New Name"]
    draft.members.loc[(draft.members["date"] > "2019-01-31") & (draft.members["asset_id"] == 7), ["ticker", "name"]] = (
        None
    )
    draft.members.loc[draft.members["asset_id"] == 14, ["ticker", "name"]] = None
    assets = stored(draft, tmp_path).assets
    assert (assets.tickers[0], assets.names[0]) == ("NEW", "New Name")
    assert (assets.tickers[1], assets.names[1]) == ("14", "14")


def test_late_weights_take_effect_when_they_are_known(make: Any, tmp_path: Path) -> None:
    plain = stored(make(), tmp_path / "plain")
    draft = make()
    draft.members["known"] = draft.members["date"].replace({"2018-12-31": "2019-01-03"})
    late = stored(draft, tmp_path / "late")
    at, known = (
        plain.calendar.position(np.datetime64("2018-12-31")),
        plain.calendar.position(np.datetime64("2019-01-03")),
    )
    assert [str(day) for day in late.sessions[late.published]][2] == "2019-01-03"
    grown = late.benchmark[at - 1] * np.prod(1 + late.returns[at:known], axis=0)
    np.testing.assert_allclose(late.benchmark[known - 1], grown / grown.sum(), atol=1e-15)
    np.testing.assert_allclose(late.benchmark[known:], plain.benchmark[known:], atol=1e-15)
    with pytest.raises(DataError, match="no monthly panel"):
        open_store(tmp_path / "late" / "store").panel("monthly")


def test_a_panel_begins_when_the_first_weights_are_known(make: Any, tmp_path: Path) -> None:
    plain = stored(make(), tmp_path / "plain")
    draft = make()
    draft.members["known"] = draft.members["date"].replace({"2018-10-31": "2018-11-02"})
    late = stored(draft, tmp_path / "late")
    assert str(late.sessions[0]) == "2018-11-02"
    assert late.published[0]
    assert not late.returns[0].any()
    assert not late.observed[0].any()
    np.testing.assert_allclose(late.benchmark, plain.benchmark[2:], atol=1e-15)


def test_a_late_return_is_missing_at_its_session(draft: Any, tmp_path: Path) -> None:
    draft.returns["known"] = draft.returns["date"]
    draft.returns.loc[8, "known"] = "2018-11-30"
    panel = stored(draft, tmp_path)
    assert not panel.observed[2, 0]
    assert panel.observed[2, 1:].all()
    assert panel.returns[2, 0] != draft.returns.loc[8, "total_return"]


def test_returns_marked_estimated_are_used_and_not_observed(draft: Any, tmp_path: Path) -> None:
    draft.returns["estimated"] = draft.returns.index == 8
    panel = stored(draft, tmp_path)
    assert panel.returns[2, 0] == draft.returns.loc[8, "total_return"]
    assert not panel.observed[2, 0]
    assert int((~panel.observed[1:]).sum()) == 1


def test_prices_are_there_when_they_are_complete(make: Any, tmp_path: Path) -> None:
    draft = make(share_missing=0.1)
    draft.returns["price"] = 50.0 + np.arange(len(draft.returns)) % 17
    draft.returns["split"] = np.where(draft.returns.index == 40, 2.0, np.nan)
    draft.members["price"] = 49.0
    panel = stored(draft, tmp_path / "whole")
    assert panel.prices is not None
    rows = draft.returns[draft.returns["date"] == "2018-11-07"].set_index("asset_id")["price"]
    told = panel.prices.close[panel.calendar.position(np.datetime64("2018-11-07"))]
    for asset, price in rows.items():
        assert told[panel.assets.index[str(asset)]] == price
    assert (panel.prices.close[0] == 49.0).all()
    assert np.count_nonzero(panel.prices.split != 1.0) == 1
    missing = np.argwhere(~panel.observed & ~panel.published[:, None])
    assert len(missing) > 20
    for t, column in missing:
        assert panel.prices.close[t, column] == panel.prices.close[t - 1, column], (
            "carried over a session without a price"
        )
    draft.returns.loc[3, "price"] = np.nan
    assert stored(draft, tmp_path / "hole").prices is None
    draft.returns = draft.returns.drop(columns="price")
    assert stored(draft, tmp_path / "none").prices is None


def test_the_published_index_stands_at_the_session_before_a_weekend(draft: Any, tmp_path: Path) -> None:
    draft.index = pd.DataFrame(
        {"date": ["1999-12-31", "2018-10-31", "2019-01-31", "2019-02-24"], "level": [1.0, 100.0, 103.0, 104.0]}
    )
    panel = stored(draft, tmp_path)
    told = {str(day): level for day, level in zip(panel.sessions, panel.index_level, strict=True) if np.isfinite(level)}
    assert told == {"2018-10-31": 100.0, "2019-01-31": 103.0, "2019-02-22": 104.0}
    draft.index = draft.index.head(1)
    assert stored(draft, tmp_path / "none").index_level is None


def test_weights_rounded_by_the_publisher_are_divided_by_their_sum(draft: Any, tmp_path: Path) -> None:
    draft.members["weight"] = (draft.members["weight"] * 0.999).round(4)
    panel = stored(draft, tmp_path)
    np.testing.assert_allclose(panel.benchmark.sum(axis=1), 1.0, atol=1e-14)


def test_rows_of_weight_zero_tell_a_group_and_are_no_snapshot(draft: Any, tmp_path: Path) -> None:
    note = pd.DataFrame(
        {"date": ["2018-11-14"], "asset_id": [1000], "weight": [0.0], "sector": ["Energy"], "ticker": ["NXT"]}
    )
    draft.members = pd.concat((draft.members, note), ignore_index=True)
    draft.returns = pd.concat(
        (draft.returns, draft.returns[draft.returns["asset_id"] == 7].assign(asset_id=1000)), ignore_index=True
    )
    panel = stored(draft, tmp_path)
    column = panel.assets.index["1000"]
    assert int(panel.published.sum()) == 5
    assert not panel.benchmark[:, column].any()
    assert panel.observed[1:, column].all()
    told = np.array(panel.sectors.labels)[panel.sectors.codes[:, column]]
    assert np.array_equal(told == "Energy", panel.sessions >= np.datetime64("2018-11-14"))


def test_ids_that_are_numbers_stand_in_the_order_of_their_values(draft: Any, tmp_path: Path) -> None:
    draft.members["asset_id"] = draft.members["asset_id"] * 1000 + 1
    draft.returns["asset_id"] = draft.returns["asset_id"] * 1000 + 1
    assert stored(draft, tmp_path).assets.ids[:2] == ("7001", "14001")
