"""Many small files to fewer large ones: rows keep their order, so what is read from them is the same."""

from __future__ import annotations

__all__ = ["merge_files", "read_log"]

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet

from gammastar.errors import DataError
from gammastar.store.manifest import AGAIN

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from gammastar.store.writing import Draft

_MOST = 16  # files of one size before they are merged into one of the next


def read_log(folder: Path, files: Mapping[str, Any], table: str, *, since: Any = None) -> Any:
    """Return the rows of a table in the order in which they were learnt, or None if there is none.

    Args:
        folder: of the store.
        files: as the manifest tells them.
        table: its name.
        since: rows dated earlier are left out.

    Raises:
        DataError: a file cannot be read.
    """
    parts = []
    for name in _ordered(files, table):
        try:
            rows = pa.parquet.read_table(folder / name, filters=None if since is None else [("date", ">=", since)], use_threads=False)
        except (pa.ArrowException, OSError) as error:
            raise DataError(str(folder / name), f"a file of the store cannot be read: {error}", advice=AGAIN) from error
        parts.append(rows)
    return pa.concat_tables(parts, promote_options="default") if parts else None


def _ordered(files: Mapping[str, Any], table: str) -> list[str]:
    of_table = {name: facts["entries"][0] for name, facts in files.items() if facts["table"] == table}
    return sorted(of_table, key=of_table.__getitem__)


def merge_files(draft: Draft, number: int) -> None:
    """Merge the last files of each table where there are too many of about one size; the others stay as they are.

    Sixteen files of one entry make one of sixteen, sixteen of those one of 256: a year of sessions is at most some thirty files, and a
    row is rewritten once each time their number grows sixteenfold.
    """
    for table in ("members", "returns", "groups", "index"):
        names = [name for name in _ordered(draft.files, table) if draft.files[name]["entries"][0] > 0]
        size = 1
        while len(tail := _tail(draft.files, names, size)) >= _MOST:
            rows = read_log(draft.folder, {name: draft.files[name] for name in tail}, table)
            for name in tail:
                del draft.files[name]
            merged = draft.put(table, rows, number)
            draft.files[merged]["merged"] = size * _MOST
            names = [*names[: -len(tail)], merged]
            size *= _MOST


def _tail(files: Mapping[str, Any], names: list[str], size: int) -> list[str]:
    """Return the last files that were made of no more than `size` entries."""
    tail: list[str] = []
    for name in reversed(names):
        if files[name].get("merged", 1) > size:
            break
        tail.insert(0, name)
    return tail
