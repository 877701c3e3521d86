"""The verb that starts a desk."""

from __future__ import annotations

__all__ = ["init_workspace"]

import importlib.resources
from typing import TYPE_CHECKING

from gammastar.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


def init_workspace(folder: Path) -> tuple[Path, ...]:
    """Write a workspace template: a commented mandate, a dataset mapping, and a note on what goes where. Existing files are kept.

    Raises:
        UsageError: the folder is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(str(folder), "this is a file", advice="name a folder")
    written = []
    source = importlib.resources.files("gammastar") / "templates"
    for name in ("mandate.toml", "dataset.toml", "README.md"):
        path = folder / name
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text((source / name).read_text(encoding="utf-8"), encoding="utf-8")
            written.append(path)
    return tuple(written)
