"""What the HTML pages of the class share: how a template is filled, and small pieces."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup
from markupsafe import escape as escape_html


def prose(text: str) -> Markup:
    """Return a sentence as HTML: `names in backticks` become code, and everything else is escaped."""
    return Markup(re.sub(r"`([^`\n]+)`", r"<code>\1</code>", str(escape_html(text))))


def fill(template: str, **facts: Any) -> str:
    """Return a page from a template in `pages`. Everything that is filled in is escaped.

    Args:
        template: The name of its file.
        facts: What the template refers to.
    """
    folder = Path(__file__).parent / "pages"
    pages = Environment(loader=FileSystemLoader(folder), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    pages.filters["prose"] = prose
    return pages.get_template(template).render(facts)
