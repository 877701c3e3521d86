"""What a store knew at one time and not at an earlier one: new facts, late ones, and corrections, each with its dates."""

from __future__ import annotations

__all__ = ["Change", "Difference", "compare_knowledge"]

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gammastar.errors import UsageError
from gammastar.store.folder import parse_known
from gammastar.store.merging import read_log
from gammastar.store.signatures import KEYS, NUMBERS, Signature, signature_of, signed_entries

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from gammastar.store.folder import Store

_COLUMNS = {
    "members": ("weight", "sector", "forward_return", "price", "ticker", "name"),
    "groups": ("label",),
    **NUMBERS,
}
_WHOLE = ("members", "groups")  # a snapshot is replaced as a whole
_SHOWN_ONLY = ("ticker", "name", "level")  # no decision looks at these
_TOLD = 20


@dataclass(frozen=True)
class Change:
    """One value that is known otherwise.

    Args:
        table: of the store; for a group its attribute is the column.
        date: it is true for.
        asset: permanent id, or None for the index.
        column: name.
        before, after: what was known at the earlier time and at the later; None: nothing.
        known: when the later value became known.
    """

    table: str
    date: str
    asset: str | None
    column: str
    before: Any
    after: Any
    known: str

    def __str__(self) -> str:
        """Return one line."""
        return f"{self.date} {self.asset or 'index'} {self.column}: {_text(self.before)} -> {_text(self.after)}, known {self.known}"


@dataclass(frozen=True)
class Difference:
    """What changed between two knowledge times.

    Args:
        store: folder.
        begin, end: the two times.
        added: rows by table about days that lay ahead at the earlier time.
        late: rows by table about earlier days, which nobody had told then.
        corrections: values that are known otherwise, by table and date.
        signed: number and signature of the signed corrections that became known between.
    """

    store: Path
    begin: np.datetime64
    end: np.datetime64
    added: dict[str, int]
    late: dict[str, int]
    corrections: tuple[Change, ...]
    signed: tuple[tuple[int, Signature], ...] = ()

    @property
    def decisive(self) -> tuple[tuple[np.datetime64, np.datetime64], ...]:
        """Of the corrections that a decision could see: the date each is true for and the time it became known, each pair once."""
        pairs = {(change.date, change.known) for change in self.corrections if change.column not in _SHOWN_ONLY and not _arrived(change)}
        return tuple((np.datetime64(date, "D"), np.datetime64(known, "D")) for date, known in sorted(pairs))

    def to_dict(self) -> dict[str, Any]:
        """Return the difference as plain values, ready for JSON."""
        told = {"store": str(self.store), "from": str(self.begin), "to": str(self.end), "added": self.added, "late": self.late}
        return {**told, "corrected": len(self.corrections),
                "corrections": [asdict(change) for change in self.corrections],
                "signed": [{"number": number, **signature.to_dict()} for number, signature in self.signed]}  # fmt: skip

    def __str__(self) -> str:
        """Return the difference for people to read; of the corrections the first twenty."""
        lines = [f"{self.store}: known on {self.end} and not on {self.begin}"]
        for words, counts in (("new", self.added), ("late, about days told before", self.late)):
            lines += [f"  {name}: {count:,} rows {words}" for name, count in counts.items() if count]
        lines += [f"  {len(self.corrections):,} values corrected"] if self.corrections else []
        lines += [f"    {change}" for change in self.corrections[:_TOLD]]
        if len(self.corrections) > _TOLD:
            lines.append(f"    ... and {len(self.corrections) - _TOLD:,} more (--json has all)")
        lines += [f"  correction {number}: {signature}" for number, signature in self.signed]
        return "\n".join(lines if len(lines) > 1 else [*lines, "  nothing"])


def _arrived(change: Change) -> bool:
    """Return whether this is the return of a period that has ended since, which is used when it ends and not before."""
    return change.column == "forward_return" and change.before is None


def _text(value: Any) -> str:
    return "nothing" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


def compare_knowledge(store: Store, begin: str | np.datetime64, end: str | np.datetime64) -> Difference:
    """Return what a store knew at `end` and not, or otherwise, at `begin`.

    Raises:
        UsageError: no dates, or not in order.
        DataError: a file of the store cannot be read.
    """
    earlier, later = parse_known(begin, "--from"), parse_known(end, "--to")
    if later <= earlier:
        raise UsageError("--from, --to", "the second time must be later than the first", got=f"{earlier} and {later}", allowed=f"dates up to {store.known}, in order")
    added, late, corrections = {}, {}, []
    for table, columns in _COLUMNS.items():
        rows = _rows(store, table, earlier, later)
        if rows is None:
            continue
        old, new = (_as_of(rows, KEYS[table], until, whole=table in _WHOLE) for until in (earlier, later))
        fresh = new.index.difference(old.index)
        ahead = fresh.get_level_values("date") > earlier.astype("datetime64[ns]")
        told_before = fresh.get_level_values("date").isin(old.index.get_level_values("date")) if table in _WHOLE else np.zeros(len(fresh), dtype=bool)
        added[table], late[table] = int(ahead.sum()), int((~ahead & ~told_before).sum())
        corrections += _corrected(table, old, new, [name for name in columns if name in rows.columns])
    ordered = sorted(corrections, key=lambda change: (change.date, change.table, change.asset or "", change.column))
    signed = tuple((number, signature_of(entry)) for number, entry in signed_entries(store).items() if earlier < np.datetime64(entry["known"], "D") <= later)
    return Difference(store.path, earlier, later, added, late, tuple(ordered), signed)


def _rows(store: Store, table: str, earlier: np.datetime64, later: np.datetime64) -> pd.DataFrame | None:
    """Return the rows of a table from the first date on that was told something new between the two times, or None."""
    files = {name: facts for name, facts in store.manifest["files"].items() if facts["table"] == table}
    fresh = {name: facts for name, facts in files.items() if np.datetime64(facts["known"][1], "D") > earlier}
    if not fresh:
        return None
    rows = read_log(store.path, fresh, table)
    known = rows["known"].to_numpy().astype("datetime64[D]")
    dates = rows["date"].to_numpy().astype("datetime64[D]")[(known > earlier) & (known <= later)]
    if not len(dates):
        return None
    frame: pd.DataFrame = read_log(store.path, files, table, since=dates.min().item()).to_pandas()
    for name in ("asset_id", "attribute", "label", "sector", "ticker", "name"):
        if name in frame:
            frame[name] = frame[name].astype(object)
    for name in ("date", "known"):
        frame[name] = frame[name].to_numpy().astype("datetime64[D]").astype("datetime64[ns]")
    return frame


def _as_of(rows: pd.DataFrame, keys: list[str], until: np.datetime64, *, whole: bool) -> pd.DataFrame:
    """Return the last version of each row known by then, by its keys."""
    if whole:
        complete = rows.groupby(["date", "entry"])["known"].transform("max")
        rows = rows[complete <= until]
        rows = rows[rows["entry"] == rows.groupby("date")["entry"].transform("max")]
    else:
        rows = rows[rows["known"] <= until].drop_duplicates(keys, keep="last")
    if len(keys) == 1:
        return rows.set_index(keys[0], drop=True)
    return rows.set_index(keys)


def _corrected(table: str, old: pd.DataFrame, new: pd.DataFrame, columns: list[str]) -> list[Change]:
    """Return each value that differs, of rows known at both times; of a snapshot also rows that came or went."""
    both = old.index.union(new.index) if table in _WHOLE else old.index.intersection(new.index)
    if table in _WHOLE:
        both = both[both.get_level_values("date").isin(old.index.get_level_values("date"))]
    before, after = old.reindex(both), new.reindex(both)
    learnt = after["known"].groupby(level="date").transform("max") if table in _WHOLE else after["known"]
    found = []
    for column in columns:
        one, other = before[column], after[column]
        for at in np.flatnonzero(~((one == other) | (one.isna() & other.isna())).to_numpy()).tolist():
            key: tuple[Any, ...] = both[at] if isinstance(both[at], tuple) else (both[at],)
            name = str(key[2]) if table == "groups" else column
            asset = str(key[1]) if len(key) > 1 else None
            found.append(Change(table, str(key[0].date()), asset, name, _value(one.iloc[at]), _value(other.iloc[at]), str(learnt.iloc[at].date())))
    return found


def _value(value: Any) -> Any:
    """Return a cell as a plain value, None where there is nothing."""
    if value is None or value != value:
        return None
    return value.item() if hasattr(value, "item") else value
