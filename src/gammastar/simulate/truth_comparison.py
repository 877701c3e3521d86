"""The truth of a large-cap market beside what its path shows."""

from __future__ import annotations

__all__ = ["true_index_variances", "truth_comparisons"]

from typing import TYPE_CHECKING

import numpy as np

from gammastar.core.excess_growth import excess_growth, free_energy
from gammastar.simulate.comparison import Comparison, Unit

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from numpy import ndarray

    from gammastar.market.panel import Panel
    from gammastar.simulate.truth import Truth

EVERY = 5  # sessions from one look at the true covariance to the next; it moves slowly


def true_index_variances(panel: Panel, truth: Truth) -> tuple[Int[ndarray, " k"], Float[ndarray, " k"]]:
    """Return some positions, and the true annual variance of the index over the session after each."""
    at = np.arange(0, len(panel) - 1, EVERY)
    return at, np.array([truth.covariance(t).quadratic(panel.benchmark[t]) for t in at.tolist()])


def truth_comparisons(panel: Panel, truth: Truth) -> tuple[Comparison, ...]:
    """Return truths of the index, taken at its own weights every fifth session, beside what its path shows.

    Excess growth is `excess_growth` with the true covariance, and the free energy of the sessions; the growth of the names is by index weight. Standard errors take sessions as independent; that of the volatility also takes returns as normal given the true variance.
    """
    periods, mu, returns = panel.frequency.periods, panel.benchmark[:-1], panel.returns[1:]
    at, variances = true_index_variances(panel, truth)
    captured = free_energy(mu, 1.0 + returns)
    grown = (mu * np.log1p(returns)).sum(axis=1)
    true_excess = float(np.mean([excess_growth(mu[t], truth.covariance(t)) for t in at.tolist()]))
    true_growth = float(np.mean([mu[t] @ truth.growth_rates(t) for t in at.tolist()]))
    volatility = float(np.sqrt(variances.mean()))
    noise = float(np.sqrt(np.square(variances).mean() / (2.0 * len(mu)))) / volatility
    seen = float(panel.benchmark_returns[1:].std(ddof=1) * np.sqrt(periods))
    return (
        Comparison("excess growth of the index", Unit.FRACTION_A_YEAR, true_excess, float(captured.mean()) * periods, _error(captured, periods)),
        Comparison("growth of the names, by index weight", Unit.FRACTION_A_YEAR, true_growth, float(grown.mean()) * periods, _error(grown, periods)),
        Comparison("volatility of the index", Unit.FRACTION_A_YEAR, volatility, seen, noise),
    )


def _error(steps: Float[ndarray, " t"], periods: int) -> float:
    return float(steps.std(ddof=1)) * periods / float(np.sqrt(len(steps)))
