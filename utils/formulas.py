r"""Rewrite TeX that pandoc reads badly, so that a formula in a PDF looks as it does in the notebook."""

from __future__ import annotations

import re

REPLACED = (
    (re.compile(r"\\rm(?![A-Za-z])\s*([A-Za-z]+)"), r"\\mathrm{\1}"),
    (re.compile(r"\A\s*\|([^|]+)\|\s*\Z"), r"\\lvert \1\\rvert "),
    (re.compile(r"\\!"), ""),  # pandoc's space is so negative that letters overlap
)
OPENING = re.compile(r"\\[bB]igg?l?(?![A-Za-z])\s*(\(|\[|\\\{|\\langle)")
CLOSING = re.compile(r"\\[bB]igg?r?(?![A-Za-z])\s*(\)|\]|\\\}|\\rangle)")
SIZE = re.compile(r"\\[bB]igg?[lrm]?(?![A-Za-z])\s*")
NORM = re.compile(r"\\\|")
# of a table or an aligned formula: a pair may begin in one cell and end in another
SEVERAL_CELLS = re.compile(r"(?<!\\)&|\\\\")


def for_pandoc(tex: str) -> str:
    r"""Rewrite a formula.

    Args:
        tex: TeX without dollar signs.

    Returns:
        TeX in which brackets of a fixed size grow by themselves, and norms are brackets.

    Example:
        >>> for_pandoc(r"\big(x\big)^2 + \|s\|")
        '\\left(x\\right)^2 + \\lVert s\\rVert '
    """
    for pattern, better in REPLACED:
        tex = pattern.sub(better, tex)
    whole = not SEVERAL_CELLS.search(tex)
    if whole and are_pairs(tex):
        tex = CLOSING.sub(r"\\right\1", OPENING.sub(r"\\left\1", tex))
    tex = SIZE.sub("", tex)
    if whole and len(NORM.findall(tex)) % 2 == 0:
        sides = iter((r"\lVert ", r"\rVert ") * len(tex))
        return NORM.sub(lambda _: next(sides), tex)
    return NORM.sub(r"\\Vert ", tex)


def are_pairs(tex: str) -> bool:
    r"""Return whether every bracket of a fixed size that opens is closed, and each closes one that is open.

    Args:
        tex: the formula.

    Returns:
        True for balanced brackets.

    Example:
        >>> are_pairs(r"\big( x \big)"), are_pairs(r"\big( x")
        (True, False)
    """
    steps = [(m.start(), 1) for m in OPENING.finditer(tex)] + [(m.start(), -1) for m in CLOSING.finditer(tex)]
    depth = 0
    for _, step in sorted(steps):
        depth += step
        if depth < 0:
            return False
    return depth == 0
