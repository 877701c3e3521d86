"""Changes to a question that must change the answer in a known way, or not at all: for random mandates of any rules and any form of the objective.

Where a law fixes the objective and the weights, the objective has to agree to 1e-9 of growth a year, and single weights to 1e-7 where the solver is
given the same numbers in another order or another unit, to `WEIGHTS` where it is given others: the optimum is flat, and an objective known to eleven
digits leaves a millionth of weight open.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from gammastar import mandate as g
from gammastar.core.covariance import FactoredCovariance
from gammastar.market.assets import Assets
from gammastar.market.groups import Group, Named
from gammastar.optimise import Status, propose

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gammastar.market.moment import Moment
    from gammastar.optimise import Proposal

SEEDS = range(700, 714)
OBJECTIVE, WEIGHTS = 1e-9, 1e-6
OF_NAMES = (g.ActiveWeight, g.WeightBounds, g.TradeLiquidity, g.HoldingLiquidity, g.AssetList)
OF_HOLDINGS = (g.Turnover, g.TurnoverYear, g.Buys, g.TradeLiquidity, g.NoBuy, g.NoSell, g.Freeze)


def worth(bench: Any, mandate: g.Mandate, m: Moment, proposal: Proposal) -> float:
    """Return the objective of an answer, penalties of soft rules included; minus infinity where there is none."""
    if proposal.status is not Status.OPTIMAL:
        assert proposal.status is Status.CONFLICT, proposal.advice
        return -np.inf
    return float(bench.value(mandate, m, proposal.targets) - bench.soft_charge(mandate, m, proposal.targets))


def cases(bench: Any, *, solved: bool = True, largest: int = 45) -> Iterator[tuple[g.Mandate, Moment, Proposal]]:
    """Yield random mandates with their answers."""
    for seed in SEEDS:
        mandate, m = bench.rich_case(seed, largest=largest)
        proposal = propose(mandate, m)
        if not solved or proposal.status is Status.OPTIMAL:
            yield mandate, m, proposal


def same(bench: Any, here: tuple[g.Mandate, Moment, Proposal], there: tuple[g.Mandate, Moment, Proposal], within: float = WEIGHTS) -> None:
    """Assert that two answers are equally good and put the same weights on the same columns."""
    assert here[2].status is there[2].status
    assert set(here[2].conflict) == set(there[2].conflict)
    if here[2].status is Status.OPTIMAL:
        assert worth(bench, *there) == pytest.approx(worth(bench, *here), abs=OBJECTIVE)
        np.testing.assert_allclose(there[2].targets, here[2].targets, atol=within)


# -- the market told otherwise -------------------------------------------------------------------------------------------------------------------


def taken(m: Moment, columns: np.ndarray) -> Moment:
    """Return the market with its assets at `columns`: a permutation, or some of them twice."""
    by_asset = {"benchmark", "sector_codes", "holdings", "price", "second_benchmark"}
    by_session = {"returns", "observed", "benchmark_history", "traded"}
    found: dict[str, Any] = {}
    for item in fields(m):
        value = getattr(m, item.name)
        if value is not None and item.name in by_asset:
            found[item.name] = value[columns]
        if value is not None and item.name in by_session:
            found[item.name] = value[:, columns]
    ids: list[str] = []
    for i in columns:
        ids.append(m.assets.ids[i] + "'" * sum(m.assets.ids[i] == name.rstrip("'") for name in ids))
    return replace(
        m,
        **found,
        assets=Assets(tuple(ids)),
        groups=Named({name: Group(group.labels, group.codes[columns]) for name, group in m.groups.items()}),
        covariance=m.covariance.take(columns),
        second_covariance=m.second_covariance.take(columns),
    )


def test_permuting_assets_permutes_the_answer(bench: Any) -> None:
    rng = np.random.default_rng(1)
    for mandate, m, here in cases(bench, solved=False):
        order = rng.permutation(len(m.benchmark))
        there, turned = taken(m, order), np.argsort(order)
        found = propose(mandate, there)
        assert found.status is here.status
        assert set(found.conflict) == set(here.conflict)
        if found.status is Status.OPTIMAL:
            same(bench, (mandate, m, here), (mandate, m, replace(found, targets=found.targets[turned])), 1e-7)
            assert found.prices == pytest.approx(here.prices, rel=1e-4, abs=1e-3)


def test_the_unit_of_money_changes_nothing(bench: Any) -> None:
    """A power of two changes no digit; another unit none that counts."""
    for mandate, m, here in cases(bench):
        for unit in (1024.0, 1.37):
            there = replace(m, value=m.value * unit, traded=m.traded * unit)
            found = propose(mandate, there)
            same(bench, (mandate, m, here), (mandate, there, found), 1e-7)
            if unit == 1024.0:
                assert np.array_equal(found.targets, here.targets)


def scaled_rule(rule: g.Rule, k: float) -> g.Rule:
    """Return the rule in a market whose returns are k times as large: limits on risk k times, growth a year k squared times."""
    of_risk = isinstance(rule, (g.TrackingError, g.FactorRisk, g.SpecificRisk))
    changes: dict[str, Any] = {"limit": rule.limit * k} if of_risk else {}
    changes |= {"target": None} if isinstance(rule, g.TrackingError) else {}  # the price of a target is fixed
    changes |= {"premium": rule.premium * k * k} if isinstance(rule, g.Cash) else {}
    changes |= {} if rule.penalty is None else {"penalty": rule.penalty * (k if of_risk else k * k)}
    return replace(rule, **changes)


def scaled(mandate: g.Mandate, k: float) -> g.Mandate:
    """Return the mandate in a market whose returns are k times as large."""
    costs = mandate.trading.costs
    impact = None if costs.impact is None else replace(costs.impact, coefficient=costs.impact.coefficient * k * k)
    costs = replace(
        costs,
        sell=None if costs.sell is None else costs.sell * k * k,
        assets=tuple((asset, rate * k * k) for asset, rate in costs.assets),
        steps=tuple((start, extra * k * k) for start, extra in costs.steps),
        impact=impact,
    )
    growth = mandate.strategy.growth
    if isinstance(growth, g.GivenGrowth):
        growth = replace(growth, rates_by_asset=tuple((asset, rate * k * k) for asset, rate in growth.rates_by_asset))
    return replace(
        mandate,
        rules=tuple(scaled_rule(rule, k) for rule in mandate.rules),
        strategy=replace(mandate.strategy, growth=g.EqualGrowth() if isinstance(growth, g.RankGrowth) else growth),
        trading=replace(mandate.trading, cost=mandate.trading.cost * k * k, costs=costs),
    )


def test_returns_scaled_with_limits_on_risk_leave_weights_alone(bench: Any) -> None:
    """Prices go with k squared, and those of limits on risk with k."""
    k = 1.7
    for first, m, _ in cases(bench):
        mandate = scaled(first, 1.0)
        there = replace(m, covariance=m.covariance.scaled(k * k), second_covariance=m.second_covariance.scaled(k * k))
        here, found = propose(mandate, m), propose(scaled(mandate, k), there)
        assert here.status is found.status
        if here.status is Status.OPTIMAL:
            np.testing.assert_allclose(found.targets, here.targets, atol=5.0 * WEIGHTS)
            expected = {rule: price * (k if rule.startswith("tracking_error") else k * k) for rule, price in here.prices.items()}
            assert found.prices == pytest.approx(expected, rel=1e-3, abs=1e-2)


# -- names that do not count ----------------------------------------------------------------------------------------------------------------------


def with_outsider(m: Moment, rng: np.random.Generator) -> Moment:
    """Return the market with one more listed name that is neither in the benchmark nor held: the last, in all but what makes it a member."""
    wide = taken(m, np.append(np.arange(len(m.benchmark)), int(rng.integers(len(m.benchmark)))))
    history = wide.benchmark_history.copy()
    benchmark, second = wide.benchmark.copy(), wide.second_benchmark.copy()
    benchmark[-1] = second[-1] = 0.0
    history[:, -1] = 0.0
    held = None if wide.holdings is None else np.append(wide.holdings[:-1], 0.0)
    return replace(wide, benchmark=benchmark, benchmark_history=history, second_benchmark=second, holdings=held)


def test_a_name_outside_the_benchmark_changes_nothing_excluded_or_not(bench: Any) -> None:
    rng = np.random.default_rng(2)
    for mandate, m, here in cases(bench):
        wide = with_outsider(m, rng)
        name = wide.assets.ids[-1]
        lists = tuple(rule for rule in mandate.rules if isinstance(rule, g.Exclude))
        longer = tuple(replace(rule, assets=(*rule.assets, g.ListEntry(name, "an outsider"))) for rule in lists) or (g.Exclude((g.ListEntry(name, "an outsider"),)),)
        others = tuple(rule for rule in mandate.rules if not isinstance(rule, g.Exclude))
        for told in (mandate, mandate.with_rules((*longer, *others))):
            found = propose(told, wide)
            assert found.targets[-1] == 0.0
            same(bench, (mandate, m, here), (mandate, m, replace(found, targets=found.targets[:-1])))


# -- two lines of one issuer -----------------------------------------------------------------------------------------------------------------------

OF_TOTALS = (
    g.TrackingError, g.FactorRisk, g.SpecificRisk, g.GroupActive, g.GroupWeight, g.IssuerLimit, g.Beta, g.ActiveShare, g.Turnover, g.TurnoverYear,
    g.Buys, g.TradeLiquidity, g.HoldingLiquidity, g.Cash,
)  # fmt: skip
"""Rules that do not see whether a company has one line or two: those on totals, and those that scale with each line's weight or volume.

Limits on single names (active weight, bounds but for `multiple`, the largest N) see two names. Exposures are standardised over members by number,
so one member more changes their unit.
"""


def shared_specific(sigma: FactoredCovariance, column: int) -> FactoredCovariance:
    """Return the same covariance with the specific risk of one asset told as a factor, which two lines of it then share."""
    own, specific = np.zeros((len(sigma), 1)), sigma.specific.copy()
    own[column], specific[column] = np.sqrt(specific[column]), 0.0
    return FactoredCovariance(np.hstack((sigma.loadings, own)), specific)


def split(m: Moment, column: int, part: float) -> Moment:
    """Return the market with one asset as two lines: the same returns, risk and groups, and weights, volumes and holdings in `part` and the rest."""
    wide = taken(m, np.append(np.arange(len(m.benchmark)), column))
    share = np.ones(len(wide.benchmark))
    share[column], share[-1] = part, 1.0 - part
    return replace(
        wide,
        benchmark=wide.benchmark * share,
        benchmark_history=wide.benchmark_history * share,
        holdings=None if wide.holdings is None else wide.holdings * share,
        second_benchmark=wide.second_benchmark * share,
        traded=wide.traded * share,
    )


def test_two_lines_of_one_issuer_are_held_as_one(bench: Any) -> None:
    rng, seen = np.random.default_rng(3), 0
    for first, m, _ in cases(bench):
        column = int(rng.choice(np.flatnonzero(m.benchmark > 0.0)[10:]))  # A002 and A007 may have costs of their own
        m = replace(m, covariance=shared_specific(m.covariance, column), second_covariance=shared_specific(m.second_covariance, column))
        growth = first.strategy.growth
        growth = g.ArithmeticGrowth() if isinstance(growth, (g.RankGrowth, g.GivenGrowth)) else growth
        rules = (*(rule for rule in first.rules if isinstance(rule, OF_TOTALS)), *(g.WeightBounds(multiple=rule.multiple) for rule in first.rules if isinstance(rule, g.WeightBounds) and rule.multiple))
        mandate = replace(first, strategy=replace(first.strategy, growth=growth), rules=rules)
        there = split(m, column, 0.3)
        here, found = propose(mandate, m), propose(mandate, there)
        assert here.status is found.status
        if here.status is not Status.OPTIMAL:
            continue
        together = found.targets[:-1].copy()
        together[column] += found.targets[-1]
        np.testing.assert_allclose(together, here.targets, atol=5.0 * WEIGHTS)
        assert worth(bench, mandate, there, found) == pytest.approx(worth(bench, mandate, m, here), abs=OBJECTIVE)
        assert found.prices == pytest.approx(here.prices, rel=1e-3, abs=1e-2)
        seen += 1
    assert seen >= 7


# -- rules that do not count, or count more or less ---------------------------------------------------------------------------------------------------

SLACK: tuple[g.Rule, ...] = (
    g.TrackingError(5.0), g.TrackingError(5.0, second_benchmark=True), g.TrackingError(5.0, second_model=True), g.FactorRisk(5.0), g.SpecificRisk(5.0),
    g.ActiveWeight(1.0), g.WeightBounds(minimum=0.0, maximum=1.0, plus=1.0), g.GroupActive(2.0), g.GroupActive(2.0, attribute="country"),
    g.GroupWeight((("S0", 0.0, 1.0),)), g.GroupWeight((("AT", 0.0, 1.0),), attribute="country"), g.Beta(50.0), g.Beta(50.0, second_benchmark=True),
    *(g.Exposure(1e3, name) for name in ("size", "volatility", "beta", "momentum", "reversal")), g.ActiveShare(1.0), g.Turnover(2.0), g.Buys(1.0),
    g.TurnoverYear(9.0), g.HoldingLiquidity(1e9), g.TopWeights(3, 1.0), g.TopWeights(10_000, 1.01), g.IssuerLimit(1.0), g.Exclude(()), g.NoBuy(()),
    g.Freeze((g.ListEntry("GONE", "not listed"),)),
)  # fmt: skip


def test_rules_that_forbid_nothing_change_nothing(bench: Any) -> None:
    for mandate, m, here in cases(bench):
        there = {rule.name for rule in mandate.rules}
        added = {rule.name: rule for rule in SLACK if rule.name not in there and not (isinstance(rule, g.HoldingLiquidity) and not m.traded[-21:].all())}
        more = mandate.with_rules((*mandate.rules, *added.values()))
        found = propose(more, m)
        same(bench, (mandate, m, here), (mandate, m, found))
        assert not set(found.prices) - there


def test_a_rule_less_never_costs_and_a_tighter_one_never_pays(bench: Any) -> None:
    """Names that stand still, neutral ones and outsiders, follow hard bounds and gain nothing by it: where there are some, bounds are left alone."""
    for mandate, m, here in cases(bench, largest=35):
        best, still = worth(bench, mandate, m, here), bool(bench.stands(mandate, m)[0].any())
        for rule in mandate.rules:
            if still and isinstance(rule, OF_NAMES):
                continue
            if not isinstance(rule, g.Cash):  # without it, nothing may stay in cash
                less = mandate.with_rules(tuple(other for other in mandate.rules if other is not rule))
                assert worth(bench, less, m, propose(less, m)) >= best - OBJECTIVE, rule
            if not isinstance(rule, g.AssetList):
                size = 0.2 * getattr(rule, "limit", 0.0) or 1e-3
                tight = mandate.with_rules(tuple(other.loosened(-size) if other is rule else other for other in mandate.rules))
                assert worth(bench, tight, m, propose(tight, m)) <= best + OBJECTIVE, rule


def test_who_holds_the_answer_trades_nothing(bench: Any) -> None:
    """Proportional costs, and no rule that looks at what was held: what was worth its cost once is there now, and what was not is not either."""
    seen = 0
    for first, m, _ in cases(bench):
        rules = tuple(rule for rule in first.rules if not isinstance(rule, OF_HOLDINGS))
        costs = replace(first.trading.costs, impact=None, steps=())
        mandate = replace(first, rules=rules, trading=replace(first.trading, cost=max(first.trading.cost, 5e-4), costs=costs))
        once = propose(mandate, m)
        if once.status is Status.OPTIMAL:
            again = propose(mandate, m.with_holdings(once.targets))
            assert again.status is Status.OPTIMAL
            assert np.abs(again.targets - once.targets).max() <= 5.0 * WEIGHTS
            assert again.turnover_two_way <= 5e-5
            seen += 1
    assert seen >= 7
