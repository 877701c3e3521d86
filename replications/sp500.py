"""Diversity-weighted portfolios on the S&P 500, month end to month end, and the exact parts of what they earned."""

from __future__ import annotations

__all__ = ["diversity_table", "index_table", "since_2013"]

import sys
from typing import TYPE_CHECKING

import numpy as np

from gammastar.core.decomposition import decompose
from gammastar.core.excess_growth import free_energy
from gammastar.core.generating import Diversity
from gammastar.core.measures import compound_return, tracking_error
from replications.sp500_panel import monthly_panel
from replications.table import Row, Table, main

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy import ndarray

BP, MONTHS = 1e4, 12
SOURCE = "figures that an independent program finds, README of the history; a year; the boundary runs to the return-drifted weights"
COLUMNS = ("compound return, %", "relative log return, bp", "boundary, bp", "L-divergence, bp", "tracking error, %")
PUBLISHED = {
    0.0: ("9.436", "44.5", "-334.8", "379.4", "4.476"),
    0.25: ("9.255", "28.0", "-227.3", "255.3", "3.344"),
    0.5: ("9.117", "15.3", "-137.4", "152.7", "2.238"),
    0.76: ("9.011", "5.6", "-59.9", "65.5", "1.083"),
}


def _arrays() -> tuple[Float[ndarray, "t1 n"], Float[ndarray, "t n"]]:
    panel = monthly_panel()
    return panel.benchmark, 1.0 + panel.returns[1:]


def _figures(p: float, mu: Float[ndarray, "t1 n"], gross: Float[ndarray, "t n"]) -> tuple[float, float, float, float, float]:
    """Return the five columns."""
    function = Diversity(p)
    parts = decompose(function, mu, gross)
    portfolio = np.einsum("tn,tn->t", function.weights(mu[:-1]), gross) - 1.0
    benchmark = np.einsum("tn,tn->t", mu[:-1], gross) - 1.0
    scale = BP * MONTHS / len(gross)
    return (
        100.0 * compound_return(portfolio, MONTHS),
        scale * float(parts.total.sum()),
        scale * float((parts.boundary + parts.flow).sum()),
        scale * float(parts.l_divergence.sum()),
        100.0 * tracking_error(portfolio, benchmark, MONTHS),
    )


def diversity_table() -> Table:
    """Return the table of diversity-weighted portfolios over 158 months to 2019-12-31."""
    mu, gross = _arrays()
    rows = [Row("months", "158", len(gross))]
    for p, published in PUBLISHED.items():
        found = _figures(p, mu, gross)
        rows += [Row(f"p = {p:g}, {name}", text, value) for name, text, value in zip(COLUMNS, published, found, strict=True)]
    return Table("Diversity-weighted S&P 500, 2006-10-31 to 2019-12-31", SOURCE, tuple(rows))


def index_table() -> Table:
    """Return the growth and the realised excess growth of the index itself."""
    mu, gross = _arrays()
    earned = np.einsum("tn,tn->t", mu[:-1], gross) - 1.0
    energy = BP * MONTHS * float(free_energy(mu[:-1], gross).mean())
    rows = (Row("compound return, %", "8.950", 100.0 * compound_return(earned, MONTHS)), Row("excess growth, bp", "253.5", energy))
    return Table("The S&P 500 itself", SOURCE, rows)


def since_2013() -> Table:
    """Return equal weight from 2013-01 to 2019-12, 84 months."""
    mu, gross = _arrays()
    mu, gross = mu[-85:], gross[-84:]
    index = 100.0 * compound_return(np.einsum("tn,tn->t", mu[:-1], gross) - 1.0, MONTHS)
    _, relative, boundary, divergence, _ = _figures(0.0, mu, gross)
    published = ("14.726", "-60.2", "-311.4", "251.1")
    names = ("index, compound return, %", *COLUMNS[1:4])
    found = (index, relative, boundary, divergence)
    rows = tuple(Row(name, text, value) for name, text, value in zip(names, published, found, strict=True))
    return Table("Equal weight since 2013", SOURCE, rows)


if __name__ == "__main__":
    sys.exit(main(diversity_table, index_table, since_2013))
