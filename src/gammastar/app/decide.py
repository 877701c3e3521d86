"""The verbs of one decision: propose, check, draw a frontier, explain a weight, replay."""

from __future__ import annotations

__all__ = ["check", "frontier", "propose", "replay", "why"]

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gammastar import workspace
from gammastar.app import words

if TYPE_CHECKING:
    from gammastar.optimise import Proposal

BREACH, CONFLICT, ERROR = 3, 4, 1

MandateFile = Annotated[Path, typer.Argument(metavar="MANDATE", help="mandate.toml")]
Data = Annotated[Path, typer.Option("--data", metavar="STORE", help="Folder written by `gammastar ingest`.")]
On = Annotated[str, typer.Option("--on", metavar="DATE", help="A session, YYYY-MM-DD: what was known at its close.")]
Holdings = Annotated[Path | None, typer.Option(metavar="FILE", help="CSV with asset_id,weight. Default: the benchmark is held.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
PanelName = Annotated[str | None, typer.Option("--frequency", help="daily or monthly. Default: daily where there are daily returns.")]
Figure = Annotated[Path | None, typer.Option("--figure", metavar="FILE", help="HTML page to write the figure to; it needs no network.")]


def propose(
    mandate: MandateFile,
    data: Data,
    on: On,
    holdings: Holdings = None,
    relax: Annotated[bool, typer.Option("--relax", help="Where rules contradict each other, let them give way by priority.")] = False,
    flow: Annotated[float, typer.Option("--flow", metavar="MONEY", help="Paid in (positive) or out before the trade; the value before it is trading.capital.")] = 0.0,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="The whole problem and its answer, JSON: `gammastar replay` solves it again.")] = None,
    orders: Annotated[Path | None, typer.Option(metavar="FILE", help="Order list to write, CSV.")] = None,
    targets: Annotated[Path | None, typer.Option(metavar="FILE", help="Target weights to write, CSV: `gammastar check` reads it.")] = None,
    frequency: PanelName = None,
    as_json: AsJson = False,
) -> None:
    """Find target weights at the close of one session. Exit code 4 where the rules contradict each other."""
    found = workspace.propose_targets(workspace.Decision(mandate, data, on, holdings, frequency, flow), relax=relax)
    files = _write(found, mandate, out, orders, targets)
    words.say(found.to_dict() if as_json else words.proposal(found, assumed=holdings is None, files=files))
    if found.status.value == "RELAXED":
        typer.echo(f"warning: {found.advice}", err=True)
    raise typer.Exit({"CONFLICT": CONFLICT, "UNSOLVED": ERROR}.get(found.status.value, 0))


def _write(found: Proposal, mandate: Path, out: Path | None, orders: Path | None, targets: Path | None) -> list[tuple[str, Path]]:
    """Write what was asked for and can be; warn of files that stand from an earlier run."""
    written = []
    if out is not None:
        workspace.write_proposal(found, out)
        written.append(("proposal", out))
    if orders is not None and found.solved:
        workspace.write_orders(found, mandate, orders)
        written.append(("orders", orders))
    if targets is not None and found.solved:
        workspace.write_targets(found, targets)
        written.append(("targets", targets))
    for path in (orders, targets):
        if path is not None and path.exists() and not found.solved:
            typer.echo(f"warning: nothing was written; {path} is from an earlier run", err=True)
    return written


def check(
    mandate: MandateFile,
    data: Data,
    on: On,
    weights: Annotated[Path, typer.Option("--weights", metavar="FILE", help="CSV with asset_id,weight.")],
    holdings: Annotated[Path | None, typer.Option(metavar="FILE", help="Weights before the trade, CSV: turnover needs them.")] = None,
    frequency: PanelName = None,
    as_json: AsJson = False,
) -> None:
    """Check weights against every rule, after the trade. Exit code 3 on a breach."""
    readings, unmeasured = workspace.check_file(mandate, data, on, weights, holdings=holdings, frequency=frequency)
    broken = [reading.rule for reading in readings if reading.breached]
    told = [{**words.plain(reading), "breached": reading.breached} for reading in readings]
    words.say({"breaches": broken, "not_measured": unmeasured, "rules": told} if as_json else words.readings(readings, unmeasured))
    raise typer.Exit(BREACH if broken else 0)


def frontier(
    mandate: MandateFile,
    data: Data,
    on: On,
    rule: Annotated[str, typer.Option("--rule", help="A rule of the mandate, as tracking_error, sector, weight.maximum.")],
    low: Annotated[float, typer.Option("--from", metavar="LIMIT", help="Lowest limit, a fraction: 0.5% is 0.005.")],
    high: Annotated[float, typer.Option("--to", metavar="LIMIT", help="Highest limit.")],
    points: Annotated[int, typer.Option(help="Limits tried, both ends included.", min=2, max=500)] = 15,
    holdings: Holdings = None,
    figure: Figure = None,
    frequency: PanelName = None,
    as_json: AsJson = False,
) -> None:
    """Draw the best expected growth against the limit of one rule."""
    found = workspace.draw_frontier(workspace.Decision(mandate, data, on, holdings, frequency), rule, (low, high), points)
    if figure is not None:
        workspace.write_figure(found.plot(), figure)
        typer.echo(f"figure: {figure}", err=True)
    words.say(found.to_dict() if as_json else str(found))


def why(
    mandate: MandateFile,
    data: Data,
    on: On,
    asset: Annotated[str, typer.Option("--asset", metavar="ASSET", help="Permanent id, or ticker.")],
    holdings: Holdings = None,
    frequency: PanelName = None,
    as_json: AsJson = False,
) -> None:
    """Explain one target weight: what it earns, which rules hold it, what it would be without them."""
    found = workspace.explain_target(workspace.Decision(mandate, data, on, holdings, frequency), asset)
    words.say(found.to_dict() if as_json else str(found))


def replay(
    proposal: Annotated[Path, typer.Argument(metavar="FILE", help="Written by `gammastar propose --out FILE`.")],
    as_json: AsJson = False,
) -> None:
    """Solve the problem of a proposal file again. Exit code 1 unless the bytes are the same."""
    found = workspace.replay_file(proposal)
    words.say(found.to_dict() if as_json else str(found))
    raise typer.Exit(0 if found.same else ERROR)
