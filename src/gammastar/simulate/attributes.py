"""What limits on groups and on trading read: countries, issuers, and the money traded in each name."""

from __future__ import annotations

__all__ = ["COUNTRIES", "TOTAL_CAPITALISATION", "group_attributes", "money_traded"]

from typing import TYPE_CHECKING

import numpy as np

from gammastar.market.groups import ISSUER, UNKNOWN, Sectors, own_issuers

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int
    from numpy import ndarray

    from gammastar.simulate.path import Path

COUNTRIES = {"US": 0.90, "GB": 0.04, "IE": 0.03, "CH": 0.02, "NL": 0.01}
"""Share of names by country of domicile."""

TOTAL_CAPITALISATION = 3e13
"""Float capitalisation of the listed names at the first session, in money: near that of large United States stocks."""

_TURNOVER = 0.005  # of the capitalisation, a session: the median name's
_NAME_SPREAD, _DAY_SPREAD = 0.3, 0.35  # standard deviations of its logarithm across names and from session to session
_MOVE = 0.02  # a return of this size doubles it
_PAIRS = 0.01  # pairs of share classes, for each name listed at the first session


def money_traded(path: Path, names: np.random.Generator, days: np.random.Generator) -> Float[ndarray, "t n"]:
    """Return the money traded in each name at each session; 0 where its return is not of the market (not yet listed, gone).

    ``X_i(t-1) c 0.005 exp(0.3 a_i - 0.3^2/2 + 0.35 e_i(t) - 0.35^2/2) (1 + |log return| / 2%) / 1.5``, with ``c`` that makes the first
    capitalisations sum to `TOTAL_CAPITALISATION`, and ``a_i``, ``e_i(t)`` standard normal. At the first session there is no return yet.

    Args:
        path: of the market.
        names: gives ``a_i``, in the order of listing.
        days: gives ``e_i(t)``, session by session.
    """
    sessions, places = path.occupant.shape
    habit = np.exp(_NAME_SPREAD * names.standard_normal(len(path.names)) - 0.5 * _NAME_SPREAD**2)
    scale = TOTAL_CAPITALISATION / np.exp(path.log_capital[0]).sum()
    traded = np.zeros((sessions, len(path.names)))
    for t in range(sessions):
        before = max(t - 1, 0)
        noise = np.exp(_DAY_SPREAD * days.standard_normal(places) - 0.5 * _DAY_SPREAD**2)
        moved = (1.0 + np.abs(path.log_return[t]) / _MOVE) / 1.5
        who = path.occupant[before]
        traded[t, who] = scale * np.exp(path.log_capital[before]) * _TURNOVER * habit[who] * noise * moved
    return traded


def group_attributes(path: Path, known: Bool[ndarray, "t n"], ids: tuple[str, ...], rng: np.random.Generator) -> dict[str, Sectors]:
    """Return the country of each name, and the issuer: a few names listed at the first session are share classes of one.

    Args:
        path: of the market.
        known: from which session on each name is listed.
        ids: of the names.
        rng: used for the pairs first, then name by name.
    """
    first = _first_classes(path, rng)
    countries = np.searchsorted(np.cumsum(list(COUNTRIES.values()))[:-1], rng.random(len(ids)), side="right")[first]
    issuers = np.unique(first[first != np.arange(len(ids))])
    named = tuple(f"Simulated Issuer {column + 1}" for column in issuers)
    codes = np.arange(len(ids)) + len(named)
    for code, column in enumerate(issuers):
        codes[first == column] = code
    return {
        "country": Sectors((*COUNTRIES, UNKNOWN), np.where(known, countries, len(COUNTRIES))),
        ISSUER: Sectors((*named, *own_issuers(ids)), np.broadcast_to(codes, known.shape)),
    }


def _first_classes(path: Path, rng: np.random.Generator) -> Int[ndarray, " n"]:
    """Return the column of each name's first share class: its own, but for the second class of a pair, which is of the same sector."""
    listed = path.occupant.shape[1]  # the names of the first session are the first columns
    first = np.arange(len(path.names))
    drawn = list(rng.permutation(listed))
    for _ in range(max(1, round(_PAIRS * listed))):
        one = drawn.pop()
        other = next((column for column in drawn if path.names.sector[column] == path.names.sector[one]), None)
        if other is not None:
            drawn.remove(other)
            first[max(one, other)] = min(one, other)
    return first
