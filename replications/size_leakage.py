"""The size effect on the S&P 500, by leakage: what the large lose and the rest gain when names cross the line between them."""

from __future__ import annotations

__all__ = ["large_table", "small_table"]

import math
import sys
from itertools import pairwise

import numpy as np
import pyarrow.parquet as pq

from gammastar.core.rank import RankParts, decompose_ranked, ranks
from gammastar.core.rank_generating import bottom, top
from gammastar.core.simplex import drifted
from replications.sp500_panel import history_folder, monthly_panel
from replications.table import Row, Table, main

BP, MONTHS, LARGE = 1e4, 12, 100
SOURCE = "a plain loop over the file of members, name by name, against gammastar.core.rank; a year, in basis points (Fernholz 2002, section 4.2)"


def _parts(*, large: bool) -> tuple[RankParts, float, int]:
    """Return the exact parts of the capitalisation-weighted part of the index, its log return relative to the index, and the number of crossings."""
    panel = monthly_panel()
    mu, gross = panel.benchmark, 1.0 + panel.returns[1:]
    function = top(LARGE) if large else bottom(LARGE)
    relative = np.log(np.sum(function.weights(mu[:-1]) * gross, axis=1)) - np.log(np.sum(mu[:-1] * gross, axis=1))
    crossed = (ranks(drifted(mu[:-1], gross)) <= LARGE) & (ranks(mu[:-1]) > LARGE)
    return decompose_ranked(function, mu, gross), float(relative.sum()), int(crossed.sum())


def _plain(*, large: bool) -> tuple[float, float, float, float, int]:
    """Return log relative return, boundary, leakage and flow summed over the months, and the crossings, from dictionaries of names."""
    columns = ("date", "asset_id", "weight", "forward_return")
    table = pq.read_table(history_folder() / "members_monthly.parquet", columns=list(columns)).to_pydict()
    months: dict[object, dict[int, tuple[float, float]]] = {}
    for date, name, weight, earned in zip(*(table[column] for column in columns), strict=True):
        months.setdefault(date, {})[int(name)] = (float(weight), 0.0 if earned is None else float(earned))
    dates = sorted(months, key=str)
    relative = boundary = leakage = flow = 0.0
    crossings = 0
    for before, after in pairwise(dates):
        weights, published = ({name: weight for name, (weight, _) in months[date].items()} for date in (before, after))
        grown = {name: weight * (1.0 + months[before][name][1]) for name, weight in weights.items()}
        held, risen = _largest(weights), _largest(grown)
        start, end = _share(weights, held, large=large), _share(published, _largest(published), large=large)
        kept, anew = (_share(grown, who, large=large) for who in (held, risen))
        relative += math.log(kept / start)
        boundary += math.log(end / start)
        leakage += math.log(kept / anew)
        flow += math.log(anew / end)
        crossings += len(risen - held)
    return relative, boundary, leakage, flow, crossings


def _largest(values: dict[int, float]) -> set[int]:
    return set(sorted(values, key=lambda name: (-values[name], name))[:LARGE])


def _share(values: dict[int, float], largest: set[int], *, large: bool) -> float:
    """Return the share of the largest, or of the others."""
    inside = sum(value for name, value in values.items() if (name in largest) == large)
    return inside / sum(values.values())


def _table(title: str, *, large: bool) -> Table:
    parts, earned, crossings = _parts(large=large)
    relative, boundary, leakage, flow, plain_crossings = _plain(large=large)
    scale = BP * MONTHS / len(parts.boundary)
    sums = [float(part.sum()) for part in (parts.boundary, parts.leakage, parts.flow)]
    lines = zip(("log relative return", "boundary", "leakage", "flow (index changes)"), (relative, boundary, leakage, flow), (earned, *sums), strict=True)
    rows = [Row(name, f"{scale * one:.3f}", scale * two) for name, one, two in lines]
    rows.append(Row("residual", "0.000000000", abs(scale * (earned - sum(sums)))))
    rows.append(Row("names that crossed into the 100 largest", f"{plain_crossings}", crossings))
    return Table(title, SOURCE, tuple(rows))


def large_table() -> Table:
    """Return the 100 largest of the index, weighted by capitalisation, against the whole."""
    return _table("The 100 largest of the S&P 500 against the index, 2006-10-31 to 2019-12-31", large=True)


def small_table() -> Table:
    """Return the others of the index, weighted by capitalisation, against the whole."""
    return _table("The others of the S&P 500 against the index, 2006-10-31 to 2019-12-31", large=False)


if __name__ == "__main__":
    sys.exit(main(large_table, small_table))
