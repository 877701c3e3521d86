"""Laws of `propose`: what may not matter does not, and no answer leaves that the independent check refuses."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from gammastar.core.generating import Diversity, Market, bet_dial
from gammastar.mandate import (
    ActiveWeight,
    Beta,
    Exclude,
    Exclusion,
    Exposure,
    Generated,
    GroupActive,
    Mandate,
    Rule,
    TrackingError,
    TradingPolicy,
    Turnover,
    VolatilityCapture,
    WeightBounds,
)
from gammastar.market.assets import Assets
from gammastar.optimise import Status, decide, propose

if TYPE_CHECKING:
    from gammastar.market.moment import Moment
    from gammastar.optimise.problem import Problem
    from gammastar.optimise.solver import Answer

SEEDS = range(200, 212)


def permuted(m: Moment, order: np.ndarray) -> Moment:
    """Return the same market with its columns in another order."""
    return replace(
        m,
        assets=Assets(tuple(m.assets.ids[i] for i in order)),
        returns=m.returns[:, order],
        observed=m.observed[:, order],
        benchmark=m.benchmark[order],
        benchmark_history=m.benchmark_history[:, order],
        sector_codes=m.sector_codes[order],
        holdings=None if m.holdings is None else m.holdings[order],
        covariance=m.covariance.take(order),
    )


def widened(m: Moment, rng: np.random.Generator, extra: int) -> Moment:
    """Return the same market with `extra` listed names that are neither in the benchmark nor held."""
    t = len(m.returns)
    loadings = np.vstack((m.covariance.loadings, rng.normal(0.0, 0.3, (extra, m.covariance.loadings.shape[1]))))
    specific = np.append(m.covariance.specific, rng.uniform(0.1, 0.5, extra))
    return replace(
        m,
        assets=Assets((*m.assets.ids, *(f"X{i}" for i in range(extra)))),
        returns=np.hstack((m.returns, np.zeros((t, extra)))),
        observed=np.hstack((m.observed, np.ones((t, extra), dtype=bool))),
        benchmark=np.append(m.benchmark, np.zeros(extra)),
        benchmark_history=np.hstack((m.benchmark_history, np.zeros((t, extra)))),
        sector_codes=np.append(m.sector_codes, rng.integers(0, len(m.sector_labels), extra)),
        holdings=None if m.holdings is None else np.append(m.holdings, np.zeros(extra)),
        covariance=type(m.covariance)(loadings, specific),
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_permuting_assets_permutes_the_answer(bench: Any, seed: int) -> None:
    mandate, m = bench.case(seed, largest=60)
    order = np.random.default_rng(seed).permutation(len(m.benchmark))
    here, there = propose(mandate, m), propose(mandate, permuted(m, order))
    assert here.status is there.status
    np.testing.assert_allclose(there.targets, here.targets[order], atol=1e-6)
    assert set(there.conflict) == set(here.conflict)
    assert there.prices == pytest.approx(here.prices, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("seed", SEEDS)
def test_names_outside_the_benchmark_change_nothing(bench: Any, seed: int) -> None:
    mandate, m = bench.case(seed, largest=60)
    wide = widened(m, np.random.default_rng(seed), 3)
    others = tuple(rule for rule in mandate.rules if rule.name != "exclude")
    listed = (*bench.excluding(0).assets, Exclusion("X1", "an outsider"), Exclusion("NOWHERE", "not listed at all"))
    excluded, with_more = replace(mandate, rules=(*others, bench.excluding(0))), replace(mandate, rules=(*others, Exclude(listed)))
    here, there = propose(excluded, m), propose(with_more, wide)
    assert here.status is there.status
    n = len(m.benchmark)
    if here.status is Status.OPTIMAL:
        assert (there.targets[n:] == 0.0).all()
    np.testing.assert_allclose(there.targets[:n], here.targets, atol=1e-6)
    assert set(there.conflict) == set(here.conflict)


@pytest.mark.parametrize("seed", SEEDS)
def test_scaling_risk_and_relative_limits_together_leaves_weights_alone(bench: Any, seed: int) -> None:
    """Returns times k: covariance times k^2, tracking error times k, costs against growth times k^2."""
    k = 1.7
    mandate, m = bench.case(seed, largest=60)
    rules = tuple(TrackingError(rule.limit * k) if isinstance(rule, TrackingError) else rule for rule in mandate.rules)
    scaled = replace(mandate, rules=rules, trading=TradingPolicy(cost=mandate.trading.cost * k * k))
    here, there = propose(mandate, m), propose(scaled, replace(m, covariance=m.covariance.scaled(k * k)))
    assert here.status is there.status
    np.testing.assert_allclose(there.targets, here.targets, atol=1e-6)


def test_the_same_question_has_the_same_answer_to_the_bit(bench: Any) -> None:
    mandate, m = bench.case(204)
    one, two = propose(mandate, m), propose(mandate, m)
    assert np.array_equal(one.targets, two.targets)
    assert one.to_dict() == two.to_dict()


def test_unknown_holdings_are_the_benchmark(bench: Any) -> None:
    m = bench.moment(np.random.default_rng(1), 40)
    mandate = Mandate(rules=(TrackingError(0.02), Turnover(0.3)), trading=TradingPolicy(cost=0.001), data=bench.policy)
    unknown, known = propose(mandate, m), propose(mandate, replace(m, holdings=m.benchmark))
    assert np.array_equal(unknown.targets, known.targets)
    assert unknown.fingerprint == known.fingerprint


def test_neutral_names_are_held_at_their_benchmark_weight(bench: Any) -> None:
    """Too few observed returns, or none for five sessions running."""
    m = bench.moment(np.random.default_rng(2), 40)
    observed = m.observed.copy()
    observed[:7, 4] = False  # three of ten
    observed[-5:, 9] = False  # five of ten
    m = replace(m, observed=observed)
    proposal = propose(Mandate(rules=(TrackingError(0.03),), data=bench.policy), m)
    assert proposal.neutral == 2
    np.testing.assert_allclose(proposal.targets[[4, 9]], m.benchmark[[4, 9]], rtol=1e-12)
    others = np.delete(proposal.targets - m.benchmark, [4, 9])
    assert (np.abs(others) > 1e-9).sum() > 30


@pytest.mark.parametrize("seed", range(300, 306))
def test_the_forecast_is_that_of_the_dense_covariance(bench: Any, seed: int) -> None:
    m = bench.moment(np.random.default_rng(seed), 40)
    proposal = propose(Mandate(rules=(TrackingError(0.02), ActiveWeight(0.01)), data=bench.policy), m)
    sigma, mu, w, told = m.covariance.dense(), m.benchmark, proposal.targets, proposal.forecast
    active = w - mu
    assert told.tracking_error == pytest.approx(np.sqrt(active @ sigma @ active), rel=1e-10)
    growth = [0.5 * (x @ np.diag(sigma) - x @ sigma @ x) for x in (w, mu)]
    assert told.captured_volatility == pytest.approx(growth[0] - growth[1], abs=1e-12)
    assert told.captured_volatility > 0.0
    assert told.beta == pytest.approx(w @ sigma @ mu / (mu @ sigma @ mu), rel=1e-12)
    assert told.volatility == pytest.approx(np.sqrt(w @ sigma @ w), rel=1e-12)
    assert told.benchmark_volatility == pytest.approx(np.sqrt(mu @ sigma @ mu), rel=1e-12)
    specific = active @ (m.covariance.specific * active) / (active @ sigma @ active)
    assert told.factor_share == pytest.approx(1.0 - specific, abs=1e-12)
    assert proposal.active_share == pytest.approx(0.5 * np.abs(active).sum(), rel=1e-12)
    assert proposal.names == (w > 0.0).sum()


def test_cost_keeps_trades_apart_and_is_told(bench: Any) -> None:
    """A dear trade is not made; the cheaper it is and the longer it is held, the more is traded."""
    rng = np.random.default_rng(7)
    m = bench.moment(rng, 40)
    held = m.benchmark * np.exp(rng.normal(0.0, 0.1, 40))
    m = replace(m, holdings=held / held.sum())
    traded = []
    for cost, years in ((0.5, 1.0), (0.01, 0.5), (0.01, 1.0), (0.001, 1.0), (0.0, 1.0)):
        mandate = Mandate(
            strategy=VolatilityCapture(holding_period=years), rules=(TrackingError(0.03),), trading=TradingPolicy(cost=cost), data=bench.policy
        )
        proposal = propose(mandate, m)
        traded.append(proposal.turnover_two_way)
        assert proposal.cost == pytest.approx(cost * np.abs(proposal.targets - m.holdings).sum(), rel=1e-12)
    assert traded[0] == pytest.approx(0.0, abs=1e-7)
    assert traded == sorted(traded)


# -- what the independent check is for -------------------------------------------------------------------------------


def pushed(w: np.ndarray, by: float, worst: Any) -> np.ndarray:
    """Return `w` with `by` moved from one name to another, the two that `worst` says break the rule most."""
    n = len(w)
    pairs = [(i, j) for i in range(n) for j in range(n) if i != j and w[j] > by]
    i, j = max(pairs, key=lambda pair: worst(w + by * (np.eye(n)[pair[0]] - np.eye(n)[pair[1]])))
    return w + by * (np.eye(n)[i] - np.eye(n)[j])


TAMPERED: list[Rule] = [
    TrackingError(0.008),
    ActiveWeight(0.006),
    WeightBounds(plus=0.004),
    WeightBounds(minimum=0.004),
    GroupActive(0.002),
    Beta(0.002),
    Exposure(0.005),
    Turnover(0.1),
]


@pytest.mark.parametrize("rule", TAMPERED, ids=repr)
def test_a_tampered_answer_is_not_released(bench: Any, monkeypatch: pytest.MonkeyPatch, rule: Rule) -> None:
    """One millionth of weight, moved where a binding rule forbids it."""
    m = bench.moment(np.random.default_rng(9), 24, sectors=4)
    m = replace(m, holdings=m.benchmark)
    mandate = Mandate(rules=(rule,), data=bench.policy)
    assert propose(mandate, m).status is Status.OPTIMAL
    honest = decide.best_answer

    def solve(problem: Problem, *others: object) -> Answer:
        answer = honest(problem)
        return replace(answer, weights=pushed(answer.weights, 1e-6, lambda w: bench.violations(mandate, m, w)[rule.name]))

    monkeypatch.setattr(decide, "best_answer", solve)
    proposal = propose(mandate, m)
    assert proposal.status is Status.UNSOLVED
    assert rule.name in proposal.advice
    assert np.array_equal(proposal.targets, m.holdings)


def test_a_tampered_exclusion_is_not_released(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    m = bench.moment(np.random.default_rng(9), 24)
    mandate = Mandate(rules=(bench.excluding(5), TrackingError(0.05)), data=bench.policy)
    honest = decide.best_answer

    def solve(problem: Problem, *others: object) -> Answer:
        answer = honest(problem)
        weights = answer.weights.copy()
        weights[5] += 1e-6
        return replace(answer, weights=weights)

    monkeypatch.setattr(decide, "best_answer", solve)
    assert propose(mandate, m).status is Status.UNSOLVED


def test_an_answer_that_is_no_number_is_not_released(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    m = bench.moment(np.random.default_rng(9), 24)
    mandate = Mandate(rules=(ActiveWeight(0.01), TrackingError(0.05)), data=bench.policy)
    honest = decide.best_answer

    def solve(problem: Problem, *others: object) -> Answer:
        answer = honest(problem)
        return replace(answer, weights=np.full(len(answer.weights), np.nan))

    monkeypatch.setattr(decide, "best_answer", solve)
    assert propose(mandate, m).status is Status.UNSOLVED


def test_the_size_rule_holds_in_a_market_of_equal_weights(bench: Any) -> None:
    """All members are alike: exposure to size is zero, before the trade and after it."""
    for n in (30, 40, 500):
        m = bench.moment(np.random.default_rng(9), n, mu=np.ones(n))
        proposal = propose(Mandate(rules=(Exposure(0.01), TrackingError(0.02)), data=bench.policy), m)
        assert proposal.status is Status.OPTIMAL
        assert {reading.rule: reading.value for reading in proposal.readings}["exposure.size"] == pytest.approx(0.0, abs=1e-9)


def test_the_fingerprint_covers_everything_that_decides(bench: Any) -> None:
    """Which names are neutral depends on what was observed, so that is part of what was known."""
    m = bench.moment(np.random.default_rng(9), 24)
    mandate = Mandate(rules=(TrackingError(0.02),), data=bench.policy)
    fewer = m.observed.copy()
    fewer[-5:, 3] = False
    here, there = propose(mandate, m), propose(mandate, replace(m, observed=fewer))
    assert not np.array_equal(here.targets, there.targets)
    assert here.fingerprint != there.fingerprint


# -- generated strategies -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("function", [Market(), Diversity(0.76), Diversity(-0.5), bet_dial(Diversity(0.0), 0.3)])
def test_a_generated_strategy_proposes_what_its_function_generates(bench: Any, function: Any) -> None:
    m = bench.moment(np.random.default_rng(9), 40, outside=3, short=4)
    proposal = propose(Mandate(strategy=Generated(function), risk=None, data=bench.policy), m)
    assert proposal.status is Status.OPTIMAL
    np.testing.assert_allclose(proposal.targets, function.weights(m.benchmark), atol=1e-15)


def test_generated_weights_that_break_rules_say_which(bench: Any) -> None:
    m = bench.moment(np.random.default_rng(9), 40)
    mandate = Mandate(strategy=Generated(Diversity(0.0)), rules=(ActiveWeight(0.001), TrackingError(0.9), Exposure(0.01)), risk=None)
    proposal = propose(mandate, m)
    assert proposal.status is Status.CONFLICT
    assert set(proposal.conflict) == {"active_weight", "exposure.size"}
    assert propose(replace(mandate, strategy=Generated(Market())), m).status is Status.OPTIMAL
