"""Returns of named factors, session by session: weighted regressions of returns on what was known at the close before.

At each session t, over the members observed at t, ``log R_i = m + s_{sector(i)} + sum_k x_ik f_k + e_i`` with exposures x and benchmark weights mu of
the close before. The weights of the regression are ``sqrt(mu_i)``; the sector returns are relative, ``sum_s mu_s s_s = 0``, so that m is the market's
(Menchero, Orr and Wang 2011). The sectors are eliminated first (Frisch and Waugh 1933), which leaves one small system a session.
"""

from __future__ import annotations

__all__ = [
    "CrossSections",
    "SectionRows",
    "cross_sections",
    "observed_returns",
    "section_rows",
    "sections_of",
    "sector_codes",
    "standard_styles",
]

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from gammastar.core.exposures import standardise_sessions
from gammastar.market.characteristics import A_YEAR, Observed, running_characteristics

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int
    from numpy import ndarray

    from gammastar.market.moment import Moment


@dataclass(frozen=True, eq=False)
class CrossSections:
    """What w regressions found, and the exposures of today. Columns are the n assets of the moment.

    Args:
        names: of the factors: ``"market"``, the sectors, the styles.
        returns: of the factors, a session, shape (w, k).
        complete: sessions in which every style was known and differed between members, shape (w,).
        residuals: log returns less what the factors explain, zero where not observed, shape (w, n).
        observed: which of them are data, shape (w, n).
        dispersion: of log returns around the market's between the members observed, weighted as in the regressions, a session, shape (w,); 0 with none.
        exposures: at the close of the moment, shape (n, k).
        sectors: which factors are sectors, shape (k,).
    """

    names: tuple[str, ...]
    returns: Float[ndarray, "w k"]
    complete: Bool[ndarray, " w"]
    residuals: Float[ndarray, "w n"]
    observed: Bool[ndarray, "w n"]
    dispersion: Float[ndarray, " w"]
    exposures: Float[ndarray, "n k"]
    sectors: Bool[ndarray, " k"]


def cross_sections(moment: Moment, *, window: int, styles: tuple[str, ...]) -> CrossSections:
    """Return the regressions of the last `window` sessions of a moment (fewer, if its history is shorter).

    A return of session t enters with exposures and sectors of the close of t - 1, over all that was in the index or observed then: row t of the answer
    depends on data up to t alone. Every sector label is a factor, with return zero in a session that has nobody in it.

    Args:
        moment: what is known; only observed returns enter.
        window: sessions.
        styles: of `gammastar.market.characteristics.STYLES`.

    Raises:
        ValueError: a style that there is none of, or fewer than two sessions.
    """
    sessions = len(moment.returns)
    if sessions < 2:
        raise ValueError("a regression needs two sessions: exposures of the first, returns of the second")
    year = A_YEAR[moment.frequency]
    window = min(window, sessions - 1)
    first = max(sessions - window - year, 0)
    closes = moment.benchmark_history[-window - 1 :]
    columns = np.flatnonzero(moment.observed[first:].any(axis=0) | (closes > 0.0).any(axis=0) | moment.members)
    history, mu = observed_returns(moment, slice(first, sessions), columns), closes[:, columns]
    style = standard_styles(running_characteristics(history, mu, minimum=max(year // 4, 2)), mu, styles)
    codes = sector_codes(moment, slice(sessions - window - 1, sessions))[:, columns]
    found = section_rows(mu[:-1], style[:-1], codes[:-1], len(moment.sector_labels), (history.logs[-window:], history.observed[-window:]))
    residuals, seen = np.zeros((window, len(moment.assets))), np.zeros((window, len(moment.assets)), dtype=bool)
    residuals[:, columns], seen[:, columns] = found.residuals, history.observed[-window:]
    today = np.zeros((len(styles), len(moment.assets)))
    today[:, columns] = style[-1]
    return sections_of(moment, styles, today, SectionRows(found.returns, found.complete, residuals, seen, found.dispersion))


@dataclass(frozen=True, eq=False)
class SectionRows:
    """Regressions of w sessions: `returns` (w, k), `complete` (w,), `residuals` (w, n), `observed` (w, n), `dispersion` (w,), as in `CrossSections`."""

    returns: Float[ndarray, "w k"]
    complete: Bool[ndarray, " w"]
    residuals: Float[ndarray, "w n"]
    observed: Bool[ndarray, "w n"]
    dispersion: Float[ndarray, " w"]


def sections_of(moment: Moment, styles: tuple[str, ...], style: Float[ndarray, "k n"], rows: SectionRows) -> CrossSections:
    """Return the regressions with the exposures of the moment, whose standardised characteristics are `style`."""
    count = len(moment.sector_labels)
    exposures = np.column_stack((np.ones(len(moment.assets)), np.eye(count)[moment.sector_codes], style.T))
    is_sector = np.repeat((False, True, False), (1, count, len(styles)))
    names = ("market", *moment.sector_labels, *styles)
    return CrossSections(names, rows.returns, rows.complete, rows.residuals, rows.observed, rows.dispersion, exposures, is_sector)


def standard_styles(
    known: dict[str, tuple[Float[ndarray, "r n"], Bool[ndarray, "r n"]]], mu: Float[ndarray, "r n"], styles: tuple[str, ...]
) -> Float[ndarray, "r k n"]:
    """Return the standardised characteristics of r closes in the order of `styles`.

    Raises:
        ValueError: a style that there is none of.
    """
    unknown = [style for style in styles if style not in known]
    if unknown:
        raise ValueError(f"there is no style {unknown[0]!r}; there are {', '.join(known)}")
    if not styles:
        return np.zeros((len(mu), 0, mu.shape[1]))
    return np.stack([standardise_sessions(*known[name], mu) for name in styles], axis=1)


def sector_codes(moment: Moment, sessions: slice) -> Int[ndarray, "w n"]:
    """Return the sectors at the closes of `sessions`; those of now, where no others are known."""
    if moment.sector_history is not None:
        return moment.sector_history[sessions]
    return np.broadcast_to(moment.sector_codes, (sessions.stop - sessions.start, len(moment.assets)))


def observed_returns(moment: Moment, sessions: slice, columns: Int[ndarray, " m"] | slice) -> Observed:
    """Return the log returns of `sessions`, and the index's: weighted by the benchmark of the close before over what was observed."""
    observed = moment.observed[sessions, columns]
    logs = np.log1p(np.where(observed, moment.returns[sessions, columns], 0.0))
    weight = np.zeros_like(logs)
    before = moment.benchmark_history[max(sessions.start - 1, 0) : sessions.stop - 1, columns]
    weight[len(weight) - len(before) :] = before
    weight *= observed
    total = weight.sum(axis=1)
    index = np.divide(np.einsum("tn,tn->t", weight, logs), total, out=np.zeros(len(logs)), where=total > 0.0)
    return Observed(logs, observed, index, moment.frequency)


def section_rows(
    mu: Float[ndarray, "w n"],
    style: Float[ndarray, "w k n"],
    codes: Int[ndarray, "w n"],
    sectors: int,
    after: tuple[Float[ndarray, "w n"], Bool[ndarray, "w n"]],
) -> SectionRows:
    """Return the regressions of log returns, and where they are data (`after`), on what the w closes before them knew."""
    logs, observed = after
    starts = np.concatenate(([0], np.flatnonzero((codes[1:] != codes[:-1]).any(axis=1)) + 1, [len(codes)]))
    parts = []
    for start, stop in pairwise(starts):  # sectors are the same within each of these
        found = _Regressions(mu[start:stop], style[start:stop], np.eye(sectors)[codes[start]], codes[start])
        parts.append((*found.solve(logs[start:stop], observed[start:stop]), found.complete))
    returns, explained, complete = (np.concatenate(part) for part in zip(*parts, strict=True))
    weight = np.where(observed, np.sqrt(mu), 0.0)
    total = weight.sum(axis=1)
    spread = np.einsum("wn,wn->w", weight, np.square(logs - returns[:, :1]))
    dispersion = np.divide(spread, total, out=np.zeros_like(total), where=total > 0.0)
    return SectionRows(returns, complete, np.where(observed, logs - explained, 0.0), observed, dispersion)


@dataclass(frozen=True, eq=False)
class _Regressions:
    """Exposures and benchmark weights of w closes: `mu` (w, n), `style` (w, k, n), `one_hot` (n, s) and `codes` (n,) of the sectors."""

    mu: Float[ndarray, "w n"]
    style: Float[ndarray, "w k n"]
    one_hot: Float[ndarray, "n s"]
    codes: Int[ndarray, " n"]

    @property
    def complete(self) -> Bool[ndarray, " w"]:
        return np.asarray(np.all(np.any((self.style != 0.0) & (self.mu > 0.0)[:, None, :], axis=2), axis=1))

    def solve(self, logs: Float[ndarray, "w n"], observed: Bool[ndarray, "w n"]) -> tuple[Float[ndarray, "w k"], Float[ndarray, "w n"]]:
        """Return the factors' returns (market, sectors, styles) of the sessions after the closes, and what they explain of every asset's."""
        weight = np.where(observed, np.sqrt(self.mu), 0.0)
        share = weight @ self.one_hot
        scale = np.divide(1.0, share, out=np.zeros_like(share), where=share > 0.0)
        style_mean = ((self.style * weight[:, None, :]) @ self.one_hot) * scale[:, None, :]
        log_mean = ((logs * weight) @ self.one_hot) * scale
        inside = self.style - style_mean[:, :, self.codes]
        weighted = inside * weight[:, None, :]
        slopes = _least_squares(weighted @ inside.transpose(0, 2, 1), weighted @ logs[:, :, None])
        level = log_mean - np.einsum("tk,tks->ts", slopes, style_mean)
        capital = np.where(observed, self.mu, 0.0) @ self.one_hot
        total = capital.sum(axis=1)
        market = np.divide(np.einsum("ts,ts->t", capital, level), total, out=np.zeros(len(logs)), where=total > 0.0)
        relative = np.where(share > 0.0, level - market[:, None], 0.0)
        explained = (market[:, None] + relative)[:, self.codes] + (slopes[:, None, :] @ self.style)[:, 0, :]
        return np.column_stack((market, relative, slopes)), explained


def _least_squares(moments: Float[ndarray, "w k k"], against: Float[ndarray, "w k 1"]) -> Float[ndarray, "w k"]:
    """Return the least solution of each system; a direction in which the exposures hardly differ gets no return."""
    if moments.shape[1] == 0:
        return np.zeros(moments.shape[:2])
    return np.asarray((np.linalg.pinv(moments, rcond=1e-8, hermitian=True) @ against)[:, :, 0])
