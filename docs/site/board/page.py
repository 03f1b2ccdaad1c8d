"""Write the page of the board of mistakes."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

from docs.site.board.mistakes import GROUPS, PICTURES, REFERENCES

INTRO = """\
# The board of mistakes

The grader of this course is tested on answers with a known mistake, and it has to name that mistake. Here are some of
these answers, with what they lead to. In bold is what the grader says about the answer; the numbers in it come from
the grader's own inputs. Below it is what you see.

All pictures are real: each comes from the code of [lab 4](labs/lab4_mnist_cfg/lab4_mnist_cfg.ipynb) with one mistake
in one exercise, and starts from the same noise as the picture of the right answer. Some of them look fine. A picture
that looks fine is no proof, which is why the grader checks the arithmetic.
"""


def write_board(source: Path) -> None:
    """Write the page. Its pictures are static files of the site.

    Args:
        source: the folder of the pages for Sphinx.
    """
    parts = [INTRO]
    for group in GROUPS:
        cards = [card(REFERENCES[group.of_loss], "The right answer", group.right)]
        cards += [card(mistake.key, mistake.message(), mistake.see) for mistake in group.mistakes]
        kind = "blobs" if group.of_loss else "digits"
        parts += [f"## {group.title}", group.text]
        parts += ["\n".join(["```{raw} html", f'<div class="board board-{kind}">', *cards, "</div>", "```"])]
    (source / "mistakes.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def card(picture: str, says: str, see: str) -> str:
    """Return one entry of the board as HTML.

    Args:
        picture: the name of the picture.
        says: what the grader says, with code between backticks.
        see: what the picture shows.
    """
    assert (PICTURES / f"{picture}.png").is_file(), f"python -m docs.site.board.draw {picture}"
    says = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(says, quote=False))
    return (
        f'<figure><img src="_static/{picture}.png" alt="{escape(see)}" loading="lazy">'
        f"<figcaption><strong>{says}</strong> {escape(see)}</figcaption></figure>"
    )
