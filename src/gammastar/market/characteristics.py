"""Characteristics of assets at the close of every session of a history, by running sums: what a risk model regresses on day after day."""

from __future__ import annotations

__all__ = ["A_MONTH", "A_YEAR", "STYLES", "Observed", "running_characteristics"]

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from gammastar.market.calendar import Frequency

if TYPE_CHECKING:
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
    year, month = A_YEAR[history.frequency], A_MONTH[history.frequency]
    stops = np.arange(sessions - rows + 1, sessions + 1)
    spans = {"year": (np.maximum(stops - year, 0), stops), "month": (np.maximum(stops - month, 0), stops)}
    logs, observed = history.logs, history.observed.astype(np.float64)
    cumulated, counted = _from_zero(logs), _from_zero(observed)
    count, total = _between(counted, *spans["year"]), _between(cumulated, *spans["year"])
    enough, divisor = count >= minimum, np.maximum(count, 1.0)
    variance = (_between(_from_zero(logs * logs), *spans["year"]) - total * total / divisor) / np.maximum(count - 1.0, 1.0)
    moves = enough & (variance > 1e-20)
    slope, sloped = _slope(history, observed, spans["year"], (total, divisor))
    of_month, in_month = _between(cumulated, *spans["month"]), _between(counted, *spans["month"])
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


def _slope(history: Observed, observed: ndarray, span: tuple[ndarray, ndarray], moments: tuple[ndarray, ndarray]) -> tuple[ndarray, ndarray]:
    """Return the slope on the index over a span, and where the index moved; `moments` are the sums of log returns and the numbers of them."""
    total, divisor = moments
    index = history.index[:, None]
    of_index = _between(_from_zero(observed * index), *span)
    spread = _between(_from_zero(observed * (index * index)), *span) - of_index * of_index / divisor
    product = _between(_from_zero(history.logs * index), *span) - of_index * total / divisor
    moves = spread > 1e-20
    return np.divide(product, spread, out=np.zeros_like(product), where=moves), moves


def _from_zero(values: Float[ndarray, "t n"]) -> Float[ndarray, "t1 n"]:
    """Return sums of the first 0, 1, ..., t rows."""
    sums = np.empty((len(values) + 1, values.shape[1]))
    sums[0] = 0.0
    np.cumsum(values, axis=0, out=sums[1:])
    return sums


def _between(sums: Float[ndarray, "t1 n"], first: ndarray, stop: ndarray) -> Float[ndarray, "r n"]:
    """Return sums over rows ``first`` to ``stop - 1``."""
    return np.asarray(sums[stop] - sums[first])
