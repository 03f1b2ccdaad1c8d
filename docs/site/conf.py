"""Sphinx's configuration. build.py lays out the pages; nothing that a reader's browser loads comes from elsewhere."""

import importlib.util
from pathlib import Path

from autograder.feedback.formulas import mathml

project = "Guidance Labs"
html_title = "Guidance Labs"
copyright = "the authors of Guidance Labs"
extensions = ["myst_nb"]
exclude_patterns = []

nb_execution_mode = "off"  # the figures are those of the executed instructor notebooks
nb_code_prompt_show = "Show the code"
nb_code_prompt_hide = "Hide the code"
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3
suppress_warnings = ["myst.header", "mystnb.mime_priority", "misc.highlighting_failure"]

html_theme = "furo"
# A math font, for systems that have none.
MATH_FONT = Path(importlib.util.find_spec("ziamath").origin).parent / "fonts" / "STIXTwoMath-Regular.ttf"
html_static_path = ["static", str(MATH_FONT)]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
html_theme_options = {"navigation_with_keys": True}


def setup(app):
    """Formulas as MathML: drawn by the browser itself, offline."""
    from docutils.nodes import SkipNode

    def inline(self, node):
        self.body.append(mathml(node.astext()))
        raise SkipNode

    def block(self, node):
        self.body.append(f'<div class="formula">{mathml(node.astext(), display=True)}</div>')
        raise SkipNode

    app.add_html_math_renderer("mathml", (inline, None), (block, None))


html_math_renderer = "mathml"
