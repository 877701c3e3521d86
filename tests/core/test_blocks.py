"""Decomposition in blocks: what the whole gives, whatever the block, in bounded memory."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gammastar.core.blocks import GeneratedParts, decompose_blocks, decompose_stream
from gammastar.core.decomposition import decompose
from gammastar.core.generating import Composite, Diversity, Entropy, GeneratingFunction

if TYPE_CHECKING:
    from pathlib import Path

STEP, RUN = 1e-12, 1e-10
NAMES = ("boundary", "l_divergence", "flow")
FUNCTIONS: dict[str, GeneratingFunction] = {
    **{f"diversity {p}": Diversity(p) for p in (-1.5, -1.0, -0.4, 0.0, 0.001, 0.01, 0.05, 0.5, 0.76, 1.0, 2.0, 3.0)},
    "entropy": Entropy(0.1),
    "product": Composite(((Diversity(0.5), 0.5), (Entropy(), 0.3))),
}
few = settings(max_examples=6)


def history(seed: int, steps: int, n: int, *, flow: float, spare: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return weights and gross returns; `flow` is the size of what moves weights beside returns, `spare` names wait outside; names join and leave, not always in pairs."""
    rng = np.random.default_rng(seed)
    gross = np.exp(rng.normal(0.0003, 0.02, (steps, n)))
    mu = np.empty((steps + 1, n))
    mu[0] = rng.pareto(1.5, n) + 0.05
    mu[0, n - spare :] = 0.0
    mu[0] /= mu[0].sum()
    for t in range(steps):
        mu[t + 1] = mu[t] * gross[t] * np.where(rng.random(n) < 0.2, np.exp(rng.normal(0.0, flow, n)), 1.0)
        if spare and t % 5 == 2:
            waiting = np.flatnonzero(mu[t + 1] == 0.0)
            if len(waiting) and rng.random() < 0.7:
                mu[t + 1, rng.choice(waiting)] = mu[t + 1].mean()
            if rng.random() < 0.6:
                mu[t + 1, rng.choice(np.flatnonzero(mu[t + 1]))] = 0.0
        mu[t + 1] /= mu[t + 1].sum()
    return mu, gross


def plain(function: GeneratingFunction, mu: np.ndarray, gross: np.ndarray) -> GeneratedParts:
    """The definition, step by step."""
    parts = np.empty((3, len(gross)))
    for t, moved in enumerate(gross):
        nu = mu[t] * moved / (mu[t] @ moved)
        held = mu[t] > 0.0
        before, drifted, after = (float(function.log_value(weights[None])[0]) for weights in (mu[t], nu, mu[t + 1]))
        relative = np.log(function.weights(mu[t])[held] @ (nu[held] / mu[t][held]))
        parts[:, t] = after - before, relative - (drifted - before), drifted - after
    return GeneratedParts(*parts)


@pytest.mark.parametrize("name", FUNCTIONS)
@few
@given(seed=st.integers(0, 2**32 - 1), flow=st.sampled_from((0.0, 1e-4, 0.003, 0.2)), spare=st.integers(0, 3), rows=st.integers(1, 40))
def test_blocks_are_the_whole(name: str, seed: int, flow: float, spare: int, rows: int) -> None:
    """The short series and the power itself, names that enter and leave, every length of block."""
    function, (mu, gross) = FUNCTIONS[name], history(seed, 30, 20, flow=flow, spare=spare)
    whole, blocks = plain(function, mu, gross), decompose_blocks(function, mu, gross, block_bytes=rows * 20 * 40)
    for part in NAMES:
        np.testing.assert_allclose(getattr(blocks, part), getattr(whole, part), atol=STEP)
    relative = np.log(np.sum(function.weights(mu[:-1]) * gross, axis=1) / np.sum(mu[:-1] * gross, axis=1))
    np.testing.assert_allclose(blocks.total, relative, atol=STEP)
    assert blocks.total.sum() == pytest.approx(relative.sum(), abs=RUN)


@pytest.mark.parametrize("name", FUNCTIONS)
@few
@given(seed=st.integers(0, 2**32 - 1), flow=st.sampled_from((0.0, 1e-4, 0.2)), wait=st.integers(1, 29), last=st.booleans())
def test_the_two_routes_are_one(name: str, seed: int, flow: float, wait: int, last: bool) -> None:
    """A schedule that waits once is followed from rebalance to rebalance; all other steps are those of the blocks, and the last may have no flow."""
    function, (mu, gross) = FUNCTIONS[name], history(seed, 30, 20, flow=flow, spare=2)
    formed = np.ones(31, dtype=bool)
    formed[-1] = last
    blocks, every = decompose_blocks(function, mu, gross), decompose(function, mu, gross, formed)
    formed[wait] = False
    waited = decompose(function, mu, gross, formed)
    others = np.delete(np.arange(30), [wait - 1, wait] + ([] if last else [29]))
    for part in NAMES:
        np.testing.assert_allclose(getattr(waited, part)[others], getattr(blocks, part)[others], atol=STEP)
        np.testing.assert_allclose(getattr(every, part)[:-1], getattr(blocks, part)[:-1], atol=STEP)
    assert every.flow[-1] == (blocks.flow[-1] if last else 0.0)
    np.testing.assert_allclose(every.total, blocks.total, atol=STEP)


@pytest.mark.parametrize("p", [-1.0, -0.5, 0.5, 0.76, 2.0])
def test_the_series_has_all_the_terms_it_needs(p: float) -> None:
    """At its far end, to rounding: one of three equal names a little above, the others below, by nearly what is still called close."""
    mu = np.full((2, 3), 1.0 / 3.0)
    mu[1] *= (1.0 - 0.0058, 1.0, 1.0)
    mu[1] /= mu[1].sum()
    nu = np.full(3, 1.0 / 3.0)
    assert 3.8e-3 < np.abs(nu / mu[1] - 1.0).max() < 4e-3
    x = np.log1p(nu / mu[1] - 1.0)
    pi = mu[1] ** p / np.sum(mu[1] ** p)
    exact = np.log1p(pi @ np.expm1(p * x)) / p
    assert decompose_blocks(Diversity(p), mu, np.ones((1, 3))).flow[0] == pytest.approx(exact, abs=3e-15)


def test_the_block_changes_no_bit() -> None:
    """What one session gives does not depend on the sessions worked on beside it."""
    mu, gross = history(5, 40, 33, flow=0.01, spare=2)
    for function in (Diversity(0.76), Entropy()):
        answers = [decompose_blocks(function, mu, gross, block_bytes=size) for size in (1, 5000, 1 << 20)]
        for part in NAMES:
            assert all(np.array_equal(getattr(answer, part), getattr(answers[0], part)) for answer in answers)


def test_a_stream_takes_blocks_of_any_length_as_they_come() -> None:
    mu, gross = history(6, 30, 12, flow=0.01, spare=2)
    whole = plain(Diversity(0.5), mu, gross)
    cuts = (0, 3, 4, 15, 30)
    parts = list(decompose_stream(Diversity(0.5), ((mu[a : b + 1], gross[a:b]) for a, b in pairwise(cuts))))
    assert [len(part.boundary) for part in parts] == [3, 1, 11, 15]
    for part in NAMES:
        np.testing.assert_allclose(np.concatenate([getattr(piece, part) for piece in parts]), getattr(whole, part), atol=STEP)


def test_memory_is_bounded_by_the_block_and_files_are_read_as_they_are(tmp_path: Path) -> None:
    mu, gross = history(7, 400, 250, flow=0.001)
    files = []
    for name, array in (("mu", mu), ("gross", gross)):
        np.save(tmp_path / f"{name}.npy", array)
        files.append(np.load(tmp_path / f"{name}.npy", mmap_mode="r"))
    whole = plain(Diversity(0.76), mu, gross)
    for size in (50_000, 200_000):
        tracemalloc.start()
        blocks = decompose_blocks(Diversity(0.76), *files, block_bytes=size)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < size + 3 * 400 * 8 + 30_000  # the results, and the interpreter's own
        np.testing.assert_allclose(blocks.total, whole.total, atol=STEP)


def test_nothing_to_do_is_done() -> None:
    assert decompose_blocks(Diversity(0.5), np.full((1, 4), 0.25), np.empty((0, 4))).total.shape == (0,)


def test_what_does_not_fit_is_refused() -> None:
    mu, gross = history(1, 3, 4, flow=0.0)
    for weights, returns in ((mu[1:], gross), (mu, gross[:, 1:])):
        with pytest.raises(ValueError, match="one row more"):
            decompose_blocks(Diversity(0.5), weights, returns)
