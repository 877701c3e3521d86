"""Countries, share classes and money traded of the simulated market: drawn apart, as real ones look, and the same in a shorter market."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from gammastar.market.groups import own_issuers
from gammastar.simulate import GeometricBrownian, Grid, LargeCapMarket, StationaryBlocks
from gammastar.simulate.attributes import COUNTRIES, TOTAL_CAPITALISATION
from gammastar.simulate.path import _Streams, later_streams

if TYPE_CHECKING:
    from gammastar.simulate import SimulatedMarket


def shares_traded(market: SimulatedMarket) -> np.ndarray:
    """Money traded over the capitalisation at the close before, of names with a return; NaN elsewhere."""
    path, traded = market.truth.path, market.panel.traded
    scale = TOTAL_CAPITALISATION / np.exp(path.log_capital[0]).sum()
    shares = np.full(traded.shape, np.nan)
    for t in range(1, len(traded)):
        shares[t, path.occupant[t - 1]] = traded[t, path.occupant[t - 1]] / (scale * np.exp(path.log_capital[t - 1]))
    return shares


def test_half_a_percent_of_the_capitalisation_is_traded_a_session(market: SimulatedMarket) -> None:
    shares = shares_traded(market)
    by_name = np.nanmedian(shares, axis=0)
    assert 0.003 < np.nanmedian(shares) < 0.008
    assert 0.003 < np.nanmean(shares) < 0.010
    assert 0.002 < np.nanquantile(by_name, 0.05) < np.nanquantile(by_name, 0.95) < 0.015
    years = np.nansum(shares[1:253], axis=0)
    assert 0.5 < np.median(years[years > 0.0]) < 3.0  # times the capitalisation


def test_more_is_traded_when_the_price_moves(market: SimulatedMarket) -> None:
    shares, moved = shares_traded(market), np.abs(np.log1p(market.panel.returns))
    there = np.isfinite(shares)
    quiet, wild = (shares[there & mask].mean() for mask in (moved < 0.002, moved > 0.05))
    assert wild > 2.0 * quiet


def test_only_names_with_a_return_are_traded(market: SimulatedMarket) -> None:
    panel = market.panel
    np.testing.assert_array_equal(panel.traded[1:] > 0.0, panel.observed[1:])
    np.testing.assert_array_equal(panel.traded[0] > 0.0, panel.sectors.codes[0] < len(panel.sectors.labels) - 1)


def test_names_have_a_country_from_their_listing_on(market: SimulatedMarket) -> None:
    labels, codes = market.panel.group("country").labels, market.panel.group("country").codes
    assert labels == (*COUNTRIES, "Unknown")
    unknown = codes == len(COUNTRIES)
    np.testing.assert_array_equal(unknown, market.panel.sectors.codes == len(market.panel.sectors.labels) - 1)
    for column in range(codes.shape[1]):
        assert len(set(codes[~unknown[:, column], column])) == 1
    shares = np.bincount(codes[-1][~unknown[-1]], minlength=len(COUNTRIES)) / (~unknown[-1]).sum()
    expected = np.array(list(COUNTRIES.values()))
    assert (np.abs(shares - expected) < 4.0 * np.sqrt(expected * (1.0 - expected) / (~unknown[-1]).sum())).all()
    assert sum(COUNTRIES.values()) == pytest.approx(1.0)


def test_pairs_of_one_sector_and_country_are_classes_of_one_issuer() -> None:
    model = LargeCapMarket(members=200, listed=300, start=dt.date(2019, 1, 2), end=dt.date(2019, 2, 28))
    panel = model.simulate(5).panel
    issuer = panel.group("issuer")
    assert (issuer.codes == issuer.codes[0]).all()
    labels = np.array(issuer.labels)[issuer.codes[0]]
    named = sorted({label for label in labels if label.startswith("Simulated Issuer")})
    assert len(named) == 3
    for name in named:
        pair = np.flatnonzero(labels == name)
        assert len(pair) == 2
        assert pair.max() < model.listed
        for codes in (panel.sectors.codes, panel.group("country").codes):
            np.testing.assert_array_equal(codes[:, pair[0]], codes[:, pair[1]])
    alone = ~np.isin(labels, named)
    assert list(labels[alone]) == [label for label, one in zip(own_issuers(panel.assets.ids), alone, strict=True) if one]


def test_a_shorter_market_has_the_same_ones(lively: LargeCapMarket, market: SimulatedMarket) -> None:
    short, whole = replace(lively, end=dt.date(2008, 3, 31)).simulate(20061031).panel, market.panel
    t, n = short.returns.shape
    assert n < len(whole.assets)
    np.testing.assert_array_equal(short.traded, whole.traded[:t, :n])
    for name in ("country", "issuer"):
        labels = [np.array(panel.group(name).labels)[panel.group(name).codes[:t, :n]] for panel in (short, whole)]
        np.testing.assert_array_equal(*labels)


def test_their_streams_are_none_of_the_path() -> None:
    seed = np.random.SeedSequence(3)
    path = [getattr(_Streams.spawned(seed), name) for name in _Streams.__dataclass_fields__]
    later = later_streams(seed, 3)
    assert len({generator.random() for generator in (*path, *later)}) == len(path) + 3
    assert seed.n_children_spawned == 0


def test_prices_change_neither(lively: LargeCapMarket, market: SimulatedMarket) -> None:
    bare = replace(lively, end=dt.date(2006, 12, 29)).simulate(20061031, prices=False).panel
    assert bare.prices is None
    np.testing.assert_array_equal(bare.traded, market.panel.traded[: len(bare), : len(bare.assets)])


def test_a_bootstrap_keeps_groups_and_takes_money_with_its_session(market: SimulatedMarket) -> None:
    old = market.panel
    new = StationaryBlocks(10.0).resample(old, 50, 3)
    kept = np.array([old.assets.index[asset] for asset in new.assets.ids])
    sessions = {row.tobytes(): t for t, row in enumerate(np.round(old.returns[:, kept], 12) + 0.0)}
    rows = [0, *(sessions[row.tobytes()] for row in np.round(new.returns[1:], 12) + 0.0)]
    np.testing.assert_array_equal(new.traded, old.traded[np.ix_(rows, kept)])
    for name in old.attributes:
        assert new.group(name).labels == old.group(name).labels
        np.testing.assert_array_equal(new.group(name).codes, np.tile(old.group(name).codes[0, kept], (51, 1)))
    plain = GeometricBrownian.exchangeable(names=4, volatility=0.3, correlation=0.3, growth=0.05).simulate(Grid(60), 1).panel()
    assert StationaryBlocks(10.0).resample(plain, 20, 3).traded is None
