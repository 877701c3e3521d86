"""A small synthetic moment: random members, sectors, holdings and a factor covariance."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pytest

from gammastar.core.covariance import FactoredCovariance
from gammastar.market.assets import Assets
from gammastar.market.calendar import Frequency
from gammastar.market.moment import Moment

if TYPE_CHECKING:
    from collections.abc import Callable

SECTORS = ("Energy", "Financials", "Utilities", "Unknown")


def make_moment(seed: int, *, names: int = 14, outside: int = 2, covariance: bool = True) -> Moment:
    """Return a moment of `names` assets, the last `outside` of them not in the benchmark, holdings near the benchmark."""
    rng = np.random.default_rng(seed)
    benchmark = np.append(rng.dirichlet(np.full(names - outside, 2.0)), np.zeros(outside))
    holdings = np.abs(benchmark + 0.02 * rng.standard_normal(names))
    ids = tuple(f"ID{k:02d}" for k in range(names))
    moment = Moment(
        session=np.datetime64("2019-11-29"),
        assets=Assets(ids, tuple(f"T{k}" for k in range(names))),
        frequency=Frequency.DAILY,
        returns=np.zeros((2, names)),
        observed=np.ones((2, names), dtype=bool),
        benchmark=benchmark,
        benchmark_history=np.vstack((benchmark, benchmark)),
        published=np.array([True, False]),
        sector_labels=SECTORS,
        sector_codes=rng.integers(0, len(SECTORS), names),
        holdings=holdings / holdings.sum(),
    )
    if not covariance:
        return moment
    loadings = 0.05 * rng.standard_normal((names, 3)) + np.array([0.15, 0.0, 0.0])
    return moment.with_risk(FactoredCovariance(loadings, rng.uniform(0.01, 0.05, names)))


@pytest.fixture
def moment() -> Moment:
    return make_moment(1)


@pytest.fixture
def moments() -> Callable[..., Moment]:
    return make_moment


@pytest.fixture
def without_holdings() -> Callable[[Moment], Moment]:
    return lambda moment: dataclasses.replace(moment, holdings=None)
