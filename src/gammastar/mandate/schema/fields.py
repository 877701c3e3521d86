"""Fields that many tables share: numbers with the range and the unit that messages quote, days, and checks across keys."""

from __future__ import annotations

__all__ = [
    "BasisPoints",
    "Count",
    "Day",
    "Days",
    "Deviations",
    "Fraction",
    "Model",
    "Money",
    "Multiple",
    "Natural",
    "Penalty",
    "Priority",
    "Risk",
    "Sessions",
    "Text",
    "Ticks",
    "Traded",
    "Years",
    "refuse_empty",
    "refuse_misplaced",
    "several",
]

import datetime as dt
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from gammastar.mandate.explain import refusal
from gammastar.market.calendar import Clock

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def _day(value: object) -> object:
    """Return a day as ISO text, from TOML's own date or from text."""
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return value.isoformat()
    try:
        if isinstance(value, str) and dt.date.fromisoformat(value).isoformat() == value:
            return value
    except ValueError:
        pass
    raise refusal("this is not a day", key="", got=value if isinstance(value, str) else str(value), allowed="a date, with or without quotes: 2019-11-29",
                  advice="write year, month and day, without a time")  # fmt: skip


# a description says what is allowed, as messages quote it
Fraction = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False, description="a fraction from 0 to 1: 1% is 0.01")]
Risk = Annotated[float, Field(ge=0.0, le=0.5, allow_inf_nan=False, description="a fraction a year from 0 to 0.5: 2% is 0.02")]
Traded = Annotated[float, Field(ge=0.0, le=2.0, allow_inf_nan=False, description="a fraction from 0 to 2, two-way: all sold and all bought is 2")]
Days = Annotated[float, Field(gt=0.0, le=1000.0, allow_inf_nan=False, description="above 0, in average daily volumes: 0.2 is a fifth of a day's trading")]
Deviations = Annotated[float, Field(ge=0.0, le=5.0, allow_inf_nan=False, description="0 to 5 standard deviations")]
Multiple = Annotated[float, Field(ge=0.0, le=100.0, allow_inf_nan=False, description="0 to 100 times the benchmark weight")]
BasisPoints = Annotated[float, Field(ge=0.0, le=1000.0, allow_inf_nan=False, description="0 to 1000 basis points: 0.05% is 5")]
Penalty = Annotated[
    float,
    Field(
        gt=0.0, le=1e6, allow_inf_nan=False, description="above 0, in basis points of expected growth a year per 1% over the limit (0.01 for beta and exposure)"
    ),
]
Priority = Annotated[int, Field(ge=0, le=5, description="0 (never gives way), or from 1 (gives way first) to 5 (last)")]
Sessions = Annotated[float, Field(gt=0.0, allow_inf_nan=False, description="a number of sessions above 0")]
Years = Annotated[float, Field(gt=0.0, allow_inf_nan=False, description="a number of years above 0")]
Money = Annotated[float, Field(gt=0.0, allow_inf_nan=False, description="an amount above 0")]
Count = Annotated[int, Field(ge=2, description="a whole number of sessions, 2 or more")]
Natural = Annotated[int, Field(ge=1, description="a whole number, 1 or more")]
Text = Annotated[str, Field(min_length=1, max_length=200, description="1 to 200 characters in quotes")]
Ticks = Annotated[Clock, Field(strict=False)]
Day = Annotated[str, BeforeValidator(_day)]


class Model(BaseModel):
    """A table of a mandate."""

    # strict: true is no number and "5" is none either
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, str_strip_whitespace=True)

    refused: ClassVar[dict[str, str]] = {}
    """Keys that someone may expect here, and what to do instead of writing them."""


def refuse_empty(entry: Model, keys: Sequence[str], what: str) -> None:
    """Refuse a table in which none of `keys` is said."""
    if all(getattr(entry, key) is None for key in keys):
        raise refusal(what, key=keys[0], allowed=f"at least one of {', '.join(keys)}", advice="add one, or remove the table")


def refuse_misplaced(entry: Model, choice: str, homes: Mapping[str, str], needed: Mapping[str, str]) -> None:
    """Refuse keys that belong to another choice than the one made, and the want of one that it needs.

    Args:
        entry: the table.
        choice: the key that chooses: ``"kind"``, ``"function"``.
        homes: which choice each key belongs to.
        needed: keys that their choice cannot do without, and what they may be.
    """
    made = getattr(entry, choice)
    for key, home in homes.items():
        value: Any = getattr(entry, key)
        if value is not None and made != home:
            raise refusal(f'this key belongs to {choice} = "{home}"', key=key, got=value if isinstance(value, (int, float, str)) else None,
                          advice=f'remove it, or write {choice} = "{home}"')  # fmt: skip
        if value is None and made == home and key in needed:
            raise refusal(f'this key is needed with {choice} = "{home}"', key=key, allowed=needed[key], advice="add it")


def several(texts: Sequence[str]) -> int | None:
    """Return the first position at which a text stands for the second time; None if each stands once.

    >>> several(["a", "b", "a"])
    2
    """
    return next((at for at, text in enumerate(texts) if text in texts[:at]), None)
