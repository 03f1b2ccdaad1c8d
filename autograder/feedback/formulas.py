"""Formulas for pages that are read without a network: TeX becomes MathML, which browsers draw by themselves."""

from __future__ import annotations

import html
import unicodedata
from functools import lru_cache
from xml.etree.ElementTree import Element, tostring

from latex2mathml.converter import convert_to_element

from autograder.gradebook.mathml_tags import ATTRIBUTES, TAGS

LONGEST = 4000  # letters; nobody writes a longer formula, and a student's must not keep the grader busy


ALPHABETS = {"script": "SCRIPT", "double-struck": "DOUBLE-STRUCK", "bold": "BOLD", "fraktur": "FRAKTUR"}


ACCENTS = "˙¨~^ˆ¯→´`ˇ˘"


LETTERS = {"\\|": "‖", "~": "∼"}


@lru_cache(maxsize=4096)
def mathml(tex: str, display: bool = False) -> str:
    """A formula as `<math>…</math>`. What cannot be translated stays as it was typed, dollars included."""
    try:
        if len(tex) > LONGEST:
            raise ValueError("too long")
        tree = convert_to_element(tex.strip(), display="block" if display else "inline")
        for element in tree.iter():
            element.text = html.unescape(element.text or "")  # the translator writes letters as entities
            element.attrib.pop("xmlns", None)
        require_harmless(tree)
        for element in list(tree.iter()):
            polish(element)
        return tostring(tree, encoding="unicode")
    except Exception:  # the translator has no error of its own: an unknown command may raise anything
        dollars = "$$" if display else "$"
        return f'<code class="tex">{html.escape(dollars + tex + dollars)}</code>'


def require_harmless(tree: Element) -> None:
    for element in tree.iter():
        if unknown := {element.tag} - TAGS or set(element.attrib) - ATTRIBUTES:
            raise ValueError(f"not a formula: {unknown}")
        if element.tag in ("mi", "mo") and element.text.startswith("\\") and element.text not in LETTERS:
            raise ValueError(f"an unknown command: {element.text}")


def polish(element: Element) -> None:
    """What the translator leaves undone: letters that browsers do not restyle, accents, and the space around `log`."""
    if element.tag == "mover" and element[1].text in tuple(ACCENTS):
        element.set("accent", "true")
        element[1].text = {"~": "˜", "^": "ˆ", "→": "⃗"}.get(element[1].text, element[1].text)
    elif element.text in LETTERS and element.tag in ("mi", "mo"):
        element.tag, element.text = "mo", LETTERS[element.text]
    elif element.text == "∅":
        element.tag = "mi"
    elif element.tag == "mo" and element.text == "/":
        element.attrib |= {"lspace": "0", "rspace": "0"}
    elif element.get("mathvariant") in ALPHABETS:
        element.text = "".join(styled(letter, ALPHABETS[element.attrib.pop("mathvariant")]) for letter in element.text)
    if element.tag not in ("mrow", "math", "msqrt", "mtd", "mstyle"):
        return
    children = list(element)
    for place, child in reversed(list(enumerate(children))):
        before = children[place - 1] if place else None
        after = children[place + 1] if place + 1 < len(children) else None
        if is_function(child):
            if after is not None and after.tag != "mo":
                element.insert(place + 1, Element("mspace", width="0.167em"))
            if before is not None and before.tag not in ("mo", "mspace"):
                element.insert(place, Element("mspace", width="0.167em"))
        elif child.text in ("−", "+", "±") and before is not None and before.text in ("(", "[", ",", "=", "/"):
            child.set("form", "prefix")  # a sign, with no space after it
        elif child.tag in ("msup", "msub", "msubsup") and child[0].get("minsize"):  # \big(…\big)^2
            element.insert(place, child[0])
            child[0] = Element("mrow")


def is_function(element: Element) -> bool:
    if element.tag in ("msub", "msup", "msubsup") and len(element):
        return is_function(element[0])
    return element.tag == "mi" and len(element.text) > 1 and element.text.isascii() and element.text.isalpha()


def styled(letter: str, alphabet: str) -> str:
    """𝒩 for N and SCRIPT: browsers draw letters, not the attribute `mathvariant`."""
    case = "CAPITAL" if letter.isupper() else "SMALL"
    for name in (f"MATHEMATICAL {alphabet} {case} {letter.upper()}", f"{alphabet} {case} {letter.upper()}",
                 f"BLACK-LETTER {case} {letter.upper()}" if alphabet == "FRAKTUR" else ""):  # fmt: skip
        try:
            return unicodedata.lookup(name)
        except KeyError:
            continue
    return letter
