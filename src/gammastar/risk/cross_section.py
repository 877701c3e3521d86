"""Returns of named factors, session by session: weighted regressions of returns on what was known at the close before.

At each session t, over the members observed at t, ``log R_i = m + s_{sector(i)} + sum_k x_ik f_k + e_i`` with exposures x and benchmark weights mu of
the close before. The weights of the regression are ``sqrt(mu_i)``; the sector returns are relative, ``sum_s mu_s s_s = 0``, so that m is the market's
(Menchero, Orr and Wang 2011). The sectors are eliminated first (Frisch and Waugh 1933), which leaves one small system a session.
"""

from __future__ import annotations

__all__ = ["CrossSections", "cross_sections"]

from dataclasses import dataclass
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
        exposures: at the close of the moment, shape (n, k).
        sectors: which factors are sectors, shape (k,).
    """

    names: tuple[str, ...]
    returns: Float[ndarray, "w k"]
    complete: Bool[ndarray, " w"]
    residuals: Float[ndarray, "w n"]
    observed: Bool[ndarray, "w n"]
    exposures: Float[ndarray, "n k"]
    sectors: Bool[ndarray, " k"]


def cross_sections(moment: Moment, *, window: int, styles: tuple[str, ...]) -> CrossSections:
    """Return the regressions of the last `window` sessions of a moment (fewer, if its history is shorter).

    The sector of a name is its sector now, in all of them. A return of session t enters with exposures of the close of t - 1, so that row t of the
    answer depends on data up to t alone.

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
    columns = np.flatnonzero(moment.observed[first:].any(axis=0) | moment.members)
    history = _observed(moment, columns, first)
    mu = moment.benchmark_history[-window - 1 :, columns]
    known = running_characteristics(history, mu, minimum=max(year // 4, 2))
    unknown = [style for style in styles if style not in known]
    if unknown:
        raise ValueError(f"there is no style {unknown[0]!r}; there are {', '.join(known)}")
    style = np.stack([standardise_sessions(*known[name], mu) for name in styles], axis=1) if styles else np.zeros((window + 1, 0, len(columns)))
    sectors, codes = np.unique(moment.sector_codes[columns], return_inverse=True)
    found = _Regressions(mu[:-1], style[:-1], np.eye(len(sectors))[codes], codes)
    logs, observed = history.logs[-window:], history.observed[-window:]
    returns, explained = found.solve(logs, observed)
    residuals, seen = np.zeros((window, len(moment.assets))), np.zeros((window, len(moment.assets)), dtype=bool)
    residuals[:, columns], seen[:, columns] = np.where(observed, logs - explained, 0.0), observed
    exposures = np.zeros((len(moment.assets), returns.shape[1]))
    exposures[columns] = np.column_stack((np.ones(len(columns)), found.one_hot, style[-1].T))
    labels = tuple(moment.sector_labels[sector] for sector in sectors)
    is_sector = np.repeat((False, True, False), (1, len(labels), len(styles)))
    return CrossSections(("market", *labels, *styles), returns, found.complete, residuals, seen, exposures, is_sector)


def _observed(moment: Moment, columns: Int[ndarray, " m"], first: int) -> Observed:
    """Return the log returns from session `first` on, and the index's: weighted by the benchmark of the close before over what was observed."""
    observed = moment.observed[first:, columns]
    logs = np.log1p(np.where(observed, moment.returns[first:, columns], 0.0))
    weight = np.zeros_like(logs)
    before = moment.benchmark_history[max(first - 1, 0) : -1, columns]
    weight[len(weight) - len(before) :] = before
    weight *= observed
    total = weight.sum(axis=1)
    index = np.divide(np.einsum("tn,tn->t", weight, logs), total, out=np.zeros(len(logs)), where=total > 0.0)
    return Observed(logs, observed, index, moment.frequency)


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
