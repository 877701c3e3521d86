"""Rules on weights: of single names, of groups, of exposures, of the active bet as a whole, of cash."""

from __future__ import annotations

__all__ = ["ActiveShare", "ActiveWeight", "Cash", "Exposure", "GroupActive", "GroupWeight", "WeightBounds"]

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from gammastar.core.exposures import standardise
from gammastar.core.rows import AbsoluteSum, Bounds, Budget, LinearRows, Row, indicator
from gammastar.mandate.characteristics import characteristic_values
from gammastar.mandate.rules.base import NEVER, Reading, RuleOptions, closest

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy import ndarray

    from gammastar.market.moment import Moment


@dataclass(frozen=True)
class ActiveWeight(RuleOptions):
    """``abs(w_i - mu_i) <= limit`` for each asset in the benchmark or held.

    Args:
        limit: for each asset without a limit of its own.
        assets: limits of single assets, by id.
        limits: limits of groups, by label; the limit of an asset comes before that of its group.
        attribute: whose groups those are.
    """

    limit: float
    assets: tuple[tuple[str, float], ...] = ()
    limits: tuple[tuple[str, float], ...] = ()
    attribute: str = "sector"
    name: ClassVar[str] = "active_weight"

    @property
    def needs(self) -> tuple[str, ...]:
        """The attribute, where groups have limits of their own."""
        return (f"groups.{self.attribute}",) if self.limits else ()

    def rows(self, moment: Moment) -> tuple[Row, ...]:
        """Return bounds around the benchmark weights."""
        one, limit = np.ones(len(moment.benchmark)), np.full(len(moment.benchmark), self.limit)
        if self.limits:
            labels, codes = moment.group(self.attribute)
            limit = np.array([dict(self.limits).get(label, self.limit) for label in labels])[codes]
        for asset, own in self.assets:
            if asset in moment.assets.index:
                limit[moment.assets.index[asset]] = own
        return (Bounds(self.name, moment.benchmark - limit, moment.benchmark + limit, -one, one, self.penalty),)

    def measure(self, weights: Float[ndarray, " n"], moment: Moment) -> Reading:
        """Return the absolute active weight that comes closest to its limit."""
        active = abs(weights - moment.benchmark)
        if not (self.assets or self.limits):
            worst = int(active.argmax())
            return Reading(self.name, float(active[worst]), self.limit, self.limit - float(active[worst]), moment.assets.label(worst))
        by_asset, by_group = dict(self.assets), dict(self.limits)
        labels, codes = moment.group(self.attribute)
        readings = []
        for i, value in enumerate(active.tolist()):
            limit = by_asset.get(moment.assets.ids[i], by_group.get(labels[codes[i]], self.limit))
            readings.append(Reading(self.name, value, limit, limit - value, moment.assets.label(i)))
        return closest(readings)

    def loosened(self, amount: float) -> ActiveWeight:
        """Return the rule with every limit looser by `amount`."""
        wider = super().loosened(amount)
        return replace(wider, assets=tuple((asset, limit + amount) for asset, limit in self.assets))


@dataclass(frozen=True)
class WeightBounds(RuleOptions):
    """Absolute bounds on each member's weight; of several upper bounds the tightest holds.

    Args:
        minimum: ``w_i >= minimum`` for members, or None.
        maximum: ``w_i <= maximum``, or None.
        plus: ``w_i <= mu_i + plus``, or None.
        multiple: ``w_i <= multiple * mu_i``, or None. A soft rule does not charge what a name outside the benchmark weighs over its multiple of nothing.
    """

    minimum: float | None = None
    maximum: float | None = None
    plus: float | None = None
    multiple: float | None = None
    name: ClassVar[str] = "weight"

    def rows(self, moment: Moment) -> tuple[Row, ...]:
        """Return bounds, one row for each form: loosened, another of them may be the tightest."""
        mu, one = moment.benchmark, np.ones(len(moment.benchmark))
        rows = []
        for bound, level, slope in ((self.maximum, 0.0 * mu, one), (self.plus, mu, one), (self.multiple, 0.0 * mu, mu)):
            if bound is not None:
                counted = (slope > 0.0) | (self.penalty is None)  # excess over a multiple of nothing cannot be counted
                upper = np.where(counted, level + bound * slope, np.inf)
                rows.append(Bounds(self.name, np.full(len(mu), -np.inf), upper, 0.0 * one, slope, self.penalty))
        if self.minimum is not None:
            lower = np.where(moment.members, self.minimum, -np.inf)
            rows.append(Bounds(self.name, lower, np.full(len(mu), np.inf), -np.asarray(moment.members, dtype=np.float64), 0.0 * one, self.penalty))
        return tuple(rows)

    def measure(self, weights: Float[ndarray, " n"], moment: Moment) -> Reading:
        """Return the weight that comes closest to its bound."""
        mu = moment.benchmark
        there = (weights != 0.0) | (mu != 0.0)
        tops = np.full(len(mu), np.inf)
        for top in (self.maximum, None if self.plus is None else mu + self.plus, None if self.multiple is None else mu * self.multiple):
            tops = tops if top is None else np.minimum(tops, top)
        found = Reading(self.name, 0.0, np.inf, np.inf)
        room = np.where(there, tops - weights, np.inf)
        i = int(np.argmin(room))
        if room[i] < found.headroom:
            found = Reading(self.name, float(weights[i]), float(tops[i]), float(room[i]), moment.assets.label(i))
        if self.minimum is not None:
            room = np.where(mu > 0.0, weights - self.minimum, np.inf)
            i = int(np.argmin(room))
            if room[i] < found.headroom:
                found = Reading(self.name, float(weights[i]), self.minimum, float(room[i]), moment.assets.label(i))
        return found

    def loosened(self, amount: float) -> WeightBounds:
        """Return the rule with every bound looser by `amount` (multiples by `amount` times the benchmark weight)."""
        return replace(
            self,
            minimum=None if self.minimum is None else self.minimum - amount,
            maximum=None if self.maximum is None else self.maximum + amount,
            plus=None if self.plus is None else self.plus + amount,
            multiple=None if self.multiple is None else self.multiple + amount,
        )


@dataclass(frozen=True)
class GroupActive(RuleOptions):
    """``abs(sum over a group of (w - mu)) <= limit`` for every group of an attribute; the unknown group is one of its own.

    Args:
        limit: for each group without a limit of its own.
        limits: limits of single groups, by label.
        attribute: sector, or any other attribute of the panel.
    """

    limit: float
    limits: tuple[tuple[str, float], ...] = ()
    attribute: str = "sector"

    @property
    def name(self) -> str:
        """``sector``, or ``group.`` and the attribute."""
        return "sector" if self.attribute == "sector" else f"group.{self.attribute}"

    @property
    def needs(self) -> tuple[str, ...]:
        """The attribute."""
        return (f"groups.{self.attribute}",)

    def rows(self, moment: Moment) -> tuple[Row, ...]:
        """Return one row a group."""
        labels, codes = moment.group(self.attribute)
        own, one = dict(self.limits), np.ones(len(labels))
        limits = np.array([own.get(label, self.limit) for label in labels])
        matrix, held = indicator(codes, len(limits)), np.bincount(codes, weights=moment.benchmark, minlength=len(limits))
        return (LinearRows(self.name, tuple(labels), matrix, held - limits, held + limits, -one, one, self.penalty),)

    def measure(self, weights: Float[ndarray, " n"], moment: Moment) -> Reading:
        """Return the active weight of the group that comes closest to its limit."""
        labels, codes = moment.group(self.attribute)
        active = abs(np.bincount(codes, weights=weights - moment.benchmark, minlength=len(labels)))
        own = dict(self.limits)
        limits = np.array([own.get(label, self.limit) for label in labels])
        worst = int((limits - active).argmin())
        value, limit = float(active[worst]), float(limits[worst])
        return Reading(self.name, value, limit, limit - value, labels[worst])


@dataclass(frozen=True)
class GroupWeight(RuleOptions):
    """``minimum <= sum over a group of w <= maximum`` for the groups named.

    Args:
        bounds: label, minimum and maximum of each group (None for no bound).
        attribute: sector, or any other attribute of the panel.
    """

    bounds: tuple[tuple[str, float | None, float | None], ...]
    attribute: str = "sector"

    @property
    def name(self) -> str:
        """``group_weight.`` and the attribute."""
        return f"group_weight.{self.attribute}"

    @property
    def needs(self) -> tuple[str, ...]:
        """The attribute."""
        return (f"groups.{self.attribute}",)

    def rows(self, moment: Moment) -> tuple[Row, ...]:
        """Return one row a group that is named and known."""
        labels, codes = moment.group(self.attribute)
        known = [bound for bound in self.bounds if bound[0] in labels]
        matrix = np.array([codes == labels.index(label) for label, _, _ in known], dtype=np.float64).reshape(len(known), len(codes))
        lower = np.array([-np.inf if low is None else low for _, low, _ in known])
        upper = np.array([np.inf if high is None else high for _, _, high in known])
        one = np.ones(len(known))
        return (LinearRows(self.name, tuple(label for label, _, _ in known), matrix, lower, upper, -one, one, self.penalty),)

    def measure(self, weights: Float[ndarray, " n"], moment: Moment) -> Reading | None:
        """Return the weight of the group that comes closest to its bound; None if the market knows none of the groups."""
        labels, codes = moment.group(self.attribute)
        readings = []
        for label, low, high in self.bounds:
            if label not in labels:
                continue
            held = float(sum(weights[i] for i in range(len(weights)) if labels[codes[i]] == label))
            if high is not None:
                readings.append(Reading(self.name, held, high, high - held, label))
            if low is not None:
                readings.append(Reading(self.name, held, low, held - low, label))
        return closest(readings) if readings else None

    def loosened(self, amount: float) -> GroupWeight:
        """Return the rule with every bound looser by `amount`."""
        wider = tuple(
            (label, None if low is None else low - amount, None if high is None else high + amount) for label, low, high in self.bounds
        )
        return replace(self, bounds=wider)


@dataclass(frozen=True)
class Exposure(RuleOptions):
    """``abs(sum_i (w_i - mu_i) x_i) <= limit`` for a named characteristic x: benchmark-weighted mean 0, standard deviation 1 over members."""

    limit: float
    characteristic: str = "size"
    unit: ClassVar[str] = "standard deviations"

    @property
    def name(self) -> str:
        """``exposure.`` and the characteristic."""
        return f"exposure.{self.characteristic}"

    def rows(self, moment: Moment) -> tuple[Row, ...]:
        """Return one row."""
        x = standardise(characteristic_values(self.characteristic, moment), moment.benchmark)
        centre, one = float(x @ moment.benchmark), np.ones(1)
        return (
            LinearRows(self.name, (self.characteristic,), x[None, :], (centre - self.limit) * one, (centre + self.limit) * one, -one, one, self.penalty),
        )

    def measure(self, weights: Float[ndarray, " n"], moment: Moment) -> Reading:
        """Return the absolute active exposure, from first principles."""
        member = moment.members
        raw = characteristic_values(self.characteristic, moment)[member]
        active = (weights - moment.benchmark)[member]
        # a name outside the benchmark has exposure zero, so the mean has to be taken out of the members' active weight
        deviation = raw - np.average(raw, weights=moment.benchmark[member])
        alike = float(np.ptp(raw)) <= 1e-9 * max(float(abs(raw).max()), 1.0)
        value = 0.0 if alike else abs(float(active @ deviation)) / float(raw.std())
        return Reading(self.name, value, self.limit, self.limit - value, self.characteristic)


@dataclass(frozen=True)
class ActiveShare(RuleOptions):
    """``sum_i abs(w_i - mu_i) / 2 <= limit`` (cash counts as a name with benchmark weight zero)."""

    limit: float
    name: ClassVar[str] = "active_share"

    def rows(self, moment: Moment) -> tuple[Row, ...]:
        """Return one sum of what is below the benchmark: what is above it, cash included, is as much."""
        return (AbsoluteSum(self.name, moment.benchmark, self.limit, up=0.0, down=1.0, penalty=self.penalty),)

    def measure(self, weights: Float[ndarray, " n"], moment: Moment) -> Reading:
        """Return half the sum of absolute active weights, cash included."""
        value = 0.5 * (float(abs(weights - moment.benchmark).sum()) + abs(1.0 - float(weights.sum())))
        return Reading(self.name, value, self.limit, self.limit - value)


@dataclass(frozen=True)
class Cash(RuleOptions):
    """``minimum <= cash <= maximum``: the part of the portfolio that is not invested.

    Args:
        minimum: the buffer to be kept.
        maximum: the most there may be.
        premium: growth of stocks over cash a year that idle cash is charged in the objective, so that nothing beyond the buffer is left idle
            for want of a bet. It is no forecast: it only has to be larger than what a bet can earn.
    """

    minimum: float = 0.0
    maximum: float = 0.0
    premium: float = 0.05
    priority: int = field(default=NEVER, kw_only=True)
    name: ClassVar[str] = "cash"

    def rows(self, moment: Moment) -> tuple[Row, ...]:
        """Return the budget row."""
        return (Budget(self.name, self.minimum, self.maximum, self.premium, self.penalty),)

    def measure(self, weights: Float[ndarray, " n"], moment: Moment) -> Reading:
        """Return cash, against the bound that is closer."""
        value = 1.0 - float(weights.sum())
        return closest(
            (Reading(self.name, value, self.maximum, self.maximum - value), Reading(self.name, value, self.minimum, value - self.minimum))
        )

    def loosened(self, amount: float) -> Cash:
        """Return the rule with both bounds looser by `amount`."""
        return replace(self, minimum=max(self.minimum - amount, 0.0), maximum=self.maximum + amount)
