"""Faults planted in a clean market, each with the place where a check must find it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from gammastar.market.quality import Severity
from gammastar.store.quality import Subject, inspect_subject, subject_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gammastar.market.panel import Panel
    from gammastar.market.quality import QualityFinding


@dataclass(frozen=True)
class Planted:
    """One fault: the checks that may tell of it, and its place."""

    checks: tuple[str, ...]
    asset: str | None
    first: np.datetime64
    last: np.datetime64

    def is_told_by(self, finding: QualityFinding) -> bool:
        """Whether a finding is about this fault: its check, its asset, and dates that overlap."""
        if finding.first is None or finding.last is None or finding.check not in self.checks:
            return False
        overlap = finding.first <= self.last and finding.last >= self.first
        return bool(overlap and finding.asset == self.asset)


    def explains(self, finding: QualityFinding) -> bool:
        """Whether a finding follows from this fault, under its own check or another: a moved Friday is missing, a wrong return moves the index of its month."""
        month = np.timedelta64(31, "D") if finding.check == "index-tracking" else np.timedelta64(1, "D")
        near = finding.first is not None and finding.last is not None and finding.first <= self.last + month and finding.last >= self.first - np.timedelta64(1, "D")
        return self.is_told_by(finding) or bool(near and (finding.asset == self.asset or None in {finding.asset, self.asset}))


def clean_subject(panel: Panel, *, prices: bool = False) -> Subject:
    """Return a panel as a subject with everything that can be checked: a published index, sums of weights, dividends where there are prices."""
    level = 100.0 * np.cumprod(1.0 + panel.benchmark_returns)
    sums = dict.fromkeys(panel.sessions[panel.published], 1.0)
    subject = replace(subject_of(panel, sums=sums), level=level)
    if not prices:
        return replace(subject, close=None, split=None)
    close, split = subject.close.copy(), subject.split.copy()
    before = np.vstack((close[:1], close[:-1]))
    paid = np.nan_to_num((1.0 + subject.returns) * before / split - close)
    dividend = np.where(paid > 1e-9 * close, paid, 0.0)
    return replace(subject, close=np.where(subject.observed, close, np.nan), split=split, dividend=dividend)


@dataclass
class Field:
    """A market being spoilt: copies of its arrays, and where a fault may still go."""

    subject: Subject
    rng: np.random.Generator

    def __post_init__(self) -> None:
        copies = {name: getattr(self.subject, name) for name in ("sessions", "returns", "benchmark", "close", "split", "dividend", "level")}
        self.subject = replace(self.subject, sums=dict(self.subject.sums or {}), **{name: None if value is None else value.copy() for name, value in copies.items()})
        self.used = np.zeros(self.subject.returns.shape, dtype=bool)
        self.taken: set[int] = set()
        self.planted: list[Planted] = []

    def spot(self, length: int = 1, margin: int = 45) -> tuple[int, int]:
        """Return a free session and a member, observed and in the index from `margin` before to `margin` after."""
        subject = self.subject
        good = subject.observed & (subject.benchmark > 0.0) & ~self.used
        for _ in range(10_000):
            t = int(self.rng.integers(margin, len(subject.sessions) - margin - length))
            i = int(self.rng.integers(len(subject.ids)))
            if good[t - margin : t + length + margin, i].all():
                self.used[max(t - 70, 0) : t + length + 70, i] = True
                return t, i
        raise AssertionError("there is no room for another fault")

    def free_session(self, margin: int = 15) -> int:
        """Return a session with no other fault of a whole session within a month."""
        for _ in range(10_000):
            t = int(self.rng.integers(margin, len(self.subject.sessions) - margin))
            if not self.taken & set(range(t - 22, t + 23)):
                self.taken.add(t)
                return t
        raise AssertionError("there is no free session")

    def note(self, checks: str, i: int | None, first: int, last: int) -> None:
        days = self.subject.sessions
        self.planted.append(Planted(tuple(checks.split()), None if i is None else self.subject.ids[i], days[first], days[last]))


def unadjusted_split(field: Field) -> None:
    t, i = field.spot()
    ratio = float(field.rng.choice([2.0, 3.0, 4.0, 1.5, 0.2, 0.1]))
    field.subject.returns[t, i] = (1.0 + field.subject.returns[t, i]) / ratio - 1.0
    if field.subject.close is not None:  # a split that is recorded, and taken out of the price alone
        field.subject.close[t:, i] /= ratio
        field.subject.split[t, i] *= ratio
        field.subject.dividend[t:, i] /= ratio
    field.note("split-unadjusted split-double", i, t, t)


def double_split(field: Field) -> None:
    t, i = field.spot()
    ratio = float(field.rng.choice([2.0, 3.0, 4.0]))
    field.subject.returns[t, i] = (1.0 + field.subject.returns[t, i]) * ratio - 1.0
    if field.subject.close is not None:
        field.subject.close[t:, i] /= ratio
        field.subject.split[t, i] *= ratio
        field.subject.dividend[t:, i] /= ratio
    field.note("split-double split-unadjusted", i, t, t)


def unrecorded_split(field: Field) -> None:
    t, i = field.spot()
    field.subject.close[t:, i] /= float(field.rng.choice([2.0, 3.0, 5.0]))
    field.subject.dividend[t, i] = 0.0
    field.note("split-unrecorded", i, t, t)


def stale(field: Field) -> None:
    length = int(field.rng.integers(10, 25))
    t, i = field.spot(length)
    field.subject.returns[t : t + length, i] = 0.0
    field.note("price-stale", i, t, t + length - 1)


def stuck(field: Field) -> None:
    length = int(field.rng.integers(5, 10))
    t, i = field.spot(length)
    field.subject.returns[t : t + length, i] = field.subject.returns[t, i] or 0.0123
    field.note("return-stuck", i, t, t + length - 1)


def spike(field: Field) -> None:
    t, i = field.spot(2)
    size = float(field.rng.uniform(0.2, 0.8)) * float(field.rng.choice([-1.0, 1.0]))
    field.subject.returns[t, i] = np.expm1(np.log1p(field.subject.returns[t, i]) + size)
    field.subject.returns[t + 1, i] = np.expm1(np.log1p(field.subject.returns[t + 1, i]) - size)
    field.note("spike-reverts", i, t, t + 1)


def silent_member(field: Field) -> None:
    length = int(field.rng.integers(65, 90))
    t, i = field.spot(length)
    field.subject.returns[t : t + length, i] = np.nan
    field.note("member-without-returns", i, t, t + length - 1)


def wrong_weight(field: Field) -> None:
    t, i = field.spot()
    at = np.flatnonzero(field.subject.published & (np.arange(len(field.subject.sessions)) >= t))
    if len(at) == 0 or at[0] == 0:
        wrong_weight(field)
        return
    field.subject.benchmark[at[0] :, i] *= float(field.rng.choice([0.2, 0.3, 4.0, 5.0]))
    before = np.flatnonzero(field.subject.published[: at[0]])[-1]
    field.note("weight-return-gap", i, int(before), int(at[0]))


def copied_asset(field: Field) -> None:
    t, i = field.spot(100)
    j = next(int(k) for k in field.rng.permutation(len(field.subject.ids)) if k != i and field.subject.observed[t : t + 100, k].all() and not field.used[t : t + 100, k].any())
    field.used[max(t - 70, 0) : t + 170, j] = True
    low, high = sorted((i, j))
    field.subject.returns[t : t + 100, high] = field.subject.returns[t : t + 100, low]
    field.note("asset-copied", high, t, t + 99)


def copied_session(field: Field) -> None:
    t = field.free_session()
    field.subject.returns[t] = field.subject.returns[t - 1]
    field.note("session-copied", None, t, t)


def missing_session(field: Field) -> None:
    t = field.free_session()
    field.subject.returns[t] = np.nan
    field.note("session-missing", None, t, t)


def thin_session(field: Field) -> None:
    t = field.free_session()
    field.subject.returns[t, field.rng.random(len(field.subject.ids)) < 0.6] = np.nan
    field.note("session-thin", None, t, t)


def odd_sum(field: Field) -> None:
    at = np.flatnonzero(field.subject.published)
    t = int(field.rng.choice(at))
    field.subject.sums[field.subject.sessions[t]] = 1.0 + float(field.rng.choice([-0.03, -0.01, 0.02, 0.1]))
    field.note("weight-sum", None, t, t)


def wrong_day(field: Field) -> None:
    fridays = np.flatnonzero((field.subject.sessions.astype(np.int64) + 3) % 7 == 4)
    t = int(field.rng.choice(fridays[1:-1]))
    field.subject.sessions[t] += np.timedelta64(1, "D")
    field.note("date-impossible", None, t, t)


def large_dividend(field: Field) -> None:
    t, i = field.spot()
    field.subject.dividend[t, i] = 3.0 * field.subject.close[t - 1, i] / field.subject.split[t, i]
    field.note("dividend-above-price", i, t, t)


def subtracted_dividend(field: Field) -> None:
    t, i = field.spot()
    field.subject.returns[t, i] -= 0.02 + float(np.nan_to_num(field.subject.dividend[t, i] / field.subject.close[t, i]))
    field.note("return-below-price", i, t, t)


def wrong_level(field: Field) -> None:
    months = field.subject.sessions.astype("datetime64[M]")
    ends = np.flatnonzero(months[1:] != months[:-1])
    k = int(field.rng.integers(2, len(ends) - 1))
    field.subject.level[ends[k - 1] + 1 :] *= 1.0 + float(field.rng.choice([-0.02, 0.01, 0.03]))
    field.note("index-tracking", None, int(ends[k]), int(ends[k]))


def stray_name(field: Field) -> None:
    outside = np.flatnonzero((field.subject.benchmark > 0.0).sum(axis=0) == 0)
    i = int(field.rng.choice(outside)) if len(outside) else 0
    if not len(outside):
        field.subject.benchmark[:, i] = 0.0
    field.subject.returns[20:120, i] = 0.01 * field.rng.standard_normal(100)
    field.note("return-without-member", None, 20, 119)


ALONE: tuple[Callable[[Field], None], ...] = (
    unadjusted_split, double_split, stale, stuck, spike, silent_member, wrong_weight, copied_asset, copied_session, missing_session, thin_session,
    odd_sum, wrong_day, wrong_level, stray_name,
)  # fmt: skip
"""Faults that need no prices."""

PRICED: tuple[Callable[[Field], None], ...] = (unadjusted_split, double_split, unrecorded_split, large_dividend, subtracted_dividend)
"""Faults of a market with prices, splits and dividends."""


def spoil(subject: Subject, faults: Iterable[Callable[[Field], None]], rng: np.random.Generator, *, each: int = 1) -> tuple[Subject, list[Planted]]:
    """Return the market with `each` faults of each kind, and where they are."""
    field = Field(subject, rng)
    for fault in faults:
        for _ in range(each):
            fault(field)
    spoilt = field.subject
    return replace(spoilt, filled=np.where(np.isfinite(spoilt.returns), spoilt.returns, subject.filled)), field.planted


@dataclass(frozen=True)
class Score:
    """How often one check was right."""

    planted: int
    found: int
    told: int
    right: int

    @property
    def recall(self) -> float:
        return self.found / self.planted if self.planted else float("nan")

    @property
    def precision(self) -> float:
        return self.right / self.told if self.told else float("nan")


def scores(subject: Subject, planted: list[Planted]) -> dict[str, Score]:
    """Return the score of each check on a spoilt market: a finding (error or warning) is right if it is about any fault planted there."""
    findings = [finding for finding in inspect_subject(subject) if finding.severity is not Severity.NOTE or finding.check == "return-without-member"]
    checks = dict.fromkeys(fault.checks[0] for fault in planted)
    result = {}
    for check in sorted({*checks, *(finding.check for finding in findings)}):
        mine = [fault for fault in planted if fault.checks[0] == check]
        told = [finding for finding in findings if finding.check == check]
        right = [one for one in told if any(fault.explains(one) for fault in planted)]
        found = [fault for fault in mine if any(fault.is_told_by(one) for one in findings)]
        result[check] = Score(len(mine), len(found), len(told), len(right))
    return result
