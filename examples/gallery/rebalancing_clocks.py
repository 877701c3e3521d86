r"""
Rebalancing frequency
=====================

Does it pay to rebalance more often? Trading costs say no. Volatility says neither yes nor no: it depends on
whether moves come back, go on, or do neither. This page makes one market of each kind and counts.
"""

# %%
# The exact answer
# ----------------
# A portfolio is formed at weights :math:`p`; the market goes to :math:`q` and then to :math:`r`. Forming it anew
# at :math:`q` changes its log return by
#
# .. math:: \log\, V(\text{rebalanced at } q) - \log\, V(\text{not}) = T(q \mid p) + T(r \mid q) - T(r \mid p) ,
#
# where :math:`T` is the L-divergence. Take equal weight in two stocks:

import numpy as np
import pandas as pd

from gammastar.core.generating import Diversity
from gammastar.core.rebalancing import rebalancing_gain
from gammastar.market.calendar import Clock
from gammastar.report.figure_style import PALETTE, blank, end_labels
from gammastar.simulate import GeometricBrownian, Grid, Paths
from gammastar.theory import rebalancing_frequency

equal = Diversity(0.0)
p, q, further = np.array([0.50, 0.50]), np.array([0.55, 0.45]), np.array([0.60, 0.40])
print(f"there and back: {1e4 * rebalancing_gain(equal, p, q, p):6.1f} bp")
print(f"there and on:   {1e4 * rebalancing_gain(equal, p, q, further):6.1f} bp")

# %%
# Three markets
# -------------
# The first is a geometric Brownian motion: what a stock did yesterday says nothing about today. The second adds
# to each log price a deviation that fades with a half-life of three sessions, so that part of each move comes
# back. In the third prices take in only three quarters of what is new each session, so that moves go on. Forty
# stocks, six years, the same random numbers underneath.

names, grid = 40, Grid(steps=252 * 6)
market = GeometricBrownian.exchangeable(
    names=names, volatility=0.30, correlation=0.30, growth=0.05
)
logs = market.simulate(grid, seed=1).log_capitalisations[0]
shocks = np.random.default_rng(2).standard_normal(logs.shape)
keep, size = 0.5 ** (1 / 3), 0.008
fading, late = np.zeros_like(logs), logs.copy()
for t in range(1, len(logs)):
    fading[t] = keep * fading[t - 1] + size * np.sqrt(1.0 - keep**2) * shocks[t]
    late[t] = late[t - 1] + 0.75 * (logs[t] - late[t - 1])
markets = {"moves come back": logs + fading, "independent": logs, "moves go on": late}
panels = {name: Paths(grid, values[None], name).panel() for name, values in markets.items()}

# %%
# The signature plot
# ------------------
# Excess growth of equal weight, measured over windows of one session to one quarter. It is flat where moves are
# independent, falls where they come back, and rises where they go on. What a clock can harvest is about the
# height of the line at its own window.

clocks = (Clock.DAILY, Clock.WEEKLY, Clock.MONTHLY, Clock.QUARTERLY)
windows = (1, 2, 5, 10, 21, 63)
studies = {
    name: rebalancing_frequency(equal, panel, clocks=clocks, cost=0.001, windows=windows)
    for name, panel in panels.items()
}
colours = {
    "moves come back": PALETTE.captured_volatility,
    "independent": PALETTE.portfolio,
    "moves go on": PALETTE.allocation,
}
title, unit = "Excess growth by window", "basis points a year, with one standard error"
figure = blank(title, unit, height=340)
for name, study in studies.items():
    heights, errors = 1e4 * study.signature.excess_growth, 1e4 * study.signature.standard_error
    figure.add_scatter(x=windows, y=heights, error_y={"array": errors, "width": 3}, name=name,
                       mode="lines+markers", line_color=colours[name])
bounds = (150.0, 400.0)
figure.update_xaxes(type="log", title="window, sessions", tickvals=windows, range=[-0.06, 1.9])
figure.update_yaxes(range=bounds, ticksuffix=" bp")
figure.update_layout(margin_b=44)
ends = [(1e4 * float(study.signature.excess_growth[-1]), name, colours[name])
        for name, study in studies.items()]
end_labels(figure, ends, bounds)
figure

# %%
# What each clock earned
# ----------------------
# L-divergence is what rebalancing harvested. All clocks share the boundary, so differences between them are the
# three-point identity summed over every rebalance that one has and the other lacks. Cost is 10 basis points of
# what is traded. The last columns are the gain over quarterly trading, after cost, and its standard error from
# calendar years.

rows = {}
for name, study in studies.items():
    for clock in clocks:
        item = study.of(clock)
        earned, cost = 1e4 * item.parts["l_divergence"], 1e4 * item.parts["cost"]
        rows[name, str(clock)] = {
            "L-divergence": earned,
            "cost": cost,
            "after cost": earned + cost,
            "over quarterly": 1e4 * item.gain,
            "s.e.": 1e4 * (item.standard_error or 0.0),
            "turnover, %": 100 * item.turnover,
        }
print("basis points a year")
print(pd.DataFrame(rows).T.round().astype(int).to_string())

# %%
# * Where moves come back a faster clock harvests more before cost. After cost daily ends about where quarterly
#   does.
# * Where they are independent the clocks harvest the same, within the errors, and only cost tells them apart.
# * Where they go on daily trading buys what is still falling. It harvests far less, before any cost.
#
# Daily closing prices can bounce between bid and ask, so that some of what comes back in data cannot be had in
# trading. Six years are also few: read the standard errors before the differences. For a market of your own:
#
# .. code-block:: python
#
#     study = rebalancing_frequency(Diversity(0.5), panel, cost=0.0005)
#     print(study)
#     study.plot()
