"""The Track: a track record. Reports read nothing else, so they serve backtests, live accounts and returns from elsewhere alike."""

from __future__ import annotations

__all__ = ["Attribution", "Compliance", "Decomposition", "Forecast", "Holdings", "Track", "Trading"]

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from gammastar.market.arrays import frozen_array

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jaxtyping import Float, Int
    from numpy import ndarray

    from gammastar.market.assets import Assets
    from gammastar.market.calendar import Frequency


@dataclass(frozen=True, eq=False)
class Attribution:
    """Exact parts of each session's log relative return, shape (t,) each; they sum to it, and `residual` is what rounding leaves.

    Args:
        allocation: ``(pi - mu)' log R``.
        captured_volatility: ``FE(pi, R) - FE(mu, R)``, the difference of the free energies.
        cost: ``log(1 - cost fraction)``, not positive.
        residual: log relative return minus the three parts.
    """

    allocation: Float[ndarray, " t"]
    captured_volatility: Float[ndarray, " t"]
    cost: Float[ndarray, " t"]
    residual: Float[ndarray, " t"]


@dataclass(frozen=True, eq=False)
class Decomposition:
    """Exact parts of each session's log relative return of a generated strategy, shape (t,) each.

    Args:
        boundary: change of log G from published weights to published weights.
        l_divergence: ``T(nu | mu) >= 0``, what rebalancing earned.
        flow: what index changes took or gave, ``log G(nu) - log G(mu)``.
        execution: held portfolio minus ideally generated portfolio (lag, band, lots, cash).
        cost: ``log(1 - cost fraction)``.
        residual: log relative return minus the five parts.
    """

    boundary: Float[ndarray, " t"]
    l_divergence: Float[ndarray, " t"]
    flow: Float[ndarray, " t"]
    execution: Float[ndarray, " t"]
    cost: Float[ndarray, " t"]
    residual: Float[ndarray, " t"]


@dataclass(frozen=True, eq=False)
class Forecast:
    """What the risk model in force said of the weights that earned each session's return; annual; shape (t,) each.

    Args:
        tracking_error: ``sqrt((pi - mu)' Sigma (pi - mu))``.
        factor_share: the part of its square that factors explain, from 0 to 1 (0 where the tracking error is 0).
        captured_volatility: ``gamma*_pi - gamma*_mu``.
    """

    tracking_error: Float[ndarray, " t"]
    factor_share: Float[ndarray, " t"]
    captured_volatility: Float[ndarray, " t"]


@dataclass(frozen=True, eq=False)
class Trading:
    """What was traded at each session's close, shape (t,) each, as fractions of the portfolio's value before the trade.

    Args:
        turnover_two_way: sum of absolute traded weight.
        cost: cost paid.
        initial: position of the initial purchase, left out of the turnover statistic, or -1.
    """

    turnover_two_way: Float[ndarray, " t"]
    cost: Float[ndarray, " t"]
    initial: int = -1


@dataclass(frozen=True, eq=False)
class Holdings:
    """Weights at each session's close, after trading.

    Args:
        assets: the n assets.
        weights: of the portfolio, shape (t, n); one minus their sum is cash.
        benchmark: of the index after that close's changes, shape (t, n).
        sector_labels: group names.
        sector_active: active weight by group, shape (t, s).
        size: active exposure to size (standardised log benchmark weight), shape (t,).
        relative_volatility: ``sqrt(diag tau^mu)`` a year under the last risk model, shape (n,), or None.
        sector_codes: the group of each asset at the last session, shape (n,).
    """

    assets: Assets
    weights: Float[ndarray, "t n"]
    benchmark: Float[ndarray, "t n"]
    sector_labels: tuple[str, ...]
    sector_active: Float[ndarray, "t s"]
    size: Float[ndarray, " t"]
    sector_codes: Int[ndarray, " n"]
    relative_volatility: Float[ndarray, " n"] | None = None


@dataclass(frozen=True, eq=False)
class Compliance:
    """The daily log of the rules, one entry a session and rule; equal lengths.

    Args:
        session: dates.
        rule: the rule's name.
        value: what was measured.
        limit: what is allowed.
        headroom: limit minus value in the rule's own sense; negative is a breach.
        where: the asset, sector or exposure that comes closest.
        verdict: ``"ok"``, ``"passive"`` (prices or the index moved), ``"band"`` (a trade stopped at the edge of the no-trade band) or ``"active"``
            (a released target did it).
    """

    session: ndarray
    rule: tuple[str, ...]
    value: Float[ndarray, " m"]
    limit: Float[ndarray, " m"]
    headroom: Float[ndarray, " m"]
    where: tuple[str, ...]
    verdict: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Track:
    """A track record. Only the dates and the two return series are required; a report shows what is there.

    Args:
        name: of the portfolio.
        benchmark_name: of the benchmark.
        start: the close at which wealth is 1, before the first session.
        sessions: dates, ``datetime64[D]``, shape (t,).
        frequency: of the sessions.
        portfolio: simple returns net of cost, shape (t,).
        benchmark: simple returns, shape (t,).
        imputed_weight: benchmark weight with an imputed return, shape (t,), or None.
        attribution, decomposition, forecast, trading, holdings, compliance: see their classes; None where not known.
        baselines: simple returns of other portfolios to show beside this one, by name, shape (t,) each.
        index_level: the published total-return index at `start` and each session, shape (t+1,), NaN where unknown, or None.
        facts: what a footer should say: conventions, fingerprints, versions.

    Raises:
        ValueError: no session, or series whose lengths differ.
    """

    name: str
    benchmark_name: str
    start: np.datetime64
    sessions: ndarray
    frequency: Frequency
    portfolio: Float[ndarray, " t"]
    benchmark: Float[ndarray, " t"]
    imputed_weight: Float[ndarray, " t"] | None = None
    attribution: Attribution | None = None
    decomposition: Decomposition | None = None
    forecast: Forecast | None = None
    trading: Trading | None = None
    holdings: Holdings | None = None
    compliance: Compliance | None = None
    baselines: Mapping[str, ndarray] = field(default_factory=dict)
    index_level: ndarray | None = None
    facts: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        sessions = frozen_array(self.sessions, "datetime64[D]")
        if len(sessions) == 0:
            raise ValueError("a track needs at least one session")
        if not len(sessions) == len(self.portfolio) == len(self.benchmark):
            raise ValueError("sessions, portfolio and benchmark must have the same length")
        for part in (self.attribution, self.decomposition, self.forecast, self.trading):
            for name, series in vars(part).items() if part is not None else ():
                if isinstance(series, np.ndarray) and len(series) != len(sessions):
                    raise ValueError(f"{type(part).__name__}.{name} has {len(series)} sessions, the track {len(sessions)}")
        object.__setattr__(self, "sessions", sessions)
        object.__setattr__(self, "portfolio", frozen_array(self.portfolio, np.float64))
        object.__setattr__(self, "benchmark", frozen_array(self.benchmark, np.float64))
        object.__setattr__(self, "baselines", MappingProxyType(dict(self.baselines)))
        object.__setattr__(self, "facts", MappingProxyType(dict(self.facts)))

    def __len__(self) -> int:
        return len(self.sessions)
