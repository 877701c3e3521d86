"""Wright-Fisher diffusions on the simplex: exact transitions, Dirichlet laws, squared Bessel processes.

``d mu_i = (theta_i - Theta mu_i)/2 dt + dM_i``, ``d<M_i, M_j> = mu_i (delta_ij - mu_j) dt``, ``Theta = sum theta``. Seen back in time from t, the population has A lines left at time 0, a pure death process that comes down from
infinity at the rates ``m (m + Theta - 1) / 2``. Given ``A = m`` and the types ``L ~ Multinomial(m, mu(0))`` of the lines, ``mu(t) ~ Dirichlet(theta + L)`` (Ethier and Griffiths 1993; Jenkins and Spano 2017).
"""

from __future__ import annotations

__all__ = [
    "AncestorLaw",
    "ancestor_law",
    "dirichlet_concentration",
    "dirichlet_entropy",
    "squared_bessel",
    "wright_fisher_step",
]

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import loggamma, psi

from gammastar.simulate.parameters import require

SMALL_TIME = 1e-4

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from numpy import ndarray


def dirichlet_concentration(names: int, theta: float) -> float:
    """Return ``E sum mu^2 = (1 + theta) / (n theta + 1)`` under Dirichlet(theta, ..., theta)."""
    return (1.0 + theta) / (names * theta + 1.0)


def dirichlet_entropy(names: int, theta: float) -> float:
    """Return ``E S = psi(n theta + 1) - psi(theta + 1)``, ``S = -sum mu log mu``, under Dirichlet(theta, ..., theta)."""
    return float(psi(names * theta + 1.0) - psi(theta + 1.0))


def squared_bessel(
    start: Float[ndarray, "*s"], dimension: float, time: float, rng: np.random.Generator
) -> Float[ndarray, "*s"]:
    """Return ``X(t)`` of ``dX = delta dt + 2 sqrt(X) dB`` from ``X(0) = start``, exact: t times a noncentral chi-square.

    Args:
        start: not negative, any shape; each element moves on its own.
        dimension: delta, positive.
        time: t, positive.
        rng: of the draws.
    """
    return np.asarray(time * rng.noncentral_chisquare(dimension, np.asarray(start) / time))


@dataclass(frozen=True, eq=False)
class AncestorLaw:
    """The law of the number of lines left, as a table.

    Args:
        first: the smallest number in the table.
        probabilities: of ``first``, ``first + 1``, ...; what lies outside has less than 1e-15 in all.
    """

    first: int
    probabilities: Float[ndarray, " m"]

    @property
    def numbers(self) -> Float[ndarray, " m"]:
        """The numbers of lines in the table."""
        return np.arange(self.first, self.first + len(self.probabilities))

    def draw(self, rng: np.random.Generator, size: int) -> Int[ndarray, " s"]:
        """Return independent draws."""
        return np.asarray(
            self.first + self._cumulated.searchsorted(rng.random(size) * self._cumulated[-1], side="right")
        )

    @cached_property
    def _cumulated(self) -> Float[ndarray, " m"]:
        return np.cumsum(self.probabilities)


@lru_cache(maxsize=64)
def ancestor_law(total: float, time: float) -> AncestorLaw:
    """Return the law of the number A of lines left after `time`, to about 1e-11.

    ``P(A = m) = f_{m-1}(t) / r_m``, ``r_m = m (m + Theta - 1) / 2``, f the density of the time to come down from infinity to m - 1, whose Laplace transform is
    ``prod_{j>=m} r_j / (r_j + s)``, a ratio of Gamma functions. It is inverted along the vertical line through the saddle point, where nothing cancels, so that small times, at which the textbook series fails, do no harm.
    Below 1e-4, where A is above ten thousand or so and its skewness below 0.0025, it is taken as normal (Griffiths 1984, with the next terms of mean and variance): moments of the weights keep seven digits at Theta up to 1,000, four at 50,000.

    Args:
        total: Theta, at least 1.
        time: t, in the diffusion's own clock, 1e-9 to 20.

    Raises:
        ValueError: a value out of range.
    """
    require(1.0, 1e6, "It is the sum of the thetas.", total=total)
    require(1e-9, 20.0, "It is in the diffusion's own clock: years times `rate`.", time=time)
    if time < SMALL_TIME:
        return _normal_law(total, time)
    excess = max(total - 1.0, 1e-9)
    middle = excess / np.expm1(0.5 * excess * time)
    spread = 9.0 * np.sqrt(0.7 / time) + 12.0  # nine standard deviations
    low, high = int(max(1.0, middle - spread)), int(middle + spread)
    numbers = np.arange(low, high + 1)
    saddles = _saddles(numbers, total, time)
    probabilities = np.array([_chance(int(m), total, time, float(c)) for m, c in zip(numbers, saddles, strict=True)])
    if low == 1:
        low, probabilities = 0, np.concatenate(([max(0.0, 1.0 - probabilities.sum())], probabilities))
    if not abs(probabilities.sum() - 1.0) < 1e-9:
        raise ArithmeticError(f"the law of ancestors at Theta {total}, time {time} sums to {probabilities.sum()}")
    kept = np.flatnonzero(probabilities > 1e-18)
    return AncestorLaw(low + int(kept[0]), probabilities[kept[0] : kept[-1] + 1])


def _normal_law(total: float, time: float) -> AncestorLaw:
    """Return the normal law that A nears as the time shrinks."""
    beta = 0.5 * max(total - 1.0, 1e-9) * time
    eta = beta / np.expm1(beta)
    variance = 2.0 / (3.0 * time) * (1.0 - 7.0 * beta**2 / 60.0)
    if beta > 0.02:  # where the closed form does not cancel
        variance = 2.0 * eta / time * (eta + beta) ** 2 * (1.0 + eta / (eta + beta) - 2.0 * eta) / beta**2
    mean = 2.0 * eta / time - 1.0 / 6.0
    spread = 9.0 * np.sqrt(variance)
    numbers = np.arange(max(0.0, np.floor(mean - spread)), np.ceil(mean + spread) + 1.0)
    weights = np.exp(-0.5 * (numbers - mean) ** 2 / (variance + 1.0 / 45.0))
    return AncestorLaw(int(numbers[0]), weights / weights.sum())


def _roots(total: float, s: ndarray) -> tuple[ndarray, ndarray]:
    """Return a and b with ``j (j + Theta - 1) + 2 s = (j - a)(j - b)``."""
    root = np.sqrt(np.asarray((total - 1.0) ** 2 - 8.0 * s, dtype=complex))
    return 0.5 * (1.0 - total + root), 0.5 * (1.0 - total - root)


def _log_transform(m: int, total: float, s: ndarray) -> ndarray:
    """Return ``log prod_{j>=m} r_j / (r_j + s)``."""
    a, b = _roots(total, s)
    return np.asarray(loggamma(m - a) + loggamma(m - b) - loggamma(m) - loggamma(m - 1.0 + total))


def _tilted_mean(m: ndarray, total: float, s: ndarray) -> ndarray:
    """Return ``sum_{j>=m} 1 / (r_j + s)``: the mean time, tilted by s."""
    a, b = _roots(total, s)
    # away from the double root by a hair, where the quotient is still good to 1e-5
    apart = np.where(np.abs(a - b) < 1e-5, 1e-4, a - b)
    return np.asarray((2.0 * (psi(m - b) - psi(m - b - apart)) / apart).real)


def _saddles(m: ndarray, total: float, time: float) -> ndarray:
    """Return about the s at which the tilted mean time is `time`, by bisection in log distance from the pole; the law does not depend on how near."""
    rate = 0.5 * m * (m + total - 1.0)
    low = np.full(len(m), np.log(1e-3 / time))
    high = np.log(1e6 / time**2 + 1e3 * rate)
    for _ in range(40):
        middle = 0.5 * (low + high)
        late = _tilted_mean(m, total, np.exp(middle) - rate) > time
        low, high = np.where(late, middle, low), np.where(late, high, middle)
    return np.asarray(np.exp(low) - rate)


def _chance(m: int, total: float, time: float, c: float) -> float:
    """Return ``P(A = m)`` for m of 1 or more, by the trapezoid rule along the line of real part c, through the saddle point."""
    rate = 0.5 * m * (m + total - 1.0)
    around = c + 1e-3 * (c + rate) * np.array([-1.0, 1.0])
    early, late = _tilted_mean(np.full(2, m), total, around)
    spread = np.sqrt((early - late) / (around[1] - around[0]))
    step = 2.0 * np.pi / max(16.0 * float(spread), 45.0 / (c + rate))
    peak = c * time + _log_transform(m, total, np.asarray(c)).real
    sum_, at, width = 0.5, 1, 256
    while True:
        y = step * np.arange(at, at + width)
        values = np.exp((c + 1j * y) * time + _log_transform(m, total, c + 1j * y) - peak)
        sum_ += float(values.real.sum())
        at, width = at + width, 2 * width
        if abs(values[-1]) < 1e-18 or at > 2**18:
            break
    return float(step / np.pi * sum_ * np.exp(peak) / rate)


def wright_fisher_step(
    mu: Float[ndarray, "c n"], theta: Float[ndarray, "*c n"], law: AncestorLaw, rng: np.random.Generator
) -> Float[ndarray, "c n"]:
    """Return ``mu(t)`` given ``mu(0) = mu``, drawn from the exact transition law; each row moves on its own.

    Args:
        mu: weights, positive, each row summing to one.
        theta: by name, positive, shape (n,) or (c, n).
        law: of the number of lines, `ancestor_law` of ``sum theta`` and t.
        rng: of the draws.
    """
    grown = rng.standard_gamma(theta + rng.multinomial(law.draw(rng, len(mu)), mu))
    return np.asarray(grown / grown.sum(axis=1, keepdims=True))
