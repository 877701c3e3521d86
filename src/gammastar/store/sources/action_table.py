"""A file of corporate actions, one row an action."""

from __future__ import annotations

__all__ = ["ActionTable", "read_actions"]

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gammastar.errors import DataError, Finding
from gammastar.market.actions import Action, CashDividend, Delisting, Merger, SpinOff, StockSplit, TickerChange
from gammastar.store.findings import Findings
from gammastar.store.sources.sheet import open_sheet

if TYPE_CHECKING:
    from numpy import ndarray

    from gammastar.store.sources.bars import Bars

_WORDS = ("dividend", "split", "spinoff", "merger", "ticker", "delisting")


@dataclass(frozen=True)
class ActionTable:
    """Corporate actions, and the row of the file of each."""

    file: str
    actions: tuple[Action, ...]

    def tickers(self, assets: tuple[str, ...], codes: ndarray, dates: ndarray) -> list[str]:
        """Return what each asset is called on a date: by the last change of ticker until then, else by its id."""
        changes: dict[str, list[TickerChange]] = {}
        for action in self.actions:
            if isinstance(action, TickerChange):
                changes.setdefault(action.asset, []).append(action)
        names = [assets[code] for code in codes.tolist()]
        for at in np.flatnonzero([name in changes for name in names]).tolist():
            past = [change for change in changes[names[at]] if change.date <= dates[at]]
            names[at] = max(past, key=lambda change: change.date).ticker if past else names[at]
        return names

    def applied(self, bars: Bars) -> Bars:
        """Return bars with the actions.

        Raises:
            DataError: an action that no bar can carry.
        """
        try:
            return bars.with_actions(self.actions)
        except ValueError as error:
            finding = Finding(self.file, "action-without-bar", str(error))
            raise DataError(self.file, "an action cannot take effect", findings=(finding,), advice="correct its asset, its date or its price") from error


def read_actions(data: Any) -> ActionTable:
    """Read corporate actions from a CSV or Parquet file, or a table.

    Columns: ``date`` (the ex-date), ``asset``, ``action`` (dividend, split, spinoff, merger, ticker or delisting) and, as the action needs them,
    ``amount`` (money a share; of a spin-off the child's price; of a delisting the return), ``ratio`` (shares for one share), ``other`` (the child,
    the acquirer, the new ticker).

    Raises:
        DataError: with the row of each action that makes no sense.
    """
    findings = Findings()
    sheet = open_sheet(data, ("date", "asset", "action"), findings)
    dates, amount, ratio = sheet.dates("date"), sheet.numbers("amount"), sheet.numbers("ratio")
    word, asset, other = (sheet.texts(name) for name in ("action", "asset", "other"))
    read: list[Action] = []
    for at in range(len(sheet)):
        try:
            if np.isnat(dates[at]) or asset.codes[at] < 0:
                raise ValueError("an action needs a date and an asset")  # noqa: TRY301 - told below with its row
            read.append(_action(word.at(at), (asset.at(at), dates[at]), (float(amount[at]), float(ratio[at])), other.at(at)))
        except ValueError as error:
            findings.add(sheet.file, "action", str(error), column="action", row=int(sheet.rows[at]), value=word.at(at))
    findings.stop_on_errors(sheet.file)
    return ActionTable(sheet.file, tuple(read))


def _action(word: str, where: tuple[str, np.datetime64], numbers: tuple[float, float], other: str) -> Action:
    """Return one action.

    Raises:
        ValueError: no such action, or numbers that it cannot have.
    """
    amount, ratio = numbers
    match word.lower():
        case "dividend":
            return CashDividend(*where, amount)
        case "split":
            return StockSplit(*where, ratio)
        case "spinoff":
            return SpinOff(*where, other, ratio, None if np.isnan(amount) else amount)
        case "merger":
            return Merger(*where, 0.0 if np.isnan(amount) else amount, other or None, 0.0 if np.isnan(ratio) else ratio)
        case "ticker":
            return TickerChange(*where, other)
        case "delisting":
            return Delisting(*where, amount)
    raise ValueError(f"no such action; allowed: {', '.join(_WORDS)}")
