"""The tear sheet: one HTML page that needs no network, reads on a screen and prints on A4."""

from __future__ import annotations

__all__ = ["tear_sheet"]

from html import escape
from string import Template
from typing import TYPE_CHECKING, Final

from gammastar.report.html_tables import tables
from gammastar.report.page_parts import asset, figure_block, packed_plotly
from gammastar.report.statistics import summarise
from gammastar.report.words import headlines, opening

if TYPE_CHECKING:
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
    return Template(asset("tear_sheet.html")).substitute(
        title=escape(f"{track.name} against {track.benchmark_name}"),
        name=escape(track.name),
        benchmark=escape(track.benchmark_name),
        source=escape(f"; {track.facts['data']}") if "data" in track.facts else "",
        first=str(track.start),
        last=str(track.sessions[-1]),
        style=asset("tear_sheet.css"),
        opening=escape(opening(track, statistics)),
        headlines="\n".join(_headline(entry) for entry in headlines(statistics)),
        figures=_figures(track),
        tables=tables(statistics),
        footer=_footer(track),
        plotly=packed_plotly(),
        script=asset("tear_sheet.js"),
    )


def _headline(entry: Headline) -> str:
    number, _, unit = entry.figure.partition(" ")
    shown = f"{escape(number)} <small>{escape(unit)}</small>" if unit else escape(number)
    return (
        f'<dl class="headline"><dt>{escape(entry.label)}</dt><dd class="figure">{shown}</dd>'
        f'<dd class="reading">{escape(entry.reading)}</dd></dl>'
    )


def _figures(track: Track) -> str:
    from gammastar.report.figures import pictures

    sections: dict[str, list[Picture]] = {}
    for picture in pictures(track):
        sections.setdefault(picture.section, []).append(picture)
    blocks = []
    for heading, members in sections.items():
        drawn = "\n".join(figure_block(picture.name, picture.caption, picture.build(track)) for picture in members)
        blocks.append(f'<section class="block">\n<h2>{escape(heading)}</h2>\n{drawn}\n</section>')
    return "\n".join(blocks)


def _footer(track: Track) -> str:
    facts = "\n".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in track.facts.items())
    listed = f"<dl>\n{facts}\n</dl>\n" if facts else ""
    return f"{listed}<p>{escape(_CONVENTIONS)}</p>\n<p>Figures are drawn by plotly.js (MIT licence), which this page encloses.</p>"
