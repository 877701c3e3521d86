"""Covariance estimators of other libraries as risk models."""

from __future__ import annotations

__all__ = ["FittedCovariance"]

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from scipy.linalg import eigh

from gammastar.risk.online import log_returns
from gammastar.risk.weighted import known_names, spread_to_all

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy import ndarray

    from gammastar.core.covariance import FactoredCovariance
    from gammastar.market.moment import Moment


class _Fits(Protocol):
    def fit(self, returns: ndarray, /) -> object: ...


@runtime_checkable
class _HasCovariance(Protocol):
    covariance_: ndarray


@runtime_checkable
class _Distribution(Protocol):
    covariance: ndarray


@runtime_checkable
class _HasDistribution(Protocol):
    @property
    def return_distribution_(self) -> _Distribution: ...


@dataclass(frozen=True)
class FittedCovariance:
    """Any estimator with scikit-learn's ``fit(X)``: its ``covariance_``, or a skfolio prior's ``return_distribution_.covariance``, as factors.

    X are the log returns of the names with enough of them, zero where not observed, shape (window, m). The dense answer is brought to factored form by its
    `factors` leading eigenvectors; what they leave of each variance is specific, so every variance is the estimator's own (zero at least). The m x m
    answer is the estimator's own: fine for hundreds of names, slow for thousands.

    An estimator is fitted in place, as scikit-learn does; one that keeps what it learnt from one fit for the next (a warm start) would see
    its own past, and a run split in two might differ.

    Args:
        estimator: fitted anew at every estimate.
        factors: eigenvectors kept; fewer where there are fewer names.
        window: sessions looked back.
        minimum: observed returns that a name needs among the last `recent` sessions; others get what is typical of their sector.
        recent: see `minimum`.

    Raises:
        ValueError: a parameter outside its range.
    """

    estimator: _Fits
    factors: int = 40
    window: int = 756
    minimum: int = 126
    recent: int = 252

    def __post_init__(self) -> None:
        if self.factors < 1 or not 2 <= self.minimum <= self.recent <= self.window:
            raise ValueError("need factors >= 1 and 2 <= minimum <= recent <= window")

    def estimate(self, moment: Moment) -> FactoredCovariance:
        """Return the annual covariance of log returns of all n assets; names neither in the benchmark nor held get zeros.

        Raises:
            StaleDataError: no name has enough observed returns.
            ValueError: the estimator's answer is no finite covariance of the names it was given.
        """
        known = known_names(moment, minimum=self.minimum, recent=self.recent)
        dense = _covariance(self.estimator.fit(log_returns(moment, self.window)[:, known]), len(known))
        count = min(self.factors, len(known))
        values, vectors = eigh(dense, subset_by_index=(len(known) - count, len(known) - 1))
        loadings = np.ascontiguousarray((vectors * np.sqrt(np.maximum(values, 0.0)))[:, ::-1])
        return spread_to_all(moment, known, loadings, np.maximum(np.diag(dense), 0.0))


def _covariance(fitted: object, names: int) -> Float[ndarray, "m m"]:
    """Return the symmetric part of what was fitted."""
    if isinstance(fitted, _HasCovariance):
        dense = np.asarray(fitted.covariance_, dtype=np.float64)
    elif isinstance(fitted, _HasDistribution):
        dense = np.asarray(fitted.return_distribution_.covariance, dtype=np.float64)
    else:
        raise TypeError(f"{type(fitted).__name__} has neither covariance_ nor return_distribution_.covariance after fit")
    if dense.shape != (names, names) or not bool(np.all(np.isfinite(dense))):
        raise ValueError(f"{type(fitted).__name__} returned a covariance of shape {dense.shape}, or one that is not finite; expected {(names, names)}")
    return 0.5 * (dense + dense.T)
