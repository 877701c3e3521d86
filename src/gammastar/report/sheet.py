"""The tear sheet: one HTML page that needs no network, reads on a screen and prints on A4."""

from __future__ import annotations

__all__ = ["tear_sheet"]

import html
from typing import TYPE_CHECKING, Final

from gammastar.report.html_tables import tables
from gammastar.report.shell import figure_block, headline_block, page, section
from gammastar.report.statistics import summarise
from gammastar.report.words import headlines, opening

if TYPE_CHECKING:
    from gammastar.market.track import Track
    from gammastar.report.figures import Picture

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
    source = f"; {track.facts['data']}" if "data" in track.facts else ""
    return page(
        title=f"{track.name} against {track.benchmark_name}",
        kind="Tear sheet",
        name=track.name,
        against=f"against {track.benchmark_name}, {track.start} to {track.sessions[-1]}{source}",
        opening=opening(track, statistics),
        headlines="\n".join(headline_block(entry) for entry in headlines(statistics)),
        figures=_figures(track),
        tables=tables(statistics),
        footer=_footer(track),
    )


def _figures(track: Track) -> str:
    from gammastar.report.figures import pictures

    sections: dict[str, list[Picture]] = {}
    for picture in pictures(track):
        sections.setdefault(picture.section, []).append(picture)
    return "\n".join(
        section(heading, *(figure_block(picture.name, picture.build(track), picture.caption) for picture in members))
        for heading, members in sections.items()
    )


def _footer(track: Track) -> str:
    facts = "\n".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd>" for name, value in track.facts.items())
    listed = f"<dl>\n{facts}\n</dl>\n" if facts else ""
    return f"{listed}<p>{html.escape(_CONVENTIONS)}</p>\n<p>Figures are drawn by plotly.js (MIT licence), which this page encloses.</p>"
