"""Cover's universal portfolio on four pairs of NYSE(o): the 21-point grid of the paper."""

from __future__ import annotations

__all__ = ["universal_pairs"]

import sys

import numpy as np

from gammastar.core.universal import simplex_grid, universal_over
from replications.relatives import gross_returns
from replications.table import Row, Table, main

PUBLISHED = (
    ("Iroquois and Kin Ark", (19, 22), "38.67"),
    ("Commercial Metals and Kin Ark", (5, 22), "78.47"),
    ("Commercial Metals and Meicco", (5, 25), "72.63"),
    ("IBM and Coca-Cola", (17, 4), "14.18"),
)


def universal_pairs() -> Table:
    """Return final wealth of the universal portfolio of each pair, uniform prior on the multiples of 1/20."""
    gross = gross_returns("nyse_o")
    rows = []
    for name, pair, published in PUBLISHED:
        universal = universal_over(gross[:, pair], *simplex_grid(2, 20))
        rows.append(Row(f"{name}, columns {pair[0]} and {pair[1]}", published, float(np.exp(universal.log_wealth[-1]))))
    return Table("Universal portfolios of pairs, NYSE(o)", "Cover (1991), Universal portfolios, Mathematical Finance 1, section 8", tuple(rows))


if __name__ == "__main__":
    sys.exit(main(universal_pairs))
