"""How Sphinx builds these pages: `make docs`. The examples run while they are built; formulas and figures need no network."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import plotly
import plotly.io as pio
from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from plotly.io.base_renderers import MimetypeRenderer
from sphinx.util import logging

import gammastar

if TYPE_CHECKING:
    from sphinx.application import Sphinx

EXAMPLES = Path(__file__).resolve().parents[1] / "examples" / "gallery"

project = "gammastar"
author = "The gammastar authors"
copyright = "2026, The gammastar authors"  # noqa: A001 - Sphinx asks for this name
release = version = gammastar.__version__
extensions = ["myst_parser", "sphinx_gallery.gen_gallery"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
html_theme = "alabaster"
html_theme_options = {"description": "Enhanced-index equity portfolios by Stochastic Portfolio Theory", "page_width": "72rem", "body_max_width": "none"}
html_show_sourcelink = False
html_static_path = ["_static", os.fspath(Path(plotly.__file__).with_name("package_data") / "plotly.min.js")]
html_css_files = ["pages.css"]
html_math_renderer = "mathml"

sphinx_gallery_conf = {
    "examples_dirs": [os.fspath(EXAMPLES)],
    "gallery_dirs": ["gallery"],
    "filename_pattern": r"\.py$",
    "copyfile_regex": r"index\.rst",
    "image_scrapers": (),  # figures are Plotly's; they come as HTML
    "reset_modules": (),
    "abort_on_example_error": True,
    "notebook_extensions": set(),
    "download_all_examples": False,
    "write_computation_times": False,  # nothing on a page may differ from one machine to the next
    "min_reported_time": 3600,
    "show_signature": False,
    "inspect_global_variables": False,
}


class PageFigure(MimetypeRenderer):
    """A figure as a piece of a page: Plotly's script is loaded once, by the page, and the figure's id is a hash of what it shows."""

    def to_mimebundle(self, fig_dict: dict[str, Any]) -> dict[str, str]:
        """Return the figure as HTML."""
        shown = hashlib.sha256(pio.to_json(fig_dict, validate=False).encode()).hexdigest()[:12]
        settings = {"displayModeBar": False}
        html = pio.to_html(fig_dict, config=settings, include_plotlyjs=False, full_html=False, div_id=f"figure-{shown}", validate=False)
        return {"text/html": html}


pio.renderers["page"] = PageFigure()
pio.renderers.default = "page"


def mathml(node: Any, *, displayed: bool) -> str:
    """Return a formula as MathML, which browsers draw themselves; one that cannot be read is a warning, and a warning ends the build."""
    text = re.sub(r"(frac)(\d)(\d)", r"\1{\2}{\3}", " ".join(node.astext().split()))  # the reader would take \frac12 for a twelve
    try:
        return str(tex2mathml(text, as_block=displayed))
    except MathError as error:
        logging.getLogger(__name__).warning("formula %r: %s", text, error, location=node)
        return ""


def inline_formula(translator: Any, node: Any) -> None:
    """Write a formula within a line."""
    translator.body.append(mathml(node, displayed=False))
    raise nodes.SkipNode


def displayed_formula(translator: Any, node: Any) -> None:
    """Write a formula on lines of its own."""
    translator.body.append(translator.starttag(node, "div", CLASS="formula") + mathml(node, displayed=True) + "</div>\n")
    raise nodes.SkipNode


def load_plotly(app: Sphinx, page: str, *_: object) -> None:
    """Load Plotly's script on the pages that have figures."""
    if page.startswith("gallery/"):
        app.add_js_file("plotly.min.js")


def setup(app: Sphinx) -> None:
    """Tell Sphinx of the formulas and of the script."""
    app.add_html_math_renderer("mathml", (inline_formula, None), (displayed_formula, None))
    app.connect("html-page-context", load_plotly)
