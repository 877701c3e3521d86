"""What the numbers say, in sentences: the opening paragraph of the tear sheet and the readings of its headline figures."""

from __future__ import annotations

__all__ = ["Headline", "evidence", "headlines", "opening"]

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gammastar.report.catalogue import Unit, definition, present

if TYPE_CHECKING:
    from gammastar.market.track import Track
    from gammastar.report.catalogue import Value
    from gammastar.report.statistics import Statistics

HEADLINES: Final = 12

_ORDER: Final = (
    "portfolio_return",
    "benchmark_return",
    "relative_log_return",
    "attribution.captured_volatility",
    "attribution.allocation",
    "attribution.cost",
    "tracking_error",
    "forecast_tracking_error",
    "information_ratio",
    "active_share",
    "turnover_one_way",
    "breaches",
    "max_relative_drawdown",
    "beta",
    "hit_rate",
    "up_capture",
    "down_capture",
    "tracking_error_monthly",
    "max_drawdown",
    "benchmark_max_drawdown",
    "portfolio_volatility",
    "benchmark_volatility",
    "geometric_excess",
    "periods",
    "years",
)
"""Headline figures by rank: the first twelve that the track can show."""

_READINGS: Final = {
    "portfolio_return": "compound, after costs",
    "benchmark_return": "compound, without costs",
    "attribution.cost": "what trading took",
    "attribution.captured_volatility": "what volatility added",
    "attribution.allocation": "what the rest of the bet gave or took",
    "tracking_error": "realised, from every session",
    "tracking_error_monthly": "realised, from monthly returns",
    "active_share": "of the portfolio differs from the benchmark, on average",
    "max_relative_drawdown": "worst loss against the benchmark",
    "beta": "slope against the benchmark",
    "hit_rate": "of months beat the benchmark",
    "up_capture": "of the benchmark's return in months it rose",
    "down_capture": "of the benchmark's return in months it fell",
    "max_drawdown": "worst loss of the portfolio",
    "benchmark_max_drawdown": "worst loss of the benchmark",
    "portfolio_volatility": "of the portfolio's returns",
    "benchmark_volatility": "of the benchmark's returns",
    "geometric_excess": "of compound returns",
    "periods": "returns in the record",
    "years": "length of the record",
}


@dataclass(frozen=True)
class Headline:
    """One headline figure: its name, the number with its unit, and a plain reading."""

    name: str
    label: str
    figure: str
    reading: str


def headlines(statistics: Statistics) -> tuple[Headline, ...]:
    """Return the twelve headline figures, fewer only where the track is too short to have them."""
    chosen = [name for name in _ORDER if statistics[name] is not None][:HEADLINES]
    return tuple(_headline(name, statistics) for name in chosen)


def _headline(name: str, statistics: Statistics) -> Headline:
    entry = definition(name)
    return Headline(
        name, entry.label, present(statistics[name], entry.unit, signed=entry.signed), _reading(name, statistics)
    )


def _reading(name: str, statistics: Statistics) -> str:
    if name == "forecast_tracking_error":
        return _against_forecast(statistics) or "root mean square of the forecasts in force"
    if name == "breaches":
        band, passive = (present(statistics[kind], Unit.COUNT) for kind in ("band_breaches", "passive_breaches"))
        return f"by released targets; {band} by the no-trade band, {passive} by prices or the index"
    if name == "turnover_one_way":
        return f"a year; the initial purchase, {present(statistics['initial_turnover'], Unit.SHARE)}, is left out"
    error = statistics[f"{name}_se"] if f"{name}_se" in statistics.values else None
    if error is not None:
        entry = definition(name)
        base = _READINGS.get(name)
        text = f"standard error {present(error, entry.unit).removesuffix(' a year')}"
        return (
            f"{base}; {text}"
            if base
            else f"{text}: {evidence(statistics.number(name), statistics.number(f'{name}_se'))}"
        )
    return _READINGS.get(name, "")


def _against_forecast(statistics: Statistics) -> str | None:
    realised, expected = statistics.number("tracking_error"), statistics.number("forecast_tracking_error")
    if realised is None or not expected:
        return None
    return f"realised is {_compared(realised, expected)} it"


def _compared(realised: float, expected: float) -> str:
    difference = 100.0 * (realised / expected - 1.0)
    return (
        f"{abs(difference):.0f}% {'above' if difference > 0.0 else 'below'}"
        if abs(difference) >= 1.0
        else "within 1% of"
    )


def evidence(value: float | None, error: float | None) -> str:
    """Return how far a value is from zero in its standard errors, in words that claim no more than that."""
    if value is None or not error:
        return "no judgement possible"
    ratio = abs(value) / error
    if ratio < 1.0:
        return "not different from zero"
    return "weak evidence" if ratio < 2.0 else "different from zero"


def opening(track: Track, statistics: Statistics) -> str:
    """Return the opening paragraph: what was earned, by what, at which risk, and how much of it the record can show."""
    sentences = [
        _result(track, statistics),
        _verdict(statistics),
        _earned(statistics),
        _generated(statistics),
        _risked(statistics),
        _broken(statistics),
        _imputed(statistics),
    ]
    return " ".join(sentence for sentence in sentences if sentence)


def _rate(value: float | None) -> str:
    return present(None if value is None else abs(value), Unit.BP_YEAR)


def _result(track: Track, statistics: Statistics) -> str:
    years = present(statistics["years"], Unit.YEARS)
    p, b = (present(statistics[name], Unit.PERCENT_YEAR) for name in ("portfolio_return", "benchmark_return"))
    relative = statistics.number("relative_log_return") or 0.0
    side = "ahead of" if relative > 0.0 else "behind"
    difference = f"{_rate(relative)} {side} it in log terms" if abs(relative) >= 5e-6 else "no different from it"
    brief = (statistics.number("years") or 0.0) < 0.99
    short = " The record is shorter than a year: annual figures extrapolate it." if brief else ""
    return f"From {track.start} to {track.sessions[-1]}, {years}, {track.name} returned {p} after costs and {track.benchmark_name} {b}: {difference}.{short}"


def _verdict(statistics: Statistics) -> str:
    value, error = statistics.number("relative_log_return"), statistics.number("relative_log_return_se")
    if value is None or error is None:
        return "The record is too short for a standard error."
    if error <= 1e-9:
        return ""
    ratio, size = abs(value) / error, present(error, Unit.BP_YEAR)
    if ratio < 1.0:
        return (
            f"That is within one standard error ({size}) of zero: this record does not tell the difference from luck."
        )
    if ratio < 2.0:
        return f"That is {ratio:.1f} standard errors ({size} each) from zero: too little to tell from luck."
    side = "a difference this large is unlikely to be luck alone, though one record is one draw"
    return f"That is {ratio:.1f} standard errors ({size} each) from zero: {side}."


def _earned(statistics: Statistics) -> str:
    captured, allocation = (statistics.number(f"attribution.{name}") for name in ("captured_volatility", "allocation"))
    cost, error = statistics.number("attribution.cost"), statistics.number("attribution.allocation_se")
    if captured is None or allocation is None or cost is None:
        return ""
    spread = "" if error is None else f" (standard error {present(error, Unit.BP_YEAR).removesuffix(' a year')})"
    text = (
        f"Volatility capture {'earned' if captured >= 0.0 else 'lost'} {_rate(captured)}, allocation {'gave' if allocation >= 0.0 else 'took'} "
        f"{_rate(allocation)}{spread}, and costs took {_rate(cost)}; the three add up exactly."
    )
    forecast = statistics.number("forecast_captured_volatility")
    if forecast is None:
        return text
    against = f": realised is {_compared(captured, forecast)} it" if forecast > 5e-6 else ""
    return f"{text} The risk model had forecast {present(forecast, Unit.BP_YEAR, signed=True)} from volatility capture{against}."


def _generated(statistics: Statistics) -> str:
    names = (("boundary", "boundary"), ("l_divergence", "L-divergence"), ("flow", "flow"), ("execution", "execution"))
    parts = {label: statistics[f"decomposition.{name}"] for name, label in names}
    if any(value is None for value in parts.values()):
        return ""
    told = [
        f"{label} {present(value, Unit.BP_YEAR, signed=True).removesuffix(' a year')}" for label, value in parts.items()
    ]
    return f"As a generated strategy, a year and before cost: {', '.join(told)}."


def _risked(statistics: Statistics) -> str:
    realised, expected = statistics.number("tracking_error"), statistics.number("forecast_tracking_error")
    if realised is None:
        return ""
    text = f"Realised tracking error was {present(realised, Unit.PERCENT_YEAR)}"
    against = _against_forecast(statistics)
    if expected is None or against is None:
        return f"{text}."
    return f"{text} against a forecast of {present(expected, Unit.PERCENT_YEAR)}: {against}{_bias(statistics)}."


def _bias(statistics: Statistics) -> str:
    bias, low, high = (
        statistics.number(name) for name in ("bias_statistic", "bias_bootstrap_low", "bias_bootstrap_high")
    )
    if bias is None or low is None or high is None:
        return ""
    # the band is a resample of the bias statistic itself: forecasts of the right size have 1 inside it
    verdict = (
        "consistent with forecasts of the right size"
        if low <= 1.0 <= high
        else f"risk was forecast too {'low' if low > 1.0 else 'high'}"
    )
    return f" (bias statistic {bias:.2f}, resampled 95% band {low:.2f} to {high:.2f}: {verdict})"


def _broken(statistics: Statistics) -> str:
    names = ("breaches", "band_breaches", "passive_breaches", "checks")
    active, band, passive, checks = (statistics[name] for name in names)
    if active is None:
        return ""
    count = present(checks, Unit.COUNT)
    if active == band == passive == 0:
        return f"No rule was broken in {count} checks."
    broke = "No released target broke a rule" if active == 0 else f"Released targets broke a rule {_times(active)}"
    left = "" if band == 0 else f"; the no-trade band left one broken {_times(band)}"
    moved = "" if passive == 0 else f"; prices or the index broke one {_times(passive)}, since optimal targets lie on limits"
    return f"{broke}{left}{moved}; in {count} checks."


def _times(count: Value) -> str:
    return {0: "not once", 1: "once", 2: "twice"}.get(int(count or 0), f"{present(count, Unit.COUNT)} times")


def _imputed(statistics: Statistics) -> str:
    weight = statistics.number("imputed_weight")
    if weight is None or weight < 5e-4:
        return ""
    return (
        f"On average {present(weight, Unit.SHARE)} of the benchmark's weight has imputed returns, in both series alike."
    )
