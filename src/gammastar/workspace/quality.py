"""The verb of data quality."""

from __future__ import annotations

__all__ = ["check_data"]

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from gammastar.market.quality import Verdict

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
