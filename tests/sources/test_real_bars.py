"""The real bars, where they are present: total returns against the vendor's adjusted series, identity, time, and shares against returns."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.parquet
import pytest

from gammastar.backtest import run_backtest
from gammastar.core.generating import Diversity
from gammastar.mandate import Clocks, Generated, Mandate, TradingPolicy
from gammastar.market.calendar import Clock
from gammastar.store import open_store
from gammastar.store.findings import Findings
from gammastar.store.identity.matching import match_assets
from gammastar.store.sources.adjusted import against_adjusted
from gammastar.store.sources.bars import total_returns
from gammastar.store.sources.delivery import ingest_source
from gammastar.store.sources.members_file import rename_assets
from gammastar.store.sources.raw_bars import RawBars, read_bars
from gammastar.store.sources.sheet import open_sheet

if TYPE_CHECKING:
    from pathlib import Path

REMAINDER = {
    ("TMUS", "2013-05-01"): "the actions lack a split of 1 for 2",
    ("TRMB", "2007-02-23"): "the actions lack a split of 2 for 1, and this close is still that of a share before it",
}
"""All rows on which bars and actions differ from the adjusted series by more than 1e-4 a day, and why."""

ANNUAL, TRACKING = 1e-4, 6e-4
"""How far a run in whole shares may be from the same run in returns: log return and tracking error, a year. Dividends wait for the next trade as cash."""


@pytest.fixture(scope="module")
def real_bars(sp500: Path) -> Path:
    return sp500 / "raw_daily_survivors.parquet"


def test_total_returns_agree_with_the_adjusted_series_on_all_but_a_listed_remainder(real_bars: Path) -> None:
    sheet = open_sheet(real_bars, ("date", "ticker", "close"), Findings())
    bars, order = read_bars(sheet, RawBars())
    returns, _ = total_returns(bars, np.unique(bars.date))
    found = against_adjusted(bars, returns, sheet.numbers("adj_close")[order])
    for place in found:
        print(place)  # noqa: T201 - the remainder is to be seen
    assert int(np.isfinite(returns).sum()) > 1_600_000
    assert {(place.asset, str(place.date)): place.explanation for place in found} == REMAINDER


def test_the_other_reading_of_dividends_is_wrong_on_every_day_that_has_both(real_bars: Path) -> None:
    """A dividend on the day of a split is that of a new share: read as that of an old one it misses on each of the seven days."""
    sheet = open_sheet(real_bars, ("date", "ticker", "close"), Findings())
    bars, order = read_bars(sheet, RawBars())
    both = (bars.split != 1.0) & (bars.dividend > 0.0)
    assert both.sum() == 7
    old_share = replace(bars, dividend=bars.dividend / bars.split)
    returns, _ = total_returns(old_share, np.unique(bars.date))
    missed = {place.row for place in against_adjusted(bars, returns, sheet.numbers("adj_close")[order])}
    assert set(np.flatnonzero(both)) <= missed


def test_the_real_file_is_ingested_within_twenty_seconds(real_bars: Path, tmp_path: Path) -> None:
    start = time.process_time()
    report = ingest_source(RawBars(), real_bars, tmp_path / "store")
    spent = time.process_time() - start
    assert report.found["assets"] == 501
    assert report.found["files"]["returns"]["rows"] > 1_620_000
    assert sum(finding.rule == "adjusted-differs" for finding in report.findings) == len(REMAINDER)
    assert spent < 20.0


def test_matches_find_who_is_who_and_their_returns_agree_with_another_source(sp500: Path, real_bars: Path, tmp_path: Path) -> None:
    """Accepted without review, the vendor's names give the returns that the other file has under the permanent ids."""
    found = match_assets(sp500 / "members_monthly.parquet", real_bars)
    assert found.count("accept") >= 470
    assert found.count("review") <= 30
    accepted = replace(found, candidates=tuple(candidate for candidate in found.candidates if candidate.decision == "accept"))
    accepted.write(tmp_path / "matches.csv")
    ours = rename_assets(RawBars().read(real_bars).returns, tmp_path / "matches.csv").to_pandas()
    theirs = pyarrow.parquet.read_table(sp500 / "returns_daily.parquet").to_pandas()
    both = ours.astype({"asset_id": str, "date": "datetime64[us]"}).astype({"asset_id": int}).merge(theirs, on=["date", "asset_id"], suffixes=("", "_theirs"))
    apart = (both.total_return - both.total_return_theirs).abs()
    assert len(both) > 1_100_000
    assert (apart > 1e-4).mean() < 1e-3
    assert (apart > 1e-2).sum() < 50


@pytest.mark.slow
def test_a_run_in_whole_shares_agrees_with_the_run_in_returns(real_bars: Path, tmp_path: Path) -> None:
    """Fourteen years of 500 names, as-traded prices, real splits and dividends: the two ways of counting tell the same story."""
    ingest_source(RawBars(), real_bars, tmp_path / "store")
    panel = open_store(tmp_path / "store").panel()
    trading = TradingPolicy(cost=0.0005, whole_shares=True, capital=1e9)
    mandate = Mandate(name="diversity", strategy=Generated(Diversity(0.5)), clocks=Clocks(Clock.MONTHLY, Clock.MONTHLY, 1), trading=trading)
    whole = run_backtest(mandate, panel, panel.sessions[0])
    plain = run_backtest(replace(mandate, trading=replace(trading, whole_shares=False)), panel, panel.sessions[0])
    difference = np.log1p(whole.track.portfolio) - np.log1p(plain.track.portfolio)
    assert abs(252 * difference.mean()) < ANNUAL
    assert np.sqrt(252) * difference.std() < TRACKING
    worst = str(panel.sessions[1:][np.abs(difference).argmax()])
    assert worst == "2007-02-26"  # the session after the remainder's TRMB, whose closes contradict each other
