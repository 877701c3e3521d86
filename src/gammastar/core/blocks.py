"""The exact decomposition (Pal and Wong 2016) of long and wide histories, a block of sessions at a time: memory is bounded by the block, not by the history.

`decompose_blocks` takes arrays, or anything that is sliced like one (``np.memmap``); `decompose_stream` takes blocks as they come. Both rebalance at every
step, and `gammastar.core.decomposition.decompose`, which knows schedules too, comes here when it does (of a function of ranks, leakage is with the L-divergence). For `Diversity` one logarithm and one exponential a weight are enough: the flow compares
each drifted weight with the published one, and where the two are close (but for index changes, everywhere) a short series replaces the power.
"""

from __future__ import annotations

__all__ = ["GeneratedParts", "decompose_blocks", "decompose_stream"]

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gammastar.core.generating import Diversity, GeneratingFunction, relative_value
from gammastar.core.simplex import drifted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from jaxtyping import Bool, Float
    from numpy import ndarray

_BLOCK_BYTES = 1 << 21  # the working arrays of a block stay in cache, and a call of numpy costs little against what it works on
_ARRAYS = 5  # that a block works on at a time, of its own size
_CLOSE = 4e-3  # beyond it, a relative difference is raised to the power itself: five terms of the series leave less than rounding
_FAST_POWERS = (0.01, 2.0)  # abs(p) for which little is lost to the division by p (1e-14), or to the series' coefficients


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


def decompose_blocks(
    function: GeneratingFunction, mu: Float[ndarray, "t1 n"], gross: Float[ndarray, "t n"], *, block_bytes: int = _BLOCK_BYTES
) -> GeneratedParts:
    """Return the exact parts of the portfolio that `function` generates, rebalanced at every step, with no lag and no cost.

    Args:
        function: the generating function.
        mu: index weights at the start and after each step, shape (t+1, n), each row summing to one; sliced by rows only.
        gross: gross returns of each step, shape (t, n), positive; sliced by rows only.
        block_bytes: bound on the memory that working arrays take, beside the arguments and the three results; never less than one session's need.

    Returns:
        Boundary, L-divergence and flow, shape (t,) each.

    Raises:
        ValueError: shapes that do not fit together.

    >>> mu, gross = np.array([[0.5, 0.5], [0.55, 0.45]]), np.array([[1.1, 0.9]])
    >>> decompose_blocks(Diversity(0.0), mu, gross).total.round(12) == 0.0
    array([ True])
    """
    steps = len(gross)
    if len(mu) != steps + 1 or mu.shape[1:] != gross.shape[1:]:
        raise ValueError(f"weights {mu.shape} must have one row more than returns {gross.shape}, and as many names")
    rows = max(1, int(block_bytes) // (8 * _ARRAYS * max(1, mu.shape[1])))
    parts = GeneratedParts(np.empty(steps), np.empty(steps), np.empty(steps))
    blocks = ((mu[at : at + rows + 1], gross[at : at + rows]) for at in range(0, steps, rows))
    done = 0
    for part in decompose_stream(function, blocks):
        to = done + len(part.boundary)
        parts.boundary[done:to], parts.l_divergence[done:to], parts.flow[done:to] = part.boundary, part.l_divergence, part.flow
        done = to
    return parts


def decompose_stream(
    function: GeneratingFunction, blocks: Iterable[tuple[Float[ndarray, "b1 n"], Float[ndarray, "b n"]]]
) -> Iterator[GeneratedParts]:
    """Yield the exact parts of each block of steps as it comes; only one block is held.

    Args:
        function: the generating function.
        blocks: index weights at the start and after each step of a block, shape (b+1, n), and its gross returns, shape (b, n). A block begins with the
            weights that the one before it ended with.

    Yields:
        Boundary, L-divergence and flow of each block, in log return a step, shape (b,) each.

    >>> mu, gross = np.array([[0.5, 0.5], [0.55, 0.45]]), np.array([[1.1, 0.9]])
    >>> [part.total.round(12).tolist() for part in decompose_stream(Diversity(0.5), [(mu, gross)])]
    [[0.0]]
    """
    if not isinstance(function, Diversity) or not _fast(function.p):
        for mu, gross in blocks:
            yield _parts(function, mu, gross)
        return
    work: _Workspace | None = None
    for mu, gross in blocks:
        if work is None or work.rows < len(gross):
            work = _Workspace.of(len(gross), mu.shape[1])
            work.open(mu[0], function.p)
        yield _diversity_parts(function.p, mu, gross, work)


def _parts(function: GeneratingFunction, mu: Float[ndarray, "b1 n"], gross: Float[ndarray, "b n"]) -> GeneratedParts:
    """Return boundary, L-divergence and flow of any function over one block."""
    nu = drifted(mu[:-1], gross)
    own, before = function.log_value(mu), function.log_value(nu)
    return GeneratedParts(np.diff(own), np.log(relative_value(function, mu[:-1], nu)) - (before - own[:-1]), before - own[1:])


def _fast(p: float) -> bool:
    return _FAST_POWERS[0] <= abs(p) <= _FAST_POWERS[1] and p >= -1.0


@dataclass(frozen=True, eq=False)
class _Workspace:
    """Arrays that every block of a stream writes into, so that nothing is allocated; row 0 of `powers` is the last row of the block before.

    Args:
        powers: ``mu^p``, shape (rows + 1, n).
        sums: their sums, shape (rows + 1,).
        count: names held, shape (rows + 1,).
        one, two, three: shape (rows, n).
        flag: shape (rows, n).
    """

    powers: Float[ndarray, "r1 n"]
    sums: Float[ndarray, " r1"]
    count: Float[ndarray, " r1"]
    one: Float[ndarray, "r n"]
    two: Float[ndarray, "r n"]
    three: Float[ndarray, "r n"]
    flag: Bool[ndarray, "r n"]

    @classmethod
    def of(cls, rows: int, names: int) -> _Workspace:
        """Return a workspace for blocks of up to `rows` steps."""
        size = (rows, names)
        own = np.empty((rows + 1, names)), np.empty(rows + 1), np.empty(rows + 1)
        return cls(*own, np.empty(size), np.empty(size), np.empty(size), np.empty(size, dtype=bool))

    @property
    def rows(self) -> int:
        """The longest block that fits."""
        return len(self.one)

    def open(self, mu: Float[ndarray, " n"], p: float) -> None:
        """Write row 0: the weights with which a stream begins."""
        self.fill(mu[None, :], p, 0)

    def fill(self, mu: Float[ndarray, "b n"], p: float, at: int) -> None:
        """Write ``mu^p``, zero where `mu` is, with its sums and counts, from row `at` on."""
        rows = slice(at, at + len(mu))
        powers, held = self.powers[rows], self.flag[: len(mu)]
        np.greater(mu, 0.0, out=held)
        with np.errstate(divide="ignore"):  # exp brings the logarithm of zero back to zero, if p is positive
            np.log(mu, out=powers)
        np.multiply(powers, p, out=powers)
        np.exp(powers, out=powers)
        if p < 0.0:
            np.copyto(powers, 0.0, where=~held)
        np.sum(powers, axis=1, out=self.sums[rows])
        self.count[rows] = [np.count_nonzero(row) for row in held]


def _diversity_parts(p: float, mu: Float[ndarray, "b1 n"], gross: Float[ndarray, "b n"], work: _Workspace) -> GeneratedParts:
    """Return boundary, L-divergence and flow of ``D_p`` over one block, and leave its last row in the workspace."""
    steps = len(gross)
    work.fill(mu[1:], p, 1)
    sums, count = work.sums[: steps + 1], work.count[: steps + 1]
    grown = np.multiply(mu[:-1], gross, out=work.one[:steps])
    market = grown.sum(axis=1)
    portfolio = np.vecdot(work.powers[:steps], gross)
    moved = _flow_sums(p, mu[1:], market, work)
    boundary = np.diff(np.log(sums / count)) / p
    flow = (np.log1p(moved / sums[1:]) + np.log(count[1:] / count[:-1])) / p
    relative = np.log(portfolio / (sums[:-1] * market))
    for kept in (work.powers, sums, count):
        kept[0] = kept[steps]
    return GeneratedParts(boundary, relative - boundary - flow, flow)


def _flow_sums(p: float, published: Float[ndarray, "b n"], market: Float[ndarray, " b"], work: _Workspace) -> Float[ndarray, " b"]:
    """Return ``sum nu^p - sum mu_{t+1}^p`` of each step; the grown weights ``mu_t R`` are in `work.one`, and are used up.

    With ``nu = mu_{t+1} (1 + f)`` it is ``sum mu_{t+1}^p ((1 + f)^p - 1)``: the binomial series where f is small, the power itself where it is not.
    """
    steps = len(published)
    powers, grown = work.powers[1 : steps + 1], work.one[:steps]
    f, square, far = work.two[:steps], work.three[:steps], work.flag[:steps]
    with np.errstate(divide="ignore", invalid="ignore"):  # names that are not in the index after the step: not finite, hence far
        np.divide(grown, published, out=f)
        np.multiply(f, 1.0 / market[:, None], out=f)
        np.subtract(f, 1.0, out=f)
        np.multiply(f, f, out=square)
    np.less_equal(square, _CLOSE * _CLOSE, out=far)
    places = np.flatnonzero(np.logical_not(far, out=far))
    row = places // published.shape[1]
    nu = grown.reshape(-1)[places] / market[row]
    exact = np.power(nu, p, out=np.zeros(len(nu)), where=nu > 0.0) - powers.reshape(-1)[places]
    f.reshape(-1)[places] = square.reshape(-1)[places] = 0.0
    weighted = np.multiply(powers, square, out=grown)
    c = _binomial(p)
    total = c[0] * np.vecdot(powers, f) + c[1] * np.vecdot(powers, square) + c[2] * np.vecdot(weighted, f) + c[3] * np.vecdot(weighted, square)
    np.multiply(f, square, out=f)
    return np.asarray(total + c[4] * np.vecdot(weighted, f) + np.bincount(row, weights=exact, minlength=steps))


def _binomial(p: float) -> tuple[float, ...]:
    """Return the coefficients of ``(1 + f)^p - 1`` from f to f^5."""
    coefficients, own = [], 1.0
    for k in range(1, 6):
        own *= (p - k + 1.0) / k
        coefficients.append(own)
    return tuple(coefficients)
