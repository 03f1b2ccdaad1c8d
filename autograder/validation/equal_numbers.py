"""Find a message that tells a student "should be 1.273, and yours is 1.273": two numbers that look equal."""

from __future__ import annotations

import re
from itertools import pairwise

NUMBER = r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?"
# A number, or a tuple of numbers such as a shape, perhaps with the name that it is the value of: `w = 3.19`, `t=0`.
TOKEN = re.compile(rf"(?:(?P<name>\w[\w.]*)\s?=\s?)?(?P<value>\((?:{NUMBER}(?:,\s*)?)+\)|(?<![\w.]){NUMBER}%?)")
# Words between two numbers that say that they differ.
CONTRAST = re.compile(
    r"\b(yours|instead of|rather than|expected|you (give|get|have|return|draw|use)|got)\b|≠"
    r"|(,|\band|\bbut) (it )?(should (be|have)|is|not) $|\bbut $"
)
# Behind a number that is a part of a formula, or a factor: `1 - alpha`, "3 times that".
FORMULA = re.compile(r"\s?[*/^×·²]|\s[-+]\s\w|\stimes\b")
FARTHEST = 60  # characters between the two


def equal_pairs(message: str) -> list[str]:
    """Return the places where a message contrasts a number with itself.

    Two values of one name are compared (`at w = 3.19 yours is the result for w = 3.19`), and two numbers without a
    name. A named number beside one without a name is a condition: "at t = 1 it should be 1".

    Args:
        message: of a finding.

    Returns:
        The piece of each such sentence from one number to the other.
    """
    found = []
    tokens = [token for token in TOKEN.finditer(message) if not FORMULA.match(message, token.end())]
    for first, second in pairwise(tokens):
        between = message[first.end() : second.start()]
        if first["name"] != second["name"] or not same(first["value"], second["value"]):
            continue
        if len(between) <= FARTHEST and not re.search(r"[.!?]\s", between) and CONTRAST.search(between):
            found.append(message[first.start() : second.end()])
    return found


def same(one: str, other: str) -> bool:
    """Return whether two numbers, or two tuples of numbers, look equal."""
    if one.startswith("(") or other.startswith("("):
        return re.sub(r"\s", "", one) == re.sub(r"\s", "", other)
    return one.endswith("%") == other.endswith("%") and float(one.rstrip("%")) == float(other.rstrip("%"))
