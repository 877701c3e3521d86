"""The theory on a Panel: the whole exact account of a generated portfolio, how often to rebalance it, and the capital distribution."""

from __future__ import annotations

__all__ = [
    "Account",
    "AccountParts",
    "CapitalCurve",
    "ClockEarnings",
    "FrequencyStudy",
    "account_for",
    "capital_curve",
    "rebalancing_frequency",
]

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gammastar.theory.account import Account, AccountParts, account_for
    from gammastar.theory.capital import CapitalCurve, capital_curve
    from gammastar.theory.rebalancing import ClockEarnings, FrequencyStudy, rebalancing_frequency

_HOME = {
    "Account": "account",
    "AccountParts": "account",
    "CapitalCurve": "capital",
    "ClockEarnings": "rebalancing",
    "FrequencyStudy": "rebalancing",
    "account_for": "account",
    "capital_curve": "capital",
    "rebalancing_frequency": "rebalancing",
}


def __getattr__(name: str) -> object:
    """Load a public name when it is first asked for."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
