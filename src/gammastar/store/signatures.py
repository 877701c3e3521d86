"""Who answers for a correction, and why: what the manifest says of a signed entry, and which stored rows are signed."""

from __future__ import annotations

__all__ = ["Signature", "signature_of", "signed_entries", "signed_rows", "warn_of_superseded"]

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gammastar.errors import UsageError
from gammastar.store.merging import read_log

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from gammastar.store.findings import Findings
    from gammastar.store.folder import Store
    from gammastar.store.revisions import Revised

_AUTHOR, _REASON = 100, 500
KEYS = {"returns": ["date", "asset_id"], "index": ["date"], "members": ["date", "asset_id"], "groups": ["date", "asset_id", "attribute"]}
"""What tells the rows of a table apart."""
NUMBERS = {"returns": ("total_return", "price", "split", "traded_value", "estimated"), "index": ("level",)}
"""What the rows of a table of numbers say."""


@dataclass(frozen=True)
class Signature:
    """Of a correction.

    Args:
        kind: `"override"`, `"quarantine"` or `"revoke"`.
        author: who answers for it, one line of up to 100 characters.
        reason: why, one line of up to 500.
        revokes: number of the correction that is taken back, or None.

    Raises:
        UsageError: an author or a reason that is empty, too long, or not one line of printable characters.
    """

    kind: str
    author: str
    reason: str
    revokes: int | None = None

    def __post_init__(self) -> None:
        for name, most in (("author", _AUTHOR), ("reason", _REASON)):
            text = getattr(self, name).strip()
            object.__setattr__(self, name, text)
            if not text or len(text) > most or not text.isprintable():
                what = "is empty" if not text else f"has {len(text)} characters" if len(text) > most else "has line breaks or control characters"
                raise UsageError(f"--{name}", f"the {name} of a correction {what}", allowed=f"one line of 1 to {most} printable characters",
                                 advice=f"say {'who answers for it' if name == 'author' else 'why the stored value is wrong'}")  # fmt: skip

    def __str__(self) -> str:
        """Return one line."""
        return f"{self.kind} by {self.author}: {self.reason}"

    def to_dict(self) -> dict[str, Any]:
        """Return what the manifest keeps."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def signed_entries(store: Store) -> dict[int, dict[str, Any]]:
    """Return what the manifest says of the signed entries of a store, by number."""
    return {entry["number"]: entry for entry in store.manifest["entries"] if "signed" in entry}


def signature_of(entry: Mapping[str, Any]) -> Signature:
    """Return the signature of a signed entry of the manifest."""
    return Signature(**entry["signed"])


def signed_rows(store: Store, table: str, numbers: set[int]) -> pd.DataFrame | None:
    """Return all versions of the rows of a table that some entries have touched, in the order in which they were learnt; None where there are none."""
    files = {name: facts for name, facts in store.manifest["files"].items() if facts["table"] == table}
    touched = {name: facts for name, facts in files.items() if any(facts["entries"][0] <= number <= facts["entries"][1] for number in numbers)}
    rows = read_log(store.path, touched, table) if touched else None
    if rows is None:
        return None
    of_them = rows.filter(np.isin(rows["entry"].to_numpy(), sorted(numbers))).to_pandas()
    if not len(of_them):
        return None
    log = read_log(store.path, files, table, since=of_them["date"].min())
    kept = log.filter(np.isin(log["date"].to_numpy().astype("datetime64[D]"), of_them["date"].to_numpy().astype("datetime64[D]"))).to_pandas()
    for frame in (kept, of_them):
        frame["date"] = frame["date"].astype("datetime64[ns]")
        for name in KEYS[table][1:]:
            frame[name] = frame[name].astype(str)
    keys = of_them[KEYS[table]].drop_duplicates()
    versions: pd.DataFrame = kept.merge(keys, on=KEYS[table], how="inner").sort_values("entry", kind="stable").reset_index(drop=True)
    return versions


def warn_of_superseded(store: Store, revised: Mapping[str, Revised], findings: Findings) -> None:
    """Warn where a delivery takes the place of a signed correction."""
    entries = signed_entries(store)
    for name, part in revised.items():
        rows = signed_rows(store, name, set(entries)) if part.corrected and entries else None
        if rows is None:
            continue
        current = rows.groupby(KEYS[name], sort=False)["entry"].last()
        table = part.table
        dates = table.dates["date"].astype("datetime64[D]").astype("datetime64[ns]")
        assets = table.texts.get("asset_id")
        for at, day in enumerate(dates):
            key = day if assets is None else (day, assets.values[assets.codes[at]])
            number = int(current.get(key, -1))
            if number in entries:
                message = f"takes the place of correction {number} ({signature_of(entries[number])}); to keep it, override the value again"
                findings.warn(table.file, "correction-superseded", message, column="date", value=day.astype("datetime64[D]"), row=int(table.rows[at]))
