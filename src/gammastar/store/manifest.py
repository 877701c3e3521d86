"""The manifest of a store: what it says of itself, and which Parquet files hold its rows. Replacing it is the commit of every change."""

from __future__ import annotations

__all__ = ["AGAIN", "MANIFEST", "SCHEMA_VERSION", "encode", "file_facts", "files_named", "read_manifest", "unreferenced"]

import json
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from gammastar.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pyarrow as pa

SCHEMA_VERSION = 2
"""Version of the layout of a store. Another version is refused: ingest the dataset again."""

MANIFEST = "store.json"
AGAIN = "run `gammastar ingest DATASET --into STORE` again"
_FORMAT = "gammastar-store"
_OURS = re.compile(r"(groups|index|members|returns|sessions)-\d{6}\.parquet|store\.json\.new")
_NEEDED = {"fingerprint", "frequencies", "files", "report", "calendar", "source", "declared", "known", "entries", "sessions", "reach"}


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of a store.

    Raises:
        DataError: there is none, it is damaged, or it has another schema version.
    """
    file = folder / MANIFEST
    if not file.is_file():
        raise DataError(str(folder), f"not a store: it has no {MANIFEST}", advice=AGAIN)
    try:
        manifest = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(str(file), "the manifest of the store is damaged", advice=AGAIN) from error
    if not isinstance(manifest, dict) or manifest.get("format") != _FORMAT:
        raise DataError(str(file), "not the manifest of a store", advice=AGAIN)
    if manifest.get("schema_version") != SCHEMA_VERSION:
        got, what = manifest.get("schema_version"), "the store was written with another schema"
        raise DataError(str(folder), what, got=got, allowed=f"schema version {SCHEMA_VERSION}", advice=AGAIN)
    if not manifest.keys() >= _NEEDED:
        lacking = ", ".join(sorted(_NEEDED - manifest.keys()))
        raise DataError(str(file), "the manifest of the store is damaged", got=f"no {lacking}", advice=AGAIN)
    return manifest


def files_named(folder: Path) -> set[str]:
    """Return the Parquet files that the manifest of any version of a store names; none where it cannot be read."""
    try:
        names = list(json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"])
    except (OSError, ValueError, LookupError, TypeError):
        return set()
    return {name for name in names if isinstance(name, str) and re.fullmatch(r"[a-z]+(-\d+)?\.parquet", name)}


def encode(content: Mapping[str, Any]) -> bytes:
    """Return a manifest as it is written."""
    head = {"format": _FORMAT, "schema_version": SCHEMA_VERSION}
    return (json.dumps({**head, **content}, indent=1, ensure_ascii=False) + "\n").encode()


def file_facts(table: str, rows: pa.Table, content: bytes, digest: str) -> dict[str, Any]:
    """Return what the manifest says of one Parquet file: table, size, checksum; entries and knowledge times of its rows, and whether each was known on its date."""
    facts: dict[str, Any] = {"table": table, "bytes": len(content), "sha256": digest, "rows": rows.num_rows}
    if table != "sessions":
        known, entry = rows["known"].to_numpy().astype("datetime64[D]"), rows["entry"].to_numpy()
        facts["known"] = [str(known.min()), str(known.max())]
        facts["entries"] = [int(np.min(entry)), int(np.max(entry))]
        facts["prompt"] = bool((known <= rows["date"].to_numpy().astype("datetime64[D]")).all())
    return facts


def unreferenced(folder: Path, manifest: Mapping[str, Any] | None) -> list[Path]:
    """Return files of ours that a manifest does not refer to: what a killed writer left, or what was merged into others."""
    held = set() if manifest is None else set(manifest["files"])
    return sorted(path for path in folder.iterdir() if _OURS.fullmatch(path.name) and path.name not in held)
