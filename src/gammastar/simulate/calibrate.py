"""From a Panel to a first-order or an Atlas model: drifts from local times or from the capital curve, volatilities from the moves at each rank."""

from __future__ import annotations

__all__ = ["AtlasFit", "FirstOrderFit", "RankRecord", "calibrate_atlas", "calibrate_first_order", "rank_record"]

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gammastar.core.rank import local_times
from gammastar.core.rank_generating import rank_order, ranked_weights
from gammastar.simulate.first_order import Atlas, FirstOrder
from gammastar.simulate.parameters import require

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy import ndarray

    from gammastar.market.panel import Panel

FAR_BELOW = 100.0  # log units: where names outside the market wait, below all ranks that are looked at


@dataclass(frozen=True, eq=False)
class RankRecord:
    """What happened at each of the largest m ranks of a Panel.

    Args:
        years: length of the sample.
        moves: log return over each step of the name that was at rank k before it, shape (t, m).
        local_time: growth of the local time of the gap below rank k, on log weights, over each step, shape (t, m - 1).
        mean_gap: mean over time of ``log mu_(k) - log mu_(k+1)``, shape (m - 1,).
    """

    years: float
    moves: Float[ndarray, "t m"]
    local_time: Float[ndarray, "t g"]
    mean_gap: Float[ndarray, " g"]

    @property
    def shock_variances(self) -> Float[ndarray, " m"]:
        """Variances ``sigma_k^2`` a year of the shocks at each rank, what is common to all ranks left out.

        From the variances ``v_k`` of the moves less their mean over ranks: ``v_k = sigma_k^2 (1 - 2/m) + sum_j sigma_j^2 / m^2`` for independent shocks.
        """
        own = self.moves - self.moves.mean(axis=1, keepdims=True)
        step, m = self.years / len(own), own.shape[1]
        variances = own.var(axis=0, ddof=1) / step
        total = variances.sum() / (1.0 - 1.0 / m)
        if m == 2:  # the two shocks are seen as their difference alone
            return np.full(2, 0.5 * total)
        return np.asarray((variances - total / m**2) / (1.0 - 2.0 / m))


def rank_record(panel: Panel, ranks: int | None = None) -> RankRecord:
    """Return what happened at the largest ranks of `panel`: members at each close are followed over the next step, and ranked anew.

    Index changes fall between the steps: they are neither moves nor local time.

    Args:
        panel: the market.
        ranks: m; None takes as many as the market has members at all times.

    Raises:
        ValueError: more ranks than members, or a panel of fewer than three sessions.
    """
    members = int((panel.benchmark > 0.0).sum(axis=1).min())
    taken = members if ranks is None else ranks
    require(2, members, "No more than there are members at all times.", ranks=taken)
    if len(panel) < 3:
        raise ValueError(f"the panel has {len(panel)} sessions; allowed: at least 3. Give a longer one.")
    inside = panel.benchmark > 0.0
    lowest = np.log(panel.benchmark[inside].min()) - FAR_BELOW
    logs = np.log(panel.benchmark, out=np.full(panel.benchmark.shape, lowest), where=inside)
    returns = np.where(inside[:-1], np.log1p(panel.returns[1:]), 0.0)
    order = rank_order(logs[:-1])[:, :taken]
    return RankRecord(
        years=(len(panel) - 1) / panel.frequency.periods,
        moves=np.take_along_axis(returns, order, axis=1),
        local_time=local_times(logs, logs[:-1] + returns)[:, : taken - 1],
        mean_gap=-np.diff(ranked_weights(logs)[:, :taken].mean(axis=0)),
    )


@dataclass(frozen=True, eq=False)
class FirstOrderFit:
    """A first-order model for a Panel, and how well it is known.

    Args:
        model: drifts from the local times, volatilities from the moves; the last rank carries the balance.
        drift_error: standard error of each ``g_k``, a year, shape (m,).
        local_time_error: standard error of each ``lambda_k``, a year, shape (m - 1,).
        observed_gap: mean gaps of the Panel, to lay beside ``model.mean_gap()``, shape (m - 1,).
        years: length of the sample.
    """

    model: FirstOrder
    drift_error: Float[ndarray, " m"]
    local_time_error: Float[ndarray, " g"]
    observed_gap: Float[ndarray, " g"]
    years: float

    def scores(self, truth: FirstOrder) -> Float[ndarray, " g"]:
        """Return how many standard errors each local-time rate lies above that of `truth`, shape (m - 1,).

        Raises:
            ValueError: a model of another number of ranks.
        """
        if len(truth) != len(self.model):
            raise ValueError(f"the other model has {len(truth)} ranks; allowed: {len(self.model)}, as this one.")
        return np.asarray((self.model.local_time_rate() - truth.local_time_rate()) / self.local_time_error)


@dataclass(frozen=True)
class AtlasFit:
    """An Atlas model for a Panel, by two roads; on an Atlas market they meet.

    Args:
        by_local_time: drift from the local time above the smallest rank, ``g = lambda_{m-1} / (2 (m - 1))``, which holds all that the moves tell of g.
        by_curve: drift from the slope of the capital curve, ``g = sigma^2 / (2 mean_k(k gap_k))``.
        drift_error: standard error of the first, ``sigma / sqrt(m (m - 1) T)``.
        years: T, length of the sample.
    """

    by_local_time: Atlas
    by_curve: Atlas
    drift_error: float
    years: float


def calibrate_first_order(panel: Panel, ranks: int | None = None) -> FirstOrderFit:
    """Return the first-order model of the largest ranks: ``g_k = (lambda_{k-1} - lambda_k) / 2``, ``lambda_k`` the local time of each gap over the years.

    Args:
        panel: the market.
        ranks: m; None takes as many as the market has members at all times.

    Raises:
        ValueError: more ranks than members, a panel of fewer than three sessions, or neighbours that never change places.
    """
    record = rank_record(panel, ranks)
    rate = record.local_time.sum(axis=0) / record.years
    if not (rate > 0.0).all():
        raise ValueError(
            f"ranks {int(np.argmin(rate)) + 1} and the next never change places in {record.years:.2f} years; allowed: each pair at least once. Take fewer `ranks` or a longer panel."
        )
    variances = record.shock_variances
    if not (variances > 0.0).all():
        raise ValueError("a rank has no shocks of its own; allowed: returns that differ between names.")
    drifts = -0.5 * np.diff(rate, prepend=0.0, append=0.0)
    model = FirstOrder(drifts, np.sqrt(variances), _growth(record))
    noise = (1.0 - 2.0 / len(model)) * variances + variances.sum() / len(model) ** 2
    return FirstOrderFit(
        model=model,
        drift_error=np.sqrt(noise / record.years),
        local_time_error=model.local_time_standard_error(record.years),
        observed_gap=record.mean_gap,
        years=record.years,
    )


def calibrate_atlas(panel: Panel, ranks: int | None = None) -> AtlasFit:
    """Return the Atlas model of the largest ranks, its drift once from local times and once from the capital curve.

    Args:
        panel: the market.
        ranks: m; None takes as many as the market has members at all times.

    Raises:
        ValueError: more ranks than members, a panel of fewer than three sessions, or no change of places at the smallest rank.
    """
    record = rank_record(panel, ranks)
    m = record.moves.shape[1]
    variance, growth = float(record.shock_variances.mean()), _growth(record)
    drift = float(record.local_time[:, -1].sum() / record.years) / (2.0 * (m - 1))
    if not drift > 0.0:
        raise ValueError(
            f"ranks {m - 1} and {m} never change places in {record.years:.2f} years; allowed: at least once. Take fewer `ranks` or a longer panel."
        )
    slope = float((np.arange(1, m) * record.mean_gap).mean())
    return AtlasFit(
        by_local_time=Atlas(m, drift, variance**0.5, growth),
        by_curve=Atlas(m, variance / (2.0 * slope), variance**0.5, growth),
        drift_error=(variance / (m * (m - 1) * record.years)) ** 0.5,
        years=record.years,
    )


def _growth(record: RankRecord) -> float:
    """Return the mean log growth of the ranks, a year."""
    return float(record.moves.mean()) * len(record.moves) / record.years
