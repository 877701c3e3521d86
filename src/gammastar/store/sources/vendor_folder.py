"""A folder of a vendor's tables: each found by its name."""

from __future__ import annotations

__all__ = ["find_table"]

import re
from typing import TYPE_CHECKING

from gammastar.errors import DataError, Finding

if TYPE_CHECKING:
    from pathlib import Path


def find_table(folder: Path, names: tuple[str, ...], *, needed: bool = True) -> Path | None:
    """Return the CSV or Parquet file whose name has one of `names` as a word: ``SHARADAR_SEP_2.csv`` has the word SEP.

    Raises:
        DataError: there is none though it is needed, or there are several.
    """
    if not folder.is_dir():
        raise DataError(str(folder), "this source reads a folder", findings=(Finding(folder.name, "dataset-not-folder", "it is none"),), advice="give the folder that holds the vendor's tables")
    words = re.compile(rf"(?:^|[^a-z0-9])(?:{'|'.join(names)})(?:[^a-z0-9]|$)", re.I)
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in {".csv", ".parquet"} and words.search(path.stem.lower()))
    if len(found) > 1:
        told = ", ".join(path.name for path in found)
        raise DataError(str(folder), f"{len(found)} files could be {names[0]}", findings=(Finding(told, "file-ambiguous", "keep one of them"),), advice="move the others elsewhere")
    if not found and needed:
        raise DataError(str(folder), f"there is no table {names[0]}", findings=(Finding(folder.name, "file-absent", f"no file {names[0]}.csv or {names[0]}.parquet"),),
                        allowed=" or ".join(names), advice="download it too")
    return found[0] if found else None
