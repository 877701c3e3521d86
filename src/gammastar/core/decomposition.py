"""The exact discrete master equation of a generated portfolio.

From one rebalance at s to the next, returns move the weights ``mu_s`` to ``nu`` and, exactly,
``log(V_pi / V_mu) = log G(nu) - log G(mu_s) + T(nu | mu_s)``. At the next rebalance the index has the weights ``mu``: the difference
``log G(nu) - log G(mu)`` is the flow, so that over any number of steps log relative return = boundary + L-divergence + flow, with no residual
(Pal and Wong 2016; the continuous form is Fernholz 2002, theorem 3.1.5).

There are two routes. Rebalanced at every step, nothing carries over from one step to the next but the published weights, and `gammastar.core.blocks` takes
blocks of sessions; on a schedule the weights drift between rebalances, and each span is followed from its own start. A test holds them together.
"""

from __future__ import annotations

__all__ = ["GeneratedParts", "decompose"]

from typing import TYPE_CHECKING

import numpy as np

from gammastar.core.blocks import GeneratedParts, decompose_blocks

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from numpy import ndarray

    from gammastar.core.generating import GeneratingFunction


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

    Returns:
        Boundary, L-divergence and flow, in log return a step, shape (t,) each.

    Raises:
        ValueError: shapes that do not fit together.

    >>> from gammastar.core.generating import Diversity
    >>> mu, gross = np.array([[0.5, 0.5], [0.6, 0.4], [0.5, 0.5]]), np.array([[1.2, 0.8], [0.8, 1.2]])
    >>> daily, once = decompose(Diversity(0.0), mu, gross), decompose(Diversity(0.0), mu, gross, np.array([True, False, False]))
    >>> bool(daily.l_divergence.sum() > once.l_divergence.sum())
    True
    """
    steps = len(gross)
    if len(mu) != steps + 1:
        raise ValueError(f"weights are needed at {steps + 1} times for {steps} steps, got {len(mu)}")
    formed = np.ones(steps + 1, dtype=bool) if rebalanced is None else np.asarray(rebalanced)
    if formed[1:-1].all():
        parts = decompose_blocks(function, mu, gross)
        if steps and not formed[-1]:  # the last step's flow waits for a rebalance that does not come
            parts.boundary[-1] += parts.flow[-1]
            parts.flow[-1] = 0.0
        return parts
    return _on_schedule(function, mu, gross, formed)


def _on_schedule(function: GeneratingFunction, mu: Float[ndarray, "t1 n"], gross: Float[ndarray, "t n"], formed: Bool[ndarray, " t1"]) -> GeneratedParts:
    """Return the parts from one rebalance to the next: between them the weights of the index as last published drift."""
    steps = len(gross)
    starts = np.flatnonzero(np.concatenate(([True], formed[1:-1])))
    ends = np.append(starts[1:], steps)
    boundary, divergence, flow = np.empty(steps), np.empty(steps), np.zeros(steps)
    published = float(function.log_value(mu[:1])[0])
    for start, end in zip(starts, ends, strict=True):
        drifted = mu[start] * np.cumprod(gross[start:end], axis=0)
        drifted /= drifted.sum(axis=1, keepdims=True)
        log_g = np.concatenate(([published], function.log_value(drifted)))
        a_unit = np.divide(function.weights(mu[start]), mu[start], out=np.zeros_like(mu[start]), where=mu[start] > 0.0)
        excess = np.log(np.vecdot(drifted, a_unit)) - (log_g[1:] - log_g[0])
        divergence[start:end] = np.diff(excess, prepend=0.0)
        boundary[start:end] = np.diff(log_g)
        if formed[end]:
            published = float(function.log_value(mu[end : end + 1])[0])
            flow[end - 1] = log_g[-1] - published
            boundary[end - 1] += published - log_g[-1]
    return GeneratedParts(boundary, divergence, flow)
