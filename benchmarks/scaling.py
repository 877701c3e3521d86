"""How the cost of a walk-forward grows with names and with years: 100 to 10,000 names over half a year, 1 to 40 years of 100 names.

The market and the mandate are those of `walk_forward.py`: risk, limits and costs, decided every week on daily sessions. Of each series the slope of log
seconds on log size is told: 1 is linear. Below a size the fixed cost of a step is all there is, and the slope is lower; it is told for the upper half
too. The figure goes to `build/scaling.html`.

    python benchmarks/scaling.py [--json]
"""

from __future__ import annotations

import walk_forward  # isort: skip - first: it sets the number of threads

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from plotly.subplots import make_subplots

if TYPE_CHECKING:
    import plotly.graph_objects as go

NAMES, HALF_A_YEAR = (100, 200, 500, 1000, 2000, 5000, 10000), 0.5
YEARS, FEW = (1.0, 2.0, 5.0, 10.0, 20.0, 40.0), 100
PAGE = Path(__file__).parents[1] / "build" / "scaling.html"


def seconds(names: int, years: float) -> float:
    """Return the processor's time for one walk-forward, the market's making apart."""
    panel = walk_forward.market(names, years)
    panel.fingerprint  # noqa: B018 - found once for a panel, not once for a run
    return walk_forward.processor_seconds(walk_forward.ours(panel, walk_forward.WINDOW))[0]


def slope(sizes: tuple[float, ...], taken: list[float]) -> float:
    """Return the least-squares slope of log seconds on log size."""
    return float(np.polyfit(np.log(sizes), np.log(taken), 1)[0])


def told(sizes: tuple[float, ...], taken: list[float]) -> dict[str, Any]:
    """Return a series with its slopes."""
    half = len(sizes) // 2
    return {"sizes": sizes, "seconds": taken, "slope": slope(sizes, taken), "slope of the upper half": slope(sizes[half:], taken[half:])}


def figure(series: dict[str, dict[str, Any]]) -> go.Figure:
    """Return both series on logarithmic axes, with the straight line of a linear cost through the last point."""
    drawn = make_subplots(cols=len(series), subplot_titles=list(series))
    for column, (name, found) in enumerate(series.items(), 1):
        sizes, taken = np.array(found["sizes"]), np.array(found["seconds"])
        drawn.add_scatter(x=sizes, y=taken, mode="lines+markers", name=f"measured, slope {found['slope']:.2f}", row=1, col=column)
        drawn.add_scatter(x=sizes, y=taken[-1] * sizes / sizes[-1], mode="lines", line_dash="dot", name="linear", row=1, col=column)
        drawn.update_xaxes(type="log", title=name.split(",")[0], row=1, col=column)
        drawn.update_yaxes(type="log", title="seconds of the processor", row=1, col=column)
    return drawn.update_layout(title="Cost of a walk-forward with risk, limits and costs, decided every week")


def main() -> None:
    """Print the table and write the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    seconds(FEW, 0.1)  # to warm up
    series = {
        "names, half a year": told(NAMES, [seconds(names, HALF_A_YEAR) for names in NAMES]),
        f"years, {FEW} names": told(YEARS, [seconds(FEW, years) for years in YEARS]),
    }
    PAGE.parent.mkdir(exist_ok=True)
    figure(series).write_html(PAGE, include_plotlyjs=True)
    if arguments.json:
        print(json.dumps(series, indent=1))
        return
    for name, found in series.items():
        print(name)
        for size, taken in zip(found["sizes"], found["seconds"], strict=True):
            print(f"  {size:>8g}{taken:10.3f} s")
        print(f"  slope {found['slope']:.2f}, of the upper half {found['slope of the upper half']:.2f} (1 is linear)")
    print(f"figure: {PAGE.relative_to(Path.cwd()) if PAGE.is_relative_to(Path.cwd()) else PAGE.name}")


if __name__ == "__main__":
    main()
