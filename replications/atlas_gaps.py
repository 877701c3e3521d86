"""Atlas market: exponential gaps of mean ``sigma^2 / (2 k g)`` and local times of rate ``2 k g``, from simulation."""

from __future__ import annotations

__all__ = ["gaps_table", "local_times_table"]

import sys
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from gammastar.core.rank import local_times
from gammastar.core.rank_generating import ranked_weights
from gammastar.simulate import Atlas, Grid
from replications.table import Row, Table, main

if TYPE_CHECKING:
    from gammastar.simulate import Paths

SOURCE = "Banner, Fernholz and Karatzas (2005), Atlas models of equity markets; formulas against simulation, 4 standard errors and the stated Euler bias"
MARKET = Atlas(names=10, drift=0.1, volatility=0.3)
GRID = Grid(steps=1008 * 20, paths=32, years_per_step=1.0 / 1008.0)  # local times have no bias where each Euler step is recorded
SEED = 2005


@cache
def _paths() -> Paths:
    """Return paths of twenty years, each started in the stationary law."""
    return MARKET.simulate(GRID, SEED)


def gaps_table() -> Table:
    """Return mean gaps of ranked log capitalisations, and how often a gap exceeds its mean: ``1/e`` if it is exponential."""
    gaps = -np.diff(ranked_weights(_paths().log_capitalisations), axis=-1)
    by_path, above = gaps.mean(axis=1), (gaps > MARKET.mean_gap()).mean(axis=1)
    bias = MARKET.euler_gap_bias(GRID.euler_step)
    rows = []
    for k, expected in enumerate(MARKET.mean_gap()):
        error = float(by_path[:, k].std(ddof=1) / np.sqrt(GRID.paths))
        rows.append(Row(f"mean gap, ranks {k + 1} and {k + 2}", f"{expected:.4f}", float(by_path[:, k].mean()), error, float(bias[k])))
    for k in range(len(MARKET) - 1):
        error = float(above[:, k].std(ddof=1) / np.sqrt(GRID.paths))
        # the density of an exponential at its mean is 1/e over the mean, which turns the bias of the mean into one of the frequency
        allowed = float(bias[k] / MARKET.mean_gap()[k]) / np.e
        rows.append(Row(f"share above the mean, ranks {k + 1} and {k + 2}", "0.3679", float(above[:, k].mean()), error, allowed))
    return Table("Atlas market, n = 10, g = 10%, sigma = 30%: gaps", SOURCE, tuple(rows))


def local_times_table() -> Table:
    """Return local-time rates of the gaps, each beside its closed-form standard error."""
    years = GRID.paths * GRID.years
    rates = sum(local_times(path).sum(axis=0) for path in _paths().log_capitalisations) / years
    errors = MARKET.local_time_standard_error(years)
    rows = tuple(
        Row(f"local time a year, ranks {k + 1} and {k + 2}", f"{expected:.4f}", float(rates[k]), float(errors[k]))
        for k, expected in enumerate(MARKET.local_time_rate())
    )
    return Table("Atlas market, n = 10, g = 10%, sigma = 30%: local times", SOURCE, rows)


if __name__ == "__main__":
    sys.exit(main(gaps_table, local_times_table))
