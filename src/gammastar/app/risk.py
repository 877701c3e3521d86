"""The verb of risk: whether forecasts held."""

from __future__ import annotations

__all__ = ["app"]

from pathlib import Path  # noqa: TC003 - typer reads annotations
from typing import Annotated

import typer

from gammastar import workspace
from gammastar.app import words
from gammastar.app.progress import progress_bar

app = typer.Typer(help="Judge forecasts of risk and growth.", no_args_is_help=True)


@app.callback()
def _root() -> None:
    """Keep `evaluate` a word of its own, though it is the only one."""


@app.command()
def evaluate(
    store: Annotated[Path, typer.Argument(metavar="STORE", help="Folder written by `gammastar ingest`; its daily returns are used.")],
    mandate: Annotated[Path, typer.Option("--mandate", metavar="MANDATE", help="mandate.toml: whose targets, and whose risk model.")],
    start: Annotated[str | None, typer.Option("--from", metavar="DATE", help="First close at which a forecast is made. Default: the first with enough history.")] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="DATE", help="Last session. Default: the last of the data.")] = None,
    windows: Annotated[str | None, typer.Option("--windows", metavar="LIST", help="As 2008-2012,2013-2016 or 2015 or 2008-01-01:2009-06-30. Default: calendar years.")] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Folder to write risk.html, risk.json and forecasts.csv to.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Set what a mandate's risk model forecast against what came: bias, QLIKE, excess growth, style drift, cost."""
    from gammastar.report import risk_summary

    with progress_bar("evaluate") as tick:
        found = workspace.evaluate_risk(mandate, store, (start, end), windows, out=out, progress=tick)
    words.say(found.to_dict() if as_json else risk_summary(found))
    if out is not None:
        typer.echo(f"written to {out}: risk.html, risk.json, forecasts.csv", err=True)
