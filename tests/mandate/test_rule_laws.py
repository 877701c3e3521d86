"""Laws that every rule keeps: rows and measure agree, loosening moves the rows by their slopes, and the headroom by what it is loosened."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from gammastar import mandate as m
from gammastar.core import rows as r
from gammastar.core.covariance import FactoredCovariance
from gammastar.market.groups import Group, Named

N, T = 14, 260
MARGIN = 1e-7  # closer to a limit than this, the readings may differ by rounding

RULES = {
    "tracking_error": m.TrackingError(0.02),
    "tracking_error with a target": m.TrackingError(0.02, 0.01),
    "tracking_error.second_benchmark": m.TrackingError(0.05, second_benchmark=True),
    "tracking_error.second_model": m.TrackingError(0.02, second_model=True),
    "tracking_error of both seconds": m.TrackingError(0.05, second_benchmark=True, second_model=True),
    "tracking_error.factor": m.FactorRisk(0.015),
    "tracking_error.specific": m.SpecificRisk(0.015),
    "active_weight": m.ActiveWeight(0.02),
    "active_weight of assets and groups": m.ActiveWeight(0.02, (("ID01", 0.01), ("ID99", 0.01)), (("GB", 0.03),), "country"),
    "weight": m.WeightBounds(minimum=0.01, maximum=0.25, plus=0.05),
    "weight maximum": m.WeightBounds(maximum=0.2),
    "sector": m.GroupActive(0.02, (("Energy", 0.005),)),
    "group.country": m.GroupActive(0.03, (("US", 0.02),), "country"),
    "group_weight.country": m.GroupWeight((("GB", None, 0.3), ("US", 0.2, 0.6), ("XX", 0.5, None)), "country"),
    "beta": m.Beta(0.02),
    "beta.second_benchmark": m.Beta(0.05, second_benchmark=True),
    **{f"exposure.{name}": m.Exposure(0.1, name) for name in ("size", "volatility", "beta", "momentum", "reversal")},
    "active_share": m.ActiveShare(0.1),
    "turnover": m.Turnover(0.2),
    "turnover.buys": m.Buys(0.1),
    "turnover.year": m.TurnoverYear(0.6),
    "liquidity.trade": m.TradeLiquidity(0.3),
    "liquidity.holding": m.HoldingLiquidity(2.0, 10),
    "concentration.top": m.TopWeights(3, 0.4),
    "concentration.issuer": m.IssuerLimit(0.25),
    "concentration.five_ten_forty": m.FiveTenForty(0.2, 0.1, 0.5),
    "exclude": m.Exclude((m.ListEntry("ID03", "r"), m.ListEntry("ID12", "left"), m.ListEntry("ID99", "never listed"))),
    "must_sell": m.MustSell((m.ListEntry("ID02", "r", "", "2019-01-01"), m.ListEntry("ID04", "r", "", None, "2019-01-01"))),
    "no_buy": m.NoBuy((m.ListEntry("ID01", "r"), m.ListEntry("ID05", "r"))),
    "no_sell": m.NoSell((m.ListEntry("ID01", "r"), m.ListEntry("ID05", "r"))),
    "freeze": m.Freeze((m.ListEntry("ID06", "r", "", "2019-11-29", "2019-11-29"),)),
    "cash": m.Cash(0.01, 0.05),
    "cash_mode": m.CashMode(),
    "names": m.Names(4, 8),
    "names.trades": m.MostTrades(5),
    "min_holding": m.MinimumHolding(0.03),
    "min_holding grandfathered": m.MinimumHolding(0.03, grandfather=True),
    "min_trade": m.MinimumTrade(0.01),
    "lot": m.Lot(100),
    "risk_contribution": m.RiskContribution(0.5),
    "risk_contribution.country": m.RiskContribution(0.7, "country"),
}
"""The lists have an entry in force, one that is not, and one that the market does not know."""


@pytest.fixture
def rich(moments):
    """Return moments in which everything is known that any rule asks for."""

    def moment(seed: int):
        rng, plain = np.random.default_rng(seed + 100), moments(seed)
        history = np.vstack((rng.dirichlet(np.full(N - 2, 20.0), T - 1), plain.benchmark[: N - 2]))
        return dataclasses.replace(
            plain,
            returns=0.01 * rng.standard_normal((T, N)),
            observed=np.ones((T, N), dtype=bool),
            benchmark_history=np.hstack((history, np.zeros((T, 2)))),
            published=np.ones(T, dtype=bool),
            second_covariance=FactoredCovariance(0.1 * rng.standard_normal((N, 2)), rng.uniform(0.01, 0.05, N)),
            second_benchmark=np.append(rng.dirichlet(np.full(N - 2, 5.0)), np.zeros(2)),
            groups=Named({"country": Group(("US", "GB", "Unknown"), rng.integers(0, 3, N)), "issuer": Group(tuple("abcdefghij"), rng.integers(0, 10, N))}),
            price=rng.uniform(10.0, 200.0, N),
            value=1e6,
            traded=rng.uniform(1e4, 3e5, (T, N)),
            traded_this_year=0.3,
            flow=0.02 * (-1.0) ** seed,
        )

    return moment


def excess(row: r.Row, w) -> float:
    """Return by how much `w` breaks a row, from the definition of the row; negative where it is kept."""
    match row:
        case r.Bounds():
            return float(np.max(np.maximum(row.lower - w, w - row.upper)))
        case r.LinearRows():
            value = np.asarray(row.matrix @ w)
            return float(np.max(np.maximum(row.lower - value, value - row.upper), initial=-np.inf))
        case r.RiskCone():
            return float(np.sqrt((w - row.centre) @ row.covariance.dense() @ (w - row.centre))) - row.limit
        case r.AbsoluteSum():
            away = w - row.centre
            return float(sum(row.up * max(x, 0.0) + row.down * max(-x, 0.0) for x in away)) - row.limit
        case r.LargestSum():
            sums = w if row.matrix is None else row.matrix @ w
            return float(np.sort(sums)[-row.count :].sum()) - row.limit
        case r.Budget():
            return max(row.minimum - (1.0 - w.sum()), (1.0 - w.sum()) - row.maximum)
        case _:
            return discrete_excess(row, w)


def discrete_excess(row: r.Row, w) -> float:
    match row:
        case r.CountLimit():
            held = int((w > 1e-9).sum() if row.held is None else (np.abs(w - row.held) > 1e-9).sum())
            return float(max((row.minimum or 0) - held, held - (row.maximum or len(w))))
        case r.LeastHolding():
            stays = row.grandfathered & (np.abs(w - row.held) <= 1e-9)
            return float(np.max(np.where((w <= 1e-9) | stays, -np.inf, row.least - w)))
        case r.LeastTrade():
            trade = np.abs(w - row.held)
            return float(np.max(np.where((trade <= 1e-9) | (w <= 1e-9), -np.inf, row.least - trade)))
        case r.WholeLots():
            lots = (w - row.held) / row.lot
            return float(np.max(np.where(w <= 1e-9, 0.0, np.abs(lots - np.round(lots))))) - 1e-5
        case r.LargePositions():
            sums = row.matrix @ w
            return float(sums[sums > row.threshold + 1e-8].sum()) - row.total
        case r.RiskShares():
            active = w - row.centre
            by_name = active * (row.covariance.dense() @ active)
            shares = (by_name if row.matrix is None else row.matrix @ by_name) / by_name.sum()
            return float(shares.max()) - row.limit
    raise TypeError(row)


def stated(rule: m.Rule, moment) -> list[r.Row]:
    """Return the rows that state the rule; those of a hard rule that are soft only say what is aimed at."""
    return [row for row in rule.rows(moment) if rule.penalty is not None or getattr(row, "penalty", None) is None]


def draw(rng, moment, rule: m.Rule):
    """Return random weights near and far from where a rule is at ease, of members, some of them with a few names or whole lots."""
    start = moment.holdings if rng.random() < 0.5 else moment.benchmark
    far = rng.dirichlet(np.full(N, 0.7))
    w = np.where(moment.members, start + 10.0 ** rng.uniform(-4.0, 0.0) * (far - start), 0.0)
    w = np.maximum(w, 0.0) / w.sum() * (1.0 - rng.uniform(0.0, 0.08) if rng.random() < 0.5 else 1.0)
    if rng.random() < 0.3:
        w[rng.random(N) < 0.6] = 0.0
    if rng.random() < 0.3:
        w = np.where(rng.random(N) < 0.7, moment.holdings * moment.members, w)
    for item in getattr(rule, "assets", ()) if isinstance(rule, m.AssetList) and rng.random() < 0.6 else ():
        k = moment.assets.index.get(item.asset)
        if k is not None:
            w[k] = moment.holdings[k] if rule.of_holdings else 0.0
    if isinstance(rule, m.Lot) and rng.random() < 0.6:
        lot = rule.shares * moment.price / moment.value
        w = moment.holdings + lot * np.maximum(np.round((w - moment.holdings) / lot), -np.floor(moment.holdings / lot))
    if isinstance(rule, m.MinimumHolding | m.MinimumTrade) and rng.random() < 0.6:
        w = np.where((w < rule.limit) | (np.abs(w - moment.holdings) < rule.limit), np.where(rng.random(N) < 0.5, 0.0, moment.holdings), w)
    w = w * moment.members  # names that left are sold, whatever the rules
    total = float(w.sum())
    if total <= 0.0:
        return moment.benchmark
    return w if isinstance(rule, m.Lot) else w / max(total, 1.0)


def cases(rule: m.Rule, rich, count: int = 120):
    rng = np.random.default_rng(17)
    moments = [rich(seed) for seed in range(6)]
    for trial in range(count):
        moment = moments[trial % 6]
        yield moment, draw(rng, moment, rule)


def test_every_rule_is_here():
    """Each class of rule has a case, so that none escapes the laws."""
    from gammastar.mandate import rules

    classes = {value for value in vars(rules).values() if isinstance(value, type) and issubclass(value, rules.RuleOptions)}
    assert {type(rule) for rule in RULES.values()} == classes - {rules.RuleOptions, rules.AssetList}


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_row_is_broken_if_and_only_if_the_headroom_is_negative(rule, rich):
    """The constraint before the trade and the check after it give one verdict, and both verdicts occur."""
    verdicts = []
    for moment, w in cases(rule, rich):
        rows = stated(rule, moment)
        reading = rule.measure(w, moment)
        by_rows = max(excess(row, w) for row in rows)
        if abs(by_rows) > MARGIN or (by_rows <= 0.0 and reading.headroom == 0.0):
            assert (reading.headroom < -1e-9) == (by_rows > 0.0), (by_rows, reading)
            verdicts.append(by_rows > 0.0)
    assert {True, False} <= set(verdicts)
    assert len(verdicts) > 40


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_soft_rule_states_the_same_rows_with_its_penalty(rule, rich):
    """A penalty changes no bound: convex rows carry it."""
    moment = rich(1)
    soft = dataclasses.replace(rule, penalty=0.05)
    discrete = (m.Names, m.MostTrades, m.MinimumHolding, m.MinimumTrade, m.Lot, m.FiveTenForty, m.RiskContribution)
    for row, plain in zip(soft.rows(moment), rule.rows(moment), strict=True):
        if not isinstance(rule, discrete) and plain.penalty is None:
            assert row.penalty == 0.05
        same_bounds(row, plain, 0.0)


def same_bounds(moved: r.Row, row: r.Row, amount: float) -> None:
    """Assert that `moved` is `row` with its bounds moved by `amount` times their slopes."""
    match row:
        case r.Bounds() | r.LinearRows():
            assert np.allclose(moved.lower, row.lower + amount * row.lower_slope, atol=1e-14, rtol=0.0)
            assert np.allclose(moved.upper, row.upper + amount * row.upper_slope, atol=1e-14, rtol=0.0)
            assert np.array_equal(moved.lower_slope, row.lower_slope)
            assert np.array_equal(moved.upper_slope, row.upper_slope)
        case r.Budget():
            assert (moved.minimum, moved.maximum) == pytest.approx((row.minimum - amount, row.maximum + amount), abs=1e-15)
        case r.LargePositions():
            assert (moved.threshold, moved.total) == (row.threshold, pytest.approx(row.total + amount, abs=1e-15))
        case r.LeastHolding() | r.LeastTrade():
            assert np.allclose(moved.least, row.least - amount, atol=1e-15, rtol=0.0)
        case r.CountLimit():
            step = math.ceil(amount)
            assert (moved.minimum, moved.maximum) == (None if row.minimum is None else row.minimum - step, row.maximum + step)
        case r.WholeLots():
            assert np.array_equal(moved.lot, row.lot)
        case _:
            assert moved.limit == pytest.approx(row.limit + amount, abs=1e-15)


@pytest.mark.parametrize("amount", [1e-3, 7e-3])
@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_loosening_moves_the_rows_by_their_slopes(rule, amount, rich):
    """What a price and an amount of relaxation rest on: a rule loosened by a has its bounds moved by a times their slopes."""
    for seed in range(3):
        moment = rich(seed)
        for moved, row in zip(stated(rule.loosened(amount), moment), stated(rule, moment), strict=True):
            same_bounds(moved, row, amount)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_headroom_grows_by_what_a_rule_is_loosened(rule, rich):
    """An amount of relaxation is in the unit of the reading; whole names for a count, nothing for lots."""
    amount = 1.0 if isinstance(rule, (m.Names, m.MostTrades)) else 0.002
    grows = 0.0 if isinstance(rule, m.Lot) else amount
    for moment, w in cases(rule, rich, 60):
        before, after = rule.measure(w, moment), rule.loosened(amount).measure(w, moment)
        if isinstance(rule, m.TradeLiquidity | m.HoldingLiquidity) and after.where != before.where:
            continue  # the asset that is told is the worst by money; with another limit that is another one
        if math.isfinite(before.headroom):
            assert after.headroom == pytest.approx(before.headroom + grows, abs=1e-12)


def test_a_multiple_is_loosened_in_multiples(rich):
    """The amount of `weight` is one of weight for `maximum` and `plus`, and one of benchmark weights for `multiple`."""
    rule, amount = m.WeightBounds(multiple=1.5), 0.1
    for moment, w in cases(rule, rich, 30):
        (row,), (moved,) = rule.rows(moment), rule.loosened(amount).rows(moment)
        same_bounds(moved, row, amount)
        k = int(np.argmin(np.where((w != 0.0) | moment.members, row.upper - w, np.inf)))
        assert rule.measure(w, moment).headroom == pytest.approx(1.5 * moment.benchmark[k] - w[k], abs=1e-15)


def test_priority_is_in_range_and_lists_and_cash_never_give_way():
    """What the client forbids by name, and the budget, are not the optimiser's to give."""
    firm = {type(rule).__name__ for rule in RULES.values() if rule.priority == m.NEVER}
    assert firm == {"Exclude", "MustSell", "NoBuy", "NoSell", "Freeze", "Cash"}
    for bad in ({"priority": 6}, {"priority": -1}, {"penalty": 0.0}):
        with pytest.raises(ValueError, match=r"priority|penalty"):
            m.ActiveWeight(0.01, **bad)


def test_a_clause_changes_the_fingerprint_and_nothing_else(rich):
    """A clause is words: it is part of what was signed, and of no row."""
    plain, cited = m.Mandate(rules=(m.ActiveWeight(0.01),)), m.Mandate(rules=(m.ActiveWeight(0.01, clause="4.2"),))
    assert plain.fingerprint != cited.fingerprint
    same_bounds(cited.rules[0].rows(rich(0))[0], plain.rules[0].rows(rich(0))[0], 0.0)
