"""What the command line prints for people, and how values become JSON."""

from __future__ import annotations

__all__ = [
    "comparison",
    "json_text",
    "mandate",
    "plain",
    "proposal",
    "readings",
    "simulated",
    "started",
    "status",
    "verification",
]

import json
import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gammastar.backtest.compare import RunComparison, Verification
    from gammastar.mandate import Mandate, Reading
    from gammastar.optimise import Proposal
    from gammastar.simulate import ModelMarket, SimulatedMarket

PLAIN_UNITS = ("beta", "exposure", "names", "lot", "liquidity")
"""Rules whose limits are plain numbers; those of all others are fractions of the portfolio, shown in percent."""


def plain(value: Any) -> dict[str, Any]:
    """Return a dataclass as a dict for JSON."""
    return asdict(value)


def json_text(value: Any) -> str:
    """Return `value` as JSON; what is not a finite number becomes null, since JSON has no word for it."""
    return json.dumps(_finite(value), indent=1, default=str, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, (list, tuple)) else value


def simulated(made: ModelMarket | SimulatedMarket, dataset: Path) -> str:
    """Return a simulated market, what is known of it, and where it was written."""
    return f"{made}\n\ndataset      {dataset}\nfingerprint  {made.panel.fingerprint[:16]}"


def status(held: dict[str, Any]) -> str:
    """Return what a store holds."""
    lines = [f"{held['source']} in {held['path']}"]
    for name, facts in held["panels"].items():
        prices = ", with prices and splits" if facts.get("prices") else ""
        lines.append(
            f"{name:<13}{facts['from']} to {facts['to']}, {facts['sessions']:,} sessions of {held['calendar']}{prices}"
        )
    for name, facts in held["files"].items():
        lines.append(f"{name:<13}{facts['rows']:,} rows, {facts['from']} to {facts['to']}")
    lines.append(
        f"{'assets':<13}{held['assets']:,} in {len(held['sectors'])} sectors, {held['snapshots']:,} snapshots of index weights"
    )
    missing = [f"no {name} file" for name in held["missing"]["files"]]
    for name, facts in held["missing"]["imputed"].items():
        missing.append(
            f"{name}: {facts['share']:.2%} of the benchmark weight is imputed{_worst_year(facts['weight_by_year'])}"
        )
    lines += [f"{'missing' if at == 0 else '':<13}{line}" for at, line in enumerate(missing or ["nothing"])]
    lines.append(f"{'known':<13}up to {held['known']}, in {held['entries']:,} {'entry' if held['entries'] == 1 else 'entries'}")
    if held["corrections"]:
        lines.append(f"{'corrections':<13}{held['corrections']:,} signed; `gammastar data corrections {held['path']}` lists them")
    lines += [f"{'on date':<13}{name}: {count:,} sessions missing" if count else f"{'on date':<13}{name}: complete" for name, count in held.get("stale", {}).items()]
    lines.append(f"{'schema':<13}version {held['schema_version']}")
    return "\n".join([*lines, f"{'fingerprint':<13}{held['fingerprint']}"])


def _worst_year(by_year: dict[str, float]) -> str:
    year = max(by_year, key=lambda name: by_year[name], default=None)
    return "" if year is None or by_year[year] < 0.0005 else f", at most {by_year[year]:.1%} of a year ({year})"


def mandate(signed: Mandate) -> str:
    """Return a valid mandate in short."""
    from gammastar.app.rule_words import penalty_words, rule_words, second_words

    clocks, trading, data = signed.clocks, signed.trading, signed.data
    shares = ", whole shares" if trading.whole_shares else ""
    told = [("benchmark", signed.benchmark)]
    if signed.second_benchmark is not None:
        told.append(("second benchmark", second_words(signed.second_benchmark)))
    told += [
        ("strategy", _strategy(signed)),
        *(("penalty", penalty_words(penalty)) for penalty in getattr(signed.strategy, "penalties", ())),
        *((rule.name, rule_words(rule)) for rule in signed.rules),
        *([] if signed.rules else [("rules", "none: long-only and fully invested")]),
        *([] if signed.second_risk is None else [("second risk", f"{signed.second_risk}")]),
        ("clocks", f"new targets {clocks.reoptimise}, trades {clocks.rebalance}, {clocks.lag} session(s) after the decision"),
        ("trading", f"{trading.cost * 1e4:g} bp cost, {trading.band * 1e4:g} bp band{shares}, capital {trading.capital:,.0f}"),
        ("data", f"no bet on names with fewer than {data.minimum_observations} returns in {data.observation_window} sessions"),
        ("fingerprint", signed.fingerprint[:16]),
    ]
    width = max(16, 2 + max(len(name) for name, _ in told))
    return "\n".join([f"{signed.name}: valid", *(f"{name:<{width}}{words}" for name, words in told)])


def _strategy(signed: Mandate) -> str:
    from gammastar.app.rule_words import growth_words
    from gammastar.mandate import VolatilityCapture

    strategy = signed.strategy
    if not isinstance(strategy, VolatilityCapture):
        return f"generated by {strategy.function}"
    shunned = [f"{name} risk shunned {aversion:g} times" for name, aversion in (("factor", strategy.factor_aversion), ("specific", strategy.specific_aversion))
               if aversion != 1.0]  # fmt: skip
    return ", ".join(["volatility capture", growth_words(strategy.growth), f"costs earned back over {strategy.holding_period:g} year(s)", *shunned])


def readings(found: Sequence[Reading], unmeasured: Sequence[str] = ()) -> str:
    """Return the table of a check, and its verdict."""
    width = max(16, *(2 + len(reading.rule) for reading in found)) if found else 16
    lines = [f"{'rule':<{width}}{'value':>12}{'limit':>12}{'headroom':>12}  closest", "-" * (56 + width)]
    for reading in found:
        verdict = "  BREACH" if reading.breached else ""
        numbers = "".join(f"{_number(reading.rule, x):>12}" for x in (reading.value, reading.limit, reading.headroom))
        lines.append(f"{reading.rule:<{width}}{numbers}  {reading.where}{verdict}")
    broken = [reading.rule for reading in found if reading.breached]
    count = f"{len(broken)} rule{'s' if len(broken) > 1 else ''} broken"
    missing = [f"not measured: {rule} (it needs the holdings before the trade, --holdings)" for rule in unmeasured]
    return "\n".join([*lines, *missing, "", f"{count}: {', '.join(broken)}" if broken else "no rule is broken"])


def _number(rule: str, value: float) -> str:
    """Return a measured value in the rule's unit with four decimals; rounding errors as zero."""
    if not math.isfinite(value):
        return "none"
    value = 0.0 if abs(value) < 1e-10 else value
    if 0.0 < abs(value) < 1e-6:
        return f"{value:.1e} " if rule.startswith(PLAIN_UNITS) else f"{100.0 * value:.1e}%"
    return f"{value:.4f} " if rule.startswith(PLAIN_UNITS) else f"{100.0 * value:.4f}%"


def proposal(found: Proposal, *, assumed: bool, files: Sequence[tuple[str, Path]]) -> str:
    """Return a proposal in short: forecast, rules and their prices, the largest bets.

    Args:
        found: the proposal.
        assumed: whether the benchmark was assumed to be held, for want of holdings.
        files: what was written, and where.
    """
    lines = [f"{found.mandate} at the close of {found.moment.session}: {found.status.value}"]
    if found.advice:
        lines.append(found.advice)
    if found.status.value in {"CONFLICT", "UNSOLVED"}:
        limits = {reading.rule: reading for reading in found.readings}
        told = [f"  {rule:<16}{_limit(limits.get(rule))}".rstrip() for rule in found.conflict]
        return "\n".join([*lines, *(["", "in conflict:", *told] if told else [])])
    if assumed:
        lines.append("no holdings were given: the benchmark is assumed to be held")
    lines += ["", *_forecast(found), "", readings(found.readings), *_prices(found), *_risk(found), "", *_bets(found)]
    written = [f"{what} written to {path}" for what, path in files]
    return "\n".join([*lines, *([""] if written else []), *written])


def _limit(reading: Reading | None) -> str:
    return "" if reading is None else f"limit {_number(reading.rule, reading.limit).strip()}"


def _forecast(found: Proposal) -> list[str]:
    forecast = found.forecast
    lines = (
        ["no risk forecast: histories are too short"]
        if forecast is None
        else [
            f"expected growth advantage  {1e4 * forecast.captured_volatility:8.1f} bp a year (gamma*_pi - gamma*_mu)",
            f"forecast tracking error    {100 * forecast.tracking_error:8.2f} % a year, {100 * forecast.factor_share:.0f}% of it from factors",
            f"forecast beta              {forecast.beta:8.3f}",
        ]
    )
    return [
        *lines,
        f"active share               {100 * found.active_share:8.1f} %",
        f"names held                 {found.names:8,d}   ({found.neutral} neutral: history too short or stopped)",
        f"one-way turnover           {50 * found.turnover_two_way:8.2f} %, costing {1e4 * found.cost:.2f} bp",
    ]


def _prices(found: Proposal) -> list[str]:
    if not found.prices:
        return []
    lines = [
        "",
        "what each binding rule costs, in bp of expected growth per 1% of its limit (per 0.01 for beta and exposure)",
    ]
    return [
        *lines,
        *(f"  {rule:<16}{price:10.2f}" for rule, price in sorted(found.prices.items(), key=lambda item: -item[1])),
    ]


def _risk(found: Proposal) -> list[str]:
    """Return where the forecast tracking error comes from: sectors and names, in percent a year that sum to it."""
    parts = found.risk
    if parts is None or not parts.risk > 0.0:
        return []
    labels, codes = found.moment.group("sector")
    sectors, names = parts.by_group(codes, len(labels)), parts.by_name
    by_sector = [f"{labels[k]} {100 * sectors[k]:.2f}" for k in (-sectors).argsort(kind="stable")[:4]]
    by_name = [f"{found.moment.assets.tickers[i]} {100 * names[i]:.3f}" for i in (-names).argsort(kind="stable")[:4]]
    specific, factors = 100 * parts.specific, 100 * float(parts.by_factor.sum())
    return ["", f"where the {100 * parts.risk:.2f}% of tracking error comes from: factors {factors:.2f}, specific {specific:.2f}",
            f"  sectors: {', '.join(by_sector)}", f"  names:   {', '.join(by_name)}"]  # fmt: skip


def _bets(found: Proposal) -> list[str]:
    active = found.targets - found.moment.benchmark
    order = active.argsort(kind="stable")
    over = [int(i) for i in order[::-1][:8] if active[i] > 1e-8]
    under = [int(i) for i in order[:8] if active[i] < -1e-8]
    if not over and not under:
        return ["no active weights: the targets are the benchmark"]
    cells = [
        [f"{found.moment.assets.label(i)[:33]:<34}{100 * active[i]:>8.3f}%" for i in side] for side in (over, under)
    ]
    rows = max(len(over), len(under))
    left, right = ([*side, *[" " * 43] * (rows - len(side))] for side in cells)
    head = f"{'largest overweights':<34}{'active':>9}    {'largest underweights':<34}{'active':>9}"
    return [head, *(f"{one}    {two}".rstrip() for one, two in zip(left, right, strict=True))]


def comparison(found: RunComparison) -> str:
    """Return two runs side by side, and what else than the mandate differs between them."""
    lines = [f"{'':<36}{found.names[0][-22:]:>24}{found.names[1][-22:]:>24}{'difference':>24}"]
    lines += [
        f"{label:<36}{one:>24}{two:>24}{difference:>24}".rstrip()
        for label, one, two, difference in map(_compared, found.rows)
    ]
    return "\n".join([*lines, *(f"note: {note}" for note in found.notes)])


def _compared(row: tuple[str, object, object, float | None]) -> tuple[str, str, str, str]:
    """Return label, both values and the difference, in the unit of the statistic."""
    from gammastar.report.catalogue import definition, present

    name, one, two, difference = row
    try:
        entry = definition(name)
    except KeyError:
        return name.replace("_", " "), _cell(one), _cell(two), "" if difference is None else _cell(difference)
    values: list[Any] = [one, two]
    shown = [present(value, entry.unit, signed=entry.signed) for value in values]
    return entry.label, shown[0], shown[1], "" if difference is None else present(difference, entry.unit, signed=True)


def _cell(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)[:16]


def verification(found: Verification) -> str:
    """Return whether a run could be repeated."""
    lines = [f"  {name:<18}{'DIFFERENT' if name in found.different else 'identical'}" for name in found.files]
    lines.append(
        f"  {'fingerprint':<18}{'the same' if found.same_fingerprint else 'DIFFERENT'} ({found.fingerprint[:16]})"
    )
    return "\n".join(
        [
            f"{found.run}: {'reproduced' if found.reproduced else 'NOT reproduced'}",
            *lines,
            *(f"cause: {cause}" for cause in found.causes),
        ]
    )


def started(folder: Path, written: Sequence[Path]) -> str:
    """Return what `init` wrote, and what to do next."""
    if not written:
        return f"everything is in {folder} already; nothing was changed"
    return "\n".join([*(f"wrote {path}" for path in written), f"next: read {folder / 'README.md'}"])


def say(what: Any) -> None:
    """Print a result to stdout, plain values as JSON."""
    typer.echo(what.rstrip("\n") if isinstance(what, str) else json_text(what))
