"""Fund holdings in the iShares layout: what is a stock, by which id, with what weight, on which date."""

from __future__ import annotations

import csv
import io

import numpy as np
import pandas as pd
import pytest

from gammastar.errors import DataError
from gammastar.store import open_store
from gammastar.store.identity.digits import cusip_digit, isin_digit
from gammastar.store.sources.delivery import ingest_source
from gammastar.store.sources.holdings import FundHoldings, HoldingsId

HEADER = ["Ticker", "Name", "Sector", "Asset Class", "Market Value", "Weight (%)", "Notional Value", "Shares", "CUSIP", "ISIN", "SEDOL", "Price", "Location", "Exchange", "Currency", "FX Rate", "Market Currency", "Accrual Date"]


def isin_of(k: int) -> str:
    base = f"{k:06d}10"
    cusip = base + str(cusip_digit(base))
    return f"US{cusip}{isin_digit('US' + cusip)}"


def holdings(world, t: int, *, ids: bool = True, date: str | None = None, cash: float = 0.01) -> str:
    """Return a file as it is downloaded: preamble, quoted cells with thousands separators, cash and futures, a blank line, small print."""
    there = np.flatnonzero(np.isfinite(world.close[t]))
    value = world.capital[t, there]
    whole = value.sum() / (1.0 - cash)
    stream = io.StringIO()
    writer = csv.writer(stream, quoting=csv.QUOTE_ALL)
    writer.writerow(HEADER if ids else [name for name in HEADER if name not in {"CUSIP", "ISIN", "SEDOL"}])
    rows = [
        [world.ids[k], f"NAME {k}", "Energy" if k % 2 else "Utilities", "Equity", f"{v:,.2f}", f"{100 * v / whole:.2f}", f"{v:,.2f}", f"{world.shares[t, k]:,.2f}",
         isin_of(k)[2:11], isin_of(k), "-", f"{world.close[t, k]:,.2f}", "United States", "NYSE", "USD", "1.00", "USD", "-"]
        for k, v in zip(there, value, strict=True)
    ]
    rows += [["XTSLA", "BLK CSH FND TREASURY SL AGENCY", "Cash and/or Derivatives", "Money Market", f"{cash * whole:,.2f}", f"{100 * cash:.2f}", "1.00", "1.00", "066922477", "US0669224778", "-", "100.00", "United States", "-", "USD", "1.00", "USD", "-"],
             ["ESH9", "S&P500 EMINI", "Cash and/or Derivatives", "Futures", "0.00", "0.00", "1,386,500.00", "10.00", "-", "-", "-", "2,773.00", "-", "CME", "USD", "1.00", "USD", "-"]]
    for row in rows:
        writer.writerow(row if ids else [cell for name, cell in zip(HEADER, row, strict=True) if name not in {"CUSIP", "ISIN", "SEDOL"}])
    told = date or pd.Timestamp(world.days[t]).strftime("%b %d, %Y")
    lines = ["iShares Core Example ETF", f'Fund Holdings as of,"{told}"', 'Inception Date,"May 15, 2000"', 'Shares Outstanding,"617,650,000.00"', 'Stock,"-"', 'Bond,"-"', 'Cash,"-"', 'Other,"-"', "\xa0", stream.getvalue().rstrip()]
    return "\ufeff" + "\r\n".join([*lines, "\xa0", '"The content contained herein is owned or licensed by BlackRock, and/or its third-party information providers."', ""])


def write_months(world, folder, **how):
    folder.mkdir()
    for t in world.month_ends:
        (folder / f"holdings-{world.days[t]}.csv").write_text(holdings(world, t, **how), encoding="utf-8")
    return folder


def write_bars(world, path, names):
    at = tuple(np.array(world.rows()).T)
    pd.DataFrame({"date": world.days[at[0]], "ticker": np.array(names)[at[1]], "close": world.close[at], "dividend": world.dividend[at], "split": world.split[at], "volume": world.volume[at]}).to_parquet(path)
    return path


@pytest.mark.parametrize("ids", [True, False])
def test_weights_are_shares_of_the_stocks_value(world, same_returns, tmp_path, ids):
    names = [isin_of(k) if ids else name for k, name in enumerate(world.ids)]
    bars = write_bars(world, tmp_path / "bars.parquet", names)
    report = ingest_source(FundHoldings(bars=bars), write_months(world, tmp_path / "fund", ids=ids), tmp_path / "store")
    panel = open_store(tmp_path / "store").panel()
    same_returns(panel, world, ids=dict(zip(world.ids, names, strict=True)))
    order = [panel.assets.index[name] for name in names]
    at = np.flatnonzero(panel.published)
    wanted = np.nan_to_num(world.capital[world.month_ends])
    np.testing.assert_allclose(panel.benchmark[at][:, order], wanted / wanted.sum(axis=1, keepdims=True), rtol=0, atol=2e-8)  # values are published in cents
    assert panel.source == "iShares Core Example ETF"
    assert panel.sectors.labels[:2] == ("Energy", "Utilities")
    assert panel.group("country").labels[0] == "United States"
    rules = [finding.rule for finding in report.findings]
    assert rules.count("holding-no-stock") == len(world.month_ends)
    assert ("id-ticker" in rules) != ids


def test_cash_and_futures_are_counted_not_weighted(world, tmp_path):
    (tmp_path / "h.csv").write_text(holdings(world, 20, cash=0.05), encoding="utf-8")
    delivery = FundHoldings().read(tmp_path / "h.csv")
    (left_out,) = (finding for finding in delivery.remarks if finding.rule == "holding-no-stock")
    assert "2 rows" in left_out.message
    assert "5.00% of the value" in left_out.message
    assert delivery.members.to_pandas().weight.sum() == pytest.approx(1.0, abs=1e-14)


def test_a_published_weight_that_is_not_the_share_of_value_is_told(world, tmp_path):
    text = holdings(world, 20)
    first = next(line for line in text.splitlines() if line.startswith('"AAA"'))
    cells = next(csv.reader([first]))
    (tmp_path / "h.csv").write_text(text.replace(f'"{cells[5]}"', f'"{float(cells[5]) + 2:.2f}"', 1), encoding="utf-8")
    (remark, *_) = (finding for finding in FundHoldings().read(tmp_path / "h.csv").remarks if finding.rule == "weight-differs")
    assert remark.column == "weight (%)"


@pytest.mark.parametrize(
    ("spoil", "rule"),
    [
        (lambda text: text.replace("Fund Holdings as of", "As of"), "holdings-layout"),
        (lambda text: text.replace('"Ticker"', '"Symbol"'), "holdings-layout"),
        (lambda text: text.replace('as of,"', 'as of,"x'), "date-text"),
        (lambda text: text.replace(isin_of(0), isin_of(0)[:-1] + str((int(isin_of(0)[-1]) + 1) % 10)), "identifier"),
        (lambda text: text.replace(f'"{isin_of(1)}"', '"-"'), "id-missing"),
        (lambda text: text.replace('"Asset Class"', '"Class"'), "column-missing"),
    ],
)
def test_a_file_that_cannot_be_trusted_is_refused(world, tmp_path, spoil, rule):
    (tmp_path / "h.csv").write_text(spoil(holdings(world, 20)), encoding="utf-8")
    with pytest.raises(DataError) as refused:
        FundHoldings().read(tmp_path / "h.csv")
    assert rule in {finding.rule for finding in refused.value.findings}


def test_two_files_of_one_date_are_refused(world, tmp_path):
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text(holdings(world, 20), encoding="utf-8")
    with pytest.raises(DataError, match="snapshot-duplicate"):
        FundHoldings().read(tmp_path)


def test_share_classes_are_of_one_issuer(world, tmp_path):
    text = holdings(world, 25).replace(isin_of(0), "US02079K1079").replace(isin_of(1), "US02079K3059")
    (tmp_path / "h.csv").write_text(text, encoding="utf-8")
    issuer = FundHoldings().read(tmp_path / "h.csv").members.to_pandas().set_index("ticker").issuer
    assert issuer["AAA"] == issuer["BBB"] == "02079K"
    assert issuer.nunique() == 5


def test_the_id_can_be_chosen(world, tmp_path):
    (tmp_path / "h.csv").write_text(holdings(world, 25), encoding="utf-8")
    assert set(FundHoldings(HoldingsId.TICKER).read(tmp_path / "h.csv").members.to_pandas().asset_id) == set(world.ids)
    assert set(FundHoldings(HoldingsId.CUSIP).read(tmp_path / "h.csv").members.to_pandas().asset_id) == {isin_of(k)[2:11] for k in range(6)}


def test_without_returns_the_holdings_are_members_alone(world, tmp_path):
    with pytest.raises(DataError, match="returns-absent"):
        ingest_source(FundHoldings(), write_months(world, tmp_path / "fund"), tmp_path / "store")
    assert not (tmp_path / "store").exists()
