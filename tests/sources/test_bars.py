"""Raw bars and corporate actions: what a holder of one share gets is what the returns say."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gammastar.errors import DataError
from gammastar.market.actions import CashDividend, Delisting, Merger, SpinOff, StockSplit, TickerChange
from gammastar.store import open_store
from gammastar.store.sources.adjusted import against_adjusted
from gammastar.store.sources.bars import Bars, returns_table, total_returns
from gammastar.store.sources.delivery import ingest_source
from gammastar.store.sources.raw_bars import RawBars
from gammastar.store.sources.snapshots import IndexWeights

DAYS = np.array(["2019-01-02", "2019-01-03", "2019-01-04", "2019-01-07", "2019-01-08"], dtype="datetime64[D]")


def frame(world, **more):
    rows = world.rows()
    at = tuple(np.array(rows).T)
    adjusted = world.adjusted(dividends=True)
    columns = {"date": world.days[at[0]], "ticker": np.array(world.ids)[at[1]], "close": world.close[at], "dividend": world.dividend[at], "split": world.split[at], "volume": world.volume[at]}
    return pd.DataFrame({**columns, "adj_close": adjusted[at], **more})


def bars(closes: dict[str, list[float]]) -> Bars:
    names = tuple(closes)
    rows = [(k, t, price) for k, name in enumerate(names) for t, price in enumerate(closes[name]) if np.isfinite(price)]
    asset, session, close = (np.array(column) for column in zip(*rows, strict=True))
    return Bars.sorted(names, {"asset": asset, "date": DAYS[session], "close": close})


def returns_of(made: Bars, asset: str) -> dict[str, float]:
    found, _ = total_returns(made, DAYS)
    mine = made.asset == made.assets.index(asset)
    return {str(day): value for day, value in zip(made.date[mine], found[mine], strict=True)}


@pytest.mark.parametrize("ending", ["csv", "parquet", "frame"])
def test_what_a_holder_gets_comes_back_from_the_store(world, same_returns, tmp_path, ending):
    data = frame(world)
    if ending == "csv":
        data.to_csv(tmp_path / "bars.csv", index=False)
    elif ending == "parquet":
        data.to_parquet(tmp_path / "bars.parquet")
    report = ingest_source(RawBars(), data if ending == "frame" else tmp_path / f"bars.{ending}", tmp_path / "store")
    assert not [finding for finding in report.findings if finding.rule == "adjusted-differs"]
    panel = open_store(tmp_path / "store").panel()
    same_returns(panel, world)
    start = int(np.flatnonzero(world.days == panel.sessions[0])[0])
    assert panel.prices is not None
    there = np.isfinite(world.close[start:])
    np.testing.assert_array_equal(panel.prices.close[there], world.close[start:][there])
    np.testing.assert_array_equal(panel.prices.split[1:], world.split[start + 1 :])


def test_weights_made_of_bars_say_so_and_are_what_they_say(world, tmp_path):
    for weights in IndexWeights:
        delivery = RawBars(weights=weights).read(frame(world))
        assert [finding.rule for finding in delivery.remarks].count("weights-made") == 1
        members = delivery.members.to_pandas()
        march = members[members.date == world.days[world.month_ends[2]]].set_index("asset_id").weight
        traded = np.nanmean((world.close * world.volume)[: world.month_ends[2] + 1][-63:], axis=0)
        there = np.isfinite(world.close[world.month_ends[2]])
        value = np.where(there, traded if weights is IndexWeights.TRADED else 1.0, 0.0)
        assert set(march.index) == {name for name, held in zip(world.ids, there, strict=True) if held}
        np.testing.assert_allclose([march[name] for name in march.index], [(value / value.sum())[world.ids.index(name)] for name in march.index], rtol=1e-12)


def test_a_session_without_a_bar_is_filled_so_that_nothing_is_lost_or_doubled(world, tmp_path):
    """The filled return of 0 and the return over the gap compound to the wealth."""
    table = RawBars().read(frame(world)).returns.to_pandas()
    gap = table[(table.asset_id == "DDD") & table.date.isin(world.days[19:23])].sort_values("date")
    assert gap.estimated.tolist() == [False, True, False, False]
    assert np.prod(1.0 + gap.total_return) == pytest.approx(world.wealth[22, 3] / world.wealth[18, 3], rel=1e-12)


def test_after_five_sessions_without_a_bar_an_asset_starts_anew():
    days = np.arange("2019-01-01", "2019-01-20", dtype="datetime64[D]")
    made = Bars.sorted(("A",), {"asset": np.zeros(3, dtype=int), "date": days[[0, 5, 11]], "close": np.array([10.0, 11.0, 12.0])})
    found, gap = total_returns(made, days)
    np.testing.assert_array_equal(np.isfinite(found), [False, True, False])
    assert gap.tolist() == [0, 5, 6]
    assert returns_table(made, days).num_rows == 5  # four filled ones and the return


def test_actions_give_the_wealth_of_who_holds_them():
    """A spin-off is worth its shares, whether they are kept or sold; a merger pays cash and shares; a delisting what is told."""
    made = bars({"P": [100.0, 102.0, 80.0, 82.0, 81.0], "C": [np.nan, np.nan, 25.0, 26.0, 27.0], "T": [50.0, 51.0, np.nan, np.nan, np.nan], "D": [9.0, 8.0, 7.0, np.nan, np.nan]})
    actions = (
        SpinOff("P", DAYS[2], "C", 0.5),
        Merger("T", DAYS[2], cash=10.0, acquirer="P", ratio=0.6),
        Delisting("D", DAYS[2], -0.4),
        CashDividend("P", DAYS[3], 1.5),
        StockSplit("C", DAYS[3], 2.0),
        TickerChange("P", DAYS[3], "PP"),
    )
    told = made.with_actions(actions)
    assert returns_of(told, "P")["2019-01-04"] == pytest.approx((80.0 + 0.5 * 25.0) / 102.0 - 1.0, rel=1e-14)
    assert returns_of(told, "P")["2019-01-07"] == pytest.approx((82.0 + 1.5) / 80.0 - 1.0, rel=1e-14)
    assert returns_of(told, "T") == pytest.approx({"2019-01-02": np.nan, "2019-01-03": 51.0 / 50.0 - 1.0, "2019-01-04": (10.0 + 0.6 * 80.0) / 51.0 - 1.0}, rel=1e-14, nan_ok=True)
    assert returns_of(told, "D")["2019-01-04"] == pytest.approx(7.0 * 0.6 / 8.0 - 1.0, rel=1e-14)
    assert returns_of(told, "C")["2019-01-07"] == pytest.approx(2.0 * 26.0 / 25.0 - 1.0, rel=1e-14)


def test_a_delisting_after_the_last_bar_is_a_row_of_its_own_and_nothing_comes_later():
    made = bars({"D": [9.0, 8.0, np.nan, np.nan, 5.0], "E": [1.0, 1.0, 1.0, 1.0, 1.0]}).with_actions((Delisting("D", DAYS[2], -1.0),))
    assert returns_of(made, "D") == pytest.approx({"2019-01-02": np.nan, "2019-01-03": 8.0 / 9.0 - 1.0, "2019-01-04": -1.0}, nan_ok=True)
    table = returns_table(made, DAYS).to_pandas()
    assert table[table.asset_id == "D"].total_return.tolist()[-1] == -0.9999  # the layout needs returns above -100%
    assert table[table.asset_id == "D"].price.tolist() == [8.0, 8.0]


def test_the_order_of_actions_does_not_matter():
    made = bars({"P": [100.0, 102.0, 40.0, 41.0, 42.0], "C": [5.0, 5.0, 5.0, 5.0, 5.0]})
    actions = [StockSplit("P", DAYS[2], 2.0), CashDividend("P", DAYS[2], 1.0), SpinOff("P", DAYS[2], "C", 1.0)]
    one, other = made.with_actions(actions), made.with_actions(actions[::-1])
    assert returns_of(one, "P") == pytest.approx(returns_of(other, "P"), nan_ok=True)
    assert returns_of(one, "P")["2019-01-04"] == pytest.approx(2.0 * (40.0 + 1.0 + 5.0) / 102.0 - 1.0, rel=1e-14)


@given(st.lists(st.sampled_from([0.1, 0.5, 2.0, 3.0]), min_size=1, max_size=4), st.integers(0, 10**6))
def test_splits_move_no_wealth(ratios, seed):
    """A market and the same market with other splits have the same total returns."""
    price = 50.0 * np.exp(np.cumsum(0.02 * np.random.default_rng(seed).standard_normal(5)))
    plain = bars({"A": price.tolist()})
    cut = np.ones(5)
    cut[1 : 1 + len(ratios)] = ratios
    shares = np.cumprod(cut)
    split = bars({"A": (price / shares).tolist()}).with_actions([StockSplit("A", DAYS[t], cut[t]) for t in range(1, 5) if cut[t] != 1.0])
    np.testing.assert_allclose(total_returns(split, DAYS)[0], total_returns(plain, DAYS)[0], rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("action", "said"),
    [
        (CashDividend("X", DAYS[1], 1.0), "X has no bar"),
        (CashDividend("P", DAYS[4] + 1, 1.0), "P has no bar"),
        (SpinOff("P", DAYS[1], "C", 1.0), "C has no close"),
        (Merger("P", DAYS[1], acquirer="X", ratio=1.0), "X has no close"),
        (Delisting("X", DAYS[1], 0.0), "X has no bar before"),
    ],
)
def test_an_action_that_no_bar_can_carry_is_refused(action, said):
    with pytest.raises(ValueError, match=said):
        bars({"P": [1.0, 2.0, 3.0, 4.0, 5.0], "C": [1.0, np.nan, 1.0, 1.0, 1.0]}).with_actions((action,))


@pytest.mark.parametrize(
    "make",
    [
        lambda: CashDividend("A", DAYS[0], 0.0),
        lambda: StockSplit("A", DAYS[0], -2.0),
        lambda: StockSplit("A", DAYS[0], float("nan")),
        lambda: SpinOff("A", DAYS[0], "B", 0.0),
        lambda: Merger("A", DAYS[0]),
        lambda: Merger("A", DAYS[0], cash=1.0, ratio=0.5),
        lambda: Merger("A", DAYS[0], cash=-1.0),
        lambda: Delisting("A", DAYS[0], -1.01),
    ],
)
def test_impossible_actions_cannot_be_made(make):
    with pytest.raises(ValueError, match=r"must be|pays|names"):
        make()


def test_where_the_adjusted_series_differs_the_row_is_told_explained_and_estimated(world, tmp_path):
    """Without its split BBB falls by half; the adjusted close knows better, and that row and the next enter no estimate of risk."""
    data = frame(world)
    data["split"] = np.where(data.ticker == "BBB", 1.0, data.split)
    delivery = RawBars().read(data)
    (remark,) = (finding for finding in delivery.remarks if finding.rule == "adjusted-differs")
    assert "lack a split of 2 for 1" in remark.message
    assert f"BBB {world.days[30]}" in remark.message
    table = delivery.returns.to_pandas().set_index(["asset_id", "date"]).loc["BBB"]
    assert table.estimated[table.estimated].index.tolist() == [world.days[t].item() for t in (30, 31)]
    np.testing.assert_allclose(table.total_return.to_numpy(), world.returns[1:, 1], rtol=0, atol=1e-12)


def test_a_dividend_before_the_split_is_told_from_one_after_it():
    made = bars({"A": [100.0, 50.0, 50.0, 50.0, 50.0]})
    made.split[1], made.dividend[1] = 2.0, 3.0
    found, _ = total_returns(made, DAYS)
    (place,) = against_adjusted(made, found, np.array([97.0, 100.0 * 97 / 100 * 1.03, 99.91, 99.91, 99.91]))
    assert place.explanation == "the dividend is that of a share before the split"


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [("dividend", -1.0, "dividend-negative"), ("split", -2.0, "split-negative"), ("date", None, "date-missing"), ("ticker", None, "id-missing"), ("close", "abc", "number"), ("date", "1/2/2019", "date-text")],
)
def test_rows_that_cannot_be_are_refused_with_their_place(world, tmp_path, column, value, rule):
    data = frame(world).astype(object)
    data.loc[17, column] = value
    data.to_csv(tmp_path / "bars.csv", index=False)
    with pytest.raises(DataError) as refused:
        RawBars().read(tmp_path / "bars.csv")
    (finding,) = refused.value.findings[:1]
    assert (finding.rule, finding.column, finding.row) == (rule, column, 19)


def test_a_bar_twice_is_refused_and_one_without_a_price_is_no_bar(world, tmp_path):
    data = frame(world)
    with pytest.raises(DataError, match="row-duplicate"):
        RawBars().read(pd.concat([data, data.iloc[[5]]]))
    data.loc[3, "close"] = 0.0
    delivery = RawBars(adjusted="").read(data)
    (remark,) = (finding for finding in delivery.remarks if finding.rule == "price-not-positive")
    assert (remark.row, remark.column) == (4, "close")


def test_a_file_of_actions_is_applied_and_its_faults_have_rows(world, tmp_path):
    data = frame(world)
    plain = data.assign(dividend=0.0, split=1.0).drop(columns="adj_close")
    told = [(world.days[t], world.ids[k], "dividend", world.dividend[t, k], "") for t, k in zip(*np.nonzero(world.dividend), strict=True)]
    told += [(world.days[t], world.ids[k], "split", "", world.split[t, k]) for t, k in zip(*np.nonzero(world.split != 1.0), strict=True)]
    actions = pd.DataFrame(told, columns=["date", "asset", "action", "amount", "ratio"])
    actions.to_csv(tmp_path / "actions.csv", index=False)
    made = RawBars(actions=tmp_path / "actions.csv").read(plain).returns
    whole = RawBars(adjusted="").read(data).returns
    assert made.equals(whole)
    actions.assign(action="dividents").iloc[:1].to_csv(tmp_path / "actions.csv", index=False)
    with pytest.raises(DataError) as refused:
        RawBars(actions=tmp_path / "actions.csv").read(plain)
    assert (refused.value.findings[0].row, refused.value.findings[0].value) == (2, "dividents")
    pd.DataFrame([("2019-01-03", "XXX", "dividend", 1.0)], columns=["date", "asset", "action", "amount"]).to_csv(tmp_path / "actions.csv", index=False)
    with pytest.raises(DataError, match="XXX has no bar"):
        RawBars(actions=tmp_path / "actions.csv").read(plain)


def test_a_change_of_ticker_changes_the_label_from_its_date_and_nothing_else(world, tmp_path):
    (tmp_path / "actions.csv").write_text("date,asset,action,other\n2019-02-15,AAA,ticker,NEW\n2019-03-15,AAA,ticker,NEWER\n")
    plain, renamed = RawBars().read(frame(world)), RawBars(actions=tmp_path / "actions.csv").read(frame(world))
    assert renamed.returns.equals(plain.returns)
    told = renamed.members.to_pandas().astype({"date": str}).set_index(["date", "asset_id"]).ticker
    assert told.xs("AAA", level="asset_id").tolist() == ["AAA", "NEW", "NEWER", "NEWER"]
    assert set(told.xs("BBB", level="asset_id")) == {"BBB"}


def test_the_adjusted_series_is_held_against_bars_whose_assets_end_too(world, tmp_path):
    """Rows that actions add or take away do not shift the comparison."""
    data = frame(world)
    data["split"] = np.where(data.ticker == "BBB", 1.0, data.split)
    (tmp_path / "actions.csv").write_text(f"date,asset,action,amount\n{world.days[61]},FFF,delisting,-0.5\n{world.days[30]},AAA,delisting,-0.1\n")
    delivery = RawBars(actions=tmp_path / "actions.csv").read(data)
    (remark,) = (finding for finding in delivery.remarks if finding.rule == "adjusted-differs")
    assert f"BBB {world.days[30]}" in remark.message
    assert data.iloc[remark.row - 1][["ticker", "date"]].tolist() == ["BBB", pd.Timestamp(world.days[30])]


@pytest.mark.parametrize(
    ("change", "source", "said"),
    [
        (lambda data: data.drop(columns="volume"), RawBars(weights=IndexWeights.TRADED), "there is no volume"),
        (lambda data: data[data.date < "2019-01-20"], RawBars(), "members-absent"),
        (lambda data: data.assign(close=np.inf), RawBars(), "number-infinite"),
        (lambda data: data.assign(close=True).assign(close=lambda table: pd.to_datetime("2019-01-02")), RawBars(), "column-type|price-not"),
    ],
)
def test_bars_that_make_no_index_are_refused_with_the_reason(world, change, source, said):
    with pytest.raises(DataError, match=said):
        source.read(change(frame(world)))
