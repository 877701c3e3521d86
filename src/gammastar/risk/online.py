"""Risk models that take one session at a time: values that a run carries, and that answer as the batch form does.

``update`` takes in what a moment knows beyond the last one, ``estimate`` makes the factors anew from what was kept. What is kept are rows of one window
that never change (log returns, or factor returns and residuals), and two sorts of sums that move along: those behind characteristics, made anew at fixed
sessions, and weighted moments, where rounding fades with the weights. The rest is made of the rows at each estimate by the code of the batch form.
"""

from __future__ import annotations

__all__ = ["Afresh", "FromMoments", "FromReturns", "FromSections", "OnlineReturns", "OnlineRisk", "OnlineSections", "log_returns", "online_risk", "up_to_date"]

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

import numpy as np

from gammastar.market.characteristics import A_MONTH, A_YEAR, characteristics_of_sums, moved_sums, running_sums
from gammastar.risk.cross_section import (
    CrossSections,
    SectionRows,
    cross_sections,
    observed_returns,
    section_rows,
    sections_of,
    sector_codes,
    standard_styles,
)
from gammastar.risk.moments import LARGEST, WeightedMoments
from gammastar.risk.rows import Rows

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy import ndarray

    from gammastar.core.covariance import FactoredCovariance
    from gammastar.market.moment import Moment
    from gammastar.market.panel import Panel
    from gammastar.risk.statistical import RiskModel

BLOCK: Final = 6
"""More new sessions than this are regressed together, which is quicker than one after the other."""

REFRESH: Final = 63
"""Sessions, counted from the first of the data, after which sums behind characteristics are made anew."""


class OnlineRisk(Protocol):
    """A risk model with what it has seen. A value: `update` returns another one."""

    @property
    def model(self) -> RiskModel:
        """The batch form."""
        ...

    def update(self, moment: Moment) -> OnlineRisk:
        """Return the model after every session up to the moment's; it must have seen a part of the same history, or nothing."""
        ...

    def estimate(self, moment: Moment) -> FactoredCovariance:
        """Return what ``model.estimate(moment)`` returns, for the moment last updated with, but for rounding."""
        ...


@runtime_checkable
class _HasOnline(Protocol):
    def online(self) -> OnlineRisk: ...


def online_risk(model: RiskModel) -> OnlineRisk:
    """Return the online form of a model that has seen nothing yet; a model without one is estimated afresh each time."""
    return model.online() if isinstance(model, _HasOnline) else Afresh(model)


def up_to_date(known: OnlineRisk | None, model: RiskModel, panel: Panel, moment: Moment) -> OnlineRisk:
    """Return the online form of a model after a moment of `panel`, gone on from what is `known` of it where that still holds.

    It does not where something it has seen was corrected since: then the model begins anew.
    """
    fresh = known is None or known.model != model or _corrected(panel, getattr(known, "seen", 0), len(moment.returns))
    return (online_risk(model) if fresh or known is None else known).update(moment)


def _corrected(panel: Panel, seen: int, stop: int) -> bool:
    """Return whether something about the first `seen` sessions was learnt to be otherwise at the close of a later one, before session `stop`."""
    return panel.past is not None and bool(((panel.past.revised >= seen) & (panel.past.revised < stop)).any())


@dataclass(frozen=True)
class Afresh:
    """A model that keeps nothing."""

    model: RiskModel

    def update(self, moment: Moment) -> Afresh:  # noqa: ARG002 - nothing is kept
        """Return itself."""
        return self

    def estimate(self, moment: Moment) -> FactoredCovariance:
        """Return the estimate."""
        return self.model.estimate(moment)


class FromReturns(Protocol):
    """A model made of the log returns of one window."""

    @property
    def window(self) -> int:
        """Sessions looked back."""
        ...

    def estimate(self, moment: Moment) -> FactoredCovariance:
        """Return the covariance."""
        ...

    def of_returns(self, moment: Moment, logs: Float[ndarray, "w n"]) -> FactoredCovariance:
        """Return the covariance; `logs` are `log_returns` of the last sessions of the moment."""
        ...


class FromSections(Protocol):
    """A model made of cross-sectional regressions."""

    @property
    def window(self) -> int:
        """Sessions looked back."""
        ...

    @property
    def styles(self) -> tuple[str, ...]:
        """Characteristics regressed on."""
        ...

    def estimate(self, moment: Moment) -> FactoredCovariance:
        """Return the covariance."""
        ...

    def of_sections(self, moment: Moment, found: CrossSections) -> FactoredCovariance:
        """Return the covariance; `found` are `gammastar.risk.cross_section.cross_sections` of the moment."""
        ...


def log_returns(moment: Moment, window: int) -> Float[ndarray, "w n"]:
    """Return log returns of the last `window` sessions, zero where not observed."""
    observed = moment.observed[-window:]
    return np.log1p(np.where(observed, moment.returns[-window:], 0.0))


@runtime_checkable
class FromMoments(Protocol):
    """A model of log returns that weighted moments of them are enough for."""

    @property
    def volatility_half_life(self) -> float:
        """In sessions."""
        ...

    @property
    def correlation_half_life(self) -> float:
        """In sessions."""
        ...

    def of_moments(self, moment: Moment, moments: WeightedMoments) -> FactoredCovariance:
        """Return the covariance; `moments` are those of the window."""
        ...


@dataclass(frozen=True, eq=False)
class OnlineReturns:
    """A model of log returns, whose window is kept; where moments are enough for it, and not too large, they move along.

    Args:
        model: the batch form.
        seen: sessions seen.
        logs: log returns, zero where not observed.
        moments: of them, or None.
    """

    model: FromReturns
    seen: int = 0
    logs: Rows | None = None
    moments: WeightedMoments | None = None

    def update(self, moment: Moment) -> OnlineReturns:
        """Return the model after every session up to the moment's.

        Raises:
            ValueError: the moment is earlier than what was seen.
        """
        new = _new_sessions(self.seen, moment)
        if not new:
            return self
        logs = Rows.empty(self.model.window, (len(moment.assets),), np.float64) if self.logs is None else self.logs
        fresh = log_returns(moment, min(new, self.model.window))
        return replace(self, seen=self.seen + new, logs=(kept := logs.append(fresh)), moments=self._moved(moment, logs, kept, fresh))

    def _moved(self, moment: Moment, before: Rows, after: Rows, fresh: Float[ndarray, "t n"]) -> WeightedMoments | None:
        """Return the moments after the sessions of `fresh`; made anew where that is less work, or they were not known."""
        model, window, new = self.model, self.model.window, len(fresh)
        if not isinstance(model, FromMoments) or len(moment.assets) > LARGEST:
            return None
        if self.moments is None or 3 * new > window:
            lives = {"volatility": model.volatility_half_life, "correlation": model.correlation_half_life}
            return WeightedMoments.of(after.last, moment.observed[-window:], **lives)
        gone = max(len(before.last) + new - window, 0)
        first = len(moment.returns) - window - gone
        old = before.last[:gone], moment.observed[first : first + gone] if gone else moment.observed[:0]
        return self.moments.moved((fresh, moment.observed[-new:]), old, window)

    def estimate(self, moment: Moment) -> FactoredCovariance:
        """Return the covariance as of the moment last updated with.

        Raises:
            ValueError: it was another one.
        """
        if self.logs is None or self.seen != len(moment.returns):
            raise ValueError("update the model with this moment first")
        if self.moments is not None and isinstance(self.model, FromMoments):
            return self.model.of_moments(moment, self.moments)
        return self.model.of_returns(moment, self.logs.last)


def _new_sessions(seen: int, moment: Moment) -> int:
    new = len(moment.returns) - seen
    if new < 0:
        raise ValueError(f"an online model does not go back: it has seen {seen} sessions, the moment of {moment.session} knows {len(moment.returns)}")
    return new


@dataclass(frozen=True, eq=False)
class _Kept:
    """What a model of regressions keeps: `sums` (8, 1, n) and `style` (k, n) of the last close, and rows of one window."""

    sums: Float[ndarray, "8 1 n"]
    style: Float[ndarray, "k n"]
    returns: Rows
    complete: Rows
    residuals: Rows
    observed: Rows
    dispersion: Rows

    @classmethod
    def nothing(cls, window: int, factors: int, names: int) -> _Kept:
        none = np.zeros(0)
        return cls(none, none, Rows.empty(window, (factors,), np.float64), Rows.empty(window, (), np.bool_),
                   Rows.empty(window, (names,), np.float64), Rows.empty(window, (names,), np.bool_), Rows.empty(window, (), np.float64))  # fmt: skip

    def after(self, rows: SectionRows, sums: ndarray, style: ndarray) -> _Kept:
        return _Kept(sums, style, self.returns.append(rows.returns), self.complete.append(rows.complete),
                     self.residuals.append(rows.residuals), self.observed.append(rows.observed), self.dispersion.append(rows.dispersion))  # fmt: skip

    @property
    def rows(self) -> SectionRows:
        return SectionRows(self.returns.last, self.complete.last, self.residuals.last, self.observed.last, self.dispersion.last)


@dataclass(frozen=True, eq=False)
class OnlineSections:
    """A model of cross-sectional regressions: one regression a new session, on exposures from sums that move along.

    Args:
        model: the batch form.
        seen: sessions seen.
        kept: what was found in them.
    """

    model: FromSections
    seen: int = 0
    kept: _Kept | None = None

    def update(self, moment: Moment) -> OnlineSections:
        """Return the model after every session up to the moment's.

        Raises:
            ValueError: the moment is earlier than what was seen.
        """
        new = _new_sessions(self.seen, moment)
        if len(moment.returns) < 2 or new == 0:
            return self
        if self.kept is None or new > BLOCK:
            return replace(self, seen=self.seen + new, kept=self._block(moment, new))
        kept = self.kept
        for session in range(self.seen, self.seen + new):
            kept = self._session(moment, session, kept)
        return replace(self, seen=self.seen + new, kept=kept)

    def estimate(self, moment: Moment) -> FactoredCovariance:
        """Return the covariance as of the moment last updated with.

        Raises:
            StaleDataError: no name has enough observed returns.
            ValueError: it was another one.
        """
        if self.kept is None and len(moment.returns) < 2:
            return self.model.estimate(moment)  # which says what is missing
        if self.kept is None or self.seen != len(moment.returns):
            raise ValueError("update the model with this moment first")
        return self.model.of_sections(moment, sections_of(moment, self.model.styles, self.kept.style, self.kept.rows))

    def _block(self, moment: Moment, new: int) -> _Kept:
        """Return what is kept after many new sessions, regressed together."""
        found = cross_sections(moment, window=min(new, self.model.window), styles=self.model.styles)
        kept = self.kept or _Kept.nothing(self.model.window, found.returns.shape[1], len(moment.assets))
        rows = SectionRows(found.returns, found.complete, found.residuals, found.observed, found.dispersion)
        sums = _fresh_sums(moment, len(moment.returns))
        return kept.after(rows, sums, self._style(moment, moment.benchmark_history[-1:], sums))

    def _style(self, moment: Moment, mu: Float[ndarray, "1 n"], sums: Float[ndarray, "8 1 n"]) -> Float[ndarray, "k n"]:
        """Return the standardised characteristics of one close."""
        known = characteristics_of_sums(sums, mu, minimum=max(A_YEAR[moment.frequency] // 4, 2), month=A_MONTH[moment.frequency])
        return np.asarray(standard_styles(known, mu, self.model.styles)[0])

    def _session(self, moment: Moment, t: int, kept: _Kept) -> _Kept:
        """Return what is kept after session t."""
        mu, everything = moment.benchmark_history[t : t + 1], slice(None)
        codes = sector_codes(moment, slice(t - 1, t))
        new = observed_returns(moment, slice(t, t + 1), everything)
        before = moment.benchmark_history[t - 1 : t]
        rows = section_rows(before, kept.style[None], codes, len(moment.sector_labels), (new.logs, new.observed))
        if t % REFRESH == 0:
            sums = _fresh_sums(moment, t + 1)
        else:
            dropped = [t - back for back in (A_YEAR[moment.frequency], A_MONTH[moment.frequency])]
            old = [observed_returns(moment, slice(s, s + 1), everything) if s >= 0 else None for s in dropped]
            sums = moved_sums(kept.sums, new, *old)
        return kept.after(rows, sums, self._style(moment, mu, sums))


def _fresh_sums(moment: Moment, stop: int) -> Float[ndarray, "8 1 n"]:
    """Return the sums at the close of session ``stop - 1``."""
    year = slice(max(stop - A_YEAR[moment.frequency], 0), stop)
    return running_sums(observed_returns(moment, year, slice(None)), 1)
