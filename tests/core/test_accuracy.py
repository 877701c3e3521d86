"""L-divergences keep their digits near zero: each family against its definition in decimal arithmetic of ninety digits."""

from __future__ import annotations

from decimal import Decimal, getcontext, localcontext
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gammastar.core.argument import Blend
from gammastar.core.concave import UserFunction
from gammastar.core.families import Affine, Hill, Renyi, Sum, shifted
from gammastar.core.generating import (
    Composite,
    Diversity,
    Entropy,
    GeometricMean,
    GiniSimpson,
    Market,
    bet_dial,
    bregman_divergence,
    l_divergence,
    relative_gain,
)
from gammastar.core.rank_generating import ByRank, RankRange, top
from gammastar.core.simplex import exp_excess, log_excess, log_mean_exp, relative_changes

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy import ndarray

    from gammastar.core.generating import GeneratingFunction

N = 6
C = np.array([0.4, 0.25, 0.15, 0.1, 0.07, 0.03])
A = np.array([0.05, 0.3, 0.15, 0.1, 0.2, 0.2])
Numbers = list[Decimal]


def exactly(x: float) -> Decimal:
    """The number that a float is."""
    return Decimal(x)


def total(x: Numbers) -> Decimal:
    return sum(x, Decimal(0))


def power(x: Decimal, p: float) -> Decimal:
    return (Decimal(p) * x.ln()).exp()


def entropy(x: Numbers) -> Decimal:
    return -total([v * v.ln() for v in x])


def log_diversity(x: Numbers, p: float) -> Decimal:
    if p == 0.0:
        return total([v.ln() for v in x]) / len(x)
    return (total([power(v, p) for v in x]) / len(x)).ln() / Decimal(p)


def log_renyi_sum(x: Numbers, p: float) -> Decimal:
    return total([power(v, p) for v in x]).ln() / (1 - Decimal(p))


def dotted(c: ndarray, x: Numbers) -> Decimal:
    return total([Decimal(float(a)) * v for a, v in zip(c, x, strict=True)])


def blended(x: Numbers, share: float) -> Numbers:
    return [Decimal(share) * v + (1 - Decimal(share)) * Decimal(float(a)) for v, a in zip(x, A, strict=True)]


def within(x: Numbers) -> Numbers:
    return [v / total(x) for v in x]


def own_log_g(x: ndarray) -> ndarray:
    return 0.3 * np.log(0.5 - np.sum(x * np.log(np.where(x == 0.0, 1.0, x)), axis=-1)) + 0.2 * np.log(np.sum(np.sqrt(x), axis=-1))


def own_gradient(x: ndarray) -> ndarray:
    s = 0.5 - np.sum(x * np.log(x), axis=-1, keepdims=True)
    return -0.3 * (np.log(x) + 1.0) / s + 0.1 / np.sqrt(x) / np.sum(np.sqrt(x), axis=-1, keepdims=True)


def own_decimal(x: Numbers) -> Decimal:
    return exactly(0.3) * (exactly(0.5) + entropy(x)).ln() + exactly(0.2) * total([v.sqrt() for v in x]).ln()


FAMILY: dict[str, tuple[GeneratingFunction, Callable[[Numbers], Decimal]]] = {
    **{f"diversity {p}": (Diversity(p), lambda x, p=p: log_diversity(x, p)) for p in (-2.5, -1e-3, 0.0, 1e-9, 0.25, 0.76, 0.999, 1.7)},
    "entropy": (Entropy(), lambda x: entropy(x).ln()),
    "entropy shifted": (Entropy(0.7), lambda x: (entropy(x) + exactly(0.7)).ln()),
    "gini-simpson": (GiniSimpson(), lambda x: (1 - total([v * v for v in x]) / 2).ln()),
    "geometric mean": (GeometricMean(C), lambda x: dotted(C, [v.ln() for v in x]) / dotted(C, [Decimal(1)] * N)),
    "dial": (bet_dial(Diversity(0.5), 0.3), lambda x: exactly(0.3) * log_diversity(x, 0.5)),
    "composite": (
        Composite(((Entropy(0.2), 0.6), (Diversity(-0.5), 0.25))),
        lambda x: exactly(0.6) * (entropy(x) + exactly(0.2)).ln() + exactly(0.25) * log_diversity(x, -0.5),
    ),
    "sum": (
        Sum(((Entropy(), 0.5), (Diversity(0.3), 3.0), (Affine(0.1, C), 2.0))),
        lambda x: (exactly(0.5) * entropy(x) + 3 * log_diversity(x, 0.3).exp() + 2 * (exactly(0.1) + dotted(C, x))).ln(),
    ),
    "shifted": (shifted(GiniSimpson(), 1.5), lambda x: (exactly(2.5) - total([v * v for v in x]) / 2).ln()),
    **{f"hill {p}": (Hill(p), lambda x, p=p: entropy(x) if p == 1.0 else log_renyi_sum(x, p)) for p in (0.4, 0.99, 1.0, 2.0)},
    **{
        f"renyi {p}": (Renyi(p, 0.1), lambda x, p=p: (exactly(0.1) + (entropy(x) if p == 1.0 else log_renyi_sum(x, p))).ln())
        for p in (0.4, 0.99, 1.0, 2.0)
    },
    "blend": (Blend(Diversity(0.5), A, 0.4), lambda x: log_diversity(blended(x, 0.4), 0.5)),
    "user, complex steps": (UserFunction(own_log_g), own_decimal),
    "user, gradient": (UserFunction(own_log_g, own_gradient), own_decimal),
    # the weights below are drawn in order and keep it, so that a function of ranks is one of names
    "constant by rank": (ByRank(GeometricMean(C)), lambda x: dotted(C, [v.ln() for v in x]) / dotted(C, [Decimal(1)] * N)),
    "entropy of the top": (top(4, Entropy()), lambda x: total(x[:4]).ln() + entropy(within(x[:4])).ln()),
    "diversity of a range": (ByRank(RankRange(2, 5, Diversity(0.3))), lambda x: log_diversity(x[1:5], 0.3)),
}
FREE_OF_TRADES: dict[str, GeneratingFunction] = {
    "market": Market(),
    "diversity 1": Diversity(1.0),
    "affine": Affine(0.3, C),
    "hill 0": Hill(0.0),
    "top": top(3),
}
ORDERED = np.array([0.34, 0.25, 0.18, 0.12, 0.08, 0.03])


def exact(log_g: Callable[[Numbers], Decimal], p: ndarray, q: ndarray) -> Decimal:
    """Return ``log(1 + grad log G(p).(q - p)) - log(G(q) / G(p))`` for the points scaled to sum to one exactly."""
    with localcontext() as context:
        context.prec = 90
        before, after = (within([Decimal(float(v)) for v in x]) for x in (p, q))
        h = Decimal(10) ** -25
        gain = Decimal(0)
        for i in range(len(before)):
            up, down = list(before), list(before)
            up[i] += h
            down[i] -= h
            gain += (log_g(up) - log_g(down)) / (2 * h) * (after[i] - before[i])
        return +((1 + gain).ln() - (log_g(after) - log_g(before)))


def moved(seed: int, size: float) -> tuple[ndarray, ndarray]:
    rng = np.random.default_rng(seed)
    p = ORDERED * np.exp(rng.uniform(-0.1, 0.1, N))
    p /= p.sum()
    q = p * (1.0 + size * rng.uniform(-1.0, 1.0, N))
    return p, q / q.sum()


@pytest.mark.parametrize("name", FAMILY)
@settings(max_examples=4)
@given(seed=st.integers(0, 2**32 - 1), size=st.sampled_from((1e-7, 1e-6, 1e-5, 1e-3, 0.02, 0.04)))
def test_l_divergence_keeps_its_digits(name: str, seed: int, size: float) -> None:
    """Relative error below 1e-8 for relative steps of 1e-6, where T is 1e-13 and the rounding of its two logarithms 1e-15."""
    function, log_g = FAMILY[name]
    p, q = moved(seed, size)
    truth = float(exact(log_g, p, q))
    assert abs(truth) < size**2 * 10.0
    assert float(l_divergence(function, p, q)) == pytest.approx(truth, rel=1e-8 * max(1.0, 1e-6 / size), abs=0.0)


@pytest.mark.parametrize("name", FAMILY)
@settings(max_examples=2)
@given(seed=st.integers(0, 2**32 - 1), size=st.sampled_from((1e-6, 1e-3)))
def test_bregman_divergence_keeps_its_digits(name: str, seed: int, size: float) -> None:
    function, log_g = FAMILY[name]
    p, q = moved(seed, size)
    gain, value = float(relative_gain(function, p, q)), float(function.log_value(p))
    truth = -np.exp(value) * (1.0 + gain) * np.expm1(-float(exact(log_g, p, q)))
    assert float(bregman_divergence(function, p, q)) == pytest.approx(truth, rel=1e-8, abs=0.0)


@pytest.mark.parametrize("name", FREE_OF_TRADES)
def test_what_does_not_trade_has_no_l_divergence_at_all(name: str) -> None:
    p, q = moved(5, 1e-6)
    assert l_divergence(FREE_OF_TRADES[name], p, q) == 0.0
    assert l_divergence(FREE_OF_TRADES[name], np.stack((p, q)), np.stack((q, p))).tolist() == [0.0, 0.0]


@settings(max_examples=200)
@given(z=st.floats(-0.999, 40.0).filter(lambda z: abs(z) > 1e-15))
def test_remainders_of_exp_and_log_keep_their_digits(z: float) -> None:
    with localcontext() as context:
        context.prec = 60
        x = Decimal(z)
        assert float(exp_excess(np.array(z))) == pytest.approx(float(x.exp() - 1 - x), rel=3e-15, abs=0.0)
        assert float(log_excess(np.array(z))) == pytest.approx(float(x - (1 + x).ln()), rel=3e-15, abs=0.0)
    assert getcontext().prec == 28


@settings(max_examples=50)
@given(seed=st.integers(0, 2**32 - 1), scale=st.sampled_from((1e-8, 1e-3, 0.5, 3.0, 800.0)))
def test_log_mean_exp_is_its_definition_and_does_not_overflow(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    pi = rng.dirichlet(np.ones(N))
    y = scale * rng.normal(size=N)
    y -= pi @ y
    with localcontext() as context:
        context.prec = 60
        # what is left of the mean after rounding is no part of the definition
        mean = total([Decimal(float(a)) * Decimal(float(b)) for a, b in zip(pi, y, strict=True)])
        whole = total([Decimal(float(a)) for a in pi])
        truth = (total([Decimal(float(a)) * (Decimal(float(b)) - mean).exp() for a, b in zip(pi, y, strict=True)]) / whole).ln()
    assert float(log_mean_exp(pi, y)) == pytest.approx(float(truth), rel=1e-6 if scale < 1e-3 else 1e-12)


def test_weights_that_sum_to_one_but_for_rounding_are_scaled() -> None:
    """A common factor in q is no change: to first order it would outweigh a divergence of second order."""
    p, q = moved(11, 1e-6)
    for function, _ in FAMILY.values():
        clean = float(l_divergence(function, p, q))
        assert float(l_divergence(function, p, q * (1.0 + 4e-16))) == pytest.approx(clean, rel=2e-8)
    np.testing.assert_allclose(relative_changes(p, 2.0 * q), relative_changes(p, q), rtol=1e-8)


def test_points_must_hold_the_same_names() -> None:
    p, gone = np.array([0.5, 0.3, 0.2]), np.array([0.6, 0.4, 0.0])
    for before, after in ((p, gone), (gone, p)):
        with pytest.raises(ValueError, match="same names"):
            l_divergence(Diversity(0.5), before, after)
