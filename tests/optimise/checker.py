"""An independent reader of mandates: every rule, characteristic and growth assumption computed from its definition, dense and by hand.

Nothing here calls the house's rows, measures, characteristics or standardisation.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING

import numpy as np

from gammastar import mandate as g
from gammastar.market.calendar import Frequency

if TYPE_CHECKING:
    from numpy import ndarray

    from gammastar.market.moment import Moment

TARGET_PENALTY = 50.0


def held(m: Moment) -> ndarray:
    """Weights before the trade: the benchmark where nobody knows."""
    return m.benchmark if m.holdings is None else m.holdings


# -- characteristics ----------------------------------------------------------------------------------------------------------------------------


def raw_characteristic(name: str, m: Moment) -> dict[int, float]:
    """Return the characteristic of each member for which it is known."""
    daily = m.frequency is Frequency.DAILY
    year, month = (252, 21) if daily else (12, 1)
    sessions = len(m.returns)
    recent = range(max(sessions - year, 0), sessions)
    known: dict[int, float] = {}
    for i in np.flatnonzero(m.benchmark > 0.0).tolist():
        if name == "size":
            known[i] = math.log(m.benchmark[i])
        if name == "volatility":
            logs = [math.log1p(m.returns[t, i]) for t in recent if m.observed[t, i]]
            if len(logs) >= 2 and np.std(logs) > 0.0:
                known[i] = math.log(np.std(logs, ddof=1))
        if name == "beta":
            # a return from t-1 to t is earned by the weights of t-1, so the first session of all has no index return
            seen = [t for t in recent if m.observed[t, i] and t >= 1]
            index = [math.log1p(float(m.benchmark_history[t - 1] @ m.returns[t])) for t in seen]
            if len(seen) >= 2 and np.ptp(index) > 0.0:
                known[i] = float(np.cov([math.log1p(m.returns[t, i]) for t in seen], index)[0, 1] / np.var(index, ddof=1))
        if name == "momentum":
            logs = [math.log1p(m.returns[t, i]) for t in range(max(sessions - year, 0), max(sessions - month, 0)) if m.observed[t, i]]
            known.update({i: sum(logs)} if logs else {})
        if name == "reversal":
            logs = [math.log1p(m.returns[t, i]) for t in range(max(sessions - month, 0), sessions) if m.observed[t, i]]
            known.update({i: sum(logs)} if logs else {})
    return known


@functools.lru_cache(maxsize=32)
def exposure(name: str, m: Moment) -> ndarray:
    """Return the characteristic with benchmark-weighted mean 0 and equal-weighted standard deviation 1 over members, 0 outside."""
    known, mu, out = raw_characteristic(name, m), m.benchmark, np.zeros(len(m.benchmark))
    if not known:
        return out
    mean = sum(mu[i] * value for i, value in known.items()) / sum(mu[i] for i in known)
    inside = np.flatnonzero(mu > 0.0)
    values = np.array([known.get(i, mean) for i in inside.tolist()])
    if np.ptp(values) <= 1e-9 * max(np.abs(values).max(), 1.0):
        return out
    out[inside] = (values - np.average(values, weights=mu[inside])) / values.std()
    return out


# -- growth -------------------------------------------------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=32)
def growth_rates(assumption: g.GrowthAssumption, m: Moment) -> ndarray:
    """Return gamma up to a constant."""
    mu = m.benchmark
    match assumption:
        case g.EqualGrowth():
            return np.zeros(len(mu))
        case g.ArithmeticGrowth(blend=blend):
            return -0.5 * blend * np.diag(m.covariance.dense())
        case g.GivenGrowth(rates_by_asset=told):
            given = {m.assets.ids.index(asset): rate for asset, rate in told if asset in m.assets.ids}
            weight = sum(mu[i] for i in given)
            mean = sum(mu[i] * rate for i, rate in given.items()) / weight if weight > 0.0 else 0.0
            return np.array([given.get(i, mean) for i in range(len(mu))])
        case g.RankGrowth():
            return _by_rank(assumption, m)
    raise AssertionError(f"no reading of {assumption}")


def _bucket(weights: dict[int, float], buckets: int) -> dict[int, int]:
    order = sorted(weights, key=lambda i: (-weights[i], i))
    return {i: rank * buckets // len(order) for rank, i in enumerate(order)}


def _by_rank(assumption: g.RankGrowth, m: Moment) -> ndarray:
    sessions, buckets = len(m.returns), assumption.buckets
    rows = []
    for t in range(max(sessions - assumption.window, 1), sessions):
        before = m.benchmark_history[t - 1]
        logs = {i: math.log1p(m.returns[t, i]) for i in np.flatnonzero(before > 0.0).tolist() if m.observed[t, i]}
        place, mean = _bucket({i: before[i] for i in logs}, buckets), np.mean(list(logs.values()) or [0.0])
        rows.append([np.mean([logs[i] - mean for i in logs if place[i] == b] or [0.0]) for b in range(buckets)])
    table, year = np.array(rows).reshape(-1, buckets), 252.0 if m.frequency is Frequency.DAILY else 12.0
    rates = np.zeros(len(m.benchmark))
    if len(table) < 2:
        return rates
    growth, error = year * table.mean(axis=0), year * table.std(axis=0, ddof=1) / math.sqrt(len(table))
    between = max(float((growth**2).mean() - (error**2).mean()), 0.0)
    for i, b in _bucket({i: m.benchmark[i] for i in np.flatnonzero(m.benchmark > 0.0).tolist()}, buckets).items():
        rates[i] = growth[b] * between / (between + error[b] ** 2) if between > 0.0 else 0.0
    return rates


# -- costs and the objective ---------------------------------------------------------------------------------------------------------------------


def average_volume(m: Moment, window: int) -> ndarray:
    """Mean money traded a session as a fraction of the portfolio's value."""
    return np.asarray(m.traded[-window:].sum(axis=0) / len(m.traded[-window:]) / m.value)


def trading_cost(mandate: g.Mandate, m: Moment, w: ndarray) -> float:
    """Return the cost of the trade to w, once, from what the mandate says of costs."""
    model, total = mandate.trading.costs, 0.0
    own, volume = dict(model.assets), average_volume(m, model.window) if model.steps else np.zeros(len(w))
    for i, trade in enumerate((w - held(m)).tolist()):
        rate = mandate.trading.cost if trade > 0.0 or model.sell is None else model.sell
        total += own.get(m.assets.ids[i], rate) * abs(trade)
        total += sum(extra * max(abs(trade) - start * volume[i], 0.0) for start, extra in model.steps)
    if model.impact is not None:
        total += float(impact(mandate, m) @ np.abs(w - held(m)) ** model.impact.exponent)
    return total


def impact(mandate: g.Mandate, m: Moment) -> ndarray:
    """Return the coefficient of each asset's power cost: ``coefficient * volatility of a day * (value / volume)^(exponent - 1)``."""
    said = mandate.trading.costs.impact
    volume = average_volume(m, said.window)
    volume = np.where(volume > 0.0, volume, volume[volume > 0.0].min())
    spread = []
    for i in range(len(volume)):
        seen = [m.returns[t, i] for t in range(max(len(m.returns) - 63, 0), len(m.returns)) if m.observed[t, i]]
        spread.append(float(np.std(seen, ddof=1)) if len(seen) >= 2 else math.nan)
    filled = np.where(np.isnan(spread), np.nanmedian(spread), spread)
    return np.asarray(said.coefficient * filled * volume ** (1.0 - said.exponent))


def value(mandate: g.Mandate, m: Moment, w: ndarray) -> float:
    """Return the mandate's objective at w from the dense formula of the theory, penalties of soft rules apart."""
    mu, cov, strategy = m.benchmark, m.covariance, mandate.strategy
    sigma, d, deviation = cov.dense(), w - mu, np.eye(len(mu)) - mu
    tau = np.einsum("ij,jk,ik->i", deviation, sigma, deviation)
    factor, specific = float(np.sum((cov.loadings.T @ d) ** 2)), float(cov.specific @ d**2)
    earned = float(d @ growth_rates(strategy.growth, m) + 0.5 * d @ tau)
    shunned = 0.5 * (strategy.factor_aversion * factor + strategy.specific_aversion * specific)
    for penalty in strategy.penalties:
        away = w - (m.second_benchmark if penalty.second_benchmark else mu)
        other = (m.second_covariance if penalty.second_model else cov).dense()
        shunned += 0.5 * penalty.aversion * float(away @ other @ away)
    idle = sum(rule.premium * (1.0 - float(w.sum())) for rule in mandate.rules if isinstance(rule, g.Cash))
    return earned - shunned - idle - trading_cost(mandate, m, w) / strategy.holding_period


def soft_charge(mandate: g.Mandate, m: Moment, w: ndarray) -> float:
    """Return what soft rules take off the objective: the worst excess of each, once, and of a target for tracking error."""
    charge = 0.0
    for rule in mandate.rules:
        if rule.penalty is not None:
            charge += rule.penalty * excess_in_units(rule, m, w)
        if isinstance(rule, g.TrackingError) and rule.target is not None:
            charge += TARGET_PENALTY * max(_risk(rule, m, w) - rule.target, 0.0)
    return charge


# -- rules ----------------------------------------------------------------------------------------------------------------------------------------


def _risk(rule: g.TrackingError, m: Moment, w: ndarray) -> float:
    away = w - (m.second_benchmark if rule.second_benchmark else m.benchmark)
    sigma = (m.second_covariance if rule.second_model else m.covariance).dense()
    return float(np.sqrt(away @ sigma @ away))


def listed(rule: g.AssetList, m: Moment) -> list[int]:
    """Return the columns of the entries that are in force today."""
    today, columns = str(m.session), []
    for entry in rule.assets:
        began, over = (entry.start or "") <= today, entry.end is not None and entry.end < today
        if began and not over and entry.asset in m.assets.ids:
            columns.append(m.assets.ids.index(entry.asset))
    return columns


def own_limits(rule: g.ActiveWeight, m: Moment) -> ndarray:
    """Return the limit of each asset: its own, or its group's, or the general one."""
    labels, codes = m.group(rule.attribute)
    by_group = [dict(rule.limits).get(labels[code], rule.limit) for code in codes]
    return np.array([dict(rule.assets).get(asset, limit) for asset, limit in zip(m.assets.ids, by_group, strict=True)])


def totals(attribute: str, m: Moment, w: ndarray) -> dict[str, float]:
    """Return the weight of each group."""
    labels, codes = m.group(attribute)
    return {label: float(sum(w[i] for i in np.flatnonzero(np.asarray(codes) == k))) for k, label in enumerate(labels)}


Gap = tuple[float, float]


def gaps(rule: g.Rule, m: Moment, w: ndarray) -> list[Gap]:
    """Return, for every bound of a rule, by how much w breaks it (negative: what is left) and how the bound moves with the limit."""
    mu, cov, d, trade = m.benchmark, m.covariance, w - m.benchmark, w - held(m)
    cash = 1.0 - float(w.sum())
    match rule:
        case g.TrackingError():
            return [(_risk(rule, m, w) - rule.limit, 1.0)]
        case g.FactorRisk():
            return [(float(np.linalg.norm(cov.loadings.T @ d)) - rule.limit, 1.0)]
        case g.SpecificRisk():
            return [(float(np.sqrt(np.sum(cov.specific * d * d))) - rule.limit, 1.0)]
        case g.Beta():
            nu, sigma = (m.second_benchmark if rule.second_benchmark else mu), cov.dense()
            return [(abs(float(w @ sigma @ nu) / float(nu @ sigma @ nu) - 1.0) - rule.limit, 1.0)]
        case g.Exposure():
            return [(abs(float(d @ exposure(rule.characteristic, m))) - rule.limit, 1.0)]
        case g.ActiveShare():
            return [(0.5 * (float(np.abs(d).sum()) + abs(cash)) - rule.limit, 1.0)]
        case g.Turnover():
            return [(float(np.abs(trade).sum()) - rule.limit, 1.0)]
        case g.TurnoverYear():
            return [(float(np.abs(trade).sum()) + m.traded_this_year - rule.limit, 1.0)]
        case g.Buys():
            return [(float(trade[trade > 0.0].sum()) - rule.limit, 1.0)]
        case g.TopWeights():
            return [(float(np.sort(w)[::-1][: rule.count].sum()) - rule.limit, 1.0)]
        case g.Cash():
            return [(rule.minimum - cash, 1.0), (cash - rule.maximum, 1.0)]
    return _gaps_of_many(rule, m, w)


def _gaps_of_many(rule: g.Rule, m: Moment, w: ndarray) -> list[Gap]:
    """Return the same of rules with a bound for each asset or group."""
    mu, d, trade = m.benchmark, w - m.benchmark, w - held(m)
    match rule:
        case g.ActiveWeight():
            return [(float(gap), 1.0) for gap in np.abs(d) - own_limits(rule, m)]
        case g.WeightBounds():
            there = [(x, b) for x, b in zip(w.tolist(), mu.tolist(), strict=True) if x != 0.0 or b != 0.0]
            found = [] if rule.maximum is None else [(x - rule.maximum, 1.0) for x, _ in there]
            found += [] if rule.plus is None else [(x - b - rule.plus, 1.0) for x, b in there]
            found += [] if rule.multiple is None else [(x - rule.multiple * b, b) for x, b in there]
            return found + ([] if rule.minimum is None else [(float(rule.minimum - x), 1.0) for x in w[mu > 0.0]])
        case g.GroupActive():
            return [(abs(total) - dict(rule.limits).get(label, rule.limit), 1.0) for label, total in totals(rule.attribute, m, d).items()]
        case g.GroupWeight():
            total = totals(rule.attribute, m, w)
            known = [bound for bound in rule.bounds if bound[0] in total]
            above = [(total[label] - high, 1.0) for label, _, high in known if high is not None]
            return above + [(low - total[label], 1.0) for label, low, _ in known if low is not None]
        case g.IssuerLimit():
            sums = totals("issuer", m, w) if "issuer" in m.attributes else dict(enumerate(w.tolist()))
            return [(total - rule.limit, 1.0) for total in sums.values()]
        case g.TradeLiquidity():
            volume = average_volume(m, rule.window)
            return [(float(abs(x) - rule.limit * v), float(v)) for x, v in zip(trade, volume, strict=True) if v > 0.0 or rule.penalty is None]
        case g.HoldingLiquidity():
            volume = average_volume(m, rule.window)
            return [(float(x - rule.limit * v), float(v)) for x, v in zip(w, volume, strict=True) if v > 0.0 or rule.penalty is None]
        case g.Exclude() | g.MustSell():
            return [(float(w[i]) - rule.tolerance, 1.0) for i in listed(rule, m)]
        case g.NoBuy():
            return [(float(trade[i]) - rule.tolerance, 1.0) for i in listed(rule, m)]
        case g.NoSell():
            return [(float(-trade[i]) - rule.tolerance, 1.0) for i in listed(rule, m)]
        case g.Freeze():
            return [(abs(float(trade[i])) - rule.tolerance, 1.0) for i in listed(rule, m)]
    raise AssertionError(f"no reading of {rule}")


def excess(rule: g.Rule, m: Moment, w: ndarray) -> float:
    """Return the worst gap of a rule; minus infinity where it bounds nothing."""
    return max((gap for gap, _ in gaps(rule, m, w)), default=-math.inf)


def excess_in_units(rule: g.Rule, m: Moment, w: ndarray) -> float:
    """Return by how much a rule's limit would have to be loosened for w, at least zero; rounding is none."""
    counted = [(gap, slope) for gap, slope in gaps(rule, m, w) if gap > 1e-11 and (slope > 0.0 or rule.penalty is None)]
    needed = [gap / slope if slope > 0.0 else math.inf for gap, slope in counted]
    return max(needed, default=0.0)


def hard_limits(mandate: g.Mandate, m: Moment) -> tuple[ndarray, ndarray]:
    """Return the lowest and highest weight that the hard rules on single names allow."""
    mu, h = m.benchmark, held(m)
    low, high = np.zeros(len(mu)), np.full(len(mu), np.inf)
    for rule in mandate.rules:
        if rule.penalty is not None:
            continue
        match rule:
            case g.ActiveWeight():
                limit = own_limits(rule, m)
                low, high = np.maximum(low, mu - limit), np.minimum(high, mu + limit)
            case g.WeightBounds():
                tops = (rule.maximum, None if rule.plus is None else mu + rule.plus, None if rule.multiple is None else mu * rule.multiple)
                for top in tops:
                    high = high if top is None else np.minimum(high, top)
                low = low if rule.minimum is None else np.where(mu > 0.0, np.maximum(low, rule.minimum), low)
            case g.TradeLiquidity():
                reach = rule.limit * average_volume(m, rule.window)
                low, high = np.maximum(low, h - reach), np.minimum(high, h + reach)
            case g.HoldingLiquidity():
                high = np.minimum(high, rule.limit * average_volume(m, rule.window))
            case g.AssetList():
                at = listed(rule, m)
                level = np.zeros(len(mu)) if isinstance(rule, (g.Exclude, g.MustSell)) else h
                if not isinstance(rule, g.NoSell):
                    high[at] = np.minimum(high[at], level[at] + rule.tolerance)
                if isinstance(rule, (g.NoSell, g.Freeze)):
                    low[at] = np.maximum(low[at], level[at] - rule.tolerance)
    return low, high


def neutral(mandate: g.Mandate, m: Moment) -> ndarray:
    """Return the members without history enough, or without a return for five sessions running."""
    seen = m.observed[-mandate.data.observation_window :].sum(axis=0)
    return (m.benchmark > 0.0) & ((seen < mandate.data.minimum_observations) | ~m.observed[-5:].any(axis=0))


def stands(mandate: g.Mandate, m: Moment) -> tuple[ndarray, ndarray]:
    """Return which names may not be chosen, outsiders and neutral names, and where they stand: at zero and at the benchmark, as far as hard bounds allow."""
    low, high = hard_limits(mandate, m)
    return neutral(mandate, m) | (m.benchmark == 0.0), np.clip(m.benchmark, low, np.maximum(low, high))


def violations(mandate: g.Mandate, m: Moment, w: ndarray) -> dict[str, float]:
    """Return by how much w breaks each hard rule, and what holds for every mandate."""
    cash = 1.0 - float(w.sum())
    found = {"long_only": float(-w.min()), "not_borrowed": -cash}
    if not any(isinstance(rule, g.Cash) for rule in mandate.rules):
        found["fully_invested"] = abs(cash)
    still, place = stands(mandate, m)
    found["standing still"] = float(np.abs(w - place)[still].max(initial=0.0))
    return {**found, **{rule.name: excess(rule, m, w) for rule in mandate.rules if rule.penalty is None}}
