"""What is told of a large-cap market is its truth, and the path is near it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from gammastar.core.excess_growth import excess_growth
from gammastar.simulate.truth_comparison import true_index_variances

if TYPE_CHECKING:
    from gammastar.simulate import SimulatedMarket


def test_truths_are_those_of_the_true_covariance(market: SimulatedMarket) -> None:
    at, variances = true_index_variances(market.panel, market.truth)
    t = int(at[7])
    mu, dense = market.panel.benchmark[t], market.truth.covariance(t).dense()
    assert variances[7] == pytest.approx(mu @ dense @ mu)
    excess, growth, volatility = market.comparisons
    assert volatility.exact == pytest.approx(np.sqrt(variances.mean()))
    told = [excess_growth(market.panel.benchmark[s], market.truth.covariance(s)) for s in at.tolist()]
    assert excess.exact == pytest.approx(np.mean(told))
    assert 0.0 < growth.exact < 0.08  # six percent a year, and a little more for members near the floor


def test_the_path_is_near_its_truth(market: SimulatedMarket) -> None:
    for row in market.comparisons:
        assert row.score is not None
        assert abs(row.score) < 4.0, row


def test_every_form_of_the_result_says_the_same(market: SimulatedMarket) -> None:
    told = json.loads(json.dumps(market.to_dict(), allow_nan=False))
    frame = market.to_pandas()
    assert [row["path"] for row in told["comparisons"]] == frame["path"].tolist()
    assert told["fingerprint"] == market.panel.fingerprint
    for row in market.comparisons:
        assert row.quantity in str(market)
    assert market._repr_html_().startswith("<pre>simulated large-cap market")
    seen, truth = market.plot().data
    returns = market.panel.benchmark_returns[1:]
    last = np.sqrt(np.mean(np.square(returns[-63:] - returns.mean())) * 252.0)
    assert seen.y[-1] == pytest.approx(100.0 * last)
    assert len(truth.x) == len(truth.y) == len(true_index_variances(market.panel, market.truth)[0])
