"""What a store holds, kept up to date from one append to the next without reading all of it."""

from __future__ import annotations

__all__ = ["held_by", "holds"]

from typing import TYPE_CHECKING, Any

import numpy as np

from gammastar.errors import DataError
from gammastar.store.completeness import monthly_dates
from gammastar.store.contents import Held
from gammastar.store.folder import Store
from gammastar.store.queries import Queries

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gammastar.store.contents import Dataset
    from gammastar.store.revisions import Revised
    from gammastar.store.writing import Draft


def held_by(store: Store) -> Held:
    """Return what new rows must fit: assets, sessions, how far knowledge reaches."""
    with Queries.of(store.view(store.known)) as queries:
        ids = tuple(str(asset) for asset in queries.ask("assets")["asset_id"])
    return Held(ids, store.days, store.known)


def holds(facts: dict[str, Any], draft: Draft, content: Dataset, revised: Mapping[str, Revised]) -> dict[str, Any]:
    """Return the manifest with counts, spans and frequencies brought up to date.

    Args:
        facts: the manifest so far.
        draft: with the new files.
        content: the new rows.
        revised: what they are.
    """
    found = dict(facts["report"]["found"])
    reach, files = dict(facts["reach"]), {name: dict(about) for name, about in found["files"].items()}
    for name, part in revised.items():
        if not len(part.table):
            continue
        last = str(part.table.dates["date"].max())
        about = files.setdefault(name, {"file": part.table.file, "rows": 0, "from": str(part.table.dates["date"].min()), "to": last, "ignored_columns": []})
        about["rows"] += len(part.table)
        about["to"] = reach[name] = max(about["to"], last)
        if name == "members" and content.groups:
            reach["groups"] = reach[name]
    found |= {"files": files, "assets": len(content.ids), "sessions": len(content.days) - 1}
    told = {**facts, "reach": reach, "files": draft.files, "report": {**facts["report"], "found": found}}
    if "members" in revised and len(revised["members"].table):
        _tell_members(told, draft)
    if "returns" in revised and "daily" in found["panels"]:
        span = dict(found["panels"]["daily"])
        span["sessions"] += int(np.searchsorted(content.days, np.datetime64(reach["returns"]))) - int(np.searchsorted(content.days, np.datetime64(span["to"])))
        found["panels"] = {**found["panels"], "daily": {**span, "to": reach["returns"]}}
    return told


def _tell_members(told: dict[str, Any], draft: Draft) -> None:
    """Bring up to date what depends on snapshots: their number, the labels of groups, whether there is a monthly panel."""
    store, found = Store(draft.folder, told), told["report"]["found"]
    with Queries.of(store.view(store.known)) as queries:
        rows = queries.ask("snapshots")
        labels = [str(label) for label in queries.ask("labels")["label"]]
        groups = queries.ask("attributes") if queries.view.files.get("groups") else {"attribute": np.array([]), "label": np.array([])}
    dates = rows["date"].astype("datetime64[D]")
    found["snapshots"] = len(dates)
    found["sectors"] = list(dict.fromkeys((*found["sectors"], *sorted(labels))))
    counted = {name: sum(1 for attribute, label in zip(groups["attribute"], groups["label"], strict=True) if attribute == name and label is not None) for name in {*groups["attribute"].tolist()}}
    found["groups"] = {**found["groups"], **{name: max(count, found["groups"].get(name, 0)) for name, count in sorted(counted.items())}}
    regular = monthly_dates(dates, on_time=bool(rows["on_time"].all())) and bool(rows["forward"].any())
    told["frequencies"] = [name for name in ("daily", "monthly") if (name == "daily" and "daily" in told["frequencies"]) or (name == "monthly" and regular)]
    if not told["frequencies"]:
        raise DataError(str(draft.folder), "with these snapshots the store would have no panel: they are not one a month", advice="append daily returns, or leave these snapshots out")
    panels = {name: span for name, span in found["panels"].items() if name != "monthly"}
    if regular:
        panel = Store(draft.folder, told).panel("monthly")
        panels["monthly"] = {"from": str(panel.sessions[0]), "to": str(panel.sessions[-1]), "sessions": len(panel), "prices": False}
    found["panels"] = panels
