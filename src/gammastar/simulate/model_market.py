"""One path of a market model on the sessions of an exchange, with the model's closed forms beside it."""

from __future__ import annotations

__all__ = ["History", "ModelMarket", "other_paths", "simulate_history"]

import datetime as dt
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from gammastar.simulate.closed_forms import examiner, stationary_curve
from gammastar.simulate.comparison import Comparison, comparison_dicts, comparison_frame, index_facts, market_lines
from gammastar.simulate.first_order import Atlas, FirstOrder
from gammastar.simulate.grid import Grid, generators
from gammastar.simulate.hybrid_atlas import HybridAtlas
from gammastar.simulate.parameters import require
from gammastar.simulate.paths import Paths
from gammastar.simulate.rank_jacobi import RankJacobi
from gammastar.simulate.sessions import sessions_from
from gammastar.simulate.volatility_stabilised import VolatilityStabilised

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go
    from jaxtyping import Float
    from numpy import ndarray

    from gammastar.market.calendar import Calendar
    from gammastar.market.panel import Panel
    from gammastar.simulate.closed_forms import Model, Quantity, StationaryCurve
    from gammastar.simulate.presets import Setup

COMMON, STATIONARY = 2, 3  # purposes of random numbers; 0 and 1 are the models' own
YEARS_PER_STEP = 1.0 / 252.0
OTHERS = ((127, 2**26), (31, 2**29))  # at most so many further paths, for standard errors, while all of them take at most so many bytes


@dataclass(frozen=True)
class History:
    """When a path is seen: at the closes of an exchange, one step of 1/252 years from each to the next.

    Args:
        sessions: closes, the first included.
        start: the first close is on this day or after it.
        exchange: code of the calendar.

    Raises:
        ValueError: fewer than three sessions, or more than 200 years of them.

    >>> History(sessions=3, start=dt.date(2010, 1, 1)).calendar().sessions.astype(str).tolist()
    ['2010-01-04', '2010-01-05', '2010-01-06']
    """

    sessions: int = 2521
    start: dt.date = dt.date(2010, 1, 4)
    exchange: str = "XNYS"

    def __post_init__(self) -> None:
        require(3, 50401, "Closes, the first included; a year has 252.", sessions=self.sessions)

    @property
    def years(self) -> float:
        """Length of the path, in years of 252 steps."""
        return (self.sessions - 1) * YEARS_PER_STEP

    def calendar(self) -> Calendar:
        """Return the sessions.

        Raises:
            ValueError: an unknown exchange, or dates for which it has no calendar.
        """
        return sessions_from(self.exchange, self.start, self.sessions)


@dataclass(frozen=True, eq=False)
class ModelMarket:
    """A path of a market model as a Panel, and what the model says of it.

    Args:
        setup: the model, and what is common to all names.
        history: when the path is seen.
        panel: the path.
        comparisons: closed forms beside the path's figures.
        curve: capital distribution in the stationary law; None where there is none.
        others: paths from which the standard errors come.
    """

    setup: Setup
    history: History
    panel: Panel
    comparisons: tuple[Comparison, ...]
    curve: StationaryCurve | None
    others: int

    @property
    def model(self) -> Model:
        """The model."""
        return self.setup.model

    def to_dict(self) -> dict[str, object]:
        """Return model, dates, facts and comparisons as plain values; rates and weights are fractions."""
        return {
            "model": {"name": type(self.model).__name__, **{key: np.asarray(value).tolist() for key, value in _parameters(self.model).items()}},
            "common": {"growth": self.setup.growth, "volatility": self.setup.volatility},
            "source": self.panel.source,
            "calendar": self.panel.calendar.name,
            "from": str(self.panel.sessions[0]),
            "to": str(self.panel.sessions[-1]),
            "sessions": len(self.panel),
            "years": self.history.years,
            "years_per_session": YEARS_PER_STEP,
            "assets": len(self.panel.assets),
            "fingerprint": self.panel.fingerprint,
            "index": index_facts(self.panel),
            "comparisons": comparison_dicts(self.comparisons),
            "standard_errors_from_paths": self.others,
            "notes": list(self.notes()),
        }

    def notes(self) -> tuple[str, ...]:
        """Return what a reader of the comparisons should know."""
        return tuple(_notes(self))

    def to_pandas(self) -> pd.DataFrame:
        """Return the comparisons: one row a quantity, with unit, closed form, figure of the path, standard error and score; rates are fractions."""
        return comparison_frame(self.comparisons)

    def __str__(self) -> str:
        """Return the market and the comparisons as a table."""
        return "\n".join([*market_lines(self.panel, self.comparisons, "closed form"), "", *self.notes()])

    def _repr_html_(self) -> str:
        """Return the market for a notebook."""
        import html

        return f"<pre>{html.escape(str(self))}</pre>"

    def plot(self) -> go.Figure:
        """Return what one wants to see first.

        The capital distribution against the stationary law; of a hybrid market, who leads how often; of a geometric Brownian market, excess growth against its closed form.
        """
        from gammastar.simulate.model_figures import market_figure

        return market_figure(self)


def simulate_history(setup: Setup, seed: int | np.random.SeedSequence, history: History | None = None) -> ModelMarket:
    """Return a path of a market model on the sessions of an exchange, with closed forms beside it. The same seed gives the same path; more sessions only add.

    Standard errors come from further paths of the same length: as many as 64 MiB hold, at most 127; where these are few, as many as 512 MiB hold, at most 31.

    Args:
        setup: the model, and what is common to all names.
        seed: a non-negative integer or a `SeedSequence`, which is left as it was.
        history: when it is seen; default ten years from 2010-01-04.

    Raises:
        ValueError: a hybrid market of more than 16 names, no calendar for the dates, or a path of more than 2 GiB.
        TypeError: a model without closed forms here.

    >>> from gammastar.simulate.presets import AtlasPreset
    >>> market = simulate_history(AtlasPreset(names=5).build(), 7, History(sessions=253))
    >>> market.comparisons[0].quantity, market.comparisons[0].exact, len(market.panel), str(market.panel.sessions[-1])
    ('mean gap below rank 1', 0.625, 253, '2011-01-03')
    """
    seen = History() if history is None else history
    calendar, model = seen.calendar(), setup.model
    examine, steps = examiner(model), seen.sessions - 1
    others = other_paths(len(model), seen.sessions)
    paths = model.simulate(Grid(steps, paths=1 + others), seed, start=setup.start)
    market = _with_common(setup, paths.log_capitalisations[0], seed, 0)
    path = Paths(Grid(steps), market[None], paths.source + _common_words(setup))
    found = [examine(market, YEARS_PER_STEP)]
    found += [examine(_with_common(setup, paths.log_capitalisations[k], seed, k), YEARS_PER_STEP) for k in range(1, 1 + others)]
    return ModelMarket(
        setup=setup,
        history=seen,
        panel=path.panel(0, calendar=calendar),
        comparisons=_compared(found),
        curve=stationary_curve(model, generators(seed, [0], purpose=STATIONARY)[0]),
        others=others,
    )


def other_paths(names: int, sessions: int) -> int:
    """Return how many further paths a standard error comes from; 0 where there is room for none, or for one alone.

    >>> other_paths(12, 2521), other_paths(100, 2521), other_paths(5000, 2521)
    (127, 32, 4)
    """
    size = 8 * names * sessions
    most = max(min(count, room // size - 1) for count, room in OTHERS)
    return most if most > 1 else 0


def _with_common(setup: Setup, logs: Float[ndarray, "s n"], seed: int | np.random.SeedSequence, path: int) -> Float[ndarray, "s n"]:
    """Return the log capitalisations with what all names share added: ``growth t + volatility W(t)``, W from the path's own generator."""
    shocks = generators(seed, [path], purpose=COMMON)[0].standard_normal(len(logs) - 1)
    moves = setup.growth * YEARS_PER_STEP + setup.volatility * np.sqrt(YEARS_PER_STEP) * shocks
    return np.asarray(logs + np.concatenate(([0.0], np.cumsum(moves)))[:, None])


def _common_words(setup: Setup) -> str:
    parts = [f"{word} {value:.4g} a year" for word, value in (("growth", setup.growth), ("volatility", setup.volatility)) if value]
    return f", common {' and '.join(parts)}" if parts else ""


def _compared(found: list[tuple[Quantity, ...]]) -> tuple[Comparison, ...]:
    errors: list[float | None] = [None] * len(found[0])
    if len(found) > 1:
        apart = np.array([[item.seen - item.exact for item in rows] for rows in found[1:]])
        errors = [float(value) for value in apart.std(axis=0, ddof=1)]
    return tuple(
        Comparison(item.name, item.unit, float(item.exact), float(item.seen), error) for item, error in zip(found[0], errors, strict=True)
    )


def _parameters(model: Model) -> dict[str, object]:
    """Return the fields of a model; of a covariance its loadings and specific variances."""
    found = {item.name: getattr(model, item.name) for item in fields(model)}  # type: ignore[arg-type]
    covariance = found.pop("covariance", None)
    return found if covariance is None else {**found, "loadings": covariance.loadings, "specific": covariance.specific}


def _notes(market: ModelMarket) -> list[str]:
    model = market.model
    notes = []
    if market.others:
        notes.append(f"Standard errors: of {market.others} other paths of the same length.")
    else:
        notes.append("No standard errors: other paths of this size would take too much memory.")
    notes.append("Excess growth: the closed form at the path's own weights, and what the path realised.")
    if isinstance(model, VolatilityStabilised):
        notes.append("Growth of equal weights: likewise.")
    if isinstance(model, RankJacobi):
        notes.append("Weights and local times: the closed form is evaluated at the means of 4,000 draws of the stationary law; these add an error of about 1% of the figure.")
    if market.setup.volatility or market.setup.growth:
        notes.append(f"A shock of {100 * market.setup.volatility:.4g}% a year is common to all names: it moves the index and no weight.")
    if isinstance(model, (Atlas, FirstOrder, HybridAtlas)):
        notes.append("Steps of a session keep ranks still: gaps between the smallest names come out wider than in continuous time; local times do not.")
    if market.curve is None:
        notes.append("No law is stationary: the longer it runs, the more the largest names have.")
    else:
        notes.append("The path starts in the stationary law; a figure that moves slowly stays near where it started.")
    return notes
