"""The verbs of vendors' data: ingest by a source, the sources there are, and who is who."""

from __future__ import annotations

__all__ = ["Keep", "Name", "Settings", "ingested", "listed", "matched"]

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gammastar import workspace
from gammastar.app import words
from gammastar.errors import UsageError

if TYPE_CHECKING:
    from gammastar.store import IngestReport

Name = Annotated[str | None, typer.Option("--source", metavar="NAME", help="Vendor's format; `gammastar data sources` lists them.")]
Settings = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting of the source; may be given several times.")]
Keep = Annotated[Path | None, typer.Option("--dataset", metavar="FOLDER", help="Keep the tables that the source made here.")]


def ingested(source: str, data: Path, into: Path, options: tuple[list[str] | None, Path | None, Path | None]) -> IngestReport:
    """Ingest by a source.

    Args:
        source: its name.
        data: the vendor's file or folder.
        into: the store.
        options: settings as typed, where to keep the tables, and the mapping, which a source does not take.

    Raises:
        UsageError: a setting that is not KEY=VALUE, or a mapping.
    """
    settings, keep, mapping = options
    if mapping is not None:
        raise UsageError("--mapping", "a source knows the names of its columns", advice="leave --mapping out, or write --set for a setting of the source")
    typed: dict[str, str] = {}
    for text in settings or ():
        key, sign, value = text.partition("=")
        if not (key and sign and value):
            raise UsageError("--set", "a setting is a name and a value", got=text, allowed="KEY=VALUE")
        typed[key.strip().replace("-", "_")] = value.strip()
    return workspace.ingest_from(source, data, into, settings=typed, dataset=keep)


def listed(as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False) -> None:
    """List the sources that `gammastar ingest --source` knows."""
    found = workspace.list_sources()
    lines = [f"{entry['name']:<10} {entry['reads']}" + ("" if entry["package"] == "gammastar" else f" [{entry['package']}]") for entry in found]
    words.say({"sources": found} if as_json else "\n".join(lines))


def matched(
    members: Annotated[Path, typer.Argument(metavar="MEMBERS", help="File with date, asset_id, and what there is of ticker, name, isin, cusip, price.")],
    vendor: Annotated[Path, typer.Argument(metavar="VENDOR", help="File with the vendor's names, dates and prices.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="CSV to write the candidates to, for review.")],
    vendor_id: Annotated[str, typer.Option("--id", metavar="COLUMN", help="The vendor's column of names.")] = "ticker",
    price: Annotated[str, typer.Option("--price", metavar="COLUMN", help="The vendor's column of closes as traded.")] = "close",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Say which asset is which of a vendor's names, with evidence and a confidence, for review."""
    found = workspace.match_names(members, vendor, out, vendor_id=vendor_id, price=price)
    words.say(found.to_dict() if as_json else f"{found}\nwritten to {out}: review its rows, then give it with --set matches={out}")
