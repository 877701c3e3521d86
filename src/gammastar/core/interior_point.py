"""A small primal-dual interior-point method for smooth convex programs in dense arrays, accurate to rounding.

It serves the programs of this room: few variables, any smooth objective, convex quadratic constraints. Each caller judges the answer by a bound of
its own, built from the multipliers, so that nothing rests on the word of the method.
"""

from __future__ import annotations

__all__ = ["ConvexProgram", "InteriorPoint", "interior_point"]

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy import ndarray


class ConvexProgram(Protocol):
    """Minimise ``f(x)`` subject to ``g(x) <= 0`` and ``A x = b``: f convex, each g convex with a constant Hessian."""

    @property
    def equality(self) -> Float[ndarray, "k n"]:
        """The rows A; b is what the starting point gives."""
        ...

    def objective(self, x: Float[ndarray, " n"]) -> tuple[Float[ndarray, " n"], Float[ndarray, "n n"]]:
        """Return gradient and Hessian of f."""
        ...

    def constraints(self, x: Float[ndarray, " n"]) -> tuple[Float[ndarray, " m"], Float[ndarray, "m n"]]:
        """Return values and Jacobian of g."""
        ...

    def curvature(self, multipliers: Float[ndarray, " m"]) -> Float[ndarray, "n n"]:
        """Return ``sum_j multipliers_j`` times the Hessian of ``g_j``."""
        ...


@dataclass(frozen=True, eq=False)
class InteriorPoint:
    """Where the method stopped.

    Args:
        x: the point, strictly inside the constraints, shape (n,).
        multipliers: of the constraints, positive, shape (m,).
        residual: Euclidean norm of the Karush-Kuhn-Tucker residuals, perturbation left out.
    """

    x: Float[ndarray, " n"]
    multipliers: Float[ndarray, " m"]
    residual: float


@dataclass(frozen=True, eq=False)
class _State:
    """A primal-dual point with all that a step needs to know about it."""

    x: Float[ndarray, " n"]
    multipliers: Float[ndarray, " m"]
    prices: Float[ndarray, " k"]
    gradient: Float[ndarray, " n"]
    hessian: Float[ndarray, "n n"]
    values: Float[ndarray, " m"]
    jacobian: Float[ndarray, "m n"]

    def residual(self, equality: Float[ndarray, "k n"], smoothing: float) -> float:
        dual = self.gradient + self.jacobian.T @ self.multipliers + equality.T @ self.prices
        return float(np.hypot(np.linalg.norm(dual), np.linalg.norm(self.multipliers * self.values + smoothing)))

    @property
    def duality(self) -> float:
        return float(-self.values @ self.multipliers)


def interior_point(program: ConvexProgram, start: Float[ndarray, " n"], *, tolerance: float = 1e-14, limit: int = 200) -> InteriorPoint:
    """Return the minimiser of `program` (Boyd and Vandenberghe 2004, algorithm 11.2).

    Args:
        program: what to minimise.
        start: a point strictly inside the constraints, shape (n,), that keeps ``A x = b``.
        tolerance: stop when residual and duality measure are below it; rounding may stop the method earlier, and `residual` says where.
        limit: most Newton steps.

    Raises:
        ValueError: a start that is not strictly inside.

    >>> class Distance:  # to (-1, 1), from the quarter plane of positive numbers
    ...     equality = np.zeros((0, 2))
    ...     def objective(self, x): return x - np.array([-1.0, 1.0]), np.eye(2)
    ...     def constraints(self, x): return -x, -np.eye(2)
    ...     def curvature(self, multipliers): return np.zeros((2, 2))
    >>> interior_point(Distance(), np.ones(2)).x.round(9).tolist()
    [0.0, 1.0]
    """
    equality = program.equality
    values, _ = program.constraints(start)
    if not bool(np.all(values < 0.0)):
        raise ValueError(f"the start must be strictly inside the constraints, but the largest is {float(values.max())}")
    state = _at(program, start, -1.0 / values, np.zeros(len(equality)))
    for _ in range(limit):
        if max(state.duality, state.residual(equality, 0.0)) <= tolerance:
            break
        smoothing = 0.1 * state.duality / len(state.values)
        moved = _step(program, state, smoothing)
        if moved is None:
            break
        state = moved
    return InteriorPoint(state.x, state.multipliers, state.residual(equality, 0.0))


def _at(program: ConvexProgram, x: ndarray, multipliers: ndarray, prices: ndarray) -> _State:
    return _State(x, multipliers, prices, *program.objective(x), *program.constraints(x))


def _step(program: ConvexProgram, state: _State, smoothing: float) -> _State | None:
    """Return the state after one damped Newton step, or None where rounding leaves nothing to gain."""
    equality, slack = program.equality, -state.values
    n, k = len(state.x), len(equality)
    system = np.zeros((n + k, n + k))
    system[:n, :n] = state.hessian + program.curvature(state.multipliers) + (state.jacobian.T * (state.multipliers / slack)) @ state.jacobian
    system[:n, n:], system[n:, :n] = equality.T, equality
    right = np.zeros(n + k)
    right[:n] = -(state.gradient + state.jacobian.T @ (smoothing / slack))
    try:
        solved = np.linalg.solve(system, right)
    except np.linalg.LinAlgError:
        return None
    dx, prices = solved[:n], solved[n:]
    d_multipliers = (state.multipliers * (state.jacobian @ dx) + smoothing) / slack - state.multipliers
    shrinking = d_multipliers < 0.0
    length = min(1.0, 0.99 * float(np.min(-state.multipliers[shrinking] / d_multipliers[shrinking], initial=np.inf)))
    before = state.residual(equality, smoothing)
    while length > 1e-9:
        x = state.x + length * dx
        if bool(np.all(program.constraints(x)[0] < 0.0)):
            moved = _at(program, x, state.multipliers + length * d_multipliers, state.prices + length * (prices - state.prices))
            if moved.residual(equality, smoothing) <= (1.0 - 0.01 * length) * before:
                return moved
        length *= 0.5
    return None
