"""Excess growth: what volatility adds to the growth of a portfolio beyond the growth of its holdings.

Forecast (continuous time): ``gamma*_pi = (sum_i pi_i sigma_ii - pi' Sigma pi) / 2``, a year.
Realised (exact, discrete): the free energy ``FE(pi, R) = log(pi' R) - pi' log R``, a step.
"""

from __future__ import annotations

__all__ = ["calibrated_captured_volatility", "captured_volatility", "excess_growth", "expected_captured_volatility", "free_energy", "relative_excess_growth", "sector_chain"]

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from numpy import ndarray

    from gammastar.core.covariance import FactoredCovariance


def excess_growth(pi: Float[ndarray, " n"], sigma: FactoredCovariance) -> float:
    """Return ``gamma*_pi = (sum_i pi_i sigma_ii - pi' Sigma pi) / 2``, a year (Fernholz 2002, eq. 1.1.5).

    Args:
        pi: weights, shape (n,), summing to one.
        sigma: annual covariance of log returns.

    >>> from gammastar.core.covariance import FactoredCovariance
    >>> round(excess_growth(np.array([0.5, 0.5]), FactoredCovariance(np.zeros((2, 1)), np.array([0.04, 0.04]))), 12)
    0.01
    """
    return 0.5 * (float(pi @ sigma.variances) - sigma.quadratic(pi))


def relative_excess_growth(pi: Float[ndarray, " n"], nu: Float[ndarray, " n"], sigma: FactoredCovariance) -> float:
    """Return ``gamma*_pi = (sum_i pi_i tau^nu_ii - pi' tau^nu pi) / 2`` for any numeraire `nu` (Fernholz 2002, lemma 1.3.4).

    It equals `excess_growth` for every `nu`: the numeraire invariance.

    Args:
        pi: weights, shape (n,), summing to one.
        nu: weights of the numeraire portfolio, shape (n,), summing to one.
        sigma: annual covariance of log returns.

    >>> from gammastar.core.covariance import FactoredCovariance
    >>> sigma, pi = FactoredCovariance(np.zeros((2, 1)), np.array([0.04, 0.04])), np.array([0.5, 0.5])
    >>> round(relative_excess_growth(pi, np.array([0.9, 0.1]), sigma), 12)
    0.01
    """
    return 0.5 * (float(pi @ sigma.relative_variances(nu)) - sigma.quadratic(pi - nu * pi.sum()))


def expected_captured_volatility(pi: Float[ndarray, " n"], mu: Float[ndarray, " n"], sigma: FactoredCovariance) -> float:
    """Return ``gamma*_pi - gamma*_mu = (pi - mu)' diag(tau^mu) / 2 - TE^2 / 2``, a year: what the mandate maximises.

    From Fernholz 2002, lemma 1.3.4, with the market as numeraire.

    Args:
        pi: portfolio weights, shape (n,), summing to one.
        mu: benchmark weights, shape (n,), summing to one.
        sigma: annual covariance of log returns.
    """
    active = pi - mu
    return 0.5 * (float(active @ sigma.relative_variances(mu)) - sigma.quadratic(active))


def calibrated_captured_volatility(
    pi: Float[ndarray, " n"], mu: Float[ndarray, " n"], sigma: FactoredCovariance, *, slope: float = 0.8, level: float = 1.0
) -> float:
    """Return `expected_captured_volatility` with ``tau^mu_ii`` moved to ``level exp(m + slope (log tau_ii - m))``, m the mean of the logs over the members, a year.

    A portfolio chosen for its large ``tau`` holds the names whose ``tau`` was estimated too large. The forecast of growth is corrected for that apart from
    risk: the covariance, and the tracking error in the forecast, stay as they are.

    Args:
        pi: portfolio weights, shape (n,), summing to one.
        mu: benchmark weights, shape (n,), summing to one.
        sigma: annual covariance of log returns.
        slope: from 0 (all names alike) to 1 (no correction).
        level: above 0; 1 for no correction.

    Raises:
        ValueError: a slope or a level outside its range.
    """
    if not 0.0 <= slope <= 1.0:
        raise ValueError(f"the slope must lie between 0 and 1, got {slope}")
    if not 0.0 < level < math.inf:
        raise ValueError(f"the level must be above 0, got {level}")
    active, tau = pi - mu, sigma.relative_variances(mu)
    moves, member = tau > 0.0, (mu > 0.0) & (tau > 0.0)
    if not bool(member.any()):
        return expected_captured_volatility(pi, mu, sigma)
    logs = np.log(tau, out=np.zeros_like(tau), where=moves)
    middle = float(logs[member].mean())
    shrunk = np.where(moves, np.exp(middle + slope * (logs - middle)), 0.0)
    return 0.5 * (level * float(active @ shrunk) - sigma.quadratic(active))


def free_energy(pi: Float[ndarray, "*t n"], gross: Float[ndarray, "*t n"]) -> Float[ndarray, "*t"]:
    """Return ``FE(pi, R) = log(pi' R) - pi' log R``, the realised excess growth of one step (Pal and Wong 2013).

    Not negative for long-only `pi`; unchanged when every gross return is multiplied by the same number.

    Args:
        pi: weights at the start of the step, last axis n, summing to one.
        gross: gross returns ``1 + r`` of the step, positive, same shape.

    >>> float(free_energy(np.array([0.5, 0.5]), np.array([2.0, 0.5])).round(6))
    0.223144
    """
    # written on log R - log of the portfolio's own return, so that what is left after cancellation keeps its digits
    log_gross = np.log(gross)
    mean = np.log(np.sum(pi * gross, axis=-1))
    return np.asarray(-np.sum(pi * (log_gross - mean[..., None]), axis=-1))


def captured_volatility(pi: Float[ndarray, "*t n"], mu: Float[ndarray, "*t n"], gross: Float[ndarray, "*t n"]) -> Float[ndarray, "*t"]:
    """Return ``FE(pi, R) - FE(mu, R)``, a step: the realised counterpart of `expected_captured_volatility` (Pal and Wong 2013).

    Args:
        pi: portfolio weights at the start of the step, last axis n, summing to one.
        mu: benchmark weights, same shape, summing to one.
        gross: gross returns ``1 + r`` of the step, positive, same shape.

    >>> mu = np.array([0.8, 0.2])
    >>> float(captured_volatility(mu, mu, np.array([2.0, 0.5])))
    0.0
    """
    return np.asarray(free_energy(pi, gross) - free_energy(mu, gross))


def sector_chain(pi: Float[ndarray, " n"], gross: Float[ndarray, " n"], groups: Int[ndarray, " n"]) -> tuple[float, Float[ndarray, " s"]]:
    """Return the free energy between groups and inside each: ``FE(pi) = FE(lambda) + sum_k lambda_k FE(pi^k)``, exactly.

    The chain rule of Pal and Wong 2013, as that of relative entropy.

    Args:
        pi: weights, shape (n,), summing to one.
        gross: gross returns, shape (n,).
        groups: group of each asset, 0 to s-1, shape (n,).

    Returns:
        The free energy of the group weights ``lambda`` over the groups' own gross returns, and each group's part ``lambda_k FE(pi^k)``, shape (s,), a step.

    >>> pi, gross = np.array([0.5, 0.3, 0.2]), np.array([1.2, 0.9, 1.0])
    >>> between, within = sector_chain(pi, gross, np.array([0, 0, 1]))
    >>> bool(np.isclose(between + within.sum(), free_energy(pi, gross)))
    True
    """
    count = int(groups.max()) + 1
    share = np.bincount(groups, weights=pi, minlength=count)
    held = share > 0.0
    grown = np.bincount(groups, weights=pi * gross, minlength=count)
    log_growth = np.bincount(groups, weights=pi * np.log(gross), minlength=count)
    group_log = np.zeros(count)
    group_log[held] = np.log(grown[held] / share[held])
    within = share * group_log - log_growth
    between = float(np.log(grown.sum()) - share @ group_log)
    return between, np.where(held, within, 0.0)
