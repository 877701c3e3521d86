"""Checks of data quality: planted faults are found at their place, clean data raises no alarm."""

from __future__ import annotations

import datetime as dt
import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.corpus.faults import ALONE, PRICED, clean_subject, spoil

from gammastar.app.cli import main
from gammastar.market.quality import CHECKS, Severity
from gammastar.report.quality_page import quality_page
from gammastar.simulate import LargeCapMarket
from gammastar.store import open_store
from gammastar.store.quality import inspect_subject
from gammastar.store.quality.inspection import inspect_store

if TYPE_CHECKING:
    from pathlib import Path

    from gammastar.market.panel import Panel


@pytest.fixture(scope="module")
def market() -> Panel:
    return LargeCapMarket(members=60, listed=90, start=dt.date(2012, 1, 3), end=dt.date(2014, 12, 31)).simulate(3).panel


@pytest.fixture
def store(good: Path, tmp_path: Path) -> Path:
    return shutil.copytree(good, tmp_path / "store")


@pytest.mark.parametrize("prices", [False, True])
def test_clean_data_has_no_error(market: Panel, prices: bool) -> None:
    assert not [one for one in inspect_subject(clean_subject(market, prices=prices)) if one.severity is Severity.ERROR]


@pytest.mark.parametrize(("fault", "prices"), [*((fault, False) for fault in ALONE), *((fault, True) for fault in PRICED)])
def test_a_planted_fault_is_found_at_its_place(market: Panel, fault, prices: bool) -> None:
    hits = planted = 0
    for seed in range(5):
        spoilt, faults = spoil(clean_subject(market, prices=prices), [fault], np.random.default_rng(seed))
        found = inspect_subject(spoilt)
        planted += len(faults)
        hits += sum(any(one.is_told_by(finding) for finding in found) for one in faults)
        assert {finding.check for finding in found} <= set(CHECKS)
    assert hits >= planted - 2  # a weight or a split may fall where nothing tells


def test_the_real_history(sp500_store: Path) -> None:
    found = inspect_store(open_store(sp500_store))
    assert found.tracking is not None
    assert found.tracking.error == pytest.approx(0.0011, abs=0.0001)
    copied = {(one.asset, str(one.first)) for one in found.verdict.findings if one.check == "asset-copied"}
    assert ("540", "2013-03-01") in copied


def test_the_command_says_its_verdict_and_writes_the_page(store: Path, tmp_path: Path, capsys) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["data", "check", str(store), "--out", str(tmp_path / "out")])
    assert ended.value.code in {0, 3}
    assert "fingerprint" in capsys.readouterr().out
    page = (tmp_path / "out" / "data-check.html").read_text(encoding="utf-8")
    assert "Data check" in page
    assert "https://" not in page.split('id="plotly"')[0]


def test_the_page_is_the_same_for_the_same_data(store: Path) -> None:
    found = inspect_store(open_store(store))
    assert quality_page(found.verdict, found.panel, found.tracking) == quality_page(found.verdict, found.panel, found.tracking)
