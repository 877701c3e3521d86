"""Missing returns: filled session by session with what was known by then, flagged, and counted.

The filled returns keep the accounts whole. They never enter an estimate of risk.
"""

from __future__ import annotations

__all__ = ["PATIENCE", "Filled", "Filling", "Snapshots", "fill_missing"]

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

import numpy as np

from gammastar.market.arrays import frozen_array

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int
    from numpy import ndarray

PATIENCE = 5
"""Sessions in a row without a return after which a name counts as sold at its last price."""


@dataclass(frozen=True, eq=False)
class Snapshots:
    """Published index weights, k of them.

    Args:
        at: position of the session each is true for, increasing, shape (k,).
        effective: position of the session at whose close each was known, not before `at`, shape (k,).
        weights: shape (k, n); each row sums to one.
        forward: total return from ``at[j]`` to ``at[j+1]``, NaN where unknown, shape (k, n). It is used at the close of ``at[j+1]`` only.

    Raises:
        ValueError: shapes that do not fit, or positions out of order.
    """

    at: Int[ndarray, " k"]
    effective: Int[ndarray, " k"]
    weights: Float[ndarray, "k n"]
    forward: Float[ndarray, "k n"]

    def __post_init__(self) -> None:
        if not len(self.at) == len(self.effective) == len(self.weights) == len(self.forward):
            raise ValueError("at, effective, weights and forward must have one entry for each snapshot")
        if len(self.at) == 0 or self.at[0] != 0 or not bool(np.all(np.diff(self.at) > 0)):
            raise ValueError("snapshots must increase strictly and begin at the first session")
        if not bool(np.all(self.effective >= self.at)):
            raise ValueError("a snapshot cannot be known before the session it is true for")

    @property
    def in_force(self) -> dict[int, int]:
        """The snapshot that takes effect at each session, without those that a newer one had overtaken by the time they were known."""
        overtaken = [bool(np.any(self.effective[k + 1 :] <= effective)) for k, effective in enumerate(self.effective)]
        return {int(effective): k for k, effective in enumerate(self.effective) if not overtaken[k]}


@dataclass(slots=True)
class Filling:
    """How many returns were filled, by the rule that filled them.

    Args:
        sector: with the benchmark-weighted return of the sector.
        market: with that of the whole benchmark, because nothing of the sector was observed.
        month_end: so that the period between two snapshots compounds to its known return.
        last_price: so that five sessions without a return compound to nothing: the name is worth its last price.
        given: filled by the supplier of the data.
        uncorrected: not filled, but counted: periods with a known return and missing sessions, whose last session is observed.
    """

    sector: int = 0
    market: int = 0
    month_end: int = 0
    last_price: int = 0
    given: int = 0
    uncorrected: int = 0

    def to_dict(self) -> dict[str, int]:
        """Return the counts by name."""
        return {item.name: getattr(self, item.name) for item in fields(self)}


@dataclass(frozen=True, eq=False)
class Filled:
    """Complete returns and the benchmark that drifts with them.

    Args:
        returns: shape (t, n), complete; the first row is zero.
        observed: which of them are data, shape (t, n); the first row is False.
        benchmark: index weights at each close, shape (t, n).
        published: sessions at whose close a snapshot took effect, shape (t,).
        filling: the counts.
    """

    returns: Float[ndarray, "t n"]
    observed: Bool[ndarray, "t n"]
    benchmark: Float[ndarray, "t n"]
    published: Bool[ndarray, " t"]
    filling: Filling


def fill_missing(
    raw: Float[ndarray, "t n"],
    estimated: Bool[ndarray, "t n"],
    sectors: Int[ndarray, "t n"],
    snapshots: Snapshots,
) -> Filled:
    """Fill missing returns sequentially and drift the benchmark; row t of the answer depends on rows up to t only.

    A missing return at t is filled, in the order of precedence, with

    1. the return that lets the period since the last snapshot compound to its `forward`, where t ends that period;
    2. the return that takes the name back to its last known value, where t is the fifth session running without a return;
    3. the return of its sector over names observed at t, weighted by the benchmark at t-1 (of the whole benchmark where nothing
       of the sector is observed), while the name is in the benchmark, or left it or was last observed no more than five sessions ago;
       a name already taken back to its last value must be in the benchmark;
    4. zero.

    Args:
        raw: simple total returns, NaN where missing, shape (t, n). The first row is not used.
        estimated: which of `raw` the supplier filled: used as they are and never observed, shape (t, n).
        sectors: group of each name as known at t, from zero, shape (t, n).
        snapshots: published index weights.

    Returns:
        The completed returns, the mask of observed ones, the drifted benchmark and the counts.

    Raises:
        ValueError: shapes that differ.
    """
    if not raw.shape == estimated.shape == sectors.shape or raw.shape[1] != snapshots.weights.shape[1]:
        raise ValueError(
            f"raw {raw.shape}, estimated {estimated.shape} and sectors {sectors.shape} must agree, with snapshots of as many names"
        )
    run = _Run(snapshots, sessions=raw.shape[0])
    for t in range(1, raw.shape[0]):
        run.step(t, raw[t], estimated[t], sectors[t - 1])
    return Filled(
        returns=frozen_array(run.returns, np.float64),
        observed=frozen_array(run.observed, np.bool_),
        benchmark=frozen_array(run.benchmark, np.float64),
        published=frozen_array(run.published, np.bool_),
        filling=run.filling,
    )


@dataclass
class _Run:
    """The state of the sequential pass: what is remembered from one session to the next."""

    snapshots: Snapshots
    sessions: int
    filling: Filling = field(default_factory=Filling)

    def __post_init__(self) -> None:
        shape = (self.sessions, self.snapshots.weights.shape[1])
        n = shape[1]
        self.returns, self.benchmark = np.zeros(shape), np.zeros(shape)
        self.observed, self.published = np.zeros(shape, dtype=bool), np.zeros(shape[0], dtype=bool)
        self.missing_run = np.zeros(n, dtype=np.int64)  # sessions without an observed return, up to now
        self.away = np.full(n, PATIENCE + 1, dtype=np.int64)  # closes since the name was last in the benchmark
        self.seen = np.zeros(n, dtype=bool)  # ever observed
        self.since_known = np.ones(n)  # gross return since the last known value
        self.period = np.ones(n)  # gross return since the last snapshot
        self.gaps = np.zeros(n, dtype=bool)  # anything missing since the last snapshot
        self.periods = {
            int(end): k for k, end in enumerate(self.snapshots.at[1:])
        }  # snapshot that opened the period ending at t
        # before the first snapshot was known nobody looks: the caller cuts those sessions off
        self.jumps = {0: 0, **self.snapshots.in_force}
        self._settle(0, self.snapshots.weights[0])

    def step(self, t: int, row: ndarray, estimated: ndarray, sectors: ndarray) -> None:
        """Complete the returns of session t and settle the benchmark at its close."""
        weight = self.benchmark[t - 1]
        known = np.isfinite(row)
        observed = known & ~estimated
        self.seen |= observed
        self.missing_run += 1
        self.missing_run[observed] = 0
        self.away += 1
        self.away[weight > 0.0] = 0
        returns = np.where(known, row, 0.0)
        missing, anchored = ~known, known.copy()
        self._by_period(t, returns, missing, anchored, observed)
        gone = np.flatnonzero(missing)  # few: the rules below look at these alone
        if len(gone):
            gone = self._by_last_price(returns, gone, anchored)
            self._by_sector(returns, gone, _Weighted(weight, observed, sectors))
        self.filling.given += int(np.count_nonzero(known & estimated))
        self.returns[t], self.observed[t] = returns, observed
        gross = 1.0 + returns
        self.since_known *= gross
        self.since_known[anchored] = 1.0
        self._open_period(t, gross, observed)
        self._settle(t, _drift(weight, gross))

    def _by_period(self, t: int, returns: ndarray, missing: ndarray, anchored: ndarray, observed: ndarray) -> None:
        """Let the period that ends at t compound to its known return; names it fills are then missing no more."""
        opened = self.periods.get(t)
        if opened is None:
            return
        forward = self.snapshots.forward[opened]
        told = np.isfinite(forward)
        at = missing & told
        returns[at] = (1.0 + forward[at]) / self.period[at] - 1.0
        anchored |= at
        missing &= ~at
        self.filling.month_end += int(np.count_nonzero(at))
        self.filling.uncorrected += int(np.count_nonzero(told & observed & self.gaps))

    def _by_last_price(self, returns: ndarray, gone: ndarray, anchored: ndarray) -> ndarray:
        """Take names without a return for five sessions running back to their last known value; return those that are still missing."""
        due = self.seen[gone] & (self.missing_run[gone] == PATIENCE)
        if not due.any():
            return gone
        at = gone[due]
        returns[at] = 1.0 / self.since_known[at] - 1.0
        anchored[at] = True
        self.filling.last_price += len(at)
        return np.asarray(gone[~due])

    def _by_sector(self, returns: ndarray, gone: ndarray, weighted: _Weighted) -> None:
        """Fill with the sector's return, or the market's where nothing of the sector is observed."""
        recent = np.where(self.seen[gone], self.missing_run[gone] <= PATIENCE, self.away[gone] <= PATIENCE)
        wanted = gone[(weighted.weight[gone] > 0.0) | recent]
        if len(wanted) == 0:
            return
        by_sector, market = weighted.returns(returns)
        of_sector = by_sector[weighted.sectors[wanted]]
        found = np.isfinite(of_sector)
        returns[wanted] = np.where(found, of_sector, market)
        self.filling.sector += int(np.count_nonzero(found))
        self.filling.market += int(np.count_nonzero(~found))

    def _open_period(self, t: int, gross: ndarray, observed: ndarray) -> None:
        """Remember the period's gross return and gaps, or begin a new period at a snapshot."""
        if t in self.periods:
            self.period, self.gaps = np.ones_like(gross), np.zeros_like(observed)
        else:
            self.period *= gross
            self.gaps |= ~observed

    def _settle(self, t: int, drifted: ndarray) -> None:
        """Set the benchmark at the close of t: the snapshot that takes effect, or the drifted weights."""
        k = self.jumps.get(t)
        self.published[t] = k is not None
        if k is None:
            self.benchmark[t] = drifted
            return
        weights = self.snapshots.weights[k]
        for past in range(
            int(self.snapshots.at[k]) + 1, t + 1
        ):  # known late: grown to today with what was earned since
            weights = _drift(weights, 1.0 + self.returns[past])
        self.benchmark[t] = weights


@dataclass(frozen=True, eq=False)
class _Weighted:
    """The benchmark at t-1, who is observed at t, and who belongs where."""

    weight: ndarray
    observed: ndarray
    sectors: ndarray

    def returns(self, returns: ndarray) -> tuple[ndarray, float]:
        """Return each sector's weighted return over observed names, NaN where there is none, and the market's (0 if none)."""
        use = np.flatnonzero(self.observed & (self.weight > 0.0))  # sums over these names only, see _drift
        weight, sectors, groups = self.weight[use], self.sectors[use], int(self.sectors.max()) + 1
        total = np.bincount(sectors, weights=weight, minlength=groups)
        earned = np.bincount(sectors, weights=weight * returns[use], minlength=groups)
        with np.errstate(invalid="ignore"):
            return earned / total, float((weight * returns[use]).sum() / weight.sum()) if len(use) else 0.0


def _drift(weights: ndarray, gross: ndarray) -> ndarray:
    """Return the weights after the gross returns `gross`, summing to one."""
    held = np.flatnonzero(weights)  # sum over held names only: columns of zeros must not change a rounding
    drifted = np.zeros_like(weights)
    grown = weights[held] * gross[held]
    drifted[held] = grown / grown.sum()
    return drifted
