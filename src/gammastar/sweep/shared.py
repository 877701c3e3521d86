"""One panel for many processes: its arrays lie in one file that every process maps into memory, read-only and once."""

from __future__ import annotations

__all__ = ["open_shared", "share"]

import mmap
import pickle
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gammastar.market.panel import Panel

ALIGNED = 64
"""Arrays begin at multiples of this many bytes."""
ARRAYS, REST = "arrays", "panel.pickle"


def share(panel: Panel, folder: Path) -> None:
    """Write a panel's arrays to one file of `folder`, and what holds them together to another."""
    panel.fingerprint, panel.benchmark_returns, panel.index_change  # noqa: B018 - found once here, not once in every process
    buffers: list[pickle.PickleBuffer] = []
    told = pickle.dumps(panel, protocol=5, buffer_callback=buffers.append)
    places = []
    with (folder / ARRAYS).open("wb") as stream:
        for buffer in buffers:
            stream.write(bytes(-stream.tell() % ALIGNED))
            places.append((stream.tell(), buffer.raw().nbytes))
            stream.write(buffer.raw())
    (folder / REST).write_bytes(pickle.dumps((told, places)))


@lru_cache(maxsize=1)
def open_shared(folder: str) -> Panel:
    """Return the panel that `share` wrote, without a copy of its arrays; a process opens it once."""
    told, places = pickle.loads((Path(folder) / REST).read_bytes())  # noqa: S301 - this run's own file
    with (Path(folder) / ARRAYS).open("rb") as stream:
        memory = memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))
    panel: Panel = pickle.loads(told, buffers=[memory[at : at + size] for at, size in places])  # noqa: S301
    return panel
