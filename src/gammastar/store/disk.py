"""Everything a store does to the disk, in one place: files that are written whole, one commit, one writer at a time."""

from __future__ import annotations

__all__ = ["commit_file", "digest_file", "only_writer", "remove", "sync_folder", "told_as_data_errors", "write_file"]

import contextlib
import hashlib
import os
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gammastar.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PIECE = 1 << 22


def write_file(path: Path, content: bytes) -> None:
    """Write a file and make sure that it is on the disk, not only on its way.

    Raises:
        OSError: the disk is full or fails; what was written of the file may be there.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view[:_PIECE]) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def commit_file(path: Path, content: bytes) -> None:
    """Replace a file in one step: whoever opens it sees the old content whole or the new.

    Raises:
        OSError: the disk is full or fails; the old content stands.
    """
    fresh = path.with_name(path.name + ".new")
    write_file(fresh, content)
    os.replace(fresh, path)  # noqa: PTH105 (the one call that commits: tests wrap it)
    with contextlib.suppress(OSError):  # the new content stands; a folder that cannot be synced does not undo it
        sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make sure that a folder's names are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def digest_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def remove(path: Path) -> None:
    """Remove a file that nothing refers to; one that cannot be removed now goes the next time."""
    with contextlib.suppress(OSError):
        os.unlink(path)  # noqa: PTH108 (as in `commit_file`)


@contextmanager
def told_as_data_errors(store: Path) -> Iterator[None]:
    """Turn failures of the disk into a message that says what became of the store.

    Raises:
        DataError: in place of an OSError.
    """
    try:
        yield
    except OSError as error:
        what = f"the disk refused to write ({error.strerror or error}); the store is as it was"
        raise DataError(str(store), what, advice="make room, or mend the disk or its permissions, and repeat the command") from error


@contextmanager
def only_writer(store: Path) -> Iterator[None]:
    """Let one process at a time write a store; a second one is refused.

    The lock is `.NAME.lock` beside the store and holds the writer's process. It is the operating system's: it goes with the process that
    holds it, however that ends, so a file that a killed writer left is taken over without asking.

    Raises:
        DataError: another process is writing.
    """
    try:
        import fcntl
    except ImportError:  # not a Unix: two writers at once are the user's to avoid
        yield
        return
    lock = store.with_name(f".{store.name}.lock")
    while True:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(descriptor, 200).decode(errors="replace").strip() or "a process that has not said its name"
            os.close(descriptor)
            raise _busy(store, lock, holder) from error
        if _same(descriptor, lock):
            break
        os.close(descriptor)  # its holder removed it between the two calls
    try:
        with contextlib.suppress(OSError):  # who holds it is told to others; a full disk is found soon enough
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
        yield
    finally:
        try:
            remove(lock)
        finally:
            os.close(descriptor)


def _same(descriptor: int, lock: Path) -> bool:
    """Return whether the open file is still the one of that name."""
    try:
        return os.path.samestat(os.fstat(descriptor), lock.stat())
    except FileNotFoundError:
        return False


def _busy(store: Path, lock: Path, holder: str) -> DataError:
    advice = f"wait until it is done and repeat; if it hangs, end that process and the lock goes with it ({lock} may stay and does no harm)"
    return DataError(str(store), "another process is writing this store", got=holder, allowed="one writer at a time; readers do not wait", advice=advice)
