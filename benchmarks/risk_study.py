"""How far forecasts of risk hold on the real S&P 500, for the portfolios that are actually held.

The enhanced-index mandates of examples/mandates are re-optimised at each month's last close, with each risk model. The targets' active weights
are held to the next month's end, and active returns of the sessions between are set against the forecast made before. Beside them stand random active portfolios.

    python benchmarks/risk_study.py [--models hybrid statistical] [--mandates classic neutral] [--evidence] [--json]

Without ``--evidence`` nothing after 2016 is looked at: 2008 to 2016 is what models are selected on, 2017 to 2019 is looked at once for an idea.
It needs the shared data (GAMMASTAR_SP500 says where it is) and says so where there is none.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import json
import sys
import tempfile
import time
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gammastar.core.excess_growth import (
    calibrated_captured_volatility,
    captured_volatility,
    expected_captured_volatility,
)
from gammastar.mandate import Mandate
from gammastar.market.calendar import Clock
from gammastar.optimise import propose
from gammastar.risk.evaluate import Span, evaluate, growth_ratio, mean_bias
from gammastar.risk.hybrid import HybridFactors
from gammastar.risk.statistical import RiskModel, StatisticalFactors
from gammastar.store import ingest, open_store

if TYPE_CHECKING:
    from numpy import ndarray

    from gammastar.core.covariance import FactoredCovariance
    from gammastar.market.moment import Moment
    from gammastar.market.panel import Panel

HERE = Path(__file__).resolve().parents[1]
SP500 = Path(os.environ.get("GAMMASTAR_SP500", HERE.parent / "shared" / "data" / "sp500"))
SPANS = (Span("2008-12", "2008-01-01", "2012-12-31"), Span("2013-16", "2013-01-01", "2016-12-31"))
EVIDENCE = Span("2017-19", "2017-01-01", "2019-12-31")
MANDATES = {"classic": "us-enhanced-index-classic.toml", "neutral": "us-enhanced-index.toml"}
MODELS: dict[str, RiskModel] = {"hybrid": HybridFactors(), "statistical": StatisticalFactors()}
RANDOM = 40
ANNUAL = 252.0


@dataclass
class Record:
    """What was forecast for each session, and what came."""

    position: list[int] = field(default_factory=list)
    active: list[float] = field(default_factory=list)
    deviation: list[float] = field(default_factory=list)
    captured: list[float] = field(default_factory=list)
    expected: list[float] = field(default_factory=list)
    calibrated: list[float] = field(default_factory=list)
    drawn: list[ndarray] = field(default_factory=list)
    drawn_deviation: list[ndarray] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    unsolved: int = 0


def random_active(moment: Moment, draws: ndarray) -> ndarray:
    """Return active weights, shape (RANDOM, n): independent, within the member's weight and 0.5%, summing to zero; none where the history is short."""
    use = moment.members & ~moment.short_history(minimum=126, window=252)
    size = np.where(use, np.minimum(moment.benchmark, 0.005), 0.0)
    weights = draws * size
    return weights - size * (weights.sum(axis=1, keepdims=True) / size.sum())


def run(panel: Panel, mandate: Mandate, model: RiskModel, span: tuple[str, str]) -> Record:
    """Return the record of one mandate with one model."""
    record, targets = Record(), None
    draws = np.random.default_rng(20080101).standard_normal((RANDOM, len(panel.assets)))
    ends = np.flatnonzero(panel.calendar.ticks(Clock.MONTHLY))
    ends = ends[(panel.sessions[ends] >= np.datetime64(span[0]) - 31) & (panel.sessions[ends] <= np.datetime64(span[1]))]
    for at, until in pairwise(ends):
        moment = panel.moment(int(at))
        if targets is not None:
            moment = moment.with_holdings(targets)
        began = time.process_time()
        sigma = model.estimate(moment)
        record.seconds.append(time.process_time() - began)
        proposal = propose(mandate, moment.with_risk(sigma))
        if proposal.solved:
            targets = proposal.targets
        else:
            record.unsolved += 1
            targets = moment.benchmark if targets is None else targets
        add(record, panel, moment, (targets, sigma, random_active(moment, draws)), range(int(at) + 1, int(until) + 1))
    return record


def add(record: Record, panel: Panel, moment: Moment, held: tuple[ndarray, FactoredCovariance, ndarray], sessions: range) -> None:
    """Write down the sessions of one month."""
    targets, sigma, drawn = held
    active, rows = targets - moment.benchmark, list(sessions)
    returns = panel.returns[rows]
    record.position += rows
    record.active += list(returns @ active)
    record.deviation += [np.sqrt(sigma.quadratic(active) / ANNUAL)] * len(rows)
    record.captured += list(captured_volatility(np.broadcast_to(targets, returns.shape), panel.benchmark[sessions.start - 1 : sessions.stop - 1], 1.0 + returns))
    record.expected += [expected_captured_volatility(targets, moment.benchmark, sigma) / ANNUAL] * len(rows)
    record.calibrated += [calibrated_captured_volatility(targets, moment.benchmark, sigma) / ANNUAL] * len(rows)
    record.drawn += list(returns @ drawn.T)
    record.drawn_deviation += [np.sqrt(np.array([sigma.quadratic(row) for row in drawn]) / ANNUAL)] * len(rows)


def line(panel: Panel, record: Record, span: Span) -> dict[str, float]:
    """Return the figures of one window."""
    position = np.array(record.position)
    inside = span.holds(panel.sessions[position])
    months = panel.sessions[position[inside]].astype("datetime64[M]").astype(np.int64)
    active, deviation = np.array(record.active)[inside], np.array(record.deviation)[inside]
    found = evaluate(active, deviation, months, np.random.default_rng(1))
    growth = growth_ratio(np.array(record.captured)[inside], np.array(record.expected)[inside], months, annual=ANNUAL)
    calibrated = growth_ratio(np.array(record.captured)[inside], np.array(record.calibrated)[inside], months, annual=ANNUAL)
    return {
        "daily": found.sessions.value,
        "daily_low": found.sessions.bootstrap_low,
        "daily_high": found.sessions.bootstrap_high,
        "monthly": found.periods.value,
        "monthly_low": found.periods.low,
        "monthly_high": found.periods.high,
        "qlike": found.qlike,
        "random": mean_bias(np.array(record.drawn)[inside], np.array(record.drawn_deviation)[inside]),
        "growth_forecast_bp": growth.forecast * 1e4,
        "growth_realised_bp": growth.realised * 1e4,
        "growth_ratio": growth.ratio,
        "growth_ratio_error": growth.error,
        "growth_calibrated_bp": calibrated.forecast * 1e4,
        "growth_calibrated_ratio": calibrated.ratio,
    }


def study(panel: Panel, models: dict[str, RiskModel], mandates: dict[str, Mandate], spans: tuple[Span, ...]) -> list[dict[str, object]]:
    """Return one line for each model, mandate and window."""
    lines: list[dict[str, object]] = []
    for title, model in models.items():
        for name, mandate in mandates.items():
            record = run(panel, replace(mandate, risk=model), model, (spans[0].first, spans[-1].last))
            told = {"seconds": float(np.median(record.seconds)), "unsolved": record.unsolved}
            lines += [{"model": title, "mandate": name, "window": span.name, **line(panel, record, span), **told} for span in spans]
    return lines


def table(lines: list[dict[str, object]]) -> str:
    """Return the lines as text."""
    head = f"{'model':<22}{'mandate':<9}{'window':<9}{'daily':>7} {'(bootstrap)':<13}{'month':>7} {'(chi2)':<13}{'QLIKE':>6}{'random':>8}{'growth bp':>11}{'realised':>9}{'ratio':>7}{'calibr.':>9}{'CPU s':>7}"
    told = [head]
    for x in lines:
        bands = f"({x['daily_low']:.2f} {x['daily_high']:.2f})", f"({x['monthly_low']:.2f} {x['monthly_high']:.2f})"
        told.append(
            f"{x['model']:<22}{x['mandate']:<9}{x['window']:<9}{x['daily']:>7.2f} {bands[0]:<13}{x['monthly']:>7.2f} {bands[1]:<13}{x['qlike']:>6.2f}{x['random']:>8.3f}"
            f"{x['growth_forecast_bp']:>11.1f}{x['growth_realised_bp']:>9.1f}{x['growth_ratio']:>7.2f}{x['growth_calibrated_ratio']:>9.2f}{x['seconds']:>7.3f}"
        )
    return "\n".join(told)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--mandates", nargs="+", choices=MANDATES, default=list(MANDATES))
    parser.add_argument("--evidence", action="store_true", help="look at 2017 to 2019 too")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    if not SP500.is_dir():
        sys.exit("the S&P 500 history is not there, so there is nothing to study; GAMMASTAR_SP500 may say where it is")
    with tempfile.TemporaryDirectory() as folder:
        ingest(SP500, Path(folder) / "store", mapping=HERE / "examples" / "datasets" / "sp500.toml")
        panel = open_store(Path(folder) / "store").panel("daily")
    mandates = {name: Mandate.load(HERE / "examples" / "mandates" / MANDATES[name]) for name in asked.mandates}
    spans = (*SPANS, EVIDENCE) if asked.evidence else SPANS
    lines = study(panel, {name: MODELS[name] for name in asked.models}, mandates, spans)
    print(json.dumps(lines, indent=1) if asked.json else table(lines))


if __name__ == "__main__":
    main()
