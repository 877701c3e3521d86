"""The verbs of data quality: check, override, quarantine, take back."""

from __future__ import annotations

__all__ = ["check_data", "correct_data", "list_corrections"]

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from gammastar.market.quality import Verdict
    from gammastar.store.quality.overrides import Correction

PAGE = "data-check.html"


def check_data(path: Path, *, out: Path | None = None) -> Verdict:
    """Run every check on a store; with `out` also write the page with pictures there."""
    from gammastar.store import open_store
    from gammastar.store.quality.inspection import inspect_store

    found = inspect_store(open_store(path))
    if out is not None:
        from gammastar.report.quality_page import quality_page

        page = quality_page(found.verdict, found.panel, found.tracking)
        out.mkdir(parents=True, exist_ok=True)
        (out / PAGE).write_text(page, encoding="utf-8")
    return found.verdict


def correct_data(path: Path, **told: Any) -> Correction:
    """Write one correction beside a store: fields of `gammastar.store.quality.overrides.Correction` without number and `was`."""
    from gammastar.store import open_store
    from gammastar.store.quality.inspection import correct_store
    from gammastar.store.quality.overrides import Correction

    return correct_store(open_store(path), Correction(number=0, **told))


def list_corrections(path: Path) -> tuple[list[str], list[dict[str, Any]]]:
    """Return all corrections of a store: for people, and as plain values that say whether each is in force."""
    from gammastar.store import open_store
    from gammastar.store.quality.overrides import read_corrections

    rows = read_corrections(open_store(path).path)
    held = {row.number for row in rows.in_force()}
    lines = [str(row) if row.number in held or row.kind == "revoke" else f"{row} -- taken back" for row in rows.rows]
    return lines, [{**asdict(row), "in_force": row.number in held} for row in rows.rows]
