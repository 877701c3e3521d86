r"""
What is captured volatility
===========================

A portfolio that is traded back to fixed weights grows faster than the stocks in it do on average. The
difference is its *free energy*, and it comes from volatility alone. What a portfolio has of it beyond the index
is *captured volatility*. This page counts both.
"""

# %%
# Two stocks, one step
# --------------------
# One stock doubles, the other halves. Their log returns average zero, but half of the money in each gives
# :math:`(2 + \tfrac{1}{2})/2 = 1.25`. For weights :math:`\pi` and gross returns :math:`R` the free energy of a
# step is
#
# .. math:: FE(\pi, R) = \log(\pi' R) - \pi' \log\, R \ge 0 .
#
# It is never negative for a portfolio without short positions, and zero only if all that is held moves by the
# same factor.

import numpy as np
import pandas as pd

from gammastar.core.attribution import attribute
from gammastar.core.covariance import FactoredCovariance
from gammastar.core.excess_growth import excess_growth, free_energy
from gammastar.report.figure_style import PALETTE, Axis, Line, blank, key, line_figure, running
from gammastar.simulate import GeometricBrownian, Grid

half, moves = np.array([0.5, 0.5]), np.array([2.0, 0.5])
print(f"average log return {100 * half @ np.log(moves):5.1f}%")
print(f"free energy        {100 * free_energy(half, moves):5.1f}%")
print(f"log return         {100 * np.log(half @ moves):5.1f}%, the sum")

# %%
# A market
# --------
# Fifty stocks with the *same* growth rate, 5% a year. The large ones are calm and the small ones volatile, as is
# usual; one factor moves them all. The index holds them by capitalisation. In continuous time the free energy has
# a rate, the excess growth rate, which the covariance :math:`\Sigma` tells in advance:
#
# .. math:: \gamma^*_\pi = \tfrac{1}{2} \Bigl(\sum_i \pi_i \Sigma_{ii} - \pi' \Sigma \pi\Bigr) .

names, years = 50, 10
volatility = np.linspace(0.20, 0.50, names)  # from the largest to the smallest
sigma = FactoredCovariance(
    loadings=np.full((names, 1), 0.15), specific=volatility**2 - 0.15**2
)
market = GeometricBrownian(growth=np.full(names, 0.05), covariance=sigma)
start = 1.0 / np.arange(1.0, names + 1)
start /= start.sum()
equal = np.full(names, 1.0 / names)
forecast = excess_growth(equal, sigma) - excess_growth(start, sigma)
growth = {
    "equal weight": excess_growth(equal, sigma),
    "the index, at the start": excess_growth(start, sigma),
    "difference: the forecast": forecast,
}
print("excess growth rate, % a year")
print((100 * pd.Series(growth)).to_string(float_format="%.2f"))

# %%
# One history, taken apart
# ------------------------
# Against index weights :math:`\mu` the log return of any portfolio has two parts, and no residual:
#
# .. math:: \log\, \pi'R - \log\, \mu'R = (\pi - \mu)' \log\, R + \bigl[ FE(\pi, R) - FE(\mu, R) \bigr] .
#
# The first is *allocation*, the second *captured volatility*. Allocation is what the bet on some stocks rather
# than others returned. Captured volatility is what weights and trading back to them made of volatility, whichever
# stocks won. Here the portfolio is equal weight, traded back every session.

history = market.simulate(Grid(steps=252 * years), seed=4, start=np.log(start))
mu, gross = history.weights[0, :-1], np.exp(np.diff(history.log_capitalisations[0], axis=0))
pi = np.broadcast_to(equal, mu.shape)
parts = attribute(pi, mu, gross)
relative = np.log((pi * gross).sum(axis=1)) - np.log((mu * gross).sum(axis=1))
residual = np.abs(relative - parts.allocation - parts.captured_volatility).max()
earned = {
    "allocation": parts.allocation,
    "captured volatility": parts.captured_volatility,
    "relative log return": relative,
}
print("% a year")
print((100 / years * pd.DataFrame(earned).sum()).to_string(float_format="%.2f"))
print(f"a residual above 1e-12 in any session: {residual > 1e-12}")

# %%
# Captured volatility is nearly a straight line, and it rises about as forecast. Allocation wanders.

sessions = history.panel().sessions
lines = [
    Line("forecast", sessions, 100 * forecast * history.times, PALETTE.muted, dash="dot"),
    Line("allocation", sessions, running(parts.allocation), PALETTE.allocation),
    Line("captured volatility", sessions, running(parts.captured_volatility),
         PALETTE.captured_volatility),
    Line("relative return", sessions, running(relative), PALETTE.portfolio, width=2.2),
]
title, unit = "Equal weight against the index, one history", "cumulated log return, %"
line_figure(title, unit, lines, Axis(decimals=0), height=340)

# %%
# Four hundred histories
# ----------------------
# The same ten years, drawn 400 times. With equal growth rates allocation is zero on average, yet over ten years
# it still spreads several times as wide as captured volatility does.

paths = market.simulate(
    Grid(steps=12 * years, paths=400, years_per_step=1 / 12), seed=1, start=np.log(start)
)
mu, gross = paths.weights[:, :-1], np.exp(np.diff(paths.log_capitalisations, axis=1))


def ten_years(pi):
    """Return allocation and captured volatility of each history, % a year."""
    allocation = ((pi - mu) * np.log(gross)).sum(axis=(1, 2))
    captured = (free_energy(pi, gross) - free_energy(mu, gross)).sum(axis=1)
    return 100 * allocation / years, 100 * captured / years


allocation, captured = ten_years(np.broadcast_to(equal, mu.shape))
for name, values in (("allocation", allocation), ("captured volatility", captured)):
    print(f"{name:<20} mean {values.mean():5.2f}%, standard deviation {values.std():.2f}%")
colours = {"allocation": PALETTE.allocation, "captured volatility": PALETTE.captured_volatility}
title, bins = "Equal weight, 400 histories of ten years", {"start": -5, "end": 5, "size": 0.25}
figure = blank(title, key(*colours.items()), height=320, right=30)
for values, colour in zip((allocation, captured), colours.values(), strict=True):
    figure.add_histogram(x=values, xbins=bins, marker_color=colour, opacity=0.75)
figure.update_layout(barmode="overlay", bargap=0.05, margin_b=44)
figure.update_xaxes(title="% a year", ticksuffix="%")
figure.update_yaxes(title="histories")
figure

# %%
# What it is not
# --------------
# Free energy has a sign; the *difference* from the index has none by law. A portfolio that holds more of the
# largest stocks than the index does, :math:`\pi \propto \mu^{3/2}`, holds less volatility and captures less than
# nothing. And a positive capture does not promise a positive result: in some of these decades allocation took
# more than captured volatility gave.

large = mu**1.5 / (mu**1.5).sum(axis=2, keepdims=True)
rows = {}
for name, pi in (
    ("equal weight", np.broadcast_to(equal, mu.shape)),
    ("more of the largest", large),
):
    allocation, captured = ten_years(pi)
    rows[name] = {
        "captured, % a year": captured.mean(),
        "allocation, % a year": allocation.mean(),
        "decades behind the index, %": 100 * (allocation + captured < 0).mean(),
    }
print(pd.DataFrame(rows).T.to_string(float_format="%.2f"))
