"""Formulas for pages that are read without a network: TeX becomes MathML, which browsers draw by themselves."""

from __future__ import annotations

import html
import unicodedata
from functools import lru_cache
from xml.etree.ElementTree import Element, tostring

from latex2mathml.converter import convert_to_element

from autograder.gradebook.mathml_tags import ATTRIBUTES, TAGS

LONGEST = 4000  # characters; a longer formula is not translated, so that no student can keep the grader busy
ALPHABETS = {"script": "SCRIPT", "double-struck": "DOUBLE-STRUCK", "bold": "BOLD", "fraktur": "FRAKTUR"}
ACCENTS = tuple("˙¨~^ˆ¯→´`ˇ˘")
DRAWN_ACCENTS = {"~": "˜", "^": "ˆ", "→": "⃗"}
LETTERS = {"\\|": "‖", "~": "∼"}
ROWS = ("mrow", "math", "msqrt", "mtd", "mstyle")  # elements whose children are set beside each other
SCRIPTS = ("msup", "msub", "msubsup")
SIGNS = ("−", "+", "±")
BEFORE_A_SIGN = ("(", "[", ",", "=", "/")  # after these, a sign belongs to what follows
THIN_SPACE = "0.167em"


@lru_cache(maxsize=4096)
def mathml(tex: str, display: bool = False) -> str:
    """Return a formula as `<math>…</math>`; one that cannot be translated stays as it was typed, with its dollars.

    Args:
        tex: The formula in TeX, without dollars.
        display: Whether the formula is a block of its own.
    """
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
    """Check that a formula holds only parts of MathML that a page may hold.

    Raises:
        ValueError: It holds another element or attribute, or a TeX command that was not translated.
    """
    for element in tree.iter():
        if unknown := {element.tag} - TAGS or set(element.attrib) - ATTRIBUTES:
            raise ValueError(f"not a formula: {unknown}")
        if element.tag in ("mi", "mo") and (element.text or "").startswith("\\") and element.text not in LETTERS:
            raise ValueError(f"an unknown command: {element.text}")


def polish(element: Element) -> None:
    """Correct what the translator gets wrong in one element, and the spaces between its children."""
    polish_symbol(element)
    if element.tag in ROWS:
        polish_row(element)


def polish_symbol(element: Element) -> None:
    """Correct one symbol: accents, operators, and letters of other alphabets, which browsers do not restyle."""
    if element.tag == "mover" and element[1].text in ACCENTS:
        element.set("accent", "true")
        element[1].text = DRAWN_ACCENTS.get(element[1].text, element[1].text)
    elif element.text in LETTERS and element.tag in ("mi", "mo"):
        element.tag, element.text = "mo", LETTERS[element.text]
    elif element.text == "∅":
        element.tag = "mi"
    elif element.tag == "mo" and element.text == "/":
        element.attrib |= {"lspace": "0", "rspace": "0"}
    elif element.get("mathvariant") in ALPHABETS:
        alphabet = ALPHABETS[element.attrib.pop("mathvariant")]
        element.text = "".join(styled(letter, alphabet) for letter in element.text or "")


def polish_row(row: Element) -> None:
    """Correct the spaces between the children of a row: around functions such as `log`, and after signs."""
    children = list(row)
    for place in reversed(range(len(children))):  # backwards: an insertion must not move what is still to come
        child = children[place]
        before = children[place - 1] if place else None
        after = children[place + 1] if place + 1 < len(children) else None
        if is_function(child):
            if after is not None and after.tag != "mo":
                row.insert(place + 1, Element("mspace", width=THIN_SPACE))
            if before is not None and before.tag not in ("mo", "mspace"):
                row.insert(place, Element("mspace", width=THIN_SPACE))
        elif child.text in SIGNS and before is not None and before.text in BEFORE_A_SIGN:
            child.set("form", "prefix")  # no space after this sign
        elif child.tag in SCRIPTS and child[0].get("minsize"):  # \big(…\big)^2
            row.insert(place, child[0])
            child[0] = Element("mrow")


def is_function(element: Element) -> bool:
    """Tell whether an element is the name of a function, such as `log`, possibly with an index or a power."""
    if element.tag in SCRIPTS and len(element):
        return is_function(element[0])
    text = element.text or ""
    return element.tag == "mi" and len(text) > 1 and text.isascii() and text.isalpha()


def styled(letter: str, alphabet: str) -> str:
    """Return a letter of another alphabet, such as 𝒩 for N and SCRIPT; browsers ignore the attribute `mathvariant`."""
    case = "CAPITAL" if letter.isupper() else "SMALL"
    names = [f"MATHEMATICAL {alphabet} {case} {letter.upper()}", f"{alphabet} {case} {letter.upper()}"]
    if alphabet == "FRAKTUR":
        names.append(f"BLACK-LETTER {case} {letter.upper()}")
    for name in names:
        try:
            return unicodedata.lookup(name)
        except KeyError:
            continue
    return letter
