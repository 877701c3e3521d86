"""The exact discrete master equation of a generated portfolio.

From one rebalance at s to the next, returns move the weights ``mu_s`` to ``nu`` and, exactly,
``log(V_pi / V_mu) = log G(nu) - log G(mu_s) + T(nu | mu_s)``. At the next rebalance the index has the weights ``mu``: the difference
``log G(nu) - log G(mu)`` is the flow, so that over any number of steps log relative return = boundary + L-divergence + flow, with no residual.
"""

from __future__ import annotations

__all__ = ["GeneratedParts", "decompose"]

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gammastar.core.generating import relative_value

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from numpy import ndarray

    from gammastar.core.generating import GeneratingFunction


@dataclass(frozen=True, eq=False)
class GeneratedParts:
    """Parts of each step's log relative return of an ideally generated portfolio, shape (t,) each.

    Args:
        boundary: change of log G, published weights to published weights.
        l_divergence: growth of ``T(nu | mu_s)``.
        flow: ``log G(nu) - log G(mu)`` at each rebalance.
    """

    boundary: Float[ndarray, " t"]
    l_divergence: Float[ndarray, " t"]
    flow: Float[ndarray, " t"]

    def after(self, steps: int) -> GeneratedParts:
        """Return the parts from step `steps` on."""
        return GeneratedParts(self.boundary[steps:], self.l_divergence[steps:], self.flow[steps:])

    @property
    def total(self) -> Float[ndarray, " t"]:
        """Their sum: each step's log relative return."""
        return np.asarray(self.boundary + self.l_divergence + self.flow)


def decompose(
    function: GeneratingFunction,
    mu: Float[ndarray, "t1 n"],
    gross: Float[ndarray, "t n"],
    rebalanced: Bool[ndarray, " t1"] | None = None,
) -> GeneratedParts:
    """Return the exact parts of the portfolio that `function` generates, with no lag and no cost.

    Args:
        function: the generating function.
        mu: index weights at the start and after each step, shape (t+1, n).
        gross: gross returns of each step, shape (t, n).
        rebalanced: at which of the t+1 times the portfolio is formed anew, shape (t+1,); the first always is. Default: at each.
            Between rebalances the portfolio and the index it was formed on both drift with returns.

    Raises:
        ValueError: shapes that do not fit together.
    """
    steps = len(gross)
    if len(mu) != steps + 1:
        raise ValueError(f"weights are needed at {steps + 1} times for {steps} steps, got {len(mu)}")
    formed = np.ones(steps + 1, dtype=bool) if rebalanced is None else np.asarray(rebalanced)
    starts = np.flatnonzero(np.concatenate(([True], formed[1:-1])))
    ends = np.append(starts[1:], steps)
    boundary, divergence, flow = np.empty(steps), np.empty(steps), np.zeros(steps)
    for start, end in zip(starts, ends, strict=True):
        drifted = mu[start] * np.cumprod(gross[start:end], axis=0)
        drifted /= drifted.sum(axis=1, keepdims=True)
        log_g = np.concatenate((function.log_value(mu[start : start + 1]), function.log_value(drifted)))
        excess = np.log(relative_value(function, mu[start], drifted)) - (log_g[1:] - log_g[0])
        divergence[start:end] = np.diff(excess, prepend=0.0)
        boundary[start:end] = np.diff(log_g)
        if formed[end]:
            published = float(function.log_value(mu[end : end + 1])[0])
            flow[end - 1] = log_g[-1] - published
            boundary[end - 1] += published - log_g[-1]
    return GeneratedParts(boundary, divergence, flow)
