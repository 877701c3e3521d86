"""Random problems of the common form, of all sizes: vertex solutions, risk limits that bind and that do not, tight turnover, contradictions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gammastar.core.costs import TradeCost
from gammastar.core.covariance import FactoredCovariance
from gammastar.core.rows import AbsoluteSum, Budget, LinearRows, RiskCone, indicator
from gammastar.optimise.problem import Problem, Variance

if TYPE_CHECKING:
    from numpy import ndarray

    from gammastar.core.rows import ConvexRow

RULES = ("box", "sector", "style", "risk", "turnover", "cash", "band")
BOX, SECTOR, STYLE, RISK, TURNOVER, CASH, BAND = range(len(RULES))


def between(rng: np.random.Generator, low: float, high: float) -> float:
    """Return a number with a uniform logarithm."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def stress_problem(seed: int, *, largest: int = 3000) -> Problem:
    """Return a random problem with 20 to `largest` names and 5 to 60 factors."""
    rng = np.random.default_rng((20, seed))
    n, k = round(between(rng, 20, largest)), int(rng.integers(5, 61))
    mu = 1.0 / (np.arange(n) + 10.0) * rng.uniform(0.3, 1.7, n)
    mu /= mu.sum()
    size = between(rng, 1e-3, 1.0) if rng.random() < 0.25 else 1.0  # little risk: the optimum is at a vertex
    loadings = np.column_stack((rng.uniform(0.1, 0.25, n), rng.normal(0.0, 0.12 / np.sqrt(k), (n, k - 1)))) * np.sqrt(size)
    sigma = FactoredCovariance(loadings, rng.uniform(0.1, 0.4, n) ** 2 * size)
    growth = 0.5 * sigma.relative_variances(mu) + rng.normal(0.0, between(rng, 1e-4, 3e-2), n)
    held = mu * np.exp(rng.normal(0.0, 0.1, n)) if rng.random() < 0.7 else np.where(rng.random(n) < 0.8, mu, 0.0)
    held /= held.sum()
    free = np.flatnonzero(rng.random(n) >= (0.1 if rng.random() < 0.3 else 0.0))
    fixed = mu.copy()
    fixed[free] = 0.0
    upper, lower, pinned = _box(rng, mu[free], between(rng, 0.3 / n, 0.05))
    cost = TradeCost(np.zeros(n), np.zeros(n))
    if rng.random() < 0.7:
        buy = np.full(n, between(rng, 1e-4, 1e-2))
        cost = TradeCost(buy, buy if rng.random() < 0.5 else buy * rng.uniform(0.3, 2.0, n))
    rows, cash, premium = _rows(rng, mu, held, sigma)
    return Problem(
        benchmark=mu, growth=growth, variances=(Variance(sigma, mu, float(rng.choice([0.0, 1.0, 1.0, 5.0])), float(rng.choice([1.0, 3.0]))),),
        held=held, cost=cost, cash=cash, premium=premium, free=free, fixed=fixed, lower=lower, upper=upper,
        lower_rule=np.where(lower > 0.0, BOX, -1), upper_rule=np.where(np.isfinite(upper), BOX, -1),
        lower_slope=np.where(pinned, 0.0, np.where(lower > 0.0, -1.0, 0.0)), upper_slope=np.where(pinned | ~np.isfinite(upper), 0.0, 1.0), tied=np.zeros(len(lower), dtype=bool),
        rows=rows, discrete=(), rules=RULES, elastic=(), crossed=(),
    )  # fmt: skip


def _box(rng: np.random.Generator, mu: ndarray, active: float) -> tuple[ndarray, ndarray, ndarray]:
    """Return upper bounds, lower bounds, and which names are pinned between equal ones."""
    m = len(mu)
    lower, upper = np.zeros(m), np.full(m, np.inf)
    if rng.random() < 0.85:
        lower, upper = np.maximum(mu - active, 0.0), mu + active
    pinned = rng.random(m) < (0.03 if rng.random() < 0.3 else 0.0)
    return np.where(pinned, mu, upper), np.where(pinned, mu, lower), pinned


def _rows(rng: np.random.Generator, mu: ndarray, held: ndarray, sigma: FactoredCovariance) -> tuple[tuple[ConvexRow, ...], tuple[float, float], float]:
    """Return the coupling rows, the cash they allow, and its premium."""
    n = len(mu)
    rows: list[ConvexRow] = []
    cash, premium = (0.0, 0.0), 0.0
    if rng.random() < 0.8:
        groups = int(rng.integers(2, 25))
        matrix, limit = indicator(rng.integers(0, groups, n), groups), between(rng, 1e-4, 0.05) if rng.random() < 0.9 else 0.0
        labels = tuple(f"S{g:02d}" for g in range(groups))
        rows.append(LinearRows("sector", labels, matrix, matrix @ mu - limit, matrix @ mu + limit, -np.ones(groups), np.ones(groups)))
    if rng.random() < 0.6:
        styles = int(rng.integers(1, 9))
        dense, limit = rng.normal(size=(styles, n)), between(rng, 1e-3, 0.1)
        shift = rng.normal(0.0, limit, styles) if rng.random() < 0.2 else np.zeros(styles)
        low, high = dense @ mu - limit + shift, np.where(rng.random(styles) < 0.2, np.inf, dense @ mu + limit + shift)
        rows.append(LinearRows("style", tuple(f"F{g}" for g in range(styles)), dense, low, high, -np.ones(styles), np.ones(styles)))
    if rng.random() < 0.75:
        rows.append(RiskCone("risk", sigma, mu, between(rng, 0.002, 0.08) * float(np.sqrt(sigma.variances.mean() / 0.08))))
    if rng.random() < 0.3:
        rows.append(AbsoluteSum("turnover", held, between(rng, 0.01, 0.6)))
    if rng.random() < 0.2:
        cash, premium = (0.0, between(rng, 1e-3, 0.05)), float(rng.choice([0.0, 0.03]))
        rows.append(Budget("cash", *cash, premium))
    return tuple(rows), cash, premium


def missed(problem: Problem, w: ndarray) -> float:
    """Return by how much the rows are missed, written a second time."""
    found = [float((problem.lower - w[problem.free]).max()), float((w[problem.free] - problem.upper).max())]
    cash = 1.0 - float(w.sum())
    found += [problem.cash[0] - cash, cash - problem.cash[1]]
    for row in problem.rows:
        if isinstance(row, LinearRows):
            found += [float((row.lower - row.matrix @ w).max()), float((row.matrix @ w - row.upper).max())]
        if isinstance(row, RiskCone):
            found.append(float(np.sqrt(row.covariance.quadratic(w - row.centre))) - row.limit)
        if isinstance(row, AbsoluteSum):
            found.append(float(np.abs(w - row.centre).sum()) - row.limit)
    return max(found)
