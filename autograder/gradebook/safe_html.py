"""Clean HTML from students: nothing in it runs or loads anything, and everything stays in its place on the page."""

from __future__ import annotations

import html
import re
import threading
from functools import cache

import nh3
from bs4 import BeautifulSoup
from pygments.token import STANDARD_TYPES

from autograder.bounded import Bounded, Bounds, FailedInside, OutOfBounds
from autograder.gradebook.mathml_tags import ATTRIBUTES, TAGS

SAFE_TAGS = nh3.ALLOWED_TAGS | TAGS

SAFE_ATTRIBUTES = {tag: set(names) - {"align"} for tag, names in nh3.ALLOWED_ATTRIBUTES.items()} | {
    tag: set(ATTRIBUTES) for tag in TAGS
}  # `align` would let a picture float over its neighbours

# Formgrader binds its buttons to classes, and its stylesheet moves elements by them. Only the classes for the colours
# of code are kept.
SAFE_CLASSES = {"div": {"highlight"}, "code": {"tex"}, "span": {name for name in STANDARD_TYPES.values() if name}}

# Links hold only words. An invisible link around a block could cover everything that a TA clicks.
IN_A_LINK = nh3.ALLOWED_TAGS & {
    "abbr", "b", "bdi", "bdo", "cite", "code", "del", "em", "i", "ins", "kbd", "mark", "q", "s", "samp", "small",
    "span", "strong", "sub", "sup", "u", "var",
}  # fmt: skip

LINK = re.compile(r"https?://|mailto:|#", re.IGNORECASE)

# Attributes by which a formula can move and stretch its parts; their values are limited to the size of letters.
LENGTHS = {
    "mathsize", "lspace", "rspace", "minsize", "maxsize", "linethickness", "width", "height", "depth", "rowspacing",
    "columnspacing",
}  # fmt: skip

LENGTH = re.compile(r"\+?(\d{0,2}(?:\.\d{0,6})?)(em|ex|mu|pt|%)?")

LONGEST_EM = 3.0

CLEANING = Bounds(cpu_s=5.0, memory_bytes=1024 * 2**20)  # of one output; an honest one takes milliseconds
one_at_a_time = threading.Lock()  # formgrader's server has threads


@cache
def cleaner() -> Bounded:
    """Return `clean` in a process of its own, which ends with this one."""
    return Bounded(clean, CLEANING, fork=False)


def clean_bounded(page: str) -> str:
    """Return what `clean` returns, or the HTML as text if cleaning takes too much time or memory."""
    try:
        with one_at_a_time:
            return cleaner()(page=page)
    except (OutOfBounds, FailedInside):
        return f"<pre>{html.escape(page)}</pre>"


def clean(page: str) -> str:
    """Return HTML without anything that runs, loads, or leaves its place on the page."""
    safe = nh3.clean(
        page,
        tags=SAFE_TAGS,
        attributes=SAFE_ATTRIBUTES,
        allowed_classes=SAFE_CLASSES,
        url_schemes={"http", "https", "mailto", "data"},
        attribute_filter=safe_attribute,
    )
    return without_links_around_blocks(safe) if "<a" in safe else safe


def without_links_around_blocks(page: str) -> str:
    """Unwrap each link that holds more than words."""
    try:
        soup = BeautifulSoup(page, "html.parser")
        for link in soup.find_all("a"):
            if any(tag.name not in IN_A_LINK for tag in link.find_all(True)):
                link.unwrap()
        return str(soup)
    except RecursionError:  # thousands of nested tags: remove all links
        return nh3.clean(
            page, tags=SAFE_TAGS - {"a"}, attributes=SAFE_ATTRIBUTES, allowed_classes=SAFE_CLASSES, url_schemes={"data"}
        )


def safe_attribute(tag: str, name: str, value: str) -> str | None:
    """Return the value of an attribute, or None if the attribute must be removed.

    A picture must be part of the page (`data:`). A link must name its host, because a path would lead into the TA's own
    server. A length must be at most a few letters.
    """
    if name == "src":
        return value if value.startswith("data:image/") else None
    if name in ("href", "cite"):
        return value if LINK.match(value.strip()) else None
    if tag in TAGS and name in LENGTHS:
        return value if all(is_short(part) for part in value.split()) else None
    return None if value.strip().lower().startswith("data:") else value


def is_short(length: str) -> bool:
    """Tell whether this is a MathML length between 0 and a few letters, or one of MathML's words for such a length."""
    if length in ("small", "normal", "big", "thin", "medium", "thick", "auto", "none", "solid"):
        return True
    match = LENGTH.fullmatch(length)
    if not match or match.group(1) in ("", "."):
        return False
    per_em = {"em": 1.0, "ex": 2.0, "mu": 18.0, "pt": 10.0, "%": 100.0, None: 1.0}
    return float(match.group(1)) / per_em[match.group(2)] <= LONGEST_EM
