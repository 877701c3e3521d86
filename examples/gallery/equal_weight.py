r"""
Why equal weight beat and then lost to the index
================================================

In the S&P 500 panel equal weight, traded back every month, beat the index until 2013 and lost to it from then
on. What rebalancing earns is never negative. So what changed? First the real figures, then an experiment in
which we know the cause because we made it.
"""

# %%
# The S&P 500
# -----------
# The log return of equal weight against the index is, exactly,
#
# .. math:: \log\, \frac{V_\pi}{V_\mu} = \sum_t FE(\pi, R_t) + \log\, \frac{G(\mu_T)}{G(\mu_0)} + \text{flow},
#           \qquad G(\mu) = \Bigl(\prod_i \mu_i\Bigr)^{1/n} .
#
# The sum is the *L-divergence*, free energy here, and never negative. The *boundary* says whether the index
# became less concentrated, and *flow* what its changes of members took or gave.
#
# ``make replications`` (tables "Diversity-weighted S&P 500" and "Equal weight since 2013") finds the two parts
# over all 158 months to 2019-12 and over the last 84. Parts add up over time, so the first 74 months follow by
# subtraction.

import numpy as np
import pandas as pd

from gammastar.core.covariance import FactoredCovariance
from gammastar.core.excess_growth import free_energy
from gammastar.core.generating import Diversity, l_divergence
from gammastar.report.figure_style import PALETTE, Axis, Line, line_figure
from gammastar.simulate import GeometricBrownian, Grid, Paths
from gammastar.theory import account_for

whole, late = np.array([379.4, -334.8]), np.array([251.1, -311.4])  # basis points a year
early = (158 * whole - 84 * late) / 74
columns = ["L-divergence", "boundary + flow", "equal weight"]
real = {
    "2006-11 to 2012-12": [*early, early.sum()],
    "2013-01 to 2019-12": [*late, late.sum()],
}
print("the S&P 500, basis points a year")
print(pd.DataFrame(real, index=columns).T.to_string(float_format="%.0f"))

# %%
# Rebalancing still earned 2.5% a year after 2013, but less than half of what it earned before: the L-divergence
# of equal weight is free energy, so stocks moved less apart. The other part is a loss in both periods and hardly
# changed. That needs a cause of its own, for in a calm market it should have shrunk as well, as we now see.
#
# A market made to order
# ----------------------
# A hundred stocks, the small ones more volatile, and seven years in which all of them have the same growth rate.
# Then seven more years, four times over with the same random numbers:
#
# * *the same again*;
# * *calm*: the stocks' own volatility falls by 30%;
# * *leaders*: the ten stocks that were largest at the start grow 3% a year faster;
# * *both*.

names, years, months, histories = 100, 7, 84, 200
weights = np.arange(1.0, names + 1) ** -0.8
first_half = Grid(steps=months, paths=histories, years_per_step=1 / 12)


def market(volatility, lead):
    """Return the market; `volatility` scales the stocks' own, `lead` is for the ten largest."""
    own = volatility * np.linspace(0.20, 0.40, names)
    growth = 0.06 + lead * (np.arange(names) < 10)
    return GeometricBrownian(growth, FactoredCovariance(np.full((names, 1), 0.15), own**2))


first = market(1.0, 0.0).simulate(first_half, seed=1, start=np.log(weights / weights.sum()))
turn = first.log_capitalisations[:, -1]
variants = {
    "the same again": (1.0, 0.0),
    "calm": (0.7, 0.0),
    "leaders": (1.0, 0.03),
    "both": (0.7, 0.03),
}
second = {
    name: market(*change).simulate(first_half, seed=2, start=turn)
    for name, change in variants.items()
}

# %%
# Equal weight is the portfolio that the diversity function generates at :math:`p = 0`. The simulated index gains
# and loses no members, so that flow is zero and all of the second part is boundary. Means of 200 histories:

function = Diversity(0.0)


def parts_of(paths):
    """Return L-divergence and boundary of each history, basis points a year."""
    mu = paths.weights
    earned = l_divergence(function, mu[:, :-1], mu[:, 1:]).sum(axis=1)
    boundary = function.log_value(mu[:, -1]) - function.log_value(mu[:, 0])
    return 1e4 * earned / years, 1e4 * boundary / years


rows = {}
for name, paths in {"first seven years": first, **second}.items():
    earned, boundary = parts_of(paths)
    gross = np.exp(np.diff(paths.log_capitalisations, axis=1))
    rows[name] = {
        "L-divergence": earned.mean(),
        "boundary": boundary.mean(),
        "equal weight": (earned + boundary).mean(),
        "it loses in, %": 100 * (earned + boundary < 0).mean(),
        "index: excess growth": 1e4 * 12 * free_energy(paths.weights[:, :-1], gross).mean(),
    }
print("simulated, basis points a year")
print(pd.DataFrame(rows).T.to_string(float_format="%.0f"))

# %%
# Calm alone shrinks both parts, and equal weight still wins on average: where growth rates are equal, the
# boundary is on average what the index's own excess growth takes it ahead of its members (last column), and that
# falls with volatility too. Leaders alone leave the L-divergence as it was and deepen the boundary. Both together
# give the pattern of the S&P 500 after 2013: half the L-divergence, a boundary that did not shrink in step, a
# small loss. A model that gives the same pattern does not prove the cause. The exact parts do rule out that
# rebalancing stopped earning.
#
# One history of *both*, the one nearest to the mean in each half, month by month:

outcome = np.array([sum(parts_of(paths)) for paths in (first, second["both"])])
nearest = int(np.argmin(np.square(outcome - outcome.mean(axis=1, keepdims=True)).sum(axis=0)))
joined = np.concatenate(
    (first.log_capitalisations[nearest], second["both"].log_capitalisations[nearest, 1:])
)
panel = Paths(
    Grid(steps=2 * months, years_per_step=1 / 12), joined[None], "two regimes"
).panel()
account = account_for(function, panel)
print(account)

# %%
# The L-divergence rises to the end, half as steeply after the change. The boundary, which is what the size tilt
# of equal weight brings, is the rest. The dates are those of a calendar that starts in 2000; they mean nothing
# else.

frame = account.to_pandas(cumulated=True)
lines = [
    Line("boundary", account.ends, 100 * frame["boundary"].to_numpy(), PALETTE.allocation),
    Line("L-divergence", account.ends, 100 * frame["l_divergence"].to_numpy(),
         PALETTE.captured_volatility),
    Line("relative return", account.ends, 100 * account.parts.total.cumsum(),
         PALETTE.portfolio, width=2.2),
]
title, unit = "Equal weight against the index", "cumulated log return, %; dotted: the change"
figure = line_figure(title, unit, lines, Axis(decimals=0), height=340)
figure.add_vline(
    x=str(account.ends[months - 1]), line={"color": PALETTE.muted, "dash": "dot", "width": 1}
)
figure

# %%
# The L-divergence comes with a tilt to small stocks, and the tilt can lose for as long as the large ones lead. A
# mandate can limit it: see :doc:`/mandate`.
