"""Open markets: what is outside has no weight, and the rest of the theory does not notice."""

from __future__ import annotations

import numpy as np
import pytest
from numpy import ndarray

from gammastar.core.decomposition import decompose
from gammastar.core.generating import Diversity, Entropy
from gammastar.core.growth_optimal import growth_optimal
from gammastar.core.open_market import open_market, ranked_returns

EXACT = 1e-12


def history(seed: int, steps: int = 80, names: int = 9) -> tuple[ndarray, ndarray]:
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.ones(names), size=steps + 1), np.exp(rng.normal(0.0, 0.1, (steps, names)))


def test_the_largest_are_kept_in_proportion() -> None:
    mu, _ = history(1)
    inside = open_market(mu, 4)
    np.testing.assert_allclose(inside.sum(axis=1), 1.0, atol=EXACT)
    for before, after in zip(mu, inside, strict=True):
        held = np.flatnonzero(after)
        assert set(held) == set(np.argsort(before)[-4:])
        np.testing.assert_allclose(after[held], before[held] / before[held].sum(), atol=EXACT)
    np.testing.assert_allclose(open_market(mu, 9), mu, atol=EXACT)
    assert open_market(np.array([0.25, 0.25, 0.25, 0.25]), 2).tolist() == [0.5, 0.5, 0.0, 0.0]  # ties by position


@pytest.mark.parametrize("function", [Diversity(0.0), Diversity(0.5), Entropy()])
def test_the_master_equation_holds_inside(function: Diversity) -> None:
    mu, gross = history(2)
    inside = open_market(mu, 4)
    parts = decompose(function, inside, gross)
    held = function.weights(inside[:-1])
    assert (held[inside[:-1] == 0.0] == 0.0).all()
    relative = np.log(np.einsum("tn,tn->t", held, gross)) - np.log(np.einsum("tn,tn->t", inside[:-1], gross))
    np.testing.assert_allclose(parts.total, relative, atol=EXACT)
    assert (parts.l_divergence >= -EXACT).all()


def test_ranked_returns_belong_to_the_ranks() -> None:
    mu, gross = history(3)
    by_rank = ranked_returns(mu[:-1], gross, 3)
    for step in range(len(gross)):
        np.testing.assert_array_equal(by_rank[step], gross[step, np.argsort(-mu[step])[:3]])


def test_best_weights_by_rank() -> None:
    """The second largest always wins, whoever it is."""
    mu, gross = history(4)
    gross[np.arange(len(gross)), np.argsort(-mu[:-1], axis=1)[:, 1]] = 2.0
    assert growth_optimal(ranked_returns(mu[:-1], gross, 5)).weights.tolist() == [0.0, 1.0, 0.0, 0.0, 0.0]


def test_what_cannot_be_used_is_refused() -> None:
    mu, gross = history(5)
    for top in (0, 10):
        with pytest.raises(ValueError, match="open market"):
            open_market(mu, top)
    with pytest.raises(ValueError, match="one shape"):
        ranked_returns(mu, gross, 3)
