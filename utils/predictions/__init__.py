"""Predictions: a reader says what a picture will show before drawing it.

A cell of a lab calls `predict("lab1.by_eye", choice="")`. Run it to see the question and its choices; write the letter
of one between the quotes and run it again to keep it. What happens stays folded, to be opened after a figure has
shown it. The choice stays in the notebook. It earns no points; the class report shows what a class predicted.

The questions are in one YAML file for each lab.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent
KEPT = "Your choice is kept. Compare it with what follows."
FOLDED = "What happens, and why: open this after the figure"
HOW = "Write the letter of your choice between the quotes, and run the cell again. It is not graded."
ROW = "padding-left: 1.6em; text-indent: -1.6em"
BOX = "border-left: 4px solid #2a78d6; padding: 0.2em 1em; margin: 0.5em 0; max-width: 46em; line-height: 1.5"


@dataclass(frozen=True)
class Prediction:
    """A question with its choices.

    Args:
        name: The lab and a name, such as "lab1.by_eye".
        question: One sentence.
        choices: Each letter with its text, in order.
        answer: The letter of what happens.
        because: Why it happens, in one or two sentences.
    """

    name: str
    question: str
    choices: dict[str, str]
    answer: str
    because: str


@dataclass(frozen=True)
class Shown:
    """What a cell shows: the question alone, or also the reader's choice and, folded, what happens.

    Args:
        prediction: The question.
        choice: The letter that the reader chose, or "".
    """

    prediction: Prediction
    choice: str

    def __repr__(self) -> str:
        """Return the text for a terminal and for the PDF. It cannot be folded, so it does not say what happens."""
        lines = [self.prediction.question]
        lines += [f"  {letter}  {text}{self._mark(letter)}" for letter, text in self.prediction.choices.items()]
        return "\n".join([*lines, KEPT if self.choice else HOW])

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, str], dict[str, Any]]:
        """Return the question as HTML and as text, and the choice as metadata of the output."""
        metadata = {"guidance_labs": {"prediction": self.prediction.name, "choice": self.choice}}
        return {"text/html": self._html(), "text/plain": repr(self)}, metadata

    def _mark(self, letter: str) -> str:
        """Return what follows a choice: nothing but for the reader's own."""
        return "  ← your choice" if self.choice == letter else ""

    def _html(self) -> str:
        """Return the question as a box. It has no colours of its own but one line, so it is readable on any page."""
        rows = "".join(
            f"<div style='{ROW}'><code>{letter}</code>&ensp;{self._row(letter)}</div>"
            for letter in self.prediction.choices
        )
        end = f"<p>{KEPT}</p>{self._folded()}" if self.choice else f"<p><small>{HOW}</small></p>"
        return f"<div style='{BOX}'><p><b>{escape(self.prediction.question)}</b></p>{rows}{end}</div>"

    def _row(self, letter: str) -> str:
        """Return a choice as HTML. The reader's own is marked and in bold."""
        text = escape(self.prediction.choices[letter] + self._mark(letter))
        return f"<b>{text}</b>" if self.choice == letter else text

    def _folded(self) -> str:
        """Return what happens, and why, as HTML that is folded until the reader opens it."""
        one = self.prediction
        what = f"<code>{one.answer}</code>&ensp;{escape(one.choices[one.answer])}"
        return f"<details><summary>{FOLDED}</summary><p>{what}</p><p>{escape(one.because)}</p></details>"


@cache
def predictions(lab: str) -> dict[str, Prediction]:
    """Return the predictions of a lab by name.

    Args:
        lab: Its short name, such as "lab1".

    Returns:
        Name -> prediction, in the order of the lab. A lab without predictions has none.
    """
    file = FOLDER / f"{lab}.yaml"
    if not file.is_file():
        return {}
    entries = yaml.safe_load(file.read_text(encoding="utf-8"))
    return {f"{lab}.{name}": Prediction(f"{lab}.{name}", **entry) for name, entry in entries.items()}


def predict(name: str, choice: str = "") -> Shown:
    """Show a question and its choices, and after a choice, folded, what happens.

    Args:
        name: The lab and the prediction, such as "lab1.by_eye".
        choice: A letter, or "" for no choice yet.

    Returns:
        An object that a notebook displays.

    Raises:
        ValueError: There is no such prediction, or it has no such choice.

    Example:
        >>> predict("lab1.by_eye", choice="z")
        Traceback (most recent call last):
            ...
        ValueError: choice is 'z', but the choices are a, b, c. Leave it empty to see the question
    """
    known = predictions(name.split(".")[0])
    if name not in known:
        raise ValueError(f"there is no prediction {name!r}; this lab has {', '.join(known) or 'none'}")
    letter = choice.strip().lower()
    if letter and letter not in known[name].choices:
        letters = ", ".join(known[name].choices)
        raise ValueError(f"choice is {choice!r}, but the choices are {letters}. Leave it empty to see the question")
    return Shown(known[name], letter)
