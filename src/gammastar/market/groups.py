"""Group attributes of assets: sector, country, issuer and others, each a list of labels and the label of each asset."""

from __future__ import annotations

__all__ = ["ISSUER", "SECTOR", "UNKNOWN", "Group", "Named", "Sectors", "checked_groups", "code_type", "no_such_group", "own_issuers"]

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, NoReturn, TypeVar

import numpy as np

from gammastar.market.arrays import frozen_array

if TYPE_CHECKING:
    from jaxtyping import Int
    from numpy import ndarray

SECTOR = "sector"
"""The attribute that every panel has."""

ISSUER = "issuer"
"""The attribute in which an asset without a label is a group of its own."""

UNKNOWN = "Unknown"
"""The group of assets whose group is not known; by convention the last label."""

Value = TypeVar("Value")


@dataclass(frozen=True, eq=False)
class Sectors:
    """The group of each asset at each session, by sector or by another attribute.

    Args:
        labels: group names; by convention ``"Unknown"`` is the last one and a group of its own.
        codes: position in `labels`, shape (t, n), what was known at the close of t.
    """

    labels: tuple[str, ...]
    codes: Int[ndarray, "t n"]

    def __post_init__(self) -> None:
        object.__setattr__(self, "codes", frozen_array(self.codes, code_type(len(self.labels))))

    def first(self, count: int) -> Sectors:
        """Return the groups of the first `count` sessions."""
        return self.at(slice(count))

    def at(self, sessions: slice | Int[ndarray, " k"]) -> Sectors:
        """Return the groups at `sessions`."""
        return Sectors(self.labels, self.codes[sessions])


class Group(NamedTuple):
    """The group of each asset at one moment.

    Args:
        labels: group names.
        codes: position in `labels`, shape (n,).
    """

    labels: tuple[str, ...]
    codes: Int[ndarray, " n"]


class Named(Mapping[str, Value]):
    """A mapping that nobody can write to, in the order it was given.

    >>> named = Named({"country": 1, "issuer": 2})
    >>> named["issuer"], list(named), len(Named())
    (2, ['country', 'issuer'], 0)
    """

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Value] | None = None) -> None:
        self._values = dict(values or {})

    def __getitem__(self, name: str) -> Value:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Named({self._values!r})"


def code_type(labels: int) -> type[np.signedinteger]:
    """Return the type of codes into so many labels."""
    return np.int16 if labels <= np.iinfo(np.int16).max else np.int32


def own_issuers(ids: tuple[str, ...]) -> tuple[str, ...]:
    """Return the issuer of each asset where the data names none: the asset itself, by a label that is not its id.

    >>> own_issuers(("17", "US0378331005"))
    ('asset 17', 'asset US0378331005')
    """
    return tuple(f"asset {asset}" for asset in ids)


def checked_groups(groups: Mapping[str, Sectors], shape: tuple[int, int]) -> Named[Sectors]:
    """Return group attributes as a mapping that nobody can write to.

    Raises:
        ValueError: an attribute without a name or called ``"sector"``, repeated labels, codes of another shape or outside the labels.
    """
    for name, group in groups.items():
        if not name or name == SECTOR:
            raise ValueError(f"groups: {name!r} cannot name a group attribute; \"sector\" is the field `sectors`, any other text will do")
        if len(set(group.labels)) != len(group.labels):
            raise ValueError(f"groups: the labels of {name!r} must be unique")
        if group.codes.shape != shape:
            raise ValueError(f"groups: the codes of {name!r} have the shape {group.codes.shape}; it must be {shape}")
        if group.codes.size and not 0 <= int(group.codes.min()) <= int(group.codes.max()) < len(group.labels):
            raise ValueError(f"groups: the codes of {name!r} must be positions in its {len(group.labels)} labels, 0 being the first")
    return Named(groups)


def no_such_group(attribute: str, groups: Mapping[str, object]) -> NoReturn:
    """Say which group attributes there are.

    Raises:
        ValueError: always.
    """
    there = ", ".join((SECTOR, *groups))
    raise ValueError(f"there is no group attribute {attribute!r}: there are {there}. A dataset brings others as columns of members")
