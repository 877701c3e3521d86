"""The statistics a report shows: name, unit, formula and plain reading, each once. `docs/statistics.md` has the long form of every entry."""

from __future__ import annotations

__all__ = ["DEFINITIONS", "Definition", "Unit", "Value", "definition", "present"]

from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias

Value: TypeAlias = float | int | str | None
"""What a statistic can be; None where the track does not hold what it needs, or where it is not defined."""


class Unit(Enum):
    """How a statistic is shown: (factor, decimals, suffix). Values themselves are always fractions, annual where a rate."""

    BP_YEAR = (1e4, 1, " bp a year")
    COUNT = (1.0, 0, "")
    DATE = (0.0, 0, "")
    NAMES = (1.0, 0, " names")
    PERCENT = (1e2, 2, "%")
    PERCENT_YEAR = (1e2, 2, "% a year")
    RATIO = (1.0, 2, "")
    ROUNDING = (1.0, -1, "")
    SHARE = (1e2, 1, "%")
    TRADED = (1e4, 1, " bp of traded value")
    YEARS = (1.0, 1, " years")


@dataclass(frozen=True)
class Definition:
    """One statistic.

    Args:
        name: key in `Statistics` and in ``backtest --json``; a dot nests.
        label: for people.
        unit: how it is shown.
        formula: its definition in one line.
        signed: whether it is shown with its sign.
    """

    name: str
    label: str
    unit: Unit
    formula: str
    signed: bool = False


def _parts(prefix: str, entries: tuple[tuple[str, str, str], ...]) -> tuple[Definition, ...]:
    """Return the definitions of log parts a year, below one prefix; standard errors have no sign."""
    return tuple(
        Definition(f"{prefix}.{name}", label, Unit.BP_YEAR, formula, signed=not name.endswith("_se"))
        for name, label, formula in entries
    )


_RECORD = (
    Definition("periods", "Sessions", Unit.COUNT, "number of returns in the record"),
    Definition("from", "From the close of", Unit.DATE, "the close at which wealth is 1"),
    Definition("to", "To the close of", Unit.DATE, "the last session"),
    Definition("years", "Years", Unit.YEARS, "sessions / periods a year (252 daily, 12 monthly)"),
)
_RETURN = (
    Definition("portfolio_return", "Portfolio return", Unit.PERCENT_YEAR, "prod(1 + p)^(1/years) - 1, after costs"),
    Definition("benchmark_return", "Benchmark return", Unit.PERCENT_YEAR, "prod(1 + b)^(1/years) - 1"),
    Definition(
        "geometric_excess",
        "Geometric excess return",
        Unit.PERCENT_YEAR,
        "(1 + portfolio return) / (1 + benchmark return) - 1",
        signed=True,
    ),
    Definition(
        "relative_log_return", "Relative log return", Unit.BP_YEAR, "sum(log(1 + p) - log(1 + b)) / years", signed=True
    ),
    Definition("relative_log_return_se", "  its standard error", Unit.BP_YEAR, "12 std(monthly sums) / sqrt(months)"),
    Definition(
        "portfolio_volatility", "Portfolio volatility", Unit.PERCENT_YEAR, "sqrt(periods a year) std(p), ddof 1"
    ),
    Definition(
        "benchmark_volatility", "Benchmark volatility", Unit.PERCENT_YEAR, "sqrt(periods a year) std(b), ddof 1"
    ),
    Definition(
        "index_difference",
        "Benchmark less published index",
        Unit.BP_YEAR,
        "annual log growth of the benchmark less that of the index",
        signed=True,
    ),
    Definition("imputed_weight", "Imputed weight", Unit.PERCENT, "mean benchmark weight whose return is imputed"),
)
_ATTRIBUTION = (
    *_parts(
        "attribution",
        (
            ("allocation", "Allocation", "annual sum of (pi - mu)' log R"),
            ("allocation_se", "  its standard error", "12 std(monthly sums) / sqrt(months)"),
            ("captured_volatility", "Captured volatility", "annual sum of FE(pi, R) - FE(mu, R)"),
            ("captured_volatility_se", "  its standard error", "12 std(monthly sums) / sqrt(months)"),
            ("cost", "Cost", "annual sum of log(1 - cost fraction)"),
            ("residual", "Residual", "relative log return less the three parts"),
        ),
    ),
    Definition("attribution.residual_max_session", "Largest residual of a session", Unit.ROUNDING, "max |residual|"),
    Definition(
        "forecast_captured_volatility",
        "Forecast captured volatility",
        Unit.BP_YEAR,
        "mean of gamma*_pi - gamma*_mu over sessions",
        signed=True,
    ),
)
_DECOMPOSITION = (
    *_parts(
        "decomposition",
        (
            ("boundary", "Boundary", "annual change of log G, published weights to published weights"),
            ("l_divergence", "L-divergence", "annual sum of T(nu | mu)"),
            ("flow", "Flow", "annual sum of log G(nu) - log G(mu) at index changes"),
            ("execution", "Execution", "held less ideally generated portfolio, annual"),
            ("cost", "Cost", "annual sum of log(1 - cost fraction)"),
            ("residual", "Residual", "relative log return less the five parts"),
        ),
    ),
    Definition("decomposition.residual_max_session", "Largest residual of a session", Unit.ROUNDING, "max |residual|"),
)
_RISK = (
    Definition("tracking_error", "Tracking error", Unit.PERCENT_YEAR, "sqrt(periods a year) std(p - b), ddof 1"),
    Definition(
        "tracking_error_monthly",
        "Tracking error, monthly data",
        Unit.PERCENT_YEAR,
        "sqrt(12) std(p - b) of monthly compounded returns",
    ),
    Definition(
        "forecast_tracking_error",
        "Forecast tracking error",
        Unit.PERCENT_YEAR,
        "root mean square over sessions of the forecast in force",
    ),
    Definition(
        "factor_share",
        "Factor part of forecast risk",
        Unit.SHARE,
        "mean share of forecast active variance that factors explain",
    ),
    Definition("bias_statistic", "Bias statistic", Unit.RATIO, "std(active return / forecast of the session), ddof 1"),
    Definition("bias_low", "  chi-square band, low", Unit.RATIO, "sqrt(chi2(2.5%, t - 1) / (t - 1))"),
    Definition("bias_high", "  chi-square band, high", Unit.RATIO, "sqrt(chi2(97.5%, t - 1) / (t - 1))"),
    Definition(
        "bias_bootstrap_low",
        "  block-bootstrap band, low",
        Unit.RATIO,
        "2.5% quantile over resamples in blocks of a month (daily) or a quarter (monthly)",
    ),
    Definition("bias_bootstrap_high", "  block-bootstrap band, high", Unit.RATIO, "97.5% quantile of the same"),
    Definition(
        "information_ratio",
        "Information ratio",
        Unit.RATIO,
        "geometric excess / tracking error, monthly data",
        signed=True,
    ),
    Definition("information_ratio_se", "  its standard error", Unit.RATIO, "1 / sqrt(years)"),
    Definition("beta", "Beta", Unit.RATIO, "cov(p, b) / var(b)"),
    Definition("max_drawdown", "Deepest drawdown", Unit.PERCENT, "min of wealth / its running maximum - 1"),
    Definition("benchmark_max_drawdown", "Deepest drawdown, benchmark", Unit.PERCENT, "the same of the benchmark"),
    Definition(
        "max_relative_drawdown",
        "Deepest relative drawdown",
        Unit.PERCENT,
        "the same of portfolio wealth / benchmark wealth",
    ),
    Definition(
        "up_capture", "Up capture", Unit.SHARE, "ratio of geometric means over months in which the benchmark rose"
    ),
    Definition(
        "down_capture", "Down capture", Unit.SHARE, "ratio of geometric means over months in which the benchmark fell"
    ),
    Definition("hit_rate", "Hit rate", Unit.SHARE, "share of months with p > b, ties half"),
)
_HOLDINGS = (
    Definition("active_share", "Active share", Unit.SHARE, "mean over sessions of (sum |pi - mu| + |cash|) / 2"),
    Definition("names", "Names held", Unit.NAMES, "mean number of weights above 1e-8"),
    Definition(
        "size", "Size tilt", Unit.RATIO, "mean active exposure to standardised log benchmark weight", signed=True
    ),
)
_TRADING = (
    Definition(
        "turnover_one_way", "Turnover, one-way", Unit.SHARE, "half the traded weight, annual, initial purchase excluded"
    ),
    Definition("turnover_two_way", "Turnover, two-way", Unit.SHARE, "twice that"),
    Definition(
        "initial_turnover", "Initial purchase, one-way", Unit.SHARE, "half the traded weight of the initial purchase"
    ),
    Definition("cost_rate", "Cost of trading", Unit.TRADED, "cost paid / two-way traded weight, all trades"),
    Definition(
        "gross_relative_log_return",
        "Relative log return before cost",
        Unit.BP_YEAR,
        "relative log return - annual sum of log(1 - cost)",
        signed=True,
    ),
    Definition(
        "break_even_cost",
        "Break-even cost",
        Unit.TRADED,
        "gross relative log return / annual two-way traded weight, all trades",
        signed=True,
    ),
)
_COMPLIANCE = (
    Definition("checks", "Rule checks", Unit.COUNT, "entries of the daily compliance log"),
    Definition("breaches", "Active breaches", Unit.COUNT, "entries that released targets broke"),
    Definition("band_breaches", "Breaches by the band", Unit.COUNT, "entries that a trade left broken at the edge of the no-trade band"),
    Definition("passive_breaches", "Passive breaches", Unit.COUNT, "entries that prices or the index broke"),
)

DEFINITIONS: Final[tuple[tuple[str, tuple[Definition, ...]], ...]] = (
    ("Record", _RECORD),
    ("Return", _RETURN),
    ("Attribution", _ATTRIBUTION),
    ("Decomposition", _DECOMPOSITION),
    ("Risk", _RISK),
    ("Holdings", _HOLDINGS),
    ("Trading", _TRADING),
    ("Compliance", _COMPLIANCE),
)
"""Every statistic, by section, in the order of the report."""

_BY_NAME: Final = {entry.name: entry for _, entries in DEFINITIONS for entry in entries}


def definition(name: str) -> Definition:
    """Return the definition of the statistic `name`.

    Raises:
        KeyError: there is no such statistic.
    """
    return _BY_NAME[name]


def present(value: Value, unit: Unit, *, signed: bool = False) -> str:
    """Return a value as people read it, with its unit; ``"n/a"`` for None.

    >>> present(0.0123, Unit.PERCENT_YEAR), present(-0.00051, Unit.BP_YEAR, signed=True), present(None, Unit.RATIO)
    ('1.23% a year', '\u22125.1 bp a year', 'n/a')
    """
    if value is None:
        return "n/a"
    if isinstance(value, str):
        return value
    factor, decimals, suffix = unit.value
    if decimals < 0:
        return "0" if value == 0.0 else f"{value:.1e}".replace("-", "\u2212")
    number = f"{value * factor:+,.{decimals}f}" if signed else f"{value * factor:,.{decimals}f}"
    if float(number.replace(",", "")) == 0.0:
        number = number.lstrip("+-")  # no sign on what rounds to zero
    return number.replace("-", "\u2212") + suffix
