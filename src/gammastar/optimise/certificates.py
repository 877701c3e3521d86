"""Cheap certificates: contradictions between rules that arithmetic on their bounds proves, with a sentence that says how.

Bounds of single names, the budget, group rows and sums of trades are looked at one against the other. What needs more than one row beside the
bounds is left to the solver.
"""

from __future__ import annotations

__all__ = ["Certificate", "cheap_certificate"]

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from gammastar.core.rows import AbsoluteSum, Bounds, Budget, LinearRows
from gammastar.optimise.problem import LONG_ONLY, neutral_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from jaxtyping import Bool, Float, Int
    from numpy import ndarray

    from gammastar.core.rows import Row
    from gammastar.mandate.mandate import Mandate
    from gammastar.market.moment import Moment

CLEAR = 1e-9
"""By less than this, in weight, nothing is proved."""


@dataclass(frozen=True)
class Certificate:
    """Rules that cannot hold together, and why.

    Args:
        rules: their names; together with long-only and the budget they leave no weights.
        sentence: the proof in words.
    """

    rules: tuple[str, ...]
    sentence: str


@dataclass(eq=False)
class _Box:
    """Where each weight may stand, and the rule that says so (-1 for none).

    Args:
        moment: the market.
        names: of the rules.
        lower: shape (n,).
        upper: shape (n,); infinity for none.
        low: position of the rule that sets each lower bound, shape (n,).
        high: the same for upper bounds.
        invested: least and most that is not cash.
        budget: name of the rule on cash, if there is one.
    """

    moment: Moment
    names: tuple[str, ...]
    lower: Float[ndarray, " n"]
    upper: Float[ndarray, " n"]
    low: Int[ndarray, " n"]
    high: Int[ndarray, " n"]
    invested: tuple[float, float] = (1.0, 1.0)
    budget: tuple[str, ...] = ()

    def tighten(self, row: Bounds, owner: int) -> None:
        """Take over what is tighter in `row`."""
        self.low = np.where(row.lower > self.lower, owner, self.low)
        self.lower = np.maximum(row.lower, self.lower)
        self.high = np.where(row.upper < self.upper, owner, self.high)
        self.upper = np.minimum(row.upper, self.upper)

    def pin(self, where: Bool[ndarray, " n"], at: Float[ndarray, " n"]) -> None:
        """Hold the names of `where` at `at`, or at the bound that is nearest."""
        stand = np.clip(at, self.lower, np.maximum(self.upper, self.lower))
        owner = np.where(stand > at, self.low, np.where(stand < at, self.high, -1))
        self.lower, self.upper = np.where(where, stand, self.lower), np.where(where, stand, self.upper)
        self.low, self.high = np.where(where, owner, self.low), np.where(where, owner, self.high)

    def owners(self, owner: Int[ndarray, " n"], where: Bool[ndarray, " n"]) -> tuple[str, ...]:
        """Return the rules behind the bounds at `where`."""
        return tuple(self.names[k] for k in np.unique(owner[where]).tolist() if k >= 0)

    def largest(self, size: Float[ndarray, " n"]) -> str:
        """Return the name with the largest `size`."""
        return self.moment.assets.label(int(np.argmax(size)))


def cheap_certificate(mandate: Mandate, moment: Moment) -> Certificate | None:
    """Return the first contradiction that bounds alone prove, or None.

    In order: a lower bound above an upper one; bounds that cannot sum to one; a group whose bounds cannot meet the group's own row; more trades
    forced by bounds than turnover, buys or active share allow.

    Args:
        mandate: the rules; soft ones contradict nothing.
        moment: with what the rules need.
    """
    rows = [(rule.name, row) for rule in mandate.rules for row in rule.rows(moment) if getattr(row, "penalty", None) is None]
    box = _box(mandate, moment, rows)
    crossed = _crossed(box)
    if crossed is not None:
        return crossed
    box.pin(~moment.members, np.zeros(len(box.lower)))
    box.pin(neutral_names(mandate, moment), moment.benchmark)
    return next(_found(box, [row for _, row in rows]), None)


def _box(mandate: Mandate, moment: Moment, rows: list[tuple[str, Row]]) -> _Box:
    """Return the hard bounds of all rules together."""
    n, names = len(moment.benchmark), tuple(rule.name for rule in mandate.rules)
    box = _Box(moment, names, np.zeros(n), np.full(n, np.inf), np.full(n, -1), np.full(n, -1))
    for name, row in rows:
        if isinstance(row, Bounds):
            box.tighten(row, names.index(name))
        if isinstance(row, Budget):
            box.invested, box.budget = (1.0 - row.maximum, 1.0 - row.minimum), (name,)
    return box


def _found(box: _Box, rows: Iterable[Row]) -> Iterator[Certificate]:
    """Yield certificates, the simplest first."""
    rows = list(rows)
    yield from _sums(box)
    for row in rows:
        if isinstance(row, LinearRows):
            yield from _groups(box, row)
    for row in rows:
        if isinstance(row, AbsoluteSum):
            yield from _trades(box, row)


def _crossed(box: _Box) -> Certificate | None:
    """Return the name whose lower bound is furthest above its upper one."""
    there = box.moment.members | (box.lower > 0.0)
    gap = np.where(there, box.lower - np.maximum(box.upper, np.where(box.moment.members, -np.inf, 0.0)), -np.inf)
    i = int(np.argmax(gap))
    if not gap[i] > 1e-12:
        return None
    low, high = int(box.low[i]), int(box.high[i])
    asks = box.names[low] if low >= 0 else LONG_ONLY
    rules = tuple(dict.fromkeys(box.names[k] for k in (low, high) if k >= 0))
    label = box.moment.assets.label(i)
    return Certificate(rules, f"{label} must be at least {_percent(box.lower[i])} by {asks} and at most {_percent(box.upper[i])} by {box.names[high]}.")


def _sums(box: _Box) -> Iterator[Certificate]:
    """Yield the proof that the bounds of all names leave too little, or too much, to invest."""
    least, most = box.invested
    every = np.ones(len(box.lower), dtype=bool)
    if float(box.upper.sum()) < least - CLEAR:
        rules = _united(box.owners(box.high, every), box.budget)
        yield Certificate(rules, f"the most that all names may weigh adds up to {_percent(box.upper.sum())}, and {_percent(least)} has to be invested.")
    if float(box.lower.sum()) > most + CLEAR:
        rules = _united(box.owners(box.low, box.lower > 0.0), box.budget)
        yield Certificate(rules, f"the least that all names must weigh adds up to {_percent(box.lower.sum())}, and only {_percent(most)} can be invested.")


def _groups(box: _Box, row: LinearRows) -> Iterator[Certificate]:
    """Yield groups (rows of zeros and ones) that the bounds of their names, or of all others, keep from meeting their row."""
    matrix = sparse.csr_array(row.matrix)
    if not matrix.nnz or (matrix.data != 1.0).any():
        return
    least, most = box.invested
    cap = np.minimum(box.upper, 1.0)  # no weight is above one
    lower, upper = matrix @ box.lower, matrix @ cap
    others_lower, others_upper = box.lower.sum() - lower, cap.sum() - upper
    cases = (
        (row.lower - upper, upper, row.lower, "can weigh at most", "at least", box.high, True),
        (row.lower - (most - others_lower), most - others_lower, row.lower, "can weigh at most", "at least", box.low, False),
        (lower - row.upper, lower, row.upper, "must weigh at least", "at most", box.low, True),
        ((least - others_upper) - row.upper, least - others_upper, row.upper, "must weigh at least", "at most", box.high, False),
    )
    for gap, reach, bound, can, asks, owner, inside in cases:
        k = int(np.argmax(gap))
        if not gap[k] > CLEAR:
            continue
        members = np.isin(np.arange(len(box.lower)), matrix[[k]].indices)
        bounded = (box.upper < 1.0) if owner is box.high else (box.lower > 0.0)
        others = box.owners(owner, (members if inside else ~members) & bounded)
        why = "" if inside else ", for what all others may weigh"
        sentence = f"{row.labels[k]} {can} {_percent(reach[k])}{_by(others)}{why}, and {row.rule} asks for {asks} {_percent(bound[k])}."
        yield Certificate(_united((row.rule,), others, () if inside else box.budget), sentence)


def _trades(box: _Box, row: AbsoluteSum) -> Iterator[Certificate]:
    """Yield the proof that bounds force a larger sum of distances (trades, active weights) than is allowed."""
    near = np.clip(row.centre, box.lower, np.maximum(box.upper, box.lower))
    above, below = np.maximum(near - row.centre, 0.0), np.maximum(row.centre - near, 0.0)
    least, most = box.invested
    missing, surplus = max(least - float(near.sum()), 0.0), max(float(near.sum()) - most, 0.0)
    needed = row.up * (float(above.sum()) + missing) + row.down * (float(below.sum()) + surplus)
    if not needed > row.limit + CLEAR:
        return
    others = _united(box.owners(box.low, above > 0.0), box.owners(box.high, below > 0.0))
    size = row.up * above + row.down * below
    first = f", {box.largest(size)} alone {_percent(size.max())}" if size.max() > 0.0 else ""
    by = f"the bounds of {' and '.join(others)} force" if others else "what left the benchmark or is neutral forces"
    sentence = f"{by} at least {_percent(needed)} of {row.rule}{first}, and {_percent(row.limit)} is left of its limit."
    yield Certificate(_united((row.rule,), others, box.budget if missing or surplus else ()), sentence)


def _united(*names: tuple[str, ...]) -> tuple[str, ...]:
    """Return every name once."""
    return tuple(dict.fromkeys(name for group in names for name in group))


def _by(rules: tuple[str, ...]) -> str:
    return f" by {' and '.join(rules)}" if rules else ""


def _percent(weight: float) -> str:
    return f"{100.0 * weight:.2f}%"
