"""The exact discrete master equation and the exact attribution, against wealth counted in money."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gammastar.core.attribution import attribute
from gammastar.core.decomposition import decompose
from gammastar.core.excess_growth import captured_volatility, sector_chain
from gammastar.core.generating import (
    Composite,
    Diversity,
    Entropy,
    GeneratingFunction,
    GeometricMean,
    GiniSimpson,
    Market,
    bet_dial,
)

STEP, RUN = 1e-12, 1e-10
N, STEPS = 12, 150
FUNCTIONS: dict[str, GeneratingFunction] = {
    "market": Market(),
    **{f"diversity {p}": Diversity(p) for p in (-1.0, 0.0, 0.25, 0.5, 0.76, 1.0)},
    "entropy": Entropy(),
    "entropy shifted": Entropy(1.0),
    "gini-simpson": GiniSimpson(),
    "dial": bet_dial(Diversity(0.0), 0.4),
    "composite": Composite(((Entropy(), 0.5), (Diversity(0.3), 0.3))),
}
CONCAVE = [name for name in FUNCTIONS if name != "composite"]
functions = pytest.mark.parametrize("name", FUNCTIONS)
few = settings(max_examples=3)
seeds = st.integers(0, 2**32 - 1)


@dataclass(frozen=True, eq=False)
class History:
    """Weights at each close and gross returns between them."""

    mu: np.ndarray
    gross: np.ndarray


def history(seed: int, *, changes: bool, steps: int = STEPS, n: int = N, spare: int = 0) -> History:
    """Return random steps; with `changes` the index issues shares, admits the `spare` names and drops others."""
    rng = np.random.default_rng(seed)
    gross = np.exp(rng.normal(0.0003, 0.02, (steps, n)) + rng.normal(0.0, 0.01, (steps, 1)))
    mu = np.empty((steps + 1, n))
    mu[0] = rng.pareto(1.2, n) + 0.05
    mu[0, n - spare :] = 0.0
    mu[0] /= mu[0].sum()
    for t in range(steps):
        mu[t + 1] = mu[t] * gross[t] / (mu[t] @ gross[t])
        if changes and t % 7 == 3:
            mu[t + 1] *= np.exp(rng.normal(0.0, 0.01, n))
        if changes and spare and t % 31 == 5:
            joins, leaves = rng.choice(np.flatnonzero(mu[t + 1] == 0.0)), rng.choice(np.flatnonzero(mu[t + 1] > 0.0))
            mu[t + 1, joins], mu[t + 1, leaves] = 0.02, 0.0
        mu[t + 1] /= mu[t + 1].sum()
    return History(mu, gross)


def money(function: GeneratingFunction, past: History, formed: np.ndarray) -> np.ndarray:
    """Return each step's log return of the portfolio over that of the index as last formed, in money: shares bought when formed, kept between."""
    logs = np.empty(len(past.gross))
    for t, gross in enumerate(past.gross):
        if t == 0 or formed[t]:
            portfolio, index = function.weights(past.mu[t]), past.mu[t]
        logs[t] = np.log((portfolio @ gross / portfolio.sum()) / (index @ gross / index.sum()))
        portfolio, index = portfolio * gross, index * gross
    return logs


@functions
@few
@given(seed=seeds)
def test_master_equation_over_hundreds_of_steps(name: str, seed: int) -> None:
    """Returns alone move the index: the boundary telescopes to the two ends, there is no flow, and the L-divergence makes up the rest."""
    function, past = FUNCTIONS[name], history(seed, changes=False)
    parts = decompose(function, past.mu, past.gross)
    relative = money(function, past, np.ones(STEPS + 1, dtype=bool))
    np.testing.assert_allclose(parts.total, relative, atol=STEP)
    np.testing.assert_allclose(parts.flow, 0.0, atol=STEP)
    ends = function.log_value(past.mu[[0, -1]])
    assert parts.boundary.sum() == pytest.approx(ends[1] - ends[0], abs=RUN)
    assert relative.sum() == pytest.approx(ends[1] - ends[0] + parts.l_divergence.sum(), abs=RUN)
    if name in CONCAVE:
        assert (parts.l_divergence >= -STEP).all()


@functions
@few
@given(seed=seeds, spare=st.integers(0, 4))
def test_no_residual_when_the_index_changes(name: str, seed: int, spare: int) -> None:
    """Issuance, entries and exits are in flow, and nowhere else."""
    function, past = FUNCTIONS[name], history(seed, changes=True, spare=spare)
    parts = decompose(function, past.mu, past.gross)
    relative = money(function, past, np.ones(STEPS + 1, dtype=bool))
    np.testing.assert_allclose(parts.total, relative, atol=STEP)
    assert parts.total.sum() == pytest.approx(relative.sum(), abs=RUN)
    ends = function.log_value(past.mu[[0, -1]])
    assert parts.boundary.sum() == pytest.approx(ends[1] - ends[0], abs=RUN)
    drifted = past.mu[:-1] * past.gross
    drifted /= drifted.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(parts.flow, function.log_value(drifted) - function.log_value(past.mu[1:]), atol=STEP)
    if name in CONCAVE:
        assert (parts.l_divergence >= -STEP).all()


@functions
@few
@given(seed=seeds, every=st.integers(2, 21), last=st.booleans())
def test_no_residual_with_a_rebalancing_schedule(name: str, seed: int, every: int, last: bool) -> None:
    """Between rebalances the portfolio and the index it was formed on drift, and index changes wait for the next rebalance."""
    function, past = FUNCTIONS[name], history(seed, changes=True, spare=3)
    formed = np.random.default_rng(seed).random(STEPS + 1) < 1.0 / every
    formed[-1] = last
    parts = decompose(function, past.mu, past.gross, formed)
    relative = money(function, past, formed)
    np.testing.assert_allclose(parts.total, relative, atol=STEP * 10.0)
    assert parts.total.sum() == pytest.approx(relative.sum(), abs=RUN)
    waiting = np.flatnonzero(~formed[1:])
    assert (parts.flow[waiting] == 0.0).all()
    if last:
        ends = function.log_value(past.mu[[0, -1]])
        assert parts.boundary.sum() == pytest.approx(ends[1] - ends[0], abs=RUN)


@functions
@few
@given(seed=seeds, cut=st.integers(1, STEPS - 1))
def test_time_aggregates(name: str, seed: int, cut: int) -> None:
    """Two runs, one after the other, are the whole; the parts of a schedule are those of its blocks."""
    function, past = FUNCTIONS[name], history(seed, changes=True, spare=2)
    whole = decompose(function, past.mu, past.gross)
    early, late = decompose(function, past.mu[: cut + 1], past.gross[:cut]), decompose(function, past.mu[cut:], past.gross[cut:])
    for part in ("boundary", "l_divergence", "flow"):
        np.testing.assert_allclose(np.concatenate((getattr(early, part), getattr(late, part))), getattr(whole, part), atol=STEP)


@few
@given(seed=seeds)
def test_fewer_rebalances_lose_the_three_point_term(seed: int) -> None:
    """Forming once and holding over k steps has one L-divergence, from end to end: ``T(mu_k | mu_0)``."""
    past, once = history(seed, changes=False, steps=20), np.zeros(21, dtype=bool)
    for function in FUNCTIONS.values():
        held = decompose(function, past.mu, past.gross, once)
        pi = function.weights(past.mu[0])
        growth = np.log(pi @ past.gross.prod(axis=0)) - np.log(past.mu[0] @ past.gross.prod(axis=0))
        boundary = float(function.log_value(past.mu[-1]) - function.log_value(past.mu[0]))
        assert held.l_divergence.sum() == pytest.approx(growth - boundary, abs=RUN)


@few
@given(seed=seeds)
def test_the_benchmark_gives_zero_in_every_term(seed: int) -> None:
    past = history(seed, changes=True, spare=2)
    for function in (Market(), Diversity(1.0), bet_dial(Entropy(), 0.0)):
        parts = decompose(function, past.mu, past.gross)
        np.testing.assert_allclose(parts.l_divergence, 0.0, atol=STEP)
        np.testing.assert_allclose(parts.total, 0.0, atol=STEP)
    constant = history(seed, changes=False)
    same = decompose(Entropy(), constant.mu, np.ones_like(constant.gross), np.zeros(STEPS + 1, dtype=bool))
    np.testing.assert_allclose(same.total, 0.0, atol=STEP)
    held = attribute(past.mu[:-1], past.mu[:-1], past.gross)
    assert (held.allocation == 0.0).all()
    assert (held.captured_volatility == 0.0).all()


@few
@given(seed=seeds)
def test_constant_weights_are_generated_by_the_geometric_mean(seed: int) -> None:
    past, c = history(seed, changes=True), np.random.default_rng(seed).dirichlet(np.ones(N))
    parts = decompose(GeometricMean(c), past.mu, past.gross)
    held = np.log(past.gross @ c) - np.log(np.einsum("tn,tn->t", past.mu[:-1], past.gross))
    np.testing.assert_allclose(parts.total, held, atol=STEP)


@few
@given(seed=seeds)
def test_permuting_names_changes_no_part(seed: int) -> None:
    past, order = history(seed, changes=True, spare=3, steps=40), np.random.default_rng(seed).permutation(N)
    for function in FUNCTIONS.values():
        here, there = decompose(function, past.mu, past.gross), decompose(function, past.mu[:, order], past.gross[:, order])
        for part in ("boundary", "l_divergence", "flow"):
            np.testing.assert_allclose(getattr(here, part), getattr(there, part), atol=STEP)


def test_weights_are_needed_at_every_time() -> None:
    past = history(1, changes=False, steps=5)
    with pytest.raises(ValueError, match="6 times for 5 steps"):
        decompose(Market(), past.mu[:-1], past.gross)


@settings(max_examples=20)
@given(seed=seeds, cash=st.booleans())
def test_attribution_of_any_holdings_has_no_residual(seed: int, cash: bool) -> None:
    rng = np.random.default_rng(seed)
    mu, pi = rng.dirichlet(np.full(N, 0.5), STEPS), rng.dirichlet(np.full(N, 0.3), STEPS)
    gross = np.exp(rng.standard_t(3, (STEPS, N)) * 0.02)
    if cash:
        mu[:, -1], gross[:, -1] = 0.0, 1.0
        mu /= mu.sum(axis=1, keepdims=True)
    parts = attribute(pi, mu, gross)
    relative = np.log(np.einsum("tn,tn->t", pi, gross)) - np.log(np.einsum("tn,tn->t", mu, gross))
    np.testing.assert_allclose(parts.allocation + parts.captured_volatility, relative, atol=STEP)
    assert (parts.allocation + parts.captured_volatility).sum() == pytest.approx(relative.sum(), abs=RUN)
    np.testing.assert_allclose(parts.allocation, np.sum((pi - mu) * np.log(gross), axis=1), atol=STEP)
    np.testing.assert_allclose(parts.captured_volatility, captured_volatility(pi, mu, gross), atol=STEP)


@settings(max_examples=10)
@given(seed=seeds)
def test_captured_volatility_splits_by_sector(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pi, mu, groups = rng.dirichlet(np.ones(N)), rng.dirichlet(np.ones(N)), np.arange(N) % 4
    gross = np.exp(rng.normal(0.0, 0.05, N))
    of_pi, of_mu = sector_chain(pi, gross, groups), sector_chain(mu, gross, groups)
    parts = attribute(pi[None], mu[None], gross[None])
    split = of_pi[0] - of_mu[0] + (of_pi[1] - of_mu[1]).sum()
    assert split == pytest.approx(float(parts.captured_volatility[0]), abs=STEP)
