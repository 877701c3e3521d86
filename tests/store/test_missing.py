"""Missing returns: the vectorised pass against one written name by name, and the laws it keeps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gammastar.market.missing import PATIENCE, Filled, Snapshots, fill_missing

Market = tuple[np.ndarray, np.ndarray, np.ndarray, Snapshots]


def random_market(
    seed: int, *, sessions: int = 60, names: int = 7, share_missing: float = 0.25, late: bool = False
) -> Market:
    """Return raw returns with runs of gaps, estimated cells, sectors that change, and snapshots whose members come and go."""
    rng = np.random.default_rng(seed)
    raw = 0.03 * rng.standard_normal((sessions, names))
    raw[rng.random(raw.shape) < share_missing] = np.nan
    for _ in range(names // 2):
        begin = int(rng.integers(1, sessions))
        raw[begin : begin + int(rng.integers(3, 25)), int(rng.integers(names))] = np.nan
    raw[:, 0] = np.nan  # never observed
    raw[sessions // 2 :, 1] = np.nan  # stops for good
    estimated = np.isfinite(raw) & (rng.random(raw.shape) < 0.05)
    at = np.unique(np.append(0, rng.integers(1, sessions, size=sessions // 12)))
    weights = rng.dirichlet(np.ones(names), size=len(at)) * (rng.random((len(at), names)) < 0.8)
    weights[:, 2] += 0.1
    forward = np.where(rng.random(weights.shape) < 0.6, 0.1 * rng.standard_normal(weights.shape), np.nan)
    sectors = np.repeat(rng.integers(0, 3, size=(sessions // 10, names)), 10, axis=0)
    effective = np.minimum(at + rng.integers(0, 4, size=len(at)), sessions - 1) if late else at
    return raw, estimated, sectors, Snapshots(at, effective, weights / weights.sum(axis=1, keepdims=True), forward)


def by_name(
    raw: np.ndarray, estimated: np.ndarray, sectors: np.ndarray, snapshots: Snapshots
) -> tuple[np.ndarray, np.ndarray]:
    """Return completed returns and benchmark, by the words of the policy: cell by cell, with history looked up anew each time."""
    sessions, names = raw.shape
    returns, benchmark = np.zeros(raw.shape), np.zeros(raw.shape)
    benchmark[0] = snapshots.weights[0]
    observed = np.isfinite(raw) & ~estimated
    observed[0] = False
    told = [[] for _ in range(names)]  # sessions whose value is known, for each name
    at = list(snapshots.at)
    for t in range(1, sessions):
        weight = benchmark[t - 1]
        for i in range(names):
            if np.isfinite(raw[t, i]):
                returns[t, i] = raw[t, i]
                continue
            seen = [s for s in range(1, t) if observed[s, i]]
            held = [s for s in range(t) if benchmark[s, i] > 0]
            run = t - seen[-1] if seen else None
            if (
                weight[i] > 0
                or (run is not None and run <= PATIENCE)
                or (run is None and held and t - held[-1] - 1 <= PATIENCE)
            ):
                for group in (sectors[t - 1] == sectors[t - 1, i], np.ones(names, dtype=bool)):
                    use = group & observed[t] & (weight > 0)
                    if use.any():
                        returns[t, i] = np.average(raw[t, use], weights=weight[use])
                        break
            if run == PATIENCE:
                since = told[i][-1] + 1
                returns[t, i] = 1 / np.prod(1 + returns[since:t, i]) - 1
            if t in at[1:]:
                k = at.index(t) - 1
                if np.isfinite(snapshots.forward[k, i]):
                    returns[t, i] = (1 + snapshots.forward[k, i]) / np.prod(1 + returns[at[k] + 1 : t, i]) - 1
        for i in range(names):
            seen = [s for s in range(1, t + 1) if observed[s, i]]
            month_end = t in at[1:] and np.isfinite(snapshots.forward[at.index(t) - 1, i])
            if np.isfinite(raw[t, i]) or (seen and t - seen[-1] == PATIENCE) or month_end:
                told[i].append(t)
        grown = weight * (1 + returns[t])
        benchmark[t] = grown / grown.sum()
        newest = [k for k in range(len(at)) if snapshots.effective[k] <= t]
        if newest and snapshots.effective[newest[-1]] == t:
            grown = snapshots.weights[newest[-1]] * np.prod(1 + returns[at[newest[-1]] + 1 : t + 1], axis=0)
            benchmark[t] = grown / grown.sum()
    return returns, benchmark


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_the_pass_agrees_with_the_policy_read_cell_by_cell(seed: int, late: bool) -> None:
    market = random_market(seed, late=late)
    filled = fill_missing(*market)
    returns, benchmark = by_name(*market)
    np.testing.assert_allclose(filled.returns, returns, atol=1e-12)
    np.testing.assert_allclose(filled.benchmark, benchmark, atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), cut=st.integers(1, 58))
def test_nothing_after_a_session_changes_what_was_filled_by_then(seed: int, cut: int) -> None:
    raw, estimated, sectors, snapshots = random_market(seed, late=bool(seed % 2))
    assume(snapshots.effective[0] <= cut)  # before that no panel has a session
    before = fill_missing(raw, estimated, sectors, snapshots)
    other_raw, other_estimated, other_sectors, _ = random_market(seed + 1)
    rng = np.random.default_rng(seed)
    past = np.arange(len(raw))[:, None] <= cut
    ends = np.append(snapshots.at[1:], len(raw))  # a forward return is known when its period ends
    known = snapshots.effective <= cut
    poisoned = Snapshots(
        snapshots.at,
        np.where(known, snapshots.effective, np.maximum(snapshots.at, cut + 1)),
        np.where(known[:, None], snapshots.weights, rng.dirichlet(np.ones(raw.shape[1]), size=len(known))),
        np.where((ends <= cut)[:, None], snapshots.forward, rng.uniform(-0.9, 3.0, size=snapshots.forward.shape)),
    )
    after = fill_missing(
        np.where(past, raw, 7.0 * other_raw),
        np.where(past, estimated, other_estimated),
        np.where(past, sectors, other_sectors + 4),
        poisoned,
    )
    for name in ("returns", "observed", "benchmark", "published"):
        assert getattr(before, name)[: cut + 1].tobytes() == getattr(after, name)[: cut + 1].tobytes(), name


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_laws_of_filled_returns(seed: int) -> None:
    raw, estimated, sectors, snapshots = random_market(seed)
    filled = fill_missing(raw, estimated, sectors, snapshots)
    given_cells = np.isfinite(raw)
    given_cells[0] = False
    assert np.array_equal(filled.returns[given_cells], raw[given_cells])
    assert np.array_equal(filled.observed, given_cells & ~estimated)
    assert np.isfinite(filled.returns).all()
    assert (filled.benchmark >= 0).all()
    np.testing.assert_allclose(filled.benchmark.sum(axis=1), 1.0, atol=1e-14)
    counts = filled.filling
    assert counts.given == int((estimated & given_cells).sum())
    filled_cells = counts.sector + counts.market + counts.month_end + counts.last_price
    assert np.count_nonzero(filled.returns[~given_cells]) <= filled_cells <= int((~given_cells[1:]).sum())
    for opened, (begin, end) in enumerate(zip(snapshots.at[:-1], snapshots.at[1:], strict=True)):
        compound = np.prod(1 + filled.returns[begin + 1 : end + 1], axis=0) - 1
        told = np.isfinite(snapshots.forward[opened]) & ~given_cells[end]
        np.testing.assert_allclose(compound[told], snapshots.forward[opened][told], atol=1e-12)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_permuting_names_permutes_the_answer(seed: int) -> None:
    raw, estimated, sectors, snapshots = random_market(seed)
    order = np.random.default_rng(seed).permutation(raw.shape[1])
    straight = fill_missing(raw, estimated, sectors, snapshots)
    turned = fill_missing(
        raw[:, order],
        estimated[:, order],
        sectors[:, order],
        Snapshots(snapshots.at, snapshots.effective, snapshots.weights[:, order], snapshots.forward[:, order]),
    )
    np.testing.assert_allclose(turned.returns, straight.returns[:, order], atol=1e-13)
    np.testing.assert_allclose(turned.benchmark, straight.benchmark[:, order], atol=1e-13)


@pytest.mark.parametrize("where", [0, 3, 6])
def test_columns_nobody_holds_change_no_rounding(where: int) -> None:
    raw, estimated, sectors, snapshots = random_market(5)
    wide = [
        np.insert(array, [where] * 40, value, axis=1)
        for array, value in ((raw, 0.01), (estimated, False), (sectors, 9))
    ]
    weights, forward = (
        np.insert(array, [where] * 40, value, axis=1)
        for array, value in ((snapshots.weights, 0.0), (snapshots.forward, np.nan))
    )
    kept = np.delete(np.arange(raw.shape[1] + 40), np.arange(where, where + 40))
    narrow, broad = (
        fill_missing(raw, estimated, sectors, snapshots),
        fill_missing(*wide, Snapshots(snapshots.at, snapshots.effective, weights, forward)),
    )
    assert narrow.returns.tobytes() == np.ascontiguousarray(broad.returns[:, kept]).tobytes()
    assert narrow.benchmark.tobytes() == np.ascontiguousarray(broad.benchmark[:, kept]).tobytes()


def _two_names(gaps: slice, *, forward: float = np.nan, member_until: int | None = None, sessions: int = 20) -> Filled:
    """One name with a gap beside one without, both in one sector; a snapshot at 0, another at `member_until` without the first, or at 10."""
    raw = np.full((sessions, 2), 0.01)
    raw[gaps, 0] = np.nan
    second = 10 if member_until is None else member_until
    weights = np.array([[0.5, 0.5], [0.5, 0.5] if member_until is None else [0.0, 1.0]])
    snapshots = Snapshots(
        np.array([0, second]), np.array([0, second]), weights, np.array([[forward, np.nan], [np.nan, np.nan]])
    )
    return fill_missing(raw, np.zeros(raw.shape, dtype=bool), np.zeros(raw.shape, dtype=np.int64), snapshots)


def test_a_short_gap_earns_the_sector() -> None:
    filled = _two_names(slice(3, 6))
    assert filled.returns[3:6, 0] == pytest.approx(0.01)
    assert not filled.observed[3:6, 0].any()
    assert filled.filling.sector == 3


def test_the_fifth_session_takes_the_name_back_to_its_last_price() -> None:
    filled = _two_names(slice(3, 20))
    assert np.prod(1 + filled.returns[3:8, 0]) == pytest.approx(1.0, abs=1e-15)
    assert (filled.filling.sector, filled.filling.last_price) == (16, 1)
    assert filled.returns[8:, 0] == pytest.approx(0.01), "still in the benchmark: the sector's return again"


def test_the_period_end_rule_comes_before_the_last_price() -> None:
    filled = _two_names(slice(6, 20), forward=-0.4)  # the fifth session without a return is the period's last, 10
    assert np.prod(1 + filled.returns[1:11, 0]) == pytest.approx(0.6)
    assert filled.filling.last_price == 0


def test_a_known_period_return_is_not_undone_by_the_last_price() -> None:
    filled = _two_names(
        slice(9, 20), forward=-0.4
    )  # the period ends at the second session of the run; the fifth is session 13
    assert np.prod(1 + filled.returns[1:11, 0]) == pytest.approx(0.6)
    assert np.prod(1 + filled.returns[11:14, 0]) == pytest.approx(1.0)


def test_an_observed_last_session_is_not_touched_but_counted() -> None:
    filled = _two_names(slice(4, 6), forward=0.5)
    assert filled.filling.uncorrected == 1
    assert filled.filling.month_end == 0
    assert filled.returns[:, 0].max() == pytest.approx(0.01)


def test_after_leaving_a_name_earns_five_sessions_and_then_nothing() -> None:
    filled = _two_names(slice(1, 20), member_until=6)  # never observed
    assert filled.returns[1:12, 0] == pytest.approx(0.01)
    assert not filled.returns[12:, 0].any()
    stopped = _two_names(slice(5, 20), member_until=7)  # observed until 4
    assert np.prod(1 + stopped.returns[5:10, 0]) == pytest.approx(1.0)
    assert not stopped.returns[10:, 0].any()


def test_without_the_sector_the_market_stands_in() -> None:
    raw = np.array([[np.nan] * 3, [np.nan, 0.02, -0.01]])
    snapshots = Snapshots(np.array([0]), np.array([0]), np.array([[0.5, 0.2, 0.3]]), np.full((1, 3), np.nan))
    filled = fill_missing(raw, np.zeros(raw.shape, dtype=bool), np.array([[0, 1, 1], [0, 1, 1]]), snapshots)
    assert filled.returns[1, 0] == pytest.approx((0.2 * 0.02 - 0.3 * 0.01) / 0.5)
    assert (filled.filling.market, filled.filling.sector) == (1, 0)


@pytest.mark.parametrize(
    ("at", "effective", "message"),
    [
        ([1, 3], [1, 3], "begin at the first"),
        ([0, 0], [0, 0], "increase"),
        ([0, 5], [0, 4], "known before"),
        ([0], [0, 1], "one entry"),
    ],
)
def test_snapshots_that_make_no_sense_are_refused(at: list[int], effective: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Snapshots(np.array(at), np.array(effective), np.ones((len(at), 1)), np.ones((len(at), 1)))


def test_shapes_must_agree() -> None:
    raw, estimated, sectors, snapshots = random_market(0)
    with pytest.raises(ValueError, match="must agree"):
        fill_missing(raw[:, 1:], estimated, sectors, snapshots)
