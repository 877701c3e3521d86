"""Energy and entropy: an exact attribution of any holdings that needs no generating function (Pal and Wong 2013).

Over one step from `mu` to the return-drifted `nu`: ``log(V_pi / V_mu) = FE(pi, R) + H(pi | mu) - H(pi | nu)``, with the relative entropy
``H(pi | mu) = sum_i pi_i log(pi_i / mu_i)``. Energy is what volatility pays, the entropies say how far the holdings stand from the market.
"""

from __future__ import annotations

__all__ = ["EnergyParts", "decompose_energy", "relative_entropy"]

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gammastar.core.excess_growth import free_energy
from gammastar.core.simplex import drifted

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy import ndarray


def relative_entropy(pi: Float[ndarray, "*t n"], mu: Float[ndarray, "*t n"]) -> Float[ndarray, "*t"]:
    """Return ``H(pi | mu) = sum_i pi_i log(pi_i / mu_i)`` over the names held in the market (`mu` positive).

    Not negative, and zero only at ``pi = mu``, when all of `pi` is in the market.

    Args:
        pi: weights, last axis n, not negative.
        mu: market weights, same shape.

    >>> float(relative_entropy(np.array([0.5, 0.5]), np.array([0.25, 0.75])).round(6))
    0.143841
    """
    held = (pi > 0.0) & (mu > 0.0)
    ratio = np.divide(pi, mu, out=np.ones(held.shape), where=held)
    return np.asarray(np.sum(np.where(held, pi * np.log(ratio), 0.0), axis=-1))


@dataclass(frozen=True, eq=False)
class EnergyParts:
    """Parts of each step's log relative return before cost, shape (t,) each; they sum to it.

    Args:
        energy: free energy ``FE(pi_t, R)``, not negative.
        boundary: ``H(pi_t | mu_t) - H(pi_{t+1} | mu_{t+1})``: telescopes.
        drift: ``H(pi~ | nu) - H(pi_t | nu)``, with `pi~` the weights to which returns moved the holdings.
        trading: ``H(pi_{t+1} | nu) - H(pi~ | nu)``: what trades did to the distance from the market; zero for buy and hold.
        flow: ``H(pi_{t+1} | mu_{t+1}) - H(pi_{t+1} | nu)``: what index changes did to it.
        off_benchmark: ``sum pi_i log(R_i / mu'R)`` over holdings without benchmark weight, cash among them: no entropy can speak of them.
    """

    energy: Float[ndarray, " t"]
    boundary: Float[ndarray, " t"]
    drift: Float[ndarray, " t"]
    trading: Float[ndarray, " t"]
    flow: Float[ndarray, " t"]
    off_benchmark: Float[ndarray, " t"]

    @property
    def total(self) -> Float[ndarray, " t"]:
        """Their sum: each step's log relative return."""
        return np.asarray(self.energy + self.boundary + self.drift + self.trading + self.flow + self.off_benchmark)


def decompose_energy(pi: Float[ndarray, "t1 n"], mu: Float[ndarray, "t1 n"], gross: Float[ndarray, "t n"]) -> EnergyParts:
    """Return the energy-entropy parts of ``log(pi'R) - log(mu'R)``, step by step.

    Args:
        pi: portfolio weights at the start and after each step's trades, shape (t+1, n), not negative, each row summing to one.
        mu: benchmark weights at the same times, after the index's own changes, shape (t+1, n), each row summing to one.
        gross: gross returns of each step, shape (t, n), positive.

    Raises:
        ValueError: shapes that do not fit together, or short positions, which have no entropy.
    """
    if not (len(pi) == len(mu) == len(gross) + 1):
        raise ValueError(f"weights are needed at {len(gross) + 1} times for {len(gross)} steps, got {len(pi)} and {len(mu)}")
    if (pi < 0.0).any():
        raise ValueError("energy and entropy need holdings that are not negative")
    held, base = pi[:-1], mu[:-1]
    nu, moved = drifted(base, gross), drifted(held, gross)
    after_drift, after_trade = relative_entropy(moved, nu), relative_entropy(pi[1:], nu)
    own = relative_entropy(pi, mu)
    relative = np.log(gross / np.sum(base * gross, axis=-1, keepdims=True))
    return EnergyParts(
        energy=free_energy(held, gross),
        boundary=own[:-1] - own[1:],
        drift=after_drift - relative_entropy(held, nu),
        trading=after_trade - after_drift,
        flow=own[1:] - after_trade,
        off_benchmark=np.sum(np.where(base > 0.0, 0.0, held * relative), axis=-1),
    )
