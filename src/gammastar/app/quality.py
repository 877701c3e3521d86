"""Commands of data quality: ``data check``, ``data override``, ``data quarantine``, ``data revoke``, ``data corrections``."""

from __future__ import annotations

__all__ = ["check", "corrections", "override", "quarantine", "revoke"]

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gammastar import workspace
from gammastar.app import words

if TYPE_CHECKING:
    from gammastar.market.quality import Verdict

StoreFolder = Annotated[Path, typer.Argument(metavar="STORE", help="Folder written by `gammastar ingest`.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
Author = Annotated[str, typer.Option("--author", help="Who says so.")]
Reason = Annotated[str, typer.Option("--reason", help="Why.")]
Made = Annotated[str, typer.Option("--on", metavar="DATE", help="The date of the correction; a panel as known earlier does not have it.")]
Asset = Annotated[str | None, typer.Option("--asset", metavar="ID", help="Permanent id; none for the index level.")]

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


def override(
    store: StoreFolder,
    date: Annotated[str, typer.Option("--date", help="The date the value is true for.")],
    value: Annotated[float, typer.Option("--value", help="What to use.")],
    author: Author,
    reason: Reason,
    made: Made,
    asset: Asset = None,
    field: Annotated[str, typer.Option("--field", help="total_return, price, split, weight, forward_return or level.")] = "total_return",
    as_json: AsJson = False,
) -> None:
    """Use another value than the stored one, which stays as it is."""
    told = {"kind": "override", "asset": asset, "field": field, "first": date, "last": date, "value": value}
    _say(workspace.correct_data(store, author=author, reason=reason, made=made, **told), as_json=as_json)


def quarantine(
    store: StoreFolder,
    start: Annotated[str, typer.Option("--from", metavar="DATE", help="First date to leave out.")],
    end: Annotated[str, typer.Option("--to", metavar="DATE", help="Last date to leave out.")],
    author: Author,
    reason: Reason,
    made: Made,
    asset: Asset = None,
    field: Annotated[str, typer.Option("--field", help="total_return, forward_return or price.")] = "total_return",
    as_json: AsJson = False,
) -> None:
    """Leave values of an asset out, as if the data had none there; the data stays as it is."""
    told = {"kind": "quarantine", "asset": asset, "field": field, "first": start, "last": end}
    _say(workspace.correct_data(store, author=author, reason=reason, made=made, **told), as_json=as_json)


def revoke(
    store: StoreFolder,
    number: Annotated[int, typer.Argument(metavar="NUMBER", help="As `gammastar data corrections` counts them.")],
    author: Author,
    reason: Reason,
    made: Made,
    as_json: AsJson = False,
) -> None:
    """Take an override or a quarantine back."""
    _say(workspace.correct_data(store, kind="revoke", revokes=number, author=author, reason=reason, made=made), as_json=as_json)


def corrections(store: StoreFolder, as_json: AsJson = False) -> None:
    """List overrides and quarantines, those taken back included."""
    lines, rows = workspace.list_corrections(store)
    words.say({"corrections": rows} if as_json else "\n".join(lines) or "no corrections")


def _say(row: Any, *, as_json: bool) -> None:
    words.say(words.plain(row) if as_json else str(row))


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
    if verdict.overrides:
        lines += ["CORRECTIONS IN FORCE", *(f"  {line}" for line in verdict.overrides)]
    return "\n".join([*lines, f"fingerprint {verdict.fingerprint}"])
