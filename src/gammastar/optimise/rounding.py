"""The search for one piece a name: decide what costs least, solve again, take back what cannot be; then try to improve."""

from __future__ import annotations

__all__ = ["OVERHEAD", "Choice", "Effort", "dive", "extra", "improved"]

import itertools
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from gammastar.core.rows import CountLimit
from gammastar.mandate.rules.discrete import HELD
from gammastar.optimise.excess import worth
from gammastar.optimise.pieces import MORE, STAY, ZERO, Pieces, find_pieces, restrict
from gammastar.optimise.pressure import piece_gains
from gammastar.optimise.solver import Answer, Outcome, solve

if TYPE_CHECKING:
    from jaxtyping import Bool, Int
    from numpy import ndarray

    from gammastar.optimise.problem import Problem

DROPPED, DECIDED = 0.5, 0.4
"""Parts of the names too many, and of the names between pieces, that are decided in one round."""
FEWEST = 3
"""Names between pieces that are decided in one round at least."""
OVERHEAD = 300
"""What a solve takes beside its names, in names."""
PATIENCE = 1500
"""How much may be spent on single moves that fail one after the other, in names."""
CONES_BELOW = 250
"""Free names below which the cone solver is the faster one where most names are fixed."""
WORTHWHILE = 1e-9
"""Growth a year by which a choice has to be better."""
NEIGHBOURS = 300
"""How many of them are looked at."""

_Moves = tuple[tuple[int, int], ...]
"""Names and the pieces they move to."""


@dataclass
class Effort:
    """Work that may still be done, in names solved for: counted, not timed, so that answers do not depend on the machine."""

    left: float

    @staticmethod
    def patience(problem: Problem) -> int:
        """Return how many tries may fail one after the other: few where a solve takes long."""
        return max(3, int(PATIENCE * extra(problem)) // (len(problem.free) + OVERHEAD))

    def solve(self, problem: Problem | None) -> Answer | None:
        """Return the answer of a problem that has one, within its bounds to the last digit, else None."""
        if problem is None:
            return None
        self.left -= len(problem.free) + OVERHEAD
        answer = solve(problem, clarabel=len(problem.free) < CONES_BELOW)
        if answer.outcome is not Outcome.SOLVED:
            return None
        weights = answer.weights.copy()
        weights[problem.free] = np.clip(weights[problem.free], problem.lower, problem.upper)
        return replace(answer, weights=weights)


@dataclass(frozen=True, eq=False)
class Choice:
    """A piece for each free name, and the best weights on them.

    Args:
        piece: shape (m,).
        answer: of the problem on these pieces.
    """

    piece: Int[ndarray, " m"]
    answer: Answer


@dataclass(frozen=True, eq=False)
class _Decisions:
    """Names and the pieces they are to take, the cheapest first."""

    names: Int[ndarray, " d"]
    pieces: Int[ndarray, " d"]

    def first(self, count: int) -> _Decisions:
        return _Decisions(self.names[:count], self.pieces[:count])


@dataclass(frozen=True, eq=False)
class _Counted:
    """A limit on the number of names held, or traded.

    Args:
        minimum: of names.
        maximum: of names.
        counts: which pieces of each free name count, shape (m, 4).
        outside: how many of the fixed names count.
        trades: whether trades are counted, rather than names held.
    """

    minimum: int
    maximum: float
    counts: Bool[ndarray, "m 4"]
    outside: int
    trades: bool

    def number(self, piece: Int[ndarray, " m"]) -> int:
        """Return how many names count where each is in a piece."""
        return int(self.counts[np.arange(len(piece)), piece].sum()) + self.outside

    def over(self, piece: Int[ndarray, " m"]) -> int:
        """Return how many names too many count; none where that is not limited."""
        return self.number(piece) - int(self.maximum) if math.isfinite(self.maximum) else 0

    def room(self, piece: Int[ndarray, " m"]) -> tuple[float, float]:
        """Return by how many the names that count may fall and rise."""
        number = self.number(piece)
        return number - self.minimum, self.maximum - number


def _counted(problem: Problem) -> tuple[_Counted, ...]:
    """Return the limits on numbers of names."""
    found = []
    fixed = np.ones(len(problem.fixed), dtype=bool)
    fixed[problem.free] = False
    for row in problem.discrete:
        if isinstance(row, CountLimit):
            counts = np.ones((len(problem.free), 4), dtype=bool)
            counts[:, ZERO] = False if row.held is None else row.held[problem.free] > HELD
            counts[:, STAY] = row.held is None
            there = problem.fixed > HELD if row.held is None else np.abs(problem.fixed - row.held) > HELD
            least, most = row.minimum or 0, math.inf if row.maximum is None else row.maximum
            found.append(_Counted(least, most, counts, int((there & fixed).sum()), row.held is not None))
    return tuple(found)


@dataclass(eq=False)
class _Search:
    """A dive under way.

    Args:
        problem: to be solved on the pieces.
        pieces: of its names.
        effort: left.
        open_: the pieces still possible, shape (m, 4).
        counts: limits on the number of names.
        piece: where each name is in the last answer, shape (m,).
        resting: which names are at zero or at what is held there, shape (m,).
        sells: whether the last decisions sell names because too many are held.
    """

    problem: Problem
    pieces: Pieces
    effort: Effort
    open_: Bool[ndarray, "m 4"]
    counts: tuple[_Counted, ...]
    piece: Int[ndarray, " m"]
    resting: Bool[ndarray, " m"]
    sells: bool = False

    def decisions(self, answer: Answer) -> _Decisions:
        """Return what to decide next; nothing if every name is in a piece and their number is right."""
        w = answer.weights[self.problem.free]
        (piece, distance), rows = self.pieces.nearest(w, self.open_), np.arange(len(w))
        gains = np.where(self.open_, piece_gains(self.problem, answer, self.pieces), -np.inf)
        self.piece, self.resting = piece, (distance == 0.0) & ((piece == ZERO) | (piece == STAY))
        names, chosen, costs = [np.zeros(0, dtype=np.intp)], [np.zeros(0, dtype=np.intp)], [np.zeros(0)]

        def decide(candidates: ndarray, to: ndarray, count: int) -> None:
            cost = -gains[candidates, to]
            order = np.argsort(cost, kind="stable")[:count]
            names.append(candidates[order])
            chosen.append(to[order])
            costs.append(cost[order])

        dropped = np.zeros(len(w), dtype=bool)
        worst = max(self.counts, key=lambda counted: counted.over(piece), default=None)  # of two numbers, the one that is further above its limit
        surplus = 0 if worst is None else max(worst.over(piece), 0)
        self.sells = worst is not None and surplus > 0 and not worst.trades
        if worst is not None and surplus > 0:
            rests = np.where(self.open_ & ~worst.counts, gains, -np.inf)
            candidates = np.flatnonzero(worst.counts[rows, piece] & np.isfinite(rests.max(axis=1)))
            decide(candidates, rests[candidates].argmax(axis=1), max(math.ceil(DROPPED * surplus), min(surplus, FEWEST)))
            dropped[names[-1]] = True
        between = np.flatnonzero((distance > 0.0) & ~dropped)
        if len(between) and 2 * surplus <= len(between):  # many that are dropped move the others
            decide(between, gains[between].argmax(axis=1), max(math.ceil(DECIDED * len(between)), FEWEST))
        short = max((counted.minimum - counted.number(piece) for counted in self.counts), default=0)
        if short > 0 and not len(between):
            candidates = np.flatnonzero((piece == ZERO) & self.open_[:, MORE])
            decide(candidates, np.full(len(candidates), MORE), short)
        order = np.argsort(np.concatenate(costs), kind="stable")
        return _Decisions(np.concatenate(names)[order], np.concatenate(chosen)[order])

    def make(self, decisions: _Decisions, frozen: tuple[int, ...]) -> Answer | None:
        """Return the answer once `decisions` are made, and keep them, if there is one; names at rest in a piece that is `frozen` stay there."""
        after = self.open_.copy()
        after[decisions.names] = self.pieces.only(decisions.pieces)
        hull = after.copy()
        rest = np.flatnonzero(self.resting & np.isin(self.piece, frozen))
        rest = rest[~np.isin(rest, decisions.names)]
        hull[rest] = self.pieces.only(self.piece[rest])
        found = self.effort.solve(restrict(self.problem, self.pieces, hull))
        if found is not None:
            self.open_ = after
        return found


def dive(problem: Problem, start: Answer, effort: Effort, within: Bool[ndarray, "m 4"] | None = None) -> Choice | None:
    """Return pieces that keep the counts, and the best weights on them; None if none were found within the effort.

    Each round decides the part of what is undecided that costs least by the slopes of the objective, and solves again on what is left open.
    Where that leaves no weights, names at rest are opened again, then the costlier half of the decisions is taken back, down to a single one,
    which is then ruled out.

    Args:
        problem: whose discrete rows on single names and counts are to be kept.
        start: the answer on the hull of the pieces, or of the relaxation.
        effort: what may be spent.
        within: the pieces to choose from, shape (m, 4); None for all.
    """
    pieces = find_pieces(problem)
    counts, m = _counted(problem), len(problem.free)
    open_ = (pieces.valid if within is None else within).copy()
    search = _Search(problem, pieces, effort, open_, counts, np.zeros(m, dtype=np.intp), np.zeros(m, dtype=bool))
    answer: Answer | None = start
    while answer is not None and effort.left > 0.0 and search.open_.any(axis=1).all():
        decisions = search.decisions(answer)
        if not len(decisions.names):
            fits = all(min(counted.room(search.piece)) >= 0 for counted in counts)
            final = effort.solve(restrict(problem, pieces, pieces.only(search.piece))) if fits else None
            return None if final is None else Choice(search.piece, final)
        answer = _advance(search, answer, decisions)
    return None


def _advance(search: _Search, answer: Answer, decisions: _Decisions) -> Answer | None:
    """Make as many of the decisions as leave weights; return the answer then, the old one with a piece ruled out if not even one does."""
    frozen: list[tuple[int, ...]] = [(), (ZERO,), (ZERO, STAY)]
    if search.sells:  # what is sold has to go somewhere: to names that are held already, rather than to new ones
        frozen.pop()
    while search.effort.left > 0.0:
        found = search.make(decisions, frozen[-1])
        if found is not None:
            return found
        if len(frozen) > 1:
            frozen.pop()
        elif len(decisions.names) > 1:
            decisions = decisions.first(len(decisions.names) // 2)
        else:
            search.open_[decisions.names[0], decisions.pieces[0]] = False
            return answer
    return None


def improved(problem: Problem, choice: Choice, effort: Effort, enough: float) -> Choice:
    """Return a choice that is at least as good.

    First the pieces of the most promising names are opened and closed again by a dive, many names at a time, fewer when that brings nothing;
    then single moves and swaps are tried.

    Args:
        problem: as for `dive`.
        choice: that keeps its discrete rows.
        effort: what may be spent.
        enough: an objective that need not be improved.
    """
    pieces, wide = find_pieces(problem), len(problem.free) // 5
    while wide > 1 and effort.left > 0.0 and worth(problem, choice.answer.weights) < enough:
        candidate = _reopened(problem, choice, pieces, effort, wide)
        if candidate is not None and _gain(problem, candidate, choice) > WORTHWHILE:
            choice = candidate
        else:
            wide //= 3
    tried, failed, near = {choice.piece.tobytes()}, 0, _neighbours(problem, choice, pieces)
    while failed < effort.patience(problem) and effort.left > 0.0 and worth(problem, choice.answer.weights) < enough:
        piece = next((p for p in near if p.tobytes() not in tried), None)
        if piece is None:
            break
        tried.add(piece.tobytes())
        answer = effort.solve(restrict(problem, pieces, pieces.only(piece)))
        failed += 1
        if answer is not None and _gain(problem, Choice(piece, answer), choice) > WORTHWHILE:
            choice, failed = Choice(piece, answer), 0
            near = _neighbours(problem, choice, pieces)
    return choice


def extra(problem: Problem) -> float:
    """Return how many times the usual effort may be spent where names are few, and each solve costs next to nothing."""
    return 1.0 + 150.0 / max(len(problem.free), 1)


def _gain(problem: Problem, new: Choice, old: Choice) -> float:
    return worth(problem, new.answer.weights) - worth(problem, old.answer.weights)


def _reopened(problem: Problem, choice: Choice, pieces: Pieces, effort: Effort, count: int) -> Choice | None:
    """Return what a dive finds with the pieces of `count` names open, and with every name free to go where names are limited."""
    here, rows = choice.piece, np.arange(len(choice.piece))
    gains = piece_gains(problem, choice.answer, pieces)
    gains[rows, here] = -np.inf
    open_ = pieces.only(here)
    best = np.argsort(-gains.max(axis=1), kind="stable")[:count]
    open_[best] = pieces.valid[best]
    for counted in _counted(problem):
        if counted.room(here)[1] < count:
            open_ |= pieces.valid & ~counted.counts
    start = effort.solve(restrict(problem, pieces, open_))
    return None if start is None else dive(problem, start, effort, open_)


def _neighbours(problem: Problem, choice: Choice, pieces: Pieces) -> list[Int[ndarray, " m"]]:
    """Return choices near `choice` that keep the counts, the most promising first: a block of moves, then single moves, swaps and pairs."""
    here, gains = choice.piece, piece_gains(problem, choice.answer, pieces)
    gains[np.arange(len(here)), here] = -np.inf
    counts = _counted(problem)
    names, to = np.unravel_index(np.argsort(-gains, axis=None, kind="stable")[: np.isfinite(gains).sum()], gains.shape)
    singles: list[tuple[float, _Moves]] = [(float(gains[i, k]), ((i, k),)) for i, k in zip(names.tolist(), to.tolist(), strict=True)]
    out = [single for single in singles if single[1][0][1] == ZERO][:12]
    into = [single for single in singles if here[single[1][0][0]] == ZERO][:12]
    pairs = [*itertools.product(out, into), *itertools.combinations(singles[:12], 2)]
    moves = singles + [(a + b, (*one, *two)) for (a, one), (b, two) in pairs if one[0][0] != two[0][0]]
    moves.sort(key=lambda move: -move[0])
    block: _Moves = tuple({move[0]: move for gain, (move,) in reversed(singles) if gain > 0.0}.values())
    return [_moved(here, chosen) for chosen in (block, *(chosen for _, chosen in moves[:NEIGHBOURS])) if chosen and _fits(here, chosen, counts)]


def _fits(here: Int[ndarray, " m"], moves: _Moves, counts: tuple[_Counted, ...]) -> bool:
    """Return whether the numbers of names keep their limits after some moves."""
    for counted in counts:
        low, high = counted.room(here)
        if not -low <= sum(int(counted.counts[i, to]) - int(counted.counts[i, here[i]]) for i, to in moves) <= high:
            return False
    return True


def _moved(here: Int[ndarray, " m"], moves: _Moves) -> Int[ndarray, " m"]:
    after = here.copy()
    for i, to in moves:
        after[i] = to
    return after
