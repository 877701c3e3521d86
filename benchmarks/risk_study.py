"""How far forecasts of risk hold on the real S&P 500, for the portfolios that are actually held.

The enhanced-index mandates of examples/mandates are re-optimised at each month's last close, with each risk model. The targets' active weights
are held to the next month's end, and active returns of the sessions between are set against the forecast made before. Beside them stand random active portfolios.

The walk and the scores are those of `gammastar risk evaluate`; here models stand side by side.

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
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gammastar.backtest.forecasting import Walk, walk_forecasts
from gammastar.mandate import Mandate
from gammastar.risk.evaluate import Span
from gammastar.risk.hybrid import HybridFactors
from gammastar.risk.statistical import RiskModel, StatisticalFactors
from gammastar.risk.study import score
from gammastar.store import ingest, open_store

if TYPE_CHECKING:
    from gammastar.market.panel import Panel

HERE = Path(__file__).resolve().parents[1]
SP500 = Path(os.environ.get("GAMMASTAR_SP500", HERE.parent / "shared" / "data" / "sp500"))
SPANS = (Span("2008-12", "2008-01-01", "2012-12-31"), Span("2013-16", "2013-01-01", "2016-12-31"))
EVIDENCE = Span("2017-19", "2017-01-01", "2019-12-31")
MANDATES = {"classic": "us-enhanced-index-classic.toml", "neutral": "us-enhanced-index.toml"}
MODELS: dict[str, RiskModel] = {"hybrid": HybridFactors(), "statistical": StatisticalFactors()}


def line(walk: Walk, span: Span) -> dict[str, float | None]:
    """Return the figures of one window."""
    window = score(walk.forecasts, span)
    groups = {group.name: group for group in window.groups}
    own, drawn = groups["optimised"], groups["random"]
    raw, calibrated = window.growth["raw"], window.growth["calibrated"]
    return {
        "daily": own.daily.value,
        "daily_low": own.daily.bootstrap_low,
        "daily_high": own.daily.bootstrap_high,
        "monthly": own.monthly.value,
        "monthly_low": own.monthly.low,
        "monthly_high": own.monthly.high,
        "qlike": own.qlike,
        "random": drawn.daily.value,
        "growth_forecast_bp": raw.forecast * 1e4,
        "growth_realised_bp": raw.realised * 1e4,
        "growth_ratio": raw.ratio,
        "growth_ratio_error": raw.error,
        "growth_calibrated_bp": calibrated.forecast * 1e4,
        "growth_calibrated_ratio": calibrated.ratio,
    }


def study(panel: Panel, models: dict[str, RiskModel], mandates: dict[str, Mandate], spans: tuple[Span, ...]) -> list[dict[str, object]]:
    """Return one line for each model, mandate and window."""
    lines: list[dict[str, object]] = []
    for title, model in models.items():
        for name, mandate in mandates.items():
            walk = walk_forecasts(replace(mandate, risk=model), panel, (np.datetime64(spans[0].first) - 1, np.datetime64(spans[-1].last)))
            told = {"seconds": float(np.median(walk.seconds["estimate"])), "unsolved": walk.unsolved}
            lines += [{"model": title, "mandate": name, "window": span.name, **line(walk, span), **told} for span in spans]
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
