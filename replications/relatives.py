"""The daily price relatives of the universal-portfolio literature, read from the CSV files of the `universal-portfolios` wheel.

The wheel pins an old pandas. It is installed alone (requirements/replications.txt) and never imported: its files are found and read.
"""

from __future__ import annotations

__all__ = ["VARIABLE", "gross_returns"]

import os
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from replications.table import AbsentError

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy import ndarray

VARIABLE = "GAMMASTAR_RELATIVES"
WHEEL = "universal-portfolios"


def gross_returns(market: str) -> Float[ndarray, "t n"]:
    """Return the gross returns of `nyse_o`, `nyse_n` or `tse`, shape (t, n).

    The files hold price levels that start from 1 the day before their first row.

    Raises:
        AbsentError: no such file.
    """
    levels = np.loadtxt(_file(f"{market}.csv"), delimiter=",", skiprows=1)
    return np.asarray(levels / np.concatenate((np.ones((1, levels.shape[1])), levels[:-1])))


def _file(name: str) -> Path:
    """Return the file, from the folder that the environment names, or from the installed wheel."""
    named = os.environ.get(VARIABLE)
    if named:
        if (Path(named) / name).is_file():
            return Path(named) / name
        raise AbsentError(f"{VARIABLE} names a folder without {name}")
    try:
        files = metadata.files(WHEEL) or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == name:
            return Path(str(file.locate()))
    raise AbsentError(f"{name} is not there. Next: pip install --no-deps --require-hashes -r requirements/replications.txt, or name the folder in {VARIABLE}")
