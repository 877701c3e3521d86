"""Wealth-weighted mixtures: buy several portfolios, let the winners grow, and know beforehand how little the mixture can lag behind the best of them.

With prior shares ``c_k`` and wealths ``V_k``, the mixture has ``V = sum_k c_k V_k >= c_j V_j`` for each j, so ``log V_j - log V <= log(1 / c_j)``: with K
equal shares, log K in all and ``log(K) / t`` a step. Nothing is assumed about the market (Cover 1991; Blum and Kalai 1999).
"""

from __future__ import annotations

__all__ = ["Mixture", "mix", "mix_generated"]

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float
    from numpy import ndarray

    from gammastar.core.generating import GeneratingFunction


@dataclass(frozen=True, eq=False)
class Mixture:
    """A mixture of K portfolios, and how it did against the best of them.

    Args:
        members: log wealth of each portfolio at the start and after each step, shape (t+1, k); the first row is zero.
        log_wealth: log wealth of the mixture, shape (t+1,).
        shares: each portfolio's share of the mixture's wealth, shape (t+1, k), each row summing to one; the first row is the prior.
    """

    members: Float[ndarray, "t1 k"]
    log_wealth: Float[ndarray, " t1"]
    shares: Float[ndarray, "t1 k"]

    @property
    def best(self) -> int:
        """Position of the portfolio with the most wealth at the end; the first of equals."""
        return int(np.argmax(self.members[-1]))

    @property
    def regret(self) -> Float[ndarray, " t1"]:
        """How far the best portfolio in hindsight is ahead in log wealth at each time, shape (t+1,); not negative."""
        return np.asarray(self.members.max(axis=1) - self.log_wealth)

    @property
    def bound(self) -> float:
        """The most that regret can be, at any time and in any market: ``log(1 / smallest prior share)``."""
        return float(-np.log(self.shares[0].min()))

    @property
    def regret_per_step(self) -> float:
        """Regret at the end over the number of steps."""
        return float(self.regret[-1]) / self._steps

    @property
    def bound_per_step(self) -> float:
        """`bound` over the number of steps: ``log(K) / t`` for equal prior shares."""
        return self.bound / self._steps

    @property
    def _steps(self) -> int:
        return len(self.log_wealth) - 1


def mix(log_returns: Float[ndarray, "t k"], prior: Float[ndarray, " k"] | None = None) -> Mixture:
    """Return the mixture of portfolios whose log returns are given.

    Args:
        log_returns: log returns of each portfolio in each step, or log relative returns to one benchmark, shape (t, k).
        prior: share of the wealth that each starts with, shape (k,), positive, summing to one; equal shares by default.

    Raises:
        ValueError: no steps or portfolios, or shares that are not positive or do not sum to one.

    >>> found = mix(np.log([[2.0, 1.0], [2.0, 1.0]]))
    >>> np.exp(found.log_wealth).round(12).tolist(), found.shares[-1].round(12).tolist()
    ([1.0, 1.5, 2.5], [0.8, 0.2])
    """
    if log_returns.ndim != 2 or not log_returns.size:
        raise ValueError(f"log returns must be steps by portfolios, got the shape {log_returns.shape}")
    count = log_returns.shape[1]
    shares = np.full(count, 1.0 / count) if prior is None else np.asarray(prior, dtype=np.float64)
    if shares.shape != (count,) or not bool(np.all(shares > 0.0)) or abs(float(shares.sum()) - 1.0) > 1e-9:
        raise ValueError(f"{count} prior shares must be positive and sum to one, got {shares}")
    members = np.concatenate((np.zeros((1, count)), np.cumsum(log_returns, axis=0)))
    top = members.max(axis=1, keepdims=True)
    grown = shares * np.exp(members - top)
    total = grown.sum(axis=1, keepdims=True)
    return Mixture(members, (top + np.log(total))[:, 0], grown / total)


def mix_generated(
    functions: Sequence[GeneratingFunction],
    mu: Float[ndarray, "t n"],
    gross: Float[ndarray, "t n"],
    prior: Float[ndarray, " k"] | None = None,
) -> tuple[Mixture, Float[ndarray, "t n"]]:
    """Return the mixture of generated portfolios, wealth relative to the market, and the weights it held in each step, shape (t, n).

    Each portfolio is formed anew at every step, with no lag and no cost. The mixture holds ``sum_k share_k pi_k``.

    Args:
        functions: the generating functions.
        mu: market weights at the start of each step, shape (t, n).
        gross: gross returns of each step, shape (t, n).
        prior: share of the wealth that each starts with, shape (k,); equal shares by default.

    Raises:
        ValueError: no functions, or shapes that do not fit together.

    >>> from gammastar.core.generating import Diversity, Market
    >>> mu, gross = np.array([[0.8, 0.2]]), np.array([[1.0, 1.5]])
    >>> found, held = mix_generated((Market(), Diversity(0.0)), mu, gross)
    >>> held.round(3).tolist(), bool(found.regret[-1] <= found.bound)
    ([[0.65, 0.35]], True)
    """
    if not functions or mu.shape != gross.shape:
        raise ValueError(f"functions, and weights and returns of one shape are needed, got {len(functions)}, {mu.shape} and {gross.shape}")
    market = np.log(np.einsum("tn,tn->t", mu, gross))
    log_returns = np.column_stack([np.log(np.einsum("tn,tn->t", function.weights(mu), gross)) - market for function in functions])
    mixture = mix(log_returns, prior)
    held = np.zeros(mu.shape)
    for position, function in enumerate(functions):  # one function at a time: K arrays of weights are never held at once
        held += mixture.shares[:-1, position, None] * function.weights(mu)
    return mixture, held
