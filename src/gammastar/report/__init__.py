"""Words, tables and pictures of a `market.Track`. Nothing is imported until it is asked for: figures need Plotly, tables pandas."""
