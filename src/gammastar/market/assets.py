"""Assets by their permanent ids. Tickers and names are labels: they are reused and renamed, and are never a key."""

from __future__ import annotations

__all__ = ["Assets"]

from dataclasses import dataclass, field
from functools import cached_property


@dataclass(frozen=True)
class Assets:
    """The assets of a panel, in the order of its columns.

    Args:
        ids: permanent ids, unique.
        tickers: the last known label of each, for people to read.
        names: the last known name of each.

    Raises:
        ValueError: repeated ids, or labels that do not match them in number.
    """

    ids: tuple[str, ...]
    tickers: tuple[str, ...] = field(default=())
    names: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        if len(set(self.ids)) != len(self.ids):
            raise ValueError("asset ids must be unique")
        object.__setattr__(self, "tickers", self.tickers or self.ids)
        object.__setattr__(self, "names", self.names or self.tickers)
        if not len(self.ids) == len(self.tickers) == len(self.names):
            raise ValueError("there must be one ticker and one name for each id")

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def index(self) -> dict[str, int]:
        """The column of each id."""
        return {asset: column for column, asset in enumerate(self.ids)}

    def label(self, column: int) -> str:
        """Return ``"TICKER (id)"``, or the id alone where there is no ticker of its own."""
        ticker, asset = self.tickers[column], self.ids[column]
        return asset if ticker == asset else f"{ticker} ({asset})"
