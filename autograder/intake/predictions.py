"""Read from a notebook what its reader predicted. Nothing is run, and nothing is graded."""

from __future__ import annotations

import re

from nbformat import NotebookNode

from autograder.course.labs import Lab
from utils.predictions import predictions

CALL = re.compile(r"""\bpredict\( ?["']([\w.]{1,60})["'], ?(?:choice ?= ?)?["']([a-zA-Z])["'] ?\)""")
LONGEST = 2_000  # characters of a cell that are searched


def choices_of(notebook: NotebookNode, lab: Lab) -> dict[str, str]:
    """Return the letter of each choice by the prediction's name. What no prediction of the lab offers is left out.

    Args:
        notebook: A tidy notebook.
        lab: The lab that it belongs to.
    """
    known, found = predictions(lab.short), {}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            for name, letter in CALL.findall(cell.source[:LONGEST]):
                if name in known and letter.lower() in known[name].choices:
                    found[name] = letter.lower()
    return found
