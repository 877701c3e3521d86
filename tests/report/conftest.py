"""Synthetic track records whose parts add up exactly: a factor market of fifty assets with clustered volatility, held with costs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from gammastar.core.attribution import attribute
from gammastar.core.covariance import FactoredCovariance
from gammastar.core.decomposition import decompose
from gammastar.core.excess_growth import expected_captured_volatility
from gammastar.core.generating import Diversity
from gammastar.market.assets import Assets
from gammastar.market.calendar import Frequency
from gammastar.market.track import Attribution, Compliance, Decomposition, Forecast, Holdings, Track, Trading

if TYPE_CHECKING:
    from collections.abc import Callable

SECTORS = (
    "Communication Services", "Consumer Discretionary", "Consumer Staples", "Energy", "Financials", "Health Care",
    "Industrials", "Information Technology", "Materials", "Real Estate", "Utilities", "Unknown",
)  # fmt: skip
COST = 5e-4


@dataclass(frozen=True)
class Market:
    start: np.datetime64
    sessions: np.ndarray
    gross: np.ndarray  # (t, n)
    mu: np.ndarray  # (t+1, n)
    base: FactoredCovariance
    scale: np.ndarray  # (t,) of the covariance
    sectors: np.ndarray  # (n,)


def market(first: str, last: str, n: int, rng: np.random.Generator) -> Market:
    days = np.arange(np.datetime64(first), np.datetime64(last) + 1)
    days = days[np.is_busday(days)]
    sessions, t = days[1:], len(days) - 1
    sectors = np.arange(n) % len(SECTORS)
    loadings = np.zeros((n, 1 + len(SECTORS)))
    loadings[:, 0] = 0.12 * rng.uniform(0.8, 1.3, n)
    loadings[np.arange(n), 1 + sectors] = rng.uniform(0.06, 0.12, n)
    base = FactoredCovariance(loadings, rng.uniform(0.12, 0.3, n) ** 2)
    shocks = rng.normal(size=t)
    log_scale = np.zeros(t)
    for k in range(1, t):
        log_scale[k] = 0.985 * log_scale[k - 1] + 0.07 * shocks[k]
    log_scale += 0.9 * np.exp(-np.arange(t) / 250.0)
    scale = np.exp(log_scale)
    draws = rng.normal(size=(t, loadings.shape[1])) @ loadings.T + rng.normal(size=(t, n)) * np.sqrt(base.specific)
    drift = (0.11 - 0.5 * base.variances) / 252.0
    gross = np.exp(drift + draws * np.sqrt(scale / 252.0)[:, None])
    mu = np.empty((t + 1, n))
    mu[0] = np.arange(1, n + 1) ** -0.6
    mu[0] = rng.permutation(mu[0]) / mu[0].sum()
    for k in range(t):
        gross[k] *= np.exp(
            -0.2 / 252.0 * np.log(mu[k] / mu[0])
        )  # weights are pulled back, or one name becomes the market
        mu[k + 1] = mu[k] * gross[k]
        if sessions[k].astype("datetime64[M]") != (sessions[k] + 4).astype("datetime64[M]") and k % 3 == 0:
            mu[k + 1] *= np.exp(0.01 * rng.normal(size=n))  # index changes
        mu[k + 1] /= mu[k + 1].sum()
    return Market(days[0], sessions, gross, mu, base, scale, sectors)


def hold(world: Market) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Hold the benchmark, tilt to volatile names at the second close, then return to drifting targets weekly, with costs."""
    t, n = world.gross.shape
    weights = np.empty((t + 1, n))
    weights[0] = world.mu[0]
    net, traded, cost = np.empty(t), np.zeros(t), np.zeros(t)
    for k in range(t):
        grown = weights[k] * world.gross[k]
        gain = grown.sum()
        drifted = grown / gain
        weights[k + 1] = drifted
        if k == 1 or (k > 1 and world.sessions[k].astype(int) % 7 == 1):
            tau = world.base.relative_variances(world.mu[k + 1])
            active = world.mu[k + 1] ** 0.5 * (tau - world.mu[k + 1] @ tau)
            active = np.clip(0.03 * active / np.abs(active).max(), -world.mu[k + 1], 0.012)
            target = world.mu[k + 1] + active - active.sum() * world.mu[k + 1]
            target = np.maximum(target, 0.0)
            weights[k + 1] = target / target.sum()
        traded[k] = np.abs(weights[k + 1] - drifted).sum()
        cost[k] = COST * traded[k]
        net[k] = gain * (1.0 - cost[k]) - 1.0
    return weights, net, traded, cost


def forecasts(world: Market, weights: np.ndarray) -> Forecast:
    t = len(world.sessions)
    error, share, captured = np.zeros(t), np.zeros(t), np.zeros(t)
    for k in range(t):
        scale = world.scale[k - 21] if k >= 21 else world.scale[0]  # a model that is a month late
        factor, specific = world.base.parts(weights[k] - world.mu[k])
        total = factor + specific
        error[k] = np.sqrt(total * scale)
        share[k] = factor / total if total > 0.0 else 0.0
        captured[k] = expected_captured_volatility(weights[k], world.mu[k], world.base) * scale
    return Forecast(error, share, captured)


def compliance(world: Market, weights: np.ndarray, error: np.ndarray) -> Compliance:
    active = np.abs(weights - world.mu)[1:]
    columns: dict[str, list] = {
        "session": [],
        "rule": [],
        "value": [],
        "limit": [],
        "headroom": [],
        "where": [],
        "verdict": [],
    }
    for k, session in enumerate(world.sessions):
        worst = int(np.argmax(active[k]))
        for rule, value, limit, where in (
            ("tracking_error", error[k], 0.02, "portfolio"),
            ("active_weight", active[k, worst], 0.0200, f"id{worst:02d}"),
        ):
            row = (session, rule, value, limit, limit - value, where, "ok" if value <= limit else "passive")
            for column, entry in zip(columns.values(), row, strict=True):
                column.append(entry)
    return Compliance(
        np.array(columns["session"], dtype="datetime64[D]"), tuple(columns["rule"]), np.array(columns["value"]), np.array(columns["limit"]),
        np.array(columns["headroom"]), tuple(columns["where"]), tuple(columns["verdict"]),
    )  # fmt: skip


def holdings(world: Market, weights: np.ndarray) -> Holdings:
    n = world.gross.shape[1]
    active = (weights - world.mu)[1:]
    groups = np.eye(len(SECTORS))[world.sectors]
    log_mu = np.log(world.mu[1:])
    centred = log_mu - np.sum(world.mu[1:] * log_mu, axis=1, keepdims=True)
    size = np.sum(active * centred / centred.std(axis=1, keepdims=True), axis=1)
    assets = Assets(tuple(f"id{k:02d}" for k in range(n)), tuple(f"A{k:02d}" for k in range(n)))
    volatility = np.sqrt(world.base.relative_variances(world.mu[-1]))
    return Holdings(assets, weights[1:], world.mu[1:], SECTORS, active @ groups, size, world.sectors, volatility)


def synthetic_track(first: str = "2008-12-31", last: str = "2019-12-31", n: int = 50, seed: int = 7) -> Track:
    """Return a track with every optional part, all of them consistent."""
    rng = np.random.default_rng(seed)
    world = market(first, last, n, rng)
    weights, net, traded, cost = hold(world)
    benchmark = np.sum(world.mu[:-1] * world.gross, axis=1) - 1.0
    relative = np.log1p(net) - np.log1p(benchmark)
    parts = attribute(weights[:-1], world.mu[:-1], world.gross)
    log_cost = np.log1p(-cost)
    residual = relative - parts.allocation - parts.captured_volatility - log_cost
    made = decompose(Diversity(0.5), world.mu, world.gross)
    execution = relative - made.total - log_cost
    forecast = forecasts(world, weights)
    level = np.concatenate(([1000.0], 1000.0 * np.cumprod(1.0 + benchmark - 1e-6)))
    level[5] = np.nan
    return Track(
        name="Synthetic enhanced index",
        benchmark_name="Synthetic 50",
        start=world.start,
        sessions=world.sessions,
        frequency=Frequency.DAILY,
        portfolio=net,
        benchmark=benchmark,
        imputed_weight=np.where(world.sessions < np.datetime64("2013-01-01"), 0.06, 0.01)
        * rng.uniform(0.5, 1.5, len(net)),
        attribution=Attribution(parts.allocation, parts.captured_volatility, log_cost, residual),
        decomposition=Decomposition(
            made.boundary, made.l_divergence, made.flow, execution, log_cost, np.zeros(len(net))
        ),
        forecast=forecast,
        trading=Trading(traded, cost, initial=1),
        holdings=holdings(world, weights),
        compliance=compliance(world, weights, forecast.tracking_error),
        baselines={
            "Equal weight": np.mean(world.gross, axis=1) - 1.0,
            "Diversity p = 0.5": np.sum(Diversity(0.5).weights(world.mu[:-1]) * world.gross, axis=1) - 1.0,
        },
        index_level=level,
        facts={
            "mandate": "synthetic.toml",
            "data": "sha256 " + "0" * 64,
            "version": "gammastar 0.1.0",
            "costs": "5 bp of traded value",
        },
    )


def bare(track: Track) -> Track:
    """Return the two return series of a track and nothing else."""
    return Track(
        track.name, track.benchmark_name, track.start, track.sessions, track.frequency, track.portfolio, track.benchmark
    )


def cut(track: Track, count: int) -> Track:
    """Return the first sessions of the two return series."""
    return replace(
        bare(track),
        sessions=track.sessions[:count],
        portfolio=track.portfolio[:count],
        benchmark=track.benchmark[:count],
    )


@pytest.fixture(scope="session")
def full_track() -> Track:
    return synthetic_track()


@pytest.fixture(scope="session")
def bare_track(full_track: Track) -> Track:
    return bare(full_track)


@pytest.fixture(scope="session")
def cut_track(full_track: Track) -> Callable[[int], Track]:
    return lambda count: cut(full_track, count)
