"""What a finding may say: rules that a program can check."""

from __future__ import annotations

import ast
import re

from autograder.mutants.generic import solution_lines

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
    """The expressions of a solution that one could copy: those with two operators or more, squeezed."""
    inside, found = solution_lines(answer), set()
    for node in ast.walk(ast.parse(answer)):
        if isinstance(node, (ast.BinOp, ast.Compare)) and node.lineno in inside:
            operators = sum(isinstance(n, (ast.BinOp, ast.Compare)) for n in ast.walk(node))
            text = ast.unparse(node)
            if operators >= 2 and len(squeeze(text)) >= 7:
                found |= {squeeze(text), squeeze(text.removeprefix("(").removesuffix(")"))}
    return found


def faults(message: str, answer: str, code: str = "") -> list[str]:
    """What is wrong with a finding's message; an empty list if nothing is."""
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
    if re.search(r"\b(None|nan|inf)\b(?! *[.,:;]| is| it| \w)", said[0]) and code == "":
        wrong.append("a bare value")
    given = code not in QUOTES and [formula for formula in formulas(answer) if formula in squeeze(message)]
    if given:
        wrong.append(f"it gives the answer: {given[0]}")
    return wrong
