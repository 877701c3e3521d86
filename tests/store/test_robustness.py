"""A process that dies, or a disk that refuses, at any point: the store opens and holds the old state whole or the new one."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from gammastar.errors import DataError
from gammastar.store import append, ingest, open_store, override_return

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CALLS = ("open", "write", "fsync", "replace", "rename", "mkdir", "unlink")
"""Every call by which a store touches the disk; Parquet is made in memory and written by them."""


@dataclass(frozen=True)
class Deed:
    """Something that changes a store.

    Args:
        before: the store it starts from, or None.
        act: does it to the store at a path.
        old, new: what the store says before (None: there is none) and after.
    """

    before: Path | None
    act: Callable[[Path], Any]
    old: tuple[str, str] | None
    new: tuple[str, str]

    def begin(self, home: Path) -> Path:
        home.mkdir(parents=True)
        if self.before is not None:
            shutil.copytree(self.before, home / "store")
        return home / "store"

    def judge(self, store: Path) -> str:
        """Return whether the store holds the old state or the new one, all of it."""
        if self.old is None and not store.exists():
            return "old"
        held = says(store)
        assert held in (self.old, self.new)
        return "new" if held == self.new else "old"

    def mend(self, store: Path) -> None:
        """Do it again, undisturbed: the answer is that of a run that was never disturbed, and nothing is left lying about."""
        self.act(store)
        assert says(store) == self.new
        assert [path.name for path in store.parent.iterdir()] == ["store"]


def says(store: Path) -> tuple[str, str]:
    held = open_store(store)
    return held.fingerprint, held.panel().fingerprint


@pytest.fixture(scope="module")
def deeds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Deed]:
    """A first ingest, an ingest over a store, an append of sessions and a correction, and one that merges files."""
    from tests.store.conftest import make_draft

    base = tmp_path_factory.mktemp("deeds")

    def of(name: str, keep: Callable[[Any], Any], seed: int = 0) -> Path:
        draft = make_draft(seed, names=6, end="2018-12-31")
        for table in ("members", "returns"):
            rows = getattr(draft, table)
            kept = rows[keep(rows["date"])]
            setattr(draft, table, kept if len(kept) else None)
        return draft.write(base / name)

    first, other = of("first", lambda date: date <= "2018-11-30"), of("other", lambda date: date <= "2018-12-31", seed=1)
    days = sorted(set(make_draft(0, names=6, end="2018-12-31").returns["date"]))
    days = [day for day in days if day > "2018-11-30"]
    fresh = of("fresh", lambda date: date.between("2018-12-03", "2018-12-14"))
    ingest(first, base / "begun")
    shutil.copytree(base / "begun", base / "full")
    for day in days[:15]:
        append(of(day, lambda date, day=day: date == day), base / "full")
    last = of("last", lambda date: date == days[15])
    made = {
        "first ingest": (None, lambda store: ingest(first, store)),
        "ingest over a store": (base / "begun", lambda store: ingest(other, store)),
        "append": (base / "begun", lambda store: append(fresh, store)),
        "append that merges": (base / "full", lambda store: append(last, store)),
        "override": (base / "begun", lambda store: override_return(store, "14", "2018-11-20", 0.25, author="A", reason="a misprint")),
    }
    told = {}
    for number, (name, (before, act)) in enumerate(made.items()):
        blank = Deed(before, act, None, ("", ""))
        store = blank.begin(base / f"undisturbed{number}")
        act(store)
        told[name] = Deed(before, act, None if before is None else says(before), says(store))
    assert len(list((base / "undisturbed3" / "store").glob("returns-*.parquet"))) > len([name for name in open_store(base / "undisturbed3" / "store").manifest["files"] if name.startswith("returns")])
    return told


NAMES = ("first ingest", "ingest over a store", "append", "append that merges", "override")


@contextlib.contextmanager
def disturbed(when: Callable[[str, int], None]) -> Iterator[list[int]]:
    """Call `when(name, number)` before each call that touches the disk."""
    count = [0]

    def wrap(name: str, call: Any) -> Any:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            if name == "open" and not args[1] & (os.O_WRONLY | os.O_RDWR):
                return call(*args, **kwargs)
            count[0] += 1
            when(name, count[0])
            return call(*args, **kwargs)

        return wrapped

    with pytest.MonkeyPatch.context() as patch:
        for name in CALLS:
            patch.setattr(os, name, wrap(name, getattr(os, name)))
        yield count


def refusing(number: int, code: int, *, short: bool = False) -> Callable[[str, int], None]:
    """Let one call fail; with `short`, and each one after it but those that remove files: a disk that is full stays full."""

    def when(name: str, count: int) -> None:
        if count == number or (short and count > number and name in {"open", "write", "fsync", "mkdir"}):
            raise OSError(code, os.strerror(code))

    return when


def calls_of(deed: Deed, home: Path) -> int:
    store = deed.begin(home)
    with disturbed(lambda name, count: None) as count:
        deed.act(store)
    return count[0]


def refuse(deed: Deed, home: Path, when: Callable[[str, int], None]) -> str:
    store = deed.begin(home)
    with disturbed(when):
        try:
            deed.act(store)
        except DataError as error:
            state = str(error)
        else:
            state = "done"
    held = deed.judge(store)
    assert ("the store is as it was" in state, state == "done") == (held == "old", held == "new"), "what was said is what is"
    deed.mend(store)
    shutil.rmtree(home)
    return held


@pytest.mark.parametrize("name", NAMES)
def test_a_disk_that_refuses_at_any_call_leaves_the_old_state_or_the_new(name: str, deeds: dict[str, Deed], tmp_path: Path) -> None:
    deed = deeds[name]
    total = calls_of(deed, tmp_path / "count")
    assert total >= 14
    ends = set()
    for number in range(1, total + 1):
        code = (errno.ENOSPC, errno.EIO)[number % 2]
        ends.add(refuse(deed, tmp_path / str(number), refusing(number, code, short=code == errno.ENOSPC)))
    assert ends == {"old", "new"}


@pytest.mark.slow
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EROFS])
@pytest.mark.parametrize("short", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_a_disk_that_refuses_in_any_way(name: str, code: int, short: bool, deeds: dict[str, Deed], tmp_path: Path) -> None:
    deed = deeds[name]
    for number in range(1, calls_of(deed, tmp_path / "count") + 1):
        refuse(deed, tmp_path / str(number), refusing(number, code, short=short))


@pytest.mark.parametrize("name", NAMES)
def test_half_a_write_and_then_nothing_more(name: str, deeds: dict[str, Deed], tmp_path: Path) -> None:
    """A disk takes what fits and then refuses: the rest of a file never comes."""
    deed, write = deeds[name], os.write
    for number in (1, 2) if name == "override" else (2, 4):  # it writes a table and the manifest
        store, seen = deed.begin(tmp_path / str(number)), [0]

        def part(descriptor: int, content: Any, seen: list[int] = seen, number: int = number) -> int:
            seen[0] += 1
            if seen[0] > number:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return write(descriptor, content[: max(1, len(content) // 2)] if seen[0] == number else content)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "write", part)
            with pytest.raises(DataError, match="No space left"):
                deed.act(store)
        assert deed.judge(store) == "old"
        deed.mend(store)


def killed(deed: Deed, store: Path, number: int | None, delay: float) -> bool:
    """Do it in a process that is killed before one of its calls, or some time after it began; return whether it was."""
    child = os.fork()
    if child == 0:
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            with disturbed(lambda name, count: os.kill(os.getpid(), signal.SIGKILL) if count == number else None):
                deed.act(store)
        finally:
            os._exit(0)
    if number is None:
        time.sleep(delay)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def kill_often(count: int, deeds: dict[str, Deed], home: Path) -> dict[str, int]:
    """Kill a process at random points: half of them before a call that touches the disk, half at a random time."""
    rng, met = np.random.default_rng(9), {"killed": 0, "old": 0, "new": 0}
    lasts, calls = {}, {}
    for name, deed in deeds.items():
        began = time.perf_counter()
        calls[name] = calls_of(deed, home / f"count {name}")
        lasts[name] = time.perf_counter() - began
    for number in range(count):
        name = NAMES[number % len(NAMES)]
        deed = deeds[name]
        store = deed.begin(home / str(number))
        at = int(rng.integers(1, calls[name] + 1)) if number % 8 < 4 else None
        met["killed"] += killed(deed, store, at, float(rng.uniform(0.0, 1.2 * lasts[name])))
        met[deed.judge(store)] += 1
        deed.mend(store)
        shutil.rmtree(home / str(number))
    return met


def test_kill_9_at_20_points(deeds: dict[str, Deed], tmp_path: Path) -> None:
    met = kill_often(20, deeds, tmp_path)
    assert met["killed"] >= 10
    assert met["old"] >= 5


@pytest.mark.slow
def test_kill_9_at_200_points(deeds: dict[str, Deed], tmp_path: Path) -> None:
    met = kill_often(200, deeds, tmp_path)
    assert met["killed"] >= 100
    assert min(met["old"], met["new"]) >= 10
