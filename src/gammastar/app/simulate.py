"""The verbs of simulated markets: a large-cap market whose truth is known, and the market models one can solve."""

from __future__ import annotations

__all__ = ["app"]

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gammastar import workspace
from gammastar.app import words
from gammastar.simulate.presets import (
    AtlasPreset,
    FirstOrderPreset,
    GeometricBrownianPreset,
    HybridAtlasPreset,
    RankJacobiPreset,
    VolatilityStabilisedPreset,
)

if TYPE_CHECKING:
    from gammastar.simulate import ModelMarket, SimulatedMarket
    from gammastar.simulate.presets import Preset

app = typer.Typer(help="Simulate a market and write it as a dataset.", no_args_is_help=True)

Out = Annotated[Path, typer.Option("--out", metavar="DATASET", help="Folder to write.")]
Seed = Annotated[int, typer.Option(help="The same seed gives the same bytes.", min=0)]
Names = Annotated[int, typer.Option(help="Names in the market.")]
Years = Annotated[float | None, typer.Option(help="Years of 252 sessions. Default: 10.", show_default=False)]
Sessions = Annotated[int | None, typer.Option(help="Instead of --years: closes, the first included.", show_default=False)]
Start = Annotated[str, typer.Option("--from", metavar="DATE", help="The first session of XNYS is on this date or after it.")]
Figure = Annotated[Path | None, typer.Option("--figure", metavar="FILE", help="HTML page to write the figure to; it needs no network.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
Drift = Annotated[float, typer.Option(help="How fast all names but the smallest fall behind, a year.")]
Volatility = Annotated[float, typer.Option(help="Of each name's own shock, a year.")]
Growth = Annotated[float, typer.Option(help="Of the whole market, a year.")]
MarketVolatility = Annotated[float, typer.Option(help="Of a shock that all names share, a year; it moves no weight.")]
Slope = Annotated[float, typer.Option(help="Of the capital curve, log weight on log rank, its sign left out.")]
ExcessGrowth = Annotated[float, typer.Option(help="Of the index, a year: the same at all times.")]
FIRST_DAY = "2010-01-04"


@app.command("large-cap")
def large_cap(
    out: Out,
    seed: Seed = 7,
    members: Annotated[int | None, typer.Option(help="Names in the index.", min=20)] = None,
    listed: Annotated[int | None, typer.Option(help="Names listed in all.", min=25)] = None,
    figure: Figure = None,
    as_json: AsJson = False,
) -> None:
    """Simulate a large-cap market whose truth is known."""
    _show(workspace.simulate_market(out, seed=seed, members=members, listed=listed), (out, seed), figure, as_json=as_json)


@app.command()
def atlas(
    out: Out,
    seed: Seed = 7,
    names: Names = AtlasPreset.names,
    drift: Drift = AtlasPreset.drift,
    volatility: Volatility = AtlasPreset.volatility,
    growth: Growth = AtlasPreset.growth,
    market_volatility: MarketVolatility = AtlasPreset.market_volatility,
    start: Start = FIRST_DAY,
    years: Years = None,
    sessions: Sessions = None,
    figure: Figure = None,
    as_json: AsJson = False,
) -> None:
    """Simulate an Atlas market: all names fall behind alike but the smallest, which carries them."""
    preset = AtlasPreset(names, drift, volatility, growth, market_volatility)
    _show(_simulated(preset, out, seed, (start, years, sessions)), (out, seed), figure, as_json=as_json)


@app.command("first-order")
def first_order(
    out: Out,
    seed: Seed = 7,
    names: Names = FirstOrderPreset.names,
    slope: Slope = FirstOrderPreset.slope,
    largest_volatility: Annotated[float, typer.Option(help="Of the own shock of the largest name, a year.")] = FirstOrderPreset.largest_volatility,
    smallest_volatility: Annotated[float, typer.Option(help="Of that of the smallest.")] = FirstOrderPreset.smallest_volatility,
    growth: Growth = FirstOrderPreset.growth,
    market_volatility: MarketVolatility = FirstOrderPreset.market_volatility,
    start: Start = FIRST_DAY,
    years: Years = None,
    sessions: Sessions = None,
    figure: Figure = None,
    as_json: AsJson = False,
) -> None:
    """Simulate a first-order market: drift and volatility by rank, with a straight capital curve."""
    preset = FirstOrderPreset(names, slope, largest_volatility, smallest_volatility, growth, market_volatility)
    _show(_simulated(preset, out, seed, (start, years, sessions)), (out, seed), figure, as_json=as_json)


@app.command("hybrid-atlas")
def hybrid_atlas(
    out: Out,
    seed: Seed = 7,
    names: Annotated[int, typer.Option(help="Names in the market, at most 16.")] = HybridAtlasPreset.names,
    drift: Drift = HybridAtlasPreset.drift,
    volatility: Volatility = HybridAtlasPreset.volatility,
    name_drift: Annotated[float, typer.Option(help="Of the first name, falling evenly to its opposite for the last, a year.")] = HybridAtlasPreset.name_drift,
    growth: Growth = HybridAtlasPreset.growth,
    market_volatility: MarketVolatility = HybridAtlasPreset.market_volatility,
    start: Start = FIRST_DAY,
    years: Years = None,
    sessions: Sessions = None,
    figure: Figure = None,
    as_json: AsJson = False,
) -> None:
    """Simulate a hybrid Atlas market: an Atlas market whose names have drifts of their own."""
    preset = HybridAtlasPreset(names, drift, volatility, name_drift, growth, market_volatility)
    _show(_simulated(preset, out, seed, (start, years, sessions)), (out, seed), figure, as_json=as_json)


@app.command("geometric-brownian")
def geometric_brownian(
    out: Out,
    seed: Seed = 7,
    names: Names = GeometricBrownianPreset.names,
    volatility: Annotated[float, typer.Option(help="Of each name, a year.")] = GeometricBrownianPreset.volatility,
    correlation: Annotated[float, typer.Option(help="Of every pair of names.")] = GeometricBrownianPreset.correlation,
    growth: Annotated[float, typer.Option(help="Of each name, a year.")] = GeometricBrownianPreset.growth,
    slope: Annotated[float, typer.Option(help="Of the capital curve at the start; 0 is equal weights.")] = GeometricBrownianPreset.slope,
    start: Start = FIRST_DAY,
    years: Years = None,
    sessions: Sessions = None,
    figure: Figure = None,
    as_json: AsJson = False,
) -> None:
    """Simulate a geometric Brownian market: constant growth, volatility and correlation."""
    preset = GeometricBrownianPreset(names, volatility, correlation, growth, slope)
    _show(_simulated(preset, out, seed, (start, years, sessions)), (out, seed), figure, as_json=as_json)


@app.command("volatility-stabilised")
def volatility_stabilised(
    out: Out,
    seed: Seed = 7,
    names: Names = VolatilityStabilisedPreset.names,
    alpha: Annotated[float, typer.Option(help="Pull of small names upwards; 0 is none.")] = VolatilityStabilisedPreset.alpha,
    excess_growth: ExcessGrowth = VolatilityStabilisedPreset.excess_growth,
    market_volatility: MarketVolatility = VolatilityStabilisedPreset.market_volatility,
    start: Start = FIRST_DAY,
    years: Years = None,
    sessions: Sessions = None,
    figure: Figure = None,
    as_json: AsJson = False,
) -> None:
    """Simulate a volatility-stabilised market: the smaller a name, the more it moves."""
    preset = VolatilityStabilisedPreset(names, alpha, excess_growth, market_volatility)
    _show(_simulated(preset, out, seed, (start, years, sessions)), (out, seed), figure, as_json=as_json)


@app.command("rank-jacobi")
def rank_jacobi(
    out: Out,
    seed: Seed = 7,
    names: Names = RankJacobiPreset.names,
    largest_theta: Annotated[float, typer.Option(help="Of rank 1: the smaller, the larger the largest names.")] = RankJacobiPreset.largest_theta,
    smallest_theta: Annotated[float, typer.Option(help="Of the last rank, at least 1: the larger, the larger the smallest names.")] = RankJacobiPreset.smallest_theta,
    excess_growth: ExcessGrowth = RankJacobiPreset.excess_growth,
    growth: Growth = RankJacobiPreset.growth,
    market_volatility: MarketVolatility = RankJacobiPreset.market_volatility,
    start: Start = FIRST_DAY,
    years: Years = None,
    sessions: Sessions = None,
    figure: Figure = None,
    as_json: AsJson = False,
) -> None:
    """Simulate a rank Jacobi market: weights that diffuse on the simplex, with a drift by rank."""
    preset = RankJacobiPreset(names, largest_theta, smallest_theta, excess_growth, growth, market_volatility)
    _show(_simulated(preset, out, seed, (start, years, sessions)), (out, seed), figure, as_json=as_json)


def _simulated(preset: Preset, out: Path, seed: int, when: tuple[str, float | None, int | None]) -> ModelMarket:
    start, years, sessions = when
    return workspace.simulate_model(preset, out, seed=seed, start=start, years=years, sessions=sessions)


def _show(found: ModelMarket | SimulatedMarket, made: tuple[Path, int], figure: Path | None, *, as_json: bool) -> None:
    """Print a market, and write its figure where one is asked for."""
    out, seed = made
    if figure is not None:
        figure.parent.mkdir(parents=True, exist_ok=True)
        figure.write_text(found.plot().to_html(include_plotlyjs=True, div_id="figure"), encoding="utf-8")
    typer.echo(words.json_text({"dataset": str(out), "seed": seed, **found.to_dict()}) if as_json else words.simulated(found, out))
    if figure is not None:
        typer.echo(f"figure: {figure}", err=True)
