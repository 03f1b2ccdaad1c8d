"""Turn Markdown and code from students into HTML."""

from __future__ import annotations

import html
import re

from jinja2 import pass_context
from jinja2.runtime import Context
from nbconvert.filters.highlight import Highlight2HTML
from nbconvert.filters.markdown_mistune import InvalidNotebook, IPythonRenderer, MarkdownWithMath

from autograder.feedback.formulas import mathml
from autograder.gradebook.safe_html import clean

# Text and code beyond these limits are shown as they are, because rendering them takes too long: nbconvert searches the
# whole text for the end of each LaTeX environment, and pygments scans runs of blank lines again and again.
MAX_ENVIRONMENTS = 10**7  # number of \begin times length of the text
LONG_CODE = 50_000  # characters
BLANKS = re.compile(r"\s{500}")


class Renderer(IPythonRenderer):
    """Markdown with formulas as MathML. A picture that is missing is left out and does not break the page."""

    def block_math(self, body: str) -> str:
        """Return a formula that is a block of its own."""
        return mathml(html.unescape(body), display=True)

    def inline_math(self, body: str) -> str:
        """Return a formula inside a line."""
        return mathml(html.unescape(body))

    def latex_environment(self, name: str, body: str) -> str:
        """Return a LaTeX environment as a formula."""
        return mathml(html.unescape(f"\\begin{{{name}}}{body}\\end{{{name}}}"), display=True)

    def _embed_image_or_attachment(self, src: str) -> str:
        try:
            return super()._embed_image_or_attachment(src)
        except InvalidNotebook:
            return ""


@pass_context
def safe_markdown(context: Context, source: str) -> str:
    """Return Markdown as HTML without anything that a browser would run or load.

    The HTML is cleaned, not the Markdown, so that a student's `a < b` stays as it is. `nbgrader_config.py` gives this
    filter to formgrader as well, where a student's script would have all rights of the TA.

    Args:
        context: The template's variables; the cell in it may have attachments.
        source: The Markdown.
    """
    if source.count("\\begin") * len(source) > MAX_ENVIRONMENTS:
        return f"<pre>{html.escape(source)}</pre>"
    attachments = context.get("cell", {}).get("attachments", {})
    renderer = Renderer(escape=False, attachments=attachments, exclude_anchor_links=True)
    return clean(MarkdownWithMath(renderer=renderer).render(source))


def safe_code(source: str, language: str | None = None, metadata: dict | None = None) -> str:
    """Return code as HTML with the colours of Python, for the feedback page and formgrader.

    IPython's own colours would also mark magics, but they take quadratic time.

    Args:
        source: The code.
        language: Ignored; nbconvert passes it.
        metadata: The cell's metadata.
    """
    if len(source) > LONG_CODE or BLANKS.search(source):
        return f'<div class="highlight"><pre>{html.escape(source)}</pre></div>'
    return Highlight2HTML(pygments_lexer="python3")(source, metadata=metadata)
