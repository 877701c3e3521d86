"""What a limit is worth: the best expected growth against the limit of one rule."""

from __future__ import annotations

__all__ = ["Frontier", "FrontierPoint", "frontier", "with_limit"]

import html
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gammastar.errors import UsageError
from gammastar.mandate.strategy import VolatilityCapture
from gammastar.optimise.decide import propose, with_risk

if TYPE_CHECKING:
    from collections.abc import Sequence

    import plotly.graph_objects as go

    from gammastar.mandate.mandate import Mandate
    from gammastar.mandate.rules import Rule
    from gammastar.market.moment import Moment


@dataclass(frozen=True)
class FrontierPoint:
    """The best portfolio at one value of the limit; annual fractions.

    Args:
        limit: of the rule.
        status: of the proposal; the numbers below are None where there is no answer.
        growth: the objective: expected growth advantage net of amortised cost and of penalties.
        captured_volatility: ``gamma*_pi - gamma*_mu``.
        tracking_error: forecast.
        active_share: half the sum of absolute active weights.
        turnover_two_way: of the trade from the holdings.
        price: of the rule, basis points of expected growth per 1% of the limit (0.01 for beta and exposure); 0 where it does not bind.
    """

    limit: float
    status: str
    growth: float | None = None
    captured_volatility: float | None = None
    tracking_error: float | None = None
    active_share: float | None = None
    turnover_two_way: float | None = None
    price: float | None = None


@dataclass(frozen=True)
class Frontier:
    """Expected growth against the limit of one rule, everything else as the mandate says.

    Args:
        mandate: its name.
        session: of the moment.
        rule: as it was asked for.
        unit: of the limit: ``"%"`` for a fraction, else in words.
        points: by rising limit.
    """

    mandate: str
    session: str
    rule: str
    unit: str
    points: tuple[FrontierPoint, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {"mandate": self.mandate, "session": self.session, "rule": self.rule, "unit": self.unit, "points": [asdict(point) for point in self.points]}

    def plot(self) -> go.Figure:
        """Return the figure: expected growth, and the rule's price below it."""
        from gammastar.optimise.figures import frontier_figure

        return frontier_figure(self)

    def __str__(self) -> str:
        scale, unit = (100.0, "%") if self.unit.startswith("%") else (1.0, "")
        solved = [point.growth for point in self.points if point.growth is not None]
        low, high = min(solved, default=0.0), max(solved, default=0.0)
        head = f"{'limit':>9}  {'growth':>8}  {'captured':>8}  {'TE':>6}  {'share':>6}  {'price':>8}"
        lines = [f"{self.mandate} at the close of {self.session}: expected growth against {self.rule}", "", head,
                 f"{unit:>9}  {'bp':>8}  {'bp':>8}  {'%':>6}  {'%':>6}  {'bp':>8}"]  # fmt: skip
        for point in self.points:
            told = f"{scale * point.limit:>9.4g}  "
            if point.growth is None or point.captured_volatility is None:
                lines.append(f"{told}{point.status}")
                continue
            bar = "#" * (round(30 * (point.growth - low) / (high - low)) if high > low else 0)
            lines.append(
                f"{told}{1e4 * point.growth:8.1f}  {1e4 * point.captured_volatility:8.1f}  {100 * (point.tracking_error or 0.0):6.2f}  "
                f"{100 * (point.active_share or 0.0):6.1f}  {point.price or 0.0:8.2f}  {bar}".rstrip()
            )
        return "\n".join([*lines, "", "growth: net of amortised cost; price: bp of growth for 1% (0.01) more of the limit"])

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"



def frontier(mandate: Mandate, moment: Moment, rule: str, limits: Sequence[float]) -> Frontier:
    """Return the best expected growth for each limit of one rule.

    Under convex rules it is concave in the limit, and does not fall as the limit is loosened; its slope is the rule's price.

    Args:
        mandate: of volatility capture.
        moment: what is known; risk is estimated once.
        rule: name of a rule of the mandate, with a field where it has several limits (``weight.maximum``).
        limits: values of the limit, fractions.

    Raises:
        UsageError: a generated strategy, no such rule, or a limit that the rule cannot have.
    """
    if not isinstance(mandate.strategy, VolatilityCapture):
        raise UsageError("strategy", "a generated strategy has no frontier: its weights follow from the index weights", advice="use kind = volatility_capture")
    known = with_risk(mandate, moment)
    name, _, unit = _find(mandate, rule)
    points = tuple(_point(with_limit(mandate, rule, float(limit)), known, name, float(limit)) for limit in np.sort(np.asarray(limits, dtype=np.float64)))
    return Frontier(mandate.name, str(moment.session), rule, unit, points)


def with_limit(mandate: Mandate, rule: str, limit: float) -> Mandate:
    """Return the mandate with another limit of one rule.

    Raises:
        UsageError: no such rule, or a limit that it cannot have.
    """
    name, key, _ = _find(mandate, rule)

    def moved(one: Rule) -> Rule:
        if one.name != name:
            return one
        changes: dict[str, Any] = {key: limit}
        if key == "limit" and getattr(one, "target", None) is not None:
            changes["target"] = None  # the target would bind before the limit does
        return replace(one, **changes)  # type: ignore[type-var]  # every rule is a dataclass

    try:
        return mandate.with_rules(tuple(moved(one) for one in mandate.rules))
    except ValueError as error:
        raise UsageError("--rule", str(error), got=f"{limit:g}", advice="choose another range") from error


def _find(mandate: Mandate, rule: str) -> tuple[str, str, str]:
    """Return the name of the rule asked for, the field of its limit, and its unit."""
    rules = {one.name: one for one in mandate.rules}
    name, key = (rule, "limit") if rule in rules else (rule.rpartition(".")[0], rule.rpartition(".")[2])
    there = [item.name for item in fields(rules[name])] if name in rules else []  # type: ignore[arg-type]  # every rule is a dataclass
    if key not in there or not isinstance(getattr(rules[name], key), float):
        swept = [one.name if hasattr(one, "limit") else f"{one.name}.{key}" for one in mandate.rules for key in _numbers(one)]
        raise UsageError("--rule", "the mandate has no such limit", got=rule, allowed=", ".join(dict.fromkeys(swept)) or "none: the mandate has no rule with a limit",
                         advice="choose one of them")  # fmt: skip
    return name, key, rules[name].unit


def _numbers(rule: Rule) -> list[str]:
    """Return the fields of a rule that are limits."""
    if hasattr(rule, "limit"):
        return ["limit"]
    skipped = {"penalty", "tolerance", "premium"}
    return [item.name for item in fields(rule) if isinstance(getattr(rule, item.name), float) and item.name not in skipped]  # type: ignore[arg-type]


def _point(mandate: Mandate, moment: Moment, rule: str, limit: float) -> FrontierPoint:
    found = propose(mandate, moment)
    if not found.solved or found.forecast is None or found.objective is None:
        return FrontierPoint(limit, found.status.value)
    forecast = found.forecast
    return FrontierPoint(limit, found.status.value, found.objective, forecast.captured_volatility, forecast.tracking_error,
                         found.active_share, found.turnover_two_way, found.prices.get(rule, 0.0))  # fmt: skip
