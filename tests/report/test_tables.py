"""Frames and CSV: every digit comes back, and quantstats reads the columns as they are."""

from __future__ import annotations

import subprocess
import sys
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from gammastar.errors import DataError
from gammastar.report import read_returns, returns_csv, returns_frame, summarise, summary

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gammastar.market.track import Track

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of the libraries quantstats imports
    import quantstats.stats as qs


def test_the_frame_begins_with_the_two_series_on_their_dates(full_track: Track, bare_track: Track) -> None:
    frame = returns_frame(full_track)
    assert list(frame.columns[:2]) == ["portfolio", "benchmark"] == list(returns_frame(bare_track).columns)
    assert frame.index.name == "date"
    assert (frame.index.to_numpy() == full_track.sessions).all()
    parts = frame[["allocation", "captured_volatility", "cost", "residual"]].sum(axis=1)
    np.testing.assert_allclose(parts, np.log1p(frame["portfolio"]) - np.log1p(frame["benchmark"]), atol=1e-14)
    generated = frame.filter(like="generated_").sum(axis=1) + frame["cost"]
    np.testing.assert_allclose(generated, parts, atol=1e-14)


def test_csv_keeps_every_bit_and_its_bytes_are_the_same_twice(full_track: Track) -> None:
    text = returns_csv(full_track)
    assert text == returns_csv(full_track)
    pd.testing.assert_frame_equal(
        read_returns(text), returns_frame(full_track), check_exact=True, check_freq=False, check_index_type=False
    )


def test_quantstats_reads_the_columns_as_they_are(full_track: Track, tmp_path: Path) -> None:
    path = tmp_path / "returns.csv"
    path.write_text(returns_csv(full_track), encoding="utf-8")
    frame = pd.read_csv(path, index_col="date", parse_dates=["date"])
    ours = summarise(full_track)
    for column in ("portfolio", "benchmark"):
        returns = frame[column]
        assert qs.comp(returns) == pytest.approx(
            (1.0 + ours.number(f"{column}_return")) ** ours.number("years") - 1.0, rel=1e-9
        )
        assert qs.volatility(returns, periods=252) == pytest.approx(ours[f"{column}_volatility"], rel=1e-9)
        assert qs.sharpe(returns, periods=252) == pytest.approx(returns.mean() / returns.std() * np.sqrt(252), rel=1e-9)
        assert qs.cagr(returns, periods=252) == pytest.approx(
            ours[f"{column}_return"], rel=1e-2
        )  # by days in place of sessions


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("day,portfolio,benchmark\n2020-01-02,0.1,0.1\n", "not a table of returns"),
        ("date,portfolio\n2020-01-02,0.1\n", "no column benchmark"),
        ("date,portfolio,benchmark\n2020-01-02,much,0.1\n", "not a table of returns"),
        ("", "not a table of returns"),
    ],
)
def test_what_is_no_table_of_returns_is_named(text: str, message: str) -> None:
    with pytest.raises(DataError, match=message) as raised:
        read_returns(text, where="mine.csv")
    assert raised.value.where == "mine.csv"


# The terminal


def test_the_terminal_summary_is_short_aligned_and_agrees_with_the_statistics(full_track: Track) -> None:
    text = summary(full_track)
    lines = text.splitlines()
    assert len(lines) <= 57
    assert max(map(len, lines)) <= 96
    rows = [line for line in lines if line.startswith("  ") and "bp a year" in line]
    ends = {line.index(" bp a year") for line in rows}
    assert len(rows) >= 10
    assert len(ends) == 1
    shown = next(line for line in rows if "Captured volatility" in line)
    assert f"{1e4 * summarise(full_track).number('attribution.captured_volatility'):+.1f} bp a year" in shown


def test_a_summary_of_two_series_or_one_session_says_what_it_can(
    bare_track: Track, cut_track: Callable[[int], Track]
) -> None:
    assert "Allocation" not in summary(bare_track)
    assert "too short for a standard error" in summary(cut_track(1))
    assert "None" not in summary(cut_track(1)) + summary(bare_track)


@pytest.mark.parametrize(
    ("shift", "words"),
    [
        (0.0, "within one standard error"),
        (0.0065, "too little to tell from luck"),
        (0.02, "unlikely to be luck alone"),
        (-0.02, "behind"),
    ],
)
def test_the_opening_claims_no_more_than_the_record_shows(full_track: Track, shift: float, words: str) -> None:
    centred = full_track.portfolio - np.mean(full_track.portfolio - full_track.benchmark)
    moved = replace(full_track, portfolio=centred + (shift + 0.5 * 1.4e-4) / 252)
    assert words in " ".join(summary(moved).split())


# Imports


def test_the_room_loads_nothing_before_it_is_asked() -> None:
    program = "import sys, gammastar.report; print(sorted({'plotly', 'pandas', 'numpy'} & set(sys.modules)))"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_every_public_name_can_be_had_and_no_other() -> None:
    import gammastar.report

    assert dir(gammastar.report) == sorted(gammastar.report.__all__)
    assert all(callable(getattr(gammastar.report, name)) for name in gammastar.report.__all__)
    with pytest.raises(AttributeError, match="no attribute 'alpha'"):
        gammastar.report.alpha  # noqa: B018
