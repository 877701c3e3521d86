"""The dataset layout: which files and columns there are, and the small TOML file that maps other names to them."""

from __future__ import annotations

__all__ = ["TABLES", "Column", "Kind", "Mapping", "TableSpec", "discover", "read_mapping"]

import difflib
import tomllib
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from gammastar.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from gammastar.store.findings import Findings


class Kind(Enum):
    """What a column holds."""

    DATE = "date"
    ASSET = "asset id"
    NUMBER = "number"
    TEXT = "text"
    FLAG = "true or false"


@dataclass(frozen=True)
class Column:
    """One column of the layout.

    Args:
        name: as the layout calls it.
        kind: what it holds.
        required: the file is refused without it.
        filled: every row must have a value.
    """

    name: str
    kind: Kind
    required: bool = False
    filled: bool = False


@dataclass(frozen=True)
class TableSpec:
    """One file of the layout.

    Args:
        name: as the layout calls it.
        patterns: stems looked for, in order, each with .csv or .parquet.
        columns: in the order in which they are stored.
    """

    name: str
    patterns: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def required(self) -> tuple[str, ...]:
        """Names of the columns without which the file is refused."""
        return tuple(column.name for column in self.columns if column.required)


def _key(name: str, kind: Kind) -> Column:
    return Column(name, kind, required=True, filled=True)


_DATED = (_key("date", Kind.DATE), _key("asset_id", Kind.ASSET))
_KNOWN = Column("known", Kind.DATE)

TABLES = {
    spec.name: spec
    for spec in (
        TableSpec(
            "members",
            ("members", "members*"),
            (
                *_DATED,
                _key("weight", Kind.NUMBER),
                Column("sector", Kind.TEXT),
                Column("ticker", Kind.TEXT),
                Column("name", Kind.TEXT),
                Column("forward_return", Kind.NUMBER),
                Column("price", Kind.NUMBER),
                _KNOWN,
            ),
        ),
        TableSpec(
            "returns",
            ("returns", "returns*"),
            (
                *_DATED,
                _key("total_return", Kind.NUMBER),
                Column("price", Kind.NUMBER),
                Column("split", Kind.NUMBER),
                Column("estimated", Kind.FLAG),
                _KNOWN,
            ),
        ),
        TableSpec("index", ("index_total_return", "index_total_return*"), (_key("date", Kind.DATE), _key("level", Kind.NUMBER))),
    )
}


@dataclass(frozen=True)
class Mapping:
    """Other names for files and columns.

    Args:
        calendar: the exchange whose sessions count.
        source: what the data is, in words; None: the name of the folder.
        sectors: group names in the order to show them; empty: by alphabet.
        files: file of each table, relative to the dataset, where given.
        columns: for each table, the file's name of each of our columns, where they differ.
    """

    calendar: str = "XNYS"
    source: str | None = None
    sectors: tuple[str, ...] = ()
    files: dict[str, str] = field(default_factory=dict)
    columns: dict[str, dict[str, str]] = field(default_factory=dict)


def read_mapping(path: Path) -> Mapping:
    """Read a mapping.

    Raises:
        DataError: it cannot be read as TOML, has an unknown key (the closest known one is named), or a value of the wrong type.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise _mapping_error(path, "mapping-absent", "there is no such mapping file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise _mapping_error(path, "mapping-unreadable", f"the mapping cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise _mapping_error(path, "mapping-toml", f"not TOML: {error}") from error
    _known_keys(path, "", content, ("calendar", "source", "sectors", *TABLES))
    files: dict[str, str] = {}
    columns: dict[str, dict[str, str]] = {}
    for table, spec in TABLES.items():
        section = _expect(path, table, content.get(table, {}), dict)
        _known_keys(path, f"{table}.", section, ("file", "columns"))
        if "file" in section:
            files[table] = str(_expect(path, f"{table}.file", section["file"], str))
        renamed = _expect(path, f"{table}.columns", section.get("columns", {}), dict)
        _known_keys(path, f"{table}.columns.", renamed, tuple(column.name for column in spec.columns))
        columns[table] = {ours: str(_expect(path, f"{table}.columns.{ours}", theirs, str)) for ours, theirs in renamed.items()}
    sectors = _expect(path, "sectors", content.get("sectors", []), list)
    return Mapping(
        calendar=str(_expect(path, "calendar", content.get("calendar", "XNYS"), str)),
        source=str(_expect(path, "source", content["source"], str)) if "source" in content else None,
        sectors=tuple(str(_expect(path, "sectors", label, str)) for label in sectors),
        files=files,
        columns=columns,
    )


def _mapping_error(path: Path, rule: str, message: str, **parts: str) -> DataError:
    from gammastar.errors import Finding

    finding = Finding(path.name, rule, message, column=parts.get("key"), value=parts.get("got"))
    return DataError(str(path), message, findings=(finding,), got=parts.get("got"), allowed=parts.get("allowed"), advice=parts.get("advice"))


def _known_keys(path: Path, prefix: str, section: dict[str, object], allowed: tuple[str, ...]) -> None:
    for key in section:
        if key not in allowed:
            close = difflib.get_close_matches(key.lower(), allowed, n=1, cutoff=0.5)
            advice = f"did you mean {prefix}{close[0]}?" if close else "docs/dataset.md lists the keys"
            raise _mapping_error(
                path, "mapping-key", f"unknown key {prefix}{key}", key=f"{prefix}{key}", allowed=", ".join(allowed), advice=advice.rstrip("?.")
            )


def _expect(path: Path, key: str, value: object, kind: type) -> object:
    if not isinstance(value, kind):
        words = {str: "text in quotes", dict: "a table", list: "a list of texts"}
        raise _mapping_error(path, "mapping-type", f"{key} has the wrong type", key=key, got=repr(value), allowed=words[kind])
    return value


def discover(folder: Path, mapping: Mapping, findings: Findings) -> dict[str, Path]:
    """Return the file of each table that is there; what is wrong with the files goes to `findings`."""
    files: dict[str, Path] = {}
    for table, spec in TABLES.items():
        if table in mapping.files:
            path = folder / mapping.files[table]
            if path.is_file():
                files[table] = path
            else:
                findings.add(mapping.files[table], "file-absent", f"the mapping names this file for {table}, and it is not in {folder}")
            continue
        found = _matches(folder, spec)
        if len(found) > 1:
            names = ", ".join(path.name for path in found)
            findings.add(names, "file-ambiguous", f"{len(found)} files could be {table}; name one in dataset.toml: [{table}] file = {found[0].name!r}")
        elif found:
            files[table] = found[0]
    if "members" not in files and not findings.errors:
        findings.add(folder.name, "file-absent", "there is no members.csv or members.parquet; name the file in dataset.toml: [members] file = ...")
    return files


def _matches(folder: Path, spec: TableSpec) -> list[Path]:
    """Return the files of the first pattern that matches any."""
    for pattern in spec.patterns:
        found = sorted(path for ending in ("csv", "parquet") for path in folder.glob(f"{pattern}.{ending}") if path.is_file())
        if found:
            return found
    return []
