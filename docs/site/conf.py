"""Sphinx's configuration. build.py lays out the pages; nothing that a reader's browser loads comes from elsewhere."""

import importlib.util
import os
from html import escape
from pathlib import Path

from autograder.feedback.formulas import mathml

project = "Guidance Labs"
html_title = "Guidance Labs"
copyright = "the authors of Guidance Labs"
extensions = ["myst_nb"]
exclude_patterns = []

nb_execution_mode = "off"  # the figures are those of the executed instructor notebooks
nb_render_markdown_format = "myst"  # outputs have tables and formulas, as the pages do
nb_code_prompt_show = "Show the code"
nb_code_prompt_hide = "Hide the code"
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3
suppress_warnings = ["myst.header", "mystnb.mime_priority", "misc.highlighting_failure"]

html_theme = "furo"
# A math font, for systems that have none.
MATH_FONT = Path(importlib.util.find_spec("ziamath").origin).parent / "fonts" / "STIXTwoMath-Regular.ttf"
STILLS = Path(importlib.util.find_spec("utils").origin).parent / "explorables" / "stills"
html_static_path = ["static", "board/pictures", str(STILLS), str(MATH_FONT)]
html_css_files = ["site.css"]
# Where the site is published. Previews of links need full addresses; without one they show no picture.
html_baseurl = os.environ.get("SITE_URL", "")
DESCRIPTION = (
    "Jupyter labs in which you write guided diffusion and flow matching yourself, with an autograder that names the "
    "mistake. Steer lab 4's own network in your browser."
)
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
html_theme_options = {"navigation_with_keys": True}


def add_preview(app, pagename, templatename, context, doctree):
    """Add what messengers and social networks show beside a link to a page."""
    address = html_baseurl.rstrip("/")
    facts = {
        "og:type": "website",
        "og:site_name": project,
        "og:title": context.get("title") or project,
        "og:description": DESCRIPTION,
        "og:image": f"{address}/_static/preview.png",
        "og:image:alt": "Three digits form from noise, from left to right",
        "og:url": f"{address}/{pagename}.html",
    }
    if not address:
        del facts["og:image"], facts["og:image:alt"], facts["og:url"]
    tags = [f'<meta property="{name}" content="{escape(text)}">' for name, text in facts.items()]
    tags += [f'<meta name="description" content="{escape(DESCRIPTION)}">']
    tags += ['<meta name="twitter:card" content="summary_large_image">']
    context["metatags"] = context.get("metatags", "") + "\n".join(tags)


def setup(app):
    """Formulas as MathML: drawn by the browser itself, offline."""
    from docutils.nodes import SkipNode

    def inline(self, node):
        self.body.append(mathml(node.astext()))
        raise SkipNode

    def block(self, node):
        # The focus lets the arrow keys scroll a formula that is wider than a phone.
        self.body.append(f'<div class="formula" tabindex="0">{mathml(node.astext(), display=True)}</div>')
        raise SkipNode

    app.connect("html-page-context", add_preview)
    app.add_html_math_renderer("mathml", (inline, None), (block, None))


html_math_renderer = "mathml"
