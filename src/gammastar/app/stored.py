"""The verbs of stored data: append, say what is there, say what changed."""

from __future__ import annotations

__all__ = ["append", "diff", "status"]

from pathlib import Path
from typing import Annotated

import typer

from gammastar import workspace
from gammastar.app import words

STALE = 5

StoreFolder = Annotated[Path, typer.Argument(metavar="STORE", help="Folder written by `gammastar ingest`.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


def append(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="Folder with members, returns or index_total_return files, any of them; or one of these files.")],
    into: Annotated[Path, typer.Option("--into", metavar="STORE", help="Store to add to.")],
    mapping: Annotated[Path | None, typer.Option("--mapping", metavar="FILE", help="TOML that maps file and column names.")] = None,
    known: Annotated[str | None, typer.Option("--known", metavar="DATE", help="When corrections became known. Default: on the last date appended.")] = None,
    as_json: AsJson = False,
) -> None:
    """Add new sessions, snapshots and corrections to a store; what is stored stays."""
    found = workspace.append(dataset, into, mapping=mapping, known=known)
    words.say(found.to_dict() if as_json else str(found))


def status(
    store: StoreFolder,
    on: Annotated[str | None, typer.Option("--on", metavar="DATE", help="Exit code 5 if data up to this date's close is missing.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say what a store holds, and whether it reaches a date."""
    found = workspace.data_status(store, on=on)
    words.say(found if as_json else words.status(found))
    stale = {name: count for name, count in found.get("stale", {}).items() if count}
    if stale:
        told = ", ".join(f"{name} by {count}" for name, count in stale.items())
        typer.echo(f"stale on {on}: {told}; append newer data with `gammastar append DATASET --into {store}`", err=True)
        raise typer.Exit(STALE)


def diff(
    store: StoreFolder,
    begin: Annotated[str, typer.Option("--from", metavar="DATE", help="The earlier knowledge time.")],
    end: Annotated[str, typer.Option("--to", metavar="DATE", help="The later one.")],
    runs: Annotated[Path | None, typer.Option("--runs", metavar="FOLDER", help="A saved run, or a folder of them: which of their decisions are touched.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say what became known between two dates, and which decisions of saved runs it touches."""
    found, touched = workspace.diff_knowledge(store, begin, end, runs=runs)
    if as_json:
        words.say({**found.to_dict(), **({} if runs is None else {"runs": [run.to_dict() for run in touched]})})
    else:
        words.say("\n".join([str(found), *(["Decisions"] if touched else []), *(f"  {run}" for run in touched)]))
