"""Splits that two series of one vendor imply."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gammastar.store.sources.implied import implied_splits, nearest_ratio
from gammastar.store.sources.membership import Spells, spells_from_changes
from gammastar.store.sources.snapshots import month_ends, standing_at, weights_from_values


@pytest.mark.parametrize("ratio", [2.0, 3.0, 1.5, 1.25, 4 / 3, 7.0, 20.0, 50.0, 0.5, 0.1, 0.05, 0.02, 2 / 3, 1.05, 1.1])
@pytest.mark.parametrize("noise", [0.0, 1e-4, -1e-4])
def test_a_ratio_that_a_split_can_be_is_found_through_rounding(ratio, noise):
    assert nearest_ratio(ratio * (1.0 + noise)) == pytest.approx(ratio, rel=1e-15)


@given(st.lists(st.sampled_from([1.0, 1.0, 1.0, 2.0, 0.1, 1.5, 3.0]), min_size=2, max_size=30), st.integers(0, 10**6))
def test_splits_come_back_from_closes_rounded_to_cents(splits, seed):
    """The adjusted close is rounded as vendors publish it, to a thousandth; the split is exact all the same."""
    split = np.array(splits)
    split[0] = 1.0
    later = np.cumprod(split[::-1])[::-1] / split
    traded = 1000.0 + 9000.0 * np.random.default_rng(seed).random(len(split))
    adjusted = traded / later
    adjusted = np.where(adjusted > 1.0, np.round(adjusted, 3), adjusted)
    np.testing.assert_allclose(implied_splits(np.zeros(len(split), dtype=int), traded, adjusted), split, rtol=1e-15)


def test_no_split_is_seen_between_two_assets():
    assert implied_splits(np.array([0, 1]), np.array([10.0, 10.0]), np.array([10.0, 5.0])).tolist() == [1.0, 1.0]


NAMES = st.sampled_from("ABCDE")
DAYS = np.arange("2019-01-01", "2019-03-01", dtype="datetime64[D]")


@given(st.sets(NAMES), st.lists(st.tuples(st.integers(1, 50), NAMES), max_size=12, unique=True))
def test_membership_walked_back_is_membership_walked_forward(first, flips):
    """Two roads: the set carried forward through its changes, and spells walked back from where it ends."""
    inside, changes, history = set(first), [], {}
    for day in range(len(DAYS)):
        for at, name in sorted(flips):
            if at == day:
                changes.append((DAYS[day], "removed" if name in inside else "added", name))
                inside ^= {name}
        history[day] = set(inside)
    spells, odd = spells_from_changes(inside, changes)
    assert odd == ()
    for day, wanted in history.items():
        assert spells.at(DAYS[day]) == wanted


def test_changes_that_contradict_the_present_are_told():
    spells, odd = spells_from_changes({"A"}, [(DAYS[5], "removed", "A"), (DAYS[6], "added", "B")])
    assert {(action, who) for _, action, who in odd} == {("removed", "A"), ("added", "B")}
    assert spells.at(DAYS[0]) == {"A"}


def test_rows_are_inside_spells_to_the_day():
    spells = Spells(("A", "B"), DAYS[[3, 0]], DAYS[[5, 9]])
    codes, dates = np.zeros(10, dtype=int), DAYS[:10]
    np.testing.assert_array_equal(spells.contain(("A", "C"), codes, dates), (np.arange(10) >= 3) & (np.arange(10) <= 5))


def test_a_week_without_a_row_is_the_longest_that_keeps_a_place():
    ends = np.array(["2019-01-31"], dtype="datetime64[D]")
    for back, held in ((0, True), (7, True), (8, False)):
        rows, _ = standing_at(np.zeros(2, dtype=int), np.array([ends[0] - 20, ends[0] - back]), ends)
        assert rows.tolist() == ([1] if held else [])
    assert standing_at(np.zeros(1, dtype=int), ends + 1, ends)[0].tolist() == []


def test_the_last_month_ends_only_near_its_end():
    assert month_ends(np.array(["2019-01-30", "2019-02-15"], dtype="datetime64[D]")).astype(str).tolist() == ["2019-01-30"]
    assert month_ends(np.array(["2019-01-30", "2019-02-26"], dtype="datetime64[D]")).astype(str).tolist() == ["2019-01-30", "2019-02-26"]


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0.01, 1e6)), min_size=1, max_size=30))
def test_weights_of_each_date_sum_to_one_and_keep_proportions(rows):
    date, value = DAYS[np.array([day for day, _ in rows])], np.array([number for _, number in rows])
    weights = weights_from_values(date, value)
    for day in np.unique(date):
        assert weights[date == day].sum() == pytest.approx(1.0, abs=1e-12)
        np.testing.assert_allclose(weights[date == day] * value[date == day].sum(), value[date == day], rtol=1e-12)
