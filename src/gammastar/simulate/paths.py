"""Simulated paths as a value, and the Panel of one of them."""

from __future__ import annotations

__all__ = ["Paths", "weekday_sessions"]

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gammastar.market.arrays import frozen_array
from gammastar.market.assets import Assets
from gammastar.market.calendar import Calendar, Clock, Frequency
from gammastar.market.panel import Panel, Sectors

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy import ndarray

    from gammastar.simulate.grid import Grid

FIRST_DAY = dt.date(2000, 1, 3)


def weekday_sessions(count: int, frequency: Frequency, start: dt.date = FIRST_DAY) -> Calendar:
    """Return a calendar of no exchange: every weekday from `start` on, or the last weekday of every month from that of `start` on.

    Args:
        count: sessions.
        frequency: daily or monthly.
        start: the first session is on this day or after it, or in its month.
    """
    if frequency is Frequency.DAILY:
        days = np.busday_offset(np.datetime64(start, "D"), np.arange(count + 1), roll="forward")
    else:
        following = np.datetime64(start, "M") + np.arange(1, count + 2)
        days = np.busday_offset(following.astype("datetime64[D]"), -1, roll="forward")
    return Calendar(days[:-1], days[-1], "WEEKDAYS")


@dataclass(frozen=True, eq=False)
class Paths:
    """Many paths of one market model.

    Args:
        grid: the times.
        log_capitalisations: by name, shape (paths, steps + 1, n); read-only.
        source: which model and seed made them, in words.
    """

    grid: Grid
    log_capitalisations: Float[ndarray, "p s n"]
    source: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "log_capitalisations", frozen_array(self.log_capitalisations, np.float64))

    def __len__(self) -> int:
        return len(self.log_capitalisations)

    @property
    def times(self) -> Float[ndarray, " s"]:
        """Times of the records in years, shape (steps + 1,)."""
        return self.grid.times

    @property
    def weights(self) -> Float[ndarray, "p s n"]:
        """Market weights ``mu = X / sum X``, shape (paths, steps + 1, n); made when asked for."""
        log_capital = self.log_capitalisations
        capital = np.exp(log_capital - log_capital.max(axis=-1, keepdims=True))
        return np.asarray(capital / capital.sum(axis=-1, keepdims=True))

    def panel(self, path: int = 0, *, start: dt.date = FIRST_DAY, calendar: Calendar | None = None) -> Panel:
        """Return one path as a Panel: no dividends, no membership changes, so that returns alone move the weights.

        Args:
            path: its number.
            start: first day of a calendar of weekdays that no exchange keeps.
            calendar: sessions of the records, one for each, in place of weekdays; a dataset takes those of an exchange.

        Raises:
            ValueError: steps that are neither sessions (1/252 years) nor months (1/12), a calendar of another length, or no such path.
        """
        if not 0 <= path < len(self):
            raise ValueError(f"path is {path}; allowed: 0 to {len(self) - 1}.")
        sessions = weekday_sessions(self.grid.steps + 1, self._frequency(), start) if calendar is None else calendar
        if len(sessions) != self.grid.steps + 1:
            raise ValueError(f"the calendar has {len(sessions)} sessions; allowed: {self.grid.steps + 1}, one for each record.")
        return weights_panel(
            np.diff(self.log_capitalisations[path], axis=0),
            self.weights[path, 0],
            sessions,
            self._frequency(),
            f"{self.source}, path {path}",
        )

    def _frequency(self) -> Frequency:
        for frequency in Frequency:
            if np.isclose(self.grid.years_per_step * frequency.periods, 1.0, rtol=1e-9):
                return frequency
        raise ValueError(
            f"years_per_step is {self.grid.years_per_step:g}; a Panel takes 1/252 or 1/12. "
            "Record at sessions and refine the Euler steps by `substeps`."
        )


def weights_panel(
    log_returns: Float[ndarray, "s n"],
    weights: Float[ndarray, " n"],
    calendar: Calendar,
    frequency: Frequency,
    source: str,
) -> Panel:
    """Return the Panel of a market in which returns alone move the weights; these are published at the first session and every month's end.

    Args:
        log_returns: of each session after the first, shape (t - 1, n).
        weights: at the close of the first session, summing to one.
        calendar: t sessions.
        frequency: of the sessions.
        source: where it came from, in words.
    """
    with np.errstate(divide="ignore"):
        moved = np.log(weights) + np.vstack((np.zeros(len(weights)), np.cumsum(log_returns, axis=0)))
    benchmark = np.exp(moved - moved.max(axis=1, keepdims=True))
    published = calendar.ticks(Clock.MONTHLY)
    published[0] = True
    return Panel(
        calendar=calendar,
        assets=Assets(tuple(f"SIM{number:05d}" for number in range(1, len(weights) + 1))),
        frequency=frequency,
        returns=np.vstack((np.zeros(len(weights)), np.expm1(log_returns))),
        observed=np.vstack((np.zeros((1, len(weights)), dtype=bool), np.ones(log_returns.shape, dtype=bool))),
        benchmark=benchmark / benchmark.sum(axis=1, keepdims=True),
        sectors=Sectors(("Unknown",), np.zeros(moved.shape, dtype=np.int16)),
        published=published,
        source=source,
    )
