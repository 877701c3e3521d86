"""Constant-rebalanced portfolios on three classic markets: the best in hindsight, the uniform one, buy-and-hold, the best stock."""

from __future__ import annotations

__all__ = ["nyse_new", "nyse_old", "toronto"]

import sys

import numpy as np

from gammastar.core.growth_optimal import growth_optimal
from replications.relatives import gross_returns
from replications.table import Row, Table, main

SOURCE = "final wealth of 1 without costs; figures of the on-line portfolio literature, as the README says"


def _table(title: str, market: str, shape: tuple[str, str], published: tuple[str, str, str, str]) -> Table:
    gross = gross_returns(market)
    steps, names = gross.shape
    best = growth_optimal(gross)
    single = np.exp(np.log(gross).sum(axis=0))
    found = (np.exp(steps * best.growth), np.exp(np.log(gross.mean(axis=1)).sum()), single.mean(), single.max())
    words = ("best constant-rebalanced", "uniform constant-rebalanced", "uniform buy-and-hold", "best stock")
    sizes = (Row("days", shape[0], steps), Row("stocks", shape[1], names))
    wealth = tuple(Row(name, text, float(value)) for name, text, value in zip(words, published, found, strict=True))
    certificate = Row("most that any other weights could add, log wealth", "0.0000000000", max(0.0, steps * best.gap))
    return Table(title, SOURCE, (*sizes, *wealth, certificate))


def nyse_old() -> Table:
    """Return the table of NYSE(o), 1962 to 1984."""
    return _table("NYSE(o)", "nyse_o", ("5651", "36"), ("250.5971", "27.0752", "14.4973", "54.1404"))


def nyse_new() -> Table:
    """Return the table of NYSE(n), 1985 to 2010."""
    return _table("NYSE(n)", "nyse_n", ("6431", "23"), ("120.3209", "31.5517", "18.0565", "83.5067"))


def toronto() -> Table:
    """Return the table of TSE, 1994 to 1998."""
    return _table("TSE", "tse", ("1259", "88"), ("6.7800", "1.5952", "1.6129", "6.2792"))


if __name__ == "__main__":
    sys.exit(main(nyse_old, nyse_new, toronto))
