"""Functions on arrays compiled to machine code by numba, for loops that arrays of small size spend in the interpreter.

A module with such functions is imported where it is needed, not before: numba takes a quarter of a second. What was compiled is kept beside the module, or
in the user's cache, so the seconds of compiling are spent once a machine.
"""

from __future__ import annotations

__all__ = ["compiled"]

from typing import TYPE_CHECKING, TypeVar, cast

import numba

if TYPE_CHECKING:
    from collections.abc import Callable

_F = TypeVar("_F", bound="Callable[..., object]")


def compiled(function: _F) -> _F:
    """Return `function` compiled at its first call: no rounding that the source does not have, and a division by zero is as NumPy's.

    Where no folder can be written, it is compiled anew by every process.
    """
    try:
        return cast("_F", numba.njit(cache=True, error_model="numpy")(function))
    except RuntimeError:  # no place to keep it
        return cast("_F", numba.njit(error_model="numpy")(function))
