"""What is known of a market model on paper, beside what one of its paths shows."""

from __future__ import annotations

__all__ = ["Examine", "Model", "Quantity", "StationaryCurve", "examiner", "stationary_curve"]

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from gammastar.core.excess_growth import free_energy
from gammastar.core.rank import local_times
from gammastar.core.rank_generating import rank_order, ranked_weights
from gammastar.simulate.comparison import Unit
from gammastar.simulate.first_order import Atlas, FirstOrder
from gammastar.simulate.geometric_brownian import GeometricBrownian
from gammastar.simulate.hybrid_atlas import HybridAtlas
from gammastar.simulate.rank_jacobi import RankJacobi
from gammastar.simulate.volatility_stabilised import VolatilityStabilised

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Float
    from numpy import ndarray

    from gammastar.simulate.grid import Grid
    from gammastar.simulate.paths import Paths

SHOWN_RANKS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
STATIONARY_DRAWS = 4000


class Model(Protocol):
    """A market model with closed forms: one of the six that `examiner` knows."""

    def __len__(self) -> int: ...

    def simulate(self, grid: Grid, seed: int | np.random.SeedSequence, *, start: ndarray | None = None) -> Paths:
        """Return paths by name."""
        ...


@dataclass(frozen=True)
class Quantity:
    """One quantity of one path, and its closed form.

    Args:
        name: in words; with the rank or the name it belongs to.
        unit: of both numbers, which are fractions where it is told in percent.
        exact: closed form. Where it depends on the weights, its mean over the path's own.
        seen: on the path.
    """

    name: str
    unit: Unit
    exact: float
    seen: float


class Examine(Protocol):
    """Looks at one path."""

    def __call__(self, logs: Float[ndarray, "s n"], step: float) -> tuple[Quantity, ...]:
        """Return the quantities of log capitalisations by name, recorded every `step` years; the same ones for every path."""
        ...


def examiner(model: Model) -> Examine:
    """Return what looks at paths of `model`; what does not depend on the path is worked out once.

    Raises:
        ValueError: a hybrid market of more than 16 names, whose law is out of reach.
        TypeError: a model without closed forms here.
    """
    match model:
        case Atlas():
            return _first_order(model.first_order)
        case FirstOrder():
            return _first_order(model)
        case HybridAtlas():
            return _hybrid(model)
        case GeometricBrownian():
            return _geometric_brownian(model)
        case VolatilityStabilised():
            return _volatility_stabilised(model)
        case RankJacobi():
            return _rank_jacobi(model)
        case _:
            raise TypeError(f"{type(model).__name__} has no closed forms here; allowed: the market models of gammastar.simulate.")


def _first_order(model: FirstOrder) -> Examine:
    gap, rate = model.mean_gap(), model.local_time_rate()
    name = "mean gap" if model.has_exact_gaps else "mean gap, approximate,"
    last = len(gap)
    upper = max(1, last // 2)

    def examine(logs: ndarray, step: float) -> tuple[Quantity, ...]:
        ranked = ranked_weights(logs).mean(axis=0)
        gaps = -np.diff(ranked)
        rates = local_times(logs).mean(axis=0)[:-1] / step
        rows = [Quantity(f"{name} below rank {k}", Unit.LOG, gap[k - 1], gaps[k - 1]) for k in _shown(upper)]
        rows += [_local_time(k, rate[k - 1], rates[k - 1], Unit.LOG_A_YEAR) for k in _shown(last)]
        rows.append(Quantity("gaps times local-time rates, summed", Unit.A_YEAR, model.weighted_gap(step), float(rate @ gaps)))
        if last > 1:
            slope = _slope(np.concatenate(([0.0], -np.cumsum(gap))))
            rows.append(Quantity("slope of the capital curve", Unit.NUMBER, slope, _slope(ranked)))
        return (*rows, _index_excess_growth(logs, step, model.excess_growth))

    return examine


def _hybrid(model: HybridAtlas) -> Examine:
    share, gap, rate = model.occupation(), model.mean_gap(), model.local_time_rate()
    ranks = FirstOrder(model.drifts, model.volatilities)
    names = range(1, len(model) + 1)
    places = np.arange(1, len(model) + 1) @ share

    def examine(logs: ndarray, step: float) -> tuple[Quantity, ...]:
        order = rank_order(logs)
        at_top = np.bincount(order[:, 0], minlength=len(model)) / len(logs)
        place = np.argsort(order, axis=1).mean(axis=0) + 1.0
        gaps = -np.diff(ranked_weights(logs).mean(axis=0))
        rates = local_times(logs).mean(axis=0)[:-1] / step
        rows = [Quantity(f"time at rank 1 of name {i}", Unit.FRACTION, share[0, i - 1], at_top[i - 1]) for i in names]
        rows += [Quantity(f"mean rank of name {i}", Unit.NUMBER, places[i - 1], place[i - 1]) for i in _ends(len(model))]
        rows += [Quantity(f"mean gap below rank {k}", Unit.LOG, gap[k - 1], gaps[k - 1]) for k in _shown(max(1, len(gap) // 2))]
        rows += [_local_time(k, rate[k - 1], rates[k - 1], Unit.LOG_A_YEAR) for k in _shown(len(gap))]
        return (*rows, _index_excess_growth(logs, step, ranks.excess_growth))

    return examine


def _geometric_brownian(model: GeometricBrownian) -> Examine:
    n = len(model)
    equal, sigma = np.full(n, 1.0 / n), model.covariance
    excess, growth, variances = model.excess_growth(equal), model.growth_rate(equal), sigma.variances
    typical = float(np.sqrt(variances.mean()))

    def forecast(weights: ndarray) -> ndarray:
        """Return ``gamma*_mu`` of each row, in matrix form: `excess_growth` takes one portfolio."""
        factors = np.square(weights @ sigma.loadings).sum(axis=1) + np.square(weights) @ sigma.specific
        return np.asarray(0.5 * (weights @ variances - factors))

    def examine(logs: ndarray, step: float) -> tuple[Quantity, ...]:
        moves = np.diff(logs, axis=0)
        gross = np.exp(moves)
        grown = float(np.log(gross.mean(axis=1)).mean()) / step
        captured = float(free_energy(equal, gross).mean()) / step
        seen = float(np.sqrt(moves.var(axis=0, ddof=1).mean() / step))
        return (
            Quantity("growth of equal weights, traded daily", Unit.FRACTION_A_YEAR, growth, grown),
            Quantity("mean growth of the names", Unit.FRACTION_A_YEAR, float(model.growth.mean()), float(moves.mean()) / step),
            Quantity("excess growth of equal weights", Unit.FRACTION_A_YEAR, excess, captured),
            _index_excess_growth(logs, step, forecast),
            Quantity("volatility of a name, root mean square", Unit.FRACTION_A_YEAR, typical, seen),
        )

    return examine


def _volatility_stabilised(model: VolatilityStabilised) -> Examine:
    equal = np.full(len(model), 1.0 / len(model))
    concentration, entropy = model.expected_concentration(), model.expected_entropy()

    def examine(logs: ndarray, step: float) -> tuple[Quantity, ...]:
        mu, totals = _weights(logs)
        ahead = float(model.portfolio_growth(equal, mu[:-1]).mean()) - model.growth_rate()
        relative = np.log(np.mean(np.exp(np.diff(logs, axis=0)), axis=1)) - np.diff(totals)
        return (
            Quantity("sum of squared weights", Unit.NUMBER, concentration, float(np.square(mu).sum(axis=1).mean())),
            Quantity("entropy of the weights", Unit.NUMBER, entropy, float(-(mu * np.log(mu)).sum(axis=1).mean())),
            _index_excess_growth(logs, step, lambda _: np.array(model.excess_growth())),
            Quantity("growth of the index", Unit.FRACTION_A_YEAR, model.growth_rate(), float(totals[-1] - totals[0]) / (step * (len(logs) - 1))),
            Quantity("growth of equal weights less the index's", Unit.FRACTION_A_YEAR, ahead, float(relative.mean()) / step),
        )

    return examine


def _rank_jacobi(model: RankJacobi) -> Examine:
    drawn = ranked_weights(model.stationary_weights(np.random.default_rng(0), STATIONARY_DRAWS)).mean(axis=0)
    rate = model.local_time_rate(drawn)
    few = min(10, max(1, len(model) // 2))

    def examine(logs: ndarray, step: float) -> tuple[Quantity, ...]:
        mu, _ = _weights(logs)
        ranked = ranked_weights(mu).mean(axis=0)
        rates = local_times(mu).mean(axis=0)[:-1] / step
        rows = [
            Quantity("weight of the largest name", Unit.FRACTION, drawn[0], ranked[0]),
            Quantity(f"weight of the {few} largest", Unit.FRACTION, drawn[:few].sum(), ranked[:few].sum()),
        ]
        rows += [_local_time(k, rate[k - 1], rates[k - 1], Unit.FRACTION_A_YEAR) for k in _shown(len(rate))]
        return (*rows, _index_excess_growth(logs, step, lambda _: np.array(model.excess_growth())))

    return examine


def _shown(last: int) -> list[int]:
    return [k for k in SHOWN_RANKS if k <= last]


def _ends(names: int) -> tuple[int, ...]:
    return (1, names)


def _local_time(k: int, exact: float, seen: float, unit: Unit) -> Quantity:
    return Quantity(f"local time between ranks {k} and {k + 1}", unit, float(exact), float(seen))


def _weights(logs: Float[ndarray, "s n"]) -> tuple[Float[ndarray, "s n"], Float[ndarray, " s"]]:
    """Return market weights and the logs of the total capitalisation."""
    top = logs.max(axis=1, keepdims=True)
    capital = np.exp(logs - top)
    total = capital.sum(axis=1, keepdims=True)
    return capital / total, (top + np.log(total))[:, 0]


def _index_excess_growth(logs: ndarray, step: float, formula: Callable[[ndarray], ndarray]) -> Quantity:
    """Return the realised excess growth of the index, and the mean of its closed form over the path's own weights."""
    mu, _ = _weights(logs[:-1])
    seen = float(free_energy(mu, np.exp(np.diff(logs, axis=0))).mean()) / step
    return Quantity("excess growth of the index", Unit.FRACTION_A_YEAR, float(np.mean(formula(mu))), seen)


def _slope(ranked: Float[ndarray, " n"]) -> float:
    """Return the least-squares slope of log weight on log rank over the upper half of the ranks, at least two."""
    half = max(2, len(ranked) // 2)
    x = np.log(np.arange(1.0, half + 1.0))
    x -= x.mean()
    return float(ranked[:half] @ x / (x @ x))


@dataclass(frozen=True, eq=False)
class StationaryCurve:
    """The capital distribution in the stationary law of a model, rank by rank, shape (n,) each.

    Args:
        mean: of the log weight.
        low: its 5% quantile.
        high: its 95% quantile.
    """

    mean: Float[ndarray, " n"]
    low: Float[ndarray, " n"]
    high: Float[ndarray, " n"]


def stationary_curve(model: Model, rng: np.random.Generator) -> StationaryCurve | None:
    """Return the capital distribution over 4,000 draws of the stationary law, or None for a geometric Brownian market, which has none."""
    if not isinstance(model, (Atlas, FirstOrder, HybridAtlas, RankJacobi, VolatilityStabilised)):
        return None
    logs = np.log(ranked_weights(model.stationary_weights(rng, STATIONARY_DRAWS)))
    low, high = np.quantile(logs, (0.05, 0.95), axis=0)
    return StationaryCurve(logs.mean(axis=0), low, high)
