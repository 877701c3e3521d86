"""The capital distribution of a Panel: log weight against log rank (Fernholz 2002, chapter 5)."""

from __future__ import annotations

__all__ = ["CapitalCurve", "capital_curve"]

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gammastar.core.rank_generating import ranked_weights

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go
    from jaxtyping import Float
    from numpy import ndarray

    from gammastar.market.panel import Panel


@dataclass(frozen=True, eq=False)
class CapitalCurve:
    """Ranked index weights at some closes.

    Args:
        dates: of the closes, shape (c,).
        weights: largest first, shape (c, m); zero beyond the last member.
    """

    dates: ndarray
    weights: Float[ndarray, "c m"]

    def slope(self, first: int = 1, last: int = 100) -> Float[ndarray, " c"]:
        """Return the least-squares slope of log weight on log rank between two ranks, for each date; -1 is Zipf's law.

        Raises:
            ValueError: fewer than two ranks, or ranks beyond the last member.
        """
        if not 1 <= first < last <= self.weights.shape[1] or (self.weights[:, last - 1] == 0.0).any():
            raise ValueError(f"ranks {first} to {last} must be two or more, and held by members at every date")
        x = np.log(np.arange(first, last + 1.0))
        y = np.log(self.weights[:, first - 1 : last])
        x -= x.mean()
        return np.asarray((y @ x) / (x @ x))

    def share(self, count: int) -> Float[ndarray, " c"]:
        """Return the weight of the `count` largest, for each date."""
        return np.asarray(self.weights[:, :count].sum(axis=1))

    @property
    def _last(self) -> int:
        """The last rank of the slopes shown: the hundredth, or the last that every date has."""
        return int(min(100, (self.weights > 0.0).sum(axis=1).min()))

    def to_dict(self) -> dict[str, object]:
        """Return the curves as plain values: slope, top shares, and the weights by rank."""
        members, last = (self.weights > 0.0).sum(axis=1), self._last
        return {
            "dates": [str(date) for date in self.dates],
            "members": [int(count) for count in members],
            "slope": [float(value) for value in self.slope(1, last)],
            "slope_ranks": [1, last],
            "top_10_share": [float(value) for value in self.share(10)],
            "weights": [[float(x) for x in row[row > 0.0]] for row in self.weights],
        }

    def to_pandas(self) -> pd.DataFrame:
        """Return one row a rank, one column a date."""
        import pandas as pd

        return pd.DataFrame(self.weights.T, index=pd.RangeIndex(1, self.weights.shape[1] + 1, name="rank"), columns=pd.DatetimeIndex(self.dates))

    def __str__(self) -> str:
        """Return slope and concentration of each curve."""
        found = self.to_dict()
        lines = [f"{'date':<12}{'members':>9}{'slope':>9}{'top 10':>9}   (slope over ranks 1 to {self._last})"]
        rows = zip(found["dates"], found["members"], found["slope"], found["top_10_share"], strict=True)  # type: ignore[call-overload]
        return "\n".join([*lines, *(f"{date:<12}{members:>9}{slope:>9.3f}{100 * share:>8.1f}%" for date, members, slope, share in rows)])

    def _repr_html_(self) -> str:
        """Return the table for a notebook."""
        return f"<pre>{self}</pre>"

    def plot(self) -> go.Figure:
        """Return the curves as a figure, both axes logarithmic."""
        from gammastar.theory.figures import capital_figure

        return capital_figure(self)


def capital_curve(panel: Panel, on: tuple[np.datetime64, ...] = ()) -> CapitalCurve:
    """Return the capital distribution of the index at some closes (default: the first, the middle and the last).

    Args:
        panel: the market.
        on: sessions.

    Raises:
        ValueError: a date that is no session.

    >>> import datetime as dt
    >>> from gammastar.simulate import LargeCapMarket
    >>> panel = LargeCapMarket(members=20, listed=25, start=dt.date(2018, 1, 2), end=dt.date(2018, 3, 29)).simulate(1).panel
    >>> capital_curve(panel).weights.shape
    (3, 20)
    """
    positions = [panel.calendar.position(date) for date in on] or [0, len(panel) // 2, len(panel) - 1]
    ranked = ranked_weights(panel.benchmark[positions])
    return CapitalCurve(panel.sessions[positions], ranked[:, : int((ranked > 0.0).sum(axis=1).max())])
