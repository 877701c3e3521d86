"""Discrete rules: relax, round, solve again on the support found, recheck."""

from __future__ import annotations

__all__ = ["best_answer"]

import itertools
import math
from dataclasses import replace
from enum import Enum
from typing import TYPE_CHECKING

from gammastar.core.costs import TradeCost
from gammastar.core.rows import AbsoluteSum, Budget, CountLimit, LeastHolding, LeastTrade, RiskShares, WholeLots
from gammastar.optimise.excess import ROUNDING, broken_discrete, hard_excess, worth
from gammastar.optimise.issuers import choose_large
from gammastar.optimise.lots import whole_lots
from gammastar.optimise.pieces import find_pieces, restrict, settle_fixed
from gammastar.optimise.rounding import OVERHEAD, Choice, Effort, dive, extra, improved
from gammastar.optimise.sequential import keep_shares, tangents
from gammastar.optimise.solver import Answer, Outcome, solve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gammastar.optimise.fast import Warm
    from gammastar.optimise.problem import Problem


class Guide(Enum):
    """What objective guides the search for pieces. They are taken in turn, until weights are found that keep every rule."""

    OWN = "the problem's own"
    FEW = "as few names as can be"
    CAREFUL = "a third of the growth term, and all of the risk"
    SAFE = "risk alone"
    NEAR = "what is held now, as far as can be"


BY_NAME = (CountLimit, LeastHolding, LeastTrade, WholeLots)
"""Rows that leave each name pieces to choose from."""

TO_FIND, TO_IMPROVE = 6.0, 2.5
"""What may be spent on finding an answer, and on making it better, in relaxations' time."""

NO_ROOM = "whole lots leave a remainder in cash, and the rules leave no room for it: give the cash rule a maximum above its minimum"

ENOUGH, LEAST = 0.01, 1e-6
"""A gap to the relaxation, as a part of its objective and in growth a year, that is not worked on."""


def best_answer(problem: Problem, warm: Warm | None = None) -> Answer:
    """Return the best weights found that keep every row of `problem`, the discrete ones too.

    Without discrete rows this is `solve`. With some, the relaxation is solved first. Where it breaks a discrete row, a piece is chosen for each
    name (`gammastar.optimise.pieces`) and the problem is solved again on them; issuers that may be large, shares of risk and whole lots follow.
    What comes back keeps every row; it may not be the best that does, and `gap` says how much better the relaxation is. Prices are those of
    the last convex problem solved, with names and issuers as chosen.

    Args:
        problem: as posed by `gammastar.optimise.problem.state_problem`.
        warm: an optimum of a problem like it, to start from; not used with discrete rows, whose answer may hang on a last digit of the relaxation.

    Returns:
        SOLVED with a gap; INFEASIBLE if the relaxation is; FAILED, with the discrete rules that could not be kept in the message, if no weights were found.
    """
    if not problem.discrete:
        return solve(problem, warm=warm)
    if any(isinstance(row, WholeLots) for row in problem.discrete) and not _room_in_cash(problem):
        return Answer(Outcome.FAILED, problem.fixed, message=NO_ROOM)
    settled = settle_fixed(problem)
    relaxed = solve(settled)
    if relaxed.outcome is Outcome.INFEASIBLE and settled is not problem:
        plain = solve(problem)
        return plain if plain.outcome is Outcome.INFEASIBLE else _not_kept(problem)
    if relaxed.outcome is not Outcome.SOLVED:
        return relaxed
    if not broken_discrete(settled, relaxed.weights):
        return replace(relaxed, gap=0.0)
    found = _search(settled, relaxed)
    if found is None:
        return _not_kept(problem)
    return replace(found, gap=worth(settled, relaxed.weights) - worth(settled, found.weights))


def _room_in_cash(problem: Problem) -> bool:
    """Return whether some cash may be left, more or less of it."""
    return any(isinstance(row, Budget) and (row.maximum > row.minimum or row.penalty is not None) for row in problem.rows)


def _search(problem: Problem, relaxed: Answer) -> Answer | None:
    """Return the first answer found that keeps every row."""
    best = worth(problem, relaxed.weights)
    enough = best - max(ENOUGH * abs(best), LEAST)
    return next(itertools.chain(_answers(problem, relaxed, enough), _answers(problem, relaxed, enough, harder=3.0)), None)


def _answers(problem: Problem, relaxed: Answer, enough: float, *, harder: float = 1.0) -> Iterator[Answer]:
    """Yield answers that keep every row, guide by guide, worked on until they are worth `enough`; `harder` is what may be spent beyond the usual."""
    for guide in Guide:
        candidate = _attempt(problem, relaxed, guide, enough, harder)
        if candidate is not None and not broken_discrete(problem, candidate.weights) and hard_excess(problem, candidate.weights) <= ROUNDING:
            yield candidate


def _allowance(problem: Problem, relaxations: float = TO_IMPROVE) -> Effort:
    """Return what finding an answer, or making it better, may take: some relaxations' time, and more of them where names are few."""
    return Effort(relaxations * (len(problem.free) + OVERHEAD) + 1500.0 * extra(problem))


def _attempt(problem: Problem, relaxed: Answer, by: Guide, enough: float, harder: float = 1.0) -> Answer | None:
    """Return an answer that may keep every row, or None."""
    effort = _allowance(problem, harder * TO_FIND)
    guide = _guided(problem, relaxed, by)
    start = relaxed if guide is problem else None if guide is None else effort.solve(guide)
    start = None if guide is None or start is None else _with_shares(guide, start)
    if guide is None or start is None:
        return None
    steps = tangents(guide, start.weights)
    large = choose_large(replace(guide, rows=(*guide.rows, *steps)), start, _allowance(problem), enough)
    if large is None:
        return None
    work = replace(problem, rows=(*problem.rows, *large))
    stepped = replace(work, rows=(*work.rows, *steps))
    if not any(isinstance(row, BY_NAME) for row in problem.discrete):
        answer = effort.solve(stepped) if large or guide is not problem else start
        return None if answer is None else _with_shares(work, answer) if answer is not start else start
    choice = dive(replace(guide, rows=(*guide.rows, *large, *steps)), start, effort)
    if choice is not None and guide is not problem:
        choice = _again(stepped, choice, effort) or choice
    if choice is None:
        return None
    choice = improved(stepped, choice, _allowance(problem), enough)
    if large:
        work, choice = _other_issuers(problem, replace(problem, rows=(*problem.rows, *steps)), work, choice, enough)
    return _finished(work, choice)


def _other_issuers(problem: Problem, stepped: Problem, work: Problem, choice: Choice, enough: float) -> tuple[Problem, Choice]:
    """Return the problem and the choice with other issuers large, as long as that helps the names chosen.

    Args:
        problem: without a choice of issuers.
        stepped: the same with tangents of shares of risk.
        work: the problem with the choice so far.
        choice: of pieces, the best so far.
        enough: an objective that need not be improved.
    """
    pieces = find_pieces(problem)
    for _ in range(3):
        now = worth(problem, choice.answer.weights)
        on_pieces = restrict(stepped, pieces, pieces.only(choice.piece))
        effort = _allowance(problem)
        large = None if now >= enough or on_pieces is None else choose_large(on_pieces, choice.answer, effort, enough)
        if large is None:
            break
        other = replace(stepped, rows=(*stepped.rows, *large))
        again = _again(other, choice, effort)
        if again is None or worth(problem, again.answer.weights) <= now + LEAST:
            break
        work, choice = replace(problem, rows=(*problem.rows, *large)), improved(other, again, effort, enough)
    return work, choice


def _guided(problem: Problem, relaxed: Answer, by: Guide) -> Problem | None:
    """Return the problem with the objective that guides the search; None where that guide has no use."""
    variances = tuple(replace(v, factor=max(v.factor, 1.0), specific=max(v.specific, 1.0)) for v in problem.variances)
    counted = [row for row in problem.discrete if isinstance(row, CountLimit) and row.maximum]
    most = [row.maximum for row in counted if row.maximum and row.held is None]
    match by:
        case Guide.OWN:
            return problem
        case Guide.CAREFUL:
            return replace(problem, growth=problem.growth / 3.0, variances=variances)
        case Guide.SAFE:
            return replace(problem, growth=0.0 * problem.growth, variances=variances, cost=TradeCost.proportional(0.0, len(problem.held)))
        case Guide.NEAR:
            traded = any(isinstance(row, AbsoluteSum) for row in problem.rows) or len(counted) > len(most)
            return replace(problem, growth=0.0 * problem.growth, cost=TradeCost.proportional(1.0, len(problem.held))) if traded else None
        case Guide.FEW:  # a small weight is shunned more than a large one: the number of names, made smooth
            return replace(problem, growth=-0.1 / (1.0 + 3.0 * min(most) * relaxed.weights)) if most else None


def _again(problem: Problem, choice: Choice, effort: Effort) -> Choice | None:
    """Return the same pieces with the best weights for `problem`."""
    pieces = find_pieces(problem)
    answer = effort.solve(restrict(problem, pieces, pieces.only(choice.piece)))
    return None if answer is None else Choice(choice.piece, answer)


def _finished(problem: Problem, choice: Choice) -> Answer | None:
    """Return the answer with shares of risk and whole lots kept too."""
    pieces, answer = find_pieces(problem), choice.answer
    fixed = restrict(problem, pieces, pieces.only(choice.piece))
    if fixed is None:
        return None
    kept = _with_shares(fixed, answer)
    lots = next((row for row in problem.discrete if isinstance(row, WholeLots)), None)
    return kept if lots is None or kept is None else whole_lots(fixed, kept, lots)


def _with_shares(problem: Problem, answer: Answer) -> Answer | None:
    """Return the answer with every share of risk kept, or None."""
    return keep_shares(problem, answer) if any(isinstance(row, RiskShares) for row in problem.discrete) else answer


def _not_kept(problem: Problem) -> Answer:
    """Return the failure, with the names of the discrete rules that could not be kept."""
    rules = tuple(dict.fromkeys(row.rule for row in problem.discrete))
    told = [rule for rule in rules if len(rules) > 1 and _kept_without(problem, rule)]
    told = told or list(rules)
    return Answer(Outcome.FAILED, problem.fixed, message=f"no weights were found that keep {' or '.join(told)} beside the other rules")


def _kept_without(problem: Problem, rule: str) -> bool:
    """Return whether weights are found without the discrete rows of one rule."""
    rest = replace(problem, discrete=tuple(row for row in problem.discrete if row.rule != rule))
    settled = settle_fixed(rest)
    relaxed = solve(settled)
    if relaxed.outcome is not Outcome.SOLVED:
        return False
    return not broken_discrete(settled, relaxed.weights) or next(_answers(settled, relaxed, -math.inf), None) is not None
