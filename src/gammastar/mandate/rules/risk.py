"""Rules on forecast risk: tracking error, its factor and specific parts, beta, shares of active risk."""

from __future__ import annotations

__all__ = ["Beta", "FactorRisk", "RiskContribution", "SpecificRisk", "TrackingError"]

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from gammastar.core.covariance import FactoredCovariance
from gammastar.core.rows import LinearRows, RiskCone, RiskShares, Row, indicator
from gammastar.mandate.rules.base import Reading, RuleOptions, closest

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy import ndarray

    from gammastar.market.moment import Moment

TARGET_PENALTY = 50.0
"""Growth a year for each unit of tracking error above the target: far above what a unit can earn, so a target that can be kept is kept."""


@dataclass(frozen=True)
class TrackingError(RuleOptions):
    """Ex-ante active risk, ``sqrt((w - mu)' Sigma (w - mu)) <= limit``, annual.

    Args:
        limit: the most there may be, checked after every trade.
        target: what the optimiser keeps to where the other rules let it; None for the limit itself.
        second_benchmark: measure against the mandate's second benchmark.
        second_model: measure with the mandate's second risk model.
    """

    limit: float
    target: float | None = None
    second_benchmark: bool = False
    second_model: bool = False
    needs_covariance: ClassVar[bool] = True

    @property
    def name(self) -> str:
        """``tracking_error``, with what is second about it."""
        parts = ("second_benchmark" if self.second_benchmark else "", "second_model" if self.second_model else "")
        return ".".join(("tracking_error", *(part for part in parts if part)))

    @property
    def needs(self) -> tuple[str, ...]:
        """The covariance, and the second benchmark where it is measured against."""
        return ("second_covariance" if self.second_model else "covariance", *(("second_benchmark",) if self.second_benchmark else ()))

    def rows(self, moment: Moment) -> tuple[Row, ...]:
        """Return one second-order cone, and a soft one at the target."""
        cone = RiskCone(self.name, _model(self, moment), _centre(self, moment), self.limit, self.penalty)
        if self.target is None:
            return (cone,)
        return (cone, replace(cone, limit=self.target, penalty=TARGET_PENALTY))

    def measure(self, weights: Float[ndarray, " n"], moment: Moment) -> Reading:
        """Return the forecast tracking error."""
        value = float(np.sqrt(_model(self, moment).quadratic(weights - _centre(self, moment))))
        return Reading(self.name, value, self.limit, self.limit - value)


def _centre(rule: TrackingError | Beta, moment: Moment) -> Float[ndarray, " n"]:
    return moment.need_second_benchmark(rule.name) if rule.second_benchmark else moment.benchmark


def _model(rule: TrackingError, moment: Moment) -> FactoredCovariance:
    return moment.need_second_covariance(rule.name) if rule.second_model else moment.need_covariance(rule.name)


@dataclass(frozen=True)
class FactorRisk(RuleOptions):
    """The factor part of active risk, ``norm(B'(w - mu)) <= limit``, annual."""

    limit: float
    name: ClassVar[str] = "tracking_error.factor"
    needs_covariance: ClassVar[bool] = True

    def rows(self, moment: Moment) -> tuple[Row, ...]:
        """Return one second-order cone of the loadings alone."""
        sigma = moment.need_covariance(self.name)
        alone = FactoredCovariance(sigma.loadings, np.zeros(len(sigma)))
        return (RiskCone(self.name, alone, moment.benchmark, self.limit, self.penalty),)

    def measure(self, weights: Float[ndarray, " n"], moment: Moment) -> Reading:
        """Return the factor part of the forecast tracking error."""
        value = float(np.sqrt(moment.need_covariance(self.name).parts(weights - moment.benchmark)[0]))
        return Reading(self.name, value, self.limit, self.limit - value)


@dataclass(frozen=True)
class SpecificRisk(RuleOptions):
    """The specific part of active risk, ``sqrt((w - mu)' D (w - mu)) <= limit``, annual."""

    limit: float
    name: ClassVar[str] = "tracking_error.specific"
    needs_covariance: ClassVar[bool] = True

    def rows(self, moment: Moment) -> tuple[Row, ...]:
        """Return one second-order cone of the specific variances alone."""
        sigma = moment.need_covariance(self.name)
        alone = FactoredCovariance(np.zeros((len(sigma), 0)), sigma.specific)
        return (RiskCone(self.name, alone, moment.benchmark, self.limit, self.penalty),)

    def measure(self, weights: Float[ndarray, " n"], moment: Moment) -> Reading:
        """Return the specific part of the forecast tracking error."""
        value = float(np.sqrt(moment.need_covariance(self.name).parts(weights - moment.benchmark)[1]))
        return Reading(self.name, value, self.limit, self.limit - value)


@dataclass(frozen=True)
class Beta(RuleOptions):
    """``abs(beta' w - 1) <= limit`` with ``beta = Sigma nu / nu' Sigma nu``, the forecast beta to the benchmark nu.

    Args:
        limit: distance from one.
        second_benchmark: nu is the mandate's second benchmark.
    """

    limit: float
    second_benchmark: bool = False
    unit: ClassVar[str] = "beta"
    needs_covariance: ClassVar[bool] = True

    @property
    def name(self) -> str:
        """``beta``, or ``beta.second_benchmark``."""
        return "beta.second_benchmark" if self.second_benchmark else "beta"

    @property
    def needs(self) -> tuple[str, ...]:
        """The covariance, and the second benchmark where it is measured against."""
        return ("covariance", *(("second_benchmark",) if self.second_benchmark else ()))

    def rows(self, moment: Moment) -> tuple[Row, ...]:
        """Return one row."""
        nu = _centre(self, moment)
        against = moment.need_covariance(self.name).times(nu)
        variance = float(against @ nu)
        one = np.ones(1)
        if not variance > 0.0:  # a market without risk has no beta: every portfolio keeps the rule
            return ()
        beta = against / variance
        return (LinearRows(self.name, ("beta",), beta[None, :], 1.0 - self.limit * one, 1.0 + self.limit * one, -one, one, self.penalty),)

    def measure(self, weights: Float[ndarray, " n"], moment: Moment) -> Reading:
        """Return the distance of the portfolio's forecast beta from one."""
        sigma, nu = moment.need_covariance(self.name), _centre(self, moment)
        variance = sigma.quadratic(nu)
        if not variance > 0.0:
            return Reading(self.name, 0.0, self.limit, self.limit, "the benchmark has no risk")
        factor_nu, factor_w = sigma.loadings.T @ nu, sigma.loadings.T @ weights
        covariance = float(factor_w @ factor_nu + np.sum(weights * sigma.specific * nu))
        value = abs(covariance / variance - 1.0)
        return Reading(self.name, value, self.limit, self.limit - value)


@dataclass(frozen=True)
class RiskContribution(RuleOptions):
    """Share of active variance of each name, or of each group of an attribute: ``sum_{i in group} d_i (Sigma d)_i <= limit d' Sigma d``.

    Not convex: kept by sequential convex steps and marked `heuristic`.

    Args:
        limit: share, 0 to 1.
        attribute: groups of it; None for single names.
    """

    limit: float
    attribute: str | None = None
    unit: ClassVar[str] = "% of active variance"
    needs_covariance: ClassVar[bool] = True

    @property
    def name(self) -> str:
        """``risk_contribution``, with the attribute."""
        return "risk_contribution" if self.attribute is None else f"risk_contribution.{self.attribute}"

    @property
    def needs(self) -> tuple[str, ...]:
        """The covariance, and the attribute."""
        return ("covariance", *(() if self.attribute is None else (f"groups.{self.attribute}",)))

    def rows(self, moment: Moment) -> tuple[Row, ...]:
        """Return the shares to be kept."""
        sigma = moment.need_covariance(self.name)
        if self.attribute is None:
            return (RiskShares(self.name, sigma, moment.benchmark, moment.assets.ids, None, self.limit),)
        labels, codes = moment.group(self.attribute)
        matrix = indicator(codes, len(labels))
        return (RiskShares(self.name, sigma, moment.benchmark, tuple(labels), matrix, self.limit),)

    def measure(self, weights: Float[ndarray, " n"], moment: Moment) -> Reading:
        """Return the largest share."""
        sigma, active = moment.need_covariance(self.name), weights - moment.benchmark
        exposure = sigma.loadings.T @ active
        by_name = active * (sigma.loadings @ exposure) + sigma.specific * active**2
        total = float(by_name.sum())
        if not total > 0.0:
            return Reading(self.name, 0.0, self.limit, self.limit, "no active risk")
        if self.attribute is None:
            shares, labels = by_name / total, [moment.assets.label(i) for i in range(len(weights))]
        else:
            groups, codes = moment.group(self.attribute)
            shares, labels = np.bincount(codes, weights=by_name, minlength=len(groups)) / total, list(groups)
        return closest(Reading(self.name, share, self.limit, self.limit - share, label) for share, label in zip(shares.tolist(), labels, strict=True))
