"""The verbs of the theory on stored data."""

from __future__ import annotations

__all__ = ["decompose_market", "describe_capital"]

from typing import TYPE_CHECKING, Any

from gammastar.errors import UsageError
from gammastar.workspace.opening import open_panel, session_on

if TYPE_CHECKING:
    from pathlib import Path

    from gammastar.theory import Account, CapitalCurve


def decompose_market(data: Path, generated: dict[str, Any], *, clock: str | None, cost_bp: float, frequency: str | None = None) -> Account:
    """Return the whole exact account of a generated portfolio on a store.

    Args:
        data: the store.
        generated: what `[strategy]` of a generated mandate says: function, p, shift, bet; `by_rank` lets the function see ranks, `top` only the largest.
        clock: when it is formed anew; None for every session.
        cost_bp: basis points of traded value.
        frequency: of the panel.

    Raises:
        UsageError: parameters that do not belong to the function.
    """
    from pydantic import ValidationError

    from gammastar.core.rank_generating import ByRank
    from gammastar.core.rank_generating import top as among_largest
    from gammastar.mandate.schema import GeneratedEntry
    from gammastar.market.calendar import Clock
    from gammastar.theory import account_for

    by_rank, largest = generated.pop("by_rank", False), generated.pop("top", None)
    try:
        function = GeneratedEntry.model_validate({"kind": "generated", **generated}).generating_function()
    except ValidationError as error:
        told = {key: value for key, value in generated.items() if value is not None}
        raise UsageError("--function", error.errors()[0]["msg"], got=str(told),
                         advice="gammastar theory decompose --help lists what each function takes") from error  # fmt: skip
    if largest is not None:
        function = among_largest(largest, function)
    elif by_rank:
        function = ByRank(function)
    return account_for(function, open_panel(data, frequency), clock=None if clock is None else Clock(clock), cost=cost_bp / 1e4)


def describe_capital(data: Path, on: tuple[str, ...], *, frequency: str | None = None) -> CapitalCurve:
    """Return the capital distribution of a store's index at some closes (default: first, middle, last)."""
    from gammastar.theory import capital_curve

    panel = open_panel(data, frequency)
    return capital_curve(panel, tuple(panel.sessions[session_on(panel, date)] for date in on))
