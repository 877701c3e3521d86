"""Earlier views of a store's panel: what it takes to undo, at each session, the corrections that came after it."""

from __future__ import annotations

__all__ = ["Past"]

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy import ndarray

    from gammastar.market.panel import Panel
    from gammastar.store.folder import Store
    from gammastar.store.panels import Built, Frame

_KEPT = 2  # views held at a time: a run goes through them in order


@dataclass(frozen=True, eq=False)
class Past:
    """Gives a panel as it was known at one of its sessions; views are built when they are asked for.

    Args:
        store: it comes from.
        frequency: of the panel.
        frame: its columns and labels.
        sessions: its dates.
        revised: as `gammastar.market.past.Past` says.
        fingerprint: likewise.
    """

    store: Store = field(repr=False)
    frequency: str
    frame: Frame = field(repr=False)
    sessions: ndarray = field(repr=False)
    revised: ndarray
    fingerprint: str
    _views: dict[int, Panel] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, store: Store, frequency: str, built: Built, until: np.datetime64) -> Past | None:
        """Return the past of a panel, or None if nothing in it was corrected after its date."""
        sessions, revised, told = built.panel.sessions, set(), []
        for entry in store.manifest["entries"]:
            for known, first in entry["corrected"]:
                learnt, true = np.searchsorted(sessions, np.array([known, first], dtype="datetime64[D]"))
                if np.datetime64(known, "D") <= until and true < learnt:
                    revised.add(int(learnt))
                    told.append((entry["fingerprint"], known))
        if not revised:
            return None
        return cls(store, frequency, built.frame, sessions, np.array(sorted(revised)), hashlib.sha256(repr(told).encode()).hexdigest())

    def panel(self, position: int) -> Panel:
        """Return the panel as known at the close of the session at `position`."""
        later = self.revised[self.revised > position]
        last = int(later[0]) - 1 if len(later) else len(self.sessions) - 1  # the views between two corrections tell the same
        if last not in self._views:
            while len(self._views) >= _KEPT:
                del self._views[next(iter(self._views))]
            self._views[last] = self.store.rebuild(self.frequency, self.frame, self.sessions[last])
        return self._views[last]
