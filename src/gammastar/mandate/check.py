"""The check after the trade: every rule measured on real weights, by code that shares nothing with the solver's rows."""

from __future__ import annotations

__all__ = ["check_weights", "unmeasured_rules"]

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from gammastar.mandate.rules import Cash, Reading, lacking

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy import ndarray

    from gammastar.mandate.mandate import Mandate
    from gammastar.market.moment import Moment


def check_weights(mandate: Mandate, weights: Float[ndarray, " n"], moment: Moment, *, fully_invested: bool = True) -> tuple[Reading, ...]:
    """Return what every rule of `mandate` measures on `weights`, long-only and fully-invested first.

    Args:
        mandate: the rules.
        weights: shape (n,), in the column order of the moment.
        moment: the market, with a covariance where a rule needs one.
        fully_invested: whether weights have to sum to one (not while whole shares leave cash).
    """
    lowest = int(np.argmin(weights))
    readings = [Reading("long_only", float(-weights[lowest]), 0.0, float(weights[lowest]), moment.assets.label(lowest))]
    if fully_invested and not any(isinstance(rule, Cash) for rule in mandate.rules):
        distance = abs(float(np.sum(weights)) - 1.0)
        readings.append(Reading("fully_invested", distance, 0.0, -distance))
    if any(isinstance(rule, Cash) and rule.penalty is not None for rule in mandate.rules):
        invested = float(np.sum(weights))  # a soft rule on cash does not allow borrowing
        readings.append(Reading("fully_invested", max(invested - 1.0, 0.0), 0.0, 1.0 - invested))
    for rule in mandate.rules:
        if not lacking(rule, moment):
            reading = rule.measure(weights, moment)
            if reading is not None:
                readings.append(replace(reading, soft=True) if rule.penalty is not None else reading)
    return tuple(readings)


def unmeasured_rules(mandate: Mandate, moment: Moment) -> tuple[str, ...]:
    """Return the rules that cannot be measured at `moment`: it lacks a covariance, volumes, or the holdings before the trade."""
    return tuple(rule.name for rule in mandate.rules if lacking(rule, moment) or rule.measure(moment.benchmark, moment) is None)
