"""A hybrid factor model: named factors by regressions on today's exposures, then principal components of what they leave."""

from __future__ import annotations

__all__ = ["HybridFactors", "noise"]

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import eigh

from gammastar.market.characteristics import STYLES
from gammastar.risk.cross_section import CrossSections, cross_sections
from gammastar.risk.online import OnlineSections
from gammastar.risk.weighted import (
    effective_sessions,
    known_names,
    leading_components,
    spread_to_all,
    weighted_variance,
    without_noise,
)

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from numpy import ndarray

    from gammastar.core.covariance import FactoredCovariance
    from gammastar.market.moment import Moment

ROUNDING = 1e-12
"""Residuals of a name alone in its sector are nothing but rounding, whose correlations mean nothing."""


@dataclass(frozen=True)
class HybridFactors:
    """Market, sectors and styles with the exposures of today, then components of the residuals: ``Sigma = X F X' + P P' + diag(D)``.

    F is the covariance of the factors' returns (`gammastar.risk.cross_section.cross_sections`): volatilities with `volatility_half_life`, correlations with
    `correlation_half_life`. X are the characteristics of today. P are the first
    components of the weighted correlation matrix of what is left, without what sampling noise adds to them (`gammastar.risk.weighted.without_noise`), scaled to
    the residual variance of each name. That is its own weighted mean square, never moved towards other names': an objective that buys volatility
    would buy exactly those whose volatility was moved down. D is what the components leave of it. The loadings are ``B = (X F^(1/2), P)``.

    When markets break, all volatilities rise at once, and the dispersion of returns between hundreds of names tells it within days, long before any one
    name's own volatility does. So Sigma is multiplied by ``max(1, s / l)``, s and l being the weighted means of dispersion (that of
    `gammastar.risk.cross_section.CrossSections`) with `surge_half_life` and with `volatility_half_life`. It only raises forecasts: calm days do not foretell
    calm months.

    Only observed returns enter. A name with fewer than `minimum` of them in the last `recent` sessions is short: it gets the mean loadings and the median
    total variance of its sector, as in `gammastar.risk.statistical.StatisticalFactors`.

    Args:
        components: of the residuals; 0 for none.
        volatility_half_life: in sessions; 42 for targets, 21 for alerts.
        correlation_half_life: in sessions.
        window: sessions looked back (exposures look back one year more).
        minimum: observed returns that a name needs among the last `recent` sessions.
        recent: see `minimum`.
        styles: of `gammastar.market.characteristics.STYLES`.
        surge_half_life: in sessions; 0 for no scaling.
        own_sensitivities: add to today's exposures what a name's residuals moved with the factors in the window, shrunk towards nothing.
        remove_noise: take the variance that specific returns give to estimated factor returns (`noise`) off F.

    Raises:
        ValueError: a parameter outside its range.
    """

    components: int = 10
    volatility_half_life: float = 42.0
    correlation_half_life: float = 252.0
    window: int = 756
    minimum: int = 126
    recent: int = 252
    styles: tuple[str, ...] = STYLES
    surge_half_life: float = 5.0
    own_sensitivities: bool = False
    remove_noise: bool = False

    def __post_init__(self) -> None:
        if self.components < 0 or not 2 <= self.minimum <= self.recent <= self.window:
            raise ValueError("need components >= 0 and 2 <= minimum <= recent <= window")
        if min(self.volatility_half_life, self.correlation_half_life) <= 0.0:
            raise ValueError("half-lives must be positive")
        if not 0.0 <= self.surge_half_life < np.inf:
            raise ValueError("the surge's half-life must be positive, or 0 for no scaling")
        if len(set(self.styles)) != len(self.styles) or not set(self.styles) <= set(STYLES):
            raise ValueError(f"styles must be different ones of {', '.join(STYLES)}")

    def estimate(self, moment: Moment) -> FactoredCovariance:
        """Return the annual covariance of log returns of all n assets; names neither in the benchmark nor held get zeros.

        Raises:
            StaleDataError: no name has enough observed returns.
        """
        known_names(moment, minimum=self.minimum, recent=self.recent)  # refused before the work
        return self.of_sections(moment, cross_sections(moment, window=self.window, styles=self.styles))

    def online(self) -> OnlineSections:
        """Return the form that takes one session at a time."""
        return OnlineSections(self)

    def of_sections(self, moment: Moment, found: CrossSections) -> FactoredCovariance:
        """Return the covariance; `found` are the `cross_sections` of the moment with this window and these styles.

        Raises:
            StaleDataError: no name has enough observed returns.
        """
        known = known_names(moment, minimum=self.minimum, recent=self.recent)
        own = self._own_sensitivities(found, known) if self.own_sensitivities else None
        residual, variances = self._residual(found, known, own)
        covariance = self._factor_covariance(found)
        if self.remove_noise:
            covariance = covariance - noise(found, moment.benchmark[known], (known, variances))
        exposures = found.exposures[known] if own is None else found.exposures[known] + own
        named = exposures @ _root(covariance)
        surge = self._surge(found.dispersion)
        total = np.einsum("nk,nk->n", named, named) + variances
        return spread_to_all(moment, known, np.column_stack((named, residual)) * np.sqrt(surge), total * surge)

    def _surge(self, dispersion: Float[ndarray, " w"]) -> float:
        """Return by how much the variance of the last sessions is above that of the half-life of volatilities; 1 or more."""
        if self.surge_half_life == 0.0 or not dispersion.any():
            return 1.0
        sessions = np.flatnonzero(dispersion)
        age = sessions[-1] - sessions
        fast, slow = (np.average(dispersion[sessions], weights=0.5 ** (age / half)) for half in (self.surge_half_life, self.volatility_half_life))
        return max(1.0, float(fast / slow))

    def _factor_covariance(self, found: CrossSections) -> Float[ndarray, "k k"]:
        """Return the second moments of the factors' returns a session, over those in which every style was known (over all, where there is none)."""
        use = found.complete if found.complete.any() else np.ones_like(found.complete)
        age = np.arange(len(use) - 1, -1, -1.0)[use]
        returns = found.returns[use]
        weight = 0.5 ** (age / self.volatility_half_life)
        volatility = np.sqrt((weight @ np.square(returns)) / weight.sum())
        standard = returns * np.sqrt(0.5 ** (age / self.correlation_half_life))[:, None]
        norms = np.sqrt(np.einsum("tk,tk->k", standard, standard))
        standard *= np.divide(volatility, norms, out=np.zeros_like(norms), where=norms > 0.0)
        return np.asarray(standard.T @ standard)

    def _own_sensitivities(self, found: CrossSections, known: Int[ndarray, " m"]) -> Float[ndarray, "m k"]:
        """Return what each name's residuals move with the factors' returns beyond its exposures: weighted regressions over time, shrunk (empirical Bayes).

        Characteristics do not tell all of a name's sensitivity. An optimiser that cancels exposures keeps what they do not tell, and residuals then move with
        the factors. Of the regression's slopes ``b_ik`` of factor k the share ``max(0, 1 - sum_i v_ik / sum_i b_ik^2)`` is kept, v being their sampling variances.
        """
        residuals, observed, returns = found.residuals[:, known], found.observed[:, known], found.returns
        weights = 0.5 ** (np.arange(len(returns) - 1, -1, -1.0) / self.correlation_half_life)
        inverse = np.linalg.pinv((returns.T * weights) @ returns, rcond=1e-6, hermitian=True)
        slopes = ((returns.T * weights) @ residuals).T @ inverse
        spread = np.diag(inverse @ ((returns.T * weights**2) @ returns) @ inverse)
        sampling = spread * weighted_variance(residuals, observed, weights).sum()
        squares = np.einsum("mk,mk->k", slopes, slopes)
        share = np.divide(sampling, squares, out=np.ones_like(squares), where=squares > 0.0)
        return np.asarray(slopes * np.maximum(1.0 - share, 0.0))

    def _residual(
        self, found: CrossSections, known: Int[ndarray, " m"], own: Float[ndarray, "m k"] | None
    ) -> tuple[Float[ndarray, "m c"], Float[ndarray, " m"]]:
        """Return loadings on the components and total residual variances a session of names that all have enough returns."""
        observed, residuals = found.observed[:, known], found.residuals[:, known]
        if own is not None:
            residuals = np.where(observed, residuals - found.returns @ own.T, 0.0)
        age = np.arange(len(residuals) - 1, -1, -1.0)
        variances = weighted_variance(residuals, observed, 0.5 ** (age / self.volatility_half_life))
        weights = 0.5 ** (age / self.correlation_half_life)
        standard = residuals * np.sqrt(weights)[:, None]
        norms = np.sqrt(np.einsum("tm,tm->m", standard, standard))
        standard *= np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > ROUNDING)
        count = min(self.components, *standard.shape)
        loadings = leading_components(standard, count) if count else np.zeros((len(known), 0))
        loadings = without_noise(loadings, effective_sessions(weights)) if count else loadings
        return loadings * np.sqrt(variances)[:, None], variances


def noise(
    found: CrossSections, mu: Float[ndarray, " m"], specific: tuple[Int[ndarray, " m"], Float[ndarray, " m"]]
) -> Float[ndarray, "k k"]:
    """Return ``A diag(s^2) A'``, what specific returns add to the second moments of estimated factor returns.

    The regression ``f = A log R`` of today's exposures and weights returns ``f + A e``; a portfolio with a large exposure would have the variance of
    ``A e`` counted twice, once as its factors' and once as its names' own.

    Args:
        found: the regressions.
        mu: benchmark weights of the names, shape (m,).
        specific: their columns, and their residual variances a session.
    """
    columns, variances = specific
    exposures = found.exposures[columns]
    root = np.sqrt(mu)[:, None]
    border = np.where(found.sectors, mu @ exposures, 0.0)[:, None]
    weighted = exposures * root
    system = np.block([[weighted.T @ exposures, border], [border.T, np.zeros((1, 1))]])
    size = len(border)
    estimator = np.linalg.pinv(system, rcond=1e-10, hermitian=True)[:size, :size] @ weighted.T
    return np.asarray((estimator * variances) @ estimator.T)


def _root(covariance: Float[ndarray, "k k"]) -> Float[ndarray, "k k"]:
    """Return the symmetric root; eigenvalues below zero count as zero."""
    values, vectors = eigh(covariance)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T)
