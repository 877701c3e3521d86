"""Dated lists of assets: `exclude`, `no_buy`, `no_sell`, `must_sell`, `freeze`."""

from __future__ import annotations

__all__ = ["LISTS", "Entries", "ListItem", "build_list", "refuse_overlaps"]

from typing import Annotated, ClassVar

from pydantic import Field, model_validator

from gammastar.mandate import rules as r
from gammastar.mandate.explain import refusal
from gammastar.mandate.schema.fields import Day, Model, Text

LISTS: dict[str, type[r.AssetList]] = {
    "exclude": r.Exclude,
    "no_buy": r.NoBuy,
    "no_sell": r.NoSell,
    "must_sell": r.MustSell,
    "freeze": r.Freeze,
}
FIRM = "a list never gives way: remove it"


class ListItem(Model):
    """An asset of a list, with the reason, the clause, and the days on which it is in force, both included."""

    refused: ClassVar[dict[str, str]] = {"priority": FIRM, "penalty_bp": FIRM}

    asset: Text
    reason: Text
    clause: Annotated[str, Field(max_length=200, description="up to 200 characters in quotes")] = ""
    first: Annotated[Day | None, Field(alias="from")] = None
    last: Annotated[Day | None, Field(alias="until")] = None

    @model_validator(mode="after")
    def _begins_before_it_ends(self) -> ListItem:
        if self.first is not None and self.last is not None and self.first > self.last:
            raise refusal("the entry ends before it begins", key="until", got=self.last, allowed=f"{self.first} or later", advice="mend one of the days")
        return self

    def meets(self, other: ListItem) -> bool:
        """Return whether both name one asset and are in force on a common day."""
        begins = max(self.first or "", other.first or "")
        ends = min(self.last or "9999-12-31", other.last or "9999-12-31")
        return self.asset == other.asset and begins <= ends

    def build(self) -> r.ListEntry:
        """Return the entry."""
        return r.ListEntry(self.asset, self.reason, self.clause, self.first, self.last)


Entries = Annotated[tuple[ListItem, ...], Field(strict=False)]


def refuse_overlaps(name: str, entries: tuple[ListItem, ...]) -> None:
    """Refuse a list in which an asset stands twice for one day."""
    by_asset: dict[str, list[ListItem]] = {}
    for at, item in enumerate(entries):
        before = by_asset.setdefault(item.asset, [])
        if any(item.meets(other) for other in before):
            what = "the asset is excluded twice" if name == "exclude" else "the asset is listed twice"
            raise refusal(what, key=f"{name}.{at}.asset", got=item.asset, advice="remove one of the two, or give them days that do not overlap")
        before.append(item)


def build_list(name: str, entries: tuple[ListItem, ...]) -> tuple[r.Rule, ...]:
    """Return the rule of a list, its entries by asset and day; nothing for an empty list."""
    built = sorted((item.build() for item in entries), key=lambda entry: (entry.asset, entry.start or ""))
    return (LISTS[name](tuple(built)),) if built else ()
