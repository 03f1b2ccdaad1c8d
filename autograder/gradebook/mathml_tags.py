"""The parts of MathML that a page may hold."""

from __future__ import annotations

TAGS = frozenset(
    [
        "math",
        "mi",
        "mn",
        "mo",
        "ms",
        "mtext",
        "mspace",
        "mrow",
        "mfrac",
        "msqrt",
        "mroot",
        "mstyle",
        "mpadded",
        "mphantom",
        "menclose",
        "munder",
        "mover",
        "munderover",
        "msub",
        "msup",
        "msubsup",
        "mmultiscripts",
        "mprescripts",
        "none",
        "mtable",
        "mtr",
        "mtd",
    ]
)


# Nothing that loads, links, names, styles or moves what it holds: formulas come from students, too.
ATTRIBUTES = frozenset(
    [
        "display",
        "mathvariant",
        "mathsize",
        "stretchy",
        "fence",
        "form",
        "separator",
        "lspace",
        "rspace",
        "accent",
        "accentunder",
        "largeop",
        "symmetric",
        "movablelimits",
        "minsize",
        "maxsize",
        "linethickness",
        "width",
        "height",
        "depth",
        "displaystyle",
        "scriptlevel",
        "columnalign",
        "rowspacing",
        "columnspacing",
        "rowlines",
        "columnlines",
        "notation",
    ]
)
