"""Plausible markets of shares from the models one can solve: a few numbers in, a model and what it needs beside it out.

Defaults give an index volatility of about 16%, single-name volatilities of 20 to 40%, and a capital distribution between those of an equal and of a very concentrated market.
"""

from __future__ import annotations

__all__ = [
    "AtlasPreset",
    "FirstOrderPreset",
    "GeometricBrownianPreset",
    "HybridAtlasPreset",
    "Preset",
    "RankJacobiPreset",
    "Setup",
    "VolatilityStabilisedPreset",
]

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from gammastar.simulate.parameters import ParameterError, require

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy import ndarray

    from gammastar.simulate.closed_forms import Model

MOST_NAMES = 16  # of a hybrid market: its exact law sums over 2^n sets
LARGEST_MOVE = 0.2  # drift of the smallest name in a session: above it, daily steps are no diffusion


@dataclass(frozen=True, eq=False)
class Setup:
    """A model, and what a market of shares needs beside it.

    The common part is added to the log returns of all names alike: it moves the index and leaves weights, gaps, local times and excess growth as the model has them.

    Args:
        model: of the market.
        growth: of all names alike, a year, beside the model's own.
        volatility: of a shock that all names share, a year.
        start: log capitalisations at the first close, shape (n,); None draws from the model's stationary law.

    Raises:
        ValueError: a value out of range.
    """

    model: Model
    growth: float = 0.0
    volatility: float = 0.0
    start: Float[ndarray, " n"] | None = None

    def __post_init__(self) -> None:
        require(-1.0, 1.0, "It is an annual rate: 0.05 is 5%.", growth=self.growth)
        _market_volatility(self.volatility)


class Preset(Protocol):
    """A few numbers that make a market."""

    def build(self) -> Setup:
        """Return the market.

        Raises:
            ValueError: a value out of range; a `ParameterError` where one number alone is to blame.
        """
        ...


@dataclass(frozen=True)
class AtlasPreset:
    """An Atlas market: one drift and one volatility, the smallest name carried upwards.

    Args:
        names: n.
        drift: g, a year; the slope of the capital curve is ``-volatility^2 / (2 drift)``.
        volatility: of each name's own shock, a year.
        growth: of the whole market, a year.
        market_volatility: of the shock that all names share, a year.

    >>> AtlasPreset(names=3).build().model.mean_gap().round(4).tolist()
    [0.625, 0.3125]
    """

    names: int = 100
    drift: float = 0.05
    volatility: float = 0.25
    growth: float = 0.05
    market_volatility: float = 0.15

    def build(self) -> Setup:
        """Return the market."""
        from gammastar.simulate.first_order import Atlas

        _common(self.names, self.growth, self.market_volatility)
        _drift(self.drift, self.names)
        _volatility(volatility=self.volatility)
        _slope(0.5 * self.volatility**2 / self.drift, "drift", self.drift)
        return Setup(Atlas(self.names, self.drift, self.volatility, self.growth), volatility=self.market_volatility)


@dataclass(frozen=True)
class FirstOrderPreset:
    """A first-order market whose mean capital curve is a straight line: ``lambda_k`` such that mean gaps are ``slope log((k + 1)/k)``.

    Variances are affine in the rank, so that the law of the gaps is exact.

    Args:
        names: n.
        slope: of log weight against log rank, its sign left out.
        largest_volatility: of the own shock of the name of rank 1, a year.
        smallest_volatility: of that of the last rank.
        growth: of the whole market, a year.
        market_volatility: of the shock that all names share, a year.

    >>> model = FirstOrderPreset(names=4, slope=1.0).build().model
    >>> model.has_exact_gaps, model.mean_gap().round(4).tolist()
    (True, [0.6931, 0.4055, 0.2877])
    """

    names: int = 100
    slope: float = 0.65
    largest_volatility: float = 0.2
    smallest_volatility: float = 0.3
    growth: float = 0.05
    market_volatility: float = 0.15

    def build(self) -> Setup:
        """Return the market."""
        import numpy as np

        from gammastar.simulate.first_order import FirstOrder

        _common(self.names, self.growth, self.market_volatility)
        _slope(self.slope, "slope", self.slope)
        _volatility(largest_volatility=self.largest_volatility, smallest_volatility=self.smallest_volatility)
        variances = np.linspace(self.largest_volatility**2, self.smallest_volatility**2, self.names)
        rank = np.arange(1, self.names)
        rates = (variances[:-1] + variances[1:]) / (2.0 * self.slope * np.log1p(1.0 / rank))
        drifts = -0.5 * np.diff(rates, prepend=0.0, append=0.0)
        if drifts[-1] > LARGEST_MOVE * 252.0:
            advice = f"With {self.names} the smallest would drift by {100 * drifts[-1] / 252.0:.0f}% in a session."
            raise ParameterError("names", self.names, f"a drift of at most {100 * LARGEST_MOVE:.0f}% in a session", advice)
        return Setup(FirstOrder(drifts, np.sqrt(variances), self.growth), volatility=self.market_volatility)


@dataclass(frozen=True)
class HybridAtlasPreset:
    """A hybrid Atlas market: an Atlas market of a few names, the first of which drift upwards and the last downwards by themselves.

    Args:
        names: n, at most 16.
        drift: g of the Atlas part, a year.
        volatility: of each name's own shock, a year.
        name_drift: of the first name, a year, falling evenly to its opposite for the last; less than `drift`.
        growth: of the whole market, a year.
        market_volatility: of the shock that all names share, a year.

    >>> HybridAtlasPreset(names=3).build().model.name_drifts.tolist()
    [0.02, 0.0, -0.02]
    """

    names: int = 12
    drift: float = 0.05
    volatility: float = 0.25
    name_drift: float = 0.02
    growth: float = 0.05
    market_volatility: float = 0.15

    def build(self) -> Setup:
        """Return the market."""
        import numpy as np

        from gammastar.simulate.hybrid_atlas import HybridAtlas

        require(2, MOST_NAMES, "The exact law sums over all sets of names.", names=self.names)
        _common(self.names, self.growth, self.market_volatility)
        _drift(self.drift, self.names)
        _volatility(volatility=self.volatility)
        require(0.0, 0.95 * self.drift, "Above `drift` the first names run away.", name_drift=self.name_drift)
        _slope(0.5 * self.volatility**2 / (self.drift - self.name_drift), "drift", self.drift)
        drifts = np.append(np.full(self.names - 1, -self.drift), (self.names - 1) * self.drift)
        own = np.linspace(self.name_drift, -self.name_drift, self.names)
        model = HybridAtlas(drifts, np.full(self.names, self.volatility), own, self.growth)
        return Setup(model, volatility=self.market_volatility)


@dataclass(frozen=True)
class GeometricBrownianPreset:
    """A geometric Brownian market of names that are alike, which starts from a straight capital curve.

    Args:
        names: n.
        volatility: of each name, a year.
        correlation: of every pair.
        growth: of each name, a year.
        slope: of log weight against log rank at the first close, its sign left out; 0 starts from equal weights.

    >>> (GeometricBrownianPreset(names=4, slope=0.0).build().start + 0.0).tolist()
    [0.0, 0.0, 0.0, 0.0]
    """

    names: int = 100
    volatility: float = 0.29
    correlation: float = 0.3
    growth: float = 0.05
    slope: float = 0.65

    def build(self) -> Setup:
        """Return the market."""
        import numpy as np

        from gammastar.simulate.geometric_brownian import GeometricBrownian

        _common(self.names, self.growth, 0.0)
        _volatility(volatility=self.volatility)
        require(0.0, 0.999, "It is common to all pairs.", correlation=self.correlation)
        require(0.0, 3.0, "1 is Zipf's law.", slope=self.slope)
        model = GeometricBrownian.exchangeable(
            names=self.names, volatility=self.volatility, correlation=self.correlation, growth=self.growth
        )
        return Setup(model, start=-self.slope * np.log(np.arange(1.0, self.names + 1.0)))


@dataclass(frozen=True)
class VolatilityStabilisedPreset:
    """A volatility-stabilised market whose clock is set by the excess growth of its index.

    Args:
        names: n.
        alpha: pull of small names upwards; with 0 all growth comes from volatility.
        excess_growth: of the index, a year, the same at all times: ``rate (n - 1) / 2``.
        market_volatility: of the shock that all names share, a year, beside the model's own, the root of the rate.

    >>> VolatilityStabilisedPreset(names=101).build().model.rate
    0.0005
    """

    names: int = 100
    alpha: float = 1.0
    excess_growth: float = 0.025
    market_volatility: float = 0.15

    def build(self) -> Setup:
        """Return the market."""
        from gammastar.simulate.volatility_stabilised import VolatilityStabilised

        _common(self.names, 0.0, self.market_volatility)
        require(0.0, 100.0, "It is not negative.", alpha=self.alpha)
        rate = _rate(self.names, self.excess_growth)
        return Setup(VolatilityStabilised(self.names, self.alpha, rate), volatility=self.market_volatility)


@dataclass(frozen=True)
class RankJacobiPreset:
    """A rank Jacobi market whose thetas grow geometrically from the largest name to the smallest, with a total that moves by itself.

    Args:
        names: n.
        largest_theta: of rank 1; the smaller it is, the larger the largest names.
        smallest_theta: of the last rank, at least 1; the larger it is, the larger the smallest names.
        excess_growth: of the index, a year, the same at all times: ``rate (n - 1) / 2``.
        growth: of the total capitalisation, a year.
        market_volatility: of the total capitalisation, a year.

    >>> RankJacobiPreset(names=3, largest_theta=0.25).build().model.theta.tolist()
    [0.25, 1.0, 4.0]
    """

    names: int = 100
    largest_theta: float = 0.05
    smallest_theta: float = 4.0
    excess_growth: float = 0.025
    growth: float = 0.05
    market_volatility: float = 0.15

    def build(self) -> Setup:
        """Return the market."""
        import numpy as np

        from gammastar.simulate.rank_jacobi import RankJacobi

        _common(self.names, self.growth, self.market_volatility)
        require(0.001, 100.0, "It is positive.", largest_theta=self.largest_theta)
        require(1.0, 100.0, "Below 1 the smallest weight reaches zero.", smallest_theta=self.smallest_theta)
        theta = np.geomspace(self.largest_theta, self.smallest_theta, self.names)
        model = RankJacobi(theta, _rate(self.names, self.excess_growth))
        return Setup(model, growth=self.growth, volatility=self.market_volatility)


def _common(names: int, growth: float, market_volatility: float) -> None:
    require(2, 5000, "A market has at least two names.", names=names)
    require(-1.0, 1.0, "It is an annual rate: 0.05 is 5%.", growth=growth)
    require(0.0, 1.0, "It is an annual fraction: 0.15 is 15%.", market_volatility=market_volatility)


def _market_volatility(value: float) -> None:
    require(0.0, 1.0, "It is an annual fraction: 0.15 is 15%.", volatility=value)


def _drift(drift: float, names: int) -> None:
    most = min(2.0, LARGEST_MOVE * 252.0 / names)
    require(1e-4, most, f"It is an annual rate, and the smallest name has {names - 1} times it.", drift=drift)


def _volatility(**values: float) -> None:
    require(0.001, 2.0, "It is an annual fraction: 0.25 is 25%.", **values)


def _slope(slope: float, name: str, value: float) -> None:
    """Refuse a market that has all its weight in one name, where weights of the others vanish in rounding."""
    if not 0.0 < slope <= 3.0:
        raise ParameterError(name, value, "slopes of the capital curve up to 3", f"The slope would be {slope:.3g}; real markets have 0.5 to 1.")


def _rate(names: int, excess_growth: float) -> float:
    require(1e-4, 0.5, "It is an annual rate: 0.025 is 2.5%.", excess_growth=excess_growth)
    return 2.0 * excess_growth / (names - 1)
