"""The whole exact account of a generated portfolio on a Panel: boundary, L-divergence, leakage, flow, dividends, cost, with no residual.

From one rebalance at s to the next, prices move the weights ``mu_s`` to ``nu``, and

    log(V_pi / V_mu) = log G(mu_next) - log G(mu_s)      boundary, published weights to published weights
                     + T(nu | mu_s)                      L-divergence (leakage apart, for functions of ranks)
                     + log G(nu) - log G(mu_next)        flow: who is in the index, and everything else that changes weights
                     + total-return less price-return    dividends, where the panel has prices
                     + log c                             cost of the trade, self-financing

(Fernholz 1999 and 2001 in the exact discrete form of Pal and Wong 2016; cost by Ruf and Xie 2020.)
"""

from __future__ import annotations

__all__ = ["Account", "AccountParts", "account_for"]

from dataclasses import dataclass, fields
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from gammastar.core.costs import self_financing
from gammastar.core.excess_growth import sector_chain
from gammastar.core.generating import l_divergence, relative_value
from gammastar.core.rank import leakage

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go
    from jaxtyping import Bool, Float
    from numpy import ndarray

    from gammastar.core.generating import GeneratingFunction
    from gammastar.market.calendar import Clock
    from gammastar.market.panel import Panel


@dataclass(frozen=True, eq=False)
class AccountParts:
    """Parts of the log relative return between rebalances, shape (s,) each; they sum to it.

    Args:
        boundary: change of log G, published weights to published weights.
        l_divergence: what rebalancing earned, not negative for concave G.
        leakage: ranks followed less ranks held anew; zero for functions that look at names.
        flow_membership: what names that joined and left the index took or gave.
        flow_other: what other changes of weights took or gave (shares issued and bought back, float).
        dividend: total-return less price-return form; zero where the panel has no prices.
        cost: of the trades, not positive.
        residual: what rounding leaves of the log relative return, made from wealth.
    """

    boundary: Float[ndarray, " s"]
    l_divergence: Float[ndarray, " s"]
    leakage: Float[ndarray, " s"]
    flow_membership: Float[ndarray, " s"]
    flow_other: Float[ndarray, " s"]
    dividend: Float[ndarray, " s"]
    cost: Float[ndarray, " s"]
    residual: Float[ndarray, " s"]

    @property
    def total(self) -> Float[ndarray, " s"]:
        """Their sum: the log relative return of each step."""
        return np.asarray(sum(getattr(self, item.name) for item in fields(self)))


@dataclass(frozen=True, eq=False)
class Account:
    """The account of one generated portfolio.

    Args:
        function: that generated it, in words.
        ends: date of the end of each step, shape (s,).
        years: that the steps span.
        parts: of each step.
        sectors: labels.
        within: free energy inside each sector, portfolio less market, shape (s, sectors); with `between` it sums to captured volatility.
        between: free energy between sectors, portfolio less market, shape (s,).
    """

    function: str
    ends: ndarray
    years: float
    parts: AccountParts
    sectors: tuple[str, ...]
    within: Float[ndarray, "s k"]
    between: Float[ndarray, " s"]

    def annual(self) -> dict[str, float]:
        """Return each part a year."""
        return {item.name: float(getattr(self.parts, item.name).sum()) / self.years for item in fields(self.parts)}

    def to_dict(self) -> dict[str, object]:
        """Return the annual account as plain values."""
        annual = self.annual()
        captured = {label: float(self.within[:, k].sum()) / self.years for k, label in enumerate(self.sectors)}
        return {
            "function": self.function,
            "from_to_steps": [str(self.ends[0]), str(self.ends[-1]), len(self.ends)],
            "years": self.years,
            "relative_log_return": float(self.parts.total.sum()) / self.years,
            **annual,
            "residual_max_step": float(np.abs(self.parts.residual).max()),
            "captured_volatility": {"between_sectors": float(self.between.sum()) / self.years, **captured},
        }

    def to_pandas(self, *, cumulated: bool = False) -> pd.DataFrame:
        """Return one row a step, one column a part; running sums if `cumulated`."""
        import pandas as pd

        frame = pd.DataFrame({item.name: getattr(self.parts, item.name) for item in fields(self.parts)}, index=pd.DatetimeIndex(self.ends, name="date"))
        return frame.cumsum() if cumulated else frame

    def by_sector(self) -> pd.DataFrame:
        """Return captured volatility of each step by sector, and between sectors (the chain rule: the columns sum to it exactly)."""
        import pandas as pd

        frame = pd.DataFrame(self.within, index=pd.DatetimeIndex(self.ends, name="date"), columns=list(self.sectors))
        return frame.assign(**{"between sectors": self.between})

    def __str__(self) -> str:
        """Return the annual account as a table, in basis points."""
        lines = [f"{self.function}, {self.years:.1f} years to {self.ends[-1]}, basis points a year"]
        lines += [f"  {name.replace('_', ' '):<18}{1e4 * value:10.1f}" for name, value in self.annual().items() if name != "residual"]
        total = 1e4 * float(self.parts.total.sum()) / self.years
        return "\n".join([*lines, f"  {'relative return':<18}{total:10.1f}", f"  largest residual of a step {np.abs(self.parts.residual).max():.1e}"])

    def _repr_html_(self) -> str:
        """Return the annual account for a notebook."""
        import html

        return f"<pre>{html.escape(str(self))}</pre>"

    def plot(self) -> go.Figure:
        """Return the cumulated parts as a figure."""
        from gammastar.theory.figures import account_figure

        return account_figure(self)


def account_for(function: GeneratingFunction, panel: Panel, *, clock: Clock | None = None, cost: float = 0.0) -> Account:
    """Return the exact account of the portfolio that `function` generates on `panel`, with no lag.

    Args:
        function: the generating function.
        panel: the market.
        clock: rebalance at these closes; default: at every session. The first session always is, and the last closes the books.
        cost: proportional cost, a fraction of the traded value.

    Returns:
        The parts of each step, in log return.

    Raises:
        ValueError: a panel of one session, or a function that a close's weights do not fit.

    >>> import datetime as dt
    >>> from gammastar.core.generating import Diversity
    >>> from gammastar.simulate import LargeCapMarket
    >>> panel = LargeCapMarket(members=20, listed=25, start=dt.date(2018, 1, 2), end=dt.date(2018, 3, 29)).simulate(1).panel
    >>> parts = account_for(Diversity(0.5), panel, cost=0.0005).parts
    >>> bool(abs(parts.residual).max() < 1e-12), bool((parts.l_divergence >= 0.0).all())
    (True, True)
    """
    if len(panel) < 2:
        raise ValueError("an account needs two sessions or more")
    ticks = np.ones(len(panel), dtype=bool) if clock is None else panel.calendar.ticks(clock)
    at = np.unique(np.concatenate(([0], np.flatnonzero(ticks), [len(panel) - 1])))
    steps = [_step(function, panel, start, end, cost) for start, end in pairwise(at.tolist())]
    parts = AccountParts(*(np.array([step[0][k] for step in steps]) for k in range(len(fields(AccountParts)))))
    years = (len(panel) - 1) / panel.frequency.periods
    within, between = np.stack([step[1] for step in steps]), np.array([step[2] for step in steps])
    return Account(str(function), panel.sessions[at[1:]], years, parts, panel.sectors.labels, within, between)


def _step(function: GeneratingFunction, panel: Panel, start: int, end: int, cost: float) -> tuple[tuple[float, ...], ndarray, float]:
    """Return the parts of one step, in the order of `AccountParts`, and its captured volatility within and between sectors."""
    span = slice(start + 1, end + 1)
    mu, after, pi = panel.benchmark[start], panel.benchmark[end], function.weights(panel.benchmark[start])
    gross = np.prod(1.0 + panel.returns[span], axis=0)
    by_price = gross
    if panel.prices is not None:
        by_price = panel.prices.close[end] / panel.prices.close[start] * np.prod(panel.prices.split[span], axis=0)
        by_price = np.where(mu > 0.0, by_price, 1.0)
    nu = mu * by_price / float(mu @ by_price)
    relative = float(np.log(relative_value(function, mu, nu)))
    boundary_at_nu = float(function.log_value(nu[None])[0] - function.log_value(mu[None])[0])
    membership, other = _flow(function, nu, after)
    index = np.prod(1.0 + panel.benchmark_returns[span])
    dividend = float(np.log(pi @ gross) - np.log(mu @ gross)) - relative
    stale = float(np.log(mu @ gross) - np.log(index))  # the index changed between the ends of the step: that is flow too
    target, money = function.weights(after), pi * gross
    left = self_financing(money, target, np.full(len(mu), cost)) if cost > 0.0 else 1.0
    total = float(np.log(money.sum() * left) - np.log(index))
    known = (
        boundary_at_nu - membership - other,
        float(l_divergence(function, mu, nu)),
        float(leakage(function, mu, nu)),
        membership + stale,
        other,
        dividend,
        float(np.log(left)),
    )
    within, between = _sectors(panel, start, pi, gross)
    return (*known, total - sum(known)), within, between


def _flow(function: GeneratingFunction, nu: Float[ndarray, " n"], after: Float[ndarray, " n"]) -> tuple[float, float]:
    """Return what joining and leaving took or gave, and what all other changes of weights did.

    In between stands the index with today's members: those that stay keep the proportions that returns gave them, those that join have their new weight.
    """
    joined: Bool[ndarray, " n"] = (nu == 0.0) & (after > 0.0)
    staying = np.where((nu > 0.0) & (after > 0.0), nu, 0.0)
    new = np.where(joined, after, 0.0)
    middle = new + staying * ((1.0 - new.sum()) / staying.sum())
    values = function.log_value(np.stack((nu, middle, after)))
    return float(values[0] - values[1]), float(values[1] - values[2])


def _sectors(panel: Panel, start: int, pi: Float[ndarray, " n"], gross: Float[ndarray, " n"]) -> tuple[ndarray, float]:
    """Return the free energy of the portfolio less that of the market, inside each sector and between them."""
    codes, count = panel.sectors.codes[start], len(panel.sectors.labels)
    padded = np.append(codes, count - 1)  # so that every sector is counted, held or not
    parts = [sector_chain(np.append(weights, 0.0), np.append(gross, 1.0), padded) for weights in (pi, panel.benchmark[start])]
    return parts[0][1] - parts[1][1], parts[0][0] - parts[1][0]
