"""A rule's two readings agree: weights keep its rows if and only if its measure is not breached, also right at the limit."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from gammastar.core.rows import AbsoluteSum, Bounds, LinearRows, RiskCone
from gammastar.mandate import (
    ActiveWeight,
    Beta,
    Exclude,
    Exclusion,
    Exposure,
    GroupActive,
    Mandate,
    Reading,
    TrackingError,
    Turnover,
    WeightBounds,
    check_weights,
)

MARGIN = 1e-6  # relative to the limit: well above rounding, well below what anyone would call the same

RULES = {
    "tracking_error": TrackingError(0.02),
    "active_weight": ActiveWeight(0.01),
    "weight maximum": WeightBounds(maximum=0.2),
    "weight minimum": WeightBounds(minimum=0.02),
    "weight plus": WeightBounds(plus=0.02),
    "weight multiple": WeightBounds(multiple=1.2),
    "weight all": WeightBounds(minimum=0.001, maximum=0.25, plus=0.03, multiple=1.5),
    "sector": GroupActive(0.02),
    "sector own": GroupActive(0.02, (("Energy", 0.005), ("Unknown", 0.04))),
    "beta": Beta(0.01),
    "exposure": Exposure(0.03),
    "exclude": Exclude(
        (Exclusion("ID03", "a reason"), Exclusion("ID12", "left long ago"), Exclusion("ID99", "never listed"))
    ),
    "turnover": Turnover(0.4),
}


def excess(row, weights) -> float:
    """Return by how much `weights` break a row: the largest excess over any of its bounds, negative where all are kept."""
    match row:
        case Bounds():
            return float(np.max(np.maximum(row.lower - weights, weights - row.upper)))
        case LinearRows():
            value = row.matrix @ weights
            return float(np.max(np.maximum(row.lower - value, value - row.upper)))
        case RiskCone():
            active = weights - row.centre
            return float(np.sqrt(active @ row.covariance.dense() @ active) - row.limit)
        case AbsoluteSum():
            return float(np.abs(weights - row.centre).sum() - row.limit)
    raise TypeError(row)


def broken_by_rows(rule, moment, weights) -> float:
    return max(excess(row, weights) for row in rule.rows(moment))


def members_only(moment, weights):
    """Return `weights` on the benchmark's members: what the optimiser chooses from."""
    inside = np.where(moment.members, weights, 0.0)
    return np.asarray(inside / inside.sum())


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_rows_and_measure_agree_on_random_weights(rule, moments):
    """Near and far from the benchmark, the two readings give the same verdict, and both verdicts occur."""
    rng = np.random.default_rng(5)
    verdicts = []
    for trial in range(300):
        moment = moments(trial % 7)
        far = rng.dirichlet(np.full(14, 1.0))
        weights = members_only(moment, moment.benchmark + 10.0 ** rng.uniform(-4.0, 0.0) * (far - moment.benchmark))
        if trial % 3 == 0:  # without what is excluded
            weights = np.where(np.isin(np.arange(14), (3, 12)), 0.0, weights)
        by_rows = broken_by_rows(rule, moment, weights)
        if not 0.0 < by_rows < 1e-7:
            assert rule.measure(weights, moment).breached == (by_rows > 0.0)
            verdicts.append(by_rows > 0.0)
    assert {True, False} <= set(verdicts)


@pytest.mark.parametrize(
    "name", [name for name in RULES if not name.startswith(("exclude", "weight minimum", "weight all"))]
)
def test_verdicts_change_together_at_the_limit(name, moments):
    """On a line from inside to outside the two readings cross their limit at the same point, from both sides."""
    rule, rng, crossings = RULES[name], np.random.default_rng(9), 0
    for seed in range(20):
        moment = moments(seed)
        start = moment.holdings if isinstance(rule, Turnover) else moment.benchmark
        away = members_only(moment, rng.dirichlet(np.full(14, 0.5))) - start
        if broken_by_rows(rule, moment, start) > 0.0 or broken_by_rows(rule, moment, start + away) <= 0.0:
            continue
        crossings += 1
        low, high = 0.0, 1.0
        for _ in range(60):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if broken_by_rows(rule, moment, start + middle * away) <= 0.0 else (low, middle)
        inside, outside = (rule.measure(start + low * (1.0 + side * MARGIN) * away, moment) for side in (-1.0, 1.0))
        assert inside.headroom > 0.0 > outside.headroom
        assert abs(inside.headroom) + abs(outside.headroom) < 1e-5
    assert crossings >= 5


def test_headroom_is_what_is_left_of_the_limit(moment, moments):
    """Where one row tells all, headroom is minus the excess of the rows."""
    rng = np.random.default_rng(2)
    for rule in (
        RULES["tracking_error"],
        RULES["active_weight"],
        RULES["sector"],
        RULES["sector own"],
        RULES["beta"],
        RULES["exposure"],
        RULES["turnover"],
    ):
        for seed in range(10):
            moment = moments(seed)
            weights = members_only(moment, rng.dirichlet(np.full(14, 3.0)))
            assert rule.measure(weights, moment).headroom == pytest.approx(
                -broken_by_rows(rule, moment, weights), abs=1e-12
            )


def test_slopes_are_the_derivative_of_the_bounds(moments):
    """Each row's slope is the change of its bound when the rule's limit moves: the price of a rule rests on it."""
    step = 1e-6
    moment = moments(3)
    for rule in (RULES["active_weight"], RULES["sector"], RULES["beta"], RULES["exposure"]):
        (row,), (moved,) = rule.rows(moment), dataclasses.replace(rule, limit=rule.limit + step).rows(moment)
        assert np.allclose((moved.lower - row.lower) / step, row.lower_slope, atol=1e-7)
        assert np.allclose((moved.upper - row.upper) / step, row.upper_slope, atol=1e-7)


def test_benchmark_keeps_every_active_rule(moment):
    """Holding the benchmark has no active weight, risk or exposure, and beta one."""
    for rule in (
        TrackingError(0.0),
        ActiveWeight(0.0),
        GroupActive(0.0),
        Beta(0.0),
        Exposure(0.0),
        WeightBounds(plus=0.0, multiple=1.0),
    ):
        reading = rule.measure(moment.benchmark, moment)
        assert not reading.breached
        assert broken_by_rows(rule, moment, moment.benchmark) <= 1e-12


@pytest.mark.parametrize("rule", [TrackingError(0.02), Beta(0.01)], ids=lambda rule: rule.name)
def test_rules_of_risk_need_a_covariance(rule, moments):
    """Both readings of a rule that needs a covariance raise without one."""
    moment = moments(1, covariance=False)
    assert rule.needs_covariance
    with pytest.raises(ValueError, match=rule.name):
        rule.rows(moment)
    with pytest.raises(ValueError, match=rule.name):
        rule.measure(moment.benchmark, moment)


def test_rules_without_risk_need_no_covariance(moments):
    """What needs no covariance gives both readings without one; turnover has none where holdings are not known."""
    bare = moments(1, covariance=False)
    for rule in RULES.values():
        if not rule.needs_covariance:
            assert rule.rows(bare)
            assert rule.measure(bare.benchmark, bare) is not None


def test_turnover_without_holdings_is_not_measured(moment, without_holdings):
    """Nobody knows the turnover from unknown holdings."""
    assert Turnover(0.1).measure(moment.benchmark, without_holdings(moment)) is None
    assert "turnover" not in {
        reading.rule
        for reading in check_weights(Mandate(rules=(Turnover(0.1),)), moment.benchmark, without_holdings(moment))
    }


def test_readings_do_not_depend_on_the_order_of_assets(moments):
    """Permuting the assets permutes nothing in what the rules measure."""
    moment, rng = moments(4), np.random.default_rng(8)
    order = rng.permutation(14)
    turned = dataclasses.replace(
        moment,
        assets=type(moment.assets)(
            tuple(moment.assets.ids[k] for k in order), tuple(moment.assets.tickers[k] for k in order)
        ),
        benchmark=moment.benchmark[order],
        sector_codes=moment.sector_codes[order],
        holdings=moment.holdings[order],
        covariance=moment.covariance.take(order),
    )
    weights = rng.dirichlet(np.full(14, 2.0))
    for rule in RULES.values():
        one, two = rule.measure(weights, moment), rule.measure(weights[order], turned)
        assert two.value == pytest.approx(one.value, abs=1e-12)
        assert two.where == one.where


def test_check_has_long_only_and_fully_invested_first(moment):
    """The two rules of every portfolio stand first, and a short position or cash breaks them."""
    short = moment.benchmark.copy()
    short[0], short[1] = -0.01, short[1] + short[0]
    names = [reading.rule for reading in check_weights(Mandate(rules=(ActiveWeight(0.5),)), short, moment)]
    assert names == ["long_only", "fully_invested", "active_weight"]
    broken = {reading.rule for reading in check_weights(Mandate(), short, moment) if reading.breached}
    assert broken == {"long_only", "fully_invested"}
    cash = 0.9 * moment.benchmark
    assert {reading.rule for reading in check_weights(Mandate(), cash, moment) if reading.breached} == {
        "fully_invested"
    }
    assert not any(reading.breached for reading in check_weights(Mandate(), cash, moment, fully_invested=False))


def test_rounding_is_no_breach():
    """A reading is broken beyond 1e-8, not by the last digits of a solver."""
    assert not Reading("rule", 0.0, 0.0, -1e-9).breached
    assert Reading("rule", 0.0, 0.0, -1e-7).breached


def test_a_rule_stands_once():
    """Two rules of one name would leave open which holds."""
    with pytest.raises(ValueError, match="once"):
        Mandate(rules=(ActiveWeight(0.01), ActiveWeight(0.02)))
