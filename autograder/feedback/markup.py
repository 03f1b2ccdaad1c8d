"""Small pieces of HTML that several pages share."""

from __future__ import annotations

import re

from markupsafe import Markup
from markupsafe import escape as escape_html


def prose(text: str) -> Markup:
    """A finding for a page: `names in backticks` are code, and nothing of it is markup."""
    return Markup(re.sub(r"`([^`\n]+)`", r"<code>\1</code>", str(escape_html(text))))
