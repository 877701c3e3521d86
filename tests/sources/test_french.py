"""The data library's odd CSV: many tables one below the other, and the market they make."""

from __future__ import annotations

import json

import numpy as np
import pytest

from gammastar.errors import DataError
from gammastar.store import open_store
from gammastar.store.sources.delivery import ingest_source
from gammastar.store.sources.french import FrenchPortfolios, read_sections

NAMES = ("SMALL LoBM", "ME1 BM2", "BIG HiBM")


def table(title: str, dates: list[str], values: np.ndarray, form: str) -> list[str]:
    return ["", "", f"  {title}", "," + ",".join(NAMES), *(f"{date}," + ",".join(f"{value:{form}}" for value in row) for date, row in zip(dates, values, strict=True))]


def french_file(path, *, months: int = 30, start: str = "1926-07", missing: bool = True, drop: str = "", names: tuple[str, ...] = NAMES, seed: int = 3):
    """Write a file as the library does: preamble, monthly and annual tables, missing numbers as -99.99, a copyright line; return its numbers."""
    rng = np.random.default_rng(seed)
    span = np.arange(start, np.datetime64(start, "M") + months, dtype="datetime64[M]")
    dates = [str(month).replace("-", "") for month in span]
    earned, equal = np.round(rng.normal(0.8, 5.0, (2, months, 3)), 4)
    firms = np.floor(20 + 50 * rng.random((months, 3)))
    size = np.round(np.exp(rng.normal(4.0, 1.0, (months, 3))), 2)
    if missing:
        earned[:4, 2], equal[:4, 2], firms[:4, 2], size[:4, 2] = -99.99, -99.99, 0, -99.99
    years = sorted({date[:4] for date in dates})[1:]
    lines = ["This file was created using the 202412 CRSP database.", "It contains value- and equal-weighted returns for portfolios.", "", "Missing data are indicated by -99.99 or -999."]
    for title, values, form in (
        ("Average Value Weighted Returns -- Monthly", earned, ".4f"),
        ("Average Equal Weighted Returns -- Monthly", equal, ".4f"),
        ("Average Value Weighted Returns -- Annual", np.ones((len(years), 3)), ".4f"),
        ("Number of Firms in Portfolios", firms, ".0f"),
        ("Average Market Cap" if drop == "old title" else "Average Firm Size", size, ".2f"),
        ("Sum of BE / Sum of ME", np.ones((len(years), 3)), ".4f"),
    ):
        if title.split(" ")[0] == drop or title == drop:
            continue
        lines += table(title, years if len(values) == len(years) else dates, values, form)
    path.write_text("\r\n".join([*lines, "", "Copyright 2024 Eugene F. Fama and Kenneth R. French", ""]), encoding="latin-1")
    return span, earned, firms, size


def test_the_panel_is_the_file(tmp_path):
    """Capital is firms times size at the month's beginning, returns are the file's; the index is its value-weighted market."""
    span, earned, firms, size = french_file(tmp_path / "25_Portfolios_5x5.CSV")
    ingest_source(FrenchPortfolios(), tmp_path / "25_Portfolios_5x5.CSV", tmp_path / "store")
    panel = open_store(tmp_path / "store").panel()
    assert panel.frequency.name == "MONTHLY"
    assert len(panel) == len(span) + 1
    assert [str(day) for day in panel.sessions[:3]] == ["1926-06-30", "1926-07-30", "1926-08-31"]
    order = [panel.assets.index[name] for name in NAMES]
    there = earned > -99.0
    capital = np.where(there, firms * size, 0.0)
    weights = capital / capital.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(panel.benchmark[:-1, order], weights, rtol=1e-12)
    np.testing.assert_allclose(np.where(there, panel.returns[1:, order], 0.0), np.where(there, earned / 100.0, 0.0), rtol=0, atol=1e-15)
    np.testing.assert_allclose(panel.benchmark_returns[1:], (weights * np.where(there, earned / 100.0, 0.0)).sum(axis=1), rtol=0, atol=1e-14)
    grown = weights[-1] * (1.0 + earned[-1] / 100.0)
    np.testing.assert_allclose(panel.benchmark[-1, order], grown / grown.sum(), rtol=1e-12)


@pytest.mark.parametrize("function", ["diversity", "equal", "entropy"])
def test_one_command_loads_it_and_it_decomposes_with_nothing_left_over(tmp_path, capsys, function):
    from gammastar.app.cli import main

    french_file(tmp_path / "portfolios.csv", months=120, start="1995-01")
    for words in (["ingest", tmp_path / "portfolios.csv", "--source", "french", "--into", tmp_path / "store"], ["theory", "decompose", tmp_path / "store", "--function", function, "--cost-bp", "10", "--json"]):
        capsys.readouterr()
        with pytest.raises(SystemExit) as done:
            main([str(word) for word in words])
        assert done.value.code == 0
    told = json.loads(capsys.readouterr().out)
    parts = ("boundary", "l_divergence", "leakage", "flow_membership", "flow_other", "dividend", "cost")
    assert told["from_to_steps"][2] == 120
    assert told["residual_max_step"] < 1e-12
    assert sum(told[part] for part in parts) == pytest.approx(told["relative_log_return"], abs=1e-12)
    assert told["flow_membership"] != 0.0  # the portfolio that is empty at first joins
    assert told["l_divergence"] > 0.0


def test_each_monthly_table_is_read_under_its_title(tmp_path):
    span, earned, _, _ = french_file(tmp_path / "a.csv")
    sections = {section.title: section for section in read_sections(tmp_path / "a.csv")}
    assert list(sections) == ["Average Value Weighted Returns -- Monthly", "Average Equal Weighted Returns -- Monthly", "Number of Firms in Portfolios", "Average Firm Size"]
    assert all(section.names == NAMES for section in sections.values())
    np.testing.assert_array_equal(sections["Average Firm Size"].months, span)
    np.testing.assert_array_equal(np.isnan(sections["Average Value Weighted Returns -- Monthly"].values), earned == -99.99)


def test_the_older_title_of_sizes_is_known(tmp_path):
    french_file(tmp_path / "a.csv", drop="old title")
    assert FrenchPortfolios().read(tmp_path / "a.csv").members.num_rows > 50


def test_a_free_line_below_the_header_does_not_matter(tmp_path):
    french_file(tmp_path / "a.csv")
    text = (tmp_path / "a.csv").read_text(encoding="latin-1")
    (tmp_path / "b.csv").write_text(text.replace(",".join(NAMES), ",".join(NAMES) + "\r\n"), encoding="latin-1")
    assert FrenchPortfolios().read(tmp_path / "a.csv").members.equals(FrenchPortfolios().read(tmp_path / "b.csv").members)


def test_portfolios_that_overlap_must_be_chosen(tmp_path):
    """Portfolios_Formed_on_ME has thirds, fifths and tenths of the same stocks: together they would count each three times."""
    french_file(tmp_path / "a.csv", missing=False)
    text = (tmp_path / "a.csv").read_text(encoding="latin-1")
    (tmp_path / "b.csv").write_text(text.replace(",".join(NAMES), "Lo 30,Lo 20,Hi 70"), encoding="latin-1")
    with pytest.raises(DataError, match="portfolio-overlap"):
        FrenchPortfolios().read(tmp_path / "b.csv")
    with pytest.raises(DataError, match="portfolio-absent"):
        FrenchPortfolios(portfolios="Lo 30, Hi 30").read(tmp_path / "b.csv")
    chosen = FrenchPortfolios(portfolios="Lo 30, Hi 70").read(tmp_path / "b.csv").members.to_pandas()
    assert set(chosen.asset_id) == {"Lo 30", "Hi 70"}
    np.testing.assert_allclose(chosen.groupby("date").weight.sum(), 1.0, rtol=1e-14)


@pytest.mark.parametrize(
    ("spoil", "rule"),
    [
        (lambda text: text.replace("Number of Firms", "Number of Stocks"), "table-absent"),
        (lambda text: text.replace("Average Value Weighted Returns -- Monthly", "Returns"), "table-absent"),
        (lambda text: text.replace("192608,", "192608,x", 1), "number"),
        (lambda text: "\r\n".join(line for line in text.splitlines() if not line.startswith("192609")), "month-gap"),
        (lambda text: "", "table-absent"),
    ],
)
def test_what_is_no_portfolio_file_is_refused(tmp_path, spoil, rule):
    path = tmp_path / "a.csv"
    french_file(path)
    path.write_text(spoil(path.read_text(encoding="latin-1")), encoding="latin-1")
    with pytest.raises(DataError) as refused:
        FrenchPortfolios().read(path)
    assert refused.value.findings[0].rule == rule
    assert refused.value.advice
