"""Writing a store: files first, then the manifest that refers to them. A process that dies in between has changed nothing."""

from __future__ import annotations

__all__ = ["Draft", "change_store", "check_target", "write_store"]

import contextlib
import hashlib
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet

from gammastar.errors import DataError, StaleDataError
from gammastar.store.disk import commit_file, only_writer, remove, sync_folder, told_as_data_errors, write_file
from gammastar.store.manifest import AGAIN, MANIFEST, encode, file_facts, files_named, read_manifest, unreferenced

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass
class Draft:
    """A change that is being written; nothing refers to it until `commit`.

    Args:
        folder: where files go.
        files: what the manifest will say of them.
        content: the manifest to commit, set by `commit`.
    """

    folder: Path
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    content: Mapping[str, Any] | None = None

    @property
    def next_number(self) -> int:
        """A number that no file here has in its name."""
        return 1 + max((int(path.stem[-6:]) for path in self.folder.glob("*-??????.parquet") if path.stem[-6:].isdecimal()), default=0)

    def put(self, table: str, rows: pa.Table, number: int) -> str:
        """Write the Parquet file of some rows, and return its name."""
        buffer = pa.BufferOutputStream()
        pa.parquet.write_table(rows, buffer, compression="zstd")
        content = buffer.getvalue().to_pybytes()
        name = f"{table}-{number:06d}.parquet"
        write_file(self.folder / name, content)
        self.files[name] = file_facts(table, rows, content, hashlib.sha256(content).hexdigest())
        return name

    def commit(self, content: Mapping[str, Any]) -> None:
        """Let the store be what `content` and the files say, once the block ends."""
        self.content = content


def check_target(into: Path) -> None:
    """Check that a store may be written at `into`.

    Raises:
        DataError: there is something else.
    """
    if into.is_dir():
        if (into / MANIFEST).is_file() or not any(into.iterdir()):
            return
        raise DataError(
            str(into), "the folder is not empty and is not a store", advice="choose a folder of its own for the store"
        )
    if into.exists() or into.is_symlink():
        raise DataError(str(into), "there is a file where the store should be", advice="choose another path")


@contextmanager
def write_store(into: Path) -> Iterator[Draft]:
    """Give a draft of a whole store; when the block ends well it takes the place of what was at `into`, in one step.

    Where there is a store, new files are written beside its own and its manifest is replaced; else a folder is filled beside it and
    renamed. A process that dies leaves the old store, or none if there was none; what else it left is cleaned up here the next time.

    Raises:
        DataError: something else is at `into`, another process writes there, or the disk fails.
    """
    check_target(into)
    with told_as_data_errors(into):
        into.parent.mkdir(parents=True, exist_ok=True)
        with only_writer(into):
            for stale in into.parent.glob(f".{into.name}.writing-*"):
                shutil.rmtree(stale, ignore_errors=True)
            within = (into / MANIFEST).is_file()
            folder = into if within else Path(tempfile.mkdtemp(prefix=f".{into.name}.writing-", dir=into.parent))
            replaced = files_named(into)
            before = {path.name for path in folder.iterdir()}
            draft = Draft(folder)
            try:
                yield draft
                _commit(draft, into)
            except BaseException:
                _undo(folder, before, whole=not within)
                raise
            for path in (*unreferenced(into, {"files": draft.files}), *(into / name for name in replaced - draft.files.keys())):
                remove(path)


@contextmanager
def change_store(into: Path) -> Iterator[Draft]:
    """Give a draft that holds the files of the store at `into`; if the block commits it, the store is the draft, in one step.

    Raises:
        StaleDataError: there is no store.
        DataError: another process writes there, the store is damaged, or the disk fails.
    """
    if not into.is_dir():
        raise StaleDataError(str(into), "there is no store", advice=AGAIN)
    with told_as_data_errors(into), only_writer(into):
        manifest = read_manifest(into)
        for path in unreferenced(into, manifest):
            remove(path)
        draft, before = Draft(into, dict(manifest["files"])), {path.name for path in into.iterdir()}
        try:
            yield draft
            if draft.content is not None:
                _commit(draft, into)
        except BaseException:
            _undo(into, before, whole=False)
            raise


def _commit(draft: Draft, into: Path) -> None:
    """Let the draft be the store."""
    if draft.content is None:
        raise AssertionError("a draft without a manifest")
    content = encode({**draft.content, "files": draft.files})
    if draft.folder == into:
        sync_folder(into)
        commit_file(into / MANIFEST, content)
        return
    write_file(draft.folder / MANIFEST, content)
    draft.folder.chmod(0o755)
    sync_folder(draft.folder)
    draft.folder.rename(into)
    with contextlib.suppress(OSError):
        sync_folder(into.parent)


def _undo(folder: Path, before: set[str], *, whole: bool) -> None:
    """Remove what a draft that came to nothing has written."""
    if whole:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        for path in unreferenced(folder, {"files": before}):
            remove(path)
