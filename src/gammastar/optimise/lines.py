"""The linear rows of a problem as one list of lines, in arrays that compiled code reads."""

from __future__ import annotations

__all__ = ["Lines", "lines_of", "plain"]

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gammastar.core.rows import LinearRows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jaxtyping import Float, Int
    from numpy import ndarray

    from gammastar.core.rows import ConvexRow


@dataclass(frozen=True, eq=False)
class Lines:
    """``low <= matrix @ w <= high``, the lines of several linear rows one after the other.

    Args:
        data: the entries of the matrix, line by line.
        columns: of each entry.
        ends: where each line begins and ends among them, shape (lines + 1,).
        low: shape (lines,).
        high: shape (lines,).
        spans: of each of the rows: its position among those of the problem, and the lines that are its own.
    """

    data: Float[ndarray, " entries"]
    columns: Int[ndarray, " entries"]
    ends: Int[ndarray, " ends"]
    low: Float[ndarray, " lines"]
    high: Float[ndarray, " lines"]
    spans: tuple[tuple[int, slice], ...]

    def joined(self, prices: Mapping[int, Float[ndarray, " r"]]) -> Float[ndarray, " lines"]:
        """Return the prices of all lines, from those of each row by its position."""
        if len(self.spans) == 1:
            return plain(prices[self.spans[0][0]])
        return np.concatenate([prices[place] for place, _ in self.spans]) if self.spans else np.zeros(0)


def plain(values: Float[ndarray, " n"]) -> Float[ndarray, " n"]:
    """Return contiguous, writeable floats: for any others code would be compiled once more."""
    return values if values.flags.carray and values.dtype == np.float64 else np.array(values, dtype=np.float64)


def lines_of(rows: Sequence[ConvexRow]) -> Lines:
    """Return the lines of all linear rows among `rows`."""
    linear = [(place, row) for place, row in enumerate(rows) if isinstance(row, LinearRows)]
    if len(linear) == 1:
        place, row = linear[0]
        return Lines(*row.entries, plain(row.lower), plain(row.upper), ((place, slice(0, len(row.lower))),))
    data, columns, ends, low, high = [np.zeros(0)], [np.zeros(0, dtype=np.int32)], [np.zeros(1, dtype=np.int32)], [np.zeros(0)], [np.zeros(0)]
    spans, entries, lines = [], 0, 0
    for place, row in linear:
        values, at, stops = row.entries
        data.append(values)
        columns.append(at)
        ends.append(stops[1:] + np.int32(entries))
        low.append(row.lower)
        high.append(row.upper)
        spans.append((place, slice(lines, lines + len(row.lower))))
        entries, lines = entries + len(values), lines + len(row.lower)
    return Lines(np.concatenate(data), np.concatenate(columns), np.concatenate(ends), np.concatenate(low), np.concatenate(high), tuple(spans))
