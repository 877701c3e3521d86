"""Collecting findings: each names the file, the row, the column, the value and the rule."""

from __future__ import annotations

__all__ = ["Findings"]

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from gammastar.errors import DataError, Finding

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy import ndarray

_PLACES = 5  # of one rule in one column: enough to see the pattern


class Findings:
    """A growing list of findings about one dataset."""

    def __init__(self) -> None:
        self.found: list[Finding] = []

    def add(
        self,
        file: str,
        rule: str,
        message: str,
        *,
        column: str | None = None,
        value: object = None,
        row: int | None = None,
    ) -> None:
        """Note an error."""
        self.found.append(Finding(file, rule, message, row, column, None if value is None else str(value)))

    def warn(
        self,
        file: str,
        rule: str,
        message: str,
        *,
        column: str | None = None,
        value: object = None,
        row: int | None = None,
    ) -> None:
        """Note something that does not stop the ingest."""
        self.found.append(Finding(file, rule, message, row, column, None if value is None else str(value), "warning"))

    def add_rows(self, place: Finding, bad: ndarray, rows: ndarray, value: Callable[[int], object]) -> None:
        """Note an error at each row where `bad` holds: the first few one by one, the rest counted in the last of them.

        Args:
            place: the finding without row and value.
            bad: mask, shape (m,).
            rows: row numbers in the file, shape (m,).
            value: gives the offending value at a position.
        """
        at = np.flatnonzero(bad)
        shown = at[:_PLACES]
        for count, position in enumerate(shown, start=1):
            more = len(at) - len(shown)
            tail = f" (and {more:,} more rows)" if more and count == len(shown) else ""
            told = str(value(int(position)))
            self.found.append(replace(place, message=place.message + tail, row=int(rows[position]), value=told[:80]))

    @property
    def errors(self) -> tuple[Finding, ...]:
        """Those that stop the ingest."""
        return tuple(finding for finding in self.found if finding.severity == "error")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """Those that do not."""
        return tuple(finding for finding in self.found if finding.severity != "error")

    def stop_on_errors(self, where: str) -> None:
        """Raise if there is an error.

        Raises:
            DataError: with all findings, errors first.
        """
        if not self.errors:
            return
        count = len(self.errors)
        raise DataError(
            where,
            f"the dataset cannot be stored: {count} finding{'s' if count > 1 else ''}",
            findings=self.errors + self.warnings,
            advice="correct the rows below, or map the columns in dataset.toml (docs/dataset.md); nothing was written",
        )
