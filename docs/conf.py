"""How Sphinx builds the documentation: `make docs`. Nothing is fetched, neither by the build nor by the pages."""

from custctl import __version__

project = "custctl"
release = version = __version__
copyright = "the custctl authors"
extensions = ["myst_parser"]
myst_heading_anchors = 3
root_doc = "index"
html_theme = "furo"
html_title = f"custctl {release}"
html_copy_source = False
html_show_sourcelink = False
# `console` and `sh` blocks hold elisions and output that no lexer knows.
suppress_warnings = ["misc.highlighting_failure"]
