"""The exception tree. Every message a user meets has five parts: where, what, got, allowed, next."""

from __future__ import annotations

__all__ = ["ConflictError", "DataError", "Finding", "GammastarError", "MandateError", "StaleDataError", "UsageError", "WeightsError"]

from dataclasses import dataclass


class GammastarError(Exception):
    """An expected failure, told in five parts.

    Args:
        where: the place: a file with row and column, a key, a date.
        what: what is wrong there.
        got: the offending value, or None.
        allowed: what would have been accepted, or None.
        advice: what to do next, or None.
    """

    exit_code = 1

    def __init__(self, where: str, what: str, *, got: object = None, allowed: str | None = None, advice: str | None = None) -> None:
        self.where, self.what, self.got, self.allowed, self.advice = where, what, got, allowed, advice
        parts = [f"{where}: {what}."]
        if got is not None:
            parts.append(f"Got {got!r}." if not isinstance(got, str) else f"Got {got}.")
        if allowed is not None:
            parts.append(f"Allowed: {allowed}.")
        if advice is not None:
            parts.append(f"Next: {advice}.")
        super().__init__(" ".join(parts))


class UsageError(GammastarError):
    """The command or call does not fit together (exit code 2)."""

    exit_code = 2


class MandateError(GammastarError):
    """A mandate file cannot be used as written (exit code 1)."""


class WeightsError(GammastarError):
    """A file of weights or holdings cannot be used as written (exit code 1)."""


class ConflictError(GammastarError):
    """The rules of a mandate contradict each other (exit code 4)."""

    exit_code = 4


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found wrong in a dataset: the rule it breaks, and its place."""

    file: str
    rule: str
    message: str
    row: int | None = None
    column: str | None = None
    value: str | None = None
    severity: str = "error"

    def __str__(self) -> str:
        """Return one line: file, row, column, value, rule, message."""
        place = self.file
        if self.row is not None:
            place += f", row {self.row}"
        if self.column is not None:
            place += f", column {self.column!r}"
        value = "" if self.value is None else f" (got {self.value})"
        return f"{place}: {self.message}{value} [{self.rule}]"


class DataError(GammastarError):
    """A dataset or store cannot be used; `findings` lists each reason with its place (exit code 1)."""

    def __init__(self, where: str, what: str, *, findings: tuple[Finding, ...] = (), got: object = None,
                 allowed: str | None = None, advice: str | None = None) -> None:
        self.findings = findings
        super().__init__(where, what, got=got, allowed=allowed, advice=advice)

    def __str__(self) -> str:
        """Return the message followed by its first twenty findings."""
        lines = [super().__str__(), *(f"  - {finding}" for finding in self.findings[:20])]
        if len(self.findings) > 20:
            lines.append(f"  ... and {len(self.findings) - 20} more")
        return "\n".join(lines)


class StaleDataError(DataError):
    """There is no data, or it does not reach far enough (exit code 5)."""

    exit_code = 5
