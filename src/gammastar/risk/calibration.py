"""How much of the spread of forecast relative variances comes true, learnt from the past alone.

A portfolio that is chosen for large ``tau^mu_ii`` holds the names whose tau was estimated too large: the winner's curse. After each period the logs of
realised tau are regressed on the logs of its forecasts, across names; the mean of the slopes so far says how far `calibrated_captured_volatility` should move
forecasts towards their mean. It is known at each decision, and needs no choice of a slope with hindsight.
"""

from __future__ import annotations

__all__ = ["GrowthSlope", "realised_relative_variances", "spread_slope"]

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy import ndarray


def realised_relative_variances(returns: Float[ndarray, "t n"], benchmark: Float[ndarray, " t"], *, annual: float) -> Float[ndarray, " n"]:
    """Return ``annual / t sum_t (log R_i - log R_mu)^2``, the realised counterpart of ``tau^mu_ii``, a year.

    Args:
        returns: simple returns, shape (t, n).
        benchmark: simple returns of the benchmark, shape (t,).
        annual: sessions in a year.
    """
    relative = np.log1p(returns) - np.log1p(benchmark)[:, None]
    return np.asarray(annual * np.mean(np.square(relative), axis=0))


def spread_slope(realised: Float[ndarray, " n"], forecast: Float[ndarray, " n"]) -> float:
    """Return the slope of ``log realised`` on ``log forecast`` across names: 1 where the whole spread of forecasts came true, 0 where none of it did.

    Args:
        realised: relative variances, shape (n,), positive.
        forecast: their forecasts, shape (n,), positive.

    Raises:
        ValueError: fewer than two names, a variance that is not positive, or forecasts that are all alike.

    >>> forecast = np.array([0.01, 0.04, 0.16])
    >>> round(spread_slope(0.03 * forecast**0.5, forecast), 12)
    0.5
    """
    if realised.shape != forecast.shape or len(realised) < 2 or not (bool(np.all(realised > 0.0)) and bool(np.all(forecast > 0.0))):
        raise ValueError("a slope needs two names or more, with positive variances")
    x = np.log(forecast) - np.log(forecast).mean()
    if not x @ x > 1e-20:
        raise ValueError("the forecasts are all alike")
    return float(x @ np.log(realised) / (x @ x))


@dataclass(frozen=True)
class GrowthSlope:
    """The mean of the slopes so far, beginning from a prior.

    Args:
        prior: slope before anything is known; 1 leaves forecasts as they are.
        weight: of the prior, in periods.
        total: sum of the slopes of past periods.
        count: number of them.

    >>> GrowthSlope().slope
    1.0
    >>> forecast = np.array([0.01, 0.04, 0.16])
    >>> round(GrowthSlope(weight=1.0).after(0.03 * forecast**0.5, forecast).slope, 12)
    0.75
    """

    prior: float = 1.0
    weight: float = 12.0
    total: float = 0.0
    count: int = 0

    @property
    def slope(self) -> float:
        """``(weight prior + total) / (weight + count)``, within 0 and 1."""
        return min(max((self.weight * self.prior + self.total) / (self.weight + self.count), 0.0), 1.0)

    def after(self, realised: Float[ndarray, " n"], forecast: Float[ndarray, " n"]) -> GrowthSlope:
        """Return what is known after another period; names whose variances are not positive are left out, a period without a slope changes nothing."""
        use = (realised > 0.0) & (forecast > 0.0)
        try:
            slope = spread_slope(realised[use], forecast[use])
        except ValueError:
            return self
        return replace(self, total=self.total + slope, count=self.count + 1)
