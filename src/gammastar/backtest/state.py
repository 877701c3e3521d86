"""What a run carries from one session to the next. It is all there is: a run stopped and gone on with is the same run."""

from __future__ import annotations

__all__ = ["Pending", "RunState"]

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from numpy import ndarray

    from gammastar.core.covariance import FactoredCovariance
    from gammastar.optimise.fast import Warm
    from gammastar.risk.online import OnlineRisk
    from gammastar.trade.ledger import Positions


@dataclass(frozen=True, eq=False)
class Pending:
    """A trade decided on and not yet made.

    Args:
        due: position of the session at whose close it is made.
        targets: weights to trade to, shape (n,); None to trade only what left.
        left: names to sell altogether, shape (n,).
    """

    due: int
    targets: Float[ndarray, " n"] | None
    left: Bool[ndarray, " n"]


@dataclass(frozen=True, eq=False)
class RunState:
    """The state of a run at the close of the session at `position`.

    Args:
        position: of the last session done.
        positions: quantities and cash.
        targets: of the last decision, shape (n,), or None before the first.
        reset: names held at their benchmark weight since that decision, shape (n,).
        members: of the benchmark at that decision, shape (n,).
        covariance: in force, or None where the strategy needs none and there was no history for one.
        pending: trades not yet made, the earliest first.
        turned: trades of the last twelve months, position and two-way traded weight.
        formed: position of the close at which a generated strategy last formed its portfolio.
        warm: where the next search for targets starts.
        risk: the mandate's risk model with what it has seen; None without one.
        second_risk: the same of the second model.
    """

    position: int
    positions: Positions
    targets: Float[ndarray, " n"] | None
    reset: Bool[ndarray, " n"]
    members: Bool[ndarray, " n"]
    covariance: FactoredCovariance | None
    pending: tuple[Pending, ...] = ()
    formed: int = 0
    turned: tuple[tuple[int, float], ...] = ()
    warm: Warm | None = None
    risk: OnlineRisk | None = None
    second_risk: OnlineRisk | None = None
