"""Fund holdings as index weights: the CSV that iShares publishes, a file a date."""

from __future__ import annotations

__all__ = ["FundHoldings", "HoldingsId"]

import datetime as dt
import re
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute

from gammastar.errors import DataError, Finding
from gammastar.store.findings import Findings
from gammastar.store.identity.digits import check_identifier, issuer_of
from gammastar.store.sources.delivery import Delivery
from gammastar.store.sources.members_file import rename_assets
from gammastar.store.sources.raw_bars import RawBars
from gammastar.store.sources.sheet import Sheet, open_sheet
from gammastar.store.sources.snapshots import coded_texts, members_table, weights_from_values

if TYPE_CHECKING:
    from numpy import ndarray

_AS_OF = re.compile(r'holdings as of\s*,?\s*"?\s*([^"\r\n]+)', re.I)
_FORMATS = ("%b %d, %Y", "%B %d, %Y", "%d-%b-%Y", "%d/%b/%Y", "%Y-%m-%d", "%Y%m%d")
_STOCK = "equity"
_NOTHING = frozenset({"-", "--"})
_WEIGHT_TOLERANCE = 0.0005


class HoldingsId(Enum):
    """Which column of a holdings file is the id of an asset."""

    ISIN = "isin"
    CUSIP = "cusip"
    SEDOL = "sedol"
    TICKER = "ticker"


@dataclass(frozen=True)
class FundHoldings:
    """Files of fund holdings in the iShares layout: lines about the fund, a header, a row a holding, a blank line, small print.

    Args:
        identity: the column that is the id; None: the ISIN where the files have it, else the ticker, with a remark.
        bars: file of raw bars, as traded, that has the returns (see `RawBars`); without it the holdings are members alone.
        matches: reviewed file of `gammastar data match`: which asset each name of `bars` is; not needed where the ids are the same.
        title: what the data is, in words; default the fund's name.
        calendar: code of the exchange.
    """

    identity: HoldingsId | None = None
    bars: Path | None = None
    matches: Path | None = None
    title: str = ""
    calendar: str = "XNYS"

    def read(self, data: Path) -> Delivery:
        """Return members: the stocks of each file, weighted by market value. Cash, futures and other rows are left out, and counted.

        Args:
            data: a file, or a folder of files of one fund, one a date.

        Raises:
            DataError: a file without its date or its columns, a number that cannot be read, two files of one date.
        """
        findings = Findings()
        files = sorted(Path(data).glob("*.csv")) if Path(data).is_dir() else [Path(data)]
        if not files:
            raise DataError(str(data), "there is no holdings file", findings=(Finding(Path(data).name, "file-absent", "no *.csv in the folder"),), advice="give the folder with the downloaded files")
        read = [self._file(path, findings) for path in files]
        findings.stop_on_errors(str(data))
        _one_a_date(files, [date for _, date, _ in read])
        members = pa.concat_tables([table for _, _, table in read], promote_options="default").sort_by("date")
        returns, remarks = None, tuple(findings.found)
        if self.bars is not None:
            priced = RawBars(calendar=self.calendar).read(self.bars)
            returns = priced.returns if self.matches is None else rename_assets(priced.returns, self.matches)
            remarks += tuple(finding for finding in priced.remarks if finding.rule != "weights-made")
        return Delivery(self.title or read[0][0], members, returns, calendar=self.calendar, remarks=remarks)

    def _file(self, path: Path, findings: Findings) -> tuple[str, np.datetime64, Any]:
        """Return the fund's name, the date, and the members of one file."""
        fund, date, skip, end = _preamble(path)
        sheet = open_sheet(path, ("ticker", "name", "asset class", "market value"), findings, skip=skip, end=end)
        kind, value = sheet.texts("asset class"), _amounts(sheet, "market value")
        stock = np.array([*(text.lower() == _STOCK for text in kind.values), False])[kind.codes]
        sheet.note("holding-no-stock", f"that are no stocks are left out, {_share(value, ~stock):.2%} of the value", "asset class", ~stock)
        sheet, value = sheet.taken(stock), value[stock]
        sheet.note("holding-short", "of stocks have no value above zero and are left out", "market value", ~(value > 0.0), value)
        sheet, value = sheet.taken(value > 0.0), value[value > 0.0]
        published = _amounts(sheet, "weight (%)")
        weight = weights_from_values(np.full(len(sheet), date), value)
        off = np.abs(weight - published / (np.nansum(published) or np.nan)) > _WEIGHT_TOLERANCE
        sheet.note("weight-differs", "have a published weight that is not their share of the market value", "weight (%)", off, published)
        return fund, date, self._members(sheet, date, weight)

    def _members(self, sheet: Sheet, date: np.datetime64, weight: ndarray) -> Any:
        identity = self.identity or (HoldingsId.ISIN if "isin" in sheet else HoldingsId.TICKER)
        if self.identity is None and identity is HoldingsId.TICKER:
            sheet.findings.warn(sheet.file, "id-ticker", "the file has no ISIN, and tickers are the ids: they are reused and renamed", column="ticker")
        ids = sheet.texts(identity.value)
        none = (ids.codes < 0) | np.array([*(text in _NOTHING for text in ids.values), False])[ids.codes]
        sheet.needed(identity.value, none, "id-missing")
        if identity is not HoldingsId.TICKER:
            wrong = {text: fault for text in ids.values if text not in _NOTHING and (fault := check_identifier(identity.value, text))}
            sheet.wrong("identifier", f"no {identity.value.upper()}: its check digit or its characters are wrong", identity.value,
                        np.array([*(text in wrong for text in ids.values), False])[ids.codes], ids)
        first, of = np.unique(ids.codes, return_index=True, return_inverse=True)[1:]
        if len(first) < len(sheet):
            again = np.ones(len(sheet), dtype=bool)
            again[first] = False
            sheet.note("holding-again", "are of assets that the file has already; their values are added", identity.value, again, ids)
        summed = np.bincount(of, weights=weight)
        label = {name: sheet.texts(column) for name, column in (("ticker", "ticker"), ("name", "name"), ("sector", "sector"), ("country", "location")) if column in sheet}
        others: dict[str, Any] = {name: coded_texts(coded.codes[first], coded.values) for name, coded in label.items()}
        issuers = [issuer_of(ids.values[code]) for code in ids.codes[first].tolist()]
        others["issuer"] = pa.array(issuers, pa.string()) if any(issuers) else None
        price = _amounts(sheet, "price")[first]
        price = pa.array(np.where(price > 0.0, price, np.nan), from_pandas=True)
        return members_table(np.full(len(first), date), coded_texts(ids.codes[first], ids.values), summed, price=price, **others)


def _preamble(path: Path) -> tuple[str, np.datetime64, int, int]:
    """Return the fund's name, the date of its holdings, the number of lines before the header, and the last line of the table.

    Raises:
        DataError: no date, or no header.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(str(path), "the file cannot be read as UTF-8", findings=(Finding(path.name, "encoding", str(error)[:120]),), advice="give the CSV as it was downloaded") from error
    said = next((match for line in lines[:30] if (match := _AS_OF.search(line))), None)
    header = next((at for at, line in enumerate(lines) if line.lstrip('" ').lower().startswith("ticker")), None)
    if said is None or header is None:
        lacks = "the line 'Fund Holdings as of'" if said is None else "the header that begins with Ticker"
        raise DataError(str(path), "this is no holdings file", findings=(Finding(path.name, "holdings-layout", f"the file has not {lacks}"),), advice="give the CSV as it was downloaded")
    date = _date(said[1].strip().rstrip(","))
    if date is None:
        raise DataError(str(path), "the date of the holdings cannot be read", got=said[1], allowed="Dec 31, 2019", findings=(Finding(path.name, "date-text", "not a date", value=said[1]),))
    end = next((at for at in range(header + 1, len(lines)) if not lines[at].replace("\xa0", "").strip(' ",')), len(lines))
    return lines[0].strip().strip('",') or path.stem, date, header, end


def _date(text: str) -> np.datetime64 | None:
    for form in _FORMATS:
        try:
            return np.datetime64(dt.datetime.strptime(text, form).date(), "D")  # noqa: DTZ007 - a day has no time zone
        except ValueError:
            continue
    return None


def _amounts(sheet: Sheet, name: str) -> ndarray:
    """Return numbers written with thousands separators."""
    if name not in sheet:
        return np.full(len(sheet), np.nan)
    plain = pa.compute.replace_substring(sheet.columns[name].cast(pa.string()), ",", "")
    return Sheet(sheet.file, sheet.rows, {name: plain}, sheet.findings).numbers(name, _NOTHING)


def _share(value: ndarray, of: ndarray) -> float:
    return float(np.nansum(value[of]) / np.nansum(value)) if np.nansum(value) else 0.0


def _one_a_date(files: list[Path], dates: list[np.datetime64]) -> None:
    seen: dict[np.datetime64, Path] = {}
    for path, date in zip(files, dates, strict=True):
        if date in seen:
            finding = Finding(path.name, "snapshot-duplicate", f"{seen[date].name} has the holdings of this date too", value=str(date))
            raise DataError(str(path), "two files are of one date", findings=(finding,), advice="keep one of them")
        seen[date] = path
