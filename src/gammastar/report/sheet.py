"""The tear sheet: one HTML page that needs no network, reads on a screen and prints on A4."""

from __future__ import annotations

__all__ = ["tear_sheet"]

import base64
import gzip
import html
import re
from functools import cache
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING, Final

from gammastar.report.html_tables import tables
from gammastar.report.statistics import summarise
from gammastar.report.words import headlines, opening

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from gammastar.market.track import Track
    from gammastar.report.figures import Picture
    from gammastar.report.words import Headline

_CONVENTIONS: Final = (
    "Returns are total returns; the portfolio's are net of trading costs, before fees and taxes. Log means are annualised by 252 sessions or 12 months, compound "
    "returns by the power 252 / sessions or 12 / months. Standard errors come from monthly sums and assume that months do not depend on each other. Months at either "
    "end of the record may be partial. One record is one draw: an information ratio has a standard error of 1 / sqrt(years)."
)


def tear_sheet(track: Track) -> str:
    """Return the tear sheet of `track` as the text of one self-contained HTML page; equal tracks give equal text.

    Whatever text the track brings along (names, facts, rules) is escaped. Long lines are thinned for display; no statistic is.
    """
    statistics = summarise(track)
    return Template(_asset("tear_sheet.html")).substitute(
        title=_escape(f"{track.name} against {track.benchmark_name}"),
        name=_escape(track.name),
        benchmark=_escape(track.benchmark_name),
        source=_escape(f"; {track.facts['data']}") if "data" in track.facts else "",
        first=str(track.start),
        last=str(track.sessions[-1]),
        style=_asset("tear_sheet.css"),
        opening=_escape(opening(track, statistics)),
        headlines="\n".join(_headline(entry) for entry in headlines(statistics)),
        figures=_figures(track),
        tables=tables(statistics),
        footer=_footer(track),
        plotly=_packed_plotly(),
        script=_asset("tear_sheet.js"),
    )


def _escape(text: str) -> str:
    return html.escape(text)


def _asset(name: str) -> str:
    return files("gammastar.report").joinpath("page", name).read_text(encoding="utf-8").rstrip("\n")


@cache
def _packed_plotly() -> str:
    """Return plotly.js, gzipped and in base64: 1.9 MB in place of 4.8, and no address in the page for anything to follow."""
    from plotly.offline import get_plotlyjs

    return base64.b64encode(gzip.compress(get_plotlyjs().encode(), compresslevel=9, mtime=0)).decode("ascii")


def _headline(entry: Headline) -> str:
    number, _, unit = entry.figure.partition(" ")
    shown = f"{_escape(number)} <small>{_escape(unit)}</small>" if unit else _escape(number)
    return (
        f'<dl class="headline"><dt>{_escape(entry.label)}</dt><dd class="figure">{shown}</dd>'
        f'<dd class="reading">{_escape(entry.reading)}</dd></dl>'
    )


def _figures(track: Track) -> str:
    from gammastar.report.figures import pictures

    sections: dict[str, list[Picture]] = {}
    for picture in pictures(track):
        sections.setdefault(picture.section, []).append(picture)
    blocks = []
    for heading, members in sections.items():
        drawn = "\n".join(_figure(picture, picture.build(track)) for picture in members)
        blocks.append(f'<section class="block">\n<h2>{_escape(heading)}</h2>\n{drawn}\n</section>')
    return "\n".join(blocks)


def _figure(picture: Picture, figure: go.Figure) -> str:
    import plotly.io

    # a closing tag inside the data would end its script element, whatever Plotly's own writer escapes
    data = plotly.io.to_json(figure, engine="json", validate=False).replace("<", "\\u003c")
    caption, height = _escape(picture.caption), int(figure.layout.height)
    title = _escape(re.sub(r"<[^>]*>", " ", str(figure.layout.title.text)).strip())
    return (
        f'<figure>\n<div class="plot" id="{picture.name}" role="img" aria-label="{title}" style="height:{height}px"></div>\n'
        f"<figcaption>{caption}</figcaption>\n"
        f'<script type="application/json" id="{picture.name}-data">{data}</script>\n</figure>'
    )


def _footer(track: Track) -> str:
    facts = "\n".join(f"<dt>{_escape(name)}</dt><dd>{_escape(value)}</dd>" for name, value in track.facts.items())
    listed = f"<dl>\n{facts}\n</dl>\n" if facts else ""
    return f"{listed}<p>{_escape(_CONVENTIONS)}</p>\n<p>Figures are drawn by plotly.js (MIT licence), which this page encloses.</p>"
