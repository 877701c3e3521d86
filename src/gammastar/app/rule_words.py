"""Each rule of a mandate, and each growth assumption, told in one plain line."""

from __future__ import annotations

__all__ = ["growth_words", "penalty_words", "rule_words", "second_words"]

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gammastar.mandate import (
        AssetList,
        FiveTenForty,
        GroupWeight,
        GrowthAssumption,
        ListEntry,
        Names,
        Rule,
        TrackingError,
        VariancePenalty,
        WeightBounds,
    )
    from gammastar.mandate.second import SecondBenchmark

PER_UNIT = ("beta", "exposure")
"""Rules whose limits are plain numbers: their penalties are told per 0.01, those of all others per 1%."""


def rule_words(rule: Rule) -> str:
    """Return what a rule asks, by which clause, whether it is soft, and when it gives way."""
    for told in (_weights, _groups, _risk, _trades, _concentration, _discrete):
        words = told(rule)
        if words is not None:
            return f"{words}  [{_options(rule)}]"
    return f"{rule}"


def _options(rule: Rule) -> str:
    gives_way = f"priority {rule.priority}" if rule.priority else "never gives way"
    unit = "0.01" if rule.name.startswith(PER_UNIT) else "1%"
    soft = None if rule.penalty is None else f"soft: {100.0 * rule.penalty:g} bp of growth per {unit} over the limit"
    return "; ".join(part for part in (f"clause {rule.clause}" if rule.clause else None, soft, gives_way) if part)


def _weights(rule: Rule) -> str | None:
    from gammastar import mandate as m

    match rule:
        case m.ActiveWeight(limit, assets, limits, attribute):
            own = [f"{label} within {value:.2%}" for label, value in (*assets, *((f"{attribute} {label}", value) for label, value in limits))]
            return _listed(f"each name within {limit:.2%} of its benchmark weight", own)
        case m.WeightBounds():
            return f"each name {_bounds(rule)}"
        case m.ActiveShare(limit):
            return f"active share at most {limit:.2%}"
        case m.Exposure(limit, characteristic):
            return f"active {characteristic} within {limit:g} standard deviations"
        case m.Cash(minimum, maximum, premium):
            return f"cash from {minimum:.2%} to {maximum:.2%}; idle cash is charged {premium:.2%} a year in the objective"
        case _:
            return None


def _groups(rule: Rule) -> str | None:
    from gammastar import mandate as m

    match rule:
        case m.GroupActive(limit, limits, attribute):
            return _listed(f"each {attribute} within {limit:.2%} of its benchmark weight", [f"{label} within {value:.2%}" for label, value in limits])
        case m.GroupWeight():
            return _group_bounds(rule)
        case _:
            return None


def _risk(rule: Rule) -> str | None:
    from gammastar import mandate as m

    match rule:
        case m.TrackingError():
            return _tracking_error(rule)
        case m.FactorRisk(limit):
            return f"at most {limit:.2%} a year from factors, forecast"
        case m.SpecificRisk(limit):
            return f"at most {limit:.2%} a year from single names, forecast"
        case m.Beta(limit, second_benchmark):
            against = " to the second benchmark" if second_benchmark else ""
            return f"forecast beta{against} from {1.0 - limit:g} to {1.0 + limit:g}"
        case m.RiskContribution(limit, attribute):
            return f"each {attribute or 'name'} at most {limit:.2%} of active variance (heuristic)"
        case _:
            return None


def _trades(rule: Rule) -> str | None:
    from gammastar import mandate as m

    match rule:
        case m.Turnover(limit):
            return f"at most {limit:.2%} a rebalance, two-way"
        case m.Buys(limit):
            return f"at most {limit:.2%} bought a rebalance"
        case m.TurnoverYear(limit):
            return f"at most {limit:.2%} in twelve months, two-way"
        case m.TradeLiquidity(limit, window):
            return f"each trade at most {limit:g} average daily volumes of the last {window} sessions"
        case m.HoldingLiquidity(limit, window):
            return f"each holding at most {limit:g} average daily volumes of the last {window} sessions"
        case m.CashMode():
            return "a contribution sells nothing, a withdrawal buys nothing"
        case m.AssetList():
            return _list(rule)
        case _:
            return None


def _concentration(rule: Rule) -> str | None:
    from gammastar import mandate as m

    match rule:
        case m.TopWeights(count, limit):
            return f"the {count} largest names together at most {limit:.2%}"
        case m.IssuerLimit(limit):
            return f"each issuer, over its share classes, at most {limit:.2%}"
        case m.FiveTenForty():
            return _five_ten_forty(rule)
        case _:
            return None


def _discrete(rule: Rule) -> str | None:
    from gammastar import mandate as m

    match rule:
        case m.Names():
            return f"{_count(rule)} held (heuristic)"
        case m.MostTrades(limit):
            return f"at most {limit} names traded a rebalance (heuristic)"
        case m.MinimumHolding(limit, grandfather):
            stays = "; smaller ones held already may stay as they are" if grandfather else ""
            return f"each holding none or at least {limit:.2%}{stays} (heuristic)"
        case m.MinimumTrade(limit):
            return f"each trade none or at least {limit:.2%}; selling out is always allowed (heuristic)"
        case m.Lot(shares):
            return f"trades in whole lots of {shares} share{'s' if shares > 1 else ''} (heuristic)"
        case _:
            return None


def _listed(head: str, own: list[str]) -> str:
    return ", ".join([head, *own])


def _tracking_error(rule: TrackingError) -> str:
    against = " against the second benchmark" if rule.second_benchmark else ""
    model = " by the second risk model" if rule.second_model else ""
    target = "" if rule.target is None else f", {rule.target:.2%} aimed at"
    return f"at most {rule.limit:.2%} a year{against}{model}, forecast{target}"


def _bounds(rule: WeightBounds) -> str:
    tops = [
        None if rule.maximum is None else f"at most {rule.maximum:.2%}",
        None if rule.plus is None else f"at most its benchmark weight plus {rule.plus:.2%}",
        None if rule.multiple is None else f"at most {rule.multiple:g} times its benchmark weight",
    ]
    lowest = None if rule.minimum is None else f"at least {rule.minimum:.2%}"
    return ", ".join(part for part in (lowest, *tops) if part)


def _group_bounds(rule: GroupWeight) -> str:
    told = []
    for label, low, high in rule.bounds:
        parts = [None if low is None else f"at least {low:.2%}", None if high is None else f"at most {high:.2%}"]
        told.append(f"{rule.attribute} {label} {' and '.join(part for part in parts if part)}")
    return ", ".join(told)


def _five_ten_forty(rule: FiveTenForty) -> str:
    return f"each issuer at most {rule.each:.2%}, those above {rule.threshold:.2%} together at most {rule.total:.2%} (heuristic)"


def _count(rule: Names) -> str:
    bounds = [None if rule.minimum is None else f"at least {rule.minimum}", None if rule.maximum is None else f"at most {rule.maximum}"]
    return f"{' and '.join(part for part in bounds if part)} names"


def _list(rule: AssetList) -> str:
    return ", ".join(map(_entry, rule.assets))


def _entry(item: ListEntry) -> str:
    days = [None if item.start is None else f"from {item.start}", None if item.end is None else f"until {item.end}"]
    why = [item.reason, f"clause {item.clause}" if item.clause else None, " ".join(part for part in days if part) or None]
    return f"{item.asset} ({', '.join(part for part in why if part)})"


def growth_words(growth: GrowthAssumption) -> str:
    """Return a growth assumption in words."""
    from gammastar import mandate as m

    match growth:
        case m.ArithmeticGrowth(1.0):
            return "equal arithmetic returns"
        case m.ArithmeticGrowth(blend):
            return f"{blend:.0%} of the way from equal growth rates to equal arithmetic returns"
        case m.RankGrowth(buckets, window):
            return f"growth by rank in {buckets} buckets over {window:,} sessions"
        case m.GivenGrowth(rates, known):
            return f"growth rates of {len(rates):,} assets, given, known on {known}"
        case _:
            return "equal growth rates"


def penalty_words(penalty: VariancePenalty) -> str:
    """Return a penalty of the strategy in words."""
    against = "the second benchmark" if penalty.second_benchmark else "the benchmark"
    model = ", by the second risk model" if penalty.second_model else ""
    return f"{penalty.aversion:g} times half the variance against {against}{model}"


def second_words(second: SecondBenchmark) -> str:
    """Return a second benchmark in words."""
    given: Any = second
    if hasattr(second, "function"):
        return f"generated by {given.function}"
    return f"weights of {len(given.weights_by_asset):,} assets, given, known on {given.known}"
