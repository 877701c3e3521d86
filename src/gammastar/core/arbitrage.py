"""Relative-arbitrage diagnostics: how fast a market has released its volatility to a generated portfolio, and what horizon that rate would imply.

These are diagnostics and never promises. The theorems (Fernholz and Karatzas 2005; Fernholz, Karatzas and Ruf 2018) ask that the cumulated excess
growth grow at least so fast on every path, for ever. A history shows one path that has ended: it can refute a rate, and cannot establish one. No
cost, lag or change of the index is in any of these figures.
"""

from __future__ import annotations

__all__ = ["GammaProcess", "additive_gamma", "forecast_gamma", "multiplicative_gamma"]

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gammastar.core.generating import bregman_divergence, l_divergence
from gammastar.core.simplex import drifted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float
    from numpy import ndarray

    from gammastar.core.covariance import FactoredCovariance
    from gammastar.core.generating import GeneratingFunction


@dataclass(frozen=True, eq=False)
class GammaProcess:
    """The cumulated excess growth of a generating function along a history: what concavity has earned, the boundary left out.

    A diagnostic, never a promise: it describes the steps that were, and no theorem carries its rate beyond them.

    Args:
        path: cumulated from zero, shape (t+1,). In units of G (additive), or of log wealth (multiplicative).
        start: G at the start (additive), or log G at the start (multiplicative).
        periods: steps in a year.
    """

    path: Float[ndarray, " t1"]
    start: float
    periods: int

    @property
    def rate(self) -> float:
        """Mean slope of the path, a year."""
        return float(self.path[-1]) * self.periods / (len(self.path) - 1)

    def lowest_rate(self, window: int) -> float:
        """Return the smallest slope, a year, over any `window` steps running: the rate that this history does not refute at that length.

        Raises:
            ValueError: a window that is longer than the history or shorter than a step.
        """
        if not 1 <= window < len(self.path):
            raise ValueError(f"a window must have 1 to {len(self.path) - 1} steps, got {window}")
        return float(np.min(self.path[window:] - self.path[:-window])) * self.periods / window

    def cushion(self, lowest: float) -> float:
        """Return ``start - lowest``: the most that the boundary can take if G (additive) or log G (multiplicative) never falls below `lowest`.

        Raises:
            ValueError: a lowest value above the start.
        """
        if not lowest <= self.start:
            raise ValueError(f"the lowest value cannot be above the value at the start, {self.start}, got {lowest}")
        return self.start - lowest

    def horizon(self, lowest: float, rate: float | None = None) -> float | None:
        """Return the years after which a path of slope `rate` would exceed the cushion, or None where the rate is not positive.

        A diagnostic, never a promise: if the path grew at least at `rate` for ever, on every path of the market, the portfolio would beat the market over
        each longer horizon with certainty. That "if" is not something a history can show.

        Args:
            lowest: lower bound of G (additive) or of log G (multiplicative) over all weights the market can take.
            rate: slope a year; the mean slope by default.
        """
        slope = self.rate if rate is None else rate
        return self.cushion(lowest) / slope if slope > 0.0 else None

    def crossing(self, lowest: float) -> int | None:
        """Return the first time at which the path itself exceeded the cushion, or None where it never did. A fact about this history only."""
        beyond = np.flatnonzero(self.path > self.cushion(lowest))
        return int(beyond[0]) if len(beyond) else None


def multiplicative_gamma(
    function: GeneratingFunction, mu: Float[ndarray, "t n"], gross: Float[ndarray, "t n"], *, periods: int
) -> GammaProcess:
    """Return the cumulated L-divergence ``sum_s T(nu_s | mu_s)``, exact, with log G at the start.

    A diagnostic, never a promise. Where nothing but returns moves the weights, ``log(V_pi / V_mu) = log G(mu_t) - log G(mu_0) + path``.

    Args:
        function: the generating function, concave where the path is to be increasing.
        mu: market weights at the start of each step, shape (t, n).
        gross: gross returns of each step, shape (t, n).
        periods: steps in a year.

    Raises:
        ValueError: no steps, or shapes that do not fit together.

    >>> from gammastar.core.generating import Diversity
    >>> found = multiplicative_gamma(Diversity(0.0), np.array([[0.5, 0.5]]), np.array([[1.2, 0.8]]), periods=252)
    >>> bool(np.isclose(found.path[-1], -0.5 * np.log(1.2 * 0.8)))
    True
    """
    _check(mu, gross)
    steps = l_divergence(function, mu, drifted(mu, gross))
    return GammaProcess(np.concatenate(([0.0], np.cumsum(steps))), float(function.log_value(mu[:1])[0]), periods)


def additive_gamma(
    function: GeneratingFunction, mu: Float[ndarray, "t n"], gross: Float[ndarray, "t n"], *, periods: int
) -> GammaProcess:
    """Return the cumulated Bregman divergence ``sum_s B(nu_s | mu_s)``, ``B(q|p) = G(p) - G(q) + grad G(p).(q - p)``, with G at the start.

    A diagnostic, never a promise. It is the discrete Gamma process of Karatzas and Ruf (2017): where nothing but returns moves the weights, the additively
    generated strategy has ``V_t = G(mu_t) + path`` relative to the market.

    Args:
        function: the generating function, concave where the path is to be increasing.
        mu: market weights at the start of each step, shape (t, n).
        gross: gross returns of each step, shape (t, n).
        periods: steps in a year.

    Raises:
        ValueError: no steps, or shapes that do not fit together.

    >>> from gammastar.core.generating import Entropy
    >>> found = additive_gamma(Entropy(), np.array([[0.5, 0.5]]), np.array([[1.2, 0.8]]), periods=252)
    >>> bool(np.isclose(found.path[-1], 0.6 * np.log(1.2) + 0.4 * np.log(0.8)))
    True
    """
    _check(mu, gross)
    steps = bregman_divergence(function, mu, drifted(mu, gross))
    return GammaProcess(np.concatenate(([0.0], np.cumsum(steps))), float(np.exp(function.log_value(mu[:1])[0])), periods)


def forecast_gamma(
    function: GeneratingFunction, mu: Float[ndarray, "t n"], sigmas: Sequence[FactoredCovariance], *, periods: int
) -> GammaProcess:
    """Return the continuous-time forecast of `multiplicative_gamma`: the cumulated drift ``-(1/2G) sum_ij D_ij G mu_i mu_j tau^mu_ij dt``.

    A diagnostic, never a promise, and as good as its covariances.

    Args:
        function: the generating function.
        mu: market weights at the start of each step, shape (t, n).
        sigmas: annual covariance in force in each step, t of them (they may be the same object).
        periods: steps in a year; ``dt`` is one over it.

    Raises:
        ValueError: no steps, or another number of covariances than of steps.

    >>> from gammastar.core.covariance import FactoredCovariance
    >>> from gammastar.core.generating import Diversity
    >>> sigma = FactoredCovariance(np.zeros((2, 1)), np.array([0.04, 0.04]))
    >>> forecast_gamma(Diversity(0.0), np.array([[0.5, 0.5]]), [sigma], periods=1).path.round(12).tolist()
    [0.0, 0.01]
    """
    if not len(mu) or len(mu) != len(sigmas):
        raise ValueError(f"a covariance is needed for each step, got {len(sigmas)} for {len(mu)}")
    drifts = [function.drift(weights, sigma) / periods for weights, sigma in zip(mu, sigmas, strict=True)]
    return GammaProcess(np.concatenate(([0.0], np.cumsum(drifts))), float(function.log_value(mu[:1])[0]), periods)


def _check(mu: ndarray, gross: ndarray) -> None:
    if mu.ndim != 2 or not len(mu) or mu.shape != gross.shape:
        raise ValueError(f"weights and returns must be steps by names and of one shape, got {mu.shape} and {gross.shape}")
