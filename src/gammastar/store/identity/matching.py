"""Which asset of one table is which name of another: every candidate with its evidence and a confidence, for a person to review.

Pieces of evidence are combined as if independent: the confidence is one less the product of their doubts,

    confidence = 1 - (1 - identifier)(1 - price)(1 - ticker)(1 - name),

but never above 0.1 where prices were compared and disagree: a ticker that another company uses by now is the commonest trap.
"""

from __future__ import annotations

__all__ = ["Candidate", "Match", "MatchTable", "match_assets", "read_matches"]

import csv
from collections import Counter
from dataclasses import dataclass, fields, replace
from difflib import SequenceMatcher
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from gammastar.errors import DataError, Finding
from gammastar.store.findings import Findings
from gammastar.store.identity.digits import check_identifier, cusip_digit, cusip_of_isin
from gammastar.store.sources.sheet import open_sheet

if TYPE_CHECKING:
    from pathlib import Path

    from numpy import ndarray

    from gammastar.store.sources.sheet import Sheet

ACCEPT = 0.95
"""Confidence from which a match is accepted without review, if nothing contradicts it."""

_IDENTIFIER, _TICKER, _NAME = 0.99, 0.5, 0.3
_CONTRADICTED = 0.1
_PRICE_TOLERANCE = 0.005  # of a price: later corrections, and closes of another venue
_LEAST_DATES = 3
_YEAR, _ALMOST = 12, 0.95  # dates on which prices agree within a span, and their share of it, that make the span one of its own
_IDENTIFIERS = ("isin", "cusip", "figi", "sedol")
_EVER = (np.datetime64("1900-01-01", "D"), np.datetime64("2100-12-31", "D"))
_DECISIONS = ("accept", "reject", "review")


@dataclass(frozen=True)
class Candidate:
    """An asset and a vendor's name that may be the same.

    Args:
        asset, vendor: the id of one table and the name of the other.
        first, last: dates within which the vendor's name means this asset.
        identifier: the kind of identifier that both have, empty for none.
        ticker: whether the tickers are equal.
        name: how alike the names are, from 0 to 1.
        dates, agreeing: on how many dates both have a price, and on how many the prices agree.
        confidence: from 0 to 1.
        decision: accept, reject or review.
        by, reason: who decided and why, filled in by a person.
    """

    asset: str
    vendor: str
    first: np.datetime64
    last: np.datetime64
    identifier: str
    ticker: bool
    name: float
    dates: int
    agreeing: int
    confidence: float
    decision: str = "review"
    by: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Match:
    """An accepted match: between `first` and `last` the vendor's name means the asset."""

    asset: str
    vendor: str
    first: np.datetime64
    last: np.datetime64


@dataclass(frozen=True)
class MatchTable:
    """All candidates, the best of each asset first, and the assets without any.

    Args:
        candidates: by asset.
        unmatched: ids of assets for which there is no candidate at all.
        invalid: identifiers with a wrong check digit; they are no evidence.
    """

    candidates: tuple[Candidate, ...]
    unmatched: tuple[str, ...]
    invalid: tuple[Finding, ...]

    def count(self, decision: str) -> int:
        """Return how many candidates have a decision."""
        return sum(candidate.decision == decision for candidate in self.candidates)

    def to_dict(self) -> dict[str, Any]:
        """Return the table as plain values, ready for JSON."""
        told = [{item.name: getattr(candidate, item.name) for item in fields(Candidate)} for candidate in self.candidates]
        plain = [{**row, "first": str(row["first"]), "last": str(row["last"])} for row in told]
        return {"candidates": plain, "unmatched": list(self.unmatched), "invalid": [str(finding) for finding in self.invalid]}

    def write(self, path: Path) -> None:
        """Write the table as CSV, to be reviewed."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow([item.name for item in fields(Candidate)])
            for candidate in self.candidates:
                values = [getattr(candidate, item.name) for item in fields(Candidate)]
                writer.writerow([f"{value:.4f}" if isinstance(value, float) else value for value in values])

    def __str__(self) -> str:
        """Return the counts for people to read."""
        told = ", ".join(f"{self.count(word)} to {word}" for word in _DECISIONS)
        lines = [f"{len(self.candidates)} candidates: {told}; {len(self.unmatched)} assets without any candidate"]
        lines += [f"  {finding}" for finding in self.invalid[:20]]
        return "\n".join(lines)


@dataclass(frozen=True, eq=False)
class _Side:
    """One of the two tables: who is who on which date."""

    ids: tuple[str, ...]
    code: ndarray
    date: ndarray
    price: ndarray
    labels: dict[str, tuple[set[str], ...]]


def match_assets(assets: Any, vendor: Any, *, vendor_id: str = "ticker", price: str = "close") -> MatchTable:
    """Match the assets of a table of members with the names of a vendor's bars, or of any other table.

    Args:
        assets: file or table with `date` and `asset_id`, and what it has of `ticker`, `name`, `isin`, `cusip`, `figi`, `sedol`, `price`.
        vendor: the same of the vendor, under its own id; a list of securities needs no dates.
        vendor_id: the vendor's column of ids.
        price: the vendor's column of closes as traded.

    Returns:
        Every candidate with its evidence; what is sure is accepted, the rest is to be reviewed.

    Raises:
        DataError: a table cannot be read.
    """
    findings = Findings()
    left = _side(open_sheet(assets, ("date", "asset_id"), findings), "asset_id", "price")
    right = _side(open_sheet(vendor, (vendor_id,), findings), vendor_id, price)
    findings.stop_on_errors("match")
    pairs = _pairs(left, right)
    compared = _compared(left, right, pairs)
    found = [_candidate(left, right, pair, compared.get(pair, _Compared(0, 0))) for pair in sorted(pairs | set(compared))]
    kept = [candidate for candidate in found if candidate.confidence > _CONTRADICTED or candidate.ticker or candidate.identifier]
    decided = _decided(kept)
    told = {candidate.asset for candidate in decided}
    return MatchTable(tuple(decided), tuple(asset for asset in left.ids if asset not in told), tuple(findings.warnings))


def _side(sheet: Sheet, identity: str, price: str) -> _Side:
    coded = sheet.texts(identity)
    labels: dict[str, tuple[set[str], ...]] = {}
    for name in ("ticker", "name", *_IDENTIFIERS):
        texts = sheet.texts(name)
        told: tuple[set[str], ...] = tuple(set() for _ in coded.values)
        both = (coded.codes >= 0) & (texts.codes >= 0)
        for pair in np.unique(coded.codes[both].astype(np.int64) * max(len(texts.values), 1) + texts.codes[both]).tolist():
            told[pair // len(texts.values)].add(texts.values[pair % len(texts.values)])
        labels[name] = _valid(sheet, name, told) if name in _IDENTIFIERS else told
    inside = [{cusip for isin in isins if (cusip := cusip_of_isin(isin)) is not None} for isins in labels["isin"]]
    labels["cusip"] = tuple(cusips | more for cusips, more in zip(labels["cusip"], inside, strict=True))
    good = coded.codes >= 0
    return _Side(coded.values, coded.codes[good], sheet.dates("date")[good], sheet.numbers(price)[good], labels)


def _valid(sheet: Sheet, kind: str, told: tuple[set[str], ...]) -> tuple[set[str], ...]:
    """Return identifiers without those whose check digit is wrong; these are warned of."""
    kept = []
    for found in told:
        texts = {_whole_cusip(text) for text in found} if kind == "cusip" else found
        wrong = {text: fault for text in texts if len(text) > 1 and (fault := check_identifier(kind, text)) is not None}
        for text, fault in sorted(wrong.items()):
            sheet.findings.warn(sheet.file, "identifier", fault, column=kind, value=text)
        kept.append({text for text in texts if len(text) > 1 and text not in wrong})
    return tuple(kept)


def _whole_cusip(text: str) -> str:
    """Return a CUSIP of eight characters, as some vendors have it, with its check digit; others as they are."""
    try:
        return f"{text}{cusip_digit(text)}"
    except ValueError:
        return text


def _pairs(left: _Side, right: _Side) -> set[tuple[int, int]]:
    """Return pairs that share an identifier or a ticker."""
    pairs: set[tuple[int, int]] = set()
    for name in ("ticker", *_IDENTIFIERS):
        owners: dict[str, list[int]] = {}
        for code, texts in enumerate(right.labels[name]):
            for text in texts:
                owners.setdefault(text, []).append(code)
        pairs |= {(code, other) for code, texts in enumerate(left.labels[name]) for text in texts for other in owners.get(text, ())}
    return pairs


@dataclass(frozen=True)
class _Compared:
    """On how many dates two have a price, on how many the prices agree, and within which dates they were compared."""

    dates: int
    agreeing: int
    span: tuple[np.datetime64, np.datetime64] | None = None


def _compared(left: _Side, right: _Side, pairs: set[tuple[int, int]]) -> dict[tuple[int, int], _Compared]:
    """Return how the prices of each pair compare; pairs that agree by price alone are found here."""
    days = np.intersect1d(left.date[~np.isnat(left.date)], right.date[~np.isnat(right.date)])
    mine, theirs = _prices(left, days), _prices(right, days)
    found: dict[tuple[int, int], _Compared] = {}
    for code in range(len(left.ids)):
        at = np.flatnonzero(mine[:, code] > 0.0)
        if not len(at):
            continue
        there = theirs[at] > 0.0
        near = there & (np.abs(theirs[at] / mine[at, code][:, None] - 1.0) < _PRICE_TOLERANCE)
        dates, agreeing = there.sum(axis=0), near.sum(axis=0)
        alike = {int(other) for other in np.flatnonzero((agreeing >= _LEAST_DATES) & (agreeing >= 0.9 * dates))}
        for other in alike | {other for one, other in pairs if one == code}:
            found[code, other] = _span(days[at], there[:, other], near[:, other])
    return found


def _span(days: ndarray, there: ndarray, near: ndarray) -> _Compared:
    """Compare within the dates between which prices agree, if that is a year or more and almost without fail: a name may have passed from one asset to another."""
    agreeing = np.flatnonzero(near)
    if len(agreeing) >= _YEAR:
        within = slice(agreeing[0], agreeing[-1] + 1)
        if near[within].sum() >= _ALMOST * there[within].sum():
            return _Compared(int(there[within].sum()), len(agreeing), (days[agreeing[0]], days[agreeing[-1]]))
    return _Compared(int(there.sum()), len(agreeing))


def _prices(side: _Side, days: ndarray) -> ndarray:
    """Return prices by day and name, NaN where there is none, shape (days, names)."""
    dense = np.full((len(days), len(side.ids)), np.nan)
    if not len(days):
        return dense
    at = np.minimum(np.searchsorted(days, side.date), len(days) - 1)
    there = days[at] == side.date
    dense[at[there], side.code[there]] = side.price[there]
    return dense


def _candidate(left: _Side, right: _Side, pair: tuple[int, int], compared: _Compared) -> Candidate:
    one, other = pair
    shared = [name for name in _IDENTIFIERS if left.labels[name][one] & right.labels[name][other]]
    ticker = bool(left.labels["ticker"][one] & (right.labels["ticker"][other] | {right.ids[other]}))
    alike = max((_alike(a, b) for a in left.labels["name"][one] for b in right.labels["name"][other]), default=0.0)
    dates, agreeing = compared.dates, compared.agreeing
    share = agreeing / dates if dates else 0.0
    price = share * (1.0 - 0.5**agreeing) if agreeing >= _LEAST_DATES else 0.0
    doubt = (1.0 - _IDENTIFIER * bool(shared)) * (1.0 - price) * (1.0 - _TICKER * ticker) * (1.0 - _NAME * alike)
    confidence = 1.0 - doubt
    if dates >= _LEAST_DATES and share < 0.5:
        confidence = min(confidence, _CONTRADICTED)
    first, last = compared.span or (left.date[left.code == one].min(), left.date[left.code == one].max())
    return Candidate(left.ids[one], right.ids[other], first, last, shared[0] if shared else "", ticker, round(alike, 4), dates, agreeing, round(confidence, 4))


def _alike(one: str, other: str) -> float:
    return SequenceMatcher(None, one.casefold(), other.casefold()).ratio()


def _decided(candidates: list[Candidate]) -> list[Candidate]:
    """Return candidates with decisions: accepted if sure, and no other sure one has the vendor's name at the same time, or the asset."""
    claims = [candidate for candidate in candidates if candidate.confidence > _CONTRADICTED]
    of_vendor: dict[str, list[Candidate]] = {}
    sure_of_asset = Counter(candidate.asset for candidate in claims if candidate.confidence >= ACCEPT)
    for candidate in claims:
        of_vendor.setdefault(candidate.vendor, []).append(candidate)
    decided = []
    for candidate in candidates:
        rivals = [other for other in of_vendor.get(candidate.vendor, ()) if other is not candidate]
        contested = any(other.confidence >= ACCEPT and other.first <= candidate.last and candidate.first <= other.last for other in rivals)
        sure = candidate.confidence >= ACCEPT and sure_of_asset[candidate.asset] == 1 and not contested
        decision = "reject" if candidate.confidence <= _CONTRADICTED else "accept" if sure else "review"
        bounds = _bounds(candidate, rivals)
        decided.append(replace(candidate, first=bounds[0], last=bounds[1], decision=decision))
    return sorted(decided, key=lambda candidate: (candidate.asset, -candidate.confidence, candidate.vendor))


def _bounds(candidate: Candidate, rivals: list[Candidate]) -> tuple[np.datetime64, np.datetime64]:
    """Return the dates within which the vendor's name means the asset: for ever, but where another asset has a claim on the name before or after."""
    earlier = [other for other in rivals if other.first < candidate.first]
    later = [other.first for other in rivals if other.first > candidate.first]
    return candidate.first if earlier else _EVER[0], (min(later) - np.timedelta64(1, "D")) if later else _EVER[1]


def read_matches(path: Path) -> tuple[Match, ...]:
    """Return the accepted matches of a reviewed table.

    Raises:
        DataError: rows are still to be reviewed, a decision is none, or two accepted rows give one vendor's name to two assets on a date.
    """
    findings = Findings()
    sheet = open_sheet(path, ("asset", "vendor", "first", "last", "decision"), findings)
    asset, vendor, decision = (sheet.texts(name) for name in ("asset", "vendor", "decision"))
    first, last = sheet.dates("first"), sheet.dates("last")
    words = np.array([decision.at(at) for at in range(len(sheet))], dtype=object)
    wrong = np.array([word not in _DECISIONS for word in words], dtype=bool)
    sheet.wrong("match-decision", f"must be one of {', '.join(_DECISIONS)}", "decision", wrong, words)
    sheet.wrong("match-review", "is still to be reviewed: write accept or reject, and by whom and why", "decision", words == "review", [vendor.at(at) for at in range(len(sheet))])
    accepted = [Match(asset.at(at), vendor.at(at), first[at], last[at]) for at in np.flatnonzero(words == "accept").tolist()]
    for one, other in _doubled(accepted):
        findings.add(sheet.file, "match-twice", f"{one.vendor} is accepted as {one.asset} and as {other.asset} on the same dates", column="vendor", value=one.vendor)
    if findings.errors:
        raise DataError(str(path), f"{len(findings.errors)} matches cannot be used", findings=findings.errors, advice="review the rows below; nobody guesses who is who")
    return tuple(accepted)


def _doubled(matches: list[Match]) -> list[tuple[Match, Match]]:
    by_vendor = sorted(matches, key=lambda match: (match.vendor, match.first))
    return [(one, other) for one, other in pairwise(by_vendor) if one.vendor == other.vendor and other.first <= one.last]
