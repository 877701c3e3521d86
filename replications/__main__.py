"""Makes every table: `python -m replications`. Exit code 0 where all that could be made agree, 1 on a mismatch; absent data is told and skipped."""

from __future__ import annotations

import sys

from replications import atlas_gaps, constant_rebalanced, cover, size_leakage, sp500, volatility_stabilised
from replications.table import ABSENT, FINE, main

TABLES = (
    cover.universal_pairs,
    constant_rebalanced.nyse_old,
    constant_rebalanced.nyse_new,
    constant_rebalanced.toronto,
    sp500.diversity_table,
    sp500.index_table,
    sp500.since_2013,
    size_leakage.large_table,
    size_leakage.small_table,
    atlas_gaps.gaps_table,
    atlas_gaps.local_times_table,
    volatility_stabilised.paper_table,
    volatility_stabilised.simulation_table,
)

if __name__ == "__main__":
    code = main(*TABLES)
    sys.exit(FINE if code == ABSENT else code)
