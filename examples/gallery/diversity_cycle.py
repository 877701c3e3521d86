r"""
Diversity and its cycle
=======================

Capital is spread over many stocks in some years and gathers in a few in others. Portfolios that hold less of
the largest stocks than the index follow that swing closely, up and down, and collect a little all the while.
This page takes a market in which the swing returns, by construction, and measures how long the wait can be.
"""

# %%
# The capital distribution
# ------------------------
# In an Atlas market every stock falls behind at the rate :math:`g` but the smallest, which is pushed up;
# volatility is :math:`\sigma`. So the market neither falls apart nor gathers in one stock: the gaps between
# ranked log capitalisations are exponential, with means :math:`\sigma^2 / (2kg)`. Sixty years of eighty stocks,
# months made of 21 Euler steps:

import numpy as np
import pandas as pd

from gammastar.core.generating import Diversity, l_divergence
from gammastar.report.figure_style import PALETTE, Axis, Line, blank, end_labels, line_figure
from gammastar.simulate import Atlas, Grid
from gammastar.theory import account_for, capital_curve

market = Atlas(names=80, drift=0.06, volatility=0.30)
grid = Grid(steps=12 * 60, years_per_step=1 / 12, substeps=21)
panel = market.simulate(grid, seed=3).panel()
function = Diversity(0.5)
level = function.log_value(panel.benchmark)
extremes = panel.sessions[[int(np.argmin(level)), int(np.argmax(level))]]
curve = capital_curve(panel, on=tuple(np.sort(extremes)))
print(curve)

# %%
# Weights by rank, on the two dates when capital was most and least gathered, beside the curve that the mean gaps
# give. On double logarithmic paper the last is close to a straight line of slope :math:`-\sigma^2/(2g)`.

rank = np.arange(1, len(market) + 1)
least, most = (capital_curve(panel, on=(date,)).weights[0] for date in extremes)
lines = (
    ("most gathered", least, PALETTE.allocation, "solid"),
    ("most spread", most, PALETTE.captured_volatility, "solid"),
    ("mean gaps", np.exp(market.capital_curve()), PALETTE.muted, "dash"),
)
figure = blank(
    "Capital distribution", "weight in the index, %, both axes logarithmic", height=340
)
for name, values, colour, dash in lines:
    style = {"color": colour, "dash": dash, "width": 1.6}
    figure.add_scatter(x=rank, y=100 * values, name=name, mode="lines", line=style)
bounds = (-1.0, 1.5)
figure.update_xaxes(type="log", title="rank", tickvals=[1, 2, 5, 10, 20, 50, 80])
figure.update_yaxes(type="log", range=bounds)
figure.update_yaxes(tickvals=[0.1, 1, 10], ticktext=["0.1%", "1%", "10%"])
figure.update_layout(margin_b=44)
ends = [(float(np.log10(100 * values[-1])), name, colour) for name, values, colour, _ in lines]
end_labels(figure, ends, bounds)
figure

# %%
# What a diversity-weighted portfolio earns
# -----------------------------------------
# The function :math:`D_p = \bigl(\tfrac{1}{n} \sum_i \mu_i^p\bigr)^{1/p}` measures how far capital is spread, and
# generates weights proportional to :math:`\mu_i^p`: here :math:`p = \tfrac{1}{2}`. The relative log return is the
# change of its logarithm plus the L-divergence, exactly:
#
# .. math:: \log\, \frac{V_\pi(T)}{V_\mu(T)} = \log\, \frac{D_p(\mu_T)}{D_p(\mu_0)} + \sum_t T(\mu_{t+1} \mid \mu_t) .

account = account_for(function, panel)
print(account)
frame = account.to_pandas(cumulated=True)
lines = [
    Line("change of log diversity", account.ends, 100 * frame["boundary"].to_numpy(),
         PALETTE.allocation),
    Line("L-divergence", account.ends, 100 * frame["l_divergence"].to_numpy(),
         PALETTE.captured_volatility),
    Line("relative return", account.ends, 100 * account.parts.total.cumsum(),
         PALETTE.portfolio, width=2.2),
]
title, unit = "Diversity-weighted, p = 1/2, against the index", "cumulated log return, %"
line_figure(title, unit, lines, Axis(decimals=0), height=340)

# %%
# Year by year the relative return *is* the change of diversity: the L-divergence hardly varies. Over sixty years
# it is the other way round, for the change of diversity stays bounded in a market like this while the
# L-divergence adds up.

relative, boundary, earned = (
    values.reshape(60, 12).sum(axis=1)
    for values in (account.parts.total, account.parts.boundary, account.parts.l_divergence)
)
by_year = {
    "relative return": relative,
    "change of diversity": boundary,
    "L-divergence": earned,
}
print("standard deviation of a year, %")
print((100 * pd.DataFrame(by_year).std()).to_string(float_format="%.2f"))
explained = 100 * np.corrcoef(relative, boundary)[0, 1] ** 2
print(f"of the variance of years the change of diversity explains {explained:.1f}%")

# %%
# How long is the cycle?
# ----------------------
# It has no fixed length. What can be said is how soon log diversity forgets where it was, and how long the
# portfolio stays below its own record against the index. Twelve markets of the same law, sixty years each:

many = market.simulate(
    Grid(steps=12 * 60, paths=12, years_per_step=1 / 12, substeps=7), seed=5
).weights
levels = function.log_value(many)
gains = np.diff(levels, axis=1) + l_divergence(function, many[:, :-1], many[:, 1:])
wealth = np.concatenate((np.zeros((len(many), 1)), np.cumsum(gains, axis=1)), axis=1)
centred = levels - levels.mean()
print("correlation of log diversity with itself")
for k in (1, 5, 10, 20):
    again = (centred[:, : -12 * k] * centred[:, 12 * k :]).mean() / np.square(centred).mean()
    print(f"  {k:>2} years later: {again:.2f}")
decade = wealth[:, 120:] - wealth[:, :-120]
longest = []
for path in wealth:
    records = np.flatnonzero(path >= np.maximum.accumulate(path))
    longest.append(np.diff(np.append(records, len(path) - 1)).max() / 12)
low, high = 100 * wealth[:, -1].min(), 100 * wealth[:, -1].max()
print(f"relative log return of all sixty years: {low:.0f}% to {high:.0f}%")
print(f"decades that end behind the index: {100 * (decade < 0).mean():.0f}%")
print(f"relative log return of the worst decade: {100 * decade.min():.0f}%")
print("longest wait for a new record, years, by market:")
print(" ", *(f"{wait:.0f}" for wait in sorted(longest)))

# %%
# Capital that has gathered spreads again in this market because its law says so, and no stock ever leaves its
# index. Whether a real market does is a question about the world, and an index that drops its fallen members pays
# for it. On the S&P 500, 2006-10 to 2019-12, the same portfolio was 15.3 basis points a year ahead: L-divergence
# 152.7, boundary and index changes together -137.4 (``make replications``, table "Diversity-weighted S&P 500").
