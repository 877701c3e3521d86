"""How much of the spread and of the level of forecast relative variances comes true, learnt from the past alone.

A portfolio that is chosen for large ``tau^mu_ii`` holds the names whose tau was estimated too large: the winner's curse. After each period the logs of
realised tau are regressed on the logs of its forecasts, across names; the mean of the slopes so far says how far `calibrated_captured_volatility` should move
forecasts towards their mean. What realised tau sum to over such forecasts' sum says how high they should be on the whole; the mean of its logs so far is
the level. Both are known at each decision, and need no choice with hindsight.
"""

from __future__ import annotations

__all__ = ["GrowthCalibration", "realised_relative_variances", "spread_slope"]

import math
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
class GrowthCalibration:
    """Weighted means of the slopes and of the log levels so far; weights fall with age, and a year of no correction stands at the beginning.

    Args:
        half_life: of the weights, in periods; infinite for equal ones.
        slopes: weighted sum of the slopes.
        levels: weighted sum of the log levels.
        count: sum of the weights.

    >>> GrowthCalibration().slope, GrowthCalibration().level
    (1.0, 1.0)
    >>> forecast = np.array([0.01, 0.04, 0.16])
    >>> learnt = GrowthCalibration(half_life=math.inf, slopes=1.0, count=1.0).after(0.25 * forecast, forecast)
    >>> round(learnt.slope, 12), round(learnt.level, 12)
    (1.0, 0.5)
    """

    half_life: float = 6.0
    slopes: float = 12.0
    levels: float = 0.0
    count: float = 12.0

    @property
    def slope(self) -> float:
        """The mean slope, within 0 and 1."""
        return min(max(self.slopes / self.count, 0.0), 1.0)

    @property
    def level(self) -> float:
        """The exponential of the mean log level."""
        return math.exp(self.levels / self.count)

    def after(self, realised: Float[ndarray, " n"], forecast: Float[ndarray, " n"]) -> GrowthCalibration:
        """Return what is known after another period; names whose variances are not positive are left out, a period without a slope changes nothing.

        The period's level is that of its forecasts as they were moved towards their mean by the slope known then.
        """
        use = (realised > 0.0) & (forecast > 0.0)
        came, logs = realised[use], np.log(forecast[use])
        try:
            slope = spread_slope(came, forecast[use])
        except ValueError:
            return self
        moved = np.exp(logs.mean() + self.slope * (logs - logs.mean()))
        kept = 0.5 ** (1.0 / self.half_life)
        level = math.log(came.sum() / moved.sum())
        return replace(self, slopes=kept * self.slopes + slope, levels=kept * self.levels + level, count=kept * self.count + 1.0)
