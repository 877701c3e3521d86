"""Did rebalancing pay? The exact answer for any set of clocks on one history.

Three-point identity: going from p to r, a generated portfolio that is formed anew at q on the way ends with
``log V(rebalanced) - log V(not) = T(q|p) + T(r|q) - T(r|p)`` (Pal and Wong 2016). Summed over a history it says what each clock earned over a slower one,
with no estimate and no residual; trading costs are charged self-financing at each of the clock's ticks.
"""

from __future__ import annotations

__all__ = [
    "ClockResult",
    "SignaturePlot",
    "WealthPath",
    "rebalancing_gain",
    "rebalancing_study",
    "return_driven_weights",
    "signature_plot",
    "wealth_path",
]

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from gammastar.core.costs import self_financing
from gammastar.core.decomposition import decompose
from gammastar.core.generating import l_divergence

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jaxtyping import Bool, Float, Int
    from numpy import ndarray

    from gammastar.core.generating import GeneratingFunction

BLOCK = 256  # windows taken at once: the memory used is a few times BLOCK times the names, 8 bytes each


@dataclass(frozen=True, eq=False)
class ClockResult:
    """What a generated portfolio earned and cost on one clock, in log return over the whole history; `annual` gives a year's worth.

    Args:
        ticks: times at which it was formed anew, the start included, the end left out.
        boundary: change of log G.
        l_divergence: sum of ``T`` from tick to tick: what the clock's rebalancing earned.
        flow: what changes of the weights for other reasons than returns gave.
        cost: sum of log(1 - cost fraction) over the ticks, not positive; the first purchase is free.
        turnover: one-way, half the sum of absolute traded weight; the first purchase is left out.
    """

    ticks: int
    boundary: float
    l_divergence: float
    flow: float
    cost: float
    turnover: float

    @property
    def relative_log_return(self) -> float:
        """Log return less that of the market, after cost: boundary + L-divergence + flow + cost."""
        return self.boundary + self.l_divergence + self.flow + self.cost

    def annual(self, periods: int, steps: int) -> ClockResult:
        """Return the same a year: everything but `ticks` times ``periods / steps``."""
        scale = periods / steps
        return ClockResult(
            self.ticks, scale * self.boundary, scale * self.l_divergence, scale * self.flow, scale * self.cost, scale * self.turnover
        )


def rebalancing_gain(
    function: GeneratingFunction, p: Float[ndarray, "*t n"], q: Float[ndarray, "*t n"], r: Float[ndarray, "*t n"]
) -> Float[ndarray, "*t"]:
    """Return ``T(q|p) + T(r|q) - T(r|p)``: what forming the portfolio anew at q, on the way of the market weights from p to r, earned in log return.

    Not negative where the move comes back (``r = p`` gives ``T(q|p) + T(p|q)``); negative where it goes on in the same direction.

    Args:
        function: the generating function.
        p: weights at the start, last axis n.
        q: weights at which it is formed anew or not, same shape and the same names.
        r: weights at the end, same shape and the same names.

    Raises:
        ValueError: weights that do not hold the same names.

    >>> from gammastar.core.generating import Diversity
    >>> there, back = np.array([0.5, 0.5]), np.array([0.6, 0.4])
    >>> bool(rebalancing_gain(Diversity(0.0), there, back, there) > 0.0)
    True
    """
    return np.asarray(l_divergence(function, p, q) + l_divergence(function, q, r) - l_divergence(function, p, r))


def return_driven_weights(start: Float[ndarray, " n"], gross: Float[ndarray, "t n"]) -> Float[ndarray, "t1 n"]:
    """Return the weights that returns alone make of `start`: buy and hold, shape (t+1, n), for histories that come without market weights.

    Args:
        start: weights at the start, shape (n,), summing to one.
        gross: gross returns of each step, shape (t, n), positive.

    >>> return_driven_weights(np.array([0.5, 0.5]), np.array([[3.0, 1.0]])).tolist()
    [[0.5, 0.5], [0.75, 0.25]]
    """
    grown = np.log(gross)
    np.cumsum(grown, axis=0, out=grown)
    values = start * np.exp(grown - grown.max(axis=1, keepdims=True))
    return np.concatenate((start[None, :], values / values.sum(axis=1, keepdims=True)))


def rebalancing_study(
    function: GeneratingFunction,
    mu: Float[ndarray, "t1 n"],
    gross: Float[ndarray, "t n"],
    clocks: Mapping[str, Bool[ndarray, " t1"]],
    *,
    cost: Float[ndarray, " n"] | float = 0.0,
) -> dict[str, ClockResult]:
    """Return what each clock earned and cost, exactly, in the order given.

    Between two clocks of one history the boundary is the same whenever both tick at the end of it or nothing but returns moves the weights; the
    difference of their L-divergence (and flow) is then the sum of `rebalancing_gain` over the ticks that one has and the other lacks.

    Args:
        function: the generating function; `GeometricMean` for constant weights.
        mu: market weights at the start and after each step, shape (t+1, n); `return_driven_weights` where there are none.
        gross: gross returns of each step, shape (t, n).
        clocks: for each name, at which of the t+1 times the portfolio is formed anew, shape (t+1,); the first always is.
        cost: of each asset, or of all, as a fraction of the traded value.

    Raises:
        ValueError: a clock of another length.

    >>> from gammastar.core.generating import GeometricMean
    >>> equal, gross = np.array([0.5, 0.5]), np.array([[2.0, 1.0], [0.5, 1.0]])
    >>> clocks = {"always": np.ones(3, dtype=bool), "never": np.zeros(3, dtype=bool)}
    >>> study = rebalancing_study(GeometricMean(equal), return_driven_weights(equal, gross), gross, clocks)
    >>> {name: round(result.relative_log_return, 6) for name, result in study.items()}
    {'always': 0.117783, 'never': 0.0}
    """
    return {name: _on_clock(function, mu, gross, np.asarray(clock, dtype=bool), cost) for name, clock in clocks.items()}


def _on_clock(function: GeneratingFunction, mu: ndarray, gross: ndarray, clock: ndarray, cost: ndarray | float) -> ClockResult:
    steps = len(gross)
    if clock.shape != (steps + 1,):
        raise ValueError(f"a clock for {steps} steps must say yes or no at {steps + 1} times, got the shape {clock.shape}")
    parts = decompose(function, mu, gross, clock)
    stops = clock.copy()
    stops[-1] = False  # the books close at the end: nothing is traded there
    path = wealth_path(function, mu, gross, stops, cost=cost)
    ticks = 1 + int(stops[1:].sum())
    return ClockResult(
        ticks, float(parts.boundary.sum()), float(parts.l_divergence.sum()), float(parts.flow.sum()), float(path.log_kept.sum()), float(path.turnover.sum())
    )


@dataclass(frozen=True, eq=False)
class WealthPath:
    """A generated portfolio in money, session by session.

    Args:
        log_wealth: log of its value over the value at the start, after the trade of that time, shape (t+1,); the first is zero.
        log_kept: log(1 - cost fraction) of the trade at each time, not positive, shape (t+1,).
        turnover: one-way, half the sum of absolute traded weight, at each time, shape (t+1,); the first purchase is left out.
    """

    log_wealth: Float[ndarray, " t1"]
    log_kept: Float[ndarray, " t1"]
    turnover: Float[ndarray, " t1"]


def wealth_path(
    function: GeneratingFunction,
    mu: Float[ndarray, "t1 n"],
    gross: Float[ndarray, "t n"],
    clock: Bool[ndarray, " t1"],
    *,
    cost: Float[ndarray, " n"] | float = 0.0,
) -> WealthPath:
    """Return the value of a generated portfolio that is formed anew at the ticks of a clock and held between them: ``log V_t = log V_s + log(pi_s'R_{s,t})``.

    Args:
        function: the generating function.
        mu: market weights at the start and after each step, shape (t+1, n); only those at ticks are looked at.
        gross: gross returns of each step, shape (t, n).
        clock: at which of the t+1 times it trades to its weights, shape (t+1,); the first always is, free of cost, and the last is charged if it ticks.
        cost: of each asset, or of all, as a fraction of the traded value; charged self-financing.

    Raises:
        ValueError: a clock of another length.

    >>> from gammastar.core.generating import Diversity
    >>> mu, gross = np.array([[0.5, 0.5], [0.6, 0.4]]), np.array([[1.2, 0.8]])
    >>> wealth_path(Diversity(0.0), mu, gross, np.array([True, True]), cost=0.01).turnover.round(4).tolist()
    [0.0, 0.1]
    """
    steps = len(gross)
    if clock.shape != (steps + 1,):
        raise ValueError(f"a clock for {steps} steps must say yes or no at {steps + 1} times, got the shape {clock.shape}")
    costs = np.broadcast_to(np.asarray(cost, dtype=np.float64), gross.shape[1:])
    free = not bool(np.any(costs))
    wealth, kept, turnover = np.zeros(steps + 1), np.zeros(steps + 1), np.zeros(steps + 1)
    target = function.weights(mu[0])
    for start, end in pairwise(np.unique(np.concatenate(([0], np.flatnonzero(clock), [steps]))).tolist()):
        held = target * np.cumprod(gross[start:end], axis=0)
        value = held.sum(axis=1)
        wealth[start + 1 : end + 1] = wealth[start] + np.log(value)
        if clock[end]:
            before, target = held[-1] / value[-1], function.weights(mu[end])
            left = 1.0 if free else self_financing(before, target, costs)
            kept[end] = np.log(left)
            turnover[end] = 0.5 * float(np.abs(left * target - before).sum())
            wealth[end] += kept[end]
    return WealthPath(wealth, kept, turnover)


@dataclass(frozen=True, eq=False)
class SignaturePlot:
    """Realised excess growth a step against the length of the window it is measured over.

    Flat where returns are independent from step to step; falling where moves come back (the longer window sees less), rising where they go on.

    Args:
        windows: lengths in steps, shape (m,).
        excess_growth: mean free energy of a window over its length, shape (m,).
        standard_error: of it, as if the history held ``t / window`` independent windows, shape (m,).
    """

    windows: Int[ndarray, " m"]
    excess_growth: Float[ndarray, " m"]
    standard_error: Float[ndarray, " m"]


def signature_plot(pi: Float[ndarray, "t n"] | Float[ndarray, " n"], gross: Float[ndarray, "t n"], windows: Sequence[int]) -> SignaturePlot:
    """Return the mean of ``FE(pi_s, R_{s+1} ... R_{s+h}) / h`` over every start s, for each window length h.

    Args:
        pi: weights at the start of each step, shape (t, n), or constant ones, shape (n,), summing to one.
        gross: gross returns of each step, shape (t, n), positive.
        windows: window lengths in steps, each from 1 to t.

    Raises:
        ValueError: no windows, or one that does not fit into the history.

    >>> signature_plot(np.array([0.5, 0.5]), np.array([[2.0, 1.0], [0.5, 1.0]]), (1, 2)).excess_growth.round(6).tolist()
    [0.058892, 0.0]
    """
    lengths = np.asarray(windows, dtype=np.intp)
    steps = len(gross)
    if not len(lengths) or int(lengths.min()) < 1 or int(lengths.max()) > steps:
        raise ValueError(f"windows must have 1 to {steps} steps, got {list(windows)}")
    weights = np.broadcast_to(pi, gross.shape)
    levels = np.concatenate((np.zeros((1, gross.shape[1])), np.cumsum(np.log(gross), axis=0)))
    means, errors = np.empty(len(lengths)), np.empty(len(lengths))
    for position, length in enumerate(lengths):
        energies = _window_energies(weights, levels, int(length)) / length
        means[position] = energies.mean()
        errors[position] = energies.std() / np.sqrt(max(steps / length, 1.0))
    return SignaturePlot(lengths, means, errors)


def _window_energies(weights: ndarray, levels: ndarray, length: int) -> Float[ndarray, " s"]:
    """Return the free energy of each window of `length` steps, from log price levels."""
    count = len(levels) - length
    energies = np.empty(count)
    for start in range(0, count, BLOCK):
        stop = min(start + BLOCK, count)
        held, grown = weights[start:stop], levels[start + length : stop + length] - levels[start:stop]
        mean = np.log(np.einsum("tn,tn->t", held, np.exp(grown)))
        energies[start:stop] = -np.einsum("tn,tn->t", held, grown - mean[:, None])
    return energies
