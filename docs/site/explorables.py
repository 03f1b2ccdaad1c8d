"""Write the site's pages of the explorables: one for each, and one that lists them."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

from autograder.course.labs import find_lab, title
from utils.explorables import CATALOGUE, Explorable, show

# The formulas in the catalogue's plain text: a tilted density, a value such as "w = 1", or the scale alone.
FORMULA = re.compile(r"p\(x\) p\(y \| x\)\^w|\b[tw] = \d+(?:\.\d+)?|\bw\b")

INTRO = """\
# Explorables

Six pictures that you move. Each belongs to a lab, computes in your browser from the same formulas that the lab asks you
to write, and teaches one idea. The digits are the exception: lab 4's network drew them in advance. All work by mouse,
by touch and by keyboard: Tab goes to a slider or a point, and the arrow keys move it.
"""


def write_explorables(source: Path) -> None:
    """Write the pages. The stills are static files of the site.

    Args:
        source: the folder of the pages for Sphinx.
    """
    folder = source / "explorables"
    folder.mkdir()
    cards = "\n".join(thumbnail(explorable) for explorable in CATALOGUE.values())
    listed = "\n".join(f"explorables/{name}" for name in CATALOGUE)
    text = f'{INTRO}\n```{{raw}} html\n<div class="explorables">\n{cards}\n</div>\n```\n'
    (source / "explorables.md").write_text(f"{text}\n```{{toctree}}\n:hidden:\n\n{listed}\n```\n", encoding="utf-8")
    for explorable in CATALOGUE.values():
        (folder / f"{explorable.name}.md").write_text(page(explorable), encoding="utf-8")


def thumbnail(explorable: Explorable) -> str:
    """Return a link to the page of an explorable, with its still picture, as HTML."""
    lab = title(find_lab(explorable.lab)).split(" · ")[0]
    return (
        f'<a href="explorables/{explorable.name}.html"><img src="_static/{explorable.name}.png" '
        f'alt="{escape(explorable.caption)}" loading="lazy"><strong>{escape(explorable.title)}</strong>'
        f"<span>{escape(lab)}</span></a>"
    )


def page(explorable: Explorable) -> str:
    """Return the page of one explorable: its idea, the card, and the way to its lab."""
    lab = find_lab(explorable.lab)
    return "\n".join(
        [
            f"# {explorable.title}",
            "",
            with_formulas(explorable.idea),
            "",
            "````{raw} html",
            card(explorable),
            "````",
            "",
            f"This explorable belongs to [{title(lab)}](../labs/{lab.name}/{lab.name}.ipynb). In a notebook:",
            "",
            "```python",
            "from utils import explorables",
            "",
            f'explorables.show("{explorable.name}")',
            "```",
            "",
        ]
    )


def with_formulas(text: str) -> str:
    """Return an idea as Markdown, with its symbols set as formulas."""
    return FORMULA.sub(lambda found: f"${found[0]}$", text).replace("*", "\\*")


def card(explorable: Explorable) -> str:
    """Return the card as HTML. Its title is the page's own, so the card says what to do with it instead."""
    own, here = (f'data-title="{escape(words)}"' for words in (explorable.title, "Try it"))
    html = show(explorable.name).html()
    assert own in html
    return html.replace(own, here)


def links(lab: str) -> str:
    """Return links from the page of a lab to its explorables, as Markdown."""
    own = [explorable for explorable in CATALOGUE.values() if explorable.lab == lab]
    text = "Explorables of this lab: " + ", ".join(f"[{e.title}](../../explorables/{e.name}.md)" for e in own) + "."
    return f"{text} Its network runs on [the front page](../../index.md)." if lab == "lab4" else text
