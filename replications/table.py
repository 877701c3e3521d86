"""A table of published numbers beside ours, and the verdict."""

from __future__ import annotations

__all__ = ["ABSENT", "FINE", "MISMATCH", "AbsentError", "Row", "Table", "main"]

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

FINE, MISMATCH, ABSENT = 0, 1, 5  # exit codes, as the command line has them


class AbsentError(Exception):
    """The data of a table is not there; the message says where it is looked for and how to get it."""


@dataclass(frozen=True)
class Row:
    """One number.

    Args:
        name: what it is.
        published: as printed; its digits are the precision asked for.
        found: ours.
        error: standard error of ours where it is simulated, else None. It then agrees within `sigmas` of them plus `bias`, not to the digits printed.
        bias: stated bound of a discretisation bias.
        sigmas: standard errors allowed.
    """

    name: str
    published: str
    found: float
    error: float | None = None
    bias: float = 0.0
    sigmas: float = 4.0

    @property
    def digits(self) -> int:
        """Digits after the point, as printed."""
        return len(self.published.partition(".")[2])

    @property
    def agrees(self) -> bool:
        """Whether ours, printed so, is the published number; or is within its error of it."""
        if self.error is None:
            return f"{self.found:.{self.digits}f}" == self.published
        return abs(self.found - float(self.published)) <= self.sigmas * self.error + self.bias

    @property
    def words(self) -> tuple[str, str, str, str]:
        """Name, published, found, verdict."""
        if self.error is None:
            return self.name, self.published, f"{self.found:.{self.digits}f}", "yes" if self.agrees else "NO"
        off = (self.found - float(self.published)) / self.error
        return self.name, self.published, f"{self.found:.{self.digits}f}", f"{'yes' if self.agrees else 'NO'} ({off:+.1f} standard errors)"


@dataclass(frozen=True)
class Table:
    """A table with its title and source."""

    title: str
    source: str
    rows: tuple[Row, ...]

    @property
    def agrees(self) -> bool:
        """Whether every row does."""
        return all(row.agrees for row in self.rows)

    def __str__(self) -> str:
        """Return it as people read it."""
        lines = [("", "published", "found", "agrees"), *(row.words for row in self.rows)]
        wide = [max(len(line[column]) for line in lines) for column in range(3)]
        body = [f"  {name:<{wide[0]}}  {one:>{wide[1]}}  {two:>{wide[2]}}  {verdict}".rstrip() for name, one, two, verdict in lines]
        return "\n".join((self.title, f"  {self.source}", *body))


def main(*makers: Callable[[], Table]) -> int:
    """Print each table and return the exit code: 0 where all agree, 1 on a mismatch, 5 where nothing disagrees but data is absent."""
    code = FINE
    for make in makers:
        try:
            table = make()
        except AbsentError as absent:
            sys.stdout.write(f"skipped: {absent}\n\n")
            code = code or ABSENT
            continue
        sys.stdout.write(f"{table}\n\n")
        if not table.agrees:
            code = MISMATCH
    return code
