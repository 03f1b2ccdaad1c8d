"""Small pieces of HTML that several pages share."""

from __future__ import annotations

import re

from markupsafe import Markup
from markupsafe import escape as escape_html


def prose(text: str) -> Markup:
    """Return a sentence as HTML: `names in backticks` become code, and everything else is escaped."""
    return Markup(re.sub(r"`([^`\n]+)`", r"<code>\1</code>", str(escape_html(text))))
