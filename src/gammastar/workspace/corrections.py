"""The verbs of signed corrections: override, quarantine, revoke, list."""

from __future__ import annotations

__all__ = ["list_corrections", "override_rows", "quarantine_returns", "revoke_correction"]

from typing import TYPE_CHECKING

from gammastar.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from gammastar.store import AppendReport, Correction

Place = tuple[str | None, str | None, float | None]
"""Asset, date and return of one stored return, as far as they are given."""


def override_rows(store: Path, *, rows: Path | None, one: Place, author: str, reason: str, known: str | None = None) -> AppendReport:
    """Put other values in the place of stored ones: those of a file, or one return.

    Raises:
        UsageError: both or neither, or a part of one return is missing.
    """
    from gammastar import store as stored

    asset, date, value = one
    given = [name for name, part in (("--asset", asset), ("--date", date), ("--return", value)) if part is not None]
    if rows is not None and given:
        raise UsageError("--file", "a file of rows and one return are two corrections", got=f"--file and {', '.join(given)}", allowed="--file alone, or --asset, --date and --return")
    if rows is not None:
        return stored.override(store, rows, author=author, reason=reason, known=known)
    if asset is None or date is None or value is None:
        raise UsageError("--asset, --date, --return", "one return is told by all three", got=", ".join(given) or "none of them", allowed="--asset, --date and --return, or --file")
    return stored.override_return(store, asset, date, value, author=author, reason=reason, known=known)


def quarantine_returns(store: Path, first: str, last: str | None, *, asset: str | None, author: str, reason: str, known: str | None = None) -> AppendReport:
    """Let stored returns no longer count as observed; see `gammastar.store.quarantine`."""
    from gammastar import store as stored

    return stored.quarantine(store, first, last, asset=asset, author=author, reason=reason, known=known)


def revoke_correction(store: Path, number: int, *, author: str, reason: str, known: str | None = None) -> AppendReport:
    """Bring back what stood before a correction; see `gammastar.store.revoke`."""
    from gammastar import store as stored

    return stored.revoke(store, number, author=author, reason=reason, known=known)


def list_corrections(path: Path) -> tuple[Correction, ...]:
    """Return the signed corrections of a store, the oldest first."""
    from gammastar.store import corrections, open_store

    return corrections(open_store(path))
