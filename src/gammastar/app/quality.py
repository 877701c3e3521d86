"""The command of data quality: ``data check``."""

from __future__ import annotations

__all__ = ["check"]

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gammastar import workspace
from gammastar.app import words

if TYPE_CHECKING:
    from gammastar.market.quality import Verdict

StoreFolder = Annotated[Path, typer.Argument(metavar="STORE", help="Folder written by `gammastar ingest`.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]

_SHOWN = 8


def check(
    store: StoreFolder,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Also write data-check.html there.")] = None,
    as_json: AsJson = False,
) -> None:
    """Look for bad data in a store. Exit code 3 if there is an error, 0 with warnings or notes alone."""
    found = workspace.check_data(store, out=out)
    words.say(found.to_dict() if as_json else verdict_text(found))
    if out is not None:
        typer.echo(f"written to {out / 'data-check.html'}", err=True)
    raise typer.Exit(0 if found.passed else 3)


def verdict_text(verdict: Verdict) -> str:
    """Return a verdict for people: the count of each check, then its first findings."""
    told = {"error": "errors", "warning": "warnings", "note": "notes"}
    totals = {level: sum(counts[level] for counts in verdict.counts.values()) for level in told}
    summed = ", ".join(f"{count:,} {told[level] if count != 1 else level}" for level, count in totals.items())
    lines = [f"{verdict.source}", f"{'PASSED' if verdict.passed else 'ERRORS'}: {summed}", ""]
    for level, heading in told.items():
        checks = [check for check, counts in verdict.counts.items() if counts[level]]
        if checks:
            lines.append(heading.upper())
        for check in checks:
            found = [finding for finding in verdict.findings if finding.check == check and finding.severity.value == level]
            lines.append(f"  {check} ({len(found):,})")
            lines += [f"    {str(finding).removesuffix(f' [{check}]')}" for finding in found[:_SHOWN]]
            if len(found) > _SHOWN:
                lines.append(f"    ... and {len(found) - _SHOWN:,} more")
            lines += [f"    -> {action}" for action in dict.fromkeys(finding.action for finding in found if finding.action != "nothing")]
    if verdict.corrections:
        lines += ["CORRECTIONS", *(f"  {correction}" for correction in verdict.corrections)]
    return "\n".join([*lines, f"fingerprint {verdict.fingerprint}"])
