"""The Moment: all that is known at one decision time."""

from __future__ import annotations

__all__ = ["Moment"]

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from gammastar.market.arrays import frozen_array

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int
    from numpy import ndarray

    from gammastar.core.covariance import FactoredCovariance
    from gammastar.market.assets import Assets
    from gammastar.market.calendar import Frequency


@dataclass(frozen=True, eq=False)
class Moment:
    """What is known at the close of one session.

    Args:
        session: the date.
        assets: the n assets, in column order.
        frequency: of `returns`.
        returns: simple total returns up to and including this session, shape (t, n), complete.
        observed: which of them are data, shape (t, n).
        benchmark: index weights at this close, shape (n,).
        benchmark_history: index weights at every close so far, shape (t, n).
        published: at which closes so far index weights were published, shape (t,).
        sector_labels: group names.
        sector_codes: the group of each asset now, shape (n,).
        holdings: weights held before trading, shape (n,), cash being one minus their sum; None when not known.
        covariance: annual covariance of log returns, or None before it is estimated.
    """

    session: np.datetime64
    assets: Assets
    frequency: Frequency
    returns: Float[ndarray, "t n"]
    observed: Bool[ndarray, "t n"]
    benchmark: Float[ndarray, " n"]
    benchmark_history: Float[ndarray, "t n"]
    published: Bool[ndarray, " t"]
    sector_labels: tuple[str, ...]
    sector_codes: Int[ndarray, " n"]
    holdings: Float[ndarray, " n"] | None = None
    covariance: FactoredCovariance | None = None

    @property
    def members(self) -> Bool[ndarray, " n"]:
        """Which assets are in the benchmark at this close."""
        return np.asarray(self.benchmark > 0.0)

    def with_risk(self, covariance: FactoredCovariance) -> Moment:
        """Return this moment with an estimate of risk."""
        return replace(self, covariance=covariance)

    def with_holdings(self, holdings: Float[ndarray, " n"]) -> Moment:
        """Return this moment with the weights held now."""
        return replace(self, holdings=frozen_array(holdings, np.float64))

    def need_covariance(self, rule: str) -> FactoredCovariance:
        """Return the covariance.

        Raises:
            ValueError: there is none; `rule` needs one.
        """
        if self.covariance is None:
            raise ValueError(f"{rule} needs a covariance: estimate risk first and use moment.with_risk(...)")
        return self.covariance

    def short_history(self, *, minimum: int, window: int) -> Bool[ndarray, " n"]:
        """Return which assets have fewer than `minimum` observed returns in the last `window` sessions."""
        return np.asarray(self.observed[-window:].sum(axis=0) < minimum)

    def missing_run(self, *, longest: int) -> Int[ndarray, " n"]:
        """Return for how many sessions running each name has had no observed return, counted up to `longest`."""
        backwards = self.observed[-longest:][::-1]
        return np.where(backwards.any(axis=0), backwards.argmax(axis=0), longest)
