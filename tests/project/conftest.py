"""The tree that the project's tests read."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MADE = {".git", ".venv", "build", "dist", "__pycache__"}


@dataclass(frozen=True)
class Tree:
    root: Path
    files: tuple[Path, ...]  # all that a person wrote, relative to the root

    def text(self, file: Path | str) -> str:
        return (self.root / file).read_text(encoding="utf-8")

    def matching(self, *patterns: str) -> list[Path]:
        return [file for file in self.files if any(file.match(pattern) for pattern in patterns)]

    @property
    def source(self) -> list[Path]:
        return [file for file in self.files if file.parts[:2] == ("src", "gammastar") and file.suffix == ".py"]


def _written() -> tuple[Path, ...]:
    found: list[Path] = []
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in MADE and (not name.startswith(".") or name == ".ci")]
        found += [Path(folder).relative_to(ROOT) / name for name in files if not name.endswith((".pyc", ".coverage"))]
    return tuple(sorted(found))


@pytest.fixture(scope="session")
def tree() -> Tree:
    return Tree(ROOT, _written())
