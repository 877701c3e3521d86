"""What the checks eat: the arrays of one market as the data has them, missing values as NaN, and what several checks derive from them."""

from __future__ import annotations

__all__ = ["Subject", "runs", "subject_of"]

import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy import ndarray

    from gammastar.market.panel import Panel

_BLOCK = 63  # sessions over which a scale is measured
_LEAST_SCALE = 0.004


@dataclass(frozen=True, eq=False)
class Subject:
    """One market to be checked.

    Args:
        sessions: the dates the data has, increasing, shape (t,).
        expected: the sessions of the exchange from the first of them to the last.
        ids: asset ids, n of them.
        returns: simple total returns, NaN where there is no data, shape (t, n).
        benchmark: index weights at each close, shape (t, n).
        published: at which sessions weights were published, shape (t,).
        filled: returns with what is missing filled, shape (t, n).
        close: as-traded prices, NaN where none, or None.
        split: new shares for one old, 1 where there is none, or None.
        dividend: cash for one share as the close counts them (after a split), 0 where there is none, or None.
        level: the published index, NaN where it is not known, shape (t,), or None.
        sums: the sum of each date's weights as published, or None.
        periods: sessions in a year.
    """

    sessions: ndarray
    expected: ndarray
    ids: tuple[str, ...]
    returns: ndarray
    benchmark: ndarray
    published: ndarray
    filled: ndarray
    close: ndarray | None = None
    split: ndarray | None = None
    dividend: ndarray | None = None
    level: ndarray | None = None
    sums: dict[np.datetime64, float] | None = None
    periods: int = 252

    @cached_property
    def observed(self) -> ndarray:
        """Which returns are data, shape (t, n)."""
        return np.asarray(np.isfinite(self.returns))

    @cached_property
    def logs(self) -> ndarray:
        """Log returns, NaN where there is no data, shape (t, n)."""
        return np.asarray(np.log1p(self.returns))

    @cached_property
    def abnormal(self) -> ndarray:
        """Log returns less the median over names at the session, shape (t, n)."""
        return np.asarray(self.logs - _median(self.logs, axis=1)[:, None])

    @cached_property
    def scale(self) -> ndarray:
        """The usual size of `abnormal`, as a standard deviation: 1.4826 times the median size over a quarter around, shape (t, n)."""
        t, n = self.returns.shape
        blocks = [slice(start, start + _BLOCK) for start in range(0, t, _BLOCK)]
        size = np.array([1.4826 * _median(np.abs(self.abnormal[block]), axis=0) for block in blocks]).reshape(len(blocks), n)
        near = np.stack((np.roll(size, 1, axis=0), size, np.roll(size, -1, axis=0)))
        near[0, 0], near[2, -1] = np.nan, np.nan
        calm = _median(near.reshape(3, -1), axis=0).reshape(size.shape)
        widest = np.fmax(size, calm)  # a quarter of storms is measured by itself
        return np.repeat(np.fmax(widest, _LEAST_SCALE), [len(range(*block.indices(t))) for block in blocks], axis=0)

    @cached_property
    def weight_gap(self) -> ndarray:
        """What published weights say of each name's growth beyond its returns, between one publication and the next, shape (t, n).

        ``log w_b / w_a - sum of log returns``, less its median over names. Set at every session of (a, b]; NaN where a name has no weight at
        either end or lacks a return between. About 0 where returns and weights agree, ``-log k`` where returns miss a k for one split.
        """
        gap = np.full(self.returns.shape, np.nan)
        at = np.flatnonzero(self.published)
        with np.errstate(divide="ignore"):
            logs = np.log(np.where(self.benchmark[at] > 0.0, self.benchmark[at], np.nan))
        for k in range(1, len(at)):
            within = slice(at[k - 1] + 1, at[k] + 1)
            beyond = logs[k] - logs[k - 1] - self.logs[within].sum(axis=0)
            gap[within] = beyond - _median(beyond[None, :], axis=1)
        return gap


def subject_of(panel: Panel, *, sums: dict[np.datetime64, float] | None = None) -> Subject:
    """Return a panel as what the checks eat; a panel has all sessions of its exchange.

    Args:
        panel: a market.
        sums: the sum of each date's weights as published; a panel's own always sum to one.
    """
    observed = panel.observed.copy()
    observed[0] = False
    returns = np.where(observed, panel.returns, np.nan)
    prices = panel.prices
    return Subject(
        sessions=panel.sessions,
        expected=panel.sessions,
        ids=panel.assets.ids,
        returns=returns,
        benchmark=panel.benchmark,
        published=panel.published,
        filled=panel.returns,
        close=None if prices is None else np.asarray(prices.close),
        split=None if prices is None else np.asarray(prices.split),
        level=panel.index_level,
        sums=sums,
        periods=panel.frequency.periods,
    )


def runs(mask: ndarray, least: int) -> tuple[ndarray, ndarray, ndarray]:
    """Return the runs of true values down the columns that are at least `least` long: first row, last row, column of each."""
    edges = np.zeros((mask.shape[1], mask.shape[0] + 1), dtype=np.int8)
    edges[:, :-1] += mask.T
    edges[:, 1:] -= mask.T
    column, first = np.nonzero(edges == 1)
    _, after = np.nonzero(edges == -1)
    long = after - first >= least
    return first[long], after[long] - 1, column[long]


def _median(values: ndarray, axis: int) -> ndarray:
    """Return medians over what is not NaN, NaN where all of it is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # all NaN
        return np.asarray(np.nanmedian(values, axis=axis))
