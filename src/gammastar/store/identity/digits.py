"""Check digits of CUSIP, ISIN, SEDOL and FIGI: whether an identifier can be one at all.

A check digit finds every wrong single character and most exchanged neighbours. It does not say that the security exists.
"""

from __future__ import annotations

__all__ = ["check_identifier", "cusip_digit", "cusip_of_isin", "figi_digit", "is_cusip", "is_figi", "is_isin", "is_sedol", "isin_digit", "issuer_of", "sedol_digit"]

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_CUSIP = re.compile(r"[0-9A-Z*@#]{8}[0-9]")
_ISIN = re.compile(r"[A-Z]{2}[0-9A-Z]{9}[0-9]")
_SEDOL = re.compile(r"[0-9BCDFGHJKLMNPQRSTVWXYZ]{6}[0-9]")
_FIGI = re.compile(r"[BCDFGHJKLMNPQRSTVWXYZ]{2}G[0-9BCDFGHJKLMNPQRSTVWXYZ]{8}[0-9]")
_NOT_FIGI = frozenset({"BS", "BM", "GG", "GB", "GH", "KY", "VG"})  # they would look like an ISIN
_ORDINALS = {letter: value for value, letter in enumerate("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ*@#")}
_SEDOL_WEIGHTS = (1, 3, 1, 7, 3, 9)


def _digit_sum(values: Iterable[int]) -> int:
    return sum(value // 10 + value % 10 for value in values)


def cusip_digit(base: str) -> int:
    """Return the check digit of the first eight characters of a CUSIP: modulus 10, double add double (CUSIP Global Services).

    Raises:
        ValueError: not eight characters of a CUSIP.

    >>> cusip_digit("03783310")
    0
    """
    if not re.fullmatch(r"[0-9A-Z*@#]{8}", base):
        raise ValueError(f"a CUSIP has eight characters before its check digit, and this is {base!r}")
    return -_digit_sum(_ORDINALS[letter] * (1 + k % 2) for k, letter in enumerate(base)) % 10


def isin_digit(base: str) -> int:
    """Return the check digit of the first eleven characters of an ISIN: Luhn over digits, letters as 10 to 35 (ISO 6166).

    Raises:
        ValueError: not eleven characters of an ISIN.

    >>> isin_digit("US037833100")
    5
    """
    if not re.fullmatch(r"[A-Z]{2}[0-9A-Z]{9}", base):
        raise ValueError(f"an ISIN has two letters and nine characters before its check digit, and this is {base!r}")
    digits = [int(digit) for letter in base for digit in str(int(letter, 36))]
    return -_digit_sum(digit * (2 - k % 2) for k, digit in enumerate(reversed(digits))) % 10


def sedol_digit(base: str) -> int:
    """Return the check digit of the first six characters of a SEDOL: weights 1 3 1 7 3 9 (London Stock Exchange).

    Raises:
        ValueError: not six characters of a SEDOL; vowels are none.

    >>> sedol_digit("026349")
    4
    """
    if not re.fullmatch(r"[0-9BCDFGHJKLMNPQRSTVWXYZ]{6}", base):
        raise ValueError(f"a SEDOL has six characters before its check digit, none a vowel, and this is {base!r}")
    return -sum(weight * int(letter, 36) for weight, letter in zip(_SEDOL_WEIGHTS, base, strict=True)) % 10


def figi_digit(base: str) -> int:
    """Return the check digit of the first eleven characters of a FIGI: modulus 10, double add double (Object Management Group).

    Raises:
        ValueError: not eleven characters of a FIGI.

    >>> figi_digit("BBG000BLNQ1")
    6
    """
    if not re.fullmatch(r"[BCDFGHJKLMNPQRSTVWXYZ]{2}G[0-9BCDFGHJKLMNPQRSTVWXYZ]{8}", base):
        raise ValueError(f"a FIGI has two consonants, G and eight characters before its check digit, and this is {base!r}")
    return -_digit_sum(int(letter, 36) * (1 + k % 2) for k, letter in enumerate(base)) % 10


def is_cusip(text: str) -> bool:
    """Return whether a text is a CUSIP of nine characters with the right check digit."""
    return bool(_CUSIP.fullmatch(text)) and cusip_digit(text[:8]) == int(text[8])


def is_isin(text: str) -> bool:
    """Return whether a text is an ISIN with the right check digit; of US and CA ones the CUSIP inside is checked too."""
    if not _ISIN.fullmatch(text) or isin_digit(text[:11]) != int(text[11]):
        return False
    return text[:2] not in {"US", "CA"} or is_cusip(text[2:11])


def is_sedol(text: str) -> bool:
    """Return whether a text is a SEDOL with the right check digit."""
    return bool(_SEDOL.fullmatch(text)) and sedol_digit(text[:6]) == int(text[6])


def is_figi(text: str) -> bool:
    """Return whether a text is a FIGI with the right check digit."""
    return bool(_FIGI.fullmatch(text)) and text[:2] not in _NOT_FIGI and figi_digit(text[:11]) == int(text[11])


def cusip_of_isin(isin: str) -> str | None:
    """Return the CUSIP inside a US or Canadian ISIN, None for others.

    >>> cusip_of_isin("US0378331005"), cusip_of_isin("GB0002634946")
    ('037833100', None)
    """
    return isin[2:11] if is_isin(isin) and isin[:2] in {"US", "CA"} else None


def issuer_of(identifier: str) -> str | None:
    """Return the issuer's number inside a CUSIP or a US or Canadian ISIN, its first six characters; None where there is none to be read.

    Share classes of one company have it in common. A company may have several, after mergers and very many bonds: it links, and never separates.

    >>> issuer_of("US02079K1079") == issuer_of("02079K305"), issuer_of("GB0002634946")
    (True, None)
    """
    cusip = identifier if is_cusip(identifier) else cusip_of_isin(identifier)
    return None if cusip is None else cusip[:6]


def check_identifier(kind: str, text: str) -> str | None:
    """Return what is wrong with an identifier, None if nothing is.

    Args:
        kind: isin, cusip, sedol or figi.
        text: as the data has it.

    Raises:
        ValueError: no such kind.

    >>> check_identifier("isin", "US0378331006")
    'the check digit is 6 and should be 5'
    """
    tests = {"isin": (is_isin, isin_digit), "cusip": (is_cusip, cusip_digit), "sedol": (is_sedol, sedol_digit), "figi": (is_figi, figi_digit)}
    if kind not in tests:
        raise ValueError(f"no such kind of identifier: {kind!r}; allowed: {', '.join(tests)}")
    valid, digit = tests[kind]
    if valid(text):
        return None
    try:
        right = digit(text[:-1])
    except ValueError as error:
        return str(error)
    return f"the check digit is {text[-1]} and should be {right}" if str(right) != text[-1] else "the CUSIP inside has a wrong check digit"
