"""The card of an explorable, as a notebook shows it."""

from __future__ import annotations

import base64
import json
from functools import cache
from html import escape
from pathlib import Path
from typing import NamedTuple

from utils import style
from utils.explorables.catalogue import CATALOGUE, Explorable

HERE = Path(__file__).parent
COLOURS = ("BLUE", "ORANGE", "GREEN", "PINK", "SKY", "RED", "GREY", "PAPER")  # of utils.style
WIDTH = 760  # pixels of the widest card, and of the still picture
NO_SCRIPT = (
    "This picture can be moved, but scripts do not run here. In JupyterLab, run the cell or choose "
    "“Trust Notebook” in the command palette."
)


class Card(NamedTuple):
    """An explorable in an output cell: HTML that computes in the browser, and a still picture.

    Args:
        explorable: which one.
    """

    explorable: Explorable

    def _repr_mimebundle_(self, include=None, exclude=None) -> tuple[dict[str, str], dict[str, object]]:
        data = {
            "text/html": self.html(),
            "image/png": base64.b64encode(self.still()).decode(),
            "text/plain": f"{self.explorable.title}. {self.explorable.caption}",
        }
        return data, {"image/png": {"alt": self.explorable.caption, "width": WIDTH}}

    def _repr_html_(self) -> str:
        return self.html()

    def still(self) -> bytes:
        """Return the picture for pages that run no script, as PNG.

        Returns:
            The content of the file.
        """
        return (HERE / "stills" / f"{self.explorable.name}.png").read_bytes()

    def html(self) -> str:
        """Return the card as HTML, with its style and its script inside.

        Returns:
            A `div` and a `script`. The same text every time: the script finds its places in the page by itself.
        """
        name, title, lead = self.explorable.name, self.explorable.title, self.explorable.lead
        return (
            f'<div data-explorable="{name}" data-title="{escape(title)}" data-lead="{escape(lead)}">'
            f"<p><b>{escape(title)}.</b> {escape(self.explorable.caption)}</p><p>{escape(NO_SCRIPT)}</p></div>\n"
            f"<script>(() => {{\n{script(name)}}})();</script>"
        )


def show(name: str) -> Card:
    """Show an explorable. It is the last line of a cell.

    Args:
        name: one of `CATALOGUE`.

    Returns:
        The card.

    Raises:
        ValueError: there is no explorable of this name.

    Example:
        >>> show("two_gaussians").explorable.lab
        'lab1'
    """
    if name not in CATALOGUE:
        raise ValueError(f"no explorable is named {name!r}; there are {', '.join(CATALOGUE)}")
    return Card(CATALOGUE[name])


@cache
def script(name: str) -> str:
    """Return the JavaScript of an explorable: the frame, the style, stored numbers if there are any, and its own part.

    Args:
        name: one of `CATALOGUE`.

    Returns:
        The code, to be executed in a function of its own.
    """
    parts = [read("js/frame.js"), f"const CSS = {json.dumps(stylesheet())};\n"]
    if (HERE / "stored" / f"{name}.json").is_file():
        stored = json.loads(read(f"stored/{name}.json"))
        if (HERE / "stored" / f"{name}.webp").is_file():
            stored["sprite"] = base64.b64encode((HERE / "stored" / f"{name}.webp").read_bytes()).decode()
        parts.append(f"const STORED = {json.dumps(stored, separators=(',', ':'))};\n")
    return "".join([*parts, read(f"js/{name}.js")])


@cache
def stylesheet() -> str:
    """Return the style of a card, with the colours of `utils.style` as variables.

    Returns:
        CSS.
    """
    colours = " ".join(f"--{name.lower()}: {getattr(style, name)};" for name in COLOURS)
    return f":host {{ {colours} }}\n{read('frame.css')}"


def read(name: str) -> str:
    """Return the text of a file of this package.

    Args:
        name: its path inside of the package.

    Returns:
        The text.
    """
    return (HERE / name).read_text(encoding="utf-8")
