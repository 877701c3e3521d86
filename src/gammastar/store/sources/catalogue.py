"""The sources there are: ours, declared here, and those that other packages bring by an entry point."""

from __future__ import annotations

__all__ = ["GROUP", "SourceEntry", "make_source", "source_names"]

import difflib
import importlib
import typing
from dataclasses import MISSING, dataclass, fields, is_dataclass
from enum import Enum
from importlib.metadata import entry_points
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any

from gammastar.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gammastar.store.sources.delivery import Source

GROUP = "gammastar.sources"
"""Entry points of this group name a source: ``acme = "acme_data:AcmeBars"``, a frozen dataclass with `read`."""


@dataclass(frozen=True)
class SourceEntry:
    """A source by name.

    Args:
        name: as people type it.
        place: ``module:Class``.
        reads: what it reads, in one line.
        package: that brings it.
    """

    name: str
    place: str
    reads: str
    package: str = "gammastar"

    def load(self) -> type[Any]:
        """Return the class.

        Raises:
            UsageError: the package that brings it cannot be loaded, or the class is no source.
        """
        module, _, name = self.place.partition(":")
        try:
            found: type[Any] = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError) as error:
            raise UsageError("--source", f"the source {self.name} of {self.package} cannot be loaded: {error}", advice=f"install {self.package} anew") from error
        if not (is_dataclass(found) and hasattr(found, "read")):
            raise UsageError("--source", f"{self.place} is no source", allowed="a frozen dataclass with a method read")
        return found


_HERE = "gammastar.store.sources."
_OURS = (
    SourceEntry("bars", f"{_HERE}raw_bars:RawBars", "bars as traded with dividends and splits: a CSV or Parquet file"),
    SourceEntry("crsp", f"{_HERE}crsp_legacy:CrspLegacy", "CRSP daily stock file, legacy layout: a folder with dsf, msenames, dsedelist, dsp500list"),
    SourceEntry("crsp-ciz", f"{_HERE}crsp_ciz:CrspCiz", "CRSP daily stock file, CIZ layout: a folder with dsf_v2, stksecurityinfohist, dsp500list_v2"),
    SourceEntry("french", f"{_HERE}french:FrenchPortfolios", "portfolios of Kenneth French's data library: a monthly CSV"),
    SourceEntry("ishares", f"{_HERE}holdings:FundHoldings", "fund holdings as index weights, iShares layout: a CSV, or a folder with one a date"),
    SourceEntry("norgate", f"{_HERE}norgate:NorgateCsv", "export of Norgate Data: a folder with a CSV a symbol"),
    SourceEntry("sharadar", f"{_HERE}sharadar:Sharadar", "Sharadar: a folder with SEP, DAILY, TICKERS, SP500, ACTIONS"),
    SourceEntry("tables", f"{_HERE}tables:Tables", "pandas, Polars, Arrow or DuckDB tables under any names of columns (from Python)"),
    SourceEntry("yfinance", f"{_HERE}yahoo:YahooFrame", "a frame of yfinance (from Python)"),
)


def source_names() -> dict[str, SourceEntry]:
    """Return every source by name: ours first, then those of other packages, which cannot take our names."""
    found = {entry.name: entry for entry in _OURS}
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        package = point.dist.name if point.dist is not None else "another package"
        found.setdefault(point.name, SourceEntry(point.name, point.value, f"see the documentation of {package}", package))
    return found


def make_source(name: str, settings: Mapping[str, str]) -> Source:
    """Return a source with settings as people type them.

    Args:
        name: of `source_names`.
        settings: values of its fields, as texts.

    Raises:
        UsageError: no such source or setting, or a value that the setting cannot have.
    """
    known = source_names()
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
        advice = f"write --source {close[0]}" if close else "gammastar data sources lists them"
        raise UsageError("--source", "no such source", got=name, allowed=", ".join(known), advice=advice)
    kind = known[name].load()
    hints = typing.get_type_hints(kind)
    allowed = [item.name for item in fields(kind) if item.init]
    values: dict[str, Any] = {}
    for key, text in settings.items():
        if key not in allowed:
            close = difflib.get_close_matches(key, allowed, n=1, cutoff=0.4)
            raise UsageError("--set", f"{name} has no such setting", got=key, allowed=", ".join(allowed), advice=f"write --set {close[0]}=..." if close else None)
        values[key] = _value(key, text, hints[key])
    lost = [item.name for item in fields(kind) if item.init and item.default is MISSING and item.default_factory is MISSING and item.name not in values]
    if lost:
        raise UsageError("--set", f"{name} needs {', '.join(lost)}", advice=f"write --set {lost[0]}=...")
    return typing.cast("Source", kind(**values))


def _value(key: str, text: str, kind: Any) -> Any:
    """Return a text as a value of a field's type."""
    kinds = [option for option in (typing.get_args(kind) if isinstance(kind, UnionType) else (kind,)) if option is not NoneType]
    for option in kinds:
        try:
            return _read(text, option)
        except (KeyError, ValueError):
            continue
    words = [", ".join(str(member.value) for member in option) if isinstance(option, type) and issubclass(option, Enum) else getattr(option, "__name__", str(option)) for option in kinds]
    raise UsageError(f"--set {key}", "this setting cannot have such a value", got=text, allowed=" or ".join(words))


def _read(text: str, kind: Any) -> Any:
    if kind is bool:
        return {"true": True, "yes": True, "false": False, "no": False}[text.lower()]
    if kind in {int, float, str, Path} or (isinstance(kind, type) and issubclass(kind, Enum)):
        return kind(text)
    raise ValueError(text)
