"""Cover's universal portfolio: the mixture of all constant-rebalanced portfolios under a Dirichlet prior (Cover 1991; Cover and Ordentlich 1996).

Its wealth is ``S_t = integral of prod_s b'R_s`` over the prior, and its weights are the wealth-weighted mean of ``b``. Whatever the returns, the best
constant-rebalanced portfolio in hindsight is ahead of it by no more than `regret_bound`. Three roads to it: an exact recursion for two assets, a sum
over nodes (a grid, or a quadrature that is exact for short histories) for a few, and a sequential Monte Carlo sampler for many.
"""

from __future__ import annotations

__all__ = [
    "UniversalPortfolio",
    "regret_bound",
    "simplex_grid",
    "simplex_quadrature",
    "universal_over",
    "universal_pair",
    "universal_sampled",
]

from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy import ndarray

MOST_NODES = 1_000_000
BLOCK = 64  # steps taken over all nodes at once: the memory used is BLOCK times the nodes, 8 bytes each


@dataclass(frozen=True, eq=False)
class UniversalPortfolio:
    """Wealth and weights of a universal portfolio.

    Args:
        log_wealth: log of the wealth at the start and after each step, shape (t+1,); the first is zero.
        weights: weights held in each step, shape (t+1, n); the last row is for the step to come.
        log_wealth_se: standard error of the last log wealth; zero where nothing is sampled.
    """

    log_wealth: Float[ndarray, " t1"]
    weights: Float[ndarray, "t1 n"]
    log_wealth_se: float = 0.0


def regret_bound(names: int, steps: int, *, alpha: float = 1.0) -> float:
    """Return the most by which the best constant-rebalanced portfolio can be ahead in log wealth, whatever the returns were.

    ``log(Gamma(alpha) Gamma(t + n alpha) / (Gamma(n alpha) Gamma(t + alpha)))``, reached when one asset alone pays; for the uniform prior
    (`alpha` 1) it is ``log C(t + n - 1, n - 1)`` (Cover and Ordentlich 1996, theorems 1 and 2).

    Args:
        names: number of assets.
        steps: number of steps.
        alpha: parameter of the symmetric Dirichlet prior, 1/2 or more: below it the worst case is another one.

    Raises:
        ValueError: an `alpha` below 1/2, no names, or a negative number of steps.

    >>> round(regret_bound(2, 99), 6) == round(float(np.log(100.0)), 6)
    True
    """
    if not alpha >= 0.5 or names < 1 or steps < 0:
        raise ValueError(f"the bound is for alpha of at least 1/2, a name and a number of steps, got {alpha}, {names} and {steps}")
    from scipy.special import gammaln  # SciPy is loaded only by who asks for the bound

    return float(gammaln(alpha) + gammaln(steps + names * alpha) - gammaln(names * alpha) - gammaln(steps + alpha))


def universal_pair(gross: Float[ndarray, "t 2"], *, alpha: float = 1.0) -> UniversalPortfolio:
    """Return the universal portfolio of two assets, exactly.

    ``prod_s b'R_s`` is a polynomial in b with positive coefficients ``X_t(k) b^k (1-b)^(t-k)``. Each term's share of the mixture's wealth moves by
    ``w_{t+1}(k+1) += R_1 w_t(k) (k + alpha) / (t + 2 alpha)`` and ``w_{t+1}(k) += R_2 w_t(k) (t - k + alpha) / (t + 2 alpha)``: the urn of Polya. Nothing
    cancels. Time and memory grow with ``t^2`` and t.

    Args:
        gross: gross returns, shape (t, 2), positive.
        alpha: parameter of the Dirichlet prior; 1 is uniform, 1/2 Cover and Ordentlich's other one.

    Raises:
        ValueError: returns that are not positive, another number of assets, or an `alpha` that is not positive.

    >>> found = universal_pair(np.array([[2.0, 1.0], [0.5, 1.0]]))
    >>> found.weights.round(3).tolist(), float(np.exp(found.log_wealth[-1]).round(6))
    ([[0.5, 0.5], [0.556, 0.444], [0.5, 0.5]], 1.083333)
    """
    _check(gross, alpha)
    if gross.shape[1] != 2:
        raise ValueError(f"the exact recursion is for two assets, got {gross.shape[1]}")
    steps = len(gross)
    log_wealth, first = np.zeros(steps + 1), np.empty(steps + 1)
    shares, counts = np.zeros(steps + 2), np.arange(steps + 2) + alpha
    shares[0] = 1.0
    for t in range(steps + 1):
        held = shares[: t + 1]
        up = held * counts[: t + 1] / (t + 2.0 * alpha)
        first[t] = up.sum()
        if t == steps:
            break
        down = held - up
        shares[: t + 1] = gross[t, 1] * down
        shares[1 : t + 2] += gross[t, 0] * up
        growth = float(shares[: t + 2].sum())
        shares[: t + 2] /= growth
        log_wealth[t + 1] = log_wealth[t] + np.log(growth)
    return UniversalPortfolio(log_wealth, np.column_stack((first, 1.0 - first)))


def simplex_grid(names: int, parts: int) -> tuple[Float[ndarray, "m n"], Float[ndarray, " m"]]:
    """Return all weights that are multiples of ``1 / parts``, and equal prior masses: for two names and 20 parts, Cover's grid of 21.

    Args:
        names: n, at least 1.
        parts: of the whole, at least 1.

    Returns:
        Weights, shape (m, n), and masses, shape (m,), summing to one.

    Raises:
        ValueError: no names, no parts, or more than a million nodes.

    >>> simplex_grid(2, 2)[0]
    array([[0. , 1. ],
           [0.5, 0.5],
           [1. , 0. ]])
    """
    if names < 1 or parts < 1 or comb(parts + names - 1, names - 1) > MOST_NODES:
        raise ValueError(f"no grid of {parts} parts for {names} names: it needs at least one of each and at most {MOST_NODES:,} nodes")
    bars = np.array(list(combinations(range(parts + names - 1), names - 1)), dtype=np.intp).reshape(comb(parts + names - 1, names - 1), names - 1)
    edges = np.column_stack((np.full(len(bars), -1), bars, np.full(len(bars), parts + names - 1)))
    nodes = (np.diff(edges, axis=1) - 1) / parts
    return nodes, np.full(len(nodes), 1.0 / len(nodes))


def simplex_quadrature(names: int, points: int, *, alpha: float = 1.0) -> tuple[Float[ndarray, "m n"], Float[ndarray, " m"]]:
    """Return nodes and masses of a Gauss-Jacobi product rule for the symmetric Dirichlet prior, ``points^(names - 1)`` of them.

    The stick is broken name by name, ``b_k = u_k prod_{j<k} (1 - u_j)``, with ``u_k`` beta-distributed. Wealth after t steps is a polynomial of degree t in
    each ``u_k``, so the rule is exact to rounding while ``t <= 2 points - 1`` (for the weights, one step fewer); beyond, compare two numbers of points.

    Args:
        names: n, at least 2.
        points: a name.
        alpha: of the prior, positive; 1 is uniform.

    Returns:
        Weights, shape (m, n), and masses, shape (m,), summing to one.

    Raises:
        ValueError: fewer than two names, no points, more than a million nodes, or an `alpha` that is not positive.

    >>> nodes, masses = simplex_quadrature(3, 4)
    >>> len(masses), (masses @ nodes).round(12).tolist()
    (16, [0.333333333333, 0.333333333333, 0.333333333333])
    """
    if names < 2 or points < 1 or points ** (names - 1) > MOST_NODES or not alpha > 0.0:
        raise ValueError(f"no rule of {points} points for {names} names: at least two names and at most {MOST_NODES:,} nodes, with a positive alpha")
    from scipy.special import roots_jacobi  # SciPy is loaded only by who asks for the rule

    nodes, masses = np.ones((1, 0)), np.ones(1)
    rest = np.ones(1)
    for name in range(names - 1):
        x, w = roots_jacobi(points, alpha * (names - 1 - name) - 1.0, alpha - 1.0)
        u = 0.5 * (1.0 + x)
        nodes = np.column_stack((np.repeat(nodes, points, axis=0), np.outer(rest, u).ravel()))
        masses, rest = np.outer(masses, w / w.sum()).ravel(), np.outer(rest, 1.0 - u).ravel()
    return np.column_stack((nodes, rest)), masses


def universal_over(
    gross: Float[ndarray, "t n"], nodes: Float[ndarray, "m n"], masses: Float[ndarray, " m"]
) -> UniversalPortfolio:
    """Return the mixture of the constant-rebalanced portfolios `nodes` under the prior `masses`, as `simplex_grid` or `simplex_quadrature` gives them.

    Args:
        gross: gross returns, shape (t, n), positive.
        nodes: constant weights, shape (m, n), each row summing to one.
        masses: prior share of each, shape (m,), not negative, summing to one.

    Raises:
        ValueError: shapes that do not fit, returns that are not positive, or masses that do not sum to one.

    >>> coarse = universal_over(np.array([[2.0, 1.0], [0.5, 1.0]]), *simplex_grid(2, 1))
    >>> float(np.exp(coarse.log_wealth[-1]).round(12)), coarse.weights[1].round(3).tolist()
    (1.0, [0.667, 0.333])
    """
    _check(gross, 1.0)
    if nodes.shape != (len(masses), gross.shape[1]):
        raise ValueError(f"nodes {nodes.shape}, masses {masses.shape} and returns {gross.shape} do not fit together")
    if bool(np.any(masses < 0.0)) or abs(float(masses.sum()) - 1.0) > 1e-9:
        raise ValueError(f"prior masses must not be negative and must sum to one, got {float(masses.sum())}")
    steps = len(gross)
    log_wealth, weights = np.zeros(steps + 1), np.empty((steps + 1, gross.shape[1]))
    shares = masses / masses.sum()
    for start in range(0, steps, BLOCK):
        stop = min(start + BLOCK, steps)
        grown = np.log(gross[start:stop] @ nodes.T)
        np.cumsum(grown, axis=0, out=grown)
        top = grown.max(axis=1)
        path = shares * np.exp(grown - top[:, None])
        total = path.sum(axis=1)
        log_wealth[start + 1 : stop + 1] = log_wealth[start] + top + np.log(total)
        path /= total[:, None]
        weights[start] = shares @ nodes
        weights[start + 1 : stop + 1] = path @ nodes
        shares = path[-1]
    weights[steps] = shares @ nodes
    return UniversalPortfolio(log_wealth, weights)


def universal_sampled(
    gross: Float[ndarray, "t n"], *, rng: np.random.Generator, alpha: float = 1.0, particles: int = 1000, replicas: int = 8
) -> UniversalPortfolio:
    """Return the universal portfolio of any number of assets by sequential Monte Carlo, with the standard error of its log wealth.

    Particles start from the Dirichlet prior and gain wealth step by step. When fewer than half of them carry it (effective sample size), they are drawn
    anew in proportion to wealth, and a Markov chain that leaves wealth times prior invariant moves each: Metropolis steps on the log ratios of the weights,
    shaped by the particles' own covariance (Del Moral, Doucet and Jasra 2006; the target is that of Kalai and Vempala 2002).

    Args:
        gross: gross returns, shape (t, n), positive, at least two names.
        rng: source of randomness.
        alpha: parameter of the symmetric Dirichlet prior.
        particles: in each replica.
        replicas: independent samplers, at least two. Their wealth is averaged; its standard error is from their spread.

    Raises:
        ValueError: returns that are not positive, or too few names, particles or replicas.

    >>> gross = np.array([[2.0, 1.0, 1.0], [0.5, 1.0, 1.2]])
    >>> found = universal_sampled(gross, rng=np.random.default_rng(1))
    >>> abs(float(found.log_wealth[-1]) - float(universal_over(gross, *simplex_quadrature(3, 4)).log_wealth[-1])) < 4 * found.log_wealth_se
    True
    """
    _check(gross, alpha)
    names = gross.shape[1]
    if names < 2 or particles < 2 * names or replicas < 2:
        raise ValueError(f"sampling needs two names, two replicas and two particles a name, got {names}, {replicas} and {particles}")
    runs = [_replica(gross, alpha, particles, child) for child in rng.spawn(replicas)]
    logs, weights = np.stack([run[0] for run in runs]), np.stack([run[1] for run in runs])
    top = logs.max(axis=0)
    wealth = np.exp(logs - top)
    mean = wealth.mean(axis=0)
    error = float(np.std(wealth[:, -1], ddof=1) / np.sqrt(replicas) / mean[-1])
    return UniversalPortfolio(top + np.log(mean), np.einsum("rt,rtn->tn", wealth / wealth.sum(axis=0), weights), error)


def _replica(gross: ndarray, alpha: float, particles: int, rng: np.random.Generator) -> tuple[Float[ndarray, " t1"], Float[ndarray, "t1 n"]]:
    """Return log wealth and weights of one sampler."""
    steps, names = gross.shape
    log_wealth, weights = np.zeros(steps + 1), np.empty((steps + 1, names))
    nodes, shares = _dirichlet(rng, alpha, particles, names), np.full(particles, 1.0 / particles)
    weights[0] = shares @ nodes
    for t in range(steps):
        shares = shares * (nodes @ gross[t])
        growth = float(shares.sum())
        shares /= growth
        log_wealth[t + 1] = log_wealth[t] + np.log(growth)
        weights[t + 1] = shares @ nodes
        if 1.0 / float(shares @ shares) < 0.5 * particles:
            spread = _root_covariance(nodes, shares)
            places = (rng.random() + np.arange(particles)) / particles  # systematic resampling: one draw serves all
            nodes = nodes[np.minimum(np.searchsorted(np.cumsum(shares), places), particles - 1)]
            nodes = _moved(nodes, gross[: t + 1], alpha, spread, rng)
            shares = np.full(particles, 1.0 / particles)
    return log_wealth, weights


def _dirichlet(rng: np.random.Generator, alpha: float, count: int, names: int) -> Float[ndarray, "m n"]:
    """Return draws from the symmetric Dirichlet law, kept off the faces, where log ratios end."""
    drawn = np.maximum(rng.gamma(alpha, size=(count, names)), 1e-100)
    return np.asarray(drawn / drawn.sum(axis=1, keepdims=True))


def _root_covariance(nodes: ndarray, shares: ndarray) -> Float[ndarray, "d d"]:
    """Return a root of the covariance of the log ratios to the last name, with a little of the identity so that it always exists."""
    ratios = np.log(nodes[:, :-1] / nodes[:, -1:])
    centred = ratios - shares @ ratios
    covariance = (centred.T * shares) @ centred
    scale = float(np.trace(covariance)) / len(covariance) + 1e-12
    return np.linalg.cholesky(covariance + 1e-9 * scale * np.eye(len(covariance)))


def _moved(nodes: ndarray, gross: ndarray, alpha: float, spread: ndarray, rng: np.random.Generator) -> Float[ndarray, "m n"]:
    """Return the particles after Metropolis steps of three sizes, about a dozen, on ``prod b'R`` times the prior."""
    particles, names = nodes.shape
    at = _log_target(nodes, gross, alpha)
    for size in (2.4, 1.0, 0.4) * 4:
        jump = (size / np.sqrt(names - 1)) * (rng.standard_normal((particles, names - 1)) @ spread.T)
        ratios = np.column_stack((np.log(nodes[:, :-1] / nodes[:, -1:]) + jump, np.zeros(particles)))
        proposed = np.exp(ratios - ratios.max(axis=1, keepdims=True))
        proposed = np.maximum(proposed / proposed.sum(axis=1, keepdims=True), 1e-100)
        there = _log_target(proposed, gross, alpha)
        taken = np.log(rng.random(particles)) < there - at
        nodes, at = np.where(taken[:, None], proposed, nodes), np.where(taken, there, at)
    return nodes


def _log_target(nodes: ndarray, gross: ndarray, alpha: float) -> Float[ndarray, " m"]:
    """Return the log of wealth times prior in the coordinates of the log ratios, whose Jacobian is ``prod b_i``."""
    total = alpha * np.log(nodes).sum(axis=1)
    for start in range(0, len(gross), BLOCK):
        total += np.log(gross[start : start + BLOCK] @ nodes.T).sum(axis=0)
    return np.asarray(total)


def _check(gross: ndarray, alpha: float) -> None:
    if gross.ndim != 2 or not gross.shape[1] or not bool(np.all(gross > 0.0)):
        raise ValueError(f"gross returns must be steps by names and positive, got the shape {gross.shape}")
    if not alpha > 0.0:
        raise ValueError(f"alpha must be positive, got {alpha}")
