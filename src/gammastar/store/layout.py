"""The dataset layout: which files and columns there are, and the small TOML file that maps other names to them."""

from __future__ import annotations

__all__ = ["GROUPS", "TABLES", "Column", "Kind", "Mapping", "TableSpec", "discover", "read_mapping", "table_of"]

import difflib
import re
import tomllib
from dataclasses import dataclass, field, replace
from enum import Enum
from fnmatch import fnmatch
from typing import TYPE_CHECKING

from gammastar.errors import DataError, Finding

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
    GROUP = "text or a whole number"


@dataclass(frozen=True)
class Column:
    """One column of the layout.

    Args:
        name: as the layout calls it.
        kind: what it holds.
        required: the file is refused without it.
        filled: every row must have a value.
        extra: not in the typed table, nor in its fingerprint, where the file lacks it; others are there and empty.
    """

    name: str
    kind: Kind
    required: bool = False
    filled: bool = False
    extra: bool = False


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


GROUPS = ("country", "industry", "issuer")
"""Columns of members that are group attributes without being declared; a mapping declares others."""

_GROUP_NAME = re.compile(r"[a-z][a-z0-9_]*")
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
                Column("traded_value", Kind.NUMBER, extra=True),
                Column("volume", Kind.NUMBER, extra=True),
                _KNOWN,
            ),
        ),
        TableSpec(
            "index",
            ("index_total_return", "index_total_return*"),
            (_key("date", Kind.DATE), _key("level", Kind.NUMBER), _KNOWN),
        ),
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
        groups: the labels of each group attribute that is declared, in the order to show them; empty: by alphabet.
    """

    calendar: str = "XNYS"
    source: str | None = None
    sectors: tuple[str, ...] = ()
    files: dict[str, str] = field(default_factory=dict)
    columns: dict[str, dict[str, str]] = field(default_factory=dict)
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def attributes(self) -> tuple[str, ...]:
        """Group attributes that members may have, beside the sector: the known ones, then those declared."""
        return (*GROUPS, *(name for name in self.groups if name not in GROUPS))

    def spec(self, table: str) -> TableSpec:
        """Return the layout of a table, with the group columns of members."""
        if table != "members":
            return TABLES[table]
        columns = tuple(Column(name, Kind.GROUP, extra=True) for name in self.attributes)
        return replace(TABLES[table], columns=(*TABLES[table].columns, *columns))


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
    _known_keys(path, "", content, ("calendar", "source", "sectors", "groups", *TABLES))
    files: dict[str, str] = {}
    columns: dict[str, dict[str, str]] = {}
    for table, spec in TABLES.items():
        section = _table(path, table, content.get(table, {}))
        _known_keys(path, f"{table}.", section, ("file", "columns"))
        if "file" in section:
            files[table] = _text(path, f"{table}.file", section["file"])
        renamed = _table(path, f"{table}.columns", section.get("columns", {}))
        _known_keys(path, f"{table}.columns.", renamed, tuple(column.name for column in spec.columns))
        columns[table] = {ours: _text(path, f"{table}.columns.{ours}", theirs) for ours, theirs in renamed.items()}
    columns["members"] |= (groups := _groups(path, _table(path, "groups", content.get("groups", {}))))
    return Mapping(
        calendar=_text(path, "calendar", content.get("calendar", "XNYS")),
        source=_text(path, "source", content["source"]) if "source" in content else None,
        sectors=_texts(path, "sectors", content.get("sectors", [])),
        files=files,
        columns=columns,
        groups={name: _texts(path, f"groups.{name}.labels", content["groups"][name].get("labels", [])) for name in groups},
    )


def _groups(path: Path, section: dict[str, object]) -> dict[str, str]:
    """Return the column of each group attribute that a mapping declares."""
    taken = ("sector", *(column.name for column in TABLES["members"].columns))
    columns: dict[str, str] = {}
    for name, value in section.items():
        if not _GROUP_NAME.fullmatch(name) or name in taken:
            message = f"groups.{name} cannot be a group attribute: small letters, digits and _, and no other column of members"
            raise _mapping_error(path, "mapping-key", message, key=f"groups.{name}", advice="choose another name and give its `column`")
        declared = _table(path, f"groups.{name}", value)
        _known_keys(path, f"groups.{name}.", declared, ("column", "labels"))
        columns[name] = _text(path, f"groups.{name}.column", declared.get("column", name))
    return columns


def _mapping_error(
    path: Path, rule: str, message: str, *, key: str | None = None, got: str | None = None, advice: str | None = None
) -> DataError:
    finding = Finding(path.name, rule, message, column=key, value=got)
    return DataError(str(path), message, findings=(finding,), got=got, advice=advice)


def _known_keys(path: Path, prefix: str, section: dict[str, object], allowed: tuple[str, ...]) -> None:
    for key in section:
        if key not in allowed:
            close = difflib.get_close_matches(key.lower(), allowed, n=1, cutoff=0.5)
            advice = f"write {prefix}{close[0]}" if close else "see docs/dataset.md"
            message = f"unknown key {prefix}{key}; allowed: {', '.join(allowed)}"
            raise _mapping_error(path, "mapping-key", message, key=f"{prefix}{key}", advice=advice)


def _wrong_type(path: Path, key: str, value: object, wanted: str) -> DataError:
    return _mapping_error(path, "mapping-type", f"{key} must be {wanted}", key=key, got=repr(value))


def _text(path: Path, key: str, value: object) -> str:
    if not isinstance(value, str) or not value:
        raise _wrong_type(path, key, value, "text in quotes")
    return value


def _texts(path: Path, key: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise _wrong_type(path, key, value, "a list of texts")
    return tuple(_text(path, key, item) for item in value)


def _table(path: Path, key: str, value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise _wrong_type(path, key, value, "a table")
    return value


def discover(folder: Path, mapping: Mapping, findings: Findings, *, part: bool = False) -> dict[str, Path]:
    """Return the file of each table that is there; what is wrong with the files goes to `findings`.

    Args:
        folder: the dataset.
        mapping: names of files.
        findings: to add to.
        part: any one table is enough; else members must be there.
    """
    files: dict[str, Path] = {}
    for table, spec in TABLES.items():
        if table in mapping.files:
            path = folder / mapping.files[table]
            if path.is_file():
                files[table] = path
            else:
                findings.add(
                    mapping.files[table],
                    "file-absent",
                    f"the mapping names this file for {table}, and it is not in {folder}",
                )
            continue
        found = _matches(folder, spec)
        if len(found) > 1:
            names = ", ".join(path.name for path in found)
            findings.add(
                names,
                "file-ambiguous",
                f"{len(found)} files could be {table}; name one in dataset.toml: [{table}] file = {found[0].name!r}",
            )
        elif found:
            files[table] = found[0]
    if part and not files and not findings.errors:
        message = "there is no members, returns or index_total_return file, CSV or Parquet; name one in dataset.toml"
        findings.add(folder.name, "file-absent", message)
    if "members" not in files and not part and not findings.errors:
        findings.add(
            folder.name,
            "file-absent",
            "there is no members.csv or members.parquet; name the file in dataset.toml: [members] file = ...",
        )
    return files


def table_of(path: Path) -> str | None:
    """Return the table that a file belongs to by its name, or None."""
    named = (name for name, spec in TABLES.items() for pattern in spec.patterns if path.suffix in {".csv", ".parquet"} and fnmatch(path.stem, pattern))
    return next(named, None)


def _matches(folder: Path, spec: TableSpec) -> list[Path]:
    """Return the files of the first pattern that matches any."""
    for pattern in spec.patterns:
        found = sorted(
            path for ending in ("csv", "parquet") for path in folder.glob(f"{pattern}.{ending}") if path.is_file()
        )
        if found:
            return found
    return []
