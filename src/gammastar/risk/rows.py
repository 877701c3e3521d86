"""The last rows of a history that grows by appending."""

from __future__ import annotations

__all__ = ["Rows"]

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy import ndarray
    from numpy.typing import DTypeLike


@dataclass(eq=False)
class _Buffer:
    """Memory for rows, of which `filled` are written; several `Rows` may share it."""

    array: ndarray[Any, Any]
    filled: int


@dataclass(frozen=True, eq=False)
class Rows:
    """The last `window` rows of a history, as a value: appending returns another one, and this one keeps what it holds.

    Rows are written behind those that are there, in place, where nobody wrote behind them before; otherwise (two runs that go on from one state) the
    last `window` are copied first. A full buffer of twice the window is copied likewise, so that a session costs two rows of copying at most.

    Args:
        window: rows kept.
        buffer: memory.
        stop: rows of it that are of this value.

    >>> one = Rows.empty(2, (1,), np.int64).append(np.array([[1], [2]]))
    >>> left, right = one.append(np.array([[3]])), one.append(np.array([[4]]))
    >>> one.last.ravel().tolist(), left.last.ravel().tolist(), right.last.ravel().tolist()
    ([1, 2], [2, 3], [2, 4])
    """

    window: int
    buffer: _Buffer
    stop: int = 0

    @classmethod
    def empty(cls, window: int, shape: tuple[int, ...], dtype: DTypeLike) -> Rows:
        """Return no rows yet, each of `shape`."""
        return cls(window, _Buffer(np.empty((2 * window, *shape), dtype=dtype), 0))

    @property
    def last(self) -> ndarray[Any, Any]:
        """The rows kept, read-only, the latest last."""
        view = self.buffer.array[max(self.stop - self.window, 0) : self.stop]
        view.flags.writeable = False
        return view

    def append(self, rows: ndarray[Any, Any]) -> Rows:
        """Return the history with `rows` behind it."""
        rows = rows[-self.window :]
        buffer, stop = self.buffer, self.stop
        if stop != buffer.filled or stop + len(rows) > len(buffer.array):
            kept = self.last
            buffer, stop = _Buffer(np.empty_like(buffer.array), len(kept)), len(kept)
            buffer.array[:stop] = kept
        buffer.array[stop : stop + len(rows)] = rows
        buffer.filled = stop + len(rows)
        return Rows(self.window, buffer, buffer.filled)
