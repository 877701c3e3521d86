"""One panel for many processes: its arrays lie in files that every process maps into memory, read-only and once."""

from __future__ import annotations

__all__ = ["open_shared", "share"]

import pickle
from dataclasses import fields, is_dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy import ndarray

from gammastar.market.groups import Named

if TYPE_CHECKING:
    from gammastar.market.panel import Panel

LARGE = 1 << 14
"""Arrays of fewer bytes than this go with the rest."""


class _Place(str):
    """The name of the file of an array."""

    __slots__ = ()


def share(panel: Panel, folder: Path) -> None:
    """Write a panel's arrays to files of `folder`, one each, and what holds them together to another."""
    panel.fingerprint, panel.benchmark_returns, panel.index_change  # noqa: B018 - found once here, not once in every process
    arrays: list[ndarray] = []

    def put(value: Any) -> Any:
        if isinstance(value, ndarray) and value.nbytes >= LARGE:
            arrays.append(value)
            return _Place(f"{len(arrays) - 1}.npy")
        return value

    told = {name: _mapped(value, put) for name, value in vars(panel).items()}
    for number, array in enumerate(arrays):
        np.save(folder / f"{number}.npy", array)
    (folder / "panel.pickle").write_bytes(pickle.dumps((type(panel), told)))


@lru_cache(maxsize=1)
def open_shared(folder: str) -> Panel:
    """Return the panel that `share` wrote, without a copy of its arrays; a process opens it once."""

    def get(value: Any) -> Any:
        return np.load(Path(folder) / value, mmap_mode="r") if isinstance(value, _Place) else value

    kind, told = pickle.loads((Path(folder) / "panel.pickle").read_bytes())  # noqa: S301 - this run's own file
    panel: Panel = object.__new__(kind)
    for name, value in told.items():  # checked when it was first made: checking anew would read every page
        object.__setattr__(panel, name, _mapped(value, get))
    return panel


def _mapped(value: Any, of: Any) -> Any:
    """Return a value with every array, or place of one, inside it replaced."""
    if isinstance(value, (ndarray, _Place)):
        return of(value)
    if isinstance(value, Named):
        return Named({name: _mapped(value[name], of) for name in value})
    if is_dataclass(value) and not isinstance(value, type):
        return _replaced(value, of)
    return value


def _replaced(value: Any, of: Any) -> Any:
    copy = object.__new__(type(value))
    for field in fields(value):
        object.__setattr__(copy, field.name, _mapped(getattr(value, field.name), of))
    return copy
