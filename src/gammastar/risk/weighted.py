"""What the estimators share: weighted variances, leading components, and what a name without history gets."""

from __future__ import annotations

__all__ = [
    "components_of",
    "effective_sessions",
    "fill_by_group",
    "known_names",
    "leading_components",
    "spread_to_all",
    "weighted_variance",
    "without_noise",
]

from typing import TYPE_CHECKING, Final

import numpy as np

from gammastar.core.covariance import FactoredCovariance
from gammastar.errors import StaleDataError
from gammastar.risk.leading import leading_eigenpairs

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int
    from numpy import ndarray

    from gammastar.market.moment import Moment

DUST: Final = 1e-6
"""A weight up to this is none: a hundredth of a basis point."""


def wanted_names(moment: Moment) -> Bool[ndarray, " n"]:
    """Return which names are in the benchmark or held; a solver's dust is no holding, or its last digits would decide what factors are."""
    held = np.zeros_like(moment.members) if moment.holdings is None else np.abs(moment.holdings) > DUST
    return np.asarray(moment.members | held)


def known_names(moment: Moment, *, minimum: int, recent: int) -> Int[ndarray, " m"]:
    """Return the columns of the names in the benchmark or held that have `minimum` observed returns in the last `recent` sessions.

    Raises:
        StaleDataError: there is none.
    """
    known = np.flatnonzero(wanted_names(moment) & ~moment.short_history(minimum=minimum, window=recent))
    if len(known) == 0:
        raise StaleDataError(f"{moment.session}", f"no name has {minimum} observed returns in the last {recent} sessions",
                             advice="choose a later date, or lower the mandate's minimum_observations")  # fmt: skip
    return known


def spread_to_all(
    moment: Moment, known: Int[ndarray, " m"], loadings: Float[ndarray, "m k"], variances: Float[ndarray, " m"]
) -> FactoredCovariance:
    """Return the annual covariance of all n assets.

    Wanted names that are not known get what is typical of their sector (`fill_by_group`), others zeros.

    Args:
        moment: what is known.
        known: columns of the m known names.
        loadings: theirs a session.
        variances: theirs a session, in total; where the loadings explain more, specific variance is zero.
    """
    annual = float(moment.frequency.periods)
    everywhere, total = np.zeros((len(moment.assets), loadings.shape[1])), np.zeros(len(moment.assets))
    everywhere[known], total[known] = loadings * np.sqrt(annual), variances * annual
    proxies = wanted_names(moment)
    proxies[known] = False
    fill_by_group(everywhere, total, np.flatnonzero(proxies), known, moment.sector_codes)
    return FactoredCovariance(everywhere, np.maximum(total - np.einsum("nk,nk->n", everywhere, everywhere), 0.0))


def weighted_variance(logs: Float[ndarray, "t m"], observed: Bool[ndarray, "t m"], weights: Float[ndarray, " t"]) -> Float[ndarray, " m"]:
    """Return each column's weighted mean square over its observed rows, at least the square of a millionth."""
    return np.asarray(np.maximum((weights @ np.square(logs)) / (weights @ observed), 1e-12))


def leading_components(standard: Float[ndarray, "t m"], count: int) -> Float[ndarray, "m k"]:
    """Return loadings of the first components of ``standard' standard``, the largest first, through the smaller Gram matrix."""
    sessions, names = standard.shape
    if names <= sessions:
        return components_of(standard.T @ standard, count)
    return np.ascontiguousarray((standard.T @ leading_eigenpairs(standard @ standard.T, count)[1])[:, ::-1])


def components_of(matrix: Float[ndarray, "m m"], count: int) -> Float[ndarray, "m k"]:
    """Return loadings of the first components of a symmetric matrix without negative eigenvalues, the largest first; its upper triangle is read."""
    values, vectors = leading_eigenpairs(matrix, count)
    return np.ascontiguousarray((vectors * np.sqrt(np.maximum(values, 0.0)))[:, ::-1])


def effective_sessions(weights: Float[ndarray, " t"]) -> float:
    """Return ``(sum w)^2 / sum w^2``: how many sessions of equal weight would say as much."""
    return float(weights.sum() ** 2 / np.square(weights).sum())


def without_noise(loadings: Float[ndarray, "m k"], sessions: float) -> Float[ndarray, "m k"]:
    """Return loadings on components of a correlation matrix with the part that sampling noise adds to them taken out.

    With m names and T sessions, ``g = m / T`` and noise of variance s^2, a component of true strength ``L s^2`` is seen with
    ``l = L + g L / (L - 1)`` times s^2, and its direction turned: the squared cosine is ``c = (1 - g / (L - 1)^2) / (1 + g / (L - 1))``. What is kept of it is
    ``(L - 1) c s^2``, the best in squared error (Donoho, Gavish and Johnstone 2018); what is below the edge ``(1 + sqrt g)^2`` of noise is dropped. The noise s^2 is the
    mean of the eigenvalues that are not kept.

    Args:
        loadings: the first k components, each with squared length equal to its eigenvalue, shape (m, k); the eigenvalues of the matrix sum to m.
        sessions: T, the effective number.
    """
    names, count = loadings.shape
    seen = np.einsum("mk,mk->k", loadings, loadings)
    ratio = names / sessions
    noise = 1.0
    for _ in range(count):  # every pass keeps as many or more, since the mean of the rest falls
        kept = seen > noise * (1.0 + np.sqrt(ratio)) ** 2
        lower = max((names - float(seen[kept].sum())) / max(names - int(kept.sum()), 1), 1e-6)
        if lower == noise:
            break
        noise = lower
    level = np.where(kept, seen / noise, (1.0 + np.sqrt(ratio)) ** 2)
    middle = level + 1.0 - ratio
    excess = 0.5 * (middle + np.sqrt(np.maximum(middle**2 - 4.0 * level, 0.0))) - 1.0
    turned = np.maximum((1.0 - ratio / excess**2) / (1.0 + ratio / excess), 0.0)
    keep = np.where(kept, noise * excess * turned / np.where(kept, seen, 1.0), 0.0)
    return np.asarray(loadings * np.sqrt(keep))


def fill_by_group(
    loadings: Float[ndarray, "n k"], variances: Float[ndarray, " n"], proxies: Int[ndarray, " p"], known: Int[ndarray, " m"], groups: Int[ndarray, " n"]
) -> None:
    """Give the names at `proxies` the median variance and the mean loadings of the known names in their group (of all, if there are none)."""
    for group in np.unique(groups[proxies]):
        peers = known[groups[known] == group]
        peers = peers if len(peers) else known
        mine = proxies[groups[proxies] == group]
        loadings[mine] = loadings[peers].mean(axis=0)
        # the peers' own median keeps total above factor variance, since a mean of loadings explains less than the loadings do
        variances[mine] = max(float(np.median(variances[peers])), float(loadings[mine[0]] @ loadings[mine[0]]))
