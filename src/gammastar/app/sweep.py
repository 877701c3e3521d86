"""The verb of sweeps."""

from __future__ import annotations

__all__ = ["sweep"]

from pathlib import Path  # noqa: TC003 - typer reads annotations
from typing import TYPE_CHECKING, Annotated

import typer

from gammastar import workspace
from gammastar.app import words

if TYPE_CHECKING:
    from gammastar.sweep import Outcome, Sweep

SHORT = {
    "relative_log_return": "relative",
    "attribution.captured_volatility": "captured",
    "attribution.allocation": "allocation",
    "attribution.cost": "cost",
    "tracking_error": "TE",
    "forecast_tracking_error": "forecast TE",
    "information_ratio": "IR",
    "turnover_two_way": "turnover",
}
"""Heads of the columns; numbers are a year, in the units of the catalogue."""


def sweep(
    mandate: Annotated[Path, typer.Argument(metavar="MANDATE", help="mandate.toml")],
    data: Annotated[Path, typer.Option("--data", metavar="STORE", help="Folder written by `gammastar ingest`.")],
    settings: Annotated[list[str], typer.Option("--set", metavar="KEY=VALUES", help="rules.tracking_error.limit=0.01,0.02; may be given several times.")],
    start: Annotated[str | None, typer.Option("--from", metavar="DATE", help="First close.")] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="DATE", help="Last close.")] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Folder for the runs; those in it are not run again.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Run a mandate with every combination of settings, side by side. Exit code 1 where a run failed."""
    from gammastar.app.progress import progress_bar

    with progress_bar("sweep") as tick:
        found = workspace.sweep_mandate(mandate, data, settings, span=(start, end), out=out, progress=tick)
    words.say(found.to_dict() if as_json else _table(found))
    if found.failed:
        raise typer.Exit(1)


def _table(found: Sweep) -> str:
    """Return a line a run: its settings, what it earned and from what, in basis points a year, and its risk."""
    keys = list(found.outcomes[0].settings)
    head = [*(key.removeprefix("rules.") for key in keys), *SHORT.values(), "run"]
    rows = [head, *(_row(outcome, keys) for outcome in found.outcomes)]
    widths = [max(len(row[k]) for row in rows) for k in range(len(head))]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    lines += [f"{', '.join(f'{key}={value}' for key, value in outcome.settings.items())}: {outcome.failure}" for outcome in found.failed]
    return "\n".join(lines)


def _row(outcome: Outcome, keys: list[str]) -> list[str]:
    from gammastar.report.catalogue import definition, present

    cells = [str(outcome.settings[key]) for key in keys]
    for name in SHORT:
        entry = definition(name)
        cells.append(present(outcome.number(name), entry.unit, signed=entry.signed).removesuffix(" a year"))
    return [*cells, "failed" if outcome.failure else outcome.fingerprint[:16]]
