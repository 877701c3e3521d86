"""The verbs of the theory: the exact account of a generated portfolio, how often to rebalance it, and the capital distribution."""

from __future__ import annotations

__all__ = ["app"]

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from gammastar import workspace

if TYPE_CHECKING:
    from gammastar.theory import Account, CapitalCurve, FrequencyStudy

app = typer.Typer(help="Stochastic Portfolio Theory on stored data.", no_args_is_help=True)

Functions = Literal["market", "equal", "diversity", "entropy", "gini_simpson"]
Clocks = Literal["daily", "weekly", "monthly", "quarterly", "yearly"]
Store = Annotated[Path, typer.Argument(metavar="STORE", help="Folder written by `gammastar ingest`.")]
Figure = Annotated[Path | None, typer.Option("--figure", metavar="FILE", help="HTML page to write the figure to; it needs no network.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
Function = Annotated[Functions, typer.Option("--function", help="The generating function.")]
P = Annotated[float | None, typer.Option("-p", "--p", help="Of diversity: 0 is equal weight, 1 the market.")]
Shift = Annotated[float | None, typer.Option("--shift", help="Of entropy.")]
Bet = Annotated[float, typer.Option("--bet", help="The dial of the active bet.")]
ByRank = Annotated[bool, typer.Option("--by-rank", help="The function sees ranks, not names: leakage appears.")]
Top = Annotated[int | None, typer.Option("--top", metavar="M", help="Among the M largest only, by rank.", min=2)]
CostBp = Annotated[float, typer.Option("--cost-bp", help="Cost, basis points of traded value.", min=0.0)]
PanelName = Annotated[str | None, typer.Option("--frequency", help="daily or monthly. Default: daily where there are daily returns.")]


@app.command()
def decompose(
    store: Store,
    function: Function = "diversity",
    p: P = None,
    shift: Shift = None,
    bet: Bet = 1.0,
    by_rank: ByRank = False,
    top: Top = None,
    clock: Annotated[Clocks | None, typer.Option(help="When it is formed anew. Default: every session.")] = None,
    cost_bp: CostBp = 0.0,
    frequency: PanelName = None,
    figure: Figure = None,
    as_json: AsJson = False,
) -> None:
    """Account exactly for a generated portfolio: boundary, L-divergence, leakage, flow, dividends, cost."""
    generated = _generated(function, p, {"shift": shift, "bet": bet, "by_rank": by_rank, "top": top})
    found = workspace.decompose_market(store, generated, clock=clock, cost_bp=cost_bp, frequency=frequency)
    _show(found, figure, as_json=as_json)


@app.command()
def rebalancing(
    store: Store,
    function: Function = "diversity",
    p: P = None,
    shift: Shift = None,
    bet: Bet = 1.0,
    by_rank: ByRank = False,
    top: Top = None,
    clock: Annotated[list[str] | None, typer.Option("--clock", metavar="CLOCK", help="daily, weekly, monthly, quarterly or yearly; may be given several times. Default: all that differ.")] = None,
    cost_bp: CostBp = 5.0,
    frequency: PanelName = None,
    figure: Figure = None,
    as_json: AsJson = False,
) -> None:
    """Compare rebalancing clocks exactly: what each earned and cost; and the signature plot of excess growth."""
    generated = _generated(function, p, {"shift": shift, "bet": bet, "by_rank": by_rank, "top": top})
    found = workspace.study_rebalancing(store, generated, clocks=tuple(clock or ()), cost_bp=cost_bp, frequency=frequency)
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


def _generated(function: str, p: float | None, others: dict[str, Any]) -> dict[str, Any]:
    """Return the words that describe a generating function; diversity has 0.5 where nothing is said."""
    return {"function": function, "p": 0.5 if function == "diversity" and p is None else p, **others}


def _show(found: Account | CapitalCurve | FrequencyStudy, figure: Path | None, *, as_json: bool) -> None:
    """Print a result, and write its figure where one is asked for."""
    if figure is not None:
        figure.parent.mkdir(parents=True, exist_ok=True)
        figure.write_text(found.plot().to_html(include_plotlyjs=True, div_id="figure"), encoding="utf-8")
    typer.echo(json.dumps(found.to_dict(), indent=1, allow_nan=False) if as_json else str(found))
    if figure is not None:
        typer.echo(f"figure: {figure}", err=True)
