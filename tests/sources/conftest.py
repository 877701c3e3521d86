"""One small market, known exactly, that each test writes in a vendor's format and wants back from the store.

Its truth is kept by holding: one share of each asset, its splits, and its dividends put back into it at the close they are paid. No return is
computed by a formula that the code under test uses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import exchange_calendars
import numpy as np
import pytest

if TYPE_CHECKING:
    from numpy import ndarray

IDS = ("AAA", "BBB", "CCC", "DDD", "EEE", "FFF")
LAST = 60  # session of the last bar of FFF


@dataclass(frozen=True, eq=False)
class World:
    """A market of six assets on 82 sessions; AAA pays, BBB splits 2 for 1 and pays on one day, CCC is cut to a tenth, DDD has no bar on one session, FFF ends."""

    ids: tuple[str, ...]
    days: ndarray
    close: ndarray  # as traded, NaN without a bar
    dividend: ndarray  # for one share counted after the split of the session
    split: ndarray
    volume: ndarray
    shares: ndarray  # outstanding
    wealth: ndarray  # of one share at the start, dividends put back

    @property
    def returns(self) -> ndarray:
        """Simple total returns, NaN at the first session and where the asset has no bar; over a gap, since the bar before."""
        found = np.full(self.wealth.shape, np.nan)
        for asset in range(len(self.ids)):
            at = np.flatnonzero(np.isfinite(self.wealth[:, asset]))
            found[at[1:], asset] = self.wealth[at[1:], asset] / self.wealth[at[:-1], asset] - 1.0
        return found

    @property
    def capital(self) -> ndarray:
        return self.close * self.shares

    @property
    def standing(self) -> ndarray:
        """Capital with the last one carried over the one session without a bar of DDD, which is a month's end."""
        capital = self.capital.copy()
        capital[20, 3] = capital[19, 3]
        return capital

    @property
    def month_ends(self) -> ndarray:
        months = self.days.astype("datetime64[M]")
        return np.flatnonzero(np.append(months[1:] != months[:-1], True))

    def adjusted(self, *, dividends: bool) -> ndarray:
        """Return closes adjusted to the last session: for splits, and for dividends too where asked."""
        if not dividends:
            later = np.cumprod(self.split[::-1], axis=0)[::-1] / self.split
            return self.close / later
        adjusted = np.full(self.close.shape, np.nan)
        for asset in range(len(self.ids)):
            at = np.flatnonzero(np.isfinite(self.close[:, asset]))
            adjusted[at, asset] = self.wealth[at, asset] / self.wealth[at[-1], asset] * self.close[at[-1], asset]
        return adjusted

    def rows(self) -> list[tuple[int, int]]:
        """Return session and asset of each bar, by session."""
        return [(t, k) for t in range(len(self.days)) for k in range(len(self.ids)) if np.isfinite(self.close[t, k])]


@pytest.fixture(scope="session")
def world() -> World:
    days = exchange_calendars.get_calendar("XNYS", start="2019-01-02", end="2019-04-30").sessions.to_numpy().astype("datetime64[D]")
    rng = np.random.default_rng(11)
    t, n = len(days), len(IDS)
    split, dividend = np.ones((t, n)), np.zeros((t, n))
    split[30, 1], split[40, 2] = 2.0, 0.1
    dividend[10, 0], dividend[50, 0], dividend[30, 1] = 0.5, 0.75, 0.25
    close, shares = np.empty((t, n)), np.empty((t, n))
    close[0], shares[0] = 20.0 + 30.0 * rng.random(n), 1e6 * (1.0 + 9.0 * rng.random(n))
    for s in range(1, t):
        close[s] = np.round(close[s - 1] / split[s] * np.exp(0.02 * rng.standard_normal(n)), 2)
        shares[s] = shares[s - 1] * split[s]
    close[0] = np.round(close[0], 2)
    close[20, 3] = np.nan
    close[LAST + 1 :, 5] = np.nan
    volume = np.floor(1e5 * rng.random((t, n)) + 1000.0)
    wealth = np.full((t, n), np.nan)
    for k in range(n):
        held = 1.0
        for s in range(t):
            held *= split[s, k]
            if np.isfinite(close[s, k]):
                held += held * dividend[s, k] / close[s, k]
                wealth[s, k] = held * close[s, k]
    return World(IDS, days, close, dividend, split, volume, shares, wealth)


@pytest.fixture
def same_returns():
    """Check that a panel's observed returns are the truth, and that none is lacking after the first snapshot."""

    def check(panel, world: World, truth: ndarray | None = None, *, ids: dict[str, str] | None = None, tolerance: float = 1e-12) -> None:
        wanted = world.returns if truth is None else truth
        start = int(np.flatnonzero(world.days == panel.sessions[0])[0])
        for k, name in enumerate(world.ids):
            column = panel.assets.index[name if ids is None else ids[name]]
            told = panel.observed[1:, column]
            np.testing.assert_array_equal(told, np.isfinite(wanted[start + 1 : start + len(panel), k]), err_msg=name)
            np.testing.assert_allclose(panel.returns[1:, column][told], wanted[start + 1 : start + len(panel), k][told], rtol=0, atol=tolerance, err_msg=name)

    return check
