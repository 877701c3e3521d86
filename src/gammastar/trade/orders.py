"""The order list: what to trade, why, and what it is expected to cost."""

from __future__ import annotations

__all__ = ["Order", "order_list", "orders_csv"]

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy import ndarray

    from gammastar.market.moment import Moment


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


def order_list(moment: Moment, targets: Float[ndarray, " n"], *, capital: float, cost: float) -> tuple[Order, ...]:
    """Return the orders that take the moment's holdings to `targets`, the largest first.

    Args:
        moment: with holdings.
        targets: weights, shape (n,).
        capital: value of the portfolio, in money.
        cost: proportional cost, a fraction of the traded value.
    """
    held = moment.benchmark if moment.holdings is None else moment.holdings
    change = targets - held
    ordered = np.flatnonzero(np.abs(change) > 1e-12)
    ordered = ordered[np.argsort(-np.abs(change[ordered]), kind="stable")]
    return tuple(
        Order(
            asset=moment.assets.ids[i],
            ticker=moment.assets.tickers[i],
            side="buy" if change[i] > 0.0 else "sell",
            weight=float(abs(change[i])),
            value=float(abs(change[i])) * capital,
            from_weight=float(held[i]),
            to_weight=float(targets[i]),
            estimated_cost=float(abs(change[i])) * capital * cost,
            reason=_reason(i, moment, targets, held),
        )
        for i in ordered.tolist()
    )


def _reason(i: int, moment: Moment, targets: Float[ndarray, " n"], held: Float[ndarray, " n"]) -> str:
    """Return why asset i is traded."""
    if moment.benchmark[i] == 0.0:
        return "left the benchmark"
    if held[i] == 0.0 and targets[i] == moment.benchmark[i]:
        return "joined the benchmark, history too short to bet on"
    if targets[i] == moment.benchmark[i]:
        return "reset to the benchmark weight"
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
