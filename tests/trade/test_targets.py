"""From targets to what is traded now: the band, names that left, targets that stay fixed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from gammastar.market.assets import Assets
from gammastar.market.calendar import Frequency
from gammastar.market.moment import Moment
from gammastar.trade import fixed_targets, left_names, within_band, without_names

EXACT = 1e-12
seeds = st.integers(0, 2**32 - 1)


def moment(observed: np.ndarray, published: np.ndarray, mu: np.ndarray | None = None) -> Moment:
    """Return a market of which only who was observed when, and when weights were published, matters."""
    t, n = observed.shape
    mu = np.full(n, 1.0 / n) if mu is None else mu
    return Moment(
        session=np.datetime64("2015-06-30"),
        assets=Assets(tuple(f"A{i}" for i in range(n))),
        frequency=Frequency.DAILY,
        returns=np.zeros((t, n)),
        observed=observed,
        benchmark=mu,
        benchmark_history=np.tile(mu, (t, 1)),
        published=published,
        sector_labels=("S0",),
        sector_codes=np.zeros(n, dtype=np.int64),
    )


def drawn(seed: int, n: int, *, cash: float = 0.0, spread: float = 0.2) -> tuple[np.ndarray, np.ndarray]:
    """Return weights held (cash last) and the targets they have drifted from."""
    rng = np.random.default_rng(seed)
    target = rng.dirichlet(np.full(n, 0.8))
    target[1:][rng.random(n - 1) < 0.15] = 0.0
    target = np.append(target / target.sum(), 0.0)
    held = np.append(target[:-1] * np.exp(rng.normal(0.0, spread, n)) + (rng.random(n) < 0.1) * 0.01, 0.0)
    held = held / held.sum() * (1.0 - cash)
    held[-1] = cash
    return held, target


def cheapest(held: np.ndarray, target: np.ndarray, width: np.ndarray) -> float:
    """Return the least one-price cost of any weights inside the band, from a linear program."""
    n = len(held)
    eye = np.eye(n)
    objective = np.concatenate((np.zeros(n), np.ones(n - 1), [0.0]))  # cash is traded free
    rows = np.block([[eye, -eye], [-eye, -eye]])
    bounds = [(max(t - w, 0.0), t + w) for t, w in zip(target, width, strict=True)] + [(0.0, None)] * n
    found = linprog(objective, A_ub=rows, b_ub=np.concatenate((held, -held)), A_eq=[[1.0] * n + [0.0] * n], b_eq=[1.0], bounds=bounds)
    assert found.status == 0
    return float(found.fun)


@settings(max_examples=60)
@given(seed=seeds, n=st.integers(2, 25), band=st.floats(1e-4, 0.2), cash=st.sampled_from((0.0, 0.0, 0.03)))
def test_within_band_is_the_cheapest_way_in(seed: int, n: int, band: float, cash: float) -> None:
    held, target = drawn(seed, n, cash=cash)
    reached = within_band(held, target, band)
    assert reached.sum() == pytest.approx(1.0, abs=EXACT)
    assert (reached >= 0.0).all()
    assert (np.abs(reached - target)[:-1] <= band + EXACT).all()
    assert reached[-1] == 0.0
    width = np.append(np.full(n, band), 0.0)
    assert np.abs(reached - held)[:-1].sum() == pytest.approx(cheapest(held, target, width), abs=1e-9)


@settings(max_examples=40)
@given(seed=seeds, n=st.integers(3, 25), band=st.floats(1e-3, 0.2))
def test_names_that_left_have_no_band(seed: int, n: int, band: float) -> None:
    held, target = drawn(seed, n)
    left = np.random.default_rng(seed).random(n) < 0.3
    left[0] = False
    target[:-1][left] = 0.0
    assume(target.sum() > 0.0)
    target /= target.sum()
    reached = within_band(held, target, band, left=left)
    assert (reached[:-1][left] == 0.0).all()
    assert reached.sum() == pytest.approx(1.0, abs=EXACT)
    width = np.append(np.where(left, 0.0, band), 0.0)
    assert np.abs(reached - held)[:-1].sum() == pytest.approx(cheapest(held, target, width), abs=1e-9)


@settings(max_examples=40)
@given(seed=seeds, n=st.integers(2, 25), band=st.floats(1e-4, 0.1))
def test_band_of_nothing_and_of_everything(seed: int, n: int, band: float) -> None:
    held, target = drawn(seed, n)
    assert np.array_equal(within_band(held, target, 0.0), target)
    np.testing.assert_allclose(within_band(held, target, 2.0), held, atol=EXACT)
    inside = within_band(held, target, band)
    np.testing.assert_allclose(within_band(inside, target, band), inside, atol=EXACT)  # inside the band nothing is traded


@settings(max_examples=40)
@given(seed=seeds, n=st.integers(2, 25), band=st.floats(1e-4, 0.1))
def test_a_trade_never_overshoots(seed: int, n: int, band: float) -> None:
    """Each name moves towards its target or stays: nothing is bought that is above its target, nothing sold below."""
    held, target = drawn(seed, n)
    reached = within_band(held, target, band)
    change, gap = reached - held, target - held
    assert (change * gap >= -EXACT).all()
    assert (np.abs(change) <= np.abs(gap) + EXACT).all()


# -- names that left -------------------------------------------------------------------------------------------------

T = 20


def seen(runs: list[int | None], *, sessions: int = T) -> np.ndarray:
    """Return who was observed when: each entry is for how many last sessions that name was not; None: never seen. Row 0 never is."""
    observed = np.ones((sessions, len(runs)), dtype=bool)
    for i, run in enumerate(runs):
        observed[sessions - run if run is not None else 0 :, i] = False
    observed[0] = False
    return observed


def publication(at: int, *, sessions: int = T) -> np.ndarray:
    published = np.zeros(sessions, dtype=bool)
    published[[0, at]] = True
    return published


@pytest.mark.parametrize(("run", "left"), [(0, False), (1, False), (4, False), (5, True), (6, True), (12, True)])
def test_a_name_without_a_return_for_five_sessions_has_left(run: int, left: bool) -> None:
    m = moment(seen([0, run]), publication(2))
    assert left_names(m).tolist() == [False, left]


@pytest.mark.parametrize(
    ("run", "at", "left"),
    [
        (9, T - 2, False),  # it had stopped before weights were published that hold it
        (6, T - 2, False),  # its fifth session without a return was that of the publication
        (5, T - 2, True),  # one later: it stopped after the publication
        (5, T - 1, False),  # its fifth session is that of the publication, now
        (4, T - 1, False),
        (8, T - 5, True),
        (9, T - 5, False),
    ],
)
def test_a_name_that_had_stopped_when_weights_were_published_is_held(run: int, at: int, left: bool) -> None:
    m = moment(seen([0, run]), publication(at))
    assert left_names(m).tolist() == [False, left]


@settings(max_examples=150)
@given(seed=seeds, at=st.integers(0, T - 1), sessions=st.sampled_from((3, 6, T)))
def test_left_names_from_the_words_of_the_convention(seed: int, at: int, sessions: int) -> None:
    """Session by session: stopped is a fifth session running without a return; a publication of weights at or after it calls it back."""
    rng = np.random.default_rng(seed)
    observed = rng.random((sessions, 6)) > rng.choice([0.1, 0.6, 0.9], 6)
    observed[0] = False
    observed[: rng.integers(0, sessions), rng.integers(0, 6)] = False
    observed[:, 5] = False  # never seen
    observed[1:, 4] |= True
    published, mu = publication(min(at, sessions - 1), sessions=sessions), np.array([0.3, 0.3, 0.2, 0.0, 0.1, 0.1])
    expected = np.zeros(6, dtype=bool)
    for i in range(6):
        run, stopped, ever = 0, False, False
        for t in range(sessions):
            ever |= bool(observed[t, i])
            run = 0 if observed[t, i] else run + 1
            stopped = False if observed[t, i] else (stopped or (run == 5 and ever))
            if published[t]:
                stopped = False
        expected[i] = stopped or mu[i] == 0.0
    assert left_names(moment(observed, published, mu)).tolist() == expected.tolist()


def test_a_name_outside_the_benchmark_has_left_and_one_never_seen_has_not() -> None:
    m = moment(seen([0, 0, None]), publication(3), np.array([0.5, 0.0, 0.5]))
    assert left_names(m).tolist() == [False, True, False]


# -- fixed targets ---------------------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(seed=seeds, n=st.integers(4, 20))
def test_fixed_targets(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    mu, targets = rng.dirichlet(np.ones(n)), rng.dirichlet(np.ones(n))
    runs: list[int | None] = [int(rng.choice([0, 0, 0, 7])) for _ in range(n)]
    runs[0] = 0
    reset = rng.random(n) < 0.3
    reset[0] = False
    mu[1] = 0.0
    mu /= mu.sum()
    m = moment(seen(runs), publication(2), mu)
    left = np.array([run == 7 for run in runs]) | (mu == 0.0)
    now = fixed_targets(targets, reset, m)
    assert now.sum() == pytest.approx(1.0, abs=EXACT)
    assert (now[left] == 0.0).all()
    np.testing.assert_allclose(now[reset & ~left], mu[reset & ~left], atol=EXACT)
    rest = ~left & ~reset
    ratio = now[rest] / targets[rest]
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-12)  # pro rata
    nobody = np.zeros(n, dtype=bool)
    still = moment(seen([0] * n), publication(2), rng.dirichlet(np.ones(n)))
    np.testing.assert_allclose(fixed_targets(targets, nobody, still), targets, rtol=1e-12)


def test_fixed_targets_where_every_name_is_reset_are_the_benchmark() -> None:
    mu = np.array([0.5, 0.3, 0.2])
    m = moment(seen([0, 0, 0]), publication(2), mu)
    np.testing.assert_allclose(fixed_targets(np.array([0.2, 0.3, 0.5]), np.ones(3, dtype=bool), m), mu, atol=EXACT)


@settings(max_examples=40)
@given(seed=seeds, n=st.integers(3, 20), cash=st.floats(0.0, 0.2))
def test_without_names_spreads_their_weight_pro_rata(seed: int, n: int, cash: float) -> None:
    rng = np.random.default_rng(seed)
    weights = np.append(rng.dirichlet(np.ones(n)) * (1.0 - cash), cash)
    left = rng.random(n) < 0.3
    left[0] = False
    now = without_names(weights, left)
    assert now.sum() == pytest.approx(1.0, abs=EXACT)
    assert now[-1] == cash
    assert (now[:-1][left] == 0.0).all()
    ratio = now[:-1][~left] / weights[:-1][~left]
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-12)
