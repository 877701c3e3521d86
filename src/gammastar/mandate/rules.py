"""Rules. Each is one frozen dataclass with two readings: `rows`, the constraint before the trade, and `measure`, the check after it.

The two share no code on purpose: the check is what a solver's answer is held against.
"""

from __future__ import annotations

__all__ = ["ActiveWeight", "Beta", "Exclude", "Exclusion", "Exposure", "Reading", "Rule", "SectorActive", "TrackingError", "Turnover", "WeightBounds"]

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

import numpy as np

from gammastar.core.exposures import size_exposure
from gammastar.core.rows import AbsoluteSum, Bounds, LinearRows, RiskCone, Row

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy import ndarray

    from gammastar.market.moment import Moment


@dataclass(frozen=True)
class Reading:
    """What one rule measures on one set of weights.

    Args:
        rule: the rule's name.
        value: what was measured, in the rule's own units (fractions).
        limit: what is allowed.
        headroom: how much is left; negative is a breach.
        where: the asset, sector or exposure that comes closest.
    """

    rule: str
    value: float
    limit: float
    headroom: float
    where: str = "portfolio"

    @property
    def breached(self) -> bool:
        """Whether the rule is broken by more than rounding (1e-8)."""
        return not self.headroom >= -1e-8  # a value that is no number is a breach too


class Rule(Protocol):
    """A rule of a mandate."""

    name: ClassVar[str]
    needs_covariance: ClassVar[bool]

    def rows(self, moment: Moment) -> tuple[Row, ...]:
        """Return the rule as labelled rows, before the trade."""
        ...

    def measure(self, weights: Float[ndarray, " n"], moment: Moment) -> Reading | None:
        """Return what the rule measures on `weights`; None if it does not apply at this moment."""
        ...


@dataclass(frozen=True)
class TrackingError:
    """Ex-ante active risk, ``sqrt((w - mu)' Sigma (w - mu)) <= limit``, annual."""

    limit: float
    name: ClassVar[str] = "tracking_error"
    needs_covariance: ClassVar[bool] = True

    def rows(self, moment: Moment) -> tuple[Row, ...]:
        """Return one second-order cone."""
        return (RiskCone(self.name, moment.need_covariance(self.name), moment.benchmark, self.limit),)

    def measure(self, weights: Float[ndarray, " n"], moment: Moment) -> Reading:
        """Return the forecast tracking error."""
        value = float(np.sqrt(moment.need_covariance(self.name).quadratic(weights - moment.benchmark)))
        return Reading(self.name, value, self.limit, self.limit - value)


@dataclass(frozen=True)
class ActiveWeight:
    """``abs(w_i - mu_i) <= limit`` for each asset in the benchmark or held."""

    limit: float
    name: ClassVar[str] = "active_weight"
    needs_covariance: ClassVar[bool] = False

    def rows(self, moment: Moment) -> tuple[Row, ...]:
        """Return bounds around the benchmark weights."""
        one = np.ones(len(moment.benchmark))
        return (Bounds(self.name, moment.benchmark - self.limit, moment.benchmark + self.limit, -one, one),)

    def measure(self, weights: Float[ndarray, " n"], moment: Moment) -> Reading:
        """Return the largest absolute active weight."""
        active = abs(weights - moment.benchmark)
        worst = int(active.argmax())
        return Reading(self.name, float(active[worst]), self.limit, self.limit - float(active[worst]), moment.assets.label(worst))


@dataclass(frozen=True)
class WeightBounds:
    """Absolute bounds on each member's weight; of several upper bounds the tightest holds.

    Args:
        minimum: ``w_i >= minimum`` for members, or None.
        maximum: ``w_i <= maximum``, or None.
        plus: ``w_i <= mu_i + plus``, or None.
        multiple: ``w_i <= multiple * mu_i``, or None.
    """

    minimum: float | None = None
    maximum: float | None = None
    plus: float | None = None
    multiple: float | None = None
    name: ClassVar[str] = "weight"
    needs_covariance: ClassVar[bool] = False

    def rows(self, moment: Moment) -> tuple[Row, ...]:
        """Return bounds; the slope of each is that of the form that is tightest there."""
        mu, one = moment.benchmark, np.ones(len(moment.benchmark))
        upper, slope = np.full(len(mu), np.inf), np.zeros(len(mu))
        for bound, rate in ((self.maximum, (one, 0.0 * mu)), (self.plus, (one, mu)), (self.multiple, (mu, 0.0 * mu))):
            if bound is not None:
                candidate = bound * rate[0] + rate[1]
                slope = np.where(candidate < upper, rate[0], slope)
                upper = np.minimum(upper, candidate)
        lower = np.where(moment.members, self.minimum, -np.inf) if self.minimum is not None else np.full(len(mu), -np.inf)
        return (Bounds(self.name, lower.astype(np.float64), upper, np.asarray(moment.members, dtype=np.float64), slope),)

    def measure(self, weights: Float[ndarray, " n"], moment: Moment) -> Reading:
        """Return the weight that comes closest to its bound."""
        closest = Reading(self.name, 0.0, np.inf, np.inf)
        for i, weight in enumerate(weights.tolist()):
            mu = float(moment.benchmark[i])
            if weight == 0.0 and mu == 0.0:
                continue
            tops = [self.maximum, None if self.plus is None else mu + self.plus, None if self.multiple is None else mu * self.multiple]
            top = min((t for t in tops if t is not None), default=np.inf)
            if top - weight < closest.headroom:
                closest = Reading(self.name, weight, float(top), float(top - weight), moment.assets.label(i))
            if self.minimum is not None and mu > 0.0 and weight - self.minimum < closest.headroom:
                closest = Reading(self.name, weight, self.minimum, weight - self.minimum, moment.assets.label(i))
        return closest


@dataclass(frozen=True)
class SectorActive:
    """``abs(sum over a sector of (w - mu)) <= limit`` for every sector; the unknown sector is one of its own.

    Args:
        limit: for each sector without a limit of its own.
        limits: limits of single sectors, by label.
    """

    limit: float
    limits: tuple[tuple[str, float], ...] = ()
    name: ClassVar[str] = "sector"
    needs_covariance: ClassVar[bool] = False

    def rows(self, moment: Moment) -> tuple[Row, ...]:
        """Return one row a sector."""
        own = dict(self.limits)
        limits = np.array([own.get(label, self.limit) for label in moment.sector_labels])
        slopes = np.array([0.0 if label in own else 1.0 for label in moment.sector_labels])
        matrix = (moment.sector_codes[None, :] == np.arange(len(limits))[:, None]).astype(np.float64)
        held = matrix @ moment.benchmark
        return (LinearRows(self.name, moment.sector_labels, matrix, held - limits, held + limits, -slopes, slopes),)

    def measure(self, weights: Float[ndarray, " n"], moment: Moment) -> Reading:
        """Return the active weight of the sector that comes closest to its limit."""
        active = np.bincount(moment.sector_codes, weights=weights - moment.benchmark, minlength=len(moment.sector_labels))
        limits = [dict(self.limits).get(label, self.limit) for label in moment.sector_labels]
        worst = min(range(len(limits)), key=lambda s: limits[s] - abs(active[s]))
        value = abs(float(active[worst]))
        return Reading(self.name, value, limits[worst], limits[worst] - value, moment.sector_labels[worst])


@dataclass(frozen=True)
class Beta:
    """``abs(beta' w - 1) <= limit`` with ``beta = Sigma mu / mu' Sigma mu``, the forecast beta to the benchmark."""

    limit: float
    name: ClassVar[str] = "beta"
    needs_covariance: ClassVar[bool] = True

    def rows(self, moment: Moment) -> tuple[Row, ...]:
        """Return one row."""
        against = moment.need_covariance(self.name).times(moment.benchmark)
        beta = against / (against @ moment.benchmark)
        one = np.ones(1)
        return (LinearRows(self.name, ("beta",), beta[None, :], 1.0 - self.limit * one, 1.0 + self.limit * one, -one, one),)

    def measure(self, weights: Float[ndarray, " n"], moment: Moment) -> Reading:
        """Return the distance of the portfolio's forecast beta from one."""
        sigma, mu = moment.need_covariance(self.name), moment.benchmark
        factor_mu, factor_w = sigma.loadings.T @ mu, sigma.loadings.T @ weights
        covariance = float(factor_w @ factor_mu + np.sum(weights * sigma.specific * mu))
        value = abs(covariance / sigma.quadratic(mu) - 1.0)
        return Reading(self.name, value, self.limit, self.limit - value)


@dataclass(frozen=True)
class Exposure:
    """``abs(sum_i (w_i - mu_i) x_i) <= limit`` for size: x is the log benchmark weight, benchmark-weighted mean 0, standard deviation 1."""

    limit: float
    characteristic: str = "size"
    name: ClassVar[str] = "exposure"
    needs_covariance: ClassVar[bool] = False

    def rows(self, moment: Moment) -> tuple[Row, ...]:
        """Return one row."""
        x = size_exposure(moment.benchmark)
        centre, one = float(x @ moment.benchmark), np.ones(1)
        return (LinearRows(self.name, (self.characteristic,), x[None, :], (centre - self.limit) * one, (centre + self.limit) * one, -one, one),)

    def measure(self, weights: Float[ndarray, " n"], moment: Moment) -> Reading:
        """Return the absolute active exposure, from first principles."""
        member = moment.members
        log_mu = np.log(moment.benchmark[member])
        active = (weights - moment.benchmark)[member]
        # a name outside the benchmark has exposure zero, so the mean has to be taken out of the members' active weight
        deviation = log_mu - np.average(log_mu, weights=moment.benchmark[member])
        value = abs(float(active @ deviation)) / float(log_mu.std()) if np.ptp(log_mu) > 1e-9 else 0.0
        return Reading(self.name, value, self.limit, self.limit - value, self.characteristic)


@dataclass(frozen=True)
class Exclusion:
    """One asset not to be held: why, and by which clause of the mandate."""

    asset: str
    reason: str
    clause: str = ""


@dataclass(frozen=True)
class Exclude:
    """Assets that may not be held."""

    assets: tuple[Exclusion, ...]
    name: ClassVar[str] = "exclude"
    needs_covariance: ClassVar[bool] = False

    def rows(self, moment: Moment) -> tuple[Row, ...]:
        """Return upper bounds of zero."""
        nothing = np.zeros(len(moment.benchmark))
        upper = np.full(len(nothing), np.inf)
        upper[[moment.assets.index[item.asset] for item in self.assets if item.asset in moment.assets.index]] = 0.0
        return (Bounds(self.name, np.full(len(nothing), -np.inf), upper, nothing, nothing),)

    def measure(self, weights: Float[ndarray, " n"], moment: Moment) -> Reading:
        """Return the largest weight of an excluded asset."""
        found = [(float(weights[k]), k) for item in self.assets if (k := moment.assets.index.get(item.asset)) is not None]
        value, column = max(found, default=(0.0, -1))
        return Reading(self.name, value, 0.0, -value, moment.assets.label(column) if column >= 0 else "none of them listed")


@dataclass(frozen=True)
class Turnover:
    """Two-way turnover of one rebalance, ``sum_i abs(w_i - held_i) <= limit``, names that left the benchmark included."""

    limit: float
    name: ClassVar[str] = "turnover"
    needs_covariance: ClassVar[bool] = False

    def rows(self, moment: Moment) -> tuple[Row, ...]:
        """Return one absolute sum around the holdings (the benchmark, where holdings are not known)."""
        centre = moment.benchmark if moment.holdings is None else moment.holdings
        return (AbsoluteSum(self.name, centre, self.limit),)

    def measure(self, weights: Float[ndarray, " n"], moment: Moment) -> Reading | None:
        """Return the two-way turnover; None where holdings are not known."""
        if moment.holdings is None:
            return None
        value = float(sum(abs(w - h) for w, h in zip(weights.tolist(), moment.holdings.tolist(), strict=True)))
        return Reading(self.name, value, self.limit, self.limit - value)
