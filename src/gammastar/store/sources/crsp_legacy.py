"""CRSP's daily stock file in the legacy layout (FIZ/SIZ): DSF, MSENAMES, DSEDELIST and DSP500LIST."""

from __future__ import annotations

__all__ = ["CrspLegacy"]

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gammastar.store.findings import Findings
from gammastar.store.sources.crsp import (
    CrspRows,
    crsp_members,
    crsp_returns,
    index_level,
    read_spells,
    splits_from_factor,
)
from gammastar.store.sources.delivery import Delivery
from gammastar.store.sources.membership import Spells
from gammastar.store.sources.sheet import Sheet, open_rows_of, open_sheet
from gammastar.store.sources.streamed import Names
from gammastar.store.sources.vendor_folder import find_table

if TYPE_CHECKING:
    from numpy import ndarray

RETURN_CODES = frozenset("ABCDEPST")
"""Letters in RET and DLRET that say why there is no return: C no price before, B off the exchanges, A P S T of delistings."""

_DSF = ("permno", "date", "prc", "ret", "shrout")
_NAMES = {"first": "namedt", "last": "nameendt", "ticker": "ticker", "name": "comnam", "sic": "siccd", "issuer": "permco"}


@dataclass(frozen=True)
class CrspLegacy:
    """A folder with dsf, msenames, dsedelist and dsp500list, CSV or Parquet as WRDS gives them.

    Args:
        performance_delisting: the return assumed where CRSP has none and the delisting code is one of poor performance (500, 520 to 584), as
            Shumway (1997) found for NYSE and AMEX; stored as estimated. None: no return is assumed.
        title: what the data is, in words.
        calendar: code of the exchange.
    """

    performance_delisting: float | None = -0.3
    title: str = "CRSP daily stock file, legacy layout"
    calendar: str = "XNYS"

    def read(self, data: Path) -> Delivery:
        """Return members and returns: PERMNO is the id, PERMCO the issuer, weights are |PRC| x SHROUT at month ends.

        A negative PRC is the middle of bid and ask: its size is the price. A PRC of 0 is none. The delisting return is compounded with the
        return of the delisting date, or is a row of its own on that date. Without dsp500list the index is all ordinary common stocks
        (share codes 10 and 11). The table dsp500, where it is there, gives the published index (VWRETD).

        Raises:
            DataError: a table or column is not there, or a value cannot be read.
        """
        folder, findings = Path(data), Findings()
        names = open_sheet(find_table(folder, ("msenames", "dsenames", "stocknames")), ("permno", "namedt", "nameendt", "ticker", "comnam"), findings)
        listed = find_table(folder, ("dsp500list", "msp500list"), needed=False)
        if listed is None:
            findings.warn(folder.name, "index-absent", "there is no table dsp500list: the index is all ordinary common stocks (share codes 10, 11)")
            spells = _common(names)
        else:
            spells = read_spells(open_sheet(listed, ("permno", "start", "ending"), findings), "start", "ending")
        sheet = open_rows_of(find_table(folder, ("dsf",)), _DSF, findings, Names("permno", frozenset(spells.asset)), optional=("vol", "cfacshr"))
        rows = self._rows(sheet)
        findings.stop_on_errors(str(folder))
        gone = find_table(folder, ("dsedelist", "msedelist"), needed=False)
        if gone is None:
            findings.warn(folder.name, "delisting-absent", "there is no table dsedelist: what holders got at a delisting is not known")
        else:
            rows = self._delisted(rows, open_sheet(gone, ("permno", "dlstdt", "dlstcd", "dlret"), findings))
        members = crsp_members(rows, spells, names, _NAMES)
        published = find_table(folder, ("dsp500",), needed=False)
        level = None if published is None else index_level(open_sheet(published, ("caldt", "vwretd"), findings), "caldt", "vwretd")
        findings.stop_on_errors(str(folder))
        return Delivery(self.title, members, crsp_returns(rows), level, calendar=self.calendar, remarks=tuple(findings.found))

    def _rows(self, sheet: Sheet) -> CrspRows:
        coded, date, price = sheet.texts("permno"), sheet.dates("date"), sheet.numbers("prc")
        sheet.needed("permno", coded.codes < 0, "id-missing")
        sheet.needed("date", np.isnat(date), "date-missing")
        sheet.note("price-quoted", "have the middle of bid and ask as their price (PRC below zero)", "prc", price < 0.0, price)
        earned = sheet.numbers("ret", RETURN_CODES)
        coded_missing = earned < -1.0  # -66, -77, -88, -99: the same reasons in numbers
        order = sheet.ordered(coded.codes, date, (coded.codes >= 0) & ~np.isnat(date), "permno")
        price = np.where(price == 0.0, np.nan, np.abs(price))
        same = np.concatenate(([False], coded.codes[order][1:] == coded.codes[order][:-1]))
        factor = sheet.numbers("cfacshr")[order] if "cfacshr" in sheet else np.ones(len(order))
        return CrspRows(
            coded.values,
            coded.codes[order].astype(np.int64),
            date[order],
            price[order],
            np.where(coded_missing, np.nan, earned)[order],
            splits_from_factor(same, factor),
            sheet.numbers("vol")[order],
            (price * sheet.numbers("shrout"))[order],
            np.zeros(len(order), dtype=bool),
        )

    def _delisted(self, rows: CrspRows, sheet: Sheet) -> CrspRows:
        """Return the rows with the returns of delistings."""
        coded, date, code = sheet.texts("permno"), sheet.dates("dlstdt"), sheet.numbers("dlstcd")
        value = sheet.numbers("dlret", RETURN_CODES)
        value = np.where(value < -1.0, np.nan, value)
        poor = np.isnan(value) & ((code == 500) | ((code >= 520) & (code <= 584)))
        if self.performance_delisting is not None:
            value = np.where(poor, self.performance_delisting, value)
            sheet.note("delisting-assumed", f"of poor performance have no DLRET; {self.performance_delisting:.0%} is assumed", "dlret", poor)
        position = {name: at for at, name in enumerate(rows.assets)}
        asset = np.array([*(position.get(name, -1) for name in coded.values), -1])[coded.codes]
        ends = np.flatnonzero((asset >= 0) & (code >= 200) & np.isfinite(value) & ~np.isnat(date))
        return _with_ends(rows, asset[ends], date[ends], value[ends], poor[ends])


def _with_ends(rows: CrspRows, asset: ndarray, date: ndarray, value: ndarray, assumed: ndarray) -> CrspRows:
    """Return rows with the last return of each asset: compounded with the one of its date, or as a row of its own."""
    key = rows.asset * 200_000 + rows.date.astype(np.int64)
    wanted = asset * 200_000 + date.astype(np.int64)
    at = np.minimum(np.searchsorted(key, wanted), len(key) - 1)
    there = key[at] == wanted
    earned, estimated = rows.total_return.copy(), rows.estimated.copy()
    hit = at[there]
    earned[hit] = (1.0 + np.nan_to_num(earned[hit])) * (1.0 + value[there]) - 1.0
    estimated[hit] |= assumed[there]
    new = np.flatnonzero(~there)
    blank = np.full(len(new), np.nan)

    def placed(old: ndarray, added: ndarray) -> ndarray:
        return np.concatenate((old, added))[order]

    order = np.lexsort((np.concatenate((rows.date, date[new])), np.concatenate((rows.asset, asset[new]))))
    return CrspRows(
        rows.assets,
        placed(rows.asset, asset[new]),
        placed(rows.date, date[new]),
        placed(rows.price, blank),
        placed(earned, value[new]),
        placed(rows.split, np.ones(len(new))),
        placed(rows.volume, blank),
        placed(rows.capital, blank),
        placed(estimated, assumed[new]),
    )


def _common(names: Sheet) -> Spells:
    """Return the spells in which a security is an ordinary common stock."""
    code, coded = names.numbers("shrcd"), names.texts("permno")
    at = np.flatnonzero((code == 10) | (code == 11))
    return Spells(tuple(coded.at(int(row)) for row in at), names.dates("namedt")[at], names.dates("nameendt")[at])
