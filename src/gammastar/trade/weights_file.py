"""Weights and holdings read from CSV."""

from __future__ import annotations

__all__ = ["read_weights"]

import csv
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from gammastar.errors import WeightsError

if TYPE_CHECKING:
    from pathlib import Path

    from jaxtyping import Float
    from numpy import ndarray

    from gammastar.market.assets import Assets


def read_weights(path: Path, assets: Assets) -> Float[ndarray, " n"]:
    """Read weights or holdings from CSV with the columns `asset_id` and `weight`; assets not named have zero.

    Raises:
        WeightsError: with the row and the column that are wrong.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise WeightsError(str(path), "the file is not UTF-8 text", got=f"byte {error.start}", advice="save it as UTF-8 CSV") from error
    except OSError as error:
        raise WeightsError(str(path), f"the file cannot be read ({error.strerror})", advice="name a CSV with the columns asset_id,weight") from error
    reader = csv.DictReader(text.splitlines(), strict=True)
    columns = reader.fieldnames or []
    for needed in ("asset_id", "weight"):
        if columns.count(needed) != 1:
            raise WeightsError(f"{path}, row 1", f"the column {needed!r} must stand once", got=", ".join(columns) or "an empty file",
                               allowed="asset_id,weight", advice="comma-separated, with a header line")
    weights = np.zeros(len(assets))
    seen: set[str] = set()
    try:
        for row, line in enumerate(reader, start=2):
            asset, weight = _weight_row(f"{path}, row {row}", line, assets)
            if asset in seen:
                raise WeightsError(f"{path}, row {row}, column 'asset_id'", "the asset stands twice", got=asset, advice="add its lines up")
            seen.add(asset)
            weights[assets.index[asset]] = weight
    except csv.Error as error:
        raise WeightsError(f"{path}, row {reader.line_num}", f"this is not CSV: {error}") from error
    return _plausible(path, weights, seen)


def _weight_row(where: str, line: dict[str, Any], assets: Assets) -> tuple[str, float]:
    """Return asset and weight of one line."""
    asset = str(line["asset_id"] or "").strip()
    if asset not in assets.index:
        raise WeightsError(f"{where}, column 'asset_id'", "there is no such asset in the data", got=asset or "nothing",
                           allowed="permanent ids, as in the store", advice="tickers are labels and are not accepted")
    raw = str(line["weight"] or "").strip()
    try:
        weight = float(raw)
    except ValueError:
        weight = math.nan
    if not math.isfinite(weight) or weight < 0.0:
        raise WeightsError(f"{where}, column 'weight'", "this is not a weight", got=raw or "nothing", allowed="a fraction, 0 or more: 1% is 0.01")
    return asset, weight


def _plausible(path: Path, weights: Float[ndarray, " n"], seen: set[str]) -> Float[ndarray, " n"]:
    """Refuse weights in percent or of an empty file."""
    total = float(weights.sum())
    if not seen:
        raise WeightsError(f"{path}, row 2", "there are no rows", allowed="one row an asset held")
    if total > 1.0 + 1e-6 or total <= 0.0:
        advice = "these look like percent: divide by 100" if 50.0 < total < 150.0 else "weights are fractions of the whole portfolio"
        raise WeightsError(str(path), "the weights sum to more than one, or to nothing", got=total, allowed="above 0, at most 1 (the rest is cash)", advice=advice)
    return weights
