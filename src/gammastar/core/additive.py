"""Additively generated portfolios (Karatzas and Ruf 2017): G itself, not its logarithm, is the boundary of the value.

Holdings ``th_i = D_i G(mu_t) + V_t - mu_t.grad G(mu_t)`` units of ``mu_i``, value in units of the market; from a start at ``V_0 = G(mu_0)``, exactly,
``V_T = G(mu_T) + sum_t B(mu_{t+1} | mu_t)`` with the Bregman divergence B. In weights it is the bet that G generates multiplicatively, ``G / V`` times as
large: ``mu + (G / V)(pi - mu)``. It depends on V, that is, on the path.
"""

from __future__ import annotations

__all__ = ["AdditivePath", "additive_holdings", "additive_path", "additive_weights"]

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gammastar.core.argument import generator_at, log_values
from gammastar.core.generating import GeneratingFunction, bregman_divergence, relative_gain
from gammastar.core.rank import leakage
from gammastar.core.simplex import drifted

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy import ndarray


def additive_weights(function: GeneratingFunction, mu: Float[ndarray, "*t n"], value: Float[ndarray, "*t"] | float) -> Float[ndarray, "*t n"]:
    """Return ``pi^add = mu + (G(mu) / V)(pi - mu)``, with `pi` what the function generates multiplicatively.

    Args:
        function: the generating function.
        mu: market weights, last axis n.
        value: V, the portfolio's value in units of the market, positive, in units of G.

    >>> from gammastar.core.generating import GiniSimpson
    >>> additive_weights(GiniSimpson(), np.array([0.5, 0.3, 0.2]), 1.0).round(3)
    array([0.44 , 0.324, 0.236])
    """
    share = np.exp(function.log_value(mu)) / np.asarray(value)
    return np.asarray(mu + share[..., None] * (function.weights(mu) - mu))


def additive_holdings(function: GeneratingFunction, mu: Float[ndarray, "*t n"], value: Float[ndarray, "*t"] | float) -> Float[ndarray, "*t n"]:
    """Return ``th_i = D_i G + V - mu.grad G``: units of ``mu_i`` held, ``sum th_i mu_i = V``; zero for a name without weight.

    Args and units as `additive_weights`; the same shape as `mu`.

    >>> from gammastar.core.generating import GiniSimpson
    >>> mu = np.array([0.5, 0.3, 0.2])
    >>> float((additive_holdings(GiniSimpson(), mu, 1.0) @ mu).round(12))
    1.0
    """
    money = additive_weights(function, mu, value) * np.asarray(value)[..., None]
    return np.asarray(np.divide(money, mu, out=np.zeros(np.broadcast_shapes(money.shape, mu.shape)), where=mu > 0.0))


@dataclass(frozen=True, eq=False)
class AdditivePath:
    """An additively generated portfolio over t steps: value in units of the market, and the exact parts of its change.

    Args:
        value: V at the start and after each step, shape (t+1,), in units of G.
        weights: portfolio weights after each time's rebalance, shape (t+1, n).
        boundary: ``G(mu_{t+1}) - G(mu_t)``, shape (t,), as those below.
        bregman: ``B(nu | mu_t)``, not negative for concave G.
        finite_variation: ``G_t(nu) - G_{t+1}(nu)``, what a move of G's second argument took from the boundary; zero without one.
        flow: ``G(nu) - G(mu_{t+1})``, what index changes took or gave.
        leakage: of a function of ranks, ``G(m) - G(nu)`` with m the names followed; zero otherwise.
    """

    value: Float[ndarray, " t1"]
    weights: Float[ndarray, "t1 n"]
    boundary: Float[ndarray, " t"]
    bregman: Float[ndarray, " t"]
    finite_variation: Float[ndarray, " t"]
    flow: Float[ndarray, " t"]
    leakage: Float[ndarray, " t"]

    @property
    def total(self) -> Float[ndarray, " t"]:
        """The sum of the parts: each step's change of V."""
        return np.asarray(self.boundary + self.bregman + self.finite_variation + self.flow + self.leakage)

    @property
    def gamma(self) -> Float[ndarray, " t"]:
        """The Gamma process ``sum B + finite variation + leakage`` up to each step: what is earned beyond the boundary (Karatzas and Ruf 2017)."""
        return np.cumsum(self.bregman + self.finite_variation + self.leakage)

    @property
    def log_relative(self) -> Float[ndarray, " t"]:
        """Each step's log return over that of the market."""
        return np.diff(np.log(self.value))


def additive_path(
    functions: GeneratingFunction | Sequence[GeneratingFunction],
    mu: Float[ndarray, "t1 n"],
    gross: Float[ndarray, "t n"],
    *,
    start: float | None = None,
) -> AdditivePath:
    """Return the additively generated portfolio, rebalanced at every step, with no lag and no cost.

    Args:
        functions: the generating function, or ``G(., A_t)`` at each of the t+1 times for a function with a second argument.
        mu: index weights at the start and after each step, shape (t+1, n).
        gross: gross returns of each step, shape (t, n), positive.
        start: V at the start; default ``G(mu_0)``, from which V stays at least G of a concave function as long as returns alone move the index.

    Raises:
        ValueError: shapes that do not fit together, or a value that index changes brought to zero.
    """
    steps = len(gross)
    if len(mu) != steps + 1 or (isinstance(functions, Sequence) and len(functions) != steps + 1):
        raise ValueError(f"weights, and functions if many, are needed at {steps + 1} times for {steps} steps")
    nu = drifted(mu[:-1], gross)
    now, then = (functions[:-1], functions[1:]) if isinstance(functions, Sequence) else (functions, functions)
    level, before, after = (np.exp(log_values(which, x)) for which, x in ((functions, mu), (now, nu), (then, nu)))
    gain, bregman, leaks = _steps(functions, mu[:-1], nu)
    earned = level[:-1] * gain
    value = (level[0] if start is None else start) + np.concatenate(([0.0], np.cumsum(earned)))
    if not (value > 0.0).all():
        raise ValueError(f"the value is no longer positive at step {int(np.argmin(value > 0.0))}: start higher")
    weights = np.stack([additive_weights(generator_at(functions, t), mu[t], value[t]) for t in range(steps + 1)])
    lost = before * np.expm1(leaks)
    return AdditivePath(value, weights, np.diff(level), bregman, before - after, after - level[1:], lost)


def _steps(
    functions: GeneratingFunction | Sequence[GeneratingFunction], p: Float[ndarray, "t n"], q: Float[ndarray, "t n"]
) -> tuple[Float[ndarray, " t"], ...]:
    """Return relative gain, Bregman divergence and log leakage of each step."""
    told = (relative_gain, bregman_divergence, leakage)
    if not isinstance(functions, Sequence):
        return tuple(say(functions, p, q) for say in told)
    rows = list(zip(functions[:-1], p, q, strict=True))
    return tuple(np.array([float(say(*row)) for row in rows]) for say in told)
