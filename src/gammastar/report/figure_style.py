"""The one visual language of the figures: palette, axes, thinned lines, and labels that stand beside what they name."""

from __future__ import annotations

__all__ = [
    "PALETTE",
    "WIDTH",
    "Axis",
    "Line",
    "Palette",
    "blank",
    "dates",
    "end_labels",
    "escape",
    "held",
    "key",
    "line_figure",
    "running",
    "signed",
    "thin",
    "time_axis",
    "times",
]

import html
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np
import plotly.graph_objects as go

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float, Int
    from numpy import ndarray

    from gammastar.market.track import Track

Part = TypeVar("Part")

WIDTH: Final = 680
"""Pixels: the width of the text on A4 with margins of 15 mm, so that the screen shows what the printer prints."""

POINTS: Final = 700
"""Most points drawn for a line; a screen has no more columns."""

FLAT: Final = 1e-8
"""Lines that move less than this, in the unit of their axis, do not move."""

_FONT: Final = "Helvetica Neue, Helvetica, Arial, Liberation Sans, sans-serif"
_RIGHT: Final = 158
_LABEL_HEIGHT: Final = 14.0
_CHARACTER: Final = 6.0
_LONGEST: Final = 28


@dataclass(frozen=True)
class Palette:
    """Colours that differ for every common kind of colour blindness and in grey (after Okabe and Ito)."""

    portfolio: str = "#17324d"
    benchmark: str = "#8a8f98"
    captured_volatility: str = "#0072b2"
    allocation: str = "#d55e00"
    cost: str = "#a0568c"
    forecast: str = "#00835f"
    fourth: str = "#b88600"
    fifth: str = "#56a3d9"
    ink: str = "#22262b"
    muted: str = "#6b7077"
    grid: str = "#e6e8eb"
    axis: str = "#aab0b8"


PALETTE: Final = Palette()


def escape(text: str) -> str:
    """Return `text` with no markup in it: Plotly reads labels as HTML."""
    return html.escape(text, quote=False)


def dates(sessions: ndarray) -> list[str]:
    """Return ISO dates."""
    return [str(day) for day in np.asarray(sessions, dtype="datetime64[D]")]


def thin(values: Float[ndarray, " t"], points: int = POINTS) -> Int[ndarray, " k"]:
    """Return the positions to draw: the first, the last, and the lowest and highest of equal stretches, at most `points` in all.

    Args:
        values: the line, shape (t,).
        points: at least 4.
    """
    count = len(values)
    if count <= points:
        return np.arange(count)
    edges = np.linspace(0, count, (points - 2) // 2 + 1).astype(np.int64)
    kept = {0, count - 1}
    for start, stop in pairwise(edges):
        kept.add(int(start + np.argmin(values[start:stop])))
        kept.add(int(start + np.argmax(values[start:stop])))
    return np.array(sorted(kept))


@dataclass(frozen=True)
class Axis:
    """The axis of values of a line figure.

    Args:
        suffix: its unit.
        decimals: of values in labels.
        log: whether it is logarithmic.
        zero: whether zero belongs to it.
    """

    suffix: str = "%"
    decimals: int = 2
    log: bool = field(default=False, kw_only=True)
    zero: bool = field(default=True, kw_only=True)

    def bounds(self, lines: Sequence[Line]) -> tuple[float, float]:
        """Return ends of the axis that show the lines, and zero where it belongs; logarithms to base 10 on a log axis."""
        low = min(float(line.values.min()) for line in lines)
        high = max(float(line.values.max()) for line in lines)
        if self.log:
            low, high = float(np.log10(low)), float(np.log10(high))
        elif self.zero:
            low, high = min(low, 0.0), max(high, 0.0)
        if high - low <= FLAT:  # a line that only rounding moves is drawn flat
            return low - 0.5, high + 0.5
        room, touches = 0.05 * (high - low), self.zero and not self.log
        return low - (0.0 if touches and low == 0.0 else room), high + (0.0 if touches and high == 0.0 else room)

    def label(self, line: Line) -> tuple[float, str, str]:
        """Return the label at the end of a line: its height on the axis, its text, its colour."""
        value = float(line.values[-1])
        text = f"{escape(_short(line.name))}  {signed(value, self.decimals, plus=False)}{self.suffix}"
        return (float(np.log10(value)) if self.log else value), text, line.colour


@dataclass(frozen=True, eq=False)
class Line:
    """A line to draw, with the label at its end.

    Args:
        name: its label.
        sessions: dates, shape (t,).
        values: shape (t,), in the unit of the axis.
        colour: of line and label.
        dash: Plotly's name.
        width: pixels.
        fill: Plotly's name of the area to fill, or None.
    """

    name: str
    sessions: ndarray
    values: Float[ndarray, " t"]
    colour: str
    dash: str = "solid"
    width: float = 1.5
    fill: str | None = None

    def trace(self, suffix: str, decimals: int) -> go.Scatter:
        """Return the trace, thinned."""
        kept = thin(self.values)
        return go.Scatter(
            x=dates(self.sessions[kept]),
            y=self.values[kept].astype(np.float32),
            mode="lines" if len(kept) > 1 else "markers",
            name=escape(self.name),
            line={"color": self.colour, "width": self.width, "dash": self.dash},
            fill=self.fill,
            hovertemplate=f"%{{x|%d %b %Y}}: %{{y:.{decimals}f}}{suffix}<extra>{escape(self.name)}</extra>",
        )


def times(track: Track) -> ndarray:
    """Return the start and the sessions, shape (t+1,)."""
    return np.concatenate((np.array([track.start], dtype="datetime64[D]"), track.sessions))


def running(log_returns: Float[ndarray, " t"]) -> Float[ndarray, " t1"]:
    """Return the running sum from zero, in percent, shape (t+1,)."""
    return 100.0 * np.concatenate(([0.0], np.cumsum(log_returns)))


def held(part: Part | None, name: str) -> Part:
    """Return a part of a track that a figure cannot do without.

    Raises:
        ValueError: the track does not hold it.
    """
    if part is None:
        raise ValueError(f"this figure shows the {name} of a track, which this track does not hold")
    return part


def key(*entries: tuple[str, str]) -> str:
    """Return a line of coloured words that names colours, for a subtitle."""
    return "   ".join(f'<span style="color:{colour}">\u25a0</span> {escape(name)}' for name, colour in entries)


def blank(title: str, subtitle: str, *, height: int = 262, right: int = _RIGHT, left: int = 58) -> go.Figure:
    """Return an empty figure in the house style: title and unit at the top left, no frame, no legend."""
    axis = {
        "gridcolor": PALETTE.grid,
        "linecolor": PALETTE.axis,
        "tickcolor": PALETTE.axis,
        "zerolinecolor": PALETTE.axis,
        "zerolinewidth": 1,
        "tickfont": {"size": 11, "color": PALETTE.muted},
        "automargin": False,
        "fixedrange": False,
    }
    figure = go.Figure(layout=go.Layout(template=go.layout.Template()))
    figure.update_layout(
        width=WIDTH,
        height=height,
        margin={"l": left, "r": right, "t": 54, "b": 30},
        title={
            "text": f"<b>{escape(title)}</b><br><span style='font-size:11.5px;color:{PALETTE.muted}'>{subtitle}</span>",
            "x": 0.0, "xref": "container", "xanchor": "left", "y": 1.0, "yref": "container", "yanchor": "top", "pad": {"t": 15, "l": 0},
            "font": {"size": 14, "color": PALETTE.ink},
        },
        font={"family": _FONT, "size": 11.5, "color": PALETTE.ink},
        paper_bgcolor="white",
        plot_bgcolor="white",
        showlegend=False,
        hovermode="closest",
        bargap=0.35,
    )  # fmt: skip
    figure.update_xaxes(axis | {"showgrid": False, "showline": True, "ticks": "outside", "ticklen": 4})
    figure.update_yaxes(axis | {"showgrid": True, "showline": False, "ticks": "", "ticklabelstandoff": 5})
    return figure


_PLAIN: Final = Axis()


def line_figure(
    title: str, subtitle: str, lines: Sequence[Line], axis: Axis = _PLAIN, *, height: int = 262
) -> go.Figure:
    """Return lines over time, each named at its right end.

    Args:
        title: what is shown.
        subtitle: in which unit.
        lines: what to draw, the last on top.
        axis: of their values.
        height: pixels.
    """
    figure = blank(title, subtitle, height=height)
    bounds = axis.bounds(lines)
    for line in lines:
        figure.add_trace(line.trace(axis.suffix, axis.decimals))
    figure.update_yaxes(range=bounds, ticksuffix=axis.suffix, nticks=7)
    if axis.log:
        ticks = [step * 10.0**power for power in range(-3, 5) for step in (1, 1.5, 2, 3, 4, 5, 7)]
        words = [f"{tick:g}{axis.suffix}" for tick in ticks]
        figure.update_yaxes(type="log", tickmode="array", tickvals=ticks, ticktext=words)
    time_axis(figure, min(line.sessions[0] for line in lines), max(line.sessions[-1] for line in lines))
    end_labels(figure, [axis.label(line) for line in lines], bounds)
    return figure


def time_axis(figure: go.Figure, first: np.datetime64, last: np.datetime64) -> None:
    """Make the horizontal axis run from `first` to `last`, with years, months or days on it, never hours."""
    day = np.timedelta64(1, "D")
    days = max(int((last - first) / day), 1)
    figure.update_xaxes(range=[str(first), str(first + days * day)])
    if days < 3 * 365:
        figure.update_xaxes(tickformat="%b %Y" if days > 120 else "%d %b %Y", nticks=6)
    if days < 10:
        figure.update_xaxes(dtick=86_400_000 * (1 + days // 5))


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}\u2026"


def signed(value: float, decimals: int, *, plus: bool = True) -> str:
    """Return the number with a proper minus sign, and none where it rounds to zero."""
    text = f"{value:+.{decimals}f}" if plus else f"{value:.{decimals}f}"
    return text.replace("-", "\u2212") if float(text) else text.lstrip("+-")


def end_labels(
    figure: go.Figure, labels: Sequence[tuple[float, str, str]], bounds: tuple[float, float], *, axis: str = "y"
) -> None:
    """Write (height, text, colour) labels beside the right edge, moved apart where they would touch.

    Args:
        figure: to write on.
        labels: heights in the axis's own coordinate.
        bounds: of the axis.
        axis: its name.
    """
    layout: Any = figure.layout
    longest = max(len(html.unescape(part)) for _, text, _ in labels for part in text.split("<br>"))
    layout.margin.r = max(layout.margin.r, round(_CHARACTER * longest) + 12)
    domain = figure.layout["yaxis" + axis[1:]].domain or (0.0, 1.0)
    pixels = (layout.height - layout.margin.t - layout.margin.b) * (domain[1] - domain[0])
    order = sorted(range(len(labels)), key=lambda k: labels[k][0])
    wanted = np.array([(labels[k][0] - bounds[0]) / (bounds[1] - bounds[0]) * pixels for k in order])
    for k, place in zip(order, _apart(wanted, pixels), strict=True):
        height, text, colour = labels[k]
        shift = place - (height - bounds[0]) / (bounds[1] - bounds[0]) * pixels
        figure.add_annotation(
            x=1.0, xref="paper", xanchor="left", xshift=6, y=height, yref=axis, yanchor="middle", yshift=float(round(shift, 1)),
            text=text, showarrow=False, font={"size": 11.5, "color": colour}, align="left",
        )  # fmt: skip


def _apart(wanted: Float[ndarray, " k"], pixels: float) -> Float[ndarray, " k"]:
    """Return ascending places at least a label's height apart, close to `wanted`, inside the plot where they fit."""
    places = wanted.copy()
    for k in range(1, len(places)):
        places[k] = max(places[k], places[k - 1] + _LABEL_HEIGHT)
    over = places[-1] - (pixels + 4.0)
    if over > 0.0:
        places[-1] -= over
        for k in range(len(places) - 2, -1, -1):
            places[k] = min(places[k], places[k + 1] - _LABEL_HEIGHT)
    return places
