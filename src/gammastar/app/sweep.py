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

BP, PERCENT = 1e4, 100.0
SHOWN = (
    ("relative", "relative_log_return", BP, "bp"),
    ("captured", "attribution.captured_volatility", BP, "bp"),
    ("allocation", "attribution.allocation", BP, "bp"),
    ("cost", "attribution.cost", BP, "bp"),
    ("TE", "tracking_error", PERCENT, "%"),
    ("forecast", "forecast_tracking_error", PERCENT, "%"),
    ("IR", "information_ratio", 1.0, ""),
    ("turnover", "turnover_two_way", PERCENT, "%"),
)


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
    head = [*(key.removeprefix("rules.") for key in keys), *(name for name, *_ in SHOWN), "run"]
    rows = [head, *(_row(outcome, keys) for outcome in found.outcomes)]
    widths = [max(len(row[k]) for row in rows) for k in range(len(head))]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    lines += [f"{', '.join(f'{key}={value}' for key, value in outcome.settings.items())}: {outcome.failure}" for outcome in found.failed]
    return "\n".join(lines)


def _row(outcome: Outcome, keys: list[str]) -> list[str]:
    cells = [str(outcome.settings[key]) for key in keys]
    for _, name, scale, unit in SHOWN:
        value = outcome.number(name)
        cells.append("-" if value is None else f"{scale * value:.1f} {unit}" if unit == "bp" else f"{scale * value:.2f}{unit}")
    return [*cells, "failed" if outcome.failure else outcome.fingerprint[:16]]
