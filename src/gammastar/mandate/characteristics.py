"""Named characteristics of assets, from prices and index weights alone, as known at a moment."""

from __future__ import annotations

__all__ = ["CHARACTERISTICS", "characteristic_values"]

from typing import TYPE_CHECKING

import numpy as np

from gammastar.market.calendar import Frequency

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Float
    from numpy import ndarray

    from gammastar.market.moment import Moment

_A_YEAR = {Frequency.DAILY: 252, Frequency.MONTHLY: 12}
_A_MONTH = {Frequency.DAILY: 21, Frequency.MONTHLY: 1}


def characteristic_values(name: str, moment: Moment) -> Float[ndarray, " n"]:
    """Return a characteristic of each asset, not yet standardised.

    * ``size``: log benchmark weight;
    * ``volatility``: log of the standard deviation of log returns over the last year;
    * ``beta``: slope of log returns on the benchmark's over the last year;
    * ``momentum``: sum of log returns over the last year but its last month;
    * ``reversal``: sum of log returns over the last month.

    A member whose characteristic cannot be known (no observed return in the window) gets the benchmark-weighted mean of the others.

    Args:
        name: one of `CHARACTERISTICS`.
        moment: what is known.

    Returns:
        Shape (n,); zero outside the benchmark.

    Raises:
        ValueError: there is no such characteristic.
    """
    if name not in CHARACTERISTICS:
        raise ValueError(f"there is no characteristic {name!r}; there are {', '.join(CHARACTERISTICS)}")
    member = moment.members
    values, known = CHARACTERISTICS[name](moment)
    known = known & member
    if not known.any():
        return np.zeros(len(member))
    mean = float(values[known] @ moment.benchmark[known]) / float(moment.benchmark[known].sum())
    return np.where(member, np.where(known, values, mean), 0.0)


def _size(moment: Moment) -> tuple[ndarray, ndarray]:
    member = moment.members
    return np.log(moment.benchmark, out=np.zeros(len(member)), where=member), member


def _window(moment: Moment, first: int, last: int) -> tuple[ndarray, ndarray]:
    """Return log returns, zero where not observed, and what was observed, from `first` to `last` sessions back (0 is now)."""
    stop = len(moment.returns) - last
    rows = slice(max(stop - (first - last), 0), max(stop, 0))
    observed = moment.observed[rows]
    return np.where(observed, np.log1p(moment.returns[rows]), 0.0), observed


def _volatility(moment: Moment) -> tuple[ndarray, ndarray]:
    logs, observed = _window(moment, _A_YEAR[moment.frequency], 0)
    count = observed.sum(axis=0)
    mean = logs.sum(axis=0) / np.maximum(count, 1)
    variance = (observed * (logs - mean) ** 2).sum(axis=0) / np.maximum(count - 1, 1)
    known = (count >= 2) & (variance > 0.0)
    return 0.5 * np.log(variance, out=np.zeros(len(count)), where=known), known


def _beta(moment: Moment) -> tuple[ndarray, ndarray]:
    logs, observed = _window(moment, _A_YEAR[moment.frequency], 0)
    stop = len(moment.returns)
    if len(logs) == stop:  # a return is earned by the weights of the session before, and the first of all has none
        logs, observed = logs[1:], observed[1:]
    if len(logs) < 2:
        return np.zeros(logs.shape[1]), np.zeros(logs.shape[1], dtype=bool)
    index = np.log1p(np.einsum("tn,tn->t", moment.benchmark_history[stop - len(logs) - 1 : stop - 1], moment.returns[stop - len(logs) :]))
    count = observed.sum(axis=0)
    centred = observed * (index[:, None] - (observed * index[:, None]).sum(axis=0) / np.maximum(count, 1))
    spread = (centred**2).sum(axis=0)
    known = (count >= 2) & (spread > 0.0)
    return np.divide((centred * logs).sum(axis=0), spread, out=np.zeros(len(count)), where=known), known


def _momentum(moment: Moment) -> tuple[ndarray, ndarray]:
    logs, observed = _window(moment, _A_YEAR[moment.frequency], _A_MONTH[moment.frequency])
    return logs.sum(axis=0), np.asarray(observed.any(axis=0))


def _reversal(moment: Moment) -> tuple[ndarray, ndarray]:
    logs, observed = _window(moment, _A_MONTH[moment.frequency], 0)
    return logs.sum(axis=0), np.asarray(observed.any(axis=0))


CHARACTERISTICS: dict[str, Callable[[Moment], tuple[ndarray, ndarray]]] = {
    "size": _size,
    "volatility": _volatility,
    "beta": _beta,
    "momentum": _momentum,
    "reversal": _reversal,
}
