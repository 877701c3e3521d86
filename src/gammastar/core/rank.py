"""What ranks do to a portfolio: leakage, discrete local times, memberships, transitions; pure arrays.

`order` of a session is ``p_t(k)``, the column of the name at rank k at its close (ties by column). To *follow the names* is to look at the weights that
``p_t(1), p_t(2), ...`` have at t + 1; they are in order there only if no name has changed rank, and the difference is all that ranks add to the theory.
Everything is exact over each step: sums need no model and leave no residual. Sources: Fernholz 2001; Banner, Fernholz and Karatzas 2005.
"""

from __future__ import annotations

__all__ = [
    "RankParts",
    "RankTransitions",
    "TopChanges",
    "decompose_members",
    "decompose_ranked",
    "leakage",
    "local_times",
    "rank_transitions",
    "ranks",
    "top_changes",
]

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gammastar.core.families import Sum
from gammastar.core.generating import Composite, GeneratingFunction, Market, l_divergence
from gammastar.core.rank_generating import ByRank, rank_order, ranked_weights
from gammastar.core.simplex import drifted

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int
    from numpy import ndarray


def ranks(values: Float[ndarray, "*t n"]) -> Int[ndarray, "*t n"]:
    """Return the rank of each name, 1 the largest, ties by column: the inverse of the order ``p_t`` of Fernholz 2001.

    Args:
        values: weights or capitalisations, last axis n.

    >>> ranks(np.array([0.2, 0.5, 0.3]))
    array([3, 1, 2])
    """
    return np.argsort(rank_order(values), axis=-1, kind="stable") + 1


@dataclass(frozen=True, eq=False)
class RankParts:
    """Parts of each step's log relative return of a portfolio generated from ranks or from members, shape (t,) each; they sum to it.

    Args:
        boundary: change of log G, published weights to published weights.
        l_divergence: ``T(m | mu_())`` of the names followed.
        leakage: ``log G`` of the names followed, less ``log G`` of the names that hold the ranks (or the membership) after the step.
        flow: ``log G(nu) - log G(mu_{t+1})``, what changes of the weights other than returns took or gave.
    """

    boundary: Float[ndarray, " t"]
    l_divergence: Float[ndarray, " t"]
    leakage: Float[ndarray, " t"]
    flow: Float[ndarray, " t"]

    @property
    def total(self) -> Float[ndarray, " t"]:
        """Their sum: each step's log relative return."""
        return np.asarray(self.boundary + self.l_divergence + self.leakage + self.flow)


def leakage(function: GeneratingFunction, p: Float[ndarray, "*t n"], q: Float[ndarray, "*t n"]) -> Float[ndarray, "*t"]:
    """Return ``log F(m) - log F(q_())``: what a function of ranks loses or wins as names change ranks from p to q; zero for a function of names.

    ``m_k`` is the weight in q of the name that had rank k in p. Relative log return of a step is ``log(G(q)/G(p)) + T(q|p) + leakage``. Powers, products
    and sums of functions of ranks leak as their parts do.

    Args:
        function: the generating function.
        p: weights before the step, last axis n.
        q: weights to which returns moved them, same shape and the same names.

    >>> from gammastar.core.rank_generating import top
    >>> float(leakage(top(1), np.array([0.6, 0.4]), np.array([0.4, 0.6])).round(6))
    -0.405465
    """
    if isinstance(function, ByRank):
        order = rank_order(p)
        followed = np.take_along_axis(q, order, axis=-1)
        return np.asarray(function.function.log_value(followed) - function.function.log_value(ranked_weights(q)))
    shape = p.shape[:-1]
    if isinstance(function, Composite):
        return np.asarray(sum((a * leakage(part, p, q) for part, a in function.parts), np.zeros(shape)))
    if isinstance(function, Sum):
        own = function.log_value(q)
        lost = (c * np.exp(part.log_value(q) - own) * np.expm1(leakage(part, p, q)) for part, c in function.parts)
        return np.asarray(np.log1p(sum(lost, np.zeros(shape))))
    return np.zeros(shape)


def decompose_ranked(function: GeneratingFunction, mu: Float[ndarray, "t1 n"], gross: Float[ndarray, "t n"]) -> RankParts:
    """Return the exact parts of the portfolio that a function of ranked weights generates, rebalanced at every step, with no lag and no cost.

    One step follows the names from ``mu_()(t)`` to m and ranks them anew: boundary + L-divergence ``T(m | mu_()(t))`` + leakage
    ``log F(m) - log F(nu_())`` (Fernholz 2001, theorem 3.1, in its exact discrete form). For the m largest by capitalisation leakage is never positive.

    Args:
        function: a function of ranks (`ByRank`), or a product, power or sum with one.
        mu: index weights at the start and after each step, shape (t+1, n).
        gross: gross returns of each step, shape (t, n), positive.

    Raises:
        ValueError: shapes that do not fit together.
    """
    _need(len(mu), len(gross))
    nu, own = drifted(mu[:-1], gross), function.log_value(mu)
    return RankParts(
        boundary=np.diff(own),
        l_divergence=l_divergence(function, mu[:-1], nu),
        leakage=leakage(function, mu[:-1], nu),
        flow=function.log_value(nu) - own[1:],
    )


def decompose_members(
    members: Bool[ndarray, "t1 n"], mu: Float[ndarray, "t1 n"], gross: Float[ndarray, "t n"], function: GeneratingFunction | None = None
) -> RankParts:
    """Return the exact parts of a portfolio that lives among the members of an index, whatever rule appoints them, rebalanced at every step.

    With ``G(mu; A) = W_A F(mu_A / W_A)``, `W_A` the weight of the members A: leakage is ``log G(nu; A_t) - log G(nu; A_{t+1})``, the price of
    reconstitution. Capitalisation-weighted members (the default) have no L-divergence, and a log relative return of ``log(nu(A_t) / mu(A_t))``.

    Args:
        members: who is a member at each time, shape (t+1, n); each row must hold some weight, before and after the step that leads to it.
        mu: weights of the whole market at the start and after each step, shape (t+1, n).
        gross: gross returns of each step, shape (t, n), positive.
        function: F; default: members weighted by capitalisation.

    Raises:
        ValueError: shapes that do not fit together, or members without weight.
    """
    _need(len(mu), len(gross))
    if members.shape != mu.shape:
        raise ValueError(f"members {members.shape} and weights {mu.shape} must have the same shape")
    inner, nu = function or Market(), drifted(mu[:-1], gross)
    own, inside = _among(inner, members, mu)
    kept, inside_after = _among(inner, members[:-1], nu)
    anew, _ = _among(inner, members[1:], nu)
    return RankParts(np.diff(own), l_divergence(inner, inside[:-1], inside_after), kept - anew, anew - own[1:])


def _among(function: GeneratingFunction, members: Bool[ndarray, "t n"], mu: Float[ndarray, "t n"]) -> tuple[Float[ndarray, " t"], Float[ndarray, "t n"]]:
    """Return ``log G(mu; A)`` and the weights within A."""
    part = np.where(members, mu, 0.0)
    total = part.sum(axis=1, keepdims=True)
    if not (total > 0.0).all():
        raise ValueError(f"the members at position {int(np.argmin(total[:, 0] > 0.0))} have no weight")
    inside = part / total
    return np.log(total[:, 0]) + function.log_value(inside), inside


def _need(times: int, steps: int) -> None:
    if times != steps + 1:
        raise ValueError(f"weights are needed at {steps + 1} times for {steps} steps, got {times}")


def local_times(values: Float[ndarray, "t1 n"], after: Float[ndarray, "t n"] | None = None) -> Float[ndarray, "t n"]:
    """Return the growth of the discrete local times, ``2 sum_{j<=k} (v_(j)(t+1) - v_{p_t(j)}(t+1))``, rank k in column k - 1.

    What the k largest have after a step beyond what the k names that were largest before it have: not negative, and zero at the last rank, to rounding.
    Where values move continuously it tends to the local time at zero of the gap between ranks k and k + 1 (Banner, Fernholz and Karatzas 2005), whose
    rate in an Atlas market is ``2 k g`` a year on log capitalisations.

    Args:
        values: weights, or log capitalisations, shape (t+1, n).
        after: where the same names stand after each step before any other change, shape (t, n); default ``values[1:]``.

    Raises:
        ValueError: shapes that do not fit together.

    >>> local_times(np.array([[0.6, 0.4], [0.4, 0.6]])).round(12)
    array([[0.4, 0. ]])
    """
    then = values[1:] if after is None else after
    _need(len(values), len(then))
    followed = np.take_along_axis(then, rank_order(values[:-1]), axis=1)
    return np.asarray(2.0 * np.cumsum(ranked_weights(then) - followed, axis=1))


@dataclass(frozen=True, eq=False)
class TopChanges:
    """Who joined and who left the m largest at each step.

    Args:
        entered: shape (t, n): among the m largest after the step and not before it.
        left: shape (t, n): the reverse.
    """

    entered: Bool[ndarray, "t n"]
    left: Bool[ndarray, "t n"]

    @property
    def count(self) -> Int[ndarray, " t"]:
        """How many entered at each step."""
        return np.asarray(self.entered.sum(axis=1))


def top_changes(mu: Float[ndarray, "t1 n"], m: int) -> TopChanges:
    """Return entrants to and leavers from the `m` largest names, ties by column; names without weight are never among them.

    Args:
        mu: weights or capitalisations, shape (t+1, n).
        m: how many, at least 1.

    Raises:
        ValueError: m below 1.

    >>> top_changes(np.array([[0.5, 0.3, 0.2], [0.5, 0.2, 0.3]]), 2).entered
    array([[False, False,  True]])
    """
    if m < 1:
        raise ValueError(f"at least one name must be asked for, got {m}")
    inside = (ranks(mu) <= m) & (mu > 0.0)
    return TopChanges(inside[1:] & ~inside[:-1], inside[:-1] & ~inside[1:])


@dataclass(frozen=True, eq=False)
class RankTransitions:
    """How names moved between bands of ranks.

    Args:
        bands: first and last rank of each of the b bands; the last one's end is the number of columns.
        counts: moves from band (row) to band (column), shape (b + 1, b + 1); the last row and column are outside the market.
    """

    bands: tuple[tuple[int, int], ...]
    counts: Int[ndarray, "b1 b1"]

    @property
    def probability(self) -> Float[ndarray, "b1 b1"]:
        """Share of the moves out of each band, rows summing to one; a band never occupied has a row of zeros."""
        total = self.counts.sum(axis=1, keepdims=True)
        return np.asarray(np.divide(self.counts, total, out=np.zeros(self.counts.shape), where=total > 0))


def rank_transitions(mu: Float[ndarray, "t1 n"], edges: tuple[int, ...], *, lag: int = 1) -> RankTransitions:
    """Return how names moved between bands of ranks over `lag` steps, all starts counted.

    Args:
        mu: weights or capitalisations, shape (t+1, n); a name without one is outside the market.
        edges: last rank of each band but the last, increasing: ``(10, 50)`` makes 1-10, 11-50 and 51-n.
        lag: steps between the two looks, at least 1.

    Raises:
        ValueError: edges that are not increasing within 1 to n - 1, or a lag that the steps do not hold.

    >>> rank_transitions(np.array([[0.5, 0.3, 0.2], [0.2, 0.3, 0.5]]), (1,)).counts
    array([[0, 1, 0],
           [1, 1, 0],
           [0, 0, 0]])
    """
    n = mu.shape[1]
    stops = np.array((*edges, n))
    if (np.diff(np.concatenate(([0], stops))) < 1).any():
        raise ValueError(f"edges must increase within 1 to {n - 1}, got {edges}")
    if not 1 <= lag < len(mu):
        raise ValueError(f"lag must be from 1 to {len(mu) - 1}, got {lag}")
    outside = len(stops)
    band = np.where(mu > 0.0, np.searchsorted(stops, ranks(mu)), outside)
    moves = band[:-lag] * (outside + 1) + band[lag:]
    counts = np.bincount(moves.ravel(), minlength=(outside + 1) ** 2).reshape(outside + 1, outside + 1)
    counts[outside, outside] = 0  # a name that is not there moves nowhere
    starts = (1, *(int(stop) + 1 for stop in stops[:-1]))
    return RankTransitions(tuple(zip(starts, (int(stop) for stop in stops), strict=True)), counts)
