"""The verbs of the theory: the exact account of a generated portfolio, and the capital distribution."""

from __future__ import annotations

__all__ = ["app"]

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from gammastar import workspace

if TYPE_CHECKING:
    from gammastar.theory import Account, CapitalCurve

app = typer.Typer(help="Stochastic Portfolio Theory on stored data.", no_args_is_help=True)

Functions = Literal["market", "equal", "diversity", "entropy", "gini_simpson"]
Clocks = Literal["daily", "weekly", "monthly", "quarterly"]
Store = Annotated[Path, typer.Argument(metavar="STORE", help="Folder written by `gammastar ingest`.")]
Figure = Annotated[Path | None, typer.Option("--figure", metavar="FILE", help="HTML page to write the figure to; it needs no network.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
PanelName = Annotated[str | None, typer.Option("--frequency", help="daily or monthly. Default: daily where there are daily returns.")]


@app.command()
def decompose(
    store: Store,
    function: Annotated[Functions, typer.Option(help="The generating function.")] = "diversity",
    p: Annotated[float | None, typer.Option("-p", "--p", help="Of diversity: 0 is equal weight, 1 the market.")] = None,
    shift: Annotated[float | None, typer.Option(help="Of entropy.")] = None,
    bet: Annotated[float, typer.Option(help="The dial of the active bet.")] = 1.0,
    by_rank: Annotated[bool, typer.Option("--by-rank", help="The function sees ranks, not names: leakage appears.")] = False,
    top: Annotated[int | None, typer.Option(metavar="M", help="Among the M largest only, by rank.", min=2)] = None,
    clock: Annotated[Clocks | None, typer.Option(help="When it is formed anew. Default: every session.")] = None,
    cost_bp: Annotated[float, typer.Option(help="Cost, basis points of traded value.", min=0.0)] = 0.0,
    frequency: PanelName = None,
    figure: Figure = None,
    as_json: AsJson = False,
) -> None:
    """Account exactly for a generated portfolio: boundary, L-divergence, leakage, flow, dividends, cost."""
    needs_p = function == "diversity" and p is None
    generated: dict[str, Any] = {"function": function, "p": 0.5 if needs_p else p, "shift": shift, "bet": bet, "by_rank": by_rank, "top": top}
    found = workspace.decompose_market(store, generated, clock=clock, cost_bp=cost_bp, frequency=frequency)
    _show(found, figure, as_json=as_json)


@app.command("capital-curve")
def capital_curve(
    store: Store,
    on: Annotated[list[str] | None, typer.Option("--on", metavar="DATE", help="A session; may be given several times. Default: first, middle, last.")] = None,
    frequency: PanelName = None,
    figure: Figure = None,
    as_json: AsJson = False,
) -> None:
    """Describe the capital distribution: log weight against log rank."""
    _show(workspace.describe_capital(store, tuple(on or ()), frequency=frequency), figure, as_json=as_json)


def _show(found: Account | CapitalCurve, figure: Path | None, *, as_json: bool) -> None:
    """Print a result, and write its figure where one is asked for."""
    if figure is not None:
        figure.parent.mkdir(parents=True, exist_ok=True)
        figure.write_text(found.plot().to_html(include_plotlyjs=True, div_id="figure"), encoding="utf-8")
    typer.echo(json.dumps(found.to_dict(), indent=1, allow_nan=False) if as_json else str(found))
    if figure is not None:
        typer.echo(f"figure: {figure}", err=True)
