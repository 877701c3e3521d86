"""CRSP's daily stock file in the CIZ layout (Flat File Format 2.0): StkDlySecurityData, StkSecurityInfoHist and the S&P 500 list."""

from __future__ import annotations

__all__ = ["CrspCiz"]

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gammastar.store.findings import Findings
from gammastar.store.sources.crsp import CrspRows, crsp_members, crsp_returns, read_spells, splits_from_factor
from gammastar.store.sources.delivery import Delivery
from gammastar.store.sources.membership import Spells
from gammastar.store.sources.sheet import Sheet, open_rows_of, open_sheet
from gammastar.store.sources.streamed import Names
from gammastar.store.sources.vendor_folder import find_table

_DAILY = ("permno", "dlycaldt", "dlyprc", "dlyret", "dlycap")
_MORE = ("dlyprcflg", "dlydelflg", "dlyvol", "dlycumfacshr")
_INFO = ("permno", "secinfostartdt", "secinfoenddt", "ticker")
_NAMES = {"first": "secinfostartdt", "last": "secinfoenddt", "ticker": "ticker", "name": "securitynm", "sic": "siccd", "issuer": "permco"}


@dataclass(frozen=True)
class CrspCiz:
    """A folder with dsf_v2 (StkDlySecurityData), stksecurityinfohist and dsp500list_v2, CSV or Parquet as WRDS gives them.

    Args:
        title: what the data is, in words.
        calendar: code of the exchange.
    """

    title: str = "CRSP daily stock file, CIZ layout"
    calendar: str = "XNYS"

    def read(self, data: Path) -> Delivery:
        """Return members and returns: PERMNO is the id, PERMCO the issuer, weights are DlyCap at month ends.

        DlyRet holds the delisting return on its own row (DlyDelFlg Y): nothing is compounded here. A price of a bid-ask average is flagged
        (DlyPrcFlg BA), not negative. Without a list of the S&P 500 the index is all common stocks of US companies (SecurityType EQTY,
        SecuritySubType COM, ShareType NS, USIncFlg Y).

        Raises:
            DataError: a table or column is not there, or a value cannot be read.
        """
        folder, findings = Path(data), Findings()
        names = open_sheet(find_table(folder, ("stksecurityinfohist", "stocknames_v2")), _INFO, findings)
        listed = find_table(folder, ("dsp500list_v2", "dsp500list"), needed=False)
        if listed is None:
            findings.warn(folder.name, "index-absent", "there is no table dsp500list_v2: the index is all common stocks of US companies")
            spells = _common(names)
        else:
            spells = read_spells(open_sheet(listed, ("permno", "mbrstartdt", "mbrenddt"), findings), "mbrstartdt", "mbrenddt")
        daily = find_table(folder, ("dsf_v2", "stkdlysecuritydata", "dlysecuritydata"))
        rows = _rows(open_rows_of(daily, _DAILY, findings, Names("permno", frozenset(spells.asset)), optional=_MORE))
        findings.stop_on_errors(str(folder))
        members = crsp_members(rows, spells, names, {**_NAMES, "name": "issuernm" if "issuernm" in names else "securitynm"})
        findings.stop_on_errors(str(folder))
        return Delivery(self.title, members, crsp_returns(rows), calendar=self.calendar, remarks=tuple(findings.found))


def _rows(sheet: Sheet) -> CrspRows:
    coded, date, price = sheet.texts("permno"), sheet.dates("dlycaldt"), sheet.numbers("dlyprc")
    sheet.needed("permno", coded.codes < 0, "id-missing")
    sheet.needed("dlycaldt", np.isnat(date), "date-missing")
    flag, ended = sheet.texts("dlyprcflg"), sheet.texts("dlydelflg")
    quoted = np.array([*(text == "BA" for text in flag.values), False])[flag.codes] | (price < 0.0)
    gone = np.array([*(text == "Y" for text in ended.values), False])[ended.codes]
    sheet.note("price-quoted", "have the middle of bid and ask as their price (DlyPrcFlg BA)", "dlyprcflg", quoted)
    sheet.note("delisting", "hold the return of a delisting", "dlydelflg", gone, coded)
    price = np.where((price == 0.0) | gone, np.nan, np.abs(price))  # the price of such a row is what was paid, not a close
    order = sheet.ordered(coded.codes, date, (coded.codes >= 0) & ~np.isnat(date), "permno")
    same = np.concatenate(([False], coded.codes[order][1:] == coded.codes[order][:-1]))
    factor = sheet.numbers("dlycumfacshr")[order] if "dlycumfacshr" in sheet else np.ones(len(order))
    capital = np.where(gone, np.nan, sheet.numbers("dlycap"))
    return CrspRows(
        coded.values,
        coded.codes[order].astype(np.int64),
        date[order],
        price[order],
        sheet.numbers("dlyret")[order],
        splits_from_factor(same, factor),
        sheet.numbers("dlyvol")[order],
        capital[order],
        np.zeros(len(order), dtype=bool),
    )


def _common(names: Sheet) -> Spells:
    """Return the spells in which a security is a common stock of a US company; a column that is not there excludes nobody."""
    keep = np.ones(len(names), dtype=bool)
    for column, wanted in (("securitytype", "EQTY"), ("securitysubtype", "COM"), ("sharetype", "NS"), ("usincflg", "Y")):
        if column in names:
            coded = names.texts(column)
            keep &= np.array([*(text == wanted for text in coded.values), False])[coded.codes]
    coded, at = names.texts("permno"), np.flatnonzero(keep)
    return Spells(tuple(coded.at(int(row)) for row in at), names.dates("secinfostartdt")[at], names.dates("secinfoenddt")[at])
