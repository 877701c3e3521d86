"""The order list: what to trade, why, and what it is expected to cost."""

from __future__ import annotations

__all__ = ["Order", "order_list", "orders_csv"]

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gammastar.trade.targets import within_band

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy import ndarray

    from gammastar.mandate.strategy import TradingPolicy
    from gammastar.market.moment import Moment


DUST = 1e-8
"""Trades below this weight are rounding of the arithmetic, not orders."""


@dataclass(frozen=True)
class Order:
    """One line of an order list.

    Args:
        asset: permanent id.
        ticker: label.
        side: ``"buy"`` or ``"sell"``.
        weight: traded, a fraction of the portfolio's value.
        value: traded, in money.
        from_weight: before the trade.
        to_weight: after the trade.
        estimated_cost: in money.
        reason: in words.
    """

    asset: str
    ticker: str
    side: str
    weight: float
    value: float
    from_weight: float
    to_weight: float
    estimated_cost: float
    reason: str


def order_list(moment: Moment, targets: Float[ndarray, " n"], policy: TradingPolicy) -> tuple[Order, ...]:
    """Return the orders that take the moment's holdings towards `targets`, to the edge of the no-trade band; the largest first.

    Args:
        moment: with holdings; the benchmark is assumed where there are none.
        targets: weights, shape (n,).
        policy: band, costs and capital of the mandate; the moment's value comes before the capital.
    """
    held = moment.benchmark if moment.holdings is None else moment.holdings
    cash = max(1.0 - float(held.sum()), 0.0)
    wanted = np.append(targets, max(1.0 - float(targets.sum()), 0.0))
    reached = within_band(np.append(held, cash), wanted, policy.band, left=targets == 0.0)[:-1]
    change, capital = reached - held, moment.value or policy.capital
    cost = policy.cost_at(moment).of(change)
    ordered = np.flatnonzero(np.abs(change) > DUST)
    ordered = ordered[np.argsort(-np.abs(change[ordered]), kind="stable")]
    return tuple(
        Order(
            asset=moment.assets.ids[i],
            ticker=moment.assets.tickers[i],
            side="buy" if change[i] > 0.0 else "sell",
            weight=float(abs(change[i])),
            value=float(abs(change[i])) * capital,
            from_weight=float(held[i]),
            to_weight=float(reached[i]),
            estimated_cost=float(cost[i]) * capital,
            reason=_reason(i, moment, targets, held),
        )
        for i in ordered.tolist()
    )


def _reason(i: int, moment: Moment, targets: Float[ndarray, " n"], held: Float[ndarray, " n"]) -> str:
    """Return why asset i is traded."""
    if moment.benchmark[i] == 0.0:
        return "left the benchmark"
    if abs(targets[i] - moment.benchmark[i]) < 1e-9:
        return "joined the benchmark, history too short to bet on" if held[i] == 0.0 else "reset to the benchmark weight"
    lean = "over" if targets[i] > moment.benchmark[i] else "under"
    return f"to its target, {lean}weight by {abs(targets[i] - moment.benchmark[i]) * 1e4:.1f} bp"


def orders_csv(orders: tuple[Order, ...]) -> str:
    """Return the order list as CSV with a header line."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["asset_id", "ticker", "side", "weight", "value", "from_weight", "to_weight", "estimated_cost", "reason"])
    for o in orders:
        numbers = [repr(x) for x in (o.weight, o.value, o.from_weight, o.to_weight, o.estimated_cost)]
        writer.writerow([o.asset, o.ticker, o.side, *numbers, o.reason])
    return out.getvalue()
