"""Compiled functions: what the interpreter computes, to the bit; a division by zero is no error; no folder to keep code in is no obstacle."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numba
import numpy as np

from gammastar.core.compiled import compiled

if TYPE_CHECKING:
    import pytest


def series(x: np.ndarray) -> tuple[float, float]:
    total, inverse = 0.0, 0.0
    for value in x:
        total += value * value
        inverse = 1.0 / value
    return math.sqrt(total), inverse


def test_compiled_code_rounds_as_the_interpreter_does() -> None:
    x = np.random.default_rng(1).standard_normal(1_001)
    assert compiled(series)(x) == series(x)


def test_a_division_by_zero_is_infinite() -> None:
    assert compiled(series)(np.array([1.0, 0.0])) == (1.0, math.inf)


def test_where_nothing_can_be_kept_it_is_compiled_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, asked = numba.njit, []

    def njit(**options: Any) -> Any:
        asked.append(options)
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return plain(**options)

    monkeypatch.setattr(numba, "njit", njit)
    assert compiled(series)(np.array([3.0, 4.0])) == (5.0, 0.25)
    assert [options.get("cache", False) for options in asked] == [True, False]
