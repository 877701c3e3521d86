"""A store: one folder with Parquet files and a manifest, written whole or not at all."""

from __future__ import annotations

__all__ = ["SCHEMA_VERSION", "Store", "check_target", "open_store", "write_folder", "write_manifest"]

import hashlib
import json
import os
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gammastar.errors import DataError, StaleDataError, UsageError
from gammastar.store.panels import Labels, build_daily, build_monthly
from gammastar.store.quality.overrides import keep_corrections, read_corrections
from gammastar.store.queries import Queries

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gammastar.market.panel import Panel
    from gammastar.store.panels import Built

SCHEMA_VERSION = 1
"""Version of the layout of a store. Another version is refused: ingest the dataset again."""

_FORMAT = "gammastar-store"
_MANIFEST = "store.json"
_AGAIN = "run `gammastar ingest DATASET --into STORE` again"


@dataclass(frozen=True, eq=False)
class Store:
    """An ingested dataset.

    Args:
        path: the folder.
        manifest: what it says of itself: versions, fingerprint, dates, counts.
    """

    path: Path
    manifest: Mapping[str, Any]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the content, corrections included: the same rows in any order or file format give the same one."""
        return read_corrections(self.path).fingerprint(str(self.manifest["fingerprint"]))

    @property
    def frequencies(self) -> tuple[str, ...]:
        """Frequencies of the panels it can give; the first is the default."""
        return tuple(self.manifest["frequencies"])

    def status(self) -> dict[str, Any]:
        """Return what the store holds: schema version, dates, rows, assets, sessions, missing share, fingerprint, frequencies."""
        report = self.manifest["report"]
        keys = ("schema_version", "source", "calendar", "fingerprint", "frequencies")
        return {
            "path": str(self.path),
            **{key: self.manifest[key] for key in keys},
            "fingerprint": self.fingerprint,
            "corrections": len(read_corrections(self.path).in_force()),
            **report["found"],
            "missing": report["missing"],
        }

    def panel(self, frequency: str | None = None) -> Panel:
        """Return the market as a panel; by default the daily one when there are daily returns.

        Args:
            frequency: ``"daily"`` or ``"monthly"``.

        Raises:
            UsageError: no such frequency.
            DataError: the store has no returns of that frequency, or cannot be read.
        """
        return self.build(frequency or self.frequencies[0])[0].panel

    def build(self, *frequencies: str) -> tuple[Built, ...]:
        """Return panels together with the count of what was filled in each.

        Raises:
            UsageError: no such frequency.
            DataError: the store has no returns of that frequency, or cannot be read.
        """
        builders = {"daily": build_daily, "monthly": build_monthly}
        for frequency in frequencies:
            if frequency not in builders:
                raise UsageError("panel", "no such frequency", got=frequency, allowed="daily, monthly")
            if frequency not in self.frequencies:
                need = {
                    "daily": "daily returns (a `returns` file)",
                    "monthly": "one snapshot a month, each with `forward_return`",
                }
                what = f"the store has no {frequency} panel: the dataset had no {need[frequency]}"
                raise DataError(str(self.path), what, allowed=", ".join(self.frequencies))
        said = self.manifest
        groups = {name: tuple(labels) for name, labels in said.get("groups", {}).items()}  # a store may have none
        labels = Labels(str(said["calendar"]), str(said["source"]), tuple(said["sectors"]), groups, bool(said.get("traded", False)))
        with Queries.of(self.path) as queries:
            corrected = read_corrections(self.path).over(queries)
            return tuple(builders[frequency](corrected, labels) for frequency in frequencies)


def open_store(path: Path | str) -> Store:
    """Open a store and check that it is whole.

    Raises:
        StaleDataError: there is no store.
        DataError: it has another schema version, or a file of it is missing or damaged.
    """
    folder = Path(path)
    _recover(folder)
    if not folder.is_dir():
        raise StaleDataError(str(folder), "there is no store", advice=_AGAIN)
    manifest = _manifest(folder)
    for name, facts in manifest["files"].items():
        file = folder / name
        if not file.is_file():
            raise DataError(str(file), "a file of the store is missing", advice=_AGAIN)
        if _digest(file) != facts["sha256"]:
            raise DataError(str(file), "the file is not what was stored: it is damaged or was changed", advice=_AGAIN)
    return Store(folder, manifest)


def _manifest(folder: Path) -> dict[str, Any]:
    """Read and check the manifest."""
    file = folder / _MANIFEST
    if not file.is_file():
        raise DataError(str(folder), f"not a store: it has no {_MANIFEST}", advice=_AGAIN)
    try:
        manifest = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(str(file), "the manifest of the store is damaged", advice=_AGAIN) from error
    if not isinstance(manifest, dict) or manifest.get("format") != _FORMAT:
        raise DataError(str(file), "not the manifest of a store", advice=_AGAIN)
    if manifest.get("schema_version") != SCHEMA_VERSION:
        got = manifest.get("schema_version")
        raise DataError(
            str(folder),
            "the store was written with another schema",
            got=got,
            allowed=f"schema version {SCHEMA_VERSION}",
            advice=_AGAIN,
        )
    needed = {"fingerprint", "frequencies", "files", "report", "calendar", "source", "sectors"}
    if not needed <= manifest.keys():
        raise DataError(
            str(file),
            "the manifest of the store is damaged",
            got=f"no {', '.join(sorted(needed - manifest.keys()))}",
            advice=_AGAIN,
        )
    return manifest


def check_target(into: Path) -> None:
    """Check that a store may be written at `into`.

    Raises:
        DataError: there is something else.
    """
    _recover(into)
    if into.is_dir():
        if (into / _MANIFEST).is_file() or not any(into.iterdir()):
            return
        raise DataError(
            str(into), "the folder is not empty and is not a store", advice="choose a folder of its own for the store"
        )
    if into.exists() or into.is_symlink():
        raise DataError(str(into), "there is a file where the store should be", advice="choose another path")


@contextmanager
def write_folder(into: Path) -> Iterator[Path]:
    """Give an empty folder beside `into`; when the block ends well it takes the place of `into`, else it goes.

    A process that is killed leaves the old folder, or none if there was none. What it left beside it is cleaned up here the next time.
    """
    check_target(into)
    into.parent.mkdir(parents=True, exist_ok=True)
    with _alone(into.parent):
        for stale in into.parent.glob(f".{into.name}.writing-*"):
            shutil.rmtree(stale)
        fresh = Path(tempfile.mkdtemp(prefix=f".{into.name}.writing-", dir=into.parent))
        try:
            yield fresh
            keep_corrections(into, fresh)
            fresh.chmod(0o755)
            for file in (*fresh.iterdir(), fresh):
                _sync(file)
            _exchange(fresh, into)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)


def _retired(into: Path) -> Path:
    return into.with_name(f".{into.name}.retired")


def _exchange(fresh: Path, into: Path) -> None:
    """Let `fresh` take the place of `into`. Between the two renames the old folder waits beside; `_recover` knows where."""
    retired = _retired(into)
    if into.exists():
        shutil.rmtree(retired, ignore_errors=True)
        into.rename(retired)
    fresh.rename(into)
    _sync(into.parent)
    shutil.rmtree(retired, ignore_errors=True)


def _recover(into: Path) -> None:
    """Put back an old folder that a killed process had already moved aside."""
    retired = _retired(into)
    if retired.is_dir() and not into.exists():
        retired.rename(into)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let one process at a time write stores into `folder`; others wait."""
    try:
        import fcntl
    except ImportError:  # not a Unix: two ingests at once are the user's to avoid
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _sync(path: Path) -> None:
    """Make sure that a file or folder is on the disk, not only on its way."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_manifest(folder: Path, content: Mapping[str, Any]) -> dict[str, Any]:
    """Write the manifest of the Parquet files in `folder`, and return it."""
    files = {
        file.name: {"bytes": file.stat().st_size, "sha256": _digest(file)} for file in sorted(folder.glob("*.parquet"))
    }
    manifest = {"format": _FORMAT, "schema_version": SCHEMA_VERSION, **content, "files": files}
    (folder / _MANIFEST).write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return manifest
