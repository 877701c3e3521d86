"""The verbs of the theory on stored data."""

from __future__ import annotations

__all__ = ["decompose_market", "describe_capital", "study_rebalancing"]

from typing import TYPE_CHECKING, Any

from gammastar.errors import UsageError
from gammastar.workspace.opening import open_panel, session_on

if TYPE_CHECKING:
    from pathlib import Path

    from gammastar.core.generating import GeneratingFunction
    from gammastar.theory import Account, CapitalCurve, FrequencyStudy


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
    from gammastar.market.calendar import Clock
    from gammastar.theory import account_for

    function = _function(generated)
    return account_for(function, open_panel(data, frequency), clock=None if clock is None else Clock(clock), cost=cost_bp / 1e4)


def study_rebalancing(
    data: Path, generated: dict[str, Any], *, clocks: tuple[str, ...] = (), cost_bp: float = 0.0, frequency: str | None = None
) -> FrequencyStudy:
    """Return what rebalancing a generated portfolio on each clock earned and cost on a store.

    Args:
        data: the store.
        generated: as in `decompose_market`.
        clocks: to compare; empty for all that differ.
        cost_bp: basis points of traded value.
        frequency: of the panel.

    Raises:
        UsageError: a clock that does not exist, or parameters that do not belong to the function.
    """
    from gammastar.market.calendar import Clock
    from gammastar.theory import rebalancing_frequency

    known = [str(clock) for clock in Clock]
    strange = [clock for clock in clocks if clock not in known]
    if strange:
        raise UsageError("--clock", "there is no such clock", got=strange[0], allowed=", ".join(known), advice="give one of these, once for each clock")
    asked = [Clock(clock) for clock in clocks] or None
    return rebalancing_frequency(_function(generated), open_panel(data, frequency), clocks=asked, cost=cost_bp / 1e4)


def _function(generated: dict[str, Any]) -> GeneratingFunction:
    """Return the generating function that words describe."""
    from pydantic import ValidationError

    from gammastar.core.rank_generating import ByRank
    from gammastar.core.rank_generating import top as among_largest
    from gammastar.mandate.schema import GeneratedEntry

    words = {key: value for key, value in generated.items() if key not in {"by_rank", "top"}}
    try:
        function = GeneratedEntry.model_validate({"kind": "generated", **words}).generating_function()
    except ValidationError as error:
        told = {key: value for key, value in words.items() if value is not None}
        raise UsageError("--function", error.errors()[0]["msg"], got=str(told),
                         advice="gammastar theory decompose --help lists what each function takes") from error  # fmt: skip
    if generated.get("top") is not None:
        return among_largest(generated["top"], function)
    return ByRank(function) if generated.get("by_rank") else function


def describe_capital(data: Path, on: tuple[str, ...], *, frequency: str | None = None) -> CapitalCurve:
    """Return the capital distribution of a store's index at some closes (default: first, middle, last)."""
    from gammastar.theory import capital_curve

    panel = open_panel(data, frequency)
    return capital_curve(panel, tuple(panel.sessions[session_on(panel, date)] for date in on))
