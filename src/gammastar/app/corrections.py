"""The verbs of signed corrections: ``data override``, ``quarantine``, ``revoke``, ``corrections``."""

from __future__ import annotations

__all__ = ["listed", "override", "quarantine", "revoke"]

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gammastar import workspace
from gammastar.app import words

if TYPE_CHECKING:
    from gammastar.store import AppendReport

StoreFolder = Annotated[Path, typer.Argument(metavar="STORE", help="Folder written by `gammastar ingest`.")]
Author = Annotated[str, typer.Option("--author", metavar="NAME", help="Who answers for it.")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why.")]
Known = Annotated[str | None, typer.Option("--known", metavar="DATE", help="Since when it is known. Default: the last time at which the store learnt anything.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


def override(
    store: StoreFolder,
    author: Author,
    reason: Reason,
    asset: Annotated[str | None, typer.Option("--asset", metavar="ID", help="Permanent id of the asset.")] = None,
    date: Annotated[str | None, typer.Option("--date", metavar="DATE", help="Session of the return.")] = None,
    value: Annotated[float | None, typer.Option("--return", metavar="X", help="The return as it should be: 0.01 is one percent.")] = None,
    file: Annotated[Path | None, typer.Option("--file", metavar="FILE", help="Rows as they should be, in the layout of a dataset: many at once, snapshots, index levels.")] = None,
    known: Known = None,
    as_json: AsJson = False,
) -> None:
    """Put other values in the place of stored ones, signed; what was stored stays, and revoke brings it back."""
    _tell(workspace.override_rows(store, rows=file, one=(asset, date, value), author=author, reason=reason, known=known), as_json=as_json)


def quarantine(
    store: StoreFolder,
    author: Author,
    reason: Reason,
    first: Annotated[str, typer.Option("--from", metavar="DATE", help="First session.")],
    last: Annotated[str | None, typer.Option("--to", metavar="DATE", help="Last session. Default: the first alone.")] = None,
    asset: Annotated[str | None, typer.Option("--asset", metavar="ID", help="Permanent id. Default: every asset.")] = None,
    known: Known = None,
    as_json: AsJson = False,
) -> None:
    """Let stored returns no longer count as observed, signed: risk leaves them out, accounts fill them as missing ones."""
    _tell(workspace.quarantine_returns(store, first, last, asset=asset, author=author, reason=reason, known=known), as_json=as_json)


def revoke(
    store: StoreFolder,
    number: Annotated[int, typer.Argument(metavar="NUMBER", help="Of the correction, as `gammastar data corrections` lists it.")],
    author: Author,
    reason: Reason,
    known: Known = None,
    as_json: AsJson = False,
) -> None:
    """Bring back what stood before a correction, signed."""
    _tell(workspace.revoke_correction(store, number, author=author, reason=reason, known=known), as_json=as_json)


def listed(store: StoreFolder, as_json: AsJson = False) -> None:
    """List the signed corrections of a store: who, why, since when, and what was there before."""
    found = workspace.list_corrections(store)
    if as_json:
        words.say({"store": str(store), "corrections": [correction.to_dict() for correction in found]})
    else:
        words.say("\n".join(map(str, found)) if found else "No corrections")


def _tell(report: AppendReport, *, as_json: bool) -> None:
    words.say(report.to_dict() if as_json else str(report))
