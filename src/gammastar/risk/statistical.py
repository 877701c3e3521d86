"""An exponentially weighted statistical factor model."""

from __future__ import annotations

__all__ = ["RiskModel", "StatisticalFactors"]

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from gammastar.risk.online import OnlineReturns, log_returns
from gammastar.risk.weighted import components_of, known_names, leading_components, spread_to_all, weighted_variance

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from numpy import ndarray

    from gammastar.core.covariance import FactoredCovariance
    from gammastar.market.moment import Moment
    from gammastar.risk.moments import WeightedMoments


class RiskModel(Protocol):
    """Anything that turns what is known at a moment into a covariance."""

    def estimate(self, moment: Moment) -> FactoredCovariance:
        """Return the annual covariance of log returns of all n assets of the moment."""
        ...


@dataclass(frozen=True)
class StatisticalFactors:
    """Principal components of the exponentially weighted correlation matrix, with volatilities of their own half-life.

    Volatility of each name: root of the weighted mean of squared log returns (mean zero), with `volatility_half_life`. Correlations: the first
    `factors` components of the weighted correlation matrix with `correlation_half_life`; what they leave of each variance is specific.
    Total volatility is not shrunk across names by default: an objective that buys volatility would buy exactly the names shrunk down.

    Only observed returns enter. A name with fewer than `minimum` of them in the window of `recent` sessions is short: it gets the loadings and
    the total variance typical of its sector (medians over the names that are not short).

    Args:
        factors: number of components.
        volatility_half_life: in sessions.
        correlation_half_life: in sessions.
        window: sessions looked back.
        minimum: observed returns that a name needs among the last `recent` sessions.
        recent: see `minimum`.
        correlation_shrinkage: from 0 to 1, how far correlations are moved towards those the first component alone explains.
        volatility_shrinkage: from 0 to 1, how far log volatilities are moved towards their cross-sectional mean.

    Raises:
        ValueError: a parameter outside its range.
    """

    factors: int = 20
    volatility_half_life: float = 42.0
    correlation_half_life: float = 252.0
    window: int = 756
    minimum: int = 126
    recent: int = 252
    correlation_shrinkage: float = 0.0
    volatility_shrinkage: float = 0.0

    def __post_init__(self) -> None:
        if self.factors < 1 or not 2 <= self.minimum <= self.recent <= self.window:
            raise ValueError("need factors >= 1 and 2 <= minimum <= recent <= window")
        if min(self.volatility_half_life, self.correlation_half_life) <= 0.0:
            raise ValueError("half-lives must be positive")
        if not (0.0 <= self.correlation_shrinkage <= 1.0 and 0.0 <= self.volatility_shrinkage <= 1.0):
            raise ValueError("shrinkage must lie between 0 and 1")

    def estimate(self, moment: Moment) -> FactoredCovariance:
        """Return the annual covariance of log returns of all n assets; names neither in the benchmark nor held get zeros.

        Raises:
            StaleDataError: no name has enough observed returns.
        """
        return self.of_returns(moment, log_returns(moment, self.window))

    def online(self) -> OnlineReturns:
        """Return the form that takes one session at a time."""
        return OnlineReturns(self)

    def of_returns(self, moment: Moment, logs: Float[ndarray, "w n"]) -> FactoredCovariance:
        """Return the covariance; `logs` are the log returns of the last sessions of the moment, zero where not observed.

        Raises:
            StaleDataError: no name has enough observed returns.
        """
        known = known_names(moment, minimum=self.minimum, recent=self.recent)
        return spread_to_all(moment, known, *self._fit(logs[:, known], moment.observed[-self.window :, known]))

    def of_moments(self, moment: Moment, moments: WeightedMoments) -> FactoredCovariance:
        """Return the covariance; `moments` are those of the last sessions of the moment, with these half-lives and this window.

        Raises:
            StaleDataError: no name has enough observed returns.
        """
        known = known_names(moment, minimum=self.minimum, recent=self.recent)
        variances, correlations = self._shrunk(moments.variances(known)), moments.correlations(known)
        return spread_to_all(moment, known, self._loadings(components_of(correlations, min(self.factors, self.window, len(known))), variances), variances)

    def _fit(self, logs: Float[ndarray, "t m"], observed: Bool[ndarray, "t m"]) -> tuple[Float[ndarray, "m k"], Float[ndarray, " m"]]:
        """Return loadings and total variances a session of names that all have enough returns."""
        age = np.arange(len(logs) - 1, -1, -1.0)
        variances = self._shrunk(weighted_variance(logs, observed, 0.5 ** (age / self.volatility_half_life)))
        standard = logs * np.sqrt(0.5 ** (age / self.correlation_half_life))[:, None]
        norms = np.sqrt(np.einsum("tm,tm->m", standard, standard))
        standard /= np.where(norms > 0.0, norms, 1.0)
        return self._loadings(leading_components(standard, min(self.factors, *standard.shape)), variances), variances

    def _shrunk(self, variances: Float[ndarray, " m"]) -> Float[ndarray, " m"]:
        """Return variances with their logs moved towards the mean of logs."""
        if self.volatility_shrinkage == 0.0:
            return variances
        logs = np.log(variances)
        return np.asarray(np.exp(logs + self.volatility_shrinkage * (logs.mean() - logs)))

    def _loadings(self, components: Float[ndarray, "m k"], variances: Float[ndarray, " m"]) -> Float[ndarray, "m k"]:
        """Return components of correlations as loadings of returns, all but the first shrunk."""
        components[:, 1:] *= np.sqrt(1.0 - self.correlation_shrinkage)
        return np.asarray(components * np.sqrt(variances)[:, None])
