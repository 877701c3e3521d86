"""Leading eigenvectors against a dense method, on spectra with gaps and without."""

from __future__ import annotations

import numpy as np
import pytest

from gammastar.risk import leading
from gammastar.risk.leading import leading_eigenpairs


def sample(seed: int, sessions: int, names: int, *strengths: float) -> np.ndarray:
    """Return the correlations of so many sessions of so many names, with a common factor of each strength."""
    rng = np.random.default_rng(seed)
    found = rng.normal(size=(sessions, names))
    for strength in strengths:
        found += strength * np.outer(rng.normal(size=sessions), rng.normal(1.0, 1.0, names))
    return np.asarray(np.corrcoef(found.T))


def part(values: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Return what eigenpairs make of their matrix, whatever the signs of vectors."""
    return np.asarray((vectors * values) @ vectors.T)


MATRICES = {
    "a market and five factors": (sample(1, 700, 300, 1.0, 0.4, 0.3, 0.3, 0.2, 0.2), 10),
    "noise alone": (sample(2, 400, 350), 20),
    "more names than sessions": (sample(3, 150, 400, 0.5), 12),
    "one of many": (sample(4, 700, 300, 1.0), 1),
    "many of few": (sample(5, 700, 40, 1.0), 20),
    "fewer sessions than are asked for": (sample(6, 9, 200, 0.3), 12),
    "nothing": (np.zeros((200, 200)), 3),
    "all alike": (np.eye(200), 3),
}


@pytest.mark.parametrize("name", MATRICES)
@pytest.mark.parametrize("order", ["C", "F"])
def test_they_are_those_of_a_dense_method(name: str, order: str) -> None:
    matrix, count = MATRICES[name]
    given = np.array(np.triu(matrix) + np.tril(np.full_like(matrix, 1e3), -1), order=order)  # type: ignore[call-overload]
    assert given.flags.c_contiguous == (order == "C")
    values, vectors = leading_eigenpairs(given, count)
    expected, directions = np.linalg.eigh(matrix)
    np.testing.assert_allclose(values, expected[-count:], atol=1e-12 * max(expected[-1], 1.0))
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(count), atol=1e-12)
    if name != "all alike":  # any vectors are right
        np.testing.assert_allclose(part(values, vectors), part(expected[-count:], directions[:, -count:]), atol=1e-11 * max(expected[-1], 1.0))


def test_one_matrix_has_one_answer() -> None:
    matrix, count = MATRICES["a market and five factors"]
    one, other = leading_eigenpairs(matrix, count), leading_eigenpairs(matrix.copy(), count)
    assert np.array_equal(one[0], other[0])
    assert np.array_equal(one[1], other[1])


@pytest.mark.parametrize("name", ["a market and five factors", "noise alone", "one of many"])
def test_the_iteration_answers_where_it_should(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise AssertionError("the dense method was asked")

    monkeypatch.setattr(leading, "eigh", refused)
    leading_eigenpairs(*MATRICES[name])
