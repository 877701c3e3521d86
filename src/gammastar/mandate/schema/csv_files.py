"""Files that a mandate names: two columns, `asset_id` and a number. What they say becomes part of the mandate's value."""

from __future__ import annotations

__all__ = ["GrowthFile", "WeightFile"]

import csv
import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, PlainValidator, ValidationInfo

from gammastar.mandate.explain import refusal

ASSET = "asset_id"
Numbers = tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class _Column:
    """The column of numbers, the least and the most it may hold, and how messages say so."""

    name: str
    least: float
    most: float
    allowed: str


def _numbers(value: object, info: ValidationInfo, column: _Column) -> Numbers:
    """Return asset ids and numbers of the file named `value`, by id; a relative name starts at the mandate's folder."""
    if not isinstance(value, str) or not value.strip():
        raise refusal("the name of a file is needed", key="", got=value if isinstance(value, (bool, int, float, str)) else None, allowed="text in quotes",
                      advice=f"name a CSV file with the columns {ASSET},{column.name}")  # fmt: skip
    reader = csv.DictReader(io.StringIO(_text(value, info, column), newline=""), strict=True)
    found: dict[str, float] = {}
    try:
        _check_header(value, reader, column)
        line: dict[Any, Any]
        for line in reader:
            where = f"{value}, row {reader.line_num}"
            asset = (line[ASSET] or "").strip()
            if not asset:
                raise refusal(f"{where}: the asset id is missing", key="", advice="write the permanent id of the store")
            if asset in found:
                raise refusal(f"{where}: the asset stands twice", key="", got=asset, advice="remove one of the two")
            found[asset] = _number(where, line[column.name], column)
    except csv.Error as error:
        raise refusal(f"{value}, row {reader.line_num + 1}: this is not CSV ({error})", key="", advice="mend the quotes of this row") from error
    if not found:
        raise refusal(f"{value} has no rows", key="", allowed="one row an asset", advice="add a row for each")
    return tuple(sorted(found.items()))


def _text(name: str, info: ValidationInfo, column: _Column) -> str:
    """Return the text of a file beside the mandate."""
    folder = Path((info.context or {}).get("folder", "."))
    try:
        return (folder / name.strip()).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise refusal(f"{name} is not UTF-8 text", key="", got=f"byte {error.object[error.start]:#04x} at {error.start}", advice="save it as UTF-8 CSV") from error
    except OSError as error:
        raise refusal(f"the file cannot be read ({error.strerror})", key="", got=name, allowed=f"a CSV file with the columns {ASSET},{column.name}",
                      advice="mend the name; it is looked for in the folder of the mandate") from error  # fmt: skip


def _check_header(name: str, reader: csv.DictReader[str], column: _Column) -> None:
    """Refuse a header without exactly one of both columns; others are ignored."""
    columns = [text.strip() for text in reader.fieldnames or ()]
    reader.fieldnames = columns
    for wanted in (ASSET, column.name):
        if columns.count(wanted) != 1:
            what = "is missing" if wanted not in columns else "stands twice"
            raise refusal(f"{name}, row 1: the column '{wanted}' {what}", key="", got=", ".join(columns) or "an empty file", allowed=f"{ASSET},{column.name}",
                          advice="mend the first row")  # fmt: skip


def _number(where: str, text: str | None, column: _Column) -> float:
    """Return the number in one cell."""
    shown = (text or "").strip()
    try:
        number = float(shown)
    except ValueError:
        number = math.nan
    if math.isnan(number):
        raise refusal(f"{where}, column '{column.name}': this is not a number", key="", got=shown, allowed=column.allowed, advice="mend it")
    if not column.least <= number <= column.most:
        raise refusal(f"{where}, column '{column.name}': the number is out of range", key="", got=shown, allowed=column.allowed, advice="mend it")
    return number


_GROWTH = _Column("growth", -2.0, 2.0, "a fraction a year from -2 to 2: 5% is 0.05")
_WEIGHT = _Column("weight", 0.0, 1.0, "a fraction from 0 to 1: 1% is 0.01")


def _growth(value: object, info: ValidationInfo) -> Numbers:
    return _numbers(value, info, _GROWTH)


def _weights(value: object, info: ValidationInfo) -> Numbers:
    found = _numbers(value, info, _WEIGHT)
    if not any(weight for _, weight in found):
        raise refusal("all weights of the file are zero", key="", got=str(value), advice="give at least one asset a weight")
    return found


GrowthFile = Annotated[Numbers, PlainValidator(_growth), Field(description=f"the name of a CSV file with the columns {ASSET},growth")]
WeightFile = Annotated[Numbers, PlainValidator(_weights), Field(description=f"the name of a CSV file with the columns {ASSET},weight")]
