"""Sample covariances in factored form: exponentially weighted, and shrunk towards equal variances. Nothing of size n x n is formed."""

from __future__ import annotations

__all__ = ["ExponentialSample", "LedoitWolf"]

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gammastar.risk.online import OnlineReturns, log_returns
from gammastar.risk.weighted import known_names, spread_to_all

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy import ndarray

    from gammastar.core.covariance import FactoredCovariance
    from gammastar.market.moment import Moment


@dataclass(frozen=True, kw_only=True)
class _Sample(ABC):
    """What sample covariances share: a window, and how much of it a name has to be there for."""

    window: int = 756
    minimum: int = 126
    recent: int = 252

    def __post_init__(self) -> None:
        if not 2 <= self.minimum <= self.recent <= self.window:
            raise ValueError("need 2 <= minimum <= recent <= window")

    def online(self) -> OnlineReturns:
        """Return the form that takes one session at a time."""
        return OnlineReturns(self)

    def estimate(self, moment: Moment) -> FactoredCovariance:
        """Return the annual covariance of log returns of all n assets; names neither in the benchmark nor held get zeros.

        Raises:
            StaleDataError: no name has enough observed returns.
        """
        return self.of_returns(moment, log_returns(moment, self.window))

    @abstractmethod
    def of_returns(self, moment: Moment, logs: Float[ndarray, "w n"]) -> FactoredCovariance:
        """Return the covariance; `logs` are the log returns of the last sessions of the moment, zero where not observed."""


@dataclass(frozen=True, kw_only=True)
class ExponentialSample(_Sample):
    """The exponentially weighted second moments of log returns: ``Sigma = sum_t w_t x_t x_t'``, ``w_t`` proportional to ``0.5^(age / half_life)``, sum one.

    Its loadings are the sessions, ``B = (sqrt(w_t) x_t)``, and D is zero. Mean zero. Each name's column is scaled so that its variance is the
    weighted mean square over the sessions it was observed in; with nothing missing that changes nothing.

    Args:
        half_life: in sessions.
        window: sessions looked back.
        minimum: observed returns that a name needs among the last `recent` sessions; others get what is typical of their sector.
        recent: see `minimum`.

    Raises:
        ValueError: a parameter outside its range.
    """

    half_life: float = 126.0
    window: int = 756

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.half_life <= 0.0:
            raise ValueError("the half-life must be positive")

    def of_returns(self, moment: Moment, logs: Float[ndarray, "w n"]) -> FactoredCovariance:
        """Return the covariance; `logs` are the log returns of the last sessions of the moment, zero where not observed.

        Raises:
            StaleDataError: no name has enough observed returns.
        """
        known = known_names(moment, minimum=self.minimum, recent=self.recent)
        weights = 0.5 ** (np.arange(len(logs) - 1, -1, -1.0) / self.half_life)
        loadings = _scaled(logs[:, known], moment.observed[-self.window :, known].astype(np.float64), weights).T
        return spread_to_all(moment, known, loadings, np.einsum("mt,mt->m", loadings, loadings))


@dataclass(frozen=True, kw_only=True)
class LedoitWolf(_Sample):
    """The sample covariance S shrunk towards equal variances: ``Sigma = (1 - s) S + s m I`` (Ledoit and Wolf 2004).

    With T sessions x_t of p names, mean zero, and norms ``|A|^2 = tr(A A') / p``: ``m = tr S / p``, ``d^2 = |S - m I|^2``,
    ``b^2 = min(d^2, sum_t |x_t x_t' - S|^2 / T^2)``, ``s = b^2 / d^2``. All of it comes from the T x T Gram matrix of sessions, since
    ``tr S^2 = |X X'|^2 / T^2`` (plain norm). The loadings are the sessions times ``sqrt((1 - s) / T)``, D is ``s m``.

    Each name's column is scaled so that its variance is the mean square over the sessions it was observed in. It takes volatility away from names of
    high volatility, which is what an objective that buys volatility should not be offered: for comparison, not by default.

    Args:
        window: sessions looked back.
        minimum: observed returns that a name needs among the last `recent` sessions; others get what is typical of their sector.
        recent: see `minimum`.

    Raises:
        ValueError: a parameter outside its range.
    """

    window: int = 504

    def of_returns(self, moment: Moment, logs: Float[ndarray, "w n"]) -> FactoredCovariance:
        """Return the covariance; `logs` are the log returns of the last sessions of the moment, zero where not observed.

        Raises:
            StaleDataError: no name has enough observed returns.
        """
        known = known_names(moment, minimum=self.minimum, recent=self.recent)
        scaled = _scaled(logs[:, known], moment.observed[-self.window :, known].astype(np.float64), np.ones(len(logs)))
        share, level = shrinkage(scaled * np.sqrt(len(scaled)))
        loadings = np.sqrt(1.0 - share) * scaled.T
        return spread_to_all(moment, known, loadings, np.einsum("mt,mt->m", loadings, loadings) + share * level)


def shrinkage(returns: Float[ndarray, "t p"]) -> tuple[float, float]:
    """Return Ledoit and Wolf's share s of the target, and its variance m, for returns with mean zero.

    >>> share, level = shrinkage(np.array([[1.0, 0.0], [0.0, 1.0]]))
    >>> share, level
    (1.0, 0.5)
    """
    sessions, names = returns.shape
    gram = returns @ returns.T
    squares = np.diag(gram)
    level = float(squares.sum()) / (sessions * names)
    of_sample = float(np.einsum("st,st->", gram, gram)) / sessions**2
    distance = of_sample / names - level**2
    noise = (float(squares @ squares) / sessions - of_sample) / (sessions * names)
    return (min(noise / distance, 1.0) if distance > 1e-12 * level**2 else 1.0), level


def _scaled(logs: Float[ndarray, "w m"], observed: Float[ndarray, "w m"], weights: Float[ndarray, " w"]) -> Float[ndarray, "w m"]:
    """Return rows whose products sum to the weighted second moments, each variance a mean over the sessions its name was observed in."""
    return np.asarray(logs * np.sqrt(weights)[:, None] / np.sqrt(weights @ observed))
