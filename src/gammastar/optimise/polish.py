"""The last digits of a cone solver's answer.

An interior method stops a little inside of the rows that bind, and where the objective is flat weights are then a few 1e-7 away. Which rows bind is plain by
then: with those as equations, optimality is a system of smooth equations, and Newton's method solves it to rounding. Sources: Nocedal and Wright 2006,
sections 16.5 and 18.1; the step that OSQP calls polishing (Stellato and others 2020), here with second-order cones.
"""

from __future__ import annotations

__all__ = ["polished"]

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import clarabel
import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Bool, Float
    from numpy import ndarray

ROUNDS, STEPS = 12, 12
"""Sets of binding rows that are tried, and Newton steps for each."""
EXACT, ROUGH = 1e-12, 1e-10
"""What is left of the equations at which Newton stops, and the most with which an answer is taken."""
FADED = 1e-2
"""Where a step leaves less than this of what was left, the system it was solved with does for the next one too."""
DAMPING = 1e-9
"""On the diagonal of the system, so that directions that do not matter, and rows that say one thing twice, do no harm; steps are repeated until it has no effect."""


@dataclass(frozen=True, eq=False)
class _Program:
    """``min x'diag(P)x / 2 + q'x`` subject to ``A x + s = b`` with s zero, not negative, or in second-order cones.

    Args:
        quadratic: P, shape (x,).
        linear: q, shape (x,).
        matrix: A, shape (rows, x).
        right: b, shape (rows,).
        equal: rows whose s is zero.
        cones: rows of each second-order cone.
    """

    quadratic: Float[ndarray, " x"]
    linear: Float[ndarray, " x"]
    matrix: Any
    right: Float[ndarray, " rows"]
    equal: Bool[ndarray, " rows"]
    cones: tuple[slice, ...]


def polished(
    program: tuple[Float[ndarray, " x"], Float[ndarray, " x"], Any, Float[ndarray, " rows"], Sequence[Any]], solution: tuple[ndarray, ndarray, ndarray]
) -> tuple[Float[ndarray, " x"], Float[ndarray, " rows"]] | None:
    """Return the optimum near a solver's answer and its multipliers, exact to rounding; None where it cannot be told which rows bind, or for other cones.

    Args:
        program: P, q, A, b and the cones, as the solver was given them.
        solution: its x, s and z.
    """
    quadratic, linear, matrix, right, cones = program
    kinds = (clarabel.ZeroConeT, clarabel.NonnegativeConeT, clarabel.SecondOrderConeT)
    if not all(isinstance(cone, kinds) for cone in cones):
        return None
    sizes = [cone.dim for cone in cones]
    ends = np.cumsum([0, *sizes])
    equal = np.repeat([isinstance(cone, clarabel.ZeroConeT) for cone in cones], sizes)
    curved = tuple(slice(int(ends[j]), int(ends[j + 1])) for j, cone in enumerate(cones) if isinstance(cone, clarabel.SecondOrderConeT))
    posed = _Program(quadratic, linear, sparse.csr_array(matrix), right, equal, curved)
    x, s, z = solution
    straight = np.ones(len(right), dtype=bool)
    for rows in curved:
        straight[rows] = False
    binding, pressed = equal | (straight & (z > s)), [bool(z[rows][0] > s[rows][0] - np.linalg.norm(s[rows][1:])) for rows in curved]
    for _ in range(ROUNDS):
        found = _newton(posed, x, z, binding, pressed)
        if found is None:
            return None
        settled, *there = found
        if not settled:  # rows that exclude each other by a hair are pulled apart: what is pulled the wrong way does not bind
            pulled = binding & ~equal & (there[1] < min(-ROUGH, 0.3 * float(there[1][binding & ~equal].min(initial=0.0))))
            if not pulled.any():
                return None
            binding = binding & ~pulled
            continue
        x, z, s = there
        free = straight & ~binding
        wrong = (binding & ~equal & (z < -ROUGH)) | (free & (s < -ROUGH))
        turned = [(z[rows][0] < -ROUGH) if on else (s[rows][0] - np.linalg.norm(s[rows][1:]) < -ROUGH) for rows, on in zip(curved, pressed, strict=True)]
        if not (wrong.any() or any(turned)):
            return x, z
        binding, pressed = binding ^ wrong, [on != turn for on, turn in zip(pressed, turned, strict=True)]
    return None


def _newton(posed: _Program, x: ndarray, z: ndarray, binding: Bool[ndarray, " rows"], pressed: list[bool]) -> tuple[bool, ndarray, ndarray, ndarray] | None:
    """Return whether steps lead to where the binding rows and the cones pressed upon hold as equations and the objective is stationary; and x, z and s there.

    Where they do not, x, z and s are those of the last step. None where there is no step.

    Of a cone ``norm(s_1) <= s_0`` with multiplier l, ``z = l (1, -s_1 / norm(s_1))``; its curvature, ``l / norm(s_1) A_1'(I - u u')A_1`` with
    u the direction of s_1, has the full column ``A_1'u`` split off as a variable of its own, so that the system stays sparse.
    """
    rows, at = np.flatnonzero(binding), [cone for cone, on in zip(posed.cones, pressed, strict=True) if on]
    lines, y, prices = posed.matrix[rows], z[rows], np.array([z[cone][0] for cone in at])
    n, r, q = len(x), len(rows), len(at)
    least, factored = np.inf, None
    for _ in range(STEPS):
        s = posed.right - posed.matrix @ x
        if not all(np.linalg.norm(s[cone][1:]) > 0.0 for cone in at):
            return None
        slopes, splits = _slopes(posed, s, at)
        stationary = posed.quadratic * x + posed.linear + lines.T @ y + slopes @ prices
        missed = np.concatenate((-s[rows], [np.linalg.norm(s[cone][1:]) - s[cone][0] for cone in at]))
        left = max(float(np.abs(stationary).max()), float(np.abs(missed).max(initial=0.0)))
        if not left < 0.5 * least:
            break
        factored = None if left > FADED * least else factored  # so near, the system hardly changes from step to step
        least, best = left, (x, y, prices, s)
        if left <= EXACT:
            break
        factored = _system(posed, lines, s, at, prices, (slopes, splits)) if factored is None else factored
        if factored is None:
            return None
        step = factored.solve(np.concatenate((-stationary, -missed, np.zeros(q))))
        x, y, prices = x + step[:n], y + step[n : n + r], prices + step[n + r : n + r + q]
    settled = least <= ROUGH
    x, y, prices, s = best if settled else (x, y, prices, s)
    z = np.zeros(len(posed.right))
    z[rows] = y
    for cone, price in zip(at, prices, strict=True):
        z[cone] = price * np.concatenate(([1.0], -s[cone][1:] / np.linalg.norm(s[cone][1:])))
    return settled, x, z, s


def _slopes(posed: _Program, s: ndarray, at: list[slice]) -> tuple[ndarray, ndarray]:
    """Return the gradients of ``norm(s_1) - s_0`` of cones, and ``A_1'u``, each of shape (x, q)."""
    slopes, splits = (np.empty((posed.matrix.shape[1], len(at))) for _ in range(2))
    for j, cone in enumerate(at):
        splits[:, j] = posed.matrix[cone.start + 1 : cone.stop].T @ (s[cone][1:] / np.linalg.norm(s[cone][1:]))
        slopes[:, j] = posed.matrix[[cone.start]].toarray()[0] - splits[:, j]
    return slopes, splits


def _system(posed: _Program, lines: Any, s: ndarray, at: list[slice], prices: ndarray, columns: tuple[ndarray, ndarray]) -> Any:
    """Return Newton's system, factored; None where it is singular. `columns` are those of `_slopes`."""
    slopes, splits = columns
    upper, lengths = sparse.diags_array(posed.quadratic + DAMPING), [float(np.linalg.norm(s[cone][1:])) for cone in at]
    prices = np.maximum(prices, DAMPING)
    for cone, price, length in zip(at, prices, lengths, strict=True):
        body = posed.matrix[cone.start + 1 : cone.stop]
        upper = upper + (price / length) * (body.T @ body)
    across = sparse.vstack((lines, sparse.csr_array(slopes.T), sparse.csr_array(splits.T)))
    corner = sparse.diags_array(np.concatenate((np.full(len(across.indptr) - 1 - len(at), -DAMPING), lengths / prices)))
    try:
        return splu(sparse.csc_matrix(sparse.block_array([[upper, across.T], [across, corner]])))
    except RuntimeError:  # singular
        return None
