"""The shell of a page that needs no network: the house's style, plotly.js packed inside, figures with captions, headline figures."""

from __future__ import annotations

__all__ = ["figure_block", "headline_block", "page", "section"]

import base64
import gzip
import html
import re
from functools import cache
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from gammastar.report.words import Headline


def page(**parts: str) -> str:
    """Return a whole page.

    Args:
        parts: `title`, `kind`, `name`, `against` and `opening` are text and are escaped; `headlines`, `figures`, `tables` and `footer` are HTML.
    """
    told = {name: html.escape(parts[name]) for name in ("title", "kind", "name", "against", "opening")}
    blocks = {name: parts[name] for name in ("headlines", "figures", "tables", "footer")}
    assets = {"style": _asset("tear_sheet.css"), "script": _asset("tear_sheet.js"), "plotly": _packed_plotly()}
    return Template(_asset("tear_sheet.html")).substitute(told | blocks | assets)


def _asset(name: str) -> str:
    """Return the text of a file in `page/`."""
    return files("gammastar.report").joinpath("page", name).read_text(encoding="utf-8").rstrip("\n")


@cache
def _packed_plotly() -> str:
    """Return plotly.js, gzipped and in base64: 1.9 MB in place of 4.8, and no address in the page for anything to follow."""
    from plotly.offline import get_plotlyjs

    return base64.b64encode(gzip.compress(get_plotlyjs().encode(), compresslevel=9, mtime=0)).decode("ascii")


def headline_block(entry: Headline) -> str:
    """Return a headline figure, its label and how to read it."""
    number, _, unit = entry.figure.partition(" ")
    shown = f"{html.escape(number)} <small>{html.escape(unit)}</small>" if unit else html.escape(number)
    return (
        f'<dl class="headline"><dt>{html.escape(entry.label)}</dt><dd class="figure">{shown}</dd>'
        f'<dd class="reading">{html.escape(entry.reading)}</dd></dl>'
    )


def section(heading: str, *blocks: str) -> str:
    """Return blocks under a heading."""
    joined = "\n".join(blocks)
    return f'<section class="block">\n<h2>{html.escape(heading)}</h2>\n{joined}\n</section>'


def figure_block(name: str, figure: go.Figure, caption: str) -> str:
    """Return a figure under its id, with its data beside it and its caption below."""
    import plotly.io

    # a closing tag inside the data would end its script element, whatever Plotly's own writer escapes
    data = plotly.io.to_json(figure, engine="json", validate=False).replace("<", "\\u003c")
    height = int(figure.layout.height)
    title = html.escape(re.sub(r"<[^>]*>", " ", str(figure.layout.title.text)).strip())
    return (
        f'<figure>\n<div class="plot" id="{name}" role="img" aria-label="{title}" style="height:{height}px"></div>\n'
        f"<figcaption>{html.escape(caption)}</figcaption>\n"
        f'<script type="application/json" id="{name}-data">{data}</script>\n</figure>'
    )
