"""Size and other characteristics, standardised against the benchmark."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gammastar.core.exposures import size_exposure, standardise, standardise_sessions


def market(seed: int, n: int, outside: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    mu = rng.pareto(1.2, n) + 0.01
    mu[rng.permutation(n)[:outside]] = 0.0
    return mu / mu.sum()


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(5, 40), outside=st.integers(0, 3))
def test_mean_zero_and_spread_one_over_members(seed: int, n: int, outside: int) -> None:
    mu = market(seed, n, outside)
    for x in (size_exposure(mu), standardise(np.random.default_rng(seed).normal(3.0, 2.0, n), mu)):
        assert mu @ x == pytest.approx(0.0, abs=1e-12)
        assert x[mu > 0.0].std() == pytest.approx(1.0, abs=1e-12)
        assert (x[mu == 0.0] == 0.0).all()


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(5, 40), shift=st.floats(-5.0, 5.0), scale=st.floats(0.01, 100.0))
def test_unit_and_origin_do_not_matter(seed: int, n: int, shift: float, scale: float) -> None:
    mu, values = market(seed, n, 1), np.random.default_rng(seed).normal(size=n)
    np.testing.assert_allclose(standardise(shift + scale * values, mu), standardise(values, mu), atol=1e-10)


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(5, 40))
def test_size_is_in_the_order_of_weights_and_affine_in_their_logs(seed: int, n: int) -> None:
    mu = market(seed, n, 0)
    x = size_exposure(mu)
    assert np.array_equal(np.argsort(mu, kind="stable"), np.argsort(x, kind="stable"))
    np.testing.assert_allclose(np.diff(x) * np.log(mu).std(), np.diff(np.log(mu)), atol=1e-11)


@pytest.mark.parametrize("n", [3, 10, 100, 500, 505])
def test_members_that_are_alike_have_no_exposure(n: int) -> None:
    assert np.array_equal(size_exposure(np.full(n, 1.0 / n)), np.zeros(n))


@pytest.mark.parametrize("seed", range(3))
def test_standardising_sessions_at_once_is_standardising_each(seed: int) -> None:
    """What is not known is at the benchmark's mean; names outside are measured on the members' scale."""
    rng = np.random.default_rng(seed)
    mu = np.stack([market(seed + t, 15, 3) for t in range(6)])
    values, known = rng.normal(2.0, 3.0, mu.shape), rng.random(mu.shape) > 0.1
    found = standardise_sessions(values, known, mu)
    for t in range(6):
        use = known[t] & (mu[t] > 0.0)
        mean = mu[t, use] @ values[t, use] / mu[t, use].sum()
        filled = np.where(known[t], values[t], mean)
        member = mu[t] > 0.0
        np.testing.assert_allclose(found[t, member], standardise(filled, mu[t])[member], atol=1e-12)
        outside = known[t] & ~member
        np.testing.assert_allclose(found[t, outside], (values[t, outside] - mean) / filled[member].std(), atol=1e-12)
        assert not found[t, ~known[t]].any()


def test_a_session_in_which_all_members_are_alike_has_no_exposures() -> None:
    mu = np.stack([market(1, 8, 2)] * 2)
    assert not standardise_sessions(np.full(mu.shape, 0.3), np.ones(mu.shape, dtype=bool), mu).any()
    assert not standardise_sessions(np.full(mu.shape, 0.3), np.zeros(mu.shape, dtype=bool), mu).any()


@pytest.mark.parametrize("seed", range(3))
def test_size_of_several_sessions_is_that_of_each(seed: int) -> None:
    mu = np.stack([market(seed + t, 15, 3) for t in range(6)])
    found = size_exposure(mu)
    assert found.shape == mu.shape
    for t in range(6):
        logs = np.log(mu[t], out=np.zeros(len(mu[t])), where=mu[t] > 0.0)
        np.testing.assert_allclose(found[t], standardise(logs, mu[t]), atol=1e-12)
        assert np.array_equal(found[t], size_exposure(mu[t]))
