"""Weights and holdings as CSV: two columns, `asset_id` and `weight`."""

from __future__ import annotations

__all__ = ["read_weights", "weights_csv"]

import csv
import io
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from gammastar.errors import WeightsError

if TYPE_CHECKING:
    from pathlib import Path

    from jaxtyping import Float
    from numpy import ndarray

    from gammastar.market.assets import Assets

COLUMNS = ("asset_id", "weight")


def weights_csv(weights: Float[ndarray, " n"], assets: Assets) -> str:
    """Return weights as CSV that `read_weights` reads back to the same bits; zero weights are left out."""
    rows = [f"{assets.ids[i]},{float(weights[i])!r}\n" for i in np.flatnonzero(weights)]
    return "".join([",".join(COLUMNS) + "\n", *rows])


def read_weights(path: Path, assets: Assets) -> Float[ndarray, " n"]:
    """Read weights or holdings from CSV with the columns `asset_id` and `weight`; assets not named have zero, what is left of one is cash.

    Other columns are ignored.

    Raises:
        WeightsError: with the row and the column that are wrong.
    """
    reader = csv.DictReader(io.StringIO(_text(path), newline=""), strict=True)
    weights = np.zeros(len(assets))
    first_row: dict[str, int] = {}
    try:
        _check_header(path, reader)
        line: dict[Any, Any]
        for line in reader:
            where = f"{path}, row {reader.line_num}"
            asset, weight = _weight_row(where, line, assets)
            if asset in first_row:
                what = f"the asset stands twice, first in row {first_row[asset]}"
                raise WeightsError(f"{where}, column 'asset_id'", what, got=asset, advice="add its rows up")
            first_row[asset] = reader.line_num
            weights[assets.index[asset]] = weight
    except csv.Error as error:  # in the record after the last that could be read
        where = f"{path}, row {reader.line_num + 1}"
        raise WeightsError(where, f"this is not CSV: {error}", advice="mend the quotes of this row") from error
    if not first_row:
        raise WeightsError(
            f"{path}, row 2", "there are no rows", allowed="one row an asset held", advice="add a row for each"
        )
    _check_sum(path, float(weights.sum()))
    return weights


def _text(path: Path) -> str:
    """Return the text of the file."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        got = f"byte {error.object[error.start]:#04x} at {error.start}"
        raise WeightsError(str(path), "the file is not UTF-8 text", got=got, advice="save it as UTF-8 CSV") from error
    except OSError as error:
        advice = "name a CSV file with the columns asset_id,weight"
        raise WeightsError(str(path), f"the file cannot be read ({error.strerror})", advice=advice) from error


def _check_header(path: Path, reader: csv.DictReader[str]) -> None:
    """Refuse a header without exactly one of each column, and an order list, whose `weight` is what is traded."""
    columns = [name.strip() for name in reader.fieldnames or ()]
    reader.fieldnames = columns or None
    header = ", ".join(columns) or "an empty file"
    for needed in COLUMNS:
        if columns.count(needed) != 1:
            what = f"there is no column {needed!r}" if needed not in columns else f"the column {needed!r} stands twice"
            advice = (
                "separate columns by commas, not semicolons"
                if ";" in header
                else "give the file a header line with these names"
            )
            raise WeightsError(f"{path}, row 1", what, got=header, allowed="asset_id,weight", advice=advice)
    if "from_weight" in columns:
        advice = "write the targets with gammastar propose ... --targets FILE, and read that"
        raise WeightsError(
            f"{path}, row 1",
            "this is an order list: its weights are what is traded, not what is held",
            got=header,
            advice=advice,
        )


def _weight_row(where: str, line: dict[Any, Any], assets: Assets) -> tuple[str, float]:
    """Return asset and weight of one row."""
    if None in line:
        advice = "write decimals with a point, and put names that hold commas in quotes"
        raise WeightsError(where, "the row has more columns than the header", got=", ".join(line[None]), advice=advice)
    asset: str = (line["asset_id"] or "").strip()
    if asset not in assets.index:
        raise WeightsError(f"{where}, column 'asset_id'", "there is no such asset in the data", got=asset or "nothing",
                           allowed="permanent ids, as in the store", advice=_id_of(asset, assets))  # fmt: skip
    raw: str = (line["weight"] or "").strip()
    weight = _number(raw)
    if weight is None or weight < 0.0:
        percent = _number(raw.removesuffix("%")) if raw.endswith("%") else None
        hint = None if percent is None else f"write {percent / 100.0:g}"
        raise WeightsError(f"{where}, column 'weight'", "this is not a weight", got=raw or "nothing",
                           allowed="a fraction, 0 or more: 1% is 0.01", advice=hint)  # fmt: skip
    return asset, weight


def _number(raw: str) -> float | None:
    """Return the finite number that a text holds, or None."""
    try:
        value = float(raw)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in raw else None


def _id_of(label: str, assets: Assets) -> str:
    """Return what to write instead of a ticker."""
    ids = [asset for asset, ticker in zip(assets.ids, assets.tickers, strict=True) if label and ticker == label]
    if ids:
        return f"tickers are labels: write {' or '.join(ids)} for {label}"
    return "tickers and names are labels and are not accepted"


def _check_sum(path: Path, total: float) -> None:
    """Refuse weights in percent, and weights of nothing."""
    allowed = "above 0 and at most 1; what is left of 1 is cash"
    if total <= 0.0:
        raise WeightsError(str(path), "all weights are zero", allowed=allowed, advice="give what is held")
    if total > 1.0 + 1e-6:
        percent = 50.0 < total < 150.0
        advice = "these look like percent: divide by 100" if percent else "weights are fractions of the whole portfolio"
        raise WeightsError(
            str(path), "the weights sum to more than one", got=f"{total:.10g}", allowed=allowed, advice=advice
        )
