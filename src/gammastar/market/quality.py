"""What a look at data found: each finding with its severity, its place, its evidence in numbers, and what to do about it."""

from __future__ import annotations

__all__ = ["CHECKS", "IndexTracking", "QualityFinding", "Severity", "Verdict"]

from collections import Counter
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy import datetime64, ndarray


class Severity(Enum):
    """How sure a finding is, and how much it matters."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


CHECKS = {
    "split-unadjusted": "a return that a split explains and nothing else does",
    "split-double": "a split taken out twice, or out of prices that are called as traded",
    "split-unrecorded": "prices that jump by a split that no row records",
    "price-stale": "returns of exactly zero on many sessions running",
    "return-stuck": "the same return on many sessions running",
    "session-copied": "a session that repeats the one before",
    "asset-copied": "two assets with the same returns",
    "spike-reverts": "a large move that the next sessions take back",
    "session-missing": "a session of the exchange without any return",
    "session-thin": "a session that lacks many names its neighbours have",
    "date-impossible": "a date on which the exchange was closed",
    "weight-sum": "published weights that do not sum to one",
    "weight-return-gap": "a weight that moved otherwise than its return says",
    "member-without-returns": "a member whose returns are missing for long",
    "weight-without-returns": "a year in which much of the index has no returns",
    "return-without-member": "returns of names while they are not in the index",
    "dividend-above-price": "a dividend larger than the price it is paid on",
    "return-below-price": "a total return below the price's own change",
    "index-tracking": "the panel's index return beside a published one",
}
"""The checks by code, with what each looks for."""


@dataclass(frozen=True, slots=True)
class QualityFinding:
    """One thing that looks wrong in data.

    Args:
        check: its code, one of `CHECKS`.
        severity: error: the data contradicts itself; warning: look at it; note: good to know.
        message: what was found, in a sentence.
        action: what to do.
        asset: id of the asset, or None where it is about none or all.
        first, last: the dates it is about, or None.
        evidence: the numbers behind it, by name.
    """

    check: str
    severity: Severity
    message: str
    action: str
    asset: str | None = None
    first: datetime64 | None = None
    last: datetime64 | None = None
    evidence: Mapping[str, float] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """Asset and dates in words."""
        days = "" if self.first is None else str(self.first) if self.last in {None, self.first} else f"{self.first} to {self.last}"
        asset = "" if self.asset is None else f"asset {self.asset}"
        return ", ".join(part for part in (asset, days) if part) or "all"

    def __str__(self) -> str:
        """Return one line: place, message, evidence, code."""
        numbers = ", ".join(f"{name} {value:.4g}" for name, value in self.evidence.items())
        return f"{self.place}: {self.message}{f' ({numbers})' if numbers else ''} [{self.check}]"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {
            "check": self.check,
            "severity": self.severity.value,
            "asset": self.asset,
            "first": None if self.first is None else str(self.first),
            "last": None if self.last is None else str(self.last),
            "message": self.message,
            "evidence": {name: float(value) for name, value in self.evidence.items()},
            "action": self.action,
        }


@dataclass(frozen=True)
class Verdict:
    """All that a look at one store found.

    Args:
        source: what the data is, in words.
        fingerprint: of the store.
        findings: errors first, then by check, place and date.
        corrections: signed ones, the oldest first.
    """

    source: str
    fingerprint: str
    findings: tuple[QualityFinding, ...]
    corrections: tuple[SignedCorrection, ...] = ()

    def of(self, severity: Severity) -> tuple[QualityFinding, ...]:
        """Return the findings of one severity."""
        return tuple(finding for finding in self.findings if finding.severity is severity)

    @property
    def passed(self) -> bool:
        """Whether there is no error."""
        return not self.of(Severity.ERROR)

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """Number of findings by check and severity; every check is there."""
        found = Counter((finding.check, finding.severity.value) for finding in self.findings)
        return {check: {level.value: found[check, level.value] for level in Severity} for check in CHECKS}

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {
            "source": self.source,
            "fingerprint": self.fingerprint,
            "passed": self.passed,
            "counts": self.counts,
            "findings": [finding.to_dict() for finding in self.findings],
            "corrections": [asdict(correction) for correction in self.corrections],
        }


@dataclass(frozen=True)
class SignedCorrection:
    """A correction that somebody answers for, in short.

    Args:
        number: by which it is taken back.
        kind: override, quarantine or revoke.
        author, reason: who answers for it, and why.
        known: since when it is known.
        values: how many values it changed.
        standing: how many of them are what the data says now.
    """

    number: int
    kind: str
    author: str
    reason: str
    known: str
    values: int
    standing: int

    def __str__(self) -> str:
        """Return one line."""
        rest = "" if self.standing == self.values else f", {self.standing:,} of them still stand"
        return f"{self.number} {self.kind} by {self.author}, known {self.known}: {self.reason} ({self.values:,} values{rest})"


@dataclass(frozen=True, eq=False)
class IndexTracking:
    """Returns of a panel's index and of the published one, month by month.

    Args:
        dates: the last session of each month with a level, shape (m,).
        panel, index: simple returns since the one before, shape (m,).
    """

    dates: ndarray
    panel: ndarray
    index: ndarray

    @property
    def difference(self) -> ndarray:
        """Panel less index, shape (m,)."""
        return np.asarray(self.panel - self.index)

    @property
    def error(self) -> float:
        """Tracking difference a year: the standard deviation (ddof 1) of `difference` times sqrt(12)."""
        return float(self.difference.std(ddof=1) * np.sqrt(12.0))

    @property
    def mean(self) -> float:
        """Mean difference a year."""
        return float(self.difference.mean() * 12.0)
