"""Markdown and code from students as HTML."""

from __future__ import annotations

import html
import re

from jinja2 import pass_context
from nbconvert.filters.highlight import Highlight2HTML
from nbconvert.filters.markdown_mistune import InvalidNotebook, IPythonRenderer, MarkdownWithMath

from autograder.feedback.formulas import mathml
from autograder.gradebook.safe_html import clean

# What a page takes too long to make of is shown as it is. nbconvert looks for the end of each LaTeX environment through
# the whole text, and pygments goes over blank lines again and again.
TANGLED = 10**7


LONG_CODE, BLANKS = 50_000, re.compile(r"\s{500}")


class Renderer(IPythonRenderer):
    """Markdown with formulas as MathML. A picture that was lost costs the picture, not the page."""

    def block_math(self, body: str) -> str:
        return mathml(html.unescape(body), display=True)

    def inline_math(self, body: str) -> str:
        return mathml(html.unescape(body))

    def latex_environment(self, name: str, body: str) -> str:
        return mathml(html.unescape(f"\\begin{{{name}}}{body}\\end{{{name}}}"), display=True)

    def _embed_image_or_attachment(self, src: str) -> str:
        try:
            return super()._embed_image_or_attachment(src)
        except InvalidNotebook:
            return ""


@pass_context
def safe_markdown(context, source: str) -> str:
    """Cleaned after it was made, not before: a student's `a < b` stays what it is.

    `nbgrader_config.py` gives it to formgrader too, where a script of a student's would have all rights of the TA's.
    """
    if source.count("\\begin") * len(source) > TANGLED:
        return f"<pre>{html.escape(source)}</pre>"
    attachments = context.get("cell", {}).get("attachments", {})
    renderer = Renderer(escape=False, attachments=attachments, exclude_anchor_links=True)
    return clean(MarkdownWithMath(renderer=renderer).render(source))


def safe_code(source: str, language: str | None = None, metadata: dict | None = None) -> str:
    """Coloured as Python: the colours of magics cost quadratic time on plain code. For formgrader, too."""
    if len(source) > LONG_CODE or BLANKS.search(source):
        return f'<div class="highlight"><pre>{html.escape(source)}</pre></div>'
    return Highlight2HTML(pygments_lexer="python3")(source, metadata=metadata)
