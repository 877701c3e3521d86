"""What every page is made of: its assets, plotly.js in the page itself, and figures."""

from __future__ import annotations

__all__ = ["asset", "figure_block", "packed_plotly"]

import base64
import gzip
import html
import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import plotly.graph_objects as go


def asset(name: str) -> str:
    """Return the text of a file in `page/`."""
    return files("gammastar.report").joinpath("page", name).read_text(encoding="utf-8").rstrip("\n")


@cache
def packed_plotly() -> str:
    """Return plotly.js, gzipped and in base64: 1.9 MB in place of 4.8, and no address in the page for anything to follow."""
    from plotly.offline import get_plotlyjs

    return base64.b64encode(gzip.compress(get_plotlyjs().encode(), compresslevel=9, mtime=0)).decode("ascii")


def figure_block(name: str, caption: str, figure: go.Figure) -> str:
    """Return a figure with its caption and its data as HTML; the page's script draws it.

    Args:
        name: an id that no other figure of the page has.
        caption: plain text.
        figure: with a title and a height.
    """
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
