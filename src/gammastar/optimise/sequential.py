"""Shares of active variance, kept by convex steps: each step replaces the shares by their tangents where it starts."""

from __future__ import annotations

__all__ = ["keep_shares", "tangents"]

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from gammastar.core.rows import LinearRows, RiskShares
from gammastar.optimise.excess import risk_shares, worth
from gammastar.optimise.solver import Answer, Outcome, solve

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy import ndarray

    from gammastar.optimise.problem import Problem

STEPS = 40
KEPT = 2e-10
"""A share over its limit by less is kept (the check allows more)."""
SETTLED = 1e-8
"""Growth a year by which two steps may still differ."""
CLOSE = 0.5
"""Groups with more than this part of the limit get a tangent."""


def tangents(problem: Problem, weights: Float[ndarray, " n"], *, margin: float = 0.0) -> tuple[LinearRows, ...]:
    """Return the tangents of ``d' Q_g d <= 0``, ``d' Q_g d = sum_{i in g} d_i (Sigma d)_i - limit d' Sigma d``, at `weights`.

    With ``c`` the active weights there: ``2 c' Q_g d - c' Q_g c <= 0``, one row for each group that comes near its limit. The rule's price
    is the slope in the limit: ``c' Sigma c`` for one unit.

    Args:
        problem: its rows of the kind `RiskShares` are meant.
        weights: where the tangents touch, shape (n,).
        margin: taken off each limit.
    """
    found = []
    for row in problem.discrete:
        if isinstance(row, RiskShares):
            limit, active = row.limit - margin, weights - row.centre
            near = np.flatnonzero(risk_shares(row, weights) > CLOSE * row.limit)
            risk = row.covariance.times(active)
            variance = float(active @ risk)
            if not len(near) or not variance > 0.0:
                continue
            lines, right = [], []
            for group in near.tolist():
                inside = _members(row, group)
                part = inside * active
                gradient = inside * risk + row.covariance.times(part) - 2.0 * limit * risk  # of d'Qd, at c
                lines.append(gradient)
                right.append(float(gradient @ row.centre) + float(part @ risk) - limit * variance)
            upper = np.array(right)
            # in units of the variance now, so that a row is near one in size
            scale = 1.0 / np.sqrt(variance)
            none, slope = np.full(len(near), -np.inf), np.full(len(near), variance * scale)
            labels = tuple(row.labels[group] for group in near.tolist())
            found.append(LinearRows(row.rule, labels, scale * np.array(lines), none, scale * upper, 0.0 * slope, slope))
    return tuple(found)


def _members(row: RiskShares, group: int) -> Float[ndarray, " n"]:
    if row.matrix is None:
        return np.asarray(np.arange(len(row.centre)) == group, dtype=np.float64)
    line = row.matrix[[group]]
    return np.asarray(line if isinstance(line, np.ndarray) else line.toarray()).ravel()


def keep_shares(problem: Problem, start: Answer, *, margin: float = 0.0) -> Answer | None:
    """Return weights that keep every share of risk and the convex rows, or None.

    From where it stands, each step solves with the tangents of the shares; a full step is taken if the objective less a charge for excess rises,
    else half of one, and so on. It ends when the shares hold exactly and a step brings nothing more. A local optimum, not always the best.

    Args:
        problem: convex rows and shares; other discrete rows are left alone.
        start: an answer to the convex rows.
        margin: taken off each limit.
    """
    here, charge, best = start, 0.0, None
    for _ in range(STEPS):
        step = _step(problem, here, margin)
        if step is None:
            return best
        charge = max(charge, 2.0 * max((step.prices.get(row.rule, 0.0) for row in _rows(problem)), default=0.0), 1e-3)
        if excess(problem, step.weights, margin) <= KEPT and (best is None or worth(problem, step.weights) >= worth(problem, best.weights)):
            gained = np.inf if best is None else worth(problem, step.weights) - worth(problem, best.weights)
            best = step
            if gained <= SETTLED:
                return best
        moved = _damped(problem, here, step, charge, margin)
        if moved is None:
            return best if best is not None or margin > 1e-4 else keep_shares(problem, step, margin=max(10.0 * margin, 1e-8))
        here = moved
    return best


def _rows(problem: Problem) -> list[RiskShares]:
    return [row for row in problem.discrete if isinstance(row, RiskShares)]


def excess(problem: Problem, weights: Float[ndarray, " n"], margin: float = 0.0) -> float:
    """Return by how much the largest share is over its limit less `margin`; zero if all hold."""
    return max(float((risk_shares(row, weights) - row.limit + margin).max(initial=0.0)) for row in _rows(problem))


def _step(problem: Problem, here: Answer, margin: float) -> Answer | None:
    """Return the answer with tangents at `here`; where there is none, the weights that exceed the tangents least."""
    rows = tangents(problem, here.weights, margin=margin)
    tangent = replace(problem, rows=(*problem.rows, *rows))
    answer = solve(tangent)
    if answer.outcome is Outcome.SOLVED:
        return answer
    rules = tuple(dict.fromkeys(row.rule for row in rows))
    if not rules or answer.outcome is not Outcome.INFEASIBLE:
        return None
    nearest = solve(replace(tangent, elastic=rules), least=dict.fromkeys(rules, 1.0))
    return nearest if nearest.outcome is Outcome.SOLVED else None


def _damped(problem: Problem, here: Answer, step: Answer, charge: float, margin: float) -> Answer | None:
    """Return the point between `here` and `step` that raises the objective less a charge for excess, None if none does."""

    def merit(weights: Float[ndarray, " n"]) -> float:
        return worth(problem, weights) - charge * excess(problem, weights, margin)

    now = merit(here.weights)
    for part in (1.0, 0.5, 0.25, 0.1, 0.03):
        weights = here.weights + part * (step.weights - here.weights)
        if merit(weights) > now + SETTLED:
            return replace(step, weights=weights)
    return None
