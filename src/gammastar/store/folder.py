"""A store: one folder with Parquet files and a manifest."""

from __future__ import annotations

__all__ = ["Store", "open_store", "parse_known"]

import datetime as dt
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gammastar.errors import DataError, StaleDataError, UsageError
from gammastar.store.disk import digest_file
from gammastar.store.manifest import AGAIN, read_manifest
from gammastar.store.panels import Labels, build_daily, build_monthly
from gammastar.store.queries import Queries, View
from gammastar.store.sessions import sessions_after
from gammastar.store.vintages import Past

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy import ndarray

    from gammastar.market.panel import Panel
    from gammastar.store.panels import Built, Frame

_BUILDERS = {"daily": build_daily, "monthly": build_monthly}


@dataclass(frozen=True, eq=False)
class Store:
    """A stored dataset with all that was appended to it.

    Args:
        path: the folder.
        manifest: what it says of itself: versions, fingerprint, dates, counts.
    """

    path: Path
    manifest: Mapping[str, Any]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the content: of the rows ingested, in any order or file format, and of each append after them."""
        return str(self.manifest["fingerprint"])

    @property
    def frequencies(self) -> tuple[str, ...]:
        """Frequencies of the panels it can give; the first is the default."""
        return tuple(self.manifest["frequencies"])

    @property
    def known(self) -> np.datetime64:
        """The last time at which anything became known. What was known earlier never changes; this day is open until a later one begins."""
        return np.datetime64(self.manifest["known"], "D")

    @cached_property
    def days(self) -> ndarray:
        """The exchange's sessions from the first snapshot to the last date, and the one that follows."""
        import pyarrow.parquet

        table = pyarrow.parquet.read_table(self.path / self.manifest["sessions"])
        return np.asarray(table["session"].to_numpy().astype("datetime64[D]"))

    def status(self) -> dict[str, Any]:
        """Return what the store holds: schema version, dates, rows, assets, sessions, missing share, fingerprint, frequencies."""
        report = self.manifest["report"]
        keys = ("schema_version", "source", "calendar", "fingerprint", "frequencies", "known")
        return {
            "path": str(self.path),
            **{key: self.manifest[key] for key in keys},
            "entries": len(self.manifest["entries"]),
            "corrections": sum("signed" in entry for entry in self.manifest["entries"]),
            **report["found"],
            "missing": report["missing"],
        }

    def staleness(self, on: np.datetime64) -> dict[str, int]:
        """Return how many sessions each panel lacks at the close of a date: those after its last, up to that date; of a monthly one, month ends.

        A session that is still to come, or a day on which the exchange is closed, does not make data stale.

        Raises:
            DataError: the exchange's calendar does not reach the date.
        """
        lacking = {}
        for name, span in self.manifest["report"]["found"]["panels"].items():
            last = np.datetime64(span["to"], "D")
            days = sessions_after(str(self.manifest["calendar"]), last, on)
            months = days.astype("datetime64[M]")
            ends = (months[:-1] != months[1:]) & (months[:-1] > last.astype("datetime64[M]"))
            lacking[name] = int(ends.sum()) if name == "monthly" else len(days) - 1
        return lacking

    def panel(self, frequency: str | None = None, *, known: str | np.datetime64 | None = None) -> Panel:
        """Return the market as a panel, as it was known at some time.

        Of each fact the last version known by then is shown, if its first was known on its own date; one that came later counts as missing.
        `Panel.moment` shows what was known at its own session, corrections that came after it undone.

        Args:
            frequency: ``"daily"`` or ``"monthly"``; by default daily when there are daily returns.
            known: everything known on or before this date; by default all that is known.

        Raises:
            UsageError: no such frequency, or `known` is not a date.
            StaleDataError: nothing was known then.
            DataError: the store has no returns of that frequency, or cannot be read.
        """
        return self.build(frequency or self.frequencies[0], known=known)[0].panel

    def build(self, *frequencies: str, known: str | np.datetime64 | None = None) -> tuple[Built, ...]:
        """Return panels together with the count of what was filled in each.

        Raises:
            UsageError: no such frequency.
            DataError: the store has no returns of that frequency, or cannot be read.
        """
        for frequency in frequencies:
            self._check_frequency(frequency)
        until = self.known if known is None else min(parse_known(known), self.known)
        with Queries.of(self.view(until)) as queries:
            built = tuple(_BUILDERS[frequency](queries, self.labels) for frequency in frequencies)
        return tuple(self._with_past(*pair, until) for pair in zip(built, frequencies, strict=True))

    def rebuild(self, frequency: str, frame: Frame, until: np.datetime64) -> Panel:
        """Return an earlier view of a panel, laid into its frame."""
        with Queries.of(self.view(until)) as queries:
            return _BUILDERS[frequency](queries, self.labels, frame).panel

    @property
    def labels(self) -> Labels:
        """What it says of itself, besides its rows."""
        said = self.manifest
        groups = {name: tuple(labels) for name, labels in said["declared"].items()}
        sectors = groups.pop("sector")
        return Labels(str(said["calendar"]), str(said["source"]), sectors, groups)

    def view(self, until: np.datetime64) -> View:
        """Return the files that hold what was known by then."""
        files: dict[str, tuple[Path, ...]] = {}
        prompt = set()
        held = [(facts["entries"][0], name, facts) for name, facts in self.manifest["files"].items() if facts["table"] != "sessions"]
        for _, name, facts in sorted(held, key=lambda item: item[:2]):
            if np.datetime64(facts["known"][0], "D") <= until:
                files[facts["table"]] = (*files.get(facts["table"], ()), self.path / name)
                if facts["prompt"] and np.datetime64(facts["known"][1], "D") <= until:
                    prompt.add(self.path / name)
        return View(self.path, files, until, frozenset(prompt), self.days)

    def _with_past(self, built: Built, frequency: str, until: np.datetime64) -> Built:
        """Return the panel with what it takes to undo corrections, where there were any."""
        past = Past.of(self, frequency, built, until)
        return built if past is None else replace(built, panel=replace(built.panel, past=past))

    def _check_frequency(self, frequency: str) -> None:
        if frequency not in _BUILDERS:
            raise UsageError("panel", "no such frequency", got=frequency, allowed="daily, monthly")
        if frequency not in self.frequencies:
            need = {
                "daily": "daily returns (a `returns` file)",
                "monthly": "one snapshot a month, each with `forward_return`",
            }
            what = f"the store has no {frequency} panel: the dataset had no {need[frequency]}"
            raise DataError(str(self.path), what, allowed=", ".join(self.frequencies))


def parse_known(known: str | np.datetime64, where: str = "known") -> np.datetime64:
    """Return a knowledge time, or another date that `where` names; words such as "today" are none.

    Raises:
        UsageError: not a date.
    """
    try:
        return np.datetime64(dt.date.fromisoformat(str(known)), "D")
    except ValueError as error:
        raise UsageError(where, "this is not a date", got=str(known), allowed="YYYY-MM-DD", advice="write for instance 2019-11-29") from error


def open_store(path: Path | str) -> Store:
    """Open a store and check that it is whole.

    Raises:
        StaleDataError: there is no store.
        DataError: it has another schema version, or a file of it is missing or damaged.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise StaleDataError(str(folder), "there is no store", advice=AGAIN)
    manifest = read_manifest(folder)
    for name, facts in manifest["files"].items():
        file = folder / name
        if not file.is_file():
            raise DataError(str(file), "a file of the store is missing", advice=AGAIN)
        if digest_file(file) != facts["sha256"]:
            raise DataError(str(file), "the file is not what was stored: it is damaged or was changed", advice=AGAIN)
    return Store(folder, manifest)
