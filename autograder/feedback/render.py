"""Turn Markdown and code from students into HTML, within bounds.

The libraries that do it take quadratic time on some texts: thousands of open brackets, stars or backticks. So they run
in a process of their own, which serves one cell after the other. A cell that takes too long is shown as it was typed,
and so is the rest of a page that has taken too long as a whole.
"""

from __future__ import annotations

import html
import re
import threading
from collections.abc import MutableMapping
from functools import cache
from typing import Any

from jinja2 import pass_context
from jinja2.runtime import Context
from nbconvert.filters.highlight import Highlight2HTML
from nbconvert.filters.markdown_mistune import InvalidNotebook, IPythonRenderer, MarkdownWithMath
from pygments.formatters import HtmlFormatter

from autograder.bounded import Bounded, Bounds, FailedInside, OutOfBounds
from autograder.feedback.formulas import mathml
from autograder.gradebook.safe_html import clean

# Text and code beyond these limits are shown as they are, because rendering them takes too long: nbconvert searches the
# whole text for the end of each LaTeX environment, and pygments scans runs of blank lines again and again.
MAX_ENVIRONMENTS = 10**7  # number of \begin times length of the text
LONG_CODE = 50_000  # characters
BLANKS = re.compile(r"\s{500}")
CELL = Bounds(cpu_s=4.0, memory_bytes=1024 * 2**20)  # an honest cell takes 0.01 s
PAGE_S = 12.0  # computing time of all cells of a page; an honest page takes 0.5 s
SPENT = "rendering_s"  # where a page's resources keep what it has taken so far
HEADING = re.compile(r"(</?h)([1-6])\b")
FORMULA = re.compile(r"<math\b([^<>]*)>((?:[^<]|<(?!/?math\b))*+)</math>")
TAG = re.compile(r"<[^<>]*>")
WIDE = 24  # characters of a formula within a line that may not fit onto a phone
LOWEST = 6  # level of a heading in HTML
CODE_STYLES = ("xcode", "monokai")  # of pygments, for light and dark pages
AS_TYPED = "<p><em>This text is shown as it was typed, because formatting it takes too long.</em></p>"
one_at_a_time = threading.Lock()  # formgrader's server has threads


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


@cache
def renderer() -> Bounded:
    """Return `render` in a process of its own, which ends with this one."""
    return Bounded(render, CELL, fork=False)


def render(
    kind: str, source: str, attachments: dict | None = None, metadata: dict | None = None, below: int = 0
) -> str:
    """Return a cell as HTML without anything that a browser would run or load.

    The HTML is cleaned, not the Markdown, so that a student's `a < b` stays as it is.

    Args:
        kind: "markdown" or "code".
        source: The text of the cell.
        attachments: The pictures of a Markdown cell.
        metadata: Of a code cell.
        below: The level of the page's heading above the text of a Markdown cell.
    """
    if kind == "code":
        return Highlight2HTML(pygments_lexer="python3")(source, metadata=metadata)
    renderer = Renderer(escape=False, attachments=attachments or {}, exclude_anchor_links=True)
    return accessible(clean(MarkdownWithMath(renderer=renderer).render(source)), below)


def accessible(page: str, below: int = 0) -> str:
    """Return clean HTML for keyboards and screen readers.

    Headings come below those of the page, also those that were typed as HTML. Formulas that may be wider than a phone
    take the focus, so that the arrow keys scroll them.

    Args:
        page: What `clean` returned.
        below: The level of the page's heading above this text.
    """
    page = HEADING.sub(lambda tag: f"{tag[1]}{min(int(tag[2]) + below, LOWEST)}", page)
    return FORMULA.sub(lambda math: f"<math{focusable(math[1], math[2])}{math[1]}>{math[2]}</math>", page)


def focusable(attributes: str, inside: str) -> str:
    """Return the attribute that lets a formula take the focus, or "" for a short formula within a line."""
    wide = 'display="block"' in attributes or len(TAG.sub("", inside)) > WIDE
    return ' tabindex="0"' if wide else ""


def render_bounded(resources: MutableMapping[str, Any], **cell: Any) -> str | None:
    """Return what `render` returns; None if it takes too much time or memory, alone or with the rest of its page.

    Args:
        resources: Of the page.
        cell: The arguments of `render`.
    """
    spent = resources.get(SPENT, 0.0)
    if spent > PAGE_S:
        return None
    with one_at_a_time:
        process = renderer()
        try:
            return process(**cell)
        except (OutOfBounds, FailedInside):
            return None
        finally:
            resources[SPENT] = spent + process.spent_s


@pass_context
def safe_markdown(context: Context, source: str, below: int = 0) -> str:
    """Return Markdown as HTML without anything that a browser would run or load.

    `nbgrader_config.py` gives this filter to formgrader as well, where a student's script would have all rights of the
    TA.

    Args:
        context: The template's variables; the cell in it may have attachments.
        source: The Markdown.
        below: The level of the page's heading above this text.
    """
    page = None
    if source.count("\\begin") * len(source) <= MAX_ENVIRONMENTS:
        cell = {"attachments": context.get("cell", {}).get("attachments", {}), "below": below}
        page = render_bounded(context.get("resources", {}), kind="markdown", source=source, **cell)
    return f"{AS_TYPED}<pre>{html.escape(source)}</pre>" if page is None else page


@cache
def code_colours() -> str:
    """Return the colours of code as CSS, with enough contrast on the feedback page in both colour schemes."""
    light, dark = (HtmlFormatter(style=style).get_style_defs(".highlight") for style in CODE_STYLES)
    return f"{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}"


@pass_context
def safe_code(context: Context, source: str, language: str | None = None, metadata: dict | None = None) -> str:
    """Return code as HTML with the colours of Python, for the feedback page and formgrader.

    IPython's own colours would also mark magics, but they take quadratic time.

    Args:
        context: The template's variables.
        source: The code.
        language: Ignored; nbconvert passes it.
        metadata: The cell's metadata.
    """
    page = None
    if len(source) <= LONG_CODE and not BLANKS.search(source):
        page = render_bounded(context.get("resources", {}), kind="code", source=source, metadata=metadata)
    return f'<div class="highlight"><pre>{html.escape(source)}</pre></div>' if page is None else page
