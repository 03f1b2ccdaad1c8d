"""What a finding may say: rules that a program can check."""

from __future__ import annotations

import ast
import re

from autograder.course.labs import Lab
from autograder.course.source import read_source
from autograder.validation.generic import solution_lines

QUOTES = ("raised", "wrong_signature")  # findings that repeat an error message of Python or torch


def sentences(message: str) -> list[str]:
    """Split at ends of sentences; dots in code, in numbers and in file names do not count."""
    plain = re.sub(r"`[^`]*`", "code", message)
    return [part for part in re.split(r"(?<=[.!?])\s+(?=[A-Z`(a-z])", plain.strip()) if part]


def squeeze(text: str) -> str:
    """Code and formula alike: `(x - self.alpha(t) * z) / self.beta(t)` and (x - alpha z) / beta are one."""
    text = re.sub(r"\b(self|torch|math|F)\.", "", text)
    text = text.replace("²", "**2").replace("(t)", "").replace("_t", "")
    return re.sub(r"[\s*`]", "", text)


def formulas(answer: str) -> set[str]:
    """What one could copy, squeezed: whatever a solution assigns or returns that has two operators or more."""
    inside, found = solution_lines(answer), set()
    for node in ast.walk(ast.parse(answer)):
        if isinstance(node, (ast.Assign, ast.Return)) and node.value is not None and node.lineno in inside:
            parts = [n for n in ast.walk(node.value) if isinstance(n, ast.BinOp) and not isinstance(n.op, ast.Pow)]
            if len(parts) >= 2:
                found.add(squeeze(ast.unparse(node.value)))
    return found


def statement_of(lab: Lab) -> str:
    """All that a student reads; model answers of written exercises are not among it."""
    cells = [cell for cell in read_source(lab).cells if cell.cell_type == "markdown"]
    return "\n".join(cell.source for cell in cells if not cell.metadata.get("nbgrader", {}).get("solution"))


def told(statement: str) -> str:
    """A lab's text, LaTeX and all, squeezed like code: what stands in the statement is no secret."""
    return squeeze(re.sub(r"\\(text|mathrm|dot|tfrac|frac|big|left|right|,|;|!)|[\\${}^]", "", statement))


def faults(message: str, answer: str, code: str = "", statement: str = "") -> list[str]:
    """What is wrong with a finding's message; an empty list if nothing is."""
    message = re.sub(r" The line is `.*`\.$", "", message)  # the student's own
    said = sentences(message)
    wrong = []
    if not said:
        return ["it says nothing"]
    if len(said) > 3 and code not in QUOTES:
        wrong.append(f"{len(said)} sentences")
    if len(said[0].split()) > 32 and code not in QUOTES:
        wrong.append(f"its first sentence has {len(said[0].split())} words")
    if len(said[0].split()) < 3:
        wrong.append("its first sentence says nothing")
    if not re.search(r"[.!?)`]$", message.strip()) and code not in QUOTES:
        wrong.append("it does not end")
    secrets = () if code in QUOTES else formulas(answer)
    given = [f for f in secrets if f in squeeze(message) and f not in told(statement)]
    if given:
        wrong.append(f"it gives the answer: {given[0]}")
    return wrong
