"""What presses on a weight adds up to what it would earn; the answer without a rule is the answer of the mandate without it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gammastar.core.risk_parts import risk_parts
from gammastar.errors import UsageError
from gammastar.mandate import (
    ActiveShare,
    ActiveWeight,
    Beta,
    Buys,
    Exposure,
    FactorRisk,
    Generated,
    GroupActive,
    Mandate,
    Rule,
    TopWeights,
    TrackingError,
    TradingPolicy,
    Turnover,
    VolatilityCapture,
    WeightBounds,
)
from gammastar.optimise import Status, explain_weight, frontier, propose
from gammastar.optimise.why import pressures


def rules_around(mu: np.ndarray) -> tuple[Rule, ...]:
    """Return rules that the benchmark itself keeps, tight enough that most of them bind."""
    return (
        TrackingError(0.02),
        FactorRisk(0.012),
        ActiveWeight(0.012),
        WeightBounds(maximum=float(mu.max()) + 0.006),
        GroupActive(0.006),
        Beta(0.01),
        Exposure(0.03),
        ActiveShare(0.18),
        Turnover(0.45),
        Buys(0.23),
        TopWeights(5, float(np.sort(mu)[-5:].sum()) + 0.005),
    )


def case(bench: Any, seed: int, count: int = 7) -> tuple[Mandate, Any]:
    rng = np.random.default_rng(seed)
    m = bench.moment(rng, 50, short=3, outside=2)
    held = m.benchmark * np.exp(rng.normal(0.0, 0.1, 50))
    rules = rules_around(m.benchmark)
    chosen = tuple(rules[k] for k in sorted(rng.permutation(len(rules))[:count]))
    return Mandate(rules=chosen, trading=TradingPolicy(cost=0.0005), data=bench.policy), replace(m, holdings=held / held.sum())


@pytest.mark.parametrize("seed", range(12))
def test_pressures_add_up_to_the_slope_of_the_objective(bench: Any, seed: int) -> None:
    mandate, m = case(bench, seed)
    found = propose(mandate, m)
    assert found.status is Status.OPTIMAL
    assert found.problem is not None
    names, press = pressures(found.problem)
    slope = found.problem.gradient(found.targets)[found.problem.free]
    level = press[names.index("level")]
    np.testing.assert_allclose(level, level[0], atol=1e-9)
    np.testing.assert_allclose(press.sum(axis=0), slope, atol=3e-5 * np.abs(slope).max())


def test_the_weight_without_a_rule_is_that_of_the_mandate_without_it(bench: Any) -> None:
    mandate, m = case(bench, 3)
    found = propose(mandate, m)
    column = int(np.argmax(found.targets - m.benchmark))
    told = explain_weight(mandate, m, m.assets.ids[column])
    assert told.target == found.targets[column]
    asked = [hold for hold in told.holds if hold.without is not None]
    assert asked
    for hold in asked:
        others = propose(mandate.with_rules(tuple(rule for rule in mandate.rules if rule.name != hold.rule)), m)
        assert hold.without == pytest.approx(others.targets[column], abs=1e-7)
    assert told.label in str(told)
    assert told.relative_volatility == pytest.approx(np.sqrt(found.moment.covariance.relative(m.benchmark)[column, column]))


def test_the_correlation_is_that_of_the_dense_covariance(bench: Any) -> None:
    mandate, m = case(bench, 5)
    found = propose(mandate, m)
    i = int(np.argmin(found.targets - m.benchmark))
    told = explain_weight(mandate, m, m.assets.ids[i], without=0)
    rest = found.targets - m.benchmark
    rest[i] = 0.0
    relative, sigma = np.eye(50)[i] - m.benchmark, m.covariance.dense()
    expected = relative @ sigma @ rest / np.sqrt((relative @ sigma @ relative) * (rest @ sigma @ rest))
    assert told.correlation == pytest.approx(expected, abs=1e-12)


def test_a_neutral_name_and_an_unknown_one(bench: Any) -> None:
    mandate, m = case(bench, 1)
    neutral = int(np.flatnonzero(~m.observed[-1])[0])
    if m.benchmark[neutral] > 0.0:
        assert "neutral" in str(explain_weight(mandate, m, m.assets.ids[neutral]))
    with pytest.raises(UsageError, match="no such asset"):
        explain_weight(mandate, m, "nobody")
    with pytest.raises(UsageError, match="generated"):
        explain_weight(Mandate(strategy=Generated()), m, m.assets.ids[0])


@pytest.mark.parametrize("seed", range(4))
def test_parts_of_active_risk_sum_to_it(bench: Any, seed: int) -> None:
    mandate, m = case(bench, seed)
    found = propose(mandate, m)
    parts, forecast = found.risk, found.forecast
    assert parts is not None
    assert forecast is not None
    assert parts.risk == pytest.approx(forecast.tracking_error, rel=1e-12)
    assert float(parts.by_name.sum()) == pytest.approx(parts.risk, rel=1e-12)
    assert float(parts.by_factor.sum()) + parts.specific == pytest.approx(parts.risk, rel=1e-12)
    labels, codes = m.group("sector")
    assert float(parts.by_group(codes, len(labels)).sum()) == pytest.approx(parts.risk, rel=1e-12)
    assert parts.by_factor.sum() / parts.risk == pytest.approx(forecast.factor_share, rel=1e-9)
    step = 1e-7  # a part is a size times a derivative
    active = found.targets - m.benchmark
    i = int(np.argmax(abs(active)))
    bumped = active.copy()
    bumped[i] *= 1.0 + step
    slope = (risk_parts(bumped, m.covariance).risk - parts.risk) / step
    assert slope == pytest.approx(parts.by_name[i], rel=1e-4)


def test_no_active_risk_has_no_parts(bench: Any) -> None:
    m = bench.moment(np.random.default_rng(0), 20)
    parts = risk_parts(np.zeros(20), m.covariance)
    assert parts.risk == parts.specific == 0.0
    assert not parts.by_name.any()


@pytest.mark.parametrize(
    ("rule", "limits"),
    [("tracking_error", np.linspace(0.004, 0.03, 9)), ("sector", np.linspace(0.0, 0.02, 7)), ("weight.maximum", np.linspace(0.1, 0.12, 7)),
     ("turnover", np.linspace(0.3, 0.6, 7)), ("exposure.size", np.linspace(0.0, 0.1, 6)), ("active_share", np.linspace(0.05, 0.25, 6))],
)
def test_the_frontier_is_monotone_and_concave_and_its_slope_is_the_price(bench: Any, rule: str, limits: np.ndarray) -> None:
    mandate, m = case(bench, 3, count=11)
    found = frontier(mandate, m, rule, limits)
    growth = np.array([point.growth if point.growth is not None else np.nan for point in found.points])
    kept = np.isfinite(growth)
    assert kept.sum() >= 4
    at, growth, price = limits[kept], growth[kept], np.array([point.price for point in found.points if point.growth is not None])
    slope = np.diff(growth) / np.diff(at)
    assert (slope >= -1e-6).all()
    assert (np.diff(slope) <= 1e-5 * max(slope.max(), 1e-3)).all()
    told = price / 100.0  # growth for a unit of the limit
    assert (slope <= told[:-1] * (1.0 + 1e-4) + 1e-6).all()
    assert (slope >= told[1:] * (1.0 - 1e-4) - 1e-6).all()
    assert len(found.to_dict()["points"]) == len(limits)
    assert rule in str(found)


def test_a_frontier_of_no_rule_says_which_there_are(bench: Any) -> None:
    mandate, m = case(bench, 3, count=11)
    with pytest.raises(UsageError, match="no such limit") as caught:
        frontier(mandate, m, "risk", [0.01])
    assert "tracking_error" in str(caught.value)
    assert "weight.maximum" in str(caught.value)
    with pytest.raises(UsageError, match="generated"):
        frontier(Mandate(strategy=Generated()), m, "tracking_error", [0.01])


def test_the_target_gives_way_when_the_limit_is_swept(bench: Any) -> None:
    _, m = case(bench, 3)
    capped = Mandate(strategy=VolatilityCapture(), rules=(TrackingError(0.02, target=0.005),), data=bench.policy)
    found = frontier(capped, m, "tracking_error", [0.01, 0.02])
    assert [point.tracking_error for point in found.points] == pytest.approx([0.01, 0.02], abs=1e-7)
