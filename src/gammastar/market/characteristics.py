"""Characteristics of assets at the close of every session of a history, by running sums: what a risk model regresses on day after day."""

from __future__ import annotations

__all__ = [
    "A_MONTH",
    "A_YEAR",
    "STYLES",
    "Observed",
    "characteristics_of_sums",
    "moved_sums",
    "running_characteristics",
    "running_sums",
]

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from gammastar.market.calendar import Frequency

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jaxtyping import Bool, Float
    from numpy import ndarray

A_YEAR: Final = {Frequency.DAILY: 252, Frequency.MONTHLY: 12}
A_MONTH: Final = {Frequency.DAILY: 21, Frequency.MONTHLY: 1}
STYLES: Final = ("size", "volatility", "beta", "momentum", "reversal")
"""Characteristics by name, in the order of their columns."""


@dataclass(frozen=True, eq=False)
class Observed:
    """Log returns of a history.

    Args:
        logs: log returns, zero where not observed, shape (t, n).
        observed: which of them are data, shape (t, n).
        index: log returns of the index they are regressed on, shape (t,).
        frequency: of the sessions.
    """

    logs: Float[ndarray, "t n"]
    observed: Bool[ndarray, "t n"]
    index: Float[ndarray, " t"]
    frequency: Frequency = Frequency.DAILY


def running_characteristics(
    history: Observed, weights: Float[ndarray, "r n"], *, minimum: int
) -> dict[str, tuple[Float[ndarray, "r n"], Bool[ndarray, "r n"]]]:
    """Return each characteristic and where it is known, at the closes of the last r sessions.

    * ``size``: log benchmark weight, known of members; another name is like the smallest member;
    * ``volatility``: log of the standard deviation (ddof 1) of log returns over the last year;
    * ``beta``: slope of log returns on the index's over the last year;
    * ``momentum``: sum of log returns over the last year but its last month;
    * ``reversal``: sum of log returns over the last month.

    Only observed returns enter. A year is 252 sessions or 12 months, a month 21 or 1; where the history is shorter, what there is of it.

    Args:
        history: t sessions of n assets.
        weights: benchmark weights at the closes of the last r of them, r <= t; each row has a member.
        minimum: observed returns that volatility, beta and momentum need (half the month for a reversal), at least 2.

    Raises:
        ValueError: a minimum below 2, or more rows of weights than sessions.
    """
    rows, sessions = len(weights), len(history.logs)
    if minimum < 2 or rows > sessions:
        raise ValueError(f"need a minimum of 2 or more and no more than {sessions} rows of weights, got {minimum} and {rows}")
    return characteristics_of_sums(running_sums(history, rows), weights, minimum=minimum, month=A_MONTH[history.frequency])


def running_sums(history: Observed, rows: int) -> Float[ndarray, "8 r n"]:
    """Return, at the closes of the last `rows` sessions, the sums that characteristics are made of.

    Over the last year: number of observed returns, sum of log returns x, of x^2, of the index's log returns i (where x is observed), of i^2, of x i;
    over the last month: number, and sum of x.
    """
    sessions = len(history.logs)
    stops = np.arange(sessions - rows + 1, sessions + 1)
    years, months = [], []
    for position, terms in enumerate(_terms(history)):
        cumulated = _from_zero(terms)
        years.append(_between(cumulated, np.maximum(stops - A_YEAR[history.frequency], 0), stops))
        if position < _OF_A_MONTH:
            months.append(_between(cumulated, np.maximum(stops - A_MONTH[history.frequency], 0), stops))
    return np.stack([*years, *months])


def moved_sums(sums: Float[ndarray, "8 1 n"], new: Observed, a_year_ago: Observed | None, a_month_ago: Observed | None) -> Float[ndarray, "8 1 n"]:
    """Return `running_sums` one session later: what is new is added, what is a year and a month old dropped. Each `Observed` is one session.

    Rounding stays: a caller sums anew from time to time.
    """
    added = list(_terms(new))
    moved = sums + np.stack([*added, *added[:_OF_A_MONTH]])
    if a_year_ago is not None:
        moved[:-_OF_A_MONTH] -= np.stack(list(_terms(a_year_ago)))
    if a_month_ago is not None:
        for position, terms in zip(range(_OF_A_MONTH), _terms(a_month_ago), strict=False):
            moved[position - _OF_A_MONTH] -= terms
    return np.asarray(moved)


_OF_A_MONTH: Final = 2
"""How many of the terms are also summed over a month: the first ones."""

_STILL: Final = 1e-14
"""Variance a session (a year's sum of the index's squares) below which nothing moved; sums of a year are right to about 1e-16."""


def _terms(history: Observed) -> Iterator[Float[ndarray, "t n"]]:
    """Yield what is summed, in the order of `running_sums`."""
    observed, index = history.observed.astype(np.float64), history.index[:, None]
    yield observed
    yield history.logs
    yield history.logs * history.logs
    yield observed * index
    yield observed * (index * index)
    yield history.logs * index


def characteristics_of_sums(
    sums: Float[ndarray, "8 r n"], weights: Float[ndarray, "r n"], *, minimum: int, month: int
) -> dict[str, tuple[Float[ndarray, "r n"], Bool[ndarray, "r n"]]]:
    """Return the `running_characteristics` that these `running_sums` make; `month` in sessions."""
    count, total, squares, of_index, index_squares, product, in_month, of_month = sums
    enough, divisor = count >= minimum, np.maximum(count, 1.0)
    variance = (squares - total * total / divisor) / np.maximum(count - 1.0, 1.0)
    moves = enough & (variance > _STILL)
    spread = index_squares - of_index * of_index / divisor
    sloped = spread > _STILL
    slope = np.divide(product - of_index * total / divisor, spread, out=np.zeros_like(product), where=sloped)
    return {
        "size": _size(weights),
        "volatility": (0.5 * np.log(variance, out=np.zeros_like(variance), where=moves), moves),
        "beta": (slope, sloped & enough),
        "momentum": (total - of_month, count - in_month >= minimum),
        "reversal": (of_month, in_month >= max(0.5 * month, 1.0)),
    }


def _size(weights: Float[ndarray, "r n"]) -> tuple[ndarray, ndarray]:
    member = weights > 0.0
    least = np.min(weights, axis=1, where=member, initial=np.inf, keepdims=True)
    return np.log(np.where(member, weights, least)), np.ones_like(member)


def _from_zero(values: Float[ndarray, "t n"]) -> Float[ndarray, "t1 n"]:
    """Return sums of the first 0, 1, ..., t rows."""
    sums = np.empty((len(values) + 1, values.shape[1]))
    sums[0] = 0.0
    np.cumsum(values, axis=0, out=sums[1:])
    return sums


def _between(sums: Float[ndarray, "t1 n"], first: ndarray, stop: ndarray) -> Float[ndarray, "r n"]:
    """Return sums over rows ``first`` to ``stop - 1``."""
    return np.asarray(sums[stop] - sums[first])
