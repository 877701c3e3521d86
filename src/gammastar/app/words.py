"""What the command line prints for people."""

from __future__ import annotations

__all__ = ["comparison", "mandate", "plain", "proposal", "readings", "simulated", "verification"]

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gammastar.mandate import Mandate, Reading
    from gammastar.optimise import Proposal
    from gammastar.workspace import RunComparison, Verification


def plain(value: Any) -> dict[str, Any]:
    """Return a dataclass as a dict for JSON."""
    return asdict(value)


def simulated(made: dict[str, Any]) -> str:
    """Return what was simulated."""
    return (
        f"simulated {made['assets']} names over {made['sessions']:,} sessions, {made['from']} to {made['to']}, seed {made['seed']}\n"
        f"dataset      {made['dataset']}\nfingerprint  {made['fingerprint'][:16]}"
    )


def mandate(signed: Mandate) -> str:
    """Return a valid mandate in short."""
    lines = [f"{signed.name}: valid", f"benchmark    {signed.benchmark}", f"strategy     {signed.strategy}"]
    lines += [f"rule         {rule}" for rule in signed.rules] or ["rule         none"]
    clocks = signed.clocks
    lines.append(f"clocks       re-optimise {clocks.reoptimise}, rebalance {clocks.rebalance}, lag {clocks.lag}")
    lines.append(f"trading      {signed.trading.cost * 1e4:g} bp cost, {signed.trading.band * 1e4:g} bp band")
    return "\n".join([*lines, f"fingerprint  {signed.fingerprint[:16]}"])


def readings(found: Sequence[Reading]) -> str:
    """Return the table of a check, and its verdict."""
    lines = [f"{'rule':<16}{'value':>12}{'limit':>12}{'headroom':>12}  closest", "-" * 72]
    for reading in found:
        verdict = "  BREACH" if reading.breached else ""
        numbers = "".join(f"{_number(x):>12}" for x in (reading.value, reading.limit, reading.headroom))
        lines.append(f"{reading.rule:<16}{numbers}  {reading.where}{verdict}")
    broken = [reading.rule for reading in found if reading.breached]
    return "\n".join([*lines, "", f"{len(broken)} rule(s) broken: {', '.join(broken)}" if broken else "no rule is broken"])


def _number(value: float) -> str:
    """Return a fraction in percent with four decimals; rounding errors as zero."""
    return f"{100.0 * (0.0 if abs(value) < 1e-10 else value):.4f}%"


def proposal(found: Proposal, *, assumed: bool, orders: Path | None) -> str:
    """Return a proposal in short: forecast, rules and their prices, the largest bets."""
    lines = [f"{found.mandate} at the close of {found.moment.session}: {found.status.value}"]
    if found.advice:
        lines.append(found.advice)
    if found.status.value in {"CONFLICT", "UNSOLVED"}:
        return "\n".join([*lines, *(f"  in conflict: {rule}" for rule in found.conflict)])
    if assumed:
        lines.append("no holdings were given: the benchmark is assumed to be held")
    lines += ["", *_forecast(found), "", readings(found.readings), *_prices(found), "", *_bets(found)]
    if orders is not None:
        lines += ["", f"orders written to {orders}"]
    return "\n".join(lines)


def _forecast(found: Proposal) -> list[str]:
    forecast = found.forecast
    lines = [] if forecast is None else [
        f"expected growth advantage  {1e4 * forecast.captured_volatility:8.1f} bp a year (gamma*_pi - gamma*_mu)",
        f"forecast tracking error    {100 * forecast.tracking_error:8.2f} % a year, {100 * forecast.factor_share:.0f}% of it from factors",
        f"forecast beta              {forecast.beta:8.3f}",
    ]
    return [
        *lines,
        f"active share               {100 * found.active_share:8.1f} %",
        f"names held                 {found.names:8d}   ({found.neutral} neutral: history too short or stopped)",
        f"one-way turnover           {50 * found.turnover_two_way:8.2f} %, costing {1e4 * found.cost:.2f} bp",
    ]


def _prices(found: Proposal) -> list[str]:
    if not found.prices:
        return []
    lines = ["", "what each binding rule costs, in bp of expected growth per 1% of its limit (per 0.01 for beta and exposure)"]
    return [*lines, *(f"  {rule:<16}{price:10.2f}" for rule, price in sorted(found.prices.items(), key=lambda item: -item[1]))]


def _bets(found: Proposal) -> list[str]:
    active = found.targets - found.moment.benchmark
    order = active.argsort(kind="stable")
    lines = [f"{'largest overweights':<34}{'active':>9}    {'largest underweights':<34}{'active':>9}"]
    for over, under in zip(order[::-1][:8], order[:8], strict=False):
        left, right = found.moment.assets.label(int(over))[:33], found.moment.assets.label(int(under))[:33]
        lines.append(f"{left:<34}{100 * active[over]:>8.3f}%    {right:<34}{100 * active[under]:>8.3f}%")
    return lines


def comparison(found: RunComparison) -> str:
    """Return two runs side by side."""
    lines = [f"{'':<36}{found.names[0][-18:]:>20}{found.names[1][-18:]:>20}{'difference':>16}"]
    for name, one, two, difference in found.rows:
        last = "" if difference is None else f"{difference:16.6g}"
        lines.append(f"{name:<36}{_cell(one):>20}{_cell(two):>20}{last:>16}")
    return "\n".join(lines)


def _cell(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)[:18]


def verification(found: Verification) -> str:
    """Return whether a run could be repeated."""
    lines = [f"{name}: {'DIFFERENT' if name in found.different else 'identical bytes'}" for name in found.files]
    lines.append(f"fingerprint: {'the same' if found.same_fingerprint else 'DIFFERENT'} ({found.fingerprint[:16]})")
    return "\n".join([f"{found.run}: {'reproduced' if found.reproduced else 'NOT reproduced'}", *lines])
