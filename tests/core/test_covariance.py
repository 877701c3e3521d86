"""The covariance as a value: every operation against the dense matrix."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gammastar.core.covariance import FactoredCovariance

EXACT = 1e-12


def made(seed: int, n: int, k: int) -> tuple[FactoredCovariance, np.ndarray, np.random.Generator]:
    rng = np.random.default_rng(seed)
    loadings, specific = rng.normal(0.0, 0.2, (n, k)), rng.uniform(0.0, 0.1, n)
    return FactoredCovariance(loadings, specific), loadings @ loadings.T + np.diag(specific), rng


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 12), k=st.integers(0, 4), factor=st.floats(0.0, 9.0))
def test_operations_agree_with_the_dense_matrix(seed: int, n: int, k: int, factor: float) -> None:
    sigma, dense, rng = made(seed, n, k)
    x = rng.normal(size=n)
    assert len(sigma) == n
    np.testing.assert_allclose(sigma.dense(), dense, atol=EXACT)
    np.testing.assert_allclose(sigma.variances, np.diag(dense), atol=EXACT)
    np.testing.assert_allclose(sigma.times(x), dense @ x, atol=EXACT)
    assert sigma.quadratic(x) == pytest.approx(x @ dense @ x, abs=EXACT)
    factors, specific = sigma.parts(x)
    assert factors == pytest.approx(x @ sigma.loadings @ sigma.loadings.T @ x, abs=EXACT)
    assert specific == pytest.approx(np.sum(x * x * sigma.specific), abs=EXACT)
    columns = rng.permutation(n)[: max(1, n // 2)]
    np.testing.assert_allclose(sigma.take(columns).dense(), dense[np.ix_(columns, columns)], atol=EXACT)
    np.testing.assert_allclose(sigma.scaled(factor).dense(), factor * dense, atol=EXACT)
    assert np.linalg.eigvalsh(sigma.dense()).min() > -EXACT


def test_it_is_a_value_that_nobody_can_write_to() -> None:
    loadings, specific = np.ones((3, 1)), np.ones(3)
    sigma = FactoredCovariance(loadings, specific)
    with pytest.raises(ValueError, match="read-only"):
        sigma.loadings[0, 0] = 2.0
    with pytest.raises(ValueError, match="read-only"):
        sigma.specific[0] = 2.0
    loadings[0, 0] = 1.0  # the caller's own array stays writable


@pytest.mark.parametrize(
    ("loadings", "specific", "told"),
    [
        (np.ones((3, 1)), np.ones(2), "fit together"),
        (np.ones(3), np.ones(3), "fit together"),
        (np.full((3, 1), np.nan), np.ones(3), "finite"),
        (np.ones((3, 1)), np.array([1.0, np.inf, 1.0]), "finite"),
        (np.ones((3, 1)), np.array([1.0, -1e-9, 1.0]), "negative"),
    ],
)
def test_it_refuses_what_is_no_covariance(loadings: np.ndarray, specific: np.ndarray, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        FactoredCovariance(loadings, specific)
