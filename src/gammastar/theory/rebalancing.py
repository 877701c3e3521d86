"""How often to rebalance: what each clock earned and cost on one Panel, exactly.

All clocks form one portfolio, that of a generating function, on one market. They begin and end with the same weights of the index, so that they share the
boundary; they differ by the L-divergence they harvest, which is the three-point identity (`gammastar.core.rebalancing.rebalancing_gain`) summed over the ticks
that one has and the other lacks, by the flow that they meet the index changes with, and by cost.
"""

from __future__ import annotations

__all__ = ["ClockEarnings", "FrequencyStudy", "rebalancing_frequency"]

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from gammastar.core.rebalancing import SignaturePlot, signature_plot, wealth_path
from gammastar.market.calendar import Clock, Frequency
from gammastar.theory.account import account_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    import plotly.graph_objects as go
    from jaxtyping import Bool, Float
    from numpy import ndarray

    from gammastar.core.generating import GeneratingFunction
    from gammastar.market.panel import Panel

PARTS = ("boundary", "l_divergence", "leakage", "flow_membership", "flow_other", "dividend", "cost")
"""What the relative log return of a clock consists of, in the words of `gammastar.theory.AccountParts`."""

_WINDOWS = {Frequency.DAILY: (1, 2, 5, 10, 21, 42, 63, 126, 252), Frequency.MONTHLY: (1, 2, 3, 6, 12)}
_FEWEST_YEARS = 5  # with fewer, a standard error says nothing


@dataclass(frozen=True, eq=False)
class ClockEarnings:
    """What the portfolio earned and cost on one clock. All figures but `rebalances` and `residual` are a year, in log return.

    Args:
        clock: when it is formed anew.
        rebalances: how often it was, the first purchase left out, the closing of the books counted.
        parts: of the relative log return, by the names of `PARTS`; they sum to it.
        turnover: one-way, half the sum of absolute traded weight.
        residual: relative log return of the whole, counted in money, less its parts: rounding only.
        path: log of its value over the index's, after cost, at each session, shape (t,); the first is zero.
        gain: relative log return less that of the study's slowest clock.
        standard_error: of `gain`, from calendar years taken as independent; None for the slowest clock, and with fewer than five years.
    """

    clock: Clock
    rebalances: int
    parts: dict[str, float]
    turnover: float
    residual: float
    path: Float[ndarray, " t"]
    gain: float = 0.0
    standard_error: float | None = None

    @property
    def relative_log_return(self) -> float:
        """The sum of the parts."""
        return sum(self.parts.values())

    def to_dict(self) -> dict[str, object]:
        """Return all but the path as plain values."""
        flow = self.parts["flow_membership"] + self.parts["flow_other"]
        kept = ("gain", "standard_error", "turnover", "rebalances", "residual")
        told = {"clock": str(self.clock), "relative_log_return": self.relative_log_return, **self.parts, "flow": flow}
        return {**told, **{name: getattr(self, name) for name in kept}}


@dataclass(frozen=True, eq=False)
class FrequencyStudy:
    """One generated portfolio on several clocks, and the signature plot of its excess growth.

    Args:
        function: that generated it, in words.
        sessions: dates, shape (t,).
        years: that they span.
        cost: fraction of the traded value.
        clocks: what each earned, the most frequent first; `gain` is over the last.
        signature: excess growth of the portfolio a year, against the window it is measured over, in sessions.
        index_signature: the same of the index.
    """

    function: str
    sessions: ndarray
    years: float
    cost: float
    clocks: tuple[ClockEarnings, ...]
    signature: SignaturePlot
    index_signature: SignaturePlot

    def of(self, clock: Clock) -> ClockEarnings:
        """Return what one clock earned.

        Raises:
            KeyError: a clock that was not studied.
        """
        return {item.clock: item for item in self.clocks}[clock]

    def three_point(self, fast: Clock, slow: Clock) -> float:
        """Return the L-divergence that `fast` harvested over `slow`, a year: where returns alone move the weights, all that lies between the two before cost."""
        return self.of(fast).parts["l_divergence"] - self.of(slow).parts["l_divergence"]

    def to_dict(self) -> dict[str, object]:
        """Return the study as plain values."""
        plots = {"portfolio": self.signature, "index": self.index_signature}
        windows = [int(length) for length in self.signature.windows]
        told = {f"{who}{what}": [float(x) for x in values] for who, plot in plots.items()
                for what, values in (("", plot.excess_growth), ("_standard_error", plot.standard_error))}  # fmt: skip
        return {
            "function": self.function,
            "from_to_sessions": [str(self.sessions[0]), str(self.sessions[-1]), len(self.sessions)],
            "years": self.years,
            "cost": self.cost,
            "clocks": [item.to_dict() for item in self.clocks],
            "signature": {"windows": windows, **told},
        }

    def to_pandas(self) -> pd.DataFrame:
        """Return one row a clock: relative log return and its parts a year, gain over the slowest clock with its standard error, turnover, residual."""
        import pandas as pd

        return pd.DataFrame([item.to_dict() for item in self.clocks]).set_index("clock")

    def paths(self) -> pd.DataFrame:
        """Return the log of each clock's value over the index's, after cost: one row a session, one column a clock."""
        import pandas as pd

        return pd.DataFrame({str(item.clock): item.path for item in self.clocks}, index=pd.DatetimeIndex(self.sessions, name="date"))

    def signature_frame(self) -> pd.DataFrame:
        """Return one row a window: excess growth a year of portfolio and index, each with its standard error."""
        import pandas as pd

        told = {f"{who}{what}": values for who, plot in (("portfolio", self.signature), ("index", self.index_signature))
                for what, values in (("", plot.excess_growth), ("_standard_error", plot.standard_error))}  # fmt: skip
        return pd.DataFrame(told, index=pd.Index(self.signature.windows, name="window"))

    def __str__(self) -> str:
        """Return the study as two tables, in basis points a year."""
        slowest = self.clocks[-1].clock
        shown = [name for name in PARTS if any(abs(item.parts[name]) > 1e-9 for item in self.clocks) and not name.startswith("flow")]
        shown.insert(shown.index("cost") if "cost" in shown else len(shown), "flow")
        heads = [*(name.replace("_", "-").replace("l-", "L-") for name in shown), "relative", f"over {slowest}", "s.e.", "turnover"]
        widths = [max(10, len(head) + 2) for head in heads]
        title = f"{self.function}, {self.years:.1f} years to {self.sessions[-1]}, cost {1e4 * self.cost:g} bp of traded value; basis points a year, turnover in % a year"
        lines = [title, f"{'clock':<11}" + "".join(f"{head:>{width}}" for head, width in zip(heads, widths, strict=True))]
        for item in self.clocks:
            told = item.to_dict()
            error = "" if item.standard_error is None else f"{1e4 * item.standard_error:.1f}"
            cells = [*(f"{1e4 * told[name]:.1f}" for name in (*shown, "relative_log_return", "gain")), error, f"{100 * item.turnover:.0f}"]  # type: ignore[operator]
            lines.append(f"{item.clock:<11}" + "".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True)))
        lines += [f"largest residual {max(abs(item.residual) for item in self.clocks):.1e}", "", "excess growth by window, basis points a year (standard error)"]
        lines.append(f"{'window':<11}{'portfolio':>18}{'index':>18}")
        plots = (self.signature, self.index_signature)
        for k, length in enumerate(self.signature.windows):
            told_plots = (f"{1e4 * plot.excess_growth[k]:.1f} ({1e4 * plot.standard_error[k]:.1f})" for plot in plots)
            lines.append(f"{length:<11}" + "".join(f"{cell:>18}" for cell in told_plots))
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """Return the tables for a notebook."""
        import html

        return f"<pre>{html.escape(str(self))}</pre>"

    def plot(self) -> go.Figure:
        """Return the gain of each clock over the slowest by its parts, and the signature plot."""
        from gammastar.theory.figures import frequency_figure

        return frequency_figure(self)


def rebalancing_frequency(
    function: GeneratingFunction,
    panel: Panel,
    *,
    clocks: Sequence[Clock] | None = None,
    cost: float = 0.0,
    windows: Sequence[int] | None = None,
) -> FrequencyStudy:
    """Return what rebalancing on each clock earned and cost on one market, with no lag and no residual.

    The account of each clock is `gammastar.theory.account_for`'s: the same weights, the same flow, the same charges. Its sum is compared with the value of the
    portfolio counted in money, session by session (`gammastar.core.rebalancing.wealth_path`); what is left is the residual.

    Args:
        function: the generating function.
        panel: the market, of two sessions or more.
        clocks: to compare; default: daily, weekly, monthly, quarterly, yearly, without those that are no faster than the next on this panel.
        cost: proportional cost, a fraction of the traded value.
        windows: of the signature plot, in sessions; default: a session to a year, as far as the panel is twice as long.

    Raises:
        ValueError: no clock, a panel of one session, or a window longer than the panel.

    >>> import datetime as dt
    >>> from gammastar.core.generating import Diversity
    >>> from gammastar.simulate import LargeCapMarket
    >>> panel = LargeCapMarket(members=20, listed=25, start=dt.date(2018, 1, 2), end=dt.date(2018, 12, 31)).simulate(1).panel
    >>> study = rebalancing_frequency(Diversity(0.0), panel, clocks=(Clock.WEEKLY, Clock.MONTHLY), cost=0.0005)
    >>> [(str(item.clock), item.rebalances, abs(item.residual) < 1e-12) for item in study.clocks]
    [('weekly', 53, True), ('monthly', 12, True)]
    """
    if len(panel) < 2:
        raise ValueError("rebalancing needs two sessions or more")
    order = list(Clock)
    asked = _distinct(panel, order) if clocks is None else sorted(set(clocks), key=order.index)
    if not asked:
        raise ValueError("there is no clock to compare")
    steps, periods = len(panel) - 1, panel.frequency.periods
    pi, gross = function.weights(panel.benchmark[:-1]), 1.0 + panel.returns[1:]
    lengths = windows if windows is not None else [length for length in _WINDOWS[panel.frequency] if length == 1 or 2 * length <= steps]
    plots = [signature_plot(weights, gross, lengths) for weights in (pi, panel.benchmark[:-1])]
    yearly = [SignaturePlot(plot.windows, periods * plot.excess_growth, periods * plot.standard_error) for plot in plots]
    earned = [_earnings(function, panel, gross, clock, cost) for clock in asked]
    blocks = np.flatnonzero(_ticks(panel, Clock.YEARLY))
    compared = tuple(_compared(item, earned[-1], blocks, periods) for item in earned)
    return FrequencyStudy(str(function), panel.sessions, steps / periods, cost, compared, *yearly)


def _ticks(panel: Panel, clock: Clock) -> Bool[ndarray, " t"]:
    """Return when a portfolio on this clock is formed anew: as the clock says, at the first session, and at the last, where the books close."""
    ticks = panel.calendar.ticks(clock).copy()
    ticks[[0, -1]] = True
    return ticks


def _distinct(panel: Panel, clocks: list[Clock]) -> list[Clock]:
    """Return the clocks that tick at other sessions than the next slower one."""
    ticks = [_ticks(panel, clock) for clock in clocks]
    return [clock for k, clock in enumerate(clocks) if k + 1 == len(clocks) or not np.array_equal(ticks[k], ticks[k + 1])]


def _earnings(function: GeneratingFunction, panel: Panel, gross: Float[ndarray, "t n"], clock: Clock, cost: float) -> ClockEarnings:
    """Return the account of one clock beside its value in money."""
    ticks = _ticks(panel, clock)
    account = account_for(function, panel, clock=clock, cost=cost)
    path = wealth_path(function, panel.benchmark, gross, ticks, cost=cost)
    relative = path.log_wealth - np.cumsum(np.log1p(panel.benchmark_returns))
    annual = account.annual()
    parts = {name: annual[name] for name in PARTS}
    residual = float(relative[-1]) - sum(parts.values()) * account.years
    return ClockEarnings(clock, int(ticks.sum()) - 1, parts, float(path.turnover.sum()) / account.years, residual, relative)


def _compared(item: ClockEarnings, slowest: ClockEarnings, blocks: ndarray, periods: int) -> ClockEarnings:
    """Return the earnings with the gain over the slowest clock, and its standard error from calendar years (the first and the last may be short)."""
    if item is slowest:
        return item
    ahead = np.diff((item.path - slowest.path)[blocks])
    lengths = np.diff(blocks) / periods
    gain, count = item.relative_log_return - slowest.relative_log_return, len(lengths)
    error = None
    if count >= _FEWEST_YEARS:
        scatter = float(np.sum((ahead - gain * lengths) ** 2)) * count / (count - 1)
        error = float(np.sqrt(scatter) / lengths.sum())
    return replace(item, gain=gain, standard_error=error)
