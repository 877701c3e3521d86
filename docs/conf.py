"""How Sphinx builds these pages: `make docs`."""

from __future__ import annotations

from gammastar import __version__

project = "gammastar"
author = "The gammastar authors"
copyright = "2026, The gammastar authors"  # noqa: A001 - Sphinx asks for this name
release = version = __version__
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
html_theme = "alabaster"
html_theme_options = {"description": "Enhanced-index equity portfolios by Stochastic Portfolio Theory", "page_width": "72rem"}
html_show_sourcelink = False
