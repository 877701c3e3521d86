"""A second statement of a mandate's problem, for CVXPY, from the documents: every convex rule and every form of the objective.

It is stated in two ways that share all but the curved parts. `exact` has norms, squares and powers as they are. `bounded` has their tangents at
given weights instead: tangents of convex functions lie below them, so the linear program that is left can only be better than the problem itself,
and what a simplex method finds for it is a proof of how much better than the given weights any weights can be.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import cvxpy as cp
import numpy as np
from tests.optimise import checker

from gammastar import mandate as g

if TYPE_CHECKING:
    from numpy import ndarray

    from gammastar.market.moment import Moment

PERCENT = 100.0


class Exact:
    """Curved functions as they are."""

    def norm(self, e: Any) -> Any:
        return cp.norm(e, 2)

    def squares(self, e: Any) -> Any:
        return cp.sum_squares(e)

    def powers(self, e: Any, exponent: float) -> Any:
        return cp.power(cp.abs(e), exponent)


STEP = 1e-3
"""Percent of weight, beside a point, at which squares have two further tangents: one alone would let the last digits count over the whole simplex."""


class Tangent:
    """Their tangents at the present values of the variables, and for squares beside them."""

    def norm(self, e: Any) -> Any:
        at = np.asarray(e.value)
        length = float(np.linalg.norm(at))
        return (at / length) @ e if length > 0.0 else cp.Constant(0.0)

    def squares(self, e: Any) -> Any:
        beside = [np.asarray(e.value) + side * STEP for side in (-1.0, 0.0, 1.0)]
        return cp.sum(cp.maximum(*(cp.multiply(2.0 * at, e) - at**2 for at in beside)))

    def powers(self, e: Any, exponent: float) -> Any:
        at = np.asarray(e.value)
        slope = exponent * np.abs(at) ** (exponent - 1.0) * np.sign(at)
        return np.abs(at) ** exponent + cp.multiply(slope, e - at)


@dataclass(frozen=True)
class Opinion:
    """What the second statement of the problem says."""

    feasible: bool
    weights: ndarray
    objective: float
    status: str


@dataclass(eq=False)
class Twin:
    """A mandate at a moment, in percent of weight and basis points of growth."""

    mandate: g.Mandate
    m: Moment
    curves: Exact | Tangent
    w: Any
    constraints: list[Any] = field(default_factory=list)
    charges: list[Any] = field(default_factory=list)

    def active(self, *, second: bool = False) -> Any:
        return self.w - PERCENT * (self.m.second_benchmark if second else self.m.benchmark)

    @property
    def trade(self) -> Any:
        return self.w - PERCENT * checker.held(self.m)

    def spread(self, away: Any, *, second: bool = False) -> tuple[Any, Any]:
        """Return vectors whose squares sum to the factor and to the specific part of a variance."""
        sigma = self.m.second_covariance if second else self.m.covariance
        return sigma.loadings.T @ away, cp.multiply(np.sqrt(sigma.specific), away)

    def keep(self, rule: g.Rule, gap: Any, slope: Any = 1.0, penalty: float | None = None, slack: Any = None) -> Any:
        """Add ``gap <= 0``, or for a soft rule ``gap <= slope s`` with s charged once."""
        penalty = rule.penalty if penalty is None else penalty
        if penalty is None:
            self.constraints.append(gap <= 0.0)
            return None
        if slack is None:
            slack = cp.Variable(nonneg=True)
            self.charges.append(PERCENT * penalty * slack)
        self.constraints.append(gap <= slope * slack)
        return slack


# -- rules of one bound ----------------------------------------------------------------------------------------------------------------------------


def _stated(t: Twin, rule: g.Rule) -> None:
    """State one rule."""
    m, curves = t.m, t.curves
    limit = PERCENT * getattr(rule, "limit", 0.0)
    match rule:
        case g.TrackingError():
            risk = curves.norm(cp.hstack(t.spread(t.active(second=rule.second_benchmark), second=rule.second_model)))
            t.keep(rule, risk - limit)
            if rule.target is not None:
                t.keep(rule, risk - PERCENT * rule.target, penalty=checker.TARGET_PENALTY)
        case g.FactorRisk():
            t.keep(rule, curves.norm(t.spread(t.active())[0]) - limit)
        case g.SpecificRisk():
            t.keep(rule, curves.norm(t.spread(t.active())[1]) - limit)
        case g.Beta():
            nu, sigma = (m.second_benchmark if rule.second_benchmark else m.benchmark), m.covariance.dense()
            t.keep(rule, cp.abs((sigma @ nu / float(nu @ sigma @ nu)) @ t.w - PERCENT) - limit)
        case g.Exposure():
            t.keep(rule, cp.abs(checker.exposure(rule.characteristic, m) @ t.active()) - limit)
        case g.ActiveShare():
            t.keep(rule, 0.5 * (cp.norm1(t.active()) + cp.abs(PERCENT - cp.sum(t.w))) - limit)
        case g.Turnover():
            t.keep(rule, cp.norm1(t.trade) - limit)
        case g.TurnoverYear():
            t.keep(rule, cp.norm1(t.trade) + PERCENT * m.traded_this_year - limit)
        case g.Buys():
            t.keep(rule, cp.sum(cp.pos(t.trade)) - limit)
        case g.TopWeights():
            t.keep(rule, cp.sum_largest(t.w, min(rule.count, t.w.size)) - limit)
        case g.Cash():
            idle = PERCENT - cp.sum(t.w)
            slack = t.keep(rule, PERCENT * rule.minimum - idle)
            t.keep(rule, idle - PERCENT * rule.maximum, slack=slack)
        case _:
            _stated_of_many(t, rule, limit)


# -- rules of a bound for each asset or group --------------------------------------------------------------------------------------------------------


def _membership(attribute: str, m: Moment) -> ndarray:
    labels, codes = m.group(attribute)
    return np.array([[float(code == k) for code in codes] for k in range(len(labels))])


def _stated_of_many(t: Twin, rule: g.Rule, limit: float) -> None:
    m = t.m
    match rule:
        case g.ActiveWeight():
            t.keep(rule, cp.abs(t.active()) - PERCENT * checker.own_limits(rule, m))
        case g.WeightBounds():
            _stated_bounds(t, rule)
        case g.GroupActive():
            own = PERCENT * np.array([dict(rule.limits).get(label, rule.limit) for label in m.group(rule.attribute)[0]])
            t.keep(rule, cp.abs(_membership(rule.attribute, m) @ t.active()) - own)
        case g.GroupWeight():
            labels, slack = list(m.group(rule.attribute)[0]), None
            for label, low, high in rule.bounds:
                if label not in labels:
                    continue
                total = _membership(rule.attribute, m)[labels.index(label)] @ t.w
                slack = slack if low is None else t.keep(rule, PERCENT * low - total, slack=slack)
                slack = slack if high is None else t.keep(rule, total - PERCENT * high, slack=slack)
        case g.IssuerLimit():
            t.keep(rule, (_membership("issuer", m) @ t.w if "issuer" in m.attributes else t.w) - limit)
        case g.TradeLiquidity():
            volume = checker.average_volume(m, rule.window)
            traded = np.flatnonzero((volume > 0.0) | (rule.penalty is None))  # excess over a volume of nothing cannot be counted
            t.keep(rule, cp.abs(t.trade)[traded] - limit * volume[traded], volume[traded])
        case g.HoldingLiquidity():
            volume = checker.average_volume(m, rule.window)
            traded = np.flatnonzero((volume > 0.0) | (rule.penalty is None))
            t.keep(rule, t.w[traded] - limit * volume[traded], volume[traded])
        case g.AssetList():
            _stated_list(t, rule)
        case _:
            raise AssertionError(f"no statement of {rule}")


def _stated_bounds(t: Twin, rule: g.WeightBounds) -> None:
    mu, slack = t.m.benchmark, None
    if rule.maximum is not None:
        slack = t.keep(rule, t.w - PERCENT * rule.maximum, slack=slack)
    if rule.plus is not None:
        slack = t.keep(rule, t.active() - PERCENT * rule.plus, slack=slack)
    if rule.multiple is not None:
        at = np.flatnonzero((mu > 0.0) | (rule.penalty is None))  # excess over a multiple of nothing cannot be counted
        slack = t.keep(rule, t.w[at] - PERCENT * rule.multiple * mu[at], mu[at], slack=slack)
    if rule.minimum is not None:
        t.keep(rule, PERCENT * rule.minimum - t.w[np.flatnonzero(mu > 0.0)], slack=slack)


def _stated_list(t: Twin, rule: g.AssetList) -> None:
    at = checker.listed(rule, t.m)
    if not at:
        return
    away = t.w[at] if isinstance(rule, (g.Exclude, g.MustSell)) else t.trade[at]
    away = -away if isinstance(rule, g.NoSell) else cp.abs(away) if isinstance(rule, g.Freeze) else away
    t.keep(rule, away - PERCENT * rule.tolerance)


# -- who may be chosen at all ------------------------------------------------------------------------------------------------------------------------


def _stands(t: Twin) -> bool:
    """Hold neutral names at the benchmark and outsiders at zero, as far as hard bounds allow; return whether bounds leave room at all."""
    low, high = checker.hard_limits(t.mandate, t.m)
    still, place = checker.stands(t.mandate, t.m)
    there = (t.m.benchmark > 0.0) | (place > 0.0)
    if (there & (low > high + 1e-12)).any():
        return False
    at = np.flatnonzero(still)
    if len(at):
        t.constraints.append(t.w[at] == PERCENT * place[at])
    return True


# -- the objective -----------------------------------------------------------------------------------------------------------------------------------


def _objective(t: Twin) -> Any:
    """Return the objective in basis points, penalties of soft rules included."""
    mandate, m, strategy = t.mandate, t.m, t.mandate.strategy
    mu, sigma = m.benchmark, m.covariance.dense()
    deviation = np.eye(len(mu)) - mu
    gamma = checker.growth_rates(strategy.growth, m) + 0.5 * np.einsum("ij,jk,ik->i", deviation, sigma, deviation)
    factor, specific = t.spread(t.active())
    earned = PERCENT * (gamma @ t.active())
    shunned = 0.5 * (strategy.factor_aversion * t.curves.squares(factor) + strategy.specific_aversion * t.curves.squares(specific))
    for penalty in strategy.penalties:
        parts = t.spread(t.active(second=penalty.second_benchmark), second=penalty.second_model)
        shunned = shunned + 0.5 * penalty.aversion * sum(t.curves.squares(part) for part in parts)
    idle = sum(PERCENT * rule.premium * (PERCENT - cp.sum(t.w)) for rule in mandate.rules if isinstance(rule, g.Cash))
    return earned - shunned - idle - _cost(t) / strategy.holding_period - sum(t.charges)


def _cost(t: Twin) -> Any:
    trading, m = t.mandate.trading, t.m
    own = dict(trading.costs.assets)
    buy = np.array([own.get(asset, trading.cost) for asset in m.assets.ids])
    sell = np.array([own.get(asset, trading.cost if trading.costs.sell is None else trading.costs.sell) for asset in m.assets.ids])
    cost = PERCENT * (buy @ cp.pos(t.trade) + sell @ cp.neg(t.trade)) if buy.any() or sell.any() else 0.0
    for start, extra in trading.costs.steps:
        volume = checker.average_volume(m, trading.costs.window)
        cost = cost + PERCENT * extra * cp.sum(cp.pos(cp.abs(t.trade) - PERCENT * start * volume))
    if trading.costs.impact is not None:
        p = trading.costs.impact.exponent
        cost = cost + PERCENT ** (2.0 - p) * (checker.impact(t.mandate, m) @ t.curves.powers(t.trade, p))
    return cost


def stated(mandate: g.Mandate, m: Moment, curves: Exact | Tangent, at: ndarray | None = None) -> tuple[Any, Any] | None:
    """Return the CVXPY problem and its weights in percent; None where bounds leave no room."""
    # cvxpy 1.9 takes zero times an unbounded variable for a bound: weights without finite bounds make it state another problem
    w = cp.Variable(len(m.benchmark), bounds=[0.0, PERCENT])
    if at is not None:
        w.value = PERCENT * at
    t = Twin(mandate, m, curves, w)
    if not _stands(t):
        return None
    t.constraints.append(cp.sum(w) <= PERCENT if any(isinstance(rule, g.Cash) for rule in mandate.rules) else cp.sum(w) == PERCENT)
    for rule in mandate.rules:
        _stated(t, rule)
    return cp.Problem(cp.Maximize(_objective(t)), t.constraints), w


def attempted(problem: Any, solver: str, options: dict[str, Any]) -> bool:
    """Solve `problem` and return whether the solver came to an answer: at a tolerance too fine for its last digits it may break off."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # "may be inaccurate": the status says so, and is looked at
        try:
            problem.solve(solver=solver, **options)
        except cp.error.SolverError:
            return False
    return True


def second_opinion(mandate: g.Mandate, m: Moment, *, solver: str = "CLARABEL", **options: Any) -> Opinion:
    """Solve the second statement of the mandate's problem as it is."""
    made = stated(mandate, m, Exact())
    if made is None:
        return Opinion(False, m.benchmark, np.nan, "bounds cross")
    problem, w = made
    for tolerance in (1e-10, 1e-9, 1e-8, 1e-7):
        tight = {"tol_feas": tolerance, "tol_gap_abs": tolerance, "tol_gap_rel": tolerance, "max_threads": 1} if solver == "CLARABEL" else {}
        if attempted(problem, solver, {**tight, **options}) and "inaccurate" not in problem.status:
            break
    if problem.status is None:
        raise AssertionError(f"{solver} gives no answer at any tolerance")
    if problem.status != "optimal":
        return Opinion(False, m.benchmark, np.nan, problem.status)
    weights = w.value / PERCENT
    return Opinion(True, weights, checker.value(mandate, m, weights) - checker.soft_charge(mandate, m, weights), problem.status)


def room_above(mandate: g.Mandate, m: Moment, weights: ndarray) -> float:
    """Return how much more growth a year than `weights` any weights can have: proved by HiGHS's simplex on the tangents at them."""
    made = stated(mandate, m, Tangent(), weights)
    if made is None:
        raise AssertionError("bounds leave no room")
    problem, w = made
    w.value = None  # the tangents are taken; cvxpy would carry it on into bounds of its own making, where rounding is an error
    for tolerance in (1e-10, 1e-9, 1e-8):  # of percent; a portfolio with nothing to spare is lost to the tightest
        problem.solve(solver="HIGHS", highs_options={"primal_feasibility_tolerance": tolerance, "dual_feasibility_tolerance": 1e-10})
        if problem.status == "optimal":
            break
    if problem.status != "optimal":
        raise AssertionError(f"the linear program is {problem.status}")
    return float(problem.value) / PERCENT**2 - (checker.value(mandate, m, weights) - checker.soft_charge(mandate, m, weights))
