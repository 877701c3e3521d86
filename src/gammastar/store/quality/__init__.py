"""Data quality: checks that look at stored data and say what looks wrong.

A check is a function of a `Subject` that returns findings. docs/data-quality.md says what each looks for and how often it is right.
"""

from __future__ import annotations

__all__ = ["CHECKS", "Subject", "in_order", "inspect_subject", "subject_of", "track_index"]

from typing import TYPE_CHECKING

from gammastar.market.quality import Severity
from gammastar.store.quality.coverage import check_members, check_sessions, check_weights
from gammastar.store.quality.prices import check_copies, check_dividends, check_spikes, check_stale
from gammastar.store.quality.splits import check_splits
from gammastar.store.quality.subject import Subject, subject_of
from gammastar.store.quality.tracking import check_index, track_index

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gammastar.market.quality import QualityFinding

CHECKS: tuple[Callable[[Subject], list[QualityFinding]], ...] = (
    check_splits,
    check_stale,
    check_copies,
    check_spikes,
    check_dividends,
    check_sessions,
    check_weights,
    check_members,
    check_index,
)
"""The checks, in the order in which they run."""

_ORDER = tuple(Severity)


def inspect_subject(subject: Subject) -> tuple[QualityFinding, ...]:
    """Return what every check finds, errors first, then by check, asset and date."""
    return in_order([finding for check in CHECKS for finding in check(subject)])


def in_order(found: Iterable[QualityFinding]) -> tuple[QualityFinding, ...]:
    """Return findings with errors first, then by check, date and asset."""
    return tuple(sorted(found, key=lambda one: (_ORDER.index(one.severity), one.check, str(one.first), one.asset or "")))
