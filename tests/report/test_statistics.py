"""Every statistic against an independent road: pandas, quantstats, SciPy, or by hand."""

from __future__ import annotations

import json
import re
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from gammastar.market.calendar import Frequency
from gammastar.market.track import Compliance, Track, Trading
from gammastar.report.catalogue import DEFINITIONS, Unit, definition, present
from gammastar.report.spans import months
from gammastar.report.statistics import summarise

if TYPE_CHECKING:
    from collections.abc import Callable

    from gammastar.report.statistics import Statistics

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of the libraries quantstats imports
    import quantstats.stats as qs

ROOT = Path(__file__).resolve().parents[2]
NAMES = [entry.name for _, entries in DEFINITIONS for entry in entries]


@pytest.fixture(scope="module")
def statistics(full_track: Track) -> Statistics:
    return summarise(full_track)


def series(track: Track, values: np.ndarray) -> pd.Series:
    return pd.Series(np.asarray(values), index=pd.DatetimeIndex(track.sessions))


def log_relative(track: Track) -> pd.Series:
    return series(track, np.log((1.0 + track.portfolio) / (1.0 + track.benchmark)))


def monthly(track: Track, returns: np.ndarray) -> pd.Series:
    return (1.0 + series(track, returns)).resample("ME").prod() - 1.0


def annual(track: Track, values: np.ndarray) -> float:
    return float(np.mean(values)) * 252


def error(track: Track, values: np.ndarray) -> float:
    sums = series(track, values).resample("ME").sum()
    return float(12 * sums.sem())


def capture(track: Track, sign: int) -> float:
    p, b = monthly(track, track.portfolio), monthly(track, track.benchmark)
    chosen = np.sign(b) == sign
    return float((stats.gmean(1.0 + p[chosen]) - 1.0) / (stats.gmean(1.0 + b[chosen]) - 1.0))


def monthly_ratio(track: Track) -> float:
    p, b = monthly(track, track.portfolio), monthly(track, track.benchmark)
    growth = ((1.0 + p).prod() / (1.0 + b).prod()) ** (12 / len(p)) - 1.0
    return float(growth / ((p - b).std() * np.sqrt(12)))


def scaled(track: Track) -> pd.Series:
    forecast = series(track, track.forecast.tracking_error)
    return (series(track, track.portfolio - track.benchmark) / (forecast / np.sqrt(252)))[forecast > 0.0]


def initial(track: Track) -> float:
    return float(track.trading.turnover_two_way[track.trading.initial])


def index_difference(track: Track) -> float:
    level = pd.Series(track.index_level, index=[track.start, *track.sessions]).dropna()
    ours = pd.Series(np.cumsum(np.log1p(track.benchmark)), index=track.sessions)
    return float((ours.iloc[-1] - np.log(level.iloc[-1] / level.iloc[0])) * 252 / len(track))


def block_band(track: Track, quantile: float) -> float:
    """Resample by another program: wrap the record, and take whole slices of it."""
    z = scaled(track).to_numpy()
    wrapped, rng = np.concatenate((z, z)), np.random.default_rng(99)
    starts = rng.integers(len(z), size=(2000, -(-len(z) // 21)))
    draws = [np.concatenate([wrapped[k : k + 21] for k in row])[: len(z)].std(ddof=1) for row in starts]
    return float(np.quantile(draws, quantile))


def break_even(track: Track) -> float:
    """Charge every trade the break-even rate, to first order: nothing is left of the relative return."""
    gross = log_relative(track).sum() - np.log(1.0 - track.trading.cost).sum()
    return float(gross / track.trading.turnover_two_way.sum())


def parts(name: str) -> Callable[[Track], float]:
    group, leaf = name.split(".")
    return lambda t: annual(t, getattr(getattr(t, group), leaf))


ROADS: dict[str, Callable[[Track], object]] = {
    "periods": lambda t: len(t.portfolio),
    "from": lambda t: pd.Timestamp(t.start).strftime("%Y-%m-%d"),
    "to": lambda t: pd.Timestamp(t.sessions.max()).strftime("%Y-%m-%d"),
    "years": lambda t: len(t.portfolio) / 252,
    "portfolio_return": lambda t: np.exp(np.log1p(t.portfolio).mean() * 252) - 1.0,
    "benchmark_return": lambda t: np.exp(np.log1p(t.benchmark).mean() * 252) - 1.0,
    "geometric_excess": lambda t: np.exp(log_relative(t).mean() * 252) - 1.0,
    "relative_log_return": lambda t: annual(t, log_relative(t)),
    "relative_log_return_se": lambda t: error(t, log_relative(t)),
    "portfolio_volatility": lambda t: qs.volatility(series(t, t.portfolio), periods=252),
    "benchmark_volatility": lambda t: qs.volatility(series(t, t.benchmark), periods=252),
    "index_difference": index_difference,
    "imputed_weight": lambda t: series(t, t.imputed_weight).mean(),
    **{
        f"attribution.{part}": parts(f"attribution.{part}")
        for part in ("allocation", "captured_volatility", "cost", "residual")
    },
    "attribution.allocation_se": lambda t: error(t, t.attribution.allocation),
    "attribution.captured_volatility_se": lambda t: error(t, t.attribution.captured_volatility),
    "attribution.residual_max_session": lambda t: series(t, t.attribution.residual).abs().max(),
    "forecast_captured_volatility": lambda t: series(t, t.forecast.captured_volatility).mean(),
    **{
        f"decomposition.{part}": parts(f"decomposition.{part}")
        for part in ("boundary", "l_divergence", "flow", "execution", "cost", "residual")
    },
    "decomposition.residual_max_session": lambda t: series(t, t.decomposition.residual).abs().max(),
    "tracking_error": lambda t: series(t, t.portfolio - t.benchmark).std() * np.sqrt(252),
    "tracking_error_monthly": lambda t: (monthly(t, t.portfolio) - monthly(t, t.benchmark)).std() * np.sqrt(12),
    "forecast_tracking_error": lambda t: np.linalg.norm(t.forecast.tracking_error) / np.sqrt(len(t)),
    "factor_share": lambda t: series(t, t.forecast.factor_share)[t.forecast.tracking_error > 0.0].mean(),
    "bias_statistic": lambda t: scaled(t).std(),
    "bias_low": lambda t: np.sqrt(stats.chi2.ppf(0.025, len(scaled(t)) - 1) / (len(scaled(t)) - 1)),
    "bias_high": lambda t: np.sqrt(stats.chi2.ppf(0.975, len(scaled(t)) - 1) / (len(scaled(t)) - 1)),
    "bias_bootstrap_low": lambda t: block_band(t, 0.025),
    "bias_bootstrap_high": lambda t: block_band(t, 0.975),
    "information_ratio": monthly_ratio,
    "information_ratio_se": lambda t: np.sqrt(12 / len(monthly(t, t.portfolio))),
    "beta": lambda t: stats.linregress(t.benchmark, t.portfolio).slope,
    "max_drawdown": lambda t: qs.max_drawdown(series(t, t.portfolio)),
    "benchmark_max_drawdown": lambda t: qs.max_drawdown(series(t, t.benchmark)),
    "max_relative_drawdown": lambda t: qs.max_drawdown(np.expm1(log_relative(t))),
    "up_capture": lambda t: capture(t, 1),
    "down_capture": lambda t: capture(t, -1),
    "hit_rate": lambda t: (monthly(t, t.portfolio) > monthly(t, t.benchmark)).mean(),
    "active_share": lambda t: np.maximum(t.holdings.weights - t.holdings.benchmark, 0.0).sum(axis=1).mean(),
    "names": lambda t: np.count_nonzero(t.holdings.weights > 1e-8) / len(t),
    "size": lambda t: series(t, t.holdings.size).mean(),
    "turnover_one_way": lambda t: (series(t, t.trading.turnover_two_way).sum() - initial(t)) / 2 / (len(t) / 252),
    "turnover_two_way": lambda t: (series(t, t.trading.turnover_two_way).sum() - initial(t)) / (len(t) / 252),
    "initial_turnover": lambda t: initial(t) / 2,
    "cost_rate": lambda t: 5e-4,  # what the synthetic portfolio paid
    "gross_relative_log_return": lambda t: annual(t, t.attribution.allocation + t.attribution.captured_volatility),
    "break_even_cost": break_even,
    "checks": lambda t: pd.Series(t.compliance.verdict).size,
    "breaches": lambda t: int((pd.Series(t.compliance.verdict) == "active").sum()),
    "band_breaches": lambda t: int((pd.Series(t.compliance.verdict) == "band").sum()),
    "passive_breaches": lambda t: int((pd.Series(t.compliance.verdict) == "passive").sum()),
}
# The bootstrap bands differ by the draws, the residual parts by nothing but rounding.
TOLERANCE = {"bias_bootstrap_low": 6e-3, "bias_bootstrap_high": 6e-3}


@pytest.mark.parametrize("name", NAMES)
def test_statistic_agrees_with_an_independent_road(name: str, statistics: Statistics, full_track: Track) -> None:
    expected = ROADS[name](full_track)
    if isinstance(expected, str):
        assert statistics[name] == expected
    else:
        assert statistics[name] == pytest.approx(expected, rel=TOLERANCE.get(name, 1e-8), abs=1e-14)


def test_every_statistic_is_documented_once_and_nothing_else_is() -> None:
    page = (ROOT / "docs" / "statistics.md").read_text(encoding="utf-8")
    entries = re.findall(r"^- \*\*`([^`]+)`\*\*: \S", page, flags=re.MULTILINE)
    assert sorted(entries) == sorted(NAMES)
    assert len(set(NAMES)) == len(NAMES) == len(ROADS)


def test_the_parts_add_up_in_the_summary(statistics: Statistics) -> None:
    total = statistics.number("relative_log_return")
    for group, members in (
        ("attribution", ("allocation", "captured_volatility", "cost", "residual")),
        ("decomposition", ("boundary", "l_divergence", "flow", "execution", "cost", "residual")),
    ):
        assert sum(statistics.number(f"{group}.{member}") for member in members) == pytest.approx(total, abs=1e-12)


def test_json_has_what_the_command_prints_and_only_plain_finite_values(statistics: Statistics) -> None:
    plain = statistics.to_dict()
    asked = {
        "periods", "from", "to", "portfolio_return", "benchmark_return", "relative_log_return", "attribution", "decomposition", "tracking_error",
        "forecast_tracking_error", "information_ratio", "information_ratio_se", "active_share", "beta", "names", "turnover_one_way", "breaches",
        "imputed_weight",
    }  # fmt: skip
    assert asked <= plain.keys()
    assert {"allocation", "captured_volatility", "cost", "residual", "residual_max_session"} <= plain[
        "attribution"
    ].keys()
    assert {"boundary", "l_divergence", "flow", "execution", "cost", "residual"} <= plain["decomposition"].keys()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain


def test_two_return_series_are_enough(bare_track: Track, statistics: Statistics) -> None:
    plain = summarise(bare_track).to_dict()
    assert plain["attribution"] is None
    assert plain["decomposition"] is None
    for name in (
        "portfolio_return",
        "tracking_error",
        "information_ratio",
        "beta",
        "hit_rate",
        "max_relative_drawdown",
    ):
        assert plain[name] == statistics[name]
    for name in (
        "forecast_tracking_error",
        "active_share",
        "turnover_one_way",
        "breaches",
        "imputed_weight",
        "index_difference",
    ):
        assert plain[name] is None


def test_one_session_has_returns_and_nothing_that_needs_two(cut_track: Callable[[int], Track]) -> None:
    plain = summarise(cut_track(1)).to_dict()
    assert plain["periods"] == 1
    assert (
        plain["tracking_error"]
        is plain["information_ratio"]
        is plain["beta"]
        is plain["relative_log_return_se"]
        is None
    )
    json.dumps(plain, allow_nan=False)


def test_the_benchmark_held_has_nothing_against_itself(bare_track: Track) -> None:
    held = summarise(replace(bare_track, portfolio=bare_track.benchmark))
    zero = (
        "relative_log_return",
        "geometric_excess",
        "tracking_error",
        "tracking_error_monthly",
        "information_ratio",
        "max_relative_drawdown",
    )
    assert [held[name] for name in zero] == [0.0] * len(zero)
    one = ("beta", "up_capture", "down_capture")
    assert [held[name] for name in one] == pytest.approx([1.0] * len(one), rel=1e-12)
    assert held["hit_rate"] == 0.5


def test_a_portfolio_that_never_trades_has_no_cost_rate(full_track: Track) -> None:
    nothing = np.zeros(len(full_track))
    idle = summarise(replace(full_track, trading=Trading(nothing, nothing)))
    assert idle["turnover_one_way"] == idle["initial_turnover"] == 0.0
    assert idle["cost_rate"] is idle["break_even_cost"] is None


def test_monthly_records_are_annualised_by_twelve(full_track: Track) -> None:
    p, b = monthly(full_track, full_track.portfolio), monthly(full_track, full_track.benchmark)
    ends = p.index.to_numpy().astype("datetime64[D]")
    track = Track("m", "b", full_track.start, ends, Frequency.MONTHLY, p.to_numpy(), b.to_numpy())
    ours, daily = summarise(track), summarise(full_track)
    assert (
        ours["tracking_error"]
        == ours["tracking_error_monthly"]
        == pytest.approx(daily["tracking_error_monthly"], rel=1e-9)
    )
    assert ours["information_ratio"] == pytest.approx(daily["information_ratio"], rel=1e-9)
    assert ours["years"] == pytest.approx(11.0)


# Tables


def test_sub_periods_tile_the_record_and_their_log_returns_add_up(statistics: Statistics) -> None:
    whole, before, after = statistics.sub_periods
    assert (before.last, after.first) == ("2012-12-31", "2012-12-31")
    assert whole.periods == before.periods + after.periods
    for name in ("relative_log_return", "allocation", "captured_volatility", "cost"):
        total = sum(getattr(span, name) * span.periods for span in (before, after))
        assert total == pytest.approx(getattr(whole, name) * whole.periods, rel=1e-9)


def test_a_sub_period_is_the_summary_of_its_own_sessions(
    cut_track: Callable[[int], Track], statistics: Statistics
) -> None:
    count = statistics.sub_periods[1].periods
    own = cut_track(count)
    for name in (
        "portfolio_return",
        "relative_log_return",
        "relative_log_return_se",
        "tracking_error",
        "information_ratio",
        "information_ratio_se",
    ):
        assert getattr(statistics.sub_periods[1], name) == pytest.approx(summarise(own)[name], rel=1e-12)


def test_the_record_is_not_split_where_a_part_would_be_too_short(cut_track: Callable[[int], Track]) -> None:
    assert [span.label for span in summarise(cut_track(300)).sub_periods] == ["Whole record"]


def test_calendar_years_agree_with_pandas_and_compound_to_the_record(full_track: Track, statistics: Statistics) -> None:
    by_year = (1.0 + series(full_track, full_track.portfolio)).groupby(
        full_track.sessions.astype("datetime64[Y]")
    ).prod() - 1.0
    assert [entry.portfolio_return for entry in statistics.calendar_years] == pytest.approx(list(by_year), rel=1e-9)
    for name in ("relative_log_return", "allocation", "captured_volatility", "cost"):
        total = sum(getattr(entry, name) for entry in statistics.calendar_years)
        reference = statistics[name] if name == "relative_log_return" else statistics[f"attribution.{name}"]
        assert total == pytest.approx(reference * statistics["years"], rel=1e-9)


def test_rules_are_summed_up_by_their_worst_entry() -> None:
    log = Compliance(
        session=np.array(["2020-01-02", "2020-01-02", "2020-01-03", "2020-01-03"], dtype="datetime64[D]"),
        rule=("beta", "weight", "beta", "weight"),
        value=np.array([1.0, 0.04, 1.2, 0.06]),
        limit=np.array([1.1, 0.05, 1.1, 0.05]),
        headroom=np.array([0.1, 0.01, -0.1, -0.01]),
        where=("portfolio", "A", "portfolio", "B"),
        verdict=("ok", "ok", "active", "passive"),
    )
    sessions = np.array(["2020-01-02", "2020-01-03"], dtype="datetime64[D]")
    track = Track(
        "p", "b", np.datetime64("2020-01-01"), sessions, Frequency.DAILY, np.zeros(2), np.zeros(2), compliance=log
    )
    beta, weight = summarise(track).rules
    assert (beta.rule, beta.checks, beta.worst, beta.session, beta.active, beta.passive) == (
        "beta",
        2,
        1.2,
        "2020-01-03",
        1,
        0,
    )
    assert (weight.rule, weight.where, weight.headroom, weight.active, weight.passive) == ("weight", "B", -0.01, 0, 1)
    assert (summarise(track)["breaches"], summarise(track)["passive_breaches"], summarise(track)["checks"]) == (1, 1, 4)


def test_months_are_calendar_months(full_track: Track) -> None:
    stamps = pd.DatetimeIndex(full_track.sessions)
    assert list(months(full_track)) == list((stamps.year - 1970) * 12 + stamps.month - 1)


# Presentation


@pytest.mark.parametrize("unit", list(Unit))
@pytest.mark.parametrize("value", [0.0, -1e-9, 1.0, -0.02, 12345.6])
def test_numbers_read_back_to_the_digits_shown(unit: Unit, value: float) -> None:
    factor, decimals, suffix = unit.value
    shown = present(value, unit, signed=True).replace("\u2212", "-").replace(",", "")
    if decimals >= 0:
        assert float(shown.removesuffix(suffix)) == pytest.approx(value * factor, abs=0.5000001 * 10**-decimals)
        assert not shown.startswith("-0") or float(shown.removesuffix(suffix)) != 0.0


def test_there_is_no_definition_of_what_is_not_a_statistic() -> None:
    assert definition("beta").unit is Unit.RATIO
    with pytest.raises(KeyError):
        definition("alpha")
