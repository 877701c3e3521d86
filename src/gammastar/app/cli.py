"""The command line. Results go to stdout, progress and logs to stderr; exit codes: 0 fine, 1 error, 2 usage, 3 breach, 4 conflict, 5 stale data."""

from __future__ import annotations

__all__ = ["app", "main"]

import json
import os
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gammastar import workspace
from gammastar.app import corrections, decide, quality, risk, simulate, sources, stored, sweep, theory, words
from gammastar.app.progress import progress_bar
from gammastar.errors import GammastarError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

app = typer.Typer(
    name="gammastar",
    help="Enhanced-index equity portfolios by Stochastic Portfolio Theory.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
data_app = typer.Typer(help="Look at stored data.", no_args_is_help=True)
mandate_app = typer.Typer(help="Look at mandates.", no_args_is_help=True)
app.add_typer(data_app, name="data")
app.add_typer(mandate_app, name="mandate")
app.add_typer(risk.app, name="risk")
app.add_typer(simulate.app, name="simulate")
app.add_typer(theory.app, name="theory")

MandateFile = Annotated[Path, typer.Argument(metavar="MANDATE", help="mandate.toml")]
Data = Annotated[Path, typer.Option("--data", metavar="STORE", help="Folder written by `gammastar ingest`.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
PanelName = Annotated[
    str | None, typer.Option("--frequency", help="daily or monthly. Default: daily where there are daily returns.")
]


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        from gammastar import __version__

        typer.echo(__version__)


@app.command()
def ingest(
    dataset: Annotated[
        Path, typer.Argument(metavar="DATASET", help="Folder with members and returns, CSV or Parquet; with --source a vendor's file or folder.")
    ],
    into: Annotated[
        Path, typer.Option("--into", metavar="STORE", help="Store to write; an older one is replaced whole.")
    ],
    mapping: Annotated[
        Path | None, typer.Option("--mapping", metavar="FILE", help="TOML that maps file and column names.")
    ] = None,
    source: sources.Name = None,
    setting: sources.Settings = None,
    keep: sources.Keep = None,
    as_json: AsJson = False,
) -> None:
    """Read, validate and store a dataset, or a vendor's files by --source."""
    found = workspace.ingest(dataset, into, mapping=mapping) if source is None else sources.ingested(source, dataset, into, (setting, keep, mapping))
    words.say(found.to_dict() if as_json else str(found))


for verb in (decide.propose, decide.check, decide.frontier, decide.why, decide.replay):
    app.command()(verb)


app.command()(stored.append)
data_app.command("status")(stored.status)
data_app.command("diff")(stored.diff)
data_app.command("sources")(sources.listed)
data_app.command("match")(sources.matched)
data_app.command("check")(quality.check)
data_app.command("override")(corrections.override)
data_app.command("quarantine")(corrections.quarantine)
data_app.command("revoke")(corrections.revoke)
data_app.command("corrections")(corrections.listed)


@mandate_app.command("validate")
def mandate_validate(
    mandate: MandateFile,
    as_json: AsJson = False,
) -> None:
    """Check a mandate file, without data."""
    signed = workspace.validate_mandate(mandate)
    words.say(
        {"valid": True, "fingerprint": signed.fingerprint, "mandate": json.loads(signed.canonical)}
        if as_json
        else words.mandate(signed)
    )


@app.command()
def backtest(
    mandate: MandateFile,
    data: Data,
    start: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="First close: the benchmark is held there.")
    ] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="DATE", help="Last close.")] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="RUN", help="Folder to write the run to.")] = None,
    frequency: PanelName = None,
    known: Annotated[
        str | None, typer.Option("--known", metavar="DATE", help="Use the data as known on this date. Default: all that is known.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run a mandate through history, one session after another."""
    with progress_bar("backtest") as tick:
        result = workspace.run_mandate(mandate, data, start=start, end=end, out=out, frequency=frequency, known=known, progress=tick)
    words.say(result.to_dict() if as_json else result.summary())
    if out is not None:
        typer.echo(
            f"written to {out}: tearsheet.html, returns.csv, weights.parquet, compliance.csv, decisions.csv, run.json",
            err=True,
        )


app.command()(sweep.sweep)


@app.command()
def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder written by `gammastar backtest`.")],
    as_json: AsJson = False,
) -> None:
    """Print the summary of a run and write its tear sheet."""
    from gammastar.report import summarise, summary

    track = workspace.report_run(run)
    words.say(summarise(track).to_dict() if as_json else f"{summary(track)}\ntear sheet: {run / 'tearsheet.html'}")


@app.command()
def compare(
    first: Annotated[Path, typer.Argument(metavar="RUN")],
    second: Annotated[Path, typer.Argument(metavar="RUN")],
    as_json: AsJson = False,
) -> None:
    """Put two runs side by side."""
    found = workspace.compare_runs(first, second)
    told = {name: {"first": one, "second": two, "difference": difference} for name, one, two, difference in found.rows}
    words.say({"runs": found.names, "notes": found.notes, "statistics": told} if as_json else words.comparison(found))


@app.command()
def verify(
    run: Annotated[Path, typer.Argument(metavar="RUN")],
    data: Annotated[
        Path | None, typer.Option("--data", metavar="STORE", help="The store, where it has moved since.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run a saved run again and compare it byte for byte. Exit code 1 if anything differs."""
    with tempfile.TemporaryDirectory() as scratch:
        found = workspace.verify_run(run, data=data, scratch=Path(scratch))
    words.say({**words.plain(found), "reproduced": found.reproduced} if as_json else words.verification(found))
    raise typer.Exit(0 if found.reproduced else 1)


@app.command()
def init(folder: Annotated[Path, typer.Argument(metavar="FOLDER")] = Path()) -> None:
    """Write a commented mandate and a workspace template."""
    written = workspace.init_workspace(folder)
    words.say(words.started(folder, written))


@cache
def _command() -> Callable[..., Any]:
    """Return all verbs; to make them of the functions takes a tenth of a second."""
    return typer.main.get_command(app)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; expected failures become one message on stderr and their exit code.

    Args:
        arguments: default those of the process.

    Raises:
        SystemExit: always, with the exit code.
    """
    # one thread: faster at these sizes, and the same bits on every machine that has the same libraries
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        _command()(arguments)
    except GammastarError as error:
        typer.echo(f"error: {error}", err=True)
        raise SystemExit(error.exit_code) from None
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except OSError as error:  # a full disk, a folder that may not be written
        typer.echo(f"error: {error.filename or 'file system'}: {error.strerror or error}.", err=True)
        raise SystemExit(1) from None
